"""Many orders, a bad network, workers that are killed: ``python -m loadtests.deliveries``; ends with the proof.

A durable PostgreSQL of its own. The fake counterparties live in this process and remember how often each key took effect;
the workers are processes of their own, killed at random moments with a signal that nothing can catch, and replaced. At the
end every order must have taken effect once, be recorded as done once, and have its owner's consequence once.
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import asyncpg
import click
import msgspec
import structlog
import uvloop
from aiohttp import web

from connectors.sandbox.faults import FaultProfile, FaultyExchange
from kopeck.clock import utc_now
from kopeck.config import Config
from kopeck.embedded.clean import clean_folder
from kopeck.embedded.servers import start_servers
from ledger.feed import Connection
from ledger.migrate import migrate, set_role_passwords
from ledger.statements import ROOT, load_statements
from loadtests.delivery_fake import SLOW, FakeCounterparty
from loadtests.delivery_worker import FAULT_HEADER, QUIET, TRAITS, WHAT, CountingDesk, WorkerOrders
from schemas.delivery import Done, OrderState, Outgoing
from schemas.exchange import ExchangeFailed, HttpRequest
from services.delivery.audit import audit_orders
from services.delivery.interventions import Act, ParkedOrder, list_parked_orders, retry_order
from services.delivery.orders import NewOrder, conclude_order, create_orders, notify_orders

STORM = FaultProfile(refused=60, lost_before=80, lost_after=80, broken=60, busy=20)
"""Three exchanges of ten fail, two of them with an unknown outcome."""
CREATED_AT_ONCE = 1_000
WORKERS = 2
KILL_MS_MIN, KILL_MS_MAX = 500, 4_000
SHARES = {"deduplicates": 45, "askable": 45, "neither": 10}
"""Percent of the orders by counterparty."""
SLOW_PERCENT = 20
LOOK_S = 0.5

_SQL = load_statements("loadtests/statements/deliveries.sql")


class Counterparties:
    """The fakes behind one port, each behind a bad network."""

    def __init__(self, seed: int) -> None:
        self.fakes = {name: FakeCounterparty(deduplicates=traits[0]) for name, traits in TRAITS.items()}
        self.faults: list[str] = []
        draw = Random(seed).randrange
        self._networks = {
            name: FaultyExchange(fake, STORM, draw=draw, now=utc_now, seen=self.faults) for name, fake in self.fakes.items()
        }

    async def answer(self, request: web.Request) -> web.Response:
        """Exchange through the bad network; its failures travel back as a header."""
        given = HttpRequest(method=request.method, url=request.path, body=await request.read())
        try:
            answer = await self._networks[request.match_info["name"]](given)
        except ExchangeFailed as failure:
            return web.Response(headers={FAULT_HEADER: "lost" if failure.sent else "unsent"})
        return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))

    async def serve(self) -> tuple[web.AppRunner, str]:
        """Listen on a free port of this machine."""
        app = web.Application()
        app.router.add_route("*", "/{name}/orders/{key}", self.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


class Workers:
    """Processes that are killed and replaced."""

    def __init__(self, orders: WorkerOrders, draw: Random) -> None:
        self.kills = 0
        self._orders = orders
        self._draw = draw
        self._children: list[asyncio.subprocess.Process] = []

    async def keep_killing(self) -> None:
        """Keep WORKERS of them, and kill one now and then."""
        while True:
            while len(self._children) < WORKERS:
                self._children.append(await self._start())
            await asyncio.sleep(self._draw.randrange(KILL_MS_MIN, KILL_MS_MAX) / 1000)
            victim = self._children.pop(self._draw.randrange(WORKERS))
            if victim.returncode is not None:
                raise RuntimeError(f"a worker ended by itself: {victim.returncode}")
            await _kill(victim)
            self.kills += 1

    async def end(self) -> None:
        """Kill them all."""
        for child in self._children:
            await _kill(child)

    async def _start(self) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "loadtests.delivery_worker", cwd=ROOT, stdin=asyncio.subprocess.PIPE
        )
        assert child.stdin is not None
        orders = msgspec.structs.replace(self._orders, seed=self._orders.seed + self.kills + len(self._children))
        child.stdin.write(msgspec.json.encode(orders))
        child.stdin.close()
        return child


async def _kill(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()
    await child.wait()


async def _create(connection: Connection, count: int, draw: Random) -> dict[str, str]:
    """Create the orders, as many at once as a busy consumer does; their counterparties by key."""
    names = draw.choices(list(SHARES), weights=list(SHARES.values()), k=count)
    keys = {f"order-{place}": name for place, name in enumerate(names)}
    orders = [
        NewOrder(
            what=WHAT,
            subject=place,
            counterparty=name,
            key=key,
            # One that cannot be asked must say at once what became of an order.
            content=SLOW.encode() if TRAITS[name][1] and draw.randrange(100) < SLOW_PERCENT else b"",
        )
        for place, (key, name) in enumerate(keys.items())
    ]
    for first in range(0, count, CREATED_AT_ONCE):
        async with connection.transaction():
            await create_orders(connection, orders[first : first + CREATED_AT_ONCE])
            await notify_orders(connection)
    return keys


class Person:
    """Does what an operator does with orders that only a person may decide on: asks the counterparty by telephone."""

    def __init__(self, connection: Connection, fakes: dict[str, FakeCounterparty]) -> None:
        self.decided = 0
        self._connection = connection
        self._fakes = fakes
        self._desk = CountingDesk()

    async def look(self) -> None:
        """Decide on what is parked."""
        for parked in await list_parked_orders(self._connection):
            if any(TRAITS[parked.counterparty]):
                raise RuntimeError(f"order {parked.number} of {parked.counterparty} was parked: {parked.reason}")
            self.decided += 1
            await self._decide(parked)

    async def _decide(self, parked: ParkedOrder) -> None:
        act = Act(by="load", why="asked by telephone")
        if not self._fakes[parked.counterparty].effects[parked.key]:
            await retry_order(self._connection, parked.number, act, surely_not_taken=True)
            return
        async with self._connection.transaction():
            done = Done(reference="telephone", content=b"{}")
            if await conclude_order(self._connection, parked.number, done):
                await self._desk.settle(self._connection, Outgoing(number=parked.number, key=parked.key, content=b""), done)


async def _prove(connection: Connection, keys: dict[str, str], fakes: dict[str, FakeCounterparty]) -> tuple[int, int]:
    """Return how many orders were lost and how many doubled; raises RuntimeError where the register disagrees."""
    effects = Counter({key: count for fake in fakes.values() for key, count in fake.effects.items() if count})
    recorded = {row["key"] for row in await connection.fetch(_SQL["list_delivered"])}
    if recorded != set(keys):
        raise RuntimeError(f"{len(keys) - len(recorded)} orders are not done with their consequence")
    if faults := await audit_orders(connection):
        raise RuntimeError(f"the audit of the register: {faults[:3]}")
    if set(effects) - set(keys):
        raise RuntimeError("an effect without an order")
    return sum(key not in effects for key in keys), sum(count > 1 for count in effects.values())


async def _load(owner_dsn: str, services_dsn: str, count: int, seed: int) -> str:
    """Run the load; what it showed, in one line."""
    connection = await asyncpg.connect(services_dsn)
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute(_SQL["make_desk"])
    counterparties = Counterparties(seed)
    runner, url = await counterparties.serve()
    workers = Workers(WorkerOrders(services_dsn=services_dsn, url=url, seed=seed), Random(seed))
    person = Person(connection, counterparties.fakes)
    killing = asyncio.create_task(workers.keep_killing())
    began = time.perf_counter_ns()
    try:
        keys = await _create(connection, count, Random(seed))
        while True:
            states = {row["state"]: row["orders"] for row in await connection.fetch(_SQL["count_states"])}
            if states == {OrderState.DONE: count}:
                break
            await person.look()
            if killing.done():
                await killing
            await asyncio.sleep(LOOK_S)
        took_ms = (time.perf_counter_ns() - began) // 1_000_000
    finally:
        killing.cancel()
        await workers.end()
        await runner.cleanup()
    lost, doubled = await _prove(connection, keys, counterparties.fakes)
    attempts = await owner.fetchval(_SQL["count_attempts"])
    await owner.close()
    await connection.close()
    faults = Counter(fault for fault in counterparties.faults if fault)
    told = ", ".join(f"{name} {faults[name]}" for name in sorted(faults))
    if lost or doubled:
        raise RuntimeError(f"{lost} orders lost, {doubled} doubled")
    return (
        f"deliveries: {count} orders, seed {seed}, {took_ms // 1000} s, {count * 1000 // took_ms} orders/s, {attempts} attempts, "
        f"{len(counterparties.faults)} exchanges, faults: {told}; {workers.kills} workers killed, "
        f"{person.decided} decided by a person; 0 lost, 0 doubled"
    )


async def _migrated(owner_dsn: str, passwords: dict[str, str]) -> None:
    connection = await asyncpg.connect(owner_dsn)
    try:
        await migrate(connection)
        await set_role_passwords(connection, passwords)
    finally:
        await connection.close()


@click.command()
@click.option("--count", type=click.IntRange(min=1), default=100_000, show_default=True, help="Orders.")
@click.option("--seed", type=int, default=7, show_default=True, help="Of faults, kills and jitter.")
def main(count: int, seed: int) -> None:
    """Deliver orders through faults and kills, and prove that none was lost or doubled."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(QUIET))
    with tempfile.TemporaryDirectory(prefix="kopeck-deliveries-") as name:
        folder = Path(name, "ledger")
        with start_servers(folder, Config(data_dir=folder)) as servers:
            connections = servers.connections
            uvloop.run(_migrated(connections.owner_dsn, dict(connections.role_passwords)))
            click.echo(uvloop.run(_load(connections.owner_dsn, connections.services_dsn, count, seed)))
        clean_folder(folder)


if __name__ == "__main__":
    main()
