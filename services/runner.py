"""Runs consumers of the feed: effects and cursor in one transaction, a cursor row a book, woken or polling (design W3, W9).

Two runners of one consumer share the work: the one that finds a cursor locked skips that book. A lost connection, a
restarted PostgreSQL or a failing consumer is waited out with growing delays; nothing is lost, because what was not
committed is simply taken again.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import asyncpg
import msgspec
import structlog

from ledger.feed import Connection, Lag, Passage, list_lags, listen, lock_passage, make_cursors, move_cursor
from schemas.ids import Book

STATEMENT_TIMEOUT_MS = 5_000
"""No transaction of a consumer stays open longer (design W3)."""
CONNECT_TIMEOUT_S = 10
COMMAND_TIMEOUT_S = 10

_log = structlog.get_logger("kopeck.consumers")


class Consumer(Protocol):
    """Folds passages of the feed into effects. ``name`` is its cursor's, for ever."""

    @property
    def name(self) -> str: ...

    async def take(self, connection: Connection, passage: Passage) -> int:
        """Write the passage's effects on the connection, whose transaction is the cursor's; return the entries taken."""
        ...


class Hooks(Protocol):
    """What the runner tells about itself."""

    def lagging(self, consumer: str, lags: Sequence[Lag]) -> None: ...

    def failed(self, consumer: str) -> None: ...


class NoHooks:
    """Tells nobody."""

    def lagging(self, consumer: str, lags: Sequence[Lag]) -> None:
        """Say nothing."""

    def failed(self, consumer: str) -> None:
        """Say nothing."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the runner. ``notified=False`` leaves polling alone to find new entries.

    ``rest_ms`` is the least time between passages while entries trickle: fewer, larger passages cost several times less
    an entry. A passage of ``entries_max`` entries is followed by the next at once.

    ``is_durable=False`` does not wait for the disk at each commit. What a crash then loses is taken again, for effects and
    cursor are lost together, and whoever committed something durable after reading an effect has written it out with his own.
    Not for effects that leave the house.
    """

    entries_max: int = 2_000
    poll_ms: int = 100
    rest_ms: int = 100
    lag_ms: int = 1_000
    retry_ms_min: int = 100
    retry_ms_max: int = 5_000
    notified: bool = True
    is_durable: bool = True


class FeedBroken(RuntimeError):
    """A consumer took another number of entries than the passage holds, or its cursor moved under its lock."""


async def advance(connection: Connection, consumer: Consumer, book: Book, entries_max: int) -> int | None:
    """Take one passage in one transaction; the entries taken, None when another runner holds the cursor."""
    async with connection.transaction():
        passage = await lock_passage(connection, consumer.name, book, entries_max)
        if passage is None or not passage.entries:
            return None if passage is None else 0
        taken = await consumer.take(connection, passage)
        if taken != passage.entries:
            raise FeedBroken(f"{consumer.name} took {taken} entries of {passage}")
        if not await move_cursor(connection, consumer.name, passage):
            raise FeedBroken(f"the cursor of {consumer.name} moved under its lock at {passage}")
    return passage.entries


async def catch_up(connection: Connection, consumer: Consumer, entries_max: int = Pace().entries_max) -> int:
    """Take everything up to the heads, for commands and tests; the entries taken. Books held by others are skipped."""
    total = 0
    for book in await make_cursors(connection, consumer.name):
        while taken := await advance(connection, consumer, book, entries_max):
            total += taken
    return total


