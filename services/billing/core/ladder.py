"""The ladder of п. 42, 59, 60 ПП 354: where a month's individual volume comes from – meter, average, norm – and how much it is.

A place whose readings tell the whole month is charged by them. Days they do not tell are charged by the average, for so many
periods in a row as the law allows; then the whole service of the premises is charged by the norm, raised or not by the cause.

A true reading that comes late is settled by п. 61: what it shows beyond what has been charged since the one before it is held to
be taken in the month of the reading. Where it shows less, the month of the reading is charged nothing and the months in between
come down, each by its part of what it was charged: ``rung_of`` such a month, asked with what is ``known`` later, gives its lower
volume, and ``corrections.py`` makes money of the difference. So volumes of months sum to the difference of readings.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

import msgspec

from services.billing.core.consumption import LadderTerms, Moved, Standing, Zones, average_of, standing_of, used_marks
from services.billing.core.meters import Place, Possibility, Segment, Supply, first_month, is_refused, zone_sum
from services.billing.core.month import Individual, VolumeSource
from services.billing.core.periods import month_number, month_of_day, period_of
from services.billing.core.quantities import Volume, share_of
from services.billing.core.sharing import share_out


class Cause(IntEnum):
    """Why the volume comes from where it does; the greater the worse, where places of one premises differ."""

    READING = 0
    NO_READING = 1
    """п. 59 «б»."""
    NO_ACCESS = 2
    """п. 59 «в»."""
    FAULTY = 3
    """п. 59 «а»: broken, lost, verification run out, taken off, seal broken."""
    FIRST_MONTH = 4
    NO_METER = 5
    NO_POSSIBILITY = 6
    POSSIBILITY_UNKNOWN = 7


REASONS = {
    Cause.READING: "по показаниям прибора учёта",
    Cause.NO_READING: "показания не переданы (п. 59 «б» Правил)",
    Cause.NO_ACCESS: "исполнитель не допущен к прибору учёта (п. 59 «в» Правил)",
    Cause.FAULTY: "прибор учёта неисправен, утрачен или не поверен (п. 59 «а» Правил)",
    Cause.FIRST_MONTH: "прибор учёта введён в эксплуатацию в этом месяце: показания – со следующего (п. 81 Правил)",
    Cause.NO_METER: "прибора учёта нет, установить его можно (п. 42 Правил)",
    Cause.NO_POSSIBILITY: "прибор учёта установить нельзя (акт)",
    Cause.POSSIBILITY_UNKNOWN: "прибора учёта нет",
}
RAISING = (Cause.FAULTY, Cause.NO_ACCESS, Cause.NO_METER)
"""Causes for which the norm is raised (п. 42, 60)."""


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One service of one premises in one month. ``missed``: which period in a row it is without a full reading, 0 with one.

    ``is_short``: there are too few months of readings for an average. ``settled``: months since the reading before, whose volumes
    were charged without one and are taken off this reading's.
    """

    source: VolumeSource
    cause: Cause
    zones: tuple[tuple[int, Volume], ...] = ()
    missed: int = 0
    is_short: bool = False
    settled: tuple[int, ...] = ()

    @property
    def reason(self) -> str:
        """Why, in Russian, for accountants and payers."""
        told = REASONS[self.cause]
        if self.is_short:
            return f"{told}; показаний меньше, чем за три месяца: среднего нет"
        if self.missed:
            return f"{told}, период {self.missed}"
        return f"{told}, с зачётом начисленного ранее (п. 61 Правил)" if self.settled else told

    def individual(self, service: str) -> Individual:
        """Return it as the month's calculation takes it."""
        return Individual(service=service, source=self.source, zones=self.zones)


class _PlaceRung(NamedTuple):
    source: VolumeSource
    cause: Cause
    zones: Zones
    filled: Zones
    """Of ``zones``, what stands for days that readings do not tell; a later reading may."""
    missed: int
    is_short: bool
    settled: tuple[int, ...]


def rung_of(
    supply: Supply, period: int, terms: LadderTerms, norms: Mapping[int, int] | None = None, known: int | None = None
) -> Rung:
    """Return the rung of one month; ``norms``: n × N of the periods that ``norm_periods`` names, without the coefficient.

    ``known``: readings up to that period are taken into account, the month's own by default.
    """
    return _Ladder(supply, terms, norms or {}).rung(month_number(period), month_number(known or period))


def norm_periods(supply: Supply, period: int, terms: LadderTerms, known: int | None = None) -> tuple[int, ...]:
    """Return the earlier periods charged by the norm that a reading of the period, or of ``known``, has to be settled with."""
    ladder = _Ladder(supply, terms, None)
    first, last = month_number(period), month_number(known or period)
    # Nearly every meter is read every month, and then there is nothing to settle.
    if all(
        moved.since >= month - 1
        for month in range(first, last + 1)
        for place in supply.places
        for moved in ladder.moved(place, month)
    ):
        return ()
    ladder.rung(first, last)
    return tuple(period_of(month) for month in sorted(ladder.asked))


