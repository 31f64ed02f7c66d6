"""Refunds through settlement: what was not ordered goes back, what was is owed, and nobody is paid with others' money."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from kopeck.demo.requisites import account_with_key
from ledger.chart import AccountKind
from ledger.core.refund import NothingLeft
from schemas.ids import Book, Sequence
from schemas.transfer import TransferState
from services.sealing import Sealer
from services.settlement.lines import read_register
from services.settlement.refunds import Asked, Decided, RefundRefused, decide_deduction, decide_refund, decide_reversal
from services.settlement.registers import send_registers
from services.settlement.returns import Payee, PayeeGiven, ask_return, withdraw_return
from services.settlement.terms import ContractRow, add_contracts, set_approval_limit
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import BIC, DAY, NOW, SQL, SettlementTown, settlement_town

SEALER = Sealer((b"\x07" * 32,))
PAYER = Payee(name="Иванов Иван Иванович", bank_account=account_with_key("40817810000000000001", BIC), bic=BIC)
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


async def refund(town: SettlementTown, place: Sequence, amount: int | None = None, **more: object) -> Decided:
    """Refund a payment of book 1."""
    await town.fold()
    key = str(more.pop("key", f"{place}/{amount}"))
    asked = Asked(key=key, book=Book(1), sequence=place, by="Анна", at=NOW, amount_kopecks=amount, **more)  # type: ignore[arg-type]
    return await decide_refund(town.services, asked)


async def pay_back(town: SettlementTown, decided: Decided, payee: Payee = PAYER) -> int:
    """Ask for an order to the payer."""
    given = PayeeGiven(book=decided.book, sequence=decided.sequence, payee=payee, by="Анна", at=NOW)
    return await ask_return(town.services, given, SEALER)


async def covered(town: SettlementTown, amount: int) -> Sequence:
    """A payment that the bank has confirmed."""
    place = await town.pay(("heating", amount))
    await town.cover(amount)
    return place


async def owed(town: SettlementTown, code: str) -> int:
    return await town.balance(town.of_transit(AccountKind.RECEIVABLE, town.recipients[code]))


async def refund_balance(town: SettlementTown) -> int:
    return -await town.balance(town.of_transit(AccountKind.REFUND, town.channel))


async def returned(town: SettlementTown) -> int:
    """Kopecks ordered to payers."""
    return sum(order["amount"] for order in await town.orders() if order["class"] == "refund")


async def test_money_that_was_not_ordered_goes_back_and_nobody_owes(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700), ("cold_water", 300))
    await town.pay(("heating", 50))
    await town.cover(1_050)
    decided = await refund(town, first, 400)
    await pay_back(town, decided)
    report = await town.cut()
    assert report.ordered == 1_050, "650 to the recipients, 400 to the payer"
    assert await town.paid() == {("TEPLO", "services"): 470, ("VODA", "services"): 180, ("payer", "refund"): 400}
    assert await town.owner.fetch(SQL["debts"]) == []
    assert await refund_balance(town) == 0
    await town.assert_sound()


async def test_money_that_was_ordered_is_owed_and_the_payer_waits(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700), ("cold_water", 300))
    await town.cover(1_000)
    await town.cut()
    await pay_back(town, await refund(town, first))
    await town.pay(("heating", 5_000))
    await town.cover(5_000)
    assert (await town.cut()).ordered == 5_000, "without consent nothing is kept back, and others' money pays no refund"
    assert (await owed(town, "TEPLO"), await owed(town, "VODA"), await returned(town)) == (700, 300, 0)
    assert [await town.balance(town.payable(service)) for service in ("heating", "cold_water")] == [0, 0]
    assert await refund_balance(town) == 1_000
    await town.assert_sound()


async def test_consented_netting_covers_the_refund(town: SettlementTown) -> None:
    await add_contracts(town.services, [CONSENT])
    first = await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    await pay_back(town, await refund(town, first))
    await town.pay(("heating", 400))
    await town.cover(400)
    assert (await town.cut()).ordered == 0
    assert (await owed(town, "TEPLO"), await returned(town)) == (300, 0)
    await town.pay(("hot_water", 500))
    await town.cover(500)
    assert (await town.cut()).ordered == 900, "200 to the recipient, 700 to the payer"
    assert (await owed(town, "TEPLO"), await returned(town), await refund_balance(town)) == (0, 700, 0)
    await town.assert_sound()


async def test_a_debt_paid_covers_the_refund(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    await pay_back(town, await refund(town, first))
    await town.cut()
    await town.pay_debt("TEPLO", 699)
    assert (await town.cut()).ordered == 0
    await town.pay_debt("TEPLO", 1)
    assert (await town.cut()).ordered == 700
    assert (await owed(town, "TEPLO"), await town.balance(town.of_transit(AccountKind.OUTGOING))) == (0, -1_400)
    await town.assert_sound()


async def test_a_debt_paid_before_it_was_known_is_a_deposit(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    await town.pay_debt("TEPLO", 1_000)
    await pay_back(town, await refund(town, first))
    assert (await town.cut()).ordered == 700
    assert await owed(town, "TEPLO") == -300
    await town.assert_sound()


async def test_a_guarantor_owes_for_recipients_that_were_paid(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700), ("cold_water", 300))
    await town.cover(1_000)
    await town.cut()
    await pay_back(town, await refund(town, first, guarantor=town.recipients["UK"]))
    await town.cut()
    assert [await owed(town, code) for code in ("UK", "TEPLO", "VODA")] == [1_000, 0, 0]
    await town.pay_debt("UK", 1_000)
    assert (await town.cut()).ordered == 1_000
    await town.assert_sound()


async def test_a_refund_takes_nothing_from_another_payment_of_the_same_recipient(town: SettlementTown) -> None:
    """Both payments stand on one payable account: the first was ordered, the second is in the very cut that takes the refund."""
    first = await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    await town.pay(("heating", 700))
    await town.cover(700)
    await refund(town, first)
    assert (await town.cut()).ordered == 700
    assert await owed(town, "TEPLO") == 700
    await town.assert_sound()


async def test_carried_money_goes_back_without_a_debt(town: SettlementTown) -> None:
    recipient = await town.owner.fetchval(SQL["add_recipient"], "NEW", "service", "ООО NEW", "7728168971")
    town.payees["intercom"] = await town.owner.fetchval(SQL["add_payee"], recipient, "intercom")
    first = await town.pay(("intercom", 30), ("heating", 70))
    await town.pay(("intercom", 5))
    await town.cover(105)
    await town.cut()
    await pay_back(town, await refund(town, first))
    await town.cut()
    assert [amount for amount, _ in (await town.carried()).values()] == [5]
    assert await owed(town, "TEPLO") == 70
    await town.assert_sound()


async def test_refunds_in_parts_before_and_after_the_order(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700), ("cold_water", 300))
    await town.cover(1_000)
    await refund(town, first, 100)
    assert (await town.cut()).ordered == 900
    await refund(town, first, 200)
    await refund(town, first, 300)
    await town.cut()
    assert (await owed(town, "TEPLO") + await owed(town, "VODA"), await refund_balance(town)) == (500, 600)
    with pytest.raises(NothingLeft):
        await refund(town, first, 401)
    await refund(town, first)
    await town.cut()
    assert (await owed(town, "TEPLO"), await owed(town, "VODA")) == (630, 270)
    await town.assert_sound()


async def test_an_uncovered_payment_is_reversed_not_refunded(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700), ("cold_water", 300))
    with pytest.raises(RefundRefused, match="not confirmed"):
        await refund(town, first, 100)
    asked = Asked(key="r", book=Book(1), sequence=first, by="Анна", at=NOW, amount_kopecks=100)
    await decide_reversal(town.services, asked)
    await town.cover(900)
    assert (await town.cut()).ordered == 900
    assert await town.paid() == {("TEPLO", "services"): 630, ("VODA", "services"): 270}
    with pytest.raises(RefundRefused, match="has confirmed"):
        await decide_reversal(town.services, Asked(key="s", book=Book(1), sequence=first, by="Анна", at=NOW))
    await town.assert_sound()


async def test_partial_reversals_after_the_order_are_debts_of_the_counterpartys_money(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700), ("cold_water", 300))
    await town.cover(1_000)
    await town.cut()
    await town.reverse_part(first, 100)
    await town.pay(("cold_water", 500))
    await town.cover(400)
    assert (await town.cut()).ordered == 0, "500 are promised, 400 came, 100 are owed"
    assert (await owed(town, "TEPLO"), await owed(town, "VODA")) == (70, 30)
    await town.pay_debt("TEPLO", 70)
    assert (await town.cut()).ordered == 0
    await town.pay_debt("VODA", 30)
    assert (await town.cut()).ordered == 500
    await town.assert_sound()


async def test_a_deducted_refund_lacks_in_the_next_cover(town: SettlementTown) -> None:
    """The acquirer kept 700 from the next cover: the next payment waits until the debt is paid."""
    first = await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    decided = await refund(town, first)
    await decide_deduction(town.services, decided.book, decided.sequence, NOW)
    await town.pay(("cold_water", 900))
    await town.cover(200)
    assert (await town.cut()).ordered == 0
    assert (await refund_balance(town), await owed(town, "TEPLO")) == (0, 700)
    assert await town.balance(town.of_transit(AccountKind.CLEARING, town.spaces[0])) == 0
    await town.assert_sound()
    assert (await town.cut()).ordered == 0
    await town.pay_debt("TEPLO", 700)
    assert (await town.cut()).ordered == 900
    await town.assert_sound()


async def test_a_deducted_refund_of_money_not_ordered_frees_the_next_payment(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700))
    await town.cover(700)
    decided = await refund(town, first)
    await town.cut()
    await decide_deduction(town.services, decided.book, decided.sequence, NOW)
    await town.pay(("cold_water", 900))
    await town.cover(200)
    await town.cut()
    assert sum((await town.paid()).values()) in (0, 900)
    await town.cut()
    assert await town.paid() == {("VODA", "services"): 900}
    await town.assert_sound()


async def test_a_refund_is_decided_once_under_its_key(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700))
    await town.cover(700)
    once, again = await refund(town, first, 100, key="k"), await refund(town, first, 100, key="k")
    assert (once.is_new, again.is_new, again.sequence) == (True, False, once.sequence)
    with pytest.raises(RefundRefused, match="another"):
        await refund(town, first, 101, key="k")
    assert await refund_balance(town) == 100


async def test_a_large_refund_wants_a_second_person(town: SettlementTown) -> None:
    await set_approval_limit(town.services, DAY, 500, "board")
    first = await town.pay(("heating", 700))
    await town.cover(700)
    with pytest.raises(RefundRefused, match="two people"):
        await refund(town, first, 500)
    with pytest.raises(RefundRefused, match="another one"):
        await refund(town, first, 500, approved_by=" анна ")
    await pay_back(town, await refund(town, first, 500, approved_by="Борис"))
    await town.cut()
    (order,) = [one for one in await town.orders() if one["class"] == "refund"]
    assert (order["approvals_needed"], order["state"]) == (2, TransferState.CREATED)


async def test_a_return_leaves_with_the_payers_name_and_its_register_reads(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700))
    await town.cover(700)
    await pay_back(town, await refund(town, first))
    await town.cut()
    assert await send_registers(town.services, town.transit, NOW) == (), "without the key no name is known"
    assert len(await send_registers(town.services, town.transit, NOW, SEALER)) == 1
    (outgoing,) = await town.owner.fetch(SQL["outgoing"])
    assert "Иванов Иван Иванович".encode() in outgoing["content"]
    (order,) = await town.orders()
    register = await read_register(town.services, order["key"])
    assert (register.amount, [line.gross for line in register.lines]) == (700, [700])
    await town.assert_sound()


async def test_a_payer_on_a_stop_list_is_not_paid(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700))
    await town.cover(700)
    await pay_back(town, await refund(town, first))
    await town.cut()
    await town.stop_name("Иванов Иван Иванович", DAY)
    assert await send_registers(town.services, town.transit, NOW, SEALER) == ()
    with pytest.raises(RefundRefused, match="stop list"):
        await pay_back(town, await refund(town, await covered(town, 50)))


async def test_a_return_is_withdrawn_before_its_order_only(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700))
    await town.cover(700)
    early = await pay_back(town, await refund(town, first, 100))
    assert await withdraw_return(town.services, early, "Анна", "ошибка", NOW)
    late = await pay_back(town, await refund(town, first, 200))
    await town.cut()
    assert not await withdraw_return(town.services, late, "Анна", "ошибка", NOW)
    assert await returned(town) == 200
    await town.assert_sound()
