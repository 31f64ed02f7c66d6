"""Rows of meters, events and readings put together as the ladder takes them. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from services.billing.core.meters import EventKind, MeterEvent, MeterLife, MeterReading
from services.billing.core.quantities import Volume

Row = Mapping[str, Any]


def zones_of(zones: int) -> tuple[int, ...]:
    """Return the zones of a meter by how many it has: one alone is zone 0."""
    return (0,) if zones == 1 else tuple(range(1, zones + 1))


def meter_event(row: Row) -> MeterEvent:
    """Return an event of a row of readings.live_event."""
    return MeterEvent(kind=EventKind(row["kind"]), on=row["on_day"], verified_until=row["verified_until"])


def life_of(row: Row, events: Iterable[Row], readings: Sequence[Row] = ()) -> MeterLife:
    """Return one meter's life; readings ascend by period and day."""
    zones = zones_of(row["zones"])
    return MeterLife(
        meter=row["code"],
        place=row["place"],
        zones=zones,
        digits=row["digits"],
        installed=row["installed"],
        verified_until=row["verified_until"],
        events=tuple([meter_event(one) for one in events]),
        readings=tuple(_whole_readings(zones, readings)),
        ratio=row["ratio"],
    )


def lives_of(meters: Iterable[Row], events: Iterable[Row], readings: Iterable[Row]) -> Iterator[tuple[Row, MeterLife]]:
    """Yield each meter's row with its life; readings ascend by meter, period and day."""
    events_by, readings_by = _by_meter(events), _by_meter(readings)
    for row in meters:
        yield row, life_of(row, events_by[row["meter"]], readings_by[row["meter"]])


def _by_meter(rows: Iterable[Row]) -> defaultdict[int, list[Row]]:
    found: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["meter"]].append(row)
    return found


def _whole_readings(zones: tuple[int, ...], rows: Sequence[Row]) -> Iterator[MeterReading]:
    """Yield readings of all zones: of one day, or zone by zone within one period; a period that lacks a zone tells nothing.

    What rolled or was set anew is told with the next whole reading, against which it is counted.
    """
    if len(zones) == 1:
        for row in rows:
            yield MeterReading(
                period=row["period"],
                taken_on=row["taken_on"],
                values=(row["value"],),
                rolled=zones if row["rolled"] else (),
                restarts=row["restarts"],
            )
        return
    rolled: set[int] = set()
    restarts = False
    for period, group in groupby(rows, key=lambda row: row["period"]):
        latest: dict[int, Row] = {}
        days = [{row["zone"]: row for row in day} for _, day in groupby(group, key=lambda row: row["taken_on"])]
        for place, day in enumerate(days, start=1):
            rolled |= {zone for zone, row in day.items() if row["rolled"]}
            restarts = restarts or any(row["restarts"] for row in day.values())
            latest |= day
            if len(latest) == len(zones) and (len(day) == len(zones) or place == len(days)):
                yield MeterReading(
                    period=period,
                    taken_on=max(row["taken_on"] for row in latest.values()),
                    values=tuple(Volume(latest[zone]["value"]) for zone in zones),
                    rolled=tuple(sorted(rolled)),
                    restarts=restarts,
                )
                rolled, restarts = set(), False
