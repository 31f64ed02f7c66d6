"""A worker of the load of deliveries in a process of its own, to be killed: ``python -m loadtests.delivery_worker``."""

import sys
from random import Random

import msgspec
import structlog
import uvloop

from ledger.feed import Connection
from ledger.statements import load_statements
from loadtests.delivery_fake import FakeConnector
from schemas.delivery import Accepted, Done, Outgoing, Refused
from schemas.exchange import Exchange, ExchangeFailed, HttpAnswer, HttpRequest
from services.delivery.http import HttpExchange, HttpTerms
from services.delivery.line import Route
from services.delivery.pace import Pace
from services.delivery.rules import Patience
from services.delivery.worker import Worker, WorkerTerms

FAULT_HEADER = "x-fault"
"""How the fake's side tells that the exchange failed: ``unsent`` or ``lost``."""
WHAT = "load"
TRAITS = {"deduplicates": (True, False), "askable": (False, True), "neither": (False, False)}
"""Counterparties by what they can do: (deduplicates, can be asked)."""
CONCURRENCY = 48
PACE = Pace(
    concurrency=CONCURRENCY,
    lease_ms=3_000,
    open_ms=100,
    open_ms_max=500,
    patience=Patience(backoff_ms_min=50, backoff_ms_max=1_000, quiet_ms=500),
)

QUIET = 50
"""Below it nothing is logged: parked orders and lost connections are what the load is for."""

_SQL = load_statements("loadtests/statements/deliveries.sql")


class WorkerOrders(msgspec.Struct, frozen=True, kw_only=True):
    """What the load tells a worker; ``url`` is the fakes' without the counterparty's name."""

    services_dsn: str
    url: str
    seed: int


class CountingDesk:
    """Writes one row for an order's end; a second is an error of the database."""

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        """Write the row of an end."""
        if not isinstance(answer, Accepted):
            await connection.execute(_SQL["settle"], order.number)


def faulty(exchange: Exchange) -> Exchange:
    """Turn the fake side's word that an exchange failed into its failure."""

    async def pass_through(request: HttpRequest) -> HttpAnswer:
        answer = await exchange(request)
        if fault := answer.header(FAULT_HEADER):
            raise ExchangeFailed(fault, sent=fault == "lost")
        return answer

    return pass_through


async def _work(orders: WorkerOrders) -> None:
    async with HttpExchange(HttpTerms(connections_max=CONCURRENCY * len(TRAITS))) as exchange:
        routes = [
            Route(
                name=name,
                counterparty=FakeConnector(
                    faulty(exchange), f"{orders.url}/{name}", deduplicates=deduplicates, can_be_asked=can_be_asked
                ),
                pace=PACE,
            )
            for name, (deduplicates, can_be_asked) in TRAITS.items()
        ]
        terms = WorkerTerms(draw=Random(orders.seed).randrange)
        await Worker(orders.services_dsn, routes, {WHAT: CountingDesk()}, terms=terms).run()


def main() -> None:
    """Work until killed."""
    orders = msgspec.json.decode(sys.stdin.buffer.read(), type=WorkerOrders)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(QUIET))
    uvloop.run(_work(orders))


if __name__ == "__main__":
    main()
