"""Money that moves without a clearing account (releases, reassignments, offsets) is ordered when its root is covered."""

from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from kopeck.demo.requisites import account_with_key
from ledger.chart import AccountKind, ledger_account
from ledger.core.refund import REFUND_SPACE
from ledger.core.release import SUSPENSE_SPACE
from ledger.core.reversal import CORRECTION_SPACE
from ledger.journal import fetch_entry
from schemas.delivery import Done
from schemas.ids import Book, LedgerAccount, Line, Space
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind
from schemas.transfer import TransferState
from services.settlement.lines import read_register
from services.settlement.refunds import Asked, decide_refund
from services.settlement.returns import PayeeGiven, ask_return
from services.settlement.transitions import cancel_order
from services.settlement.whereabouts import Whereabouts, locate_money
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import BIC, NOW, SQL, SettlementTown, settlement_town
from tests.services.test_refunds import PAYER, SEALER, covered, owed, pay_back, refund, refund_balance, returned
from tests.services.test_settlement_bank import answer, results, sent

S = TransferState
Posting = tuple[LedgerAccount, int]
REASSIGN = ledger_account(AccountKind.REASSIGN, 0, 1)


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database, books=2) as founded:
        yield founded


async def move(
    town: SettlementTown, kind: EntryKind, key: tuple[Space, str], postings: Sequence[Posting], book: int = 1
) -> Place:
    """Book an entry without a clearing account, as the ledger's doors would."""
    whole = town.payment([("heating", 1)])
    accounts, amounts = zip(*postings, strict=True)
    entry = msgspec.structs.replace(
        whole,
        kind=kind,
        space=key[0],
        external_id=key[1],
        amount_kopecks=sum(amount for amount in amounts if amount > 0),
        accounts=accounts,
        amounts=amounts,
        lines=(Line(0),) * len(postings),
    )
    return await town.append(entry, book)


def gives(town: SettlementTown, *lines: tuple[str, int]) -> list[Posting]:
    return [(town.payable(service), -amount) for service, amount in lines]


async def release(town: SettlementTown, item: Place, *lines: tuple[str, int], part: int = 1, book: int = 1) -> Place:
    """Give suspended money to payables, by one entry or from another book."""
    amount = sum(one for _, one in lines)
    suspense = town.of_transit(AccountKind.SUSPENSE, town.channel)
    key = f"1:{item}/{part}"
    if book == 1:
        return await move(town, EntryKind.SUSPENSE_RELEASE, (SUSPENSE_SPACE, key), [(suspense, amount), *gives(town, *lines)])
    between = ledger_account(AccountKind.IN_TRANSFER, 0, item)
    await move(town, EntryKind.SUSPENSE_RELEASE, (SUSPENSE_SPACE, key), [(suspense, amount), (between, -amount)])
    arrival = [(between, amount), *gives(town, *lines)]
    return await move(town, EntryKind.SUSPENSE_RELEASE, (SUSPENSE_SPACE, f"{key}/in"), arrival, book)


async def depart(town: SettlementTown, payment: Place, *lines: tuple[str, int]) -> Place:
    """The first half of a reassignment."""
    amount = sum(one for _, one in lines)
    taken = [(account, -part) for account, part in gives(town, *lines)]
    key = (CORRECTION_SPACE, f"1:{payment}/1")
    return await move(town, EntryKind.REASSIGNMENT, key, [(REASSIGN, -amount), *taken])


async def arrive(town: SettlementTown, payment: Place, *lines: tuple[str, int], book: int = 1) -> Place:
    """The second half."""
    amount = sum(one for _, one in lines)
    key = (REFUND_SPACE, f"1:{payment}/1")
    return await move(town, EntryKind.REASSIGNMENT, key, [(REASSIGN, amount), *gives(town, *lines)], book)


