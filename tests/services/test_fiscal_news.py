"""A registered receipt is told to its issuer's endpoint, and sent to a payer who gave an e-mail where letters are sent."""

from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
import pytest

from connectors.webhooks.addresses import AddressRules
from ledger.statements import load_statements
from schemas.delivery import Done, Outgoing
from schemas.letter import Letter
from schemas.receipt import FiscalSign, Receipt
from schemas.webhook import EventType
from services.fiscal.desk import FiscalDesk
from services.webhooks.endpoints import NewEndpoint, register_endpoint
from services.webhooks.sealing import KEY_BYTES, Sealer
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk
from tests.services.fiscal_town import NOW, FiscalTown, open_town

SQL = load_statements("tests/statements/webhooks.sql")


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> AsyncIterator[FiscalTown]:
    """One payment of 1001 with receipts of uk and water, of which uk listens."""
    built = await open_town(ledger_database, desk)
    new = NewEndpoint(recipient="uk", url="https://hooks.example.ru/", events=(EventType.RECEIPT_REGISTERED,), created_by="clerk")
    await register_endpoint(built.services, new, Sealer((b"k" * KEY_BYTES,)), NOW, AddressRules())
    await built.pay("1001", 550_000)
    await built.take()
    yield built
    await built.owner.close()


async def test_only_the_listening_issuer_is_told(town: FiscalTown) -> None:
    for order in await town.orders():
        await town.register(order)
    (event,) = await town.owner.fetch(SQL["list_events"])
    told = msgspec.json.decode(event["body"])
    assert told["type"] == "receipt.registered"
    assert (told["data"]["total_kopecks"], told["data"]["operation"]) == (500_000, "sell")
    assert told["data"]["payment"].count(":") == 1 and told["data"]["fpd"]


async def test_a_letter_goes_to_a_payer_with_an_e_mail(town: FiscalTown) -> None:
    order = (await town.orders())[0]
    receipt = msgspec.structs.replace(msgspec.json.decode(order["content"], type=Receipt), client="payer@example.ru")
    sign = FiscalSign(
        fn="9960440300000001", fd="1", fpd="3000000001", registered_at=datetime(2026, 11, 24, 12, 30), total_kopecks=500_000
    )
    outgoing = Outgoing(number=order["number"], key=order["key"], content=msgspec.json.encode(receipt), subject=order["subject"])
    done = Done(reference="uuid", content=msgspec.json.encode(sign))
    for _ in range(2):
        await FiscalDesk(lambda: NOW, letters=True).settle(town.services, outgoing, done)
    (letter,) = await town.owner.fetch(SQL["list_outgoing"], "letter")
    written = msgspec.json.decode(letter["content"], type=Letter)
    assert (letter["counterparty"], letter["key"], written.recipient) == ("mail", order["key"], "payer@example.ru")
    assert (written.sign, written.receipt.total_kopecks) == (sign, 500_000)


async def test_no_letter_where_none_are_sent(town: FiscalTown) -> None:
    for order in await town.orders():
        await town.register(order)
    assert await town.owner.fetch(SQL["list_outgoing"], "letter") == []
