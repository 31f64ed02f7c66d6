"""How fast a month is drafted, checked, approved and published with its tables, and how much memory it takes.

``python -m loadtests.bench_months [--accounts N] [--services N] [--months N] [--seed N]``: an embedded PostgreSQL of its own
with fsync on, a made-up stock, a calculation that costs next to nothing (``months_town.py``). Accounts of the first month have no
history; those of each later one have the months before it, unpaid.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Awaitable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias, TypeVar

import asyncpg

from kopeck.billing_shown import progress_bar
from kopeck.clock import utc_now
from kopeck.config import Config
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.servers import Connections, start_servers
from ledger.journal import create_ledger
from ledger.migrate import migrate, set_role_passwords
from loadtests.cpu import cpu_ms, parent_of
from loadtests.memory import watch_memory
from loadtests.months_town import PROVIDER, RECIPIENTS, SERVICES, SQL, TownReading, town_lines
from services.billing.runs.checking import check_run
from services.billing.runs.drafting import Drafting, draft_run
from services.billing.runs.keeping import Person, Scope, approve_run, begin_run
from services.billing.runs.publishing import Publishing, publish_run
from services.billing.runs.spreading import Spread

FIRST_PERIOD = 202610
CONNECTIONS_MAX = 8
MEBIBYTE = 1 << 20
ACCOUNTS_AT_ONCE = 100_000

Answer = TypeVar("Answer")
Pool: TypeAlias = "asyncpg.Pool[Any]"


def due_date(period: int, issued_on: date) -> date:
    """The fifteenth of the month that follows the period, however late it is issued."""
    year, month = divmod(period, 100)
    return date(year + month // 12, month % 12 + 1, 15)


class Bench:
    """One town's months, each step timed."""

    def __init__(self, where: tuple[Pool, Spread | None], owner: Any, options: argparse.Namespace) -> None:
        self.pool, self.spread = where
        self.owner = owner
        self.reading = TownReading(accounts=options.accounts, services=options.services, seed=options.seed)
        self.accounts = options.accounts
        self.total_s = 0.0

    async def found(self) -> None:
        """Make the ledger and its accounts."""
        await create_ledger(self.owner, 1)
        await self.owner.execute(SQL["recipients"], RECIPIENTS)
        with progress_bar("accounts", self.accounts) as advance:
            for first in range(1, self.accounts + 1, ACCOUNTS_AT_ONCE):
                last = min(first + ACCOUNTS_AT_ONCE - 1, self.accounts)
                await self.owner.execute(SQL["accounts"], first, last, timeout=600)
                advance(last - first + 1)
        await self.owner.execute(SQL["analyze"])

    async def month(self, period: int) -> None:
        """Draft, check, approve and publish."""
        print(f"{period}:")
        self.total_s = 0.0
        moment = utc_now()
        async with self.pool.acquire() as connection:
            scope = Scope(provider=PROVIDER, period=period)
            run = await self.timed("begin", begin_run(connection, self.reading, scope, Person(name="anna", at=moment)))
        with progress_bar("houses", len(await self.reading.list_houses(self.owner, PROVIDER, period))) as advance:
            drafting = Drafting(reading=self.reading, calculating=town_lines, spread=self.spread)
            await self.timed("draft", draft_run(self.pool, run, drafting, advance))
        async with self.pool.acquire() as connection:
            report = await self.timed("checks", check_run(connection, run, moment))
            assert not [kind for kind in report.kinds if kind.severity == "error"], report.kinds
            await self.timed("approve", approve_run(connection, run, Person(name="boris", at=moment)))
        with progress_bar("accounts", self.accounts) as advance:
            publishing = Publishing(due_date=due_date, clock=utc_now, progress=advance, spread=self.spread)
            published = await self.timed("publish", publish_run(self.pool, run, publishing))
        sums = await self.owner.fetchrow(SQL["check_sums"], run, period)
        assert published.published == sums["published"] == self.accounts and not published.parked_count, published
        assert sums["documents"] == sums["houses"] == sums["charges"], dict(sums)
        print(f"  in all {self.total_s:.1f} s, {self.accounts / self.total_s:.0f} accounts/s")

    async def timed(self, what: str, work: Awaitable[Answer]) -> Answer:
        """Do a step and print how long it took, and the CPU of everything this process has started."""
        server = parent_of(self.owner.get_server_pid())
        started, before = perf_counter(), (cpu_ms([os.getpid()]), cpu_ms([server]))
        answer = await work
        seconds, after = perf_counter() - started, (cpu_ms([os.getpid()]), cpu_ms([server]))
        self.total_s += seconds
        all_, of_server = ((end - start) * 1_000 / self.accounts for start, end in zip(before, after, strict=True))
        cpu = f"{all_:.0f} µs of CPU an account, PostgreSQL's {of_server:.0f}"
        print(f"  {what}: {seconds:.1f} s, {self.accounts / seconds:.0f} accounts/s, {cpu}", flush=True)
        return answer


async def _run(connections: Connections, options: argparse.Namespace, spread: Spread | None) -> None:
    owner = await asyncpg.connect(connections.owner_dsn)
    await migrate(owner)
    await set_role_passwords(owner, dict(connections.role_passwords))
    async with asyncpg.create_pool(connections.services_dsn, min_size=1, max_size=CONNECTIONS_MAX) as pool:
        bench = Bench((pool, spread), owner, options)
        await bench.found()
        with watch_memory(os.getpid()) as peak:
            for number in range(options.months):
                await bench.month(FIRST_PERIOD + number)
    sizes = (peak.together, peak.python, peak.postgres)
    together, python, postgres = (size // MEBIBYTE for size in sizes)
    print(f"memory at its peak: {together} MiB; Python {python}, PostgreSQL {postgres}")
    for row in await owner.fetch(SQL["sizes"]):
        print(f"  {row['name']}: {row['bytes'] / options.accounts:.0f} bytes an account")
    await owner.close()


def main() -> None:
    """Start a server of its own, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--services", type=int, default=len(SERVICES))
    parser.add_argument("--months", type=int, default=1, choices=(1, 2, 3))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, help="processes; 0: everything in this one")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp())
        # A temporary folder alone would leave the cluster, which to root stands elsewhere: gigabytes a run.
        stack.callback(clean_folder, folder)
        connections = stack.enter_context(start_servers(folder, Config(data_dir=folder))).connections
        spread = None
        if options.workers:
            executor = stack.enter_context(ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")))
            spread = Spread(executor=executor, dsn=connections.services_dsn, workers=options.workers)
        asyncio.run(_run(connections, options, spread))


if __name__ == "__main__":
    main()
