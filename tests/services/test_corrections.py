"""Recalculations reach the open month by themselves: found, decided once, charged to the kopeck (docs/billing-corrections.md)."""

import asyncio
from datetime import timedelta

import pytest

from kopeck.clock import utc_now
from services.billing.core.lines import LineKind
from services.billing.runs.keeping import Person, RunRefused, close_month
from tests.conftest import LedgerDatabase
from tests.services.corrections_town import FIRST, CorrectionsTown, make_town
from tests.services.desk import Desk

SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER = 202609, 202610, 202611, 202612


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> CorrectionsTown:
    return await make_town(ledger_database, desk)


async def test_a_true_reading_after_three_average_months_corrects_them_to_the_kopeck(town: CorrectionsTown) -> None:
    """September to November by the average of 3 m³ at 48,17; then the dial shows 4 m³ for all of them: 4/3 each."""
    await town.closed(SEPTEMBER, OCTOBER, NOVEMBER)
    assert await town.find(DECEMBER) == []
    await town.meters.give("C1", ("2026-12-20", "119"))
    found = await town.find(DECEMBER)
    assert [(one.house, one.of_period, one.state) for one in found] == [
        ("01", each, "done") for each in (SEPTEMBER, OCTOBER, NOVEMBER)
    ]
    taken = await town.take(DECEMBER)
    cold = [row for row in await town.adjustments() if row[:2] == (FIRST, "cold")]
    assert cold == [
        (FIRST, "cold", LineKind.CORRECTION, -8028, SEPTEMBER, DECEMBER),
        (FIRST, "cold", LineKind.CORRECTION, -8028, OCTOBER, DECEMBER),
        (FIRST, "cold", LineKind.CORRECTION, -8028, NOVEMBER, DECEMBER),
    ]
    assert taken.decided.charged == len(await town.adjustments())
    assert await town.read("causes") == [("перерасчёт: показания приборов учёта",)]


async def corrected(town: CorrectionsTown) -> None:
    """October and November are closed by averages of 3 m³, and December's reading shows 2 m³ for both."""
    await town.meters.give("C1", ("2026-09-20", "118"))
    await town.closed(OCTOBER, NOVEMBER)
    await town.meters.give("C1", ("2026-12-20", "120"))


async def test_the_open_month_charges_what_was_decided_and_closed_months_stay(town: CorrectionsTown) -> None:
    await corrected(town)
    before = [await town.read("charges", period) for period in (OCTOBER, NOVEMBER)]
    taken = await town.take(DECEMBER)
    assert taken.drafted == 0
    run = await town.published(DECEMBER)
    lines = [line for line in await town.read("lines", "0001001", run) if line[3]]
    # Two months of 3 m³ come down to 1 m³ each: 2 m³ at 48,17 of water, and at 30 of sewage.
    assert lines == [
        ("cold", LineKind.CORRECTION, -9634, OCTOBER),
        ("cold", LineKind.CORRECTION, -9634, NOVEMBER),
        ("sewage", LineKind.CORRECTION, -6000, OCTOBER),
        ("sewage", LineKind.CORRECTION, -6000, NOVEMBER),
    ]
    for period in (OCTOBER, NOVEMBER):
        assert await town.read("charged", "0001001", "cold", period) == [(4817,)]
    assert [await town.read("charges", period) for period in (OCTOBER, NOVEMBER)] == before
    assert await close_month(town.connection, DECEMBER, town.boris) == ("uk",)


async def test_a_second_take_adds_nothing(town: CorrectionsTown) -> None:
    await corrected(town)
    first = await town.take(DECEMBER)
    assert first.decided.charged == 4
    decided = await town.adjustments()
    for margin in (timedelta(0), timedelta(days=1)):
        again = await town.take(DECEMBER, margin=margin)
        assert (again.decided.charged, again.decided.waiting) == (0, 0)
        assert again.take > first.take
    assert await town.adjustments() == decided
    assert await town.find(DECEMBER, houses=("01",)) == []


async def test_takes_at_once_decide_once(town: CorrectionsTown) -> None:
    await corrected(town)
    takes = await asyncio.gather(*[town.take(DECEMBER, by=Person(name=name, at=utc_now())) for name in ("Анна", "Вера", "Глеб")])
    assert sum(one.decided.charged for one in takes) == len(await town.adjustments()) == 4
    charged = [row[:2] + row[4:] for row in await town.adjustments()]
    assert len(set(charged)) == len(charged)


async def test_a_take_that_died_is_gone_on_with(town: CorrectionsTown) -> None:
    await corrected(town)

    def die(done: int) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await town.take(DECEMBER, progress=die)
    half = await town.read("houses")
    assert [row[3] for row in half] == ["done", "waiting"]
    taken = await town.take(DECEMBER)
    assert (taken.take, taken.done, taken.decided.charged) == (half[0][0], 2, 2)
    assert len(await town.adjustments()) == 4


