"""Rooms of communal flats (п. 50 ПП 354, formulas 7 and 9): a room's part of what its flat took, by those who live there.

Heating goes by the living area instead (formula 8), which ``heating.py`` does with ``flats.py``. A room where nobody lives counts
its owners, as any premises does; where no room has anybody, the living area decides, so that what was taken is paid for.
"""

from collections.abc import Iterable, Mapping

import msgspec

from services.billing.core.common_property import counted_persons
from services.billing.core.flats import Flat, flats_of, room_share
from services.billing.core.month import Individual, Premises, PremisesKind, ServiceTerms
from services.billing.core.quantities import MICRO, share_of

Zones = tuple[tuple[int, int], ...]


class CommunalSums(msgspec.Struct, frozen=True, kw_only=True):
    """What the communal flats of a house have together.

    ``persons``: by (flat, whether owners are counted where nobody lives), a ratio. ``rooms``: by (flat, service, zone) what the
    rooms' own meters say together; ``unmetered``: (flat, service) where some room has none, so that they do not count.
    """

    flats: Mapping[str, Flat]
    persons: Mapping[tuple[str, bool], int]
    rooms: Mapping[tuple[str, str, int], int]
    unmetered: frozenset[tuple[str, str]]


def communal_sums(premises: Iterable[Premises]) -> CommunalSums:
    """Return the sums of a house; rooms stand in any order."""
    rooms = [room for room in premises if room.kind is PremisesKind.COMMUNAL_ROOM]
    persons: dict[tuple[str, bool], int] = {}
    volumes: dict[tuple[str, str, int], int] = {}
    unmetered = set()
    for room in rooms:
        for with_owners, count in ((False, room.residents), (True, room.residents or room.owners * MICRO)):
            persons[room.flat, with_owners] = persons.get((room.flat, with_owners), 0) + count
        for own in room.individual:
            if own.room_zones is None:
                unmetered.add((room.flat, own.service))
            for zone, volume in own.room_zones or ():
                key = room.flat, own.service, zone
                volumes[key] = volumes.get(key, 0) + volume
    return CommunalSums(flats=flats_of(rooms), persons=persons, rooms=volumes, unmetered=frozenset(unmetered))


def flat_persons(sums: CommunalSums, terms: ServiceTerms, room: Premises) -> int:
    """Return the persons of the room's whole flat that the service counts, a ratio."""
    return sums.persons[room.flat, terms.is_payable_by_absent_owners]


def has_room_meters(sums: CommunalSums, own: Individual, room: Premises) -> bool:
    """Tell whether every room of the flat has a meter of its own for the service."""
    return own.room_zones is not None and (room.flat, own.service) not in sums.unmetered


def room_zones(sums: CommunalSums, terms: ServiceTerms, room: Premises, own: Individual) -> Zones:
    """Return the room's volume by zones: its part of the flat's, or its own meter's and its part of the rest."""
    whole = flat_persons(sums, terms, room)
    part, whole = (counted_persons(terms, room), whole) if whole else room_share(sums.flats, room)
    if not has_room_meters(sums, own, room):
        return tuple((zone, share_of(volume, part, whole)) for zone, volume in own.zones)
    mine = dict(own.room_zones or ())
    return tuple(
        (zone, mine.get(zone, 0) + share_of(volume - sums.rooms.get((room.flat, own.service, zone), 0), part, whole))
        for zone, volume in own.zones
    )
