"""Money given back at the acquirer: once for each decision, whatever is lost on the way, and never more than was paid."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import asyncpg
import msgspec
import pytest

from connectors.acquiring.rbs_client import RbsClient
from kopeck.acquirer_sections import rbs_settings
from kopeck.clock import utc_now
from kopeck.desks import make_desks
from schemas.channel import Channel
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.ids import ExternalId
from services.acquiring.asking import Asker, ask_once
from services.acquiring.refunds import AcquirerRefunds, RefundRefused, Wish, counterparty_of, order_refund
from services.delivery.line import Route
from services.delivery.worker import Worker
from tests.pipeline.acquirer_bank import TERMS, RbsBank, started, town_with_bank, wanted
from tests.pipeline.acquirers import ACQUIRING_SQL, intake_of
from tests.pipeline.conftest import Town
from tests.pipeline.proof import until
from tests.services.delivery_house import PACE
from tests.services.delivery_house import TERMS as WORKER_TERMS


class House(msgspec.Struct, frozen=True, kw_only=True):
    """A town with one payment of 1 000 kopecks at the bank."""

    town: Town
    web: Channel
    bank: RbsBank
    services: asyncpg.Connection
    payment: ExternalId

    async def order(self, key: str, amount: int, payment: str = "") -> int:
        """Order a refund in a transaction of its own."""
        wish = Wish(key=key, payment=ExternalId(payment or self.payment), amount_kopecks=amount, asked_by="anna")
        async with self.services.transaction():
            return await order_refund(self.services, self.web, wish, self.bank.moment)

    async def ends(self) -> dict[str, tuple[bool, str]]:
        """What became of each refund that has an end."""
        rows = await self.services.fetch(ACQUIRING_SQL["list_refund_ends"])
        return {row["key"]: (row["is_done"], row["reason"]) for row in rows}

    @asynccontextmanager
    async def delivering(self, client: RbsClient | None = None) -> AsyncIterator[None]:
        """A worker of delivery on the bank's route."""
        route = Route(name=counterparty_of(self.web.name), counterparty=AcquirerRefunds(client or self.bank.client), pace=PACE)
        worker = Worker(self.town.database.services_dsn, [route], make_desks(), terms=WORKER_TERMS)
        running = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            worker.stop()
            await running

    async def wait_ended(self, count: int) -> None:
        """Wait until so many refunds have an end."""

        async def ended() -> bool:
            return len(await self.ends()) >= count

        await until(ended)


@pytest.fixture
async def house(town: Town, owner: asyncpg.Connection, redis_url: str) -> AsyncIterator[House]:
    grown, web, _ = await town_with_bank(town, owner)
    services = await asyncpg.connect(town.database.services_dsn)
    bank = RbsBank()
    bank.moment = utc_now() - timedelta(minutes=10)
    payment = await started(bank, services, web, wanted("K1"))
    bank.fake.pay(payment, bank.moment)
    bank.moment += timedelta(seconds=90)
    async with intake_of(grown, redis_url) as intake:
        found = await ask_once(town.database.services_dsn, (Asker(web, bank.client, intake),), bank.moment, sweeps=False)
        assert found.found == 1
    yield House(town=grown, web=web, bank=bank, services=services, payment=ExternalId(payment))
    services.terminate()


def given_back(house: House) -> list[tuple[str, int]]:
    """What the bank has given back, by our ids."""
    return [(one.external_refund_id, one.amount_kopecks) for one in house.bank.fake.book.find(house.payment).refunds]


async def test_refunds_are_carried_out_and_found_as_events(house: House, owner: asyncpg.Connection, redis_url: str) -> None:
    assert await house.order("r-1", 300) == await house.order("r-1", 300)
    await house.order("r-2", 700)
    async with house.delivering():
        await house.wait_ended(2)
    assert await house.ends() == {"r-1": (True, ""), "r-2": (True, "")}
    assert sorted(given_back(house)) == [("r-1", 300), ("r-2", 700)]
    house.bank.moment += timedelta(seconds=30)
    async with intake_of(house.town, redis_url) as intake:
        asker = Asker(house.web, house.bank.client, intake)
        swept = await ask_once(house.town.database.services_dsn, (asker,), house.bank.moment, sweeps=True)
    assert swept.found == 2
    kept = [(row["act"], row["amount"]) for row in await owner.fetch(ACQUIRING_SQL["list_events"])]
    assert sorted(kept) == [("refunded", 300), ("refunded", 700)]


async def test_a_lost_answer_is_asked_about_and_gives_back_once(house: House) -> None:
    await house.order("r-1", 300)
    house.bank.loses += ["refund.do", "getOrderStatusExtended.do"]
    async with house.delivering():
        await house.wait_ended(1)
    assert await house.ends() == {"r-1": (True, "")}
    assert given_back(house) == [("r-1", 300)]


async def test_more_than_was_paid_is_never_ordered(house: House) -> None:
    await house.order("r-1", 300)
    with pytest.raises(RefundRefused, match="700 kopecks are left"):
        await house.order("r-2", 701)
    with pytest.raises(RefundRefused, match="another payment or sum"):
        await house.order("r-1", 301)
    with pytest.raises(RefundRefused, match="is not booked"):
        await house.order("r-3", 1, payment="nobodys")
    for amount in (0, -1):
        with pytest.raises(RefundRefused, match="are left"):
            await house.order("r-4", amount)


async def test_two_people_together_give_back_no_more_than_was_paid(house: House) -> None:
    other = await asyncpg.connect(house.town.database.services_dsn)
    wishes = [Wish(key=f"r-{place}", payment=house.payment, amount_kopecks=600, asked_by="anna") for place in range(2)]

    async def order(connection: asyncpg.Connection, wish: Wish) -> bool:
        try:
            async with connection.transaction():
                await order_refund(connection, house.web, wish, house.bank.moment)
        except RefundRefused:
            return False
        return True

    ordered = await asyncio.gather(order(house.services, wishes[0]), order(other, wishes[1]))
    await other.close()
    assert sorted(ordered) == [False, True]


async def test_what_the_acquirer_refuses_leaves_the_sum_free(house: House) -> None:
    await house.order("r-1", 1000)

    async def refusing(_request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(status=200, body=b'{"errorCode":"4","errorMessage":"no"}')

    async with house.delivering(RbsClient(rbs_settings(TERMS), refusing)):
        await house.wait_ended(1)
    assert await house.ends() == {"r-1": (False, "4: no")}
    await house.order("r-2", 1000)
    async with house.delivering():
        await house.wait_ended(2)
    assert (await house.ends())["r-2"] == (True, "")
    assert given_back(house) == [("r-2", 1000)]


async def test_answers_lost_at_random_never_give_back_twice(house: House) -> None:
    chance = Random(5)
    house.bank.loses += [chance.choice(("refund.do", "getOrderStatusExtended.do")) for _ in range(8)]
    for place in range(10):
        await house.order(f"r-{place}", 100)
    async with house.delivering():
        await house.wait_ended(10)
    assert sorted(given_back(house)) == [(f"r-{place}", 100) for place in range(10)]
