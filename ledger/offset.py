"""Advances of accounts as the journal shows them, and offsets offered to the ledger's door (ledger/core/offset.py decides)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg

from ledger.core.account_facts import BuildError, ChargeKind
from ledger.core.offset import AdvanceEntry, OffsetTerms, offset_entries, offset_fingerprint, sources_of
from ledger.journal import BATCH_ENTRIES_MAX, Append, append
from ledger.statements import load_statements
from ledger.tables import AccountReading
from schemas.allocation import AllocationTable, digest_of, pack_table
from schemas.ids import AccountId, Book
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind, JournalEntry
from schemas.outcome import AppendStatus

SQL = load_statements("ledger/statements/offset.sql")

Entries = dict[AccountId, tuple[AdvanceEntry, ...]]


class Holder(NamedTuple):
    """An account as it was read, the table at its head, and the entries behind its advances."""

    reading: AccountReading
    table: AllocationTable
    entries: tuple[AdvanceEntry, ...]


async def fetch_advance_entries(connection: "asyncpg.Connection[Any]", book: Book, readings: Sequence[AccountReading]) -> Entries:
    """Read the entries behind the advances of those accounts of one book that hold any.

    Read after the accounts: an entry younger than a reading makes compare-and-set on its version fail.
    """
    holders = [reading.facts.account for reading in readings if holds_advance(reading)]
    found: dict[AccountId, list[AdvanceEntry]] = {}
    for row in await connection.fetch(SQL["list_advance_entries"], book, holders) if holders else ():
        found.setdefault(row["personal_account"], []).append(
            AdvanceEntry(
                kind=EntryKind(row["kind"]),
                **{name: row[name] for name in AdvanceEntry.__struct_fields__ if name != "kind"},
            )
        )
    return {account: tuple(entries) for account, entries in found.items()}


def holds_advance(reading: AccountReading) -> bool:
    """Tell whether anything stands on an advance line of the account."""
    return any(reading.paid.get(charge.line, 0) > 0 for charge in reading.charges if charge.kind is ChargeKind.ADVANCE)


async def fetch_seasonal(connection: "asyncpg.Connection[Any]") -> frozenset[str]:
    """Read which services are seasonal."""
    return frozenset([row["service"] for row in await connection.fetch(SQL["list_seasonal"])])


def offset_offers(holder: Holder, terms: OffsetTerms) -> tuple[Append, ...]:
    """Return the account's offsets in the order in which the door must take them."""
    reading, table, entries = holder
    if not entries:
        return ()
    advance_lines = frozenset([charge.line for charge in reading.charges if charge.kind is ChargeKind.ADVANCE])
    sources = sources_of(entries, advance_lines)
    offers: list[Append] = []
    for entry, after in offset_entries(reading.facts, reading.charges, table, sources, terms):
        print_ = offset_fingerprint(reading.facts, entry)
        before, table = digest_of(pack_table(table)), after
        offers.append(Append(entry=entry, fingerprint=print_, before=before, after=digest_of(pack_table(after))))
    return tuple(offers)


async def append_offsets(
    connection: "asyncpg.Connection[Any]", book: Book, holders: Sequence[Holder], terms: OffsetTerms
) -> tuple[BuildError, ...]:
    """Append the offsets of accounts of one book in the caller's transaction, which holds its head; those refused, and why.

    Nothing of the transaction may stand when any is refused.
    """
    offers = [offer for holder in holders for offer in offset_offers(holder, terms)]
    refused: list[BuildError] = []
    for start in range(0, len(offers), BATCH_ENTRIES_MAX):
        part = offers[start : start + BATCH_ENTRIES_MAX]
        for offer, answer in zip(part, await append(connection, book, part), strict=True):
            account = offer.entry.personal_account
            if answer.status is not AppendStatus.RECORDED and account is not None:
                refused.append(BuildError(account, f"offset {offer.entry.external_id}: {answer.status.name.lower()}"))
    return tuple(refused)


def recorded_advance(entry: JournalEntry, book: Book, sequence: Place) -> AdvanceEntry:
    """Return an entry that was appended just now as the journal will show it."""
    names = [name for name in AdvanceEntry.__struct_fields__ if name not in ("book", "sequence")]
    return AdvanceEntry(book=book, sequence=sequence, **{name: getattr(entry, name) for name in names})


async def list_offsets_of(connection: "asyncpg.Connection[Any]", book: Book, sequence: Place) -> tuple[tuple[Book, Place], ...]:
    """Return the places of the offsets made from an entry that stand, the newest first."""
    rows = await connection.fetch(SQL["list_offsets_of"], f"{book}:{sequence}")
    return tuple([(row["book"], row["sequence"]) for row in rows])
