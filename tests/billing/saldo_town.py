"""Small towns whose charges come as a file brings them: balances reckoned by hand, and random ones that nobody knows."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg

from kopeck.clock import utc_now
from ledger.journal import Appended, fetch_entry
from ledger.refund import refund_wanted, take_back
from ledger.reversal import reverse_entry
from ledger.statements import load_statements
from schemas.ids import AccountId, Book, Sequence
from services.billing.runs.keeping import SQL as KEEPING
from services.billing.runs.keeping import Person, close_month
from services.billing.saldo.checking import SaldoCheck, check_saldo
from services.billing.saldo.sheet import Ask, Level, SheetRow, read_sheet
from services.billing.saldo.windows import find_provider
from services.postings.consumer import PostingsConsumer
from services.runner import catch_up
from tests.conftest import LedgerDatabase
from tests.ledger.town import NOW, Town

SQL = load_statements("tests/statements/saldo_town.sql")
ONE, TWO = AccountId(1), AccountId(2)
OCTOBER, NOVEMBER, DECEMBER, JANUARY = 202610, 202611, 202612, 202701
BANK_DAYS = (date(2026, 11, 24), date(2026, 12, 24), date(2027, 1, 25))
"""The ledger's open day in each month: the town begins on the first."""


class SaldoTown:
    """A ledger with its sheets and checks; amounts are kopecks."""

    def __init__(self, database: LedgerDatabase, town: Town) -> None:
        self.database = database
        self.town = town
        self.owner = town.owner
        self.services = town.services
        self.books = 1

    async def charge(self, account: AccountId, period: int, services: Mapping[str, int], **more: Any) -> None:
        """Charge services of a period and publish the table."""
        year, month = divmod(period, 100)
        due = date(year + month // 12, month % 12 + 1, 15)
        for service, amount in services.items():
            await self.town.charge(account, service, amount, period=period, due=due, **more)
        await self.publish(account)

    async def publish(self, *accounts: AccountId) -> None:
        """Publish tables; nobody is left behind."""
        report = await self.town.publish(*accounts)
        assert not report.failed, report

    async def pay(self, account: AccountId, amount: int) -> Appended:
        """A payment through the door."""
        paid = await self.town.pay(account, amount)
        assert paid.sequence is not None
        return paid

    async def reverse(self, account: AccountId, paid: Appended) -> None:
        """The payment never came."""
        assert paid.sequence is not None
        recorded = await fetch_entry(self.services, Book(self.book_of(paid)), Sequence(paid.sequence))
        done = await reverse_entry(self.services, recorded.book, recorded.sequence, utc_now())
        assert done.sequence is not None
        await self.publish(account)

    async def refund(self, paid: Appended, amount: int) -> None:
        """A part of a payment is owed back to its payer."""
        assert paid.sequence is not None
        wanted = await refund_wanted(self.services, Book(self.book_of(paid)), Sequence(paid.sequence), amount)
        await take_back(self.services, wanted, utc_now())

    def book_of(self, paid: Appended) -> int:
        return paid.book or 1

    async def next_day(self, place: int) -> None:
        """The bank day of month ``place`` ends, that of the next month is open."""
        await self.owner.execute(SQL["close_day"], BANK_DAYS[place], BANK_DAYS[place + 1])

    async def close(self, period: int) -> None:
        """Close a month as the accountant does."""
        provider = await find_provider(self.services, "УО")
        await self.services.execute(KEEPING["begin_month"], provider, period)
        assert await close_month(self.services, period, Person(name="Борис", at=utc_now())) == ("УО",)

    async def sheet(self, period: int, level: Level = Level.TOTAL, **more: Any) -> tuple[SheetRow, ...]:
        """The sheet of the managing organisation."""
        return await read_sheet(
            self.services, Ask(provider=await find_provider(self.services, "УО"), period=period, level=level, **more)
        )

    async def check(self, period: int) -> SaldoCheck:
        """The check, with the read models brought up."""
        await catch_up(self.services, PostingsConsumer())
        return await check_saldo(self.services, period)

    def statement(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        """A statement of the tests with its arguments."""
        return SQL[name], *arguments

    def today(self) -> date:
        """The value date of what is paid now."""
        return NOW.date()

    async def spoil(self, statement: str, *arguments: Any) -> None:
        """The owner of the database changes something behind everybody's back."""
        await self.owner.execute(SQL["unguard"])
        done = await self.owner.execute(SQL[statement], *arguments)
        assert done != "UPDATE 0", statement


async def november(town: SaldoTown) -> None:
    """October leaves 250.00; November charges 400.00 and a penalty of 1.50; 320.00 are paid, 20.00 of it in advance."""
    await town.town.charge(ONE, "heating", 20_000, period=OCTOBER, opening_paid=5_000)
    await town.charge(ONE, OCTOBER, {"maintenance": 10_000})
    await town.charge(ONE, NOVEMBER, {"maintenance": 11_000, "heating": 21_000, "capital_repair": 3_000})
    await town.charge(TWO, NOVEMBER, {"maintenance": 5_000})
    await town.owner.execute(*town.statement("penalty", ONE, "maintenance", NOVEMBER, 150, 1))
    await town.publish(ONE)
    await town.pay(ONE, 25_000)
    await town.pay(TWO, 7_000)


async def december(town: SaldoTown) -> None:
    """November is closed; December: 160.00 charged, 7.00 of October charged late, 130.00 paid, 90.00 reversed, 15.00 refunded."""
    await town.close(NOVEMBER)
    await town.next_day(0)
    await town.owner.execute(*town.statement("change", ONE, "heating", OCTOBER, 700))
    await town.charge(ONE, DECEMBER, {"maintenance": 11_000})
    await town.charge(TWO, DECEMBER, {"maintenance": 5_000})
    await town.reverse(ONE, await town.pay(ONE, 9_000))
    await town.refund(await town.pay(ONE, 4_000), 1_500)
    await town.publish(ONE, TWO)


@asynccontextmanager
async def saldo_town(database: LedgerDatabase, accounts: int = 2, books: int = 1) -> AsyncIterator[SaldoTown]:
    """So many accounts without charges; the bank day is 24 November 2026."""
    owner, services = await asyncpg.connect(database.owner_dsn), await asyncpg.connect(database.services_dsn)
    town = Town(owner, services)
    await town.found(books=books)
    await town.accounts(1, accounts)
    yield SaldoTown(database, town)
    services.terminate()
    owner.terminate()
