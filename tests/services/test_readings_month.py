"""From stock, meters and readings on a real database to a HouseMonth, and through the month's life's door."""

from datetime import date

import pytest

from services.billing.core.engine import calculate_house
from services.billing.core.law import law_of
from services.billing.core.lines import LineKind
from services.billing.core.month import HouseMonth, HouseVolume, Individual, Price, Volume, VolumeSource
from services.billing.core.quantities import MICRO
from services.billing.reading import Asked, StockReading, list_changed_periods, read_months
from services.billing.runs.sources import HouseUnreadable, Reading
from tests.billing.recalculated_house import micro
from tests.services.desk import Desk
from tests.services.housing_town import Stock
from tests.services.metered_town import LAW, Meters

TODAY = date(2026, 11, 24)


@pytest.fixture
async def meters(desk: Desk) -> Meters:
    await desk.load_town()
    town = Meters(stock=Stock(desk=desk))
    await town.load_all()
    return town


def own(month: HouseMonth, premises: str, service: str) -> Individual | None:
    """What the month says of a premises' own volume."""
    one = next(one for one in month.premises if one.premises == premises)
    return next((each for each in one.individual if each.service == service), None)


async def steady(meters: Meters) -> None:
    """Half a year of readings of everything, until October."""
    days = [f"2026-{month:02d}-20" for month in range(4, 11)]
    await meters.give("C1", *[(day, str(100 + 3 * place)) for place, day in enumerate(days)])
    await meters.give("C2", *[(day, str(10 + place)) for place, day in enumerate(days[:4])])
    await meters.give("F3", *[(day, str(20 + 5 * place)) for place, day in enumerate(days)])
    await meters.give("H1", *[(day, str(50 + 2 * place)) for place, day in enumerate(days)])
    for zone in (1, 2):
        await meters.give("L1", *[(day, str(40 * zone * place)) for place, day in enumerate(days)], zone=zone)


async def test_a_month_has_volumes_of_every_rung(meters: Meters) -> None:
    await steady(meters)
    await meters.give("C1", ("2026-11-20", "122"))
    await meters.give("F3", ("2026-11-20", "56"))
    await meters.give("H1", ("2026-11-20", "64.5"))
    month = await meters.month(202611)
    assert own(month, "1", "cold") == Individual(service="cold", source=VolumeSource.METER, zones=((0, Volume(micro("4"))),))
    assert own(month, "1", "light") == Individual(
        service="light", source=VolumeSource.AVERAGE, zones=((1, Volume(micro("40"))), (2, Volume(micro("80"))))
    )
    # C2's verification ran out in July: August to October were averaged, and November is the fourth period.
    assert own(month, "2", "cold") == Individual(service="cold", source=VolumeSource.NORM_RAISED)
    assert own(month, "1", "hot") == Individual(service="hot", source=VolumeSource.NORM_RAISED)
    assert own(month, "2", "hot") == Individual(service="hot", source=VolumeSource.NORM)
    rooms = [own(month, room, "cold") for room in ("3a", "3b")]
    assert rooms == [Individual(service="cold", source=VolumeSource.METER, zones=((0, Volume(micro("6"))),))] * 2
    assert own(month, "N1", "heating") is None
    assert set(month.house_volumes) == {
        HouseVolume(service="cold", volume=Volume(micro("25"))),
        HouseVolume(service="heating", volume=Volume(micro("12.5"))),
        HouseVolume(service="hot", volume=None, fuel=((Volume(micro("100")), Price(micro("7.1"))),)),
    }


async def test_a_month_has_the_laws_coefficients_breaks_and_areas(meters: Meters) -> None:
    month = await meters.month(202611)
    coefficients = {terms.service: terms.coefficient for terms in month.services}
    assert (coefficients["cold"], coefficients["hot"], coefficients["maintenance"]) == (3 * MICRO, 1_500_000, MICRO)
    first = next(one for one in month.premises if one.premises == "1")
    assert [(row.service, row.act) for row in first.breaks] == [("cold", "А-1")]
    second = next(one for one in month.premises if one.premises == "2")
    assert {row.service for row in second.breaks} == {"cold", "heating"}
    assert (month.area_all, month.area_common, month.days) == (micro("180.6"), micro("31"), 30)
    assert first.absences == ()


