"""Resources for the common property: law.md 2.5, one case a clause, and the house's balance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.billing.core.common_property import (
    CommonYear,
    CommonYearPremises,
    common_parts,
    common_sums,
    yearly_common_correction,
)
from services.billing.core.heating_year import Span
from services.billing.core.lines import LineKind
from services.billing.core.month import (
    Area,
    CommonWay,
    HouseMonth,
    HouseVolume,
    Premises,
    PremisesKind,
    Ratio,
    ServiceKind,
    ServiceTerms,
    Volume,
    VolumeSource,
)
from tests.billing.recalculated_house import flat, house, metered, micro, own, terms

COLD = terms(ServiceKind.COLD_WATER, "40", norm=micro("4"))
HOT = terms(ServiceKind.HOT_WATER, "200", norm=micro("3"))
COMMON = terms(ServiceKind.COMMON_COLD_WATER, "40", norm=micro("0.03"), base=("cold_water",))
FACT = replace(COMMON, common_way=CommonWay.FACT)
SHARED = replace(FACT, is_above_norm_shared=True)
AVERAGE = replace(COMMON, common_way=CommonWay.AVERAGE)
SEWAGE = terms(ServiceKind.COMMON_SEWAGE, "30", norm=micro("0.05"), base=("cold_water", "hot_water"), common_way=CommonWay.FACT)
FIRST = flat("1", "40", individual=(own(COLD, "6"), own(HOT, "4")))
SECOND = flat("2", "60", individual=(own(COLD, "5", VolumeSource.AVERAGE),))
SHOP = flat("shop", "100", kind=PremisesKind.NON_RESIDENTIAL, residents=Ratio(0), owners=1)


def month(*volumes: HouseVolume, premises: tuple[Premises, ...] = (FIRST, SECOND, SHOP)) -> HouseMonth:
    """The house: 200 m², 100 m² of common property, so the norm is 3 m³."""
    services = (COLD, HOT, COMMON, SEWAGE)
    return house(services, premises, area_common=Area(micro("100")), house_volumes=volumes)


def water(volume: str) -> HouseVolume:
    """What the house's cold water meter says."""
    return metered(COLD, volume)


COMMONS = [
    ("norm: N x S_com x S_i / S_all", COMMON, (), ("СОИ-норматив", 600_000, 2_400)),
    ("norm: a house meter does not matter", COMMON, (water("11.5"),), ("СОИ-норматив", 600_000, 2_400)),
    ("fact: the meter less premises", FACT, (water("12"),), ("СОИ-факт", 200_000, 800)),
    ("fact: exactly the norm", FACT, (water("14"),), ("СОИ-факт", 600_000, 2_400)),
    ("п. 44: above the norm is the provider's cost", FACT, (water("31"),), ("СОИ-факт", 600_000, 2_400)),
    ("п. 44: above the norm by the owners' decision", SHARED, (water("31"),), ("СОИ-факт", 4_000_000, 16_000)),
    ("п. 47: negative is returned by area", FACT, (water("9"),), ("СОИ-факт", -400_000, -1_600)),
    ("fact: no meter's volume, so the norm", FACT, (), ("СОИ-норматив", 600_000, 2_400)),
    ("fact: a meter of the common property alone", FACT, (metered(COMMON, "1"),), ("СОИ-факт", 200_000, 800)),
    ("average: what the common property took a month", AVERAGE, (metered(COMMON, "2"),), ("СОИ-среднее", 400_000, 1_600)),
    ("average: above the norm", AVERAGE, (metered(COMMON, "20"),), ("СОИ-среднее", 600_000, 2_400)),
    ("average: none known, so the norm", AVERAGE, (), ("СОИ-норматив", 600_000, 2_400)),
]


@pytest.mark.parametrize(("service", "volumes", "expected"), [case[1:] for case in COMMONS], ids=[case[0] for case in COMMONS])
def test_common_volume(service: ServiceTerms, volumes: tuple[HouseVolume, ...], expected: tuple[str, int, int]) -> None:
    (part,) = common_parts(month(*volumes), service, FIRST)
    assert (part.explanation.formula, part.volume, part.amount_kopecks) == expected
    assert part.kind is LineKind.COMMON


def test_fact_of_nothing_makes_no_line() -> None:
    assert common_parts(month(water("11")), FACT, FIRST) == ()


