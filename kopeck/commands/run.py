"""``kopeck run``: serve until told to stop, with the demo town or with a channel configuration of your own."""

import asyncio
import os
import signal
import socket
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
from kopeck.config import Config, ConfigError, read_config
from kopeck.counterparties import CounterpartiesFile, CounterpartyConfigError, read_counterparties
from kopeck.demo.channels import demo_channels_file
from kopeck.demo.clearing import FolderOfAFeed, load_demo_rules
from kopeck.demo.history import TownPast
from kopeck.demo.looking_in import PortalKey, let_look_in
from kopeck.demo.network import MOSCOW
from kopeck.demo.orders import demo_sandbox, remember_standing
from kopeck.demo.outside import OWED, DemoOutside, send_traffic
from kopeck.demo.start import (
    TownFailed,
    TownPlace,
    TownWish,
    list_payable_accounts,
    sample_accounts,
    settle_town,
    standing_kopecks,
)
from kopeck.demo.town import ACCOUNTS_MAX, ACCOUNTS_MIN
from kopeck.demo.traffic import PayableAccount, TrafficWish
from kopeck.embedded.servers import Servers, start_servers
from kopeck.endpoints import NO_ACCOUNTS, AccountSample, Endpoints, base_url_of, remove_endpoints
from kopeck.live_screen import show_house
from kopeck.personal_key import personal_keys, personal_sealer
from kopeck.running import House, OrdersHouse, SandboxHouse, keep_house, stop_on_signals
from kopeck.supervisor import ChildFailed, ListenError, Supervisor, open_listener
from ledger.journal import create_ledger
from schemas.channel import Channel, ChannelKind
from services.reference.faults import FaultyFile

PROCESSES = 2
RATE_MAX = 1_000
LOOPBACK = "127.0.0.1"
DEMO_CUT_EVERY_S = 45
"""So that transfers are seen going out; a bank's own cut-offs are a few a day."""
DEMO_READ_EVERY_S = 15

REFUSALS = (
    ChannelConfigError, CounterpartyConfigError, ConfigError, ChildFailed, ListenError, TownFailed, FolderOfAFeed, FaultyFile
)  # fmt: skip

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
    """A ledger ready to be served; ``file`` is what the channels were read from."""

    books: int
    channels: tuple[Channel, ...]
    file: ChannelsFile
    accounts: AccountSample = NO_ACCOUNTS
    payable: tuple[PayableAccount, ...] = ()
    standing_kopecks: int = 0
    portal_keys: tuple[PortalKey, ...] = ()


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """The counterparties of a run; ``demo`` is where the demo's stand."""

    orders: OrdersHouse
    sandbox: SandboxHouse | None = None
    demo: DemoOutside | None = None


class Sockets(msgspec.Struct, frozen=True, kw_only=True):
    """Open before anything is told of their addresses: the gateways', the portal's and, in the demo, the sandbox's."""

    gateway: socket.socket
    gateway_url: str
    portal: socket.socket
    sandbox: socket.socket | None = None
    sandbox_url: str = ""


@click.command()
@data_option
@click.option("--host", default=None, help="Address to listen on; KOPECK_HOST or 127.0.0.1.")
@click.option("--port", type=int, default=None, help="Port to listen on, 0 for a free one; KOPECK_PORT or 8040.")
@click.option("--processes", type=int, default=None, help="Gateway processes on the port; KOPECK_GATEWAYS or 2.")
@click.option(
    "--accounts",
    type=click.IntRange(ACCOUNTS_MIN, ACCOUNTS_MAX),
    default=1_000,
    show_default=True,
    help="Size of a new demo town, whose three months are billed before it is served.",
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
    except REFUSALS as error:
        raise click.ClickException(str(error)) from error


async def _run(config: Config, options: RunOptions, servers: Servers) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    sockets = await _open(config, options)
    prepared = await _prepare(config, options, servers, sockets)
    outside = await _outside((config, options), prepared, servers, sockets)
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
        listener=sockets.gateway,
        personal_keys=_personal_keys(config, prepared),
        portal=sockets.portal,
        portal_keys=prepared.portal_keys,
    )

    async def beside(endpoints: Endpoints, supervisor: Supervisor, stopping: asyncio.Event) -> None:
        await _accompany(options, prepared, outside, (endpoints, supervisor, stopping))

    if not stop.is_set():
        await keep_house(house, servers, stop, beside)
    _log.info("stopped")


