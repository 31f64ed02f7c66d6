"""What an entry of the journal does to the items of suspense. Pure.

Money that a payment or a notification leaves on a suspense account is an item at the entry's own place. Releases and corrections
name the item in their keys; what names none (the bank's own mistakes, orders of returns) is summed beside the items.
"""

import re

import msgspec

from ledger.chart import AccountKind, parts_of
from ledger.core.release import Part, errand_of, part_of, suspended_at
from ledger.core.reversal import CORRECTION_SPACE
from schemas.ids import AccountId, Book, Sequence
from schemas.journal import EntryKind, JournalEntry, RecordedEntry

_MAKES_ITEMS = frozenset({EntryKind.PAYMENT, EntryKind.SUSPENSE, EntryKind.REASSIGNMENT})
_CORRECTION = re.compile(r"([0-9]{1,5}):([0-9]{1,18})/[0-9]+", re.ASCII)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal keeps of a payment without an owner; ``named`` is what the payer named, as JSON, empty when nothing."""

    account: str = ""
    candidates: tuple[AccountId, ...] = ()
    named: str = ""


class _Written(msgspec.Struct, frozen=True, kw_only=True):
    account: str = ""
    candidates: tuple[AccountId, ...] = ()
    named: msgspec.Raw = msgspec.Raw(b"")


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """Money without an owner: a new item of so many kopecks."""

    recorded: RecordedEntry
    amount: int
    note: Note


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an item given to a personal account; ``transfer``: by way of another book."""

    part: Part
    sequence: Sequence
    amount: int
    account: AccountId
    transfer: int | None


class CameBack(msgspec.Struct, frozen=True, kw_only=True):
    """A part that had departed for another book is in suspense again."""

    part: Part
    sequence: Sequence
    why: str


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """A part that had departed was given to its account in this book."""

    part: Part
    arrived_book: Book
    arrived_sequence: Sequence


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Kopecks that stand on a suspense account and are no item's; below nought: taken from it."""

    transit: int
    channel: int
    kind: EntryKind
    amount: int


class Corrected(msgspec.Struct, frozen=True, kw_only=True):
    """A correction of the entry at (book, sequence) took so many kopecks; when that is no item's, they stand beside the items."""

    book: Book
    sequence: Sequence
    amount: int
    otherwise: tuple[Beside, ...]


Change = Opened | Given | CameBack | Arrived | Corrected | Beside


def changes_of(recorded: RecordedEntry) -> list[Change]:
    """Return what an entry changes, nothing for one that neither touches suspense nor is a release."""
    entry = recorded.entry
    if entry.kind is EntryKind.SUSPENSE_RELEASE:
        return _release(recorded)
    left = suspended_at(entry)
    if left is not None and entry.kind in _MAKES_ITEMS:
        return [Opened(recorded=recorded, amount=left[1], note=note_of(entry))]
    taken, beside = _taken(entry), _beside(entry)
    corrected = _CORRECTION.fullmatch(entry.external_id) if entry.space == CORRECTION_SPACE else None
    if corrected is not None:
        place = Book(int(corrected[1])), Sequence(int(corrected[2]))
        amount = sum(taken.values())
        if amount > 0:
            return [Corrected(book=place[0], sequence=place[1], amount=amount, otherwise=tuple(beside))]
    return [*beside]


def note_of(entry: JournalEntry) -> Note:
    """Read what an entry tells of the owner. A payment with a rest has its account; text that is no note is an empty note."""
    if entry.kind is not EntryKind.SUSPENSE:
        return Note(named=entry.designation if entry.kind is EntryKind.PAYMENT else "")
    try:
        written = msgspec.json.decode(entry.designation or "{}", type=_Written)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Note()
    return Note(account=written.account, candidates=written.candidates, named=bytes(written.named).decode())


def _release(recorded: RecordedEntry) -> list[Change]:
    entry, part = recorded.entry, part_of(recorded.entry)
    if part is None:
        return [*_beside(entry)]
    if entry.external_id == part.arrival_key:
        return [Arrived(part=part, arrived_book=recorded.book, arrived_sequence=recorded.sequence)]
    if entry.external_id == part.comeback_key:
        return [CameBack(part=part, sequence=recorded.sequence, why=_why(entry.designation))]
    departs = entry.personal_account is None
    account = errand_of(recorded).account if departs else entry.personal_account
    assert account is not None
    transfer = parts_of(entry.accounts[1]).subject if departs else None
    return [Given(part=part, sequence=recorded.sequence, amount=entry.amount_kopecks, account=account, transfer=transfer)]


def _beside(entry: JournalEntry) -> list[Beside]:
    return [
        Beside(transit=transit, channel=channel, kind=entry.kind, amount=-amount)
        for (transit, channel), amount in _taken(entry).items()
    ]


def _taken(entry: JournalEntry) -> dict[tuple[int, int], int]:
    """Kopecks taken from each suspense account (transit, channel); below nought: put there."""
    taken: dict[tuple[int, int], int] = {}
    for account, amount in zip(entry.accounts, entry.amounts, strict=True):
        parts = parts_of(account)
        if parts.kind is AccountKind.SUSPENSE:
            place = (parts.transit, parts.subject)
            taken[place] = taken.get(place, 0) + amount
    return {place: amount for place, amount in taken.items() if amount}


class _Reason(msgspec.Struct, frozen=True, kw_only=True):
    came_back: str = ""


def _why(designation: str) -> str:
    try:
        return msgspec.json.decode(designation or "{}", type=_Reason).came_back
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
