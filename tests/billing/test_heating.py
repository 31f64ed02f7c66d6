"""Heating: one case a clause of law.md 2.3, worked examples to the kopeck, and what holds for every house."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.billing.core.heating import heating_parts, heating_sums, own_heating_parts
from services.billing.core.heating_year import (
    Allocators,
    AllocatorShare,
    HeatingYear,
    Span,
    YearPremises,
    allocator_correction,
    yearly_heating_correction,
)
from services.billing.core.lines import LineKind
from services.billing.core.month import HeatingWay, HouseMonth, HouseVolume, PremisesKind, ServiceKind, ServiceTerms, VolumeSource
from services.billing.core.quantities import Area, Price, Ratio, Volume
from tests.billing.recalculated_house import flat, house, metered, micro, own, terms

HEAT = terms(ServiceKind.HEATING, "2486.71", norm=micro("0.0229"), heating_months=7, coefficient=Ratio(micro("1.5")))
EVEN = replace(HEAT, heating_way=HeatingWay.EVEN)
SUMMER = {"is_heating_month": False}
DUE = {"is_house_meter_due": True}

BY_NORM = [
    ("formula 2: the season's norm", HEAT, "2", (309_215,)),
    ("formula 2: nothing outside the season", replace(HEAT, **SUMMER), "", ()),
    ("formula 2(1): the coefficient apart", replace(HEAT, **DUE), "2(1)", (309_215, 154_607)),
    ("formula 2(1): nothing outside the season", replace(HEAT, **DUE, **SUMMER), "", ()),
    ("formula 2(1): no coefficient in force", replace(HEAT, **DUE, coefficient=Ratio(micro("1"))), "2", (309_215,)),
    ("formulas 2(2), 2(3): evenly 7/12", EVEN, "2(3)", (180_375,)),
    ("formula 2(3): outside the season too", replace(EVEN, **SUMMER), "2(3)", (180_375,)),
    ("formulas 2(2), 2(3): evenly 8/12", replace(EVEN, heating_months=8), "2(3)", (206_143,)),
    ("formula 2(4): evenly with the coefficient apart", replace(EVEN, **DUE), "2(4)", (180_375, 90_188)),
    ("formula 2(4): outside the season too", replace(EVEN, **DUE, **SUMMER), "2(4)", (180_375, 90_188)),
]


@pytest.mark.parametrize(("service", "formula", "amounts"), [case[1:] for case in BY_NORM], ids=[case[0] for case in BY_NORM])
def test_by_norm(service: ServiceTerms, formula: str, amounts: tuple[int, ...]) -> None:
    parts = heating_parts(house((service,), (flat("1", "54.3"),)), service, flat("1", "54.3"))
    assert tuple(part.amount_kopecks for part in parts) == amounts
    assert [part.kind for part in parts] == [LineKind.CHARGE, LineKind.RAISED][: len(amounts)]
    assert all(part.explanation.formula == formula for part in parts)


def test_no_devices_and_no_house_meter_pays_nothing() -> None:
    without = flat("1", "65", is_without_heating=True)
    assert heating_parts(house((HEAT,), (without,)), HEAT, without) == ()


def worked(service: ServiceTerms = HEAT, *, metered_area: bool = False) -> HouseMonth:
    """The house of law.md 2.3: 5 200 m², 185.4 Gcal, 65 m² on a heat source of their own."""
    little = flat("metered", "40", individual=(own(service, "1.21"),) if metered_area else ())
    large = flat("rest", "2060", individual=(own(service, "56.99"),) if metered_area else ())
    premises = (flat("1", "54.3"), flat("auto", "65", is_without_heating=True), little, large, flat("others", "2980.7"))
    return house((service,), premises, area_common=Area(micro("820")), house_volumes=(metered(service, "185.4"),))


def parts_of(month: HouseMonth, name: str, service: ServiceTerms = HEAT) -> tuple[str, int, int]:
    """Formula, volume and kopecks of one premises' only part."""
    (part,) = heating_parts(month, service, next(row for row in month.premises if row.premises == name))
    return part.explanation.formula, part.volume, part.amount_kopecks


