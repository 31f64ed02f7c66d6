"""Heating (отопление, п. 42(1) and 43 ПП 354): by the norm, by the house's meter, and by the house's own boiler.

With a house meter there is one form for every case, and only V_i differs (formulas 3, 3(1), 3(3) with 3(6), 3(7)):
P_i = (V_i + S_i × (V_house − ΣV_i) / S_all) × T. What the whole house has in common is summed once, by ``heating_sums``.
"""

from collections.abc import Mapping

import msgspec

from services.billing.core.flats import Flat, flat_area, flats_of, room_share
from services.billing.core.lines import Explanation, LineKind
from services.billing.core.month import HeatingWay, HouseMonth, Individual, Premises, ServiceTerms, VolumeSource
from services.billing.core.parts import Part
from services.billing.core.quantities import MICRO, MICRO_PER_KOPECK, amount_of, divide_half_up, share_of, times

MONTHS_OF_YEAR = 12
COMMON_ONLY = "помещение без приборов отопления: только тепло на общедомовые нужды"
MEASURED = (VolumeSource.METER, VolumeSource.AVERAGE)


class HeatingSums(msgspec.Struct, frozen=True, kw_only=True):
    """What a house's heating has in common, volumes in millionths of a Gcal, areas of a square metre.

    ``volume`` is None without a house meter. ``heated_area`` is S_all − S_auto + S_com; ``common_volume`` is V_house − ΣV_i and
    may be negative, when flats' meters say more than the house's. ``formula`` is chosen by how many heated premises are metered.
    """

    volume: int | None
    heated_area: int
    flats_volume: int
    common_volume: int
    formula: str
    flats: Mapping[str, Flat]


def is_heating_charged(terms: ServiceTerms) -> bool:
    """Tell whether the month is charged at all: the even way charges all the year, the seasonal only the heating period."""
    return terms.heating_way is HeatingWay.EVEN or terms.is_heating_month


def heating_sums(house: HouseMonth, terms: ServiceTerms) -> HeatingSums:
    """Return the house's sums of the month. Premises billed for heat by another creditor count as any other."""
    flats = flats_of(house.premises)
    heated_area = heated_area_of(house)
    volume = next((row.volume for row in house.house_volumes if row.service == terms.service), None)
    heated = [premises for premises in house.premises if not premises.is_without_heating]
    metered = sum(_measured(premises, terms) is not None for premises in heated)
    sums = HeatingSums(
        volume=volume,
        heated_area=heated_area,
        flats_volume=0,
        common_volume=0,
        formula="3" if not metered else "3(3)" if metered == len(heated) else "3(1)",
        flats=flats,
    )
    if volume is None:
        return sums
    flats_volume = sum(_own_volume(sums, terms, premises) for premises in house.premises)
    return msgspec.structs.replace(sums, flats_volume=flats_volume, common_volume=volume - flats_volume)


def charged_heat(house: HouseMonth, service: str, premises: str) -> int:
    """Return the volume of heat that premises are charged: by area or by the norm, without what the coefficient adds.

    A later reading of their meter is settled with that of a month by the norm (п. 61). Nothing out of season.
    """
    terms = next((one for one in house.services if one.service == service), None)
    mine = [one for one in house.premises if one.premises == premises]
    if terms is None:
        return 0
    sums = heating_sums(house, terms)
    parts = [part for one in mine for part in heating_parts(house, terms, one, sums)]
    return sum(part.volume for part in parts if part.kind is LineKind.CHARGE)


def heated_area_of(house: HouseMonth) -> int:
    """Return S_all − S_auto + S_com."""
    without = sum(premises.area for premises in house.premises if premises.is_without_heating)
    return house.area_all - without + house.area_common


def heating_parts(
    house: HouseMonth, terms: ServiceTerms, premises: Premises, sums: HeatingSums | None = None
) -> tuple[Part, ...]:
    """Return the charge of one premises for one month, and what the increasing coefficient adds, apart.

    ``sums`` are ``heating_sums(house, terms)``, made once a house; without them they are made here.
    """
    if not is_heating_charged(terms):
        return ()
    sums = sums or heating_sums(house, terms)
    if sums.volume is not None:
        return (_by_house_meter(house, terms, premises, sums),)
    if premises.is_without_heating:
        return ()
    return _by_norm(terms, premises, sums)


