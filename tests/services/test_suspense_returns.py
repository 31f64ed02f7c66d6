"""Suspended money sent back to its payer, held by the bank, taken back by corrections; terms, figures and warnings."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from ledger.chart import AccountKind, ledger_account
from ledger.core.settlement_entries import Occasion, settlement_entry
from ledger.refund import ReleasedMeanwhile, refund_wanted, take_back
from ledger.reversal import NotReversible, reverse_entry
from schemas.ids import Book
from schemas.journal import EntryKind
from services.suspense.decisions import (
    Assignment,
    DecidedMeanwhile,
    NotDecided,
    Payee,
    Place,
    Return,
    assign,
    hold,
    note_withdrawn,
    return_to_payer,
)
from services.suspense.queue import State, fetch_figures, list_suspended_sums, list_waiting_items, tell_item
from services.suspense.watching import SuspenseGauges, keep_suspense
from tests.conftest import LedgerDatabase
from tests.services.suspense_town import BANK_DAY, NOW, SQL, PlainPapers, SuspenseTown, suspense_town

PAYER = "40817810000000000001"
PAPERS = PlainPapers()


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SuspenseTown]:
    async with suspense_town(ledger_database) as made:
        yield made


async def told_by_the_bank(town: SuspenseTown, bank_id: str = "b-1", payer: str = PAYER) -> Place:
    """Money of 1000 kopecks that came by a line of the statement."""
    await town.owner.execute(SQL["add_line"], bank_id, payer, "Иванов И. И.|за квартиру".encode(), "unknown")
    return await town.suspend(1_000, external_id=bank_id)


def back(place: Place, **more: Any) -> Return:
    return Return(place=place, **{"by": "Иванова", "approved_by": "Петров"} | more)


async def test_a_return_asks_settlement_for_an_order_to_whom_the_statement_names(town: SuspenseTown) -> None:
    place = await told_by_the_bank(town)
    request = await return_to_payer(town.services, back(place), PAPERS, NOW)
    (row,) = await town.owner.fetch(SQL["returns"])
    suspense = ledger_account(AccountKind.SUSPENSE, town.transit, town.channel)
    assert tuple(row)[:4] == (place.book, place.sequence, 1_000, suspense)
    assert row["purpose"] == "Возврат невыясненного платежа, поручение № 77 от 11.11.2026. НДС не облагается"
    assert (row["sealed_name"], row["bank_account"], row["bic"]) == (f"{request}:Иванов И. И.".encode(), PAYER, "044525225")
    told = await tell_item(town.services, await town.item(place))
    assert (told.item.state, told.item.returned) == (State.RETURNED, 1_000)
    assert [(one.what, one.decided_by, one.approved_by) for one in told.decisions] == [("return", "Иванова", "Петров")]
    assert [(one.request, one.payee_account) for one in told.returns] == [(request, PAYER)]


async def test_a_return_takes_two_people_and_requisites(town: SuspenseTown) -> None:
    place = await town.suspend(1_000)
    with pytest.raises(NotDecided, match="two different people"):
        await return_to_payer(town.services, back(place, approved_by=" иванова "), PAPERS, NOW)
    with pytest.raises(NotDecided, match="must be named"):
        await return_to_payer(town.services, back(place), PAPERS, NOW)
    broken = await told_by_the_bank(town, "b-2", payer="30233")
    with pytest.raises(NotDecided, match="does not tell the payer's account"):
        await return_to_payer(town.services, back(broken), PAPERS, NOW)
    payee = Payee(name="Иванов Иван", account=PAYER, bic="044525225")
    assert "Иванов" not in repr(payee)
    await return_to_payer(town.services, back(place, payee=payee, amount_kopecks=400), PAPERS, NOW)
    assert (await town.item(place)).remains == 600
    assert "операция lost-1" in (await town.owner.fetch(SQL["returns"]))[0]["purpose"]


async def test_what_goes_back_is_neither_released_nor_taken_back(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 5_000))
    place = await told_by_the_bank(town)
    await return_to_payer(town.services, back(place), PAPERS, NOW)
    with pytest.raises(DecidedMeanwhile, match="Иванова returned to the payer 10,00 ₽"):
        await assign(town.services, Assignment(place=place, account=account, by="Петров"), NOW)
    with pytest.raises(NotReversible, match="released"):
        await reverse_entry(town.services, place.book, place.sequence, NOW)
    with pytest.raises(ReleasedMeanwhile):
        await take_back(town.services, await refund_wanted(town.services, place.book, place.sequence, 1), NOW)
    await town.assert_verified()


async def test_what_was_released_is_not_taken_back_from_suspense(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 5_000))
    place = await town.suspend(1_000)
    await assign(town.services, Assignment(place=place, account=account, by="Петров", amount_kopecks=700), NOW)
    with pytest.raises(NotReversible, match="700 kopecks of it were released"):
        await reverse_entry(town.services, place.book, place.sequence, NOW)
    await take_back(town.services, await refund_wanted(town.services, place.book, place.sequence, 200), NOW)
    await town.fold()
    item = await town.item(place)
    assert (item.released, item.reversed, item.remains) == (700, 200, 100)
    await town.assert_verified()


async def test_a_withdrawn_return_waits_again(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 5_000))
    place = await told_by_the_bank(town)
    request = await return_to_payer(town.services, back(place), PAPERS, NOW)
    await town.services.execute(SQL["withdraw"], request)
    assert [await note_withdrawn(town.services) for _ in range(2)] == [1, 0]
    assert (await town.item(place)).state is State.WAITING
    with pytest.raises(NotDecided, match="asked for before"):
        await return_to_payer(town.services, back(place), PAPERS, NOW)
    await assign(town.services, Assignment(place=place, account=account, by="Петров"), NOW)
    await town.assert_verified()


async def test_a_return_and_a_release_at_once(town: SuspenseTown, ledger_database: LedgerDatabase) -> None:
    account = await town.home(1, ("maintenance", 5_000))
    place = await told_by_the_bank(town)
    others = [await asyncpg.connect(ledger_database.services_dsn) for _ in range(2)]
    try:
        done = await asyncio.gather(
            return_to_payer(others[0], back(place), PAPERS, NOW),
            assign(others[1], Assignment(place=place, account=account, by="Сидорова"), NOW),
            return_exceptions=True,
        )
    finally:
        for connection in others:
            connection.terminate()
    lost = [one for one in done if isinstance(one, BaseException)]
    assert len(lost) == 1 and isinstance(lost[0], DecidedMeanwhile)
    assert ("Сидорова assigned" if isinstance(done[0], BaseException) else "Иванова returned") in str(lost[0])
    assert (await town.item(place)).remains == 0


async def test_held_money_is_not_returned(town: SuspenseTown) -> None:
    place = await told_by_the_bank(town)
    await hold(town.services, place, "Иванова", NOW)
    with pytest.raises(NotDecided, match="47416"):
        await return_to_payer(town.services, back(place), PAPERS, NOW)
    told = await tell_item(town.services, await town.item(place))
    assert (told.item.held_by, [one.what for one in told.decisions]) == ("Иванова", ["hold"])


async def test_the_banks_own_mistakes_and_orders_stand_beside_the_items(town: SuspenseTown) -> None:
    suspense = ledger_account(AccountKind.SUSPENSE, town.transit)
    transit = ledger_account(AccountKind.TRANSIT, town.transit)
    for turn, amount in enumerate((500, -500, 200)):
        occasion = Occasion(transit=town.transit, key=f"mistake-{turn}", event_at=NOW)
        entry = settlement_entry(occasion, EntryKind.TECHNICAL, [(transit, amount), (suspense, -amount)])
        await town.append(entry, Book(0))
    await town.fold()
    await reverse_entry(town.services, Book(0), 3, NOW)
    await town.fold()
    assert await town.items() == []


async def test_the_queue_tells_age_and_terms_the_oldest_first(town: SuspenseTown) -> None:
    first, second = await town.suspend(1_000), await town.suspend(50)
    await hold(town.services, second, "Иванова", NOW)
    waiting = await list_waiting_items(town.services, BANK_DAY)
    assert [(one.sequence, one.term.day, one.term.overdue) for one in waiting] == [
        (first.sequence, date(2026, 12, 1), False),
        (second.sequence, date(2026, 12, 1), False),
    ]
    assert await list_waiting_items(town.services, date(2026, 12, 1), overdue=True) == ()
    assert len(await list_waiting_items(town.services, date(2026, 12, 2), overdue=True)) == 2
    free, held = await list_suspended_sums(town.services, date(2026, 11, 27))
    assert (free.amount, free.promise.overdue) == (1_000, False) and free.law is not None
    assert (free.law.day, free.law.overdue, free.is_overdue) == (date(2026, 11, 26), True, True)
    assert (held.amount, held.held, held.law, held.is_overdue) == (50, True, None, False)


async def test_the_gauges_show_the_oldest(town: SuspenseTown) -> None:
    await town.suspend(1_000)
    registry = CollectorRegistry()
    gauges = SuspenseGauges(registry)
    gauges.show(await fetch_figures(town.services), NOW + timedelta(days=7))
    shown = {name: registry.get_sample_value(f"kopeck_suspense_{name}") for name in ("items", "kopecks", "oldest_is_overdue")}
    assert shown == {"items": 1, "kopecks": 1_000, "oldest_is_overdue": 1}
    assert (registry.get_sample_value("kopeck_suspense_oldest_seconds") or 0) > 14 * 86_400
    await assign_all(town)
    gauges.show(await fetch_figures(town.services), NOW)
    assert registry.get_sample_value("kopeck_suspense_oldest_seconds") == 0


async def assign_all(town: SuspenseTown) -> None:
    """Give everything that waits to a new account."""
    account = await town.home(9, ("maintenance", 5_000))
    for item in await list_waiting_items(town.services, BANK_DAY):
        await assign(town.services, Assignment(place=Place(book=item.book, sequence=item.sequence), account=account, by="А"), NOW)


async def test_the_keeper_brings_arrivals_and_measures_until_it_is_stopped(ledger_database: LedgerDatabase) -> None:
    async with suspense_town(ledger_database, books=3) as town:
        number = next(number for number in range(1, 50) if town.book(f"{number}") != 1)
        account = await town.home(number, ("maintenance", 5_000))
        place = await town.suspend(1_000)
        await assign(town.services, Assignment(place=place, account=account, by="Иванова"), NOW)
        stop, registry = asyncio.Event(), CollectorRegistry()
        gauges = SuspenseGauges(registry)
        keeper = asyncio.create_task(keep_suspense(ledger_database.services_dsn, lambda: NOW, stop, gauges))
        async with asyncio.timeout(20):
            while (await fetch_figures(town.services)).on_their_way:
                await asyncio.sleep(0.01)
        stop.set()
        await keeper
        assert registry.get_sample_value("kopeck_suspense_items") == 0
        await town.assert_verified()
