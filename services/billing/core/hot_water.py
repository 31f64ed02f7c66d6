"""Hot water of two components (formulas 23, 24) and of the house's own boiler (formula 20, п. 54 ПП 354).

One-component hot water is charged as cold water is: ``individual.py``.
"""

from msgspec.structs import replace

from services.billing.core.individual import charged
from services.billing.core.lines import Explanation, LineKind
from services.billing.core.month import HouseMonth, Premises, ServiceTerms, Zone
from services.billing.core.parts import Part
from services.billing.core.pricing import Cell, priced, with_raised
from services.billing.core.quantities import share_of, times
from services.billing.core.volumes import NO_ZONE, HouseSums, Taken, house_sums, taken


def hot_water_parts(
    house: HouseMonth, terms: ServiceTerms, premises: Premises, sums: HouseSums | None = None
) -> tuple[Part, ...]:
    """Return the cold component (CHARGE) and heat (HEAT), and what the coefficient adds to each.

    Heat is always the approved norm a cubic metre, whatever the house's meter says (Supreme Court). ``zones`` hold the price of
    the cold component, ``heat_price`` that of a Gcal.
    """
    took = taken(sums or house_sums(house), terms, premises)
    formula = "23" if took.formula == "1" else "24"
    cold = charged(terms, took, formula)
    if not cold:
        return ()
    heat = Cell(name="", volume=times(took.volume, terms.heat_norm), price=terms.heat_price)
    inputs = (*took.inputs, ("q", terms.heat_norm), ("T_heat", terms.heat_price))
    return _ordered(cold, _heat((heat,), took, formula, inputs))


def own_hot_water_parts(
    house: HouseMonth, terms: ServiceTerms, premises: Premises, sums: HouseSums | None = None
) -> tuple[Part, ...]:
    """Return the cold water (CHARGE, at ``cold_price``) and the premises' part of what was burnt (HEAT): V_i of ΣV.

    Each resource's part is rounded to a millionth. Nothing burnt, or nothing taken in the house, makes no heat.
    """
    sums = sums or house_sums(house)
    took = taken(sums, terms, premises)
    cold = charged(_at_cold_price(terms), took, "20")
    fuel = next((row.fuel for row in house.house_volumes if row.service == terms.service), ())
    whole = sums.boiler_volumes[terms.service]
    if not cold or not fuel or whole <= 0:
        return cold
    cells = tuple(
        Cell(name=str(number), volume=share_of(burnt, took.volume, whole), price=price)
        for number, (burnt, price) in enumerate(fuel, start=1)
    )
    inputs = [*took.inputs, ("V_i", took.volume), ("ΣV", whole)]
    for cell, (burnt, price) in zip(cells, fuel, strict=True):
        inputs += [(f"V_{cell.name}", burnt), (f"V_{cell.name}i", cell.volume), (f"T_{cell.name}", price)]
    return _ordered(cold, _heat(cells, took, "20", tuple(inputs)))


def _at_cold_price(terms: ServiceTerms) -> ServiceTerms:
    return replace(terms, zones=(Zone(zone=NO_ZONE, price=terms.cold_price),), ranges=())


def _heat(cells: tuple[Cell, ...], took: Taken, formula: str, inputs: tuple[tuple[str, int], ...]) -> tuple[Part, ...]:
    explanation = Explanation(formula=formula, inputs=inputs, source=took.source)
    parts = with_raised(priced(LineKind.HEAT, cells, explanation), cells, took.coefficient)
    # Volumes of different resources are not to be added up.
    return parts if len(cells) == 1 else tuple(replace(part, volume=0, price=0) for part in parts)


def _ordered(cold: tuple[Part, ...], heat: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return both charges first, then what the coefficient adds to each."""
    return (*cold[:1], *heat[:1], *cold[1:], *heat[1:])
