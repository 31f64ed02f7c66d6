"""A register is taken whole, once: by its bytes, by its number and day, by its lines where they have no ids."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import asyncpg
import msgspec
import pytest

from connectors.registers.reading import read_register
from connectors.registers.register import Register
from connectors.registers.shipped import shipped_formats
from connectors.sandbox.registers import RegisterFault, write_sent
from services.registers.showing import list_registers
from services.registers.taking import Purpose, RegisterDiffers, Sameness, TakingTerms, take_register
from tests.pipeline import conftest as pipeline_town
from tests.pipeline.conftest import Town
from tests.services.register_house import LOADED_AT, REGISTER_SQL, RegisterHouse, agent_register, payment, register_house

owner, town = pipeline_town.owner, pipeline_town.town
HALF_A_YEAR_LATER = datetime(2027, 5, 2, 6, tzinfo=UTC)
SENT = agent_register(payment(1, "1001", 1_500, fee_kopecks=15), payment(2, "1002"), payment(3, "nobody"))


@pytest.fixture
async def house(town: Town, owner: asyncpg.Connection, redis_url: str) -> AsyncIterator[RegisterHouse]:
    async with register_house(town, owner, redis_url) as made:
        yield made


def read(name: str, content: bytes) -> Register:
    return read_register(content, shipped_formats()[name])


async def test_a_register_is_stored_with_its_lines_totals_and_days(house: RegisterHouse) -> None:
    content = write_sent("kopeck", SENT)
    taken = await house.take(read("kopeck", content), content)
    assert (taken.again, taken.booked) == (None, False)
    view = await house.view(taken.register)
    assert (view.number, view.day, view.order_number, view.lines) == ("7", date(2026, 11, 1), "512", 3)
    assert (view.total, view.fee, view.since, view.until) == (3_500, 20, date(2026, 11, 1), date(2026, 11, 1))
    assert (view.channel, view.space, view.purpose, view.loaded_by) == ("agent", "agent", "payments", "kassir")
    assert view.booked_at is None and view.outcomes == {}
    lines = await house.lines(taken.register)
    assert [(line.row, line.key, line.account, line.amount, line.fee, line.period, line.outcome) for line in lines] == [
        (3, "op-1", "1001", 1_500, 15, 202610, ""),
        (4, "op-2", "1002", 1_000, 2, 202610, ""),
        (5, "op-3", "nobody", 1_000, 3, 202610, ""),
    ]
    assert await house.entries() == []


async def test_the_same_file_half_a_year_later_is_the_same_register(house: RegisterHouse) -> None:
    first = await house.load("kopeck", SENT)
    ends = await house.lines(first.register)
    again = await house.load("kopeck", SENT, at=HALF_A_YEAR_LATER)
    assert (again.register, again.again, again.loaded_at, again.booked) == (first.register, Sameness.FILE, LOADED_AT, True)
    assert await house.lines(first.register) == ends and len(await house.entries()) == 3


async def test_the_same_number_and_day_in_another_file_is_the_same_register_if_its_lines_are(house: RegisterHouse) -> None:
    first = await house.load("kopeck", SENT)
    again = await house.load("kopeck", SENT, fault=RegisterFault.REORDERED)
    assert (again.register, again.again) == (first.register, Sameness.NUMBER)
    other = agent_register(*SENT.payments[:2], payment(4, "1003"))
    with pytest.raises(RegisterDiffers, match="register 7 of 2026-11-01 was taken on 2026-11-02") as refused:
        await house.load("kopeck", other)
    assert "then op-3 nobody 10,00" in str(refused.value) and "now op-4 1003 10,00" in str(refused.value)
    with pytest.raises(RegisterDiffers, match="a line stands there more often"):
        await house.load("kopeck", SENT, fault=RegisterFault.DUPLICATES)
    assert await house.counts() == (1, 3, 3) and len(await house.entries()) == 3


async def test_the_next_days_register_of_that_number_is_another(house: RegisterHouse) -> None:
    await house.load("kopeck", SENT)
    next_day = agent_register(payment(8, "1001"), day=date(2026, 11, 2))
    assert (await house.load("kopeck", next_day)).again is None
    assert (await house.counts())[0] == 2


async def test_lines_without_ids_are_known_in_another_order_and_another_encoding(house: RegisterHouse) -> None:
    first = await house.load("sber-tagged", SENT)
    again = await house.load("sber-tagged", SENT, fault=RegisterFault.REORDERED)
    assert (again.register, again.again) == (first.register, Sameness.LINES)
    content = write_sent("sber-tagged", SENT).decode("cp1251").encode()
    assert (await house.take(read("sber-tagged", content), content)).again is Sameness.LINES
    assert len(await house.entries()) == 3


async def test_registers_of_two_counterparties_do_not_meet(house: RegisterHouse) -> None:
    first = await house.load("kopeck", SENT)
    # The same operations, only not the very file.
    content = write_sent("kopeck", SENT, RegisterFault.REORDERED)
    other = await house.take(read("kopeck", content), content, channel=house.evening)
    assert other.again is None and other.register != first.register


async def test_two_people_who_load_one_file_at_once_take_one_register(house: RegisterHouse) -> None:
    content = write_sent("kopeck", SENT)
    register = read("kopeck", content)
    terms = TakingTerms(by="second", at=LOADED_AT, file_name="r", content_digest=b"x" * 32, purpose=Purpose.PAYMENTS)
    second = await asyncpg.connect(house.town.database.services_dsn)
    try:
        taken = await asyncio.gather(*(take_register(one, house.agent, register, terms) for one in (house.services, second)))
    finally:
        await second.close()
    assert len({one.register for one in taken}) == 1 and sorted(one.again is None for one in taken) == [False, True]
    assert await house.counts() == (1, 3, 0)


async def test_a_register_whose_lines_cannot_be_stored_leaves_nothing(house: RegisterHouse) -> None:
    content = write_sent("kopeck", SENT)
    register = read("kopeck", content)
    broken = msgspec.structs.replace(register.lines[2], fee_kopecks=5_000)
    with pytest.raises(asyncpg.CheckViolationError, match="register_line_fee"):
        await house.take(msgspec.structs.replace(register, lines=(*register.lines[:2], broken)), content)
    assert await house.counts() == (0, 0, 0)


async def test_no_payers_name_is_stored_and_readings_are_kept_aside(house: RegisterHouse) -> None:
    await house.load("sber", SENT)
    await house.load("sber-tagged", agent_register(payment(7, "1001"), payment(8, "1002")))
    assert await house.owner.fetchval(REGISTER_SQL["find_name"], "Иванов") == 0
    readings = [tuple(row) for row in await house.owner.fetch(REGISTER_SQL["list_readings"])]
    assert readings == [(1, "1", "0.5"), (2, "1", "1.5")]


async def test_what_was_taken_is_changed_by_nobody(house: RegisterHouse) -> None:
    await house.load("kopeck", SENT)
    reader = await asyncpg.connect(house.town.database.reader_dsn)
    try:
        assert len(await list_registers(reader, "agent", 10)) == 1 and await list_registers(reader, "sber", 10) == ()
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.fetch(REGISTER_SQL["list_sealed"])
    finally:
        await reader.close()
    for statement in ("lower_an_amount", "forget_a_line", "forget_an_outcome"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await house.services.execute(REGISTER_SQL[statement])


async def test_a_file_taken_for_one_counterparty_is_not_anothers(house: RegisterHouse) -> None:
    """Under the ids of another operation space all its money would be booked again."""
    first = await house.load("kopeck", SENT)
    with pytest.raises(RegisterDiffers, match=f"taken as register {first.register} of agent"):
        await house.load("kopeck", SENT, channel=house.evening)
    assert (await house.counts())[0] == 1 and len(await house.entries()) == 3
