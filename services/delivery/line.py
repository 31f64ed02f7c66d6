"""The line to one counterparty: leases due orders, calls the connector for each, hands the answers to the recorder."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import structlog

from schemas.delivery import Answer, Counterparty, NotTaken, OrderNumber, Unknown
from services.delivery.breaker import Breaker, BreakerState
from services.delivery.calls import UNREACHABLE, Bug, call, heed_cancellation
from services.delivery.desk import Desks
from services.delivery.hooks import Hooks
from services.delivery.pace import LEASE_PARTS, Pace
from services.delivery.recording import RETRY_MS, Answered, Pool, Recorder
from services.delivery.rules import Action, Draw, Rules, Traits, parked, released
from services.delivery.store import Leased, lease, renew

_log = structlog.get_logger("kopeck.delivery")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A counterparty by the name that orders carry, its connector, its limits."""

    name: str
    counterparty: Counterparty
    pace: Pace = Pace()


class Line:
    """Delivers the orders of one route until it is stopped; several workers may have a line to the same counterparty."""

    def __init__(self, route: Route, desks: Desks, pool: Pool, hooks: Hooks, draw: Draw) -> None:
        self.awake = asyncio.Event()
        self.awake.set()
        self._name, self._counterparty, self._pace = route.name, route.counterparty, route.pace
        self._desks, self._pool, self._hooks = desks, pool, hooks
        traits = Traits(deduplicates=route.counterparty.deduplicates, can_be_asked=route.counterparty.can_be_asked)
        self._rules = Rules(traits, route.pace.patience, draw)
        self._breaker = Breaker(route.pace, draw)
        self._recorder = Recorder(route.name, desks, pool, hooks, route.pace.records_max)
        self._recorder.written = self._let_go
        self._held: dict[OrderNumber, Leased] = {}
        self._until_ms: dict[OrderNumber, int] = {}
        self._more = False
        """Whether there may be due orders for which there was no room."""
        self._stopping = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def stop(self) -> None:
        """Lease nothing more; ``run`` returns when what is under way has ended and is recorded."""
        self._stopping.set()
        self.awake.set()

    async def run(self) -> None:
        """Deliver until ``stop``. When cancelled, leases end by themselves and what was being sent counts as unknown."""
        self._hooks.breaker(self._name, self._breaker.state)
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(self._recorder.run()), tasks.create_task(self._keep_renewing())]
            while not self._stopping.is_set():
                self.awake.clear()
                try:
                    await self._take(tasks)
                except UNREACHABLE as error:
                    heed_cancellation()
                    _log.warning("orders_not_leased", counterparty=self._name, error=repr(error))
                    await _wait(self._stopping, RETRY_MS)
                    self.awake.set()
                await _wait(self._stopping, self._pace.rest_ms)
                await self.awake.wait()
            await self._empty.wait()
            for task in beside:
                task.cancel()

    async def _take(self, tasks: asyncio.TaskGroup) -> None:
        """Lease as many due orders as there is room for, and begin an attempt for each."""
        self._more = True
        before = self._breaker.state
        room = self._breaker.allowance(_now_ms(), len(self._held), self._pace.concurrency - len(self._held))
        self._show_breaker(before)
        if room < 1:
            return
        until_ms = _now_ms() + self._pace.lease_ms
        async with self._pool.acquire() as connection:
            taken = await lease(connection, self._name, room, self._pace.lease_ms, self._held)
        self._more = len(taken) == room
        if not taken:
            return
        self._empty.clear()
        for one in taken:
            self._held[one.order.number] = one
            self._until_ms[one.order.number] = until_ms
        self._hooks.leased(self._name, len(taken))
        for one in taken:
            tasks.create_task(self._attempt(one))

    async def _attempt(self, leased: Leased) -> None:
        """Do with one order what the rules say, and hand what became of it to the recorder."""
        stand = leased.stand
        action, why = self._rules.action(stand)
        if leased.what not in self._desks:
            action, why = Action.PARK, f"nobody here owns orders of {leased.what!r}"
        if action is Action.PARK:
            _log.error("order_parked", counterparty=self._name, number=leased.order.number, reason=why)
            self._over("parked", Answered(leased=leased, verdict=parked(stand, why, unknown=stand.unknown)))
        elif self._stopping.is_set() or self._is_late(leased):
            self._over("released", Answered(leased=leased, verdict=released(stand)))
        else:
            await self._deliver(leased, action)

    async def _deliver(self, leased: Leased, action: Action) -> None:
        """Call the connector."""
        method = self._counterparty.send if action is Action.SEND else self._counterparty.ask
        try:
            answer = await call(method, leased.order, self._pace.call_ms_max)
        except Bug as bug:
            _log.error("order_parked", counterparty=self._name, number=leased.order.number, reason=bug.reason, exc_info=bug)
            unknown = leased.stand.unknown or action is Action.SEND
            self._over("bug", Answered(leased=leased, verdict=parked(leased.stand, bug.reason, unknown=unknown)))
            return
        self._judge_transport(action, answer)
        verdict = self._rules.verdict(leased.stand, action, answer)
        self._over(type(answer).__name__.lower(), Answered(leased=leased, verdict=verdict, answer=answer))

    def _over(self, outcome: str, answered: Answered) -> None:
        self._hooks.attempted(self._name, outcome)
        self._recorder.put(answered)

    def _judge_transport(self, action: Action, answer: Answer) -> None:
        """Tell the breaker: no answer, and «not now» to a send, are the counterparty's failures."""
        before = self._breaker.state
        if isinstance(answer, Unknown) or (isinstance(answer, NotTaken) and action is Action.SEND):
            self._breaker.failed(_now_ms())
        else:
            self._breaker.succeeded()
        self._show_breaker(before)

    def _show_breaker(self, before: BreakerState) -> None:
        state = self._breaker.state
        if state is not before:
            self._hooks.breaker(self._name, state)
            if BreakerState.OPEN in (before, state):
                _log.warning("breaker_moved", counterparty=self._name, state=state.name.lower())

    def _is_late(self, leased: Leased) -> bool:
        """Whether the lease could end before a call that begins now: another worker would then ask too early."""
        return self._until_ms[leased.order.number] - _now_ms() < self._pace.lease_ms // LEASE_PARTS

    def _let_go(self, numbers: Sequence[OrderNumber]) -> None:
        for number in numbers:
            del self._held[number], self._until_ms[number]
        if not self._held:
            self._empty.set()
        if self._more:
            self.awake.set()

    async def _keep_renewing(self) -> None:
        """Lengthen the leases of calls that take long."""
        part_ms = self._pace.lease_ms // LEASE_PARTS
        while True:
            await asyncio.sleep(part_ms / 1000)
            now_ms = _now_ms()
            ageing = [one for one in self._held.values() if self._until_ms[one.order.number] - now_ms <= 2 * part_ms]
            if not ageing:
                continue
            try:
                async with self._pool.acquire() as connection:
                    lost = await renew(connection, ageing, self._pace.lease_ms)
            except UNREACHABLE as error:
                heed_cancellation()
                _log.warning("leases_not_renewed", counterparty=self._name, orders=len(ageing), error=repr(error))
                continue
            for one in ageing:
                if one.order.number not in lost and one.order.number in self._held:
                    self._until_ms[one.order.number] = now_ms + self._pace.lease_ms


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)


async def _wait(event: asyncio.Event, timeout_ms: int) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), timeout_ms / 1000)
