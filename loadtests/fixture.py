"""Makes the synthetic town in a fresh ledger: reference rows by COPY, tables through ``ledger.publish`` like any others.

Charges are not written: a published table holds all that a payment, ``verify`` and ``explain`` read.
"""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

import asyncpg
import msgspec

from gateway.cache import Name, TableCache, cache_value
from ledger.core.books import book_of
from ledger.statements import load_statements
from loadtests.town import NAMESPACE, RECIPIENTS, SERVICES, VALID_UNTIL, Town, creditor_of, number_of, table_of
from schemas.allocation import AccountState, AdvanceRule, PayerKind, pack_table
from schemas.ids import Book

Connection: TypeAlias = "asyncpg.Connection[Any]"

PUBLICATION_ACCOUNTS_MAX = 256
PUBLISHER = "bench"
WAL_SEGMENTS = 32
"""Of 16 MB: more than a run of the bench writes."""
INN = "7707083893"
KPP = "770701001"

_SQL = load_statements("loadtests/statements/fixture.sql")
_PUBLISH = load_statements("ledger/statements/tables.sql")["publish"]
_VALID_UNTIL = datetime.fromtimestamp(VALID_UNTIL, UTC)


class FixtureError(RuntimeError):
    """The ledger is not fresh, or the cache did not keep what it was given."""


class _Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts of one book and their packed tables, parallel."""

    book: Book
    accounts: list[int]
    packed: list[bytes]


async def make_town(connection: Connection, town: Town, books: int, cache: TableCache | None) -> None:
    """Fill a fresh, created ledger as its owner.

    With a cache every table is written to it as well, so that the load meets it warm. Raises FixtureError.
    """
    await _copy_reference(connection, town)
    writing: asyncio.Task[None] | None = None
    for chunk in _chunks(town, books):
        if writing is not None:
            await writing
        writing = asyncio.create_task(_publish(connection, chunk, cache))
        await asyncio.sleep(0)
    if writing is not None:
        await writing
    await connection.execute(_SQL["settle"])
    for _ in range(WAL_SEGMENTS):
        await connection.execute(_SQL["lay_out_wal"])
    await connection.execute(_SQL["checkpoint"])


async def _copy_reference(connection: Connection, town: Town) -> None:
    for table, columns, records in (
        ("recipient", ("recipient", "code", "kind", "name", "inn", "kpp", "advance_rule"), _recipients()),
        ("payee", ("payee", "recipient", "service"), _payees()),
        ("personal_account", ("personal_account", "namespace", "number", "state", "payer_kind", "provider"), _accounts(town)),
        ("alias", ("namespace", "number", "personal_account"), _aliases(town)),
    ):
        await connection.copy_records_to_table(table, schema_name="reference", columns=columns, records=records)
    for name in ("renumber_recipients", "renumber_payees", "renumber_accounts"):
        await connection.execute(_SQL[name])


def _recipients() -> Iterator[tuple[object, ...]]:
    for number in range(1, RECIPIENTS + 1):
        kind = "management" if number == 1 else "supplier"
        yield number, f"bench-{number:03d}", kind, f"ООО «Получатель {number}»", INN, KPP, AdvanceRule.BY_WEIGHTS.value


def _payees() -> Iterator[tuple[object, ...]]:
    """Numbers ascend as (recipient, service) does, so that lines sorted by payee need no tie order."""
    for recipient in range(1, RECIPIENTS + 1):
        for place, service in enumerate(sorted(SERVICES), start=1):
            yield (recipient - 1) * len(SERVICES) + place, recipient, service


def _accounts(town: Town) -> Iterator[tuple[object, ...]]:
    for account in range(1, town.accounts + 1):
        yield account, NAMESPACE, number_of(account), AccountState.OPEN.value, PayerKind.PERSON.value, creditor_of(town, account)


def _aliases(town: Town) -> Iterator[tuple[object, ...]]:
    for account in range(1, town.accounts + 1):
        yield NAMESPACE, number_of(account), account


def _chunks(town: Town, books: int) -> Iterator[_Chunk]:
    """Pack the town's tables, at most PUBLICATION_ACCOUNTS_MAX of one book at a time."""
    filling: dict[Book, _Chunk] = {}
    for account in range(1, town.accounts + 1):
        book = book_of(NAMESPACE, number_of(account), books)
        chunk = filling.setdefault(book, _Chunk(book=book, accounts=[], packed=[]))
        chunk.accounts.append(account)
        chunk.packed.append(pack_table(table_of(town, account)))
        if len(chunk.accounts) == PUBLICATION_ACCOUNTS_MAX:
            yield filling.pop(book)
    yield from filling.values()


async def _publish(connection: Connection, chunk: _Chunk, cache: TableCache | None) -> None:
    size = len(chunk.accounts)
    rows = await connection.fetch(
        _PUBLISH, chunk.book, chunk.accounts, [0] * size, chunk.packed, [_VALID_UNTIL] * size, PUBLISHER
    )
    if any(row["status"] != 0 for row in rows):
        raise FixtureError("an account was published before: the bench needs a fresh ledger")
    if cache is None:
        return
    names: list[Name] = [(NAMESPACE, number_of(account)) for account in chunk.accounts]
    await cache.write({name: cache_value(1, packed) for name, packed in zip(names, chunk.packed, strict=True)}, now=0.0)
    if len(await cache.read(names[-1:], now=0.0)) != 1:
        raise FixtureError("the cache did not keep a table it was given")
