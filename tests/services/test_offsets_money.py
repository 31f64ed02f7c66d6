"""Offsets of advances move money between recipients without making any: what was paid out is owed, what was not is ordered."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from ledger.chart import AccountKind, parts_of
from ledger.core.offset import OFFSET_SPACE
from ledger.core.refund import taken_back
from ledger.journal import fetch_entry
from ledger.offset import list_offsets_of
from ledger.refund import read_refundable
from schemas.ids import Book
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind
from services.settlement.claims import list_claims
from services.settlement.lines import read_register
from services.settlement.refunds import Asked, Decided, decide_refund
from services.settlement.terms import ContractRow, add_contracts
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import NOW, SettlementTown, settlement_town
from tests.services.test_refunds import owed, pay_back, returned
from tests.services.test_refunds_moves import gives, move
from tests.services.test_refunds_random import SERVICES, STEPS, Walk

SIGNED = {"signed_on": date(2025, 12, 1), "valid_from": date(2026, 1, 1)}


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database) as founded:
        yield founded


async def spend(town: SettlementTown, payment: Place, advance: tuple[str, int], *lines: tuple[str, int], nth: int = 1) -> Place:
    """Book an offset of a payment's advance."""
    service, amount = advance
    key = (OFFSET_SPACE, f"1:{payment}/{nth}")
    return await move(town, EntryKind.ADVANCE_OFFSET, key, [(town.payable(service), amount), *gives(town, *lines)])


async def paid_out(town: SettlementTown, amount: int) -> Place:
    """A payment ahead to the УО that the bank has confirmed and a cut has ordered."""
    payment = await town.pay(("maintenance", amount))
    await town.cover(amount)
    await town.cut()
    return payment


async def ordered(town: SettlementTown) -> dict[str, int]:
    """Kopecks ordered by recipient; a payer is one."""
    return {code: amount for (code, _), amount in (await town.paid()).items()}


async def test_the_holders_own_lines_make_nobody_owe(town: SettlementTown) -> None:
    payment = await paid_out(town, 500)
    await spend(town, payment, ("maintenance", 300), ("maintenance", 300))
    assert (await town.cut()).ordered == 0
    assert await owed(town, "UK") == 0
    assert await town.balance(town.payable("maintenance")) == 0
    await town.assert_sound()


async def test_what_others_get_is_owed_by_the_holder_and_ordered_when_it_pays(town: SettlementTown) -> None:
    payment = await paid_out(town, 500)
    await spend(town, payment, ("maintenance", 500), ("maintenance", 200), ("heating", 210), ("cold_water", 90))
    assert (await town.cut()).ordered == 0
    assert await owed(town, "UK") == 300
    (claim,) = await list_claims(town.services, None, 10)
    assert (claim.why, claim.recipient, claim.left_kopecks) == ("offset", "UK", 300)
    await town.pay_debt("UK", 100)
    assert (await town.cut()).ordered == 0
    await town.pay_debt("UK", 200)
    assert (await town.cut()).ordered == 300
    assert await ordered(town) == {"UK": 500, "TEPLO": 210, "VODA": 90}
    await town.assert_sound()


async def test_with_consent_the_holders_next_money_pays(town: SettlementTown) -> None:
    await add_contracts(town.services, [ContractRow(code="c", recipient="UK", number="1", nets_debts=True, **SIGNED)])
    payment = await paid_out(town, 500)
    await spend(town, payment, ("maintenance", 300), ("heating", 300))
    await town.pay(("maintenance", 700))
    await town.cover(700)
    assert (await town.cut()).ordered == 700
    assert await ordered(town) == {"UK": 900, "TEPLO": 300}
    for order in await town.orders():
        await read_register(town.services, order["key"])
    await town.assert_sound()


@pytest.mark.parametrize("is_paid", [False, True])
async def test_a_reversal_before_the_holder_pays_leaves_nothing_owed(town: SettlementTown, is_paid: bool) -> None:
    payment = await paid_out(town, 500)
    offset = await spend(town, payment, ("maintenance", 500), ("maintenance", 200), ("heating", 300))
    await town.cut()
    if is_paid:
        await town.pay_debt("UK", 120)
    await town.reverse(offset)
    assert (await town.cut()).ordered == (120 if is_paid else 0), "what it has paid already it is given again"
    assert await owed(town, "UK") == 0
    await town.assert_sound()
    assert await ordered(town) == {"UK": 620 if is_paid else 500}
    await spend(town, payment, ("maintenance", 500), ("cold_water", 500), nth=2)
    await town.cut()
    assert await owed(town, "UK") == 500
    await town.assert_sound()


