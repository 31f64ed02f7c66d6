"""What one premises took of a service: by its meter, by the average, or by the norm; and what a house sums up once for it."""

from collections.abc import Mapping

import msgspec

from services.billing.core.common_property import counted_persons
from services.billing.core.communal import CommunalSums, Zones, communal_sums, flat_persons, has_room_meters, room_zones
from services.billing.core.month import (
    HouseMonth,
    Individual,
    Premises,
    PremisesKind,
    ServiceKind,
    ServiceTerms,
    VolumeSource,
)
from services.billing.core.quantities import MICRO, times

MEASURED = (VolumeSource.METER, VolumeSource.AVERAGE)
NO_ZONE = 0


class HouseSums(msgspec.Struct, frozen=True, kw_only=True):
    """Computed once a house: its services by code, its communal flats, and ΣV of hot water made in the house, by service."""

    services: Mapping[str, ServiceTerms]
    communal: CommunalSums
    boiler_volumes: Mapping[str, int]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A premises' volume of a service by zones, in millionths.

    ``whole`` is the volume that ranges of consumption go by: the flat's, where the premises is a room of one. ``inputs`` are the
    formula's letters without the price. ``coefficient`` is MICRO unless the norm is raised.
    """

    zones: Zones
    whole: int
    source: VolumeSource
    formula: str
    inputs: tuple[tuple[str, int], ...]
    coefficient: int = MICRO

    @property
    def volume(self) -> int:
        """All zones together."""
        return sum(volume for _, volume in self.zones)


def house_sums(house: HouseMonth) -> HouseSums:
    """Return the sums of a house. Premises billed by another creditor count as any other."""
    services = {terms.service: terms for terms in house.services}
    sums = HouseSums(services=services, communal=communal_sums(house.premises), boiler_volumes={})
    boilers = [terms for terms in house.services if terms.kind is ServiceKind.HOT_WATER_OWN]
    volumes = {
        terms.service: sum(taken(sums, terms, premises).volume for premises in house.premises if is_served(terms, premises))
        for terms in boilers
    }
    return msgspec.structs.replace(sums, boiler_volumes=volumes)


def is_served(terms: ServiceTerms, premises: Premises) -> bool:
    """Tell whether the premises has the service at all."""
    return premises.services is None or terms.service in premises.services


def persons_of(terms: ServiceTerms, premises: Premises) -> int:
    """Return the persons that a norm is multiplied by, a ratio; non-residential premises have no norm a person."""
    return 0 if premises.kind is PremisesKind.NON_RESIDENTIAL else counted_persons(terms, premises)


def measured_of(terms: ServiceTerms, premises: Premises) -> Individual | None:
    """Return the volume by meter or average, None on a norm rung or without any word of it."""
    own = individual_of(terms, premises)
    return own if own is not None and own.source in MEASURED else None


def individual_of(terms: ServiceTerms, premises: Premises) -> Individual | None:
    """Return what is known of the premises' own volume; nothing known means the norm."""
    return next((own for own in premises.individual if own.service == terms.service), None)


def taken(sums: HouseSums, terms: ServiceTerms, premises: Premises) -> Taken:
    """Return the volume by formula 1, 4 or 4(1), or a room's part of it by 7 or 9.

    The norm is rounded once, without the coefficient: that is money, not water.
    """
    own = individual_of(terms, premises)
    if own is not None and own.source in MEASURED:
        is_room = premises.kind is PremisesKind.COMMUNAL_ROOM
        return _of_room(sums.communal, terms, premises, own) if is_room else _of_flat(own)
    is_raised = own is not None and own.source is VolumeSource.NORM_RAISED and terms.coefficient > MICRO
    persons = persons_of(terms, premises)
    volume = times(persons, terms.norm)
    is_room = premises.kind is PremisesKind.COMMUNAL_ROOM and bool(terms.ranges)
    return Taken(
        zones=((NO_ZONE, volume),),
        whole=times(flat_persons(sums.communal, terms, premises), terms.norm) if is_room else volume,
        source=VolumeSource.NORM_RAISED if is_raised else VolumeSource.NORM,
        formula="4(1)" if is_raised else "4",
        inputs=(("n", persons), ("N", terms.norm), *((("K", int(terms.coefficient)),) if is_raised else ())),
        coefficient=terms.coefficient if is_raised else MICRO,
    )


def _of_flat(own: Individual) -> Taken:
    volume = own.volume
    return Taken(zones=own.zones, whole=volume, source=own.source, formula="1", inputs=(("V", volume),))


def _of_room(sums: CommunalSums, terms: ServiceTerms, room: Premises, own: Individual) -> Taken:
    zones = room_zones(sums, terms, room, own)
    inputs = [("V", sum(volume for _, volume in zones)), ("V_flat", own.volume)]
    inputs += [("n_room", counted_persons(terms, room)), ("n_flat", flat_persons(sums, terms, room))]
    formula = "7" if terms.kind is ServiceKind.ELECTRICITY else "9"
    if has_room_meters(sums, own, room):
        formula = "комнатный прибор"
        inputs.append(("V_room", sum(volume for _, volume in own.room_zones or ())))
    return Taken(zones=zones, whole=own.volume, source=own.source, formula=formula, inputs=tuple(inputs))