async def test_an_absence_counts_where_no_meter_can_stand(meters: Meters) -> None:
    await meters.load_facts(
        "possibilities", "house,premises,service,valid_from,possibility,act\n01,1,hot,2026-01-01,impossible,а\n"
    )
    month = await meters.month(202611)
    first = next(one for one in month.premises if one.premises == "1")
    assert [(row.service, row.person_days) for row in first.absences] == [("hot", 17)]


async def test_a_lower_reading_brings_earlier_months_down(meters: Meters) -> None:
    await steady(meters)
    assert own(await meters.month(202611), "1", "cold") == Individual(
        service="cold", source=VolumeSource.AVERAGE, zones=((0, Volume(micro("3"))),)
    )
    await meters.give("C1", ("2026-12-20", "119"))
    asked = Asked(period=202612, today=TODAY)
    assert await list_changed_periods(meters.connection, ["01"], LAW, asked) == [("01", 202611)]
    assert own(await meters.month(202611), "1", "cold") == Individual(
        service="cold", source=VolumeSource.AVERAGE, zones=((0, Volume(micro("3"))),)
    )
    assert own(await meters.month(202611, known=202612), "1", "cold") == Individual(
        service="cold", source=VolumeSource.METER, zones=((0, Volume(micro("1"))),)
    )
    assert own(await meters.month(202612), "1", "cold") == Individual(
        service="cold", source=VolumeSource.METER, zones=((0, Volume(0)),)
    )


async def test_a_reading_after_months_by_the_norm_is_settled_with_the_norm_of_then(meters: Meters) -> None:
    """C1 told nothing from November to February: three averages of 3, then 3 residents × 5.01 by the norm of February."""
    await steady(meters)
    await meters.give("C1", ("2027-03-20", "150"))
    february = await meters.month(202702)
    assert own(february, "1", "cold") == Individual(service="cold", source=VolumeSource.NORM)
    assert own(await meters.month(202703), "1", "cold") == Individual(
        service="cold",
        source=VolumeSource.METER,
        zones=((0, Volume(micro("150") - micro("118") - 3 * micro("3") - 3 * micro("5.01"))),),
    )


async def test_a_month_can_be_calculated(meters: Meters) -> None:
    await steady(meters)
    await meters.give("C1", ("2026-11-20", "122"))
    lines = calculate_house(await meters.month(202611))
    cold = [line for line in lines if line.account == "epd:0001001" and line.service == "cold" and line.kind is LineKind.CHARGE]
    assert [(line.volume, line.amount_kopecks) for line in cold] == [(micro("4"), 19268)]


async def test_many_houses_are_read_together_and_each_as_alone(meters: Meters) -> None:
    await steady(meters)
    asked = Asked(period=202611, today=TODAY)
    together = await anext(read_months(meters.connection, ["01", "02", "03"], LAW, asked))
    assert together["01"] == await meters.month(202611)
    assert isinstance(together["02"], HouseMonth)
    assert isinstance(together["03"], HouseUnreadable)


async def test_the_door_of_the_months_life(meters: Meters) -> None:
    reading: Reading = StockReading(LAW, TODAY)
    connection = meters.connection
    assert await reading.list_houses(connection, "uk", 202611) == ["01", "02"]
    assert await reading.list_houses(connection, "water", 202611) == []
    assert await reading.houses_of(connection, "uk", 202611, ["epd:0001001", "epd:9"]) == {"epd:0001001": "01"}
    numbers = await reading.number_accounts(connection, "uk", ["epd:0001001", "epd:0001003", "nobody"])
    assert set(numbers) == {"epd:0001001", "epd:0001003"}
    months = await reading.read_houses(connection, "uk", 202611, ["01", "02"])
    assert [isinstance(months[house], HouseMonth) for house in ("01", "02")] == [True, True]


