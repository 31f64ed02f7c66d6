"""Cold and hot water, electricity, sewage inside the premises: law.md 2.2, one case a clause, worked examples to the kopeck."""

import pytest
from msgspec.structs import replace

from services.billing.core.individual import individual_parts, sewage_parts
from services.billing.core.month import Individual, Premises, PremisesKind, Ratio, ServiceKind, ServiceTerms, VolumeSource
from tests.billing.building import amounts, by_zones, flat, house, micro, norm, own, persons, prices, ranges, terms

K3, K15 = Ratio(micro("3")), Ratio(micro("1.5"))
COLD = terms(ServiceKind.COLD_WATER, "48.17", norm=micro("4.33"), coefficient=K3)
HOT = terms(ServiceKind.HOT_WATER, "211.32", norm=micro("3.19"), coefficient=K15)
POWER = terms(ServiceKind.ELECTRICITY, "6.43", norm=micro("95"), coefficient=K15)
UNRAISED = replace(COLD, coefficient=Ratio(micro("1")))
OLD = replace(COLD, coefficient=K15)
NO_OWNERS = replace(COLD, is_payable_by_absent_owners=False)
AVERAGE = VolumeSource.AVERAGE
NOBODY = {"residents": Ratio(0)}
SHOP = {"kind": PremisesKind.NON_RESIDENTIAL, "residents": Ratio(0)}


def had(service: ServiceTerms, *own_volume: Individual, **fields: object) -> tuple[ServiceTerms, Premises]:
    """A service and a flat of two persons who have these volumes."""
    return service, flat("1", "54.3", individual=own_volume, **fields)


CASES = [
    ("formula 1: water by meter", had(COLD, own(COLD, "5.2")), "1", (("CHARGE", 25_048),)),
    ("formula 1: hot water by meter", had(HOT, own(HOT, "5.2")), "1", (("CHARGE", 109_886),)),
    ("formula 1: electricity by meter", had(POWER, own(POWER, "213")), "1", (("CHARGE", 136_959),)),
    ("formula 1: a meter that says nothing", had(COLD, own(COLD, "0")), "1", (("CHARGE", 0),)),
    ("formula 1: a meter without zones at all", had(COLD, by_zones(COLD)), "1", (("CHARGE", 0),)),
    ("formula 1: the smallest volume", had(COLD, own(COLD, "0.000001")), "1", (("CHARGE", 0),)),
    ("п. 59: the average", had(COLD, own(COLD, "3.481667", AVERAGE)), "1", (("CHARGE", 16_771),)),
    ("п. 59: the average has no coefficient", had(POWER, own(POWER, "100", AVERAGE)), "1", (("CHARGE", 64_300),)),
    ("formula 4: worked, no possibility of a meter", had(COLD, norm(COLD)), "4", (("CHARGE", 41_715),)),
    ("formula 4: nothing known of a meter", had(COLD), "4", (("CHARGE", 41_715),)),
    (
        "formula 4(1): worked, K=1.5 till 05.12.2025",
        had(OLD, norm(OLD, is_raised=True)),
        "4(1)",
        (("CHARGE", 41_715), ("RAISED", 20_858)),
    ),
    (
        "formula 4(1): worked, K=3 from 06.12.2025",
        had(COLD, norm(COLD, is_raised=True)),
        "4(1)",
        (("CHARGE", 41_715), ("RAISED", 83_431)),
    ),
    ("formula 4(1): hot water K=1.5", had(HOT, norm(HOT, is_raised=True)), "4(1)", (("CHARGE", 134_822), ("RAISED", 67_411))),
    (
        "formula 4(1): electricity K=1.5",
        had(POWER, norm(POWER, is_raised=True)),
        "4(1)",
        (("CHARGE", 122_170), ("RAISED", 61_085)),
    ),
    ("formula 4: no coefficient in force", had(UNRAISED, norm(COLD, is_raised=True)), "4", (("CHARGE", 41_715),)),
    ("п. 56: residents by days", had(COLD, residents=persons("2.5")), "4", (("CHARGE", 52_144),)),
    ("п. 56(2): nobody lives, the owner pays", had(COLD, **NOBODY), "4", (("CHARGE", 20_858),)),
    ("п. 56(2): nobody lives, three owners", had(COLD, **NOBODY, owners=3), "4", (("CHARGE", 62_573),)),
    (
        "п. 56(2): owners with the coefficient",
        had(COLD, norm(COLD, is_raised=True), **NOBODY),
        "4(1)",
        (("CHARGE", 20_858), ("RAISED", 41_715)),
    ),
    ("п. 56(2): not for this service", had(NO_OWNERS, **NOBODY), "", ()),
    ("п. 56: a guest of nine days where nobody lives", had(COLD, residents=persons("0.3")), "4", (("CHARGE", 6_257),)),
    ("formula 4: nobody and no owners", had(COLD, **NOBODY, owners=0), "", ()),
    ("formula 4: non-residential has no norm", had(COLD, **SHOP), "", ()),
    ("formula 1: non-residential by meter", had(COLD, own(COLD, "7"), **SHOP), "1", (("CHARGE", 33_719),)),
    ("another service's meter is not ours", had(COLD, own(HOT, "9")), "4", (("CHARGE", 41_715),)),
]


