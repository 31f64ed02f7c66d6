"""Resources for the common property (КР на СОИ, п. 29–29(5) Правил 491; ОДН by ПП 354 alike): by norm, by average, by fact.

What the whole house takes is found once, by ``common_sums``; a premises pays its part of it by area. By fact it is what the
house's meter says less what all premises took: by meter, average and norm alike.
"""

from collections.abc import Mapping

import msgspec

from services.billing.core.flats import Flat, counts_for_flat, flat_area, flats_of, room_share
from services.billing.core.heating_year import Span, correction, cost_of, span_inputs
from services.billing.core.lines import Explanation, LineKind
from services.billing.core.month import CommonWay, HouseMonth, Premises, PremisesKind, ServiceKind, ServiceTerms, VolumeSource
from services.billing.core.parts import Part
from services.billing.core.quantities import MICRO, amount_of, divide_half_up, times

NO_HOUSE_METER = "нет объёма по общедомовому прибору: по нормативу"
HOT_WATERS = (ServiceKind.HOT_WATER, ServiceKind.HOT_WATER_TWO_PART, ServiceKind.HOT_WATER_OWN)
LIMITED = "сверх норматива не распределяется: расход исполнителя"
RETURNED = "показания помещений больше общедомового прибора: возвращается по площади"


class CommonSums(msgspec.Struct, frozen=True, kw_only=True):
    """A house's common volume of one service in the month, in millionths of its unit; ``volume`` is what is shared by area.

    ``measured`` is the common volume before its limit, None by norm; ``limit`` is N × S_com.
    """

    formula: str
    volume: int
    measured: int | None
    limit: int
    house_volume: int
    premises_volume: int
    note: str
    flats: Mapping[str, Flat]


def common_sums(house: HouseMonth, terms: ServiceTerms) -> CommonSums:
    """Return the house's common volume. Without a volume to go by, average and fact fall back to the norm."""
    limit = times(house.area_common, terms.norm)
    flats = flats_of(house.premises)
    said = {row.service: int(row.volume) for row in house.house_volumes if row.volume is not None}
    own = said.get(terms.service)
    if terms.common_way is CommonWay.NORM:
        return _sums(flats, limit, formula="СОИ-норматив", volume=limit)
    if terms.common_way is CommonWay.AVERAGE or own is not None:
        # A meter of the common property alone, or the monthly average of what it took.
        formula = "СОИ-среднее" if terms.common_way is CommonWay.AVERAGE else "СОИ-факт"
        return _limited(_sums(flats, limit, formula=formula, measured=own), terms)
    by_meter = _base_volume(house, terms, said)
    if by_meter is None:
        return _limited(_sums(flats, limit, formula="СОИ-факт"), terms)
    taken = premises_volume(house, terms)
    fact = _sums(flats, limit, formula="СОИ-факт", measured=by_meter - taken)
    return _limited(msgspec.structs.replace(fact, house_volume=by_meter, premises_volume=taken), terms)


def _sums(flats: Mapping[str, Flat], limit: int, *, formula: str, volume: int = 0, measured: int | None = None) -> CommonSums:
    return CommonSums(
        formula=formula,
        volume=volume,
        measured=measured,
        limit=limit,
        house_volume=0,
        premises_volume=0,
        note="",
        flats=flats,
    )


def _limited(sums: CommonSums, terms: ServiceTerms) -> CommonSums:
    if sums.measured is None:
        return msgspec.structs.replace(sums, volume=sums.limit, formula="СОИ-норматив", note=NO_HOUSE_METER)
    volume = limited_volume(sums.measured, sums.limit, is_above_norm_shared=terms.is_above_norm_shared)
    note = RETURNED if volume < 0 else LIMITED if volume < sums.measured else ""
    return msgspec.structs.replace(sums, volume=volume, note=note)


def limited_volume(measured: int, limit: int, *, is_above_norm_shared: bool) -> int:
    """Return what of a common volume is shared: no more than the norm unless the owners decided so; a negative one whole."""
    return measured if is_above_norm_shared else min(measured, limit)


