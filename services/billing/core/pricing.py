"""From a volume to kopecks: prices by zones of the day and by ranges of consumption, summed (п. 38) and rounded once a line."""

from collections.abc import Sequence

import msgspec

from services.billing.core.lines import Explanation, LineKind
from services.billing.core.month import Range, ServiceKind, ServiceTerms, Zone
from services.billing.core.parts import Part
from services.billing.core.quantities import MICRO, MICRO_PER_KOPECK, Volume, divide_half_up, share_of, times
from services.billing.core.volumes import NO_ZONE, Taken


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A volume at one price; ``name`` tells its zone and range in an explanation: «z1», «r2», «r2z1»."""

    name: str
    volume: int
    price: int


def price_of(zones: Sequence[Zone], zone: int) -> int:
    """Return the price of a zone; of a zone that has none, the price without zones, or the first (the day's).

    A meter without zones, or the norm, in a house whose prices are by zones has no zone to be priced by.
    """
    prices = {row.zone: row.price for row in zones}
    assert prices, "a service has a price"
    return prices.get(zone, prices.get(NO_ZONE, zones[0].price))


def is_priced(terms: ServiceTerms) -> bool:
    """Tell whether the service has the prices that its formula asks for; a house without them cannot be calculated."""
    match terms.kind:
        case ServiceKind.HEATING_OWN:
            return True
        case ServiceKind.HOT_WATER_OWN:
            return bool(terms.cold_price)
        case ServiceKind.HEATING:
            return len(terms.zones) == 1 or not terms.is_heating_month
        case (
            ServiceKind.COMMON_COLD_WATER
            | ServiceKind.COMMON_HOT_WATER
            | ServiceKind.COMMON_SEWAGE
            | ServiceKind.COMMON_ELECTRICITY
        ):
            return len(terms.zones) == 1
        case ServiceKind.HOT_WATER_TWO_PART if not terms.heat_price:
            return False
    return bool(terms.zones) or (bool(terms.ranges) and not terms.ranges[0].above)


def cells_of(terms: ServiceTerms, taken: Taken) -> tuple[Cell, ...]:
    """Return the volume at its prices; cells of no volume are left out, but one always stays to name the price.

    A range's part is spread over the zones in proportion to their volumes. What a zone has up to a range's end is rounded half
    up, so a zone's cells sum to the zone.
    """
    ranges = _ranges(terms)
    found = []
    for zone, volume in taken.zones or ((NO_ZONE, 0),):
        before = 0
        for place, row in enumerate(ranges, start=1):
            end = ranges[place].above if place < len(ranges) else None
            until = volume if end is None or end >= taken.whole else share_of(end, volume, taken.whole)
            name = f"{f'r{place}' if len(ranges) > 1 else ''}{f'z{zone}' if zone != NO_ZONE else ''}"
            found.append(Cell(name=name, volume=until - before, price=price_of(row.zones, zone)))
            before = until
    return tuple(cell for cell in found if cell.volume) or (found[0],)


def _ranges(terms: ServiceTerms) -> tuple[Range, ...]:
    """Return the ranges from nothing on; without ranges, or below the first of them, the prices of ``zones`` hold."""
    rows = tuple(sorted(terms.ranges, key=lambda row: row.above))
    return rows if rows and not rows[0].above else (Range(above=Volume(0), zones=terms.zones), *rows)


def price_inputs(cells: Sequence[Cell]) -> tuple[tuple[str, int], ...]:
    """Return the explanation's T, or V and T of every cell where there are several."""
    if len(cells) == 1:
        return (("T", cells[0].price),)
    return tuple(pair for cell in cells for pair in ((f"V_{cell.name}", cell.volume), (f"T_{cell.name}", cell.price)))


def kopecks_of(cells: Sequence[Cell]) -> int:
    """Return Σ volume × price, rounded half up once."""
    return divide_half_up(sum(cell.volume * cell.price for cell in cells), MICRO * MICRO_PER_KOPECK)


def priced(kind: LineKind, cells: Sequence[Cell], explanation: Explanation) -> Part:
    """Return the part of cells; its price is 0 where they have several."""
    prices = {cell.price for cell in cells}
    return Part(
        kind=kind,
        volume=sum(cell.volume for cell in cells),
        price=prices.pop() if len(prices) == 1 else 0,
        amount_kopecks=kopecks_of(cells),
        explanation=explanation,
    )


def raised(part: Part, cells: Sequence[Cell], coefficient: int) -> Part:
    """Return what the coefficient adds to a part of ``cells`` (п. 69 «г(1)»): together the formula with K, rounded once."""
    more = [msgspec.structs.replace(cell, volume=times(cell.volume, coefficient)) for cell in cells]
    return msgspec.structs.replace(
        part,
        kind=LineKind.RAISED,
        volume=sum(cell.volume for cell in more) - part.volume,
        amount_kopecks=kopecks_of(more) - part.amount_kopecks,
    )


def with_raised(part: Part, cells: Sequence[Cell], coefficient: int) -> tuple[Part, ...]:
    """Return the part, and what a coefficient above one adds to it."""
    return (part, raised(part, cells, coefficient)) if coefficient > MICRO else (part,)
