"""A recipient's endpoint hears of its own transfers, in the transaction that moves them."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from connectors.webhooks.addresses import AddressRules
from ledger.statements import load_statements
from schemas.delivery import Done
from schemas.transfer import TransferState
from schemas.webhook import EventType
from services.settlement.desk import TransferDesk
from services.webhooks.endpoints import NewEndpoint, register_endpoint
from services.webhooks.sealing import KEY_BYTES, Sealer
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import NOW, SettlementTown, settlement_town
from tests.services.test_settlement_bank import results, sent

SQL = load_statements("tests/statements/webhooks.sql")
HEARD = (EventType.TRANSFER_CREATED, EventType.TRANSFER_EXECUTED, EventType.TRANSFER_REJECTED)


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    """Two recipients are owed 700 and 300 kopecks; the first listens."""
    async with settlement_town(ledger_database) as founded:
        codes = {number: code for code, number in founded.recipients.items()}
        listening = codes[await founded.owner.fetchval(SQL["find_recipient_of_service"], "heating")]
        new = NewEndpoint(recipient=listening, url="https://hooks.example.ru/", events=HEARD, created_by="clerk")
        await register_endpoint(founded.services, new, Sealer((b"k" * KEY_BYTES,)), NOW, AddressRules())
        await founded.pay(("heating", 700), ("cold_water", 300))
        await founded.cover(1_000)
        yield founded


async def _told(town: SettlementTown) -> list[tuple[str, int, str]]:
    rows = await town.owner.fetch(SQL["list_events"])
    told = [(row["type"], msgspec.json.decode(row["body"])["data"]) for row in rows]
    return [(type_, data["amount_kopecks"], data["register"]) for type_, data in told]


async def test_an_order_is_told_when_it_is_made_and_when_it_is_executed(town: SettlementTown) -> None:
    await town.cut()
    assert await _told(town) == [("transfer.created", 700, "")], "the other recipient's order is not told"
    await town.send()
    order = await sent(town)
    done = Done(reference="r", content=results(order, TransferState.EXECUTED, TransferState.EXECUTED))
    for _ in range(2):
        async with town.services.transaction():
            await TransferDesk(lambda: NOW).settle(town.services, order, done)
    assert await _told(town) == [("transfer.created", 700, ""), ("transfer.executed", 700, f"{town.transit}-261124-1")]


async def test_a_cut_that_is_rolled_back_tells_nothing(town: SettlementTown) -> None:
    transaction = town.services.transaction()
    await transaction.start()
    await town.cut()
    await transaction.rollback()
    assert await _told(town) == []
