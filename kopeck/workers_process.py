"""The workers process: ``python -m kopeck.workers_process``, a child of kopeck/supervisor.py.

It runs the consumers of the ledger whose effects are read models, rebuilds tables that a load changed or whose dates come due,
brings released money to its account, rolls bank days, and watches what reconciliation waits for.
"""

import asyncio
from contextlib import suppress

import asyncpg
import msgspec
import structlog
import uvloop

from kopeck.child_log import start_log
from kopeck.clock import utc_now
from kopeck.supervisor import Lifeline
from ledger.feed import Connection
from ledger.publication import publish_due
from services.balances.consumer import BalancesConsumer
from services.clearing.consumer import ClearingConsumer
from services.days import keep_rolling
from services.lag import LagGauges
from services.postings.consumer import PostingsConsumer
from services.reconciliation.watching import BacklogGauges, keep_watching
from services.runner import Pace, Runner
from services.suspense.consumer import SuspenseConsumer
from services.suspense.watching import SuspenseGauges, keep_suspense

PUBLISHER = "workers"
PUBLISH_EVERY_S = 3.0
CONNECT_TIMEOUT_S = 10
STATEMENT_TIMEOUT_MS = 5_000
"""No transaction on the ledger's tables stays open longer (design W3)."""
WATCHED = Pace(is_durable=False)
UNHURRIED = Pace(is_durable=False, rest_ms=500)
"""Read models: a person watches the first two; the others serve work by the day, in fewer, larger passages."""

_log = structlog.get_logger("kopeck.workers")


class WorkersOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent tells the workers."""

    services_dsn: str
    log_level: str

    def __repr__(self) -> str:
        """Show no password."""
        return "WorkersOrders(…)"


async def _keep_publishing(dsn: str, stop: asyncio.Event) -> None:
    """Publish due tables until ``stop``; a lost connection is opened anew at the next turn."""
    connection: Connection | None = None
    while not stop.is_set():
        try:
            if connection is None or connection.is_closed():
                connection = await asyncpg.connect(
                    dsn, timeout=CONNECT_TIMEOUT_S, server_settings={"statement_timeout": str(STATEMENT_TIMEOUT_MS)}
                )
            await _publish(connection)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("tables_not_published", error=repr(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PUBLISH_EVERY_S)
    if connection is not None:
        connection.terminate()


async def _publish(connection: Connection) -> None:
    try:
        report = await publish_due(connection, utc_now(), PUBLISHER)
    except LookupError as error:
        _log.warning("tables_not_published", error=str(error))
        return
    if report.published:
        _log.info("tables_published", accounts=report.published)
    if report.failed:
        _log.error("tables_failed", accounts=len(report.failed), first=str(report.failed[0]))


async def _work(lifeline: Lifeline, orders: WorkersOrders) -> None:
    lifeline.watch()
    dsn, stop = orders.services_dsn, lifeline.stop
    hooks = LagGauges()
    runners = (
        Runner(dsn, [BalancesConsumer(), PostingsConsumer()], hooks=hooks, pace=WATCHED),
        Runner(dsn, [ClearingConsumer(), SuspenseConsumer()], hooks=hooks, pace=UNHURRIED),
    )
    async with asyncio.TaskGroup() as tasks:
        for runner in runners:
            tasks.create_task(runner.run())
        tasks.create_task(_keep_publishing(dsn, stop))
        tasks.create_task(keep_rolling(dsn, utc_now, stop))
        tasks.create_task(keep_suspense(dsn, utc_now, stop, SuspenseGauges()))
        tasks.create_task(keep_watching(dsn, utc_now, stop, BacklogGauges()))
        lifeline.ready()
        _log.info("workers_ready")
        await stop.wait()
        for runner in runners:
            runner.stop()
    _log.info("workers_stopped")


def main() -> None:
    """Work until the parent says stop or is gone."""
    lifeline = Lifeline()
    orders = msgspec.json.decode(lifeline.settings, type=WorkersOrders)
    start_log(orders.log_level)
    uvloop.run(_work(lifeline, orders))


if __name__ == "__main__":
    main()
