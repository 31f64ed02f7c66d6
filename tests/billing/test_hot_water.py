"""Hot water of two components and of the house's own boiler: law.md 2.2, one case a clause, worked example to the kopeck."""

import pytest
from msgspec.structs import replace

from services.billing.core.hot_water import hot_water_parts, own_hot_water_parts
from services.billing.core.month import HouseMonth, Individual, PremisesKind, Ratio, ServiceKind, ServiceTerms, VolumeSource
from services.billing.core.quantities import Price
from tests.billing.building import amounts, burnt, flat, house, micro, norm, own, room, terms

K15 = Ratio(micro("1.5"))
TWO_PART = terms(
    ServiceKind.HOT_WATER_TWO_PART,
    "48.17",
    heat_price=Price(micro("2486.71")),
    heat_norm=micro("0.0642"),
    norm=micro("3.19"),
    coefficient=K15,
)
UNRAISED = replace(TWO_PART, coefficient=Ratio(micro("1")))
NOBODY = {"residents": Ratio(0)}

CASES = [
    ("formula 23: worked by meter", TWO_PART, (own(TWO_PART, "5.2"),), {}, "23", (("CHARGE", 25_048), ("HEAT", 83_016))),
    (
        "formula 23: the average",
        TWO_PART,
        (own(TWO_PART, "5.2", VolumeSource.AVERAGE),),
        {},
        "23",
        (("CHARGE", 25_048), ("HEAT", 83_016)),
    ),
    ("formula 23: a meter that says nothing", TWO_PART, (own(TWO_PART, "0"),), {}, "23", (("CHARGE", 0), ("HEAT", 0))),
    ("formula 24: the norm", TWO_PART, (norm(TWO_PART),), {}, "24", (("CHARGE", 30_732), ("HEAT", 101_855))),
    ("formula 24: nothing known", TWO_PART, (), {}, "24", (("CHARGE", 30_732), ("HEAT", 101_855))),
    (
        "formula 24: K raises both components, each apart",
        TWO_PART,
        (norm(TWO_PART, is_raised=True),),
        {},
        "24",
        (("CHARGE", 30_732), ("HEAT", 101_855), ("RAISED", 15_367), ("RAISED", 50_927)),
    ),
    (
        "formula 24: no coefficient in force",
        UNRAISED,
        (norm(TWO_PART, is_raised=True),),
        {},
        "24",
        (("CHARGE", 30_732), ("HEAT", 101_855)),
    ),
    ("п. 56(2): nobody lives, the owner pays", TWO_PART, (), NOBODY, "24", (("CHARGE", 15_366), ("HEAT", 50_927))),
    ("formula 24: nobody and no owners", TWO_PART, (), NOBODY | {"owners": 0}, "", ()),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_two_components(
    case: tuple[str, ServiceTerms, tuple[Individual, ...], dict[str, object], str, tuple[tuple[str, int], ...]],
) -> None:
    _, service, volumes, fields, formula, expected = case
    premises = flat("1", "54.3", individual=volumes, **fields)
    parts = hot_water_parts(house((service,), (premises,)), service, premises)
    assert amounts(parts) == expected
    assert all(part.explanation.formula == formula for part in parts)


def test_heat_is_the_norm_a_cubic_metre() -> None:
    premises = flat("1", "54.3", individual=(own(TWO_PART, "5.2"),))
    cold, heat = hot_water_parts(house((TWO_PART,), (premises,)), TWO_PART, premises)
    assert (cold.volume, cold.price) == (5_200_000, 48_170_000)
    assert (heat.volume, heat.price) == (333_840, 2_486_710_000)


BOILER = terms(ServiceKind.HOT_WATER_OWN, "1", cold_price=Price(micro("40")), norm=micro("3"), coefficient=K15)
METERED = flat("1", "40", individual=(own(BOILER, "6"),))
BY_NORM = flat("2", "60")
RAISED = flat("3", "60", individual=(norm(BOILER, is_raised=True),))
GAS_AND_POWER = burnt(BOILER, ("180", "7.50"), ("90", "6"))


def boiler(*fuel: tuple[str, str]) -> HouseMonth:
    """A house of 18 m³: 6 by meter and 6 for each of two flats by the norm."""
    volumes = (burnt(BOILER, *fuel),) if fuel else ()
    return house((BOILER,), (METERED, BY_NORM, RAISED), house_volumes=volumes)


FUEL = [
    ("formula 20: one resource by meter", METERED, (("180", "7.50"),), (("CHARGE", 24_000), ("HEAT", 45_000))),
    ("formula 20: by norm", BY_NORM, (("180", "7.50"),), (("CHARGE", 24_000), ("HEAT", 45_000))),
    ("formula 20: gas and electricity", METERED, (("180", "7.50"), ("90", "6")), (("CHARGE", 24_000), ("HEAT", 63_000))),
    (
        "formula 20: K does not change what others pay",
        RAISED,
        (("180", "7.50"),),
        (("CHARGE", 24_000), ("HEAT", 45_000), ("RAISED", 12_000), ("RAISED", 22_500)),
    ),
    ("formula 20: nothing burnt", METERED, (), (("CHARGE", 24_000),)),
]


@pytest.mark.parametrize(("premises", "fuel", "expected"), [case[1:] for case in FUEL], ids=[case[0] for case in FUEL])
def test_own_boiler(premises: object, fuel: tuple[tuple[str, str], ...], expected: tuple[tuple[str, int], ...]) -> None:
    month = boiler(*fuel)
    (found,) = [row for row in month.premises if row == premises]
    parts = own_hot_water_parts(month, BOILER, found)
    assert amounts(parts) == expected
    assert {part.explanation.formula for part in parts} == {"20"}


def test_own_boiler_nothing_taken_in_the_house_makes_no_heat() -> None:
    premises = flat("1", "40", individual=(own(BOILER, "0"),))
    month = house((BOILER,), (premises,), house_volumes=(GAS_AND_POWER,))
    assert amounts(own_hot_water_parts(month, BOILER, premises)) == (("CHARGE", 0),)


def test_own_boiler_explains_every_resource() -> None:
    month = boiler(("180", "7.50"), ("90", "6"))
    _, heat = own_hot_water_parts(month, BOILER, METERED)
    assert (heat.volume, heat.price) == (0, 0)
    assert dict(heat.explanation.inputs)["V_2i"] == 30_000_000
    assert dict(heat.explanation.inputs)["ΣV"] == 18_000_000


def test_own_boiler_premises_without_it_take_no_part() -> None:
    other = flat("4", "60", services=("cold_water",))
    month = house((BOILER,), (METERED, other), house_volumes=(burnt(BOILER, ("180", "7.50")),))
    assert amounts(own_hot_water_parts(month, BOILER, METERED)) == (("CHARGE", 24_000), ("HEAT", 135_000))


def test_own_boiler_a_communal_flats_meter_counts_once() -> None:
    rooms = tuple(
        room(name, "k", "20", individual=(own(BOILER, "6"),), residents=Ratio(micro(count)))
        for name, count in (("k1", "1"), ("k2", "2"))
    )
    month = house((BOILER,), (METERED, *rooms), house_volumes=(burnt(BOILER, ("180", "7.50")),))
    found = [own_hot_water_parts(month, BOILER, premises) for premises in month.premises]
    assert [amounts(parts) for parts in found] == [
        (("CHARGE", 24_000), ("HEAT", 67_500)),
        (("CHARGE", 8_000), ("HEAT", 22_500)),
        (("CHARGE", 16_000), ("HEAT", 45_000)),
    ]
    assert rooms[0].kind is PremisesKind.COMMUNAL_ROOM


def test_own_boiler_needs_the_price_of_cold_water_alone() -> None:
    priced = replace(BOILER, zones=())
    month = house((priced,), (METERED,), house_volumes=(burnt(BOILER, ("180", "7.50")),))
    assert amounts(own_hot_water_parts(month, priced, METERED)) == (("CHARGE", 24_000), ("HEAT", 135_000))
