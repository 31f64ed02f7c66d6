"""The register of orders: created with their owner's transaction, leased by one worker at a time, written by compare."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from kopeck.clock import utc_now
from schemas.delivery import Done, OrderState, Refused
from services.delivery.audit import audit_orders
from services.delivery.interventions import (
    Act,
    NotSo,
    cancel_order,
    list_closed_counterparties,
    list_parked_orders,
    open_counterparty,
    retry_order,
)
from services.delivery.orders import NewOrder, conclude_order, create_orders, hasten_order
from services.delivery.rules import Verdict, parked
from services.delivery.store import Leased, close_counterparty, lease, list_due, measure, record, renew
from tests.conftest import LedgerDatabase
from tests.services.delivery_house import BANK, SQL, DeliveryHouse, delivery_house

ACT = Act(by="anna", why="the bank says so")
LONG_MS = 60_000


@pytest.fixture
async def house(ledger_database: LedgerDatabase) -> AsyncIterator[DeliveryHouse]:
    """An empty register."""
    async with delivery_house(ledger_database) as made:
        yield made


async def take(house: DeliveryHouse, orders: int = 10, lease_ms: int = LONG_MS) -> tuple[Leased, ...]:
    """Lease as a worker does."""
    return await lease(house.services, BANK, orders, lease_ms)


def ends(one: Leased, state: OrderState = OrderState.DONE) -> tuple[Leased, Verdict]:
    """A verdict that ends the order."""
    verdict = Verdict(state=state, sending=False, reference="r", attempts=one.order.attempt, reason="so", result=b"{}")
    return one, verdict


async def park(house: DeliveryHouse, *, unknown: bool) -> Leased:
    """Park the one order there is."""
    (one,) = await take(house)
    await record(house.services, [(one, parked(one.stand, "for a test", unknown=unknown))])
    return one


async def test_orders_come_and_go_with_their_owners_transaction(house: DeliveryHouse) -> None:
    order = NewOrder(what="receipt", subject=5, counterparty=BANK, key="k", content=b"{}")
    transaction = house.services.transaction()
    await transaction.start()
    await create_orders(house.services, [order])
    await transaction.rollback()
    assert await house.counts() == {}
    (number,) = await create_orders(house.services, [order])
    row = await house.row("k")
    assert (row["number"], row["what"], row["subject"], row["content"], row["state"]) == (number, "receipt", 5, b"{}", 0)


async def test_many_are_created_at_once_in_the_order_given(house: DeliveryHouse) -> None:
    numbers = await house.order(*[f"k{place}" for place in range(500)])
    assert len(set(numbers)) == 500
    assert [(await house.row(f"k{place}"))["number"] for place in (0, 250, 499)] == [numbers[0], numbers[250], numbers[499]]


async def test_a_key_is_the_counterpartys_for_ever(house: DeliveryHouse) -> None:
    await house.order("k")
    with pytest.raises(asyncpg.UniqueViolationError, match="outgoing_once"):
        await house.order("other", "k")
    await house.order("k", counterparty="another bank")
    assert await house.counts() == {OrderState.WAITING: 2}


async def test_an_order_is_leased_by_one_and_sending_is_committed_with_it(house: DeliveryHouse) -> None:
    await house.order("a", "b", "c")
    first = await take(house, 2)
    assert [one.order.key for one in first] == ["a", "b"]
    assert all(one.order.attempt == 1 and not one.stand.unknown and one.never_accepted for one in first)
    row = await house.row("a")
    assert row["sending"] and row["lease"] == first[0].lease and row["attempts"] == 1
    assert [one.order.key for one in await take(house)] == ["c"]
    assert await take(house) == ()


async def test_rows_that_another_worker_is_leasing_are_skipped(house: DeliveryHouse) -> None:
    await house.order("a", "b")
    async with house.owner.transaction():
        await house.owner.execute(SQL["lock_order"], "a")
        assert [one.order.key for one in await take(house)] == ["b"]


async def test_what_is_due_later_waits(house: DeliveryHouse) -> None:
    moment = utc_now() + timedelta(hours=1)
    later = NewOrder(what="letter", subject=1, counterparty=BANK, key="later", content=b"", not_before=moment)
    await create_orders(house.services, [later])
    assert (await house.row("later"))["due_at"] == moment
    assert await take(house) == () == await list_due(house.services, [BANK])
    await house.owner.execute(SQL["bring_forward"])
    assert await list_due(house.services, ["other", BANK]) == (BANK,)
    assert len(await take(house)) == 1
    assert await list_due(house.services, [BANK]) == ()


async def test_who_lost_the_lease_writes_nothing(house: DeliveryHouse) -> None:
    await house.order("a", "b")
    late = await take(house)
    await house.owner.execute(SQL["end_leases"])
    taken_over = await take(house, 1)
    assert [one.order.key for one in taken_over] == ["a"]
    assert taken_over[0].stand.unknown and taken_over[0].order.attempt == 2
    written = await record(house.services, [ends(one) for one in late])
    assert set(written) == {late[1].order.number}, "a lease that nobody took over is still good"
    assert (await house.row("a"))["state"] == OrderState.WAITING
    assert (await house.row("b"))["state"] == OrderState.DONE
    assert set(await record(house.services, [ends(one) for one in taken_over])) == {taken_over[0].order.number}
    assert await record(house.services, [ends(one, OrderState.REFUSED) for one in (*late, *taken_over)]) == {}
    assert await house.counts() == {OrderState.DONE: 2}


async def test_a_renewed_lease_goes_on_and_a_lost_one_does_not(house: DeliveryHouse) -> None:
    await house.order("a", "b")
    held = await take(house)
    await house.owner.execute(SQL["end_leases"])
    (other,) = await take(house, 1)
    assert await renew(house.services, held, LONG_MS) == {other.order.number}
    assert await take(house) == ()


async def test_times_of_acceptance_and_end_are_kept(house: DeliveryHouse) -> None:
    await house.order("a")
    (one,) = await take(house)
    accepted = Verdict(state=OrderState.ACCEPTED, sending=False, reference="r1", attempts=0, due_ms=0)
    ages = await record(house.services, [(one, accepted)])
    assert 0 <= ages[one.order.number] < 60_000
    row = await house.row("a")
    assert row["accepted_at"] >= row["created_at"] and row["ended_at"] is None and not row["sending"]
    (again,) = await take(house)
    assert again.order.reference == "r1" and not again.never_accepted and not again.stand.unknown
    await record(house.services, [ends(again)])
    last = await house.row("a")
    assert last["accepted_at"] == row["accepted_at"] and last["ended_at"] is not None and last["result"] == b"{}"


async def test_an_accepted_order_that_nobody_can_ask_about_rests_until_its_owner_ends_it(house: DeliveryHouse) -> None:
    (number,) = await house.order("a")
    assert not await conclude_order(house.services, number, Done(reference="bank-1", content=b"{}")), "it was never sent"
    (one,) = await take(house)
    accepted = Verdict(state=OrderState.ACCEPTED, sending=False, reference="", attempts=0, due_ms=None)
    await record(house.services, [(one, accepted)])
    assert await take(house) == () and await audit_orders(house.services) == ()
    assert await conclude_order(house.services, number, Done(reference="bank-1", content=b"{}"))
    assert not await conclude_order(house.services, number, Refused(code="x", reason="y")), "an end is an end"
    row = await house.row("a")
    assert (row["state"], row["reference"], row["result"]) == (OrderState.DONE, "bank-1", b"{}")


async def test_an_owners_word_beats_the_worker_that_is_asking(house: DeliveryHouse) -> None:
    (number,) = await house.order("a")
    (one,) = await take(house)
    assert await conclude_order(house.services, number, Refused(code="rejected", reason="by the statement"))
    assert await record(house.services, [ends(one)]) == {}
    assert (await house.row("a"))["reason"] == "rejected: by the statement"


async def test_a_hint_brings_the_question_forward(house: DeliveryHouse) -> None:
    await house.order("a")
    (one,) = await take(house)
    accepted = Verdict(state=OrderState.ACCEPTED, sending=False, reference="r", attempts=0, due_ms=LONG_MS)
    await record(house.services, [(one, accepted)])
    assert await take(house) == ()
    assert not await hasten_order(house.services, BANK, "unheard of")
    assert await hasten_order(house.services, BANK, "a")
    assert len(await take(house)) == 1


async def test_nothing_is_leased_of_a_closed_counterparty(house: DeliveryHouse) -> None:
    await house.order("a")
    await house.order("b", counterparty="other")
    assert await close_counterparty(house.services, BANK, "password")
    assert not await close_counterparty(house.services, BANK, "again")
    assert await take(house) == ()
    assert await list_due(house.services, [BANK, "other"]) == ("other",)
    (closed,) = await list_closed_counterparties(house.services)
    assert (closed.counterparty, closed.reason) == (BANK, "password")
    await open_counterparty(house.services, BANK, ACT)
    with pytest.raises(NotSo):
        await open_counterparty(house.services, BANK, ACT)
    assert len(await take(house)) == 1


async def test_a_parked_order_is_retried_as_what_it_may_be(house: DeliveryHouse) -> None:
    (number,) = await house.order("a")
    await park(house, unknown=True)
    (listed,) = await list_parked_orders(house.services)
    assert (listed.number, listed.key, listed.unknown, listed.reason) == (number, "a", True, "for a test")
    assert await list_parked_orders(house.services, "receipt") == ()
    await retry_order(house.services, number, ACT)
    (one,) = await take(house)
    assert one.stand.unknown and one.order.attempt == 1
    assert (await house.row("a"))["reason"] == "retried by anna: the bank says so"
    with pytest.raises(NotSo):
        await retry_order(house.services, number, ACT)
    await record(house.services, [(one, parked(one.stand, "for a test", unknown=True))])
    await retry_order(house.services, number, ACT, surely_not_taken=True)
    (one,) = await take(house)
    assert not one.stand.unknown


async def test_an_accepted_order_that_was_parked_is_asked_about_again(house: DeliveryHouse) -> None:
    (number,) = await house.order("a")
    (one,) = await take(house)
    accepted = Verdict(state=OrderState.ACCEPTED, sending=False, reference="r", attempts=0, due_ms=0)
    await record(house.services, [(one, accepted)])
    await park(house, unknown=True)
    await retry_order(house.services, number, ACT)
    (one,) = await take(house)
    assert one.stand.state is OrderState.ACCEPTED and one.order.reference == "r" and not one.stand.unknown
    assert await audit_orders(house.services) == ()


async def test_a_person_ends_a_parked_order_and_its_owner_hears_of_it(house: DeliveryHouse) -> None:
    (number,) = await house.order("a")
    await park(house, unknown=False)
    house.desk.broken = True
    with pytest.raises(ValueError, match="told to fail"):
        await cancel_order(house.services, {"letter": house.desk}, number, ACT)
    assert await house.counts() == {OrderState.PARKED: 1}, "no end without its consequences"
    house.desk.broken = False
    with pytest.raises(NotSo, match="owns"):
        await cancel_order(house.services, {}, number, ACT)
    await cancel_order(house.services, {"letter": house.desk}, number, ACT)
    assert await house.effects() == [(1, "Refused")]
    row = await house.row("a")
    assert (row["state"], row["reason"]) == (OrderState.CANCELLED, "cancelled by anna: the bank says so")
    with pytest.raises(NotSo):
        await cancel_order(house.services, {"letter": house.desk}, number, ACT)


async def test_what_may_be_under_way_is_not_cancelled(house: DeliveryHouse) -> None:
    sent, unsent = await house.order("a", "b")
    await take(house, 1)
    with pytest.raises(NotSo):
        await cancel_order(house.services, {"letter": house.desk}, sent, ACT)
    await cancel_order(house.services, {"letter": house.desk}, unsent, ACT)
    assert await house.counts() == {OrderState.WAITING: 1, OrderState.CANCELLED: 1}


async def test_the_queue_is_measured_by_owner_and_state(house: DeliveryHouse) -> None:
    await house.order("a", "b", "c")
    first, second, third = await take(house)
    accepted = Verdict(state=OrderState.ACCEPTED, sending=False, reference="r", attempts=0, due_ms=0)
    await record(house.services, [(first, parked(first.stand, "so", unknown=False)), (second, accepted), ends(third)])
    measured = {one.state: one.orders for one in await measure(house.services)}
    assert measured == {OrderState.PARKED: 1, OrderState.ACCEPTED: 1}


SPOILT = [
    (OrderState.ACCEPTED, False, "taken at no time"),
    (OrderState.ACCEPTED, True, "answered and yet unknown"),
    (OrderState.DONE, False, "taken at no time"),
    (OrderState.REFUSED, False, "ended or parked without a reason"),
    (OrderState.PARKED, True, "ended or parked without a reason"),
]


@pytest.mark.parametrize(("state", "sending", "fault"), SPOILT)
async def test_the_audit_sees_what_no_rule_leads_to(house: DeliveryHouse, state: OrderState, sending: bool, fault: str) -> None:
    await house.order("good", "a")
    assert await audit_orders(house.services) == ()
    await house.owner.execute(SQL["spoil"], "a", state, sending)
    assert [(one.counterparty, one.fault) for one in await audit_orders(house.services)] == [(BANK, fault)]


async def test_the_audit_sees_a_lease_that_nobody_took_over(house: DeliveryHouse) -> None:
    await house.order("a")
    (one,) = await take(house)
    await house.owner.execute(SQL["end_leases"])
    assert await audit_orders(house.services) == ()
    await house.owner.execute(SQL["age_leases"])
    (fault,) = await audit_orders(house.services)
    assert fault.number == one.order.number and "nobody" in fault.fault
    await close_counterparty(house.services, BANK, "closed")
    assert await audit_orders(house.services) == (), "nobody may take it over now"
