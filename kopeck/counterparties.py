"""Counterparty configuration: a TOML file of the connections by which orders leave (docs/orders.md).

``[[counterparty]]`` has a name, a kind, how many orders may be under way, and the connector's own table. A secret stands in the
file, in another (``password_file``) or in an environment variable (``password_env``); the connector sees ``password`` each time.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

_NAME = re.compile(r"[a-z0-9][a-z0-9:._-]{0,63}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{20}", re.ASCII)
_KEY = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FILE_SUFFIX, _ENV_SUFFIX = "_file", "_env"
CONCURRENCY_MAX = 256


class CounterpartyConfigError(ValueError):
    """The counterparty configuration cannot be used; the message names every key at fault, one a line."""


class CounterpartySection(msgspec.Struct, frozen=True, kw_only=True):
    """``[[counterparty]]``: ``table`` is what its connector reads, secrets filled in; ``at_once`` bounds orders under way.

    ``statement_of`` are the transit accounts whose statement is read from it; its connector must be able to give one.
    """

    name: str
    kind: str
    at_once: int = 8
    statement_of: tuple[str, ...] = ()
    table: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Name the counterparty without its secrets."""
        return f"CounterpartySection({self.name!r}, {self.kind!r})"


class CounterpartiesFile(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file. ``sign_command`` is the program that signs outgoing files, as an argument list; empty without one.

    ``webhook_keys`` seal the secrets of suppliers' endpoints, hexadecimal, the newest first; without one no webhook is sent.
    """

    counterparty: tuple[CounterpartySection, ...] = ()
    sign_command: tuple[str, ...] = ()
    webhook_keys: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Name the counterparties only."""
        return f"CounterpartiesFile({[one.name for one in self.counterparty]!r})"


def read_counterparties(path: Path, environ: Mapping[str, str]) -> CounterpartiesFile:
    """Read a file; secrets' files are taken relative to it. Raises CounterpartyConfigError."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CounterpartyConfigError(f"{path}: cannot be read: {error}") from error
    faults: list[str] = []
    sections = _sections(content.pop("counterparty", []), faults)
    command = content.pop("sign_command", [])
    keys = _webhook_keys(content.pop("webhooks", {}), path.parent, environ, faults)
    faults += [f"{name}: is no key of this file" for name in content]
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        faults.append("sign_command: must be a list of words")
    filled = tuple(_filled(section, path.parent, environ, faults) for section in sections)
    if len({one.name for one in filled}) < len(filled):
        faults.append("counterparty: two have one name")
    read = [account for one in filled for account in one.statement_of]
    faults += [f"{account}: its statement is read from two counterparties" for account in {*read} if read.count(account) > 1]
    if faults:
        raise CounterpartyConfigError("\n".join(f"{path}: {fault}" for fault in faults))
    return CounterpartiesFile(counterparty=filled, sign_command=tuple(command), webhook_keys=keys)


def _webhook_keys(found: object, folder: Path, environ: Mapping[str, str], faults: list[str]) -> tuple[str, ...]:
    """``[webhooks]``: ``key`` seals, ``old_key`` unseals what an older one sealed."""
    if not isinstance(found, dict):
        faults.append("webhooks: must be a table")
        return ()
    table = _with_secrets(found, folder, environ, lambda fault: faults.append(f"webhooks: {fault}"))
    keys = [table.pop(name) for name in ("key", "old_key") if name in table]
    faults += [f"webhooks: {name}: is no key of this table" for name in table]
    if not all(isinstance(key, str) and _KEY.fullmatch(key) for key in keys):
        faults.append("webhooks: a key has 64 hexadecimal digits")
    return tuple(keys)


def _sections(found: object, faults: list[str]) -> list[CounterpartySection]:
    if not isinstance(found, list):
        faults.append("counterparty: must be an array of tables")
        return []
    sections = []
    for place, table in enumerate(found, start=1):
        name, kind, at_once = table.pop("name", ""), table.pop("kind", ""), table.pop("at_once", 8)
        accounts = table.pop("statement_of", [])
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            faults.append(f"counterparty {place}: name must be 1 to 64 of a-z, 0-9 and : . _ -")
        elif not isinstance(kind, str) or not kind:
            faults.append(f"{name}: kind is missing")
        elif type(at_once) is not int or not 1 <= at_once <= CONCURRENCY_MAX:
            faults.append(f"{name}: at_once must be a whole number from 1 to {CONCURRENCY_MAX}")
        elif not isinstance(accounts, list) or not all(isinstance(one, str) and _ACCOUNT.fullmatch(one) for one in accounts):
            faults.append(f"{name}: statement_of must be a list of accounts of 20 digits")
        else:
            section = CounterpartySection(name=name, kind=kind, at_once=at_once, statement_of=tuple(accounts), table=table)
            sections.append(section)
    return sections


def _filled(section: CounterpartySection, folder: Path, environ: Mapping[str, str], faults: list[str]) -> CounterpartySection:
    def complain(fault: str) -> None:
        faults.append(f"{section.name}: {fault}")

    return msgspec.structs.replace(section, table=_with_secrets(section.table, folder, environ, complain))


def _with_secrets(
    table: Mapping[str, Any], folder: Path, environ: Mapping[str, str], complain: Callable[[str], None]
) -> dict[str, Any]:
    """Replace ``x_file`` and ``x_env`` by ``x``, in tables inside the table too."""
    filled: dict[str, Any] = {}
    for key, value in table.items():
        wanted = key.removesuffix(_FILE_SUFFIX).removesuffix(_ENV_SUFFIX)
        if isinstance(value, dict):
            wanted, value = key, _with_secrets(value, folder, environ, complain)
        elif key.endswith(_FILE_SUFFIX):
            try:
                value = (folder / value).read_text("utf-8").strip()
            except (OSError, TypeError, UnicodeDecodeError):
                complain(f"{key}: the file cannot be read")
        elif key.endswith(_ENV_SUFFIX):
            value = environ.get(str(value), "")
            if not value:
                complain(f"{key}: the environment variable is empty")
        if wanted in filled:
            complain(f"{wanted} is given twice")
        filled[wanted] = value
    return filled
