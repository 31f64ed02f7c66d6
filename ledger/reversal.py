"""Reversing an entry through the ledger's door: read, mirror, append under the payer's compare-and-set (design W7)."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from ledger.core.entry import MOSCOW, value_date_of
from ledger.core.fingerprint import fingerprint_of
from ledger.core.release import suspended_at
from ledger.core.reversal import NotReversible, reversal_of
from ledger.core.split import apply_lines
from ledger.journal import Append, Appended, append, fetch_entry, mark_due
from ledger.offset import list_offsets_of
from ledger.rebuild import Rebuilt, rebuild_accounts
from ledger.release import fetch_left
from schemas.allocation import digest_of, pack_table
from schemas.ids import AccountId, Book, Sequence, TableVersion
from schemas.journal import RecordedEntry
from schemas.outcome import AppendStatus

REVERSAL_ATTEMPTS_MAX = 8
"""How often a payer's table may move between its reading and the append before the correction is given up."""


class TableNotRebuilt(RuntimeError):
    """The payer's table cannot be rebuilt to its head's digest: a person must look at the account first."""


class AccountBusy(RuntimeError):
    """The payer's table moved at every attempt, or has expired; nothing was recorded, the correction may be asked for again."""


async def reverse_entry(connection: "asyncpg.Connection[Any]", book: Book, sequence: Sequence, moment: datetime) -> Appended:
    """Append the mirror of the entry at a place of the journal; ``moment`` is when the correction was decided.

    The answer is RECORDED, or DUPLICATE with the reversal that the entry has already: its key is one an entry, so that
    two concurrent ones cannot both pass. Raises LookupError for a place without an entry, NotReversible for a
    reversal and other kinds that are not undone so, TableNotRebuilt and AccountBusy as they say. Any database error leaves
    the outcome unknown: ask again. Offsets of the entry's advance are reversed before it, the newest first: what it paid ahead
    has been spent on charges, and the mirror takes it back from where it had put it.
    """
    recorded = await fetch_entry(connection, book, sequence)
    account = recorded.entry.personal_account
    for _ in range(REVERSAL_ATTEMPTS_MAX):
        state = None if account is None else await table_of_account(connection, account)
        # After the table: an offset that a publication makes from here on moves the head, and the mirror is stale.
        if offsets := await list_offsets_of(connection, book, sequence):
            for place in offsets:
                await reverse_entry(connection, *place, moment)
            continue
        answer = await _append(connection, recorded, reversal_offer(recorded, state, moment))
        if answer.status is not AppendStatus.STALE:
            # After a repeat too: the first try may have ended between the two statements.
            if account is not None and answer.status in (AppendStatus.RECORDED, AppendStatus.DUPLICATE):
                await mark_due(connection, account)
            return answer
    raise AccountBusy(
        f"{book}:{sequence} is not reversed: the table of account {account} was stale {REVERSAL_ATTEMPTS_MAX} times"
    )


async def _append(connection: "asyncpg.Connection[Any]", recorded: RecordedEntry, offer: Append) -> Appended:
    """Append a mirror, unless money that it takes from suspense was released: that has to be taken back from where it went."""
    async with connection.transaction():
        (answer,) = await append(connection, recorded.book, [offer])
        if answer.status is AppendStatus.RECORDED and suspended_at(recorded.entry) is not None:
            left = await fetch_left(connection, recorded.book, recorded.sequence)
            if left < 0:
                raise NotReversible(f"{recorded.book}:{recorded.sequence}: {-left} kopecks of it were released from suspense")
    return answer


def reversal_offer(recorded: RecordedEntry, state: Rebuilt | None, moment: datetime) -> Append:
    """Return the mirror of an entry as an offer; ``state`` is the payer's table at its head, None without a payer.

    The fingerprint names the corrected entry and its amount, so that a repeat at another moment compares equal.
    """
    zone = MOSCOW if state is None else ZoneInfo(state.table.time_zone)
    entry = reversal_of(
        recorded,
        head_version=TableVersion(0) if state is None else state.version,
        event_at=moment,
        value_date=value_date_of(moment, zone),
    )
    corrected = f"{recorded.book}:{recorded.sequence}"
    print_ = fingerprint_of(
        kind=entry.kind, account=corrected, amount_kopecks=entry.amount_kopecks, raw_amount="", designation=entry.designation
    )
    if state is None:
        return Append(entry=entry, fingerprint=print_)
    after = digest_of(pack_table(apply_lines(state.table, entry.lines, entry.amounts)))
    return Append(entry=entry, fingerprint=print_, before=state.digest, after=after)


async def table_of_account(connection: "asyncpg.Connection[Any]", account: AccountId) -> Rebuilt:
    """Return an account's table at its head; raises TableNotRebuilt."""
    state = (await rebuild_accounts(connection, [account])).get(account)
    if not isinstance(state, Rebuilt):
        raise TableNotRebuilt(f"the table of account {account} is not what its head promises: {state!r}")
    return state
