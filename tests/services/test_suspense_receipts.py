"""A release makes the receipts that had to wait for the owner (54-ФЗ)."""

from collections.abc import AsyncIterator

import pytest

from schemas.channel import LegalKind
from schemas.ids import Book
from services.fiscal.totals import verify_receipts
from services.runner import catch_up
from services.suspense.consumer import SuspenseConsumer
from services.suspense.decisions import Assignment, Place, assign
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk
from tests.services.fiscal_town import NOW, FiscalTown, open_town


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> AsyncIterator[FiscalTown]:
    built = await open_town(ledger_database, desk)
    yield built
    await built.owner.close()


async def release(town: FiscalTown, number: str, amount: int) -> None:
    """Money of an unknown owner, given to an account."""
    sequence = await town.suspend(amount, LegalKind.ACQUIRER)
    await catch_up(town.services, SuspenseConsumer())
    wanted = Assignment(place=Place(book=Book(1), sequence=sequence), account=town.accounts[number], by="Иванова")
    await assign(town.services, wanted, NOW)


async def test_a_release_makes_the_receipts_of_its_lines(town: FiscalTown) -> None:
    await release(town, "1001", 550_000)
    await town.take()
    assert [(row["issuer_code"], row["total"]) for row in await town.receipts()] == [("uk", 500_000), ("water", 50_000)]
    assert [(row[2], row[3]) for row in await town.omissions()] == [("suspense", 550_000), ("suspense", -550_000)]
    assert await verify_receipts(town.services) == ((), ())
