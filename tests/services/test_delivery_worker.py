"""Workers on one register: every order takes effect once, whoever works, whatever breaks on the way."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import asyncpg
import msgspec
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from connectors.sandbox.faults import FaultProfile
from ledger.feed import Connection
from loadtests.delivery_fake import HOPELESS, SLOW, WRONG, FakeCounterparty
from schemas.delivery import Accepted, Answer, Done, NotTaken, OrderState, Outgoing, Refused, Unknown
from services.delivery import recording
from services.delivery.audit import audit_orders
from services.delivery.breaker import BreakerState
from services.delivery.interventions import Act, list_closed_counterparties, open_counterparty, retry_order
from services.delivery.metrics import DeliveryMetrics
from services.delivery.orders import notify_orders
from tests.conftest import LedgerDatabase
from tests.pipeline.proxy import before_postgresql
from tests.services.delivery_house import (
    BANK,
    PACE,
    QUICK,
    SQL,
    TERMS,
    VARIANTS,
    DeliveryHouse,
    Told,
    TracingDesk,
    connector,
    delivery_house,
    killed,
    until,
    working,
)

ACT = Act(by="anna", why="asked the bank")
STORM = FaultProfile(refused=120, lost_before=150, lost_after=150, broken=120, busy=0)


@pytest.fixture
async def house(ledger_database: LedgerDatabase) -> AsyncIterator[DeliveryHouse]:
    """An empty register."""
    async with delivery_house(ledger_database) as made:
        yield made


class Gate:
    """A counterparty that answers when it is let, and counts calls under way."""

    deduplicates = False
    can_be_asked = True

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.sent: list[str] = []
        self.asked: list[str] = []
        self.under_way = self.most = 0
        self.answer: Answer | Exception = Done(reference="r", content=b"{}")

    async def send(self, order: Outgoing) -> Answer:
        self.sent.append(order.key)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.open.wait()
        self.under_way -= 1
        return self._say()

    async def ask(self, order: Outgoing) -> Answer:
        self.asked.append(order.key)
        return self._say()

    def _say(self) -> Answer:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def has_sent(self) -> bool:
        return bool(self.sent)


async def test_orders_are_delivered_and_their_desk_is_told_each_step(house: DeliveryHouse) -> None:
    fake, told = FakeCounterparty(deduplicates=False), Told()
    await house.order("a", "b")
    await house.order("c", content=SLOW)
    async with working(house.worker(connector(fake), hooks=told)):
        await until(house.all_are(OrderState.DONE))
    assert fake.effects == {"a": 1, "b": 1, "c": 1}
    assert await house.effects() == [(1, "Accepted"), (1, "Done"), (1, "Done"), (2, "Done")]
    assert sorted(one.state for one in told.written if one.first) == [OrderState.ACCEPTED, OrderState.DONE, OrderState.DONE]
    assert (await house.row("c"))["reference"] == "r-c"
    assert await audit_orders(house.services) == ()


async def test_a_final_failure_goes_to_the_desk(house: DeliveryHouse) -> None:
    await house.order("a", content=WRONG)
    await house.order("b", content=HOPELESS)
    async with working(house.worker(connector(FakeCounterparty(deduplicates=False)))):
        await until(house.all_are(OrderState.REFUSED))
    assert await house.effects() == [(1, "Refused"), (1, "Refused")]
    assert (await house.row("a"))["reason"] == "422: as told"


@pytest.mark.parametrize("variant", ["deduplicates", "askable", "both"])
async def test_in_a_storm_of_faults_each_order_takes_effect_once(house: DeliveryHouse, variant: str) -> None:
    fake = FakeCounterparty(deduplicates=VARIANTS[variant][0])
    keys = [f"k{place}" for place in range(300)]
    await house.order(*keys)
    # One that cannot be asked must say at once what became of an order.
    slow = [f"slow{place}" for place in range(30 if VARIANTS[variant][1] else 0)]
    await house.order(*slow, content=SLOW)
    async with working(house.worker(connector(fake, variant, STORM))):
        await until(house.all_are(OrderState.DONE))
    assert fake.effects == dict.fromkeys((*keys, *slow), 1)
    assert 300 <= len(await house.effects()) - len(slow) <= 300 + len(slow)
    assert await audit_orders(house.services) == ()


async def test_what_can_neither_be_asked_nor_repeated_is_left_to_a_person(house: DeliveryHouse) -> None:
    fake = FakeCounterparty(deduplicates=False)
    keys = [f"k{place}" for place in range(100)]
    numbers = dict(zip(keys, await house.order(*keys), strict=True))

    async def at_rest() -> bool:
        return set(await house.counts()) <= {OrderState.DONE, OrderState.PARKED}

    async with working(house.worker(connector(fake, "neither", STORM))):
        await until(at_rest)
        parked = [row["key"] for row in await house.owner.fetch(SQL["list_states"]) if row["state"] == OrderState.PARKED]
        assert parked and all(fake.effects[key] <= 1 for key in keys)
        # The person asks the counterparty by telephone.
        for key in parked:
            await retry_order(house.services, numbers[key], ACT, surely_not_taken=not fake.effects[key])
        await until(at_rest)
    assert all(count <= 1 for count in fake.effects.values())
    for row in await house.owner.fetch(SQL["list_states"]):
        assert fake.effects[row["key"]] == 1 or row["state"] == OrderState.PARKED


async def test_two_workers_never_hold_the_same_order(house: DeliveryHouse) -> None:
    fake = FakeCounterparty(deduplicates=False)
    keys = [f"k{place}" for place in range(400)]
    await house.order(*keys)
    told = Told(), Told()
    async with (
        working(house.worker(connector(fake), hooks=told[0])),
        working(house.worker(connector(fake), hooks=told[1])),
    ):
        await until(house.all_are(OrderState.DONE))
    assert fake.effects == dict.fromkeys(keys, 1)
    assert all(one.outcomes for one in told), "both had a share"
    assert sum(len(one.outcomes) for one in told) == 400 and not any(one.losses for one in told)


async def test_a_slow_call_keeps_its_lease(house: DeliveryHouse) -> None:
    gate, other = Gate(), Gate()
    await house.order("a")

    async def one_has() -> bool:
        return bool(gate.sent + other.sent)

    async with working(house.worker(gate)), working(house.worker(other)):
        await until(one_has)
        await asyncio.sleep(3 * PACE.lease_ms / 1000)
        for one in (gate, other):
            one.open.set()
        await until(house.all_are(OrderState.DONE))
    assert gate.sent + other.sent == ["a"] and not gate.asked + other.asked


async def test_an_order_of_a_worker_that_is_gone_is_asked_about_when_its_lease_ends(house: DeliveryHouse) -> None:
    gone, heir = Gate(), Gate()
    await house.order("a")
    async with killed(house.worker(gone)):
        await until(gone.has_sent)
    assert (await house.row("a"))["lease"] is not None
    async with working(house.worker(heir)):
        await until(house.all_are(OrderState.DONE))
    assert heir.asked == ["a"] and not heir.sent


async def test_who_answers_after_the_lease_was_taken_over_is_not_heard(house: DeliveryHouse) -> None:
    stalled, told = Gate(), Told()
    await house.order("a")
    slow = msgspec.structs.replace(PACE, lease_ms=60_000)
    async with working(house.worker(stalled, pace=slow, hooks=told)):
        await until(stalled.has_sent)
        await house.owner.execute(SQL["end_leases"])
        heir = Gate()
        heir.answer = Done(reference="heir's", content=b"{}")
        async with working(house.worker(heir)):
            await until(house.all_are(OrderState.DONE))
        stalled.open.set()
    assert told.losses == 1 and not told.written
    assert (await house.row("a"))["reference"] == "heir's"
    assert await house.effects() == [(1, "Done")]


async def test_no_more_orders_are_in_work_than_allowed(house: DeliveryHouse) -> None:
    gate = Gate()
    await house.order(*[f"k{place}" for place in range(20)])

    async def four() -> bool:
        return gate.under_way == 4

    async with working(house.worker(gate, pace=msgspec.structs.replace(PACE, concurrency=4))):
        await until(four)
        await asyncio.sleep(0.2)
        assert len([row for row in await house.owner.fetch(SQL["list_states"]) if row["leased"]]) == 4
        gate.open.set()
        await until(house.all_are(OrderState.DONE))
    assert gate.most == 4


async def test_a_stop_lets_calls_end_and_leases_nothing_behind(house: DeliveryHouse) -> None:
    gate = Gate()
    await house.order(*[f"k{place}" for place in range(8)])
    worker = house.worker(gate, pace=msgspec.structs.replace(PACE, concurrency=4))
    work = asyncio.create_task(worker.run())
    await until(gate.has_sent)
    worker.stop()
    assert not (await asyncio.wait([work], timeout=0.2))[0]
    gate.open.set()
    await asyncio.wait_for(work, 5)
    rows = await house.owner.fetch(SQL["list_states"])
    assert not [row for row in rows if row["leased"]]
    assert [row["attempts"] for row in rows if row["state"] == OrderState.WAITING] == [0] * 4
    assert (await house.counts())[OrderState.DONE] == 4


async def test_a_stop_does_not_wait_for_ever(house: DeliveryHouse) -> None:
    gate = Gate()
    await house.order("a")
    async with working(house.worker(gate, terms=msgspec.structs.replace(TERMS, stop_ms=100))):
        await until(gate.has_sent)
    row = await house.row("a")
    assert row["sending"] and row["lease"] is not None, "its outcome is unknown, and the lease ends by itself"


async def test_the_breaker_spares_a_counterparty_that_is_away(house: DeliveryHouse) -> None:
    fake, told = FakeCounterparty(deduplicates=False), Told()
    away = connector(fake, profile=FaultProfile(refused=1000))
    pace = msgspec.structs.replace(PACE, concurrency=4, failures_max=4, open_ms=300, open_ms_max=300)
    await house.order(*[f"k{place}" for place in range(40)])

    async def probed() -> bool:
        return told.breakers.count(BreakerState.HALF_OPEN) >= 2

    async with working(house.worker(away, pace=pace, hooks=told)):
        await until(probed)
    assert len(told.outcomes) <= 4 + 4 + 3, "a batch, what was under way, and the probes"
    assert "nottaken" in told.outcomes and set(told.outcomes) <= {"nottaken", "released"}, "a probe leased at the end is let go"
    told.breakers.clear()
    async with working(house.worker(connector(fake), pace=pace, hooks=told)):
        await until(house.all_are(OrderState.DONE))
    assert set(fake.effects.values()) == {1}


async def test_the_breaker_lets_all_through_again_after_a_good_probe(house: DeliveryHouse) -> None:
    gate, told = Gate(), Told()
    gate.open.set()
    gate.answer = NotTaken(reason="away")
    await house.order(*[f"k{place}" for place in range(20)])

    async def is_open() -> bool:
        return BreakerState.OPEN in told.breakers

    async with working(house.worker(gate, hooks=told)):
        await until(is_open)
        gate.answer = Done(reference="r", content=b"{}")
        await until(house.all_are(OrderState.DONE))
    assert told.breakers[-1] is BreakerState.CLOSED


async def test_a_closed_counterparty_gets_nothing_until_a_person_opens_it(house: DeliveryHouse) -> None:
    fake, told = FakeCounterparty(deduplicates=False), Told()
    fake.shut = True
    await house.order(*[f"k{place}" for place in range(5)])

    async def closed() -> bool:
        return list(told.closed) == [BANK]

    with capture_logs() as logs:
        async with working(house.worker(connector(fake), hooks=told)):
            await until(closed)
            fake.shut = False
            await house.order("later")
            calls = len(told.outcomes)
            await asyncio.sleep(0.3)
            assert len(told.outcomes) == calls and await house.counts() == {OrderState.WAITING: 6}
            await open_counterparty(house.services, BANK, ACT)
            await until(house.all_are(OrderState.DONE))
    assert [entry["log_level"] for entry in logs if entry["event"] == "counterparty_closed"] == ["error"]
    assert await list_closed_counterparties(house.services) == ()
    assert set(fake.effects.values()) == {1}


async def test_a_bug_in_a_connector_parks_its_order_and_the_loop_goes_on(house: DeliveryHouse) -> None:
    gate = Gate()
    gate.open.set()
    gate.answer = KeyError("a secret of the payer's")
    (number,) = await house.order("a")
    with capture_logs() as logs:
        async with working(house.worker(gate)):
            await until(house.stands("a", OrderState.PARKED))
            row = await house.row("a")
            assert row["reason"] == "the connector failed: KeyError" and row["sending"]
            gate.answer = Done(reference="r", content=b"{}")
            await house.order("b")
            await until(house.stands("b", OrderState.DONE))
            await retry_order(house.services, number, ACT)
            await until(house.all_are(OrderState.DONE))
    (logged,) = [entry for entry in logs if entry["event"] == "order_parked"]
    assert logged["exc_info"].__cause__.__traceback__ is not None
    assert gate.asked == ["a"], "it may have been sent: it is asked about, not repeated"


async def test_a_bug_in_a_desk_parks_its_order_and_not_its_neighbours(house: DeliveryHouse) -> None:
    gate = Gate()
    numbers = await house.order("a", "b", "c")
    # The desk's own constraint: it has been told of b already.
    await house.owner.execute(SQL["write_effect"], numbers[1], 2, "Done")
    async with working(house.worker(gate)):
        await until(gate.has_sent)
        gate.open.set()
        await until(house.stands("b", OrderState.PARKED))
        await until(house.stands("c", OrderState.DONE))
    assert (await house.row("a"))["state"] == OrderState.DONE
    assert await house.effects() == [(1, "Done"), (2, "Done"), (3, "Done")]
    assert "UniqueViolationError" in (await house.row("b"))["reason"]
    assert (await house.row("b"))["reference"] == "r"


async def test_an_order_that_nobody_owns_is_not_sent(house: DeliveryHouse) -> None:
    gate = Gate()
    await house.order("a")
    worker = house.worker(gate)
    worker._desks = {}
    async with working(worker):
        await until(house.stands("a", OrderState.PARKED))
    assert not gate.sent and not (await house.row("a"))["sending"]


async def test_an_answer_that_does_not_come_is_unknown(house: DeliveryHouse) -> None:
    gate = Gate()
    await house.order("a")
    async with working(house.worker(gate, pace=msgspec.structs.replace(PACE, call_ms_max=100))):
        await until(house.all_are(OrderState.DONE))
    assert gate.sent == ["a"] and gate.asked == ["a"]


async def test_attempts_are_bounded_and_a_retry_begins_anew(house: DeliveryHouse) -> None:
    gate = Gate()
    gate.open.set()
    gate.answer = Unknown(reason="timed out")
    (number,) = await house.order("a")
    pace = msgspec.structs.replace(PACE, patience=msgspec.structs.replace(QUICK, attempts_max=4), failures_max=1000)
    async with working(house.worker(gate, pace=pace)):
        await until(house.stands("a", OrderState.PARKED))
        assert len(gate.sent) == 1 and len(gate.asked) == 3
        gate.answer = NotTaken(reason="no such order")
        await retry_order(house.services, number, ACT)
        await until(house.stands("a", OrderState.PARKED))
    row = await house.row("a")
    assert row["reason"].startswith("not taken after 4 attempts") and not row["sending"]


async def test_orders_are_found_by_polling_alone_and_at_once_when_notified(house: DeliveryHouse) -> None:
    fake = FakeCounterparty(deduplicates=False)
    await house.order("a")
    async with working(house.worker(connector(fake), terms=msgspec.structs.replace(TERMS, notified=False))):
        await until(house.all_are(OrderState.DONE))
        await house.order("b")
        await until(house.all_are(OrderState.DONE))
    told = Told()
    async with working(house.worker(connector(fake), terms=msgspec.structs.replace(TERMS, poll_ms=60_000), hooks=told)):

        async def listens() -> bool:
            # One session listens, another has measured.
            return await house.owner.fetchval(SQL["count_sessions"]) >= 2

        await until(listens)
        for key in ("c", "d", "e"):
            await house.order(key)
            await notify_orders(house.services)
            await until(house.stands(key, OrderState.DONE))


async def test_a_lost_connection_is_waited_out(house: DeliveryHouse, tmp_path: Path) -> None:
    fake = FakeCounterparty(deduplicates=False)
    random = Random(5)
    async with (
        before_postgresql(house.database.services_dsn, tmp_path) as (proxy, dsn),
        working(house.worker(connector(fake, profile=STORM), dsn=dsn)),
    ):
        for turn in range(12):
            await house.order(*[f"{turn}-{place}" for place in range(20)])
            await asyncio.sleep(random.random() / 20)
            proxy.refusing = turn % 3 == 0
            await proxy.cut()
            await house.owner.fetchval(SQL["cut_sessions"])
            await asyncio.sleep(0.05)
            proxy.refusing = False
        await until(house.all_are(OrderState.DONE))
    assert len(fake.effects) == 240 and set(fake.effects.values()) == {1}
    assert len(await house.effects()) == 240
    assert await audit_orders(house.services) == ()


async def test_an_answer_is_kept_while_postgresql_is_away(house: DeliveryHouse, tmp_path: Path) -> None:
    gate, told = Gate(), Told()
    await house.order("a")
    async with (
        before_postgresql(house.database.services_dsn, tmp_path) as (proxy, dsn),
        working(house.worker(gate, dsn=dsn, hooks=told)),
    ):
        await until(gate.has_sent)
        proxy.refusing = True
        await proxy.cut()
        gate.open.set()
        await asyncio.sleep(2 * PACE.lease_ms / 1000)
        proxy.refusing = False
        await until(house.all_are(OrderState.DONE))
    assert gate.asked == [] and told.losses == 0
    assert await house.effects() == [(1, "Done")]


async def test_metrics_tell_times_queues_attempts_and_breakers(house: DeliveryHouse) -> None:
    registry = CollectorRegistry()
    metrics = DeliveryMetrics(registry)
    fake = FakeCounterparty(deduplicates=False)
    await house.order("a", "b")
    await house.order("c", content=SLOW)
    await house.order("d", counterparty="nobody's")
    labels = {"what": "letter", "counterparty": BANK}

    async def seen() -> bool:
        place = {"what": "letter", "counterparty": "nobody's"}
        return (
            bool(registry.get_sample_value("kopeck_order_oldest_seconds", place)) and await house.stands("c", OrderState.DONE)()
        )

    async with working(house.worker(connector(fake), hooks=metrics)):
        await until(seen)
    assert registry.get_sample_value("kopeck_order_accepted_seconds_count", labels) == 3
    assert registry.get_sample_value("kopeck_order_done_seconds_count", labels) == 3
    assert registry.get_sample_value("kopeck_delivery_attempts_total", {"counterparty": BANK, "outcome": "done"}) == 3
    assert registry.get_sample_value("kopeck_delivery_breaker", {"counterparty": BANK}) == 0
    waiting = {"what": "letter", "counterparty": "nobody's", "state": "waiting"}
    assert registry.get_sample_value("kopeck_orders", waiting) == 1
    metrics.measured((), [BANK])
    assert registry.get_sample_value("kopeck_orders", waiting) == 0
    assert registry.get_sample_value("kopeck_counterparty_closed", {"counterparty": BANK}) == 1


class ContendedDesk:
    """Meets a deadlock so many times before it gets through."""

    def __init__(self, deadlocks: int) -> None:
        self.deadlocks = deadlocks
        self.settled: list[str] = []

    async def settle(self, connection: Connection, order: Outgoing, answer: object) -> None:
        if self.deadlocks:
            self.deadlocks -= 1
            raise asyncpg.DeadlockDetectedError("told to")
        self.settled.append(order.key)


@pytest.mark.parametrize(("deadlocks", "state"), [(1, OrderState.DONE), (1_000, OrderState.PARKED)])
async def test_a_desk_that_meets_others_is_tried_again_and_not_for_ever(
    house: DeliveryHouse, monkeypatch: pytest.MonkeyPatch, deadlocks: int, state: OrderState
) -> None:
    monkeypatch.setattr(recording, "RETRY_MS", 10)
    desk = ContendedDesk(deadlocks)
    await house.order("a", "b", "c")
    gate = Gate()
    worker = house.worker(gate)
    worker._desks = {"letter": desk}
    async with working(worker):
        await until(gate.has_sent)
        gate.open.set()
        await until(house.all_are(state))
    assert sorted(desk.settled) == (["a", "b", "c"] if state is OrderState.DONE else [])


class Telling:
    """A bank that tells of a register as it works on it: each answer in turn, the last one for ever."""

    deduplicates = False
    can_be_asked = True

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)

    async def send(self, order: Outgoing) -> Answer:
        return await self.ask(order)

    async def ask(self, order: Outgoing) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class HearingDesk:
    """Keeps what it is told, and fails at the last of ``fails``."""

    def __init__(self, fails: bytes = b"") -> None:
        self.heard: list[bytes] = []
        self._fails = fails

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        content = answer.content
        if self._fails and content == self._fails:
            self._fails = b""
            raise ValueError("told to fail")
        self.heard.append(content)


def _on_its_way(*contents: bytes) -> list[Answer]:
    return [Accepted(reference="r", ask_after_ms=1, content=content) for content in contents]


async def test_the_desk_hears_of_an_accepted_order_whatever_is_new(house: DeliveryHouse) -> None:
    await house.order("a")
    desk = HearingDesk()
    told = _on_its_way(b"", b"held", b"held", b"", b"held", b"released", b"held", b"held")
    worker = house.worker(Telling(*told, Done(reference="r", content=b"done")))
    worker._desks = {"letter": desk}
    async with working(worker):
        await until(house.all_are(OrderState.DONE))
    assert desk.heard == [b"", b"held", b"released", b"held", b"done"]


async def test_what_the_desk_could_not_settle_is_told_again(house: DeliveryHouse) -> None:
    await house.order("a")
    desk = HearingDesk(fails=b"held")
    worker = house.worker(Telling(*_on_its_way(b"", b"held", b"held"), Done(reference="r", content=b"done")))
    worker._desks = {"letter": desk}
    async with working(worker):
        await until(house.all_are(OrderState.PARKED))
        await retry_order(house.services, (await house.row("a"))["number"], ACT)
        await until(house.all_are(OrderState.DONE))
    assert desk.heard == [b"", b"held", b"done"]


class LosingDesk(TracingDesk):
    """Loses its connection once, after it wrote."""

    def __init__(self, house: DeliveryHouse) -> None:
        super().__init__()
        self._house = house
        self.lost = False

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        await super().settle(connection, order, answer)
        if not self.lost:
            self.lost = True
            await self._house.services.fetchval(SQL["cut_sessions"])
            await connection.execute(SQL["list_effects"])


async def test_a_connection_lost_under_a_desk_is_no_bug_of_the_desks(house: DeliveryHouse) -> None:
    await house.order("a", "b")
    desk = LosingDesk(house)
    worker = house.worker(connector(FakeCounterparty(deduplicates=False)))
    worker._desks = {"letter": desk}
    async with working(worker):
        await until(house.all_are(OrderState.DONE))
    assert desk.lost and await house.effects() == [(1, "Done"), (2, "Done")]


async def test_a_lost_connection_does_not_hide_a_cancellation(house: DeliveryHouse) -> None:
    waiting = asyncio.Event()

    async def step() -> None:
        try:
            waiting.set()
            await asyncio.Event().wait()
        finally:
            # What asyncpg makes of a transaction that is left when its connection is gone.
            raise asyncpg.InterfaceError("the underlying connection is closed")

    async def never() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(house.worker(Gate())._repeat(step, never))
    await waiting.wait()
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
