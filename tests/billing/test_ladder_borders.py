"""The ladder where readings and spells of meters do not end together: late readings, houses, seasons of heating."""

from datetime import date

import pytest

from services.billing.core.assembling import Metering, norm_volume
from services.billing.core.consumption import LadderTerms
from services.billing.core.ladder import rung_of
from services.billing.core.meters import MeterLife, MeterReading, Supply, supply_of
from services.billing.core.month import HeatingWay, PremisesKind, ServiceKind, VolumeSource
from services.billing.core.periods import month_number, period_of
from services.billing.core.quantities import Volume
from tests.billing.metered_supply import TERMS, meter, monthly, told, volumes
from tests.billing.recalculated_house import micro, terms
from tests.billing.test_assembling import month_of, own, premises

FIVES = monthly(202601, *[str(5 * month) for month in range(10)])
"""Five a month until October 2026, when it says 45."""
NORMS = {period_of(month): micro("8") for month in range(month_number(202601), month_number(202801))}


def given_later(period: int, taken_on: date, value: str) -> MeterReading:
    """A reading that counts for a later month than that of its day."""
    return MeterReading(period=period, taken_on=taken_on, values=(Volume(micro(value)),))


def charged(supply: Supply, *periods: int, ladder: LadderTerms = TERMS) -> list[int]:
    """Volumes of months as each is charged when it comes."""
    return [sum(volumes(rung_of(supply, period, ladder, NORMS)).values()) for period in periods]


def next_meter(*readings: MeterReading) -> MeterLife:
    """The meter of the place since 28 November."""
    return meter(readings, meter="m2", installed=date(2026, 11, 28))


def test_the_last_reading_of_a_replaced_meter_that_comes_late_does_not_charge_its_month_twice() -> None:
    last = given_later(202612, date(2026, 11, 28), "51")
    gone = meter((*FIVES, last), events=[("removed", "2026-11-28")])
    following = next_meter(told(202611, "0", day=28), *monthly(202612, "6", "11"))
    # 45 to 51, and 0 to 6: November's 27 days by the average are taken off December.
    assert charged(supply_of([gone, following]), 202611, 202612, 202701) == [micro("4.5"), micro("7.5"), micro("5")]


def test_the_last_reading_of_a_broken_meter_that_comes_late_is_settled_with_its_days() -> None:
    last = given_later(202612, date(2026, 11, 10), "47")
    broken = meter((*FIVES, last), events=[("broken", "2026-11-10")])
    # 5 by the average in November, of which 9 days of 30 the reading tells: 2 less 1.5, and 5 for the days out of order.
    assert charged(supply_of([broken]), 202611, 202612) == [micro("5"), micro("5.5")]


def test_a_last_reading_lower_than_what_stood_for_it_lowers_that_month() -> None:
    last = given_later(202612, date(2026, 11, 28), "46")
    gone = meter((*FIVES, last), events=[("removed", "2026-11-28")])
    supply = supply_of([gone, next_meter(told(202611, "0", day=28), *monthly(202612, "6"))])
    assert charged(supply, 202611, 202612) == [micro("4.5"), micro("6")]
    assert volumes(rung_of(supply, 202611, TERMS, NORMS, known=202612)) == {0: micro("1")}


def test_the_first_reading_of_a_meter_counts_from_its_day_however_late_it_was_given() -> None:
    gone = meter((*FIVES, told(202611, "51", day=28)), events=[("removed", "2026-11-28")])
    late = next_meter(given_later(202612, date(2026, 11, 28), "0"), *monthly(202612, "6", "11"))
    assert charged(supply_of([gone, late]), 202611, 202612, 202701) == [micro("6"), micro("6"), micro("5")]
    alone = supply_of([next_meter(given_later(202612, date(2026, 11, 28), "0"), *monthly(202612, "6", "11"))])
    assert charged(alone, 202612, 202701) == [micro("6"), micro("5")]


SUMMER = frozenset(range(month_number(202605), month_number(202610)))
HEAT = monthly(202509, "0", "10", "20", "30", "40", "50", "60", "70", *[None] * 5, "80", "90")
"""Read from September 2025 to April 2026, then when it is heated again: October and November."""


@pytest.mark.parametrize("averaged_max", [3, 6], ids=["premises", "house"])
def test_a_summer_without_readings_is_not_charged_against_the_first_month_of_heating(averaged_max: int) -> None:
    supply = Supply(places=supply_of([meter(HEAT)]).places, idle=SUMMER)
    ladder = LadderTerms(averaged_max=averaged_max, average_months=6, average_months_min=3, is_seasonal=True)
    assert charged(supply, 202604, 202607, 202610, 202611, ladder=ladder) == [micro("10"), 0, micro("10"), micro("10")]


