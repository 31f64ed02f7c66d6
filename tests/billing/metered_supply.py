"""Builders of meters for the tests of the ladder: readings of successive months in plain numbers, events by name and day."""

from collections.abc import Sequence
from datetime import date

from services.billing.core.consumption import LadderTerms
from services.billing.core.ladder import Rung
from services.billing.core.meters import EventKind, MeterEvent, MeterLife, MeterReading
from services.billing.core.periods import month_number, period_of
from services.billing.core.quantities import Volume
from tests.billing.recalculated_house import micro

TERMS = LadderTerms(averaged_max=3, average_months=6, average_months_min=3)
NON_RESIDENTIAL = LadderTerms(averaged_max=2, average_months=6, average_months_min=3)

Value = str | tuple[str, ...] | None


def told(period: int, value: str | tuple[str, ...], day: int = 20, rolled: tuple[int, ...] = ()) -> MeterReading:
    """Return a reading of the period, taken on a day of it."""
    values = (value,) if isinstance(value, str) else value
    taken_on = date(period // 100, period % 100, day)
    return MeterReading(period=period, taken_on=taken_on, values=tuple(Volume(micro(one)) for one in values), rolled=rolled)


def monthly(start: int, *values: Value) -> tuple[MeterReading, ...]:
    """Return readings of successive months; None: the month has none."""
    months = range(month_number(start), month_number(start) + len(values))
    return tuple(told(period_of(month), value) for month, value in zip(months, values, strict=True) if value is not None)


def meter(
    readings: Sequence[MeterReading] = (), events: Sequence[tuple[str, str] | tuple[str, str, str]] = (), **given: object
) -> MeterLife:
    """Return a meter; events are (name, day) or ("verified", day, until)."""
    fields: dict[str, object] = {
        "meter": "m1",
        "place": "",
        "zones": (0,),
        "digits": 5,
        "installed": date(2020, 1, 15),
        "verified_until": date(2030, 1, 14),
    }
    return MeterLife(**(fields | given), readings=tuple(readings), events=tuple(event(*one) for one in events))  # type: ignore[arg-type]


def event(name: str, on: str, until: str = "") -> MeterEvent:
    """Return an event by its small name."""
    verified = date.fromisoformat(until) if until else None
    return MeterEvent(kind=EventKind[name.upper()], on=date.fromisoformat(on), verified_until=verified)


def volumes(rung: Rung) -> dict[int, int]:
    """Return volumes by zone."""
    return {zone: int(volume) for zone, volume in rung.zones}
