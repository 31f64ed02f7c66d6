"""Lines of a register become payments, each with its end; whatever dies when, each exactly once."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from connectors.registers.reading import read_register
from connectors.registers.shipped import shipped_formats
from connectors.sandbox.registers import RegisterFault, write_sent
from services.registers.booking import BookingUnfinished, RegisterBusy, line_bound_to
from services.sealing import KEY_BYTES, NotUnsealed, Sealer
from tests.pipeline import conftest as pipeline_town
from tests.pipeline.conftest import Town
from tests.services.register_house import (
    REGISTER_SQL,
    Deaf,
    Died,
    Faulty,
    RegisterHouse,
    agent_register,
    payment,
    register_house,
)

owner, town = pipeline_town.owner, pipeline_town.town
ACCOUNTS = ("1001", "1002", "1003", "debts")
MANY = agent_register(*(payment(place, ACCOUNTS[place % 4], 100 + place) for place in range(30)))


@pytest.fixture
async def house(town: Town, owner: asyncpg.Connection, redis_url: str) -> AsyncIterator[RegisterHouse]:
    async with register_house(town, owner, redis_url) as made:
        yield made


async def taken(house: RegisterHouse) -> int:
    """MANY, taken and not booked."""
    content = write_sent("kopeck", MANY)
    return (await house.take(read_register(content, shipped_formats()["kopeck"]), content)).register


async def test_lines_are_booked_under_the_counterpartys_ids(house: RegisterHouse) -> None:
    register = (await house.load("kopeck", MANY)).register
    entries = await house.entries()
    assert [entry["external_id"] for entry in entries] == [f"op-{place}" for place in range(30)]
    assert {entry["space"] for entry in entries} == {house.agent.space}
    assert {entry["channel"] for entry in entries} == {house.agent.number}
    assert [entry["amount"] for entry in entries] == [one.amount_kopecks for one in MANY.payments]
    assert [entry["event_at"] for entry in entries] == [one.moment for one in MANY.payments]
    lines = await house.lines(register)
    assert [(line.book, line.sequence) for line in lines] == [(1, entry["sequence"]) for entry in entries]
    view = await house.view(register)
    assert view.outcomes == {"recorded": 30} and view.booked_at is not None


async def test_progress_is_told_chunk_by_chunk(house: RegisterHouse) -> None:
    told = await house.book(await taken(house), chunk_lines=8)
    assert told == [8, 16, 24, 30]


async def test_money_without_an_owner_waits_in_suspense_with_its_reason(house: RegisterHouse) -> None:
    sent = agent_register(payment(1, "nobody"), payment(2, "twice"), payment(3, "closed"), payment(4, ""), payment(5, "1001"))
    register = (await house.load("kopeck", sent)).register
    lines = await house.lines(register)
    assert [(line.outcome, line.reason) for line in lines] == [
        ("suspense", "account_unknown"),
        ("suspense", "account_ambiguous"),
        ("suspense", "account_closed"),
        ("suspense", "unidentified"),
        ("recorded", ""),
    ]
    assert [entry["kind"] for entry in await house.entries()] == [2, 2, 2, 2, 1]


async def test_a_payment_that_stands_twice_in_a_file_is_booked_once(house: RegisterHouse) -> None:
    sent = agent_register(*(payment(place, "1001") for place in range(6)))
    register = (await house.load("kopeck", sent, fault=RegisterFault.DUPLICATES)).register
    assert await house.ends(register) == [
        "recorded",
        "duplicate",
        "recorded",
        "recorded",
        "recorded",
        "duplicate",
        "recorded",
        "recorded",
    ]
    assert len(await house.entries()) == 6
    assert (await house.view(register)).total == 8_000


async def test_a_payment_of_another_register_is_a_duplicate_and_changed_content_a_conflict(house: RegisterHouse) -> None:
    await house.load("kopeck", agent_register(payment(1, "1001"), payment(2, "1002")))
    again = agent_register(payment(1, "1001"), payment(2, "1002", 1_001), payment(3, "1003"), number="8")
    register = (await house.load("kopeck", again)).register
    lines = await house.lines(register)
    assert [(line.outcome, line.reason) for line in lines] == [("duplicate", ""), ("conflict", "amount"), ("recorded", "")]
    assert lines[0].sequence == 1
    assert [tuple(row) for row in await house.owner.fetch(REGISTER_SQL["list_parked"])] == [("conflict", "op-2")]


async def test_a_period_that_binds_is_what_the_payer_named(house: RegisterHouse) -> None:
    binding = msgspec.structs.replace(shipped_formats()["kopeck"], period_designates=True)
    content = write_sent("kopeck", agent_register(payment(1, "1001", period=202610)))
    register = (await house.take(read_register(content, binding), content)).register
    await house.book(register)
    assert [entry["designation"] for entry in await house.entries()] == ['{"period":"2026-10"}']


@pytest.mark.parametrize("dies_after", [1, 3, 8])
async def test_a_process_that_dies_between_booking_and_keeping_books_each_payment_once(
    house: RegisterHouse, dies_after: int
) -> None:
    register = await taken(house)
    with pytest.raises(Died):
        await house.book(register, booking=Faulty(house.intake, dies_after=dies_after))
    _, lines, kept = await house.counts()
    booked = len(await house.entries())
    assert booked == min(4 * dies_after, lines) and kept == 4 * max(0, dies_after - 1)
    await house.book(register)
    assert await house.ends(register) == ["recorded"] * 30
    assert [entry["external_id"] for entry in await house.entries()] == [f"op-{place}" for place in range(30)]


async def test_lines_whose_outcome_is_not_known_are_offered_again(house: RegisterHouse) -> None:
    register = await taken(house)
    faulty = Faulty(house.intake, leaves=(1, 2, 5, 9))
    told = await house.book(register, booking=faulty)
    assert faulty.calls > 8 and told[-1] == 30
    assert await house.ends(register) == ["recorded"] * 30 and len(await house.entries()) == 30


async def test_what_is_left_is_told_and_taken_up_later(house: RegisterHouse) -> None:
    register = await taken(house)
    with pytest.raises(BookingUnfinished, match="30 of 30 lines have no outcome yet: load the file again"):
        await house.book(register, booking=Deaf())
    assert (await house.view(register)).booked_at is None
    again = await house.load("kopeck", MANY)
    assert again.register == register and not again.booked
    assert (await house.view(register)).outcomes == {"recorded": 30}


async def test_a_register_is_booked_by_one_process_at_a_time(house: RegisterHouse) -> None:
    register = await taken(house)
    second = await asyncpg.connect(house.town.database.services_dsn)
    other = msgspec.structs.replace(house, services=second)
    try:
        ended = await asyncio.gather(house.book(register), other.book(register), return_exceptions=True)
        assert [type(one) for one in ended if isinstance(one, BaseException)] == [RegisterBusy]
        assert await other.book(register) == []
    finally:
        await second.close()
    assert await house.ends(register) == ["recorded"] * 30 and len(await house.entries()) == 30


async def test_the_payer_is_kept_sealed_only_while_nobody_owns_the_money(house: RegisterHouse) -> None:
    sealer = Sealer((secrets.token_bytes(KEY_BYTES),))
    sent = agent_register(payment(1, "1001"), payment(2, "nobody", payer="Петров Пётр"))
    register = (await house.load("sber", sent, seal=sealer.seal)).register
    sealed = await house.owner.fetch(REGISTER_SQL["list_sealed"])
    assert [(row["register"], row["row"]) for row in sealed] == [(register, 2)]
    assert sealer.unseal(sealed[0]["sealed"], line_bound_to(register, 2)).decode() == "Петров Пётр, ул. Мира, 5, 125"
    with pytest.raises(NotUnsealed):
        sealer.unseal(sealed[0]["sealed"], line_bound_to(register, 1))


async def test_a_payment_that_is_told_to_happen_later_is_booked_as_happening_now(house: RegisterHouse) -> None:
    far = payment(1, "1001", moment=payment(1, "1001").moment + timedelta(days=10_000))
    register = (await house.load("kopeck", agent_register(far))).register
    (entry,) = await house.entries()
    assert entry["event_at"] <= entry["recorded_at"] and await house.ends(register) == ["recorded"]
