"""Reads the transit accounts' statements from banks that can be asked, and offers their lines to the orders (statement.py).

What a bank's answer on a register does not tell comes this way: an order executed where no answer follows, money that comes back
days later. A line that was offered before is not offered again. Of credits only those are offered whose payer is an account
that a recipient has or had: covers and payments are others' business.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import structlog

from connectors.statements.source import StatementUnread
from connectors.transfers.statement import StatementSource
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.transfer import StatementMovement
from services.settlement.statement import Recognised, take_movement

_SQL = load_statements("services/settlement/statement.sql")

READ_PERIOD_S = 60
CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_MS = 5_000
DAYS_READ = 3
"""Today's statement is not final, and a bank may write a line into the day before: so many calendar days are read again."""
BANK_ZONE = ZoneInfo("Europe/Moscow")

_log = structlog.get_logger("kopeck.settlement")


class ReadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a reading gave, in lines: offered to the orders for the first time, of them recognised, and left to others."""

    offered: int = 0
    recognised: int = 0
    left: int = 0

    def __add__(self, other: "ReadReport") -> "ReadReport":
        """Add up two readings."""
        return ReadReport(
            offered=self.offered + other.offered,
            recognised=self.recognised + other.recognised,
            left=self.left + other.left,
        )


async def offer_movements(connection: Connection, movements: tuple[StatementMovement, ...], now: datetime) -> ReadReport:
    """Offer the lines of a believed statement of one account to its orders, debits first, each in a transaction of its own.

    A debit must come before the credit that returns it. Raises LookupError for an account that is not ours.
    """
    fresh = await _fresh(connection, movements)
    recognised = 0
    for movement in sorted(fresh, key=lambda one: (one.day, one.is_credit)):
        recognised += await take_movement(connection, movement, now) is not Recognised.NOT_RECOGNISED
    return ReadReport(offered=len(fresh), recognised=recognised, left=len(movements) - len(fresh))


async def _fresh(connection: Connection, movements: tuple[StatementMovement, ...]) -> list[StatementMovement]:
    if not movements:
        return []
    row = await connection.fetchrow(
        _SQL["find_known"],
        movements[0].transit_account,
        [one.bank_id for one in movements],
        [one.counterparty_account for one in movements if one.is_credit],
    )
    taken, paid = frozenset(row["taken"]), frozenset(row["paid"])
    return [one for one in movements if one.bank_id not in taken and (not one.is_credit or one.counterparty_account in paid)]


async def read_statement_of(
    connection: Connection, source: StatementSource, account: str, days: tuple[date, ...], now: datetime
) -> ReadReport:
    """Read days of an account's statement and offer their lines; a day that cannot be read is logged, and read the next time."""
    report = ReadReport()
    for day in days:
        read = await source.statement(account, day)
        if isinstance(read, StatementUnread):
            log = _log.warning if read.again else _log.error
            log("statement_unread", transit=account, day=str(day), reason=read.reason)
            continue
        report += await offer_movements(connection, read.movements, now)
    return report


def days_to_read(now: datetime) -> tuple[date, ...]:
    """Return the calendar days of the bank's zone that are read at ``now``, the oldest first."""
    today = now.astimezone(BANK_ZONE).date()
    return tuple([today - timedelta(days=back) for back in reversed(range(DAYS_READ))])


async def keep_reading(
    dsn: str,
    sources: Mapping[str, StatementSource],
    clock: Callable[[], datetime],
    stop: asyncio.Event,
    period_s: int = READ_PERIOD_S,
) -> None:
    """Read the statement of every transit account that has a source, until ``stop``; what fails is asked for again."""
    while sources and not stop.is_set():
        try:
            await _read_once(dsn, sources, clock())
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, LookupError) as error:
            _log.warning("statements_not_read", error=repr(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), period_s)


async def _read_once(dsn: str, sources: Mapping[str, StatementSource], now: datetime) -> None:
    limits = {"statement_timeout": str(STATEMENT_TIMEOUT_MS), "enable_seqscan": "off"}
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, server_settings=limits)
    try:
        for account, source in sources.items():
            report = await read_statement_of(connection, source, account, days_to_read(now), now)
            if report.offered:
                _log.info("statement_read", transit=account, offered=report.offered, recognised=report.recognised)
    finally:
        await connection.close()
