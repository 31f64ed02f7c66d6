"""Commission on a real ledger: reckoned a payment at a time, netted or claimed, shared to the kopeck, told line by line."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from ledger.chart import AccountKind
from services.settlement.lines import read_register
from services.settlement.terms import CommissionRow, ContractRow, TermsRefused, add_commission, add_contracts
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import DAY, SettlementTown, settlement_town

FIRST = date(2026, 1, 1)
LINES = (("maintenance", 0, 233_317), ("heating", 0, 229_550), ("cold_water", 0, 50_521), ("capital_repair", 1, 71_235))


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database) as founded:
        yield founded


def terms(**more: object) -> CommissionRow:
    """1.2 % of UK's payments for OPER; ``more``: other fields."""
    return CommissionRow(**{"creditor": "UK", "earner": "OPER", "valid_from": FIRST, "rate": 1_200, **more})  # type: ignore[arg-type]


def contract(recipient: str, number: str, **more: object) -> ContractRow:
    """UK's contract with a recipient."""
    told = {"code": number, "creditor": "UK", "recipient": recipient, "number": number, "signed_on": FIRST, "valid_from": FIRST}
    return ContractRow(**{**told, **more})  # type: ignore[arg-type]


async def fee(town: SettlementTown) -> int:
    return -await town.balance(town.of_transit(AccountKind.FEE, town.recipients["OPER"]))


async def owed(town: SettlementTown, code: str) -> int:
    return await town.balance(town.of_transit(AccountKind.RECEIVABLE, town.recipients[code]))


async def assert_registers(town: SettlementTown) -> None:
    """Every order's lines sum to the order."""
    for order in await town.orders():
        register = await read_register(town.services, order["key"])
        assert sum(line.net for line in register.lines) + register.claimed - register.recovered == order["amount"]


async def test_netted_from_the_creditor_and_paid_to_the_earner(town: SettlementTown) -> None:
    await add_commission(town.services, [terms()])
    account = await town.account("1001", "UK", LINES)
    await town.pay_account(account, [(1, "maintenance", 100_000), (2, "heating", 25), (4, "capital_repair", 40_000)])
    await town.pay_account(account, [(1, "maintenance", 41)])
    await town.cover(140_066)
    await town.cut()
    first, second = (100_025 * 12 + 500) // 1_000, 0
    assert await town.paid() == {
        ("UK", "services"): 100_041 - first - second,
        ("TEPLO", "services"): 25,
        ("FOND", "capital_repair"): 40_000,
        ("OPER", "fee"): first + second,
    }
    assert await fee(town) == 0, "it is ordered at once"
    await town.assert_sound()
    await assert_registers(town)


async def test_a_minimum_beyond_what_the_bearer_has_is_claimed(town: SettlementTown) -> None:
    await add_commission(town.services, [terms(minimum_kopecks=50)])
    account = await town.account("1001", "UK", LINES)
    await town.pay_account(account, [(1, "maintenance", 20), (2, "heating", 100)])
    await town.cover(120)
    await town.cut()
    assert await town.paid() == {("TEPLO", "services"): 100, ("OPER", "fee"): 20}
    assert (await owed(town, "UK"), await fee(town)) == (30, 30)
    await town.assert_sound()
    await assert_registers(town)


async def test_invoiced_commission_leaves_the_orders_whole(town: SettlementTown) -> None:
    await add_commission(town.services, [terms(invoiced=True)])
    account = await town.account("1001", "UK", LINES)
    await town.pay_account(account, [(1, "maintenance", 10_000), (2, "heating", 5_050)])
    await town.cover(15_050)
    await town.cut()
    assert await town.paid() == {("UK", "services"): 10_000, ("TEPLO", "services"): 5_050}
    assert (await owed(town, "UK"), await fee(town)) == (181, 181)
    await town.assert_sound()


