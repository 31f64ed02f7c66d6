"""Law as data: every dated figure of the house in memory, looked up by day. Pure; services/billing/law reads and keeps it.

A table's key is a step function of the day: from ``valid_from`` on a row holds until the next one of the same table, key and
region; a row that ``ends`` says that nothing holds from then on. A region's row comes before the federal one of the same day.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from types import MappingProxyType

import msgspec

from ledger.core.account_facts import LimitationTerm
from ledger.core.limitation import last_day_of_limitation
from services.billing.core.month import ServiceKind
from services.billing.core.quantities import MICRO, Ratio
from services.calendar import next_working_day

FEDERAL = ""
MONTHS = 12
DAY = timedelta(days=1)

_COEFFICIENT_KEYS = {
    ServiceKind.COLD_WATER: "cold_water",
    ServiceKind.HOT_WATER: "hot_water",
    ServiceKind.HOT_WATER_TWO_PART: "hot_water",
    ServiceKind.HOT_WATER_OWN: "hot_water",
    ServiceKind.ELECTRICITY: "electricity",
    ServiceKind.HEATING: "heating",
}
"""Services that an increasing coefficient can be of; the law knows none for the others (ПП 354, Приложение 2)."""


class LawSilent(LookupError):
    """No row of a table holds on the day asked for; the message names table, key, region and day."""


class LawRule(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table. ``rule`` is its number in the database, 0 for one that does not stand there.

    ``figures`` are (name, whole number) as ``law_tables.py`` says; empty when it ``ends``. ``certainty``: H, M, L (how sure the
    memory of it is) or ``document`` (read in the act).
    """

    table: str
    key: str
    region: str = FEDERAL
    valid_from: date
    ends: bool = False
    figures: tuple[tuple[str, int], ...] = ()
    source: str
    certainty: str
    note: str = ""
    rule: int = 0

    def figure(self, name: str) -> int:
        """One of its figures; an unknown name is a programmer's error (KeyError)."""
        return dict(self.figures)[name]


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one table, key and region; ``starts`` ascend and are parallel to ``rules``."""

    starts: tuple[date, ...]
    rules: tuple[LawRule, ...]


class PenaltySteps(msgspec.Struct, frozen=True, kw_only=True):
    """Penalties run from overdue day ``first_day`` by 1/``divisor``, from ``second_day`` (0: never) by 1/``second_divisor``."""

    first_day: int
    divisor: int
    second_day: int
    second_divisor: int


class Law(msgspec.Struct, frozen=True, kw_only=True):
    """All rows that are in force at some time, as one region sees them; made by ``law_of``."""

    steps: Mapping[tuple[str, str, str], Steps]
    calm_from: date
    """From this day on no moratorium holds, as far as the rows say."""
    region: str = FEDERAL

    def in_region(self, region: str) -> "Law":
        """The same rows as the region (two digits) sees them."""
        return msgspec.structs.replace(self, region=region)

    def rules(self) -> tuple[LawRule, ...]:
        """Every row, by table, key, region and day."""
        return tuple([rule for place in sorted(self.steps) for rule in self.steps[place].rules])

    def keys_of(self, table: str) -> tuple[str, ...]:
        """Keys that the table has rows of."""
        return tuple(sorted({key for name, key, _ in self.steps if name == table}))

    def find(self, table: str, key: str, day: date) -> LawRule | None:
        """The row in force on the day: the region's if one holds there, else the federal one, else None."""
        for region in dict.fromkeys((self.region, FEDERAL)):
            found = _at(self.steps.get((table, key, region)), day)
            if found is not None and not found.ends:
                return found
        return None

    def fetch(self, table: str, key: str, day: date) -> LawRule:
        """The row in force on the day; raises LawSilent."""
        found = self.find(table, key, day)
        if found is None:
            raise LawSilent(f"the law has no {table} {key or '—'} on {day} (region {self.region or 'federal'})")
        return found

    def coefficient(self, kind: ServiceKind, day: date) -> Ratio:
        """The increasing coefficient of a service; MICRO (one) where the law has none."""
        key = _COEFFICIENT_KEYS.get(kind)
        found = None if key is None else self.find("coefficient", key, day)
        return Ratio(MICRO if found is None else found.figure("ratio"))

    def key_rate(self, day: date) -> Ratio:
        """The Bank of Russia's key rate a year; raises LawSilent before the first row."""
        return Ratio(self.fetch("key_rate", "", day).figure("rate"))

    def penalty_rate(self, day_of_payment: date) -> Ratio:
        """The rate that penalties paid on the day go by: the key rate, fixed or capped while ПП 474 holds."""
        cap = self.find("penalty_cap", "", day_of_payment)
        if cap is None:
            return self.key_rate(day_of_payment)
        rate = Ratio(cap.figure("rate"))
        return rate if cap.figure("is_fixed") else min(rate, self.key_rate(day_of_payment))

    def penalty_steps(self, key: str, day_of_payment: date) -> PenaltySteps:
        """The scheme of ч. 14 (``housing``) or ч. 14.1 (``capital_repair``) of ЖК 155; raises LawSilent."""
        return PenaltySteps(**dict(self.fetch("penalty_step", key, day_of_payment).figures))

    def suspended_days(self, due: date, first: date, last: date) -> tuple[tuple[date, date], ...]:
        """Spans of ``first`` … ``last``, both ends included, in which a debt that was due on ``due`` bears no penalties."""
        if first >= self.calm_from:
            return ()
        spans = sorted(span for key in self.keys_of("moratorium") for span in self._moratorium(key, due, first, last))
        joined: list[tuple[date, date]] = []
        for start, end in spans:
            if joined and start <= joined[-1][1] + DAY:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            else:
                joined.append((start, end))
        return tuple(joined)

    def due_date(self, period: int, issued_on: date | None = None) -> date:
        """The last day to pay the bill of a period (yyyymm), raised late or not (ЖК 155 ч. 1, ПП 354 п. 66–67, ГК 193).

        The rule of the month after the period counts, that is of the month in which the bill is due.
        """
        first = month_after(period)
        days, shift = self.fetch("due_day", "", first), self.fetch("due_shift", "", first)
        due = first.replace(day=days.figure("pay_day"))
        if issued_on is not None and shift.figure("by_late_issue"):
            due += max(issued_on - first.replace(day=days.figure("issue_day")), timedelta())
        return next_working_day(due) if shift.figure("to_working_day") else due

    def vat(self, key: str, day: date) -> Ratio:
        """A rate of НДС: ``standard``, or the special ones of УСН; raises LawSilent."""
        return Ratio(self.fetch("vat", key, day).figure("rate"))

    def limitation_until(self, due: date) -> date:
        """The last day on which a debt that was due on ``due`` may be sued for (ГК 196 п. 1, 200; Пленум 43 п. 24)."""
        rule = self.fetch("limitation", "", due)
        return last_day_of_limitation(due, (LimitationTerm(since=rule.valid_from, years=rule.figure("years")),))

    def ladder_periods(self, key: str, day: date) -> int:
        """For how many periods in a row an average stands in for a meter; keys stand in ``law_tables.py``; raises LawSilent."""
        return self.fetch("ladder", key, day).figure("periods")

    def _moratorium(self, key: str, due: date, first: date, last: date) -> Iterable[tuple[date, date]]:
        """Spans of one moratorium within the days. A debt is old when it was due before the moratorium began."""
        places = [self.steps.get(("moratorium", key, region)) for region in dict.fromkeys((self.region, FEDERAL))]
        changes = {start for steps in places if steps is not None for start in steps.starts if first < start <= last}
        starts = [first, *sorted(changes)]
        for start, end in zip(starts, [*(change - DAY for change in starts[1:]), last], strict=True):
            rule = self.find("moratorium", key, start)
            if rule is None or not rule.figure("is_on"):
                continue
            if not rule.figure("is_old_debts_only") or due < rule.valid_from:
                yield start, end


