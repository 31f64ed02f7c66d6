"""A provider's small town for the month's life: a stock of flats and a calculation that stand in for the real ones."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg

from kopeck.clock import utc_now
from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.core.checks import Limits
from services.billing.core.lines import ChargeLine, Explanation, LineKind
from services.billing.core.month import (
    AccountShare,
    HouseMonth,
    Individual,
    Premises,
    PremisesKind,
    ServiceKind,
    ServiceTerms,
    VolumeSource,
    Zone,
)
from services.billing.core.quantities import MICRO, Area, Price, Ratio, Volume, amount_of
from services.billing.runs.checking import CheckReport, check_run
from services.billing.runs.drafting import Drafting, draft_run
from services.billing.runs.keeping import Person, Scope, approve_run, begin_run
from services.billing.runs.publishing import Clock, Publishing, PublishReport, publish_run
from services.billing.runs.sources import Connection, DueDate, HouseUnreadable
from tests.conftest import LedgerDatabase
from tests.ledger.town import Town

SQL = load_statements("tests/statements/run_town.sql")
OCTOBER, NOVEMBER, DECEMBER = 202610, 202611, 202612
PRICES = {"maintenance": 30_000_000, "heating": 45_500_000, "capital_repair": 12_700_000}
"""Millionths of a rouble for a square metre."""
KINDS = {
    "maintenance": (ServiceKind.MAINTENANCE, "УО", "УО"),
    "heating": (ServiceKind.HEATING, "ТЕПЛО", "УО"),
    "capital_repair": (ServiceKind.CAPITAL_REPAIR, "ФКР", "ФКР"),
}


class Stock:
    """Houses as lists of (account, area in whole square metres); everything may be changed between runs.

    ``prices`` by (service, period); ``unreadable`` houses have no month; ``on_reading`` is told the number of each reading.
    """

    def __init__(self, houses: Mapping[str, Sequence[tuple[str, int]]]) -> None:
        self.houses = {house: list(flats) for house, flats in houses.items()}
        self.prices: dict[tuple[str, int], int] = {}
        self.unreadable: set[str] = set()
        self.on_reading: Callable[[int], None] = lambda number: None
        self.readings = 0
        self.services = tuple(KINDS)

    async def list_houses(self, connection: Connection, provider: str, period: int) -> Sequence[str]:
        return sorted(self.houses)

    async def houses_of(self, connection: Connection, provider: str, period: int, accounts: Sequence[str]) -> Mapping[str, str]:
        return {name: house for house, flats in self.houses.items() for name, _ in flats if name in accounts}

    async def read_houses(
        self, connection: Connection, provider: str, period: int, houses: Sequence[str]
    ) -> Mapping[str, HouseMonth | HouseUnreadable]:
        self.readings += 1
        self.on_reading(self.readings)
        return {
            house: HouseUnreadable("нет площади") if house in self.unreadable else self.month(house, period) for house in houses
        }

    async def number_accounts(self, connection: Connection, provider: str, accounts: Sequence[str]) -> Mapping[str, AccountId]:
        return {row["number"]: row["personal_account"] for row in await connection.fetch(SQL["numbers"], list(accounts))}

    def month(self, house: str, period: int) -> HouseMonth:
        """The house in a period."""
        flats = self.houses[house]
        return HouseMonth(
            house=house,
            period=period,
            days=30,
            area_all=Area(sum(area for _, area in flats) * MICRO),
            area_common=Area(0),
            services=tuple([self._terms(service, period) for service in self.services]),
            premises=tuple([_premises(house, place, *flat) for place, flat in enumerate(flats)]),
        )

    def _terms(self, service: str, period: int) -> ServiceTerms:
        kind, recipient, creditor = KINDS[service]
        price = Price(self.prices.get((service, period), PRICES[service]))
        return ServiceTerms(
            service=service,
            kind=kind,
            title=service,
            unit="м²",
            recipient=recipient,
            creditor=creditor,
            zones=(Zone(zone=0, price=price),),
        )


def _premises(house: str, place: int, account: str, area: int) -> Premises:
    return Premises(
        premises=f"{house}/{place}",
        kind=PremisesKind.FLAT,
        area=Area(area * MICRO),
        residents=Ratio(MICRO),
        owners=1,
        accounts=(AccountShare(account=account),),
        individual=(Individual(service="heating", source=VolumeSource.METER, zones=((0, Volume(MICRO)),)),),
    )


def calculate(house: HouseMonth) -> tuple[ChargeLine, ...]:
    """Every service by the square metre, and every adjustment as it was decided."""
    lines = []
    for premises in house.premises:
        for share in premises.accounts:
            for terms in house.services:
                price = terms.zones[0].price
                lines.append(_line(share.account, terms.service, LineKind.CHARGE, (premises.area, price)))
            for one in share.adjustments:
                explanation = Explanation(formula="перерасчёт", inputs=(), note=one.cause)
                lines.append(
                    ChargeLine(
                        account=share.account,
                        premises=premises.premises,
                        service=one.service,
                        kind=LineKind(one.kind),
                        volume=0,
                        price=0,
                        amount_kopecks=one.amount_kopecks,
                        explanation=explanation,
                        of_period=one.of_period,
                    )
                )
    return tuple(lines)


def _line(account: str, service: str, kind: LineKind, of: tuple[int, int]) -> ChargeLine:
    volume, price = of
    explanation = Explanation(formula="S × T", inputs=(("S", volume), ("T", price)), source=VolumeSource.NORM)
    return ChargeLine(
        account=account,
        premises="",
        service=service,
        kind=kind,
        volume=volume,
        price=price,
        amount_kopecks=amount_of(volume, price),
        explanation=explanation,
    )


def due_date(period: int, issued_on: date | None = None) -> date:
    """The fifteenth of the month that follows the period."""
    year, month = divmod(period, 100)
    return date(year + month // 12, month % 12 + 1, 15)


class RunTown:
    """A ledger, a stock and the people who bill it: «Анна» makes, «Борис» approves."""

    def __init__(self, database: LedgerDatabase, town: Town, stock: Stock) -> None:
        self.database = database
        self.town = town
        self.stock = stock
        self.anna = Person(name="Анна", at=utc_now())
        self.boris = Person(name="Борис", at=utc_now())
        self.due_date: DueDate = due_date
        self.clock: Clock = utc_now

    @property
    def drafting(self) -> Drafting:
        return Drafting(reading=self.stock, calculating=calculate)

    def publishing(self, progress: Callable[[int], None] = lambda done: None, chunk: int = 4) -> Publishing:
        return Publishing(due_date=self.due_date, clock=self.clock, progress=progress, chunk_accounts=chunk)

    @asynccontextmanager
    async def pool(self, **more: Any) -> AsyncIterator["asyncpg.Pool[Any]"]:
        """Connections of the services; they are thrown away at the end, whatever became of them."""
        pool = await asyncpg.create_pool(self.database.services_dsn, min_size=1, max_size=6, **more)
        try:
            yield pool
        finally:
            pool.terminate()

    async def begin(self, period: int, **scope: Any) -> int:
        return await begin_run(self.town.services, self.stock, Scope(provider="УО", period=period, **scope), self.anna)

    async def draft(self, period: int, **scope: Any) -> int:
        run = await self.begin(period, **scope)
        async with self.pool() as pool:
            await draft_run(pool, run, self.drafting)
        return run

    async def check(self, run: int, **limits: int) -> CheckReport:
        return await check_run(self.town.services, run, utc_now(), Limits(**limits))

    async def approved(self, period: int, **scope: Any) -> int:
        run = await self.draft(period, **scope)
        await self.check(run)
        assert await approve_run(self.town.services, run, self.boris)
        return run

    async def publish(self, run: int, chunk: int = 4) -> PublishReport:
        async with self.pool() as pool:
            return await publish_run(pool, run, self.publishing(chunk=chunk))

    async def published(self, period: int, **scope: Any) -> int:
        run = await self.approved(period, **scope)
        report = await self.publish(run)
        assert report.state == "published" and not report.parked_count, report
        return run

    async def account(self, name: str) -> AccountId:
        return (await self.stock.number_accounts(self.town.services, "УО", [name]))[name]

    async def read(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.town.owner.fetch(SQL[statement], *arguments)]


@asynccontextmanager
async def run_town(database: LedgerDatabase, houses: int = 3, flats: int = 4, books: int = 1) -> AsyncIterator[RunTown]:
    """A town of so many houses; account n stands in house (n - 1) // flats + 1."""
    owner, services = await asyncpg.connect(database.owner_dsn), await asyncpg.connect(database.services_dsn)
    town = Town(owner, services)
    await town.found(books=books)
    await town.accounts(1, houses * flats)
    stock = Stock(
        {f"h{house + 1}": [(str(house * flats + flat + 1), 40 + flat) for flat in range(flats)] for house in range(houses)}
    )
    yield RunTown(database, town, stock)
    services.terminate()
    owner.terminate()
