"""The demo town's housing stock as files for ``kopeck housing load``: houses, premises, contracts, tariffs and norms of 2026."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kopeck.demo.files import month_text, open_rows
from kopeck.demo.recipients import MAINTENANCE_M2, PAID_TO
from kopeck.demo.tariffs import (
    ANTENNA_FLAT,
    CAPITAL_REPAIR_M2,
    COLD_WATER_M3,
    COLD_WATER_NORM_E2,
    ELECTRICITY_KWH,
    GAS_M3,
    GAS_NORM_M3,
    HEAT_GCAL,
    HEATING_NORM_GCAL_E4,
    HOT_WATER_GCAL_E4,
    HOT_WATER_NORM_E2,
    INTERCOM_FLAT,
    LIFT_M2,
    RENT_M2,
    SEWAGE_M3,
    WASTE_PERSON,
    indexed,
)
from kopeck.demo.town import DIRECT_SERVICES, NAMESPACE, OWN_CREDITORS, House, Resident

REGION = "80"
STOCK_SINCE = "2025-01-01"
PRICES_SINCE, INDEXED_SINCE = "2026-01-01", "2026-10-01"
HEATING_MONTHS = 8
HEATING_DAYS = {202608: 0, 202609: 6, 202610: 31}
COMMON_PERCENT = 22
"""Rooms of the common property, of the area of all premises."""
WASTE_M3_YEAR_E2 = 220
"""Cubic metres of waste a person a year, in hundredths; the tariff in the town is named a person a month."""
NO_HOT_WATER = "no-hot-water"
"""Class of houses that heat their water by gas."""
GAS_WATER_HEATING_M3 = 13
FACT_EVERY = 3
"""Every third house charges the electricity of its common property by its meter; the rest by the norm."""

SERVICES = (
    ("cold_water", "cold_water", "Холодное водоснабжение", "м³", "", ""),
    ("hot_water", "hot_water_two_part", "Горячее водоснабжение", "м³", "", ""),
    ("sewage", "sewage", "Водоотведение", "м³", "cold_water|hot_water", ""),
    ("electricity", "electricity", "Электроснабжение", "кВт·ч", "", ""),
    ("gas", "gas", "Газоснабжение", "м³", "", ""),
    ("heating", "heating", "Отопление", "Гкал", "", ""),
    ("waste", "waste", "Обращение с ТКО", "м³", "", ""),
    ("maintenance", "maintenance", "Содержание жилого помещения", "м²", "", ""),
    ("capital_repair", "capital_repair", "Взнос на капитальный ремонт", "м²", "", ""),
    ("lift", "fixed", "Обслуживание лифта", "м²", "", "true"),
    ("intercom", "fixed", "Домофон", "шт", "", ""),
    ("antenna", "fixed", "Телеантенна", "шт", "", ""),
    ("rent", "fixed", "Плата за наём", "м²", "", "true"),
    ("common_cold_water", "common_cold_water", "Холодная вода на СОИ", "м³", "", ""),
    ("common_electricity", "common_electricity", "Электроэнергия на СОИ", "кВт·ч", "", ""),
)
"""Code, kind, title, unit, base, by_area."""

_COLUMNS = {
    "services": "service,kind,title,unit,base,by_area,valid_from",
    "houses": "house,valid_from,address,region,provider,house_class",
    "house-areas": "house,valid_from,area_all,area_common,source",
    "premises": "house,premises,valid_from,kind",
    "premises-areas": "house,premises,valid_from,area",
    "premises-services": "house,premises,valid_from,services",
    "accounts": "namespace,number,house,premises,valid_from",
    "owners": "house,premises,person,valid_from",
    "residents": "house,premises,valid_from,persons",
    "contracts": "house,service,valid_from,form,recipient,provider",
    "tariffs": "service,valid_from,house,region,supplier,price,component",
    "norms": "service,valid_from,region,house_class,norm,heat,water_heating",
    "heating": "region,valid_from,way,months",
    "heating-days": "region,period,days",
    "common-property": "house,service,valid_from,way",
}
"""Kind -> columns, in the order in which the files refer to one another."""


def write_stock(folder: Path, residents: Iterable[Resident]) -> Mapping[str, Path]:
    """Write the housing stock, a file a kind; kinds in the order in which they are loaded."""
    folder.mkdir(mode=0o700, exist_ok=True)
    files = {kind: folder / f"{kind}.csv" for kind in _COLUMNS}
    with ExitStack() as opened:
        rows = {kind: open_rows(opened, path, _COLUMNS[kind].split(",")) for kind, path in files.items()}
        for kind, row in _town_rows():
            rows[kind].writerow(row)
        for house, members in _by_house(residents):
            for kind, row in _house_rows(house, members):
                rows[kind].writerow(row)
    return files


def services_of(resident: Resident) -> tuple[str, ...]:
    """Return what the premises are served with, in the order of SERVICES."""
    flat, house = resident.flat, resident.house
    has = {
        "hot_water": house.central_hot_water,
        "gas": not house.electric_stove and not resident.is_business,
        "waste": not resident.is_business,
        "capital_repair": not flat.municipal,
        "lift": flat.lift,
        "intercom": flat.intercom,
        "antenna": flat.antenna,
        "rent": flat.municipal,
    }
    return tuple([service for service, *_ in SERVICES if has.get(service, True)])


def _by_house(residents: Iterable[Resident]) -> Iterator[tuple[House, Sequence[Resident]]]:
    """Residents with open accounts, a house at a time."""
    house: House | None = None
    members: list[Resident] = []
    for resident in residents:
        if house is not None and resident.house is not house:
            yield house, members
            members = []
        house = resident.house
        if resident.account.state == "open":
            members.append(resident)
    if house is not None:
        yield house, members


def _town_rows() -> Iterator[tuple[str, Sequence[Any]]]:
    """What holds in the whole town."""
    for row in SERVICES:
        yield "services", (*row, STOCK_SINCE)
    for since, is_indexed in ((PRICES_SINCE, False), (INDEXED_SINCE, True)):
        for service, component, kopecks in _resource_prices(is_indexed):
            yield "tariffs", (service, since, "", REGION, "", _roubles(kopecks), component)
    for service, kopecks in _housing_prices():
        yield "tariffs", (service, PRICES_SINCE, "", REGION, "", _roubles(kopecks), "main")
    for manager, kopecks in MAINTENANCE_M2.items():
        yield "tariffs", ("maintenance", PRICES_SINCE, "", "", manager, _roubles(kopecks), "main")
    for norm in _norms():
        yield "norms", norm
    yield "heating", (REGION, STOCK_SINCE, "even", HEATING_MONTHS)
    for period, days in HEATING_DAYS.items():
        yield "heating-days", (REGION, month_text(period), days)


def _resource_prices(is_indexed: bool) -> Iterator[tuple[str, str, int]]:
    """Service, component and kopecks a unit, before the index of October or after it."""
    prices = [
        ("cold_water", "main", COLD_WATER_M3),
        ("common_cold_water", "main", COLD_WATER_M3),
        ("hot_water", "main", COLD_WATER_M3),
        ("hot_water", "heat", HEAT_GCAL),
        ("sewage", "main", SEWAGE_M3),
        ("electricity", "main", ELECTRICITY_KWH[False]),
        ("common_electricity", "main", ELECTRICITY_KWH[False]),
        ("gas", "main", GAS_M3),
        ("heating", "main", HEAT_GCAL),
        ("waste", "main", WASTE_PERSON * 12 * 100 // WASTE_M3_YEAR_E2),
    ]
    for service, component, kopecks in prices:
        yield service, component, indexed(kopecks) if is_indexed else kopecks


def _housing_prices() -> Iterator[tuple[str, int]]:
    yield "capital_repair", CAPITAL_REPAIR_M2
    yield "lift", LIFT_M2
    yield "rent", RENT_M2
    yield "intercom", INTERCOM_FLAT
    yield "antenna", ANTENNA_FLAT


def _norms() -> Iterator[tuple[str, ...]]:
    """Service, since, region, class of houses, norm, heat a cubic metre, gas to heat water."""

    def norm(service: str, text: str, house_class: str = "", heat: str = "", water_heating: str = "") -> tuple[str, ...]:
        return service, STOCK_SINCE, REGION, house_class, text, heat, water_heating

    yield norm("cold_water", _decimals(COLD_WATER_NORM_E2, 2))
    yield norm("cold_water", _decimals(COLD_WATER_NORM_E2 + HOT_WATER_NORM_E2, 2), NO_HOT_WATER)
    yield norm("hot_water", _decimals(HOT_WATER_NORM_E2, 2), heat=_decimals(HOT_WATER_GCAL_E4, 4))
    yield norm("electricity", "92")
    yield norm("gas", str(GAS_NORM_M3))
    yield norm("gas", str(GAS_NORM_M3), NO_HOT_WATER, water_heating=str(GAS_WATER_HEATING_M3))
    yield norm("heating", _decimals(HEATING_NORM_GCAL_E4 * 12 // HEATING_MONTHS, 4))
    yield norm("waste", _decimals(WASTE_M3_YEAR_E2, 2))
    yield norm("common_cold_water", "0.0264")
    yield norm("common_electricity", "2.82")


def _house_rows(house: House, members: Sequence[Resident]) -> Iterator[tuple[str, Sequence[Any]]]:
    area_e2 = sum(one.flat.area_e2 for one in members)
    house_class = "" if house.central_hot_water else NO_HOT_WATER
    yield "houses", (house.code, STOCK_SINCE, house.address, REGION, house.manager, house_class)
    common = _decimals(area_e2 * COMMON_PERCENT // 100, 2)
    yield "house-areas", (house.code, STOCK_SINCE, _decimals(area_e2, 2), common, "egrn")
    yield "common-property", (house.code, "", STOCK_SINCE, "norm")
    if house.number % FACT_EVERY == 0:
        yield "common-property", (house.code, "common_electricity", STOCK_SINCE, "fact")
    for service in dict.fromkeys(service for one in members for service in services_of(one)):
        yield "contracts", _contract(house, service)
    if house.electric_stove:
        for service in ("electricity", "common_electricity"):
            price = ELECTRICITY_KWH[True]
            yield "tariffs", (service, PRICES_SINCE, house.code, "", "", _roubles(price), "main")
            yield "tariffs", (service, INDEXED_SINCE, house.code, "", "", _roubles(indexed(price)), "main")
    for resident in members:
        yield from _premises_rows(resident)


def _contract(house: House, service: str) -> tuple[str, ...]:
    is_direct = service in OWN_CREDITORS or (house.direct and service in DIRECT_SERVICES)
    recipient = PAID_TO.get(service, house.manager)
    return house.code, service, STOCK_SINCE, "direct" if is_direct else "pass_through", recipient, house.manager


def _premises_rows(resident: Resident) -> Iterator[tuple[str, Sequence[Any]]]:
    place = (resident.house.code, resident.premises)
    yield "premises", (*place, STOCK_SINCE, "non_residential" if resident.is_business else "flat")
    yield "premises-areas", (*place, STOCK_SINCE, _decimals(resident.flat.area_e2, 2))
    yield "premises-services", (*place, STOCK_SINCE, "|".join(services_of(resident)))
    yield "accounts", (NAMESPACE, resident.account.number, *place, STOCK_SINCE)
    yield "owners", (*place, f"owner-{resident.account.number}", STOCK_SINCE)
    if not resident.is_business:
        yield "residents", (*place, STOCK_SINCE, resident.flat.persons)


def _roubles(kopecks: int) -> str:
    return _decimals(kopecks, 2)


def _decimals(number: int, places: int) -> str:
    """Return a whole number of the fraction's units as files have it: (435, 2) is 4.35."""
    whole, part = divmod(number, 10**places)
    return f"{whole}.{part:0{places}d}"
