"""Which promised money is funded: first promised, first paid, per clearing account (design §4 «Funding»). Pure.

A clearing account's promises stand in one chain a book. They are read in the order in which they were recorded, over the books
together; the longest beginning of that order whose promises sum to no more than the money confirmed is funded. Corrections
count with their minus, so one that takes back a promise still unfunded makes room for what was recorded between.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from heapq import merge

import msgspec

from schemas.ids import Book
from schemas.ids import Sequence as Place


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """Promises of one book after the place to which it is cut; the arrays are parallel, in order of sequence."""

    book: Book
    sequences: Sequence[int]
    amounts: Sequence[int]
    moments: Sequence[datetime]


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How far a book is funded now, and what its promises up to there add, in kopecks (negative for corrections alone)."""

    upto: Place
    promised: int


def furthest_funded(money: int, chains: Sequence[Chain]) -> Mapping[Book, Reach]:
    """Return the new reach of every book that moves; books that stay are left out.

    ``money`` is what was confirmed less what the places cut so far already promised. It may be negative (a statement line was
    taken back): then only a beginning with corrections enough moves. An entry is funded whole or not at all.
    """
    order = list(merge(*[_in_order(chain) for chain in chains]))
    funded, left = 0, money
    for place, (_, _, _, amount) in enumerate(order, start=1):
        left -= amount
        if left >= 0:
            funded = place
    reached: dict[Book, Reach] = {}
    for _, book, sequence, amount in order[:funded]:
        before = reached[book].promised if book in reached else 0
        reached[book] = Reach(upto=Place(sequence), promised=before + amount)
    return reached


def _in_order(chain: Chain) -> Iterator[tuple[datetime, Book, int, int]]:
    for sequence, amount, moment in zip(chain.sequences, chain.amounts, chain.moments, strict=True):
        yield moment, chain.book, sequence, amount
