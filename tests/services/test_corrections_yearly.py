"""Yearly corrections on a real database: twelve months published, the year by meters, an open month, once."""

import pytest

from services.billing.core.lines import LineKind
from services.billing.corrections.yearly import Yearly, correct_year, list_year_houses
from services.billing.runs.keeping import RunRefused
from tests.conftest import LedgerDatabase
from tests.services.corrections_town import FIRST, PRIVATE, CorrectionsTown, make_town
from tests.services.desk import Desk

YEAR = [202600 + month for month in range(1, 13)]
JANUARY = 202701
HEATED = ("2026-01", "2026-02", "2026-03", "2026-04", "2026-10", "2026-11", "2026-12")
AREA, AREA_ALL, WITHOUT, COMMON, PRICE = 543, 1806, 400, 310, 248671
"""Of account 0001001 and of the house, tenths of a square metre; kopecks of a Gcal."""


async def yearly(town: CorrectionsTown, group: str, year: int = 2026) -> Yearly:
    return Yearly(year=year, group=group, comparing=town.comparing, by=town.anna)


async def correct(town: CorrectionsTown, group: str, **more: bool) -> dict[tuple[str, str], int]:
    """What one house's year was corrected by: (account, service) -> kopecks."""
    async with town.pool() as pool:
        found = await correct_year(pool, await town.month(JANUARY), "01", await yearly(town, group), **more)
    assert all(one.state == "done" for one in found), found
    return {(row.name, row.decided.service): row.decided.amount_kopecks for one in found for row in one.rows}


async def test_a_year_is_corrected_to_its_meters_once(ledger_database: LedgerDatabase, desk: Desk) -> None:
    town = await make_town(ledger_database, desk, (*PRIVATE, "heating", "heating-days"))
    await town.load("heating", "house,region,valid_from,way,months,meter_due\n,69,2020-01-01,even,7,\n")
    await town.load("tariffs", "service,valid_from,house,region,price\ncommon_light,2026-07-01,,69,6\n")
    volumes = [f"01,heating,,{period},12," for period in HEATED]
    volumes += [f"01,common_light,,2026-{month:02d},10," for month in range(1, 13)]
    await town.meters.load_facts("house-volumes", "\n".join(["house,service,resource,period,volume,price", *volumes, ""]))
    await town.closed(*YEAR)
    heat = await correct(town, "heating", is_found_only=True)
    assert await town.adjustments() == []
    # The year by the house's meter: 84 Gcal, by 171,6 m² of heated and common area; what is left of them by 180,6 m² of all.
    heated = AREA_ALL - WITHOUT + COMMON
    own, rest = 84 * AREA * AREA_ALL, 84 * (heated - (AREA_ALL - WITHOUT)) * AREA
    due = PRICE * (own + rest) // (heated * AREA_ALL)
    (charged,) = [row[0] for row in await town.read("charged_year", "0001001", "heating", 2026)]
    assert abs(heat[FIRST, "heating"] - (due - charged)) <= 1
    assert await correct(town, "heating") == heat and await correct(town, "heating") == {}
    # Charged by the norm of 21,7 kWh a month, taken 10 by the meter: six months at 5,50 and six at 6 roubles.
    common = await correct(town, "common")
    (charged,) = [row[0] for row in await town.read("charged_year", "0001001", "common_light", 2026)]
    assert common[FIRST, "common_light"] == (AREA * 60 * 1150 + AREA_ALL // 2) // AREA_ALL - charged
    assert await correct(town, "common") == {}
    decided = await town.adjustments()
    assert {row[2:3] + row[4:] for row in decided} == {(LineKind.CORRECTION, 202612, JANUARY)}
    # A recalculation of December leaves its year alone.
    assert await town.find(JANUARY, houses=("01",), periods=(202612,)) == []
    run = await town.published(JANUARY)
    lines = [line for line in await town.read("lines", "0001001", run) if line[3]]
    assert sorted(line[2] for line in lines) == sorted(row[3] for row in decided if row[0] == FIRST)


async def test_a_year_that_is_not_whole_is_told(ledger_database: LedgerDatabase, desk: Desk) -> None:
    town = await make_town(ledger_database, desk)
    await town.closed(202612)
    month = await town.month(JANUARY)
    async with town.pool() as pool:
        (found,) = await correct_year(pool, month, "01", await yearly(town, "common"))
    assert found.state == "parked" and "начислено не за все месяцы года здесь: нет 01, 02" in found.reason
    assert await list_year_houses(town.connection, month, await yearly(town, "common")) == ["01", "02"]
    with pytest.raises(RunRefused, match="кончился"):
        await list_year_houses(town.connection, month, await yearly(town, "common", 2027))
    assert await town.adjustments() == []
