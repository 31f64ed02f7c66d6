"""Acquirers tell that money was given back: each event is booked once, and one that we asked for is not booked twice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from ledger.chart import AccountKind
from schemas.ids import Book, Sequence
from services.settlement.acquirer_refunds import MORE_THAN_LEFT, NEVER_BOOKED, book_acquirer_refunds
from services.settlement.refunds import Asked, decide_reversal
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import NOW, SQL, SettlementTown, settlement_town
from tests.services.test_refunds import owed, refund, refund_balance


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database) as founded:
        yield founded


async def tell(town: SettlementTown, key: str, act: str, payment: str, amount: int) -> int:
    """An event as the gateway stores it."""
    row = (town.spaces[0], key, town.channel, act, payment, amount)
    return int(await town.owner.fetchval(SQL["add_event"], *row))


async def book(town: SettlementTown) -> int:
    await town.fold()
    return await book_acquirer_refunds(town.services, NOW)


async def name_of(town: SettlementTown, place: Sequence) -> str:
    return str(await town.owner.fetchval(SQL["external_id"], place))


async def clearing(town: SettlementTown) -> int:
    return await town.balance(town.of_transit(AccountKind.CLEARING, town.spaces[0]))


async def test_a_reversal_before_cover_is_a_reversal(town: SettlementTown) -> None:
    place = await town.pay(("heating", 700))
    await tell(town, "e1", "reversed", await name_of(town, place), 700)
    assert (await book(town), await book(town), await clearing(town)) == (1, 0, 0)
    await town.cut()
    await town.assert_sound()


async def test_a_part_refunded_after_the_order_is_kept_from_the_next_cover(town: SettlementTown) -> None:
    place = await town.pay(("heating", 700), ("cold_water", 300))
    await town.cover(1_000)
    await town.cut()
    await tell(town, "e1", "refunded", await name_of(town, place), 100)
    assert (await book(town), await clearing(town), await refund_balance(town)) == (1, -100, 0)
    await town.cut()
    assert (await owed(town, "TEPLO"), await owed(town, "VODA")) == (70, 30)
    await town.pay(("heating", 500))
    await town.cover(400)
    assert (await town.cut()).ordered == 0
    await town.pay_debt("TEPLO", 70)
    await town.pay_debt("VODA", 30)
    assert (await town.cut()).ordered == 500
    await town.assert_sound()


async def test_two_parts_of_one_sum_are_two_events(town: SettlementTown) -> None:
    place = await town.pay(("heating", 700))
    await town.cover(700)
    name = await name_of(town, place)
    await tell(town, "e1", "refunded", name, 100)
    await tell(town, "e2", "refunded", name, 100)
    assert (await book(town), await clearing(town)) == (2, -200)
    await tell(town, "e3", "refunded", name, 501)
    assert (await book(town), await clearing(town)) == (1, -200)
    assert [row["why"] for row in await town.owner.fetch(SQL["booked_events"])] == ["", "", MORE_THAN_LEFT]


async def test_a_refund_that_we_asked_for_is_not_booked_again(town: SettlementTown) -> None:
    place = await town.pay(("heating", 700))
    await town.cover(700)
    await refund(town, place, 100)
    assert await refund_balance(town) == 100
    await tell(town, "e1", "refunded", await name_of(town, place), 100)
    assert (await book(town), await refund_balance(town), await clearing(town)) == (1, 0, -100)
    await tell(town, "e2", "refunded", await name_of(town, place), 100)
    assert (await book(town), await clearing(town)) == (1, -200)
    await town.cut()
    await town.assert_sound()


async def test_a_reversal_that_we_decided_is_not_booked_again(town: SettlementTown) -> None:
    place = await town.pay(("heating", 700))
    await decide_reversal(town.services, Asked(key="r", book=Book(1), sequence=place, by="Анна", at=NOW))
    await tell(town, "e1", "reversed", await name_of(town, place), 700)
    assert (await book(town), await clearing(town)) == (1, 0)
    await town.assert_sound()


async def test_an_event_before_its_payment_waits_for_it(town: SettlementTown) -> None:
    await tell(town, "e1", "reversed", "op-1", 700)
    assert await book(town) == 0
    place = await town.pay(("heating", 700))
    assert await name_of(town, place) == "op-1"
    assert (await book(town), await clearing(town)) == (1, 0)


async def test_an_event_whose_payment_never_comes_is_let_go(town: SettlementTown) -> None:
    await tell(town, "e1", "reversed", "nothing", 700)
    assert await book_acquirer_refunds(town.services, NOW + timedelta(days=4000)) == 1
    assert [row["why"] for row in await town.owner.fetch(SQL["booked_events"])] == [NEVER_BOOKED]


async def test_two_processes_book_an_event_once(town: SettlementTown, ledger_database: LedgerDatabase) -> None:
    place = await town.pay(("heating", 700))
    await town.cover(700)
    name = await name_of(town, place)
    for number in range(3):
        await tell(town, f"e{number}", "refunded", name, 100)
    await town.fold()
    others = [await asyncpg.connect(ledger_database.services_dsn) for _ in range(3)]
    try:
        seen = await asyncio.gather(*(book_acquirer_refunds(one, NOW) for one in others))
    finally:
        for one in others:
            one.terminate()
    assert (sum(seen), await clearing(town)) == (3, -300)
    await town.cut()
    await town.assert_sound()
