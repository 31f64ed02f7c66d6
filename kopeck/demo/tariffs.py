"""Tariffs and norms of the demo town in 2026, and what an earlier billing charged one flat a month by them.

Tariffs are in kopecks a unit; norms and quantities are whole numbers of the fraction named. The town's tariffs for
resources rose on 1 October 2026, as everywhere; its housing prices did not change in the year.
"""

from random import Random

import msgspec

INDEXATION_PER_MILLE = 1098
"""Regional index of 1 October 2026: resources cost 9.8 % more from this month on."""

HEAT_GCAL = 263_266
HEATING_NORM_GCAL_E4 = 186
"""Gcal a square metre a month, in ten-thousandths, spread over the year."""
HOT_WATER_GCAL_E4 = 632
"""Gcal to heat a cubic metre, in ten-thousandths."""
COLD_WATER_M3 = 4_769
SEWAGE_M3 = 3_813
ELECTRICITY_KWH = {False: 557, True: 390}
"""By whether the house cooks by electricity."""
GAS_M3 = 897
GAS_NORM_M3 = 10
WASTE_PERSON = 12_137
COLD_WATER_NORM_E2 = 435
HOT_WATER_NORM_E2 = 318
"""Cubic metres a person a month without a meter, in hundredths."""

LIFT_M2 = 421
CAPITAL_REPAIR_M2 = 1_430
COMMON_COLD_WATER_NORM_E4 = 58
COMMON_ELECTRICITY_NORM_E2 = 62
"""Cubic metres and kWh a square metre of the flat for common property (СОИ)."""
RENT_M2 = 1_288
INTERCOM_FLAT = 6_500
ANTENNA_FLAT = 14_500
INSURANCE_M2 = 215


class Flat(msgspec.Struct, frozen=True, kw_only=True):
    """What a flat's charges depend on; ``area_e2`` is in hundredths of a square metre, ``maintenance_m2`` in kopecks."""

    area_e2: int
    persons: int
    maintenance_m2: int
    electric_stove: bool
    central_hot_water: bool
    water_meters: bool
    lift: bool
    intercom: bool
    antenna: bool
    insured: bool
    municipal: bool


def rounded(numerator: int, denominator: int) -> int:
    """Divide non-negative whole numbers, half up, as a charge is rounded to a kopeck."""
    return (2 * numerator + denominator) // (2 * denominator)


def indexed(tariff: int) -> int:
    """Return a resource's tariff after the index of October."""
    return rounded(tariff * INDEXATION_PER_MILLE, 1000)


def month_charges(flat: Flat, chance: Random) -> dict[str, int]:
    """Charges of a month before October in kopecks by service code; readings are drawn, everything else follows from the flat."""
    charges = _resources(flat, chance) | _housing(flat)
    return {service: amount for service, amount in charges.items() if amount > 0}


def _resources(flat: Flat, chance: Random) -> dict[str, int]:
    cold_e2, hot_e2 = _water_e2(flat, chance)
    charges = {
        "heating": rounded(flat.area_e2 * HEATING_NORM_GCAL_E4 * HEAT_GCAL, 100 * 10_000),
        "cold_water": rounded(cold_e2 * COLD_WATER_M3, 100),
        "sewage": rounded((cold_e2 + hot_e2) * SEWAGE_M3, 100),
        "electricity": _kwh(flat, chance) * ELECTRICITY_KWH[flat.electric_stove],
        "waste": flat.persons * WASTE_PERSON,
    }
    if flat.central_hot_water:
        charges["hot_water"] = rounded(hot_e2 * (10_000 * COLD_WATER_M3 + HOT_WATER_GCAL_E4 * HEAT_GCAL), 100 * 10_000)
    if not flat.electric_stove:
        charges["gas"] = flat.persons * GAS_NORM_M3 * GAS_M3
    return charges


def _housing(flat: Flat) -> dict[str, int]:
    by_area = {
        "maintenance": flat.maintenance_m2,
        "lift": LIFT_M2 if flat.lift else 0,
        "capital_repair": 0 if flat.municipal else CAPITAL_REPAIR_M2,
        "rent": RENT_M2 if flat.municipal else 0,
        "insurance": INSURANCE_M2 if flat.insured else 0,
    }
    common_light = ELECTRICITY_KWH[flat.electric_stove]
    return {service: rounded(flat.area_e2 * price, 100) for service, price in by_area.items()} | {
        "common_cold_water": rounded(flat.area_e2 * COMMON_COLD_WATER_NORM_E4 * COLD_WATER_M3, 100 * 10_000),
        "common_electricity": rounded(flat.area_e2 * COMMON_ELECTRICITY_NORM_E2 * common_light, 100 * 100),
        "intercom": INTERCOM_FLAT if flat.intercom else 0,
        "antenna": ANTENNA_FLAT if flat.antenna else 0,
    }


def _water_e2(flat: Flat, chance: Random) -> tuple[int, int]:
    if not flat.water_meters:
        cold, hot = COLD_WATER_NORM_E2 * flat.persons, HOT_WATER_NORM_E2 * flat.persons
    else:
        cold, hot = (sum(chance.randrange(100, 500, 100) for _ in range(flat.persons)) for _ in range(2))
    return (cold, hot) if flat.central_hot_water else (cold + hot, 0)


def _kwh(flat: Flat, chance: Random) -> int:
    per_person = 95 if flat.electric_stove else 60
    return 40 + flat.persons * per_person + chance.randrange(0, 90)
