"""The loop of clearing: statements are read, taken in, classified, matched and booked, until it is told to stop.

One pass does everything in order, and every step begins from what is stored, so that a pass that was cut short anywhere, or two
passes at once, do each thing once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import structlog

from connectors.statements.source import BankStatementSource, StatementUnread
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.booking import Booking
from schemas.channel import Channel
from schemas.statement import StatementUnbelieved
from services.clearing.booking import BookingDesk, book_lines
from services.clearing.classifying import HOUSE, Desk, OwnOrders, Screen, classify_lines
from services.clearing.consumer import ClearingConsumer
from services.clearing.facts import statement_channels
from services.clearing.guarding import ClearingStuck, Failure, Guard
from services.clearing.mending import explain_covers, reverse_vanished
from services.clearing.promises import note_registers
from services.clearing.taking import TakenStatement, take_statement
from services.runner import catch_up
from services.sealing import Sealer

_SQL = load_statements("services/clearing/facts.sql")

STATEMENT = "statement"
READ_PERIOD_S = 60
PASS_PERIOD_S = 5
"""How often lines that a person loaded, or classified, are looked for."""
CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_MS = 5_000
DAYS_READ = 3
"""Today's statement is not final, and a bank may write a line into the day before: so many calendar days are read again."""
BANK_ZONE = ZoneInfo("Europe/Moscow")

_log = structlog.get_logger("kopeck.clearing")


class ClearingTools(msgspec.Struct, frozen=True, kw_only=True):
    """What clearing works with: the channels that are configured, the stations, settlement, the key of personal data.

    ``load_screen`` reads the stop lists (115-ФЗ) anew for every pass.
    """

    channels: tuple[Channel, ...]
    booking: Booking
    orders: OwnOrders
    sealer: Sealer
    load_screen: Callable[[Connection], Awaitable[Screen]]
    read_every_s: int = READ_PERIOD_S


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass did: lines classified, booked and reversed, covers explained; ``failed``: lines that could not be."""

    classified: int = 0
    booked: int = 0
    reversed: int = 0
    explained: int = 0
    failed: int = 0


async def clear_once(connection: Connection, tools: ClearingTools, now: datetime, guard: Guard | None = None) -> Pass:
    """Do everything that there is to do with the lines that are stored, as the services role; a failing line stops no other."""
    guard = guard or Guard(connection, now, {})
    channels = statement_channels(tools.channels)
    await catch_up(connection, ClearingConsumer())
    await note_registers(connection)
    reversed_ = await reverse_vanished(connection, now, guard)
    desk = Desk(
        sealer=tools.sealer,
        channels=channels,
        accounts={row["transit"]: row["account"] for row in await connection.fetch(_SQL["list_transits"])},
        orders=tools.orders,
        screen=await tools.load_screen(connection),
    )
    classified = await classify_lines(connection, desk, now, guard)
    booking = BookingDesk(booking=tools.booking, channels=channels)
    booked = await book_lines(connection, booking, now, guard)
    await catch_up(connection, ClearingConsumer())
    explained = await explain_covers(connection, booking, now, guard)
    return Pass(classified=classified, booked=booked, reversed=reversed_, explained=explained, failed=guard.failed)


async def read_statements(
    connection: Connection,
    sources: Mapping[str, BankStatementSource],
    sealer: Sealer,
    now: datetime,
    guard: Guard | None = None,
) -> tuple[TakenStatement, ...]:
    """Read the last days of every account that has a source; what cannot be read or believed is logged and asked for again."""
    guard = guard or Guard(connection, now, {})
    taken = []
    for account, source in sources.items():
        for day in days_to_read(now):
            what = f"{account} {day}"
            if guard.waits(STATEMENT, what):
                continue
            with guard.alone(STATEMENT, what):
                one = await _read_statement(connection, source, (account, day), sealer, now)
                taken += [one] if one is not None else []
    return tuple(taken)


async def _read_statement(
    connection: Connection, source: BankStatementSource, of: tuple[str, date], sealer: Sealer, now: datetime
) -> TakenStatement | None:
    account, day = of
    read = await source.bank_statement(account, day)
    if isinstance(read, StatementUnread):
        log = _log.warning if read.again else _log.error
        log("statement_unread", transit=account, day=str(day), reason=read.reason)
        return None
    try:
        one = await take_statement(connection, read, sealer, by=HOUSE, now=now)
    except (StatementUnbelieved, LookupError) as error:
        _log.error("statement_not_taken", transit=account, day=str(day), reason=str(error))
        return None
    if not one.repeated:
        _log.info("statement_taken", transit=account, day=str(day), kind=read.kind.value, **_lines(one))
    return one


def days_to_read(now: datetime) -> tuple[date, ...]:
    """Return the calendar days of the bank's zone that are read at ``now``, the oldest first."""
    today = now.astimezone(BANK_ZONE).date()
    return tuple([today - timedelta(days=back) for back in reversed(range(DAYS_READ))])


async def keep_clearing(
    dsn: str,
    sources: Mapping[str, BankStatementSource],
    tools: ClearingTools,
    clock: Callable[[], datetime],
    stop: asyncio.Event,
) -> None:
    """Read every ``tools.read_every_s`` and clear every PASS_PERIOD_S until ``stop``; what fails is done the next time."""
    read_at: datetime | None = None
    failures: dict[tuple[str, object], Failure] = {}
    while not stop.is_set():
        now = clock()
        due = read_at is None or now - read_at >= timedelta(seconds=tools.read_every_s)
        try:
            await _once(dsn, sources if due else {}, tools, now, failures)
            read_at = now if due else read_at
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("clearing_failed", error=repr(error))
        except ClearingStuck as error:
            _log.error("clearing_stuck", error=str(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PASS_PERIOD_S)


async def _once(
    dsn: str,
    sources: Mapping[str, BankStatementSource],
    tools: ClearingTools,
    now: datetime,
    failures: dict[tuple[str, object], Failure],
) -> None:
    limits = {"statement_timeout": str(STATEMENT_TIMEOUT_MS), "enable_seqscan": "off"}
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, server_settings=limits)
    try:
        guard = Guard(connection, now, failures)
        await read_statements(connection, sources, tools.sealer, now, guard)
        done = await clear_once(connection, tools, now, guard)
        if done != Pass():
            _log.info("lines_cleared", **msgspec.structs.asdict(done))
    finally:
        await connection.close()


def _lines(taken: TakenStatement) -> dict[str, int]:
    names = ("new", "known", "conflicts", "vanished", "came_back")
    return {name: getattr(taken, name) for name in names}
