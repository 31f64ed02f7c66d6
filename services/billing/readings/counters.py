"""Readings that come with payments: ``CounterVal`` of registers and QR codes, by the counter's id as the bank passes it on.

A counter is named by the meter's code or, where one meter alone has it, by its factory number; a zone may follow: ``17-2``.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from ledger.statements import load_statements
from services.billing.core.plausibility import Verdict
from services.billing.core.quantities import Volume
from services.billing.readings.intake import IntakeTerms, NewReading, Outcome, Source, take_readings
from services.billing.readings.lives import zones_of
from services.billing.stock import fields
from services.reference.loading import Connection
from services.reference.rows import FieldFault

_SQL = load_statements("services/billing/readings/counters.sql")

UNKNOWN_COUNTER = "прибор учёта с таким номером не найден или найден не один"
UNREADABLE = "показание не число"
ZONE_MARK = "-"
VALUES_AT_ONCE = 5_000


class CounterValue(msgspec.Struct, frozen=True, kw_only=True):
    """A counter's id and its value as they were written, and the day of the payment that brought them."""

    counter: str
    reading: str
    day: date
    source: Source = Source.REGISTER


class _Found(NamedTuple):
    meter: int
    zones: tuple[int, ...]


async def take_counter_values(connection: Connection, given: Sequence[CounterValue], terms: IntakeTerms) -> tuple[Outcome, ...]:
    """Take values as readings of the payment's day, in the caller's transaction; outcomes in the order given, line from 0.

    What names no meter or is no number is refused, and nothing is kept of it.
    """
    known = await _find(connection, given)
    outcomes: dict[int, Outcome] = {}
    readings = []
    for place, one in enumerate(given):
        found, zone = _named(known, one.counter)
        try:
            value = Volume(fields.quantity(one.reading.strip()))
        except FieldFault:
            outcomes[place] = _refused(place, UNREADABLE)
            continue
        if found is None:
            outcomes[place] = _refused(place, UNKNOWN_COUNTER)
            continue
        readings.append(
            NewReading(
                line=place, meter=found.meter, zone=zone, value=value, taken_on=one.day, received_on=one.day, source=one.source
            )
        )
    for outcome in await take_readings(connection, readings, terms):
        outcomes[outcome.line] = outcome
    return tuple(outcomes[place] for place in range(len(given)))


async def take_registers(connection: Connection, terms: IntakeTerms) -> tuple[Outcome, ...]:
    """Take every counter value of registers that was not taken yet; each chunk in a transaction of its own, each value once."""
    found: list[Outcome] = []
    while True:
        async with connection.transaction():
            await connection.execute(_SQL_LOCK)
            rows = await connection.fetch(_SQL["list_untaken"], VALUES_AT_ONCE)
            given = [CounterValue(counter=row["counter"], reading=row["reading"], day=row["day"]) for row in rows]
            outcomes = await take_counter_values(connection, given, terms)
            places = [(row["register"], row["row"], row["place"]) for row in rows]
            kept = [
                (*place, outcome.reading, "" if outcome.reading else outcome.message)
                for place, outcome in zip(places, outcomes, strict=True)
            ]
            if kept:
                await connection.execute(_SQL["keep_outcomes"], *map(list, zip(*kept, strict=True)))
        found += outcomes
        if len(rows) < VALUES_AT_ONCE:
            return tuple(found)


_SQL_LOCK = load_statements("services/billing/readings/intake.sql")["lock"]


async def _find(connection: Connection, given: Sequence[CounterValue]) -> dict[str, _Found]:
    names = {name for one in given for name in (one.counter, one.counter.rpartition(ZONE_MARK)[0]) if name}
    rows = await connection.fetch(_SQL["find_counters"], sorted(names))
    return {row["counter"]: _Found(row["meter"], zones_of(row["zones"])) for row in rows}


def _named(known: Mapping[str, _Found], counter: str) -> tuple[_Found | None, int]:
    """Return the meter and the zone; a meter of several zones must be told which."""
    found = known.get(counter)
    if found is not None:
        return (found, 0) if found.zones == (0,) else (None, 0)
    code, _, zone = counter.rpartition(ZONE_MARK)
    found = known.get(code)
    if found is None or not zone.isascii() or not zone.isdecimal() or int(zone) not in found.zones:
        return None, 0
    return found, int(zone)


def _refused(place: int, message: str) -> Outcome:
    return Outcome(line=place, verdict=Verdict.REFUSED, fault="", message=message, is_repeat=False, reading=0, period=0)
