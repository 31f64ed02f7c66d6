"""Taking readings, wherever they come from: each is judged once by ``core/plausibility.py`` and kept with its verdict.

The same reading twice is one: meter, zone, day and value say which it is. Intakes exclude one another while they judge, so that
two at once come to what one after the other would.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any

import asyncpg
import msgspec

from ledger.statements import load_statements
from services.billing.core.law import Law
from services.billing.core.meters import ENDS, EventKind, segments_of
from services.billing.core.periods import month_number, period_of
from services.billing.core.plausibility import MESSAGES, Counted, Dial, Given, Judgement, Limits, Verdict, counting_period, judge
from services.billing.core.quantities import Volume
from services.billing.readings.lives import life_of, zones_of
from services.reference.loading import Connection

_SQL = load_statements("services/billing/readings/intake.sql")

NEIGHBOURS_MAX = 8
"""So many of the last readings of a meter are looked at; one older than all of them is for a person."""
CHUNK_READINGS = 20_000
PARKED_ZONE = "такой зоны у прибора учёта нет"
WITHDRAWN_METER = "прибор учёта удалён из учёта"
BY_ACT = ("act", "inspector")
"""Taken by the provider itself: for these there is no window (п. 61)."""


class Source(Enum):
    """Where a reading comes from."""

    FILE = "file"
    REGISTER = "register"
    API = "api"
    PORTAL = "portal"
    GIS = "gis"
    INSPECTOR = "inspector"
    ACT = "act"


class NewReading(msgspec.Struct, frozen=True, kw_only=True):
    """One zone of one meter. ``received_on``: the day it was given; the window then says its month, unless ``period`` does.

    ``line``: where it stands in what it came in.
    """

    line: int
    meter: int
    zone: int
    value: Volume
    taken_on: date
    received_on: date
    source: Source
    restarts: bool = False
    period: int = 0


class IntakeTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Who takes readings, when, and by what. ``open_from``: readings count for no period before it, nor for
    one that the house's provider has closed."""

    law: Law
    at: datetime
    by: str
    open_from: int = 0
    limits: Limits = Limits()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one reading. ``is_repeat``: it was given before. ``reading``: its number, 0 where it was not kept."""

    line: int
    verdict: Verdict
    fault: str
    message: str
    is_repeat: bool
    reading: int
    period: int


class _Meter(msgspec.Struct, frozen=True, kw_only=True):
    record: Mapping[str, Any]
    dial: Dial


async def take_readings(connection: Connection, given: Sequence[NewReading], terms: IntakeTerms) -> tuple[Outcome, ...]:
    """Judge and keep readings in the caller's transaction; outcomes in the order given."""
    await connection.execute(_SQL["lock"])
    ordered = sorted(range(len(given)), key=lambda place: (given[place].meter, given[place].zone, given[place].taken_on, place))
    outcomes: dict[int, Outcome] = {}
    for start in range(0, len(ordered), CHUNK_READINGS):
        places = ordered[start : start + CHUNK_READINGS]
        for place, outcome in zip(places, await _take(connection, [given[place] for place in places], terms), strict=True):
            outcomes[place] = outcome
    return tuple(outcomes[place] for place in range(len(given)))


async def _take(connection: Connection, given: Sequence[NewReading], terms: IntakeTerms) -> list[Outcome]:
    known = await _known_already(connection, given)
    meters = await _read_meters(connection, given, terms)
    counted = await _read_counted(connection, given)
    outcomes: list[Outcome] = []
    seen: dict[tuple[int, int, date, int], int] = {}
    repeats: list[tuple[int, int]] = []
    new: list[tuple[NewReading, Judgement, int]] = []
    for place, one in enumerate(given):
        key = one.meter, one.zone, one.taken_on, one.value
        if place in known:
            reading, verdict = known[place]
            outcomes.append(_outcome(one, Verdict(verdict), reading=reading))
            continue
        if key in seen:
            repeats.append((place, seen[key]))
            outcomes.append(outcomes[seen[key]])
            continue
        seen[key] = place
        refusal = _unusable(meters.get(one.meter), one)
        if refusal:
            outcomes.append(_outcome(one, Verdict.REFUSED, message=refusal))
            continue
        judgement = _judge(one, meters[one.meter], counted[one.meter, one.zone], terms)
        new.append((one, judgement, len(outcomes)))
        outcomes.append(_judged(one, judgement))
        if judgement.verdict is Verdict.ACCEPTED:
            _count(counted[one.meter, one.zone], one, judgement)
    for (_, _, place), reading in zip(new, await _keep(connection, new, terms), strict=True):
        outcomes[place] = msgspec.structs.replace(outcomes[place], reading=reading)
    for place, first in repeats:
        outcomes[place] = msgspec.structs.replace(outcomes[first], line=given[place].line, is_repeat=True)
    return outcomes


