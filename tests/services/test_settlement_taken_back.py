"""Money taken back after it was ordered: a debt of its recipient, no payable below nought, no more ordered than confirmed."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from ledger.chart import AccountKind
from services.settlement.orders import SettlementBroken, make_orders
from services.settlement.terms import ContractRow, add_contracts
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import NOW, SQL, SettlementTown, settlement_town

CONSENT = ContractRow(
    code="teplo",
    recipient="TEPLO",
    number="Т-1",
    signed_on=date(2025, 12, 1),
    valid_from=date(2026, 1, 1),
    nets_debts=True,
)


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database) as founded:
        yield founded


async def debts(town: SettlementTown) -> list[tuple[int, int, int]]:
    return [tuple(row) for row in await town.owner.fetch(SQL["debts"])]


async def owed(town: SettlementTown, code: str) -> int:
    return await town.balance(town.of_transit(AccountKind.RECEIVABLE, town.recipients[code]))


async def test_a_reversal_after_the_order_is_a_debt(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700), ("cold_water", 300))
    await town.cover(1_000)
    await town.cut()
    await town.reverse(first)
    assert (await town.cut()).ordered == 0
    assert [await town.balance(town.payable(service)) for service in ("heating", "cold_water")] == [0, 0]
    assert (await owed(town, "TEPLO"), await owed(town, "VODA")) == (700, 300)
    assert await debts(town) == [(town.recipients["TEPLO"], town.spaces[0], 700), (town.recipients["VODA"], town.spaces[0], 300)]
    await town.assert_sound()


async def test_money_taken_back_pays_nobody_else(town: SettlementTown) -> None:
    """The counterparty keeps the reversed sum from its next cover: the next payment waits, though covered on paper."""
    first = await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    await town.reverse(first)
    await town.pay(("cold_water", 500))
    assert (await town.cut()).ordered == 0
    await town.assert_sound()
    await town.cover(500)
    assert (await town.cut()).ordered == 500
    assert (await town.paid())["VODA", "services"] == 500
    await town.assert_sound()


async def test_the_next_orders_keep_a_debt_back_with_consent_only(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    await town.reverse(first)
    await town.cut()
    await town.pay(("heating", 400))
    await town.cover(400)
    assert (await town.cut()).ordered == 400
    assert await owed(town, "TEPLO") == 700
    await town.assert_sound()


async def test_a_consented_debt_is_netted_and_frees_its_money(town: SettlementTown) -> None:
    await add_contracts(town.services, [CONSENT])
    first = await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    await town.reverse(first)
    await town.pay(("heating", 400), ("cold_water", 100))
    await town.pay(("hot_water", 500))
    await town.cover(500)
    report = await town.cut()
    assert report.ordered == 100, "400 of heating are kept back"
    assert (await owed(town, "TEPLO"), await debts(town)) == (300, [(town.recipients["TEPLO"], town.spaces[0], 300)])
    await town.assert_sound()
    await town.cover(100)
    report = await town.cut()
    assert report.ordered == 200, "500 of hot water, of which 300 are kept back"
    assert (await owed(town, "TEPLO"), await debts(town)) == (0, [])
    await town.assert_sound()


async def test_capital_repair_is_never_netted(town: SettlementTown) -> None:
    contract = ContractRow(
        code="fond", recipient="FOND", number="К-1", signed_on=date(2025, 12, 1), valid_from=date(2026, 1, 1), nets_debts=True
    )
    await add_contracts(town.services, [contract])
    first = await town.pay(("capital_repair", 70))
    await town.cover(70)
    await town.cut()
    await town.reverse(first)
    await town.pay(("capital_repair", 90))
    await town.cover(90)
    assert (await town.cut()).ordered == 90
    assert await owed(town, "FOND") == 70
    await town.assert_sound()


async def test_money_still_carried_goes_back_without_a_debt(town: SettlementTown) -> None:
    recipient = await town.owner.fetchval(SQL["add_recipient"], "NEW", "service", "ООО NEW", "7728168971")
    town.payees["intercom"] = await town.owner.fetchval(SQL["add_payee"], recipient, "intercom")
    first = await town.pay(("intercom", 30), ("heating", 70))
    await town.pay(("intercom", 5))
    await town.cover(105)
    await town.cut()
    await town.reverse(first)
    await town.cut()
    assert [amount for amount, _ in (await town.carried()).values()] == [5]
    assert await debts(town) == [(town.recipients["TEPLO"], town.spaces[0], 70)]
    await town.assert_sound()


async def test_a_reversed_payment_of_the_same_cut_leaves_nothing(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700))
    await town.reverse(first)
    await town.pay(("heating", 50))
    await town.cover(50)
    assert (await town.cut()).ordered == 50
    assert await debts(town) == []
    await town.assert_sound()


async def test_a_cover_taken_back_stops_orders_and_shows(town: SettlementTown) -> None:
    await town.pay(("heating", 700))
    cover = await town.cover(700)
    await town.reverse(cover, 0)
    assert (await town.cut()).cut is None
    await town.assert_sound()
    await town.cover(700)
    assert (await town.cut()).ordered == 700
    await town.assert_sound()


async def test_a_cover_taken_back_unseen_stops_the_cut_itself(town: SettlementTown) -> None:
    """The consumer lags behind a correction of a cover: what the ledger's head says counts."""
    await town.pay(("heating", 700))
    cover = await town.cover(700)
    await town.fold()
    await town.reverse(cover, 0)
    with pytest.raises(SettlementBroken, match="700 kopecks ordered, 0 confirmed"):
        await make_orders(town.services, town.transit, NOW)
    assert await town.orders() == []
    await town.assert_sound()


async def test_a_payment_known_to_be_taken_back_is_not_ordered_though_its_correction_waits(town: SettlementTown) -> None:
    """The correction stands behind a payment that is not covered: the pair is worth nothing all the same."""
    first = await town.pay(("heating", 700))
    await town.pay(("cold_water", 900))
    await town.reverse(first)
    await town.cover(700)
    assert (await town.cut()).ordered == 0
    assert (await debts(town), await town.balance(town.payable("heating"))) == ([], 0)
    await town.assert_sound()
    await town.cover(200)
    assert (await town.cut()).ordered == 900
    await town.assert_sound()


async def test_a_correction_behind_an_uncovered_payment_is_a_debt_at_once(town: SettlementTown) -> None:
    """Else the debt could never be kept back, and the payment in front never be covered: its cover came less the debt."""
    await add_contracts(town.services, [CONSENT])
    first = await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    await town.pay(("cold_water", 900), space=0)
    await town.reverse(first)
    await town.cover(200)
    assert (await town.cut()).ordered == 0
    assert await owed(town, "TEPLO") == 700
    await town.assert_sound()
    await town.pay(("hot_water", 1_000), space=1)
    await town.cover(1_000, space=1)
    assert (await town.cut()).ordered == 300, "700 are kept back, which frees the money of the other clearing account"
    await town.assert_sound()
    assert (await town.cut()).ordered == 900
    assert await town.paid() == {("TEPLO", "services"): 1_000, ("VODA", "services"): 900}
    await town.assert_sound()


async def test_reversed_suspense_gives_its_money_to_the_next(town: SettlementTown) -> None:
    first = await town.suspend(500)
    await town.cover(500)
    await town.cut()
    await town.reverse(first)
    await town.pay(("heating", 500))
    assert (await town.cut()).ordered == 0, "first the suspense is taken back"
    assert (await town.cut()).ordered == 500
    await town.assert_sound()
