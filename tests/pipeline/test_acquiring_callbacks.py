"""Callbacks of an RBS bank through the gateway's route: late, twice, forged, of nobody's order, or told while we fail."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from connectors.sandbox.callbacks import CallbackFaults
from kopeck.clock import utc_now
from ledger.chart import AccountKind, ledger_account
from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.channel import AcquirerTerms, Channel
from schemas.ids import ExternalId
from schemas.outcome import Answer, SuspenseReason
from tests.pipeline.acquirer_bank import SECRET, RbsBank, started, town_with_bank, wanted
from tests.pipeline.acquirers import ACQUIRING_SQL, intake_of, told
from tests.pipeline.conftest import SQL, Gateway, Town
from tests.pipeline.proof import assert_sound, booked_keys, counted, until


class House(msgspec.Struct, frozen=True, kw_only=True):
    """A town with a bank, the gateway that hears its callbacks, and the services' connection."""

    town: Town
    web: Channel
    evening: Channel
    bank: RbsBank
    gateway: Gateway
    services: asyncpg.Connection


@pytest.fixture
async def house(town: Town, owner: asyncpg.Connection, redis_url: str) -> AsyncIterator[House]:
    grown, web, evening = await town_with_bank(town, owner)
    services = await asyncpg.connect(town.database.services_dsn)
    bank = RbsBank()
    bank.moment = utc_now() - timedelta(minutes=10)
    async with Gateway(grown.settings(redis_url)) as gateway:
        yield House(town=grown, web=web, evening=evening, bank=bank, gateway=gateway, services=services)
    services.terminate()


async def events(owner: asyncpg.Connection) -> list[tuple[str, int]]:
    """Act and amount of every event kept."""
    return [(row["act"], row["amount"]) for row in await owner.fetch(ACQUIRING_SQL["list_events"])]


async def test_a_web_payment_is_split_to_its_orders_account(house: House, owner: asyncpg.Connection) -> None:
    payment = await started(house.bank, house.services, house.web, wanted("K1", "1003", 700))
    house.bank.fake.pay(payment, house.bank.moment)
    assert set(await house.bank.send_all(house.gateway)) == {200}
    (entry,) = await owner.fetch(SQL["list_entries"])
    assert (entry["external_id"], entry["amount"]) == (payment, 700)
    assert entry["personal_account"] == house.town.accounts["1003"]
    assert ledger_account(AccountKind.CLEARING, house.town.transit, house.web.space) in entry["accounts"]
    names = {row["alias"]: row["external_id"] for row in await owner.fetch(ACQUIRING_SQL["list_names"])}
    assert names["order:K1"] == payment
    assert len(names) == 2, "the order's number and the RRN"


async def test_callbacks_in_any_order_and_twice_are_one_entry_and_lose_nothing(house: House, owner: asyncpg.Connection) -> None:
    bank = house.bank
    payment = await started(bank, house.services, house.web, wanted("K1"))
    bank.fake.pay(payment, bank.moment)
    await bank.client.refund(payment, 300, "refund-1")
    await bank.client.refund(payment, 300, "refund-2")
    requests = bank.callbacks()
    for _, request in (*reversed(requests), *requests):
        assert await bank.send(house.gateway, request) == 200
    assert await booked_keys(owner) == [payment]
    kept = await events(owner)
    assert kept.count(("refunded", 300)) == 2, "two refunds of one sum are two"
    assert len(kept) == len(requests) - 1, "every other event once"
    await assert_sound(owner, house.town)


async def test_a_hold_is_kept_and_is_no_payment(house: House, owner: asyncpg.Connection) -> None:
    bank = house.bank
    await started(bank, house.services, house.web, wanted("K0"))
    form = {"orderNumber": "H1", "amount": "1000", "returnUrl": "https://payer.example/back"}
    order = await bank.client._call("registerPreAuth.do", form)
    assert not isinstance(order, Exception)
    payment = bank.fake.book.find("", "H1").order_id
    bank.fake.pay(payment, bank.moment)
    assert set(await bank.send_all(house.gateway)) == {200}
    assert await booked_keys(owner) == []
    assert await events(owner) == [("approved", 1000)]


