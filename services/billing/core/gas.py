"""Gas (formula 5 ПП 354): by meter, or by the norms of cooking, heating water and heating rooms."""

from services.billing.core.individual import charged
from services.billing.core.month import HouseMonth, Premises, ServiceTerms, VolumeSource
from services.billing.core.parts import Part
from services.billing.core.quantities import times
from services.billing.core.volumes import NO_ZONE, HouseSums, Taken, house_sums, measured_of, persons_of, taken


def gas_parts(house: HouseMonth, terms: ServiceTerms, premises: Premises, sums: HouseSums | None = None) -> tuple[Part, ...]:
    """Return the charge by meter or average (formulas 1 and 9), else (n × N_cook + n × N_water + S × N_rooms) × T.

    Gas has no increasing coefficient: formula 5 has no place for one. Each of the three volumes is rounded to a millionth.
    """
    if measured_of(terms, premises) is not None:
        return charged(terms, taken(sums or house_sums(house), terms, premises))
    persons = persons_of(terms, premises)
    volume = times(persons, terms.norm) + times(persons, terms.norm_water_heating)
    volume += times(premises.area, terms.norm_space_heating)
    inputs = (
        ("n", persons),
        ("N_cook", int(terms.norm)),
        ("N_water", int(terms.norm_water_heating)),
        ("S", int(premises.area)),
        ("N_rooms", int(terms.norm_space_heating)),
    )
    zones = ((NO_ZONE, volume),)
    return charged(terms, Taken(zones=zones, whole=volume, source=VolumeSource.NORM, formula="5", inputs=inputs))
