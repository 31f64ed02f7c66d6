"""``kopeck run``: serve until told to stop, with the demo town or with a channel configuration of your own."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable
from pathlib import Path

import asyncpg
import click
import msgspec
import structlog

from kopeck.channels import ChannelConfigError, ChannelsFile, read_channels, register_channels
from kopeck.clock import utc_now
from kopeck.commands.migrate import migrate_ledger
from kopeck.commands.options import data_option
from kopeck.config import Config, read_config
from kopeck.counterparties import CounterpartiesFile, CounterpartyConfigError, read_counterparties
from kopeck.demo.bank import SandboxBank
from kopeck.demo.channels import demo_channels_file
from kopeck.demo.network import MOSCOW
from kopeck.demo.orders import demo_sandbox
from kopeck.demo.recipients import TRANSIT_ACCOUNT
from kopeck.demo.start import TownFailed, TownWish, list_payable_accounts, sample_accounts, settle_town, standing_kopecks
from kopeck.demo.town import ACCOUNTS_MAX, ACCOUNTS_MIN
from kopeck.demo.traffic import PayableAccount, Traffic, TrafficWish
from kopeck.embedded.servers import Servers, start_servers
from kopeck.endpoints import NO_ACCOUNTS, AccountSample, Endpoints, base_url_of, remove_endpoints
from kopeck.live_screen import show_house
from kopeck.running import House, OrdersHouse, SandboxHouse, keep_house, stop_on_signals
from kopeck.supervisor import ChildFailed, ListenError, Supervisor, open_listener
from ledger.journal import create_ledger
from schemas.channel import Channel
from services.reference.faults import FaultyFile

PROCESSES = 2
RATE_MAX = 1_000
LOOPBACK = "127.0.0.1"
DEMO_CUT_EVERY_S = 20
"""So that transfers are seen going out; a bank's own cut-offs are a few a day."""

_log = structlog.get_logger("kopeck.run")


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line chose; ``own`` None means the demo, ``duration_s`` 0 means until stopped.

    ``counterparties`` are of a house of your own; the demo's are in its sandbox.
    """

    wish: TownWish
    traffic: bool
    rate: int
    own: ChannelsFile | None
    counterparties: CounterpartiesFile
    duration_s: int


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger ready to be served."""

    books: int
    channels: tuple[Channel, ...]
    accounts: AccountSample = NO_ACCOUNTS
    payable: tuple[PayableAccount, ...] = ()
    standing_kopecks: int = 0


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """The counterparties of a run; ``bank`` is the sandbox's, and new when it remembers nothing."""

    orders: OrdersHouse
    sandbox: SandboxHouse | None = None
    bank: SandboxBank | None = None
    bank_is_new: bool = False


