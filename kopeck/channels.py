"""Channel configuration: a TOML file of transit accounts, operation spaces and channels (docs/channels.md).

Reading checks everything that can be checked without the database and lists every fault at once; registration gives
the numbers from which ledger accounts are packed, is idempotent, and refuses to move a known channel's money.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import asyncpg
import msgspec

from connectors.banks.standard_webhooks import parse_secret
from connectors.terminals.access import parse_networks
from gateway.decoders import PATHS as ACQUIRERS
from kopeck.acquirer_sections import AcquirerSection, Sources, fill_section, section_faults, terms_of
from ledger.statements import load_statements
from schemas.channel import Channel, ChannelKind, LegalKind, Manner
from schemas.ids import ChannelNumber, Space, Transit
from schemas.money import AMOUNT_KOPECKS_MAX
from services.requisites import account_key_is_valid

_SQL = load_statements("kopeck/statements/channels.sql")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_SPACE = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_BIC = re.compile(r"0[14][0-9]{7}", re.ASCII)
_TRANSIT = re.compile(r"[0-9]{20}", re.ASCII)

LEDGER_SPACES = ("correction", "opening", "settlement")
"""Operation spaces of the ledger itself (migration 0002); no counterparty may have one."""
MANNER_OF = {
    ChannelKind.OSMP: Manner.ASKING,
    ChannelKind.SBER_ONLINE: Manner.ASKING,
    ChannelKind.BANK_FEED: Manner.REPORTING,
    ChannelKind.RBS: Manner.REPORTING,
    ChannelKind.TBANK: Manner.REPORTING,
    ChannelKind.TOCHKA: Manner.REPORTING,
    ChannelKind.REGISTER: Manner.REPORTING,
    ChannelKind.STATEMENT: Manner.REPORTING,
}
"""What a protocol can be: terminals and Sber online ask before they take money, a feed reports money that arrived."""
LEGAL_KINDS_OF = {
    ChannelKind.OSMP: frozenset({LegalKind.BANK, LegalKind.BANK_PAYMENT_AGENT, LegalKind.PAYMENT_AGENT}),
    ChannelKind.SBER_ONLINE: frozenset({LegalKind.BANK}),
    ChannelKind.BANK_FEED: frozenset({LegalKind.BANK, LegalKind.ACQUIRER}),
    ChannelKind.RBS: frozenset({LegalKind.ACQUIRER}),
    ChannelKind.TBANK: frozenset({LegalKind.ACQUIRER}),
    ChannelKind.TOCHKA: frozenset({LegalKind.ACQUIRER}),
    ChannelKind.REGISTER: frozenset({*LegalKind}),
    ChannelKind.STATEMENT: frozenset({LegalKind.BANK}),
}
SECRET_BYTES_MIN = 16
ASKED_KINDS = (ChannelKind.OSMP, ChannelKind.SBER_ONLINE)
"""Kinds that anybody who reaches their route could pay by."""


class ChannelConfigError(ValueError):
    """The channel configuration cannot be used; the message names every key at fault, one a line."""


class TransitSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[transit]]``: a bank's transit account (40911), its BIC and a title for people."""

    account: str
    bic: str
    title: str


class SpaceSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[space]]``: an operation space, one a contract (design W5)."""

    name: str


class LimitsSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``limits`` of a channel; units are in the names."""

    amount_min_kopecks: int = 1
    amount_max_kopecks: int = 100_000_000
    deadline_ms: int = 10_000
    replay_window_s: int = 300
    body_bytes_max: int = 65_536
    unknown_per_minute_max: int = 60


class ChannelSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[channel]]``; secrets stand here, in files or in environment variables, and are one list when read."""

    name: str
    kind: ChannelKind
    manner: Manner
    legal_kind: LegalKind
    space: str
    transit: str
    namespace: str
    providers: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    secret_files: tuple[str, ...] = ()
    secret_env: tuple[str, ...] = ()
    basic_user: str = ""
    basic_password: str = ""
    basic_password_file: str = ""
    basic_password_env: str = ""
    allow_networks: tuple[str, ...] = ()
    acquirer: AcquirerSection = AcquirerSection()
    limits: LimitsSection = LimitsSection()

    def __repr__(self) -> str:
        """Name the channel without its secrets."""
        return f"ChannelSection({self.name!r}, {self.kind.value})"


class ChannelsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole file, in the order written."""

    transit: tuple[TransitSection, ...]
    space: tuple[SpaceSection, ...]
    channel: tuple[ChannelSection, ...]


