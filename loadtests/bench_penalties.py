"""How many accounts a second a run of penalties reads, calculates and charges, on servers of its own.

``python -m loadtests.bench_penalties [--accounts N] [--bills N]``. Every account has so many bills of one creditor, the older
ones overdue; nobody has paid. Publication includes the accounts' tables.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg

from kopeck.clock import utc_now
from kopeck.config import Config
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.servers import Servers, start_servers
from ledger.journal import create_ledger
from ledger.migrate import migrate, set_role_passwords
from ledger.publication import list_accounts, publish_accounts
from ledger.statements import load_statements
from services.billing.law.proposing import load_shipped
from services.billing.law.reading import read_law
from services.billing.penalties.drafting import draft_penalties
from services.billing.penalties.keeping import approve_penalties, begin_penalties, check_penalties, fetch_penalties
from services.billing.penalties.publishing import publish_penalties
from services.billing.runs.keeping import Person
from services.billing.runs.publishing import Publishing

SQL = load_statements("loadtests/statements/bench_penalties.sql")
PERIOD, AS_OF = 202610, date(2026, 10, 31)


async def measure(owner_dsn: str, services_dsn: str, accounts: int, bills: int) -> None:
    """Make the accounts, publish their tables, then time a run."""
    owner = await asyncpg.connect(owner_dsn)
    await create_ledger(owner, 1)
    await owner.execute(SQL["make_accounts"], accounts)
    await owner.execute(SQL["make_charges"], bills)
    await owner.execute(SQL["analyze"])
    async with asyncpg.create_pool(services_dsn, min_size=1, max_size=4) as pool, pool.acquire() as connection:
        await load_shipped(connection, "bench", utc_now())
        async for some in list_accounts(connection, utc_now(), all_accounts=True):
            await publish_accounts(connection, some, utc_now(), "bench")
        law, anna, boris = await read_law(connection), Person(name="Анна", at=utc_now()), Person(name="Борис", at=utc_now())
        run = await begin_penalties(connection, "УО", (PERIOD, AS_OF), anna, utc_now().date())
        await _timed("calculated", accounts, draft_penalties(pool, run, law, lambda done: None))
        await check_penalties(connection, run)
        await approve_penalties(connection, run, boris)
        publishing = Publishing(due_date=law.due_date, clock=utc_now, progress=lambda done: None)
        report = await _timed("charged and published", accounts, publish_penalties(pool, run, publishing))
        known = await fetch_penalties(connection, run)
        assert (report.published, known.bills) == (accounts, accounts * (bills - 1)), (report, known)
    await owner.close()


async def _timed(what: str, accounts: int, work: Any) -> Any:
    started = time.perf_counter_ns()
    answer = await work
    sys.stdout.write(f"{what}: {accounts * 1_000_000_000 // (time.perf_counter_ns() - started):,} accounts/s\n")
    return answer


async def _migrate(servers: Servers) -> None:
    connection = await asyncpg.connect(servers.connections.owner_dsn)
    await migrate(connection)
    await set_role_passwords(connection, servers.connections.role_passwords)
    await connection.close()


def main() -> None:
    """Start servers in a folder of their own and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--bills", type=int, default=6)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        with start_servers(folder, Config(data_dir=folder)) as servers:
            asyncio.run(_migrate(servers))
            dsns = servers.connections.owner_dsn, servers.connections.services_dsn
            asyncio.run(measure(*dsns, options.accounts, options.bills))
    finally:
        # A temporary folder alone would leave the cluster, which to root stands elsewhere: gigabytes a run.
        clean_folder(folder)


if __name__ == "__main__":
    main()
