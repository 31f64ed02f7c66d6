"""A small town with money that nobody claims: accounts, notifications without an owner, and everything that folds the journal."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import msgspec

from ledger.audit import conclude, connect_for_audit, plan_audit, run_job
from ledger.core.books import book_of
from ledger.core.entry import PaymentFacts, entry_for_suspense
from ledger.core.fingerprint import fingerprint_of
from ledger.core.verification import Divergence
from ledger.journal import Append, append, fetch_entry
from ledger.statements import load_statements
from schemas.ids import AccountId, Book, ChannelNumber, ExternalId, Sequence, Space, Transit
from schemas.journal import JournalEntry, RecordedEntry
from schemas.outcome import AppendStatus, SuspenseReason
from services.balances.consumer import BalancesConsumer
from services.runner import catch_up
from services.suspense.consumer import SuspenseConsumer
from services.suspense.core.evidence import Told
from services.suspense.decisions import Place
from services.suspense.queue import Item, find_item, list_differences
from tests.conftest import LedgerDatabase
from tests.ledger.town import Town

SQL = load_statements("tests/statements/suspense_town.sql")
FIRST = Book(1)
PAID_AT = datetime(2026, 11, 10, 21, 30, tzinfo=UTC)
"""Already the 11th in Moscow."""
VALUE_DATE = date(2026, 11, 11)
BANK_DAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


class SuspenseTown(Town):
    """The ledger's small town with a channel and a queue of suspense."""

    def __init__(self, database: LedgerDatabase, owner: Any, services: Any) -> None:
        super().__init__(owner, services)
        self.database = database
        self.transit = Transit(1)
        self.space = Space(0)
        self.channel = ChannelNumber(0)
        self.books = 1
        self._keys = 0

    async def found(self, *, books: int = 1, advance_rule: int = 1) -> None:
        """The town and its channel."""
        await super().found(books=books, advance_rule=advance_rule)
        self.books = books
        self.space, self.channel = await self.owner.fetchrow(SQL["add_channel"])

    def book(self, number: str) -> Book:
        """Whose entries stand where."""
        return book_of("uo", number, self.books)

    async def home(self, number: int, *charges: tuple[str, int], **more: Any) -> AccountId:
        """An account with charges and a published table."""
        (account,) = await self.accounts(number, number)
        for service, amount in charges:
            await self.charge(account, service, amount, **more)
        assert (await self.publish(account)).published == 1
        return account

    async def suspend(self, amount: int, note: str = "", book: Book = FIRST, external_id: str = "", **more: Any) -> Place:
        """Money without an owner, folded; its item. ``more``: reason, event_at."""
        self._keys += 1
        facts = PaymentFacts(
            transit=self.transit,
            channel=self.channel,
            space=self.space,
            external_id=ExternalId(external_id or f"lost-{self._keys}"),
            event_at=more.get("event_at", PAID_AT),
            amount_kopecks=amount,
            designation=note,
        )
        entry = entry_for_suspense(facts, more.get("reason", SuspenseReason.ACCOUNT_UNKNOWN))
        sequence = await self.append(entry, book)
        await self.fold()
        return Place(book=book, sequence=sequence)

    async def append(self, entry: JournalEntry, book: Book) -> Sequence:
        """Put one entry without an account through the door."""
        print_ = fingerprint_of(kind=entry.kind, account=entry.external_id, amount_kopecks=1, raw_amount="", designation="")
        (answer,) = await append(self.services, book, [Append(entry=entry, fingerprint=print_)])
        assert answer.status is AppendStatus.RECORDED and answer.sequence is not None, answer
        return answer.sequence

    async def fold(self) -> None:
        """Let the consumers come to the heads, and everything add up."""
        for consumer in (SuspenseConsumer(), BalancesConsumer()):
            await catch_up(self.services, consumer)
        assert await list_differences(self.services) == ()

    async def item(self, place: Place, today: date = BANK_DAY) -> Item:
        """An item as it stands."""
        found = await find_item(self.services, place.book, place.sequence, today)
        assert found is not None
        return found

    async def entry(self, book: Book, sequence: Sequence) -> RecordedEntry:
        """An entry of the journal."""
        return await fetch_entry(self.services, book, sequence)

    async def assert_verified(self) -> None:
        """What ``kopeck verify`` asks of the ledger holds."""
        await self.fold()
        assert await audit(self.database.reader_dsn) is None

    async def refold(self) -> list[Any]:
        """Forget the read model and fold the journal again from its beginning; the items."""
        await self.owner.execute(SQL["forget"])
        await self.fold()
        return await self.items()

    async def items(self) -> list[Any]:
        """Every item and release, as they stand."""
        items = [tuple(row) for row in await self.owner.fetch(SQL["items"])]
        return [*items, *[tuple(row) for row in await self.owner.fetch(SQL["releases"])]]


class PlainPapers:
    """Papers of tests: sealed text is the text."""

    def read_line(self, transit: int, bank_id: str, sealed: bytes) -> Told:
        """``payer|purpose``."""
        payer, _, purpose = sealed.decode().partition("|")
        return Told(payer=payer, purpose=purpose)

    def read_register_line(self, register: int, row: int, sealed: bytes) -> Told:
        """The text is the payer."""
        return Told(payer=sealed.decode())

    def seal_payee(self, request: int, name: str) -> bytes:
        """The request and the name."""
        return f"{request}:{name}".encode()


@asynccontextmanager
async def suspense_town(database: LedgerDatabase, *, books: int = 1, advance_rule: int = 1) -> AsyncIterator[SuspenseTown]:
    """A founded town."""
    owner, services = [await asyncpg.connect(dsn) for dsn in (database.owner_dsn, database.services_dsn)]
    town = SuspenseTown(database, owner, services)
    try:
        await town.found(books=books, advance_rule=advance_rule)
        yield town
    finally:
        for connection in (owner, services):
            connection.terminate()


async def audit(dsn: str) -> Divergence | None:
    """Verify in this process."""
    connection = await connect_for_audit(dsn)
    try:
        plan = await plan_audit(connection, 1)
        return conclude(plan, [await run_job(connection, job, lambda _: None) for job in plan.jobs])
    finally:
        await connection.close()


def note(account: str, *candidates: int, named: object = None) -> str:
    """What the gateway keeps of a payment without an owner."""
    written: dict[str, object] = {"account": account}
    if candidates:
        written["candidates"] = list(candidates)
    if named is not None:
        written["named"] = named
    return msgspec.json.encode(written, order="deterministic").decode()
