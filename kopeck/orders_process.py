"""The orders process: ``python -m kopeck.orders_process``, a child of kopeck/supervisor.py.

It runs the consumers whose effects are orders (receipts, settlement, webhooks) or second halves of entries (reassignments), cuts
orders of transfers when their time comes, books what acquirers gave back, and orders what has waited for a table.
kopeck/delivery_process.py takes them outside.
"""

import asyncio

import msgspec
import structlog
import uvloop

from kopeck.child_log import start_log
from kopeck.clock import utc_now
from kopeck.supervisor import Lifeline
from services.fiscal.consumer import FiscalConsumer
from services.fiscal.keeper import keep_receipts
from services.lag import LagGauges
from services.runner import Consumer, Runner
from services.sealing import Sealer
from services.settlement.acquirer_refunds import keep_booking_acquirer_refunds
from services.settlement.consumer import SettlementConsumer
from services.settlement.pace import keep_settling
from services.settlement.reassignments import ReassignmentConsumer
from services.webhooks.consumer import WebhooksConsumer

_log = structlog.get_logger("kopeck.orders")


class OrdersProcessOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent tells the process. ``cut_every_s``: cuts so often beside those at the bank's times; 0 for none.

    ``personal_keys`` unseal the names of payers who get money back (kopeck/personal_key.py): without them their orders wait.
    """

    services_dsn: str
    cut_every_s: int
    personal_keys: tuple[str, ...] = ()
    log_level: str

    def __repr__(self) -> str:
        """Show no password."""
        return "OrdersProcessOrders(…)"


async def _work(lifeline: Lifeline, orders: OrdersProcessOrders) -> None:
    lifeline.watch()
    dsn, stop = orders.services_dsn, lifeline.stop
    consumers: list[Consumer] = [FiscalConsumer(), SettlementConsumer(), ReassignmentConsumer(), WebhooksConsumer()]
    runner = Runner(dsn, consumers, hooks=LagGauges())
    sealer = Sealer(tuple([bytes.fromhex(key) for key in orders.personal_keys])) if orders.personal_keys else None
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(runner.run())
        tasks.create_task(keep_settling(dsn, utc_now, stop, every_s=orders.cut_every_s, sealer=sealer))
        tasks.create_task(keep_booking_acquirer_refunds(dsn, utc_now, stop))
        tasks.create_task(keep_receipts(dsn, utc_now, stop))
        lifeline.ready()
        _log.info("orders_ready")
        await stop.wait()
        runner.stop()
    _log.info("orders_stopped")


def main() -> None:
    """Work until the parent says stop or is gone."""
    lifeline = Lifeline()
    orders = msgspec.json.decode(lifeline.settings, type=OrdersProcessOrders)
    start_log(orders.log_level)
    uvloop.run(_work(lifeline, orders))


if __name__ == "__main__":
    main()
