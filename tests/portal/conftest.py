"""The API on a real ledger, served on loopback."""

import time
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer

from kopeck.clock import utc_now
from ledger.statements import load_statements
from portal.access.credentials import KEY_PREFIX, hash_of, make_secret
from portal.access.doors import AccessDoors
from portal.access.tokens import TokenRoute
from portal.api.answering import Edges
from portal.api.app import make_api
from portal.api.limits import RateLimit
from portal.api.operations import Call, Operation, Scope
from portal.api.v1.catalogue import OPERATIONS
from tests.conftest import LedgerDatabase

SQL = load_statements("tests/statements/portal.sql")
EVERY_SCOPE = [scope.value for scope in Scope]


class Renaming(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of the tests' own write."""

    code: str
    name: str


class Renamed(msgspec.Struct, frozen=True, kw_only=True):
    """Its answer."""

    name: str


async def rename(call: Call) -> Renamed:
    """Rename a recipient: a write that leaves a trace."""
    await call.connection.execute(SQL["rename"], call.body.code, call.body.name)
    return Renamed(name=call.body.name)


RENAME = Operation(
    name="rename",
    method="POST",
    path="/v1/renamings",
    scope=Scope.REFERENCE_WRITE,
    summary="Rename.",
    handler=rename,
    answer=Renamed,
    body=Renaming,
)


class PortalHouse(msgspec.Struct, frozen=True, kw_only=True):
    """The served API, its database, and a key of each organisation."""

    client: TestClient  # type: ignore[type-arg]
    database: LedgerDatabase
    owner: "asyncpg.Connection[asyncpg.Record]"
    keys: dict[str, str]

    def headers(self, organisation: str, **more: str) -> dict[str, str]:
        """Headers of an organisation's request; ``_`` in a name is ``-``."""
        told = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self.keys[organisation]}", **told}


@pytest.fixture
async def house(ledger_database: LedgerDatabase) -> AsyncIterator[PortalHouse]:
    """Three organisations with a key each, and the catalogue with one more write."""
    owner = await asyncpg.connect(ledger_database.owner_dsn)
    for name in ("recipients", "organisations", "own_recipients"):
        await owner.execute(SQL[name])
    keys = {organisation: make_secret(KEY_PREFIX) for organisation in ("operator", "heat", "water")}
    for organisation, key in keys.items():
        await owner.execute(SQL["add_client"], f"{organisation}-key", organisation, hash_of(key), EVERY_SCOPE)
    pools = [
        await asyncpg.create_pool(dsn, min_size=0, max_size=4)
        for dsn in (ledger_database.portal_dsn, ledger_database.services_dsn)
    ]
    edges = Edges(
        utc_now=utc_now, monotonic_ms=lambda: time.monotonic_ns() // 1_000_000, rate_limit=RateLimit(burst=100, per_minute=600)
    )
    app = make_api([*OPERATIONS, RENAME], AccessDoors(*pools), edges)
    app.router.add_post("/oauth2/token", TokenRoute(pools[1], utc_now).answer)
    async with TestClient(TestServer(app)) as client:
        yield PortalHouse(client=client, database=ledger_database, owner=owner, keys=keys)
    for pool in pools:
        await pool.close()
    await owner.close()
