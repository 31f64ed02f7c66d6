"""Random houses for billing: every kind of service, premises, volume source and contract, a pure function of a seed.

Sums are as in life (a flat of 20 to 120 m², 0 to 6 persons, prices of 2026): what disagrees between two engines disagrees on
something that a real house may have.
"""

from random import Random
from typing import NamedTuple

from services.billing.core.month import (
    Absence,
    AccountShare,
    Adjustment,
    Break,
    CommonWay,
    HeatingWay,
    HouseMonth,
    HouseVolume,
    Individual,
    Premises,
    PremisesKind,
    Range,
    ServiceKind,
    ServiceTerms,
    VolumeSource,
    Zone,
)
from services.billing.core.quantities import MICRO, Area, Price, Ratio, Volume

PERIOD, DAYS = 202611, 30
PROVIDER = "uo"
SOURCES = (VolumeSource.METER,) * 6 + (VolumeSource.AVERAGE, VolumeSource.NORM, VolumeSource.NORM_RAISED)
METERED = (ServiceKind.COLD_WATER, ServiceKind.HOT_WATER, ServiceKind.HOT_WATER_TWO_PART, ServiceKind.HOT_WATER_OWN)
HOT = (ServiceKind.HOT_WATER, ServiceKind.HOT_WATER_TWO_PART, ServiceKind.HOT_WATER_OWN)
ABSENT_FROM = (ServiceKind.COLD_WATER, *HOT, ServiceKind.SEWAGE, ServiceKind.WASTE)
OF_COMMON = {
    ServiceKind.COMMON_COLD_WATER: "cold_water",
    ServiceKind.COMMON_HOT_WATER: "hot_water",
    ServiceKind.COMMON_SEWAGE: "sewage",
    ServiceKind.COMMON_ELECTRICITY: "electricity",
}


class _Use(NamedTuple):
    """What a person uses a month of a service, in whole units."""

    least: int
    most: int


USES = {
    ServiceKind.COLD_WATER: _Use(1, 9),
    ServiceKind.HOT_WATER: _Use(1, 7),
    ServiceKind.HOT_WATER_TWO_PART: _Use(1, 7),
    ServiceKind.HOT_WATER_OWN: _Use(1, 7),
    ServiceKind.ELECTRICITY: _Use(40, 5_000),
    ServiceKind.GAS: _Use(5, 150),
    ServiceKind.HEATING: _Use(0, 3),
}


def random_house(seed: int, place: int, flats_max: int = 40) -> HouseMonth:
    """Return house number ``place`` of the town that ``seed`` names; it has up to ``flats_max`` flats."""
    return _House(Random(f"{seed}/{place}"), f"h{place}", flats_max).make()


