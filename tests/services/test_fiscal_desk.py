"""What tills' operators answer, and receipts that come late: configured, failed, wrong, or offsets of a month."""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta

import msgspec
import pytest

from ledger.chart import AccountKind, ledger_account
from schemas.allocation import Kind
from schemas.channel import LegalKind
from schemas.delivery import Accepted, Done, Outgoing, Refused
from schemas.journal import EntryKind
from schemas.receipt import MeansOfPayment, Operation, PaymentMethod, Receipt, Vat
from services.fiscal.contacts import erase_contact
from services.fiscal.core.corrections import Ground, NothingToMend
from services.fiscal.desk import ORDERS_MAX, UnknownOrder
from services.fiscal.lookups import count_stopped, find_receipt, list_receipts_of_payment, list_stopped
from services.fiscal.mending import NotMendable, mend_receipt
from services.fiscal.offsets import consolidate_offsets
from services.fiscal.rebuilding import Reordered, order_unconfigured, resend_failed
from services.fiscal.registers import Registers
from services.fiscal.states import ReceiptState
from services.fiscal.totals import verify_receipts
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk
from tests.services.fiscal_town import COMPANIES, FUND, FUND_VAT, NOW, VAT, FiscalTown, open_town

decoder = msgspec.json.Decoder(Receipt)
BY_ITSELF = Ground(by_order=False, base_date=date(2026, 11, 25))
NONE_LEFT: tuple[tuple[()], tuple[()]] = ((), ())


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> AsyncIterator[FiscalTown]:
    built = await open_town(ledger_database, desk)
    yield built
    await built.owner.close()


@pytest.fixture
async def ordered(town: FiscalTown) -> FiscalTown:
    """One payment of 1001 whose receipts, of uk and water, are ordered."""
    await town.pay("1001", 550_000)
    await town.take()
    return town


async def states(town: FiscalTown) -> list[ReceiptState]:
    return [ReceiptState(row["state"]) for row in await town.receipts()]


async def test_a_registered_receipt_keeps_its_sign_and_no_contact(ordered: FiscalTown) -> None:
    (order, _) = await ordered.orders()
    sign = await ordered.register(order, link="https://ofd.example.ru/1", shift="12", number_in_shift="3", register_number="0001")
    view = await find_receipt(ordered.services, order["subject"])
    assert view is not None and (view.state, view.sign, view.orders) == (ReceiptState.REGISTERED, sign, 1)
    assert (await ordered.orders())[0]["content"] == b"{}"
    assert view.receipt is not None and view.receipt.client == "" and view.receipt.total_kopecks == 500_000


async def test_accepted_changes_nothing(ordered: FiscalTown) -> None:
    (order, _) = await ordered.orders()
    await ordered.fiscal_desk.settle(
        ordered.services,
        Outgoing(number=order["number"], key=order["key"], content=order["content"]),
        Accepted(reference="uuid", ask_after_ms=1),
    )
    assert (await ordered.orders())[0] == order and await states(ordered) == [ReceiptState.ORDERED] * 2


async def test_the_same_answer_twice_is_one(ordered: FiscalTown) -> None:
    (order, _) = await ordered.orders()
    sign = await ordered.register(order)
    await ordered.settle(order, Done(reference="uuid", content=msgspec.json.encode(sign)), 2)
    assert (await states(ordered))[0] is ReceiptState.REGISTERED


async def test_a_sign_belongs_to_one_receipt(ordered: FiscalTown) -> None:
    (one, other) = await ordered.orders()
    await ordered.register(one, fd="7", fpd="99")
    await ordered.register(other, fd="7", fpd="99")
    (disputed,) = await list_stopped(ordered.services)
    assert (disputed.state, disputed.number) == (ReceiptState.DISPUTED, other["subject"])
    assert disputed.reason == f"the sign 9960440300000001/7/99 is receipt {one['subject']}'s"


async def test_another_sign_of_the_same_receipt_is_for_a_person(ordered: FiscalTown) -> None:
    (one, _) = await ordered.orders()
    await ordered.register(one, fd="7", fpd="99")
    await ordered.register(one, fd="8", fpd="100")
    (disputed,) = await list_stopped(ordered.services)
    assert disputed.reason.endswith("is not the one it has already") and disputed.sign is not None and disputed.sign.fd == "7"


