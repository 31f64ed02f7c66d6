"""Payments booked without HTTP: the same stations, the same answers, in any number at once."""

import asyncio

import asyncpg
import pytest

from schemas.channel import AcquirerTerms, Channel, ChannelKind
from schemas.notification import PaymentNotification
from schemas.outcome import Answer, Refusal, SuspenseReason
from tests.pipeline.acquirers import ACQUIRING_SQL, add_channels, intake_of, told
from tests.pipeline.conftest import SQL, Town
from tests.pipeline.proof import assert_sound, booked_keys

REGISTER = ("register", ChannelKind.REGISTER, AcquirerTerms())


@pytest.fixture
async def register(town: Town, owner: asyncpg.Connection) -> tuple[Town, Channel]:
    """The town with one register's channel."""
    grown = await add_channels(town, owner, REGISTER)
    return grown, grown.channels[-1]


def many(count: int) -> list[PaymentNotification]:
    """Payments of three accounts and of nobody."""
    return [told(f"op-{place}", ("1001", "1002", "1003", "nobody")[place % 4], 100 + place) for place in range(count)]


async def test_a_register_is_booked_whole_and_repeated_as_duplicates(
    register: tuple[Town, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, channel = register
    async with intake_of(town, redis_url) as intake:
        first = await intake.book(channel, many(3_000))
        again = await intake.book(channel, many(3_000))
    assert {one.answer for one in first} == {Answer.RECORDED}
    assert {one.answer for one in again} == {Answer.DUPLICATE}
    assert [one.sequence for one in first] == [one.sequence for one in again]
    assert [one.suspense for one in first[:4]] == [SuspenseReason.NONE] * 3 + [SuspenseReason.ACCOUNT_UNKNOWN]
    totals = await owner.fetchrow(SQL["fetch_totals"])
    assert (totals["entries"], totals["keys"]) == (3_000, 3_000)
    assert await owner.fetchval(ACQUIRING_SQL["count_names"]) == 0, "payments without aliases pay for no names"
    await assert_sound(owner, town)


async def test_registers_booked_at_once_share_the_room(
    register: tuple[Town, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, channel = register
    async with intake_of(town, redis_url, queue_payments_max=512) as intake:
        both = await asyncio.gather(intake.book(channel, many(1_200)), intake.book(channel, many(1_200)))
    answers = [{one.answer for one in pair} for pair in zip(*both, strict=True)]
    assert all(pair == {Answer.RECORDED, Answer.DUPLICATE} for pair in answers)
    await assert_sound(owner, town)


async def test_one_payment_of_another_content_does_not_spoil_the_rest(
    register: tuple[Town, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, channel = register
    async with intake_of(town, redis_url) as intake:
        await intake.book(channel, [told("op-5", "1002", 7)])
        outcomes = await intake.book(channel, [*many(10), told("op-9", "1001", 109)])
    assert outcomes[5].answer is Answer.CONFLICT
    assert outcomes[5].conflict_field == "amount"
    assert [one.answer for one in outcomes[:5]] == [Answer.RECORDED] * 5
    assert {outcomes[9].answer, outcomes[10].answer} == {Answer.RECORDED, Answer.CONFLICT}
    assert len(await booked_keys(owner)) == 10


async def test_a_spoilt_account_stops_nobody_else(
    register: tuple[Town, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, channel = register
    await owner.execute(SQL["spoil_head"], town.accounts["1002"])
    async with intake_of(town, redis_url) as intake:
        outcomes = await intake.book(channel, many(2_000))
    of_spoilt = {one.answer for place, one in enumerate(outcomes) if place % 4 == 1}
    of_others = {one.answer for place, one in enumerate(outcomes) if place % 4 != 1}
    assert (of_spoilt, of_others) == ({Answer.TRY_AGAIN}, {Answer.RECORDED})


async def test_money_without_an_account_waits_unidentified_and_is_not_looked_up(
    register: tuple[Town, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, channel = register
    one = told("op-1", "1001")
    unidentified = PaymentNotification(
        external_id=one.external_id,
        account_number="1001",
        amount_kopecks=1000,
        raw_amount="",
        event_at=one.event_at,
        unidentified=True,
    )
    async with intake_of(town, redis_url) as intake:
        outcomes = await intake.book(channel, [unidentified, told("op-2", ""), told("op-3", "1001", 0)])
    assert [one.suspense for one in outcomes[:2]] == [SuspenseReason.UNIDENTIFIED] * 2
    assert (outcomes[2].answer, outcomes[2].refusal) == (Answer.REFUSED, Refusal.MALFORMED_AMOUNT)
    entries = await owner.fetch(SQL["list_entries"])
    assert [entry["personal_account"] for entry in entries] == [None, None]
    assert "1001" in entries[0]["designation"]


async def test_sessions_ended_under_way_lose_and_double_nothing(
    register: tuple[Town, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, channel = register
    async with intake_of(town, redis_url, batch_entries_max=64) as intake:
        booking = asyncio.create_task(intake.book(channel, many(4_000)))
        while len(await booked_keys(owner)) < 300:
            await asyncio.sleep(0)
        await owner.execute(SQL["terminate_others"])
        outcomes = list(await booking)
        again = await intake.book(channel, many(4_000))
    keys = await booked_keys(owner)
    assert len(keys) == len(set(keys)) == 4_000
    assert {one.answer for one in outcomes} <= {Answer.RECORDED, Answer.TRY_AGAIN}
    assert {one.answer for one in again} <= {Answer.RECORDED, Answer.DUPLICATE}
    await assert_sound(owner, town)
