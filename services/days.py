"""Bank days: ending the operational day of a transit account, by hand or at its cut-off (design §4 «Three times», W3).

A day that has ended stays so: its cut is kept, and every entry that comes later belongs to the next day. Whether it agrees with
the bank is found when the final statement comes, the next morning: reconciliation (services/reconciliation) closes it by its cut.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import structlog

from ledger.balances import StoredCut, find_cut_of_day, read_proof
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Transit
from services.calendar import next_working_day

_SQL = load_statements("services/days.sql")

WRONG_DAY, NEXT_NOT_LATER, CONFLICT_OPEN = "KP003", "KP004", "KP005"
"""SQLSTATEs of ledger.close_bank_day."""
CONNECT_TIMEOUT_S = 10
ROLL_PERIOD_S = 30

_log = structlog.get_logger("kopeck.days")


class OpenDay(msgspec.Struct, frozen=True, kw_only=True):
    """A transit account and its open bank day."""

    transit: Transit
    account: str
    open_day: date


class EndedDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day that was cut. ``reconciled``: two people have signed that it agrees with the bank."""

    day: date
    cut: int
    moment: datetime
    reconciled: bool


class CutOff(msgspec.Struct, frozen=True, kw_only=True):
    """When a bank day ends by itself: the bank's time of day, in the bank's time zone."""

    time: time = time(21, 0)
    time_zone: ZoneInfo = ZoneInfo("Europe/Moscow")


class DayNotClosed(RuntimeError):
    """The day stays open; the message says why and what to do. ``code`` is the door's SQLSTATE, empty for the identity."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


async def list_open_days(connection: Connection) -> tuple[OpenDay, ...]:
    """Return every transit account that has an open day."""
    rows = await connection.fetch(_SQL["list_open_days"])
    return tuple([msgspec.convert(dict(row), OpenDay) for row in rows])


async def list_closed_days(connection: Connection, transit: Transit, days_max: int) -> tuple[EndedDay, ...]:
    """Return the newest days of a transit account that were cut."""
    rows = await connection.fetch(_SQL["list_closed_days"], transit, days_max)
    return tuple([EndedDay(**dict(row)) for row in rows])


async def close_day(connection: Connection, transit: Transit, day: date, next_day: date) -> StoredCut:
    """Close the day at the ledger's door, as the services role, and return its cut; raises DayNotClosed.

    The balances read model must show the daily identity of every transit account first: every prefix of the journal does.
    """
    proof = await read_proof(connection)
    if proof.fault:
        raise DayNotClosed(f"{proof.fault}: run kopeck verify")
    if proof.open_transfers:
        raise DayNotClosed(f"{len(proof.open_transfers)} transfers between personal accounts or books are not completed yet")
    try:
        await connection.execute(_SQL["close"], transit, day, next_day)
    except asyncpg.PostgresError as error:
        if error.sqlstate not in (WRONG_DAY, NEXT_NOT_LATER, CONFLICT_OPEN):
            raise
        raise DayNotClosed(str(error), error.sqlstate) from error
    stored = await find_cut_of_day(connection, transit, day)
    assert stored is not None, "a closed day has its cut"
    return stored


def next_open_day(open_day: date, now: datetime, cut_off: CutOff) -> date | None:
    """Return the bank day to open when the open one is over at ``now``, None while it is not.

    The next day is the first working day, after the open one, that is not over itself: after days of standing still
    the ledger goes straight to the present one.
    """
    local = now.astimezone(cut_off.time_zone)
    present = local.date() if local.time() < cut_off.time else local.date() + timedelta(days=1)
    if present <= open_day:
        return None
    return next_working_day(max(present, open_day + timedelta(days=1)))


async def roll_days(connection: Connection, now: datetime, cut_off: CutOff) -> tuple[StoredCut, ...]:
    """Close every open day that is over; one that cannot be closed is logged and does not hold the others."""
    closed = []
    for open_day in await list_open_days(connection):
        following = next_open_day(open_day.open_day, now, cut_off)
        if following is None:
            continue
        try:
            closed.append(await close_day(connection, open_day.transit, open_day.open_day, following))
        except DayNotClosed as error:
            day = str(open_day.open_day)
            _log.error("day_not_closed", transit=open_day.account, day=day, reason=str(error), sqlstate=error.code)
    return tuple(closed)


async def keep_rolling(dsn: str, clock: Callable[[], datetime], stop: asyncio.Event, cut_off: CutOff | None = None) -> None:
    """Roll the days at their cut-off until ``stop`` is set; a server that does not answer is asked again."""
    while not stop.is_set():
        try:
            for stored in await _roll_once(dsn, clock(), cut_off or CutOff()):
                _log.info("day_closed", transit=stored.transit, day=str(stored.day), cut=stored.number)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("days_not_rolled", error=repr(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), ROLL_PERIOD_S)


async def _roll_once(dsn: str, now: datetime, cut_off: CutOff) -> Sequence[StoredCut]:
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)
    try:
        return await roll_days(connection, now, cut_off)
    finally:
        await connection.close()
