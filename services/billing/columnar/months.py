"""HouseMonths to frames and back: for tests, for houses that only the plain engine calculates, and for explaining a line."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from services.billing.columnar.frames import SCHEMAS, TERMS, TownFrames
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
from services.billing.core.quantities import Area, Price, Ratio, Volume

TERM_FIELDS = tuple(name for name in TERMS if name not in ("term", "house", "place"))

Row = tuple[Any, ...]


def frames_of(months: Sequence[HouseMonth]) -> TownFrames:
    """Return the frames of a batch; keys are numbers in the order given."""
    return _Flattening(months).frames()


class _Flattening:
    """Rows of every frame while houses are taken apart."""

    def __init__(self, months: Iterable[HouseMonth]) -> None:
        self._rows: dict[str, list[Row]] = {name: [] for name in SCHEMAS}
        self._terms: dict[str, int] = {}
        for month in months:
            self._house(month)

    def frames(self) -> TownFrames:
        """Return them as frames."""
        made = {
            name: pl.DataFrame(self._rows[name], schema=dict(schema), orient="row", infer_schema_length=None)
            for name, schema in SCHEMAS.items()
        }
        return TownFrames(**made)

    def _add(self, frame: str, rows: Iterable[Row]) -> None:
        self._rows[frame] += rows

    def _next(self, frame: str) -> int:
        return len(self._rows[frame])

    def _house(self, month: HouseMonth) -> None:
        house = self._next("houses")
        self._add("houses", [(house, month.house, month.period, month.days, month.area_all, month.area_common)])
        first = self._next("terms")
        self._terms = {terms.service: first + place for place, terms in enumerate(month.services)}
        for place, terms in enumerate(month.services):
            self._service(house, place, terms)
        for row in month.house_volumes:
            for term in self._known(row.service):
                self._add("house_volumes", [(term, row.volume)])
                self._add("fuels", [(term, place, *fuel) for place, fuel in enumerate(row.fuel)])
        for premises in month.premises:
            self._premises(house, premises)

    def _known(self, service: str) -> tuple[int, ...]:
        """Return the service's term, or nothing where the house does not have it."""
        return (self._terms[service],) if service in self._terms else ()

    def _service(self, house: int, place: int, terms: ServiceTerms) -> None:
        term = self._terms[terms.service]
        self._add("terms", [(term, house, place, *(getattr(terms, name) for name in TERM_FIELDS))])
        self._add("zones", [(term, at, zone.zone, zone.price) for at, zone in enumerate(terms.zones)])
        for row in terms.ranges:
            self._add("ranges", [(term, row.above, at, zone.zone, zone.price) for at, zone in enumerate(row.zones)])
        self._add("bases", [(term, at, base) for at, name in enumerate(terms.base) for base in self._known(name)])

    def _premises(self, house: int, one: Premises) -> None:
        key = self._next("premises")
        of_all = one.services is None
        about = (one.kind, one.area, one.residents, one.owners, one.living_area, one.flat, one.is_without_heating, of_all)
        self._add("premises", [(key, house, one.premises, *about)])
        self._add("served", [(key, term) for name in one.services or () for term in self._known(name)])
        for row in one.accounts:
            self._share(key, row)
        for own in one.individual:
            for term in self._known(own.service):
                self._individual(key, term, own)
        for away in one.absences:
            self._add("absences", [(key, term, away.person_days) for term in self._known(away.service)])
        for at, broken in enumerate(one.breaks):
            said = (at, broken.cause, broken.act, broken.reduction, broken.at_cold_price)
            self._add("breaks", [(key, term, *said) for term in self._known(broken.service)])

    def _share(self, premises: int, row: AccountShare) -> None:
        key = self._next("shares")
        self._add("shares", [(key, premises, row.account, row.numerator, row.denominator)])
        self._add("excluded", [(key, term) for name in row.excluded for term in self._known(name)])
        for at, one in enumerate(row.adjustments):
            said = (one.service, one.kind, one.amount_kopecks, one.cause, one.of_period)
            self._add("adjustments", [(key, at, *said)])

    def _individual(self, premises: int, term: int, own: Individual) -> None:
        zone, volume = own.zones[0] if len(own.zones) == 1 else (None, None)
        self._add("individual", [(premises, term, own.source, zone, volume, own.room_zones is not None)])
        several = own.zones if len(own.zones) > 1 else ()
        self._add("volumes", [(premises, term, at, *pair) for at, pair in enumerate(several)])
        self._add("room_volumes", [(premises, term, at, *pair) for at, pair in enumerate(own.room_zones or ())])


def months_of(frames: TownFrames) -> Iterator[tuple[int, HouseMonth]]:
    """Yield (house, month) of a batch in order of the houses' numbers; what has no order in frames stands by its key."""
    return _Gathering(frames).months()


