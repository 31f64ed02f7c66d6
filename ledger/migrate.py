"""Migrations: numbered plain SQL files, each applied once, in order, in a transaction of its own.

Starts may be concurrent: each migration is applied under an advisory lock of its transaction, after reading again what
has been applied, so that any number of runners gives one result, through a connection pooler too.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import msgspec

from ledger.statements import ROOT, load_statements

MIGRATIONS = ROOT / "ledger" / "migrations"
POSTGRES_MAJOR_MIN = 15
LOCK_KEY = 0x6B6F7065636B
"""Any constant number known to all runners: the letters "kopeck"."""

_FILE_NAME = re.compile(r"([0-9]{4})_([a-z0-9_]+)\.sql")
_SQL = load_statements("ledger/statements/migrate.sql")


class MigrationError(RuntimeError):
    """The migrations or the database cannot be used; the message names the file and the remedy."""


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One file: its number from 1, its name without number and suffix, its text and the SHA-256 of its bytes."""

    number: int
    name: str
    text: str
    sha256: bytes


def list_migrations(folder: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """Read the folder's ``NNNN_name.sql`` files in order of number.

    Raises MigrationError for another file name, a number used twice and a gap (numbers run 1, 2, 3 …).
    """
    found = tuple(_read(path) for path in sorted(folder.glob("*.sql")))
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            fault = "is used twice" if migration.number < expected else f"stands where {expected:04d} is missing"
            raise MigrationError(f"{folder}: number {migration.number:04d} ({migration.name}) {fault}")
    return found


async def migrate(connection: asyncpg.Connection, folder: Path = MIGRATIONS) -> tuple[int, ...]:
    """Apply what is not applied yet, as the ledger's owner; the numbers applied by this call.

    Raises MigrationError when the server is older than PostgreSQL 15, an applied file was changed afterwards, or the
    database has a migration that this program does not know. An error of PostgreSQL leaves earlier migrations applied.
    """
    require_postgres(connection)
    migrations = list_migrations(folder)
    async with connection.transaction():
        await connection.fetchval(_SQL["lock"], LOCK_KEY)
        await connection.execute(_SQL["create_register"])
        _compare(migrations, await connection.fetch(_SQL["list_applied"]))
    return tuple([migration.number for migration in migrations if await _apply(connection, migration)])


def require_postgres(connection: asyncpg.Connection) -> None:
    """Raise MigrationError when the server is older than PostgreSQL 15."""
    version = connection.get_server_version()
    if version.major < POSTGRES_MAJOR_MIN:
        raise MigrationError(f"PostgreSQL {POSTGRES_MAJOR_MIN} or newer is needed; the server is {version.major}")


async def set_role_passwords(connection: asyncpg.Connection, passwords: Mapping[str, str]) -> None:
    """Let roles log in with these passwords (role -> password); the roles exist, migration 0001 made them."""
    async with connection.transaction():
        await connection.fetchval(_SQL["lock"], LOCK_KEY)
        for role, password in sorted(passwords.items()):
            await connection.execute(await connection.fetchval(_SQL["role_password"], role, password))


async def _apply(connection: asyncpg.Connection, migration: Migration) -> bool:
    async with connection.transaction():
        await connection.fetchval(_SQL["lock"], LOCK_KEY)
        applied = {row["number"] for row in await connection.fetch(_SQL["list_applied"])}
        if migration.number in applied:
            return False
        await connection.execute(migration.text)
        await connection.execute(_SQL["record"], migration.number, migration.name, migration.sha256)
    return True


def _compare(migrations: tuple[Migration, ...], applied: list[asyncpg.Record]) -> None:
    known = {migration.number: migration for migration in migrations}
    for row in applied:
        label = f"{row['number']:04d}_{row['name']}.sql"
        if row["number"] not in known:
            raise MigrationError(f"the database has {label}, which this program does not: it was migrated by a newer one")
        if known[row["number"]].sha256 != row["sha256"]:
            raise MigrationError(f"{label} was changed after it had been applied: put it back and write a new migration")


def _read(path: Path) -> Migration:
    match = _FILE_NAME.fullmatch(path.name)
    if match is None:
        raise MigrationError(f"{path}: a migration is named NNNN_words.sql")
    content = path.read_bytes()
    return Migration(number=int(match[1]), name=match[2], text=content.decode("utf-8"), sha256=hashlib.sha256(content).digest())
