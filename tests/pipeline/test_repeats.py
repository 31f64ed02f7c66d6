"""A payment that comes twice by another way: another process, another channel of its space, another moment."""

import asyncio

import asyncpg

from connectors.banks.bank_feed import BASKET_ITEMS_MAX
from gateway.door import Door, RefusedByDatabase
from kopeck.clock import utc_now
from ledger.core.entry import PaymentFacts, entry_for_suspense
from ledger.journal import Append, Appended
from ledger.statements import load_statements
from schemas.ids import Book, ExternalId, Transit
from schemas.outcome import AppendStatus, SuspenseReason
from tests.pipeline.bank import payment, send
from tests.pipeline.conftest import SQL, Gateway, Town
from tests.pipeline.proof import (
    BOOKED,
    TRY_AGAIN,
    Terminal,
    assert_sound,
    booked_keys,
    counted,
    result_of,
    until,
)

FAULTS = load_statements("tests/pipeline/faults.sql")


async def test_a_repeat_while_the_first_is_queued_elsewhere(town: Town, owner: asyncpg.Connection, redis_url: str) -> None:
    async with Gateway(town.settings(redis_url)) as one, Gateway(town.settings(redis_url)) as other:
        async with owner.transaction():
            await owner.execute(FAULTS["lock_book"])
            holding = asyncio.create_task(one.pay("1", "1002", "1.00"))
            await until(lambda: _waiting(owner, 1))
            first = asyncio.create_task(one.pay("2", "1001", "1.00"))
            feed = asyncio.create_task(send(one, "op-1", payment("1001", 1000)))
            repeats = [asyncio.create_task(one.pay("2", "1001", "1.00")), asyncio.create_task(other.pay("2", "1001", "1.00"))]
            changed = asyncio.create_task(other.pay("1", "1001", "1.00"))
            again = asyncio.create_task(send(other, "op-1", payment("1001", 1000)))
            await until(lambda: _waiting(owner, 2))
        answers = {await holding, await first, *(await asyncio.gather(*repeats))}
        assert [result_of(answer) for answer in sorted(answers)] == [BOOKED, BOOKED], "repeats get the same bytes"
        assert result_of(await changed) == 300
        told = [await feed, await again]
        assert told[0].body == told[1].body
        assert [one.headers.get("Idempotency-Replayed") for one in told].count("true") == 1
    assert sorted(await booked_keys(owner)) == ["1", "2", "op-1"]
    await assert_sound(owner, town)


async def _waiting(owner: asyncpg.Connection, sessions: int) -> bool:
    return await owner.fetchval(FAULTS["count_waiting"]) >= sessions


async def test_channels_of_one_space_share_their_payments(gateway: Gateway, town: Town, owner: asyncpg.Connection) -> None:
    query = {"ACTION": "payment", "ACCOUNT": "1001", "PAY_DATE": "24.11.2026_12:00:00"}
    assert result_of(await gateway.pay("5", "1001", "10.00")) == BOOKED
    for key, amount, code in (("5", "10", 8), ("5", "10.0", 8), ("5", "11.00", 300), ("6", "10", 0)):
        async with gateway.session.get("/sber/sber", params={**query, "PAY_ID": key, "AMOUNT": amount}) as response:
            assert f"<CODE>{code}</CODE>" in await response.text(), (key, amount)
    assert result_of(await gateway.pay("6", "1001", "10.00")) == BOOKED
    assert (await send(gateway, "5", payment("1001", 1000))).body["status"] == "recorded", "another space, another payment"
    assert await booked_keys(owner) == ["5", "6", "5"]
    await assert_sound(owner, town)


async def test_a_conflict_that_cannot_be_parked_now_is_asked_again(
    gateway: Gateway, town: Town, owner: asyncpg.Connection
) -> None:
    terminal = Terminal(gateway.session)
    assert await terminal.pay_once("1", "1001", "1.00") == BOOKED
    await owner.execute(FAULTS["refuse_parking"])
    faults = counted("kopeck_pipeline_faults_total")
    codes = await asyncio.gather(terminal.pay_once("1", "1001", "2.00"), terminal.pay_once("2", "1001", "1.00"))
    assert codes == [TRY_AGAIN, BOOKED], "the others of its batch are not taken along"
    assert counted("kopeck_pipeline_faults_total") == faults
    await owner.execute(FAULTS["allow_parking"])
    assert await terminal.pay_once("1", "1001", "2.00") == 300
    assert [row["what"] for row in await owner.fetch(SQL["list_parked"])] == ["conflict"]
    await assert_sound(owner, town)


async def test_a_conflict_of_any_size_is_parked(gateway: Gateway, town: Town, owner: asyncpg.Connection) -> None:
    assert (await send(gateway, "op-1", payment("1001", BASKET_ITEMS_MAX))).status == 200
    item = {"pool": "main", "period": "2026-10", "kind": "principal", "service": "\\" * 80, "recipient": "\\" * 50, "amount": 1}
    basket = [{**item, "recipient": f"{number:03d}" + "\\" * 25} for number in range(BASKET_ITEMS_MAX)]
    told = await send(gateway, "op-1", payment("1001", BASKET_ITEMS_MAX, designation={"basket": basket}))
    assert (told.status, told.body["field"]) == (409, "designation")
    (parked,) = await owner.fetch(SQL["list_parked"])
    assert "sha256:" in parked["content"]
    await assert_sound(owner, town)


async def test_an_offer_that_cannot_be_sent_does_not_take_its_batch_along(town: Town, owner: asyncpg.Connection) -> None:
    channel = town.channels[2]
    offers = [
        Append(
            entry=entry_for_suspense(
                PaymentFacts(
                    transit=Transit(town.transit),
                    channel=channel.number,
                    space=channel.space,
                    external_id=ExternalId(key),
                    event_at=utc_now(),
                    amount_kopecks=1,
                    designation="{}",
                ),
                SuspenseReason.ACCOUNT_UNKNOWN,
            ),
            fingerprint=b"\x00" * 8,
        )
        for key in ("op-1", "\ud800", "op-\x00", "k" * 129, "op-2")
    ]
    door = Door(town.database.gateway_dsn)
    began = asyncio.get_running_loop().time()
    answers = await door.offer(Book(1), offers, began + 30)
    await door.close()
    assert asyncio.get_running_loop().time() - began < 5, "it is known at once whose fault it is"
    assert [isinstance(answer, RefusedByDatabase) for answer in answers] == [False, True, True, True, False]
    assert [answer.status for answer in answers if isinstance(answer, Appended)] == [AppendStatus.RECORDED] * 2
    assert await booked_keys(owner) == ["op-1", "op-2"]
