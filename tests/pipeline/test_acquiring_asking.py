"""Web payments started at an acquirer and followed by asking: nothing is made twice, no lost callback is lost money."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from connectors.acquiring.rbs_client import RbsClient
from kopeck.acquirer_sections import rbs_settings
from kopeck.clock import utc_now
from schemas.channel import Channel
from schemas.exchange import ExchangeFailed, HttpAnswer, HttpRequest
from schemas.outcome import Answer
from services.acquiring.asking import GRACE, Asked, Asker, ask_once
from services.acquiring.orders import AccountRefused, NotStarted, OrderDiffers, Started, WebState, start_payment
from tests.pipeline.acquirer_bank import TERMS, RbsBank, started, town_with_bank, wanted
from tests.pipeline.acquirers import ACQUIRING_SQL, intake_of, told
from tests.pipeline.conftest import SQL, Gateway, Town
from tests.pipeline.proof import assert_sound, booked_keys


class House(msgspec.Struct, frozen=True, kw_only=True):
    """A town with a bank whose callbacks nobody hears, and who asks it."""

    town: Town
    web: Channel
    evening: Channel
    bank: RbsBank
    services: asyncpg.Connection
    redis_url: str

    async def ask(self, *, sweeps: bool = False) -> Asked:
        """One round of asking at the bank's moment, by a process of its own."""
        async with intake_of(self.town, self.redis_url) as intake:
            askers = (Asker(self.web, self.bank.client, intake),)
            return await ask_once(self.town.database.services_dsn, askers, self.bank.moment, sweeps=sweeps)

    async def state(self, number: str) -> WebState:
        """Where an order stands."""
        return WebState(await self.services.fetchval(ACQUIRING_SQL["find_state"], self.web.space, number))


@pytest.fixture
async def house(town: Town, owner: asyncpg.Connection, redis_url: str) -> AsyncIterator[House]:
    grown, web, evening = await town_with_bank(town, owner)
    services = await asyncpg.connect(town.database.services_dsn)
    bank = RbsBank()
    bank.moment = utc_now() - timedelta(minutes=10)
    yield House(town=grown, web=web, evening=evening, bank=bank, services=services, redis_url=redis_url)
    services.terminate()


async def test_a_lost_callback_is_found_by_asking_and_is_the_same_entry(house: House, owner: asyncpg.Connection) -> None:
    payment = await started(house.bank, house.services, house.web, wanted("K1", "1002", 900))
    house.bank.fake.pay(payment, house.bank.moment)
    callbacks = house.bank.callbacks()
    assert await house.ask() == Asked(), "not yet: the callback has its time"
    house.bank.moment += timedelta(seconds=90)
    assert await house.ask() == Asked(orders=1, found=1)
    (entry,) = await owner.fetch(SQL["list_entries"])
    assert (entry["external_id"], entry["personal_account"]) == (payment, house.town.accounts["1002"])
    assert await house.state("K1") is WebState.PAID
    async with Gateway(house.town.settings(house.redis_url)) as gateway:
        for _, request in callbacks:
            assert await house.bank.send(gateway, request) == 200
    assert await booked_keys(owner) == [payment]
    assert (await owner.fetchrow(SQL["fetch_totals"]))["parked"] == 0
    house.bank.moment += timedelta(days=1)
    assert await house.ask() == Asked(), "an order at rest is not asked about"


async def test_a_payment_found_by_asking_is_in_the_evening_register_a_duplicate(house: House, owner: asyncpg.Connection) -> None:
    payment = await started(house.bank, house.services, house.web, wanted("K1"))
    house.bank.fake.pay(payment, house.bank.moment)
    house.bank.moment += timedelta(seconds=90)
    await house.ask()
    rrn = house.bank.fake.book.find(payment).rrn
    async with intake_of(house.town, house.redis_url) as intake:
        outcomes = await intake.book(house.evening, [told(payment), told(f"rrn:{rrn}"), told("line-1", aliases=("order:K1",))])
    assert [one.answer for one in outcomes] == [Answer.DUPLICATE] * 3
    assert await booked_keys(owner) == [payment]
    await assert_sound(owner, house.town)


async def test_a_day_is_swept_for_payments_and_refunds_that_nobody_told(house: House, owner: asyncpg.Connection) -> None:
    bank = house.bank
    payments = [await started(bank, house.services, house.web, wanted(f"K{place}", "1001", 600)) for place in range(3)]
    for payment in payments:
        bank.fake.pay(payment, bank.moment)
    await bank.client.refund(payments[0], 200, "refund-1")
    bank.moment += timedelta(seconds=30)
    swept = await house.ask(sweeps=True)
    assert (swept.found, swept.again) == (4, 0)
    assert (await house.ask(sweeps=True)).found == 0
    assert sorted(await booked_keys(owner)) == sorted(payments)
    (refund,) = await owner.fetch(ACQUIRING_SQL["list_events"])
    assert (refund["act"], refund["amount"], refund["payment"]) == ("refunded", 200, payments[0])


