"""A till's answer and a refund of the same receipt at once, and answers that are undone: nothing is lost or doubled."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from ledger.feed import Connection
from schemas.delivery import Done, Outgoing
from schemas.receipt import FiscalSign
from services.fiscal.consumer import FiscalConsumer
from services.fiscal.states import ReceiptState
from services.runner import catch_up
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk
from tests.services.fiscal_town import NOW, SQL, FiscalTown, open_town

DEADLINE_S = 20
PAID = 100_000


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> AsyncIterator[FiscalTown]:
    """One payment of one receipt, ordered, and its reversal that the consumer has not taken."""
    built = await open_town(ledger_database, desk)
    sequence = await built.pay("1002", PAID)
    await built.take()
    await built.reverse(sequence)
    yield built
    await built.owner.close()


@pytest.fixture
async def other(ledger_database: LedgerDatabase) -> AsyncIterator[Connection]:
    """Another connection with the services' rights."""
    connection = await asyncpg.connect(ledger_database.services_dsn)
    yield connection
    await connection.close()


async def settle(town: FiscalTown, connection: Connection, order: asyncpg.Record) -> None:
    sign = FiscalSign(fn="1", fd="2", fpd="3", registered_at=NOW.replace(tzinfo=None), total_kopecks=PAID)
    done = Done(reference="uuid", content=msgspec.json.encode(sign))
    await town.fiscal_desk.settle(connection, Outgoing(number=order["number"], key=order["key"], content=b""), done)


async def until_waiting(town: FiscalTown) -> None:
    """Wait for a session that waits for a lock."""
    async with asyncio.timeout(DEADLINE_S):
        while not await town.owner.fetchval(SQL["count_waiting"]):
            await asyncio.sleep(0.01)


async def orders_of_refunds(town: FiscalTown) -> list[ReceiptState]:
    """States of the refunds, each of which is ordered once."""
    receipts = {row["number"]: row for row in await town.receipts() if row["operation"] == "sell_refund"}
    ordered = [row["subject"] for row in await town.orders() if row["subject"] in receipts]
    assert ordered == [number for number, row in receipts.items() if row["state"] == ReceiptState.ORDERED]
    return [ReceiptState(row["state"]) for row in receipts.values()]


async def test_a_refund_looks_after_the_answer_is_there(town: FiscalTown, other: Connection) -> None:
    (order, *_) = await town.orders()
    transaction = town.services.transaction()
    await transaction.start()
    await settle(town, town.services, order)
    taking = asyncio.create_task(catch_up(other, FiscalConsumer()))
    await until_waiting(town)
    await transaction.commit()
    assert await asyncio.wait_for(taking, DEADLINE_S) == 1
    assert await orders_of_refunds(town) == [ReceiptState.ORDERED]


async def test_an_answer_releases_the_refund_made_meanwhile(town: FiscalTown, other: Connection) -> None:
    (order, *_) = await town.orders()
    transaction = town.services.transaction()
    await transaction.start()
    assert await town.take() == 1
    settling = asyncio.create_task(settle(town, other, order))
    await until_waiting(town)
    await transaction.commit()
    await asyncio.wait_for(settling, DEADLINE_S)
    assert await orders_of_refunds(town) == [ReceiptState.ORDERED]


async def test_an_answer_whose_transaction_is_undone_leaves_nothing(town: FiscalTown, other: Connection) -> None:
    (order, *_) = await town.orders()
    await town.take()
    before = await town.receipts(), await town.orders()
    transaction = other.transaction()
    await transaction.start()
    await settle(town, other, order)
    await transaction.rollback()
    assert (await town.receipts(), await town.orders()) == before
    async with other.transaction():
        await settle(town, other, order)
    assert await orders_of_refunds(town) == [ReceiptState.ORDERED]
