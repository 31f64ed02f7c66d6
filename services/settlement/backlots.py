"""What a cut reckons with beside lots: moves, claims, deductions, returns, money that came back. Frozen values."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from schemas.ids import Book, LedgerAccount
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind
from services.settlement.lots import LotKey

EntryPlace = tuple[Book, Place]
THIS_CUT = 0
"""Stands for the number of the cut being made."""
OWN = -1
"""Stands for the cut of money that its recipient had been paid before, for another account, and kept."""
NO_LOT = LotKey(LedgerAccount(0), 0, False)
NO_ENTRY: EntryPlace = (Book(0), Place(0))


class MoveLeg(NamedTuple):
    """A posting of a move that no cut has taken: kopecks given to a lot, below nought taken from it.

    ``kept`` is what a recipient kept of the origin's on the same account because it had been paid it before (OWN).
    """

    place: int
    key: LotKey
    period: int
    amount: int
    kept: int = 0


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """An entry without a clearing account whose root is funded (settlement.move).

    ``origin_cut`` is the cut that took its origin's money, THIS_CUT for the one being made, None while none has. ``guarantor``
    (0: nobody) owes in the place of the recipients; ``half_done``: the other half of a reassignment is done with.
    """

    book: Book
    sequence: Place
    kind: EntryKind
    origin: EntryPlace
    nth: int
    origin_moves: bool
    origin_done: bool
    origin_cut: int | None
    half_done: bool
    takes: bool
    refunded: int
    guarantor: int
    legs: tuple[MoveLeg, ...]

    @property
    def at(self) -> EntryPlace:
        """Its place in the journal."""
        return self.book, self.sequence


class KnownClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A row of settlement.claim with what is left of it; ``stopped``: not kept back from orders."""

    claim: int
    recipient: int
    why: str
    space: int
    key: LotKey
    original_cut: int
    book: Book
    sequence: Place
    left: int
    stopped: bool


class NewClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that a cut makes, and what the same cut already pays of it."""

    recipient: int
    why: str
    space: int
    key: LotKey
    original_cut: int
    book: Book
    sequence: Place
    amount: int
    left: int


class ClaimPayment(NamedTuple):
    """A cut keeps something back for a claim: ``claim`` of the table, or (None) the ``nth`` new one of the cut."""

    claim: int | None
    nth: int
    how: str
    amount: int


class CameBack(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an order whose money came back: lines of the cuts ``since_cut`` … ``last_cut``; kopecks to be paid anew."""

    transfer: int
    key: LotKey
    since_cut: int
    last_cut: int
    left: int


class Kept(NamedTuple):
    """Kopecks of money that came back which are kept for a claim."""

    transfer: int
    key: LotKey
    amount: int


class Deduction(msgspec.Struct, frozen=True, kw_only=True):
    """A refund that the counterparty of ``space`` keeps; ``is_taken``: an earlier cut has taken the refund."""

    space: int
    book: Book
    sequence: Place
    refund: Place
    amount: int
    is_taken: bool


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """A return to a payer that is asked for. ``funded``: the money of the entry that holds it is, or the move is done with;
    ``version`` is of the payee."""

    request: int
    account: LedgerAccount
    book: Book
    sequence: Place
    amount: int
    purpose: str
    version: int
    bank_account: str
    bic: str
    funded: bool


class Moved(NamedTuple):
    """What a cut takes of a move's posting: kopecks added to its lot; ``original_cut`` as in Move.origin_cut, or OWN."""

    at: EntryPlace
    place: int
    amount: int
    original_cut: int


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, as read for one cut; ``deposits`` are kopecks by recipient."""

    moves: Sequence[Move] = ()
    claims: Sequence[KnownClaim] = ()
    deposits: Mapping[int, int] = {}
    deductions: Sequence[Deduction] = ()
    returns: Sequence[Return] = ()
    came_back: Sequence[CameBack] = ()
