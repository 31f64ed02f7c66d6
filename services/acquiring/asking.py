"""Lost callbacks are found by asking: orders that are not at rest one by one, and a day's orders of a merchant together.

What the acquirer says goes the way of a callback (schemas.events), under the same keys: asked twice, or told as well, it is once.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import structlog

from connectors.acquiring.rbs_answers import OrderMissing, OrdersPage, OrderStatus, events_of
from connectors.acquiring.rbs_client import RbsClient
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.channel import Channel
from schemas.events import EventTaking
from schemas.ids import ExternalId
from schemas.outcome import Answer
from services.acquiring.orders import STATE_OF, WebOrder, WebState, move_order, order_of

_SQL = load_statements("services/acquiring/acquiring.sql")

ORDERS_AT_ONCE = 50
ASK_EVERY_S = 5.0
AGAIN_FIRST = timedelta(seconds=30)
AGAIN_LAST = timedelta(hours=1)
GRACE = timedelta(hours=1)
"""How long after its page's end an order is still asked about: a payment begun at the last moment ends later."""
SWEEP_EVERY = timedelta(hours=1)
SWEEP_BACK = timedelta(hours=26)
"""A day and what its ends may differ by."""
PAGES_MAX = 1_000
CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_MS = 5_000

log = structlog.get_logger("kopeck.acquiring")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What asking gave: orders answered, payments and events that nobody had told before, orders to ask again."""

    orders: int = 0
    found: int = 0
    again: int = 0

    def __add__(self, other: "Asked") -> "Asked":
        """Add up two rounds."""
        return Asked(orders=self.orders + other.orders, found=self.found + other.found, again=self.again + other.again)


class Asker:
    """Asks one acquirer about one channel's orders."""

    def __init__(self, channel: Channel, client: RbsClient, taking: EventTaking):
        self._channel = channel
        self._client = client
        self._taking = taking

    async def ask_due(self, connection: Connection, now: datetime) -> Asked:
        """Ask about the orders whose time has come; each is put off before it is asked, so a lost asker loses nothing."""
        rows = await connection.fetch(_SQL["lease_due"], self._channel.number, now, ORDERS_AT_ONCE, AGAIN_FIRST, AGAIN_LAST)
        asked = Asked()
        for row in rows:
            asked += await self._ask(connection, order_of(row), now)
        return asked

    async def _ask(self, connection: Connection, order: WebOrder, now: datetime) -> Asked:
        status = await self._client.status(number=order.number)
        if isinstance(status, OrderStatus):
            asked = await self._take(connection, status)
            if not asked.again:
                await move_order(connection, order, (_state(order, status, now), status.order_id, ""), now)
            return asked
        if isinstance(status, OrderMissing) and now > order.expires_at + GRACE:
            await move_order(connection, order, (WebState.EXPIRED, "", ""), now)
            return Asked(orders=1)
        log.info("order.not_told", channel=self._channel.name, order=order.number, answer=type(status).__name__)
        return Asked(again=1)

    async def sweep(self, connection: Connection, since: datetime, until: datetime) -> Asked:
        """Ask about every order of the merchant that changed in [since, until), ours or not."""
        asked = Asked()
        for page in range(PAGES_MAX):
            told = await self._client.last_orders(since, until, page=page)
            if not isinstance(told, OrdersPage):
                log.warning("orders.not_told", channel=self._channel.name, answer=type(told).__name__, reason=told.reason)
                return asked + Asked(again=1)
            for status in told.orders:
                asked += await self._take(connection, status)
            asked += Asked(again=told.unread)
            if not told.has_next:
                return asked
        log.error("orders.too_many", channel=self._channel.name, pages=PAGES_MAX)
        return asked + Asked(again=1)

    async def _take(self, connection: Connection, status: OrderStatus) -> Asked:
        rows = await connection.fetch(_SQL["list_events"], self._channel.space, status.order_id)
        found = again = 0
        for event in events_of(status, [_event(row) for row in rows]):
            outcome = await self._taking.take(self._channel, event)
            found += outcome.answer is Answer.RECORDED
            again |= outcome.answer is Answer.TRY_AGAIN
            if outcome.answer is Answer.RECORDED:
                log.info("event.found", channel=self._channel.name, payment=event.payment, act=event.act.value)
        return Asked(orders=1, found=found, again=int(again))


def _state(order: WebOrder, status: OrderStatus, now: datetime) -> WebState:
    state = STATE_OF[status.state]
    return WebState.EXPIRED if state is WebState.REGISTERED and now > order.expires_at + GRACE else state


def _event(row: Mapping[str, Any]) -> AcquirerEvent:
    return AcquirerEvent(
        act=AcquirerAct(row["act"]),
        payment=ExternalId(row["payment"]),
        key=ExternalId(row["key"]),
        amount_kopecks=row["amount"],
        event_at=None,
        order=row["order_number"],
    )


async def keep_asking(dsn: str, askers: tuple[Asker, ...], clock: Callable[[], datetime], stop: asyncio.Event) -> None:
    """Ask until ``stop``: orders whose time has come every few seconds, the day's orders every SWEEP_EVERY."""
    swept_at: datetime | None = None
    while askers and not stop.is_set():
        now = clock()
        sweeps = swept_at is None or now - swept_at >= SWEEP_EVERY
        try:
            await ask_once(dsn, askers, now, sweeps=sweeps)
            swept_at = now if sweeps else swept_at
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("orders.not_asked", error=repr(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), ASK_EVERY_S)


async def ask_once(dsn: str, askers: tuple[Asker, ...], now: datetime, *, sweeps: bool) -> Asked:
    """One round of all askers on a connection of its own."""
    connection = await asyncpg.connect(
        dsn, timeout=CONNECT_TIMEOUT_S, server_settings={"statement_timeout": str(STATEMENT_TIMEOUT_MS)}
    )
    asked = Asked()
    try:
        for asker in askers:
            asked += await asker.ask_due(connection, now)
            if sweeps:
                asked += await asker.sweep(connection, now - SWEEP_BACK, now)
    finally:
        await connection.close()
    return asked
