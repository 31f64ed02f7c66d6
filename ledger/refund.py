"""Taking back a payment or a part of it through the ledger's door, under the payer's compare-and-set (design W7, §4 «Refunds»).

Corrections of an entry are numbered from 1 without a gap, and a number is a key: of two that want the same number one passes, the
other reads again what is left. Whoever must be exact keeps the number with his own decision, in one transaction (``nth``).
"""

from collections.abc import Sequence as Many
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from ledger.chart import AccountKind, parts_of
from ledger.core.entry import MOSCOW, value_date_of
from ledger.core.fingerprint import fingerprint_of
from ledger.core.refund import (
    Back,
    NothingLeft,
    NotRefundable,
    check_refundable,
    correction_of,
    left_of,
    refund_account,
    refund_deducted,
    taken_back,
    undo,
)
from ledger.core.release import suspended_at
from ledger.core.split import apply_lines
from ledger.feed import Connection
from ledger.history import fetch_table_history
from ledger.journal import Append, append, fetch_entry, mark_due, recorded_entry
from ledger.offset import list_offsets_of
from ledger.rebuild import Rebuilt
from ledger.release import fetch_left
from ledger.reversal import AccountBusy, reverse_entry, table_of_account
from ledger.statements import load_statements
from schemas.allocation import AllocationTable, digest_of, pack_table
from schemas.ids import Book, LedgerAccount, Sequence, Space
from schemas.journal import EntryKind, JournalEntry, RecordedEntry
from schemas.outcome import AppendStatus

_SQL = load_statements("ledger/statements/refund.sql")

ATTEMPTS_MAX = 8
"""How often a payer's table, or what is left, may change between its reading and the append before the correction is given up."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken back of the entry at a place; ``amount_kopecks`` None: all that is left of it.

    ``kind`` and ``against`` say what it becomes; see refund_wanted and reversal_wanted. ``nth``: only as the correction of that
    number, so that a repeat is answered by what is recorded.
    """

    book: Book
    sequence: Sequence
    kind: EntryKind
    against: LedgerAccount
    amount_kopecks: int | None = None
    note: str = ""
    nth: int | None = None


class Corrected(msgspec.Struct, frozen=True, kw_only=True):
    """The correction: its place, number and kopecks. ``is_new`` False: it was there already."""

    book: Book
    sequence: Sequence
    nth: int
    amount_kopecks: int
    is_new: bool


class AlreadyCorrected(RuntimeError):
    """Another correction of the entry has the number that was wanted."""


class ReleasedMeanwhile(NotRefundable):
    """Money of the entry that waited in suspense was released to a personal account: it is taken back from there."""


