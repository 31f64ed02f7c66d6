"""Random months: charges, payments, reversals, refunds, reassignments, recalculations, late changes. The check always agrees."""

from datetime import date
from random import Random

import pytest

from kopeck.clock import utc_now
from ledger.core.refund import NothingLeft
from ledger.journal import Appended, fetch_entry
from ledger.reassign import Reassign, arrive, depart
from schemas.ids import AccountId, Book, Sequence
from services.billing.saldo.sheet import Level
from tests.billing.saldo_town import DECEMBER, JANUARY, NOVEMBER, OCTOBER, SaldoTown, saldo_town
from tests.conftest import LedgerDatabase

ACCOUNTS = 4
STEPS = 7
PERIODS = (NOVEMBER, DECEMBER, JANUARY)
SERVICES = ("maintenance", "heating", "capital_repair")


class _History:
    """What happened so far; ``payments`` are those that were neither reversed nor touched."""

    def __init__(self, town: SaldoTown, chance: Random) -> None:
        self.town = town
        self.chance = chance
        self.payments: list[tuple[int, Appended]] = []

    async def month(self, period: int) -> None:
        """Charge everybody, then let a few things happen."""
        for account in range(1, ACCOUNTS + 1):
            more = {"opening_paid": self.chance.randrange(500)} if self.chance.random() < 0.2 else {}
            amounts = {service: self.chance.randrange(-2_000, 30_000) for service in SERVICES if self.chance.random() < 0.8}
            amounts["heating"] = self.chance.randrange(1_000, 30_000)
            await self.town.charge(AccountId(account), period, amounts, **more)
        for _ in range(STEPS):
            await self.chance.choice((self.pay, self.pay, self.reverse, self.refund, self.reassign, self.recalculate))(period)

    async def pay(self, period: int) -> None:
        account = self.chance.randrange(1, ACCOUNTS + 1)
        self.payments.append((account, await self.town.pay(AccountId(account), self.chance.randrange(1, 60_000))))

    async def reverse(self, period: int) -> None:
        if self.payments:
            account, paid = self.payments.pop(self.chance.randrange(len(self.payments)))
            await self.town.reverse(AccountId(account), paid)

    async def refund(self, period: int) -> None:
        if self.payments:
            account, paid = self.payments.pop(self.chance.randrange(len(self.payments)))
            try:
                await self.town.refund(paid, self.chance.randrange(1, 5_000))
            except NothingLeft as less:
                await self.town.refund(paid, less.left)
            await self.town.publish(AccountId(account))

    async def reassign(self, period: int) -> None:
        if not self.payments:
            return
        account, paid = self.payments.pop(self.chance.randrange(len(self.payments)))
        other = AccountId(account % ACCOUNTS + 1)
        assert paid.sequence is not None
        book = Book(self.town.book_of(paid))
        wanted = Reassign(book=book, sequence=Sequence(paid.sequence), account=other)
        left = await depart(self.town.services, wanted, utc_now())
        await arrive(self.town.services, await fetch_entry(self.town.services, book, left.sequence))
        await self.town.publish(AccountId(account), other)

    async def recalculate(self, period: int) -> None:
        account = AccountId(self.chance.randrange(1, ACCOUNTS + 1))
        changed = self.chance.choice([one for one in (OCTOBER, *PERIODS) if one <= period])
        amount = self.chance.randrange(-3_000, 3_000)
        await self.town.owner.execute(*self.town.statement("change", account, "heating", changed, amount))
        await self.town.publish(account)


@pytest.mark.parametrize("seed", range(6))
async def test_the_check_agrees_with_whatever_happened(ledger_database: LedgerDatabase, seed: int) -> None:
    chance = Random(seed)
    async with saldo_town(ledger_database, accounts=ACCOUNTS, books=1 + seed % 2) as town:
        history = _History(town, chance)
        await history.month(OCTOBER)
        kept = {}
        for place, period in enumerate(PERIODS):
            await history.month(period)
            if chance.random() < 0.7:
                await town.close(period)
                kept[period] = await town.sheet(period, Level.SERVICE)
                await history.pay(period)
            if place + 1 < len(PERIODS):
                await town.next_day(place)
            for one in PERIODS[: place + 1]:
                report = await town.check(one)
                assert report.disagreements == (), (seed, one)
                assert report.accounts == ACCOUNTS and report.tables > 0
        for period, rows in kept.items():
            assert await town.sheet(period, Level.SERVICE) == rows
        (total,) = await town.sheet(JANUARY, day=date(2099, 12, 31))
        charged, credited = await town.owner.fetchrow(*town.statement("sums"))
        assert charged - credited == total.closing_debt - total.closing_advance
