"""The workers process: ``python -m kopeck.workers_process``, a child of kopeck/supervisor.py.

It runs the consumers of the ledger, rebuilds tables that a load changed or whose dates come due, and rolls bank days.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import msgspec
import structlog
import uvloop
from services.days import roll_days

from kopeck.child_log import start_log
from kopeck.clock import utc_now
from kopeck.supervisor import Lifeline
from ledger.publication import publish_due
from services.balances.consumer import BalancesConsumer
from services.lag import LagGauges
from services.postings.consumer import PostingsConsumer
from services.runner import Runner

PUBLISHER = "workers"
PUBLISH_EVERY_S = 3.0
ROLL_EVERY_S = 20.0
CONNECT_TIMEOUT_S = 10

_log = structlog.get_logger("kopeck.workers")

Chore = Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[None]]


class WorkersOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent tells the workers."""

    services_dsn: str
    log_level: str

    def __repr__(self) -> str:
        """Show no password."""
        return "WorkersOrders(…)"


async def _publish(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    report = await publish_due(connection, utc_now(), PUBLISHER)
    if report.published:
        _log.info("tables_published", accounts=report.published)
    if report.failed:
        _log.error("tables_failed", accounts=len(report.failed), first=str(report.failed[0]))


async def _roll(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    for rolled in await roll_days(connection, utc_now()):
        _log.info("bank_day_closed", transit=rolled.transit, day=str(rolled.day), cut=rolled.cut)


async def _repeat(orders: WorkersOrders, stop: asyncio.Event, every_s: float, chore: Chore) -> None:
    """Do a chore again and again on one connection; a lost connection is opened anew at the next turn."""
    connection = None
    while not stop.is_set():
        try:
            if connection is None or connection.is_closed():
                connection = await asyncpg.connect(orders.services_dsn, timeout=CONNECT_TIMEOUT_S)
            await chore(connection)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("chore_failed", chore=chore.__name__, error=repr(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)
    if connection is not None:
        await connection.close()


async def _work(lifeline: Lifeline, orders: WorkersOrders) -> None:
    lifeline.watch()
    runner = Runner(orders.services_dsn, [BalancesConsumer(), PostingsConsumer()], hooks=LagGauges())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(runner.run())
        tasks.create_task(_repeat(orders, lifeline.stop, PUBLISH_EVERY_S, _publish))
        tasks.create_task(_repeat(orders, lifeline.stop, ROLL_EVERY_S, _roll))
        lifeline.ready()
        _log.info("workers_ready")
        await lifeline.stop.wait()
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
