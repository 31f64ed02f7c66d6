"""One line or statement that fails stops no other: it is logged, counted, and tried again after a growing time."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from structlog.testing import capture_logs

from connectors.statements.source import StatementUnread
from schemas.channel import Channel
from schemas.notification import PaymentNotification
from schemas.outcome import PaymentOutcome
from schemas.statement import BankStatement, StatementKind
from services.clearing import booking, metrics
from services.clearing.guarding import AGAIN_FIRST, AGAIN_LAST, FAILURES_MAX, ClearingStuck, Failure, Guard
from services.clearing.keeping import Pass, clear_once, read_statements
from tests.conftest import LedgerDatabase
from tests.services.clearing_town import DAY, NOW, SEALER, TRANSIT, ClearingTown, clearing_town, cover, line, statement
from tests.services.desk import Desk

Known = dict[tuple[str, object], Failure]


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk, redis_url: str) -> AsyncIterator[ClearingTown]:
    async with clearing_town(ledger_database, desk, redis_url) as founded:
        yield founded


class Choking:
    """Stations that fail as long as ``chokes`` whenever payments of these ids are among those told."""

    def __init__(self, town: ClearingTown, *ids: str) -> None:
        self._intake = town.intake
        self._ids = ids
        self.chokes = True
        self.asked: list[list[str]] = []

    async def book(self, channel: Channel, told: Sequence[PaymentNotification]) -> tuple[PaymentOutcome, ...]:
        self.asked.append([one.external_id for one in told])
        if self.chokes and any(one.external_id in self._ids for one in told):
            raise OverflowError("a payment that nobody thought of")
        outcomes: tuple[PaymentOutcome, ...] = await self._intake.book(channel, told)
        return outcomes


async def clear(town: ClearingTown, known: Known, *, after: timedelta = timedelta(0), **tools: Any) -> Pass:
    now = NOW + after
    return await clear_once(town.services, msgspec.structs.replace(town.tools, **tools), now, Guard(town.services, now, known))


def failures(step: str) -> int:
    return int(metrics.FAILED.labels(step)._value.get())


async def booked(town: ClearingTown) -> list[str]:
    return [row["bank_id"] for row in await town.lines() if row["sequence"] is not None]


async def test_a_payment_that_fails_is_left_alone_and_the_others_are_booked(town: ClearingTown) -> None:
    await town.take(statement(*[line(f"p{one}", 100, "л/с 0001001") for one in range(4)], cover("c", 500)))
    choking, known, counted = Choking(town, "p1"), Known(), failures("book")
    with capture_logs() as lines:
        done = await clear(town, known, booking=choking)
    assert (done.booked, done.failed, failures("book") - counted) == (4, 1, 1)
    assert sorted(await booked(town)) == ["c", "p0", "p2", "p3"]
    (told,) = [one for one in lines if one["event"] == "clearing_step_failed"]
    assert (told["log_level"], told["step"], type(told["exc_info"])) == ("error", "book", OverflowError)
    choking.asked.clear()
    await clear(town, known, after=AGAIN_FIRST - timedelta(seconds=1), booking=choking)
    assert choking.asked == [], "its time has not come"
    await clear(town, known, after=AGAIN_FIRST, booking=choking)
    assert choking.asked == [["p1"]]
    await clear(town, known, after=AGAIN_FIRST * 2, booking=choking)
    assert choking.asked == [["p1"]], "it waits longer each time"
    choking.chokes = False
    assert (await clear(town, known, after=AGAIN_FIRST * 3, booking=choking)).booked == 1
    assert len(await booked(town)) == 5 and known == {}
    await town.assert_sound()


async def test_a_line_that_cannot_be_classified_stops_no_other(town: ClearingTown) -> None:
    await town.take(statement(line("b1", 100, "л/с 0001001", name="Петров"), line("b2", 200, "л/с 0001001"), cover("c", 300)))

    async def load_screen(_connection: Any) -> Any:
        def screen(name: str, _inn: str, _day: date) -> str:
            if name == "Петров":
                raise ValueError("a list that cannot be searched for him")
            return ""

        return screen

    done = await clear(town, {}, load_screen=load_screen)
    assert (done.classified, done.booked, done.failed) == (2, 2, 1)
    assert [(row["bank_id"], row["class"]) for row in await town.lines()] == [("b1", None), ("b2", "payment"), ("c", "cover")]


async def test_a_mistake_and_its_correction_wait_for_one_another(town: ClearingTown) -> None:
    storno = {"is_credit": False, "operation": "09", "name": "Петров"}
    await town.take(
        statement(line("b1", 100, "л/с 0001001"), line("b2", 100, "ошибочно", **storno), line("b3", 7, "л/с 0001001"))
    )
    known = Known()

    class Orders:
        is_busy = True

        async def may_be(self, _connection: Any, movements: Sequence[Any]) -> frozenset[str]:
            if self.is_busy and any(one.bank_id == "b2" for one in movements):
                raise ValueError("no such order")
            return frozenset()

    orders = Orders()
    assert (await clear(town, known, orders=orders)).failed == 2
    assert [row["class"] for row in await town.lines()] == [None, None, "payment"]
    orders.is_busy = False
    await clear(town, known, after=AGAIN_FIRST, orders=orders)
    assert [row["class"] for row in await town.lines()] == ["technical", "technical", "payment"]


async def test_a_cover_whose_entry_the_ledger_does_not_take_stops_no_other(
    town: ClearingTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.take(statement(cover("c1", 100), cover("c2", 200)))
    real = booking.match_cover

    def match(told: Any, *rest: Any) -> Any:
        if told.bank_id == "c1":
            raise booking.ClearingBroken("the ledger answers CONFLICT")
        return real(told, *rest)

    monkeypatch.setattr(booking, "match_cover", match)
    assert (await clear(town, {})).failed == 1
    assert await booked(town) == ["c2"]


class Source:
    """A bank whose answer about one day cannot be read by anybody."""

    def __init__(self, bad: date) -> None:
        self._bad = bad
        self.asked: list[date] = []

    async def bank_statement(self, account: str, day: date) -> BankStatement | StatementUnread:
        self.asked.append(day)
        if day == self._bad:
            raise KeyError("uuid")
        return statement(line(f"b{day}", 100), since=day, until=day, kind=StatementKind.FINAL)


async def test_a_statement_that_fails_stops_no_other_day(town: ClearingTown) -> None:
    source, known = Source(DAY - timedelta(days=2)), Known()
    taken = await read_statements(town.services, {TRANSIT: source}, SEALER, NOW, Guard(town.services, NOW, known))
    assert len(taken) == 2
    source.asked.clear()
    await read_statements(town.services, {TRANSIT: source}, SEALER, NOW, Guard(town.services, NOW, known))
    assert source.asked == [DAY - timedelta(days=1), DAY]


async def test_a_lost_connection_is_no_line_s_own_failure(town: ClearingTown) -> None:
    connection = await asyncpg.connect(town.database.services_dsn)
    connection.terminate()
    guard = Guard(connection, NOW, {})
    with pytest.raises(asyncpg.InterfaceError), guard.alone("book", 1):
        raise asyncpg.InterfaceError("connection is closed")
    assert guard.failed == 0


async def test_delays_end_at_an_hour_and_too_much_ends_the_pass(town: ClearingTown) -> None:
    known, now = Known(), NOW
    for _ in range(20):
        with Guard(town.services, now, known).alone("book", 1):
            raise ValueError("wrong")
        again_at = known["book", 1].again_at
        assert AGAIN_FIRST <= again_at - now <= AGAIN_LAST
        now = again_at
    assert known["book", 1].times == 20
    guard = Guard(town.services, NOW, {})
    with pytest.raises(ClearingStuck, match=f"{FAILURES_MAX} failures"):
        for one in range(FAILURES_MAX):
            with guard.alone("book", one):
                raise ValueError("wrong")
