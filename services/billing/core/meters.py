"""Lives of meters as facts, and the spells in which a meter may be charged by (п. 59, 62, 80–81 ПП 354).

A place (точка учёта) is the pipe or line that a meter stands on: a replaced meter leaves it to the next one, so that the average
outlives the meter. Readings are given by month: the period that they count for, however late in it they came.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from enum import IntEnum
from itertools import pairwise

import msgspec

from services.billing.core.periods import days_of, month_number, month_of_day
from services.billing.core.quantities import MICRO, Volume

DAY = timedelta(days=1)


class EventKind(IntEnum):
    """What happens to a meter, each with an act."""

    BROKEN = 1
    LOST = 2
    SEAL_BROKEN = 3
    REPAIRED = 4
    """In order again, sealed."""
    VERIFIED = 5
    REMOVED = 6
    """Taken off; the next meter of the place goes on."""
    ABOLISHED = 7
    """Taken off with its place: nothing is supplied there any more."""
    ACCESS_REFUSED = 8
    ACCESS_GIVEN = 9


FAULTS = (EventKind.BROKEN, EventKind.LOST, EventKind.SEAL_BROKEN)
ENDS = (EventKind.REMOVED, EventKind.ABOLISHED)


class Possibility(IntEnum):
    """Whether an individual meter can be installed where none is (акт обследования, приказ Минстроя 485/пр)."""

    UNKNOWN = 0
    POSSIBLE = 1
    IMPOSSIBLE = 2


class MeterEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event; ``verified_until`` is of VERIFIED, None for a meter that needs no more."""

    kind: EventKind
    on: date
    verified_until: date | None = None


