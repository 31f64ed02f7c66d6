"""Delivery to endpoints that come and go: serves all there are, and begins anew when there are others."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import asyncpg
import structlog

from services.webhooks.endpoints import list_live_endpoints

WATCH_MS = 2_000
CONNECT_TIMEOUT_S = 10
AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

_log = structlog.get_logger("kopeck.webhooks")


class Server(Protocol):
    """Runs until it is told to stop; delivery's Worker is one."""

    async def run(self) -> None: ...

    def stop(self) -> None: ...


Serve = Callable[[tuple[int, ...]], Server]
"""Makes a server for these endpoints."""


async def keep_serving(dsn: str, serve: Serve, stopping: asyncio.Event, *, watch_ms: int = WATCH_MS) -> None:
    """Serve every endpoint that delivery has to serve until ``stopping`` is set.

    A change of the endpoints ends the server in order and makes another. An exception of the server's is raised here; while
    PostgreSQL is away, what is served stays as it is.
    """
    shift = _Shift(serve)
    try:
        while not stopping.is_set():
            try:
                endpoints = await _look(dsn)
            except AWAY as error:
                _log.warning("endpoints_not_read", error=repr(error))
            else:
                await shift.change_to(endpoints)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), watch_ms / 1000)
    finally:
        await shift.change_to(())


class _Shift:
    """The server at work and whom it serves."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._endpoints: tuple[int, ...] = ()
        self._server: Server | None = None
        self._work: asyncio.Task[None] | None = None

    async def change_to(self, endpoints: tuple[int, ...]) -> None:
        """Serve these endpoints; raises what ended the server."""
        ended = self._work is not None and self._work.done()
        if endpoints == self._endpoints and not ended:
            return
        if self._server is not None and self._work is not None:
            if not ended:
                self._server.stop()
            work, self._server, self._work, self._endpoints = self._work, None, None, ()
            await work
        if endpoints:
            self._server, self._endpoints = self._serve(endpoints), endpoints
            self._work = asyncio.create_task(self._server.run())
            _log.info("endpoints_served", endpoints=len(endpoints))


async def _look(dsn: str) -> tuple[int, ...]:
    connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, command_timeout=CONNECT_TIMEOUT_S)
    try:
        return await list_live_endpoints(connection)
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)
