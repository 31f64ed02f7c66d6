"""Refunds make receipts of refund by themselves: whole, in part, before and after cover, and when a payment changes accounts."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from ledger.journal import fetch_entry
from ledger.reassign import Reassign, arrive, depart
from ledger.refund import refund_wanted, reversal_wanted, take_back
from schemas.receipt import Receipt
from services.fiscal.totals import verify_receipts
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk
from tests.services.fiscal_town import BOOK, NOW, FiscalTown, open_town

decoder = msgspec.json.Decoder(Receipt)


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> AsyncIterator[FiscalTown]:
    built = await open_town(ledger_database, desk)
    yield built
    await built.owner.close()


async def told(town: FiscalTown) -> list[tuple[str, str, int]]:
    """(issuer, operation, kopecks) of every receipt."""
    return [(row["issuer_code"], row["operation"], row["total"]) for row in await town.receipts()]


async def test_parts_of_a_refund_are_receipts_of_their_parts(town: FiscalTown) -> None:
    place = await town.pay("1001", 550_000)
    await take_back(town.services, await refund_wanted(town.services, BOOK, place, 110_000), NOW)
    await take_back(town.services, await reversal_wanted(town.services, BOOK, place, 55_000), NOW)
    await take_back(town.services, await refund_wanted(town.services, BOOK, place), NOW)
    await town.take()
    receipts = await told(town)
    assert receipts[:2] == [("uk", "sell", 500_000), ("water", "sell", 50_000)]
    back = [(issuer, total) for issuer, operation, total in receipts if operation == "sell_refund"]
    assert {issuer: sum(total for one, total in back if one == issuer) for issuer, _ in back} == {"uk": 500_000, "water": 50_000}
    assert len(back) >= 4, "a receipt of refund for each part of each issuer that it touches"
    await town.register_all()
    assert await verify_receipts(town.services) == ((), ())
    last = decoder.decode((await town.receipts())[-1]["content"])
    assert sum(item.sum_kopecks for item in last.items) == last.total_kopecks


async def test_a_refund_before_its_receipts_are_made_is_told_in_one_passage(town: FiscalTown) -> None:
    place = await town.pay("1001", 550_000)
    await take_back(town.services, await refund_wanted(town.services, BOOK, place), NOW)
    await town.take(entries_max=1)
    assert [operation for _, operation, _ in await told(town)].count("sell_refund") == 2
    assert await verify_receipts(town.services) == ((), ())


async def test_a_reassigned_payment_is_refunded_and_sold_anew(town: FiscalTown) -> None:
    place = await town.pay("1001", 50_000)
    wanted = Reassign(book=BOOK, sequence=place, account=town.accounts["1002"])
    left = await depart(town.services, wanted, NOW)
    await arrive(town.services, await fetch_entry(town.services, BOOK, left.sequence))
    await town.take()
    await town.register_all()
    receipts = await told(town)
    sums = {operation: sum(total for _, one, total in receipts if one == operation) for _, operation, _ in receipts}
    assert sums == {"sell": 100_000, "sell_refund": 50_000}
    assert await verify_receipts(town.services) == ((), ())


async def test_a_refunded_reassignment_is_told_of_its_own_receipts(town: FiscalTown) -> None:
    place = await town.pay("1001", 50_000)
    left = await depart(town.services, Reassign(book=BOOK, sequence=place, account=town.accounts["1002"]), NOW)
    arrived = await arrive(town.services, await fetch_entry(town.services, BOOK, left.sequence))
    await take_back(town.services, await refund_wanted(town.services, BOOK, arrived.sequence, 20_000), NOW)
    await town.take()
    receipts = await told(town)
    sums = {operation: sum(total for _, one, total in receipts if one == operation) for _, operation, _ in receipts}
    assert sums == {"sell": 100_000, "sell_refund": 70_000}
    assert await verify_receipts(town.services) == ((), ())