async def test_another_sum_at_the_till_is_for_a_person(ordered: FiscalTown) -> None:
    (order, _) = await ordered.orders()
    await ordered.register(order, total_kopecks=499_999)
    (disputed,) = await list_stopped(ordered.services)
    assert (disputed.state, disputed.sign is not None) == (ReceiptState.DISPUTED, True)
    assert disputed.reason == "the till registered 499999 kopecks instead of 500000"


async def test_a_final_failure_that_may_be_repeated_gets_a_new_key(ordered: FiscalTown) -> None:
    (order, _) = await ordered.orders()
    await ordered.settle(order, Refused(code="1", reason="очередь", again=True), 3)
    again = (await ordered.orders())[-1]
    assert (again["subject"], again["key"]) == (order["subject"], order["key"][:-1] + "2")
    assert again["content"] == order["content"] and again["due_at"] == NOW + timedelta(seconds=5)
    assert (await states(ordered))[0] is ReceiptState.ORDERED
    await ordered.register(again)
    assert (await states(ordered))[0] is ReceiptState.REGISTERED
    assert all(b"ivanov" not in row["content"] for row in await ordered.orders() if row["subject"] == order["subject"])


async def test_after_many_failures_a_person_looks(ordered: FiscalTown) -> None:
    (order, _) = await ordered.orders()
    for _ in range(ORDERS_MAX):
        await ordered.settle(order, Refused(code="1", reason="очередь", again=True), 3)
        order = (await ordered.orders())[-1]
    (failed,) = await list_stopped(ordered.services)
    assert (failed.state, failed.reason, failed.orders) == (ReceiptState.FAILED, "1: очередь", ORDERS_MAX)


async def test_a_refused_receipt_is_listed_mended_and_sent_again(ordered: FiscalTown) -> None:
    (order, _) = await ordered.orders()
    await ordered.settle(order, Refused(code="32", reason="bad address"), 3)
    assert await count_stopped(ordered.services) == {ReceiptState.FAILED: 1}
    assert [row["state"] for row in await ordered.orders()] == [3, 0]
    await ordered.load("companies", COMPANIES.replace("https://uk.example.ru", "https://new.example.ru"))
    report = await resend_failed(ordered.services, Registers(), [order["subject"], 10**6], NOW)
    assert report == Reordered(ordered=1)
    again = (await ordered.orders())[-1]
    sent = decoder.decode(again["content"])
    assert again["key"].endswith("-2") and sent.company.payment_address == "https://new.example.ru"
    assert sent.client == "ivanov@example.com" and sent.operation is Operation.SELL
    view = await find_receipt(ordered.services, order["subject"])
    assert view is not None and view.receipt is not None and view.receipt.company == sent.company
    assert await resend_failed(ordered.services, Registers(), [order["subject"]], NOW) == Reordered()


async def test_a_refund_stays_held_while_its_original_fails(ordered: FiscalTown) -> None:
    await ordered.reverse(1)
    await ordered.take()
    (order, other) = await ordered.orders()
    await ordered.settle(order, Refused(code="32", reason="bad"), 3)
    await ordered.register(other)
    assert await states(ordered) == [ReceiptState.FAILED, ReceiptState.REGISTERED, ReceiptState.HELD, ReceiptState.ORDERED]
    await resend_failed(ordered.services, Registers(), [order["subject"]], NOW)
    await ordered.register_all()
    assert await states(ordered) == [ReceiptState.REGISTERED] * 4


async def test_an_order_of_others_is_not_settled(ordered: FiscalTown) -> None:
    with pytest.raises(UnknownOrder):
        await ordered.fiscal_desk.settle(
            ordered.services, Outgoing(number=10**6, key="k", content=b""), Done(reference="", content=b"{}")
        )


async def test_what_waited_for_a_table_is_ordered_in_time(town: FiscalTown) -> None:
    sequence = await town.pay("1002", 170_000)
    await town.reverse(sequence)
    await town.take()
    assert await order_unconfigured(town.services, Registers(), NOW) == Reordered(waiting=2)
    await town.load("companies", FUND)
    assert await order_unconfigured(town.services, Registers(), NOW) == Reordered(waiting=2)
    assert (await list_stopped(town.services))[0].reason == "VAT of fund, service capital_repair, from 202610"
    await town.load("vat", FUND_VAT)
    assert await order_unconfigured(town.services, Registers(), NOW) == Reordered(ordered=1, held=1)
    await town.register_all()
    assert {(row["operation"], row["state"]) for row in await town.receipts()} == {("sell", 6), ("sell_refund", 6)}
    assert await verify_receipts(town.services) == NONE_LEFT