class _House:
    def __init__(self, chance: Random, house: str, flats_max: int) -> None:
        self.chance = chance
        self.house = house
        self.flats = chance.randint(1, flats_max)
        self.services = self._services()

    def make(self) -> HouseMonth:
        premises: list[Premises] = []
        for flat in range(1, self.flats + 1):
            premises += self._communal(flat) if self._happens(60) else [self._premises(str(flat), PremisesKind.FLAT)]
        if self._happens(300):
            premises.append(self._premises("N1", PremisesKind.NON_RESIDENTIAL))
        area_all = sum(one.area for one in premises)
        return HouseMonth(
            house=self.house,
            period=PERIOD,
            days=DAYS,
            area_all=Area(area_all),
            area_common=Area(area_all * self.chance.randint(5, 25) // 100),
            services=self.services,
            premises=tuple(premises),
            house_volumes=self._house_volumes(premises),
        )

    def _happens(self, permille: int) -> bool:
        return self.chance.randrange(1000) < permille

    def _micro(self, least: int, most: int, digits: int = 3) -> int:
        """A quantity with so many decimals, in millionths."""
        scale: int = 10**digits
        return self.chance.randint(least * scale, most * scale) * (MICRO // scale)

    def _price(self, least: int, most: int) -> Price:
        return Price(self._micro(least, most, 2))

    def _services(self) -> tuple[ServiceTerms, ...]:
        chance = self.chance
        hot = chance.choice(HOT)
        heating = ServiceKind.HEATING_OWN if hot is ServiceKind.HOT_WATER_OWN and self._happens(700) else ServiceKind.HEATING
        kinds = [
            (ServiceKind.COLD_WATER, "cold_water", 1000),
            (hot, "hot_water", 850),
            (ServiceKind.ELECTRICITY, "electricity", 900),
            (ServiceKind.GAS, "gas", 400),
            (heating, "heating", 900),
            (ServiceKind.WASTE, "waste", 950),
            (ServiceKind.MAINTENANCE, "maintenance", 1000),
            (ServiceKind.CAPITAL_REPAIR, "capital_repair", 900),
            (ServiceKind.FIXED, "intercom", 500),
        ]
        made = [self._terms(kind, service) for kind, service, permille in kinds if self._happens(permille)]
        names = {terms.service for terms in made}
        water = tuple(name for name in ("cold_water", "hot_water") if name in names)
        if water and self._happens(950):
            made.append(self._terms(ServiceKind.SEWAGE, "sewage", water))
            names.add("sewage")
        for kind, of in OF_COMMON.items():
            if of in names and self._happens(600):
                base = water if of == "sewage" else (of,)
                made.append(self._terms(kind, f"common_{of}", base))
        return tuple(made)

    def _terms(self, kind: ServiceKind, service: str, base: tuple[str, ...] = ()) -> ServiceTerms:
        chance = self.chance
        zones = (0,) if kind is not ServiceKind.ELECTRICITY else chance.choice(((0,), (1, 2), (1, 2, 3)))
        prices = tuple(Zone(zone=zone, price=self._price(2, 60)) for zone in zones)
        if kind is ServiceKind.HEATING:
            prices = (Zone(zone=0, price=self._price(1_800, 3_500)),)
        ranges = kind is ServiceKind.ELECTRICITY and self._happens(400)
        norms = {
            ServiceKind.HEATING: self.chance.randint(10_000, 40_000),
            ServiceKind.WASTE: self._micro(1, 4),
            ServiceKind.ELECTRICITY: self._micro(30, 150),
        }
        return ServiceTerms(
            service=service,
            kind=kind,
            title=service,
            unit="ед.",
            recipient=f"{service}-supplier",
            creditor=PROVIDER if self._happens(800) else f"{service}-supplier",
            zones=prices,
            ranges=self._ranges(zones) if ranges else (),
            heat_price=self._price(1_800, 3_500),
            cold_price=self._price(20, 60),
            norm=Volume(norms.get(kind, chance.randint(10_000, 60_000) if kind in OF_COMMON else self._micro(1, 8))),
            norm_water_heating=Volume(self._micro(0, 20) if self._happens(500) else 0),
            norm_space_heating=Volume(self._micro(0, 8) if self._happens(300) else 0),
            heat_norm=Volume(chance.randint(50_000, 70_000)),
            coefficient=Ratio(chance.choice((MICRO, 1_500_000, 3_000_000))),
            heating_way=chance.choice((HeatingWay.SEASON, HeatingWay.EVEN)),
            heating_months=chance.randint(5, 9),
            is_heating_month=self._happens(800),
            is_house_meter_due=self._happens(300),
            by_area=self._happens(300),
            common_way=chance.choice((CommonWay.NORM, CommonWay.AVERAGE, CommonWay.FACT)),
            base=base,
            is_payable_by_absent_owners=self._happens(900),
        )

    def _ranges(self, zones: tuple[int, ...]) -> tuple[Range, ...]:
        above = (0, 300 * MICRO, 600 * MICRO)
        return tuple(
            Range(above=Volume(start), zones=tuple(Zone(zone=zone, price=self._price(3 + place, 9 + place)) for zone in zones))
            for place, start in enumerate(above)
        )

    def _communal(self, flat: int) -> list[Premises]:
        """Rooms of one flat share its individual volumes."""
        name = f"{self.house}/{flat}"
        rooms = self.chance.randint(2, 4)
        residents = [self.chance.randint(0, 3) for _ in range(rooms)]
        individual = self._individual(max(1, sum(residents)))
        return [
            self._premises(f"{flat}-{room}", PremisesKind.COMMUNAL_ROOM, (name, individual), residents[room])
            for room in range(rooms)
        ]

    def _premises(
        self,
        number: str,
        kind: PremisesKind,
        flat: tuple[str, tuple[Individual, ...]] = ("", ()),
        persons: int | None = None,
    ) -> Premises:
        chance = self.chance
        area = self._micro(10, 30, 1) if kind is PremisesKind.COMMUNAL_ROOM else self._micro(20, 120, 1)
        living = area * 7 // 10 // 100_000 * 100_000 or area
        persons = chance.choice((0, 1, 1, 2, 2, 3, 3, 4, 6)) if persons is None else persons
        residents = persons * MICRO + (chance.randrange(1, DAYS) * MICRO // DAYS if self._happens(100) else 0)
        if kind is PremisesKind.NON_RESIDENTIAL:
            residents = 0
        individual = flat[1] if flat[0] else self._individual(max(1, persons))
        return Premises(
            premises=f"{self.house}/{number}",
            kind=kind,
            area=Area(area),
            residents=Ratio(residents),
            owners=chance.choice((1, 1, 1, 2, 3)),
            accounts=self._accounts(number),
            living_area=Area(living),
            flat=flat[0],
            is_without_heating=self._happens(30),
            services=None if self._happens(900) else tuple(one.service for one in self.services if self._happens(700)),
            individual=individual,
            absences=self._absences(persons),
            breaks=self._breaks(),
        )

    def _individual(self, persons: int) -> tuple[Individual, ...]:
        made = []
        for terms in self.services:
            use = USES.get(terms.kind)
            if use is None or self._happens(250):
                continue
            source = self.chance.choice(SOURCES)
            if terms.kind is ServiceKind.HEATING:
                source = self.chance.choice((VolumeSource.METER, VolumeSource.AVERAGE))
            zones = tuple(
                (zone.zone, Volume(self._micro(use.least, use.most) * persons // 3))
                for zone in terms.zones
                if source in (VolumeSource.METER, VolumeSource.AVERAGE)
            )
            made.append(Individual(service=terms.service, source=source, zones=zones))
        return tuple(made)

    def _accounts(self, number: str) -> tuple[AccountShare, ...]:
        shares = self.chance.choice((1, 1, 1, 1, 1, 1, 2, 3))
        adjusted = self._happens(50)
        return tuple(
            AccountShare(
                account=f"{self.house}/{number}/{place}",
                numerator=1,
                denominator=shares,
                excluded=tuple(one.service for one in self.services if self._happens(20)),
                adjustments=(self._adjustment(),) if adjusted and place == 0 else (),
            )
            for place in range(shares)
        )

    def _adjustment(self) -> Adjustment:
        terms = self.chance.choice(self.services) if self.services else None
        return Adjustment(
            service=terms.service if terms else "maintenance",
            kind=6,
            amount_kopecks=self.chance.randint(-50_000, 50_000),
            cause="Показание за прошлый месяц",
            of_period=202610,
        )

    def _absences(self, persons: int) -> tuple[Absence, ...]:
        return tuple(
            Absence(service=terms.service, person_days=self.chance.randint(6, DAYS) * self.chance.randint(1, persons))
            for terms in self.services
            if persons and terms.kind in ABSENT_FROM and self._happens(30)
        )

    def _breaks(self) -> tuple[Break, ...]:
        return tuple(
            Break(service=terms.service, cause="Перерыв", act="17", reduction=Ratio(self.chance.randint(1, MICRO)))
            for terms in self.services
            if terms.kind <= ServiceKind.WASTE and self._happens(30)
        )

    def _house_volumes(self, premises: list[Premises]) -> tuple[HouseVolume, ...]:
        own = {
            one.service: sum(item.volume for flat in premises for item in flat.individual if item.service == one.service)
            for one in self.services
        }
        made = []
        for terms in self.services:
            burnt = terms.kind in (ServiceKind.HOT_WATER_OWN, ServiceKind.HEATING_OWN)
            if terms.kind in OF_COMMON or not (burnt or self._happens(600)):
                continue
            volume = own[terms.service] * self.chance.randint(95, 140) // 100 + self._micro(1, 20)
            fuel = ((Volume(self._micro(50, 900)), self._price(7, 9)),) if burnt else ()
            made.append(HouseVolume(service=terms.service, volume=Volume(volume), fuel=fuel))
        return tuple(made)
