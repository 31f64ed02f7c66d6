"""Work on a run done in parts, by several connections of this process or by several processes with a connection each."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any, Protocol, TypeVar

import asyncpg
import msgspec

from ledger.statements import load_statements
from services.billing.runs.sources import Connection

SQL = load_statements("services/billing/runs/spreading.sql")
WORKERS = 2
"""Connections of one process where no processes are given: one computes while the other waits for PostgreSQL."""

PARTS_APART_MIN = 2
GARBAGE_OBJECTS = 100_000
"""Rows by the thousand are made and let go at once: looking for cycles among them every 700 objects took a third of the time."""

Progress = Callable[[int], None]
Part = TypeVar("Part", contravariant=True)
Done = TypeVar("Done", covariant=True)


async def commit_lazily(connection: Connection) -> None:
    """Let this transaction's commit not wait for the disk: what a crash takes away of it is done again, whole.

    Whatever is committed after it and does wait (a payment by a table published here, the run's next state) makes it durable too.
    """
    await connection.execute(SQL["commit_lazily"])


class Job(Protocol[Part, Done]):
    """What is done for a part; it tells how many more accounts or houses are done. Picklable where processes are to do it."""

    def __call__(self, connection: Connection, part: Part, progress: Progress, /) -> Awaitable[Done]: ...


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Processes that do parts: ``workers`` of ``executor``, each with its own connections to ``dsn`` (the services' rights)."""

    executor: Executor
    dsn: str
    workers: int


async def do_parts(
    where: "tuple[asyncpg.Pool[Any], Spread | None]", parts: Sequence[Part], job: Job[Part, Done], progress: Progress
) -> list[Done]:
    """Do every part, several at a time; what they came to, in the order they ended. The first error ends it.

    One part is done here: a process takes longer to start.
    """
    pool, spread = where
    waiting, done = iter(parts), list[Done]()
    if spread is None or len(parts) < PARTS_APART_MIN:
        workers = [_work_here(pool, waiting, job, (done, progress)) for _ in range(WORKERS)]
    else:
        workers = [_work_apart(spread, waiting, job, (done, progress)) for _ in range(spread.workers)]
    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(worker)
    return done


async def _work_here(
    pool: "asyncpg.Pool[Any]", waiting: Iterator[Part], job: Job[Part, Done], told: tuple[list[Done], Progress]
) -> None:
    done, progress = told
    async with pool.acquire() as connection:
        for part in waiting:
            done.append(await job(connection, part, progress))


async def _work_apart(spread: Spread, waiting: Iterator[Part], job: Job[Part, Done], told: tuple[list[Done], Progress]) -> None:
    done, progress = told
    for part in waiting:
        answer, many = await asyncio.get_running_loop().run_in_executor(spread.executor, _do_apart, spread.dsn, job, part)
        done.append(answer)
        progress(many)


def _do_apart(dsn: str, job: Job[Part, Done], part: Part) -> tuple[Done, int]:
    """Do one part in this process, on a connection of its own; what it came to and how many it told of."""
    told: list[int] = []
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)

    async def work() -> Done:
        connection = await asyncpg.connect(dsn)
        try:
            return await job(connection, part, told.append)
        finally:
            await connection.close()

    return asyncio.run(work()), sum(told)
