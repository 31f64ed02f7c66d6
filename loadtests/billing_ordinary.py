"""Ordinary houses for billing: what most of a town is, a pure function of a seed. Flats with one account and meters mostly read.

Eight services as a payment document of a city flat has them: cold and hot water, sewage, electricity, heating, waste, maintenance
and capital repair. ``billing_town.py`` makes the odd ones.
"""

from random import Random

from services.billing.core.month import (
    AccountShare,
    HouseMonth,
    HouseVolume,
    Individual,
    Premises,
    PremisesKind,
    ServiceKind,
    ServiceTerms,
    VolumeSource,
    Zone,
)
from services.billing.core.quantities import MICRO, Area, Price, Ratio, Volume

PERIOD, DAYS = 202611, 30
FLATS = 100
KOPECK = MICRO // 100
SERVICES = (
    ("cold_water", ServiceKind.COLD_WATER, 5_000_000, 4_150_000),
    ("hot_water", ServiceKind.HOT_WATER_TWO_PART, 5_000_000, 3_190_000),
    ("sewage", ServiceKind.SEWAGE, 4_000_000, 7_340_000),
    ("electricity", ServiceKind.ELECTRICITY, 600_000, 90_000_000),
    ("heating", ServiceKind.HEATING, 280_000_000, 20_000),
    ("waste", ServiceKind.WASTE, 60_000_000, 2_400_000),
    ("maintenance", ServiceKind.MAINTENANCE, 3_500_000, 0),
    ("capital_repair", ServiceKind.CAPITAL_REPAIR, 1_500_000, 0),
)
"""(code, kind, the hundredth of a price about, norm)."""
USES = {"cold_water": (1, 9), "hot_water": (1, 6), "electricity": (60, 260)}
SOURCES = (VolumeSource.METER,) * 7 + (VolumeSource.AVERAGE, VolumeSource.NORM, VolumeSource.NORM_RAISED)


def ordinary_house(seed: int, place: int, flats: int = FLATS, services: int = len(SERVICES)) -> HouseMonth:
    """Return house number ``place`` of the town that ``seed`` names, with the first so many services."""
    chance = Random(f"{seed}/{place}")
    terms = tuple([_terms(chance, *row) for row in SERVICES[:services]])
    premises = tuple([_flat(chance, f"{seed}-{place}", number, terms) for number in range(1, flats + 1)])
    area = sum(one.area for one in premises)
    house_volumes = [HouseVolume(service="heating", volume=Volume(area * 22 // 1000))] if chance.random() < 0.7 else []
    return HouseMonth(
        house=f"{seed}-{place}",
        period=PERIOD,
        days=DAYS,
        area_all=Area(area),
        area_common=Area(area // 8),
        services=terms,
        premises=premises,
        house_volumes=tuple(house_volumes),
    )


def _terms(chance: Random, service: str, kind: ServiceKind, hundredth: int, norm: int) -> ServiceTerms:
    zones = (1, 2) if kind is ServiceKind.ELECTRICITY and chance.random() < 0.2 else (0,)
    prices = [hundredth * chance.randint(80, 120) // (KOPECK * zone or KOPECK) * KOPECK for zone in zones]
    return ServiceTerms(
        service=service,
        kind=kind,
        title=service,
        unit="ед.",
        recipient="uo",
        creditor="uo",
        zones=tuple([Zone(zone=zone, price=Price(price)) for zone, price in zip(zones, prices, strict=True)]),
        heat_price=Price(2_486_710_000),
        cold_price=Price(41_300_000),
        norm=Volume(norm),
        heat_norm=Volume(60_000),
        coefficient=Ratio(1_500_000 if service in USES else MICRO),
        base=("cold_water", "hot_water") if kind is ServiceKind.SEWAGE else (),
    )


def _flat(chance: Random, house: str, number: int, terms: tuple[ServiceTerms, ...]) -> Premises:
    persons = chance.choice((0, 1, 1, 2, 2, 3, 3, 4))
    return Premises(
        premises=f"{house}/{number}",
        kind=PremisesKind.FLAT,
        area=Area(chance.randint(300, 900) * (MICRO // 10)),
        residents=Ratio(persons * MICRO),
        owners=chance.choice((1, 1, 2)),
        accounts=(AccountShare(account=f"{house}/{number}"),),
        individual=tuple([_individual(chance, one, persons) for one in terms if one.service in USES]),
    )


def _individual(chance: Random, terms: ServiceTerms, persons: int) -> Individual:
    source = chance.choice(SOURCES)
    least, most = USES[terms.service]
    zones = tuple(
        (zone.zone, Volume(chance.randint(least * 1000, most * 1000) * 1000 * persons // 2))
        for zone in terms.zones
        if source in (VolumeSource.METER, VolumeSource.AVERAGE)
    )
    return Individual(service=terms.service, source=source, zones=zones)
