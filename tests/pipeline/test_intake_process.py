"""The intake process as the supervisor runs it: killed while it books what callbacks lost, it books each payment once."""

import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest

from connectors.sandbox.rbs import RbsSandbox
from kopeck.clock import utc_now
from kopeck.intake_process import IntakeOrders
from kopeck.supervisor import ChildSpec, Supervisor
from schemas.channel import Channel
from schemas.ids import ExternalId
from services.acquiring.refunds import Wish, order_refund
from tests.pipeline.acquirer_bank import RbsBank, served_bank, started, town_with_bank, wanted
from tests.pipeline.acquirers import ACQUIRING_SQL
from tests.pipeline.conftest import Town
from tests.pipeline.proof import assert_sound, booked_keys, until

ROOT = Path(__file__).resolve().parents[2]
PAYMENTS = 150
WAIT_S = 60.0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A bank with payments of which nobody was told, and the process that is to find them."""

    town: Town
    web: Channel
    fake: RbsSandbox
    payments: tuple[str, ...]
    spec: ChildSpec


@pytest.fixture
async def run(town: Town, owner: asyncpg.Connection, redis_url: str, tmp_path: Path) -> AsyncIterator[Run]:
    grown, web, _ = await town_with_bank(town, owner)
    services = await asyncpg.connect(town.database.services_dsn)
    bank = RbsBank()
    bank.moment = utc_now() - timedelta(minutes=10)
    payments = []
    for place in range(PAYMENTS):
        payments.append(await started(bank, services, web, wanted(f"K{place}", ("1001", "1002", "1003")[place % 3], 100 + place)))
        bank.fake.pay(payments[-1], bank.moment)
    await services.close()
    async with served_bank(bank.fake) as url:
        told = msgspec.structs.replace(web, acquirer=msgspec.structs.replace(web.acquirer, base_url=url))
        channels = tuple(told if one.name == "web" else one for one in grown.channels)
        settings = msgspec.structs.replace(grown, channels=channels).settings(redis_url)
        orders = IntakeOrders(gateway=settings, services_dsn=town.database.services_dsn, log_level="info")
        spec = ChildSpec(
            name="intake",
            module="kopeck.intake_process",
            settings=msgspec.json.encode(orders),
            environ={**os.environ, "PYTHONPATH": str(ROOT)},
            log=tmp_path / "intake.log",
        )
        yield Run(town=grown, web=told, fake=bank.fake, payments=tuple(payments), spec=spec)


async def test_a_killed_process_is_started_again_and_every_payment_is_booked_once(run: Run, owner: asyncpg.Connection) -> None:
    supervisor = Supervisor([run.spec])

    async def kill_and_wait() -> None:
        async def some() -> bool:
            return len(await booked_keys(owner)) >= 10

        async def every() -> bool:
            return len(set(await booked_keys(owner))) == PAYMENTS

        await until(some, WAIT_S)
        os.kill(supervisor.children[0].pid, signal.SIGKILL)
        await until(every, WAIT_S)

    await supervisor.run(kill_and_wait)
    assert supervisor.children[0].starts == 2
    assert sorted(await booked_keys(owner)) == sorted(run.payments)
    assert "sandbox" not in run.spec.log.read_text("utf-8"), "no password in the log"
    await assert_sound(owner, run.town)


async def test_the_process_gives_money_back(run: Run, owner: asyncpg.Connection) -> None:
    supervisor = Supervisor([run.spec])

    async def refund() -> None:
        async def is_booked() -> bool:
            return run.payments[0] in await booked_keys(owner)

        async def is_done() -> bool:
            return bool(await owner.fetch(ACQUIRING_SQL["list_refund_ends"]))

        await until(is_booked, WAIT_S)
        wish = Wish(key="r-1", payment=ExternalId(run.payments[0]), amount_kopecks=50, asked_by="anna")
        services = await asyncpg.connect(run.town.database.services_dsn)
        async with services.transaction():
            await order_refund(services, run.web, wish, utc_now())
        await services.close()
        await until(is_done, WAIT_S)

    await supervisor.run(refund)
    assert [one.amount_kopecks for one in run.fake.book.find(run.payments[0]).refunds] == [50]