class _Gathering:
    """Houses while they are put together: rows of every frame by their key."""

    def __init__(self, frames: TownFrames) -> None:
        self._frames = frames
        self._services = dict(frames.terms.select("term", "service").iter_rows())
        self._zones = self._by("zones", "term", order="place")
        self._ranges = self._by("ranges", "term", order="place")
        self._bases = self._by("bases", "term", order="place")
        self._fuels = self._by("fuels", "term", order="place")
        self._house_volumes = self._by("house_volumes", "term")
        self._served = self._by("served", "premises")
        self._excluded = self._by("excluded", "share")
        self._adjustments = self._by("adjustments", "share", order="place")
        self._individual = self._by("individual", "premises", order="term")
        self._absences = self._by("absences", "premises", order="term")
        self._breaks = self._by("breaks", "premises", order="place")
        self._shares = self._by("shares", "premises", order="share")
        self._volumes = self._by("volumes", "premises", "term", order="place")
        self._rooms = self._by("room_volumes", "premises", "term", order="place")

    def _by(self, frame: str, *keys: str, order: str = "") -> Mapping[Any, list[dict[str, Any]]]:
        rows: pl.DataFrame = getattr(self._frames, frame)
        groups: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
        for row in (rows.sort(order, maintain_order=True) if order else rows).iter_rows(named=True):
            groups[row[keys[0]] if len(keys) == 1 else tuple(row[key] for key in keys)].append(row)
        return groups

    def months(self) -> Iterator[tuple[int, HouseMonth]]:
        """Yield (house, month)."""
        terms = self._by("terms", "house", order="place")
        premises = self._by("premises", "house", order="premises")
        for row in self._frames.houses.sort("house").iter_rows(named=True):
            services = terms.get(row["house"], [])
            yield (
                row["house"],
                HouseMonth(
                    house=row["code"],
                    period=row["period"],
                    days=row["days"],
                    area_all=Area(row["area_all"]),
                    area_common=Area(row["area_common"]),
                    services=tuple([self._terms(one) for one in services]),
                    premises=tuple([self._premises(one) for one in premises.get(row["house"], ())]),
                    house_volumes=tuple([said for one in services for said in self._house_volume(one["term"])]),
                ),
            )

    def _terms(self, row: dict[str, Any]) -> ServiceTerms:
        term = row["term"]
        above: defaultdict[int, list[Zone]] = defaultdict(list)
        for one in self._ranges.get(term, ()):
            above[one["above"]].append(_zone(one))
        kinds = {"kind": ServiceKind(row["kind"]), "heating_way": HeatingWay(row["heating_way"])}
        kinds["common_way"] = CommonWay(row["common_way"])
        return ServiceTerms(
            **({name: row[name] for name in TERM_FIELDS} | kinds),
            zones=tuple([_zone(one) for one in self._zones.get(term, ())]),
            ranges=tuple([Range(above=Volume(start), zones=tuple(zones)) for start, zones in sorted(above.items())]),
            base=tuple([self._services[one["base"]] for one in self._bases.get(term, ())]),
        )

    def _house_volume(self, term: int) -> list[HouseVolume]:
        fuel = tuple([(Volume(one["volume"]), Price(one["price"])) for one in self._fuels.get(term, ())])
        said = self._house_volumes.get(term, ())
        volume = said[0]["volume"] if said else None
        return [HouseVolume(service=self._services[term], volume=volume, fuel=fuel)] if said or fuel else []

    def _premises(self, row: dict[str, Any]) -> Premises:
        key = row["premises"]
        served = tuple([self._services[one["term"]] for one in self._served.get(key, ())])
        return Premises(
            premises=row["name"],
            kind=PremisesKind(row["kind"]),
            area=Area(row["area"]),
            residents=Ratio(row["residents"]),
            owners=row["owners"],
            accounts=tuple([self._account(one) for one in self._shares.get(key, ())]),
            living_area=Area(row["living_area"]),
            flat=row["flat"],
            is_without_heating=row["is_without_heating"],
            services=None if row["has_all_services"] else served,
            individual=tuple([self._own(one) for one in self._individual.get(key, ())]),
            absences=tuple(
                [
                    Absence(service=self._services[one["term"]], person_days=one["person_days"])
                    for one in self._absences.get(key, ())
                ]
            ),
            breaks=tuple([self._break(one) for one in self._breaks.get(key, ())]),
        )

    def _account(self, row: dict[str, Any]) -> AccountShare:
        return AccountShare(
            account=row["account"],
            numerator=row["numerator"],
            denominator=row["denominator"],
            excluded=tuple([self._services[one["term"]] for one in self._excluded.get(row["share"], ())]),
            adjustments=tuple([_adjustment(one) for one in self._adjustments.get(row["share"], ())]),
        )

    def _own(self, row: dict[str, Any]) -> Individual:
        several = [_volume(one) for one in self._volumes.get((row["premises"], row["term"]), ())]
        rooms = tuple([_volume(one) for one in self._rooms.get((row["premises"], row["term"]), ())])
        return Individual(
            service=self._services[row["term"]],
            source=VolumeSource(row["source"]),
            zones=tuple(several if several else [] if row["volume"] is None else [_volume(row)]),
            room_zones=rooms if row["has_room_meter"] else None,
        )

    def _break(self, row: dict[str, Any]) -> Break:
        return Break(
            service=self._services[row["term"]],
            cause=row["cause"],
            act=row["act"],
            reduction=Ratio(row["reduction"]),
            at_cold_price=Ratio(row["at_cold_price"]),
        )


def _zone(row: dict[str, Any]) -> Zone:
    return Zone(zone=row["zone"], price=Price(row["price"]))


def _volume(row: dict[str, Any]) -> tuple[int, Volume]:
    return row["zone"], Volume(row["volume"])


def _adjustment(row: dict[str, Any]) -> Adjustment:
    return Adjustment(
        service=row["service"],
        kind=row["kind"],
        amount_kopecks=row["amount_kopecks"],
        cause=row["cause"],
        of_period=row["of_period"],
    )
