"""Acquirers' events of money given back become entries, each once: a reversal before cover, a refund that is deducted after it.

An event that tells of a refund or reversal that we decided ourselves books no second one. What the acquirer gave back without
being asked (its own cabinet, a chargeback) is owed by the guarantor, the provider (УО), where recipients were paid already.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import structlog

from ledger.core.refund import NothingLeft, NotRefundable
from ledger.feed import Connection
from ledger.history import HistoryBroken
from ledger.journal import fetch_entry
from ledger.refund import read_refundable
from ledger.reversal import AccountBusy, TableNotRebuilt
from ledger.statements import load_statements
from services.settlement.refunds import (
    REVERSAL,
    Asked,
    Decided,
    RefundRefused,
    decide_deduction,
    decide_refund,
    decide_reversal,
    guarantor_of,
    root_of,
)

_SQL = load_statements("services/settlement/acquirer_refunds.sql")

BY = "acquirer"
EVENTS_MAX = 200
NEVER_BOOKED = "платёж не пришёл: возвращать нечего"
MORE_THAN_LEFT = "эквайер вернул больше, чем осталось от платежа"
WAITS_FOR_PAYMENT = timedelta(days=30)
"""So long an event waits for the payment that it takes back; it may come before it."""
PERIOD_S = 5
CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_MS = 5_000

_log = structlog.get_logger("kopeck.settlement")


async def book_acquirer_refunds(connection: Connection, now: datetime) -> int:
    """Book what acquirers gave back and nobody has booked; how many events were seen to. One that cannot be now stays."""
    seen = 0
    for row in await connection.fetch(_SQL["list_events"], now - WAITS_FOR_PAYMENT, EVENTS_MAX):
        try:
            async with connection.transaction():
                seen += await _book(connection, row, now)
        except (RefundRefused, NotRefundable, AccountBusy, TableNotRebuilt, HistoryBroken) as error:
            _log.error("acquirer_refund_not_booked", number=row["event"], reason=str(error))
    return seen


async def _book(connection: Connection, row: Mapping[str, Any], now: datetime) -> bool:
    event = row["event"]
    if row["book"] is None:
        await connection.execute(_SQL["add_booked"], event, None, None, NEVER_BOOKED, now)
        return True
    await connection.execute(_SQL["lock_payment"], row["book"], row["sequence"])
    if await connection.fetchval(_SQL["is_booked"], event):
        return False
    found = await read_refundable(connection, row["book"], row["sequence"])
    whole = row["act"] == "reversed" and row["amount"] == 0
    amount = found.left if whole else row["amount"]
    own = await connection.fetchrow(_SQL["find_own"], row["book"], row["sequence"], amount or found.recorded.entry.amount_kopecks)
    if own is not None:
        deducted: int | None = None
        if own["what"] != REVERSAL:
            deducted = (await decide_deduction(connection, row["book"], own["correction"], now)).sequence
        await connection.execute(_SQL["add_booked"], event, own["refund"], deducted, "", now)
        return True
    try:
        decided, kept = await _decide(connection, row, amount, now)
    except NothingLeft:
        await connection.execute(_SQL["add_booked"], event, None, None, MORE_THAN_LEFT, now)
        _log.error("acquirer_refund_too_large", number=event)
        return True
    await connection.execute(_SQL["add_booked"], event, decided.refund, kept, "", now)
    return True


async def _decide(connection: Connection, row: Mapping[str, Any], amount: int, now: datetime) -> tuple[Decided, int | None]:
    """Reverse what is not covered; refund what is, and let the acquirer keep it from its next cover."""
    recorded = await fetch_entry(connection, row["book"], row["sequence"])
    covered = (await root_of(connection, recorded)).covered
    asked = Asked(
        key=f"event/{row['event']}",
        book=row["book"],
        sequence=row["sequence"],
        by=BY,
        # The money is gone already: nobody is asked whether it may.
        approved_by="event",
        at=now,
        amount_kopecks=amount,
        guarantor=await guarantor_of(connection, recorded) if covered else 0,
    )
    if not covered:
        return await decide_reversal(connection, asked), None
    decided = await decide_refund(connection, asked)
    return decided, (await decide_deduction(connection, decided.book, decided.sequence, now)).sequence


async def keep_booking_acquirer_refunds(
    dsn: str, clock: Callable[[], datetime], stop: asyncio.Event, period_s: int = PERIOD_S
) -> None:
    """Book them until ``stop`` is set; a server that does not answer is asked again."""
    while not stop.is_set():
        try:
            await _book_once(dsn, clock())
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, LookupError) as error:
            _log.warning("acquirer_refunds_not_booked", error=repr(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), period_s)


async def _book_once(dsn: str, now: datetime) -> None:
    limits = {"statement_timeout": str(STATEMENT_TIMEOUT_MS), "enable_seqscan": "off"}
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, server_settings=limits)
    try:
        if seen := await book_acquirer_refunds(connection, now):
            _log.info("acquirer_refunds_booked", events=seen)
    finally:
        await connection.close()
