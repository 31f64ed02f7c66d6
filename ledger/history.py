"""The history of one payment: its key, the table it was split from, its corrections (``kopeck explain``)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ledger.core.split import apply_lines
from ledger.feed import Connection
from ledger.journal import recorded_entry
from ledger.statements import load_statements
from schemas.allocation import AllocationTable, unpack_table
from schemas.ids import Book, ExternalId, Sequence, Space, TableVersion
from schemas.journal import RecordedEntry
from schemas.outcome import Refusal

_SQL = load_statements("ledger/statements/history.sql")


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """What one operation space stores under an external id: a place in the journal, or the refusal remembered instead."""

    space: Space
    space_name: str
    external_id: ExternalId
    book: Book
    sequence: Sequence | None
    refusal: Refusal


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """Who published a base table and when."""

    version: TableVersion
    published_at: datetime
    published_by: str


class TableHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The table an entry was split from: what was published, the account's entries since, and what they made of it."""

    publication: Publication
    since: tuple[RecordedEntry, ...]
    table: AllocationTable


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A conflict or a stale timestamp kept beside the journal."""

    what: str
    content: str
    seen_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None


class HistoryBroken(RuntimeError):
    """The published table and the entries since do not lead to the entry's version: run ``kopeck verify``."""


async def list_keys(connection: Connection, external_id: str) -> tuple[StoredKey, ...]:
    """Return what is stored under the id in every operation space."""
    return tuple([_stored_key(row) for row in await connection.fetch(_SQL["list_keys"], external_id)])


async def fetch_table_history(connection: Connection, recorded: RecordedEntry) -> TableHistory:
    """Rebuild the table from which an entry with a personal account was split, along the account's back chain.

    Raises HistoryBroken when no published table leads to the entry's version.
    """
    entry, book = recorded.entry, recorded.book
    base = await connection.fetchrow(_SQL["find_base"], book, entry.personal_account, entry.table_version)
    if base is None:
        raise HistoryBroken(f"no table of account {entry.personal_account} was published up to version {entry.table_version}")
    rows = await connection.fetch(_SQL["list_chain"], book, recorded.previous, base["version"])
    since = tuple([recorded_entry(row) for row in rows])
    table = unpack_table(base["content"])
    for earlier in since:
        table = apply_lines(table, earlier.entry.lines, earlier.entry.amounts)
    if table.version != entry.table_version:
        raise HistoryBroken(f"the entries since version {base['version']} lead to {table.version}, not {entry.table_version}")
    publication = Publication(version=base["version"], published_at=base["published_at"], published_by=base["published_by"])
    return TableHistory(publication=publication, since=since, table=table)


async def find_account_name(connection: Connection, account: int) -> str:
    """Return ``namespace/number`` of a personal account, ``#id`` when it is in no register."""
    row = await connection.fetchrow(_SQL["find_account_name"], account)
    return f"#{account}" if row is None else f"{row['namespace']}/{row['number']}"


async def list_parked(connection: Connection, space: Space, external_id: ExternalId) -> tuple[Parked, ...]:
    """Return what waits, or waited, for a person under the key."""
    rows = await connection.fetch(_SQL["list_parked"], space, external_id)
    return tuple([msgspec.convert(dict(row), Parked) for row in rows])


async def list_reversals(connection: Connection, recorded: RecordedEntry) -> tuple[tuple[Book, Sequence], ...]:
    """Return the places of the entry's corrections."""
    rows = await connection.fetch(_SQL["list_reversals"], str(recorded.book), str(recorded.sequence))
    return tuple([(Book(row["book"]), Sequence(row["sequence"])) for row in rows])


def _stored_key(row: Mapping[str, Any]) -> StoredKey:
    return StoredKey(
        space=row["space"],
        space_name=row["name"],
        external_id=row["external_id"],
        book=row["book"],
        sequence=row["sequence"],
        refusal=Refusal(row["outcome"]),
    )
