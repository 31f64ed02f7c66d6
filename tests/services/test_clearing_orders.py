"""Our own orders on the statement: handed to settlement before anything else, executed and come back; others' lines are not."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest

from kopeck.clearing_tools import clearing_tools, load_screen
from schemas.channel import Channel
from schemas.ids import ExternalId
from schemas.notification import PaymentNotification
from schemas.outcome import PaymentOutcome
from schemas.statement import BankStatement, StatementEntry, StatementKind, StatementParty
from schemas.transfer import Transfer, TransferBatch, TransferState
from services.clearing.keeping import ClearingTools, clear_once
from services.clearing.taking import take_statement
from services.settlement.rules.screening import StopEntry
from services.settlement.statement import list_unrecognised
from services.settlement.terms import add_stop_entries
from tests.conftest import LedgerDatabase
from tests.services.clearing_town import SEALER
from tests.services.clearing_town import SQL as CLEARING_SQL
from tests.services.settlement_town import DAY, NOW, TRANSIT_ACCOUNT, SettlementTown, settlement_town
from tests.services.test_settlement_bank import sent, states

S = TransferState


class NoChannels:
    """Nothing is booked where no channel is configured; asking for it would be a fault."""

    async def book(self, channel: Channel, notifications: Sequence[PaymentNotification]) -> tuple[PaymentOutcome, ...]:
        raise AssertionError(f"{len(notifications)} payments in {channel.name}")


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    """Two orders of 700 and 300 kopecks that have left."""
    async with settlement_town(ledger_database) as founded:
        await founded.pay(("heating", 700), ("cold_water", 300))
        await founded.cover(1_000)
        await founded.cut()
        await founded.send()
        yield founded


def tools() -> ClearingTools:
    return clearing_tools((), NoChannels(), SEALER)


async def told(town: SettlementTown, *entries: StatementEntry) -> list[Any]:
    """Take a statement, clear, and return the lines."""
    statement = BankStatement(
        account=TRANSIT_ACCOUNT, source="1c", kind=StatementKind.INTRADAY, since=DAY, until=DAY, entries=entries
    )
    await take_statement(town.services, statement, SEALER, "tests", NOW)
    await clear_once(town.services, tools(), NOW)
    rows: list[Any] = await town.owner.fetch(CLEARING_SQL["list_lines"])
    return rows


async def transfers(town: SettlementTown) -> tuple[Transfer, ...]:
    return msgspec.json.decode((await sent(town)).content, type=TransferBatch).transfers


def executed(transfer: Transfer, bank_id: str = "d1") -> StatementEntry:
    """The debit that executes an order."""
    party = StatementParty(name=transfer.payee.name, inn=transfer.payee.inn, account=transfer.payee.account)
    return StatementEntry(
        bank_id=ExternalId(bank_id),
        day=DAY,
        is_credit=False,
        amount_kopecks=transfer.amount_kopecks,
        number=transfer.number,
        document_day=transfer.day,
        operation="01",
        counterparty=party,
        purpose=transfer.purpose,
    )


def returned(transfer: Transfer, bank_id: str = "c1") -> StatementEntry:
    """The credit that brings it back."""
    purpose = f"Возврат по п/п {transfer.number}: счёт закрыт"
    given = {"bank_id": ExternalId(bank_id), "is_credit": True, "number": "77", "purpose": purpose, "document_day": None}
    return msgspec.structs.replace(executed(transfer), **given)


async def test_an_order_is_executed_and_returned(town: SettlementTown) -> None:
    first, second = await transfers(town)
    rows = await told(town, executed(first), executed(second, "d2"))
    assert [(row["class"], row["sequence"]) for row in rows] == [("own_order", None)] * 2
    assert await states(town) == [S.EXECUTED, S.EXECUTED]
    rows = await told(town, executed(first), executed(second, "d2"), returned(first))
    assert [(row["class"], row["sequence"]) for row in rows] == [("own_order", None)] * 2 + [("returned_order", None)]
    assert await states(town) == [S.RETURNED, S.EXECUTED]
    await town.assert_sound()


async def test_an_orders_line_in_the_same_statement_as_its_return(town: SettlementTown) -> None:
    first, _ = await transfers(town)
    rows = await told(town, returned(first), executed(first))
    assert {row["class"] for row in rows} == {"own_order", "returned_order"}
    assert (await states(town))[0] is S.RETURNED


async def test_what_is_no_orders_line_waits_and_keeps_its_text_to_itself(town: SettlementTown) -> None:
    first, _ = await transfers(town)
    stranger = msgspec.structs.replace(executed(first), number="999999", purpose="Возврат Сидоровой")
    person = msgspec.structs.replace(
        returned(first), counterparty=StatementParty(name="Сидорова", account="40817810000000000001"), purpose="от Сидоровой"
    )
    rows = await told(town, stranger, person)
    assert [row["class"] for row in rows] == [None, None]
    assert rows[0]["why"].startswith("списание: не наше поручение")
    assert rows[1]["why"].startswith("покрытиям этого счёта верят по извещениям"), "the town's first cover came from a feed"
    assert [one.bank_id for one in await list_unrecognised(town.services)] == ["d1"]
    assert await town.owner.fetchval(CLEARING_SQL["count_text"], "Сидоров") == 0
    again = await told(town, stranger, person)
    assert [row["class"] for row in again] == [None, None]


async def test_the_stop_lists_name_the_entry_and_not_the_payer(town: SettlementTown) -> None:
    entry = StopEntry(list_code="rfm", reference="17", name="Сидорова Мария Петровна", since=DAY)
    await add_stop_entries(town.services, [entry])
    screen = await load_screen(town.services)
    assert screen("СИДОРОВА МАРИЯ ПЕТРОВНА", "", DAY) == "стоп-лист rfm/17: совпало наименование"
    assert screen("Сидорова М. П.", "", DAY).startswith("проверить по списку rfm/17")
    assert screen("Иванов Иван", "", DAY) == ""