def common_parts(house: HouseMonth, terms: ServiceTerms, premises: Premises, sums: CommonSums | None = None) -> tuple[Part, ...]:
    """Return the COMMON charge of one premises, negative where volume is returned; ``sums`` are made once a house."""
    sums = sums or common_sums(house, terms)
    assert len(terms.zones) == 1, "the common property has one price"
    price = terms.zones[0].price
    part, whole = room_share(sums.flats, premises)
    area = flat_area(sums.flats, premises) * part
    volume = divide_half_up(area * sums.volume, whole * house.area_all)
    if not volume:
        return ()
    inputs = [("S_i", area // whole), ("S_all", house.area_all), ("V_common", sums.volume), ("T", price)]
    if sums.formula == "СОИ-норматив":
        inputs += [("N", terms.norm), ("S_com", house.area_common)]
    else:
        inputs += [("V_house", sums.house_volume), ("ΣV_i", sums.premises_volume), ("V_norm", sums.limit)]
    explanation = Explanation(formula=sums.formula, inputs=tuple(inputs), note=sums.note)
    return (
        Part(
            kind=LineKind.COMMON,
            volume=volume,
            price=price,
            amount_kopecks=amount_of(volume, price),
            explanation=explanation,
        ),
    )


def _base_volume(house: HouseMonth, terms: ServiceTerms, said: Mapping[str, int]) -> int | None:
    """Return what house meters of the base services say together; None where one of them says nothing.

    Otherwise what premises took of them all would be taken off a part, and the rest returned. Hot water made in the house needs
    no meter of its own: the cold water for it stands in the cold water's; so it is meant where common cold water names it.
    """
    bases = [one for one in house.services if one.service in terms.base]
    is_cold = terms.kind is ServiceKind.COMMON_COLD_WATER
    within = HOT_WATERS if is_cold else (ServiceKind.HOT_WATER_OWN,)
    found = [said.get(one.service) for one in bases if one.kind not in within or one.service in said]
    return None if not found or None in found else sum(volume or 0 for volume in found)


def premises_volume(house: HouseMonth, terms: ServiceTerms) -> int:
    """Return what all premises took of the base services, a communal flat's own meter counted once."""
    flats = flats_of(house.premises)
    bases = [base for base in house.services if base.service in terms.base]
    return sum(individual_volume(flats, base, premises) for base in bases for premises in house.premises)


def individual_volume(flats: Mapping[str, Flat], base: ServiceTerms, premises: Premises) -> int:
    """Return the premises' volume of a base service for the house's balance: the norm rungs without the coefficient.

    The increasing coefficient is money, not water. Where nobody lives the owners are counted (п. 56(2)); non-residential premises
    have no norm a person.
    """
    if premises.services is not None and base.service not in premises.services:
        return 0
    own = next((row for row in premises.individual if row.service == base.service), None)
    if own is not None and own.source in (VolumeSource.METER, VolumeSource.AVERAGE):
        return own.volume if counts_for_flat(flats, premises) else 0
    if premises.kind is PremisesKind.NON_RESIDENTIAL:
        return 0
    return times(base.norm, counted_persons(base, premises))


def counted_persons(terms: ServiceTerms, premises: Premises) -> int:
    """Return the persons a service is charged for, a ratio: residents, or owners where nobody lives (п. 56(2), п. 148(36))."""
    if premises.residents or not terms.is_payable_by_absent_owners:
        return premises.residents
    return premises.owners * MICRO


class CommonYearPremises(msgspec.Struct, frozen=True, kw_only=True):
    """One premises of the year and what was charged for its common property, kopecks."""

    premises: str
    area: int
    charged_kopecks: int


class CommonYear(msgspec.Struct, frozen=True, kw_only=True):
    """A house's year of one service, or the part of it up to a change of the provider; ``of_period`` is its last month.

    ``spans`` are the common volumes by fact (the house's meter less premises) at each price; ``limits`` the norm's volumes of
    the same spans. The limit is of the year together: a month above it is made up for by a month below.
    """

    of_period: int
    spans: tuple[Span, ...]
    limits: tuple[int, ...]
    area_all: int
    premises: tuple[CommonYearPremises, ...]
    is_above_norm_shared: bool = False


def yearly_common_correction(year: CommonYear) -> tuple[tuple[str, Part], ...]:
    """Return (premises, CORRECTION): the year by fact within the norm less what was charged (п. 29(2)–29(5) Правил 491).

    A year above the norm is charged its norm in every span; a negative year is returned whole.
    """
    assert len(year.limits) == len(year.spans), "a norm for every span"
    fact, limit = sum(span.volume for span in year.spans), sum(year.limits)
    shared = limited_volume(fact, limit, is_above_norm_shared=year.is_above_norm_shared)
    volumes = [span.volume if shared == fact else norm for span, norm in zip(year.spans, year.limits, strict=True)]
    found = []
    for row in year.premises:
        own = [divide_half_up(row.area * volume, year.area_all) for volume in volumes]
        due = cost_of(own, year.spans)
        inputs = (*span_inputs(own, year.spans), ("V_fact", fact), ("V_norm", limit))
        found.append((row.premises, correction("СОИ-год", due, row.charged_kopecks, inputs, year.of_period)))
    return tuple((premises, part) for premises, part in found if part.amount_kopecks)