@pytest.mark.parametrize("book", [1, 2])
async def test_a_release_waits_for_the_cover_of_its_item(town: SettlementTown, book: int) -> None:
    item = await town.suspend(900)
    place = await release(town, item, ("heating", 600), ("cold_water", 300), book=book)
    assert (await town.cut()).ordered == 0
    entry = await fetch_entry(town.services, Book(book), place)
    assert {leg.where for leg in await locate_money(town.services, entry)} == {Whereabouts.NOT_CONFIRMED}
    await town.assert_sound()
    await town.cover(900)
    assert (await town.cut()).ordered == 900
    assert await town.paid() == {("TEPLO", "services"): 600, ("VODA", "services"): 300}
    assert {leg.where for leg in await locate_money(town.services, entry)} == {Whereabouts.ORDERED}
    await town.assert_sound()
    for order in await town.orders():
        register = await read_register(town.services, order["key"])
        assert [(line.book, line.sequence, line.gross) for line in register.lines] == [(book, place, order["amount"])]


async def test_an_item_covered_long_ago_is_ordered_when_released(town: SettlementTown) -> None:
    item = await town.suspend(900)
    await town.cover(900)
    await town.cut()
    await release(town, item, ("heating", 400))
    assert (await town.cut()).ordered == 400
    await release(town, item, ("heating", 500), part=2, book=2)
    assert (await town.cut()).ordered == 500
    await town.assert_sound()


async def test_a_release_refunded_before_and_after_its_order(town: SettlementTown) -> None:
    item = await town.suspend(900)
    place = await release(town, item, ("heating", 900))
    await town.cover(900)
    await refund(town, place, 100)
    assert (await town.cut()).ordered == 800
    await pay_back(town, await refund(town, place, 300))
    await town.cut()
    assert (await owed(town, "TEPLO"), await returned(town), await refund_balance(town)) == (300, 0, 400)
    await town.pay_debt("TEPLO", 300)
    await town.cut()
    assert await returned(town) == 300
    await town.assert_sound()


async def test_suspense_is_returned_when_it_is_covered(town: SettlementTown) -> None:
    item = await town.suspend(900)
    account = town.of_transit(AccountKind.SUSPENSE, town.channel)
    request = await town.owner.fetchval(SQL["add_return"], town.transit, account, item, 900)
    sealed = SEALER.seal(b"x", f"settlement.return_payee/{request}".encode())
    await town.owner.execute(SQL["add_payee_of_return"], request, sealed, PAYER.bank_account, PAYER.bic)
    assert (await town.cut()).ordered == 0
    await town.cover(900)
    assert (await town.cut()).ordered == 900
    assert (await returned(town), await town.balance(account)) == (900, 0)
    await town.assert_sound()


@pytest.mark.parametrize("book", [1, 2])
async def test_a_reassignment_before_the_order_owes_nothing(town: SettlementTown, book: int) -> None:
    payment = await covered(town, 700)
    await depart(town, payment, ("heating", 700))
    await arrive(town, payment, ("cold_water", 700), book=book)
    assert (await town.cut()).ordered + (await town.cut()).ordered == 700
    assert await town.paid() == {("VODA", "services"): 700}
    assert await town.owner.fetch(SQL["debts"]) == []
    await town.assert_sound()


@pytest.mark.parametrize("book", [1, 2])
async def test_a_recipient_that_was_paid_for_the_wrong_account_keeps_it_for_the_right_one(
    town: SettlementTown, book: int
) -> None:
    """Only what another recipient gets by it has to come from the one that was paid too much."""
    payment = await covered(town, 1_000)
    await town.cut()
    await depart(town, payment, ("heating", 1_000))
    await arrive(town, payment, ("hot_water", 600), ("cold_water", 400), book=book)
    assert (await town.cut()).ordered == 0
    assert await owed(town, "TEPLO") == 400
    await town.assert_sound()
    await town.pay_debt("TEPLO", 400)
    assert (await town.cut()).ordered == 400
    assert await town.paid() == {("TEPLO", "services"): 1_000, ("VODA", "services"): 400}
    await town.assert_sound()
    for order in await town.orders():
        await read_register(town.services, order["key"])


async def test_an_arrival_read_before_its_departure_waits_for_it(town: SettlementTown) -> None:
    payment = await covered(town, 700)
    await town.cut()
    await arrive(town, payment, ("cold_water", 700), book=2)
    assert (await town.cut()).ordered == 0
    await depart(town, payment, ("heating", 700))
    assert (await town.cut()).ordered == 0
    assert await owed(town, "TEPLO") == 700
    await town.assert_sound()


