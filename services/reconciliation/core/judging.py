"""How every line and every entry of a bank day ends: matched, missing, surplus or promised, each once, with its reason.

Everything is judged at the day's cut: a line that was booked after it is matched all the same, and explains by how much the
bank's balance and the ledger's differ.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date

import msgspec

from ledger.chart import AccountKind, parts_of
from schemas.ids import LedgerAccount
from schemas.journal import EntryKind
from services.reconciliation.core import reasons
from services.reconciliation.core.clearing import Hints, settle
from services.reconciliation.core.words import (
    BankLine,
    Explanation,
    Item,
    MatchedSum,
    Place,
    Posting,
    Verdict,
    entry_place,
    line_place,
)

ORDER_PREFIX = "order/"


class DayFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a day is judged by. ``postings``: what was open at the last closed cut and all that came since, to the cut.

    ``after`` and ``upto`` are the places of the day's two cuts, ``before`` the bank day that the first of them closed;
    ``line_of`` leads from an entry of book 0 to its line.
    """

    day: date
    before: date | None
    after: Mapping[int, int]
    upto: Mapping[int, int]
    postings: tuple[Posting, ...]
    lines: tuple[BankLine, ...]
    line_of: Mapping[int, int]
    hints: Hints
    explanations: Mapping[str, Explanation]
    required: bool


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """How a day ended. ``items`` are the day's own that are missing or surplus, ``carried`` those of days before, still open.

    ``open_postings``: what of clearing, outgoing and transit is open at the cut; ``open_lines``: lines on one side only.
    """

    items: tuple[Item, ...]
    carried: tuple[Item, ...]
    matched: tuple[MatchedSum, ...]
    promised_entries: int
    open_postings: tuple[Posting, ...]
    open_lines: tuple[int, ...]
    open_lines_kopecks: int
    open_entries_kopecks: int


def judge_day(facts: DayFacts) -> Judged:
    """Judge a day; pure."""
    judge = _Judge(facts)
    judge.take_lines()
    judge.take_entries()
    return judge.judged()


