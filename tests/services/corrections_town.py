"""The metered town with closed months: «Анна» calculates and decides, «Борис» approves; nothing stands in for stock or law."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import asyncpg

from kopeck.clock import utc_now
from ledger.journal import create_ledger
from ledger.statements import load_statements
from services.billing.core.checks import Limits
from services.billing.core.engine import calculate_house
from services.billing.corrections.candidates import Search
from services.billing.corrections.comparing import Compared, Comparing
from services.billing.corrections.deciding import Month, find_month
from services.billing.corrections.taking import Taken, Taking, find_corrections, take
from services.billing.reading import StockReading
from services.billing.runs.checking import check_run, fetch_checks
from services.billing.runs.drafting import Drafting, draft_run
from services.billing.runs.keeping import Person, Scope, acknowledge, approve_run, begin_run, close_month
from services.billing.runs.publishing import Publishing, publish_run
from tests.conftest import LedgerDatabase
from tests.services.desk import ACCOUNTS, RECIPIENTS, Desk
from tests.services.housing_town import FILES, Stock
from tests.services.metered_town import FACTS, LAW, Meters

SQL = load_statements("tests/statements/corrections.sql")
TODAY = date(2026, 11, 24)
PRIVATE = ("absences", "acts", "common-property")
"""Files of the housing town that these months do without."""
FIRST = "epd:0001001"


class CorrectionsTown:
    """A ledger with the stock of ``housing_town`` and its meters, one house of which is billed."""

    def __init__(self, database: LedgerDatabase, meters: Meters) -> None:
        self.database = database
        self.meters = meters

    @property
    def connection(self) -> asyncpg.Connection:
        return self.meters.connection

    @property
    def anna(self) -> Person:
        return Person(name="Анна", at=utc_now())

    @property
    def boris(self) -> Person:
        return Person(name="Борис", at=utc_now())

    @asynccontextmanager
    async def pool(self) -> AsyncIterator["asyncpg.Pool[Any]"]:
        pool = await asyncpg.create_pool(self.database.services_dsn, min_size=1, max_size=6)
        try:
            yield pool
        finally:
            pool.terminate()

    async def published(self, period: int, **scope: Any) -> int:
        """A run of the month, or again of what ``scope`` names, to its end; errors are answered for."""
        reading = StockReading(LAW, TODAY)
        drafting = Drafting(reading=reading, calculating=calculate_house)
        given = {"houses": ("01",)} | scope if "accounts" not in scope else scope
        run = await begin_run(self.connection, reading, Scope(provider="uk", period=period, **given), self.anna)
        async with self.pool() as pool:
            await draft_run(pool, run, drafting)
            await check_run(self.connection, run, utc_now(), Limits())
            for finding in (await fetch_checks(self.connection, run)).findings:
                if finding.severity == "error":
                    await acknowledge(self.connection, run, finding.finding, self.boris, "так и должно быть")
            assert await approve_run(self.connection, run, self.boris)
            report = await publish_run(pool, run, Publishing(due_date=LAW.due_date, clock=utc_now, progress=lambda done: None))
        assert report.state == "published" and not report.parked_count, report
        return run

    async def closed(self, *periods: int) -> None:
        """Months published and closed."""
        for period in periods:
            await self.published(period)
            assert await close_month(self.connection, period, self.boris) == ("uk",)

    async def month(self, period: int) -> Month:
        return await find_month(self.connection, "uk", period)

    def search(self, **more: Any) -> Search:
        return Search(**({"law": LAW, "today": TODAY, "margin": timedelta(0)} | more))

    @property
    def comparing(self) -> Comparing:
        return Comparing(law=LAW, today=TODAY, calculating=calculate_house)

    async def find(self, period: int, **more: Any) -> list[Compared]:
        found = find_corrections(self.connection, await self.month(period), self.search(**more), self.comparing)
        return [one async for one in found]

    async def take(
        self, period: int, by: Person | None = None, progress: Callable[[int], None] = lambda done: None, **more: Any
    ) -> Taken:
        search = self.search(**more)
        taking = Taking(search=search, comparing=self.comparing, by=by or self.anna, clock=utc_now, progress=progress)
        async with self.pool() as pool:
            async with pool.acquire() as connection:
                month = await find_month(connection, "uk", period)
            return await take(pool, month, taking)

    async def read(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement of tests/statements/corrections.sql."""
        return [tuple(row) for row in await self.connection.fetch(SQL[statement], *arguments)]

    async def adjustments(self) -> list[tuple[Any, ...]]:
        """(account, service, kind, amount, of_period, in_period) of everything decided."""
        return await self.read("adjustments")

    async def load(self, what: str, content: str) -> None:
        """Load a file of the stock."""
        await self.meters.stock.load(what, content)


async def make_town(database: LedgerDatabase, desk: Desk, without: Sequence[str] = PRIVATE) -> CorrectionsTown:
    """Load the stock and the meters; C1 of account 0001001 has readings of April to August, 3 m³ a month."""
    owner = await asyncpg.connect(database.owner_dsn)
    await create_ledger(owner, 1)
    await owner.execute(SQL["transit"])
    await owner.close()
    await desk.load("recipients", RECIPIENTS)
    await desk.load("accounts", ACCOUNTS + "epd;0001009;;open;person;uk;;;;\n")
    meters = Meters(stock=Stock(desk=desk))
    for what, content in FILES.items():
        if what not in without:
            await meters.stock.load(what, content)
    for what in FACTS:
        await meters.load_facts(what)
    days = [f"2026-{month:02d}-20" for month in range(3, 9)]
    await meters.give("C1", *[(day, str(100 + 3 * place)) for place, day in enumerate(days)])
    return CorrectionsTown(database, meters)