class MeterReading(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted reading: the dial in millionths, in the order of the meter's zones. ``rolled``: zones that passed zero."""

    period: int
    taken_on: date
    values: tuple[Volume, ...]
    rolled: tuple[int, ...] = ()
    restarts: bool = False
    """The dial was set anew that day, by an act."""


class MeterOutOfOrder(ValueError):
    """Readings of a meter go back where its dial neither passed zero nor was set anew; the text names it, in Russian."""


class MeterLife(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known of a meter, in any order. ``digits`` before the decimal point; ``installed``: commissioned (ввод).
    ``ratio``: of transformers; one of the dial is so many of the service's unit.

    ``zones`` are (0,) for a meter without zones, else (1, 2) or (1, 2, 3).
    """

    meter: str
    place: str
    zones: tuple[int, ...]
    digits: int
    installed: date
    verified_until: date | None
    events: tuple[MeterEvent, ...] = ()
    readings: tuple[MeterReading, ...] = ()
    ratio: int = 1


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Where the count stands at the end of a month's last reading: by zone, with every passage through zero added."""

    month: int
    totals: tuple[int, ...]


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A spell in which a meter may be charged by: from ``since`` up to the day before ``until``.

    ``base`` is the first reading's count, ``base_month`` its month; both None without readings. ``marks`` ascend, one a month.
    """

    meter: str
    zones: tuple[int, ...]
    since: date
    until: date | None
    base: tuple[int, ...] | None = None
    base_month: int | None = None
    marks: tuple[Mark, ...] = ()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Meters of one place, one after another; ``refusals`` are (since, until): days on which the inspector was not let in.

    ``since`` is the first commissioning, ``until`` the day from which the place is no more.
    """

    place: str
    since: date
    until: date | None
    segments: tuple[Segment, ...]
    refusals: tuple[tuple[date, date | None], ...] = ()


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """One service of one premises, flat or house: its places by name, and whether a meter can be installed where none is.

    ``idle``: months (numbers) in which nothing is supplied or charged, heating between two seasons: no reading is missed in them.
    """

    places: tuple[Place, ...]
    possibility: Possibility = Possibility.UNKNOWN
    idle: frozenset[int] = frozenset()


def supply_of(lives: Iterable[MeterLife], possibility: Possibility = Possibility.UNKNOWN) -> Supply:
    """Return the supply that the meters of one service make; lives stand in any order."""
    by_place: dict[str, list[MeterLife]] = {}
    for life in lives:
        by_place.setdefault(life.place, []).append(life)
    places = [
        _place(name, sorted(group, key=lambda life: (life.installed, life.meter))) for name, group in sorted(by_place.items())
    ]
    return Supply(places=tuple(places), possibility=possibility)


def _place(name: str, lives: Sequence[MeterLife]) -> Place:
    segments: list[Segment] = []
    for life in lives:
        # A place has one meter at a time: the next one ends the one before, whether its removal was told or not.
        segments = [_cut(one, life.installed) for one in segments if one.since < life.installed]
        segments += segments_of(life)
    abolished = [event.on for life in lives for event in life.events if event.kind is EventKind.ABOLISHED]
    return Place(
        place=name,
        since=lives[0].installed,
        until=max(abolished) if abolished and max(abolished) > lives[-1].installed else None,
        segments=tuple(segments),
        refusals=_refusals([event for life in lives for event in life.events]),
    )


def _cut(segment: Segment, day: date) -> Segment:
    return segment if segment.until is not None and segment.until <= day else msgspec.structs.replace(segment, until=day)


def _refusals(events: Iterable[MeterEvent]) -> tuple[tuple[date, date | None], ...]:
    spans: list[tuple[date, date | None]] = []
    since: date | None = None
    for event in sorted(events, key=lambda event: (event.on, event.kind)):
        if event.kind is EventKind.ACCESS_REFUSED and since is None:
            since = event.on
        elif event.kind is EventKind.ACCESS_GIVEN and since is not None:
            spans.append((since, event.on))
            since = None
    return tuple(spans if since is None else [*spans, (since, None)])


def segments_of(life: MeterLife) -> tuple[Segment, ...]:
    """Return the spells of one meter: without faults, lost seals and verification that has run out.

    A meter counts through the last day of its verification. After a fault only REPAIRED opens it again, after the verification
    ran out only VERIFIED. A reading belongs to the spell of its day, the day after the last one included.
    """
    spells: list[tuple[date, date | None]] = []
    since: date | None = life.installed
    valid, is_faulty = life.verified_until, False
    for event in [*sorted(life.events, key=lambda event: (event.on, event.kind)), None]:
        if since is not None and valid is not None and (event is None or valid < event.on):
            # Verified already expired when commissioned: there is no spell at all.
            spells += [(since, valid + DAY)] if valid >= since else []
            since = None
        if event is None or event.kind in ENDS:
            spells += [(since, event.on if event else None)] if since is not None else []
            break
        if event.kind in FAULTS:
            spells += [(since, event.on)] if since is not None else []
            since, is_faulty = None, True
        elif event.kind is EventKind.VERIFIED:
            valid = event.verified_until
        is_faulty = is_faulty and event.kind is not EventKind.REPAIRED
        if since is None and not is_faulty and (valid is None or valid >= event.on) and _opens(event):
            since = event.on
    return _with_readings(life, _split(_joined(spells), sorted({one.taken_on for one in life.readings if one.restarts})))


def _joined(spells: Iterable[tuple[date, date | None]]) -> list[tuple[date, date | None]]:
    """Leave out spells of no days, and join those without a day between: verified on the day after the last one is no gap."""
    found: list[tuple[date, date | None]] = []
    for since, until in spells:
        if until is not None and until <= since:
            continue
        if found and found[-1][1] == since:
            found[-1] = (found[-1][0], until)
        else:
            found.append((since, until))
    return found


def _split(spells: Iterable[tuple[date, date | None]], days: Sequence[date]) -> list[tuple[date, date | None]]:
    """Cut spells on days on which the dial was set anew."""
    found: list[tuple[date, date | None]] = []
    for since, until in spells:
        starts = [since, *(day for day in days if since < day and (until is None or day < until))]
        found += zip(starts, [*starts[1:], until], strict=True)
    return found


def _opens(event: MeterEvent) -> bool:
    return event.kind in (EventKind.REPAIRED, EventKind.VERIFIED)


def _with_readings(life: MeterLife, spells: Sequence[tuple[date, date | None]]) -> tuple[Segment, ...]:
    mine: dict[int, list[MeterReading]] = {}
    ordered = sorted(life.readings, key=lambda reading: (reading.period, reading.taken_on))
    if len(spells) == 1 and spells[0][1] is None and (not ordered or ordered[0].taken_on >= spells[0][0]):
        return (_segment(life, spells[0], ordered),)
    for reading in ordered:
        fits = [
            n
            for n, (since, until) in enumerate(spells)
            if since <= reading.taken_on and (until is None or reading.taken_on <= until)
        ]
        if fits:
            mine.setdefault(fits[-1], []).append(reading)
    return tuple(_segment(life, spell, mine.get(number, ())) for number, spell in enumerate(spells))


def _segment(life: MeterLife, spell: tuple[date, date | None], readings: Sequence[MeterReading]) -> Segment:
    segment = Segment(meter=life.meter, zones=life.zones, since=spell[0], until=spell[1])
    if not readings:
        return segment
    totals: tuple[int, ...] = readings[0].values
    first = month_number(readings[0].period)
    if readings[0].taken_on == spell[0]:
        # The act's own reading begins the spell, however late it was given.
        first = min(first, month_of_day(spell[0]))
    marks = {first: totals}
    for before, after in pairwise(readings):
        totals = tuple([total + step for total, step in zip(totals, steps(life, before, after), strict=True)])
        marks[month_number(after.period)] = totals
    return msgspec.structs.replace(
        segment,
        base=readings[0].values,
        base_month=first,
        marks=tuple(Mark(month=month, totals=counted) for month, counted in marks.items()),
    )


def steps(life: MeterLife, before: MeterReading, after: MeterReading) -> tuple[int, ...]:
    """Return what was counted between two readings, by zone; raises MeterOutOfOrder."""
    dial = 10**life.digits * MICRO
    moved = [
        new - old + (dial if zone in after.rolled else 0)
        for zone, old, new in zip(life.zones, before.values, after.values, strict=True)
    ]
    if min(moved) < 0:
        raise MeterOutOfOrder(f"показания прибора учёта {life.meter} идут назад: {after.taken_on:%d.%m.%Y}")
    return tuple([step * life.ratio for step in moved])


def is_refused(place: Place, month: int) -> bool:
    """Tell whether the inspector is not let in at the end of the month (п. 59 «в», 85)."""
    if not place.refusals:
        return False
    last = days_of(month)[1]
    return any(since <= last and (until is None or until > last) for since, until in place.refusals)


def first_month(place: Place) -> int:
    """Return the month of the first commissioning, which is not yet charged by the meter (п. 81)."""
    return month_of_day(place.since)


def zone_sum(parts: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Return the sums by zone."""
    found: dict[int, int] = {}
    for part in parts:
        for zone, volume in part.items():
            found[zone] = found.get(zone, 0) + volume
    return found