async def test_a_reversal_after_the_others_were_paid_is_owed_by_them(town: SettlementTown) -> None:
    payment = await paid_out(town, 500)
    offset = await spend(town, payment, ("maintenance", 500), ("maintenance", 200), ("heating", 300))
    await town.cut()
    await town.pay_debt("UK", 300)
    await town.cut()
    await town.reverse(offset)
    assert (await town.cut()).ordered == 0
    assert (await owed(town, "UK"), await owed(town, "TEPLO")) == (0, 300)
    await town.pay_debt("TEPLO", 300)
    assert (await town.cut()).ordered == 300
    assert await ordered(town) == {"UK": 800, "TEPLO": 300}
    await town.assert_sound()


async def test_a_refund_undoes_the_offsets_that_stand_in_its_way(town: SettlementTown) -> None:
    payment = await paid_out(town, 500)
    first = await spend(town, payment, ("maintenance", 200), ("heating", 200))
    second = await spend(town, payment, ("maintenance", 200), ("cold_water", 200), nth=2)
    await town.cut()
    await pay_back(town, await decide(town, payment, 100))
    assert await list_offsets_of(town.services, Book(1), payment) == ((Book(1), second), (Book(1), first))
    await pay_back(town, await decide(town, payment, 150))
    assert await list_offsets_of(town.services, Book(1), payment) == ((Book(1), first),)
    await town.cut()
    assert await owed(town, "UK") == 100 + 150 + 200
    await town.pay_debt("UK", 450)
    await town.cut()
    assert (await returned(town), await ordered(town)) == (250, {"UK": 500, "TEPLO": 200, "payer": 250})
    await town.assert_sound()


async def decide(town: SettlementTown, payment: Place, amount: int) -> Decided:
    """Refund a part of a payment."""
    asked = Asked(key=f"r{amount}", book=Book(1), sequence=payment, by="w", at=NOW, amount_kopecks=amount)
    return await decide_refund(town.services, asked)


class OffsetWalk(Walk):
    """The walk, with advances spent on other lines and offsets undone."""

    def __init__(self, town: SettlementTown, seed: int) -> None:
        super().__init__(town, seed)
        self.made: dict[Place, int] = {}

    async def offset(self) -> None:
        """Spend a part of what a payment has on some line."""
        if not self.payments:
            return
        place, _ = self.chance.choice(self.payments)
        found = await read_refundable(self.town.services, Book(1), place)
        stands = [(await fetch_entry(self.town.services, *one)).entry for one in await self.offsets_of(place)]
        spent = taken_back(found.recorded.entry, stands)
        columns = zip(found.recorded.entry.accounts, found.recorded.entry.amounts, found.taken, spent, strict=True)
        left = [(account, -put - gone - used) for account, put, gone, used in columns if -put - gone - used > 0]
        if not left:
            return
        account, most = self.chance.choice(left)
        amount = self.chance.randint(1, most)
        others = self.chance.sample(SERVICES, 2)
        part = self.chance.randint(0, amount)
        lines = [(service, one) for service, one in zip(others, (part, amount - part), strict=True) if one]
        self.made[place] = self.made.get(place, 0) + 1
        key = (OFFSET_SPACE, f"1:{place}/{self.made[place]}")
        await move(self.town, EntryKind.ADVANCE_OFFSET, key, [(account, amount), *gives(self.town, *lines)])

    async def offsets_of(self, place: Place) -> tuple[tuple[Book, Place], ...]:
        return await list_offsets_of(self.town.services, Book(1), place)

    async def undo(self) -> None:
        """Reverse some offset."""
        stands = [one for place, _ in self.payments for one in await self.offsets_of(place)]
        if stands:
            await self.town.reverse(self.chance.choice(stands)[1])

    async def reassign(self) -> None:
        """Payments are reassigned whole: only those without offsets, which the doors would undo first."""
        self.payments, kept = [one for one in self.payments if one[0] not in self.made], self.payments
        await super().reassign()
        self.payments += [one for one in kept if one[0] in self.made]

    async def step(self) -> None:
        if self.chance.random() < 0.25:
            await self.chance.choice((self.offset, self.offset, self.undo))()
        else:
            await super().step()


@pytest.mark.parametrize("seed", range(5))
async def test_a_random_walk_with_offsets_leaves_the_books_sound(ledger_database: LedgerDatabase, seed: int) -> None:
    async with settlement_town(ledger_database) as town:
        if seed % 2:
            rows = [ContractRow(code=code, recipient=code, number="1", nets_debts=True, **SIGNED) for code in ("TEPLO", "UK")]
            await add_contracts(town.services, rows)
        walk = OffsetWalk(town, seed)
        for number in range(STEPS):
            await walk.step()
            if number % 5 == 4:
                await town.assert_sound()
        await town.cut()
        await town.assert_sound()
        for order in await town.orders():
            await read_register(town.services, order["key"])
        owing = [account for account, balance in (await town.balances()).items() if balance > 0]
        assert AccountKind.PAYABLE not in {parts_of(account).kind for account in owing}, "no payable below nought"