def _outcome(one: NewReading, verdict: Verdict, message: str = "", reading: int = 0) -> Outcome:
    """Return the outcome of a reading that was not judged: given before, or of no use."""
    return Outcome(line=one.line, verdict=verdict, fault="", message=message, is_repeat=reading > 0, reading=reading, period=0)


def _judged(one: NewReading, judgement: Judgement) -> Outcome:
    return Outcome(
        line=one.line,
        verdict=judgement.verdict,
        fault=judgement.fault.value if judgement.fault is not None else "",
        message=judgement.message,
        is_repeat=False,
        reading=0,
        period=judgement.period,
    )


def _unusable(meter: _Meter | None, one: NewReading) -> str:
    if meter is None or meter.record["state"]:
        return WITHDRAWN_METER
    return "" if one.zone in zones_of(meter.record["zones"]) else PARKED_ZONE


def _judge(one: NewReading, meter: _Meter, counted: Sequence[Counted], terms: IntakeTerms) -> Judgement:
    record = meter.record
    last_day = _contract_last_day(record, one.received_on) or window_last_day(terms.law, record["region"] or "", one.received_on)
    # The readings of acts – commissioning, removal, a new start – count for their day, whoever passes them on.
    by_act = one.source.value in BY_ACT or one.restarts or one.taken_on in (meter.dial.installed, meter.dial.ended_on)
    period = one.period or counting_period(one.taken_on if by_act else one.received_on, 31 if by_act else last_day)
    period = max(period, terms.open_from, _first_open(record["closed"]))
    given = Given(value=one.value, taken_on=one.taken_on, period=period, restarts=one.restarts)
    dial = msgspec.structs.replace(meter.dial, is_cut=len(counted) >= NEIGHBOURS_MAX)
    return judge(given, dial, counted, one.received_on, terms.limits)


def _contract_last_day(record: Mapping[str, Any], given_on: date) -> int | None:
    """Return the last day of the window that the house's contract had on the day a reading was given; None without one."""
    place = bisect_right(record["since"] or (), given_on)
    last_day: int | None = record["last_days"][place - 1] if place else None
    return last_day


def _first_open(closed: int | None) -> int:
    """Return the month after the last one that is closed: what comes for an earlier one is settled in it (п. 61)."""
    return period_of(month_number(closed) + 1) if closed else 0


def window_last_day(law: Law, region: str, day: date) -> int:
    """Return the law's last day of the window for readings."""
    return law.in_region(region).fetch("readings_window", "", day).figure("last_day")


def _count(counted: list[Counted], one: NewReading, judgement: Judgement) -> None:
    counted.append(
        Counted(value=one.value, taken_on=one.taken_on, period=judgement.period, rolled=judgement.rolled, restarts=one.restarts)
    )
    counted.sort(key=lambda each: each.taken_on)


async def _known_already(connection: Connection, given: Sequence[NewReading]) -> dict[int, tuple[int, str]]:
    columns = [
        [one.meter for one in given],
        [one.zone for one in given],
        [one.taken_on for one in given],
        [one.value for one in given],
    ]
    rows = await connection.fetch(_SQL["known_already"], *columns)
    return {row["place"] - 1: (row["reading"], row["verdict"]) for row in rows}


