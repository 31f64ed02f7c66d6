"""A ledger of a few accounts whose tables are opaque bytes: what the doors see, and nothing above them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

import asyncpg
import msgspec

from ledger.chart import AccountKind, ledger_account, payable_base
from ledger.core.fingerprint import fingerprint_of
from ledger.journal import Append, Appended, append, create_ledger
from ledger.statements import load_statements
from schemas.ids import AccountId, Book, ChannelNumber, ExternalId, LedgerAccount, Line, Space, TableVersion, Transit
from schemas.journal import EntryKind, JournalEntry
from schemas.outcome import AppendStatus, Refusal, SuspenseReason
from tests.conftest import LedgerDatabase

SQL = load_statements("tests/statements/small_ledger.sql")
BOOK = Book(1)
DAY = date(2026, 11, 24)
NEXT_DAY = date(2026, 11, 25)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
MOMENT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SPACE = Space(10)
RECORDED, REFUSED, DUPLICATE, CONFLICT, STALE = AppendStatus
"""The statuses by their order; REFUSED is REFUSAL_RECORDED."""


def content_of(account: int, version: int) -> bytes:
    """The bytes that stand for an account's table at a version."""
    return b"%d@%d" % (account, version)


def digest_at(account: int, version: int) -> bytes:
    """The digest of those bytes."""
    return sha256(content_of(account, version)).digest()


def offer(key: str, account: int | None = None, version: int = 0, **more: Any) -> Append:
    """A payment of 300 kopecks in two parts; ``more``: amount, refusal, before, after, print_, and any field of the entry."""
    amount = more.pop("amount", 300)
    refusal = more.pop("refusal", Refusal.NONE)
    named = more.pop("named", "")
    digests = {"before": digest_at(account, version), "after": digest_at(account, version + 1)} if account else {}
    digests |= {name: more.pop(name) for name in ("before", "after") if name in more}
    written = more.pop("written", str(account))
    kind = more.pop("kind", EntryKind.PAYMENT if account else EntryKind.SUSPENSE)
    print_ = fingerprint_of(kind=kind, account=written, amount_kopecks=amount, raw_amount="", designation=named)
    entry = JournalEntry(
        kind=kind,
        event_at=MOMENT,
        value_date=DAY,
        transit=Transit(1),
        channel=ChannelNumber(1),
        space=SPACE,
        external_id=ExternalId(key),
        personal_account=AccountId(account) if account else None,
        table_version=TableVersion(version),
        reason=SuspenseReason.NONE if account else SuspenseReason.ACCOUNT_UNKNOWN,
        designation=named,
        amount_kopecks=amount,
        accounts=(ledger_account(AccountKind.CLEARING, 1, 10), *(LedgerAccount(payable_base(1) + n) for n in (1, 2))),
        amounts=(amount, 1 - amount, -1),
        lines=(Line(0), Line(1), Line(2)),
    )
    return Append(entry=msgspec.structs.replace(entry, **more), fingerprint=print_, refusal=refusal, **digests)


def statuses(answers: Sequence[Appended]) -> list[AppendStatus]:
    """What the door said, in the order of the offers."""
    return [answer.status for answer in answers]


class SmallLedger:
    """Connections of the owner, the gateway and the services to one created ledger with two transit accounts."""

    def __init__(self, database: LedgerDatabase, owner: Any, gateway: Any, services: Any) -> None:
        self.database = database
        self.owner = owner
        self.gateway = gateway
        self.services = services

    async def publish(self, *accounts: int, book: int = BOOK, expected: int = 0) -> list[tuple[int, int]]:
        """Publish the accounts' tables of version ``expected`` + 1; (status, version) of each."""
        contents = [content_of(account, expected + 1) for account in accounts]
        size = len(accounts)
        rows = await self.services.fetch(SQL["publish"], book, accounts, [expected] * size, contents, [FAR] * size, "test")
        return [(row["status"], row["version"]) for row in rows]

    async def offer(self, *offers: Append, book: Book = BOOK) -> tuple[Appended, ...]:
        """Offer a batch with the gateway's privileges."""
        return await append(self.gateway, book, offers)

    async def journal(self, book: int = BOOK) -> list[Any]:
        """A book's rows in order."""
        rows: list[Any] = await self.owner.fetch(SQL["journal"], book)
        return rows

    async def close_day(self, transit: int = 1, day: date | None = DAY, following: date | None = NEXT_DAY) -> int:
        """Close a bank day with the services' privileges; the number of the cut."""
        return int(await self.services.fetchval(SQL["close_day"], transit, day, following))


@asynccontextmanager
async def small_ledger(database: LedgerDatabase, books: int = 1) -> AsyncIterator[SmallLedger]:
    """A created ledger whose accounts 1, 2 and 3 are published in book 1 at version 1."""
    dsns = (database.owner_dsn, database.gateway_dsn, database.services_dsn)
    connections = [await asyncpg.connect(dsn) for dsn in dsns]
    try:
        await create_ledger(connections[0], books)
        await connections[0].execute(SQL["open_days"], DAY)
        ledger = SmallLedger(database, *connections)
        assert await ledger.publish(1, 2, 3) == [(0, 1)] * 3
        yield ledger
    finally:
        for connection in connections:
            connection.terminate()


async def until(condition: Callable[[], Awaitable[bool]], seconds: int = 20) -> None:
    """Ask a condition again and again until it holds; TimeoutError after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.005)