async def test_a_forged_callback_is_refused_counted_and_books_nothing(house: House, owner: asyncpg.Connection) -> None:
    bank = house.bank
    payment = await started(bank, house.services, house.web, wanted("K1"))
    bank.fake.pay(payment, bank.moment)
    before = counted("kopeck_forged_messages_total", channel="web")
    (_, request), *_ = bank.callbacks()
    forged = msgspec.structs.replace(request, body=request.body.replace(b"1000", b"9000"))
    assert await bank.send(house.gateway, forged) == 403
    async with house.gateway.session.get("/rbs/web?mdOrder=1&operation=deposited&status=1") as response:
        assert response.status == 403
    assert counted("kopeck_forged_messages_total", channel="web") == before + 2
    assert await booked_keys(owner) == []


async def test_a_callback_signed_by_the_key_before_is_believed_only_while_it_is_configured(
    town: Town, owner: asyncpg.Connection, redis_url: str
) -> None:
    grown, web, _ = await town_with_bank(town, owner)
    bank = RbsBank(CallbackFaults(old_key=1000))
    bank.moment = utc_now()
    services = await asyncpg.connect(town.database.services_dsn)
    payment = await started(bank, services, web, wanted("K1"))
    services.terminate()
    bank.fake.pay(payment, bank.moment)
    (_, request), *_ = bank.callbacks()
    both = msgspec.structs.replace(web, secrets=(SECRET, "callback-secret-before-it"))
    for channel, status in ((web, 403), (both, 200)):
        channels = tuple(channel if one.name == "web" else one for one in grown.channels)
        async with Gateway(msgspec.structs.replace(grown, channels=channels).settings(redis_url)) as gateway:
            assert await bank.send(gateway, request) == status
    assert await booked_keys(owner) == [payment]


async def test_a_payment_of_nobodys_order_waits_unidentified_under_its_number(house: House, owner: asyncpg.Connection) -> None:
    bank = house.bank
    form = {"orderNumber": "1001", "amount": "1000", "returnUrl": "https://payer.example/back"}
    await bank.client._call("register.do", form)
    bank.fake.pay(bank.fake.book.find("", "1001").order_id, bank.moment)
    assert set(await bank.send_all(house.gateway)) == {200}
    (entry,) = await owner.fetch(SQL["list_entries"])
    assert entry["reason"] == SuspenseReason.UNIDENTIFIED, "an order's number is no account's number, even when it looks like one"
    assert entry["personal_account"] is None
    assert '"account":"1001"' in entry["designation"]


async def test_an_account_is_found_in_the_orders_number_where_that_is_agreed(
    town: Town, owner: asyncpg.Connection, redis_url: str
) -> None:
    grown, web, _ = await town_with_bank(town, owner)
    terms = AcquirerTerms(account_in_order="LS-(?P<account>[0-9]+)-[0-9]+")
    channels = tuple(msgspec.structs.replace(one, acquirer=terms) if one.name == "web" else one for one in grown.channels)
    bank = RbsBank()
    bank.moment = utc_now()
    for number in ("LS-1002-7", "LS-1002-8x"):
        await bank.client._call(
            "register.do", {"orderNumber": number, "amount": "500", "returnUrl": "https://payer.example/back"}
        )
        bank.fake.pay(bank.fake.book.find("", number).order_id, bank.moment)
    async with Gateway(msgspec.structs.replace(grown, channels=channels).settings(redis_url)) as gateway:
        assert set(await bank.send_all(gateway)) == {200}
    entries = await owner.fetch(SQL["list_entries"])
    assert [entry["personal_account"] for entry in entries] == [town.accounts["1002"], None]
    assert web.acquirer.account_in_order == ""


async def test_what_cannot_be_kept_is_not_answered_as_taken(house: House, owner: asyncpg.Connection) -> None:
    bank = house.bank
    payment = await started(bank, house.services, house.web, wanted("K1"))
    bank.fake.pay(payment, bank.moment)
    await bank.send_all(house.gateway)
    await bank.client.refund(payment, 300, "refund-1")
    await owner.execute(ACQUIRING_SQL["refuse_events"])
    assert await bank.send_all(house.gateway) == [503]
    await owner.execute(ACQUIRING_SQL["allow_events"])
    bank.moment += timedelta(seconds=31)
    assert await bank.send_all(house.gateway) == [200]
    assert ("refunded", 300) in await events(owner)