async def _read_meters(connection: Connection, given: Sequence[NewReading], terms: IntakeTerms) -> dict[int, _Meter]:
    numbers = sorted({one.meter for one in given})
    events: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in await connection.fetch(_SQL["events"], numbers):
        events[row["meter"]].append(row)
    rows = await connection.fetch(_SQL["dials"], numbers, terms.at)
    return {row["meter"]: _Meter(record=row, dial=_dial(row, events[row["meter"]])) for row in rows}


def _dial(row: Mapping[str, Any], told: Sequence[Mapping[str, Any]]) -> Dial:
    life = life_of(row, told)
    events = life.events
    restarts = (EventKind.REPAIRED, EventKind.VERIFIED)
    return Dial(
        digits=row["digits"],
        installed=row["installed"],
        ended_on=min((event.on for event in events if event.kind in ENDS), default=None),
        maximum=row["maximum"],
        restarts=frozenset(event.on for event in events if event.kind in restarts),
        segments=segments_of(life),
    )


async def _read_counted(connection: Connection, given: Sequence[NewReading]) -> defaultdict[tuple[int, int], list[Counted]]:
    counted: defaultdict[tuple[int, int], list[Counted]] = defaultdict(list)
    columns = [one.meter for one in given], [one.zone for one in given]
    for row in await connection.fetch(_SQL["last_counted"], *columns, NEIGHBOURS_MAX):
        counted[row["meter"], row["zone"]].append(
            Counted(
                value=row["value"], taken_on=row["taken_on"], period=row["period"], rolled=row["rolled"], restarts=row["restarts"]
            )
        )
    return counted


async def _keep(connection: Connection, new: Sequence[tuple[NewReading, Judgement, int]], terms: IntakeTerms) -> list[int]:
    """Keep the judged readings; their numbers, in the same order."""
    if not new:
        return []
    rows = [
        (
            one.meter,
            one.zone,
            one.value,
            one.taken_on,
            judged.period,
            judged.verdict.value,
            judged.fault.value if judged.fault is not None else "",
            judged.rolled,
            one.restarts,
            one.source.value,
        )
        for one, judged, _ in new
    ]
    kept = await connection.fetch(_SQL["add_readings"], *map(list, zip(*rows, strict=True)), terms.at, terms.by)
    numbers = {(row["meter"], row["zone"], row["taken_on"], row["value"]): row["reading"] for row in kept}
    return [numbers[one.meter, one.zone, one.taken_on, one.value] for one, _, _ in new]


class ReadingRefused(ValueError):
    """A reading cannot be replaced as asked; the text says why, in Russian."""


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided of a reading: another value, the same after all (``rolled``: it passed zero), or None: it is none."""

    reading: int
    value: Volume | None
    why: str
    by: str
    at: datetime
    rolled: bool = False


async def replace_reading(connection: Connection, decided: Replacement) -> int:
    """Let another reading stand for one that counts or waits; its number. Raises ReadingRefused."""
    await connection.execute(_SQL["lock"])
    row = await connection.fetchrow(_SQL["replaceable"], decided.reading)
    if row is None:
        raise ReadingRefused(f"показания {decided.reading} нет или его уже заменили")
    if not decided.why.strip():
        raise ReadingRefused("нужна причина")
    value = row["value"] if decided.value is None else decided.value
    verdict = Verdict.REFUSED if decided.value is None else Verdict.ACCEPTED
    key = row["meter"], row["zone"], value, row["taken_on"], row["period"]
    marks = verdict.value, decided.rolled, row["restarts"], Source.INSPECTOR.value
    try:
        async with connection.transaction():
            number: int = await connection.fetchval(
                _SQL["replace"], *key, *marks, decided.at, decided.by, decided.reading, decided.why.strip()
            )
    except asyncpg.CheckViolationError as error:
        if error.constraint_name != "readings_in_order":
            raise
        raise ReadingRefused("показание не становится в ряд с соседними: меньше предыдущего или больше следующего") from error
    return number


def fault_named(code: str) -> str:
    """Return the Russian message of a stored fault's code; empty for none."""
    return "" if not code else _MESSAGES[code]


_MESSAGES = {fault.value: message for fault, message in MESSAGES.items()}
