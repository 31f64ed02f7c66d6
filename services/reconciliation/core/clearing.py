"""Which promise each cover pays, on one clearing account: what a cover names first, the oldest promises after that.

Debits promise, credits cover them. A cover never pays beyond what it names while clearing knows that it brought too much: its
surplus and another's shortfall both stay, line by line (design §4).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from schemas.journal import EntryKind
from services.reconciliation.core.words import Cover, CoverPart, Place, Posting

_CORRECTION_SPACE = 1


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the journal: covers by place, and of promises the registers that hold them."""

    covers: Mapping[Place, Cover]
    registers: Mapping[Place, frozenset[int]]


class _Pool:
    """Promises and what is left of each; found by key, place, register or payers' day, the oldest first."""

    def __init__(self, debits: Iterable[Posting], hints: Hints) -> None:
        self.debits = sorted(debits, key=lambda one: (one.value_date, one.place))
        self.left = {one.place: one.amount for one in self.debits}
        self.by_key: dict[str, list[Place]] = defaultdict(list)
        self.by_day: dict[date, list[Place]] = defaultdict(list)
        self.by_register: dict[int, list[Place]] = defaultdict(list)
        for one in self.debits:
            self.by_key[one.external_id].append(one.place)
            self.by_day[one.value_date].append(one.place)
            for register in hints.registers.get(one.place, ()):
                self.by_register[register].append(one.place)
        self.all = [one.place for one in self.debits]

    def pay(self, places: list[Place], amount: int) -> int:
        """Pay the promises from a list, in order, and drop the paid ones from it; return what is left of the amount."""
        paid = 0
        for place in places:
            taken = min(self.left[place], amount)
            self.left[place] -= taken
            amount -= taken
            if self.left[place]:
                break
            paid += 1
        del places[:paid]
        return amount


def settle(postings: Sequence[Posting], hints: Hints) -> tuple[Posting, ...]:
    """Return what stays open on one clearing account, in order of age: debits still promised, credits that cover nothing.

    The amounts sum to the account's balance: what is paid is taken from both sides alike.
    """
    pool = _Pool((one for one in postings if one.amount > 0), hints)
    credits = sorted((one for one in postings if one.amount < 0), key=lambda one: (one.value_date, one.place))
    left = {one.place: -one.amount for one in credits}
    _undo_covers(pool, left)
    for one in credits:
        left[one.place] = _pay_named(pool, one, left[one.place], hints)
    for one in credits:
        held = _surplus_of(one, hints)
        free = max(0, left[one.place] - held)
        left[one.place] -= free - pool.pay(pool.all, free)
    stays = [msgspec.structs.replace(one, amount=pool.left[one.place]) for one in pool.debits if pool.left[one.place]]
    stays += [msgspec.structs.replace(one, amount=-left[one.place]) for one in credits if left[one.place]]
    assert sum(one.amount for one in stays) == sum(one.amount for one in postings), "clearing keeps its balance"
    return tuple(stays)


def corrected_place(posting: Posting) -> Place | None:
    """Return the entry that a correction corrects, None for what is no correction (ledger/core/reversal.py: its key)."""
    if posting.kind is not EntryKind.REVERSAL or posting.space != _CORRECTION_SPACE:
        return None
    book, _, sequence = posting.external_id.partition("/")[0].partition(":")
    return int(book), int(sequence)


def named_by_line(posting: Posting) -> str:
    """Return the bank's id of the line that a cover was made from, by its key ``<transit>[/<turn>][/<what>]:<bank id>``."""
    return posting.external_id.partition(":")[2] if posting.kind is EntryKind.STATEMENT_COVER else ""


def _undo_covers(pool: _Pool, left: dict[Place, int]) -> None:
    """A reversed cover that covered nothing covers nothing still: its reversal promises no new money."""
    for one in pool.debits:
        corrected = corrected_place(one)
        if corrected in left:
            taken = min(left[corrected], pool.left[one.place])
            left[corrected] -= taken
            pool.left[one.place] -= taken


def _pay_named(pool: _Pool, credit: Posting, amount: int, hints: Hints) -> int:
    corrected = corrected_place(credit)
    if corrected is not None:
        return pool.pay([corrected], amount) if corrected in pool.left else amount
    cover = hints.covers.get(credit.place)
    if cover is None:
        return pool.pay(pool.by_key.get(named_by_line(credit), []), amount)
    for part in cover.parts:
        given = min(part.amount, amount)
        if given > 0:
            amount -= given - pool.pay(_named(pool, part), given)
    return amount


def _named(pool: _Pool, part: CoverPart) -> list[Place]:
    if part.operation:
        return pool.by_key.get(part.operation, [])
    if part.register is not None:
        return pool.by_register.get(part.register, [])
    return pool.by_day.get(part.day, []) if part.day is not None else []


def _surplus_of(credit: Posting, hints: Hints) -> int:
    cover = hints.covers.get(credit.place)
    return max(0, cover.surplus) if cover is not None else 0
