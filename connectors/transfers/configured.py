"""A table of the counterparties' file -> the transfer connector it describes (docs/orders.md)."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from connectors.transfers.alfa_link import AlfaLink, AlfaLinkSettings
from connectors.transfers.alfa_payments import AlfaPayments, AlfaSettings
from connectors.transfers.client_bank import ClientBank, ClientBankSettings
from connectors.transfers.distribution_register import DistributionRegister, RegisterSettings
from connectors.transfers.signing import Sign
from schemas.delivery import Counterparty
from schemas.exchange import Exchange
from schemas.transfer import TransferState

KINDS = ("distribution_register", "client_bank", "alfa_payments", "alfa_link")
POLL_MS_MIN, POLL_MS_MAX = 100, 86_400_000
TIMEOUT_MS_MIN, TIMEOUT_MS_MAX = 100, 120_000

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SECRETS = ("token", "authorization", "user", "password")

_Settings = RegisterSettings | ClientBankSettings | AlfaSettings | AlfaLinkSettings
_Some = TypeVar("_Some", RegisterSettings, ClientBankSettings, AlfaSettings, AlfaLinkSettings)


class TransferConfigError(ValueError):
    """A table cannot be used; the message names every key at fault, one a line, and holds no secret."""


class Edges(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector is given from outside. ``sign`` is None where no signing command is configured."""

    exchange: Exchange
    now: Callable[[], datetime]
    sign: Sign | None


def transfer_connector(kind: str, table: Mapping[str, Any], edges: Edges) -> Counterparty:
    """Build the connector of ``kind`` (one of KINDS); raises TransferConfigError."""
    match kind:
        case "distribution_register":
            register = _read(table, RegisterSettings)
            return DistributionRegister(register, edges.exchange, _signer(edges))
        case "client_bank":
            client = _read(table, ClientBankSettings)
            return ClientBank(client, edges.exchange, _signer(edges) if client.signed else None, edges.now)
        case "alfa_payments":
            return AlfaPayments(_read(table, AlfaSettings), edges.exchange, edges.now)
        case "alfa_link":
            return AlfaLink(_read(table, AlfaLinkSettings), edges.exchange, _signer(edges))
        case _:
            raise TransferConfigError(f"kind {kind}: must be one of {', '.join(KINDS)}")


def _signer(edges: Edges) -> Sign:
    if edges.sign is None:
        raise TransferConfigError("sign_command: is needed, files to this counterparty are signed")
    return edges.sign


def _read(table: Mapping[str, Any], kind: type[_Some]) -> _Some:
    try:
        settings = msgspec.convert(dict(table), kind)
    except msgspec.ValidationError as error:
        raise TransferConfigError(str(error)) from error
    faults = _faults(settings)
    if faults:
        raise TransferConfigError("\n".join(faults))
    return settings


def _faults(settings: _Settings) -> list[str]:
    faults = [fault for name in settings.__struct_fields__ if name.endswith("url") for fault in _url_faults(settings, name)]
    faults += [fault for name in SECRETS if name in settings.__struct_fields__ for fault in _secret_faults(settings, name)]
    if not POLL_MS_MIN <= settings.poll_ms <= POLL_MS_MAX:
        faults.append(f"poll_ms: must be {POLL_MS_MIN} … {POLL_MS_MAX}")
    if not TIMEOUT_MS_MIN <= settings.timeout_ms <= TIMEOUT_MS_MAX:
        faults.append(f"timeout_ms: must be {TIMEOUT_MS_MIN} … {TIMEOUT_MS_MAX}")
    if isinstance(settings, ClientBankSettings):
        missing = [name for name in ("{account}", "{from}", "{to}") if name not in settings.statement_url]
        faults += [f"statement_url: {name} is not in it" for name in missing]
    if isinstance(settings, AlfaSettings):
        states = [state.name.lower() for state in TransferState]
        wrong = [name for name, state in settings.statuses.items() if state not in states]
        faults += [f"statuses: {name}: must be one of {', '.join(states)}" for name in wrong]
    return faults


def _url_faults(settings: _Settings, name: str) -> Iterator[str]:
    parts = urlsplit(getattr(settings, name))
    plain = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not (parts.scheme == "https" or plain) or not parts.hostname or parts.username or parts.password:
        yield f"{name}: must be an https:// address without a password in it (http:// on loopback only)"


def _secret_faults(settings: _Settings, name: str) -> Iterator[str]:
    secret: str = getattr(settings, name)
    required = isinstance(settings, AlfaSettings | AlfaLinkSettings)
    if (required and not secret) or not secret.isprintable() or secret != secret.strip():
        yield f"{name}: must be one line without spaces around it" + (", not empty" if required else "")
    if name == "user" and ":" in secret:
        yield "user: must not contain a colon"