async def test_what_waited_too_long_becomes_a_correction_receipt(town: FiscalTown) -> None:
    await town.pay("1002", 170_000)
    await town.take()
    await town.load("companies", FUND)
    await town.load("vat", FUND_VAT)
    (waiting,) = await list_stopped(town.services)
    assert await order_unconfigured(town.services, Registers(), waiting.deadline + timedelta(seconds=1)) == Reordered(ordered=1)
    order = (await town.orders())[-1]
    sent = decoder.decode(order["content"])
    assert sent.operation is Operation.SELL_CORRECTION and sent.correction is not None and not sent.correction.by_order
    await town.settle(order, Refused(code="32", reason="bad"), 3)
    assert await resend_failed(town.services, Registers(), [waiting.number], waiting.deadline) == Reordered(ordered=1)
    assert decoder.decode((await town.orders())[-1]["content"]) == sent
    assert await verify_receipts(town.services) == NONE_LEFT


async def test_what_needs_none_after_all_is_withdrawn_with_its_refund(town: FiscalTown) -> None:
    sequence = await town.pay("1002", 170_000)
    await town.reverse(sequence)
    await town.take()
    await town.load("companies", "recipient,valid_from,form,tax_system,format\nfund,2026-01-01,exempt,osn,1.2\n")
    assert await order_unconfigured(town.services, Registers(), NOW) == Reordered(withdrawn=2)
    assert await count_stopped(town.services) == {ReceiptState.WITHDRAWN: 2, ReceiptState.HELD: 1}
    assert await verify_receipts(town.services) == NONE_LEFT


async def mended(town: FiscalTown, counterparty: str, vat: str) -> tuple[int, int, int]:
    """Register all, load other rates, mend the receipt of an operator; numbers of the wrong one and what mends it."""
    await town.register_all()
    wrong = next(row["subject"] for row in await town.orders() if row["counterparty"] == counterparty)
    with pytest.raises(NothingToMend):
        await mend_receipt(town.services, Registers(), wrong, BY_ITSELF, NOW)
    await town.load("vat", vat)
    return (wrong, *await mend_receipt(town.services, Registers(), wrong, BY_ITSELF, NOW))


@pytest.mark.parametrize(
    ("counterparty", "vat", "operations"),
    [
        (
            "atol:uk",
            VAT.replace("2026-01,vat22,НК ст. 164 (425-ФЗ)", "2026-01,none,"),
            ("sell_refund_correction", "sell_correction"),
        ),
        ("ferma:water", VAT.replace("water,,,2026-01,vat22", "water,,,2026-01,vat10"), ("sell_refund", "sell")),
    ],
)
async def test_a_wrong_receipt_is_undone_and_then_said_right(
    ordered: FiscalTown, counterparty: str, vat: str, operations: tuple[str, str]
) -> None:
    wrong, undo, right = await mended(ordered, counterparty, vat)
    rows = {row["number"]: row for row in await ordered.receipts()}
    assert (rows[undo]["operation"], rows[right]["operation"]) == operations
    assert (rows[undo]["state"], rows[right]["state"]) == (ReceiptState.ORDERED, ReceiptState.HELD)
    assert decoder.decode(rows[undo]["content"]).items == decoder.decode(rows[wrong]["content"]).items
    assert decoder.decode(rows[right]["content"]).items != decoder.decode(rows[wrong]["content"]).items
    await ordered.register_all()
    found = await list_receipts_of_payment(ordered.services, "feed", "op-1")
    assert {one.state for one in found} == {ReceiptState.REGISTERED}
    with pytest.raises(NotMendable, match="mended already"):
        await mend_receipt(ordered.services, Registers(), wrong, BY_ITSELF, NOW)
    assert await verify_receipts(ordered.services) == NONE_LEFT


