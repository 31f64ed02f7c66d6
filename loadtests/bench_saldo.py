"""How fast a month's balances are kept as it is closed, and how fast turnover sheets are read.

``python -m loadtests.bench_saldo [--accounts N]``: an embedded PostgreSQL of its own with fsync on; three months of eight
services an account, four accounts of five pay. Charges and payments are written as rows, not through the doors: only balances are
measured.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Awaitable
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import asyncpg

from kopeck.clock import utc_now
from kopeck.config import Config
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.servers import Connections, start_servers
from ledger.feed import Connection
from ledger.journal import create_ledger
from ledger.migrate import migrate, set_role_passwords
from ledger.statements import load_statements
from loadtests.cpu import cpu_ms
from loadtests.months_town import PROVIDER, RECIPIENTS, SERVICES
from loadtests.months_town import SQL as TOWN
from schemas.ids import AccountId
from services.billing.runs.keeping import SQL as KEEPING
from services.billing.runs.keeping import Person, close_month
from services.billing.saldo.filling import Only, fill
from services.billing.saldo.sheet import Ask, Level, read_sheet
from services.billing.saldo.windows import find_provider, from_nothing, month_window

SQL = load_statements("loadtests/statements/bench_saldo.sql")
PERIODS = (202610, 202611, 202612)
BANK_DAYS = (date(2026, 10, 20), date(2026, 11, 20), date(2026, 12, 20))
STATEMENT_S = 900

Answer = TypeVar("Answer")


class Bench:
    """One town; ``timed`` prints what each step took."""

    def __init__(self, owner: Connection, services: Connection, accounts: int) -> None:
        self.owner = owner
        self.services = services
        self.accounts = accounts

    async def found(self) -> None:
        """Make the ledger, its accounts and their houses."""
        await create_ledger(self.owner, 1)
        await self.owner.execute(TOWN["recipients"], RECIPIENTS)
        await self.owner.execute(TOWN["accounts"], 1, self.accounts, timeout=STATEMENT_S)
        await self.owner.execute(SQL["stock"], self.accounts, timeout=STATEMENT_S)
        await self.owner.execute(SQL["payees"], [name for name, *_ in SERVICES], [code for _, _, code, _ in SERVICES])

    async def month(self, place: int) -> None:
        """Charge and pay a month."""
        period = PERIODS[place]
        print(f"{period}:")
        await self.timed("charges written", self.owner.execute(SQL["charges"], period, place, timeout=STATEMENT_S))
        await self.timed("payments written", self.owner.execute(SQL["payments"], period, BANK_DAYS[place], timeout=STATEMENT_S))
        await self.owner.execute(SQL["analyze"])

    async def measure(self) -> None:
        """Close two months, read sheets of closed and open ones."""
        provider = await find_provider(self.services, PROVIDER)
        for place in range(len(PERIODS)):
            await self.month(place)
            await self.services.execute(KEEPING["begin_month"], provider, PERIODS[place])
            await self.sheets(provider, PERIODS[place], "open")
            if place < len(PERIODS) - 1:
                await self.timed("close", close_month(self.services, PERIODS[place], Person(name="boris", at=utc_now())))
                await self.sheets(provider, PERIODS[place], "closed")
        await self.timed("the open month from the first entry on", self.whole(provider))
        for row in await self.owner.fetch(SQL["sizes"]):
            print(f"  saldo.{row['name']}: {row['bytes'] / self.accounts / (len(PERIODS) - 1):.0f} bytes an account and month")

    async def sheets(self, provider: int, period: int, state: str) -> None:
        """Read a month's sheet by service, by house, and the accounts of one house."""
        for level in (Level.SERVICE, Level.HOUSE):
            rows = await self.timed(
                f"{state} sheet by {level.name.lower()}", read_sheet(self.services, self.ask(provider, period, level))
            )
            assert rows and sum(row.opening_debt - row.opening_advance + row.charges + row.paid for row in rows) == sum(
                row.closing_debt - row.closing_advance for row in rows
            )
        house = Only(accounts=tuple(map(AccountId, range(1, 101))))
        asked = Ask(provider=provider, period=period, level=Level.ACCOUNT, only=house)
        rows = await self.timed(f"{state} sheet of 100 accounts", read_sheet(self.services, asked))
        assert len(rows) == min(100, self.accounts)

    async def whole(self, provider: int) -> None:
        """What it costs without closings."""
        async with self.services.transaction():
            await fill(self.services, from_nothing(await month_window(self.services, provider, PERIODS[-1])))

    def ask(self, provider: int, period: int, level: Level) -> Ask:
        """A sheet of all accounts."""
        return Ask(provider=provider, period=period, level=level)

    async def timed(self, what: str, work: Awaitable[Answer]) -> Answer:
        """Do a step and print how long it took, and the CPU of everything this process has started."""
        started, cpu = perf_counter(), cpu_ms([os.getpid()])
        answer = await work
        seconds, cpu = perf_counter() - started, cpu_ms([os.getpid()]) - cpu
        print(f"  {what}: {seconds:.2f} s, {self.accounts / seconds:.0f} accounts/s, CPU {cpu / 1_000:.2f} s", flush=True)
        return answer


async def _run(connections: Connections, accounts: int) -> None:
    owner = await asyncpg.connect(connections.owner_dsn)
    await migrate(owner)
    await set_role_passwords(owner, dict(connections.role_passwords))
    services = await asyncpg.connect(connections.services_dsn)
    bench = Bench(owner, services, accounts)
    await bench.found()
    await bench.measure()
    await services.close()
    await owner.close()


def main() -> None:
    """Start a server of its own, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=50_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        with start_servers(folder, Config(data_dir=folder)) as servers:
            asyncio.run(_run(servers.connections, options.accounts))
    finally:
        # A temporary folder alone would leave the cluster, which to root stands elsewhere: gigabytes a run.
        clean_folder(folder)


if __name__ == "__main__":
    main()
