"""What an earlier look found: stays in several rows, windows by the load's day, months that are closed, heat charged by area."""

from datetime import UTC, datetime

import msgspec
import pytest

from services.billing.core.heating import charged_heat
from services.billing.core.month import Individual, VolumeSource
from services.billing.core.quantities import MICRO, Ratio, Volume
from tests.billing.recalculated_house import micro
from tests.conftest import LedgerDatabase
from tests.services.corrections_town import SQL, CorrectionsTown, make_town
from tests.services.desk import Desk
from tests.services.housing_town import FILES, Stock
from tests.services.metered_town import INTAKE, Meters
from tests.services.test_readings_month import own


async def town_without(desk: Desk, *left_out: str) -> Meters:
    await desk.load_town()
    meters = Meters(stock=Stock(desk=desk))
    for what, content in FILES.items():
        if what not in left_out:
            await meters.stock.load(what, content)
    return meters


async def periods(meters: Meters, meter: str) -> list[int]:
    """Which months the meter's readings count for."""
    return [row["period"] for row in await meters.connection.fetch(SQL["periods"], meter)]


STAYS = [
    ("two rows without a day between", ["2026-11-06,1,2026-11-10,guest", "2026-11-11,1,2026-11-15,guest"], 10),
    ("a day between parts them, and each is too short", ["2026-11-06,1,2026-11-10,guest", "2026-11-12,1,2026-11-15,guest"], 0),
    ("two persons are not one", ["2026-11-06,1,2026-11-10,guest", "2026-11-11,1,2026-11-15,other"], 0),
    ("a stay goes on after the month's end", ["2026-11-28,1,2026-11-30,guest", "2026-12-01,1,2026-12-05,guest"], 3),
    ("and was begun before the month", ["2026-10-28,1,2026-10-31,guest", "2026-11-01,1,2026-11-03,guest"], 3),
    ("nobody in between parts them too", ["2026-11-06,1,2026-11-08,guest", "2026-11-09,0,2026-11-09,guest",
        "2026-11-10,1,2026-11-12,guest"], 0),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "days"), [row[1:] for row in STAYS], ids=[row[0] for row in STAYS])
async def test_adjacent_rows_of_a_temporary_stay_are_one_stay(desk: Desk, rows: list[str], days: int) -> None:
    meters = await town_without(desk, "residents")
    header = "house,premises,valid_from,persons,until,label,kind"
    lines = [f"01,1,{row},temporary" for row in rows]
    await meters.stock.load("residents", "\n".join([header, "01,1,2020-01-01,2,,,permanent", *lines, ""]))
    first = next(one for one in (await meters.stock.facts(202611)).premises if one.premises == "1")
    assert first.residents == Ratio((2 * 30 + days) * MICRO // 30)


async def test_a_window_is_of_the_day_a_reading_was_given_and_not_of_the_load(desk: Desk) -> None:
    """In January the contract takes readings to the month's end: one given on 24 December, after the 23rd, stays January's."""
    await desk.load_town()
    meters = Meters(stock=Stock(desk=desk))
    await meters.load_meters()
    await meters.load_facts("windows", "house,valid_from,first_day,last_day\n01,2027-01-01,1,31\n")
    late = msgspec.structs.replace(INTAKE, at=datetime(2027, 1, 31, 22, 30, tzinfo=UTC))
    given = "meter,value,taken_on,received_on\nC1,10,2026-12-22,2026-12-24\nC1,11,2027-01-28,2027-01-28\n"
    await meters.load_readings(given, late)
    assert await periods(meters, "C1") == [202701, 202701]


async def test_a_reading_of_a_closed_month_counts_for_the_first_open_one(ledger_database: LedgerDatabase, desk: Desk) -> None:
    town: CorrectionsTown = await make_town(ledger_database, desk)
    await town.closed(202609, 202610)
    given = "meter,value,taken_on,period\nC1,118,2026-09-20,2026-09\nC2,5,2026-09-20,2026-09\n"
    await town.meters.load_readings(given)
    assert await periods(town.meters, "C1") == [*range(202603, 202609), 202611]
    # A house of another provider, whose months are open, takes them as they are told.
    await town.load("houses", 'house,valid_from,address,region,provider\n01,2026-01-01,"г. Тверь, ул. Мира, д. 5",69,water\n')
    await town.meters.load_readings("meter,value,taken_on,period\nF3,118,2026-09-20,2026-09\n")
    assert await periods(town.meters, "F3") == [202609]


async def test_heat_charged_by_area_is_what_a_late_reading_is_settled_with(desk: Desk) -> None:
    """January to March by the average of one Gcal, April by area: a part of the house's 12 Gcal, and not S × N."""
    meters = await town_without(desk, "heating", "heating-days", "acts")
    await meters.stock.load("heating", "house,region,valid_from,way,months,meter_due\n,69,2020-01-01,season,7,\n")
    rows = [f",69,{period},30" for period in ("2026-01", "2026-02", "2026-03", "2026-04", "2026-10", "2026-11", "2026-12")]
    rows += [f",69,2025-{month:02d},30" for month in (9, 10, 11, 12)]
    await meters.stock.load("heating-days", "\n".join(["house,region,period,days", *rows, ""]))
    await meters.load_facts("meters", "meter,house,premises,service,digits,installed\nQ1,01,1,heating,5,2025-08-15\n")
    volumes = [f"01,heating,,{period},12," for period in ("2026-01", "2026-02", "2026-03", "2026-04", "2026-10")]
    await meters.load_facts("house-volumes", "\n".join(["house,service,resource,period,volume,price", *volumes, ""]))
    await meters.give("Q1", *[(f"2025-{month:02d}-20", str(month - 9)) for month in (9, 10, 11, 12)])
    april = await meters.month(202604)
    assert own(april, "1", "heating") is None
    area = charged_heat(april, "heating", "1")
    assert area > micro("2")
    await meters.give("Q1", ("2026-10-20", "20"))
    october = await meters.month(202610)
    # 17 more on the dial, less three averages of one Gcal and April's own charge.
    assert own(october, "1", "heating") == Individual(
        service="heating", source=VolumeSource.METER, zones=((0, Volume(micro("17") - 3 * micro("1") - area)),)
    )
