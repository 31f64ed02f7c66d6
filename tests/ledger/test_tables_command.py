"""``kopeck tables build``: what it takes, what it reports, how it ends."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from kopeck.commands.tables import tables
from tests.conftest import LedgerDatabase
from tests.ledger.town import PERIOD, SQL, Town

Run = Callable[..., Result]


@pytest.fixture
async def database(ledger_database: LedgerDatabase) -> LedgerDatabase:
    return ledger_database


@pytest.fixture
def run(database: LedgerDatabase, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("KOPECK_POSTGRES_DSN", database.owner_dsn)
    monkeypatch.setenv("KOPECK_POSTGRES_SERVICES_DSN", database.services_dsn)
    monkeypatch.setenv("KOPECK_REDIS_URL", database.redis_url)
    return lambda *arguments: CliRunner().invoke(tables, ["build", *arguments])


def in_town(database: LedgerDatabase, work: Callable[[Town], Coroutine[Any, Any, None]]) -> None:
    async def connected() -> None:
        owner = await asyncpg.connect(database.owner_dsn)
        await work(Town(owner, owner))
        await owner.close()

    asyncio.run(connected())


async def found_three(town: Town) -> None:
    await town.found()
    for account in await town.accounts(1, 3):
        await town.charge(account, "maintenance", 500)


def test_due_accounts_then_nothing_then_all(database: LedgerDatabase, run: Run) -> None:
    in_town(database, found_three)
    for arguments, expected in (((), "published 3, unchanged 0"), ((), "published 0, unchanged 0"), (("--all",), "unchanged 3")):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        assert expected in result.output


def test_one_account_by_its_name(database: LedgerDatabase, run: Run) -> None:
    in_town(database, found_three)
    assert "published 1, unchanged 0, failed 0" in run("--account", "uo:2").output
    unknown = run("--account", "uo:404")
    assert (unknown.exit_code, unknown.output) == (1, "Error: no account uo:404\n")
    assert run("--account", "uo").exit_code == 2


def test_a_ledger_without_a_transit_account_is_told(database: LedgerDatabase, run: Run) -> None:
    async def found_without(town: Town) -> None:
        await found_three(town)
        await town.owner.execute(SQL["forget_days"])

    in_town(database, found_without)
    result = run()
    assert result.exit_code == 1
    assert "no transit account with an open day" in result.output


def test_accounts_that_cannot_be_built_are_listed_and_end_with_code_one(database: LedgerDatabase, run: Run) -> None:
    async def print_wrong(town: Town) -> None:
        await found_three(town)
        await town.owner.execute(SQL["print_total"], 2, PERIOD, 501)

    in_town(database, print_wrong)
    result = run()
    assert result.exit_code == 1
    assert "account 2: pool main: the document of 202610 prints 501 kopecks to pay, its charges leave 500\n" in result.output
    assert "published 2, unchanged 0, failed 1" in result.output
    assert "published 0, unchanged 0, failed 1" in run().output
