"""Stations 3 to 6 put together once, for a process that serves HTTP (serve.py) and for one that does not (intake.py)."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

import msgspec
import structlog

from gateway import metrics
from gateway.aliases import Names, many_named_spaces
from gateway.batcher import Batcher, Beside
from gateway.cache import TableCache, WriteBehind
from gateway.door import Door
from gateway.owned_tasks import OwnedTasks
from gateway.parking import Parking
from gateway.pipeline import Pipeline
from gateway.reader import POSTGRESQL_ERRORS, Reader
from gateway.registers import PayeeRegister
from gateway.settings import GatewaySettings
from gateway.submission import SubmissionQueue
from gateway.tables import TableSource

log = structlog.get_logger("gateway.stations")

NOTIFY_EVERY_S = 0.02
GC_THRESHOLDS = (20_000, 20, 50)
"""A payment leaves no cycles; looking for some after every 700 objects cost a fifth of the process (docs/decisions/0007)."""


class Stores(msgspec.Struct, frozen=True, kw_only=True):
    """Where the stations read and write."""

    reader: Reader
    door: Door
    cache: TableCache


class Stations(msgspec.Struct, frozen=True, kw_only=True):
    """The stations at work; ``batcher`` ends once ``queue`` is closed and empty."""

    queue: SubmissionQueue
    tables: TableSource
    parking: Parking
    pipeline: Pipeline
    names: Names
    batcher: asyncio.Task[None]


@asynccontextmanager
async def open_stores(settings: GatewaySettings) -> AsyncIterator[Stores]:
    """Connect; raises what PostgreSQL raises when it cannot be reached at the start."""
    reader = await Reader.open(settings.gateway_dsn)
    door = Door(settings.gateway_dsn)
    cache = TableCache(settings.redis_url, settings.redis_timeout_s)
    try:
        await door.connect()
        yield Stores(reader=reader, door=door, cache=cache)
    finally:
        await door.close()
        await cache.close()
        await reader.close()


def start_stations(
    settings: GatewaySettings,
    stores: Stores,
    owned: OwnedTasks,
    utc_now: Callable[[], datetime],
    batcher: type[Batcher] = Batcher,
) -> Stations:
    """Start the tasks of the stations, owned by ``owned``."""
    queue = SubmissionQueue(settings.queue_payments_max, settings.batch_entries_max)
    tables = TableSource(stores.cache, stores.reader, utc_now)
    parking = Parking(stores.reader)
    behind = WriteBehind(stores.cache)
    beside = Beside(PayeeRegister(stores.reader), parking, behind)
    running = owned.start("batcher", batcher(settings, queue, stores.door, tables, beside).run())
    owned.start("notify", _notify(beside, stores.reader))
    owned.start("overdue", queue.answer_overdue())
    owned.start("write-behind", behind.run())
    owned.start("tally", metrics.TALLY.run())
    pipeline = Pipeline(queue, settings.books, utc_now)
    names = Names(stores.reader, parking, many_named_spaces(settings.channels))
    return Stations(queue=queue, tables=tables, parking=parking, pipeline=pipeline, names=names, batcher=running)


def settle_memory() -> None:
    """Take what stands at the start out of the collector's sight, and let it look more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


@contextmanager
def settled_memory() -> Iterator[None]:
    """Settle it for as long as the stations are open: the process may have other work before and after."""
    thresholds = gc.get_threshold()
    settle_memory()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


async def _notify(beside: Beside, reader: Reader) -> None:
    """Wake the consumers at most once in 20 ms, on a connection of the reader's, never inside an append (design W3)."""
    told = 0
    while True:
        await asyncio.sleep(NOTIFY_EVERY_S)
        if beside.entries_recorded != told:
            told = beside.entries_recorded
            try:
                await reader.notify()
            except POSTGRESQL_ERRORS as error:
                log.warning("notify.failed", error=type(error).__name__)
