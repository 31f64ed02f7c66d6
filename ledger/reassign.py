"""Giving a payment to another personal account, in two steps that a crash between them cannot part (design W7).

``depart`` may stand in the caller's transaction, beside the application that asked for it. ``arrive`` is its idempotent effect:
whoever wrote the departure calls it at once, and a consumer of the feed calls it for every departure again.
"""

from datetime import datetime

import msgspec

from ledger.core.fingerprint import fingerprint_of
from ledger.core.reassign import (
    arrival_entry,
    arrival_key,
    errand_of,
    errand_text,
    is_departure,
    reassign_account,
    stranded_entry,
)
from ledger.core.refund import REFUND_SPACE, NotRefundable
from ledger.core.split import after_split, split_amount
from ledger.feed import Connection
from ledger.journal import Append, append, fetch_entry, find_key, mark_due
from ledger.rebuild import NotPublished, Rebuilt, rebuild_accounts
from ledger.refund import Corrected, Wanted, take_back
from ledger.reversal import AccountBusy, TableNotRebuilt
from ledger.statements import load_statements
from schemas.allocation import AccountState, digest_of, pack_table
from schemas.ids import AccountId, Book, Sequence
from schemas.journal import EntryKind, JournalEntry, RecordedEntry
from schemas.outcome import AppendStatus

_SQL = load_statements("ledger/statements/refund.sql")

ATTEMPTS_MAX = 8


class NotReassigned(ValueError):
    """The money cannot go to that account; nothing was recorded."""


class Reassign(msgspec.Struct, frozen=True, kw_only=True):
    """All that is left of the payment at a place goes to ``account``; ``nth`` as in ledger.refund.Wanted."""

    book: Book
    sequence: Sequence
    account: AccountId
    nth: int | None = None


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """Where the second half stands; ``is_new`` False: it stood there already."""

    book: Book
    sequence: Sequence
    is_new: bool


async def depart(connection: Connection, wanted: Reassign, moment: datetime) -> Corrected:
    """Append the first half. Raises NotReassigned, and what ledger.refund.take_back raises."""
    payment = await fetch_entry(connection, wanted.book, wanted.sequence)
    if payment.entry.personal_account is None or payment.entry.kind is EntryKind.SUSPENSE:
        raise NotRefundable(f"entry {wanted.book}:{wanted.sequence} is no personal account's: it is released, not reassigned")
    if payment.entry.personal_account == wanted.account:
        raise NotReassigned("the payment stands on that account already")
    state = await _taker(connection, wanted.account)
    if state.table.state is AccountState.CLOSED:
        raise NotReassigned("the account is closed")
    number = int(await connection.fetchval(_SQL["take_transfer_number"]))
    return await take_back(
        connection,
        Wanted(
            book=wanted.book,
            sequence=wanted.sequence,
            kind=EntryKind.REASSIGNMENT,
            against=reassign_account(number),
            note=errand_text(wanted.account),
            nth=wanted.nth,
        ),
        moment,
    )


async def arrive(connection: Connection, departure: RecordedEntry) -> Arrived:
    """Append the second half of a departure, once. Raises TableNotRebuilt, AccountBusy: ask again."""
    if not is_departure(departure.entry):
        raise NotRefundable(f"entry {departure.book}:{departure.sequence} departs for no other account")
    account = errand_of(departure.entry).account
    payment = await _payment_of(connection, departure)
    for _ in range(ATTEMPTS_MAX):
        known = await find_key(connection, REFUND_SPACE, arrival_key(departure.entry))
        if known is not None:
            return Arrived(book=known["book"], sequence=known["sequence"], is_new=False)
        state = await _taker(connection, account)
        (answer,) = await append(connection, state.book, [_offer(departure, payment, state)])
        if answer.status is AppendStatus.RECORDED and answer.sequence is not None:
            if state.table.state is not AccountState.CLOSED:
                await mark_due(connection, account)
            return Arrived(book=state.book, sequence=answer.sequence, is_new=True)
    raise AccountBusy(f"{departure.book}:{departure.sequence} does not arrive: account {account} moved {ATTEMPTS_MAX} times")


def _offer(departure: RecordedEntry, payment: JournalEntry, state: Rebuilt) -> Append:
    if state.table.state is AccountState.CLOSED:
        entry = stranded_entry(departure, payment)
        return Append(entry=entry, fingerprint=_print(departure, entry))
    split = split_amount(state.table, departure.entry.amount_kopecks, None)
    entry = arrival_entry(departure, payment, state.table, split)
    after = digest_of(pack_table(after_split(state.table, split)))
    return Append(entry=entry, fingerprint=_print(departure, entry), before=state.digest, after=after)


async def _payment_of(connection: Connection, departure: RecordedEntry) -> JournalEntry:
    """Return what the departure corrects: its key names it, in its own book."""
    _, _, rest = departure.entry.external_id.partition(":")
    return (await fetch_entry(connection, departure.book, Sequence(int(rest.partition("/")[0])))).entry


async def _taker(connection: Connection, account: AccountId) -> Rebuilt:
    found = await rebuild_accounts(connection, [account])
    if account not in found:
        raise NotReassigned(f"there is no personal account {account}")
    state = found[account]
    if isinstance(state, NotPublished):
        raise TableNotRebuilt(f"no table of account {account} is published yet")
    if not isinstance(state, Rebuilt):
        raise TableNotRebuilt(f"the table of account {account} is not what its head promises: {state!r}")
    return state


def _print(departure: RecordedEntry, entry: JournalEntry) -> bytes:
    return fingerprint_of(
        kind=entry.kind,
        account=f"{departure.book}:{departure.sequence}",
        amount_kopecks=entry.amount_kopecks,
        raw_amount="",
        designation="",
    )
