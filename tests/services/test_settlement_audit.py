"""What the audit of settlement sees: sound books pass whatever happens in them, and every kind of contradiction is named."""

import random
from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest

from ledger.balances import read_proof
from ledger.chart import AccountKind, parts_of
from ledger.core.settlement_entries import Occasion, order_created
from schemas.transfer import TransferResult, TransferState
from services.settlement.audit import audit_settlement
from services.settlement.composing import NO_REQUISITES
from services.settlement.lines import read_register
from services.settlement.orders import record_entries
from services.settlement.terms import CommissionRow, ContractRow, add_commission, add_contracts
from services.settlement.transitions import Told, apply_result
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import DAY, NOW, SQL, SettlementTown, settlement_town

SERVICES = ("heating", "hot_water", "cold_water", "maintenance", "capital_repair", "intercom")
UNDER_WAY = "поручение в пути"
S = TransferState


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database, books=2) as founded:
        recipient = await founded.owner.fetchval(SQL["add_recipient"], "NEW", "service", "ООО NEW", "7728168971")
        founded.recipients["NEW"] = recipient
        founded.payees["intercom"] = await founded.owner.fetchval(SQL["add_payee"], recipient, "intercom")
        yield founded


async def paid_town(town: SettlementTown) -> None:
    await town.pay(("heating", 700), ("intercom", 30))
    await town.cover(730)
    await town.cut()


FORGERIES = (
    (("spoil_order",), "its parts and its entry say otherwise"),
    (("spoil_ranges", "forget_range"), "explained"),
    (("spoil_carried",), "31 explained"),
)


@pytest.mark.parametrize(("statements", "fault"), FORGERIES)
async def test_forgeries_are_named(town: SettlementTown, statements: tuple[str, ...], fault: str) -> None:
    await paid_town(town)
    await town.assert_sound()
    for statement in statements:
        await town.owner.execute(SQL[statement])
    await town.fold()
    faults = (await audit_settlement(town.services, DAY)).faults
    assert any(fault in one for one in faults), faults


async def test_an_order_of_money_that_was_not_confirmed_is_named(town: SettlementTown) -> None:
    await paid_town(town)
    occasion = Occasion(transit=town.transit, key="order/forged/created", event_at=NOW)
    async with town.services.transaction():
        await record_entries(town.services, [order_created(occasion, [(town.payable("heating"), 1)])])
    await town.fold()
    faults = (await audit_settlement(town.services, DAY)).faults
    assert "701 kopecks ordered" not in faults[0] and any("explained" in fault for fault in faults)
    async with town.services.transaction():
        occasion = Occasion(transit=town.transit, key="order/forged2/created", event_at=NOW)
        await record_entries(town.services, [order_created(occasion, [(town.payable("heating"), 30)])])
    await town.fold()
    faults = (await audit_settlement(town.services, DAY)).faults
    assert faults[0] == "entry 0:4: transit account 1 has 731 kopecks ordered, 730 confirmed"


async def test_money_that_waits_too_long_is_listed(town: SettlementTown) -> None:
    await paid_town(town)
    assert (await audit_settlement(town.services, date(2026, 11, 26))).overdue == ()
    overdue = (await audit_settlement(town.services, date(2026, 11, 27))).overdue
    assert sorted((one.amount, one.since, one.reason) for one in overdue) == [(30, DAY, NO_REQUISITES), (700, DAY, UNDER_WAY)]


async def test_a_whole_day_closes_with_every_kopeck_explained(town: SettlementTown) -> None:
    """Payments, cover, cut, executed: what is left is what has no approved requisites; the identity holds."""
    for turn in range(30):
        await town.pay(("heating", 100 + turn), ("cold_water", 7), ("capital_repair", 3), book=1 + turn % 2)
    await town.pay(("intercom", 11))
    await town.cover(sum(110 + turn for turn in range(30)) + 11)
    await town.cut()
    await town.send()
    for order in await town.orders():
        async with town.services.transaction():
            result = TransferResult(key=order["key"], state=S.EXECUTED, bank_number="1", bank_day=DAY)
            await apply_result(town.services, Told(result=result, told_by="bank", at=NOW))
    left = await town.balances()
    assert left == {town.payable("intercom"): -11, town.of_transit(AccountKind.TRANSIT): 11}
    await town.assert_sound()
    proof = await read_proof(town.services)
    assert proof.fault == "" and [identity.difference for identity in proof.identities] == [0]


