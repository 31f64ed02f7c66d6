"""The demo town's meters and readings as files for ``kopeck readings load``: some readings are missing, some late, some wrong."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from kopeck.demo.files import month_text, open_rows
from kopeck.demo.stock import FACT_EVERY
from kopeck.demo.town import PERIODS, House, Resident

INSTALLED_ON, VERIFIED_UNTIL, LAPSED = "2026-04-10", "2031-04-10", "2026-08-31"
EARLIER = (202604, 202605, 202606, 202607)
"""Months before the town's own billing, of which there are readings: the first counts from, the others make an average."""
MISSING, LATE, MISTYPED = 0.04, 0.03, 0.003
"""Chance that a month's reading is not given, comes after the 25th, or is lower than the one before."""
BROKEN, LAPSES, CAN_BE_INSTALLED = 0.01, 0.01, 0.5
"""Chance that a meter breaks in September, that its verification ends in August, that one can be installed where none is."""
BROKE_ON = "2026-09-03"
LOSSES_PERCENT = 6
"""By so much a house takes more power than its premises."""
WATER, POWER = "water", "power"

_COLUMNS = {
    "meters": "meter,house,premises,service,digits,installed,verified_until",
    "events": "meter,event,on,act",
    "possibilities": "house,premises,service,valid_from,possibility",
}
"""Kinds of facts, in the order in which the files refer to one another."""
_READINGS = ("meter", "value", "taken_on", "received_on")
_VOLUMES = ("house", "service", "period", "volume")


class MeterFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Files of meters: ``facts`` by kind, ``earlier`` readings, then ``readings`` and house ``volumes`` by period."""

    facts: Mapping[str, Path]
    earlier: Path
    readings: Mapping[int, Path]
    volumes: Mapping[int, Path]


class _Meter(msgspec.Struct, frozen=True, kw_only=True):
    """A meter of premises, with what it counts a month in thousandths of a unit, by period."""

    code: str
    service: str
    counts: Mapping[int, int]
    is_broken: bool
    is_lapsed: bool


def write_meters(folder: Path, residents: Iterable[Resident], seed: int) -> MeterFiles:
    """Write meters.csv, events.csv, possibilities.csv, readings-YYYY-MM.csv and house-volumes-YYYY-MM.csv."""
    folder.mkdir(mode=0o700, exist_ok=True)
    files = MeterFiles(
        facts={kind: folder / f"{kind}.csv" for kind in _COLUMNS},
        earlier=folder / "readings-earlier.csv",
        readings={period: folder / f"readings-{month_text(period)}.csv" for period in PERIODS},
        volumes={period: folder / f"house-volumes-{month_text(period)}.csv" for period in PERIODS},
    )
    taken: dict[House, dict[int, int]] = {}
    with ExitStack() as opened:
        rows = {kind: open_rows(opened, path, _COLUMNS[kind].split(",")) for kind, path in files.facts.items()}
        earlier = open_rows(opened, files.earlier, _READINGS)
        readings = {period: open_rows(opened, path, _READINGS) for period, path in files.readings.items()}
        for resident in residents:
            if resident.account.state != "open":
                continue
            chance = Random(f"{seed}/{resident.account.number}")
            meters = tuple(_draw_meters(resident, chance))
            for kind, row in _facts(resident, meters, chance):
                rows[kind].writerow(row)
            for period, row in _read(meters, chance):
                (readings.get(period) or earlier).writerow(row)
            _add_power(taken.setdefault(resident.house, {}), meters)
        for period, path in files.volumes.items():
            volumes = open_rows(opened, path, _VOLUMES)
            volumes.writerows(_volume_rows(taken, period))
    return files


def _draw_meters(resident: Resident, chance: Random) -> Iterator[_Meter]:
    flat = resident.flat
    services = [("cold_water", WATER)] if flat.water_meters else []
    if flat.water_meters and resident.house.central_hot_water:
        services.append(("hot_water", WATER))
    for service, what in (*services, ("electricity", POWER)):
        yield _Meter(
            code=f"{resident.account.number}-{service}",
            service=service,
            counts={period: _count(resident, what, chance) for period in (*EARLIER, *PERIODS)},
            is_broken=chance.random() < BROKEN,
            is_lapsed=chance.random() < LAPSES,
        )


def _count(resident: Resident, what: str, chance: Random) -> int:
    """What a meter counts a month, in thousandths of a cubic metre or kWh."""
    if what == WATER:
        whole = 2 if not resident.house.central_hot_water else 1
        return whole * sum(chance.randint(1_500, 3_900) for _ in range(resident.flat.persons))
    a_person = 95_000 if resident.flat.electric_stove else 60_000
    return 40_000 + resident.flat.persons * a_person + chance.randrange(0, 90_000)


def _facts(resident: Resident, meters: Sequence[_Meter], chance: Random) -> Iterator[tuple[str, Sequence[Any]]]:
    place = (resident.house.code, resident.premises)
    for meter in meters:
        until = LAPSED if meter.is_lapsed else VERIFIED_UNTIL
        yield "meters", (meter.code, *place, meter.service, 6, INSTALLED_ON, until)
        if meter.is_broken:
            yield "events", (meter.code, "broken", BROKE_ON, f"акт {chance.randint(100, 999)} от {BROKE_ON}")
    if not resident.flat.water_meters and chance.random() < CAN_BE_INSTALLED:
        yield "possibilities", (*place, "cold_water", INSTALLED_ON, "possible")


def _read(meters: Sequence[_Meter], chance: Random) -> Iterator[tuple[int, Sequence[Any]]]:
    """Readings of the premises by the period of their day; a meter that broke is read no more."""
    for meter in meters:
        value = chance.randint(10_000, 300_000)
        for period in (*EARLIER, *PERIODS):
            value += meter.counts[period]
            if meter.is_broken and period > PERIODS[0]:
                break
            day = chance.randint(18, 24)
            fate = chance.random() if period in PERIODS else 1.0
            if fate < MISSING:
                continue
            received = 27 if fate < MISSING + LATE else day
            shown = value - 2 * meter.counts[period] if fate > 1 - MISTYPED and period in PERIODS and fate < 1 else value
            text = month_text(period)
            yield period, (meter.code, f"{shown // 1000}.{shown % 1000:03d}", f"{text}-{day:02d}", f"{text}-{received:02d}")


def _add_power(taken: dict[int, int], meters: Sequence[_Meter]) -> None:
    for meter in meters:
        if meter.service == "electricity":
            for period, count in meter.counts.items():
                taken[period] = taken.get(period, 0) + count


def _volume_rows(taken: Mapping[House, Mapping[int, int]], period: int) -> Iterator[Sequence[Any]]:
    """What the meters of houses say that charge their common property by them."""
    for house, power in taken.items():
        if house.number % FACT_EVERY == 0:
            volume = power[period] * (100 + LOSSES_PERCENT) // 100
            yield house.code, "electricity", month_text(period), f"{volume // 1000}.{volume % 1000:03d}"
