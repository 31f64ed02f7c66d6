"""The fiscal consumer on a real ledger: receipts and their orders, once, whatever is taken again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest

from ledger.chart import AccountKind, ledger_account
from schemas.channel import LegalKind
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind
from schemas.receipt import MeansOfPayment, Operation, Receipt
from services.fiscal.lookups import (
    find_receipt,
    list_omissions_of_payment,
    list_receipts_of_account,
    list_receipts_of_payment,
    list_receipts_of_sign,
    list_stopped,
)
from services.fiscal.states import ReceiptState
from services.fiscal.totals import list_uneven, verify_receipts
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk
from tests.services.fiscal_town import BOOK, FUND, FUND_VAT, SQL, FiscalTown, open_town

decoder = msgspec.json.Decoder(Receipt)


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> AsyncIterator[FiscalTown]:
    built = await open_town(ledger_database, desk)
    yield built
    await built.owner.close()


async def assert_told(town: FiscalTown) -> None:
    """Every kopeck taken stands on a receipt or among the reasons."""
    assert await verify_receipts(town.services) == ((), ())


async def test_a_payment_becomes_a_receipt_of_each_creditor_and_its_order(town: FiscalTown) -> None:
    await town.pay("1001", 550_000, LegalKind.ACQUIRER)
    assert await town.take() == 1
    receipts, orders = await town.receipts(), await town.orders()
    assert [(row["issuer_code"], row["total"], row["operation"], row["state"]) for row in receipts] == [
        ("uk", 500_000, "sell", ReceiptState.ORDERED),
        ("water", 50_000, "sell", ReceiptState.ORDERED),
    ]
    assert [(row["subject"], row["counterparty"]) for row in orders] == [
        (receipts[0]["number"], "atol:uk"),
        (receipts[1]["number"], "ferma:water"),
    ]
    assert [row["key"].startswith(f"{town.space}-op-1-") for row in orders] == [True, True]
    sent = [decoder.decode(row["content"]) for row in orders]
    assert {one.client for one in sent} == {"ivanov@example.com"}
    assert [[(item.name, item.sum_kopecks, item.vat.value) for item in one.items] for one in sent] == [
        [
            ("Отопление за 10.2026", 300_000, "none"),
            ("Содержание жилого помещения за 10.2026", 200_000, "vat22"),
        ],
        [("Холодное водоснабжение за 10.2026", 50_000, "vat22")],
    ]
    assert all(b"ivanov" not in row["content"] for row in receipts)
    assert sent[0].payments == ((MeansOfPayment.CASHLESS, 500_000),) and sent[0].internet
    await assert_told(town)


async def test_without_a_contact_it_goes_to_the_company(town: FiscalTown) -> None:
    await town.pay("1002", 100_000)
    await town.take()
    (order,) = [row for row in await town.orders() if row["counterparty"] == "atol:uk"]
    assert decoder.decode(order["content"]).client == "kassa@uk.example.ru"


async def test_reasons_stand_where_no_receipt_is_needed(town: FiscalTown) -> None:
    await town.pay("1001", 550_000, LegalKind.PAYMENT_AGENT)
    await town.pay("1003", 100_000)
    await town.suspend(777)
    await town.take()
    assert await town.receipts() == []
    assert await town.omissions() == [
        (1, "uk", "channel_agent", 500_000),
        (1, "water", "channel_agent", 50_000),
        (2, "uk", "organisation", 100_000),
        (3, "-", "suspense", 777),
    ]
    (one, other) = await list_omissions_of_payment(town.services, "feed", "op-1")
    assert (one.issuer, one.amount_kopecks, other.issuer) == ("uk", 500_000, "water")
    await assert_told(town)


@pytest.mark.parametrize("entries_max", [1, 3, 100])
async def test_taken_again_nothing_is_doubled(town: FiscalTown, entries_max: int) -> None:
    first = await town.pay("1001", 100_000)
    await town.pay("1002", 5_000, LegalKind.PAYMENT_AGENT)
    await town.reverse(first)
    await town.suspend(5)
    await town.take(entries_max)
    before = await town.receipts(), await town.orders(), await town.omissions()
    await town.owner.execute(SQL["rewind"], "fiscal")
    assert await town.take(entries_max) == 4
    assert (await town.receipts(), await town.orders(), await town.omissions()) == before
    await assert_told(town)


async def test_a_reversal_in_the_same_passage_waits_for_its_original(town: FiscalTown) -> None:
    sequence = await town.pay("1001", 550_000)
    await town.reverse(sequence)
    await town.take()
    states = [(row["issuer_code"], row["operation"], row["total"], row["state"]) for row in await town.receipts()]
    assert states == [
        ("uk", "sell", 500_000, ReceiptState.ORDERED),
        ("water", "sell", 50_000, ReceiptState.ORDERED),
        ("uk", "sell_refund", 500_000, ReceiptState.HELD),
        ("water", "sell_refund", 50_000, ReceiptState.HELD),
    ]
    await town.register_all()
    receipts, orders = await town.receipts(), await town.orders()
    assert {row["state"] for row in receipts} == {ReceiptState.REGISTERED}
    assert [row["subject"] for row in orders] == [row["number"] for row in receipts]
    mirrored = decoder.decode(receipts[2]["content"])
    assert mirrored.items == decoder.decode(receipts[0]["content"]).items
    found = await list_receipts_of_payment(town.services, "feed", "op-1")
    assert [one.operation for one in found] == [Operation.SELL, Operation.SELL, Operation.SELL_REFUND, Operation.SELL_REFUND]
    assert sum(one.total_kopecks * (1 if one.operation is Operation.SELL else -1) for one in found) == 0
    await assert_told(town)


async def test_a_reversal_of_what_is_registered_goes_at_once(town: FiscalTown) -> None:
    sequence = await town.pay("1001", 550_000)
    await town.take()
    await town.register_all()
    await town.reverse(sequence)
    await town.take()
    assert [row["state"] for row in await town.receipts()] == [6, 6, 5, 5]
    waiting = [row for row in await town.orders() if row["state"] == 0]
    assert [row["counterparty"] for row in waiting] == ["atol:uk", "ferma:water"]
    assert decoder.decode(waiting[0]["content"]).client == "ivanov@example.com"
    await assert_told(town)


async def test_what_had_no_receipt_gets_no_refund(town: FiscalTown) -> None:
    sequence = await town.pay("1001", 550_000, LegalKind.PAYMENT_AGENT)
    suspended = await town.suspend(9)
    await town.reverse(sequence)
    await town.reverse(suspended)
    await town.take()
    assert await town.receipts() == []
    assert (await town.omissions())[-2:] == [(3, "-", "original_without", -550_000), (4, "-", "suspense", -9)]
    await assert_told(town)


async def test_a_partial_refund_after_cover_mirrors_its_lines(town: FiscalTown) -> None:
    sequence = await town.pay("1001", 550_000)
    lines = await town.lines("1001")
    refund = ledger_account(AccountKind.REFUND, town.transit, town.channels[LegalKind.BANK])
    payables = [
        (town.payable("heat", "heating"), 1_000, lines["heating", 0]),
        (town.payable("water", "cold_water"), 7, lines["cold_water", 0]),
    ]
    await town.move(EntryKind.REFUND, "1001", [*payables, (refund, -1_007, 0)], (1, f"{BOOK}:{sequence}/1"))
    await town.move(EntryKind.REFUND, "1001", [payables[1], (refund, -7, 0)], (1, f"{BOOK}:{sequence}/2"))
    await town.take()
    refunds = (await town.receipts())[2:]
    assert [(row["issuer_code"], row["total"], row["correction"], row["after"] is not None) for row in refunds] == [
        ("uk", 1_000, "1", True),
        ("water", 7, "1", True),
        ("water", 7, "2", True),
    ]
    await assert_told(town)


async def test_money_released_from_suspense_gets_its_receipt_then(town: FiscalTown) -> None:
    await town.suspend(1_000)
    lines = await town.lines("1002")
    suspense = ledger_account(AccountKind.SUSPENSE, town.transit, town.channels[LegalKind.ACQUIRER])
    payable = town.payable("uk", "maintenance")
    await town.move(
        EntryKind.SUSPENSE_RELEASE, "1002", [(suspense, 1_000, 0), (payable, -1_000, lines["maintenance", 0])], (3, "release-1")
    )
    await town.take()
    (receipt,) = await town.receipts()
    assert (receipt["total"], decoder.decode(receipt["content"]).internet) == (1_000, True)
    assert [row[3] for row in await town.omissions()] == [1_000, -1_000]
    await assert_told(town)


async def test_an_issuer_without_a_row_waits_visibly_and_stops_nobody(town: FiscalTown) -> None:
    await town.pay("1002", 170_000)
    await town.pay("1001", 1_000)
    assert await town.take() == 2
    (waiting,) = await list_stopped(town.services)
    assert (waiting.issuer, waiting.state, waiting.total_kopecks) == ("fund", ReceiptState.UNCONFIGURED, 70_000)
    assert waiting.reason == "fiscal company fund on 2026-11-24" and waiting.receipt is None
    assert [row["counterparty"] for row in await town.orders()].count("atol:uk") == 2
    await assert_told(town)


async def test_tables_loaded_meanwhile_are_seen(town: FiscalTown) -> None:
    await town.pay("1001", 1_000)
    await town.take()
    await town.load("companies", FUND)
    await town.load("vat", FUND_VAT)
    await town.pay("1002", 170_000)
    await town.take()
    assert [row["counterparty"] for row in await town.orders()][-1] == "atol:fund"
    assert await list_stopped(town.services) == ()


async def test_receipts_are_found_by_payment_account_and_sign(town: FiscalTown, ledger_database: LedgerDatabase) -> None:
    await town.pay("1001", 550_000, external_id="чек №1")
    await town.take()
    orders = await town.orders()
    sign = await town.register(orders[0])
    reader = await asyncpg.connect(ledger_database.reader_dsn)
    try:
        by_payment = await list_receipts_of_payment(reader, "feed", "чек №1")
        by_account = await list_receipts_of_account(reader, "epd", "1001")
        by_sign = await list_receipts_of_sign(reader, sign.fpd, sign.fn, sign.fd)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.fetch(SQL["read_contacts"])
    finally:
        await reader.close()
    assert by_payment == by_account[::-1] and by_sign == by_payment[:1]
    assert by_sign[0].sign == sign and by_sign[0].state is ReceiptState.REGISTERED
    assert by_sign[0].qr == f"t=20261124T1230&s=5000.00&fn={sign.fn}&i={sign.fd}&fp={sign.fpd}&n=1"
    assert (by_payment[0].account, by_payment[0].space, by_payment[0].external_id) == ("epd:1001", "feed", "чек №1")
    assert await find_receipt(town.services, 10**9) is None


async def test_a_receipt_that_was_ordered_never_changes(town: FiscalTown) -> None:
    await town.pay("1001", 550_000)
    await town.take()
    (number, *_) = [row["number"] for row in await town.receipts()]
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await town.owner.execute(SQL["fake_receipt"], number)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await town.services.execute(SQL["fake_receipt"], number)


async def test_a_kopeck_missing_is_found(town: FiscalTown) -> None:
    await town.pay("1001", 550_000)
    await town.pay("1002", 100)
    await town.take()
    await town.owner.execute(SQL["allow_forgery"])
    await town.owner.execute(SQL["fake_receipt"], (await town.receipts())[0]["number"])
    (fault,) = await list_uneven(town.services, BOOK, Place(0), Place(2))
    assert (fault.sequence, fault.moved, fault.receipts) == (1, 550_000, 549_999)
    assert str(fault) == "entry 1:1: 550000 kopecks moved, receipts 549999, none needed 0, offsets 0"


async def test_settlement_and_term_go_by_the_time_recorded(town: FiscalTown) -> None:
    await town.pay("1002", 100)
    await town.take()
    (receipt,) = await town.receipts()
    assert receipt["settled_at"] > datetime(2026, 1, 1, tzinfo=UTC) and receipt["deadline"] > receipt["settled_at"]
