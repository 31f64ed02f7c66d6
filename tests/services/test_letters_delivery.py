"""Letters the whole way: ordered with the receipt, carried by delivery's worker, forgotten when they are at their end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import asyncpg
import msgspec
import pytest

from connectors.mail.receipts import LetterFrom, MailReceipts
from kopeck.clock import utc_now
from ledger.statements import load_statements
from schemas.delivery import OrderState
from schemas.letter import Letter
from services.delivery.line import Route
from services.delivery.pace import Pace
from services.delivery.rules import Patience
from services.delivery.worker import Worker, WorkerTerms
from services.letters import COUNTERPARTY, WHAT, LettersDesk, order_letter
from services.paper.receipt import print_receipt
from services.smtp import Encryption, MailServer, SmtpPost
from tests.conftest import LedgerDatabase
from tests.ledger.small_ledger import until
from tests.services.mail_server import HANG_UP, FakeMailServer, mail_server
from tests.services.receipts import RECEIPT, SIGN, receipt

SQL = load_statements("tests/statements/webhooks.sql")
QUICK = Pace(open_ms=20, open_ms_max=50, patience=Patience(backoff_ms_min=10, backoff_ms_max=20))
TERMS = WorkerTerms(draw=Random(7).randrange, poll_ms=50, wake_ms_min=5, retry_ms=50)
SENDER = LetterFrom(address="check@example.ru", name="Kopeck", domain="example.ru")


@pytest.fixture
async def services(ledger_database: LedgerDatabase) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the services' role."""
    connection = await asyncpg.connect(ledger_database.services_dsn)
    yield connection
    await connection.close()


async def letters(services: asyncpg.Connection) -> list[Any]:
    """Orders of letters."""
    rows: list[Any] = await services.fetch(SQL["list_outgoing"], WHAT)
    return rows


@asynccontextmanager
async def carrying(dsn: str, fake: FakeMailServer) -> AsyncIterator[None]:
    """Delivery of letters to a mail server."""
    post = SmtpPost(MailServer(host="127.0.0.1", port=fake.port, encryption=Encryption.NONE, timeout_s=5))
    route = Route(name=COUNTERPARTY, counterparty=MailReceipts(post, print_receipt, utc_now, SENDER), pace=QUICK)
    worker = Worker(dsn, [route], {WHAT: LettersDesk()}, terms=TERMS)
    work = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await asyncio.wait_for(work, 20)


async def at_rest(services: asyncpg.Connection, state: OrderState) -> None:
    """Wait until every letter is in this state."""

    async def look() -> bool:
        return {row["state"] for row in await letters(services)} == {state}

    await until(look)


async def test_a_letter_is_ordered_once_in_the_caller_s_transaction(services: asyncpg.Connection) -> None:
    transaction = services.transaction()
    await transaction.start()
    assert await order_letter(services, 7, "101-op-1", RECEIPT, SIGN)
    await transaction.rollback()
    assert await letters(services) == []
    for _ in range(2):
        assert await order_letter(services, 7, "101-op-1", RECEIPT, SIGN)
    (row,) = await letters(services)
    assert (row["subject"], row["counterparty"], row["key"]) == (7, "mail", "101-op-1")
    assert msgspec.json.decode(row["content"], type=Letter) == Letter(recipient="resident@example.ru", receipt=RECEIPT, sign=SIGN)


@pytest.mark.parametrize("client", ["+79161234567", "", "none"])
async def test_nobody_is_written_to_without_an_e_mail_address(services: asyncpg.Connection, client: str) -> None:
    assert not await order_letter(services, 7, "101-op-1", receipt(client=client), SIGN)
    assert await letters(services) == []


async def test_a_letter_arrives_and_its_address_is_forgotten(
    services: asyncpg.Connection, ledger_database: LedgerDatabase
) -> None:
    await order_letter(services, 7, "101-op-1", RECEIPT, SIGN)
    async with mail_server() as fake, carrying(ledger_database.services_dsn, fake):
        await at_rest(services, OrderState.DONE)
    assert len(fake.taken) == 1 and "RCPT TO:<resident@example.ru>" in fake.lines
    assert [bytes(row["content"]) for row in await letters(services)] == [b"{}"]


async def test_a_letter_to_nobody_is_refused_and_forgotten(services: asyncpg.Connection, ledger_database: LedgerDatabase) -> None:
    await order_letter(services, 7, "101-op-1", RECEIPT, SIGN)
    no = "550 5.1.1 <resident@example.ru> is not here"
    async with mail_server({"RCPT": no}) as fake, carrying(ledger_database.services_dsn, fake):
        await at_rest(services, OrderState.REFUSED)
    (row,) = await letters(services)
    assert row["reason"] == "550: SMTP 550 5.1.1 at the recipient" and bytes(row["content"]) == b"{}"


async def test_a_cut_off_letter_is_sent_again_under_the_same_id(
    services: asyncpg.Connection, ledger_database: LedgerDatabase
) -> None:
    await order_letter(services, 7, "101-op-1", RECEIPT, SIGN)
    async with mail_server({".": HANG_UP}) as fake, carrying(ledger_database.services_dsn, fake):

        async def is_taken() -> bool:
            return len(fake.taken) > 0

        await until(is_taken)
        fake.answers["."] = "250 2.0.0 queued"
        await at_rest(services, OrderState.DONE)
    ids = {line for letter in fake.taken for line in letter.split(b"\r\n") if line.lower().startswith(b"message-id:")}
    assert len(fake.taken) >= 2 and len(ids) == 1