def test_formula_3_worked_unmetered_flat() -> None:
    assert parts_of(worked(), "1") == ("3", 1_957_136, 486_683)


def test_formula_3_worked_sums() -> None:
    sums = heating_sums(worked(), HEAT)
    assert (sums.flats_volume, sums.common_volume) == (159_870_529, 25_529_471)


def test_46_p_worked_premises_without_devices() -> None:
    assert parts_of(worked(), "auto") == ("3", 319_118, 79_355)


def test_formula_3_1_worked_sums() -> None:
    sums = heating_sums(worked(metered_area=True), HEAT)
    assert (sums.flats_volume, sums.common_volume) == (152_690_176, 32_709_824)


def test_formula_3_1_with_3_7_worked_unmetered_flat() -> None:
    assert parts_of(worked(metered_area=True), "1")[::2] == ("3(1)", 505_328)


def test_formula_3_1_worked_metered_flat() -> None:
    # The example's metered flat has the area of the unmetered one.
    month = worked(metered_area=True)
    premises = (
        *(row for row in month.premises if row.premises not in ("metered", "rest", "others")),
        flat("metered", "54.3", individual=(own(HEAT, "1.21"),)),
        flat("rest", "2045.7", individual=(own(HEAT, "56.99"),)),
        flat("others", "2980.7"),
    )
    assert parts_of(replace(month, premises=premises), "metered")[::2] == ("3(1)", 385_829)


def test_formula_3_3_every_premises_metered() -> None:
    premises = (flat("1", "40", individual=(own(HEAT, "1"),)), flat("2", "60", individual=(own(HEAT, "2"),)))
    month = house((HEAT,), premises, house_volumes=(metered(HEAT, "4"),))
    assert parts_of(month, "1") == ("3(3)", 1_400_000, 348_139)
    assert parts_of(month, "2") == ("3(3)", 2_600_000, 646_545)


def test_formula_3_3_premises_without_devices_are_not_waited_for() -> None:
    premises = (flat("1", "40", individual=(own(HEAT, "1"),)), flat("2", "60", is_without_heating=True))
    assert heating_sums(house((HEAT,), premises, house_volumes=(metered(HEAT, "4"),)), HEAT).formula == "3(3)"


@pytest.mark.parametrize(
    ("source", "formula"),
    [(VolumeSource.METER, "3(1)"), (VolumeSource.AVERAGE, "3(1)"), (VolumeSource.NORM, "3"), (VolumeSource.NORM_RAISED, "3")],
    ids=lambda value: f"p 59, 60: {value}",
)
def test_which_rungs_are_metered(source: VolumeSource, formula: str) -> None:
    premises = (flat("1", "40", individual=(own(HEAT, "1", source),)), flat("2", "60"))
    assert heating_sums(house((HEAT,), premises, house_volumes=(metered(HEAT, "4"),)), HEAT).formula == formula


def test_flats_meters_above_the_house_meter_lower_the_common_part() -> None:
    premises = (flat("1", "50", individual=(own(HEAT, "3"),)), flat("2", "50", individual=(own(HEAT, "3"),)))
    month = house((HEAT,), premises, house_volumes=(metered(HEAT, "4"),))
    assert parts_of(month, "1")[1] == 2_000_000


def test_even_way_with_a_house_meter_charges_outside_the_season() -> None:
    summer = replace(EVEN, is_heating_month=False)
    assert parts_of(worked(summer), "1", summer) == ("3", 1_957_136, 486_683)


def test_season_with_a_house_meter_charges_nothing_outside_it() -> None:
    summer = replace(HEAT, is_heating_month=False)
    month = worked(summer)
    assert heating_parts(month, summer, month.premises[0]) == ()