@pytest.mark.parametrize(("given", "formula", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_individual(given: tuple[ServiceTerms, Premises], formula: str, expected: tuple[tuple[str, int], ...]) -> None:
    service, premises = given
    parts = individual_parts(house((service,), (premises,)), service, premises)
    assert amounts(parts) == expected
    assert all(part.explanation.formula == formula for part in parts)


@pytest.mark.parametrize(("coefficient", "total"), [("1", 41_715), ("1.5", 62_573), ("3", 125_146)], ids=["no K", "K=1.5", "K=3"])
def test_formula_4_1_worked_totals(coefficient: str, total: int) -> None:
    service, premises = had(replace(COLD, coefficient=Ratio(micro(coefficient))), norm(COLD, is_raised=True))
    parts = individual_parts(house((service,), (premises,)), service, premises)
    assert sum(part.amount_kopecks for part in parts) == total


def test_an_explanation_has_the_formulas_letters() -> None:
    service, premises = had(COLD, norm(COLD, is_raised=True))
    charge, added = individual_parts(house((service,), (premises,)), service, premises)
    assert charge.explanation.inputs == (("n", 2_000_000), ("N", 4_330_000), ("K", 3_000_000), ("T", 48_170_000))
    assert (charge.volume, added.volume) == (8_660_000, 17_320_000)
    assert charge.explanation.source is VolumeSource.NORM_RAISED


TWO = replace(POWER, zones=prices(z1="7.40", z2="3.20"))
THREE = replace(POWER, zones=prices(z1="8.36", z2="6.43", z3="3.20"))
MIXED = replace(POWER, zones=prices(z0="6.43", z1="7.40", z2="3.20"))
RANGED = replace(POWER, ranges=ranges(("0", prices(z0="5")), ("3900", prices(z0="7")), ("6000", prices(z0="11"))))
RANGED_TWO = replace(
    TWO, ranges=ranges(("0", prices(z1="6", z2="3")), ("3900", prices(z1="8", z2="4")), ("6000", prices(z1="12", z2="6")))
)
ABOVE = replace(POWER, ranges=ranges(("3900", prices(z0="7"))))

PRICED = [
    ("п. 38: two zones", TWO, by_zones(TWO, z1="100", z2="50"), 90_000),
    ("п. 38: three zones", THREE, by_zones(THREE, z1="10", z2="20", z3="30"), 30_820),
    ("п. 38: zones are rounded together, once", TWO, by_zones(TWO, z1="0.001", z2="0.001"), 1),
    ("п. 38: one zone empty", TWO, by_zones(TWO, z1="0", z2="50"), 16_000),
    ("a meter without zones among prices by zones", MIXED, own(MIXED, "100"), 64_300),
    ("a meter without zones, no such price: the day's", TWO, own(TWO, "100"), 74_000),
    ("a meter by zones, one price", POWER, by_zones(POWER, z1="60", z2="40"), 64_300),
    ("the norm among prices by zones: the day's", TWO, norm(TWO), 140_600),
    ("ranges: within the first", RANGED, own(RANGED, "3000"), 1_500_000),
    ("ranges: the first to its end", RANGED, own(RANGED, "3900"), 1_950_000),
    ("ranges: into the second", RANGED, own(RANGED, "3901"), 1_950_700),
    ("ranges: the second to its end", RANGED, own(RANGED, "6000"), 3_420_000),
    ("ranges: into the third", RANGED, own(RANGED, "6100"), 3_530_000),
    ("ranges: nothing taken", RANGED, own(RANGED, "0"), 0),
    ("ranges: the norm is within the first", RANGED, norm(RANGED), 95_000),
    ("ranges: below the first of them the plain price", ABOVE, own(ABOVE, "4000"), 2_577_700),
    # 4 000 kWh, 3 : 1 by zones: 3 900 of them at the first prices, 100 at the second, each 3 : 1.
    ("ranges with zones: proportionally", RANGED_TWO, by_zones(TWO, z1="3000", z2="1000"), 2_047_500 + 70_000),
    ("ranges with zones: all three", RANGED_TWO, by_zones(TWO, z1="6000", z2="2000"), 2_047_500 + 1_470_000 + 2_100_000),
]


@pytest.mark.parametrize(("service", "taken", "kopecks"), [case[1:] for case in PRICED], ids=[case[0] for case in PRICED])
def test_prices_by_zones_and_ranges(service: ServiceTerms, taken: Individual, kopecks: int) -> None:
    premises = flat("1", "54.3", individual=(taken,))
    (part,) = individual_parts(house((service,), (premises,)), service, premises)
    assert part.amount_kopecks == kopecks
    assert part.volume == (taken.volume or (190_000_000 if taken.source is VolumeSource.NORM else 0))


def test_several_prices_stand_in_the_inputs() -> None:
    premises = flat("1", "54.3", individual=(by_zones(TWO, z1="3000", z2="1000"),))
    (part,) = individual_parts(house((RANGED_TWO,), (premises,)), RANGED_TWO, premises)
    assert part.price == 0
    assert part.explanation.inputs[1:] == (
        ("V_r1z1", 2_925_000_000),
        ("T_r1z1", 6_000_000),
        ("V_r2z1", 75_000_000),
        ("T_r2z1", 8_000_000),
        ("V_r1z2", 975_000_000),
        ("T_r1z2", 3_000_000),
        ("V_r2z2", 25_000_000),
        ("T_r2z2", 4_000_000),
    )


def test_ranges_with_the_coefficient_are_those_of_the_norm() -> None:
    service = replace(RANGED, norm=micro("2000"))
    premises = flat("1", "54.3", individual=(norm(service, is_raised=True),))
    parts = individual_parts(house((service,), (premises,)), service, premises)
    # 4 000 kWh: 3 900 at 5 roubles and 100 at 7, and half as much again: money is raised, not consumption.
    assert amounts(parts) == (("CHARGE", 2_020_000), ("RAISED", 1_010_000))


SEWAGE = terms(ServiceKind.SEWAGE, "39.90", norm=micro("7.6"), base=("cold_water", "hot_water"))
RAISED_SEWAGE = replace(SEWAGE, coefficient=K3)
COLD_ONLY = ("cold_water", "sewage")
METERED = VolumeSource.METER
DRAINED = [
    ("both waters metered", SEWAGE, (own(COLD, "5.2"), own(HOT, "3.1")), {}, "1", METERED, 8_300_000, 33_117),
    ("one by the average", SEWAGE, (own(COLD, "5.2", AVERAGE), own(HOT, "3.1")), {}, "1", AVERAGE, 8_300_000, 33_117),
    ("N_sew = N_cold + N_hot", SEWAGE, (), {}, "4", VolumeSource.NORM, 15_040_000, 60_010),
    ("no K where water has it", SEWAGE, (norm(COLD, is_raised=True),), {}, "4", VolumeSource.NORM, 15_040_000, 60_010),
    ("no K of its own", RAISED_SEWAGE, (norm(COLD, is_raised=True),), {}, "4", VolumeSource.NORM, 15_040_000, 60_010),
    ("cold metered, hot by norm", SEWAGE, (own(COLD, "5.2"),), {}, "водоотведение", VolumeSource.NORM, 11_580_000, 46_204),
    ("no hot water in the flat", SEWAGE, (own(COLD, "5.2"),), {"services": COLD_ONLY}, "1", METERED, 5_200_000, 20_748),
    ("no water of the house's: its own norm", SEWAGE, (), {"services": ("sewage",)}, "4", VolumeSource.NORM, 15_200_000, 60_648),
    ("a meter of its own", SEWAGE, (own(SEWAGE, "4"), own(COLD, "5.2")), {}, "1", METERED, 4_000_000, 15_960),
    ("nobody lives: owners, as water", SEWAGE, (), NOBODY, "4", VolumeSource.NORM, 7_520_000, 30_005),
]


@pytest.mark.parametrize("case", DRAINED, ids=[f"sewage: {case[0]}" for case in DRAINED])
def test_sewage(case: tuple[str, ServiceTerms, tuple[Individual, ...], dict[str, object], str, VolumeSource, int, int]) -> None:
    _, service, volumes, fields, formula, source, volume, kopecks = case
    premises = flat("1", "54.3", individual=volumes, **fields)
    (part,) = sewage_parts(house((COLD, HOT, service), (premises,)), service, premises)
    assert (part.explanation.formula, part.explanation.source) == (formula, source)
    assert (part.volume, part.amount_kopecks) == (volume, kopecks)


def test_sewage_explains_every_water() -> None:
    premises = flat("1", "54.3", individual=(own(COLD, "5.2"), own(HOT, "3.1")))
    (part,) = sewage_parts(house((COLD, HOT, SEWAGE), (premises,)), SEWAGE, premises)
    assert part.explanation.inputs == (
        ("V", 8_300_000),
        ("V_cold_water", 5_200_000),
        ("V_hot_water", 3_100_000),
        ("T", 39_900_000),
    )
