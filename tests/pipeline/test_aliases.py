"""One payment told of under several ids, in whatever order and by however many processes, is one entry (design W5)."""

import asyncio

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.channel import AcquirerTerms, Channel, ChannelKind
from schemas.outcome import Answer
from tests.pipeline.acquirers import ACQUIRING_SQL, add_channels, intake_of, told
from tests.pipeline.conftest import SQL, Gateway, Town
from tests.pipeline.proof import assert_sound, booked_keys, result_of

ACQUIRER = ("acquirer", ChannelKind.RBS, AcquirerTerms())
REGISTER = ("register", ChannelKind.REGISTER, AcquirerTerms())


@pytest.fixture
async def acquired(town: Town, owner: asyncpg.Connection) -> tuple[Town, Channel, Channel]:
    """The town with an acquirer and its evening register."""
    grown = await add_channels(town, owner, ACQUIRER, REGISTER)
    return grown, grown.channels[-2], grown.channels[-1]


async def test_a_register_line_by_a_second_id_is_a_duplicate(
    acquired: tuple[Town, Channel, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, callbacks, register = acquired
    async with intake_of(town, redis_url) as intake:
        (first,) = await intake.book(callbacks, [told("order-1", aliases=("rrn:1", "order:7"))])
        (line,) = await intake.book(register, [told("rrn:1")])
        (other,) = await intake.book(register, [told("qr:1", aliases=("order:7",))])
        (by_third,) = await intake.book(register, [told("qr:1")])
    assert first.answer is Answer.RECORDED
    assert [one.answer for one in (line, other, by_third)] == [Answer.DUPLICATE] * 3
    assert line.sequence == other.sequence == by_third.sequence == first.sequence
    assert await booked_keys(owner) == ["order-1"]


async def test_a_callback_after_its_register_line_is_booked_under_the_lines_id(
    acquired: tuple[Town, Channel, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, callbacks, register = acquired
    async with intake_of(town, redis_url) as intake:
        (line,) = await intake.book(register, [told("rrn:1")])
        (callback,) = await intake.book(callbacks, [told("order-1", aliases=("rrn:1",))])
        (again,) = await intake.book(callbacks, [told("order-1")])
    assert [one.answer for one in (line, callback, again)] == [Answer.RECORDED, Answer.DUPLICATE, Answer.DUPLICATE]
    assert await booked_keys(owner) == ["rrn:1"]


async def test_the_same_payment_twice_in_one_register_is_one_entry(
    acquired: tuple[Town, Channel, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, callbacks, _ = acquired
    lines = [told("a", aliases=("x",)), told("b", aliases=("x",)), told("c", aliases=("b",)), told("x")]
    async with intake_of(town, redis_url) as intake:
        outcomes = await intake.book(callbacks, lines)
    assert sorted(one.answer for one in outcomes) == [Answer.RECORDED, *[Answer.DUPLICATE] * 3]
    assert len(await booked_keys(owner)) == 1


async def test_ids_of_two_booked_payments_told_together_are_parked_and_book_nothing(
    acquired: tuple[Town, Channel, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, callbacks, register = acquired
    async with intake_of(town, redis_url) as intake:
        await intake.book(register, [told("rrn:1"), told("order-1", "1002")])
        (outcome,) = await intake.book(callbacks, [told("order-1", "1002", aliases=("rrn:1",))])
    assert (outcome.answer, outcome.conflict_field) == (Answer.CONFLICT, "alias")
    assert await booked_keys(owner) == ["rrn:1", "order-1"]
    (parked,) = await owner.fetch(SQL["list_parked"])
    assert (parked["what"], parked["external_id"]) == ("conflict", "order-1")
    assert '"payments":["order-1","rrn:1"]' in parked["content"]
    assert await owner.fetch(ACQUIRING_SQL["list_names"]) == []


async def test_a_name_fixed_by_a_process_that_died_is_not_booked_beside_another(
    acquired: tuple[Town, Channel, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, callbacks, register = acquired
    await owner.execute(ACQUIRING_SQL["claim_name"], callbacks.space, "rrn:1")
    async with intake_of(town, redis_url) as intake:
        await intake.book(callbacks, [told("order-1")])
        (together,) = await intake.book(callbacks, [told("order-1", aliases=("rrn:1",))])
        (line,) = await intake.book(register, [told("rrn:1")])
    assert [together.answer, line.answer] == [Answer.DUPLICATE] * 2
    assert await booked_keys(owner) == ["order-1"]


async def test_processes_that_race_with_different_ids_make_one_entry(
    acquired: tuple[Town, Channel, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, callbacks, register = acquired
    first = [told(f"order-{place}", aliases=(f"rrn:{place}", f"order:{place}")) for place in range(300)]
    second = [told(f"rrn:{place}", aliases=(f"order-{place}",) if place % 2 else ()) for place in range(300)]
    third = [told(f"qr:{place}", aliases=(f"order:{place}",)) for place in range(300)]
    async with intake_of(town, redis_url) as one, intake_of(town, redis_url) as two:
        # Small and many, so that the processes meet at the same payments again and again.
        booked = await asyncio.gather(
            *(one.book(callbacks, first[start : start + 10]) for start in range(0, 300, 10)),
            *(two.book(register, second[start : start + 10]) for start in range(0, 300, 10)),
            *(two.book(callbacks, third[start : start + 10]) for start in range(0, 300, 10)),
        )
    answers = [outcome.answer for outcomes in booked for outcome in outcomes]
    assert (answers.count(Answer.RECORDED), answers.count(Answer.DUPLICATE)) == (300, 600)
    assert len(await booked_keys(owner)) == 300
    await assert_sound(owner, town)


async def test_without_names_nothing_is_booked(
    acquired: tuple[Town, Channel, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, callbacks, _ = acquired
    async with intake_of(town, redis_url) as intake:
        await owner.execute(ACQUIRING_SQL["refuse_names"])
        (refused,) = await intake.book(callbacks, [told("order-1", aliases=("rrn:1",))])
        await owner.execute(ACQUIRING_SQL["allow_names"])
        (booked,) = await intake.book(callbacks, [told("order-1", aliases=("rrn:1",))])
    assert [refused.answer, booked.answer] == [Answer.TRY_AGAIN, Answer.RECORDED]


async def test_ids_that_no_key_can_be_are_no_aliases_and_stop_nobody(
    acquired: tuple[Town, Channel, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, callbacks, _ = acquired
    told_of = [told("order-1", aliases=("", "x" * 129, "a\0b", "\ud800")), told("order-2")]
    async with intake_of(town, redis_url) as intake:
        outcomes = await intake.book(callbacks, told_of)
    assert [one.answer for one in outcomes] == [Answer.RECORDED] * 2


async def test_a_terminal_in_an_acquirers_space_is_asked_for_its_names_too(
    acquired: tuple[Town, Channel, Channel], owner: asyncpg.Connection, redis_url: str
) -> None:
    town, callbacks, _ = acquired
    net = msgspec.structs.replace(town.channels[0], space=callbacks.space, space_name=callbacks.space_name)
    town = msgspec.structs.replace(town, channels=(net, *town.channels[1:]))
    async with intake_of(town, redis_url) as intake:
        await intake.book(callbacks, [told("order-1", aliases=("777",))])
    others = (one for one in town.channels if one.kind is not ChannelKind.RBS)
    channels = (*others, acquirer_with_key(callbacks))
    async with Gateway(msgspec.structs.replace(town, channels=channels).settings(redis_url)) as gateway:
        first, second = await gateway.pay("777", "1001", "10.00"), await gateway.pay("778", "1001", "10.00")
    assert (result_of(first), result_of(second)) == (0, 0)
    assert await booked_keys(owner) == ["order-1", "778"]


async def test_a_terminal_in_a_statements_space_is_asked_for_its_names_too(
    town: Town, owner: asyncpg.Connection, redis_url: str
) -> None:
    """The statement's line came first, and told the reference under which the other channel tells of the payment now."""
    town = await add_channels(town, owner, ("lines", ChannelKind.STATEMENT, AcquirerTerms()))
    lines = town.channels[-1]
    net = msgspec.structs.replace(town.channels[0], space=lines.space, space_name=lines.space_name)
    town = msgspec.structs.replace(town, channels=(net, *town.channels[1:]))
    async with Gateway(town.settings(redis_url)) as gateway:
        async with intake_of(town, redis_url) as intake:
            await intake.book(lines, [told("line-1", aliases=("777777777777",))])
        paid = await gateway.pay("777777777777", "1001", "10.00")
    assert result_of(paid) == 0 and await booked_keys(owner) == ["line-1"]


def acquirer_with_key(channel: Channel) -> Channel:
    """The channel as a gateway serves it."""
    return msgspec.structs.replace(channel, secrets=("callback-secret-of-tests",))


names = st.sampled_from("abcdef")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(names, st.lists(names, max_size=3)), min_size=1, max_size=6))
async def test_whatever_is_told_together_before_it_is_booked_apart_is_one_payment(
    acquired: tuple[Town, Channel, Channel], owner: asyncpg.Connection, redis_url: str, said: list[tuple[str, list[str]]]
) -> None:
    """Against a union-find: ids named together lead to one, and a conflict is told only between two that were booked apart."""
    town, callbacks, _ = acquired
    run = await owner.fetchval(ACQUIRING_SQL["count_names"])
    booked: dict[str, str] = {}
    async with intake_of(town, redis_url) as intake:
        for own, aliases in said:
            ids = [f"{run}-{one}" for one in dict.fromkeys((own, *aliases))]
            payments = {booked[one] for one in ids if one in booked}
            (outcome,) = await intake.book(callbacks, [told(ids[0], aliases=tuple(ids[1:]))])
            if len(payments) > 1:
                assert outcome.answer is Answer.CONFLICT
                continue
            assert outcome.answer is (Answer.DUPLICATE if payments else Answer.RECORDED)
            payment = next(iter(payments), ids[0])
            booked |= dict.fromkeys(ids, payment)