async def test_shared_with_odd_kopecks_it_sums_exactly(town: SettlementTown) -> None:
    """law.md 1.8 F with two recipients of whom one has consented: what the other would bear falls to the creditor."""
    await add_contracts(town.services, [contract("TEPLO", "Т-1", bears_commission=True), contract("VODA", "В-1")])
    await add_commission(town.services, [terms(principal_weight=40, recipients_weight=60)])
    account = await town.account("1001", "UK", LINES)
    payments = [(233_317, 229_550, 50_521), (1, 1, 1), (333, 334, 335), (99_999, 7, 13)]
    for maintenance, heating, water in payments:
        await town.pay_account(account, [(1, "maintenance", maintenance), (2, "heating", heating), (3, "cold_water", water)])
    await town.cover(sum(map(sum, payments)))
    await town.cut()
    paid = await town.paid()
    taken = sum((sum(one) * 12 + 500) // 1_000 for one in payments)
    claimed = await owed(town, "TEPLO")
    assert claimed == 252 - 7, "its part of the last payment's fee is more than the payment gave it"
    assert paid["OPER", "fee"] == taken - claimed
    assert paid["VODA", "services"] == sum(one[2] for one in payments), "no consent, nothing kept back"
    assert 0 < sum(one[1] for one in payments) - paid["TEPLO", "services"] < taken
    assert sum(paid.values()) == sum(map(sum, payments))
    orders = {order["code"]: order for order in await town.orders()}
    assert "Т-1" in orders["TEPLO"]["purpose"] and "01.2026" in orders["TEPLO"]["purpose"]
    await town.assert_sound()
    await assert_registers(town)


async def test_a_payment_reversed_in_the_same_cut_bears_none(town: SettlementTown) -> None:
    await add_commission(town.services, [terms()])
    await town.pay(("heating", 1))
    account = await town.account("1001", "UK", LINES)
    first = await town.pay_account(account, [(1, "maintenance", 50_000)])
    await town.reverse_of_account(first, account)
    await town.cover(1)
    await town.cut()
    assert await town.paid() == {("TEPLO", "services"): 1}
    await town.assert_sound()


async def test_carried_money_keeps_its_commission_and_its_lines(town: SettlementTown) -> None:
    await add_commission(town.services, [terms()])
    await town.approve("UK", 60, by=None)
    await town.stop("UK", DAY)
    account = await town.account("1001", "UK", LINES)
    for _ in range(2):
        await town.pay_account(account, [(1, "maintenance", 10_000)])
        await town.cover(10_000)
        await town.cut()
    assert await town.paid() == {("OPER", "fee"): 240}
    assert [amount for amount, _ in (await town.carried()).values()] == [19_760]
    await town.assert_sound()
    await town.stop("UK", DAY, until=date(2026, 11, 23))
    await town.cut()
    assert (await town.paid())["UK", "services"] == 19_760
    register = await read_register(town.services, (await town.orders())[-1]["key"])
    assert [(line.gross, line.commission, line.service, line.account_number) for line in register.lines] == [
        (10_000, 120, "maintenance", "1001")
    ] * 2
    await town.assert_sound()
    await assert_registers(town)


async def test_orders_of_two_contracts_are_never_merged(town: SettlementTown) -> None:
    await add_contracts(town.services, [contract("TEPLO", "Т-1"), contract("TEPLO", "Т-2", creditor="TEPLO")])
    direct = await town.account("1002", "TEPLO", LINES)
    account = await town.account("1001", "UK", LINES)
    await town.pay_account(account, [(2, "heating", 100)])
    await town.pay_account(direct, [(2, "heating", 30)])
    await town.cover(130)
    await town.cut()
    assert sorted((order["amount"], "Т-1" in order["purpose"]) for order in await town.orders()) == [(30, False), (100, True)]
    await town.assert_sound()
    await assert_registers(town)


async def test_capital_repair_by_the_pool_of_its_line_is_apart(town: SettlementTown) -> None:
    """A special account of the УК's own: the same recipient is paid services and contributions by two orders."""
    account = await town.account("1001", "UK", (("maintenance", 0, 500), ("maintenance", 1, 300)))
    await town.pay_account(account, [(1, "maintenance", 500), (2, "maintenance", 300)])
    await town.cover(800)
    await town.cut()
    assert await town.paid() == {("UK", "services"): 500, ("UK", "capital_repair"): 300}
    await town.assert_sound()
    await assert_registers(town)


async def test_terms_of_days_already_cut_are_refused(town: SettlementTown) -> None:
    await town.pay(("heating", 1))
    await town.cover(1)
    await town.cut()
    for row in (terms(), terms(valid_from=DAY)):
        with pytest.raises(TermsRefused):
            await add_commission(town.services, [row])
    with pytest.raises(TermsRefused):
        await add_contracts(town.services, [contract("TEPLO", "Т-9")])
    with pytest.raises(TermsRefused, match="NOBODY"):
        await add_contracts(town.services, [contract("NOBODY", "Т-9", valid_from=date(2026, 12, 1))])
    assert await add_contracts(town.services, [contract("TEPLO", "Т-9", valid_from=date(2026, 12, 1))]) == 1
