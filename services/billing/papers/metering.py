"""Readings of individual meters and volumes of the house, as rows of a document. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.payment_document import HouseLine, MeterLine
from services.billing.core.facts import HouseFacts
from services.billing.core.lines import LineKind
from services.billing.core.month import ServiceKind, ServiceTerms
from services.billing.core.quantities import MICRO

COMMON_OF = {
    ServiceKind.COMMON_COLD_WATER: (ServiceKind.COLD_WATER,),
    ServiceKind.COMMON_HOT_WATER: (ServiceKind.HOT_WATER, ServiceKind.HOT_WATER_TWO_PART, ServiceKind.HOT_WATER_OWN),
    ServiceKind.COMMON_SEWAGE: (ServiceKind.SEWAGE,),
    ServiceKind.COMMON_ELECTRICITY: (ServiceKind.ELECTRICITY,),
}
"""Resources for the common property, and the utilities that they are of."""
UTILITIES = frozenset(ServiceKind) - {
    ServiceKind.WASTE,
    ServiceKind.MAINTENANCE,
    ServiceKind.CAPITAL_REPAIR,
    ServiceKind.FIXED,
    *COMMON_OF,
}
"""What a house takes and can be measured (п. 69 «е»)."""
_ZONES = {2: ("", "день", "ночь"), 3: ("", "пик", "ночь", "полупик")}

MeterPlace = tuple[int, int, str]
"""House and premises, or house, 0 and a communal flat's number."""


def meter_lines(rows: Iterable[Mapping[str, Any]], titles: Mapping[str, str]) -> dict[MeterPlace, tuple[MeterLine, ...]]:
    """Return the meters by place, a row a zone; ``rows`` are those of ``meters`` (papers/reading.sql), house meters left out."""
    found: dict[MeterPlace, list[MeterLine]] = defaultdict(list)
    for row in rows:
        if row["premises"] or row["flat"]:
            found[row["house"], row["premises"], row["flat"]].append(_meter_line(row, titles))
    return {place: tuple(lines) for place, lines in found.items()}


def _meter_line(row: Mapping[str, Any], titles: Mapping[str, str]) -> MeterLine:
    zone = _ZONES.get(row["zones"], ("",))[row["zone"]] if row["zone"] else ""
    words = [titles.get(row["service"], row["service"]), row["place"], zone]
    return MeterLine(
        title=", ".join(word for word in words if word),
        number=row["number"],
        previous=row["previous"],
        current=row["current"],
        consumed=_consumed(row),
        verified_until=row["verified_until"] if row["verified_on"] is None else row["verified_anew"],
    )


def _consumed(row: Mapping[str, Any]) -> int | None:
    """What the dial says was taken between the readings; None where one is missing or the dial was set anew between them."""
    if row["current"] is None or row["previous"] is None or row["restarts"]:
        return None
    rolled = 10 ** row["digits"] * MICRO if row["rolled"] else 0
    return int((row["current"] - row["previous"] + rolled) * row["ratio"])


def house_lines(
    facts: HouseFacts, said: Mapping[str, int], meters: Iterable[Mapping[str, Any]], charged: Mapping[tuple[str, int], int]
) -> tuple[HouseLine, ...]:
    """Return the volumes of one house by utility: by its meter or the supplier's bill, in the premises, for the common property.

    ``charged`` are volumes of the month's run by (service, kind of line); what the coefficient adds is money and no volume. A
    service that nobody measured and nobody was charged for is left out.
    """
    by_meter = _house_meters(meters)
    lines = []
    for terms in facts.services:
        if terms.kind in UTILITIES:
            meter = said.get(terms.service, by_meter.get(terms.service))
            individual = charged.get((terms.service, LineKind.CHARGE), 0)
            common = _common_volume(facts, terms, charged)
            if meter is not None or individual or common:
                lines.append(HouseLine(title=terms.title, unit=terms.unit, meter=meter, individual=individual, common=common))
    return tuple(lines)


def _common_volume(facts: HouseFacts, terms: ServiceTerms, charged: Mapping[tuple[str, int], int]) -> int:
    """What was charged for the common property: by the service itself, and by the resources whose first base, or kind, it is."""
    commons = [one for one in facts.services if one.kind in COMMON_OF]
    resources = [
        one.service for one in commons if (one.base[0] == terms.service if one.base else terms.kind in COMMON_OF[one.kind])
    ]
    return sum(charged.get((service, LineKind.COMMON), 0) for service in (terms.service, *resources))


def _house_meters(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Volumes by meters of the house, by service; one without two readings makes the service's unknown."""
    found: dict[str, int | None] = {}
    for row in rows:
        if not row["premises"] and not row["flat"]:
            one, before = _consumed(row), found.get(row["service"], 0)
            found[row["service"]] = None if one is None or before is None else before + one
    return {service: volume for service, volume in found.items() if volume is not None}