class _Judge:
    """The judgement of one day under way."""

    def __init__(self, facts: DayFacts) -> None:
        self.facts = facts
        self.lines = {line.line: line for line in facts.lines}
        self.by_kind: dict[AccountKind, list[Posting]] = defaultdict(list)
        for posting in facts.postings:
            self.by_kind[parts_of(LedgerAccount(posting.account)).kind].append(posting)
        self.disagreeing = {one.sequence for one in self.by_kind[AccountKind.TRANSIT] if self._disagrees(one)}
        self.items: list[Item] = []
        self.carried: list[Item] = []
        self.matched: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        self.open_lines: dict[int, int] = {}
        self.open_postings: list[Posting] = []
        self.promised_entries = 0

    def _line_of(self, posting: Posting) -> BankLine | None:
        return self.lines.get(self.facts.line_of.get(posting.sequence, 0)) if posting.book == 0 else None

    def _disagrees(self, posting: Posting) -> bool:
        line = self._line_of(posting)
        if line is None:
            return False
        return posting.amount != (-line.signed if posting.sequence in line.reversals else line.signed)

    def _in_day(self, posting: Posting) -> bool:
        return posting.sequence > self.facts.after.get(posting.book, 0)

    def _in_scope(self, line: BankLine) -> bool:
        day = line.late_day if line.late_day is not None else line.day
        return day <= self.facts.day and (self.facts.before is None or day > self.facts.before)

    def take_lines(self) -> None:
        """Judge the lines."""
        last = self.facts.upto.get(0, 0)
        for line in self.facts.lines:
            booked = [one for one in line.booked if one not in self.disagreeing]
            undone = [one for one in line.reversals if one not in self.disagreeing]
            times = sum(one <= last for one in booked) - sum(one <= last for one in undone)
            stands = line.signed if line.day <= self.facts.day and not line.vanished else 0
            rest = stands - times * line.signed
            if rest:
                self.open_lines[line.line] = rest
            if line.vanished:
                reason = reasons.vanished(stands=bool(times), was_booked=bool(booked))
                self._add_line(line, Verdict.MISSING, reason, is_open=bool(rest))
            elif stands and rest and not any(one > last for one in booked):
                self._add_line(line, Verdict.SURPLUS, reasons.unbooked(line), is_open=True)
            elif self._in_scope(line):
                reason = reasons.BOOKED_LATER if rest else reasons.BOOKED
                self.matched["line", line.line_class or "", reason].append(line.signed)

    def _add_line(self, line: BankLine, verdict: Verdict, reason: str, *, is_open: bool) -> None:
        item = Item(
            verdict=verdict,
            place=line_place(line.line),
            day=line.day,
            amount_kopecks=line.signed,
            reason=reason,
            reference=line.bank_id,
            counterpart=entry_place((0, line.booked[-1])) if line.booked else "",
            late=bool(line.late),
        )
        self._add(item, own=self._in_scope(line), is_open=is_open)

    def _add(self, item: Item, *, own: bool, is_open: bool) -> None:
        told = self.facts.explanations
        found = item.explanation or told.get(item.place) or told.get(item.counterpart)
        if own:
            self.items.append(msgspec.structs.replace(item, explanation=found))
        elif is_open:
            self.carried.append(msgspec.structs.replace(item, explanation=found))

    def take_entries(self) -> None:
        """Judge the entries: what moves the transit account by its line, the rest by what is left of it."""
        still_open = {one.place: one for one in (*self._open_clearing(), *self._open_outgoing())}
        self.open_postings += still_open.values()
        entries: dict[Place, dict[AccountKind, Posting]] = defaultdict(dict)
        for kind in (AccountKind.TRANSIT, AccountKind.OUTGOING, AccountKind.CLEARING, AccountKind.HELD):
            for posting in self.by_kind[kind]:
                entries[posting.place].setdefault(kind, posting)
        for place, postings in entries.items():
            movement = postings.get(AccountKind.TRANSIT)
            if movement is not None and self._stands_alone(movement):
                continue
            if place in still_open:
                self._take_rest(still_open[place])
            else:
                kind, posting = next(iter(postings.items()))
                if self._in_day(posting):
                    self.matched["entry", posting.kind.name.lower(), self._reason_of(kind, posting)].append(posting.amount)

    def _stands_alone(self, movement: Posting) -> bool:
        """Judge an entry that moves the transit account against its line; whether it is missing at the bank."""
        line = self._line_of(movement)
        if line is not None and movement.sequence in self.disagreeing:
            reason = reasons.OTHER_AMOUNT
        elif line is None and self.facts.required:
            reason = reasons.without_line(movement.kind)
        elif line is not None and line.vanished and movement.sequence in line.booked and self._stands(line):
            self._add_entry(movement, Verdict.MISSING, reasons.VANISHED_STANDS, line)
            return True
        else:
            return False
        self.open_postings.append(movement)
        self._add_entry(movement, Verdict.MISSING, reason, line)
        return True

    def _stands(self, line: BankLine) -> bool:
        last = self.facts.upto.get(0, 0)
        return sum(one <= last for one in line.booked) > sum(one <= last for one in line.reversals)

    def _reason_of(self, kind: AccountKind, posting: Posting) -> str:
        """Say by what an entry is matched."""
        if kind is AccountKind.OUTGOING:
            return reasons.ORDER_ENDED
        if kind is AccountKind.CLEARING:
            return reasons.COVERED
        line = self._line_of(posting)
        if line is None:
            return reasons.TOLD_BY_FEED
        if line.reversals:
            return reasons.REVERSED_AND_BACK
        before, day = self.facts.before, self.facts.day
        return (
            reasons.STANDS_ON_STATEMENT if line.day <= day and (before is None or line.day > before) else reasons.BOOKED_EARLIER
        )

    def _take_rest(self, rest: Posting) -> None:
        """Judge an entry of which something is open."""
        kind = parts_of(LedgerAccount(rest.account)).kind
        if kind is AccountKind.OUTGOING:
            if rest.amount > 0:
                return self._add_entry(rest, Verdict.MISSING, reasons.NO_ORDER)
        elif rest.amount < 0:
            cover = self.facts.hints.covers.get(rest.place)
            if cover is None:
                return self._add_entry(rest, Verdict.SURPLUS, reasons.CREDIT_OF_NOTHING)
            told = None
            if cover.by_person and cover.reason and cover.at is not None:
                told = Explanation(text=cover.reason, by=cover.by_person, at=cover.at)
            reason = f"{reasons.COVER_ABOVE}: {cover.reason}" if cover.reason else reasons.COVER_ABOVE
            return self._add_entry(rest, Verdict.SURPLUS, reason, told=told)
        elif rest.kind is EntryKind.REVERSAL:
            return self._add_entry(rest, Verdict.MISSING, reasons.COVER_REVERSED, self._line_of(rest))
        self.promised_entries += self._in_day(rest)

    def _add_entry(
        self, posting: Posting, verdict: Verdict, reason: str, line: BankLine | None = None, told: Explanation | None = None
    ) -> None:
        turned = -1 if verdict is Verdict.SURPLUS else 1
        item = Item(
            verdict=verdict,
            place=entry_place(posting.place),
            day=posting.value_date,
            amount_kopecks=turned * posting.amount,
            reason=reason,
            reference=posting.external_id,
            counterpart=line_place(line.line) if line is not None else "",
            explanation=told,
        )
        self._add(item, own=self._in_day(posting), is_open=True)

    def _open_clearing(self) -> list[Posting]:
        by_account: dict[int, list[Posting]] = defaultdict(list)
        for posting in self.by_kind[AccountKind.CLEARING]:
            by_account[posting.account].append(posting)
        return [one for postings in by_account.values() for one in settle(postings, self.facts.hints)]

    def _open_outgoing(self) -> list[Posting]:
        """What is left of each order, at the entry that made it."""
        by_order: dict[str, list[Posting]] = defaultdict(list)
        for posting in self.by_kind[AccountKind.OUTGOING]:
            by_order[order_of(posting.external_id)].append(posting)
        left = []
        for postings in by_order.values():
            rest = sum(one.amount for one in postings)
            if rest:
                side = [one for one in postings if (one.amount > 0) == (rest > 0)]
                left.append(msgspec.structs.replace(side[0], amount=rest))
        return left

    def judged(self) -> Judged:
        """Return what was found; items in order of place."""
        matched = [
            MatchedSum(
                side=side,
                sort=sort,
                reason=reason,
                count=len(amounts),
                into_kopecks=sum(one for one in amounts if one > 0),
                out_kopecks=-sum(one for one in amounts if one < 0),
            )
            for (side, sort, reason), amounts in sorted(self.matched.items())
        ]
        alone = [one.amount for one in self.open_postings if parts_of(LedgerAccount(one.account)).kind is AccountKind.TRANSIT]
        return Judged(
            items=tuple(self.items),
            carried=tuple(self.carried),
            matched=tuple(matched),
            promised_entries=self.promised_entries,
            open_postings=tuple(sorted(self.open_postings, key=lambda one: (one.account, one.place))),
            open_lines=tuple(sorted(self.open_lines)),
            open_lines_kopecks=sum(self.open_lines.values()),
            open_entries_kopecks=sum(alone),
        )


def order_of(external_id: str) -> str:
    """Return the order that an entry belongs to: its key without what happened to it."""
    return external_id.rpartition("/")[0] if external_id.startswith(ORDER_PREFIX) else external_id


def order_told_of(posting: Posting) -> tuple[str, bool] | None:
    """Return the order's own key and whether it came back (a credit line), for entries that a statement line tells of."""
    if posting.kind not in (EntryKind.ORDER_EXECUTED, EntryKind.ORDER_RETURNED):
        return None
    return order_of(posting.external_id).removeprefix(ORDER_PREFIX), posting.kind is EntryKind.ORDER_RETURNED
