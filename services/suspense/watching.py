"""What runs beside the consumer: arrivals in other books are brought, and the queue is measured, until the house stops."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import asyncpg
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Gauge

from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from services.suspense.arrivals import bring_arrivals
from services.suspense.core.terms import clarify_term
from services.suspense.decisions import note_withdrawn
from services.suspense.queue import Figures, fetch_figures

ARRIVALS_EVERY_S = 1.0
MEASURE_EVERY = 15
"""The queue is measured at every so many turns."""
CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_MS = 5_000
"""No transaction on the ledger's tables stays open longer (design W3)."""

_log = structlog.get_logger("kopeck.suspense")


class SuspenseGauges:
    """Gauges of the queue: how many items and kopecks wait, how old the oldest is, whether its term has passed."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        def gauge(name: str, what: str) -> Gauge:
            return Gauge(f"kopeck_suspense_{name}", what, registry=registry, multiprocess_mode="mostrecent")

        self._items = gauge("items", "Items that wait for a decision.")
        self._amount = gauge("kopecks", "Kopecks that wait for a decision.")
        self._oldest = gauge("oldest_seconds", "Age of the oldest waiting item, since the payer's act.")
        self._overdue = gauge("oldest_is_overdue", "1 when the oldest item waits longer than five working days.")
        self._on_their_way = gauge("on_their_way", "Releases that have departed for another book and not arrived.")
        self._overdrawn = gauge("overdrawn_kopecks", "Kopecks taken from items above what they had; an alarm above 0.")

    def show(self, figures: Figures, now: datetime) -> None:
        """Show the queue as it stood at ``now``."""
        self._items.set(figures.items)
        self._amount.set(figures.amount)
        oldest = figures.oldest_at
        self._oldest.set(0 if oldest is None else max(0.0, (now - oldest).total_seconds()))
        day, today = figures.oldest_day, now.astimezone(MOSCOW).date()
        self._overdue.set(day is not None and clarify_term(day, today).overdue)
        self._on_their_way.set(figures.on_their_way)
        self._overdrawn.set(figures.overdrawn)


async def keep_suspense(
    dsn: str, clock: Callable[[], datetime], stop: asyncio.Event, gauges: SuspenseGauges | None = None
) -> None:
    """Bring arrivals and measure until ``stop``; a lost connection is opened anew at the next turn."""
    connection: Connection | None = None
    turn = 0
    while not stop.is_set():
        try:
            if connection is None or connection.is_closed():
                settings = {"statement_timeout": str(STATEMENT_TIMEOUT_MS), "enable_seqscan": "off"}
                connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, server_settings=settings)
            await bring_arrivals(connection)
            await note_withdrawn(connection)
            if gauges is not None and turn % MEASURE_EVERY == 0:
                gauges.show(await fetch_figures(connection), clock())
            turn += 1
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("suspense_not_kept", error=repr(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), ARRIVALS_EVERY_S)
    if connection is not None:
        connection.terminate()
