"""Cold water, electricity, one-component hot water and sewage inside the premises (formulas 1, 4, 4(1), 7, 9; п. 42 ПП 354)."""

from services.billing.core.lines import Explanation, LineKind
from services.billing.core.month import HouseMonth, Premises, ServiceTerms, VolumeSource
from services.billing.core.parts import Part
from services.billing.core.pricing import cells_of, price_inputs, priced, with_raised
from services.billing.core.volumes import MEASURED, HouseSums, Taken, house_sums, is_served, measured_of, taken


def individual_parts(
    house: HouseMonth, terms: ServiceTerms, premises: Premises, sums: HouseSums | None = None
) -> tuple[Part, ...]:
    """Return the charge by meter, average or norm, and what the increasing coefficient adds, apart.

    A meter that says nothing was taken makes a charge of nothing; a norm of nobody makes none. ``sums`` are made once a house by
    ``house_sums(house)``; without them they are made here.
    """
    return charged(terms, taken(sums or house_sums(house), terms, premises))


def charged(terms: ServiceTerms, took: Taken, formula: str = "") -> tuple[Part, ...]:
    """Return the CHARGE of a volume and, where the norm is raised, its RAISED part; ``formula`` in place of the volume's own."""
    if not took.volume and took.source not in MEASURED:
        return ()
    cells = cells_of(terms, took)
    inputs = (*took.inputs, *price_inputs(cells))
    explanation = Explanation(formula=formula or took.formula, inputs=inputs, source=took.source)
    return with_raised(priced(LineKind.CHARGE, cells, explanation), cells, took.coefficient)


def sewage_parts(house: HouseMonth, terms: ServiceTerms, premises: Premises, sums: HouseSums | None = None) -> tuple[Part, ...]:
    """Return sewage: by its own meter, else the volumes of the ``base`` services it has, by meter or norm, without coefficients.

    N_sew is the sum of the norms of cold and hot water, so a premises with one of them metered mixes both. Where the premises has
    none of the base services, sewage has its own norm.
    """
    sums = sums or house_sums(house)
    waters = [sums.services[code] for code in terms.base if code in sums.services and is_served(sums.services[code], premises)]
    if not waters or measured_of(terms, premises) is not None:
        return individual_parts(house, terms, premises, sums)
    took = [taken(sums, water, premises) for water in waters]
    volume = sum(each.volume for each in took)
    sources = {VolumeSource.NORM if each.source is VolumeSource.NORM_RAISED else each.source for each in took}
    formulas = {"4" if each.formula == "4(1)" else each.formula for each in took}
    together = Taken(
        zones=((0, volume),),
        whole=volume,
        # The least certain of the sources: what is partly by the norm is not by meters.
        source=max(sources),
        formula=formulas.pop() if len(formulas) == 1 else "водоотведение",
        inputs=(("V", volume), *((f"V_{water.service}", each.volume) for water, each in zip(waters, took, strict=True))),
    )
    return charged(terms, together)
