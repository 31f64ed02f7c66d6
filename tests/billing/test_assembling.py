"""A HouseMonth put together: even payment of heating, rooms and their meters, house meters, why absences count or do not."""

from datetime import date

from services.billing.core.absence import MeterSituation
from services.billing.core.assembling import Assembly, Metering, OwnSupply, assemble, norm_volume, premises_rungs, situation_of
from services.billing.core.facts import HouseFacts, PremisesFacts
from services.billing.core.ladder import Cause, Rung
from services.billing.core.meters import MeterLife, supply_of
from services.billing.core.month import HeatingWay, HouseMonth, PremisesKind, ServiceKind, ServiceTerms, VolumeSource
from services.billing.core.quantities import Area, Ratio, Volume
from services.billing.law.files import shipped_law
from tests.billing.metered_supply import meter, monthly
from tests.billing.recalculated_house import micro, terms

ASSEMBLY = Assembly(law=shipped_law(), today=date(2026, 11, 24))
NOTHING = Metering(premises={}, flats={}, house={}, possibilities={}, volumes={}, year={})
YEAR = monthly(202412, *[str(2 * month) for month in range(13)])
"""Two a month of 2025."""


def premises(
    number: str, key: int, kind: PremisesKind = PremisesKind.FLAT, flat: str = "", residents: str = "2"
) -> PremisesFacts:
    """Facts of a premises of 50 square metres."""
    area = Area(micro("50"))
    return PremisesFacts(
        premises=number, key=key, kind=kind, area=area, residents=Ratio(micro(residents)), owners=1, accounts=(), flat=flat
    )


def month_of(service: ServiceTerms, metering: Metering, *of: PremisesFacts, period: int = 202611) -> HouseMonth:
    """Assemble a house of one service."""
    return assemble(facts_of(service, *of, period=period), metering, ASSEMBLY)


def facts_of(service: ServiceTerms, *of: PremisesFacts, period: int = 202611) -> HouseFacts:
    """Facts of a house of one service."""
    return HouseFacts(
        house="1",
        key=1,
        period=period,
        days=30,
        region="69",
        time_zone="Europe/Moscow",
        provider="uk",
        area_all=Area(micro("100")),
        area_common=Area(micro("10")),
        services=(service,),
        premises=of,
    )


def own(*lives: MeterLife) -> OwnSupply:
    """A supply without norms."""
    return OwnSupply(supply=supply_of(lives))


def test_even_payment_takes_the_average_of_the_year_before() -> None:
    heating = terms(ServiceKind.HEATING, "10", heating_way=HeatingWay.EVEN)
    metering = Metering(
        premises={(7, heating.service): own(meter(YEAR))},
        flats={},
        house={heating.service: own(meter(YEAR, meter="h"))},
        possibilities={},
        volumes={},
        year={},
    )
    month = month_of(heating, metering, premises("1", 7), premises("2", 8))
    assert [one.individual and one.individual[0].zones for one in month.premises] == [((0, micro("2")),), ()]
    assert [(one.service, one.volume) for one in month.house_volumes] == [(heating.service, micro("2"))]


def test_even_payment_of_a_house_prefers_what_acts_say_of_the_year() -> None:
    heating = terms(ServiceKind.HEATING, "10", heating_way=HeatingWay.EVEN)
    metering = Metering(
        premises={}, flats={}, house={}, possibilities={}, volumes={}, year={heating.service: {202510: Volume(micro("120"))}}
    )
    assert [one.volume for one in month_of(heating, metering, premises("1", 7)).house_volumes] == [micro("10")]


def test_a_year_with_a_month_by_the_norm_makes_no_even_volume() -> None:
    heating = terms(ServiceKind.HEATING, "10", heating_way=HeatingWay.EVEN)
    metering = Metering(
        premises={(7, heating.service): own(meter(YEAR[:5]))}, flats={}, house={}, possibilities={}, volumes={}, year={}
    )
    (one,) = month_of(heating, metering, premises("1", 7)).premises
    assert one.individual == ()


def test_rooms_take_their_flats_meter_and_their_own() -> None:
    light = terms(ServiceKind.ELECTRICITY, "10")
    flat = own(meter(monthly(202610, "0", "30")))
    room = own(meter(monthly(202610, "0", "12"), meter="r"))
    metering = Metering(
        premises={(7, light.service): room}, flats={("3", light.service): flat}, house={}, possibilities={}, volumes={}, year={}
    )
    rooms = [premises(number, key, PremisesKind.COMMUNAL_ROOM, "3") for number, key in (("3a", 7), ("3b", 8))]
    first, second = month_of(light, metering, *rooms).premises
    assert (first.individual[0].zones, first.individual[0].room_zones) == (((0, micro("30")),), ((0, micro("12")),))
    assert (second.individual[0].zones, second.individual[0].room_zones) == (((0, micro("30")),), None)


def test_services_that_nobody_meters_say_nothing_and_the_coefficient_is_the_laws() -> None:
    waste = month_of(terms(ServiceKind.WASTE, "10"), NOTHING, premises("1", 7))
    assert waste.premises[0].individual == ()
    cold = terms(ServiceKind.COLD_WATER, "10")
    before, after = [month_of(cold, NOTHING, premises("1", 7), period=period).services[0] for period in (202511, 202601)]
    assert (before.coefficient, after.coefficient) == (micro("1.5"), micro("3"))


def test_rungs_are_told_of_one_premises() -> None:
    cold = terms(ServiceKind.COLD_WATER, "10")
    rungs = premises_rungs(facts_of(cold, premises("1", 7), premises("2", 8)), NOTHING, ASSEMBLY, 8)
    assert {service: rung.cause for service, rung in rungs.items()} == {cold.service: Cause.POSSIBILITY_UNKNOWN}


def test_a_months_norm_counts_residents_or_owners_and_no_shop() -> None:
    cold = terms(ServiceKind.COLD_WATER, "10", norm=micro("4"))
    assert norm_volume(cold, premises("1", 7)) == micro("8")
    assert norm_volume(cold, premises("1", 7, residents="0")) == micro("4")
    assert norm_volume(cold, premises("N1", 7, PremisesKind.NON_RESIDENTIAL)) == 0


def test_absences_ask_why_there_is_no_reading() -> None:
    told = {cause: situation_of(Rung(source=VolumeSource.NORM, cause=cause)) for cause in Cause}
    assert told == {
        Cause.READING: MeterSituation.WORKING,
        Cause.NO_READING: MeterSituation.NO_READING,
        Cause.NO_ACCESS: MeterSituation.NO_READING,
        Cause.FAULTY: MeterSituation.FAILED,
        Cause.FIRST_MONTH: MeterSituation.WORKING,
        Cause.NO_METER: MeterSituation.NOT_INSTALLED,
        Cause.NO_POSSIBILITY: MeterSituation.IMPOSSIBLE,
        Cause.POSSIBILITY_UNKNOWN: MeterSituation.NOT_INSTALLED,
    }
