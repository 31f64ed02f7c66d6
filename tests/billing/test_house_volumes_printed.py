"""The house's volumes on a payment document (п. 69 «е»): each utility beside what it took for the common property."""

from datetime import date

import pytest

from services.billing.core.facts import HouseFacts
from services.billing.core.lines import LineKind
from services.billing.core.month import ServiceKind, ServiceTerms
from services.billing.core.quantities import MICRO, Area
from services.billing.papers.metering import house_lines

UK = "uk"


def terms(service: str, kind: ServiceKind, base: tuple[str, ...] = ()) -> ServiceTerms:
    return ServiceTerms(service=service, kind=kind, title=service, unit="м³", recipient=UK, creditor=UK, zones=(), base=base)


def facts(*services: ServiceTerms) -> HouseFacts:
    return HouseFacts(
        house="1",
        key=1,
        period=202610,
        days=date(2026, 10, 31).day,
        region="77",
        time_zone="Europe/Moscow",
        provider=UK,
        area_all=Area(100 * MICRO),
        area_common=Area(10 * MICRO),
        services=services,
        premises=(),
    )


@pytest.mark.parametrize("base", [(), ("cold",)])
def test_a_resource_of_the_common_property_stands_beside_its_utility(base: tuple[str, ...]) -> None:
    house = facts(terms("cold", ServiceKind.COLD_WATER), terms("soi", ServiceKind.COMMON_COLD_WATER, base))
    charged = {("cold", LineKind.CHARGE): 40 * MICRO, ("soi", LineKind.COMMON): 3 * MICRO}
    told = house_lines(house, {}, (), charged)
    assert [(line.title, line.individual, line.common) for line in told] == [("cold", 40 * MICRO, 3 * MICRO)]


@pytest.mark.parametrize("kind", [ServiceKind.HOT_WATER, ServiceKind.HOT_WATER_TWO_PART, ServiceKind.HOT_WATER_OWN])
def test_every_kind_of_hot_water_has_its_resource(kind: ServiceKind) -> None:
    house = facts(terms("hot", kind), terms("soi", ServiceKind.COMMON_HOT_WATER), terms("cold", ServiceKind.COLD_WATER))
    charged = {("hot", LineKind.CHARGE): MICRO, ("cold", LineKind.CHARGE): MICRO, ("soi", LineKind.COMMON): 2 * MICRO}
    assert {line.title: line.common for line in house_lines(house, {}, (), charged)} == {"hot": 2 * MICRO, "cold": 0}


def test_a_base_says_which_of_two_utilities_a_resource_is_of() -> None:
    cold = [terms(name, ServiceKind.COLD_WATER) for name in ("cold", "technical")]
    house = facts(*cold, terms("soi", ServiceKind.COMMON_COLD_WATER, ("technical",)))
    charged = {(one.service, LineKind.CHARGE): MICRO for one in cold} | {("soi", LineKind.COMMON): 2 * MICRO}
    assert {line.title: line.common for line in house_lines(house, {}, (), charged)} == {"cold": 0, "technical": 2 * MICRO}
