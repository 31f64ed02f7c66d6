"""Municipal waste (ТКО, разд. XV(1) ПП 354): a twelfth of the year's norm a person (9(1)) or a square metre (9(2))."""

from services.billing.core.lines import Explanation, LineKind
from services.billing.core.month import HouseMonth, Premises, ServiceTerms, VolumeSource
from services.billing.core.parts import Part
from services.billing.core.pricing import price_of
from services.billing.core.quantities import MICRO, amount_of, divide_half_up
from services.billing.core.volumes import NO_ZONE, persons_of

MONTHS_OF_YEAR = 12


def waste_parts(house: HouseMonth, terms: ServiceTerms, premises: Premises) -> tuple[Part, ...]:
    """Return the charge by persons, owners where nobody lives (п. 148(36)), or by area, as the region chose."""
    letter, quantity = ("S", int(premises.area)) if terms.by_area else ("n", persons_of(terms, premises))
    volume = divide_half_up(quantity * terms.norm, MICRO * MONTHS_OF_YEAR)
    if not volume:
        return ()
    price = price_of(terms.zones, NO_ZONE)
    explanation = Explanation(
        formula="9(2)" if terms.by_area else "9(1)",
        inputs=((letter, quantity), ("N_year", int(terms.norm)), ("T", price)),
        source=VolumeSource.NORM,
    )
    amount = amount_of(volume, price)
    return (Part(kind=LineKind.CHARGE, volume=volume, price=price, amount_kopecks=amount, explanation=explanation),)
