"""When cuts are made: at the transit account's times of working days, and by hand at the end of a day (design W9).

Orders leave as soon as they are approved, whenever that is.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import structlog

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Transit
from services.calendar import is_working_day
from services.sealing import NotUnsealed, Sealer
from services.settlement.orders import AggregatorBusy, CutReport, SettlementBroken, make_orders
from services.settlement.registers import RegisterFaulty, send_registers
from services.settlement.rules.numbering import NumbersExhausted

_SQL = load_statements("services/settlement/pace.sql")

SETTLE_PERIOD_S = 10
CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_MS = 5_000
CUTS_MAX = 10
"""Cuts in a row at one time of the day."""
LOOK_BACK_DAYS = 1
"""A cut that was due while nothing ran is made up for within so many days; the next one takes its money anyway."""

REFUSALS = (SettlementBroken, AggregatorBusy, RegisterFaulty, NumbersExhausted, NotUnsealed, LookupError)
"""What a person must look at, or the next turn makes up for: nothing was written."""

_log = structlog.get_logger("kopeck.settlement")


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """A transit account's times of cuts in the bank's zone, and when its last cut was made."""

    transit: Transit
    account: str
    cut_times: tuple[time, ...]
    time_zone: str
    last_cut: datetime | None


def cut_moment(pace: Pace, now: datetime) -> datetime | None:
    """Return the newest time of a working day at which a cut was due, not later than ``now``; None when there is none."""
    zone = ZoneInfo(pace.time_zone)
    today = now.astimezone(zone).date()
    moments = [
        datetime.combine(today - timedelta(days=back), at, zone)
        for back in range(LOOK_BACK_DAYS + 1)
        for at in pace.cut_times
        if is_working_day(today - timedelta(days=back))
    ]
    return max([moment for moment in moments if moment <= now], default=None)


def is_cut_due(pace: Pace, now: datetime, tried: datetime | None) -> bool:
    """Whether a cut is due at ``now``; ``tried`` is the last attempt, which may have had nothing to cut."""
    due = cut_moment(pace, now)
    done = [moment for moment in (pace.last_cut, tried) if moment is not None]
    return due is not None and all(moment < due for moment in done)


async def list_paces(connection: Connection) -> tuple[Pace, ...]:
    """Return every transit account with an open day."""
    rows = await connection.fetch(_SQL["list_paces"])
    return tuple([Pace(**{**dict(row), "cut_times": tuple(row["cut_times"])}) for row in rows])


async def cut_all(connection: Connection, transit: Transit, now: datetime) -> tuple[CutReport, ...]:
    """Cut until nothing is left to order: a cut that keeps a debt back, or takes a correction, frees money for the next."""
    reports: list[CutReport] = []
    while len(reports) < CUTS_MAX:
        report = await make_orders(connection, transit, now)
        if report.cut is None:
            break
        reports.append(report)
    return tuple(reports)


async def settle_now(connection: Connection, now: datetime, sealer: Sealer | None = None) -> tuple[CutReport, ...]:
    """Cut every transit account and send what is approved: the end of a day, by hand; the cuts made.

    Returns to payers leave only with a ``sealer`` (registers.py).
    """
    reports: list[CutReport] = []
    for pace in await list_paces(connection):
        reports += await cut_all(connection, pace.transit, now)
        await send_registers(connection, pace.transit, now, sealer)
    return tuple(reports)


async def keep_settling(
    dsn: str, clock: Callable[[], datetime], stop: asyncio.Event, *, every_s: int = 0, sealer: Sealer | None = None
) -> None:
    """Cut at the times due and send what is approved until ``stop`` is set; a server that does not answer is asked again.

    With ``every_s`` a cut is made so often as well: for a demo, where nobody waits for the bank's hours. Returns to payers leave
    only with a ``sealer`` (registers.py).
    """
    keeper = _Keeper(dsn, timedelta(seconds=every_s), sealer)
    period_s = min(SETTLE_PERIOD_S, every_s or SETTLE_PERIOD_S)
    while not stop.is_set():
        try:
            await keeper.settle(clock())
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("not_settled", error=repr(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), period_s)


class _Keeper:
    """Remembers when each transit account was last cut or tried to be."""

    def __init__(self, dsn: str, every: timedelta, sealer: Sealer | None) -> None:
        self._dsn = dsn
        self._sealer = sealer
        self._every = every
        self._tried: dict[Transit, datetime] = {}

    async def settle(self, now: datetime) -> None:
        """Look at every transit account once; what one refuses does not hold the others."""
        limits = {"statement_timeout": str(STATEMENT_TIMEOUT_MS), "enable_seqscan": "off"}
        connection = await asyncpg.connect(self._dsn, timeout=CONNECT_TIMEOUT_S, server_settings=limits)
        try:
            for pace in await list_paces(connection):
                try:
                    await self._settle_one(connection, pace, now)
                except REFUSALS as error:
                    _log.error("not_settled", transit=pace.account, reason=str(error))
        finally:
            await connection.close()

    async def _settle_one(self, connection: Connection, pace: Pace, now: datetime) -> None:
        tried = self._tried.get(pace.transit)
        often = bool(self._every) and (tried is None or now - tried >= self._every)
        if often or is_cut_due(pace, now, tried):
            self._tried[pace.transit] = now
            for report in await cut_all(connection, pace.transit, now):
                _log.info("cut_made", transit=pace.account, cut=report.cut, ordered=report.ordered)
        for register in await send_registers(connection, pace.transit, now, self._sealer):
            _log.info("register_sent", transit=pace.account, register=register)
