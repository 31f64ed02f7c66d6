"""A worker in a process of its own that kills itself, as nothing can be caught, at a step of a delivery."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from random import Random

import msgspec

from ledger.feed import Connection
from loadtests.delivery_fake import FakeConnector
from schemas.delivery import Accepted, Done, Outgoing, Refused
from schemas.exchange import Exchange, HttpAnswer, HttpRequest
from services.delivery.breaker import BreakerState
from services.delivery.hooks import NoHooks, Written
from services.delivery.http import HttpExchange
from services.delivery.line import Route
from services.delivery.pace import Pace
from services.delivery.worker import Worker, WorkerTerms
from tests.services.delivery_house import BANK, QUICK, VARIANTS, TracingDesk

PACE = Pace(concurrency=3, lease_ms=300, open_ms=50, open_ms_max=100, patience=QUICK)
TERMS = WorkerTerms(draw=Random(3).randrange, poll_ms=20, wake_ms_min=5)


class Death(msgspec.Struct, frozen=True, kw_only=True):
    """Where the process ends: at the ``turn``-th time it comes to ``step``."""

    dsn: str
    url: str
    variant: str
    step: str
    turn: int = 1


class Fate:
    """Counts the times a step is come to; the last one is the process's end."""

    def __init__(self, death: Death) -> None:
        self._death = death
        self._turns = 0

    def at(self, step: str) -> None:
        """Die here if it is time."""
        if step == self._death.step:
            self._turns += 1
            if self._turns == self._death.turn:
                os.kill(os.getpid(), signal.SIGKILL)


class FatalHooks(NoHooks):
    """Comes to the steps between those that connectors and desks see."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate

    def breaker(self, counterparty: str, state: BreakerState) -> None:
        self._fate.at("before the lease")

    def leased(self, counterparty: str, orders: int) -> None:
        self._fate.at("lease and sending committed")

    def attempted(self, counterparty: str, outcome: str) -> None:
        self._fate.at("answer judged, not recorded")

    def recorded(self, counterparty: str, written: Sequence[Written]) -> None:
        self._fate.at("recorded")


class FatalDesk(TracingDesk):
    """Dies before or after its consequences are written, the transaction open."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        """Write the row, if there is time."""
        self._fate.at("state written, not committed")
        await super().settle(connection, order, answer)
        self._fate.at("consequences written, not committed")


def fatal_exchange(exchange: Exchange, fate: Fate) -> Exchange:
    """An exchange with death on both sides of it."""

    async def pass_through(request: HttpRequest) -> HttpAnswer:
        fate.at("before the request" if request.method == "POST" else "before the question")
        answer = await exchange(request)
        fate.at("answer arrived" if request.method == "POST" else "answer to the question arrived")
        return answer

    return pass_through


async def deliver(death: Death) -> None:
    """Work until the step."""
    fate = Fate(death)
    deduplicates, can_be_asked = VARIANTS[death.variant]
    async with HttpExchange() as exchange:
        connector = FakeConnector(fatal_exchange(exchange, fate), death.url, deduplicates=deduplicates, can_be_asked=can_be_asked)
        routes = [Route(name=BANK, counterparty=connector, pace=PACE)]
        await Worker(death.dsn, routes, {"letter": FatalDesk(fate)}, terms=TERMS, hooks=FatalHooks(fate)).run()


if __name__ == "__main__":
    asyncio.run(deliver(msgspec.json.decode(sys.stdin.buffer.read(), type=Death)))
