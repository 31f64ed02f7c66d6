"""Covers: matched with registers, days and operations, gross or net, over and under, explained by what comes later."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from schemas.ids import ExternalId
from schemas.notification import StatementLine
from schemas.outcome import Answer
from services.clearing.ageing import list_promised
from services.clearing.core.verdict import Hints, LineClass
from services.clearing.loading_rules import RulesRefused, load_rules
from services.clearing.persons import NotClassified, Said, classify_by_person, explain_by_person, hints_said
from tests.conftest import LedgerDatabase
from tests.services.clearing_town import DAY, NOW, SQL, TRANSIT, ClearingTown, clearing_town, cover, line, statement
from tests.services.desk import Desk

YESTERDAY = DAY - timedelta(days=1)


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk, redis_url: str) -> AsyncIterator[ClearingTown]:
    async with clearing_town(ledger_database, desk, redis_url) as founded:
        yield founded


def told(row: Any) -> tuple[Any, ...]:
    """What a cover says of itself."""
    return (row["by"], row["reference"], row["promised"], row["gross"], row["fee"], row["difference"], row["reason"])


async def test_a_register_is_covered_gross(town: ClearingTown) -> None:
    await town.register("12", {"o1": 6_000, "o2": 4_000})
    (row,) = await town.told(cover("b1", 10_000, "Реестр № 12"))
    assert told(row) == ("register", "12", 10_000, 10_000, 0, 0, "")
    assert "clearing:acq" not in await town.balances()
    assert await list_promised(town.services, DAY) == ()
    await town.assert_sound()


async def test_a_register_is_covered_net_of_its_fee(town: ClearingTown) -> None:
    await town.register("12", {"o1": 6_000, "o2": 4_000}, fee=150)
    (row,) = await town.told(cover("b1", 9_850, "Реестр № 12"))
    assert told(row) == ("register", "12", 10_000, 10_000, 150, 0, "")
    balances = await town.balances()
    assert (balances["transit"], balances["receivable:uk"]) == (9_850, 150)
    assert "clearing:acq" not in balances
    await town.assert_sound()


async def test_a_shortfall_stays_in_clearing_with_its_reason(town: ClearingTown) -> None:
    await town.register("12", {"o1": 6_000, "o2": 4_000})
    (row,) = await town.told(cover("b1", 9_000, "Реестр № 12"))
    assert told(row) == ("register", "12", 10_000, 9_000, 0, -1_000, "пришло меньше обещанного")
    assert (await town.balances())["clearing:acq"] == 1_000
    (owed,) = await list_promised(town.services, DAY + timedelta(days=1))
    assert [(one.number, one.rest_kopecks, one.age) for one in owed.registers] == [("12", 1_000, 1)]
    assert [(one.day, one.amount_kopecks, one.age) for one in owed.days] == [(DAY, 1_000, 1)]


async def test_what_we_refused_and_they_sent_anyway_is_named(town: ClearingTown) -> None:
    await town.register("12", {"o1": 6_000, "o2": 4_000, "o3": 500}, refused=("o3",))
    (row,) = await town.told(cover("b1", 10_500, "Реестр № 12"))
    assert told(row) == ("register", "12", 10_000, 10_500, 0, 500, "прислано всё равно: отказано нами строк: 1")
    assert (await town.balances())["clearing:acq"] == -500


async def test_one_line_pays_two_registers(town: ClearingTown) -> None:
    await town.register("12", {"o1": 6_000}, fee=60)
    await town.register("13", {"o2": 4_000}, fee=40)
    (row,) = await town.told(cover("b1", 9_900, "Реестры № 12, 13"))
    assert told(row) == ("register", "12,13", 10_000, 10_000, 100, 0, "")
    assert [(part["amount"], part["fee"]) for part in await town.parts()] == [(6_000, 60), (4_000, 40)]
    assert await list_promised(town.services, DAY) == ()


async def test_two_lines_pay_one_register(town: ClearingTown) -> None:
    await town.register("12", {"o1": 6_000, "o2": 4_000})
    rows = await town.told(cover("b1", 7_000, "Реестр № 12"), cover("b2", 3_000, "реестр 12"))
    assert [told(row)[2:6] for row in rows] == [(10_000, 7_000, 0, -3_000), (3_000, 3_000, 0, 0)]
    assert await list_promised(town.services, DAY) == ()


async def test_a_register_paid_twice_is_a_surplus(town: ClearingTown) -> None:
    await town.register("12", {"o1": 6_000})
    rows = await town.told(cover("b1", 6_000, "Реестр № 12"), cover("b2", 6_000, "Реестр № 12"))
    assert told(rows[1])[2:] == (0, 6_000, 0, 6_000, "пришло больше обещанного")
    assert (await town.balances())["clearing:acq"] == -6_000


async def test_a_day_is_covered_net_by_the_dated_rate_whatever_was_rounded(town: ClearingTown) -> None:
    for place in range(3):
        await town.pay(f"o{place}", 1_050, event_at=NOW - timedelta(days=1))
    (row,) = await town.told(cover("b1", 3_150 - 33, f"Возмещение за {YESTERDAY:%d.%m.%Y}"))
    assert told(row) == ("day", YESTERDAY.isoformat(), 3_150, 3_150, 33, 0, "")
    assert (await town.balances())["receivable:uk"] == 33


async def test_days_of_this_very_sum_are_found(town: ClearingTown) -> None:
    for back, amount in ((1, 300), (2, 500), (3, 700)):
        await town.pay(f"o{back}", amount, event_at=NOW - timedelta(days=back))
    (row,) = await town.told(cover("b1", 800, "возмещение"))
    assert told(row)[:6] == ("day", f"{DAY - timedelta(2)},{YESTERDAY}", 800, 800, 0, 0)


async def test_an_operation_is_covered_by_its_id(town: ClearingTown) -> None:
    await town.pay("A7123456789012", 5_000)
    (row,) = await town.told(cover("b1", 4_950, "по операции A7123456789012"))
    assert told(row) == ("operation", "A7123456789012", 5_000, 5_000, 50, 0, "")


async def test_a_cover_whose_register_comes_later_is_explained_by_it(town: ClearingTown) -> None:
    (row,) = await town.told(cover("b1", 9_850, "Реестр № 12"))
    assert told(row)[:6] == ("payer", "", 0, 9_850, 0, 9_850)
    assert (await town.balances())["clearing:acq"] == -9_850
    await town.register("12", {"o1": 6_000, "o2": 4_000}, fee=150)
    assert (await town.clear()).explained == 1
    (row,) = await town.lines()
    assert told(row) == ("register", "12", 10_000, 10_000, 150, 0, "")
    assert row["fee_sequence"] is not None
    balances = await town.balances()
    assert "clearing:acq" not in balances and balances["receivable:uk"] == 150
    assert (await town.clear()).explained == 0
    await town.assert_sound()


async def test_a_person_explains_a_cover(town: ClearingTown) -> None:
    await town.register("77", {"o1": 6_000})
    (row,) = await town.told(cover("b1", 5_000, "без номера"))
    assert row["by"] == "payer"
    await explain_by_person(town.services, row["line"], hints_said(("077",), "", None), "Петрова")
    await town.clear()
    (row,) = await town.lines()
    assert told(row)[:6] == ("register", "77", 6_000, 5_000, 0, -1_000)
    assert [part["told_by"] for part in await town.parts()] == ["clearing", "Петрова"]
    with pytest.raises(NotClassified, match="уже известно"):
        await explain_by_person(town.services, row["line"], Hints(), "Петрова")


async def test_a_person_says_that_a_line_is_a_cover(town: ClearingTown) -> None:
    await town.register("12", {"o1": 6_000})
    await town.take(statement(line("b1", 6_000, "перевод")))
    (row,) = await town.lines()
    said = Said(line_class=LineClass.COVER, space="acq", hints=hints_said(("12",), "", None))
    await classify_by_person(town.services, row["line"], said, "Петрова", NOW)
    await town.clear()
    (row,) = await town.lines()
    assert told(row) == ("register", "12", 6_000, 6_000, 0, 0, "")


async def test_promises_age_by_working_days(town: ClearingTown) -> None:
    for back in (0, 1, 5):
        await town.pay(f"o{back}", 100 * (back + 1), event_at=NOW - timedelta(days=back))
    await town.clear()
    (owed,) = await list_promised(town.services, DAY)
    assert (owed.space, owed.balance_kopecks) == ("acq", 900)
    assert [(one.day, one.amount_kopecks, one.age) for one in owed.days] == [
        (DAY - timedelta(days=5), 600, 3),
        (YESTERDAY, 200, 1),
        (DAY, 100, 0),
    ]


async def test_settlement_takes_covers_for_confirmed_money(town: ClearingTown) -> None:
    await town.register("12", {"o1": 6_000})
    await town.told(cover("b1", 6_000, "Реестр № 12"), line("b2", 1_000, "л/с 0001001"))
    await town.fold()
    found = {row["space"]: row["amount"] for row in await town.owner.fetch(SQL["list_confirmed"])}
    assert found == {town.spaces["acq"]: 6_000, town.spaces["statement"]: 1_000}


async def feed(town: ClearingTown, external_id: str, amount: int) -> Answer:
    """The bank's feed tells of a cover of the acquirer's space."""
    told_line = StatementLine(
        external_id=ExternalId(external_id), transit_account=TRANSIT, space="acq", amount_kopecks=amount, event_at=NOW
    )
    pipeline = town.intake._pipeline
    outcome = await pipeline.submit_cover(town.channels["feed"], told_line, town.spaces["acq"])
    answer: Answer = outcome.answer
    return answer


async def test_what_the_feed_covered_the_statement_does_not_cover_again(town: ClearingTown) -> None:
    await town.register("12", {"o1": 6_000})
    assert await feed(town, "b1", 6_000) is Answer.RECORDED
    rows = await town.told(cover("b1", 6_000, "Реестр № 12"), cover("b2", 500, "ещё"))
    assert [(row["class"], row["sequence"], row["by"]) for row in rows] == [("cover", 1, "operation"), (None, None, None)]
    assert rows[1]["why"].startswith("покрытиям этого счёта верят по извещениям банка")
    assert (await town.balances())["transit"] == 6_000
    await town.assert_sound()


async def test_what_the_statement_covered_the_feed_cannot_cover_again(town: ClearingTown) -> None:
    await town.register("12", {"o1": 6_000})
    await town.told(cover("b1", 6_000, "Реестр № 12"))
    with pytest.raises(asyncpg.CheckViolationError, match="believed from its statement"):
        await town.feed_cover(6_000)
    assert (await town.balances())["transit"] == 6_000


async def test_whom_to_believe_changes_by_a_day(town: ClearingTown) -> None:
    await town.told(cover("b1", 6_000, "Реестр № 12"))
    row = b'{"transit": "%s", "since": "%s", "believed": "feed"}'
    with pytest.raises(RulesRefused, match="уже учтены"):
        await load_rules(town.services, [row % (TRANSIT.encode(), DAY.isoformat().encode())], "tests", NOW)
    tomorrow = DAY + timedelta(days=1)
    loaded = await load_rules(town.services, [row % (TRANSIT.encode(), tomorrow.isoformat().encode())], "tests", NOW)
    assert loaded.believed == 1
    town.now = NOW + timedelta(days=1)
    await town.feed_cover(100)
    rows = await town.told(cover("b2", 100, "ещё", day=tomorrow), since=tomorrow, until=tomorrow)
    assert rows[1]["sequence"] is None, "the feed's cover has another id: a person looks"
