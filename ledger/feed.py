"""The feed: the journal read in order by (book, sequence), in short statements (design W3).

Sequences of a book are gapless and committed in order, so a reader's place in a book is one integer and nothing is skipped.
No order between books may be assumed.
"""

from typing import Any, TypeAlias

import asyncpg
import msgspec

from ledger.journal import recorded_entry
from ledger.statements import load_statements
from schemas.ids import Book, Sequence
from schemas.journal import RecordedEntry

_SQL = load_statements("ledger/statements/feed.sql")

FEED_CHANNEL = "kopeck_feed"
"""PostgreSQL's notification channel: woken at most once per 20 ms per gateway process, never from ``append``."""

Connection: TypeAlias = "asyncpg.Connection[Any]"


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """Entries ``after`` < sequence <= ``upto`` of a book."""

    book: Book
    after: Sequence
    upto: Sequence

    @property
    def entries(self) -> int:
        """How many entries the passage holds; sequences are gapless."""
        return self.upto - self.after


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """How far a consumer is behind a book's head; ``age_ms`` is the age of the oldest entry not taken, 0 when none."""

    book: Book
    entries: int
    age_ms: int


async def read_feed(connection: Connection, book: Book, after: Sequence, entries_max: int) -> tuple[RecordedEntry, ...]:
    """Return at most ``entries_max`` entries of the book after a place, in order; empty at the head."""
    rows = await connection.fetch(_SQL["list_entries_after"], book, after, entries_max)
    return tuple([recorded_entry(row) for row in rows])


async def list_books(connection: Connection) -> tuple[Book, ...]:
    """Return every book of the ledger, book 0 included."""
    return tuple([Book(row["book"]) for row in await connection.fetch(_SQL["list_books"])])


async def list_account_entries(
    connection: Connection, namespace: str, number: str, entries_max: int
) -> tuple[RecordedEntry, ...] | None:
    """Return the newest entries of the account with this name, newest first, along its back chain; None for no account."""
    account = await connection.fetchval(_SQL["find_account"], namespace, number)
    if account is None:
        return None
    rows = await connection.fetch(_SQL["list_account_entries"], account, entries_max)
    return tuple([recorded_entry(row) for row in rows])


async def list_heads(connection: Connection) -> dict[Book, Sequence]:
    """Return the last sequence of every book, 0 for an empty one. The books are read one after another: not a cut."""
    return {Book(row["book"]): Sequence(row["head"]) for row in await connection.fetch(_SQL["list_heads"])}


async def make_cursors(connection: Connection, consumer: str) -> tuple[Book, ...]:
    """Give the consumer a cursor in every book that it lacks, at the beginning; return the books."""
    await connection.execute(_SQL["make_cursors"], consumer)
    return await list_books(connection)


async def lock_passage(connection: Connection, consumer: str, book: Book, entries_max: int) -> Passage | None:
    """Lock the consumer's cursor for the open transaction and return the passage to take, empty at the head.

    None when another runner of the same consumer holds the cursor.
    """
    after = await connection.fetchval(_SQL["lock_cursor"], consumer, book)
    if after is None:
        return None
    head = await connection.fetchval(_SQL["fetch_head"], book)
    return Passage(book=book, after=Sequence(after), upto=Sequence(min(head, after + entries_max)))


async def move_cursor(connection: Connection, consumer: str, passage: Passage) -> bool:
    """Move the cursor over the passage, by compare; False when it did not stand before the passage."""
    moved = await connection.fetchval(_SQL["move_cursor"], consumer, passage.book, passage.after, passage.upto)
    return moved is not None


async def list_cursors(connection: Connection, consumer: str) -> dict[Book, Sequence]:
    """Return how far the consumer has come in each book; empty when it never ran."""
    rows = await connection.fetch(_SQL["list_cursors"], consumer)
    return {Book(row["book"]): Sequence(row["sequence"]) for row in rows}


async def list_lags(connection: Connection, consumer: str) -> tuple[Lag, ...]:
    """Return how far the consumer is behind the head of each book."""
    rows = await connection.fetch(_SQL["list_lags"], consumer)
    return tuple([Lag(book=Book(row["book"]), entries=row["entries"], age_ms=row["age_ms"]) for row in rows])


async def listen(connection: Connection, wake: Any) -> None:
    """Call ``wake(connection, pid, channel, payload)`` at each notification of the feed."""
    await connection.add_listener(FEED_CHANNEL, wake)
