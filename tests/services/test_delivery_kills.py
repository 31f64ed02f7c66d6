"""A worker's process is killed at every step of a delivery; afterwards one and only one effect stands at the counterparty."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from kopeck.clock import utc_now
from ledger.statements import ROOT
from loadtests.delivery_fake import SLOW, FakeCounterparty
from schemas.delivery import OrderState
from schemas.exchange import HttpRequest
from services.delivery.audit import audit_orders
from services.delivery.interventions import Act, retry_order
from tests.conftest import LedgerDatabase
from tests.services.delivery_house import VARIANTS, DeliveryHouse, connector, delivery_house, until, working
from tests.services.dying_delivery import PACE, Death

DEADLINE_S = 30
KEYS = ("a", "b", "c", "d", "e", "f")
STEPS = [
    ("before the lease", 1),
    ("lease and sending committed", 1),
    ("lease and sending committed", 2),
    ("before the request", 2),
    ("request arrived, nothing taken", 2),
    ("order taken, no answer yet", 2),
    ("answer arrived", 2),
    ("answer judged, not recorded", 2),
    ("state written, not committed", 1),
    ("consequences written, not committed", 2),
    ("recorded", 1),
]
QUESTIONS = [("before the question", 2), ("answer to the question arrived", 2), ("recorded", 3)]
BY_COUNTERPARTY = ("request arrived, nothing taken", "order taken, no answer yet")


@pytest.fixture
async def house(ledger_database: LedgerDatabase) -> AsyncIterator[DeliveryHouse]:
    """An empty register."""
    async with delivery_house(ledger_database) as made:
        yield made


class Executioner:
    """The fake counterparty behind a real port; it may kill its caller on either side of taking an order."""

    def __init__(self, fake: FakeCounterparty) -> None:
        self.fake = fake
        self.death: Death | None = None
        self.victim: asyncio.subprocess.Process | None = None
        self._turns = 0

    async def answer(self, request: web.Request) -> web.Response:
        """Answer as the fake does, unless there is nobody to answer any more."""
        if request.method == "POST":
            self._at("request arrived, nothing taken")
            if self.victim is not None and self.victim.returncode is not None:
                return web.Response(status=500)
        given = HttpRequest(method=request.method, url=str(request.url), body=await request.read())
        answer = self.fake.handle(given, utc_now())
        if request.method == "POST":
            self._at("order taken, no answer yet")
        return web.Response(status=answer.status, body=answer.body)

    def _at(self, step: str) -> None:
        if self.death is not None and self.death.step == step:
            self._turns += 1
            if self._turns == self.death.turn and self.victim is not None:
                self.victim.kill()


@asynccontextmanager
async def served(executioner: Executioner) -> AsyncIterator[str]:
    """The counterparty's address."""
    app = web.Application()
    app.router.add_route("*", "/orders/{key}", executioner.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def die(death: Death, executioner: Executioner) -> int:
    """Run the worker's process to its end; how it ended."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.services.dying_delivery", cwd=ROOT, stdin=asyncio.subprocess.PIPE
    )
    executioner.victim, executioner.death = child, death
    try:
        await asyncio.wait_for(child.communicate(msgspec.json.encode(death)), DEADLINE_S)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    executioner.death = executioner.victim = None
    assert child.returncode is not None
    return child.returncode


async def after_death(house: DeliveryHouse, variant: str, step: tuple[str, int], content: str) -> FakeCounterparty:
    """Kill a worker at a step, let another finish; the counterparty as it then stands."""
    fake = FakeCounterparty(deduplicates=VARIANTS[variant][0])
    executioner = Executioner(fake)
    await house.order(*KEYS, content=content)
    async with served(executioner) as url:
        death = Death(dsn=house.database.services_dsn, url=url, variant=variant, step=step[0], turn=step[1])
        assert await die(death, executioner) == -signal.SIGKILL
    await finish(house, fake, variant)
    return fake


async def finish(house: DeliveryHouse, fake: FakeCounterparty, variant: str) -> None:
    """Let a worker that nothing happens to bring every order to rest."""

    async def at_rest() -> bool:
        return set(await house.counts()) <= {OrderState.DONE, OrderState.PARKED}

    async with working(house.worker(connector(fake, variant), pace=PACE)):
        await until(at_rest)


@pytest.mark.parametrize("variant", ["deduplicates", "askable"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step[0]} {step[1]}")
async def test_one_effect_stands_after_a_kill(house: DeliveryHouse, variant: str, step: tuple[str, int]) -> None:
    fake = await after_death(house, variant, step, "")
    assert await house.counts() == {OrderState.DONE: len(KEYS)}
    assert fake.effects == dict.fromkeys(KEYS, 1)
    assert await house.effects() == [(place, "Done") for place in range(1, len(KEYS) + 1)]
    assert await audit_orders(house.services) == ()


@pytest.mark.parametrize("step", [*STEPS, *QUESTIONS], ids=lambda step: f"{step[0]} {step[1]}")
async def test_one_effect_stands_after_a_kill_between_acceptance_and_end(house: DeliveryHouse, step: tuple[str, int]) -> None:
    fake = await after_death(house, "both", step, SLOW)
    assert await house.counts() == {OrderState.DONE: len(KEYS)}
    assert fake.effects == dict.fromkeys(KEYS, 1)
    effects = await house.effects()
    assert [place for place, answer in effects if answer == "Done"] == list(range(1, len(KEYS) + 1))
    assert len(effects) == len(set(effects))
    assert await audit_orders(house.services) == ()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step[0]} {step[1]}")
async def test_what_can_neither_be_asked_nor_repeated_waits_for_a_person_after_a_kill(
    house: DeliveryHouse, step: tuple[str, int]
) -> None:
    fake = await after_death(house, "neither", step, "")
    for place, key in enumerate(KEYS, start=1):
        row = await house.row(key)
        if row["state"] == OrderState.PARKED:
            assert fake.effects[key] <= 1 and row["sending"] and "cut off" in row["reason"]
            word = Act(by="anna", why="the counterparty was asked by telephone")
            await retry_order(house.services, row["number"], word, surely_not_taken=not fake.effects[key])
        else:
            assert fake.effects[key] == 1 and (place, "Done") in await house.effects()
    await finish(house, fake, "neither")
    assert fake.effects == dict.fromkeys(KEYS, 1)
    assert await audit_orders(house.services) == ()