@click.command()
@data_option
@click.option("--host", default=None, help="Address to listen on; KOPECK_HOST or 127.0.0.1.")
@click.option("--port", type=int, default=None, help="Port to listen on, 0 for a free one; KOPECK_PORT or 8040.")
@click.option("--processes", type=int, default=None, help="Gateway processes on the port; KOPECK_GATEWAYS or 2.")
@click.option(
    "--accounts",
    type=click.IntRange(ACCOUNTS_MIN, ACCOUNTS_MAX),
    default=10_000,
    show_default=True,
    help="Size of a new demo town.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="What a new demo town and its traffic are drawn from.")
@click.option("--traffic/--no-traffic", default=True, help="Send demo payments, or none.")
@click.option("--rate", type=click.IntRange(1, RATE_MAX), default=5, show_default=True, help="Demo payments a second.")
@click.option(
    "--channels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Channels of your own (docs/channels.md): no demo town.",
)
@click.option(
    "--counterparties",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Tills, banks and mail servers of your own, with --channels (docs/orders.md).",
)
@click.option("--duration", type=click.IntRange(0), default=0, help="Stop by itself after so many seconds of service.")
def run(
    data_dir: Path | None,
    host: str | None,
    port: int | None,
    processes: int | None,
    accounts: int,
    seed: int,
    traffic: bool,
    rate: int,
    channels: Path | None,
    counterparties: Path | None,
    duration: int,
) -> None:
    """Serve payments: embedded servers, gateway processes, workers; the demo town unless --channels is given."""
    gateways = processes if processes is not None or "KOPECK_GATEWAYS" in os.environ else PROCESSES
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _start_log()
    if counterparties and not channels:
        raise click.UsageError("--counterparties goes with --channels: the demo's are in its sandbox")
    try:
        config = read_config(os.environ, data_dir=data_dir, host=host, port=port, gateways=gateways)
        options = RunOptions(
            wish=TownWish(accounts=accounts, seed=seed),
            traffic=traffic,
            rate=rate,
            own=read_channels(channels, os.environ) if channels else None,
            counterparties=read_counterparties(counterparties, os.environ) if counterparties else CounterpartiesFile(),
            duration_s=duration,
        )
        with start_servers(config.data_dir, config) as servers:
            remove_endpoints(servers.folder)
            asyncio.run(_run(config, options, servers))
    except (ChannelConfigError, CounterpartyConfigError, ChildFailed, ListenError, TownFailed, FaultyFile) as error:
        raise click.ClickException(str(error)) from error


async def _run(config: Config, options: RunOptions, servers: Servers) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    prepared = await _prepare(config, options, servers)
    outside = await _outside(options, servers.folder)
    house = House(
        folder=servers.folder,
        host=config.host,
        port=config.port,
        processes=config.gateways,
        books=prepared.books,
        log_level=config.log_level,
        connections=servers.connections,
        channels=prepared.channels,
        accounts=prepared.accounts,
        with_secrets=options.own is None,
        orders=outside.orders,
        sandbox=outside.sandbox,
    )

    async def beside(endpoints: Endpoints, supervisor: Supervisor, stopping: asyncio.Event) -> None:
        await _accompany(options, prepared, outside, (endpoints, supervisor, stopping))

    if not stop.is_set():
        await keep_house(house, servers, stop, beside)
    _log.info("stopped")


async def _outside(options: RunOptions, folder: Path) -> Outside:
    """Where orders go: your own counterparties, or the demo's sandbox on a free port of loopback."""
    if options.own is not None:
        return Outside(orders=OrdersHouse(counterparties=options.counterparties))
    listener = await open_listener(LOOPBACK, 0)
    sandbox = demo_sandbox(folder, base_url_of(LOOPBACK, listener.getsockname()[1]), utc_now())
    return Outside(
        orders=OrdersHouse(counterparties=sandbox.file, local_webhooks=True, cut_every_s=DEMO_CUT_EVERY_S),
        sandbox=SandboxHouse(
            parties=sandbox.parties, listener_fd=listener.detach(), seed=options.wish.seed, memory=str(sandbox.memory)
        ),
        bank=SandboxBank(sandbox.bank_url, TRANSIT_ACCOUNT),
        bank_is_new=sandbox.is_new,
    )


async def _prepare(config: Config, options: RunOptions, servers: Servers) -> Prepared:
    """Migrate, create the ledger, register the channels and settle the demo town."""
    applied = await migrate_ledger(servers.connections)
    if applied:
        _log.info("migrated", applied=len(applied))
    owner = await asyncpg.connect(servers.connections.owner_dsn)
    try:
        books = await create_ledger(owner, config.books)
    finally:
        await owner.close()
    servers.publish()
    file = options.own or read_channels(demo_channels_file(servers.folder), os.environ)
    connection = await asyncpg.connect(servers.connections.services_dsn)
    try:
        channels = await _register(connection, file)
        if options.own is not None:
            return Prepared(books=books, channels=channels)
        await settle_town(connection, servers.folder, options.wish, utc_now, lambda words: _log.info(words))
        sample = await sample_accounts(connection)
        payable = await list_payable_accounts(connection, sample)
        standing = await standing_kopecks(connection)
        return Prepared(books=books, channels=channels, accounts=sample, payable=payable, standing_kopecks=standing)
    finally:
        await connection.close()


async def _register(connection: "asyncpg.Connection[asyncpg.Record]", file: ChannelsFile) -> tuple[Channel, ...]:
    return await register_channels(connection, file, today=utc_now().astimezone(MOSCOW).date())


async def _accompany(
    options: RunOptions, prepared: Prepared, outside: Outside, served: tuple[Endpoints, Supervisor, asyncio.Event]
) -> None:
    """Show the ready house, send the demo's payments and look at the clock, until the event is set."""
    endpoints, supervisor, stop = served
    together: list[Awaitable[None]] = [show_house(endpoints, supervisor, stop)]
    if options.traffic and prepared.payable and outside.bank is not None:
        standing = prepared.standing_kopecks if outside.bank_is_new else 0
        wish = TrafficWish(seed=options.wish.seed, rate=options.rate, standing_kopecks=standing)
        sending = Traffic(endpoints.channels, prepared.payable, outside.bank, wish=wish, utc_now=utc_now)
        together.append(sending.run(stop))
    if options.duration_s:
        together.append(_stop_after(options.duration_s, stop))
    async with asyncio.TaskGroup() as tasks:
        for one in together:
            tasks.create_task(_awaited(one))


async def _awaited(one: Awaitable[None]) -> None:
    await one


async def _stop_after(seconds: int, stop: asyncio.Event) -> None:
    asyncio.get_running_loop().call_later(seconds, stop.set)
    await stop.wait()


def _start_log() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
