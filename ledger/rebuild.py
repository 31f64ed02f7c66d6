"""The table at an account's head, rebuilt from PostgreSQL: newest base table plus the entries since (design W6).

The hot path comes here when the cache has nothing or something else than the head's digest. Every answer is checked
against the head: a rebuilt table that fails the digest is a fact to be parked with an alarm, never a table.
"""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any

import asyncpg
import msgspec

from ledger.core.books import book_of
from ledger.core.split import apply_lines
from ledger.tables import SQL
from schemas.allocation import AllocationTable, Digest, TableUnreadable, digest_of, pack_table, unpack_table
from schemas.ids import ACCOUNT_NUMBER_CHARACTERS_MAX, AccountId, Book, TableVersion

Name = tuple[str, str]
"""An outside name of a personal account: (namespace, number)."""


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """The table at the head: its canonical bytes, their digest, the table itself and its version."""

    book: Book
    packed: bytes
    digest: Digest
    table: AllocationTable
    version: TableVersion


class DigestMismatch(msgspec.Struct, frozen=True, kw_only=True):
    """The rebuilt table is not what the head promises: the account must be parked and nothing booked by a table.

    ``rebuilt_version`` is 0 when the base table cannot even be read.
    """

    account: AccountId
    book: Book
    head_version: TableVersion
    rebuilt_version: TableVersion
    head_digest: Digest
    rebuilt_digest: Digest


class NotPublished(msgspec.Struct, frozen=True, kw_only=True):
    """The account is known but no table of it has been published."""

    account: AccountId
    book: Book


State = Rebuilt | DigestMismatch | NotPublished


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A name that means one account."""

    account: AccountId
    book: Book
    state: State


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A name that means no account today."""


class Ambiguous(msgspec.Struct, frozen=True, kw_only=True):
    """A name that means several accounts today: two matches are no match (design §4)."""

    candidates: tuple[AccountId, ...]


async def read_tables(
    connection: "asyncpg.Connection[Any]", names: Sequence[Name], today: date
) -> dict[Name, Found | Unknown | Ambiguous]:
    """Find the accounts that outside names mean on ``today`` and rebuild their tables, all in one go."""
    asked = [name for name in names if _may_exist(name)]
    rows = await connection.fetch(SQL["resolve_names"], [name[0] for name in asked], [name[1] for name in asked], today)
    meant: dict[Name, list[tuple[Book, AccountId]]] = {name: [] for name in names}
    for place, matches in groupby(rows, itemgetter("place")):
        meant[asked[place - 1]] = [
            (book_of(row["namespace"], row["number"], row["books"]), row["personal_account"]) for row in matches
        ]
    single = {matches[0] for matches in meant.values() if len(matches) == 1}
    states = await _rebuild(connection, sorted(single))
    return {name: _answer(matches, states) for name, matches in meant.items()}


def _may_exist(name: Name) -> bool:
    """Tell whether the database could hold the name: not too long, no NUL, nothing that is no text in UTF-8."""
    try:
        return len(name[1]) <= ACCOUNT_NUMBER_CHARACTERS_MAX and 0 not in "".join(name).encode()
    except UnicodeEncodeError:
        return False


async def rebuild_accounts(connection: "asyncpg.Connection[Any]", account_ids: Sequence[AccountId]) -> dict[AccountId, State]:
    """Rebuild the tables of these accounts; an id that no account has is left out of the answer."""
    rows = await connection.fetch(SQL["list_names"], account_ids)
    places = sorted((book_of(row["namespace"], row["number"], row["books"]), row["personal_account"]) for row in rows)
    return await _rebuild(connection, places)


def _answer(matches: list[tuple[Book, AccountId]], states: dict[AccountId, State]) -> Found | Unknown | Ambiguous:
    if not matches:
        return Unknown()
    if len(matches) > 1:
        return Ambiguous(candidates=tuple([account for _, account in matches]))
    book, account = matches[0]
    return Found(account=account, book=book, state=states[account])


async def _rebuild(connection: "asyncpg.Connection[Any]", places: Sequence[tuple[Book, AccountId]]) -> dict[AccountId, State]:
    if not places:
        return {}
    books, accounts = zip(*places, strict=True)
    async with connection.transaction():
        await connection.execute(SQL["prefer_indexes"])
        rows = await connection.fetch(SQL["list_heads"], list(books), list(accounts))
    states: dict[AccountId, State] = {account: NotPublished(account=account, book=book) for book, account in places}
    for row in rows:
        account = row["personal_account"]
        states[account] = _state(states[account].book, row)
    return states


def _state(book: Book, row: Any) -> State:
    try:
        table = unpack_table(row["content"])
    except TableUnreadable:
        return _mismatch(book, row, TableVersion(0), digest_of(row["content"]))
    for lines, amounts in _entries(row["versions"] or (), row["lines"], row["amounts"]):
        table = apply_lines(table, lines, amounts)
    packed = pack_table(table)
    digest = digest_of(packed)
    if table.version != row["version"] or digest != row["digest"]:
        return _mismatch(book, row, table.version, digest)
    return Rebuilt(book=book, packed=packed, digest=digest, table=table, version=table.version)


def _mismatch(book: Book, row: Any, version: TableVersion, digest: Digest) -> DigestMismatch:
    return DigestMismatch(
        account=row["personal_account"],
        book=book,
        head_version=row["version"],
        rebuilt_version=version,
        head_digest=row["digest"],
        rebuilt_digest=digest,
    )


def _entries(versions: Sequence[int], lines: Sequence[int], amounts: Sequence[int]) -> list[tuple[list[Any], list[int]]]:
    """Cut the flat postings into entries: those of one entry carry the version that it was split from."""
    return [
        ([line for _, line, _ in postings], [amount for _, _, amount in postings])
        for _, group in groupby(zip(versions, lines or (), amounts or (), strict=True), itemgetter(0))
        if (postings := list(group))
    ]
