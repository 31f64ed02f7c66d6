"""Rooms of communal flats: formulas 7, 8 and 9, one case a clause; a flat's rooms take together what the flat took."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.billing.core.gas import gas_parts
from services.billing.core.heating import heating_parts
from services.billing.core.individual import individual_parts, sewage_parts
from services.billing.core.month import HouseMonth, Individual, Premises, Ratio, ServiceKind, ServiceTerms, Volume, VolumeSource
from tests.billing.building import amounts, by_zones, house, micro, norm, own, persons, prices, ranges, room, terms

POWER = terms(ServiceKind.ELECTRICITY, "6", norm=micro("95"), coefficient=Ratio(micro("1.5")))
COLD = terms(ServiceKind.COLD_WATER, "40", norm=micro("4"), coefficient=Ratio(micro("3")))
HOT = terms(ServiceKind.HOT_WATER, "200", norm=micro("3"))
SEWAGE = terms(ServiceKind.SEWAGE, "30", base=("cold_water", "hot_water"))
GAS = terms(ServiceKind.GAS, "8", norm=micro("10"))
HEAT = terms(ServiceKind.HEATING, "2000", norm=micro("0.02"))
RANGED = replace(POWER, ranges=ranges(("0", prices(z0="5")), ("300", prices(z0="7"))))


def rooms(*individual: Individual, **first: Any) -> tuple[Premises, ...]:
    """A communal flat: one person on 20 m² and two on 40 m²."""
    given: dict[str, Any] = {"residents": persons("1"), "individual": individual}
    return (
        room("k1", "k", "20", **(given | first)),
        room("k2", "k", "40", residents=persons("2"), individual=individual),
    )


def month(flat_rooms: tuple[Premises, ...]) -> HouseMonth:
    return house((POWER, COLD, HOT, SEWAGE, GAS, HEAT), flat_rooms)


EMPTY = {"residents": Ratio(0)}
ROOMS = [
    ("formula 7: electricity by residents", POWER, rooms(own(POWER, "300")), "7", (60_000, 120_000)),
    ("formula 7: a part of a person", POWER, rooms(own(POWER, "300"), residents=persons("0.5")), "7", (36_000, 144_000)),
    ("formula 7: nobody in a room, its owner counts", POWER, rooms(own(POWER, "300"), **EMPTY), "7", (60_000, 120_000)),
    ("formula 9: water by residents", COLD, rooms(own(COLD, "9")), "9", (12_000, 24_000)),
    ("formula 9: the average", COLD, rooms(own(COLD, "9", VolumeSource.AVERAGE)), "9", (12_000, 24_000)),
    ("formula 9: two owners of an empty room", COLD, rooms(own(COLD, "12"), **EMPTY, owners=2), "9", (24_000, 24_000)),
    ("formula 4: a room by the norm of those who live there", COLD, rooms(), "4", (16_000, 32_000)),
    ("ranges are of the flat, not of the room", RANGED, rooms(own(POWER, "600")), "7", (120_000, 240_000)),
    ("ranges by the norm are of the flat", replace(RANGED, norm=micro("200")), rooms(norm(POWER)), "4", (120_000, 240_000)),
]


@pytest.mark.parametrize(("service", "flat", "formula", "kopecks"), [case[1:] for case in ROOMS], ids=[case[0] for case in ROOMS])
def test_rooms(service: ServiceTerms, flat: tuple[Premises, ...], formula: str, kopecks: tuple[int, ...]) -> None:
    found = [individual_parts(month(flat), service, each) for each in flat]
    assert tuple(sum(part.amount_kopecks for part in parts) for parts in found) == kopecks
    assert {part.explanation.formula for parts in found for part in parts} == {formula}


def test_formula_4_1_of_rooms() -> None:
    flat = rooms(norm(COLD, is_raised=True))
    assert amounts(individual_parts(month(flat), COLD, flat[0])) == (("CHARGE", 16_000), ("RAISED", 32_000))


def test_formula_9_gas_by_residents() -> None:
    flat = rooms(own(GAS, "30"))
    assert [amounts(gas_parts(month(flat), GAS, each)) for each in flat] == [(("CHARGE", 8_000),), (("CHARGE", 16_000),)]


def test_formula_9_sewage_takes_the_rooms_water() -> None:
    flat = rooms(own(COLD, "9"), own(HOT, "3"))
    assert [amounts(sewage_parts(month(flat), SEWAGE, each)) for each in flat] == [(("CHARGE", 12_000),), (("CHARGE", 24_000),)]


def test_formula_8_heating_by_living_area() -> None:
    flat = (
        room("k1", "k", "30", living_area=micro("10")),
        room("k2", "k", "30", living_area=micro("30")),
    )
    found = [heating_parts(month(flat), HEAT, each) for each in flat]
    assert [amounts(parts) for parts in found] == [(("CHARGE", 60_000),), (("CHARGE", 180_000),)]


def test_nobody_and_no_owners_pay_by_area() -> None:
    nobody = {"residents": Ratio(0), "owners": 0, "individual": (own(COLD, "9"),)}
    flat = (room("k1", "k", "20", **nobody), room("k2", "k", "40", **nobody))
    assert [amounts(individual_parts(month(flat), COLD, each)) for each in flat] == [(("CHARGE", 12_000),), (("CHARGE", 24_000),)]


def with_room_meters(*volumes: str | None, flat_volume: str = "300") -> tuple[Premises, ...]:
    """The flat's electricity with what the rooms' own meters say."""
    taken = own(POWER, flat_volume)
    plain = rooms(taken)
    return tuple(
        replace(each, individual=(replace(taken, room_zones=None if said is None else ((0, Volume(micro(said))),)),))
        for each, said in zip(plain, volumes, strict=True)
    )


METERS = [
    ("room meters: the common part by residents", with_room_meters("60", "180"), "комнатный прибор", (48_000, 132_000)),
    ("room meters: all of the flat", with_room_meters("100", "200"), "комнатный прибор", (60_000, 120_000)),
    ("room meters: more than the flat is returned", with_room_meters("120", "240"), "комнатный прибор", (60_000, 120_000)),
    ("room meters: nothing in one room", with_room_meters("0", "240"), "комнатный прибор", (12_000, 168_000)),
    ("room meters: not in every room, so they do not count", with_room_meters("60", None), "7", (60_000, 120_000)),
]


@pytest.mark.parametrize(("flat", "formula", "kopecks"), [case[1:] for case in METERS], ids=[case[0] for case in METERS])
def test_meters_of_rooms(flat: tuple[Premises, ...], formula: str, kopecks: tuple[int, ...]) -> None:
    found = [individual_parts(month(flat), POWER, each) for each in flat]
    assert tuple(part.amount_kopecks for parts in found for part in parts) == kopecks
    assert {part.explanation.formula for parts in found for part in parts} == {formula}


@given(
    volume=st.integers(0, 10**10),
    lived=st.lists(st.integers(0, 5_000_000), min_size=2, max_size=6),
)
def test_rooms_take_together_what_the_flat_took(volume: int, lived: list[int]) -> None:
    taken = by_zones(POWER, z0="0")
    taken = replace(taken, zones=((0, Volume(volume)),))
    flat = tuple(room(f"k{place}", "k", "20", residents=Ratio(each), individual=(taken,)) for place, each in enumerate(lived))
    found = [part for each in flat for part in individual_parts(month(flat), POWER, each)]
    assert abs(sum(part.volume for part in found) - volume) <= len(lived)
