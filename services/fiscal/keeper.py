"""What receipts wait for, done again and again: a table that was loaded at last, the end of a month of offset advances.

Advances offset in a month stand in one receipt an issuer, within ten days after it (54-ФЗ ст. 1.2 п. 2.1, the term [from memory
M]): months are consolidated from their end on, late offsets of any of them too.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta

import asyncpg
import msgspec
import structlog

from ledger.feed import Connection
from services.fiscal.core.drafts import MOSCOW
from services.fiscal.offsets import Consolidated, consolidate_until
from services.fiscal.rebuilding import Reordered, order_unconfigured
from services.fiscal.registers import Registers, fetch_mark

KEEP_PERIOD_S = 60
CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_MS = 5_000

_log = structlog.get_logger("kopeck.fiscal")


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What one turn did."""

    reordered: Reordered
    consolidated: Consolidated


def month_before(day: date) -> int:
    """Return the calendar month before a day's as year * 100 + month."""
    last = day.replace(day=1) - timedelta(days=1)
    return last.year * 100 + last.month


class Keeper:
    """Remembers by which tables, on which day, the waiting receipts were last looked at: nothing else can have changed them."""

    def __init__(self) -> None:
        self._registers = Registers()
        self._looked: tuple[str, date] | None = None

    async def turn(self, connection: Connection, now: datetime) -> Kept:
        """Order what is configured by now and consolidate the month before; the connection has no transaction open."""
        today = now.astimezone(MOSCOW).date()
        looked = (await fetch_mark(connection), today)
        reordered = Reordered()
        if looked != self._looked:
            reordered = await order_unconfigured(connection, self._registers, now)
            self._looked = looked
        return Kept(
            reordered=reordered,
            consolidated=await consolidate_until(connection, self._registers, month_before(today), now),
        )


async def keep_receipts(dsn: str, clock: Callable[[], datetime], stop: asyncio.Event) -> None:
    """Do a turn every minute until ``stop``; what fails is logged and done at the next."""
    keeper = Keeper()
    while not stop.is_set():
        try:
            kept = await _turn(dsn, keeper, clock())
            if kept.reordered.ordered or kept.consolidated.receipts:
                _log.info("receipts_kept", ordered=kept.reordered.ordered, offsets=len(kept.consolidated.receipts))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("receipts_not_kept", error=repr(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), KEEP_PERIOD_S)


async def _turn(dsn: str, keeper: Keeper, now: datetime) -> Kept:
    limits = {"statement_timeout": str(STATEMENT_TIMEOUT_MS), "enable_seqscan": "off"}
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, server_settings=limits)
    try:
        return await keeper.turn(connection, now)
    finally:
        await connection.close()
