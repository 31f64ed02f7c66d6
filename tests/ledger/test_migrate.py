"""The migration runner against a real PostgreSQL, with migrations of the tests' own."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from ledger.migrate import MIGRATIONS, MigrationError, list_migrations, migrate, set_role_passwords
from ledger.statements import load_statements
from tests.conftest import LedgerDatabase

SAMPLES = load_statements("tests/statements/migrations.sql")


def write_migrations(folder: Path, *names: str) -> Path:
    """Write the samples as migrations 1, 2, … into the folder."""
    for number, name in enumerate(names, start=1):
        folder.joinpath(f"{number:04d}_{name}.sql").write_text(SAMPLES[name], "utf-8")
    return folder


async def applied_by(dsn: str, folder: Path) -> tuple[int, ...]:
    """Run the runner on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        return await migrate(connection, folder)
    finally:
        await connection.close()


async def test_applies_in_order_and_once(bare_database: str, tmp_path: Path) -> None:
    folder = write_migrations(tmp_path, "towns", "streets")
    assert await applied_by(bare_database, folder) == (1, 2)
    assert await applied_by(bare_database, folder) == ()
    write_migrations(tmp_path, "towns", "streets", "houses")
    assert await applied_by(bare_database, folder) == (3,)


async def test_concurrent_starts_apply_each_once(bare_database: str, tmp_path: Path) -> None:
    folder = write_migrations(tmp_path, "towns", "streets", "houses")
    results = await asyncio.gather(*(applied_by(bare_database, folder) for _ in range(6)))
    assert sorted(number for result in results for number in result) == [1, 2, 3]


async def test_a_changed_applied_file_is_named(bare_database: str, tmp_path: Path) -> None:
    folder = write_migrations(tmp_path, "towns", "streets")
    await applied_by(bare_database, folder)
    changed = folder / "0001_towns.sql"
    changed.write_text(changed.read_text("utf-8") + "\n", "utf-8")
    with pytest.raises(MigrationError, match=r"0001_towns\.sql was changed"):
        await applied_by(bare_database, folder)


async def test_a_failing_file_leaves_the_earlier_ones_and_nothing_of_itself(bare_database: str, tmp_path: Path) -> None:
    folder = write_migrations(tmp_path, "towns", "broken")
    with pytest.raises(asyncpg.UniqueViolationError):
        await applied_by(bare_database, folder)
    folder.joinpath("0002_broken.sql").unlink()
    write_migrations(folder, "towns", "streets")
    assert await applied_by(bare_database, folder) == (2,)


async def test_a_database_of_a_newer_program_is_refused(bare_database: str, tmp_path: Path) -> None:
    folder = write_migrations(tmp_path, "towns", "streets")
    await applied_by(bare_database, folder)
    folder.joinpath("0002_streets.sql").unlink()
    with pytest.raises(MigrationError, match=r"0002_streets\.sql, which this program does not"):
        await applied_by(bare_database, folder)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("0001_a.sql", "0003_c.sql"), "0003 .c. stands where 0002 is missing"),
        (("0001_a.sql", "0001_b.sql"), "0001 .b. is used twice"),
        (("0002_a.sql",), "stands where 0001 is missing"),
        (("0001-a.sql",), "NNNN_words"),
    ],
)
def test_numbers_run_from_one_without_gaps(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    for name in names:
        tmp_path.joinpath(name).write_text(SAMPLES["towns"], "utf-8")
    with pytest.raises(MigrationError, match=message):
        list_migrations(tmp_path)


def test_the_ledgers_own_migrations_are_in_order() -> None:
    assert [migration.number for migration in list_migrations(MIGRATIONS)][:1] == [1]


async def test_role_passwords_are_quoted_by_the_server(bare_database: str) -> None:
    owner = await asyncpg.connect(bare_database)
    password = 'it\'s "quoted" \\ and $1 русский'
    try:
        async with owner.transaction():
            await owner.execute(SAMPLES["guest_role"])
        await set_role_passwords(owner, {'kopeck "guest"': password})
        guest = await asyncpg.connect(bare_database, user='kopeck "guest"', password=password)
        assert await guest.fetchval(SAMPLES["who"]) == 'kopeck "guest"'
        await guest.close()
        await owner.execute(SAMPLES["drop_guest_role"])
    finally:
        await owner.close()


async def test_roles_of_the_ledger_log_in(ledger_database: LedgerDatabase) -> None:
    addresses = {
        "kopeck_gateway": ledger_database.gateway_dsn,
        "kopeck_services": ledger_database.services_dsn,
        "kopeck_reader": ledger_database.reader_dsn,
        "kopeck_portal": ledger_database.portal_dsn,
    }
    for role, dsn in addresses.items():
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval(SAMPLES["who"]) == role
        await connection.close()
