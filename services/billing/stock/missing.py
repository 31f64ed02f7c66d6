"""What a house lacks for the calculation of a month, found in its facts alone. Pure."""

from collections.abc import Iterator
from fractions import Fraction
from math import lcm

import msgspec

from services.billing.core.facts import HouseFacts, PremisesFacts
from services.billing.core.month import CommonWay, HeatingWay, PremisesKind, ServiceKind, ServiceTerms
from services.billing.core.quantities import MICRO

COMMON = (
    ServiceKind.COMMON_COLD_WATER,
    ServiceKind.COMMON_HOT_WATER,
    ServiceKind.COMMON_SEWAGE,
    ServiceKind.COMMON_ELECTRICITY,
)
BY_NORM = (
    ServiceKind.COLD_WATER,
    ServiceKind.HOT_WATER,
    ServiceKind.HOT_WATER_TWO_PART,
    ServiceKind.HOT_WATER_OWN,
    ServiceKind.ELECTRICITY,
    ServiceKind.HEATING,
    ServiceKind.WASTE,
)
PRICED_BY_FUEL = (ServiceKind.HEATING_OWN, ServiceKind.HOT_WATER_OWN)


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is missing or does not agree. ``place``: ``service X``, ``premises N``, or empty for the house itself."""

    house: str
    place: str
    what: str

    def __str__(self) -> str:
        return f"house {self.house}{', ' if self.place else ''}{self.place}: {self.what}"


def missing_of(house: HouseFacts) -> tuple[Missing, ...]:
    """Return what is missing, of the house, then by service, then by premises."""
    found = [Missing(house=house.house, place="", what=what) for what in _of_house(house)]
    for terms in house.services:
        place = f"service {terms.service}"
        found += [Missing(house=house.house, place=place, what=what) for what in (*_prices(terms), *_norms(terms, house))]
    for premises in house.premises:
        place = f"premises {premises.premises}"
        found += [Missing(house=house.house, place=place, what=what) for what in _of_premises(premises, house)]
    return tuple(found)


def _of_house(house: HouseFacts) -> Iterator[str]:
    if not house.services:
        yield "no service has a contract"
    if not house.premises:
        yield "no premises"
    total = sum(premises.area for premises in house.premises)
    if total != house.area_all:
        yield f"the areas of its premises make {square(total)} m², the house's area is {square(house.area_all)} m²"
    if not house.area_common and any(terms.kind in COMMON for terms in house.services):
        yield "no area of the common property"


def _prices(terms: ServiceTerms) -> Iterator[str]:
    if not terms.zones and not terms.ranges and terms.kind not in PRICED_BY_FUEL:
        yield "no tariff"
    if terms.ranges and terms.ranges[0].above:
        yield f"no tariff below {square(terms.ranges[0].above)}"
    if terms.kind is ServiceKind.HOT_WATER_TWO_PART and not terms.heat_price:
        yield "no tariff of heat (component heat)"
    if terms.kind is ServiceKind.HOT_WATER_OWN and not terms.cold_price:
        yield "no tariff of cold water (component cold)"


def _norms(terms: ServiceTerms, house: HouseFacts) -> Iterator[str]:
    is_common = terms.kind in COMMON and terms.common_way is CommonWay.NORM
    is_own_sewage = terms.kind is ServiceKind.SEWAGE and not terms.base
    if (terms.kind in BY_NORM or is_common or is_own_sewage) and not terms.norm:
        yield "no norm"
    if terms.kind is ServiceKind.GAS and not (terms.norm or terms.norm_water_heating or terms.norm_space_heating):
        yield "no norm"
    if terms.kind is ServiceKind.HOT_WATER_TWO_PART and not terms.heat_norm:
        yield "no norm of heat"
    if terms.kind is ServiceKind.HEATING and not terms.heating_months:
        yield "no heating terms"
    if terms.kind is ServiceKind.HEATING and terms.heating_way is HeatingWay.SEASON and house.heating_days is None:
        yield "no heating days of the month"
    served = {other.service for other in house.services}
    for base in terms.base:
        if base not in served:
            yield f"takes the volumes of {base}, which the house has not"


def _of_premises(premises: PremisesFacts, house: HouseFacts) -> Iterator[str]:
    if not premises.area:
        yield "no area"
    if premises.kind is PremisesKind.COMMUNAL_ROOM and not premises.living_area:
        yield "no living area of the room"
    if not premises.residents and not premises.owners and premises.kind is not PremisesKind.NON_RESIDENTIAL:
        yield "neither residents nor owners"
    services = [terms.service for terms in house.services]
    for service in premises.services or ():
        if service not in services:
            yield f"served with {service}, which the house has not"
    if not premises.accounts:
        yield "no account"
        return
    whole = lcm(*(one.denominator for one in premises.accounts))
    for service in services if premises.services is None else [one for one in services if one in premises.services]:
        borne = sum(one.numerator * (whole // one.denominator) for one in premises.accounts if service not in one.excluded)
        if borne < whole:
            yield f"accounts bear {Fraction(borne, whole)} of {service}"


def square(millionths: int) -> str:
    """Write millionths with a dot and no needless zeros."""
    whole, rest = divmod(millionths, MICRO)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")
