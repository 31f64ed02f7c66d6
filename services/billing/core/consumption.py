"""What readings alone say of one place: how far the meter went in a month, which days it leaves open, and the average (п. 59)."""

from collections.abc import Iterator, Set
from itertools import pairwise

import msgspec

from services.billing.core.meters import DAY, Place, Segment, is_refused, zone_sum
from services.billing.core.periods import MONTHS, days_of, month_of_day
from services.billing.core.quantities import divide_half_up

Zones = dict[int, int]
"""Millionths by zone."""


class LadderTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Dated terms of the ladder. ``season``: calendar months (1 … 12) that make an average; empty: all of them.

    ``is_seasonal``: heating, where a stretch in which nothing was counted is none of the heating period.
    """

    averaged_max: int
    average_months: int
    average_months_min: int
    season: tuple[int, ...] = ()
    is_seasonal: bool = False


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A used reading of a month in a segment: how far the meter went since the used one before, whose month is ``since``."""

    segment: Segment
    since: int
    volumes: Zones


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One place in one month, in days: ``uncovered`` without a meter in order, ``untold`` with one that told nothing.

    ``open``: whether a meter that told nothing is still in order at the month's end. ``waiting``: segments with untold days,
    which the segment's next reading tells, also where the segment has ended and its last reading came late.
    """

    moved: tuple[Moved, ...]
    days: int
    uncovered: int
    untold: int
    open: bool
    waiting: tuple[tuple[Segment, int], ...]

    @property
    def is_full(self) -> bool:
        """Whether readings tell the whole month."""
        return not self.uncovered and not self.untold

    @property
    def missing(self) -> int:
        """Days that readings do not tell of."""
        return self.uncovered + self.untold

    def waiting_days(self, segment: Segment) -> int:
        """Untold days of a segment."""
        return sum(days for each, days in self.waiting if each is segment)


def standing_of(place: Place, month: int) -> Standing | None:
    """Return how the place stands in the month; None where it is not there yet, or no more."""
    first, last = days_of(month)
    since, until = max(first, place.since), last + DAY if place.until is None else min(last + DAY, place.until)
    if since >= until:
        return None
    moved = tuple([told for segment in place.segments for told in _moved(place, segment, month)])
    told = {id(one.segment) for one in moved}
    covered, is_open = 0, False
    waiting: list[tuple[Segment, int]] = []
    for segment in place.segments:
        ends = until if segment.until is None else min(until, segment.until)
        days = (ends - max(since, segment.since)).days
        if days <= 0:
            continue
        covered += days
        if id(segment) not in told:
            waiting.append((segment, days))
            is_open = is_open or segment.until is None or segment.until > last
    whole = (until - since).days
    return Standing(
        moved=moved,
        days=(last - first).days + 1,
        uncovered=whole - covered,
        untold=sum(days for _, days in waiting),
        open=is_open,
        waiting=tuple(waiting),
    )


def _moved(place: Place, segment: Segment, month: int) -> Iterator[Moved]:
    """Yield the month's used reading of a segment, if there is one."""
    used = used_marks(place, segment, month)
    if not used or used[-1][0] != month:
        return
    if len(used) == 1:
        if segment.base_month != month:
            return
        # The first reading is only where counting starts; of a meter commissioned before, it does not tell the month.
        if month_of_day(segment.since) < month:
            return
    since, before = used[-2] if len(used) > 1 else (month, segment.base or ())
    yield Moved(segment=segment, since=since, volumes=_between(segment, before, used[-1][1]))


def used_marks(place: Place, segment: Segment, until: int) -> list[tuple[int, tuple[int, ...]]]:
    """Return (month, totals) of readings that are used up to the month; not those given while access is refused (п. 59 «в»)."""
    return [(mark.month, mark.totals) for mark in segment.marks if mark.month <= until and not is_refused(place, mark.month)]


def _between(segment: Segment, before: tuple[int, ...], after: tuple[int, ...]) -> Zones:
    return {zone: new - old for zone, old, new in zip(segment.zones, before, after, strict=True)}


def average_of(place: Place, month: int, terms: LadderTerms, idle: Set[int] = frozenset()) -> Zones | None:
    """Return the monthly average by zone from readings used before the month, None where they tell of too few months.

    The last months that make ``average_months`` together count, or all there are if at least ``average_months_min`` (п. 59);
    ``idle`` ones are none.
    """
    months, parts = 0, []
    for since, until, volumes in sorted(_steps(place, month), key=lambda step: (-step[1], -step[0])):
        if months >= terms.average_months:
            break
        if terms.is_seasonal and not any(volumes.values()):
            continue
        months += _counted(since, until, terms.season, idle)
        parts.append(volumes)
    if months < terms.average_months_min or not months:
        return None
    return {zone: divide_half_up(volume, months) for zone, volume in zone_sum(parts).items()}


def _steps(place: Place, month: int) -> Iterator[tuple[int, int, Zones]]:
    """Yield (month since, month until, volumes) between used readings before the month."""
    for segment in place.segments:
        used = used_marks(place, segment, month - 1)
        if not used:
            continue
        if segment.base_month == used[0][0] and segment.base is not None and segment.base != used[0][1]:
            yield used[0][0], used[0][0], _between(segment, segment.base, used[0][1])
        for (since, before), (until, after) in pairwise(used):
            yield since, until, _between(segment, before, after)


def _counted(since: int, until: int, season: tuple[int, ...], idle: Set[int]) -> int:
    if not season and not idle:
        return until - since
    months = [month for month in range(since + 1, until + 1) if month not in idle]
    return sum(not season or month % MONTHS + 1 in season for month in months)
