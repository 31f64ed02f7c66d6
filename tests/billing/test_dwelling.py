"""Gas, waste, maintenance, capital repair and prices by contract: law.md 2.2, 2.4, 2.8, one case a clause."""

import pytest
from msgspec.structs import replace

from services.billing.core.dwelling import dwelling_parts
from services.billing.core.gas import gas_parts
from services.billing.core.month import Individual, Premises, PremisesKind, Ratio, ServiceKind, ServiceTerms, VolumeSource
from services.billing.core.waste import waste_parts
from tests.billing.building import amounts, flat, house, micro, norm, own, persons, shares, terms

NOBODY = {"residents": Ratio(0)}
SHOP = {"kind": PremisesKind.NON_RESIDENTIAL, "residents": Ratio(0)}

GAS = terms(ServiceKind.GAS, "8.12", norm=micro("10"))
WITH_WATER = replace(GAS, norm_water_heating=micro("20"))
ALL = replace(WITH_WATER, norm_space_heating=micro("8.5"))
ROOMS_ONLY = replace(GAS, norm=micro("0"), norm_space_heating=micro("8.5"))
RAISED = replace(GAS, coefficient=Ratio(micro("1.5")))
GASES = [
    ("formula 5: cooking", GAS, (), {}, "5", 16_240),
    ("formula 5: cooking and heating water", WITH_WATER, (), {}, "5", 48_720),
    ("formula 5: cooking, heating water and rooms", ALL, (), {}, "5", 48_720 + 374_779),
    ("formula 5: heating rooms alone", ROOMS_ONLY, (), {}, "5", 374_779),
    ("formula 5: heating rooms where nobody lives", ROOMS_ONLY, (), NOBODY, "5", 374_779),
    ("formula 5: nobody lives, the owner pays", GAS, (), NOBODY, "5", 8_120),
    ("formula 5: residents by days", GAS, (), {"residents": persons("1.5")}, "5", 12_180),
    ("formula 5: no coefficient", RAISED, (norm(GAS, is_raised=True),), {}, "5", 16_240),
    ("formula 1: gas by meter", ALL, (own(GAS, "153.4"),), {}, "1", 124_561),
    ("formula 1: gas by the average", GAS, (own(GAS, "12.5", VolumeSource.AVERAGE),), {}, "1", 10_150),
    ("formula 1: a meter that says nothing", GAS, (own(GAS, "0"),), {}, "1", 0),
]


@pytest.mark.parametrize("case", GASES, ids=[case[0] for case in GASES])
def test_gas(case: tuple[str, ServiceTerms, tuple[Individual, ...], dict[str, object], str, int]) -> None:
    _, service, volumes, fields, formula, kopecks = case
    premises = flat("1", "54.3", individual=volumes, **fields)
    (part,) = gas_parts(house((service,), (premises,)), service, premises)
    assert (part.explanation.formula, part.amount_kopecks) == (formula, kopecks)


def test_gas_of_nobody_is_not_charged() -> None:
    premises = flat("1", "54.3", **NOBODY, owners=0)
    assert gas_parts(house((GAS,), (premises,)), GAS, premises) == ()


WASTE = terms(ServiceKind.WASTE, "612.35", norm=micro("2.4"))
BY_AREA = replace(WASTE, by_area=True, norm=micro("0.12"))
IN_KILOGRAMS = replace(WASTE, norm=micro("365"), zones=terms(ServiceKind.WASTE, "4.5").zones)
OWNERS_FREE = replace(WASTE, is_payable_by_absent_owners=False)
WASTES = [
    ("formula 9(1): worked", WASTE, {"residents": persons("3")}, (("CHARGE", 36_741),)),
    ("formula 9(1): one person", WASTE, {"residents": persons("1")}, (("CHARGE", 12_247),)),
    ("formula 9(1): residents by days", WASTE, {"residents": persons("1.5")}, (("CHARGE", 18_371),)),
    ("formula 9(1): a norm in kilograms", IN_KILOGRAMS, {"residents": persons("3")}, (("CHARGE", 41_063),)),
    ("п. 148(36): nobody lives, the owner pays", WASTE, NOBODY, (("CHARGE", 12_247),)),
    ("п. 148(36): nobody lives, three owners", WASTE, NOBODY | {"owners": 3}, (("CHARGE", 36_741),)),
    ("п. 148(36): not where the contract says so", OWNERS_FREE, NOBODY, ()),
    ("formula 9(1): non-residential has a contract of its own", WASTE, SHOP, ()),
    ("formula 9(2): by area", BY_AREA, {}, (("CHARGE", 33_251),)),
    ("formula 9(2): by area where nobody lives", BY_AREA, NOBODY, (("CHARGE", 33_251),)),
    ("formula 9(2): no norm", replace(BY_AREA, norm=micro("0")), {}, ()),
]


@pytest.mark.parametrize(("service", "fields", "expected"), [case[1:] for case in WASTES], ids=[case[0] for case in WASTES])
def test_waste(service: ServiceTerms, fields: dict[str, object], expected: tuple[tuple[str, int], ...]) -> None:
    premises = flat("1", "54.3", **fields)
    parts = waste_parts(house((service,), (premises,)), service, premises)
    assert amounts(parts) == expected
    assert all(part.explanation.formula == ("9(2)" if service.by_area else "9(1)") for part in parts)


MAINTENANCE = terms(ServiceKind.MAINTENANCE, "31.47")
CAPITAL_REPAIR = terms(ServiceKind.CAPITAL_REPAIR, "14.90")
INTERCOM = terms(ServiceKind.FIXED, "65")
LIFT = terms(ServiceKind.FIXED, "2.15", by_area=True)
TWO_ACCOUNTS = shares(("a", 1, 3), ("b", 2, 3))
ONE = flat("1", "54.3")
TWO = flat("1", "54.3", accounts=TWO_ACCOUNTS)
LATER = flat("1", "54.3", accounts=(TWO_ACCOUNTS[0], replace(TWO_ACCOUNTS[1], excluded=("fixed",))))
NO_AREA = flat("1", "0")
OTHERS = [
    ("ст. 156 ЖК: maintenance", MAINTENANCE, ONE, "содержание", (("CHARGE", 170_882),)),
    ("ст. 156 ЖК: maintenance of premises with two accounts is one sum", MAINTENANCE, TWO, "содержание", (("CHARGE", 170_882),)),
    ("ст. 169 ЖК: capital repair", CAPITAL_REPAIR, ONE, "капремонт", (("CHARGE", 80_907),)),
    ("ст. 156 ЖК: no area", MAINTENANCE, NO_AREA, "", ()),
    ("contract: a price an account", INTERCOM, ONE, "договор", (("CHARGE", 6_500),)),
    ("contract: a price for each of two accounts", INTERCOM, TWO, "договор", (("CHARGE", 13_000),)),
    ("contract: an account that excludes it", INTERCOM, LATER, "договор", (("CHARGE", 6_500),)),
    ("contract: a price a square metre", LIFT, ONE, "договор", (("CHARGE", 11_675),)),
]


@pytest.mark.parametrize(
    ("service", "premises", "formula", "expected"), [case[1:] for case in OTHERS], ids=[case[0] for case in OTHERS]
)
def test_dwelling(service: ServiceTerms, premises: Premises, formula: str, expected: tuple[tuple[str, int], ...]) -> None:
    parts = dwelling_parts(house((service,), (premises,)), service, premises)
    assert amounts(parts) == expected
    assert all(part.explanation.formula == formula for part in parts)