def averages_run_out(supply: Supply, period: int, terms: LadderTerms, known: int | None = None) -> dict[int, int]:
    """Return, for ``norms`` of a supply that has none (a house), the average that has run out: nothing better is known."""
    return {
        month: sum(sum((average_of(place, month_number(month), terms, supply.idle) or {}).values()) for place in supply.places)
        for month in norm_periods(supply, period, terms, known)
    }


def changed_periods(supply: Supply, period: int, terms: LadderTerms, norms: Mapping[int, int] | None = None) -> tuple[int, ...]:
    """Return the earlier periods that a true reading of the period lowers: they are to be recalculated."""
    month = month_number(period)
    ladder = _Ladder(supply, terms, norms or {})
    gaps = {q for place in supply.places for moved in ladder.moved(place, month) for q in range(moved.since + 1, month)}
    return tuple(period_of(q) for q in sorted(gaps) if ladder.rung(q, month) != ladder.rung(q, q))


class _Ladder:
    """The ladder of one supply, each month climbed once; months are numbers. ``norms`` None: only note which are asked for."""

    def __init__(self, supply: Supply, terms: LadderTerms, norms: Mapping[int, int] | None) -> None:
        self._supply, self._terms, self._norms = supply, terms, norms
        self._standings: dict[tuple[str, int], Standing | None] = {}
        self._places: dict[tuple[str, int], _PlaceRung | None] = {}
        self.asked: set[int] = set()

    def rung(self, month: int, known: int) -> Rung:
        """Return the premises' rung: the norm where any place has come to it, else all places together."""
        parts = [(place, part) for place in self._supply.places if (part := self._place_rung(place, month)) is not None]
        if not parts:
            return _without_meter(self._supply.possibility)
        later = {
            place.place: zones
            for place, _ in parts
            if known > month and (zones := self._hindsight(place, month, known)) is not None
        }
        worst = max((part for _, part in parts), key=lambda part: (_is_norm(part), part.cause))
        if _is_norm(worst) and not later:
            raising = [part.cause for _, part in parts if part.source is VolumeSource.NORM_RAISED]
            source = VolumeSource.NORM_RAISED if raising else VolumeSource.NORM
            return Rung(source=source, cause=max(raising, default=worst.cause), missed=worst.missed, is_short=worst.is_short)
        zones = zone_sum([later.get(place.place, part.zones) for place, part in parts])
        settled = {q for _, part in parts for q in part.settled}
        source = VolumeSource.METER if later else max(part.source for _, part in parts)
        return Rung(
            source=source,
            cause=Cause.READING if later else worst.cause,
            zones=tuple((zone, Volume(volume)) for zone, volume in sorted(zones.items())),
            missed=0 if later else worst.missed,
            settled=tuple(period_of(q) for q in sorted(settled)),
        )

    def moved(self, place: Place, month: int) -> tuple[Moved, ...]:
        """Return the used readings of the month."""
        standing = self._standing(place, month)
        return standing.moved if standing is not None else ()

    def _standing(self, place: Place, month: int) -> Standing | None:
        key = place.place, month
        if key not in self._standings:
            self._standings[key] = standing_of(place, month)
        return self._standings[key]

    def _place_rung(self, place: Place, month: int) -> _PlaceRung | None:
        key = place.place, month
        if key not in self._places:
            self._places[key] = self._climb(place, month)
        return self._places[key]

    def _climb(self, place: Place, month: int) -> _PlaceRung | None:
        standing = self._standing(place, month)
        if standing is None:
            return None
        if month == first_month(place):
            source = _norm(Cause.NO_METER if self._supply.possibility is Possibility.POSSIBLE else Cause.FIRST_MONTH)
            return _PlaceRung(source, Cause.FIRST_MONTH, {}, {}, 0, False, ())
        told, settled = self._told(place, standing, month)
        if standing.is_full or month in self._supply.idle:
            return _PlaceRung(VolumeSource.METER, Cause.READING, told, {}, 0, False, settled)
        cause, missed = _cause(place, standing, month), self._missed(place, month)
        average = average_of(place, month, self._terms, self._supply.idle)
        if missed > self._terms.averaged_max:
            return _PlaceRung(_norm(cause), cause, told, {}, missed, False, ())
        if average is None:
            return _PlaceRung(VolumeSource.NORM, cause, told, {}, missed, True, ())
        filled = {zone: share_of(volume, standing.missing, standing.days) for zone, volume in average.items()}
        return _PlaceRung(VolumeSource.AVERAGE, cause, zone_sum((told, filled)), filled, missed, False, settled)

    def _missed(self, place: Place, month: int) -> int:
        """Return which period in a row the month is without a full reading; no further than the norm's first."""
        count, before = 1, month - 1
        while count <= self._terms.averaged_max and before > first_month(place):
            standing = self._standing(place, before)
            if before not in self._supply.idle:
                if standing is None or standing.is_full:
                    break
                count += 1
            before -= 1
        return count

    def _told(self, place: Place, standing: Standing, month: int) -> tuple[Zones, tuple[int, ...]]:
        """Return what the month's readings charge: the difference less what was charged without a reading since (п. 61)."""
        parts, settled = [], []
        for moved in standing.moved:
            charged = self._charged(place, moved, month)
            before = zone_sum(charged.values())
            parts.append({zone: max(volume - before.get(zone, 0), 0) for zone, volume in moved.volumes.items()})
            settled += [q for q, zones in charged.items() if any(zones.values())]
        return zone_sum(parts), tuple(settled)

    def _charged(self, place: Place, moved: Moved, month: int) -> dict[int, Zones]:
        """Return what was charged in the place of the moved segment's readings, by month between the two."""
        first = max(moved.since + 1, month_of_day(moved.segment.since))
        return {q: zones for q in range(first, month) if (zones := self._awaiting(place, moved, q))}

    def _awaiting(self, place: Place, moved: Moved, month: int) -> Zones:
        standing, part = self._standing(place, month), self._place_rung(place, month)
        if standing is None or part is None or part.cause is Cause.FIRST_MONTH or month in self._supply.idle:
            return {}
        days = standing.waiting_days(moved.segment)
        if not days:
            return {}
        if not any(_is_norm(each) for each in self._parts(month)):
            return _part_of(part.filled, days, standing)
        return _spread(share_of(self._norm_share(place, month), days, standing.untold), moved.volumes)

    def _parts(self, month: int) -> Iterable[_PlaceRung]:
        return [part for place in self._supply.places if (part := self._place_rung(place, month)) is not None]

    def _norm_share(self, place: Place, month: int) -> int:
        """Return the place's part of a month's norm: what told places leave of it, by equal parts of the untold."""
        self.asked.add(month)
        if self._norms is None:
            return 0
        untold = [each.place for each in self._supply.places if (one := self._standing(each, month)) is not None and one.untold]
        told = sum(sum(part.zones.values()) for part in self._parts(month))
        rest = max(self._norms[period_of(month)] - told, 0)
        return share_out(rest, (1,) * len(untold))[untold.index(place.place)]

    def _hindsight(self, place: Place, month: int, known: int) -> Zones | None:
        """Return the place's volume as a reading up to ``known`` lowers it, None where none does."""
        standing, part = self._standing(place, month), self._place_rung(place, month)
        if standing is None or part is None:
            return None
        found = None
        for segment, days in standing.waiting:
            mine = self._lowered(place, segment, month, known)
            if mine is not None:
                gone = _part_of(part.filled, -days, standing)
                found = zone_sum((found or part.zones, gone, mine))
        return found

    def _lowered(self, place: Place, segment: Segment, month: int, known: int) -> Zones | None:
        """Return what is left of the month's charge in the place of a segment's readings, None where nothing is taken off."""
        moved = self._next_reading(place, segment, month, known)
        if moved is None:
            return None
        told_in, reading = moved
        charged = self._charged(place, reading, told_in)
        if month not in charged:
            return None
        mine, is_lowered = dict(charged[month]), False
        for zone, volume in reading.volumes.items():
            weights = [zones.get(zone, 0) for zones in charged.values()]
            if volume < sum(weights):
                mine[zone] = _largest(volume, weights)[list(charged).index(month)]
                is_lowered = True
        return mine if is_lowered else None

    def _next_reading(self, place: Place, segment: Segment, month: int, known: int) -> tuple[int, Moved] | None:
        for later, _ in used_marks(place, segment, known):
            if later > month:
                found = [moved for moved in self.moved(place, later) if moved.segment is segment]
                return (later, found[0]) if found else None
        return None