def test_months_between_seasons_neither_count_as_missed_nor_thin_out_the_average() -> None:
    supply = Supply(places=supply_of([meter(HEAT)]).places, idle=SUMMER)
    ladder = LadderTerms(averaged_max=3, average_months=3, average_months_min=3, is_seasonal=True)
    unread = Supply(places=supply_of([meter(HEAT[:8])]).places, idle=SUMMER)
    rung = rung_of(unread, 202610, ladder, NORMS)
    assert (rung.source, rung.missed, volumes(rung)) == (VolumeSource.AVERAGE, 1, {0: micro("10")})
    later = rung_of(supply, 202612, ladder, NORMS)
    assert volumes(later) == {0: micro("10")}, "the step from April to October is one month of heating"


def of_house(service: str, life: MeterLife, year: dict[int, Volume] | None = None) -> Metering:
    """A house's own meter, and what acts say of the year before."""
    told_of = {} if year is None else {service: year}
    return Metering(premises={}, flats={}, house={service: own(life)}, possibilities={}, volumes={}, year=told_of)


def test_a_house_meter_read_again_after_its_average_ran_out_charges_its_own_months() -> None:
    cold = terms(ServiceKind.COLD_WATER, "10")
    life = meter(monthly(202601, "0", "10", "20", "30", *[None] * 5, "100"))
    silent = month_of(cold, of_house(cold.service, life), premises("1", 7), period=202609)
    assert silent.house_volumes == ()
    read = month_of(cold, of_house(cold.service, life), premises("1", 7), period=202610)
    assert [one.volume for one in read.house_volumes] == [micro("20")], "70, less five months of 10 that stand for themselves"


def test_even_payment_of_a_year_with_a_long_gap_goes_by_its_readings() -> None:
    heating = terms(ServiceKind.HEATING, "10", heating_way=HeatingWay.EVEN)
    texts = [str(month) for month in range(4)] + [None] * 5 + ["9", "10", "11", "12"]
    gap = Metering(
        premises={(7, heating.service): own(meter(monthly(202412, *texts)))},
        flats={},
        house={},
        possibilities={},
        volumes={},
        year={},
    )
    (one,) = month_of(heating, gap, premises("1", 7)).premises
    assert one.individual == (), "two months of it were by the norm"


def test_a_month_that_an_act_tells_does_not_stand_for_the_whole_year() -> None:
    heating = terms(ServiceKind.HEATING, "10", heating_way=HeatingWay.EVEN, heating_months=7)
    twos = meter(monthly(202412, *[str(2 * month) for month in range(13)]))
    one_act = of_house(heating.service, twos, {202502: Volume(micro("14"))})
    assert [one.volume for one in month_of(heating, one_act, premises("1", 7)).house_volumes] == [micro("3")], "(22 + 14) / 12"
    told_of = {heating.service: {202512: Volume(micro("60"))}}
    partly = Metering(premises={}, flats={}, house={}, possibilities={}, volumes={}, year=told_of)
    assert month_of(heating, partly, premises("1", 7)).house_volumes == (), "one month of seven is no year"


def test_norms_to_settle_with_are_those_that_were_charged() -> None:
    flat = premises("1", 7)
    gas = terms(ServiceKind.GAS, "10", norm=micro("10"), norm_water_heating=micro("15"), norm_space_heating=micro("7"))
    assert norm_volume(gas, flat) == micro("400"), "2 x (10 + 15) + 50 x 7"
    heating = terms(ServiceKind.HEATING, "10", norm=micro("0.02"))
    assert norm_volume(heating, flat) == micro("1"), "50 x 0.02"
    assert norm_volume(heating, premises("N1", 7, PremisesKind.NON_RESIDENTIAL)) == micro("1")
    assert norm_volume(terms(ServiceKind.HEATING, "10", norm=micro("0.02"), is_heating_month=False), flat) == 0
    cold, hot = terms(ServiceKind.COLD_WATER, "10", norm=micro("4")), terms(ServiceKind.HOT_WATER, "10", norm=micro("3"))
    sewage = terms(ServiceKind.SEWAGE, "10", base=(cold.service, hot.service))
    assert norm_volume(sewage, flat, (cold, hot, sewage)) == micro("14")
