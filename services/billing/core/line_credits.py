"""What was credited to an account's charge lines, and on which days, read from its journal entries (a station of penalties).

A reversal undoes the entry that it names on that entry's own day: the money never came. Whatever else takes from a line (a
refund, a reassignment, an offset of an advance) takes what came last first. What was paid before the ledger began has no day of
its own: it counts as paid in time, so that no penalty arises from a day that nobody knows.
"""

from collections.abc import Iterable, Mapping
from datetime import date

import msgspec

from schemas.journal import EntryKind
from services.billing.core.penalties import Credit

OPENING_SPACE = 2


class LineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One journal entry of an account; ``amounts`` are negative where they credit the line beside them."""

    sequence: int
    kind: int
    space: int
    external_id: str
    value_date: date
    lines: tuple[int, ...]
    amounts: tuple[int, ...]


class _Held:
    """Credits of one line: (sequence, day, kopecks), and what was taken beyond them and the next credit owes."""

    def __init__(self) -> None:
        self.credits: list[tuple[int, date, int]] = []
        self.owed = 0

    def add(self, sequence: int, day: date, amount: int) -> None:
        left = amount - min(amount, self.owed)
        self.owed -= amount - left
        if left:
            self.credits.append((sequence, day, left))

    def take(self, amount: int, undone: int | None) -> None:
        """Take kopecks away: those of the entry ``undone`` first, then the newest."""
        for wanted in (undone, None):
            for place in range(len(self.credits) - 1, -1, -1):
                sequence, day, held = self.credits[place]
                part = min(held, amount) if wanted in (None, sequence) else 0
                self.credits[place] = (sequence, day, held - part)
                amount -= part
        self.credits = [credit for credit in self.credits if credit[2]]
        self.owed += amount


def credits_by_line(entries: Iterable[LineEntry], due: Mapping[int, date]) -> dict[int, tuple[Credit, ...]]:
    """Net credits of every line that ``due`` has; ``entries`` are one account's, in the order recorded."""
    held: dict[int, _Held] = {line: _Held() for line in due}
    for entry in entries:
        undone = _undone(entry)
        for line, amount in zip(entry.lines, entry.amounts, strict=True):
            if line not in held:
                continue
            if amount > 0:
                held[line].take(amount, undone)
            else:
                day = min(due[line], entry.value_date) if entry.space == OPENING_SPACE else entry.value_date
                held[line].add(entry.sequence, day, -amount)
    return {line: tuple([Credit(day=day, amount_kopecks=amount) for _, day, amount in one.credits]) for line, one in held.items()}


def _undone(entry: LineEntry) -> int | None:
    """The sequence of the entry that a reversal mirrors: its key is ``book:sequence/part`` (ledger/core/reversal.py)."""
    if entry.kind != EntryKind.REVERSAL:
        return None
    sequence = entry.external_id.partition(":")[2].partition("/")[0]
    return int(sequence) if sequence.isdecimal() else None
