"""Releasing suspended money through the ledger's door: read, split by the present table, append by compare-and-set (W7).

``release_part`` works inside its caller's transaction, so that the item's row, which the caller has locked, and the entry are
written together. After the append it asks the journal itself whether the item had so much: the append holds the head of the
item's book until the end of the transaction, so that nothing can come in between.
"""

from enum import StrEnum

import msgspec

from ledger.core.designation import Payees, resolve_designation
from ledger.core.fingerprint import fingerprint_of
from ledger.core.release import (
    PARTS_MAX,
    SUSPENSE_SPACE,
    Errand,
    Part,
    Portion,
    comeback_entry,
    departure_entry,
    errand_of,
    part_of,
    portion_of,
    portion_on_its_way,
    release_entry,
    suspended_at,
)
from ledger.core.split import after_split, split_amount
from ledger.feed import Connection
from ledger.journal import Append, append, fetch_entry, find_key
from ledger.names import fetch_names
from ledger.rebuild import NotPublished, Rebuilt, rebuild_accounts
from ledger.statements import load_statements
from schemas.allocation import AccountState, digest_of, pack_table
from schemas.ids import AccountId, Book, ExternalId, Sequence
from schemas.journal import JournalEntry, RecordedEntry
from schemas.notification import NamedDesignation
from schemas.outcome import AppendStatus

_SQL = load_statements("ledger/statements/release.sql")

RELEASE_ATTEMPTS_MAX = 3
"""After the first stale answer the head is ours: the table cannot move again, it can only have expired."""


class Reason(StrEnum):
    """Why money is not released, in the order checked."""

    NOTHING_SUSPENDED = "the entry left nothing in suspense"
    ACCOUNT_UNKNOWN = "there is no such personal account"
    NOT_PUBLISHED = "no allocation table of the account is published yet: kopeck tables build"
    TABLE_BROKEN = "the account's table is not what its head promises: kopeck verify"
    ACCOUNT_CLOSED = "the account is closed"
    ADVANCE_NOT_TAKEN = "the account takes no advance"
    TABLE_EXPIRED = "the account's table has expired and is being built anew: ask again"
    KEY_TAKEN = "the journal has that part already"
    MORE_THAN_LEFT = "the item has less left"


FINAL = frozenset({Reason.ACCOUNT_UNKNOWN, Reason.ACCOUNT_CLOSED, Reason.ADVANCE_NOT_TAKEN})
"""Reasons that no waiting mends: money on its way comes back."""


class NotReleased(ValueError):
    """Nothing was recorded if the transaction is rolled back; ``takes`` is how many kopecks the account would take, if asked."""

    def __init__(self, reason: Reason, detail: str = "", takes: int | None = None) -> None:
        super().__init__(f"{reason.value}{': ' if detail else ''}{detail}")
        self.reason = reason
        self.takes = takes


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an item to be given to an account; ``named`` is what is to be paid there, as if the payer had named it."""

    part: Part
    account: AccountId
    amount_kopecks: int
    named: NamedDesignation | None = None


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """The entry in the item's book. ``transfer``: it has only departed, through in_transfer of that number; None: it arrived."""

    book: Book
    sequence: Sequence
    transfer: int | None


async def release_part(connection: Connection, wanted: Wanted) -> Released:
    """Give a part of an item to an account, within the caller's transaction; raises NotReleased, LookupError."""
    assert connection.is_in_transaction(), "the item is locked in the same transaction"
    part = wanted.part
    recorded = await fetch_entry(connection, part.book, part.sequence)
    if suspended_at(recorded.entry) is None:
        raise NotReleased(Reason.NOTHING_SUSPENDED)
    portion = portion_of(recorded, part, wanted.amount_kopecks)
    state = await find_taker(connection, wanted.account)
    if state.book == part.book:
        released = Released(book=part.book, sequence=await _give(connection, portion, wanted), transfer=None)
    else:
        await _split(connection, portion, state, wanted.named)
        released = await _depart(connection, portion, wanted)
    left = await fetch_left(connection, part.book, part.sequence)
    if left < 0:
        raise NotReleased(Reason.MORE_THAN_LEFT, f"{wanted.amount_kopecks + left} kopecks")
    return released


async def arrive(connection: Connection, book: Book, sequence: Sequence) -> tuple[Book, Sequence]:
    """Give what departed at a place to its account, once; return the place of the arrival, the stored one for a repeat.

    Raises NotReleased; for its FINAL reasons the money is to be taken back by ``come_back``.
    """
    departure, part = await _departure(connection, book, sequence)
    known = await find_key(connection, SUSPENSE_SPACE, part.arrival_key)
    if known is not None:
        return known["book"], known["sequence"]
    errand = errand_of(departure)
    portion = portion_on_its_way(departure, part)
    wanted = Wanted(part=part, account=errand.account, amount_kopecks=portion.amount_kopecks, named=errand.named)
    state = await find_taker(connection, errand.account)
    return state.book, await _give(connection, portion, wanted)


