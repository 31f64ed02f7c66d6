"""The delivery process: ``python -m kopeck.delivery_process``, a child of kopeck/supervisor.py.

It speaks with the outside: delivers whatever waits for the counterparties that are configured, and reads the statements that
clearing does not read (kopeck/intake_process.py) for what became of transfers. Orders of a counterparty that is not configured
keep waiting.
"""

import asyncio
import os
import secrets
from contextlib import AsyncExitStack

import asyncpg
import msgspec
import structlog
import uvloop

from connectors.webhooks.addresses import PUBLIC_ONLY, AddressRules
from connectors.webhooks.receiver import WebhookReceiver
from kopeck.child_log import start_log
from kopeck.clock import utc_now
from kopeck.connections import open_routes
from kopeck.counterparties import CounterpartiesFile
from kopeck.desks import make_desks
from kopeck.supervisor import Lifeline
from services.delivery.http import HttpExchange, HttpTerms
from services.delivery.line import Route
from services.delivery.metrics import DeliveryMetrics
from services.delivery.worker import Worker, WorkerTerms
from services.letters import COUNTERPARTY as MAIL
from services.settlement.reading import keep_reading
from services.webhooks.endpoints import counterparty_of, target_finder
from services.webhooks.guarded import GuardedResolver
from services.webhooks.roster import keep_serving
from services.webhooks.sealing import Sealer

POOL_CONNECTIONS_MAX = 4
NICENESS = 10
"""Where processors are short, payments are answered and orders made first: an order that is made is not lost, only later."""

_log = structlog.get_logger("kopeck.delivery")


class DeliveryOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the parent tells the process.

    ``local_webhooks``: the demo's receivers are on loopback, over plain http. ``cleared``: transit accounts whose statements
    clearing reads: each is read by one process only.
    """

    services_dsn: str
    counterparties: CounterpartiesFile
    local_webhooks: bool
    log_level: str
    cleared: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Show no password."""
        return "DeliveryOrders(…)"


class _Webhooks:
    """Makes workers for the endpoints there are; nobody's when there is no key to unseal secrets with."""

    def __init__(
        self,
        orders: DeliveryOrders,
        pool: "asyncpg.Pool[asyncpg.Record]",
        exchange: HttpExchange,
        metrics: DeliveryMetrics,
    ) -> None:
        self._dsn = orders.services_dsn
        self._metrics = metrics
        self._sealer = Sealer(tuple(bytes.fromhex(key) for key in orders.counterparties.webhook_keys))
        self._rules = webhook_rules(local=orders.local_webhooks)
        self._pool = pool
        self._exchange = exchange

    def worker(self, endpoints: tuple[int, ...]) -> Worker:
        """Return a worker that serves these endpoints."""
        routes = [Route(name=counterparty_of(one), counterparty=self._receiver(one)) for one in endpoints]
        return Worker(self._dsn, routes, make_desks(), terms=_terms(), hooks=self._metrics)

    def _receiver(self, endpoint: int) -> WebhookReceiver:
        find = target_finder(self._pool, endpoint, self._sealer, utc_now)
        return WebhookReceiver(self._exchange, find, utc_now, self._rules)


def webhook_rules(*, local: bool) -> AddressRules:
    """Return where webhooks may go; the demo's receivers stand on loopback."""
    return AddressRules(http=True, networks=("127.0.0.0/8",)) if local else PUBLIC_ONLY


def _terms() -> WorkerTerms:
    return WorkerTerms(draw=secrets.SystemRandom().randrange)


async def _work(lifeline: Lifeline, orders: DeliveryOrders) -> None:
    lifeline.watch()
    dsn, stop = orders.services_dsn, lifeline.stop
    async with AsyncExitStack() as stack:
        opened = await open_routes(orders.counterparties, stack)
        routes = opened.routes
        statements = {account: source for account, source in opened.statements.items() if account not in orders.cleared}
        metrics = DeliveryMetrics()
        letters = any(route.name == MAIL for route in routes)
        worker = Worker(dsn, routes, make_desks(letters=letters), terms=_terms(), hooks=metrics)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(worker.run())
            tasks.create_task(keep_reading(dsn, statements, utc_now, stop))
            if orders.counterparties.webhook_keys:
                tasks.create_task(_serve_webhooks(orders, metrics, stop))
            lifeline.ready()
            _log.info("delivery_ready", counterparties=[route.name for route in routes])
            await stop.wait()
            worker.stop()
    _log.info("delivery_stopped")


async def _serve_webhooks(orders: DeliveryOrders, metrics: DeliveryMetrics, stop: asyncio.Event) -> None:
    terms = HttpTerms(resolver=GuardedResolver(webhook_rules(local=orders.local_webhooks)))
    pool = asyncpg.create_pool(orders.services_dsn, min_size=0, max_size=POOL_CONNECTIONS_MAX)
    async with pool, HttpExchange(terms) as exchange:
        await keep_serving(orders.services_dsn, _Webhooks(orders, pool, exchange, metrics).worker, stop)


def main() -> None:
    """Work until the parent says stop or is gone."""
    lifeline = Lifeline()
    orders = msgspec.json.decode(lifeline.settings, type=DeliveryOrders)
    start_log(orders.log_level)
    os.nice(NICENESS)
    uvloop.run(_work(lifeline, orders))


if __name__ == "__main__":
    main()