async def test_a_start_repeated_is_the_same_order_and_page(house: House) -> None:
    wish = wanted("K1")
    first = await start_payment(house.services, house.bank.client, house.web, wish, house.bank.moment)
    again = await start_payment(house.services, house.bank.client, house.web, wish, house.bank.moment)
    assert isinstance(first, Started)
    assert again == first
    with pytest.raises(OrderDiffers):
        await start_payment(house.services, house.bank.client, house.web, wanted("K1", amount=1), house.bank.moment)


@pytest.mark.parametrize(("account", "why"), [("nobody", "no account"), ("twice", "several accounts"), ("closed", "is closed")])
async def test_no_order_is_made_for_what_is_no_open_account(house: House, account: str, why: str) -> None:
    with pytest.raises(AccountRefused, match=why):
        await start_payment(house.services, house.bank.client, house.web, wanted("K1", account), house.bank.moment)
    assert await house.services.fetchval(ACQUIRING_SQL["find_state"], house.web.space, "K1") is None


async def test_a_lost_answer_of_register_makes_no_second_order_of_the_number(house: House, owner: asyncpg.Connection) -> None:
    house.bank.loses.append("register.do")
    wish = wanted("K1")
    lost = await start_payment(house.services, house.bank.client, house.web, wish, house.bank.moment)
    assert isinstance(lost, NotStarted)
    assert lost.again
    again = await start_payment(house.services, house.bank.client, house.web, wish, house.bank.moment)
    assert isinstance(again, NotStarted)
    assert not again.again
    house.bank.moment += timedelta(seconds=90)
    await house.ask()
    assert await house.state("K1") is WebState.DECLINED, "nobody was shown its page"
    assert await booked_keys(owner) == []


async def test_what_the_bank_refuses_is_at_rest(house: House) -> None:
    form = {"orderNumber": "K1", "amount": "5", "returnUrl": "https://payer.example/back"}
    await house.bank.client._call("register.do", form)
    wrong = RbsClient(rbs_settings(msgspec.structs.replace(TERMS, password="wrong")), house.bank.exchange)
    refused = await start_payment(house.services, wrong, house.web, wanted("K2"), house.bank.moment)
    assert isinstance(refused, NotStarted)
    assert not refused.again
    assert await house.state("K2") is WebState.REFUSED
    house.bank.moment += timedelta(seconds=90)
    assert await house.ask() == Asked()


async def test_an_order_that_the_bank_never_got_is_given_up_after_its_time(house: House) -> None:
    lost = await start_payment(
        house.services, RbsClient(rbs_settings(TERMS), unreachable), house.web, wanted("K1"), house.bank.moment
    )
    assert isinstance(lost, NotStarted)
    assert lost.again
    house.bank.moment += timedelta(seconds=90)
    assert (await house.ask()).again == 1
    house.bank.moment += timedelta(hours=1) + GRACE
    assert (await house.ask()).orders == 1
    assert await house.state("K1") is WebState.EXPIRED


async def unreachable(_request: HttpRequest) -> HttpAnswer:
    """Nobody is there."""
    raise ExchangeFailed("refused", sent=False)


async def test_an_order_that_nobody_pays_ends_by_itself(house: House, owner: asyncpg.Connection) -> None:
    await started(house.bank, house.services, house.web, wanted("K1"))
    house.bank.moment += timedelta(seconds=90)
    assert await house.ask() == Asked(orders=1)
    assert await house.state("K1") is WebState.REGISTERED
    house.bank.moment += timedelta(hours=3)
    await house.ask()
    assert await house.state("K1") in (WebState.DECLINED, WebState.EXPIRED)
    assert await booked_keys(owner) == []


async def test_an_asker_that_dies_leaves_the_order_to_the_next(house: House, owner: asyncpg.Connection) -> None:
    payment = await started(house.bank, house.services, house.web, wanted("K1"))
    house.bank.fake.pay(payment, house.bank.moment)
    house.bank.moment += timedelta(seconds=90)
    house.bank.loses.append("getOrderStatusExtended.do")
    assert await house.ask() == Asked(again=1)
    house.bank.moment += timedelta(seconds=31)
    assert await house.ask() == Asked(orders=1, found=1)
    assert await booked_keys(owner) == [payment]


async def test_what_cannot_be_booked_is_asked_about_again(house: House, owner: asyncpg.Connection) -> None:
    payment = await started(house.bank, house.services, house.web, wanted("K1"))
    house.bank.fake.pay(payment, house.bank.moment)
    house.bank.moment += timedelta(seconds=90)
    await owner.execute(ACQUIRING_SQL["refuse_names"])
    assert await house.ask() == Asked(orders=1, again=1)
    assert await house.state("K1") is WebState.REGISTERED
    await owner.execute(ACQUIRING_SQL["allow_names"])
    house.bank.moment += timedelta(seconds=61)
    assert await house.ask() == Asked(orders=1, found=1)
    assert await booked_keys(owner) == [payment]
