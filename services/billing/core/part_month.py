"""A month in which a house changes its provider (исполнитель): two bill it, each a part of every charge (law.md 1.14). Pure.

The whole month is calculated with the provider's own contracts and prices, and each line divided: the first provider's part is
rounded, the second one's is what is left. So at equal prices the two parts of a line are the line, to the kopeck. A volume by
meters that were read at the change is divided by what they showed, everything else by days.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import msgspec
from msgspec.structs import replace

from services.billing.core.lines import ChargeLine, LineKind
from services.billing.core.meters import MeterLife, MeterReading
from services.billing.core.month import HouseMonth, VolumeSource
from services.billing.core.periods import days_of, month_number
from services.billing.core.quantities import divide_half_up

DECIDED = frozenset({LineKind.CORRECTION, LineKind.FINE})
"""Sums decided of earlier months: whole, they are one provider's."""
CONSUMED = frozenset({LineKind.CHARGE, LineKind.HEAT, LineKind.RAISED})
ONE_DAY = timedelta(days=1)

Measured = tuple[str, str, int, int]
"""Premises, service, and in millionths what its meters counted before the change and in the whole month."""


class MonthPart(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a month is charged: the first ``days`` of ``of_days``, or (``is_rest``) what they leave."""

    days: int
    of_days: int
    is_rest: bool
    measured: tuple[Measured, ...] = ()


class PartMonth(HouseMonth, frozen=True, kw_only=True):
    """A house's month of which its provider charges a part."""

    part: MonthPart


def part_of_month(month: HouseMonth, part: MonthPart) -> PartMonth:
    """Return the month as the one of a provider that bills a part of it."""
    fields = {name: getattr(month, name) for name in HouseMonth.__struct_fields__}
    return PartMonth(**fields, part=part)


def part_lines(house: HouseMonth, lines: tuple[ChargeLine, ...]) -> tuple[ChargeLine, ...]:
    """Return the lines as far as the house's provider charges them: all of an ordinary month, unchanged."""
    if not isinstance(house, PartMonth):
        return lines
    shares = _shares(house)
    return tuple([line if line.kind in DECIDED or line.of_period else _divided(line, house.part, shares) for line in lines])


def _shares(house: PartMonth) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Return, by premises and service, the measured part; of a service that takes others' volumes where all are measured."""
    told = {(premises, service): (before, whole) for premises, service, before, whole in house.part.measured}
    for terms in house.services:
        for premises in house.premises:
            bases = [told.get((premises.premises, base)) for base in terms.base]
            known = [one for one in bases if one is not None]
            if bases and len(known) == len(bases):
                sums = (sum(before for before, _ in known), sum(whole for _, whole in known))
                told.setdefault((premises.premises, terms.service), sums)
    return told


def _divided(line: ChargeLine, part: MonthPart, shares: Mapping[tuple[str, str], tuple[int, int]]) -> ChargeLine:
    measured = shares.get((line.premises, line.service)) if line.kind in CONSUMED else None
    before, whole = measured or (part.days, part.of_days)
    names = ("volume_before", "volume_month") if measured else ("days_before", "days_month")
    marks = ((names[0], before), (names[1], whole), ("month_kopecks", line.amount_kopecks))
    return replace(
        line,
        volume=_of(line.volume, before, whole, part),
        amount_kopecks=_of(line.amount_kopecks, before, whole, part),
        explanation=replace(line.explanation, inputs=(*line.explanation.inputs, *marks), note=_note(line, part)),
    )


def _of(quantity: int, before: int, whole: int, part: MonthPart) -> int:
    first = divide_half_up(quantity * before, whole)
    return quantity - first if part.is_rest else first


def _note(line: ChargeLine, part: MonthPart) -> str:
    told = f"часть месяца: с {part.days + 1} числа" if part.is_rest else f"часть месяца: по {part.days} число"
    return f"{line.explanation.note}; {told}" if line.explanation.note else told


def measured_parts(
    month: HouseMonth, lives: Mapping[tuple[str, str], Sequence[MeterLife]], changed_on: date
) -> tuple[Measured, ...]:
    """Return what meters read on the day of the change, or the day before, say of the parts; ``lives`` by (premises, service).

    Only of supplies charged by meters all of which were read then, at the month's end and in the month before, in order: what
    they counted must be the volume that is charged.
    """
    found = []
    for premises in month.premises:
        for individual in premises.individual:
            meters = lives.get((premises.premises, individual.service), ())
            if individual.source is not VolumeSource.METER or premises.flat or not meters or individual.volume <= 0:
                continue
            counts = [_counted(life, month.period, changed_on) for life in meters]
            known = [one for one in counts if one is not None]
            before, whole = sum(first for first, _ in known), sum(all_ for _, all_ in known)
            if len(known) == len(counts) and 0 <= before <= whole == individual.volume:
                found.append((premises.premises, individual.service, before, whole))
    return tuple(found)


def _counted(life: MeterLife, period: int, changed_on: date) -> tuple[int, int] | None:
    """Return what a meter counted before the change and in the month, in the service's units; None where it cannot be told."""
    inside = sorted([one for one in life.readings if one.period == period], key=lambda one: one.taken_on)
    earlier = [one for one in life.readings if one.period < period]
    start = max(earlier, key=lambda one: (one.period, one.taken_on), default=None)
    at_change = [one for one in inside if one.taken_on in (changed_on - ONE_DAY, changed_on)]
    if start is None or not at_change or start.period != _period_before(period) or inside[-1] is at_change[-1]:
        return None
    begins, ends = days_of(month_number(period))
    if any(one.rolled or one.restarts for one in inside) or any(begins <= one.on <= ends for one in life.events):
        return None
    first, last = at_change[-1], inside[-1]
    return _between(life, start, first), _between(life, start, last)


def _between(life: MeterLife, start: MeterReading, end: MeterReading) -> int:
    return life.ratio * (sum(end.values) - sum(start.values))


def _period_before(period: int) -> int:
    before = days_of(month_number(period) - 1)[0]
    return before.year * 100 + before.month
