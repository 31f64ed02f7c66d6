"""The system under test, started as in production: embedded servers with fsync on, N gateways on one port, the workers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg
import msgspec

from gateway.cache import TableCache
from kopeck.channels import parse_channels, register_channels
from kopeck.clock import utc_now
from kopeck.config import Config
from kopeck.embedded.servers import Connections, start_servers
from kopeck.endpoints import Endpoints
from kopeck.running import House, OrdersHouse, keep_house
from kopeck.supervisor import Supervisor
from ledger.journal import create_ledger
from ledger.migrate import migrate, set_role_passwords
from loadtests.channels import CHANNELS, doors_at
from loadtests.cpu import cpu_ms, parent_of
from loadtests.fixture import make_town
from loadtests.orders_town import make_orders_town
from loadtests.town import Town
from loadtests.traffic import Source
from schemas.channel import Channel

Connection: TypeAlias = "asyncpg.Connection[Any]"

CACHE_TIMEOUT_S = 5.0


class StageOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is started; ``warm`` writes every table to the cache before the first payment.

    With ``orders`` the orders process runs too, in a town whose creditors issue receipts and whose recipients can be paid.
    """

    folder: Path
    town: Town
    processes: int
    books: int
    warm: bool
    orders: OrdersHouse | None = None


class Cpu(msgspec.Struct, frozen=True, kw_only=True):
    """CPU spent so far, in milliseconds."""

    gateways: int
    workers: int
    orders: int
    postgresql: int


class Stage:
    """The running system and what a load and a proof need to know of it."""

    def __init__(
        self, owner: tuple[Connection, str], channels: tuple[Channel, ...], base_url: str, supervisor: Supervisor
    ) -> None:
        self.connection, self.owner_dsn = owner
        self.base_url = base_url
        self.doors = doors_at(*_host_and_port(base_url))
        self.spaces = {Source.TERMINAL: int(channels[0].space), Source.BANK: int(channels[1].space)}
        self._supervisor = supervisor

    def cpu(self) -> Cpu:
        """CPU spent so far by the parts of the system."""
        children = self._supervisor.children
        backend = self.connection.get_server_pid()
        return Cpu(
            gateways=cpu_ms(child.pid for child in children if child.spec.pass_fds),
            workers=cpu_ms(child.pid for child in children if child.spec.name == "workers"),
            orders=cpu_ms(child.pid for child in children if child.spec.name in ("orders", "delivery")),
            postgresql=cpu_ms([parent_of(backend)]),
        )


async def on_stage(options: StageOptions, play: Callable[[Stage], Awaitable[None]], tell: Callable[[str], None]) -> None:
    """Start everything, make the town, run ``play``, stop everything in order; ``tell`` is told what is going on.

    Servers are always embedded ones on the folder, whatever the environment names: a load must never meet a real ledger.
    """
    with start_servers(options.folder, Config(data_dir=options.folder)) as servers:
        connection = await asyncpg.connect(servers.connections.owner_dsn)
        try:
            channels = await _make_ledger(connection, servers.connections, options, tell)
            house = House(
                folder=servers.folder,
                host="127.0.0.1",
                port=0,
                processes=options.processes,
                books=options.books,
                log_level="warning",
                connections=servers.connections,
                channels=channels,
                orders=options.orders,
            )

            async def beside(endpoints: Endpoints, supervisor: Supervisor, stop: asyncio.Event) -> None:
                await play(Stage((connection, servers.connections.owner_dsn), channels, endpoints.base_url, supervisor))
                stop.set()

            await keep_house(house, servers, asyncio.Event(), beside)
        finally:
            await connection.close()


async def _make_ledger(
    connection: Connection, connections: Connections, options: StageOptions, tell: Callable[[str], None]
) -> tuple[Channel, ...]:
    """Migrate, create the ledger, register the channels and fill the town; the channels, terminals first."""
    await migrate(connection)
    await set_role_passwords(connection, connections.role_passwords)
    await create_ledger(connection, options.books)
    file = parse_channels(CHANNELS, folder=options.folder, environ={})
    channels = await register_channels(connection, file, today=utc_now().date())
    cache = TableCache(connections.redis_url, CACHE_TIMEOUT_S) if options.warm else None
    started = time.perf_counter_ns()
    try:
        await make_town(connection, options.town, options.books, cache)
        if options.orders is not None:
            await make_orders_town(connection, options.town)
    finally:
        if cache is not None:
            await cache.close()
    seconds = (time.perf_counter_ns() - started) // 1_000_000_000
    tell(f"town: {options.town.accounts} accounts of {options.town.lines} lines published in {seconds} s")
    return channels


def _host_and_port(base_url: str) -> tuple[str, int]:
    parts = urlsplit(base_url)
    assert parts.hostname is not None and parts.port is not None
    return parts.hostname, parts.port