async def _open(config: Config, options: RunOptions) -> Sockets:
    """Listen where the gateways and the portal will answer, and on a free port of loopback for the demo's sandbox."""
    gateway = await open_listener(config.host, config.port)
    gateway_url = base_url_of(config.host, gateway.getsockname()[1])
    portal = await open_listener(config.host, config.portal_port_chosen)
    if options.own is not None:
        return Sockets(gateway=gateway, gateway_url=gateway_url, portal=portal)
    sandbox = await open_listener(LOOPBACK, 0)
    return Sockets(
        gateway=gateway,
        gateway_url=gateway_url,
        portal=portal,
        sandbox=sandbox,
        sandbox_url=base_url_of(LOOPBACK, sandbox.getsockname()[1]),
    )


def _personal_keys(config: Config, prepared: Prepared) -> tuple[str, ...]:
    """Without a statement's channel nothing is cleared, and no key is asked for."""
    clears = any(channel.kind is ChannelKind.STATEMENT for channel in prepared.channels)
    return personal_keys(config) if clears else ()


async def _outside(run: tuple[Config, RunOptions], prepared: Prepared, servers: Servers, sockets: Sockets) -> Outside:
    """Where orders go: your own counterparties, or the demo's sandbox."""
    config, options = run
    if options.own is not None or sockets.sandbox is None:
        return Outside(orders=OrdersHouse(counterparties=options.counterparties))
    sandbox = demo_sandbox(servers.folder, sockets.sandbox_url, utc_now(), sockets.gateway_url)
    remember_standing(sandbox, prepared.standing_kopecks, utc_now())
    return Outside(
        orders=OrdersHouse(
            counterparties=sandbox.file,
            local_webhooks=True,
            cut_every_s=DEMO_CUT_EVERY_S,
            read_every_s=DEMO_READ_EVERY_S,
        ),
        sandbox=SandboxHouse(parties=sandbox.parties, listener_fd=sockets.sandbox.detach(), seed=options.wish.seed),
        demo=DemoOutside(
            folder=servers.folder,
            connections=servers.connections,
            sandbox_url=sockets.sandbox_url,
            bank_url=sandbox.bank_url,
            channels=prepared.channels,
            file=prepared.file,
            sealer=personal_sealer(config),
        ),
    )


async def _prepare(config: Config, options: RunOptions, servers: Servers, sockets: Sockets) -> Prepared:
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
    file = options.own or read_channels(demo_channels_file(servers.folder, sockets.sandbox_url), os.environ)
    connection = await asyncpg.connect(servers.connections.services_dsn)
    try:
        channels = await _register(connection, file)
        if options.own is not None:
            return Prepared(books=books, channels=channels, file=file)
        reached = (servers.connections, file, personal_sealer(config))
        past = TownPast(servers.folder, servers.folder / OWED, reached)
        place = TownPlace(folder=servers.folder, services_dsn=servers.connections.services_dsn, payer=past.pay)
        await settle_town(connection, place, options.wish, utc_now, lambda words: _log.info(words))
        await load_demo_rules(connection, utc_now())
        sample = await sample_accounts(connection)
        return Prepared(
            books=books,
            channels=channels,
            file=file,
            accounts=sample,
            payable=await list_payable_accounts(connection, sample),
            standing_kopecks=await standing_kopecks(connection),
            portal_keys=await let_look_in(connection, servers.folder),
        )
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
    if options.traffic and prepared.payable and outside.demo is not None:
        wish = TrafficWish(seed=options.wish.seed, rate=options.rate)
        together.append(send_traffic(outside.demo, endpoints, (prepared.payable, wish), stop))
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
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
