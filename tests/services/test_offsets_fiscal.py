"""Reversed offsets lessen the consolidated receipt of their month, or have one of «возврат прихода» (54-ФЗ ст. 1.2 п. 2.1)."""

from collections.abc import AsyncIterator
from datetime import date, datetime

import msgspec
import pytest

from ledger.core.reversal import reversal_of
from ledger.journal import fetch_entry
from ledger.reversal import table_of_account
from schemas.ids import Book
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind
from schemas.receipt import MeansOfPayment, Operation, Receipt
from services.fiscal.keeper import Keeper
from services.fiscal.totals import verify_receipts
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk
from tests.services.fiscal_town import NOW, FiscalTown, open_town
from tests.services.test_fiscal_desk import offset

DECEMBER = datetime(2026, 12, 2, 9, 0, tzinfo=NOW.tzinfo)
JANUARY = datetime(2027, 1, 3, 9, 0, tzinfo=NOW.tzinfo)
decoder = msgspec.json.Decoder(Receipt)


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> AsyncIterator[FiscalTown]:
    built = await open_town(ledger_database, desk)
    yield built
    await built.owner.close()


async def undo(town: FiscalTown, sequence: int, on: datetime) -> None:
    """Reverse the offset at a place."""
    recorded = await fetch_entry(town.services, Book(1), Place(sequence))
    assert recorded.entry.kind is EntryKind.ADVANCE_OFFSET and recorded.entry.personal_account is not None
    state = await table_of_account(town.services, recorded.entry.personal_account)
    await town.book(reversal_of(recorded, head_version=state.version, event_at=on, value_date=on.date()), state)


async def assert_even(town: FiscalTown) -> None:
    """Every kopeck is told of once."""
    assert await verify_receipts(town.services) == ((), ())


async def test_an_offset_reversed_in_its_month_has_no_receipt(town: FiscalTown) -> None:
    await town.pay("1001", 560_000)
    await offset(town, "1001", 600, "o1")
    await offset(town, "1001", 100, "o2")
    await undo(town, 2, NOW)
    await town.take()
    before = len(await town.orders())
    made = (await Keeper().turn(town.services, DECEMBER)).consolidated
    assert (len(made.receipts), made.total, len(await town.orders())) == (1, 100, before + 1)
    await assert_even(town)


async def test_offsets_that_sum_to_nought_have_no_receipt(town: FiscalTown) -> None:
    await town.pay("1001", 560_000)
    await offset(town, "1001", 600, "o1")
    await undo(town, 2, NOW)
    await town.take()
    assert (await Keeper().turn(town.services, DECEMBER)).consolidated.receipts == ()
    await assert_even(town)


async def test_an_offset_reversed_in_a_later_month_is_given_back_by_a_receipt(town: FiscalTown) -> None:
    await town.pay("1001", 560_000)
    await offset(town, "1001", 600, "o1")
    await town.take()
    assert (await Keeper().turn(town.services, DECEMBER)).consolidated.total == 600
    await undo(town, 2, DECEMBER)
    await town.take()
    assert (await Keeper().turn(town.services, JANUARY)).consolidated.total == -600
    receipt = decoder.decode((await town.orders())[-1]["content"])
    assert (receipt.operation, receipt.payments) == (Operation.SELL_REFUND, ((MeansOfPayment.OFFSET, 600),))
    await assert_even(town)


async def test_offsets_of_an_older_month_are_not_forgotten(town: FiscalTown) -> None:
    await town.pay("1001", 560_000)
    await offset(town, "1001", 600, "o1")
    await town.take()
    assert date(2026, 11, 24).month == NOW.month
    assert (await Keeper().turn(town.services, JANUARY)).consolidated.total == 600
    assert (await Keeper().turn(town.services, JANUARY)).consolidated.receipts == ()
