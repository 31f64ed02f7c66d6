"""Station 6: the ledger's door (design W2, W3, W5). Nothing else writes the journal.

``append`` offers one batch and may fail with any database error: whether it was recorded is then unknown, and the caller
offers the same batch again, unchanged (design W3).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from ledger.statements import load_statements
from schemas import ids
from schemas.journal import EntryKind, JournalEntry, RecordedEntry
from schemas.outcome import AppendStatus, Refusal, SuspenseReason

_SQL = load_statements("ledger/statements/journal.sql")

BATCH_ENTRIES_MAX = 512

_STATUSES, _REFUSALS, _REASONS = tuple(AppendStatus), tuple(Refusal), tuple(SuspenseReason)
assert [*map(int, _STATUSES + _REFUSALS + _REASONS)] == [*range(5), *range(11), *range(8)], "members stand at their own numbers"


class Append(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry, or one refusal, offered to the door.

    With ``refusal`` set the entry only lends its key. ``before`` and ``after`` are the digests of the account's table
    before and after this entry; empty for an entry without a personal account.
    """

    entry: JournalEntry
    fingerprint: bytes
    refusal: Refusal = Refusal.NONE
    before: bytes = b""
    after: bytes = b""


class Appended(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The door's answer for one offer; ``stored_fingerprint`` is given for a conflict."""

    status: AppendStatus
    book: ids.Book | None
    sequence: ids.Sequence | None
    refusal: Refusal
    reason: SuspenseReason
    recorded_at: datetime | None
    stored_fingerprint: bytes | None


def _array(numbers: Sequence[int]) -> str:
    return "{" + ",".join(map(str, numbers)) + "}"


async def append(connection: "asyncpg.Connection[Any]", book: ids.Book, offers: Sequence[Append]) -> tuple[Appended, ...]:
    """Offer 1 … BATCH_ENTRIES_MAX entries of one book in one transaction; the answers are parallel to the offers."""
    assert 0 < len(offers) <= BATCH_ENTRIES_MAX
    entries = [offer.entry for offer in offers]
    rows = await connection.fetch(
        _SQL["append"],
        book,
        [entry.space for entry in entries],
        [entry.external_id for entry in entries],
        [offer.fingerprint for offer in offers],
        [offer.refusal for offer in offers],
        [entry.personal_account for entry in entries],
        [entry.table_version for entry in entries],
        [offer.before for offer in offers],
        [offer.after for offer in offers],
        [entry.kind for entry in entries],
        [entry.amount_kopecks for entry in entries],
        [entry.event_at for entry in entries],
        [entry.value_date for entry in entries],
        [entry.transit for entry in entries],
        [entry.channel for entry in entries],
        [entry.reason for entry in entries],
        [entry.designation for entry in entries],
        [_array(entry.accounts) for entry in entries],
        [_array(entry.amounts) for entry in entries],
        [_array(entry.lines) for entry in entries],
    )
    assert len(rows) == len(offers), "the door answers every offer once"
    answers: list[Appended | None] = [None] * len(offers)
    for row in rows:
        answers[row[0] - 1] = _appended(row)
    return tuple(answer for answer in answers if answer is not None)


def _appended(row: Sequence[Any]) -> Appended:
    _, status, book, sequence, outcome, reason, recorded_at, stored = row
    return Appended(
        status=_STATUSES[status],
        book=book,
        sequence=sequence,
        refusal=_REFUSALS[outcome or 0],
        reason=_REASONS[reason or 0],
        recorded_at=recorded_at,
        stored_fingerprint=stored,
    )


async def find_key(
    connection: "asyncpg.Connection[Any]", space: ids.Space, external_id: ids.ExternalId
) -> Mapping[str, Any] | None:
    """Return what is stored under a payment key (book, sequence, outcome, fingerprint, reason, recorded_at) or None."""
    row: Mapping[str, Any] | None = await connection.fetchrow(_SQL["find_key"], space, external_id)
    return row


async def fetch_entry(connection: "asyncpg.Connection[Any]", book: ids.Book, sequence: ids.Sequence) -> RecordedEntry:
    """Return the entry at a place of the journal; a place that does not exist raises LookupError."""
    row = await connection.fetchrow(_SQL["fetch_entry"], book, sequence)
    if row is None:
        raise LookupError(f"no entry {book}:{sequence}")
    return recorded_entry(row)


async def mark_due(connection: "asyncpg.Connection[Any]", account: ids.AccountId) -> None:
    """Ask for an account's table to be built again, as the services' role."""
    await connection.execute(_SQL["mark_due"], account)


def recorded_entry(row: Mapping[str, Any]) -> RecordedEntry:
    """Turn a row of ledger.journal into its value."""
    return RecordedEntry(
        book=row["book"],
        sequence=row["sequence"],
        recorded_at=row["recorded_at"],
        bank_day=row["bank_day"],
        previous=row["previous"],
        entry=JournalEntry(
            kind=EntryKind(row["kind"]),
            event_at=row["event_at"],
            value_date=row["value_date"],
            transit=row["transit"],
            channel=row["channel"],
            space=row["space"],
            external_id=row["external_id"],
            personal_account=row["personal_account"],
            table_version=row["table_version"],
            reason=SuspenseReason(row["reason"]),
            designation=row["designation"],
            amount_kopecks=row["amount"],
            accounts=tuple(row["accounts"]),
            amounts=tuple(row["amounts"]),
            lines=tuple(row["lines"]),
        ),
    )


async def create_ledger(connection: "asyncpg.Connection[Any]", books: int) -> int:
    """Create the ledger with ``books`` payers' books, once; return the number it has (design W4: it never changes)."""
    async with connection.transaction():
        await connection.execute(_SQL["create_incarnation"], books)
        await connection.execute(_SQL["create_heads"])
    return await fetch_books(connection)


async def fetch_books(connection: "asyncpg.Connection[Any]") -> int:
    """Return the number of payers' books; a ledger that was never created raises LookupError."""
    books = await connection.fetchval(_SQL["fetch_books"])
    if books is None:
        raise LookupError("the ledger has not been created")
    return int(books)
