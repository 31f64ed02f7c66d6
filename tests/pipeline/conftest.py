"""A small town on a fresh ledger, and a gateway process's rooms served on a free loopback port."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import aiohttp
import asyncpg
import msgspec
import pytest

from gateway.serve import serve
from gateway.settings import GatewaySettings
from kopeck.clock import utc_now
from kopeck.embedded.servers import Servers
from ledger.journal import create_ledger
from ledger.migrate import migrate, set_role_passwords
from ledger.publication import publish_accounts
from ledger.statements import load_statements
from schemas.channel import Channel, ChannelKind, LegalKind, Manner
from tests.conftest import LedgerDatabase

SQL = load_statements("tests/pipeline/small_town.sql")
SECRET = "whsec_" + "a3Zhc2FrLXRlc3Qtc2VjcmV0LTAx"
MOMENT = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)

ACCOUNTS = {
    "1001": (0, ((1, 215_000), (2, 287_436), (3, 35_640))),
    "1002": (0, ((1, 100_000), (2, 50_000))),
    "1003": (0, ((1, 10_000),)),
    "closed": (2, ((1, 10_000),)),
    "debts": (1, ((1, 10_000), (2, 20_000))),
}
"""Account number -> (state, ((payee place, charge in kopecks), …))."""


class Town(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers that the registers gave, and the two channels."""

    database: LedgerDatabase
    transit: int
    accounts: dict[str, int]
    payees: tuple[int, ...]
    channels: tuple[Channel, ...]
    spaces: tuple[tuple[str, int], ...]

    def settings(self, redis_url: str, **limits: int) -> GatewaySettings:
        """Return the settings of one gateway process on this town."""
        return GatewaySettings(
            gateway_dsn=self.database.gateway_dsn, redis_url=redis_url, channels=self.channels, spaces=self.spaces, **limits
        )


async def own_ledger(servers: Servers) -> LedgerDatabase:
    """A ledger in the first database of servers that a test has for itself."""
    addresses = servers.connections
    connection = await asyncpg.connect(addresses.owner_dsn)
    await migrate(connection)
    await set_role_passwords(connection, addresses.role_passwords)
    await connection.close()
    return LedgerDatabase(
        name="postgres",
        owner_dsn=addresses.owner_dsn,
        gateway_dsn=addresses.gateway_dsn,
        services_dsn=addresses.services_dsn,
        reader_dsn=addresses.reader_dsn,
        portal_dsn=addresses.portal_dsn,
        redis_url=addresses.redis_url,
    )


@pytest.fixture
async def owner(ledger_database: LedgerDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(ledger_database.owner_dsn)
    yield connection
    connection.terminate()


@pytest.fixture
async def town(ledger_database: LedgerDatabase, owner: asyncpg.Connection) -> Town:
    """Five accounts of three recipients, published, with a terminal network and a bank's feed."""
    await create_ledger(owner, 1)
    transit = await owner.fetchval(SQL["add_transit"])
    await owner.execute(SQL["open_day"], transit, date(2026, 11, 1))
    recipients = [
        await owner.fetchval(SQL["add_recipient"], "УО", "management", 1),
        await owner.fetchval(SQL["add_recipient"], "ТЕПЛО", "supplier", 1),
        await owner.fetchval(SQL["add_recipient"], "ВОДА", "supplier", 1),
    ]
    services = ("maintenance", "heating", "cold_water")
    payees = [await owner.fetchval(SQL["add_payee"], one, service) for one, service in zip(recipients, services, strict=True)]
    accounts = {}
    for number, (state, lines) in ACCOUNTS.items():
        account = accounts[number] = await owner.fetchval(SQL["add_account"], number, state, recipients[0])
        await owner.execute(SQL["add_alias"], number, account)
        for line, (place, amount) in enumerate(lines, start=1):
            await owner.execute(SQL["add_charge"], account, line, recipients[0], payees[place - 1], amount)
    await owner.execute(SQL["add_alias"], "twice", accounts["1002"])
    await owner.execute(SQL["add_alias"], "twice", accounts["1003"])
    services_connection = await asyncpg.connect(ledger_database.services_dsn)
    report = await publish_accounts(services_connection, list(accounts.values()), MOMENT, "test")
    await services_connection.close()
    assert report.published == len(ACCOUNTS), report.failed
    terminals, bank = [await owner.fetchval(SQL["add_space"], name) for name in ("terminals", "bank")]
    return Town(
        database=ledger_database,
        transit=transit,
        accounts=accounts,
        payees=tuple(payees),
        channels=(
            await _channel(owner, "net", (ChannelKind.OSMP, Manner.ASKING), (terminals, "terminals"), transit),
            await _channel(owner, "sber", (ChannelKind.SBER_ONLINE, Manner.ASKING), (terminals, "terminals"), transit),
            await _channel(owner, "feed", (ChannelKind.BANK_FEED, Manner.REPORTING), (bank, "bank"), transit),
        ),
        spaces=(("terminals", terminals), ("bank", bank)),
    )


async def _channel(
    owner: asyncpg.Connection, name: str, kind: tuple[ChannelKind, Manner], space: tuple[int, str], transit: int
) -> Channel:
    number = await owner.fetchval(SQL["add_channel"], name, kind[1].value, space[0], transit)
    return Channel(
        number=number,
        name=name,
        kind=kind[0],
        manner=kind[1],
        legal_kind=LegalKind.BANK,
        space=space[0],
        space_name=space[1],
        transit=transit,
        transit_account="40911810101850000000",
        namespace="town",
        secrets=(SECRET,) if kind[0] is ChannelKind.BANK_FEED else (),
        deadline_ms=5_000,
        amount_max_kopecks=5_000_000,
    )


class Gateway:
    """A gateway served in this event loop, with a client session to it."""

    def __init__(self, settings: GatewaySettings):
        self._settings = settings
        self._stop = asyncio.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    async def __aenter__(self) -> "Gateway":
        started = asyncio.Event()
        self._task = asyncio.create_task(serve(self._settings, self._listener, self._stop, started.set, utc_now))
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait((self._task, waiting), return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            waiting.cancel()
            self._listener.close()
            self._task.result()
        self.session = aiohttp.ClientSession(self.url)
        return self

    async def __aexit__(self, *_error: object) -> None:
        try:
            await self.session.close()
            await self.stop()
        finally:
            self._listener.close()

    async def stop(self) -> None:
        """Stop gracefully and wait for the end."""
        self._stop.set()
        await self._task

    async def wait_ended(self) -> None:
        """Wait until it ends by itself; ``stop`` then raises what it ended by."""
        await asyncio.wait((self._task,))

    async def pay(self, txn_id: str, account: str, roubles: str) -> str:
        """Send one OSMP ``pay`` and return the XML."""
        query = {"command": "pay", "txn_id": txn_id, "txn_date": "20261116120000", "account": account, "sum": roubles}
        async with self.session.get("/osmp/net", params=query) as response:
            assert response.status == 200
            return await response.text()


@pytest.fixture
async def gateway(town: Town, redis_url: str) -> AsyncIterator[Gateway]:
    async with Gateway(town.settings(redis_url)) as served:
        yield served