def _without_meter(possibility: Possibility) -> Rung:
    match possibility:
        case Possibility.POSSIBLE:
            cause = Cause.NO_METER
        case Possibility.IMPOSSIBLE:
            cause = Cause.NO_POSSIBILITY
        case Possibility.UNKNOWN:
            cause = Cause.POSSIBILITY_UNKNOWN
    return Rung(source=_norm(cause), cause=cause)


def _norm(cause: Cause) -> VolumeSource:
    return VolumeSource.NORM_RAISED if cause in RAISING else VolumeSource.NORM


def _is_norm(part: _PlaceRung) -> bool:
    return part.source in (VolumeSource.NORM, VolumeSource.NORM_RAISED)


def _cause(place: Place, standing: Standing, month: int) -> Cause:
    """Return the cause as it is at the month's end; a gap that has closed by then was a fault."""
    if not standing.open:
        return Cause.FAULTY
    return Cause.NO_ACCESS if is_refused(place, month) else Cause.NO_READING


def _part_of(filled: Zones, days: int, standing: Standing) -> Zones:
    """Return the part of a filling that so many of its days have."""
    return {zone: share_of(volume, days, standing.missing) for zone, volume in filled.items()}


def _spread(volume: int, by: Zones) -> Zones:
    """Share a norm over zones as the later reading shares them, over all alike where it shows nothing."""
    weights = [by[zone] for zone in by]
    return dict(zip(by, _largest(volume, weights if any(weights) else [1] * len(weights)), strict=True))


def _largest(volume: int, weights: list[int]) -> list[int]:
    """Share out by weights of which some may be zero."""
    places = [place for place, weight in enumerate(weights) if weight]
    found = [0] * len(weights)
    for place, share in zip(places, share_out(volume, [weights[place] for place in places]), strict=True):
        found[place] = share
    return found