async def come_back(connection: Connection, book: Book, sequence: Sequence, why: str) -> Sequence:
    """Take back into suspense what departed at a place and cannot arrive; the place of the entry, the stored one for a repeat.

    The caller sees to it that it neither has arrived nor will: it holds the lock under which arrivals are made.
    """
    departure, part = await _departure(connection, book, sequence)
    assert await find_key(connection, SUSPENSE_SPACE, part.arrival_key) is None, "what has arrived does not come back"
    entry = comeback_entry(departure, part, why)
    return await _recorded(connection, book, Append(entry=entry, fingerprint=_print(entry, "")))


async def find_taker(connection: Connection, account: AccountId) -> Rebuilt:
    """Return the present table of an account that may be given money; raises NotReleased."""
    found = await rebuild_accounts(connection, [account])
    if account not in found:
        raise NotReleased(Reason.ACCOUNT_UNKNOWN)
    state = found[account]
    if not isinstance(state, Rebuilt):
        raise NotReleased(Reason.NOT_PUBLISHED if isinstance(state, NotPublished) else Reason.TABLE_BROKEN)
    if state.table.state is AccountState.CLOSED:
        raise NotReleased(Reason.ACCOUNT_CLOSED)
    return state


async def fetch_left(connection: Connection, book: Book, sequence: Sequence) -> int:
    """Return how many kopecks an entry has left in suspense, by the journal and the returns asked for; below nought: overspent.

    Whoever takes from it asks last, in the transaction of his writing: of two who cannot see one another's the second waits here.
    """
    await connection.execute(_SQL["lock_left"], str(book), str(sequence))
    return int(await connection.fetchval(_SQL["fetch_left"], book, sequence, PARTS_MAX))


async def list_releases(connection: Connection, book: Book, sequence: Sequence) -> tuple[tuple[str, Book, Sequence], ...]:
    """Return key and place of every entry by which parts of an entry were released, arrivals in other books included."""
    rows = await connection.fetch(_SQL["list_releases"], str(book), str(sequence), PARTS_MAX)
    return tuple([(row["external_id"], Book(row["book"]), Sequence(row["sequence"])) for row in rows])


async def _departure(connection: Connection, book: Book, sequence: Sequence) -> tuple[RecordedEntry, Part]:
    departure = await fetch_entry(connection, book, sequence)
    part = part_of(departure.entry)
    if part is None or departure.entry.external_id != part.key or departure.entry.personal_account is not None:
        raise NotReleased(Reason.NOTHING_SUSPENDED, f"{book}:{sequence} has not departed for another book")
    return departure, part


async def _split(
    connection: Connection, portion: Portion, state: Rebuilt, named: NamedDesignation | None
) -> tuple[JournalEntry, bytes]:
    """Return the entry by the account's table and the digest of the table after it; raises NotReleased."""
    split = split_amount(state.table, portion.amount_kopecks, resolve_designation(named, await _payees(connection, named)))
    if split.unallocated:
        takes = portion.amount_kopecks - split.unallocated
        raise NotReleased(Reason.ADVANCE_NOT_TAKEN, f"of {portion.amount_kopecks} kopecks it takes {takes}", takes)
    entry = release_entry(portion, state.table, split, named)
    return entry, digest_of(pack_table(after_split(state.table, split)))


async def _give(connection: Connection, portion: Portion, wanted: Wanted) -> Sequence:
    """Append the release, or the arrival, by the account's table at its head."""
    for _ in range(RELEASE_ATTEMPTS_MAX):
        state = await find_taker(connection, wanted.account)
        entry, after = await _split(connection, portion, state, wanted.named)
        offer = Append(entry=entry, fingerprint=_print(entry, f"{wanted.account}"), before=state.digest, after=after)
        (answer,) = await append(connection, state.book, [offer])
        if answer.status is not AppendStatus.STALE:
            return _place(answer.status, answer.sequence, entry.external_id)
    raise NotReleased(Reason.TABLE_EXPIRED)


async def _depart(connection: Connection, portion: Portion, wanted: Wanted) -> Released:
    transfer = int(await connection.fetchval(_SQL["take_transfer_number"]))
    entry = departure_entry(portion, transfer, Errand(account=wanted.account, named=wanted.named))
    sequence = await _recorded(connection, wanted.part.book, Append(entry=entry, fingerprint=_print(entry, f"{wanted.account}")))
    return Released(book=wanted.part.book, sequence=sequence, transfer=transfer)


async def _recorded(connection: Connection, book: Book, offer: Append) -> Sequence:
    (answer,) = await append(connection, book, [offer])
    return _place(answer.status, answer.sequence, offer.entry.external_id)


def _place(status: AppendStatus, sequence: Sequence | None, key: ExternalId) -> Sequence:
    if status is not AppendStatus.RECORDED or sequence is None:
        raise NotReleased(Reason.KEY_TAKEN, key)
    return sequence


def _print(entry: JournalEntry, account: str) -> bytes:
    return fingerprint_of(
        kind=entry.kind, account=account, amount_kopecks=entry.amount_kopecks, raw_amount="", designation=entry.designation
    )


async def _payees(connection: Connection, named: NamedDesignation | None) -> Payees:
    """Registers are read only for a basket, the one designation that names payees."""
    return {} if named is None or named.basket is None else (await fetch_names(connection)).pairs