def _by_norm(terms: ServiceTerms, premises: Premises, sums: HeatingSums) -> tuple[Part, ...]:
    """Formulas 2 and 2(3), with the coefficient 2(1) and 2(4)."""
    is_even = terms.heating_way is HeatingWay.EVEN
    months = terms.heating_months if is_even else MONTHS_OF_YEAR
    part, whole = room_share(sums.flats, premises)
    area = flat_area(sums.flats, premises)
    volume = divide_half_up(area * part * terms.norm * months, MICRO * MONTHS_OF_YEAR * whole)
    is_raised = terms.is_house_meter_due and terms.coefficient > MICRO
    price = _price(terms)
    inputs = [("S_i", area * part // whole), ("N", terms.norm), ("T", price)]
    inputs += [("months", months)] if is_even else []
    formula = {(False, False): "2", (False, True): "2(1)", (True, False): "2(3)", (True, True): "2(4)"}[is_even, is_raised]
    source = VolumeSource.NORM_RAISED if is_raised else VolumeSource.NORM
    parts = [_part(LineKind.CHARGE, volume, price, Explanation(formula=formula, inputs=tuple(inputs), source=source))]
    if is_raised:
        inputs.append(("K", terms.coefficient))
        raised = Explanation(formula=formula, inputs=tuple(inputs), source=source)
        total = _part(LineKind.RAISED, times(volume, terms.coefficient), price, raised)
        added = total.amount_kopecks - parts[0].amount_kopecks
        parts.append(msgspec.structs.replace(total, volume=total.volume - volume, amount_kopecks=added))
    return tuple(parts)


def _by_house_meter(house: HouseMonth, terms: ServiceTerms, premises: Premises, sums: HeatingSums) -> Part:
    assert sums.volume is not None, "a house meter's volume"
    own = _own_volume(sums, terms, premises)
    part, whole = room_share(sums.flats, premises)
    area = flat_area(sums.flats, premises)
    common = divide_half_up(area * part * sums.common_volume, whole * house.area_all)
    measured = None if premises.is_without_heating else _measured(premises, terms)
    inputs = (
        ("V_i", own),
        ("S_i", area * part // whole),
        ("V_house", sums.volume),
        ("ΣV_i", sums.flats_volume),
        ("S_all", house.area_all),
        ("S_heated", sums.heated_area),
        ("T", _price(terms)),
    )
    explanation = Explanation(
        formula=sums.formula,
        inputs=inputs,
        source=measured.source if measured else None,
        note=COMMON_ONLY if premises.is_without_heating else "",
    )
    return _part(LineKind.CHARGE, own + common, _price(terms), explanation)


def _own_volume(sums: HeatingSums, terms: ServiceTerms, premises: Premises) -> int:
    """Return V_i: nothing without heating devices, the meter's, or the area's by formulas 3(6) and 3(7)."""
    if premises.is_without_heating:
        return 0
    part, whole = room_share(sums.flats, premises)
    measured = _measured(premises, terms)
    if measured is not None:
        return share_of(measured.volume, part, whole)
    assert sums.volume is not None, "a house meter's volume"
    return divide_half_up(flat_area(sums.flats, premises) * part * sums.volume, whole * sums.heated_area)


def _measured(premises: Premises, terms: ServiceTerms) -> Individual | None:
    """Return what the premises' own meter says; premises on a norm rung are unmetered here (п. 42(1))."""
    return next((own for own in premises.individual if own.service == terms.service and own.source in MEASURED), None)


def own_heating_parts(
    house: HouseMonth, terms: ServiceTerms, premises: Premises, sums: HeatingSums | None = None
) -> tuple[Part, ...]:
    """Return the charge for heat of the house's own boiler: each resource burnt by area (formula 18, п. 54), once rounded.

    Where some premises have no heating devices the resources are shared as a house meter's heat is (Constitutional Court 46-П);
    with none such it comes to S_i / S_all exactly.
    """
    fuel = next((row.fuel for row in house.house_volumes if row.service == terms.service), ())
    if not fuel or not is_heating_charged(terms):
        return ()
    sums = sums or heating_sums(house, terms)
    part, whole = room_share(sums.flats, premises)
    area = flat_area(sums.flats, premises) * part
    # Of each resource: S_i/S_heated for a heated one, and S_i/S_all of the rest, S_com/S_heated, for everybody.
    taken = house.area_common + (0 if premises.is_without_heating else house.area_all)
    shares = [divide_half_up(area * burnt * taken, whole * house.area_all * sums.heated_area) for burnt, _ in fuel]
    products = sum(share * price for share, (_, price) in zip(shares, fuel, strict=True))
    inputs = [("S_i", area // whole), ("S_all", house.area_all), ("S_heated", sums.heated_area)]
    for number, ((burnt, price), share) in enumerate(zip(fuel, shares, strict=True), start=1):
        inputs += [(f"V_{number}", burnt), (f"V_{number}i", share), (f"T_{number}", price)]
    single = len(fuel) == 1
    return (
        Part(
            kind=LineKind.CHARGE,
            volume=shares[0] if single else 0,
            price=fuel[0][1] if single else 0,
            amount_kopecks=divide_half_up(products, MICRO * MICRO_PER_KOPECK),
            explanation=Explanation(formula="18", inputs=tuple(inputs), note=COMMON_ONLY if premises.is_without_heating else ""),
        ),
    )


def _price(terms: ServiceTerms) -> int:
    assert len(terms.zones) == 1, "heat has one price"
    return terms.zones[0].price


def _part(kind: LineKind, volume: int, price: int, explanation: Explanation) -> Part:
    return Part(kind=kind, volume=volume, price=price, amount_kopecks=amount_of(volume, price), explanation=explanation)
