"""The loop of clearing: statements of banks that can be asked become entries, and what a bank does wrong stops nobody else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest

from connectors.statements.source import StatementUnread
from kopeck.commands.explain import explain
from schemas.statement import BankStatement, StatementKind
from services.clearing.keeping import days_to_read, keep_clearing, read_statements
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands
from tests.services.clearing_town import DAY, NOW, SEALER, TRANSIT, ClearingTown, clearing_town, cover, line, statement
from tests.services.desk import Desk


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk, redis_url: str) -> AsyncIterator[ClearingTown]:
    async with clearing_town(ledger_database, desk, redis_url) as founded:
        yield founded


class Bank:
    """A bank that tells of one day, of others nothing, and of one that it cannot be read."""

    def __init__(self, told: BankStatement) -> None:
        self.told = told
        self.asked: list[date] = []

    async def bank_statement(self, account: str, day: date) -> BankStatement | StatementUnread:
        self.asked.append(day)
        if day == self.told.since:
            return self.told
        if day == DAY - timedelta(days=1):
            return StatementUnread(reason="busy", again=True)
        return statement(since=day, until=day, kind=StatementKind.FINAL)


async def test_the_loop_reads_classifies_and_books(town: ClearingTown) -> None:
    bank = Bank(statement(line("b1", 10_000, "л/с 0001001"), cover("b2", 500)))
    stop = asyncio.Event()
    keeping = asyncio.create_task(keep_clearing(town.database.services_dsn, {TRANSIT: bank}, town.tools, lambda: NOW, stop))
    while not all(row["sequence"] for row in await town.lines()) or not await town.lines():
        assert not keeping.done(), keeping
        await asyncio.sleep(0)
    stop.set()
    await keeping
    assert bank.asked == list(days_to_read(NOW))
    assert [row["class"] for row in await town.lines()] == ["payment", "cover"]


async def test_a_statement_that_is_not_ours_or_not_believed_stops_no_other(town: ClearingTown) -> None:
    wrong = Bank(statement(line("b1", 100), line("b1", 100)))
    right = Bank(statement(line("b2", 100)))
    await read_statements(town.services, {"40911810000000000099": wrong, TRANSIT: right}, SEALER, NOW)
    assert [row["bank_id"] for row in await town.lines()] == ["b2"]
    again = await read_statements(town.services, {TRANSIT: right}, SEALER, NOW)
    assert all(one.repeated for one in again)


async def test_a_banks_entry_is_explained(town: ClearingTown) -> None:
    await town.register("12", {"o1": 1_000}, fee=10)
    await town.told(cover("b1", 990, "Реестр № 12"))
    await town.fold()
    told = await Commands(town.database).json(explain, "0:1")
    assert told["entry"]["kind"] == "statement_cover"
    assert {one["account"].partition(":")[0]: one["amount_kopecks"] for one in told["entry"]["postings"]} == {
        "transit": 990,
        "clearing": -1_000,
        "receivable": 10,
    }
