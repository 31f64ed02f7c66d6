"""The real doors: a stock with meters and readings is drafted, checked, approved and published by ``kopeck billing``."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from kopeck.clock import utc_now
from kopeck.commands.billing import billing
from ledger.journal import create_ledger
from ledger.statements import load_statements
from services.billing.law.proposing import load_shipped
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands
from tests.services.desk import ACCOUNTS, RECIPIENTS, Desk
from tests.services.housing_town import Stock
from tests.services.metered_town import Meters

TRANSIT = load_statements("tests/pipeline/small_town.sql")
SQL = load_statements("tests/statements/run_town.sql")


@pytest.fixture
async def owner(ledger_database: LedgerDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(ledger_database.owner_dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def commands(ledger_database: LedgerDatabase, desk: Desk, owner: asyncpg.Connection) -> Commands:
    """The commands on a stock of two houses whose meters have readings of October and November."""
    await create_ledger(owner, 1)
    await owner.execute(TRANSIT["open_day"], await owner.fetchval(TRANSIT["add_transit"]), utc_now().date())
    await desk.load("recipients", RECIPIENTS)
    await desk.load("accounts", ACCOUNTS)
    await load_shipped(desk.connection, "test", utc_now())
    meters = Meters(stock=Stock(desk=desk))
    await meters.load_all()
    await meters.give("C1", ("2026-10-20", "118"), ("2026-11-20", "122"))
    return Commands(ledger_database)


async def test_a_house_is_billed_from_its_readings(commands: Commands, owner: asyncpg.Connection) -> None:
    drafted = await commands.json(billing, "draft", "2026-11", "--house", "01", "--by", "Анна")
    assert (drafted["state"], drafted["code"], drafted["accounts"], drafted["parked"]) == ("draft", "uk", 3, 0)
    checked = await commands.run(billing, "checks", "1", "--json")
    assert checked.exit_code == 1 and "premises_without_accounts" in checked.output
    for row in await owner.fetch(SQL["errors"], 1):
        await commands.run(billing, "checks", "1", "--acknowledge", str(row["finding"]), "--by", "Борис", "--why", "ждём договор")
    await commands.text(billing, "approve", "1", "--by", "Борис")
    assert "отложено 0" in await commands.text(billing, "publish", "1")
    shown = await commands.json(billing, "show", "1", "--account", "epd:0001001")
    (cold,) = [line for line in shown["lines"] if line["service"] == "cold" and line["kind"] == "начисление"]
    assert (cold["volume"], cold["price"], cold["amount_kopecks"]) == (4_000_000, 48_170_000, 192_68)
    assert "по прибору" in cold["explanation"] and "V = 4" in cold["explanation"]
    document = shown["document"]
    assert document["state"] == "published" and document["due_on"] == "2026-12-15"
    charged = sum(line["amount_kopecks"] for line in shown["lines"])
    assert (
        document["charged_main"] + document["charged_repair"] == charged == document["main"] + (document["capital_repair"] or 0)
    )


async def test_one_account_of_it_is_recalculated(commands: Commands, owner: asyncpg.Connection) -> None:
    await test_a_house_is_billed_from_its_readings(commands, owner)
    early = await commands.run(billing, "draft", "2026-11", "--account", "epd:none", "--by", "Анна")
    assert early.exit_code == 2 and "epd:none" in early.output
    drafted = await commands.json(billing, "draft", "2026-11", "--account", "epd:0001001", "--by", "Анна")
    assert (drafted["kind"], drafted["asked"], drafted["accounts"]) == ("recalculation", ["epd:0001001"], 1)
    await commands.text(billing, "checks", "2")
    await commands.text(billing, "approve", "2", "--by", "Борис")
    assert "опубликовано счетов 0, без изменений 1, отложено 0" in await commands.text(billing, "publish", "2")
