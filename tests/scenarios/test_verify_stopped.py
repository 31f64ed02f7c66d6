"""``kopeck verify`` when the house stops in its middle: one sentence and exit code 1, wherever it was."""

import asyncio

import asyncpg
import pytest

from kopeck.commands.verify import STOPPED, verify
from ledger.statements import load_statements
from tests.conftest import LedgerDatabase
from tests.pipeline.proof import until
from tests.read_town import Town
from tests.scenarios.test_explain import Commands
from tests.scenarios.test_explain import commands as commands
from tests.scenarios.test_explain import town as town

FAULTS = load_statements("tests/pipeline/faults.sql")
SQL = load_statements("tests/statements/verify_command.sql")


@pytest.mark.parametrize("place", ["lock_heads", "lock_keys"])
async def test_a_server_that_goes_away_is_told_in_a_sentence(
    town: Town, commands: Commands, ledger_database: LedgerDatabase, place: str
) -> None:
    owner = await asyncpg.connect(ledger_database.owner_dsn)
    # A transaction sees the sessions as they were when it looked first.
    other = await asyncpg.connect(ledger_database.owner_dsn)

    async def end_waiting() -> bool:
        return bool(await other.fetchval(SQL["end_waiting"]))

    try:
        await owner.execute(FAULTS["wait_for_ever"])
        async with owner.transaction():
            await owner.execute(SQL[place])
            verifying = asyncio.create_task(commands.run(verify, "--jobs", "1"))
            await until(end_waiting, 60)
            result = await verifying
    finally:
        await owner.close()
        await other.close()
    assert (result.exit_code, STOPPED in result.output) == (1, True), result.output
    assert isinstance(result.exception, SystemExit), "no traceback"


async def test_a_server_that_is_not_there_is_told_in_a_sentence(town: Town, commands: Commands) -> None:
    commands.environ["KOPECK_POSTGRES_READER_DSN"] = "postgresql://nobody@127.0.0.1:9/nothing"
    result = await commands.run(verify, "--jobs", "1")
    assert (result.exit_code, STOPPED in result.output) == (1, True), result.output
