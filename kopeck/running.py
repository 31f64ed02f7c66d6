"""One run of the house: gateway processes and workers under the supervisor, endpoints.json, the demo beside them."""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog
from prometheus_client import multiprocess

from kopeck.counterparties import CounterpartiesFile
from kopeck.delivery_process import DeliveryOrders
from kopeck.demo.looking_in import PortalKey
from kopeck.embedded.leftover import ServerError
from kopeck.embedded.servers import Connections, Servers
from kopeck.endpoints import (
    NO_ACCOUNTS,
    AccountSample,
    Endpoints,
    base_url_of,
    channel_endpoints,
    remove_endpoints,
    write_endpoints,
)
from kopeck.gateway_process import GatewayOrders
from kopeck.intake_process import IntakeOrders, cleared_accounts, statement_counterparties
from kopeck.intakes import gateway_settings
from kopeck.orders_process import OrdersProcessOrders
from kopeck.portal_process import PortalOrders
from kopeck.sandbox_process import SandboxOrders, SandboxParty
from kopeck.supervisor import ChildSpec, Supervisor, open_listener
from kopeck.workers_process import WorkersOrders
from portal.serving import PortalSettings
from schemas.channel import Channel
from services.clearing.keeping import READ_PERIOD_S

SERVERS_POLL_S = 1.0
SERVERS_REST_S_MAX = 15.0
LOG_BYTES_MAX = 50_000_000
STOP_ORDER = {"portal": 0, "intake": 1, "workers": 1, "orders": 1, "delivery": 1, "sandbox": 2}
"""After the gateways (0), which stop accepting first."""
_Child = tuple[str, str, msgspec.Struct, tuple[int, ...]]
"""(name, module, what it is told, descriptors passed on)."""
METRICS_FOLDER = "metrics"
LOGS_FOLDER = "logs"

_log = structlog.get_logger("kopeck.run")


class SandboxHouse(msgspec.Struct, frozen=True, kw_only=True):
    """The sandbox's counterparties and the socket on which they answer, open in this process."""

    parties: tuple[SandboxParty, ...]
    listener_fd: int
    seed: int


class OrdersHouse(msgspec.Struct, frozen=True, kw_only=True):
    """How orders are made and leave; see OrdersProcessOrders and DeliveryOrders for the fields. Its repr shows names only.

    Statements that clearing reads are read every ``read_every_s``.
    """

    counterparties: CounterpartiesFile = CounterpartiesFile()
    local_webhooks: bool = False
    cut_every_s: int = 0
    read_every_s: int = READ_PERIOD_S


class House(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is made of once the ledger is ready. ``with_secrets``: the demo's credentials may be written down.

    Without ``orders`` nothing leaves the house: payments are booked and their orders wait to be made. ``listener``: the socket
    is open already. ``personal_keys`` seal what statements say of payers (kopeck/personal_key.py): without them nothing is
    cleared, and statements are read for orders only. ``portal`` is the open socket of the portal and API; None: there is none.
    """

    folder: Path
    host: str
    port: int
    processes: int
    books: int
    log_level: str
    connections: Connections
    channels: tuple[Channel, ...]
    accounts: AccountSample = NO_ACCOUNTS
    with_secrets: bool = False
    orders: OrdersHouse | None = None
    sandbox: SandboxHouse | None = None
    listener: socket.socket | None = None
    personal_keys: tuple[str, ...] = ()
    portal: socket.socket | None = None
    portal_keys: tuple[PortalKey, ...] = ()

    @property
    def cleared(self) -> tuple[str, ...]:
        """Transit accounts whose statements clearing reads."""
        return cleared_accounts(self.channels) if self.personal_keys else ()

    def __repr__(self) -> str:
        """Name the folder only."""
        return f"House({str(self.folder)!r})"


Beside = Callable[[Endpoints, Supervisor, asyncio.Event], Awaitable[None]]
"""What runs beside a ready house until the event is set: traffic and the live view."""


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` on SIGTERM and SIGINT of this process, in the running loop."""
    loop = asyncio.get_running_loop()
    for order in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(order, stop.set)


async def keep_house(house: House, servers: Servers, stop: asyncio.Event, beside: Beside) -> None:
    """Serve until ``stop``; endpoints.json stands while every process is ready. Raises ListenError."""
    listener = house.listener or await open_listener(house.host, house.port)
    metrics = _fresh_folder(house.folder / METRICS_FOLDER)
    _turn_logs(house.folder / LOGS_FOLDER)
    supervisor = Supervisor(_child_specs(house, listener, metrics), ended=lambda pid: _forget_metrics(pid, metrics))

    async def while_running() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_keep_servers(servers, stop))
            try:
                await _serve_until(stop, house, listener, supervisor, beside)
            finally:
                remove_endpoints(house.folder)
                listener.close()

    try:
        await supervisor.run(while_running)
    finally:
        listener.close()
        if house.portal is not None:
            house.portal.close()


