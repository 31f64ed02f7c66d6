"""What the bank answers and what its statement shows: states, entries, reissues; repeats change nothing, nonsense is kept."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from ledger.chart import AccountKind
from schemas.delivery import Accepted, Done, OrderNumber, Outgoing, Refused
from schemas.transfer import StatementMovement, TransferBatch, TransferReport, TransferResult, TransferState
from services.settlement.approvals import ApprovalRefused, approve_order
from services.settlement.desk import CANCELLED, TransferDesk
from services.settlement.statement import Recognised, list_unrecognised, take_movement
from services.settlement.terms import set_approval_limit
from services.settlement.transitions import (
    Applied,
    Told,
    allow_reissue,
    apply_parked,
    apply_result,
    cancel_order,
    state_executed,
)
from services.settlement.waiting import list_waiting
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import DAY, NOW, SQL, TRANSIT_ACCOUNT, SettlementTown, settlement_town

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


async def sent(town: SettlementTown, place: int = -1) -> Outgoing:
    """The register as delivery hands it to a connector."""
    row = (await town.owner.fetch(SQL["outgoing"]))[place]
    return Outgoing(number=OrderNumber(row["number"]), key=row["key"], content=row["content"], subject=row["subject"])


async def answer(town: SettlementTown, order: Outgoing, said: Done | Refused | Accepted) -> None:
    """Let the desk settle an answer, in a transaction as delivery does."""
    async with town.services.transaction():
        await TransferDesk(lambda: NOW).settle(town.services, order, said)


def results(order: Outgoing, *states: TransferState, **more: Any) -> bytes:
    """A report with these states in the order of the register."""
    batch = msgspec.json.decode(order.content, type=TransferBatch)
    told = tuple(
        TransferResult(key=one.key, state=state, bank_number=f"9{place}", bank_day=DAY, reason=more.get("reason", ""))
        for place, (one, state) in enumerate(zip(batch.transfers, states, strict=False))
    )
    report = TransferReport(register=batch.register, results=told, signer=more.get("signer", ""), signed_at=more.get("signed_at"))
    return msgspec.json.encode(report)


async def states(town: SettlementTown) -> list[TransferState]:
    return [TransferState(order["state"]) for order in await town.orders()]


async def money(town: SettlementTown) -> tuple[int, int, int, int]:
    """Balances of transit, outgoing, heating and cold water."""
    accounts = (town.of_transit(AccountKind.TRANSIT), town.of_transit(AccountKind.OUTGOING))
    accounts += (town.payable("heating"), town.payable("cold_water"))
    found = [await town.balance(account) for account in accounts]
    return found[0], found[1], found[2], found[3]


async def test_the_register_tells_everything_a_bank_needs(town: SettlementTown) -> None:
    order = await sent(town)
    batch = msgspec.json.decode(order.content, type=TransferBatch)
    assert (batch.count, batch.total_kopecks, batch.register) == (2, 1_000, "1-261124-1")
    assert order.key == f"{batch.transit_account}/1-261124-1"
    assert [(one.number, one.amount_kopecks) for one in batch.transfers] == [("1", 700), ("2", 300)]
    assert all("1-261124-1" in one.purpose and "НДС" in one.purpose for one in batch.transfers)
    assert await town.send() == ()


async def test_executed_orders_leave_the_transit_account(town: SettlementTown) -> None:
    order = await sent(town)
    await answer(town, order, Accepted(reference="r", ask_after_ms=1))
    assert await states(town) == [S.ACCEPTED] * 2
    moment = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
    done = Done(reference="r", content=results(order, S.EXECUTED, S.EXECUTED, signer="CN=Kopeck", signed_at=moment))
    await answer(town, order, done)
    assert await states(town) == [S.EXECUTED] * 2
    assert await money(town) == (0, 0, 0, 0)
    assert [tuple(row) for row in await town.owner.fetch(SQL["signatures"])] == [("CN=Kopeck", moment)]
    await town.assert_sound()
    before = dict(await town.owner.fetchrow(SQL["all_of_settlement"]))
    await answer(town, order, done)
    await answer(town, order, Accepted(reference="r", ask_after_ms=1))
    assert dict(await town.owner.fetchrow(SQL["all_of_settlement"])) == before, "repeated and stale answers change nothing"
    assert await town.owner.fetch(SQL["parked"]) == []


async def test_a_rejected_order_is_paid_anew_to_other_requisites(town: SettlementTown) -> None:
    order = await sent(town)
    content = results(order, S.REJECTED, S.EXECUTED, reason="счёт закрыт")
    await answer(town, order, Done(reference="r", content=content))
    assert await states(town) == [S.REJECTED, S.EXECUTED]
    assert await money(town) == (700, 0, -700, 0)
    await town.assert_sound()
    assert (await town.cut()).cut is None, "the same requisites are not tried again"
    version = await town.approve("TEPLO", 77)
    report = await town.cut()
    assert report.ordered == 700
    again = (await town.orders())[-1]
    first = (await town.orders())[0]
    assert (again["reissues"], again["requisites"], again["amount"]) == (first["transfer"], version, 700)
    assert again["key"] != first["key"] and again["number"] == 3 and again["purpose"] == first["purpose"]
    await town.send()
    await answer(town, await sent(town), Done(reference="r", content=results(await sent(town), S.EXECUTED)))
    assert await money(town) == (0, 0, 0, 0)
    await town.assert_sound()


async def test_a_person_may_let_the_same_requisites_be_tried_again(town: SettlementTown) -> None:
    order = await sent(town)
    await answer(town, order, Done(reference="r", content=results(order, S.REJECTED, S.EXECUTED)))
    key = (await town.orders())[0]["key"]
    assert not await allow_reissue(town.services, (await town.orders())[1]["key"], "Анна", NOW)
    assert await allow_reissue(town.services, key, "Анна", NOW)
    assert (await town.cut()).ordered == 700
    assert (await town.cut()).cut is None, "once"
    await town.assert_sound()


@pytest.mark.parametrize(("code", "again", "reissued"), [("53", True, 1_000), ("53", False, 0), (CANCELLED, True, 0)])
async def test_a_refused_register_gives_everything_back(town: SettlementTown, code: str, again: bool, reissued: int) -> None:
    await answer(town, await sent(town), Refused(code=code, reason="файл не принят", again=again))
    assert await states(town) == [S.REJECTED] * 2
    assert await money(town) == (1_000, 0, -700, -300)
    await town.assert_sound()
    assert (await town.cut()).ordered == reissued
    await town.assert_sound()


async def test_a_returned_transfer_is_reopened(town: SettlementTown) -> None:
    order = await sent(town)
    await answer(town, order, Done(reference="r", content=results(order, S.EXECUTED, S.EXECUTED)))
    first = (await town.orders())[0]
    back = movement(first, "b-9", is_credit=True, purpose="Возврат п/п № 1 от 24.11.2026: счёт закрыт")
    assert await take_movement(town.services, back, NOW) is Recognised.APPLIED
    assert await states(town) == [S.RETURNED, S.EXECUTED]
    assert await money(town) == (700, 0, -700, 0)
    await town.assert_sound()
    await town.approve("TEPLO", 78)
    assert (await town.cut()).ordered == 700
    await town.assert_sound()


async def test_a_held_order_stays_in_outgoing_until_it_is_released(town: SettlementTown) -> None:
    order = await sent(town)
    await answer(town, order, Accepted(reference="r", ask_after_ms=1, content=results(order, S.HELD, reason="115-ФЗ")))
    assert await states(town) == [S.HELD, S.SENT]
    assert await money(town) == (1_000, -1_000, 0, 0)
    await answer(town, order, Accepted(reference="r", ask_after_ms=1, content=results(order, S.ACCEPTED)))
    assert await states(town) == [S.ACCEPTED, S.SENT], "released"
    await answer(town, order, Accepted(reference="r", ask_after_ms=1, content=results(order, S.HELD, S.EXECUTED)))
    await answer(town, order, Done(reference="r", content=results(order, S.EXECUTED, S.EXECUTED)))
    assert await states(town) == [S.EXECUTED, S.EXECUTED]
    history = await town.owner.fetch(SQL["history"], (await town.orders())[0]["key"])
    assert [(row["state"], row["reason"]) for row in history if row["state"] == S.HELD] == [(8, "115-ФЗ"), (8, "")]
    await town.assert_sound()


@pytest.mark.parametrize("wrong", [S.REJECTED, S.CANCELLED, S.HELD])
async def test_what_does_not_follow_is_kept_and_nothing_moves(town: SettlementTown, wrong: TransferState) -> None:
    order = await sent(town)
    await answer(town, order, Done(reference="r", content=results(order, S.EXECUTED, S.EXECUTED)))
    before = await money(town)
    await answer(town, order, Done(reference="r", content=results(order, wrong)))
    await answer(town, order, Done(reference="r", content=results(order, wrong)))
    assert (await states(town), await money(town)) == ([S.EXECUTED] * 2, before)
    assert len(await town.owner.fetch(SQL["parked"])) == 1, "kept once"


async def test_an_answer_without_an_order_or_a_line_is_kept(town: SettlementTown) -> None:
    order = await sent(town)
    stray = TransferReport(register="x", results=(TransferResult(key="nobody's", state=S.EXECUTED),))
    await answer(town, order, Done(reference="r", content=msgspec.json.encode(stray)))
    assert len(await town.owner.fetch(SQL["parked"])) == 3, "a stranger's line, and two lines that are wanting"
    assert await states(town) == [S.SENT] * 2
    await answer(town, order, Done(reference="r", content=b"<html>"))
    assert len(await town.owner.fetch(SQL["parked"])) == 5
    await town.assert_sound()


def movement(order: Any, bank_id: str, **more: Any) -> StatementMovement:
    """A line of the statement that is about an order; ``more``: other fields."""
    told = {
        "transit_account": TRANSIT_ACCOUNT,
        "bank_id": bank_id,
        "day": DAY,
        "is_credit": False,
        "amount_kopecks": order["amount"],
        "number": str(order["number"]),
        "counterparty_account": order["bank_account"],
        "counterparty_inn": "",
        "purpose": order["purpose"],
    }
    if more.get("is_credit"):
        told["number"] = "778"
    return StatementMovement(**{**told, **more})


async def test_the_statement_executes_what_the_bank_had_not_told(town: SettlementTown) -> None:
    first, second = await town.orders()
    assert await take_movement(town.services, movement(first, "a"), NOW) is Recognised.APPLIED
    assert await take_movement(town.services, movement(first, "a"), NOW) is Recognised.REPEATED
    assert await states(town) == [S.EXECUTED, S.SENT]
    order = await sent(town)
    await answer(town, order, Done(reference="r", content=results(order, S.EXECUTED, S.EXECUTED)))
    assert await take_movement(town.services, movement(second, "b"), NOW) is Recognised.REPEATED
    assert await money(town) == (0, 0, 0, 0)
    await answer(town, order, Accepted(reference="r", ask_after_ms=1))
    assert await town.owner.fetch(SQL["parked"]) == [], "accepted, told late"
    await town.assert_sound()


async def test_a_register_s_answer_moves_no_order_of_another(town: SettlementTown) -> None:
    await town.pay(("heating", 5))
    await town.cover(5)
    await town.cut()
    await town.send()
    first, second = await sent(town, 0), await sent(town, 1)
    await answer(town, second, Accepted(reference="r", ask_after_ms=1, content=results(first, S.EXECUTED, S.EXECUTED)))
    assert await states(town) == [S.SENT] * 3
    assert len(await town.owner.fetch(SQL["parked"])) == 2


async def test_an_order_too_old_for_the_bank_stays_and_is_made_anew(ledger_database: LedgerDatabase) -> None:
    async with settlement_town(ledger_database) as town:
        await town.pay(("heating", 700))
        await town.cover(700)
        await town.cut()
        late = NOW + timedelta(days=11)
        assert await town.send(late) == ()
        key = (await town.orders())[0]["key"]
        assert await cancel_order(town.services, key, "Анна", late) and await allow_reissue(town.services, key, "Анна", NOW)
        await town.owner.execute(SQL["roll_day"], town.transit, late.date())
        await town.cut(late)
        assert await town.send(late) == ("1-261205-1",)
        await town.assert_sound()


async def test_the_statement_may_carry_the_bank_s_own_number(town: SettlementTown) -> None:
    order = await sent(town)
    await answer(town, order, Done(reference="r", content=results(order, S.EXECUTED, S.EXECUTED)))
    first = (await town.orders())[0]
    assert await take_movement(town.services, movement(first, "a", number="90"), NOW) is Recognised.REPEATED
    assert await take_movement(town.services, movement(first, "b", number="91"), NOW) is Recognised.NOT_RECOGNISED


CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("another sum", {"amount_kopecks": 699}),
    ("another account", {"counterparty_account": "40702810900000000999"}),
    ("another number", {"number": "17"}),
    ("no number at all", {"number": ""}),
    ("a day before the order", {"day": date(2026, 11, 23)}),
    ("a document of another day", {"document_day": date(2026, 11, 23)}),
    ("a return of what was not executed", {"is_credit": True, "number": "1"}),
)


@pytest.mark.parametrize("more", [case[1] for case in CASES], ids=[case[0] for case in CASES])
async def test_a_line_that_is_no_order_is_kept_with_its_reason(town: SettlementTown, more: dict[str, Any]) -> None:
    line = movement((await town.orders())[0], "x", **more)
    assert await take_movement(town.services, line, NOW) is Recognised.NOT_RECOGNISED
    kept = await list_unrecognised(town.services)
    assert [(one.bank_id, bool(one.reason)) for one in kept] == [("x", True)] and kept[0].movement == line
    assert await states(town) == [S.SENT] * 2


async def test_a_second_debit_of_one_order_is_nobody_s(town: SettlementTown) -> None:
    first = (await town.orders())[0]
    await take_movement(town.services, movement(first, "a"), NOW)
    assert await take_movement(town.services, movement(first, "b"), NOW) is Recognised.NOT_RECOGNISED
    assert await money(town) == (300, -300, 0, 0)


async def test_large_orders_leave_only_after_two_other_people(ledger_database: LedgerDatabase) -> None:
    async with settlement_town(ledger_database) as town:
        await set_approval_limit(town.services, DAY, 700, "board")
        await town.pay(("heating", 700), ("cold_water", 300))
        await town.cover(1_000)
        await town.cut()
        large, small = await town.orders()
        assert await town.send() == ("1-261124-1",)
        assert await states(town) == [S.CREATED, S.SENT]
        assert await approve_order(town.services, large["key"], "Анна", NOW) == 1
        for name in ("анна ", "settlement", " ", "\n"):
            with pytest.raises(ApprovalRefused):
                await approve_order(town.services, large["key"], name, NOW)
        with pytest.raises(ApprovalRefused):
            await approve_order(town.services, small["key"], "Борис", NOW)
        assert await town.send() == ()
        assert await approve_order(town.services, large["key"], "Борис", NOW) == 0
        assert await town.send() == ("1-261124-2",)
        await town.assert_sound()


async def test_a_person_cancels_what_has_not_left(ledger_database: LedgerDatabase) -> None:
    async with settlement_town(ledger_database) as town:
        await town.pay(("heating", 700))
        await town.cover(700)
        await town.cut()
        (order,) = await town.orders()
        assert await cancel_order(town.services, order["key"], "Анна", NOW)
        assert not await cancel_order(town.services, order["key"], "Анна", NOW)
        assert await town.send() == ()
        assert (await town.cut()).cut is None
        assert await allow_reissue(town.services, order["key"], "Анна", NOW)
        assert (await town.cut()).ordered == 700
        await town.send()
        assert not await cancel_order(town.services, (await town.orders())[1]["key"], "Анна", NOW)
        await town.assert_sound()


async def test_results_of_unknown_orders_are_parked(town: SettlementTown) -> None:
    result = TransferResult(key="unknown", state=S.EXECUTED)
    async with town.services.transaction():
        assert await apply_result(town.services, Told(result=result, told_by="t", at=NOW)) is Applied.PARKED
    assert [row["key"] for row in await town.owner.fetch(SQL["parked"])] == ["unknown"]


async def test_a_return_told_before_the_execution_is_applied_by_a_person_once_that_is_known(town: SettlementTown) -> None:
    order = await sent(town)
    first = (await town.orders())[0]
    early = TransferReport(register="r", results=(TransferResult(key=first["key"], state=S.RETURNED, reason="счёт закрыт"),))
    await answer(town, order, Accepted(reference="r", ask_after_ms=1, content=msgspec.json.encode(early)))
    (parked,) = (await list_waiting(town.services, DAY)).parked_results
    assert await apply_parked(town.services, parked.number, "Анна", NOW) is Applied.PARKED, "it was never executed"
    assert await state_executed(town.services, first["key"], ("91", DAY), "Анна", NOW) is Applied.MOVED
    assert await apply_parked(town.services, parked.number, "Борис", NOW) is Applied.MOVED
    assert await states(town) == [S.RETURNED, S.SENT]
    assert (await list_waiting(town.services, DAY)).parked_results == ()
    with pytest.raises(LookupError):
        await apply_parked(town.services, parked.number, "Борис", NOW)
    done = [(row["what"], row["done_by"]) for row in await town.owner.fetch(SQL["interventions"])]
    assert done == [("executed", "Анна"), ("apply", "Борис")]
    await town.assert_sound()


async def test_what_has_not_left_is_not_stated_to_be_executed(ledger_database: LedgerDatabase) -> None:
    async with settlement_town(ledger_database) as town:
        await town.pay(("heating", 700))
        await town.cover(700)
        (key,) = (await town.cut()).orders
        assert await state_executed(town.services, key, ("91", DAY), "Анна", NOW) is Applied.PARKED
        assert await state_executed(town.services, "none", ("91", DAY), "Анна", NOW) is Applied.PARKED
        await town.assert_sound()