class Chaos:
    """A town in which everything happens, drawn from a seed; its books must be sound after every step."""

    def __init__(self, town: SettlementTown, seed: int) -> None:
        self.town = town
        self.random = random.Random(seed)
        self.payments: list[tuple[int, int]] = []
        self.promised = [0, 0]
        self.covered = [0, 0]
        self.space_of: dict[tuple[int, int], tuple[int, int]] = {}
        self.account_of: dict[tuple[int, int], int] = {}
        self.serial = 100
        self.accounts: list[int] = []

    async def prepare(self) -> None:
        """Two personal accounts of UK, whose payments bear a shared commission."""
        lines = [(service, 1 if service == "capital_repair" else 0, 100_000) for service in SERVICES]
        self.accounts = [await self.town.account(number, "UK", lines) for number in ("1001", "1002")]
        row = CommissionRow(
            creditor="UK", earner="OPER", valid_from=date(2026, 1, 1), rate=1_900, principal_weight=1, recipients_weight=2
        )
        await add_commission(self.town.services, [row])

    async def pay_account(self) -> None:
        account, space = self.random.choice(self.accounts), self.random.randrange(2)
        chosen = self.random.sample(range(len(SERVICES)), self.random.randrange(1, 5))
        lines = [(place + 1, SERVICES[place], self.random.randrange(1, 500)) for place in chosen]
        place = (1, await self.town.pay_account(account, lines, space))
        amount = sum(one for *_, one in lines)
        self.payments.append(place)
        self.space_of[place] = (space, amount)
        self.account_of[place] = account
        self.promised[space] += amount

    async def pay(self) -> None:
        lines = [
            (service, self.random.randrange(1, 500)) for service in self.random.sample(SERVICES, self.random.randrange(1, 4))
        ]
        space, book = self.random.randrange(2), self.random.randrange(1, 3)
        place = (book, await self.town.pay(*lines, space=space, book=book))
        amount = sum(one for _, one in lines)
        self.payments.append(place)
        self.space_of[place] = (space, amount)
        self.promised[space] += amount

    async def reverse(self) -> None:
        if self.payments:
            book, sequence = self.payments.pop(self.random.randrange(len(self.payments)))
            account = self.account_of.get((book, sequence))
            if account is None:
                await self.town.reverse(sequence, book)
            else:
                await self.town.reverse_of_account(sequence, account)
            space, amount = self.space_of[book, sequence]
            self.promised[space] -= amount

    async def cover(self) -> None:
        space = self.random.randrange(2)
        missing = self.promised[space] - self.covered[space]
        if missing > 0:
            amount = self.random.randrange(1, missing + 1)
            await self.town.cover(amount, space)
            self.covered[space] += amount

    async def cut(self) -> None:
        await self.town.cut()
        await self.town.send()

    async def tell(self) -> None:
        orders = [order for order in await self.town.orders() if order["state"] in (S.SENT, S.ACCEPTED, S.HELD, S.EXECUTED)]
        if orders:
            order = self.random.choice(orders)
            states = (S.RETURNED,) if order["state"] == S.EXECUTED else (S.ACCEPTED, S.EXECUTED, S.EXECUTED, S.REJECTED, S.HELD)
            result = TransferResult(key=order["key"], state=self.random.choice(states))
            async with self.town.services.transaction():
                told = Told(result=result, told_by="bank", at=NOW, again=self.random.random() < 0.5)
                await apply_result(self.town.services, told)

    async def approve(self) -> None:
        self.serial += 1
        await self.town.approve(self.random.choice(("TEPLO", "VODA", "NEW")), self.serial)

    async def step(self) -> None:
        paying = (self.pay, self.pay, self.pay_account, self.pay_account)
        acts = (*paying, self.reverse, self.cover, self.cover, self.cut, self.tell, self.tell, self.approve)
        await self.random.choice(acts)()


@pytest.mark.parametrize("seed", range(4))
async def test_books_stay_sound_whatever_happens(town: SettlementTown, seed: int) -> None:
    consent = ContractRow(
        code="teplo",
        recipient="TEPLO",
        number="1",
        signed_on=DAY,
        valid_from=DAY - timedelta(days=1),
        nets_debts=True,
        bears_commission=True,
    )
    await add_contracts(town.services, [consent])
    chaos = Chaos(town, seed)
    await chaos.prepare()
    for turn in range(60):
        await chaos.step()
        if turn % 6 == 5:
            await town.assert_sound()
    await town.cut()
    await town.assert_sound()
    for order in await town.orders():
        assert (await read_register(town.services, order["key"])).amount == order["amount"]
    owed = {account: balance for account, balance in (await town.balances()).items() if balance > 0}
    assert all(parts_of(account).kind is not AccountKind.PAYABLE for account in owed), "no payable below nought after a cut"
