"""Penalties (пени) of ЖК 155 ч. 14 and 14.1: by the law's dated tables, part by part, with the detail that people may check.

Everything is exact: a bill's penalty is the sum of its parts' fractions, rounded half up to a kopeck once, at the end. So paying
in two parts on one day costs exactly what paying at once does. The law is silent on rounding; docs/billing-penalties.md says why
we chose so. Detail rows sum to the rounded penalty: whole kopecks first, the rest by largest remainder.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from math import lcm

import msgspec

from schemas.allocation import Kind, Pool
from services.billing.core.law import Law
from services.billing.core.law_tables import CAPITAL_REPAIR, HOUSING
from services.billing.core.quantities import MICRO, Ratio, divide_half_up

DAY = timedelta(days=1)


class Debt(msgspec.Struct, frozen=True, kw_only=True):
    """One bill of one creditor and pool: what was charged, and the last day to pay it."""

    amount_kopecks: int
    due: date
    kind: Kind = Kind.PRINCIPAL
    pool: Pool = Pool.MAIN


class Credit(msgspec.Struct, frozen=True, kw_only=True):
    """Money credited to a debt; ``day`` is the payer's day, the value date. ``amount_kopecks`` is positive."""

    day: date
    amount_kopecks: int


class PenaltyRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the detail: so much of the debt, overdue ``starts_on`` … ``ends_on``, both included.

    ``rate`` a year is of the day on which this part of the debt was paid, or of the calculation while ``is_paid`` is False.
    """

    debt_kopecks: int
    starts_on: date
    ends_on: date
    days: int
    rate: Ratio
    divisor: int
    is_paid: bool
    amount_kopecks: int


class Penalty(msgspec.Struct, frozen=True, kw_only=True):
    """A debt's penalty as of a day; the rows' amounts sum to ``amount_kopecks``."""

    amount_kopecks: int
    rows: tuple[PenaltyRow, ...] = ()


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the debt with one end: paid that day, or unpaid on the day of the calculation."""

    amount_kopecks: int
    until: date
    is_paid: bool


NO_PENALTY = Penalty(amount_kopecks=0)


def penalty_of(debt: Debt, credits: Sequence[Credit], law: Law, calculated_on: date) -> Penalty:
    """Calculate a debt's penalty as it stands at the end of ``calculated_on``; credits in any order, later ones not yet known.

    Money beyond the debt earns nothing. Nothing is charged on penalties, court costs and voluntary services. Raises LawSilent
    where the law has no rate or steps of a day.
    """
    key = penalty_key(debt.kind, debt.pool)
    if key is None or debt.amount_kopecks <= 0:
        return NO_PENALTY
    parts = _parts(debt, credits, calculated_on)
    return _rounded([row for part in parts for row in _rows(part, debt.due, law, key)])


def penalty_key(kind: Kind, pool: Pool) -> str | None:
    """Which steps a debt goes by; None: no penalties (ЖК 155 ч. 14, 14.1)."""
    if kind is not Kind.PRINCIPAL or pool is Pool.VOLUNTARY:
        return None
    return CAPITAL_REPAIR if pool is Pool.CAPITAL_REPAIR else HOUSING


def penalty_left(penalty: Penalty, paid_kopecks: int, written_off_kopecks: int) -> int:
    """What is still to be demanded of a penalty; never below nought."""
    return max(penalty.amount_kopecks - paid_kopecks - written_off_kopecks, 0)


def _parts(debt: Debt, credits: Sequence[Credit], calculated_on: date) -> Iterator[_Part]:
    by_day: dict[date, int] = {}
    for credit in credits:
        assert credit.amount_kopecks > 0, "what was taken back is netted before"
        by_day[credit.day] = by_day.get(credit.day, 0) + credit.amount_kopecks
    open_kopecks = debt.amount_kopecks
    for day in sorted(by_day):
        amount = min(by_day[day], open_kopecks)
        if day > calculated_on or not amount:
            break
        open_kopecks -= amount
        yield _Part(amount_kopecks=amount, until=day, is_paid=True)
    if open_kopecks:
        yield _Part(amount_kopecks=open_kopecks, until=calculated_on, is_paid=False)


def _rows(part: _Part, due: date, law: Law, key: str) -> Iterator[PenaltyRow]:
    """Rows of one part without their amounts: overdue day k is ``due`` + k, the day of payment counts."""
    if part.until <= due:
        return
    steps = law.penalty_steps(key, part.until)
    spans = [(steps.first_day, steps.divisor)]
    if steps.second_day:
        spans.append((steps.second_day, steps.second_divisor))
    ends = [due + (second - 1) * DAY for second, _ in spans[1:]]
    for (number, divisor), end in zip(spans, [*ends, part.until], strict=True):
        for starts_on, ends_on in _accruing(law, due, due + number * DAY, min(end, part.until)):
            yield PenaltyRow(
                debt_kopecks=part.amount_kopecks,
                starts_on=starts_on,
                ends_on=ends_on,
                days=(ends_on - starts_on).days + 1,
                rate=law.penalty_rate(part.until),
                divisor=divisor,
                is_paid=part.is_paid,
                amount_kopecks=0,
            )


def _accruing(law: Law, due: date, first: date, last: date) -> Iterator[tuple[date, date]]:
    """Spans of ``first`` … ``last`` without the days of moratoriums, which do not stop the count of overdue days."""
    if first > last:
        return
    for start, end in law.suspended_days(due, first, last):
        if first < start:
            yield first, start - DAY
        first = end + DAY
    if first <= last:
        yield first, last


def _rounded(rows: Sequence[PenaltyRow]) -> Penalty:
    common = lcm(*[row.divisor for row in rows])
    unit = MICRO * common
    exact = [row.debt_kopecks * row.rate * row.days * (common // row.divisor) for row in rows]
    amount = divide_half_up(sum(exact), unit)
    whole = [part // unit for part in exact]
    by_remainder = sorted(range(len(rows)), key=lambda place: (-(exact[place] % unit), place))
    for place in by_remainder[: amount - sum(whole)]:
        whole[place] += 1
    assert sum(whole) == amount, "detail sums to the penalty"
    told = [msgspec.structs.replace(row, amount_kopecks=part) for row, part in zip(rows, whole, strict=True)]
    return Penalty(amount_kopecks=amount, rows=tuple(told))
