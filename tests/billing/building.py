"""Builders of houses for billing's tests: decimal text in, millionths out; every field can be given by its name.

Everything of ``recalculated_house.py`` may be taken from here; this adds zones, ranges, rooms, shares and what a house charges.
"""

from typing import Any

from services.billing.core.engine import calculate_house
from services.billing.core.lines import ChargeLine
from services.billing.core.month import (
    AccountShare,
    HouseMonth,
    HouseVolume,
    Individual,
    Premises,
    PremisesKind,
    Range,
    ServiceTerms,
    VolumeSource,
    Zone,
)
from services.billing.core.parts import Part
from services.billing.core.quantities import Area, Price, Ratio, Volume
from tests.billing.recalculated_house import flat, house, metered, micro, own, terms

__all__ = [
    "amounts",
    "burnt",
    "by_zones",
    "flat",
    "house",
    "metered",
    "micro",
    "month_of",
    "norm",
    "own",
    "persons",
    "prices",
    "ranges",
    "room",
    "shares",
    "terms",
]


def prices(**by_zone: str) -> tuple[Zone, ...]:
    """Return prices by zones: ``prices(z1="6", z2="3")``; z0 is without zones."""
    return tuple(Zone(zone=int(name[1:]), price=Price(micro(price))) for name, price in by_zone.items())


def ranges(*rows: tuple[str, tuple[Zone, ...]]) -> tuple[Range, ...]:
    """Return ranges of (above, zones)."""
    return tuple(Range(above=Volume(micro(above)), zones=zones) for above, zones in rows)


def by_zones(service: ServiceTerms, source: VolumeSource = VolumeSource.METER, **volumes: str) -> Individual:
    """Return what was taken by zones: ``by_zones(electricity, z1="100", z2="50")``."""
    zones = tuple((int(name[1:]), Volume(micro(volume))) for name, volume in volumes.items())
    return Individual(service=service.service, source=source, zones=zones)


def norm(service: ServiceTerms, *, is_raised: bool = False) -> Individual:
    """Return a norm rung of the ladder."""
    return Individual(service=service.service, source=VolumeSource.NORM_RAISED if is_raised else VolumeSource.NORM)


def persons(count: str) -> Ratio:
    """Return residents: ``persons("2.5")``."""
    return Ratio(micro(count))


def room(name: str, flat_name: str, area: str, **fields: Any) -> Premises:
    """Return a room of a communal flat, with one account; the whole of it is living area unless ``living_area`` says else."""
    given: dict[str, Any] = {
        "kind": PremisesKind.COMMUNAL_ROOM,
        "flat": flat_name,
        "living_area": Area(micro(area)),
    }
    return flat(name, area, **(given | fields))


def shares(*parts: tuple[str, int, int]) -> tuple[AccountShare, ...]:
    """Return accounts of (account, numerator, denominator)."""
    return tuple(AccountShare(account=account, numerator=part, denominator=whole) for account, part, whole in parts)


def burnt(service: ServiceTerms, *fuel: tuple[str, str]) -> HouseVolume:
    """Return what the house's boiler burnt, (volume, price) a resource."""
    resources = tuple((Volume(micro(volume)), Price(micro(price))) for volume, price in fuel)
    return HouseVolume(service=service.service, volume=None, fuel=resources)


def amounts(parts: tuple[Part, ...]) -> tuple[tuple[str, int], ...]:
    """Return (kind, kopecks) of parts."""
    return tuple((part.kind.name, part.amount_kopecks) for part in parts)


def month_of(month: HouseMonth, account: str) -> tuple[ChargeLine, ...]:
    """Return what the engine charges one account."""
    return tuple(line for line in calculate_house(month) if line.account == account)
