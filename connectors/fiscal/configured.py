"""A table of the counterparties' file -> a connector to an operator of tills."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from connectors.fiscal.atol import Atol, AtolConfig
from connectors.fiscal.ferma import Ferma, FermaConfig
from connectors.fiscal.token_session import Lock
from schemas.delivery import Counterparty
from schemas.exchange import Exchange

ATOL, FERMA = "atol", "ferma"
KINDS = (ATOL, FERMA)

_Config = TypeVar("_Config", AtolConfig, FermaConfig)


class FiscalConfigError(ValueError):
    """A table cannot be used; the message names the key and never a value that may be secret."""


def connector_of(
    kind: str, table: Mapping[str, Any], exchange: Exchange, now: Callable[[], datetime], lock: Lock
) -> Counterparty:
    """Return the connector of a table by its kind, one of KINDS; raises FiscalConfigError.

    Keys are the fields of AtolConfig and FermaConfig; ``polling``, ``agent`` and ``agent_types`` are tables in the table.
    ``lock`` is a fresh asyncio.Lock() of this connection's own.
    """
    if kind == ATOL:
        return Atol(_read(table, AtolConfig), exchange, now=now, lock=lock)
    if kind == FERMA:
        return Ferma(_read(table, FermaConfig), exchange, now=now, lock=lock)
    raise FiscalConfigError(f"kind: {kind!r} is none of {', '.join(KINDS)}")


def _read(table: Mapping[str, Any], config: type[_Config]) -> _Config:
    try:
        return msgspec.convert(dict(table), config)
    except msgspec.ValidationError as error:
        raise FiscalConfigError(str(error)) from error
