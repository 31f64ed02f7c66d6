"""A house's year put together for its yearly correction: months of one price joined, volumes by fact, what was charged. Pure."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec

from services.billing.core.common_property import CommonYear, CommonYearPremises, common_sums, yearly_common_correction
from services.billing.core.flats import flat_area, flats_of, room_share
from services.billing.core.heating_year import HeatingYear, Span, YearPremises, yearly_heating_correction
from services.billing.core.lines import ChargeLine
from services.billing.core.month import CommonWay, HouseMonth, ServiceTerms
from services.billing.core.parts import Part
from services.billing.core.sharing import shared_lines
from services.billing.core.volumes import is_served

DECEMBER = 12


class YearIncomplete(ValueError):
    """The year cannot be corrected; the text says why, in Russian."""


class HeatYear(msgspec.Struct, frozen=True, kw_only=True):
    """Volumes of a year of heating by its twelve months: the house's, and those of premises with meters, by name."""

    house: tuple[int, ...]
    premises: Mapping[str, tuple[int, ...]]


def terms_of(month: HouseMonth, service: str) -> ServiceTerms:
    """Return the terms of a service in a month; raises YearIncomplete where the house has none."""
    found = next((terms for terms in month.services if terms.service == service), None)
    if found is None:
        raise YearIncomplete(f"в {_told(month.period)} у дома нет услуги {service}")
    return found


def heating_corrections(
    months: Sequence[HouseMonth], service: str, year: HeatYear, charged: Mapping[str, int]
) -> tuple[ChargeLine, ...]:
    """Return the yearly correction of heating as accounts' lines; ``charged`` by premises, kopecks. Areas are the last month's.

    ``months`` are the twelve months of the year.
    """
    last, places = months[-1], _by_price(months, service)
    spans = tuple([Span(volume=_sum_of(year.house, place), price=price) for price, place in places])
    premises = [
        YearPremises(
            premises=one.premises,
            area=one.area,
            charged_kopecks=charged.get(one.premises, 0),
            own=tuple([_sum_of(own, place) for _, place in places]) if (own := year.premises.get(one.premises)) else None,
            is_without_heating=one.is_without_heating,
        )
        for one in last.premises
    ]
    made = yearly_heating_correction(
        HeatingYear(
            year=last.period // 100,
            spans=spans,
            area_all=last.area_all,
            area_common=last.area_common,
            premises=tuple(premises),
        )
    )
    return _shared(last, service, made)


def common_corrections(months: Sequence[HouseMonth], service: str, charged: Mapping[str, int]) -> tuple[ChargeLine, ...]:
    """Return the yearly correction of a resource for the common property as accounts' lines; see ``heating_corrections``.

    Raises YearIncomplete where a month has no volume by the house's meter.
    """
    last, terms = months[-1], terms_of(months[-1], service)
    sums = [_common_month(month, service) for month in months]
    places = _by_price(months, service)
    flats = flats_of(last.premises)
    premises = []
    for one in last.premises:
        part, whole = room_share(flats, one)
        area = flat_area(flats, one) * part // whole
        premises.append(
            CommonYearPremises(premises=one.premises, area=area, charged_kopecks=charged.get(one.premises, 0))
        )  # fmt: skip
    made = yearly_common_correction(
        CommonYear(
            of_period=last.period,
            spans=tuple([Span(volume=_sum_of([one[0] for one in sums], place), price=price) for price, place in places]),
            limits=tuple([_sum_of([one[1] for one in sums], place) for _, place in places]),
            area_all=last.area_all,
            premises=tuple(premises),
            is_above_norm_shared=terms.is_above_norm_shared,
        )
    )
    return _shared(last, service, made)


def _common_month(month: HouseMonth, service: str) -> tuple[int, int]:
    """Return the common volume of a month by fact, and its norm. What the house's own row says of an average is no fact."""
    terms = terms_of(month, service)
    if terms.common_way is CommonWay.AVERAGE:
        kept = tuple([row for row in month.house_volumes if row.service != service])
        month = msgspec.structs.replace(month, house_volumes=kept)
    by_fact = msgspec.structs.replace(terms, common_way=CommonWay.FACT, is_above_norm_shared=True)
    sums = common_sums(month, by_fact)
    if sums.measured is None:
        raise YearIncomplete(f"за {_told(month.period)} нет объёма по общедомовому прибору")
    return sums.measured, sums.limit


def _by_price(months: Sequence[HouseMonth], service: str) -> list[tuple[int, tuple[int, ...]]]:
    """Return (price, places of months) of stretches at one price."""
    prices = [terms_of(month, service).zones[0].price for month in months]
    grouped = groupby(range(len(months)), key=lambda place: prices[place])
    return [(price, tuple(places)) for price, places in grouped]


def _sum_of(volumes: Sequence[int], places: Sequence[int]) -> int:
    return sum(volumes[place] for place in places)


def _shared(last: HouseMonth, service: str, made: Sequence[tuple[str, Part]]) -> tuple[ChargeLine, ...]:
    terms = terms_of(last, service)
    premises = {one.premises: one for one in last.premises}
    return tuple(
        [
            line
            for name, part in made
            if is_served(terms, premises[name])
            for line in shared_lines(terms, premises[name], (part,))
            if line.amount_kopecks
        ]
    )


def _told(period: int) -> str:
    return f"{period % 100:02d}.{period // 100}"
