"""Whatever is refunded, reversed, deducted, given away, paid and sent back in whatever order: the audit of settlement holds."""

import random
from datetime import date

import pytest

from ledger.chart import AccountKind, parts_of
from ledger.core.refund import NothingLeft, NotRefundable
from ledger.journal import fetch_entry
from ledger.refund import list_corrections
from ledger.release import fetch_left
from schemas.ids import Book, Sequence, Space
from schemas.transfer import TransferResult, TransferState
from services.settlement.lines import read_register
from services.settlement.refunds import Asked, Decided, RefundRefused, decide_deduction, decide_refund, decide_reversal
from services.settlement.returns import PayeeGiven, ask_return
from services.settlement.terms import CommissionRow, ContractRow, add_commission, add_contracts
from services.settlement.transitions import Told, apply_result
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import NOW, SettlementTown, settlement_town
from tests.services.test_refunds import PAYER, SEALER
from tests.services.test_refunds_moves import arrive, depart, release

SERVICES = ("heating", "hot_water", "cold_water", "maintenance", "capital_repair")
STEPS = 70
S = TransferState


class Walk:
    """A random walk through a town; ``payments`` are what may be corrected still, ``items`` what waits in suspense."""

    def __init__(self, town: SettlementTown, seed: int) -> None:
        self.town = town
        self.chance = random.Random(seed)
        self.payments: list[tuple[Sequence, list[tuple[str, int]]]] = []
        self.items: list[tuple[Sequence, int]] = []
        self.refunds: list[Decided] = []
        self.promised = [0, 0]
        self.keys = 0

    def lines(self) -> list[tuple[str, int]]:
        services = self.chance.sample(SERVICES, self.chance.randint(1, 3))
        return [(service, self.chance.randint(1, 900)) for service in services]

    async def pay(self) -> None:
        lines, space = self.lines(), self.chance.randint(0, 1)
        self.payments.append((await self.town.pay(*lines, space=space), lines))
        self.promised[space] += sum(amount for _, amount in lines)

    async def suspend(self) -> None:
        amount = self.chance.randint(1, 900)
        self.items.append((await self.town.suspend(amount), amount))
        self.promised[0] += amount

    async def give(self) -> None:
        """Release an item, whole."""
        if self.items:
            item, amount = self.items.pop(self.chance.randrange(len(self.items)))
            if await fetch_left(self.town.services, Book(1), item) == amount:
                lines = [(self.chance.choice(SERVICES), amount)]
                place = await release(self.town, item, *lines)
                self.payments.append((place, lines))

    async def cover(self) -> None:
        """What was promised comes, sometimes less, sometimes net of a fee."""
        space = self.chance.randint(0, 1)
        amount = self.promised[space] - self.chance.choice((0, 0, 0, 7))
        if amount > 20:
            fee = self.chance.choice((0, 0, 9))
            await self.town.cover_net(amount - fee, fee, "UK", space)
            self.promised[space] -= amount

    def asked(self, amount: int | None) -> Asked:
        self.keys += 1
        place, _ = self.chance.choice(self.payments)
        guarantor = self.chance.choice((0, 0, 0, self.town.recipients["UK"]))
        return Asked(
            key=f"w{self.keys}", book=Book(1), sequence=place, by="w", at=NOW, amount_kopecks=amount, guarantor=guarantor
        )

    async def refund(self) -> None:
        """Take money back, whole or in part, as its cover allows."""
        if not self.payments:
            return
        await self.town.fold()
        asked = self.asked(self.chance.choice((None, 1, 50, 200)))
        try:
            self.refunds.append(await decide_refund(self.town.services, asked))
        except NothingLeft:
            return
        except RefundRefused:
            await self.reverse(asked)

    async def reverse(self, asked: Asked) -> None:
        try:
            decided = await decide_reversal(self.town.services, asked)
        except (NothingLeft, NotRefundable):
            return
        await self.promise_less(decided.sequence, decided.amount_kopecks)

    async def promise_less(self, sequence: Sequence, amount: int) -> None:
        """The counterparty that an entry credits sends so much less."""
        entry = (await fetch_entry(self.town.services, Book(1), sequence)).entry
        (subject,) = [parts.subject for parts in map(parts_of, entry.accounts) if parts.kind is AccountKind.CLEARING]
        self.promised[self.town.spaces.index(Space(subject))] -= amount

    async def end_refund(self) -> None:
        """Ask for an order to the payer, or let the counterparty keep it."""
        if not self.refunds:
            return
        one = self.refunds.pop(self.chance.randrange(len(self.refunds)))
        await self.town.fold()
        if self.chance.random() < 0.5:
            given = PayeeGiven(book=one.book, sequence=one.sequence, payee=PAYER, by="w", at=NOW)
            await ask_return(self.town.services, given, SEALER)
        else:
            made = await decide_deduction(self.town.services, one.book, one.sequence, NOW)
            await self.promise_less(made.sequence, one.amount_kopecks)

    async def reassign(self) -> None:
        """Give a payment that nobody touched to other lines, at once or the second half later."""
        if not self.payments:
            return
        place, lines = self.chance.choice(self.payments)
        if await list_corrections(self.town.services, Book(1), place):
            return
        amount = sum(one for _, one in lines)
        await depart(self.town, place, *lines)
        self.payments.remove((place, lines))
        if self.chance.random() < 0.5:
            await self.town.cut()
        given = [(self.chance.choice(SERVICES), amount)]
        self.payments.append((await arrive(self.town, place, *given, book=1), given))

    async def pay_debt(self) -> None:
        await self.town.pay_debt(self.chance.choice(("TEPLO", "VODA", "UK")), self.chance.randint(1, 600))

    async def bank(self) -> None:
        """The bank executes, refuses or sends back some order."""
        await self.town.send()
        rows = [row for row in await self.town.orders() if row["state"] in (S.SENT, S.EXECUTED)]
        if rows:
            row = self.chance.choice(rows)
            state = self.chance.choice((S.EXECUTED, S.REJECTED)) if row["state"] == S.SENT else S.RETURNED
            async with self.town.services.transaction():
                told = Told(
                    result=TransferResult(key=row["key"], state=state), told_by="w", at=NOW, again=self.chance.random() < 0.5
                )
                await apply_result(self.town.services, told)

    async def cut(self) -> None:
        await self.town.cut()

    async def step(self) -> None:
        steps = [self.pay, self.pay, self.suspend, self.give, self.cover, self.cover, self.refund, self.refund, self.end_refund]
        steps += [self.reassign, self.pay_debt, self.bank, self.cut, self.cut]
        await self.chance.choice(steps)()


@pytest.mark.parametrize("seed", range(6))
async def test_a_random_walk_leaves_the_books_sound(ledger_database: LedgerDatabase, seed: int) -> None:
    async with settlement_town(ledger_database) as town:
        chance = random.Random(seed)
        if chance.random() < 0.6:
            signed = {"signed_on": date(2025, 12, 1), "valid_from": date(2026, 1, 1)}
            rows = [ContractRow(code=code, recipient=code, number="1", nets_debts=True, **signed) for code in ("TEPLO", "UK")]
            await add_contracts(town.services, rows)
        if chance.random() < 0.5:
            terms = CommissionRow(creditor="UK", earner="OPER", valid_from=date(2026, 1, 1), rate=1_000)
            await add_commission(town.services, [terms])
        walk = Walk(town, seed)
        for number in range(STEPS):
            await walk.step()
            if number % 5 == 4:
                await town.assert_sound()
        await town.cut()
        await town.assert_sound()
        for order in await town.orders():
            await read_register(town.services, order["key"])
        assert all(
            balance <= 0 for account, balance in (await town.balances()).items() if parts_of(account).kind is AccountKind.PAYABLE
        ), "no payable below nought"
