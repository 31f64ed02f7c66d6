"""Sums that persons decide, second persons, write-offs, accounts that are gone (docs/billing-corrections.md)."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from schemas.ids import AccountId
from services.billing.core.lines import LineKind
from services.billing.core.month import Adjustment
from services.billing.corrections.deciding import (
    Answer,
    Basis,
    Decided,
    answer_proposals,
    decide,
    list_decided,
    list_waiting,
    set_limit,
    write_off,
)
from services.billing.runs.keeping import RunRefused, add_adjustments, close_month
from tests.conftest import LedgerDatabase
from tests.services.corrections_town import FIRST, SQL, CorrectionsTown, make_town
from tests.services.desk import Desk

OCTOBER, NOVEMBER, DECEMBER = 202610, 202611, 202612
GONE = "namespace,number,house,premises,valid_from,state\nepd,0001001,01,1,2026-11-01,ended\n"


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> AsyncIterator[CorrectionsTown]:
    made = await make_town(ledger_database, desk)
    await made.meters.give("C1", ("2026-09-20", "118"), ("2026-10-20", "121"))
    await made.closed(OCTOBER)
    yield made


def correction(amount: int, service: str = "maintenance", kind: LineKind = LineKind.CORRECTION) -> Adjustment:
    return Adjustment(service=service, kind=kind, amount_kopecks=amount, cause="решение", of_period=OCTOBER)


async def number(town: CorrectionsTown, name: str = "0001001") -> AccountId:
    return AccountId((await town.read("number", name))[0][0])


async def test_a_large_sum_waits_for_a_second_person(town: CorrectionsTown) -> None:
    month, account = await town.month(NOVEMBER), await number(town)
    decided = await decide(town.connection, month, [(account, correction(-1_000_001))], Basis.PERSON, town.anna)
    assert decided == Decided(charged=0, waiting=1, amount=-1_000_001)
    assert await town.adjustments() == []
    await town.published(NOVEMBER)
    with pytest.raises(RunRefused, match="второго лица"):
        await close_month(town.connection, NOVEMBER, town.boris)
    (waiting,) = await list_waiting(town.connection, month)
    assert (waiting.account, waiting.amount, waiting.decided_by) == (FIRST, -1_000_001, "Анна")
    with pytest.raises(RunRefused, match="второе лицо"):
        await answer_proposals(town.connection, month, Answer(is_confirmed=True), town.anna)
    assert await answer_proposals(town.connection, month, Answer(is_confirmed=True), town.boris) == 1
    with pytest.raises(RunRefused, match="ждущих"):
        await answer_proposals(town.connection, month, Answer(is_confirmed=True), town.boris)
    assert await town.adjustments() == [(FIRST, "maintenance", LineKind.CORRECTION, -1_000_001, OCTOBER, NOVEMBER)]
    (shown,) = await list_decided(town.connection, month)
    assert (shown.decided_by, shown.confirmed_by, shown.is_charged) == ("Анна", "Борис", False)
    await town.published(NOVEMBER, accounts=(FIRST,))
    (shown,) = await list_decided(town.connection, month, FIRST)
    assert shown.is_charged
    assert await close_month(town.connection, NOVEMBER, town.boris) == ("uk",)


async def test_small_sums_do_not_add_up_to_a_large_one(town: CorrectionsTown) -> None:
    month, account = await town.month(NOVEMBER), await number(town)
    await set_limit(town.connection, 1_000, town.boris)
    many = [(account, correction(-400)), (account, correction(-400, "hot")), (account, correction(-400, "sewage"))]
    assert await decide(town.connection, month, many, Basis.PERSON, town.anna) == Decided(charged=2, waiting=1, amount=-1200)
    assert (await decide(town.connection, month, many[:1], Basis.PERSON, town.boris)).waiting == 1
    # The database holds it by itself, whoever adds.
    with pytest.raises(asyncpg.CheckViolationError, match="without a second person"):
        await add_adjustments(town.connection, ("uk", NOVEMBER), many[:1], town.anna)


async def test_a_sum_is_charged_only_as_it_was_confirmed(town: CorrectionsTown) -> None:
    month, account = await town.month(NOVEMBER), await number(town)
    await decide(town.connection, month, [(account, correction(-2_000_000))], Basis.PERSON, town.anna)
    (waiting,) = await list_waiting(town.connection, month)
    for crime in ("charge_unanswered", "charge_more"):
        with pytest.raises(asyncpg.CheckViolationError, match="not as it was confirmed"):
            await town.connection.execute(SQL[crime], waiting.proposal)
    answer = Answer(is_confirmed=False, proposals=(waiting.proposal,))
    with pytest.raises(RunRefused, match="причина"):
        await answer_proposals(town.connection, month, answer, town.boris)
    answer = Answer(is_confirmed=False, proposals=(waiting.proposal,), why="акт не подтверждён")
    assert await answer_proposals(town.connection, month, answer, town.boris) == 1
    with pytest.raises(asyncpg.CheckViolationError, match="not as it was confirmed"):
        await town.connection.execute(SQL["charge_unanswered"], waiting.proposal)
    assert await town.adjustments() == []


async def test_an_account_that_is_gone_is_charged_what_was_decided(town: CorrectionsTown) -> None:
    """It has left in November; a late area gives it something back for October, on a document of its own."""
    await town.load("accounts", GONE)
    await town.load("premises-areas", "house,premises,valid_from,area,source\n01,1,2026-10-01,50,egrn\n")
    await town.take(NOVEMBER)
    mine = [row for row in await town.adjustments() if row[0] == FIRST]
    assert ("maintenance", -11825) in [(row[1], row[3]) for row in mine]
    run = await town.published(NOVEMBER)
    lines = await town.read("lines", "0001001", run)
    assert sorted(lines) == sorted((row[1], row[2], row[3], row[4]) for row in mine)
    assert await town.read("document", "0001001", run) == [(sum(row[3] for row in mine), 0)]
    assert await close_month(town.connection, NOVEMBER, town.boris) == ("uk",)


async def test_a_sum_decided_after_the_draft_of_an_account_that_is_gone_is_recalculated(town: CorrectionsTown) -> None:
    await town.load("accounts", GONE)
    await town.published(NOVEMBER)
    await decide(town.connection, await town.month(NOVEMBER), [(await number(town), correction(700))], Basis.PERSON, town.anna)
    with pytest.raises(RunRefused, match="решённые после"):
        await close_month(town.connection, NOVEMBER, town.boris)
    run = await town.published(NOVEMBER, accounts=(FIRST,))
    assert await town.read("lines", "0001001", run) == [("maintenance", LineKind.CORRECTION, 700, OCTOBER)]
    assert await close_month(town.connection, NOVEMBER, town.boris) == ("uk",)


async def test_a_sum_is_written_off_by_a_second_person_and_loses_nothing(town: CorrectionsTown) -> None:
    month, account = await town.month(NOVEMBER), await number(town, "0001009")
    await decide(town.connection, month, [(account, correction(700))], Basis.PERSON, town.anna)
    await town.published(NOVEMBER)
    with pytest.raises(RunRefused, match="решённые после"):
        await close_month(town.connection, NOVEMBER, town.boris)
    (decided,) = await list_decided(town.connection, month)
    for by, why, told in ((town.anna, "счёт закрыт", "второе лицо"), (town.boris, " ", "причина")):
        with pytest.raises(RunRefused, match=told):
            await write_off(town.connection, decided.adjustment, by, why)
    undone = await write_off(town.connection, decided.adjustment, town.boris, "счёта нет ни в одном доме")
    with pytest.raises(RunRefused, match="уже списана"):
        await write_off(town.connection, decided.adjustment, town.boris, "ещё раз")
    with pytest.raises(RunRefused, match="списанное"):
        await write_off(town.connection, undone, town.anna, "обратно")
    shown = await list_decided(town.connection, month)
    assert [(one.amount, one.undone_by, one.undoes) for one in shown] == [(700, undone, None), (-700, None, decided.adjustment)]
    assert await close_month(town.connection, NOVEMBER, town.boris) == ("uk",)


async def test_what_was_declined_is_not_decided_again_until_it_changes(town: CorrectionsTown) -> None:
    await set_limit(town.connection, 0, town.boris)
    await town.load("premises-areas", "house,premises,valid_from,area,source\n01,1,2026-10-01,50,egrn\n")
    waiting = (await town.take(NOVEMBER)).decided.waiting
    assert waiting and await town.find(NOVEMBER, houses=("01",)) == []
    month = await town.month(NOVEMBER)
    no = Answer(is_confirmed=False, why="площадь оспаривается")
    assert await answer_proposals(town.connection, month, no, town.boris) == waiting
    assert await town.find(NOVEMBER, houses=("01",)) == []
    await town.load("premises-areas", "house,premises,valid_from,area,source\n01,1,2026-10-01,51,egrn\n")
    assert (await town.find(NOVEMBER))[0].rows
