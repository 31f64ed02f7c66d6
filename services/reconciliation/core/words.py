"""The words of reconciliation: postings, the bank's lines, covers, what a day comes to. Kopecks are signed, in is positive."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

import msgspec

from ledger.chart import AccountKind
from schemas.journal import EntryKind

Place = tuple[int, int]
"""Book and sequence."""
DIFFERENCE, TECHNICAL = "difference", "technical"
"""Places of a day's own items: its closing balance, and the bank's mistakes that do not net to nought."""


class Verdict(StrEnum):
    """How a statement line or an entry ends."""

    MATCHED = "matched"
    MISSING = "missing"
    SURPLUS = "surplus"
    PROMISED = "promised"


def entry_place(place: Place) -> str:
    """Write the place of an entry as people give it: ``book:sequence``."""
    return f"{place[0]}:{place[1]}"


def line_place(line: int) -> str:
    """Write the place of a statement line: ``line:number``."""
    return f"line:{line}"


class Posting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an entry moves on one ledger account, or what of it is still open. ``external_id`` is the entry's key in ``space``."""

    book: int
    sequence: int
    kind: EntryKind
    space: int
    external_id: str
    value_date: date
    account: int
    amount: int

    @property
    def place(self) -> Place:
        """Where the entry stands."""
        return self.book, self.sequence


class BankLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the transit account's statements, with the entries of book 0 it is booked in, and their reversals.

    ``late``: what the bank told of it after its day was closed, empty otherwise; ``late_day``: the open day of that moment.
    """

    line: int
    bank_id: str
    day: date
    is_credit: bool
    amount: int
    vanished: bool
    line_class: str | None
    why: str
    held_back: str
    booked: tuple[int, ...]
    reversals: tuple[int, ...]
    late: str = ""
    late_day: date | None = None

    @property
    def signed(self) -> int:
        """Kopecks that came (positive) or went."""
        return self.amount if self.is_credit else -self.amount


class CoverPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a cover's gross and the promises it pays: of a register, of a payers' day, or of one operation."""

    amount: int
    register: int | None = None
    day: date | None = None
    operation: str = ""


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """What a cover entry covers. ``surplus``: kopecks above the promises, as clearing knows; ``by_person``: who said why."""

    parts: tuple[CoverPart, ...]
    surplus: int = 0
    reason: str = ""
    by_person: str = ""
    at: datetime | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of an item."""

    text: str
    by: str
    at: datetime


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A line or an entry that needs a person. ``day`` is its own value date, ``counterpart`` the place on the other side, if any.

    ``line_number`` and the rest say how to find it: the bank's id of a line, the key of an entry.
    """

    verdict: Verdict
    place: str
    day: date
    amount_kopecks: int
    reason: str
    reference: str = ""
    counterpart: str = ""
    late: bool = False
    explanation: Explanation | None = None


class MatchedSum(msgspec.Struct, frozen=True, kw_only=True):
    """Lines, or entries, of one sort that found the other side: ``sort`` is a class of lines or a kind of entries."""

    side: str
    sort: str
    reason: str
    count: int
    into_kopecks: int
    out_kopecks: int


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """Money still to come on one clearing account, or to go by orders under way, by register or payers' day, and its age."""

    account: str
    what: str
    reference: str
    since: date
    age_working_days: int
    count: int
    amount_kopecks: int


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The transit account by the bank and by the ledger at the cut; None where the bank did not tell.

    closing − ledger = open_lines − open_entries + difference; ``carried`` of the difference was there the day before.
    """

    statement: int | None = None
    opening: int | None = None
    credited: int = 0
    debited: int = 0
    closing: int | None = None
    ledger: int = 0
    open_lines: int = 0
    open_entries: int = 0
    difference: int = 0
    carried: int = 0


class IdentityAtCut(msgspec.Struct, frozen=True, kw_only=True):
    """Balances of the transit account by kind at the cut, debit positive; what must be nought, and is not when tampered with."""

    balances: Mapping[str, int]
    difference: int
    outside_difference: int
    open_transfers: Mapping[str, int]


KINDS_OF_IDENTITY = (
    AccountKind.TRANSIT,
    AccountKind.HELD,
    AccountKind.CLEARING,
    AccountKind.RECEIVABLE,
    AccountKind.PAYABLE,
    AccountKind.SUSPENSE,
    AccountKind.REFUND,
    AccountKind.FEE,
    AccountKind.OUTGOING,
)
"""Design §4: the first four less the rest is nought for every transit account."""
