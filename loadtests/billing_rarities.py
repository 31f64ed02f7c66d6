"""What few houses have and two engines may disagree on: put into random houses of ``billing_town.py``, by a seed.

Rooms with meters of their own, several fuels, sewage by its own meter, shares of different denominators, hours at the price of
cold water, causes that together take the whole charge, ranges that do not begin at nothing, zones without a price, an account
that pays for nothing.
"""

from random import Random

import msgspec

from loadtests.billing_town import random_house
from services.billing.core.lines import LineKind
from services.billing.core.month import (
    Absence,
    AccountShare,
    Adjustment,
    Break,
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

replace = msgspec.structs.replace
SHARES = (((1, 2), (1, 3), (1, 6)), ((2, 3), (1, 3)), ((3, 7), (4, 7), (0, 1)), ((1, 4), (1, 6), (7, 12)), ((0, 1),))
MEASURED = (VolumeSource.METER, VolumeSource.AVERAGE)
RARE = 250
"""In a thousand."""


def rare_house(seed: int, place: int, flats_max: int = 40) -> HouseMonth:
    """Return a random house with rarities."""
    return _Rare(Random(f"rare/{seed}/{place}"), random_house(seed, place, flats_max)).make()


class _Rare:
    def __init__(self, chance: Random, house: HouseMonth) -> None:
        self.chance = chance
        self.house = house

    def make(self) -> HouseMonth:
        services = tuple([self._terms(terms) for terms in self.house.services])
        self.house = replace(self.house, services=services)
        return replace(
            self.house,
            premises=tuple([self._premises(one) for one in self.house.premises]),
            house_volumes=tuple([self._house_volume(one) for one in self.house.house_volumes]) + self._of_common(),
        )

    def _happens(self, permille: int = RARE) -> bool:
        return self.chance.randrange(1000) < permille

    def _terms(self, terms: ServiceTerms) -> ServiceTerms:
        changed = replace(
            terms,
            is_above_norm_shared=self._happens(500),
            is_payable_by_absent_owners=self._happens(600),
            norm=Volume(0) if self._happens(100) else terms.norm,
        )
        if terms.kind is ServiceKind.ELECTRICITY and self._happens(500):
            starts = self.chance.choice(((0,), (100,), (0, 70), (50, 90, 91)))
            changed = replace(changed, ranges=tuple([self._range(start, terms.zones) for start in starts]))
        if terms.kind in (ServiceKind.COLD_WATER, ServiceKind.HOT_WATER_TWO_PART) and self._happens():
            changed = replace(changed, zones=(*terms.zones, Zone(zone=3, price=Price(7_770_000))))
        return changed

    def _range(self, start: int, zones: tuple[Zone, ...]) -> Range:
        prices = tuple(
            [Zone(zone=zone.zone, price=Price(zone.price + start * 10_000)) for zone in zones[: self.chance.randint(1, 3)]]
        )
        return Range(above=Volume(start * MICRO), zones=prices)

    def _premises(self, one: Premises) -> Premises:
        individual = tuple([self._individual(one, own) for own in one.individual])
        sewage = next((terms.service for terms in self.house.services if terms.kind is ServiceKind.SEWAGE), None)
        if sewage and one.kind is not PremisesKind.COMMUNAL_ROOM and self._happens():
            individual += (Individual(service=sewage, source=VolumeSource.METER, zones=((0, self._volume(9)),)),)
        return replace(
            one,
            individual=individual,
            accounts=self._accounts(one),
            breaks=one.breaks + (self._breaks() if self._happens() else ()),
            absences=one.absences + (self._absences() if self._happens() else ()),
            living_area=Area(0) if self._happens(20) else one.living_area,
        )

    def _volume(self, most: int) -> Volume:
        return Volume(self.chance.randint(0, most * 1000) * 1000 + self.chance.randint(0, 3))

    def _individual(self, one: Premises, own: Individual) -> Individual:
        if own.source not in MEASURED:
            return own
        if one.kind is PremisesKind.COMMUNAL_ROOM and self._happens(850):
            return replace(own, room_zones=tuple([(zone, self._volume(4)) for zone, _ in own.zones]))
        if self._happens(30):
            return replace(own, zones=())
        return replace(own, zones=(*own.zones, (3, self._volume(5)))) if self._happens(60) else own

    def _accounts(self, one: Premises) -> tuple[AccountShare, ...]:
        if not self._happens():
            return one.accounts
        services = [terms.service for terms in self.house.services]
        gone = one.accounts[0].account
        return tuple(
            AccountShare(
                account=f"{gone}-{place}",
                numerator=numerator,
                denominator=denominator,
                excluded=tuple([name for name in services if self._happens(200)]),
                adjustments=tuple([self._adjustment(services) for _ in range(self.chance.randint(0, 2))]),
            )
            for place, (numerator, denominator) in enumerate(self.chance.choice(SHARES))
        )

    def _adjustment(self, services: list[str]) -> Adjustment:
        return Adjustment(
            service=self.chance.choice([*services, "aerial"]),
            kind=int(self.chance.choice((LineKind.CORRECTION, LineKind.FINE))),
            amount_kopecks=self.chance.randint(-9_000, 9_000),
            cause="Решение суда",
            of_period=202603,
        )

    def _breaks(self) -> tuple[Break, ...]:
        return tuple(
            Break(
                service=terms.service,
                cause=f"Причина {number}",
                act=str(number),
                reduction=Ratio(self.chance.randint(0, MICRO)),
                at_cold_price=Ratio(self.chance.choice((0, 0, self.chance.randint(1, MICRO)))),
            )
            for terms in self.house.services
            for number in range(self.chance.randint(0, 2))
        )

    def _absences(self) -> tuple[Absence, ...]:
        services = [terms.service for terms in self.house.services]
        return tuple([Absence(service=name, person_days=self.chance.randint(1, 150)) for name in services if self._happens()])

    def _house_volume(self, one: HouseVolume) -> HouseVolume:
        fuel = one.fuel
        if fuel and self._happens(600):
            more = self.chance.choice((0, 1, 2))
            fuel = (*fuel, *[(self._volume(700), Price(self._volume(9_000))) for _ in range(more)]) if more else ()
        return replace(one, fuel=fuel, volume=None if self._happens(100) else one.volume)

    def _of_common(self) -> tuple[HouseVolume, ...]:
        """Meters of the common property alone, and averages of what it took."""
        kinds = (ServiceKind.COMMON_COLD_WATER, ServiceKind.COMMON_ELECTRICITY, ServiceKind.COMMON_SEWAGE)
        names = [terms.service for terms in self.house.services if terms.kind in kinds and self._happens(500)]
        return tuple([HouseVolume(service=name, volume=Volume(self._volume(90) - 3 * MICRO)) for name in names])
