"""When money must leave: the bank's cut-off, ПП 253 п. 6 with its deferral, the limit on money in transit (law.md §1.2, §1.13).

Terms are counted in working days of the production calendar (services/calendar.py); days are bank days of the transit account.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import msgspec

from services.calendar import next_working_day, nth_working_day, working_day_after


class OrderCutOff(msgspec.Struct, frozen=True, kw_only=True):
    """Until when a bank executes an order on the same day: a time of day in the bank's own zone, itself too late."""

    time: time
    time_zone: ZoneInfo


class Deferral(msgspec.Struct, frozen=True, kw_only=True):
    """A contract's option to let small daily sums of one РСО wait (ПП 253 п. 6, [from memory]: thence values, not constants).

    A day below ``limit_kopecks`` may wait until the accumulated sum exceeds the limit, at most to the ``working_days_max``-th
    working day, the first waiting day being the first: so money moves at least once in that many working days.
    """

    limit_kopecks: int = 500_000
    working_days_max: int = 5


class TransitLimit(msgspec.Struct, frozen=True, kw_only=True):
    """How many working days money may stay in transit from ``since`` on; the day it was accepted is the first.

    The law counts «начиная со дня» of acceptance. ``source`` names it and says how far it was read.
    """

    since: date
    working_days: int
    source: str


TRANSIT_LIMITS = (TransitLimit(since=date(2011, 9, 29), working_days=3, source="161-ФЗ ст. 5 ч. 5 [from memory]"),)
"""Ascending by ``since``."""


class DaySum(msgspec.Struct, frozen=True, kw_only=True):
    """What one recipient is owed of one bank day's confirmed money and has not been sent, in kopecks."""

    day: date
    amount_kopecks: int


def operational_day(moment: datetime, cut_off: OrderCutOff) -> date:
    """Return the day on which the bank executes an order given at ``moment`` (with a time zone).

    The same day before the cut-off of a working day, else the next working one.
    """
    local = moment.astimezone(cut_off.time_zone)
    return next_working_day(local.date()) if local.time() < cut_off.time else working_day_after(local.date())


def transfer_deadline(confirmed: date) -> date:
    """Return the last day to send money confirmed on a day: the working day after it (ПП 253 п. 6)."""
    return working_day_after(confirmed)


def transit_limit_on(day: date, limits: Sequence[TransitLimit] = TRANSIT_LIMITS) -> TransitLimit | None:
    """Return the limit that holds on a day: the newest begun, None before the first."""
    begun = [limit for limit in limits if limit.since <= day]
    return begun[-1] if begun else None


def transit_deadline(accepted: date, limits: Sequence[TransitLimit] = TRANSIT_LIMITS) -> date | None:
    """Return the last day on which money accepted on a day may still be in transit; None where no limit holds.

    Advances, refunds and everything else that is nobody's current charge are held to it.
    """
    limit = transit_limit_on(accepted, limits)
    return None if limit is None else nth_working_day(accepted, limit.working_days)


def due_day(sums: Iterable[DaySum], deferral: Deferral | None, limits: Sequence[TransitLimit] = TRANSIT_LIMITS) -> date | None:
    """Return the last day to send all that one recipient is owed; None when it is owed nothing.

    The earliest of ПП 253, deferred if the contract allows, and the limit on money in transit (``limits`` empty: not asked).
    Sums of one day are added; days without money do not count. The answer may lie in the past: then it is overdue.
    """
    days = _by_day(sums)
    if not days:
        return None
    stays = [deadline for day in days if (deadline := transit_deadline(day, limits)) is not None]
    return min([_deferred(days, deferral) if deferral else transfer_deadline(min(days)), *stays])


def is_due(today: date, due: date | None) -> bool:
    """Whether what is due on ``due`` must leave today at the latest."""
    return due is not None and due <= today


def is_overdue(today: date, due: date | None) -> bool:
    """Whether the last day has passed."""
    return due is not None and due < today


def _by_day(sums: Iterable[DaySum]) -> dict[date, int]:
    days: dict[date, int] = {}
    for one in sums:
        days[one.day] = days.get(one.day, 0) + one.amount_kopecks
    return {day: amount for day, amount in sorted(days.items()) if amount > 0}


def _deferred(days: dict[date, int], deferral: Deferral) -> date:
    """Three limits, whichever comes first: the term, a day that may not wait, the day the accumulated sum passes the limit."""
    ends = [nth_working_day(next(iter(days)), deferral.working_days_max)]
    waiting = 0
    for day, amount in days.items():
        if amount >= deferral.limit_kopecks:
            ends.append(transfer_deadline(day))
        if waiting and waiting + amount > deferral.limit_kopecks:
            ends.append(next_working_day(day))
        waiting += amount
    return min(ends)
