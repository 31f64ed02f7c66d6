"""The plain engine: all charges of one house and month, service by service and premises by premises.

It is the reference: what the columnar engine computes for a town must be what this one computes for each of its houses.
"""

from collections.abc import Callable
from typing import assert_never

from services.billing.core.absence import absence_parts
from services.billing.core.common_property import common_parts, common_sums
from services.billing.core.dwelling import dwelling_parts
from services.billing.core.gas import gas_parts
from services.billing.core.heating import heating_parts, heating_sums, own_heating_parts
from services.billing.core.hot_water import hot_water_parts, own_hot_water_parts
from services.billing.core.individual import individual_parts, sewage_parts
from services.billing.core.lines import ChargeLine, Explanation, LineKind
from services.billing.core.month import AccountShare, HouseMonth, Premises, ServiceKind, ServiceTerms
from services.billing.core.part_month import part_lines
from services.billing.core.parts import Part
from services.billing.core.quality import quality_parts
from services.billing.core.sharing import shared_lines
from services.billing.core.volumes import HouseSums, house_sums, is_served
from services.billing.core.waste import waste_parts

Formula = Callable[[Premises], tuple[Part, ...]]


def calculate_house(house: HouseMonth) -> tuple[ChargeLine, ...]:
    """Return every charge line of the house's month, ordered by account, premises and the house's order of services.

    Of one service the charge comes first, then what absence and quality take from it, then the account's adjustments; adjustments
    of services that the house no longer has come last.
    """
    sums = house_sums(house)
    lines: list[tuple[tuple[str, str, int, int], ChargeLine]] = []
    for place, terms in enumerate(house.services):
        formula = _formula_of(house, terms, sums)
        for premises in house.premises:
            if is_served(terms, premises):
                parts = _recalculated(house, terms, premises, formula(premises))
                shared = shared_lines(terms, premises, parts)
                lines += (((line.account, line.premises, place, 0), line) for line in shared)
    places = {terms.service: place for place, terms in enumerate(house.services)}
    for premises in house.premises:
        for row in premises.accounts:
            for line in _adjusted(premises, row):
                lines.append(((line.account, line.premises, places.get(line.service, len(places)), 1), line))
    # Sorting is stable: lines of one service keep the order of their parts.
    return part_lines(house, tuple(line for _, line in sorted(lines, key=lambda pair: pair[0])))


def _recalculated(house: HouseMonth, terms: ServiceTerms, premises: Premises, charged: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return the charge with what absence takes from it, and then bad quality from what is left."""
    if charged and premises.absences:
        charged += absence_parts(house, terms, premises, charged)
    if charged and premises.breaks:
        charged += quality_parts(house, terms, premises, charged)
    return charged


def _adjusted(premises: Premises, row: AccountShare) -> list[ChargeLine]:
    """Return the sums decided elsewhere that the account's month carries."""
    return [
        ChargeLine(
            account=row.account,
            premises=premises.premises,
            service=adjustment.service,
            kind=LineKind(adjustment.kind),
            volume=0,
            price=0,
            amount_kopecks=adjustment.amount_kopecks,
            explanation=Explanation(formula="корректировка", inputs=(("P", adjustment.amount_kopecks),), note=adjustment.cause),
            of_period=adjustment.of_period,
        )
        for adjustment in row.adjustments
    ]


def _formula_of(house: HouseMonth, terms: ServiceTerms, sums: HouseSums) -> Formula:
    """Return the formula of a service in this house; what the whole house has in common is summed here, once."""
    match terms.kind:
        case ServiceKind.COLD_WATER | ServiceKind.HOT_WATER | ServiceKind.ELECTRICITY:
            return lambda premises: individual_parts(house, terms, premises, sums)
        case ServiceKind.SEWAGE:
            return lambda premises: sewage_parts(house, terms, premises, sums)
        case ServiceKind.HOT_WATER_TWO_PART:
            return lambda premises: hot_water_parts(house, terms, premises, sums)
        case ServiceKind.HOT_WATER_OWN:
            return lambda premises: own_hot_water_parts(house, terms, premises, sums)
        case ServiceKind.GAS:
            return lambda premises: gas_parts(house, terms, premises, sums)
        case ServiceKind.WASTE:
            return lambda premises: waste_parts(house, terms, premises)
        case ServiceKind.MAINTENANCE | ServiceKind.CAPITAL_REPAIR | ServiceKind.FIXED:
            return lambda premises: dwelling_parts(house, terms, premises)
        case ServiceKind.HEATING | ServiceKind.HEATING_OWN:
            return _heating_of(house, terms)
        case (
            ServiceKind.COMMON_COLD_WATER
            | ServiceKind.COMMON_HOT_WATER
            | ServiceKind.COMMON_SEWAGE
            | ServiceKind.COMMON_ELECTRICITY
        ):
            common = common_sums(house, terms)
            return lambda premises: common_parts(house, terms, premises, common)
        case _:
            assert_never(terms.kind)


def _heating_of(house: HouseMonth, terms: ServiceTerms) -> Formula:
    heat = heating_sums(house, terms)
    if terms.kind is ServiceKind.HEATING_OWN:
        return lambda premises: own_heating_parts(house, terms, premises, heat)
    return lambda premises: heating_parts(house, terms, premises, heat)