async def test_a_payment_that_cannot_be_named_is_not_taken_and_comes_again(house: House, owner: asyncpg.Connection) -> None:
    bank = house.bank
    payment = await started(bank, house.services, house.web, wanted("K1"))
    bank.fake.pay(payment, bank.moment)
    requests = bank.callbacks()
    await owner.execute(ACQUIRING_SQL["refuse_names"])
    assert 503 in [await bank.send(house.gateway, request, number) for number, request in requests]
    assert await booked_keys(owner) == []
    await owner.execute(ACQUIRING_SQL["allow_names"])
    bank.moment += timedelta(seconds=31)
    assert set(await bank.send_all(house.gateway)) == {200}
    assert await booked_keys(owner) == [payment]


async def test_the_evening_register_repeats_callbacks_by_whichever_id(
    house: House, owner: asyncpg.Connection, redis_url: str
) -> None:
    bank = house.bank
    payments = [await started(bank, house.services, house.web, wanted(f"K{place}", "1001", 500 + place)) for place in range(3)]
    for payment in payments:
        bank.fake.pay(payment, bank.moment)
    for number, request in bank.callbacks():
        if payments[2].encode() not in request.body:
            await bank.send(house.gateway, request, number)
    rrn = {payment: bank.fake.book.find(payment).rrn for payment in payments}
    lines = [
        told(payments[0], "1001", 500),
        told(f"rrn:{rrn[payments[1]]}", "1001", 501),
        told(f"order:K{2}", "1001", 502, aliases=(f"rrn:{rrn[payments[2]]}",)),
    ]
    async with intake_of(house.town, redis_url) as intake:
        outcomes = await intake.book(house.evening, lines)
    assert [one.answer for one in outcomes] == [Answer.DUPLICATE, Answer.DUPLICATE, Answer.RECORDED]
    bank.moment += timedelta(seconds=31)
    await bank.send_all(house.gateway)
    assert len(await booked_keys(owner)) == 3


async def test_an_event_told_with_two_contents_is_kept_for_a_person(
    house: House, owner: asyncpg.Connection, redis_url: str
) -> None:
    bank = house.bank
    payment = await started(bank, house.services, house.web, wanted("K1"))
    bank.fake.pay(payment, bank.moment)
    await bank.client.refund(payment, 300, "refund-1")
    await bank.send_all(house.gateway)
    async with intake_of(house.town, redis_url) as intake:
        (row,) = [row for row in await owner.fetch(ACQUIRING_SQL["list_events"]) if row["act"] == "refunded"]
        event = AcquirerEvent(
            act=AcquirerAct.REFUNDED,
            payment=ExternalId(payment),
            key=ExternalId(row["key"]),
            amount_kopecks=301,
            event_at=None,
        )
        outcome = await intake.take(house.web, event)
    assert outcome.answer is Answer.CONFLICT
    assert [(row["what"], row["external_id"]) for row in await owner.fetch(SQL["list_parked"])] == [("conflict", row["key"])]


async def test_a_process_that_dies_between_the_entry_and_its_answer_is_told_again_and_books_once(
    house: House, owner: asyncpg.Connection, redis_url: str
) -> None:
    bank = house.bank
    payment = await started(bank, house.services, house.web, wanted("K1"))
    bank.fake.pay(payment, bank.moment)
    await bank.client.refund(payment, 300, "refund-1")
    requests = bank.callbacks()
    async with Gateway(house.town.settings(redis_url)) as dying:
        sending = [asyncio.create_task(bank.send(dying, request)) for _, request in requests]

        async def is_booked() -> bool:
            return await booked_keys(owner) == [payment] and len(await events(owner)) == len(requests) - 1

        await until(is_booked)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
    assert [await bank.send(house.gateway, request, number) for number, request in requests] == [200] * len(requests)
    assert await booked_keys(owner) == [payment]
    assert len(await events(owner)) == len(requests) - 1
