"""Giving readings of meters: each is judged by itself, as one from a file is (docs/billing-readings.md)."""

from datetime import date
from typing import Annotated

import msgspec

from ledger.statements import load_statements
from portal.api.decoding import field_problem
from portal.api.operations import Call, Example, Operation, Scope
from portal.api.problems import FieldFault, Problem, ProblemType, Told
from services.billing.core.law import LawSilent
from services.billing.core.quantities import Volume
from services.billing.law.reading import read_law
from services.billing.readings.intake import IntakeTerms, NewReading, Outcome, Source, take_readings
from services.billing.stock import fields
from services.reference.rows import FieldFault as RowFieldFault

SQL = load_statements("portal/api/v1/new_readings.sql")

READINGS_MAX = 5_000


class GivenReading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One zone of one meter. ``value``: what the dial shows, a decimal string. ``received_on``: today unless told."""

    meter: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    value: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
    taken_on: date
    zone: Annotated[int, msgspec.Meta(ge=0, le=3)] = 0
    received_on: date | None = None


class GivenReadings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Readings of any meters of the organisation's houses."""

    items: Annotated[tuple[GivenReading, ...], msgspec.Meta(min_length=1, max_length=READINGS_MAX)]


class ReadingTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a reading, in the order given. ``verdict``: accepted counts, parked waits for a person, refused does not.

    ``period`` (yyyymm) is the month that it counts for; 0 where it does not or was given before (``is_repeat``).
    """

    verdict: str
    fault: str
    message: str
    is_repeat: bool
    reading: int
    period: int


class ReadingsTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The outcomes in the order given."""

    items: tuple[ReadingTaken, ...]


async def give_readings(call: Call) -> ReadingsTaken:
    """Judge and keep readings; one of a meter that is not there refuses them all, each at its place."""
    items: tuple[GivenReading, ...] = call.body.items
    rows = await call.connection.fetch(SQL["own_meters"], [one.meter for one in items], call.caller.kind == "operator")
    meters = {row["code"]: row["meter"] for row in rows}
    unknown = [place for place, one in enumerate(items) if one.meter not in meters]
    if unknown:
        told = Told("Такого прибора учёта нет", "There is no such meter")
        faults = [FieldFault(place="body", pointer=f"/items/{place}/meter", detail=told) for place in unknown[:100]]
        raise Problem(ProblemType.INVALID, None, tuple(faults))
    given = [_new(place, one, meters[one.meter], call.now.date()) for place, one in enumerate(items)]
    terms = IntakeTerms(law=await read_law(call.connection), at=call.now, by=f"api:{call.caller.credential}")
    try:
        outcomes = await take_readings(call.connection, given, terms)
    except LawSilent as error:
        raise Problem(ProblemType.REFUSED, Told("Срока передачи показаний нет в нормах", str(error))) from error
    return ReadingsTaken(items=tuple([_taken(one) for one in outcomes]))


def _new(place: int, one: GivenReading, meter: int, today: date) -> NewReading:
    try:
        value = Volume(fields.quantity(one.value))
    except RowFieldFault as error:
        raise field_problem("body", f"/items/{place}/value", "Это не показание", str(error)) from error
    if max(one.taken_on, one.received_on or today) > today:
        raise field_problem("body", f"/items/{place}/taken_on", "Дата в будущем", "The date is in the future")
    return NewReading(
        line=place,
        meter=meter,
        zone=one.zone,
        value=value,
        taken_on=one.taken_on,
        received_on=one.received_on or today,
        source=Source.API,
    )


def _taken(outcome: Outcome) -> ReadingTaken:
    return ReadingTaken(
        verdict=outcome.verdict.value,
        fault=outcome.fault,
        message=outcome.message,
        is_repeat=outcome.is_repeat,
        reading=outcome.reading,
        period=outcome.period,
    )


OPERATIONS = (
    Operation(
        name="giveReadings",
        method="POST",
        path="/v1/readings",
        scope=Scope.READINGS_WRITE,
        tag="Readings",
        summary="Give readings of meters; each has its own verdict.",
        handler=give_readings,
        answer=ReadingsTaken,
        body=GivenReadings,
        examples=(
            Example(
                path="/v1/readings",
                body={"items": [{"meter": "C1", "value": "122.5", "taken_on": "2026-11-20"}]},
                status=422,
                note="A meter of the organisation's houses, by its code.",
            ),
        ),
    ),
)
