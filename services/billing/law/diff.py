"""``kopeck law diff``: what rows of law would have changed on real history, by recalculating it under either law.

Nothing is written. Each kind of sums that depends on law is a ``Recalculation``; penalties are one.
"""

import heapq
from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Protocol

import msgspec

from ledger.feed import Connection
from services.billing.core.law import Law, LawRule, LawSilent, law_of, replaced
from services.billing.core.penalties import Debt, penalty_key, penalty_of
from services.billing.law.history import Bill, Bounds, stream_bills

LARGEST_SHOWN = 10


class Laws(msgspec.Struct, frozen=True, kw_only=True):
    """The law without and with the rows asked about, and the day as of which both are calculated."""

    before: Law
    after: Law
    calculated_on: date

    def in_region(self, region: str) -> "Laws":
        """Both as a region sees them."""
        return Laws(before=self.before.in_region(region), after=self.after.in_region(region), calculated_on=self.calculated_on)


class Recalculated(msgspec.Struct, frozen=True, kw_only=True):
    """One sum under either law."""

    account: str
    creditor: str
    period: int
    what: str
    """What the sum is, for people: a pool, a service."""
    before_kopecks: int
    after_kopecks: int

    @property
    def difference_kopecks(self) -> int:
        """More, or less if negative, under the law with the rows."""
        return self.after_kopecks - self.before_kopecks


class Recalculation(Protocol):
    """Recalculates one kind of sums of history under two laws."""

    name: str

    def recalculate(self, connection: Connection, bounds: Bounds, laws: Laws) -> AsyncIterator[Recalculated]:
        """Give every sum within the bounds, changed or not, as a stream; nothing is written."""
        ...


class CreditorTotal(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of one creditor; ``changed`` of ``sums`` differ."""

    creditor: str
    sums: int
    changed: int
    before_kopecks: int
    after_kopecks: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows change: totals by creditor, and the largest differences, the largest first."""

    name: str
    totals: tuple[CreditorTotal, ...]
    largest: tuple[Recalculated, ...]


class PenaltyRecalculation:
    """Penalties on the ledger's bills; a bill's due day moves with the law's, as it stood in the reference otherwise."""

    name = "penalties"

    async def recalculate(self, connection: Connection, bounds: Bounds, laws: Laws) -> AsyncIterator[Recalculated]:
        """See ``Recalculation``; bills that the law of their time has no penalties for are given as nought."""
        async for bill in stream_bills(connection, bounds):
            yield Recalculated(
                account=bill.account,
                creditor=bill.creditor,
                period=bill.period,
                what=bill.debt.pool.name.lower(),
                before_kopecks=penalty_of(bill.debt, bill.credits, laws.before, laws.calculated_on).amount_kopecks,
                after_kopecks=penalty_of(_due_again(bill, laws), bill.credits, laws.after, laws.calculated_on).amount_kopecks,
            )


def laws_for(in_force: Sequence[LawRule], asked: Sequence[LawRule], calculated_on: date, since: date | None = None) -> Laws:
    """The law without and with the rows ``asked`` about.

    A row asked about that is in force itself is taken out of the one and stays in the other. With ``since`` the rows hold from
    that earlier day, and rows of their subjects between the two days fall away: a future row is tried on the past.
    """
    numbers = {rule.rule for rule in asked if rule.rule}
    before = [rule for rule in in_force if rule.rule not in numbers]
    moved = [_since(rule, since) for rule in asked]
    spans = {
        (rule.table, rule.key, rule.region): (new.valid_from, rule.valid_from) for rule, new in zip(asked, moved, strict=True)
    }
    kept = [rule for rule in before if not _is_within(rule, spans)]
    return Laws(before=law_of(before), after=law_of(replaced(kept, moved)), calculated_on=calculated_on)


async def compare(connection: Connection, recalculation: Recalculation, bounds: Bounds, laws: Laws) -> Comparison:
    """Recalculate history and add up; memory does not grow with it."""
    totals: dict[str, CreditorTotal] = {}
    largest: list[tuple[int, int, Recalculated]] = []
    number = 0
    async for one in recalculation.recalculate(connection, bounds, laws):
        totals[one.creditor] = _added(totals.get(one.creditor), one)
        if one.difference_kopecks:
            number += 1
            entry = (abs(one.difference_kopecks), -number, one)
            if len(largest) < LARGEST_SHOWN:
                heapq.heappush(largest, entry)
            else:
                heapq.heappushpop(largest, entry)
    shown = tuple([one for _, _, one in sorted(largest, reverse=True)])
    return Comparison(name=recalculation.name, totals=tuple([totals[name] for name in sorted(totals)]), largest=shown)


def _since(rule: LawRule, since: date | None) -> LawRule:
    return rule if since is None or since >= rule.valid_from else msgspec.structs.replace(rule, valid_from=since)


def _is_within(rule: LawRule, spans: dict[tuple[str, str, str], tuple[date, date]]) -> bool:
    span = spans.get((rule.table, rule.key, rule.region))
    return span is not None and span[0] <= rule.valid_from < span[1]


def _due_again(bill: Bill, laws: Laws) -> Debt:
    """The bill's debt with its due day moved by as much as the law's day for its period moves."""
    if not bill.period or penalty_key(bill.debt.kind, bill.debt.pool) is None:
        return bill.debt
    try:
        moved = laws.after.due_date(bill.period) - laws.before.due_date(bill.period)
    except LawSilent:
        return bill.debt  # a period from before the first row: the reference's day is all that is known
    return msgspec.structs.replace(bill.debt, due=bill.debt.due + moved)


def _added(total: CreditorTotal | None, one: Recalculated) -> CreditorTotal:
    held = total or CreditorTotal(creditor=one.creditor, sums=0, changed=0, before_kopecks=0, after_kopecks=0)
    return CreditorTotal(
        creditor=one.creditor,
        sums=held.sums + 1,
        changed=held.changed + bool(one.difference_kopecks),
        before_kopecks=held.before_kopecks + one.before_kopecks,
        after_kopecks=held.after_kopecks + one.after_kopecks,
    )
