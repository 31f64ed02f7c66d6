"""Protocols that two people have signed: found, read, and held against the ledger again."""

from collections.abc import Mapping
from datetime import date, datetime
from hashlib import sha256
from typing import Any

import msgspec

from ledger.balances import find_cut
from ledger.chart import parts_of
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import LedgerAccount, Transit
from services.reconciliation.core.words import KINDS_OF_IDENTITY
from services.reconciliation.reading import balances_between, read_closed

SQL = load_statements("services/reconciliation/closing.sql")

DAY, MONTH = "day", "month"


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed, in small letters, and when."""

    person: str
    at: datetime


class Protocol(msgspec.Struct, frozen=True, kw_only=True):
    """A protocol with its signatures: two close the period. ``content`` is the canonical JSON, ``digest`` its SHA-256."""

    protocol: int
    transit: Transit
    what: str
    period: date
    cut: int
    content: str
    digest: bytes
    made_at: datetime
    balances: Mapping[int, int]
    signatures: tuple[Signature, ...]

    @property
    def is_closed(self) -> bool:
        """Whether two people have signed."""
        return len(self.signatures) > 1


async def find_closed_until(connection: Connection, transit: Transit) -> date | None:
    """Return the last closed day of a transit account, None before the first."""
    found: date | None = await connection.fetchval(SQL["find_closed_until"], transit)
    return found


async def find_protocol(connection: Connection, transit: Transit, what: str, period: date) -> Protocol | None:
    """Return the protocol of a period: the closed one, else the newest; None when nobody has begun to close it."""
    row = await connection.fetchrow(SQL["find_protocol"], transit, what, period)
    return None if row is None else await _protocol(connection, row)


async def _protocol(connection: Connection, row: Mapping[str, Any]) -> Protocol:
    signed = await connection.fetch(SQL["list_signatures"], row["protocol"])
    return Protocol(
        protocol=row["protocol"],
        transit=row["transit"],
        what=row["what"],
        period=row["period"],
        cut=row["cut"],
        content=row["content"],
        digest=row["digest"],
        made_at=row["made_at"],
        balances=dict(zip(row["accounts"], row["balances"], strict=True)),
        signatures=tuple([Signature(person=one["person"], at=one["at"]) for one in signed]),
    )


async def check_protocol(connection: Connection, protocol: Protocol) -> tuple[str, ...]:
    """Hold a day's protocol against its own digest and against the journal as it is now; what differs, in words.

    Only the day's own passage is added up: earlier ones have protocols of their own.
    """
    faults = []
    if sha256(protocol.content.encode()).digest() != protocol.digest:
        faults.append("содержание протокола не то, что подписано: SHA-256 не сходится")
    stored = await find_cut(connection, protocol.cut)
    assert stored is not None, "a protocol refers to its cut"
    closed = await read_closed(connection, protocol.transit, protocol.period)
    now = await balances_between(connection, protocol.transit, closed, stored.cut)
    if now != dict(protocol.balances):
        differing = [one for one in {*now, *protocol.balances} if now.get(one, 0) != protocol.balances.get(one, 0)]
        faults.append(f"книги закрытого дня изменены: остатки {len(differing)} счетов не те, что в протоколе")
    difference = sum(balance for one, balance in now.items() if parts_of(LedgerAccount(one)).kind in KINDS_OF_IDENTITY)
    if difference:
        faults.append(f"тождество счёта нарушено на {difference} коп.")
    return tuple(faults)