def law_of(rules: Iterable[LawRule]) -> Law:
    """Index rows that are in force; two rows of one table, key, region and day are a programmer's error (ValueError)."""
    ordered = sorted(rules, key=lambda rule: (_place(rule), rule.valid_from))
    steps: dict[tuple[str, str, str], Steps] = {}
    for place, group in groupby(ordered, _place):
        found = tuple(group)
        starts = tuple([rule.valid_from for rule in found])
        if len(set(starts)) != len(starts):
            raise ValueError(f"two rows of {place} begin on one day")
        steps[place] = Steps(starts=starts, rules=found)
    last = [found.rules[-1] for (table, _, _), found in steps.items() if table == "moratorium"]
    calm_from = max((rule.valid_from if rule.ends else date.max for rule in last), default=date.min)
    return Law(steps=MappingProxyType(steps), calm_from=calm_from)


def replaced(rules: Sequence[LawRule], more: Sequence[LawRule]) -> tuple[LawRule, ...]:
    """Rows with ``more`` among them, each in the place of the one of its table, key, region and day."""
    slots = {(_place(rule), rule.valid_from): rule for rule in rules}
    return tuple((slots | {(_place(rule), rule.valid_from): rule for rule in more}).values())


def month_after(period: int) -> date:
    """The first day of the month after a period (yyyymm)."""
    year, month = divmod(period, 100)
    return date(year + month // MONTHS, month % MONTHS + 1, 1)


def _place(rule: LawRule) -> tuple[str, str, str]:
    return rule.table, rule.key, rule.region


def _at(steps: Steps | None, day: date) -> LawRule | None:
    if steps is None:
        return None
    place = bisect_right(steps.starts, day)
    return steps.rules[place - 1] if place else None