async def test_an_offset_of_an_advance_that_was_paid_out_waits_for_its_holder(town: SettlementTown) -> None:
    payment = await town.pay(("maintenance", 500))
    await town.cover(500)
    await town.cut()
    offset = [(town.payable("maintenance"), 200), *gives(town, ("heating", 200))]
    await move(town, EntryKind.ADVANCE_OFFSET, (Space(2), f"1:{payment}/1"), offset)
    assert (await town.cut()).ordered == 0
    assert await owed(town, "UK") == 200
    await town.pay_debt("UK", 200)
    assert (await town.cut()).ordered == 200
    assert (await town.paid())["TEPLO", "services"] == 200
    await town.assert_sound()


async def test_an_offset_of_an_advance_not_paid_out_is_ordered_at_once(town: SettlementTown) -> None:
    payment = await town.pay(("maintenance", 500))
    offset = [(town.payable("maintenance"), 200), *gives(town, ("heating", 200))]
    await move(town, EntryKind.ADVANCE_OFFSET, (Space(2), f"1:{payment}/1"), offset)
    assert (await town.cut()).ordered == 0
    await town.cover(500)
    assert (await town.cut()).ordered == 500
    assert await town.paid() == {("UK", "services"): 300, ("TEPLO", "services"): 200}
    await town.assert_sound()


async def test_money_that_waits_to_be_paid_anew_is_kept_for_what_was_taken_back_of_it(town: SettlementTown) -> None:
    first = await covered(town, 700)
    await covered(town, 50)
    await town.cut()
    (order,) = await town.orders()
    assert await cancel_order(town.services, order["key"], "Анна", NOW)
    await pay_back(town, await refund(town, first))
    await town.cut()
    assert (await owed(town, "TEPLO"), await returned(town)) == (0, 700)
    await town.approve("TEPLO", 77)
    assert (await town.cut()).ordered == 50, "the rest of the order is paid anew"
    await town.assert_sound()
    await read_register(town.services, (await town.orders())[-1]["key"])


async def test_a_reissue_all_of_which_was_taken_back_is_cancelled(town: SettlementTown) -> None:
    first = await covered(town, 700)
    await town.cut()
    await town.send()
    await answer(town, await sent(town), Done(reference="r", content=results(await sent(town), S.REJECTED)))
    await town.reverse(first)
    await town.approve("TEPLO", 77)
    assert (await town.cut()).ordered == 0
    assert (await owed(town, "TEPLO"), await town.owner.fetchval(SQL["reissues"])) == (0, 0)
    await town.assert_sound()


async def test_a_fee_kept_back_from_a_cover_is_a_claim_on_its_bearer(town: SettlementTown) -> None:
    """The cover brought 990 for promises of 1 000: the payment waits until the bearer has paid the ten."""
    await town.pay(("heating", 1_000))
    await town.cover_net(990, 10, "UK")
    assert (await town.cut()).ordered == 0
    await town.assert_sound()
    await town.pay_debt("UK", 10)
    assert (await town.cut()).ordered == 1_000
    await town.assert_sound()


async def test_a_returned_refund_goes_to_another_account_of_the_payer(town: SettlementTown) -> None:
    first = await covered(town, 700)
    decided = await refund(town, first)
    await pay_back(town, decided)
    await town.cut()
    (order,) = await town.orders()
    assert await cancel_order(town.services, order["key"], "Анна", NOW)
    assert (await town.cut()).ordered == 0
    other = msgspec.structs.replace(PAYER, bank_account=account_with_key("40817810000000000002", BIC))
    given = PayeeGiven(book=decided.book, sequence=decided.sequence, payee=other, by="Анна", at=NOW)
    await ask_return(town.services, given, SEALER)
    assert (await town.cut()).ordered == 700
    assert (await town.orders())[-1]["bank_account"] == other.bank_account
    await town.assert_sound()


async def test_many_refunds_of_one_payment(town: SettlementTown) -> None:
    first = await covered(town, 700)
    await town.cut()
    for number in range(7):
        asked = Asked(key=f"n{number}", book=Book(1), sequence=first, by="Анна", at=NOW, amount_kopecks=100)
        await decide_refund(town.services, asked)
    await town.cut()
    assert (await owed(town, "TEPLO"), await refund_balance(town)) == (700, 700)
    await town.assert_sound()