async def _serve_until(
    stop: asyncio.Event, house: House, listener: socket.socket, supervisor: Supervisor, beside: Beside
) -> None:
    waiting = [asyncio.create_task(supervisor.wait_ready()), asyncio.create_task(stop.wait())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            endpoints = _endpoints(house, listener.getsockname()[1])
            write_endpoints(house.folder, endpoints)
            _log.info("ready", base_url=endpoints.base_url)
            await beside(endpoints, supervisor, stop)
            await stop.wait()
    finally:
        stop.set()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _keep_servers(servers: Servers, stop: asyncio.Event) -> None:
    """Start embedded servers again that ended by themselves, after growing delays while one cannot be started."""
    pause = SERVERS_POLL_S
    while not stop.is_set():
        try:
            for name in await asyncio.to_thread(servers.restart_dead):
                _log.warning("server_restarted", server=name)
            pause = SERVERS_POLL_S
        # A full disk fails the server's start or, before it, our own writing.
        except (ServerError, OSError) as error:
            pause = min(2 * pause, SERVERS_REST_S_MAX)
            _log.error("server_not_restarted", reason=str(error), again_in_s=pause)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


def _endpoints(house: House, port: int) -> Endpoints:
    base_url = base_url_of(house.host, port)
    return Endpoints(
        base_url=base_url,
        channels=channel_endpoints(house.channels, base_url, with_secrets=house.with_secrets),
        metrics=f"{base_url}/metrics",
        healthz=f"{base_url}/healthz",
        readyz=f"{base_url}/readyz",
        accounts=house.accounts,
        transit_accounts=tuple(sorted({channel.transit_account for channel in house.channels})),
        portal="" if house.portal is None else base_url_of(house.host, house.portal.getsockname()[1]),
        postgres=house.connections.reader_dsn,
        portal_keys=house.portal_keys,
        pid=os.getpid(),
        data=str(house.folder),
    )


def _child_specs(house: House, listener: socket.socket, metrics: Path) -> list[ChildSpec]:
    # Set before the child imports prometheus_client, which reads it once.
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics), "PYTHONUNBUFFERED": "1"}
    logs = house.folder / LOGS_FOLDER
    gateways = [
        ChildSpec(
            name=f"gateway-{index}",
            module="kopeck.gateway_process",
            settings=msgspec.json.encode(_gateway_orders(house, index, listener.fileno())),
            environ=environ,
            log=logs / f"gateway-{index}.log",
            pass_fds=(listener.fileno(),),
        )
        for index in range(house.processes)
    ]
    return [*gateways, *_other_specs(house, environ)]


def _other_specs(house: House, environ: dict[str, str]) -> list[ChildSpec]:
    """Workers, and what the house has for its orders: the sandbox starts first and stops last, for the others call it."""
    services_dsn, log_level = house.connections.services_dsn, house.log_level
    children: list[_Child] = []
    if house.sandbox is not None:
        sandbox = house.sandbox
        told = SandboxOrders(
            listener_fd=sandbox.listener_fd,
            parties=sandbox.parties,
            seed=sandbox.seed,
            log_level=log_level,
        )
        children.append(("sandbox", "kopeck.sandbox_process", told, (sandbox.listener_fd,)))
    workers = WorkersOrders(services_dsn=services_dsn, log_level=log_level)
    children.append(("workers", "kopeck.workers_process", workers, ()))
    children.append(("intake", "kopeck.intake_process", _intake_orders(house), ()))
    if house.orders is not None:
        children += _orders_children(house, house.orders)
    if house.portal is not None:
        descriptor = house.portal.fileno()
        looking_in = PortalSettings(portal_dsn=house.connections.portal_dsn, services_dsn=services_dsn)
        settings = PortalOrders(portal=looking_in, listener_fd=descriptor, log_level=log_level)
        children.append(("portal", "kopeck.portal_process", settings, (descriptor,)))
    return [
        ChildSpec(
            name=name,
            module=module,
            settings=msgspec.json.encode(told_child),
            environ=environ,
            log=house.folder / LOGS_FOLDER / f"{name}.log",
            pass_fds=fds,
            stopped=STOP_ORDER[name],
        )
        for name, module, told_child, fds in children
    ]


def _orders_children(house: House, orders: OrdersHouse) -> list[_Child]:
    """What makes orders and what delivers them."""
    services_dsn, log_level = house.connections.services_dsn, house.log_level
    making = OrdersProcessOrders(
        services_dsn=services_dsn,
        cut_every_s=orders.cut_every_s,
        personal_keys=house.personal_keys,
        log_level=log_level,
    )
    delivery = DeliveryOrders(
        services_dsn=services_dsn,
        counterparties=orders.counterparties,
        local_webhooks=orders.local_webhooks,
        log_level=log_level,
        cleared=house.cleared,
    )
    return [("orders", "kopeck.orders_process", making, ()), ("delivery", "kopeck.delivery_process", delivery, ())]


def _gateway_orders(house: House, index: int, listener_fd: int) -> GatewayOrders:
    settings = gateway_settings(house.connections, house.channels, house.books, index)
    return GatewayOrders(gateway=settings, listener_fd=listener_fd, log_level=house.log_level)


def _intake_orders(house: House) -> IntakeOrders:
    orders = house.orders or OrdersHouse()
    return IntakeOrders(
        gateway=gateway_settings(house.connections, house.channels, house.books, house.processes),
        services_dsn=house.connections.services_dsn,
        log_level=house.log_level,
        counterparties=statement_counterparties(orders.counterparties, house.cleared),
        personal_keys=house.personal_keys if house.cleared else (),
        read_every_s=orders.read_every_s,
    )


def _fresh_folder(path: Path) -> Path:
    """Metrics of a finished run are not this run's."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700)
    return path


def _forget_metrics(pid: int, folder: Path) -> None:
    multiprocess.mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def _turn_logs(folder: Path) -> None:
    """Make the folder of logs; a log that has grown large is set aside, its predecessor dropped."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for log in folder.glob("*.log"):
        if log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.1"))