async def test_a_dial_set_anew_counts_from_there(meters: Meters) -> None:
    """Also when the repair that it was set anew by is withdrawn later: its old readings are not held against it."""
    events = "meter,event,on,act,state\nC1,broken,2026-10-05,а,{0}\nC1,repaired,2026-10-06,а,{0}\n"
    await steady(meters)
    await meters.give("C1", ("2026-11-02", "119"))
    await meters.load_facts("events", events.format("holds").replace("-10-", "-11-"))
    await meters.load_readings("meter,value,taken_on,source,restarts\nC1,0,2026-11-06,act,true\nC1,2,2026-11-20,,\n")
    # One day of thirty without a meter, by the average of three: a tenth.
    expected = Individual(service="cold", source=VolumeSource.AVERAGE, zones=((0, Volume(micro("3.1"))),))
    assert own(await meters.month(202611), "1", "cold") == expected
    await meters.load_facts("events", events.format("withdrawn").replace("-10-", "-11-"))
    expected = Individual(service="cold", source=VolumeSource.METER, zones=((0, Volume(micro("3"))),))
    assert own(await meters.month(202611), "1", "cold") == expected


async def test_a_summer_without_readings_of_heat_leaves_october_its_own(meters: Meters) -> None:
    """Meters of heat, the house's and a premises', are read in the heating period; between two of them nothing is missed."""
    rows = [f",69,{period},30" for period in ("2026-01", "2026-02", "2026-03", "2026-04", "2026-10")]
    await meters.stock.load("heating-days", "\n".join(["house,region,period,days", *rows, ""]))
    heat = "meter,house,premises,service,digits,installed\nQ1,01,1,heating,5,2025-01-15\nQH,01,,heating,5,2025-01-15\n"
    await meters.load_facts("meters", heat)
    winter = [f"{day}-20" for day in ("2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026-10")]
    await meters.give("Q1", *[(day, f"{place}.5") for place, day in enumerate(winter)])
    await meters.give("QH", *[(day, str(20 * place)) for place, day in enumerate(winter)])
    october = await meters.month(202610)
    assert own(october, "1", "heating") == Individual(
        service="heating", source=VolumeSource.METER, zones=((0, Volume(micro("1"))),)
    )
    assert HouseVolume(service="heating", volume=Volume(micro("20"))) in october.house_volumes
    assert await list_changed_periods(meters.connection, ["01"], LAW, Asked(period=202610, today=TODAY)) == []


async def test_a_house_meter_silent_for_longer_than_its_average_is_read(meters: Meters) -> None:
    await meters.give("H1", *[(f"2026-{month:02d}-20", str(2 * month)) for month in range(1, 5)])
    await meters.give("H1", ("2026-10-20", "23"))
    assert [one.volume for one in (await meters.month(202609)).house_volumes if one.service == "cold"] == []
    # 15 more on the dial, by ten: less five months of the average of 20.
    assert [one.volume for one in (await meters.month(202610)).house_volumes if one.service == "cold"] == [micro("50")]


UNPRICED = [
    (
        "tariffs",
        "service,valid_from,house,region,price,state\nmaintenance,2026-10-01,01,,1,ended\nmaintenance,2026-10-01,,69,1,ended\n",
    ),
    ("tariffs", "service,valid_from,house,price,zone\ncommon_light,2026-10-01,01,5,1\ncommon_light,2026-10-01,01,3,2\n"),
    ("contracts", "house,service,valid_from,recipient,provider\n01,hot,2026-10-01,fund,uk\n"),
]


@pytest.mark.parametrize(("what", "content"), UNPRICED, ids=["no tariff", "zones of the common property", "no price of heat"])
async def test_a_house_without_a_price_is_unreadable_and_not_a_failure(meters: Meters, what: str, content: str) -> None:
    await meters.stock.load(what, content)
    months = await anext(read_months(meters.connection, ["01", "02"], LAW, Asked(period=202611, today=TODAY)))
    assert isinstance(months["01"], HouseUnreadable) and "нет тарифа" in str(months["01"])
    assert isinstance(months["02"], HouseMonth)


async def test_a_house_of_whose_ladder_the_law_is_silent_is_told_apart(meters: Meters) -> None:
    await steady(meters)
    nothing = law_of(())
    async for months in read_months(meters.connection, ["01"], nothing, Asked(period=202611, today=TODAY)):
        assert isinstance(months["01"], HouseUnreadable)
        assert "2026-11-01" in str(months["01"])
