"""What waited is ordered when its table has come, and a month's offsets are consolidated after it, by the task alone."""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta

import pytest

from services.fiscal.keeper import Keeper, month_before
from services.fiscal.rebuilding import Reordered
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk
from tests.services.fiscal_town import FUND, FUND_VAT, NOW, FiscalTown, open_town
from tests.services.test_fiscal_desk import offset


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> AsyncIterator[FiscalTown]:
    built = await open_town(ledger_database, desk)
    yield built
    await built.owner.close()


async def test_waiting_receipts_are_looked_at_when_a_table_or_the_day_has_changed(town: FiscalTown) -> None:
    await town.pay("1002", 170_000)
    await town.take()
    keeper = Keeper()
    assert (await keeper.turn(town.services, NOW)).reordered == Reordered(waiting=1)
    assert (await keeper.turn(town.services, NOW)).reordered == Reordered(), "nothing has changed"
    assert (await keeper.turn(town.services, NOW + timedelta(days=1))).reordered == Reordered(waiting=1), (
        "a row may be valid today"
    )
    await town.load("companies", FUND)
    await town.load("vat", FUND_VAT)
    assert (await keeper.turn(town.services, NOW + timedelta(days=1))).reordered == Reordered(ordered=1)
    assert (await keeper.turn(town.services, NOW + timedelta(days=1))).reordered == Reordered()


async def test_offsets_are_consolidated_after_their_month_late_ones_too(town: FiscalTown) -> None:
    await town.pay("1001", 560_000)
    await offset(town, "1001", 600, "o1")
    await town.take()
    keeper = Keeper()
    assert (await keeper.turn(town.services, NOW)).consolidated.receipts == (), "the month is not over"
    after = datetime(2026, 12, 1, 0, 30, tzinfo=NOW.tzinfo)
    assert (await keeper.turn(town.services, after)).consolidated.total == 600
    assert (await keeper.turn(town.services, after)).consolidated.receipts == ()
    await offset(town, "1001", 30, "o2")
    await town.take()
    assert (await keeper.turn(town.services, after)).consolidated.total == 30


def test_the_month_before() -> None:
    assert (month_before(date(2026, 12, 31)), month_before(date(2027, 1, 1))) == (202611, 202612)
