"""Ways in which money could leave twice, to the wrong payee, or never: tried on the real tables, one by one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from ledger.chart import AccountKind
from schemas.delivery import Accepted, Done, Refused
from schemas.transfer import TransferReport, TransferResult, TransferState
from services.settlement import planning
from services.settlement.approvals import approve_order
from services.settlement.desk import TransferDesk
from services.settlement.orders import AggregatorBusy, make_orders
from services.settlement.statement import Recognised, take_movement
from services.settlement.terms import set_approval_limit
from services.settlement.transitions import allow_reissue
from services.settlement.waiting import list_waiting, resolve_result
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import BIC, DAY, NOW, SQL, SettlementTown, settlement_town
from tests.services.test_settlement_bank import answer, money, movement, results, sent, states

S = TransferState


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    """Two orders of 700 and 300 kopecks in a register that has left."""
    async with settlement_town(ledger_database) as founded:
        await founded.pay(("heating", 700), ("cold_water", 300))
        await founded.cover(1_000)
        await founded.cut()
        await founded.send()
        yield founded


async def test_money_that_the_bank_says_it_paid_after_all_is_not_paid_anew(town: SettlementTown) -> None:
    order = await sent(town)
    await answer(town, order, Refused(code="53", reason="файл не принят", again=True))
    first = (await town.orders())[0]
    assert await take_movement(town.services, movement(first, "a"), NOW) is Recognised.NOT_RECOGNISED
    await town.approve("TEPLO", 77)
    assert await allow_reissue(town.services, first["key"], "Анна", NOW)
    assert (await town.cut()).ordered == 300, "only the order that the bank says nothing else of"
    (kept,) = (await list_waiting(town.services, DAY)).parked_results
    await resolve_result(town.services, kept.number, "Анна", NOW)
    assert (await town.cut()).ordered == 700, "the bank was wrong, a person says"
    await town.assert_sound()


@pytest.mark.parametrize(
    ("told", "state", "reissued"),
    [
        ((S.EXECUTED, S.REJECTED), S.EXECUTED, 0),
        ((S.REJECTED, S.EXECUTED), S.REJECTED, 0),
        ((S.EXECUTED, S.RETURNED), S.RETURNED, 700),
    ],
)
async def test_a_report_that_tells_twice_of_an_order_is_read_in_its_order(
    town: SettlementTown, told: tuple[TransferState, ...], state: TransferState, reissued: int
) -> None:
    order, first = await sent(town), (await town.orders())[0]
    lines = tuple(TransferResult(key=first["key"], state=one, bank_day=DAY, bank_number="9") for one in told)
    report = TransferReport(register="r", results=lines)
    await answer(town, order, Accepted(reference="r", ask_after_ms=1, content=msgspec.json.encode(report)))
    assert await states(town) == [state, S.SENT]
    await town.approve("TEPLO", 77)
    assert (await town.cut()).ordered == reissued
    await town.assert_sound()


@pytest.mark.parametrize("left", [S.HELD, S.ACCEPTED])
async def test_a_final_answer_that_leaves_an_order_under_way_is_for_a_person(town: SettlementTown, left: TransferState) -> None:
    order = await sent(town)
    await answer(town, order, Done(reference="r", content=results(order, left, S.EXECUTED)))
    assert await states(town) == [left, S.EXECUTED]
    assert [row["key"] for row in await town.owner.fetch(SQL["parked"])] == [(await town.orders())[0]["key"]]


async def test_words_that_no_table_takes_do_not_keep_a_register_from_ending(town: SettlementTown) -> None:
    order = await sent(town)
    content = results(order, S.REJECTED, S.EXECUTED, reason="счёт\0закрыт", signer="CN\0", signed_at=NOW)
    await answer(town, order, Done(reference="r", content=content))
    assert await states(town) == [S.REJECTED, S.EXECUTED]


async def test_a_recipient_stopped_after_the_cut_is_not_paid(ledger_database: LedgerDatabase) -> None:
    async with settlement_town(ledger_database) as town:
        await set_approval_limit(town.services, DAY, 700, "board")
        await town.pay(("heating", 700), ("cold_water", 300))
        await town.cover(1_000)
        await town.cut()
        large, _ = await town.orders()
        await town.stop("TEPLO", DAY, DAY + timedelta(days=1))
        for name in ("анна", "борис"):
            await approve_order(town.services, large["key"], name, NOW)
        assert await town.send() == ("1-261124-1",)
        assert await states(town) == [S.APPROVED, S.SENT]
        assert await town.send() == ()
        assert await town.send(NOW + timedelta(days=2)) == ("1-261124-2",), "the entry has ended"
        assert await states(town) == [S.SENT, S.SENT]


async def test_wrong_requisites_of_one_reissued_order_do_not_stop_the_others(town: SettlementTown) -> None:
    order = await sent(town)
    await answer(town, order, Done(reference="r", content=results(order, S.REJECTED, S.EXECUTED)))
    wrong = "40702810000000000077"
    await town.owner.fetchval(SQL["add_requisites"], town.recipients["TEPLO"], wrong, BIC, DAY, "approver")
    await town.pay(("cold_water", 5))
    await town.cover(5)
    assert (await town.cut()).ordered == 5
    assert len(await town.send()) == 1
    await town.owner.fetchval(
        SQL["add_requisites"], town.recipients["TEPLO"], (await town.orders())[0]["bank_account"], BIC, DAY, "b"
    )
    assert await allow_reissue(town.services, (await town.orders())[0]["key"], "Анна", NOW)
    assert (await town.cut()).ordered == 700
    await town.assert_sound()


async def test_the_line_of_an_order_executed_a_day_late_is_not_another_s_of_the_same_number(town: SettlementTown) -> None:
    await answer(town, await sent(town), Accepted(reference="r", ask_after_ms=1))
    tomorrow = DAY + timedelta(days=1)
    first = (await town.orders())[0]
    late = TransferResult(key=first["key"], state=S.EXECUTED, bank_number="91", bank_day=tomorrow)
    report = msgspec.json.encode(TransferReport(register="r", results=(late,)))
    await answer(town, await sent(town), Accepted(reference="r", ask_after_ms=1, content=report))
    await town.owner.execute(SQL["roll_day"], town.transit, tomorrow)
    await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut(NOW + timedelta(days=1))
    await town.send(NOW + timedelta(days=1))
    second = (await town.orders())[-1]
    assert (second["number"], second["amount"]) == (first["number"], first["amount"])
    assert await take_movement(town.services, movement(first, "a", day=tomorrow), NOW) is Recognised.REPEATED
    assert await states(town) == [S.EXECUTED, S.ACCEPTED, S.SENT], "the second has not left the bank yet"
    assert await take_movement(town.services, movement(second, "b", day=tomorrow), NOW) is Recognised.APPLIED
    assert await states(town) == [S.EXECUTED, S.ACCEPTED, S.EXECUTED]
    await town.assert_sound()


async def test_a_payment_taken_back_far_ahead_is_not_paid_out(
    ledger_database: LedgerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "ENTRIES_MAX", 2)
    async with settlement_town(ledger_database) as town:
        first = await town.pay(("heating", 700))
        await town.pay(("heating", 10))
        await town.pay(("heating", 1))
        await town.reverse(first)
        await town.cover(11)
        ordered = [(await town.cut()).ordered for _ in range(3)]
        assert sum(ordered) == 11 and await town.owner.fetch(SQL["debts"]) == []
        await town.assert_sound()


class _Restored(Exception):
    """The ledger is what it was before."""


async def test_a_number_given_again_after_a_restore_makes_no_key_of_another_content(ledger_database: LedgerDatabase) -> None:
    async with settlement_town(ledger_database) as town:
        await town.pay(("heating", 700), ("cold_water", 300))
        await town.cover(1_000)
        await town.fold()
        with pytest.raises(_Restored):
            async with town.services.transaction():
                before = (await make_orders(town.services, town.transit, NOW)).orders
                raise _Restored
        await town.pay(("heating", 1))
        await town.cover(1)
        after = (await town.cut()).orders
        assert len(before) == len(after) == 2 and [key[-2:] for key in before] == [key[-2:] for key in after] == ["-1", "-2"]
        assert before[0] != after[0], "another sum: the bank's answer on the one before must find no order"
        assert before[1] == after[1], "the same payment: the bank's answer still finds its order"


class _Killed(Exception):
    """The worker is gone before its commit."""


async def test_a_worker_killed_between_the_desk_and_the_commit_leaves_nothing(town: SettlementTown) -> None:
    order = await sent(town)
    done = Done(reference="r", content=results(order, S.EXECUTED, S.REJECTED))
    before = dict(await town.owner.fetchrow(SQL["all_of_settlement"])), await states(town), await money(town)
    with pytest.raises(_Killed):
        async with town.services.transaction():
            await TransferDesk(lambda: NOW).settle(town.services, order, done)
            raise _Killed
    assert (dict(await town.owner.fetchrow(SQL["all_of_settlement"])), await states(town), await money(town)) == before
    await answer(town, order, done)
    assert await states(town) == [S.EXECUTED, S.REJECTED]
    await town.assert_sound()


async def test_two_cutters_a_desk_and_payments_at_once(ledger_database: LedgerDatabase) -> None:
    async with settlement_town(ledger_database, books=2) as town:
        others = [await asyncpg.connect(ledger_database.services_dsn) for _ in range(3)]
        try:
            for turn in range(8):
                await town.pay(("heating", 700 + turn), ("cold_water", 1), book=1 + turn % 2, space=turn % 2)
                await town.cover(701 + turn, space=turn % 2)
                await town.fold()
                outgoing = await town.owner.fetch(SQL["outgoing"])
                order = await sent(town) if outgoing else None
                tasks = [make_orders(one, town.transit, NOW) for one in others[:2]]
                tasks += [_settle(others[2], order)] if order else []
                tasks += [_pay_more(town, turn)]
                told = await asyncio.gather(*tasks, return_exceptions=True)
                assert not [one for one in told if isinstance(one, BaseException) and not isinstance(one, AggregatorBusy)], told
                await town.send()
            await town.cut()
            await town.cut()
            assert sum((await town.paid()).values()) == sum(702 + turn for turn in range(8)) - 8 + 8 * 5
            await town.assert_sound()
        finally:
            for one in others:
                one.terminate()


async def _pay_more(town: SettlementTown, turn: int) -> None:
    await town.pay(("hot_water", 5), book=1 + turn % 2)
    await town.cover(5)


async def _settle(connection: Any, order: Any) -> None:
    async with connection.transaction():
        done = Done(reference="r", content=results(order, *[S.EXECUTED] * 9))
        await TransferDesk(lambda: NOW).settle(connection, order, done)


async def test_a_kopeck_and_a_hundred_billion_roubles(ledger_database: LedgerDatabase) -> None:
    async with settlement_town(ledger_database) as town:
        great = 10**13
        await town.pay(("heating", great), ("cold_water", 1))
        await town.cover(great + 1)
        await town.cut()
        assert await town.paid() == {("TEPLO", "services"): great, ("VODA", "services"): 1}
        await town.send()
        order = await sent(town)
        await answer(town, order, Done(reference="r", content=results(order, S.EXECUTED, S.EXECUTED)))
        assert await town.balance(town.of_transit(AccountKind.TRANSIT)) == 0
        await town.assert_sound()


async def test_a_cover_taken_back_orders_nothing_more_and_says_so(ledger_database: LedgerDatabase) -> None:
    async with settlement_town(ledger_database) as town:
        await town.pay(("heating", 700))
        cover = await town.cover(700)
        await town.cut()
        await town.reverse(cover, book=0)
        await town.pay(("cold_water", 300))
        await town.cover(300)
        await town.fold()
        assert (await make_orders(town.services, town.transit, NOW)).cut is None
        await town.cover(700)
        assert (await town.cut()).ordered == 300


async def test_a_reissued_order_that_returns_is_paid_once_more(town: SettlementTown) -> None:
    await answer(town, await sent(town), Done(reference="r", content=results(await sent(town), S.EXECUTED, S.EXECUTED)))
    for serial, bank_id in ((77, "a"), (78, "b"), (79, "c")):
        last = (await town.orders())[-1] if serial > 77 else (await town.orders())[0]
        back = movement(last, bank_id, is_credit=True, purpose=f"Возврат п/п № {last['number']}")
        assert await take_movement(town.services, back, NOW) is Recognised.APPLIED
        await town.approve("TEPLO", serial)
        assert (await town.cut()).ordered == 700
        assert await take_movement(town.services, back, NOW) is Recognised.REPEATED
        assert (await town.cut()).cut is None
        await town.send()
        await answer(town, await sent(town), Done(reference="r", content=results(await sent(town), S.EXECUTED)))
        await town.assert_sound()
    assert await money(town) == (0, 0, 0, 0)
