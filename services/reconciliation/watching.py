"""What reconciliation waits for is measured, and what the bank tells late of closed days is told of, until the house stops."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

import asyncpg
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Gauge

from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from services.reconciliation.backlog import Backlog, list_backlog
from services.reconciliation.signed import SQL

LATE_EVERY_S = 15.0
MEASURE_EVERY = 20
"""The backlog, which reads the journal since the last closed day, is measured at every so many turns."""
CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_MS = 5_000
"""No transaction on the ledger's tables stays open longer (design W3)."""

_log = structlog.get_logger("kopeck.reconciliation")


class BacklogGauges:
    """Gauges of every transit account that has an open day, by its number."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        def gauge(name: str, what: str) -> Gauge:
            return Gauge(f"kopeck_reconciliation_{name}", what, ("transit",), registry=registry, multiprocess_mode="mostrecent")

        self._days = gauge("unreconciled_days", "Days that were cut and are not closed by two signatures.")
        self._oldest = gauge("oldest_unreconciled_days", "Calendar days since the oldest of them, 0 when there is none.")
        self._late = gauge("late_items", "News of closed days that fall to a day not closed yet; an alarm above 0.")
        self._promised = gauge("promised_kopecks", "Kopecks promised and not covered, orders left out.")
        self._promise = gauge("oldest_promise_working_days", "Working days since the oldest promise.")

    def show(self, backlogs: Sequence[Backlog], now: datetime) -> None:
        """Show what waits as it stood at ``now``."""
        today = now.astimezone(MOSCOW).date()
        for one in backlogs:
            self._days.labels(one.account).set(one.unreconciled_days)
            since = one.oldest_unreconciled
            self._oldest.labels(one.account).set(0 if since is None else max(0, (today - since).days))
            self._late.labels(one.account).set(one.late_items)
            self._promised.labels(one.account).set(one.promised_kopecks)
            self._promise.labels(one.account).set(one.oldest_promised_working_days)


async def tell_late(connection: Connection, told: set[int]) -> None:
    """Warn of each late item of a day that is not closed yet, once as long as ``told`` is kept."""
    rows = await connection.fetch(SQL["list_late_waiting"])
    for row in rows:
        if row["item"] not in told:
            days = {"day": str(row["day"]), "falls_to": str(row["open_day"])}
            _log.warning(
                "late_item", transit=row["account"], what=row["what"], line=row["line"], statement=row["statement"], **days
            )
    told.clear()
    told.update(row["item"] for row in rows)


async def keep_watching(dsn: str, clock: Callable[[], datetime], stop: asyncio.Event, gauges: BacklogGauges) -> None:
    """Tell and measure until ``stop``; a lost connection is opened anew at the next turn. A start tells of what waits again."""
    connection: Connection | None = None
    told: set[int] = set()
    turn = 0
    while not stop.is_set():
        try:
            if connection is None or connection.is_closed():
                settings = {"statement_timeout": str(STATEMENT_TIMEOUT_MS), "enable_seqscan": "off"}
                connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, server_settings=settings)
            await tell_late(connection, told)
            if turn % MEASURE_EVERY == 0:
                now = clock()
                gauges.show(await list_backlog(connection, now.astimezone(MOSCOW).date()), now)
            turn += 1
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("reconciliation_not_watched", error=repr(error))
        # Books that are not as they must be are no reason to end the consumers that run beside this.
        except (LookupError, ValueError, AssertionError) as error:
            turn += 1
            _log.error("backlog_not_measured", exc_info=error)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LATE_EVERY_S)
    if connection is not None:
        connection.terminate()
