"""Chooses a service's price, norms and terms among those of its house, supplier and region: the narrower scope wins. Pure."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from services.billing.core.month import CommonWay, HeatingWay, Range, ServiceKind, ServiceTerms, Zone
from services.billing.core.quantities import Price, Volume
from services.billing.stock.kinds import TariffComponent

Record = Mapping[str, Any]
HEATING = (ServiceKind.HEATING, ServiceKind.HEATING_OWN)


class Scopes:
    """Rows in force by the scope they stand in; each row has the columns of its table."""

    def __init__(
        self,
        tariffs: Iterable[Record],
        norms: Iterable[Record],
        heating: Iterable[Record],
        heating_days: Iterable[Record],
        common: Iterable[Record],
    ) -> None:
        self._tariffs: dict[tuple[int, int, str, str, int], list[Record]] = {}
        for row in tariffs:
            key = (row["house"], row["supplier"], row["region"], row["service"], row["component"])
            self._tariffs.setdefault(key, []).append(row)
        self._norms = {(row["house"], row["region"], row["house_class"], row["service"]): row for row in norms}
        self._heating = {(row["house"], row["region"]): row for row in heating}
        self._days = {(row["house"], row["region"]): int(row["days"]) for row in heating_days}
        self._common = {(row["house"], row["service"]): row for row in common}

    def prices(self, house: Record, contract: Record, component: TariffComponent) -> list[Record]:
        """Rows of the tariff, by range and zone; empty where there is none."""
        service = contract["service"]
        scopes = ((house["house"], 0, ""), (0, contract["supplier"], ""), (0, 0, house["region"]))
        return next((rows for scope in scopes if (rows := self._tariffs.get((*scope, service, component)))), [])

    def norm(self, house: Record, service: str) -> Record | None:
        """The norms of a service."""
        region = house["region"]
        scopes = ((house["house"], "", ""), (0, region, house["house_class"]), (0, region, ""))
        return next((row for scope in scopes if (row := self._norms.get((*scope, service)))), None)

    def heating(self, house: Record) -> Record | None:
        """How heating is paid."""
        return self._heating.get((house["house"], "")) or self._heating.get((0, house["region"]))

    def days_of_heating(self, house: Record) -> int | None:
        """On how many days of the month heat was given; None where nobody told it."""
        return self._days.get((house["house"], ""), self._days.get((0, house["region"])))

    def common(self, house: Record, service: str) -> Record | None:
        """How a resource of the common property is charged."""
        return self._common.get((house["house"], service)) or self._common.get((house["house"], ""))


def service_terms(house: Record, contract: Record, scopes: Scopes) -> ServiceTerms:
    """Return the terms of one service of one house; what nobody loaded is nought, which ``kopeck housing check`` lists.

    ``house`` and ``contract`` are rows of the statements of those names. The increasing coefficient is the law's.
    """
    service, kind = contract["service"], ServiceKind(contract["kind"])
    zones, ranges = _zones_and_ranges(scopes.prices(house, contract, TariffComponent.MAIN))
    norm, common = scopes.norm(house, service), scopes.common(house, service)
    heating = scopes.heating(house) if kind in HEATING else None
    way = HeatingWay(heating["way"]) if heating else HeatingWay.SEASON
    return ServiceTerms(
        service=service,
        kind=kind,
        title=contract["title"],
        unit=contract["unit"],
        recipient=contract["recipient"],
        creditor=contract["creditor"],
        zones=zones,
        ranges=ranges,
        heat_price=_single(scopes.prices(house, contract, TariffComponent.HEAT)),
        cold_price=_single(scopes.prices(house, contract, TariffComponent.COLD)),
        norm=Volume(norm["norm"] if norm else 0),
        norm_water_heating=Volume(norm["water_heating"] if norm else 0),
        norm_space_heating=Volume(norm["space_heating"] if norm else 0),
        heat_norm=Volume(norm["heat"] if norm else 0),
        heating_way=way,
        heating_months=heating["months"] if heating else 0,
        is_heating_month=way is HeatingWay.EVEN or bool(scopes.days_of_heating(house)),
        is_house_meter_due=bool(heating and heating["meter_due"]),
        by_area=contract["by_area"],
        common_way=CommonWay(common["way"]) if common else CommonWay.NORM,
        is_above_norm_shared=bool(common and common["above_norm_shared"]),
        base=tuple(contract["base"]),
        is_payable_by_absent_owners=contract["payable_by_absent_owners"],
    )


def _zones_and_ranges(rows: list[Record]) -> tuple[tuple[Zone, ...], tuple[Range, ...]]:
    """Zones where there is one price whatever the consumption, else ranges, the first from nought."""
    ranges = tuple(
        Range(above=Volume(above), zones=tuple(Zone(zone=row["zone"], price=Price(row["price"])) for row in group))
        for above, group in groupby(rows, key=lambda row: int(row["above"]))
    )
    if len(ranges) == 1 and ranges[0].above == 0:
        return ranges[0].zones, ()
    return (), ranges


def _single(rows: list[Record]) -> Price:
    return Price(rows[0]["price"] if rows else 0)