def test_a_house_meter_leaves_no_coefficient() -> None:
    due = replace(HEAT, is_house_meter_due=True)
    assert parts_of(worked(due), "1", due)[2] == 486_683


def test_formula_8_rooms_share_their_flat_by_living_area() -> None:
    rooms = tuple(
        flat(name, area, kind=PremisesKind.COMMUNAL_ROOM, flat="5", living_area=Area(micro(living)))
        for name, area, living in (("5a", "30", "10"), ("5b", "24.3", "30"))
    )
    month = house((HEAT,), rooms)
    first, second = (heating_parts(month, HEAT, room)[0].volume for room in rooms)
    assert (first, second) == (310_868, 932_603)


def test_rooms_of_a_metered_flat_add_up_to_its_meter() -> None:
    rooms = tuple(
        flat(name, "30", kind=PremisesKind.COMMUNAL_ROOM, flat="5", living_area=Area(micro("15")), individual=(own(HEAT, "1.5"),))
        for name in ("5a", "5b")
    )
    sums = heating_sums(house((HEAT,), rooms, house_volumes=(metered(HEAT, "2"),)), HEAT)
    assert (sums.flats_volume, sums.common_volume) == (1_500_000, 500_000)


BOILER = terms(ServiceKind.HEATING_OWN, "0")
GAS = (Volume(micro("1000")), Price(micro("7.5")))
POWER = (Volume(micro("200")), Price(micro("5.25")))
OWN = [
    ("formula 18: one resource", (GAS,), False, (50_000_000, 7_500_000, 37_500)),
    ("formula 18: resources summed, rounded once", (GAS, POWER), False, (0, 0, 42_750)),
    ("formula 18 with 46-П: a neighbour without devices pays the common part", (GAS,), True, (87_500_000, 7_500_000, 65_625)),
]


@pytest.mark.parametrize(("fuel", "is_without", "expected"), [case[1:] for case in OWN], ids=[case[0] for case in OWN])
def test_own_boiler(fuel: tuple[tuple[Volume, Price], ...], is_without: bool, expected: tuple[int, int, int]) -> None:
    premises = (flat("1", "50"), flat("2", "450", is_without_heating=is_without), flat("3", "500"))
    common = Area(micro("50")) if is_without else Area(micro("125"))
    volumes = (HouseVolume(service=BOILER.service, volume=None, fuel=fuel),)
    month = house((BOILER,), premises, area_common=common, house_volumes=volumes)
    (part,) = own_heating_parts(month, BOILER, premises[0])
    assert (part.volume, part.price, part.amount_kopecks) == expected
    assert part.explanation.formula == "18"


def test_own_boiler_burns_nothing() -> None:
    premises = flat("1", "50")
    assert own_heating_parts(house((BOILER,), (premises,)), BOILER, premises) == ()


YEAR = HeatingYear(
    year=2025,
    spans=(Span(volume=micro("60"), price=micro("2000")), Span(volume=micro("40"), price=micro("2500"))),
    area_all=micro("100"),
    area_common=micro("10"),
    premises=(
        YearPremises(premises="1", area=micro("40"), charged_kopecks=8_500_000),
        YearPremises(premises="2", area=micro("60"), charged_kopecks=14_000_000),
    ),
)


def corrections(year: HeatingYear) -> dict[str, int]:
    """Kopecks by premises."""
    return {name: part.amount_kopecks for name, part in yearly_heating_correction(year)}


def test_formula_3_2_year_by_the_house_meter() -> None:
    # 60 x 2000 + 40 x 2500 = 220 000 roubles for the house: 88 000 and 132 000 by area.
    assert corrections(YEAR) == {"1": 300_000, "2": -800_000}
    assert {part.explanation.formula for _, part in yearly_heating_correction(YEAR)} == {"3(2)"}
    assert all(part.kind is LineKind.CORRECTION and part.of_period == 202512 for _, part in yearly_heating_correction(YEAR))


