"""Suspended money given to its owner: by the present table, with its own dates, once, in parts, and across books."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import asyncpg
import pytest

from ledger.balances import read_proof
from ledger.chart import AccountKind, ledger_account, parts_of
from ledger.release import NotReleased, Reason
from ledger.reversal import reverse_entry
from schemas.ids import AccountId, Book
from schemas.journal import EntryKind
from schemas.notification import NamedDesignation
from schemas.outcome import SuspenseReason
from services.days import DayNotClosed, close_day
from services.suspense.arrivals import bring_arrivals
from services.suspense.decisions import Assignment, DecidedMeanwhile, NotDecided, Place, assign, hold
from services.suspense.queue import State, tell_item
from tests.conftest import LedgerDatabase
from tests.ledger.town import SQL as TOWN
from tests.ledger.town import paid
from tests.services.suspense_town import BANK_DAY, NOW, PAID_AT, SQL, VALUE_DATE, SuspenseTown, note, suspense_town


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SuspenseTown]:
    async with suspense_town(ledger_database) as made:
        yield made


@pytest.fixture
async def books(ledger_database: LedgerDatabase) -> AsyncIterator[SuspenseTown]:
    async with suspense_town(ledger_database, books=4) as made:
        yield made


def given(place: Place, account: AccountId, amount: int | None = None, by: str = "Иванова", **more: Any) -> Assignment:
    return Assignment(place=place, account=account, amount_kopecks=amount, by=by, **more)


async def test_money_without_an_owner_is_an_item_with_what_was_written(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 500))
    place = await town.suspend(700, note("0012", account, named={"pool": "main"}), reason=SuspenseReason.ACCOUNT_AMBIGUOUS)
    item = await town.item(place)
    assert (item.amount, item.remains, item.state, item.account) == (700, 700, State.WAITING, "0012")
    assert (item.candidates, item.named, item.reason) == ((account,), '{"pool":"main"}', SuspenseReason.ACCOUNT_AMBIGUOUS)
    assert (item.event_at, item.value_date, item.bank_day) == (PAID_AT, VALUE_DATE, BANK_DAY)


async def test_a_rest_that_no_advance_admits_is_an_item_of_its_payer(ledger_database: LedgerDatabase) -> None:
    async with suspense_town(ledger_database, advance_rule=0) as town:
        account = await town.home(1, ("maintenance", 500))
        answer = await town.pay(account, 800)
        await town.fold()
        item = await town.item(Place(book=Book(1), sequence=answer.sequence or 0))
        assert (item.amount, item.personal_account, item.reason) == (300, account, SuspenseReason.ADVANCE_NOT_TAKEN)


async def test_a_release_splits_by_the_present_table_with_the_payments_own_dates(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 500), ("heating", 300))
    place = await town.suspend(700)
    await town.pay(account, 400)
    before = paid(await town.rebuilt(account))
    released = await assign(town.services, given(place, account), NOW)
    recorded = await town.entry(released.book, released.sequence)
    entry = recorded.entry
    assert (entry.kind, entry.personal_account, entry.external_id) == (EntryKind.SUSPENSE_RELEASE, account, f"{place}/1")
    assert (entry.space, entry.event_at, entry.value_date) == (4, PAID_AT, VALUE_DATE)
    suspense = ledger_account(AccountKind.SUSPENSE, town.transit, town.channel)
    assert (entry.accounts[0], entry.amounts[0]) == (suspense, 700)
    after = paid(await town.rebuilt(account))
    assert sum(sum_ for _, _, sum_ in after) == 800 and [one[2] for one in after] >= [one[2] for one in before]
    advance = -sum(amount for line, amount in zip(entry.lines, entry.amounts, strict=True) if line == 3)
    assert advance == 300
    assert (await town.item(place)).state is State.RELEASED
    await town.assert_verified()


async def test_the_value_date_is_the_houses_own(town: SuspenseTown) -> None:
    (account,) = await town.accounts()
    await town.owner.execute(SQL["set_zone"], account, "America/New_York")
    await town.charge(account, "maintenance", 500)
    await town.publish(account)
    released = await assign(town.services, given(await town.suspend(100), account), NOW)
    assert (await town.entry(released.book, released.sequence)).entry.value_date == date(2026, 11, 10)
    await town.assert_verified()


async def test_what_is_named_at_the_release_is_paid_first(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 500), ("capital_repair", 300))
    wanted = given(await town.suspend(300), account, named=NamedDesignation(pool="capital_repair"))
    released = await assign(town.services, wanted, NOW)
    entry = (await town.entry(released.book, released.sequence)).entry
    assert [parts_of(one).kind for one in entry.accounts] == [AccountKind.SUSPENSE, AccountKind.PAYABLE]
    assert entry.designation == '{"pool":"capital_repair"}'
    await town.assert_verified()


async def test_an_item_is_released_in_parts_and_never_above_what_is_left(town: SuspenseTown) -> None:
    first, second = [await town.home(number, ("maintenance", 5_000)) for number in (1, 2)]
    place = await town.suspend(1_000)
    await assign(town.services, given(place, first, 300), NOW)
    with pytest.raises(NotDecided, match="has 700 kopecks left, not 701"):
        await assign(town.services, given(place, second, 701), NOW)
    await assign(town.services, given(place, second, 650), NOW)
    await town.fold()
    told = await tell_item(town.services, await town.item(place))
    assert [(one.part, one.amount, one.account) for one in told.releases] == [(1, 300, "uo/1"), (2, 650, "uo/2")]
    assert told.item.remains == 50
    await assign(town.services, given(place, first), NOW)
    await town.assert_verified()
    with pytest.raises(DecidedMeanwhile, match="nothing left"):
        await assign(town.services, given(place, first), NOW)


@pytest.mark.parametrize("amounts", [(None, None), (600, 600)])
async def test_of_two_operators_one_wins_and_the_other_is_told(
    town: SuspenseTown, ledger_database: LedgerDatabase, amounts: tuple[int | None, int | None]
) -> None:
    accounts = [await town.home(number, ("maintenance", 5_000)) for number in (1, 2)]
    place = await town.suspend(1_000)
    others = [await asyncpg.connect(ledger_database.services_dsn) for _ in range(2)]
    try:
        deeds = [
            assign(connection, given(place, account, amount, by), NOW)
            for connection, account, amount, by in zip(others, accounts, amounts, ("Иванова", "Петров"), strict=True)
        ]
        done = await asyncio.gather(*deeds, return_exceptions=True)
    finally:
        for connection in others:
            connection.terminate()
    lost = [one for one in done if isinstance(one, BaseException)]
    assert len(lost) == 1 and isinstance(lost[0], NotDecided)
    winner, whose = ("Петров", "uo/2") if isinstance(done[0], BaseException) else ("Иванова", "uo/1")
    if isinstance(lost[0], DecidedMeanwhile):
        assert f"{winner} assigned" in str(lost[0]) and whose in str(lost[0]) and "UTC" in str(lost[0])
    else:
        assert amounts[0] is not None and "400 kopecks left" in str(lost[0])
    assert (await town.item(place)).remains == 1_000 - (amounts[0] or 1_000)
    await town.assert_verified()


async def test_a_decision_rests_on_what_was_seen(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 5_000))
    place = await town.suspend(1_000)
    await assign(town.services, given(place, account, 100), NOW)
    with pytest.raises(DecidedMeanwhile, match=r"Иванова assigned 1,00 ₽ to uo/1 at 2026-11-25 09:00:00 UTC; 9,00 ₽ left"):
        await assign(town.services, given(Place(book=place.book, sequence=place.sequence, seen_remains=1_000), account, 100), NOW)


async def test_what_the_journal_took_back_cannot_be_released_before_it_is_folded(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 5_000))
    place = await town.suspend(1_000)
    await reverse_entry(town.services, place.book, place.sequence, NOW)
    with pytest.raises(NotReleased) as refused:
        await assign(town.services, given(place, account), NOW)
    assert refused.value.reason is Reason.MORE_THAN_LEFT
    await town.fold()
    item = await town.item(place)
    assert (item.state, item.reversed, item.remains) == (State.REVERSED, 1_000, 0)
    with pytest.raises(DecidedMeanwhile, match="the journal itself took it back"):
        await assign(town.services, given(place, account), NOW)
    await town.assert_verified()


async def test_what_nothing_takes_is_refused_with_its_reason(ledger_database: LedgerDatabase) -> None:
    async with suspense_town(ledger_database, advance_rule=0) as town:
        account = await town.home(1, ("maintenance", 500))
        place = await town.suspend(700)
        with pytest.raises(NotReleased, match="of 700 kopecks it takes 500") as refused:
            await assign(town.services, given(place, account), NOW)
        assert (refused.value.reason, refused.value.takes) == (Reason.ADVANCE_NOT_TAKEN, 500)
        with pytest.raises(NotReleased, match="no such personal account"):
            await assign(town.services, given(place, AccountId(999)), NOW)
        (new,) = await town.accounts(2, 2)
        with pytest.raises(NotReleased, match="no allocation table"):
            await assign(town.services, given(place, new), NOW)
        await town.owner.execute(SQL["close_account"], account)
        await town.publish(account)
        with pytest.raises(NotReleased, match="closed"):
            await assign(town.services, given(place, account, 100), NOW)
        with pytest.raises(NotDecided, match="is no item"):
            await assign(town.services, given(Place(book=Book(1), sequence=99), account), NOW)
        assert (await town.item(place)).remains == 700
        await town.assert_verified()


async def test_an_expired_table_is_waited_for(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 500))
    place = await town.suspend(100)
    await town.owner.execute(TOWN["expire"], account)
    with pytest.raises(NotReleased) as refused:
        await assign(town.services, given(place, account), NOW)
    assert refused.value.reason is Reason.TABLE_EXPIRED


async def test_money_that_the_bank_holds_is_not_released(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 500))
    place = await town.suspend(100)
    await hold(town.services, place, "Иванова", NOW)
    assert (await town.item(place)).state is State.HELD
    with pytest.raises(NotDecided, match="47416"):
        await assign(town.services, given(place, account), NOW)
    with pytest.raises(NotDecided, match="already"):
        await hold(town.services, place, "Иванова", NOW)
    await hold(town.services, place, "Иванова", NOW, back=True)
    await assign(town.services, given(place, account), NOW)


async def test_folding_the_journal_again_gives_the_same(books: SuspenseTown) -> None:
    homes = {number: await books.home(number, ("maintenance", 5_000)) for number in (1, 2, 3)}
    place = await books.suspend(1_000)
    for number in homes:
        await assign(books.services, given(place, homes[number], 100 * number), NOW)
    await books.suspend(50)
    await bring_arrivals(books.services)
    await books.fold()
    before = await books.items()
    assert await books.refold() == before


async def test_to_an_account_of_another_book_it_goes_through_in_transfer(books: SuspenseTown) -> None:
    number = next(number for number in range(1, 50) if books.book(f"{number}") == 3)
    account = await books.home(number, ("maintenance", 5_000))
    place = await books.suspend(1_000)
    released = await assign(books.services, given(place, account), NOW)
    assert released.transfer is not None and released.book == place.book
    departure = (await books.entry(released.book, released.sequence)).entry
    transfer = ledger_account(AccountKind.IN_TRANSFER, 0, released.transfer)
    assert (departure.accounts[1], departure.amounts) == (transfer, (1_000, -1_000))
    await books.fold()
    proof = await read_proof(books.services)
    assert (set(proof.open_transfers), proof.fault) == ({transfer}, "")
    await books.assert_verified()
    with pytest.raises(DayNotClosed, match="not completed yet"):
        await close_day(books.services, books.transit, BANK_DAY, date(2026, 11, 25))
    assert (await bring_arrivals(books.services)).arrived == 1
    assert (await bring_arrivals(books.services)).arrived == 0
    (told,) = (await tell_item(books.services, await books.item(place))).releases
    assert told.arrived_book == 3 and told.arrived_sequence is not None
    arrival = (await books.entry(told.arrived_book, told.arrived_sequence)).entry
    assert (arrival.personal_account, arrival.event_at, arrival.value_date) == (account, PAID_AT, VALUE_DATE)
    assert (arrival.external_id, arrival.accounts[0], arrival.channel) == (f"{place}/1/in", transfer, books.channel)
    await books.assert_verified()
    assert (await read_proof(books.services)).open_transfers == {}
    await close_day(books.services, books.transit, BANK_DAY, date(2026, 11, 25))


async def test_what_cannot_arrive_any_more_comes_back_with_its_reason(books: SuspenseTown) -> None:
    number = next(number for number in range(1, 50) if books.book(f"{number}") == 2)
    account = await books.home(number, ("maintenance", 5_000))
    place = await books.suspend(1_000)
    await assign(books.services, given(place, account, 400), NOW)
    await books.owner.execute(SQL["close_account"], account)
    await books.publish(account)
    report = await bring_arrivals(books.services)
    assert (report.arrived, report.came_back) == (0, 1)
    await books.fold()
    item = await books.item(place)
    assert (item.remains, item.released, item.state) == (1_000, 0, State.WAITING)
    (told,) = (await tell_item(books.services, item)).releases
    assert told.why == "лицевой счёт закрыт" and told.came_back is not None
    assert (await read_proof(books.services)).open_transfers == {}
    await books.assert_verified()
    before = await books.items()
    assert await books.refold() == before


async def test_two_who_bring_arrivals_bring_each_once(books: SuspenseTown, ledger_database: LedgerDatabase) -> None:
    numbers = [number for number in range(1, 60) if books.book(f"{number}") != 1][:6]
    homes = [await books.home(number, ("maintenance", 5_000)) for number in numbers]
    place = await books.suspend(600)
    for account in homes:
        await assign(books.services, given(place, account, 100), NOW)
    others = [await asyncpg.connect(ledger_database.services_dsn) for _ in range(3)]
    try:
        reports = await asyncio.gather(*[bring_arrivals(connection) for connection in others])
    finally:
        for connection in others:
            connection.terminate()
    assert sum(one.arrived for one in reports) == 6
    await books.assert_verified()
    assert await books.owner.fetch(SQL["open_balances"]) == []