async def test_a_refund_mirrors_what_was_said_right(ordered: FiscalTown) -> None:
    _, _, right = await mended(ordered, "ferma:water", VAT.replace("water,,,2026-01,vat22", "water,,,2026-01,vat10"))
    await ordered.register_all()
    await ordered.reverse(1)
    await ordered.take()
    refund = (await ordered.receipts())[-1]
    assert (refund["operation"], refund["after"]) == ("sell_refund", right)
    assert [one.vat for one in decoder.decode(refund["content"]).items] == [Vat.VAT10]
    assert await verify_receipts(ordered.services) == NONE_LEFT


async def test_what_is_not_registered_cannot_be_mended(ordered: FiscalTown) -> None:
    (order, _) = await ordered.orders()
    with pytest.raises(NotMendable, match="no registered receipt"):
        await mend_receipt(ordered.services, Registers(), order["subject"], BY_ITSELF, NOW)


async def offset(town: FiscalTown, number: str, amount: int, key: str) -> None:
    """Let a charged line of maintenance use the account's advance."""
    lines = await town.lines(number)
    advance, used = town.payable("uk", "advance"), town.payable("uk", "maintenance")
    legs = [(advance, amount, lines["advance", 3]), (used, -amount, lines["maintenance", Kind.PRINCIPAL])]
    await town.move(EntryKind.ADVANCE_OFFSET, number, legs, (3, key))


async def test_offsets_of_a_month_stand_in_one_receipt(town: FiscalTown) -> None:
    await town.pay("1001", 560_000)
    await offset(town, "1001", 600, "o1")
    await offset(town, "1002", 400, "o2")
    await offset(town, "1003", 5, "o3")
    await town.take()
    before = len(await town.orders())
    moment = datetime(2026, 12, 2, 9, 0, tzinfo=NOW.tzinfo)
    made = await consolidate_offsets(town.services, Registers(), 202611, moment)
    assert (len(made.receipts), made.total, made.missing) == (1, 1_000, ())
    order = (await town.orders())[-1]
    sent = decoder.decode(order["content"])
    assert len(await town.orders()) == before + 1 and order["key"].startswith("0-offset/202611-")
    assert [(one.name, one.sum_kopecks, one.method) for one in sent.items] == [
        ("Содержание жилого помещения за 10.2026", 1_000, PaymentMethod.FULL_PAYMENT)
    ]
    assert sent.payments == ((MeansOfPayment.OFFSET, 1_000),) and sent.client == "kassa@uk.example.ru"
    assert await consolidate_offsets(town.services, Registers(), 202611, moment) == type(made)(receipts=(), total=0, missing=())
    assert (await town.omissions())[-1][1:] == ("uk", "organisation", 5)
    await offset(town, "1001", 30, "o4")
    await town.take()
    assert (await consolidate_offsets(town.services, Registers(), 202611, moment)).total == 30
    assert (await town.orders())[-1]["key"] != order["key"]
    assert (await town.receipts())[-1]["deadline"] == datetime(2026, 12, 10, 21, tzinfo=NOW.tzinfo)
    assert await verify_receipts(town.services) == NONE_LEFT


async def test_an_erased_contact_is_gone_from_what_has_not_gone_out(ordered: FiscalTown) -> None:
    assert await erase_contact(ordered.services, "epd", "1001")
    assert {decoder.decode(row["content"]).client for row in await ordered.orders()} == {
        "kassa@uk.example.ru",
        "kassa@water.example.ru",
    }
    assert not await erase_contact(ordered.services, "epd", "1001")
    await ordered.pay("1001", 1_000, LegalKind.ACQUIRER)
    await ordered.take()
    assert all(b"ivanov" not in row["content"] for row in await ordered.orders())


async def test_money_that_came_by_no_known_way_waits(town: FiscalTown) -> None:
    """A reassignment whose payment is not in the journal: the table of decisions has no row for it."""
    lines = await town.lines("1001")
    reassign = ledger_account(AccountKind.REASSIGN, 0, 7)
    legs = [(reassign, 900, 0), (town.payable("uk", "maintenance"), -900, lines["maintenance", 0])]
    await town.move(EntryKind.REASSIGNMENT, "1001", legs, (1, "1:999/1"))
    await town.take()
    (stopped,) = await list_stopped(town.services)
    assert stopped.total_kopecks == 900 and stopped.reason.startswith("decision of /own/")
    assert await verify_receipts(town.services) == NONE_LEFT