async def test_a_month_that_is_not_closed_is_left_to_a_run(town: CorrectionsTown) -> None:
    await town.closed(OCTOBER)
    await town.published(NOVEMBER)
    await town.meters.give("C1", ("2026-12-20", "117"))
    taken = await town.take(DECEMBER)
    (left,) = taken.stopped
    assert (left.of_period, left.state, taken.open) == (NOVEMBER, "open", 1)
    assert "kopeck billing draft 2026-11 --provider uk --house 01" in left.reason
    assert {row[4] for row in await town.adjustments()} == {OCTOBER}
    # Once it is closed as it was, the next take corrects it: what was left is looked at again.
    await close_month(town.connection, NOVEMBER, town.boris)
    await town.take(DECEMBER)
    assert {row[4] for row in await town.adjustments()} == {OCTOBER, NOVEMBER}


CONTRACT_ENDED = "house,service,valid_from,recipient,provider,state\n01,sewage,2026-10-01,water,uk,ended\n"
LATE = [
    ("premises-areas", "house,premises,valid_from,area,source\n01,1,2026-10-01,50,egrn\n", "площади помещений", "maintenance"),
    ("residents", "house,premises,valid_from,persons\n01,1,2026-10-01,5\n", "число проживающих", "hot"),
    ("tariffs", "service,valid_from,house,price\nmaintenance,2026-10-01,01,27\n", "тарифы", "maintenance"),
    ("contracts", CONTRACT_ENDED, "договоры", "sewage"),
    (
        "acts",
        "house,number,service,deviation,started_at,ended_at,measured\n01,А-9,hot,break,2026-10-03 10:00,2026-10-05 20:30,\n",
        "акты о перерывах и качестве",
        "hot",
    ),
    (
        "absences",
        "house,premises,person,left_on,returned_on,applied_on,documented_on\n01,2,p-1,2026-10-02,2026-10-25,2026-10-26,2026-10-26\n",
        "временное отсутствие",
        "hot",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("what", "content", "told", "service"), LATE, ids=[row[0] for row in LATE])
async def test_facts_loaded_after_the_run_are_found(
    town: CorrectionsTown, what: str, content: str, told: str, service: str
) -> None:
    await town.closed(OCTOBER)
    assert await town.find(NOVEMBER) == []
    await town.load(what, content)
    (found,) = await town.find(NOVEMBER)
    assert (found.house, found.of_period, found.cause) == ("01", OCTOBER, f"перерасчёт: {told}")
    assert service in {row.decided.service for row in found.rows}
    await town.take(NOVEMBER)
    decided = [(row.name, row.decided.service, row.decided.amount_kopecks) for row in found.rows]
    assert sorted((*row[:2], row[3]) for row in await town.adjustments()) == sorted(decided)
    assert await town.find(NOVEMBER, margin=timedelta(days=1)) == []


async def test_a_house_moved_to_another_provider_by_a_late_fact_is_not_zeroed(town: CorrectionsTown) -> None:
    await town.closed(OCTOBER)
    await town.load("houses", 'house,valid_from,address,region,provider\n01,2026-10-01,"г. Тверь, ул. Мира, д. 5",69,water\n')
    (found,) = await town.find(NOVEMBER)
    assert (found.state, found.rows) == ("parked", ())
    assert "в 10.2026 обслуживает water" in found.reason
    taken = await town.take(NOVEMBER)
    assert (taken.parked, await town.adjustments()) == (1, [])


@pytest.mark.parametrize(("row", "told"), [
    ("01,2026-10-16,\"г. Тверь, ул. Мира, д. 5\",69,water,holds", "передан другому исполнителю"),
    ("01,2026-10-01,\"г. Тверь, ул. Мира, д. 5\",69,uk,ended", "обслуживает никто"),
    ("01,2026-11-01,\"г. Тверь, ул. Мира, д. 5\",69,water,holds", "в 11.2026 обслуживает water"),
])  # fmt: skip
async def test_nor_is_a_house_that_left_within_the_month_or_since(town: CorrectionsTown, row: str, told: str) -> None:
    await town.closed(OCTOBER)
    await town.load("houses", f"house,valid_from,address,region,provider,state\n{row}\n")
    (found,) = await town.find(NOVEMBER, houses=("01",))
    assert (found.state, found.rows) == ("parked", ()) and told in found.reason


async def test_a_closed_month_takes_no_corrections(town: CorrectionsTown) -> None:
    await corrected(town)
    await town.closed(DECEMBER)
    with pytest.raises(RunRefused, match="месяц закрыт"):
        await town.take(DECEMBER)
