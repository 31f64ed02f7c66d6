"""What is not a utility: maintenance (ст. 156 ЖК), capital repair (ст. 169 ЖК), and prices by contract."""

from services.billing.core.lines import Explanation, LineKind
from services.billing.core.month import HouseMonth, Premises, ServiceKind, ServiceTerms
from services.billing.core.parts import Part
from services.billing.core.pricing import price_of
from services.billing.core.quantities import MICRO, amount_of
from services.billing.core.sharing import sharers
from services.billing.core.volumes import NO_ZONE

NAMES = {ServiceKind.MAINTENANCE: "содержание", ServiceKind.CAPITAL_REPAIR: "капремонт", ServiceKind.FIXED: "договор"}


def dwelling_parts(house: HouseMonth, terms: ServiceTerms, premises: Premises) -> tuple[Part, ...]:
    """Return area × rate; a FIXED service that is not by area is its price for every account that is charged for it."""
    is_by_account = terms.kind is ServiceKind.FIXED and not terms.by_area
    letter, volume = ("accounts", len(sharers(terms, premises)) * MICRO) if is_by_account else ("S", int(premises.area))
    if not volume:
        return ()
    price = price_of(terms.zones, NO_ZONE)
    explanation = Explanation(formula=NAMES[terms.kind], inputs=((letter, volume), ("T", price)))
    amount = amount_of(volume, price)
    return (Part(kind=LineKind.CHARGE, volume=volume, price=price, amount_kopecks=amount, explanation=explanation),)
