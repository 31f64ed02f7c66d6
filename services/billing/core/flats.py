"""Communal flats: their rooms taken together as the one flat that the house's formulas mean, and a room's part of it (formula 8).

A room's ``area`` is its part of the flat's whole area, so that areas of a house add up; its part of the flat's volumes goes by
``living_area``, or by ``area`` where no room of the flat names one.
"""

from collections.abc import Iterable, Mapping

import msgspec

from services.billing.core.month import Premises, PremisesKind


class Flat(msgspec.Struct, frozen=True, kw_only=True):
    """What the rooms of one communal flat are together: whole and living area, square metres in millionths; ``first`` room."""

    area: int
    living_area: int
    first: str


def flats_of(premises: Iterable[Premises]) -> Mapping[str, Flat]:
    """Return the communal flats of a house by their names; rooms stand in any order."""
    found: dict[str, Flat] = {}
    for room in premises:
        if room.kind is not PremisesKind.COMMUNAL_ROOM:
            continue
        before = found.get(room.flat)
        found[room.flat] = Flat(
            area=room.area + (before.area if before else 0),
            living_area=room.living_area + (before.living_area if before else 0),
            first=min(room.premises, before.first) if before else room.premises,
        )
    return found


def room_share(flats: Mapping[str, Flat], premises: Premises) -> tuple[int, int]:
    """Return the part of its flat's volumes that a room takes, as (part, whole); a flat of its own takes all: (1, 1)."""
    flat = flats.get(premises.flat) if premises.kind is PremisesKind.COMMUNAL_ROOM else None
    if flat is None:
        return 1, 1
    return (premises.living_area, flat.living_area) if flat.living_area else (premises.area, flat.area)


def flat_area(flats: Mapping[str, Flat], premises: Premises) -> int:
    """Return the area of the premises, or of the whole communal flat that it is a room of."""
    flat = flats.get(premises.flat) if premises.kind is PremisesKind.COMMUNAL_ROOM else None
    return flat.area if flat else premises.area


def counts_for_flat(flats: Mapping[str, Flat], premises: Premises) -> bool:
    """Tell whether the flat's own meter, which stands at every room alike, is counted here: at one room of a flat only."""
    flat = flats.get(premises.flat) if premises.kind is PremisesKind.COMMUNAL_ROOM else None
    return flat is None or flat.first == premises.premises