class Runner:
    """Runs consumers until it is stopped, each in a task and on a connection of its own."""

    def __init__(self, dsn: str, consumers: Sequence[Consumer], *, hooks: Hooks | None = None, pace: Pace | None = None) -> None:
        self._dsn = dsn
        self._hooks = hooks or NoHooks()
        self._pace = pace or Pace()
        self._stopping = asyncio.Event()
        self._loops = [_ConsumerLoop(self, consumer) for consumer in consumers]

    async def run(self) -> None:
        """Run until ``stop``; the passage under way is finished first."""
        async with asyncio.TaskGroup() as tasks:
            listener = tasks.create_task(self._listen()) if self._pace.notified else None
            loops = [tasks.create_task(loop.run()) for loop in self._loops]
            await asyncio.wait(loops)
            if listener is not None:
                listener.cancel()

    def stop(self) -> None:
        """Ask the runner to end."""
        self._stopping.set()
        self.wake()

    def wake(self, *_: object) -> None:
        """Look for new entries at once."""
        for loop in self._loops:
            loop.awake.set()

    async def connect(self) -> Connection:
        """Open a connection whose statements and idle transactions are bounded, and whose plans stay plans by key.

        A plan made while the journal was small is kept: without the last setting it went on to read the whole journal for
        every passage, at last a third of PostgreSQL's time under load.
        """
        limit = str(STATEMENT_TIMEOUT_MS)
        return await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings={
                "application_name": "kopeck-consumers",
                "statement_timeout": limit,
                "idle_in_transaction_session_timeout": limit,
                "enable_seqscan": "off",
                "synchronous_commit": "on" if self._pace.is_durable else "off",
            },
        )

    async def _listen(self) -> None:
        """Keep one connection listening; while there is none, polling finds the entries."""
        while not self._stopping.is_set():
            lost = asyncio.Event()
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await self.connect()
                try:
                    connection.add_termination_listener(lambda _, lost=lost: lost.set())
                    await listen(connection, self.wake)
                    await lost.wait()
                finally:
                    await _close(connection)
            await asyncio.sleep(self._pace.retry_ms_max / 1000)


class _ConsumerLoop:
    """One consumer's loop: take what is there, else wait to be woken or for the poll."""

    def __init__(self, runner: Runner, consumer: Consumer) -> None:
        self.awake = asyncio.Event()
        self._runner = runner
        self._consumer = consumer
        self._entries_max = runner._pace.entries_max
        self._failures = 0
        self._lag_shown_at = 0.0

    async def run(self) -> None:
        runner, pace, name = self._runner, self._runner._pace, self._consumer.name
        while not runner._stopping.is_set():
            try:
                await self._work()
            # A consumer loop: whatever happens, the entries stay in the journal and must be tried again.
            except Exception as error:
                self._failures += 1
                delay_ms = min(pace.retry_ms_max, pace.retry_ms_min << min(self._failures - 1, 16))
                if isinstance(error, asyncpg.QueryCanceledError | TimeoutError):
                    self._entries_max = max(1, self._entries_max // 2)
                _log.warning("consumer_failed", consumer=name, error=repr(error), failures=self._failures, retry_ms=delay_ms)
                runner._hooks.failed(name)
                await _wait(runner._stopping, delay_ms)

    async def _work(self) -> None:
        """Work on one connection until it fails or the runner stops."""
        runner, pace = self._runner, self._runner._pace
        connection = await runner.connect()
        try:
            books = await make_cursors(connection, self._consumer.name)
            while not runner._stopping.is_set():
                self.awake.clear()
                bound = self._entries_max
                taken = [await advance(connection, self._consumer, book, bound) or 0 for book in books]
                self._failures = 0
                await self._show_lag(connection)
                if any(taken):
                    self._entries_max = min(pace.entries_max, bound * 2)
                    await _wait(runner._stopping, 0 if bound in taken else pace.rest_ms)
                else:
                    await _wait(self.awake, pace.poll_ms)
        finally:
            await _close(connection)

    async def _show_lag(self, connection: Connection) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._lag_shown_at >= self._runner._pace.lag_ms / 1000:
            self._lag_shown_at = now
            self._runner._hooks.lagging(self._consumer.name, await list_lags(connection, self._consumer.name))


async def _wait(event: asyncio.Event, timeout_ms: int) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), timeout_ms / 1000)


async def _close(connection: "asyncpg.Connection[Any]") -> None:
    """Close in order, or at once when the server is gone."""
    try:
        await connection.close(timeout=CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