TAKEN = [
    ("meter and average", (FIRST, SECOND), "11"),
    ("norm x residents", (FIRST, flat("n", "60")), "14"),
    (
        "the norm rung without the coefficient",
        (FIRST, flat("n", "60", individual=(own(COLD, "0", VolumeSource.NORM_RAISED),))),
        "14",
    ),
    ("п. 56(2): owners where nobody lives", (FIRST, flat("n", "60", residents=Ratio(0), owners=3)), "18"),
    ("non-residential without a meter", (FIRST, SHOP), "6"),
    ("premises that are not served", (FIRST, flat("n", "60", services=("hot_water",))), "6"),
]


@pytest.mark.parametrize(("premises", "expected"), [case[1:] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_what_premises_took(premises: tuple[Premises, ...], expected: str) -> None:
    assert common_sums(month(water("20"), premises=premises), FACT).premises_volume == micro(expected)


def test_a_communal_flats_meter_is_counted_once() -> None:
    rooms = tuple(
        flat(name, "30", kind=PremisesKind.COMMUNAL_ROOM, flat="5", living_area=Area(micro("15")), individual=(own(COLD, "7"),))
        for name in ("5b", "5a")
    )
    assert common_sums(month(water("20"), premises=rooms), FACT).premises_volume == micro("7")


def test_common_sewage_follows_cold_and_hot_water() -> None:
    # 12 + 11.5 of the house; 6 + 5 cold, 4 + 2 x 3 hot of its premises.
    sums = common_sums(month(water("12"), metered(HOT, "11.5")), SEWAGE)
    assert (sums.measured, sums.volume) == (micro("2.5"), micro("2.5"))


def test_hot_water_made_in_the_house_is_taken_from_its_cold_meter() -> None:
    service = replace(FACT, base=("cold_water", "hot_water"))
    assert common_sums(month(water("22.5")), service).measured == micro("1.5")


def test_common_sewage_without_one_of_its_waters_goes_by_the_norm() -> None:
    found = common_sums(month(water("12")), SEWAGE)
    assert (found.measured, found.volume) == (None, micro("5")), "what hot water took is not returned as if it were cold"


YEAR = CommonYear(
    of_period=202512,
    spans=(Span(volume=micro("10"), price=micro("40")), Span(volume=micro("20"), price=micro("50"))),
    limits=(micro("18"), micro("18")),
    area_all=micro("100"),
    premises=(
        CommonYearPremises(premises="1", area=micro("40"), charged_kopecks=60_000),
        CommonYearPremises(premises="2", area=micro("60"), charged_kopecks=60_000),
    ),
)
OVER = replace(YEAR, spans=(Span(volume=micro("40"), price=micro("40")), Span(volume=micro("20"), price=micro("50"))))
NEGATIVE = replace(YEAR, spans=(Span(volume=micro("-10"), price=micro("40")), Span(volume=micro("0"), price=micro("50"))))
YEARS = [
    ("п. 29(2): the year by fact", YEAR, {"1": -4_000, "2": 24_000}),
    ("п. 29(3): no more than the year's norm", OVER, {"1": 4_800, "2": 37_200}),
    ("п. 29(5): the owners decided to share all", replace(OVER, is_above_norm_shared=True), {"1": 44_000, "2": 96_000}),
    ("п. 29(4): a negative year is returned", NEGATIVE, {"1": -76_000, "2": -84_000}),
]


@pytest.mark.parametrize(("year", "expected"), [case[1:] for case in YEARS], ids=[case[0] for case in YEARS])
def test_year_of_common_property(year: CommonYear, expected: dict[str, int]) -> None:
    found = yearly_common_correction(year)
    assert {name: part.amount_kopecks for name, part in found} == expected
    assert all(part.kind is LineKind.CORRECTION and part.of_period == 202512 for _, part in found)


@given(
    st.lists(st.tuples(st.integers(1, 200_000_000), st.integers(0, 20_000_000)), min_size=1, max_size=12),
    st.integers(0, 300_000_000),
)
def test_flats_and_common_add_up_to_the_house(rows: list[tuple[int, int]], volume: int) -> None:
    premises = tuple(
        replace(flat(str(place), "1", individual=(own(COLD, f"{took // 10**6}.{took % 10**6:06}"),)), area=Area(area))
        for place, (area, took) in enumerate(rows)
    )
    said = HouseVolume(service=COLD.service, volume=Volume(volume))
    whole = month(said, premises=premises)
    sums = common_sums(whole, SHARED)
    total = sum(part.volume for row in premises for part in common_parts(whole, SHARED, row, sums))
    # Each premises' part of the common volume is rounded by itself: half a millionth each.
    assert 2 * abs(sum(took for _, took in rows) + total - volume) <= len(rows)
    turned = replace(whole, premises=premises[::-1])
    assert all(common_parts(whole, SHARED, row) == common_parts(turned, SHARED, row) for row in premises)