class Refundable(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as far as it can be taken back: what it was split from, and kopecks taken back so far by posting."""

    recorded: RecordedEntry
    table: AllocationTable | None
    corrections: tuple[RecordedEntry, ...]
    taken: tuple[int, ...]

    @property
    def left(self) -> int:
        """Kopecks of it that can still be taken back."""
        return left_of(self.recorded.entry, self.taken)

    def parts(self, amount_kopecks: int) -> tuple[int, ...]:
        """Return what each posting would give back; raises NothingLeft."""
        if not 0 < amount_kopecks <= self.left:
            raise NothingLeft(f"{self.recorded.book}:{self.recorded.sequence}", amount_kopecks, self.left)
        return undo(self.recorded.entry, self.table, self.taken, amount_kopecks)


async def read_refundable(connection: Connection, book: Book, sequence: Sequence) -> Refundable:
    """Read an entry with its corrections. Raises LookupError for no entry, NotRefundable, ledger.history.HistoryBroken."""
    recorded = await fetch_entry(connection, book, sequence)
    check_refundable(recorded)
    table = None if recorded.entry.personal_account is None else (await fetch_table_history(connection, recorded)).table
    return await _with_corrections(connection, recorded, table)


async def list_corrections(connection: Connection, book: Book, sequence: Sequence) -> tuple[RecordedEntry, ...]:
    """Return every correction of an entry, in order of their numbers."""
    rows = await connection.fetch(_SQL["list_corrections"], f"{book}:{sequence}")
    return tuple([recorded_entry(row) for row in rows])


async def refund_wanted(connection: Connection, book: Book, sequence: Sequence, amount_kopecks: int | None = None) -> Wanted:
    """Return a refund after cover: what is taken back is owed to the payer, on refund:<transit>:<channel>."""
    entry = (await fetch_entry(connection, book, sequence)).entry
    against = refund_account(entry)
    return Wanted(book=book, sequence=sequence, kind=EntryKind.REFUND, against=against, amount_kopecks=amount_kopecks)


async def reversal_wanted(connection: Connection, book: Book, sequence: Sequence, amount_kopecks: int | None = None) -> Wanted:
    """Return a reversal before cover: the counterparty promises so much less. Raises NotRefundable for what promised nothing."""
    entry = (await fetch_entry(connection, book, sequence)).entry
    against = entry.accounts[0]
    if parts_of(against).kind is not AccountKind.CLEARING:
        raise NotRefundable(f"entry {book}:{sequence} of kind {entry.kind.name} stands against no clearing account")
    return Wanted(book=book, sequence=sequence, kind=EntryKind.REVERSAL, against=against, amount_kopecks=amount_kopecks)


async def take_back(connection: Connection, wanted: Wanted, moment: datetime) -> Corrected:
    """Append the correction; ``moment`` is when it was decided. May stand in the caller's transaction.

    Raises NothingLeft, AlreadyCorrected, ReleasedMeanwhile and what read_refundable raises, AccountBusy and TableNotRebuilt of
    ledger.reversal; then nothing is recorded. Any database error leaves the outcome unknown unless the caller has fixed ``nth``.
    """
    found = await read_refundable(connection, wanted.book, wanted.sequence)
    account = found.recorded.entry.personal_account
    for _ in range(ATTEMPTS_MAX):
        nth = len(found.corrections) + 1
        if wanted.nth is not None and wanted.nth != nth:
            return _known(found, wanted)
        amount = found.left if wanted.amount_kopecks is None else wanted.amount_kopecks
        parts = found.parts(amount)
        state = None if account is None else await table_of_account(connection, account)
        # After the table: an offset that a publication makes from here on moves the head, and the correction is stale.
        if await _undo_offsets(connection, found, parts, moment):
            continue
        status, sequence = await _append(connection, found, parts, wanted, _Turn(nth, moment, state))
        if status is AppendStatus.RECORDED and sequence is not None:
            return Corrected(book=wanted.book, sequence=sequence, nth=nth, amount_kopecks=amount, is_new=True)
        found = await _with_corrections(connection, found.recorded, found.table)
    raise AccountBusy(f"{wanted.book}:{wanted.sequence} is not corrected: its account moved {ATTEMPTS_MAX} times")


async def deduct_refund(connection: Connection, refund: RecordedEntry, space: Space, moment: datetime) -> Corrected:
    """Append that the counterparty of ``space`` keeps a refund from its next cover, once a refund. Raises NotRefundable."""
    if refund.entry.kind is not EntryKind.REFUND:
        raise NotRefundable(f"entry {refund.book}:{refund.sequence} is no refund")
    entry = refund_deducted(refund, space, moment)
    (answer,) = await append(connection, refund.book, [Append(entry=entry, fingerprint=_print(refund, entry))])
    assert answer.sequence is not None, "a deduction is never refused"
    return Corrected(
        book=refund.book,
        sequence=answer.sequence,
        nth=1,
        amount_kopecks=entry.amount_kopecks,
        is_new=answer.status is AppendStatus.RECORDED,
    )


class _Turn(NamedTuple):
    """One attempt: the correction's number, when it was decided, and the account's table, None without an account."""

    nth: int
    moment: datetime
    state: Rebuilt | None


async def _undo_offsets(connection: Connection, found: Refundable, parts: Many[int], moment: datetime) -> bool:
    """Reverse offsets of the entry's advance, the newest first, until what the correction takes stands where the entry put it.

    Tells whether any was reversed: the account's table is another one then.
    """
    entry = found.recorded.entry
    places = await list_offsets_of(connection, found.recorded.book, found.recorded.sequence)
    offsets = [(await fetch_entry(connection, *place)).entry for place in places]
    for nth, place in enumerate(places):
        spent = taken_back(entry, offsets[nth:])
        columns = zip(entry.amounts, found.taken, spent, parts, strict=True)
        if all(part <= -put - gone - used for put, gone, used, part in columns if part):
            return nth > 0
        await reverse_entry(connection, *place, moment)
    return bool(places)


async def _with_corrections(connection: Connection, recorded: RecordedEntry, table: AllocationTable | None) -> Refundable:
    corrections = await list_corrections(connection, recorded.book, recorded.sequence)
    taken = taken_back(recorded.entry, [one.entry for one in corrections])
    return Refundable(recorded=recorded, table=table, corrections=corrections, taken=taken)


def _known(found: Refundable, wanted: Wanted) -> Corrected:
    """Answer a repeat by the correction of its number; raises AlreadyCorrected for another one's."""
    assert wanted.nth is not None
    if wanted.nth > len(found.corrections):
        raise AlreadyCorrected(f"{wanted.book}:{wanted.sequence} has {len(found.corrections)} corrections, not {wanted.nth - 1}")
    known = found.corrections[wanted.nth - 1]
    amount = known.entry.amount_kopecks
    same = (known.entry.kind, known.entry.accounts[0], known.entry.designation) == (wanted.kind, wanted.against, wanted.note)
    if not same or wanted.amount_kopecks not in (None, amount):
        raise AlreadyCorrected(f"{wanted.book}:{wanted.sequence}/{wanted.nth} is another correction")
    return Corrected(book=known.book, sequence=known.sequence, nth=wanted.nth, amount_kopecks=amount, is_new=False)


async def _append(
    connection: Connection, found: Refundable, parts: Many[int], wanted: Wanted, turn: _Turn
) -> tuple[AppendStatus, Sequence | None]:
    recorded, (nth, moment, state) = found.recorded, turn
    account = recorded.entry.personal_account
    back = Back(
        kind=wanted.kind,
        nth=nth,
        against=wanted.against,
        event_at=moment,
        value_date=value_date_of(moment, MOSCOW if state is None else ZoneInfo(state.table.time_zone)),
        note=wanted.note,
    )
    async with connection.transaction():
        (answer,) = await append(connection, wanted.book, [_offer(recorded, parts, back, state)])
        recorded_now = answer.status is AppendStatus.RECORDED
        if recorded_now and suspended_at(recorded.entry) and await fetch_left(connection, wanted.book, wanted.sequence) < 0:
            raise ReleasedMeanwhile(f"{wanted.book}:{wanted.sequence}: what waited in suspense was released")
        if recorded_now and account is not None:
            await mark_due(connection, account)
    return answer.status, answer.sequence


def _offer(recorded: RecordedEntry, parts: Many[int], back: Back, state: Rebuilt | None) -> Append:
    if state is None:
        entry = correction_of(recorded, parts, back)
        return Append(entry=entry, fingerprint=_print(recorded, entry))
    entry = correction_of(recorded, parts, msgspec.structs.replace(back, head_version=state.version))
    after = digest_of(pack_table(apply_lines(state.table, entry.lines, entry.amounts)))
    return Append(entry=entry, fingerprint=_print(recorded, entry), before=state.digest, after=after)


def _print(recorded: RecordedEntry, entry: JournalEntry) -> bytes:
    """The fingerprint names the corrected entry, so that a repeat at another moment compares equal."""
    return fingerprint_of(
        kind=entry.kind,
        account=f"{recorded.book}:{recorded.sequence}",
        amount_kopecks=entry.amount_kopecks,
        raw_amount="",
        designation=entry.designation,
    )
