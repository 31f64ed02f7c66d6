"""Fixtures on real servers: one PostgreSQL and one Valkey a test session, one fresh ledger a test.

The session's PostgreSQL runs without fsync (``durable=False``): its data is thrown away. Tests of durability start their own.
"""

import itertools
import os
from collections.abc import AsyncIterator, Iterator

import asyncpg
import hypothesis
import msgspec
import pytest
import pytest_asyncio
import redis.asyncio

from kopeck.config import Config
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.servers import ROLES, Connections, Servers, start_servers
from ledger.migrate import migrate, set_role_passwords
from ledger.statements import load_statements

hypothesis.settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("house")

TEMPLATE = "ledger_template"
_SQL = load_statements("tests/statements/databases.sql")
_numbers = itertools.count(1)


class LedgerDatabase(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh migrated ledger: addresses of its owner and of each role, and the cache of the session."""

    name: str
    owner_dsn: str
    gateway_dsn: str
    services_dsn: str
    reader_dsn: str
    portal_dsn: str
    redis_url: str


@pytest.fixture(scope="session", autouse=True)
def no_data_of_the_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No command finds what ``make run`` left in the project's own data folder, unless a test names it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KOPECK_DATA", str(tmp_path_factory.mktemp("nothing") / "data"))
        yield


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The session's embedded servers."""
    folder = tmp_path_factory.mktemp("servers")
    with start_servers(folder, Config(data_dir=folder), durable=False) as started:
        yield started
    clean_folder(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def empty_template(servers: Servers) -> None:
    """The template database, migrated once."""
    await _create_database(servers, TEMPLATE, "template1")
    connection = await asyncpg.connect(_dsn(servers, TEMPLATE))
    try:
        await migrate(connection)
        await set_role_passwords(connection, servers.connections.role_passwords)
    finally:
        await connection.close()


@pytest.fixture
async def ledger_database(servers: Servers, empty_template: None) -> AsyncIterator[LedgerDatabase]:
    """A fresh ledger, dropped after the test."""
    name = f"ledger_{next(_numbers)}"
    await _create_database(servers, name, TEMPLATE)
    yield ledger_addresses(servers, name)
    await _drop_database(servers, name)


@pytest.fixture
async def bare_database(servers: Servers) -> AsyncIterator[str]:
    """The owner's address of an empty database that nothing was migrated into; dropped after the test."""
    name = f"bare_{next(_numbers)}"
    await _create_database(servers, name, "template1")
    yield _dsn(servers, name)
    await _drop_database(servers, name)


@pytest.fixture
async def redis_url(servers: Servers) -> str:
    """The session's cache, emptied."""
    url = servers.connections.redis_url
    client = redis.asyncio.from_url(url)
    await client.flushall()
    await client.aclose()
    return url


def ledger_addresses(servers: Servers, name: str) -> LedgerDatabase:
    """Addresses of the database ``name`` on the session's servers."""
    connections: Connections = servers.connections
    by_role = {role: _dsn(servers, name, role, connections.role_passwords[role]) for role in ROLES}
    return LedgerDatabase(
        name=name,
        owner_dsn=_dsn(servers, name),
        gateway_dsn=by_role["kopeck_gateway"],
        services_dsn=by_role["kopeck_services"],
        reader_dsn=by_role["kopeck_reader"],
        portal_dsn=by_role["kopeck_portal"],
        redis_url=connections.redis_url,
    )


def _dsn(servers: Servers, database: str, user: str = "postgres", password: str | None = None) -> str:
    assert servers.postgres is not None
    return servers.postgres.dsn(user=user, password=password, database=database)


async def _create_database(servers: Servers, name: str, template: str) -> None:
    await _execute_made(servers, "create_database", name, template)


async def _drop_database(servers: Servers, name: str) -> None:
    await _execute_made(servers, "drop_database", name)


async def _execute_made(servers: Servers, statement: str, *arguments: str) -> None:
    connection = await asyncpg.connect(servers.connections.owner_dsn)
    try:
        await connection.execute(await connection.fetchval(_SQL[statement], *arguments))
    finally:
        await connection.close()
