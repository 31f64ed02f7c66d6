"""The worker: a line to every counterparty, woken by notifications or by polling, on a few connections (design W9).

Any number of workers may share the register: a leased order is skipped by the others. A lost connection or a restarted
PostgreSQL is waited out; a killed worker's orders are taken over when their leases end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import asyncpg
import msgspec
import structlog

from ledger.feed import Connection
from services.delivery.calls import UNREACHABLE, heed_cancellation
from services.delivery.desk import Desks
from services.delivery.hooks import Hooks, NoHooks
from services.delivery.interventions import list_closed_counterparties
from services.delivery.line import Line, Route
from services.delivery.recording import Pool
from services.delivery.rules import Draw
from services.delivery.store import ORDERS_CHANNEL, list_due, measure

STATEMENT_TIMEOUT_MS = 5_000
"""No transaction of delivery stays open longer (design W3)."""
CONNECT_TIMEOUT_S = 10
COMMAND_TIMEOUT_S = 10

_log = structlog.get_logger("kopeck.delivery")


class WorkerTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a worker. Milliseconds. ``notified=False`` leaves polling alone to find orders.

    ``draw(n)`` gives a whole number from 0 to n - 1, for jitter. ``stop_ms`` is how long calls under way may take to end when
    the worker is told to.
    """

    draw: Draw
    poll_ms: int = 200
    wake_ms_min: int = 20
    retry_ms: int = 1_000
    measure_ms: int = 5_000
    stop_ms: int = 30_000
    connections_max: int = 8
    notified: bool = True


class Worker:
    """Delivers the orders of its routes, each counterparty's on a line of its own, and tells the desks of their owners."""

    def __init__(
        self, dsn: str, routes: Sequence[Route], desks: Desks, *, terms: WorkerTerms, hooks: Hooks | None = None
    ) -> None:
        self._dsn = dsn
        self._routes = routes
        self._desks = desks
        self._terms = terms
        self._hooks = hooks or NoHooks()
        self._stopping = asyncio.Event()
        self._rung = asyncio.Event()

    def stop(self) -> None:
        """Ask the worker to end: calls under way are waited for and recorded, nothing new is leased."""
        self._stopping.set()

    async def run(self) -> None:
        """Run until ``stop``. An exception is a bug of delivery itself: what was under way then counts as unknown."""
        pool = asyncpg.create_pool(self._dsn, min_size=0, max_size=self._terms.connections_max, **_connect_arguments())
        await pool
        try:
            await self._run_lines(pool)
        finally:
            await _close(pool)

    async def _run_lines(self, pool: Pool) -> None:
        lines = {route.name: Line(route, self._desks, pool, self._hooks, self._terms.draw) for route in self._routes}
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(self._repeat(lambda: self._wake_due(pool, lines), self._pause)),
                tasks.create_task(self._repeat(lambda: self._measure(pool), self._pause_measuring)),
            ]
            if self._terms.notified:
                beside.append(tasks.create_task(self._listen()))
            running = [tasks.create_task(line.run()) for line in lines.values()]
            await self._stopping.wait()
            for line in lines.values():
                line.stop()
            late: set[asyncio.Task[None]] = set()
            if running:
                _, late = await asyncio.wait(running, timeout=self._terms.stop_ms / 1000)
            for task in (*late, *beside):
                task.cancel()

    async def _repeat(self, step: Callable[[], Awaitable[None]], pause: Callable[[], Awaitable[None]]) -> None:
        """Do a step again and again; while PostgreSQL is away, try seldom."""
        while True:
            try:
                await step()
            except UNREACHABLE as error:
                heed_cancellation()
                _log.warning("orders_not_read", error=repr(error))
                await asyncio.sleep(self._terms.retry_ms / 1000)
            await pause()

    async def _wake_due(self, pool: Pool, lines: dict[str, Line]) -> None:
        self._rung.clear()
        async with pool.acquire() as connection:
            due = await list_due(connection, list(lines))
        for name in due:
            lines[name].awake.set()

    async def _pause(self) -> None:
        await asyncio.sleep(self._terms.wake_ms_min / 1000)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), (self._terms.poll_ms - self._terms.wake_ms_min) / 1000)

    async def _measure(self, pool: Pool) -> None:
        async with pool.acquire() as connection:
            measured = await measure(connection)
            closed = await list_closed_counterparties(connection)
        self._hooks.measured(measured, [one.counterparty for one in closed])

    async def _pause_measuring(self) -> None:
        await asyncio.sleep(self._terms.measure_ms / 1000)

    async def _listen(self) -> None:
        """Keep one connection listening; while there is none, polling finds the orders."""
        while True:
            lost = asyncio.Event()
            try:
                connection: Connection = await asyncpg.connect(self._dsn, **_connect_arguments())
                try:
                    connection.add_termination_listener(lambda _, lost=lost: lost.set())
                    await connection.add_listener(ORDERS_CHANNEL, lambda *_: self._rung.set())
                    self._rung.set()
                    await lost.wait()
                finally:
                    connection.terminate()
            except UNREACHABLE as error:
                heed_cancellation()
                _log.warning("orders_not_listened_for", error=repr(error))
            await asyncio.sleep(self._terms.retry_ms / 1000)


def _connect_arguments() -> dict[str, object]:
    """Bounded statements and idle transactions, and plans that stay plans by key however small the register once was."""
    limit = str(STATEMENT_TIMEOUT_MS)
    return {
        "timeout": CONNECT_TIMEOUT_S,
        "command_timeout": COMMAND_TIMEOUT_S,
        "server_settings": {
            "application_name": "kopeck-delivery",
            "statement_timeout": limit,
            "idle_in_transaction_session_timeout": limit,
            "enable_seqscan": "off",
        },
    }


async def _close(pool: Pool) -> None:
    """Close in order, or at once when the server is gone."""
    try:
        await asyncio.wait_for(pool.close(), CONNECT_TIMEOUT_S)
    except UNREACHABLE:
        pool.terminate()