def test_formula_3_4_year_with_a_metered_flat() -> None:
    first, second = YEAR.premises
    year = replace(YEAR, premises=(replace(first, own=(micro("10"), micro("10"))), second))
    assert {part.explanation.formula for _, part in yearly_heating_correction(year)} == {"3(4)"}
    assert abs(sum(corrections(year).values()) - (22_000_000 - 22_500_000)) <= 1


def test_formula_3_5_year_with_every_flat_metered() -> None:
    first, second = YEAR.premises
    owned = (replace(first, own=(micro("10"), micro("10"))), replace(second, own=(micro("50"), micro("30"))))
    year = replace(YEAR, premises=owned)
    assert corrections(year) == {"1": 4_500_000 - 8_500_000, "2": 17_500_000 - 14_000_000}


def test_formula_3_2_premises_without_devices_pay_the_common_part_of_the_year() -> None:
    first, second = YEAR.premises
    year = replace(YEAR, premises=(first, replace(second, is_without_heating=True, charged_kopecks=0)))
    # 40 of 50 heated metres: 48 and 32 Gcal; the rest, 12 and 8, by area: 60 % of it for the second.
    assert corrections(year)["2"] == micro("7.2") * 2000 // 10_000 + micro("4.8") * 2500 // 10_000


def test_a_year_that_was_charged_rightly_is_not_corrected() -> None:
    first, second = YEAR.premises
    right = (replace(first, charged_kopecks=8_800_000), replace(second, charged_kopecks=13_200_000))
    assert yearly_heating_correction(replace(YEAR, premises=right)) == ()


def test_formula_6_allocators_share_all_to_the_kopeck() -> None:
    rows = tuple(AllocatorShare(premises=str(place), units=micro("1"), charged_kopecks=30) for place in range(3))
    found = allocator_correction(Allocators(of_period=202512, amount_kopecks=100, shares=rows))
    assert [(name, part.amount_kopecks) for name, part in found] == [("0", 4), ("1", 3), ("2", 3)]
    assert all(part.explanation.formula == "6" for _, part in found)


AREAS = st.integers(1_000_000, 200_000_000)
ROWS = st.lists(st.tuples(AREAS, st.sampled_from(("none", "meter", "auto")), st.integers(0, 5_000_000)), min_size=1, max_size=12)


def random_house(rows: list[tuple[int, str, int]], volume: int, common: int) -> HouseMonth:
    """A house of the drawn premises."""
    premises = tuple(
        replace(
            flat(str(place), "1", individual=(own(HEAT, f"{amount // 10**6}.{amount % 10**6:06}"),) if kind == "meter" else ()),
            area=Area(area),
            is_without_heating=kind == "auto",
        )
        for place, (area, kind, amount) in enumerate(rows)
    )
    volumes = (HouseVolume(service=HEAT.service, volume=Volume(volume)),)
    return house((HEAT,), premises, area_common=Area(common), house_volumes=volumes)


@given(ROWS, st.integers(0, 500_000_000), st.integers(1, 900_000_000))
def test_premises_add_up_to_the_house_meter(rows: list[tuple[int, str, int]], volume: int, common: int) -> None:
    month = random_house(rows, volume, common)
    sums = heating_sums(month, HEAT)
    total = sum(heating_parts(month, HEAT, row, sums)[0].volume for row in month.premises)
    # V_i are summed as rounded; only each premises' common part is rounded apart: half a millionth each.
    assert 2 * abs(total - volume) <= len(rows)


@given(ROWS, st.integers(0, 500_000_000), st.randoms(use_true_random=False))
def test_permutation_changes_nothing(rows: list[tuple[int, str, int]], volume: int, chance: object) -> None:
    month = random_house(rows, volume, 10_000_000)
    shuffled = list(month.premises)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    other = replace(month, premises=tuple(shuffled))
    assert all(heating_parts(month, HEAT, row) == heating_parts(other, HEAT, row) for row in month.premises)
