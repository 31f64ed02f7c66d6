"""A register of orders on a real ledger, a desk that leaves traces, and workers on it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import asyncpg
import msgspec

from connectors.sandbox.faults import HEALTHY, FaultProfile, FaultyExchange
from kopeck.clock import utc_now
from ledger.feed import Connection
from ledger.statements import load_statements
from loadtests.delivery_fake import FakeConnector, FakeCounterparty
from schemas.delivery import Accepted, Counterparty, Done, OrderNumber, OrderState, Outgoing, Refused
from services.delivery.breaker import BreakerState
from services.delivery.hooks import Hooks, NoHooks, Written
from services.delivery.line import Route
from services.delivery.orders import NewOrder, create_orders
from services.delivery.pace import Pace
from services.delivery.rules import Patience
from services.delivery.store import Measured
from services.delivery.worker import Worker, WorkerTerms
from tests.conftest import LedgerDatabase

SQL = load_statements("tests/statements/delivery.sql")
DEADLINE_S = 20
BANK = "bank"
QUICK = Patience(backoff_ms_min=10, backoff_ms_max=40, quiet_ms=20)
PACE = Pace(lease_ms=600, call_ms_max=5_000, open_ms=50, open_ms_max=100, patience=QUICK)
TERMS = WorkerTerms(draw=Random(7).randrange, poll_ms=50, wake_ms_min=5, retry_ms=50, measure_ms=50)
VARIANTS = {"deduplicates": (True, False), "askable": (False, True), "both": (True, True), "neither": (False, False)}


class TracingDesk:
    """Writes a row for each answer it is told; the same one twice breaks a constraint."""

    def __init__(self) -> None:
        self.broken = False

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        """Write the row, or fail when told to."""
        if self.broken:
            raise ValueError("told to fail")
        await connection.execute(SQL["write_effect"], order.number, order.subject, type(answer).__name__)


class Told(NoHooks):
    """Hooks that remember."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.breakers: list[BreakerState] = []
        self.written: list[Written] = []
        self.queue: Sequence[Measured] = ()
        self.closed: Sequence[str] = ()
        self.losses = 0

    def attempted(self, counterparty: str, outcome: str) -> None:
        self.outcomes.append(outcome)

    def recorded(self, counterparty: str, written: Sequence[Written]) -> None:
        self.written += written

    def lost(self, counterparty: str, orders: int) -> None:
        self.losses += orders

    def breaker(self, counterparty: str, state: BreakerState) -> None:
        self.breakers.append(state)

    def measured(self, measured: Sequence[Measured], closed: Sequence[str]) -> None:
        self.queue, self.closed = measured, closed


class DeliveryHouse(msgspec.Struct, frozen=True, kw_only=True):
    """The register by its owner's and by the services' eyes, and the desk."""

    database: LedgerDatabase
    owner: asyncpg.Connection
    services: asyncpg.Connection
    desk: TracingDesk

    async def order(self, *keys: str, content: str = "", counterparty: str = BANK) -> tuple[OrderNumber, ...]:
        """Create orders of the desk's; the subject is the key's place."""
        orders = [
            NewOrder(what="letter", subject=place, counterparty=counterparty, key=key, content=content.encode())
            for place, key in enumerate(keys, start=1)
        ]
        async with self.services.transaction():
            return await create_orders(self.services, orders)

    async def row(self, key: str) -> Any:
        """An order's row."""
        return await self.owner.fetchrow(SQL["fetch_order"], key)

    async def counts(self) -> dict[OrderState, int]:
        """Orders by state."""
        return {OrderState(row["state"]): row["orders"] for row in await self.owner.fetch(SQL["count_states"])}

    async def effects(self) -> list[tuple[int, str]]:
        """What the desk wrote."""
        return [(row["subject"], row["answer"]) for row in await self.owner.fetch(SQL["list_effects"])]

    def stands(self, key: str, state: OrderState) -> Callable[[], Awaitable[bool]]:
        """Has the order come to this state."""

        async def look() -> bool:
            return (await self.row(key))["state"] == state

        return look

    def all_are(self, state: OrderState) -> Callable[[], Awaitable[bool]]:
        """Have all orders come to this state."""

        async def look() -> bool:
            return set(await self.counts()) == {state}

        return look

    def worker(
        self,
        counterparty: Counterparty,
        *,
        pace: Pace = PACE,
        terms: WorkerTerms = TERMS,
        hooks: Hooks | None = None,
        dsn: str = "",
    ) -> Worker:
        """A worker with one route."""
        routes = [Route(name=BANK, counterparty=counterparty, pace=pace)]
        return Worker(dsn or self.database.services_dsn, routes, {"letter": self.desk}, terms=terms, hooks=hooks)


@asynccontextmanager
async def delivery_house(database: LedgerDatabase) -> AsyncIterator[DeliveryHouse]:
    """Open the register of a fresh ledger."""
    owner = await asyncpg.connect(database.owner_dsn)
    services = await asyncpg.connect(database.services_dsn)
    await owner.execute(SQL["make_desk"])
    yield DeliveryHouse(database=database, owner=owner, services=services, desk=TracingDesk())
    await services.close()
    await owner.close()


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[None]:
    """The worker at work, stopped in order at the end."""
    work = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await asyncio.wait_for(work, DEADLINE_S)


@asynccontextmanager
async def killed(worker: Worker) -> AsyncIterator[None]:
    """The worker at work; at the end its tasks are abandoned where they stand."""
    work = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.wait([work], timeout=DEADLINE_S)


def connector(fake: FakeCounterparty, variant: str = "askable", profile: FaultProfile = HEALTHY, seed: int = 1) -> FakeConnector:
    """A connector to the fake, with faults on the way."""
    deduplicates, can_be_asked = VARIANTS[variant]
    exchange = FaultyExchange(fake, profile, draw=Random(seed).randrange, now=utc_now)
    return FakeConnector(exchange, "https://fake", deduplicates=deduplicates, can_be_asked=can_be_asked)


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the condition holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not await done():
            await asyncio.sleep(0.01)