def read_channels(path: Path, environ: Mapping[str, str]) -> ChannelsFile:
    """Read a file; secrets' files are taken relative to it. Raises ChannelConfigError."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelConfigError(f"{path}: cannot be read: {error}") from error
    return parse_channels(text, folder=path.parent, environ=environ)


def parse_channels(text: str, *, folder: Path, environ: Mapping[str, str]) -> ChannelsFile:
    """Read TOML text with its secrets filled in; raises ChannelConfigError listing every fault found."""
    try:
        read = msgspec.convert(tomllib.loads(text), ChannelsFile)
    except tomllib.TOMLDecodeError as error:
        raise ChannelConfigError(f"not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ChannelConfigError(str(error)) from error
    faults: list[str] = []
    filled = msgspec.structs.replace(read, channel=tuple(_with_secrets(one, folder, environ, faults) for one in read.channel))
    faults += _file_faults(filled)
    if faults:
        raise ChannelConfigError("\n".join(faults))
    return filled


async def register_channels(connection: asyncpg.Connection, file: ChannelsFile, *, today: date) -> tuple[Channel, ...]:
    """Give everything in the file its numbers, as the services role, and return the channels in the file's order.

    ``today`` opens the first operational day of a new transit account. A second call changes nothing. Raises
    ChannelConfigError when a known transit account has another BIC, a known channel another space or transit account,
    or a provider's code is not a loaded recipient; nothing is registered then.
    """
    async with connection.transaction():
        transits = {one.account: await _register_transit(connection, one, today) for one in file.transit}
        spaces = {one.name: await _register_space(connection, one.name) for one in file.space}
        providers = await _provider_numbers(connection, file.channel)
        return tuple([await _register_channel(connection, one, spaces, transits, providers) for one in file.channel])


async def _register_transit(connection: asyncpg.Connection, section: TransitSection, today: date) -> Transit:
    await connection.execute(_SQL["add_transit"], section.account, section.bic, section.title)
    row = await connection.fetchrow(_SQL["find_transit"], section.account)
    if row["bic"] != section.bic:
        raise ChannelConfigError(f"transit {section.account}: bic is registered as {row['bic']} and cannot change")
    await connection.execute(_SQL["open_first_day"], row["transit"], today)
    return Transit(row["transit"])


async def _register_space(connection: asyncpg.Connection, name: str) -> Space:
    await connection.execute(_SQL["add_space"], name)
    return Space(await connection.fetchval(_SQL["find_space"], name))


async def _provider_numbers(connection: asyncpg.Connection, channels: Iterable[ChannelSection]) -> dict[str, int]:
    wanted = sorted({code for channel in channels for code in channel.providers})
    found = {row["code"]: row["recipient"] for row in await connection.fetch(_SQL["list_recipients"], wanted)}
    if missing := [code for code in wanted if code not in found]:
        raise ChannelConfigError(f"providers: not loaded as recipients: {', '.join(missing)}")
    return found


async def _register_channel(
    connection: asyncpg.Connection,
    section: ChannelSection,
    spaces: Mapping[str, Space],
    transits: Mapping[str, Transit],
    providers: Mapping[str, int],
) -> Channel:
    space, transit = spaces[section.space], transits[section.transit]
    await connection.execute(_SQL["add_channel"], section.name, section.manner.value, section.legal_kind.value, space, transit)
    row = await connection.fetchrow(_SQL["find_channel"], section.name)
    if (row["space"], row["transit"]) != (section.space, section.transit):
        raise ChannelConfigError(
            f"channel {section.name}: its space and transit are registered as {row['space']} and {row['transit']} "
            "and cannot change: name a new channel"
        )
    return Channel(
        number=ChannelNumber(row["channel"]),
        name=section.name,
        kind=section.kind,
        manner=section.manner,
        legal_kind=section.legal_kind,
        space=space,
        space_name=section.space,
        transit=transit,
        transit_account=section.transit,
        namespace=section.namespace,
        providers=tuple(sorted(providers[code] for code in section.providers)),
        secrets=section.secrets,
        basic_user=section.basic_user,
        basic_password=section.basic_password,
        allow_networks=section.allow_networks,
        acquirer=terms_of(section.acquirer),
        **msgspec.structs.asdict(section.limits),
    )


def _with_secrets(section: ChannelSection, folder: Path, environ: Mapping[str, str], faults: list[str]) -> ChannelSection:
    at = f"channel {section.name}"
    from_files = [_file_secret(folder / name, f"{at}: secret_files", faults) for name in section.secret_files]
    from_environ = [_environ_secret(name, environ, f"{at}: secret_env", faults) for name in section.secret_env]
    passwords = [section.basic_password] if section.basic_password else []
    if section.basic_password_file:
        passwords.append(_file_secret(folder / section.basic_password_file, f"{at}: basic_password_file", faults))
    if section.basic_password_env:
        passwords.append(_environ_secret(section.basic_password_env, environ, f"{at}: basic_password_env", faults))
    if len(passwords) > 1:
        faults.append(f"{at}: basic_password, basic_password_file and basic_password_env exclude one another")
    sources = Sources(
        file=lambda name, where: _file_secret(folder / name, where, faults),
        environ=lambda name, where: _environ_secret(name, environ, where, faults),
    )
    return msgspec.structs.replace(
        section,
        secrets=(*section.secrets, *from_files, *from_environ),
        basic_password=passwords[0] if passwords else "",
        acquirer=fill_section(section.acquirer, sources, faults, at),
    )


def _file_secret(path: Path, at: str, faults: list[str]) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{at}: {path.name} cannot be read ({type(error).__name__})")
        return ""
    if not text:
        faults.append(f"{at}: {path.name} is empty")
    return text


def _environ_secret(name: str, environ: Mapping[str, str], at: str, faults: list[str]) -> str:
    value = environ.get(name, "").strip()
    if not value:
        faults.append(f"{at}: the variable {name} is not set")
    if name.startswith("KOPECK_"):
        faults.append(f"{at}: {name}: names that start with KOPECK_ are the program's own")
    return value


def _file_faults(file: ChannelsFile) -> list[str]:
    faults = _repeats("transit", [one.account for one in file.transit])
    faults += _repeats("space", [one.name for one in file.space]) + _repeats("channel", [one.name for one in file.channel])
    faults += [fault for one in file.transit for fault in _transit_faults(one)]
    for space in file.space:
        if _SPACE.fullmatch(space.name) is None or space.name in LEDGER_SPACES:
            faults.append(f"space {space.name}: name must be lower-case Latin words, not one of the ledger's own")
    if not file.channel:
        faults.append("channel: at least one is needed")
    for channel in file.channel:
        known = (channel.space in {one.name for one in file.space}, channel.transit in {one.account for one in file.transit})
        faults += [f"channel {channel.name}: space {channel.space} is not in the file"] if not known[0] else []
        faults += [f"channel {channel.name}: transit {channel.transit} is not in the file"] if not known[1] else []
        faults += [f"channel {channel.name}: {fault}" for fault in (*_kind_faults(channel), *_guard_faults(channel))]
        faults += [f"channel {channel.name}: limits: {fault}" for fault in _limit_faults(channel.limits)]
    return faults


def _repeats(what: str, names: list[str]) -> list[str]:
    return [f"{what} {name}: stands twice" for name in sorted({name for name in names if names.count(name) > 1})]


def _transit_faults(section: TransitSection) -> list[str]:
    at = f"transit {section.account}"
    if _TRANSIT.fullmatch(section.account) is None or not section.account.startswith("40911"):
        return [f"{at}: account must be 20 digits and start with 40911"]
    if _BIC.fullmatch(section.bic) is None:
        return [f"{at}: bic must be 9 digits and start with 04 or 01"]
    if not account_key_is_valid(section.account, section.bic):
        return [f"{at}: the check digit of account does not fit bic {section.bic}"]
    return [] if section.title.strip() else [f"{at}: title is empty"]


def _kind_faults(channel: ChannelSection) -> Iterable[str]:
    if _NAME.fullmatch(channel.name) is None:
        yield "name must be lower-case Latin letters, digits and hyphens, at most 63"
    if channel.manner is not MANNER_OF[channel.kind]:
        yield f"manner of kind {channel.kind.value} must be {MANNER_OF[channel.kind].value}"
    if channel.legal_kind not in LEGAL_KINDS_OF[channel.kind]:
        yield f"legal_kind of kind {channel.kind.value} must be one of {', '.join(sorted(LEGAL_KINDS_OF[channel.kind]))}"
    if not channel.namespace.strip():
        yield "namespace is empty"


def _guard_faults(channel: ChannelSection) -> Iterable[str]:
    if bool(channel.basic_user) != bool(channel.basic_password):
        yield "basic_user and basic_password go together"
    if ":" in channel.basic_user:
        yield "basic_user must not contain a colon"
    try:
        parse_networks(channel.allow_networks)
    except ValueError as error:
        yield f"allow_networks: {error}"
    yield from section_faults(channel.kind, terms_of(channel.acquirer), channel.secrets)
    if channel.kind is ChannelKind.TBANK and not channel.allow_networks:
        yield "allow_networks is needed: a Token has no borders between values, so one that was seen fits other amounts too"
    if channel.kind in ACQUIRERS:
        return
    if channel.kind is not ChannelKind.BANK_FEED:
        if channel.kind in ASKED_KINDS and not channel.basic_user and not channel.allow_networks:
            yield "basic_user or allow_networks is needed: without either anybody could pay"
        if channel.secrets:
            yield f"secrets, secret_files and secret_env have no meaning for kind {channel.kind.value}"
        return
    if not channel.secrets:
        yield "secrets, secret_files or secret_env is needed: a feed is believed by its signature"
    for position, secret in enumerate(channel.secrets):
        try:
            short = len(parse_secret(secret)) < SECRET_BYTES_MIN
        except ValueError as error:
            yield f"secrets[{position}]: {error}"
        else:
            if short:
                yield f"secrets[{position}]: shorter than {SECRET_BYTES_MIN} bytes"


def _limit_faults(limits: LimitsSection) -> Iterable[str]:
    for name, value in msgspec.structs.asdict(limits).items():
        if value < 1:
            yield f"{name} must be at least 1"
    if limits.amount_min_kopecks > limits.amount_max_kopecks:
        yield "amount_min_kopecks is above amount_max_kopecks"
    if limits.amount_max_kopecks > AMOUNT_KOPECKS_MAX:
        yield f"amount_max_kopecks is above {AMOUNT_KOPECKS_MAX}"
