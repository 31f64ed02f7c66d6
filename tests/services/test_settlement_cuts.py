"""Cuts on a real ledger: only confirmed money is ordered, every kopeck is ordered or explained, the books are tiled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest

from ledger.chart import AccountKind
from services.runner import catch_up
from services.settlement.composing import NO_REQUISITES
from services.settlement.consumer import SettlementConsumer
from services.settlement.orders import AggregatorBusy, make_orders
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import NOW, SQL, SettlementTown, settlement_town


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database) as founded:
        yield founded


@pytest.fixture
async def wide_town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database, books=2) as founded:
        yield founded


async def test_a_day_is_paid_to_the_kopeck(town: SettlementTown) -> None:
    await town.pay(("heating", 700), ("cold_water", 300))
    await town.pay(("heating", 55), ("hot_water", 45), ("capital_repair", 100))
    await town.cover(1_200)
    report = await town.cut()
    assert report.ordered == 1_200 and report.carried == 0
    assert await town.paid() == {("TEPLO", "services"): 800, ("VODA", "services"): 300, ("FOND", "capital_repair"): 100}
    assert await town.balance(town.of_transit(AccountKind.OUTGOING)) == -1_200
    assert [await town.balance(town.payable(service)) for service in town.payees] == [0] * len(town.payees)
    await town.assert_sound()


async def test_nothing_is_ordered_before_it_is_covered(town: SettlementTown) -> None:
    await town.pay(("heating", 700))
    await town.pay(("cold_water", 300))
    assert (await town.cut()).cut is None
    await town.cover(699)
    assert (await town.cut()).cut is None
    await town.cover(300)
    assert (await town.cut()).ordered == 700
    assert await town.paid() == {("TEPLO", "services"): 700}
    await town.cover(1)
    assert (await town.cut()).ordered == 300
    await town.assert_sound()


async def test_clearing_accounts_are_independent(town: SettlementTown) -> None:
    await town.pay(("heating", 700), space=0)
    await town.pay(("heating", 50), space=1)
    await town.cover(60, space=1)
    assert (await town.cut()).ordered == 50
    await town.assert_sound()


async def test_a_reversal_before_cover_makes_room(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700))
    await town.pay(("cold_water", 300))
    await town.reverse(first)
    await town.cover(300)
    assert (await town.cut()).ordered == 300
    assert await town.paid() == {("VODA", "services"): 300}
    await town.assert_sound()


async def test_suspense_is_funded_in_its_turn_and_stays(town: SettlementTown) -> None:
    await town.suspend(500)
    await town.pay(("heating", 100))
    await town.cover(550)
    assert (await town.cut()).ordered == 0
    await town.cover(50)
    assert (await town.cut()).ordered == 100
    assert await town.balance(town.of_transit(AccountKind.SUSPENSE, town.channel)) == -500
    await town.assert_sound()


async def test_two_books_are_funded_in_the_order_recorded(wide_town: SettlementTown) -> None:
    town = wide_town
    await town.pay(("heating", 100), book=2)
    await town.pay(("cold_water", 100), book=1)
    await town.pay(("heating", 10), book=2)
    await town.cover(205)
    assert (await town.cut()).ordered == 200
    rows = await town.owner.fetch(SQL["ranges"])
    assert [(row["book"], row["after"], row["upto"]) for row in rows] == [(1, 0, 1), (2, 0, 1)]
    await town.cover(5)
    assert (await town.cut()).ordered == 10
    await town.assert_sound()


async def test_what_has_no_approved_requisites_waits_and_is_paid_later(town: SettlementTown) -> None:
    recipient = await town.owner.fetchval(SQL["add_recipient"], "NEW", "service", "ООО NEW", "7728168971")
    town.recipients["NEW"] = recipient
    town.payees["intercom"] = await town.owner.fetchval(SQL["add_payee"], recipient, "intercom")
    await town.approve("NEW", 50, by=None)
    await town.pay(("intercom", 30), ("heating", 70))
    await town.cover(100)
    report = await town.cut()
    assert (report.ordered, report.carried) == (70, 30)
    assert await town.carried() == {"intercom": (30, NO_REQUISITES)}
    await town.assert_sound()
    await town.approve("NEW", 51)
    assert (await town.cut()).ordered == 30
    assert await town.carried() == {}
    await town.assert_sound()


async def test_a_second_cut_without_news_writes_nothing(town: SettlementTown) -> None:
    await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    before = dict(await town.owner.fetchrow(SQL["all_of_settlement"]))
    assert (await town.cut()).cut is None
    assert dict(await town.owner.fetchrow(SQL["all_of_settlement"])) == before


async def test_two_cutters_and_payments_at_once_tile_the_book(town: SettlementTown) -> None:
    await town.fold()
    others = [await asyncpg.connect(town.database.services_dsn) for _ in range(3)]

    async def cut_often(connection: asyncpg.Connection) -> int:
        ordered = 0
        for _ in range(15):
            with suppress(AggregatorBusy):
                ordered += (await make_orders(connection, town.transit, NOW)).ordered
        return ordered

    async def pay_often() -> None:
        for turn in range(40):
            await town.pay(("heating", 10 + turn), ("cold_water", 5))
            await town.cover(15 + turn)
            await catch_up(others[2], SettlementConsumer())

    ordered = await asyncio.gather(cut_often(others[0]), cut_often(others[1]), pay_often())
    last = await town.cut()
    assert ordered[0] + ordered[1] + last.ordered == sum(15 + turn for turn in range(40))
    rows = await town.owner.fetch(SQL["ranges"])
    assert [row["after"] for row in rows] == [0, *[row["upto"] for row in rows[:-1]]]
    await town.assert_sound()
    for connection in others:
        connection.terminate()


async def test_the_database_refuses_a_gap_and_an_overlap(town: SettlementTown) -> None:
    await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    for after, upto, constraint in ((2, 3, "cut_range_no_gap"), (0, 2, "cut_range_no_overlap"), (0, 1, "cut_range_no_overlap")):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match=constraint):
            await town.owner.execute(SQL["forge_range"], after, upto)
    await town.assert_sound()


async def test_what_is_recorded_cannot_be_changed_by_the_services(town: SettlementTown) -> None:
    await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    changeable = {
        "settlement.transfer_order": {"state", "register"},
        "settlement.aggregator": {"last_cut", "ordered"},
        "settlement.reissue_due": {"same_requisites"},
        "settlement.parked_result": {"resolved_at", "resolved_by"},
        "settlement.contract": {"valid_to"},
        "settlement.stop_listed": {"until"},
        "settlement.claim": {"left", "space"},
        "settlement.deposit": {"amount"},
        "settlement.move": {"done"},
        "settlement.deduction": {"cut"},
    }
    whole = {"transit_terms", "service_name", "promise", "confirmed"}
    found: dict[str, set[str]] = {}
    for row in await town.owner.fetch(SQL["updatable"]):
        if row["table"].removeprefix("settlement.") not in whole:
            found.setdefault(row["table"], set()).add(row["column"])
    assert found == changeable
    assert [row["table"] for row in await town.owner.fetch(SQL["deletable"])] == ["settlement.carried", "settlement.reissue_due"]
    for statement in ("spoil_order", "forget_range"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await town.services.execute(SQL[statement])


async def test_a_cut_takes_as_many_statements_however_many_it_pays(town: SettlementTown) -> None:
    """While its transaction has the head of book 0, every statement line waits, and with it the gateway that took the line."""
    asked: list[str] = []

    async def statements_of(*lines: tuple[str, int]) -> int:
        await town.pay(*lines)
        await town.cover(sum(amount for _, amount in lines))
        await town.fold()
        asked.clear()
        with town.services.query_logger(lambda record: asked.append(record.query)):
            report = await make_orders(town.services, town.transit, NOW)
            await town.send()
        assert len(report.orders) == len(lines)
        return len(asked)

    # The first asks for types once a connection.
    await statements_of(("heating", 100))
    one = await statements_of(("heating", 100))
    assert await statements_of(("heating", 100), ("cold_water", 300), ("capital_repair", 100)) == one
