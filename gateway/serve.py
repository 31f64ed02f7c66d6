"""One gateway process: build the rooms, serve the inherited socket, and stop without losing an accepted payment."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from datetime import datetime

import structlog
from aiohttp import web

from gateway import metrics
from gateway.acquiring import EventTaker
from gateway.aliases import NamingPipeline
from gateway.app import Rooms, make_server
from gateway.checks import Checks
from gateway.connections import Turnstile, connections_allowed
from gateway.limits import UnknownNumbers
from gateway.owned_tasks import OwnedTasks
from gateway.reader import POSTGRESQL_ERRORS
from gateway.settings import GatewaySettings
from gateway.stations import Stores, open_stores, settle_memory, start_stations
from gateway.submission import SubmissionQueue

log = structlog.get_logger("gateway.serve")

LINE_BYTES_MAX = 65_536
"""Longest request line and header: over-long account numbers are refused in the channel's own words, not by HTTP."""
KEEPALIVE_S = 75.0
LAST_REQUESTS_S = 1.0
"""How long a stopping process waits for the next request on open connections, to answer it and close in order."""
LAST_REQUESTS_POLL_S = 0.01
LINGER_S = 2.0
"""How long the rest of a refused message is read away, so that the refusal reaches its sender."""
HTTP_LIMITS = {
    "keepalive_timeout": KEEPALIVE_S,
    "lingering_time": LINGER_S,
    "max_line_size": LINE_BYTES_MAX,
    "max_field_size": LINE_BYTES_MAX,
}
BACKLOG = 1024


class NotReady(Exception):
    """The process is stopping, its queue is full, or its appends fail."""


async def serve(
    settings: GatewaySettings,
    listener: socket.socket,
    stop: asyncio.Event,
    ready: Callable[[], None],
    utc_now: Callable[[], datetime],
) -> None:
    """Serve until ``stop``, then answer everything accepted. ``ready`` is called once the first request can be answered.

    ``listener`` is bound and listening already; it is shared with sibling processes and is not closed here, so that no
    connection waiting in its backlog is reset. Raises what PostgreSQL raises when it cannot be reached at the start, and
    TaskFailed, after ``stop`` was set and everything done that a stop does, when one of the process's own tasks ended.
    """
    async with open_stores(settings) as stores:
        await _serve(settings, (listener, stop, ready, utc_now), stores)


async def _serve(
    settings: GatewaySettings,
    outside: tuple[socket.socket, asyncio.Event, Callable[[], None], Callable[[], datetime]],
    stores: Stores,
) -> None:
    listener, stop, ready, utc_now = outside
    owned = OwnedTasks(stop)
    stations = start_stations(settings, stores, owned, utc_now)
    rooms = Rooms(
        pipeline=stations.pipeline,
        names=stations.names,
        events=EventTaker(
            stores.reader, stations.parking, NamingPipeline(stations.pipeline, stations.names).submit_payment, utc_now
        ),
        checks=Checks(stations.tables, stores.reader, UnknownNumbers()),
        parking=stations.parking,
        ready=_readiness(settings, stop, stations.queue, stores),
        unready_errors=(NotReady, *POSTGRESQL_ERRORS),
        stopping=stop.is_set,
    )
    try:
        http = make_server(settings, rooms, utc_now, **HTTP_LIMITS)
        with closing(await _open_site(http, listener, settings.connections_max)) as site:
            settle_memory()
            ready()
            log.info("gateway.ready", process=settings.process_index, channels=len(settings.channels))
            await stop.wait()
            await site.drain(settings.drain_s)
        stations.queue.close()
        await asyncio.wait((stations.batcher,))
        metrics.TALLY.flush()
    finally:
        await owned.end()
    log.info("gateway.stopped", process=settings.process_index)


def _readiness(
    settings: GatewaySettings, stop: asyncio.Event, queue: SubmissionQueue, stores: Stores
) -> Callable[[], Awaitable[None]]:
    async def check() -> None:
        if stop.is_set() or len(queue) >= settings.queue_payments_max or stores.door.is_failing(time.monotonic()):
            raise NotReady
        await stores.reader.ping()

    return check


class Site:
    """The HTTP side of the process; stops accepting first, closes idle connections last."""

    def __init__(self, runner: web.ServerRunner, server: asyncio.Server):
        self._runner = runner
        self._server = server

    def close(self) -> None:
        """Accept nobody any more, however the serving ends; the duplicate of the inherited socket goes with it."""
        self._server.close()

    async def drain(self, drain_s: float) -> None:
        """Stop accepting, let every request in flight be answered, then close what is idle.

        Connections in use end by themselves, for their next answer says that it is the last; only then, or when a
        moment has passed, are the rest closed: a request may be on its way on any of them.
        """
        self._server.close()
        await self._runner.shutdown()
        assert self._runner.server is not None
        give_up_at = time.monotonic() + LAST_REQUESTS_S
        while self._runner.server.connections and time.monotonic() < give_up_at:
            await asyncio.sleep(LAST_REQUESTS_POLL_S)
        # Without this an idle keep-alive connection is waited for until the whole time is over.
        self._runner.server.pre_shutdown()
        await self._runner.server.shutdown(drain_s)
        await self._runner.cleanup()


async def _open_site(http: web.Server, listener: socket.socket, connections_max: int) -> Site:
    runner = web.ServerRunner(http, handle_signals=False)
    await runner.setup()
    assert runner.server is not None
    turnstile = Turnstile(runner.server, connections_allowed(connections_max))
    # A duplicate is closed when the process stops; the inherited socket itself stays open for the siblings.
    with ExitStack() as unless_served:
        duplicate = unless_served.enter_context(closing(listener.dup()))
        server = await asyncio.get_running_loop().create_server(turnstile, sock=duplicate, backlog=BACKLOG)
        unless_served.pop_all()
    return Site(runner, server)
