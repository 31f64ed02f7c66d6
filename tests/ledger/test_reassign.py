"""A payment given to another personal account: mirrored where it was, split anew where it belongs (design W7)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from ledger.chart import AccountKind, parts_of
from ledger.core.books import book_of
from ledger.core.refund import NothingLeft, NotRefundable
from ledger.journal import fetch_entry
from ledger.reassign import NotReassigned, Reassign, arrive, depart
from ledger.refund import Corrected, refund_wanted, take_back
from ledger.reversal import TableNotRebuilt
from schemas.allocation import AccountState
from schemas.ids import AccountId, Book, Sequence
from schemas.journal import EntryKind
from schemas.outcome import SuspenseReason
from tests.conftest import LedgerDatabase
from tests.ledger.test_refund import assert_verified
from tests.ledger.town import SQL, Town, paid

MOMENT = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
BOOKS = 2
NUMBERS = 6


class Accounts:
    """Two accounts of one book, and one of another."""

    def __init__(self, by_book: dict[int, list[AccountId]]) -> None:
        two = next(book for book, own in by_book.items() if len(own) > 1)
        other = next(book for book in by_book if book != two)
        self.book, self.other_book = Book(two), Book(other)
        self.wrong, self.near = by_book[two][:2]
        self.far = by_book[other][0]


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[Town]:
    """Accounts in two books, each with two charges."""
    connections = [await asyncpg.connect(dsn) for dsn in (ledger_database.owner_dsn, ledger_database.services_dsn)]
    made = Town(*connections)
    await made.found(books=BOOKS)
    accounts = await made.accounts(1, NUMBERS)
    for account in accounts:
        await made.charge(account, "maintenance", 30_000)
        await made.charge(account, "heating", 10_000)
    await made.publish(*accounts)
    yield made
    for one in connections:
        one.terminate()


async def accounts_of(town: Town) -> Accounts:
    by_book: dict[int, list[AccountId]] = {}
    for row in await town.owner.fetch(SQL["numbered_accounts"]):
        by_book.setdefault(book_of("uo", row["number"], BOOKS), []).append(AccountId(row["personal_account"]))
    return Accounts(by_book)


async def pay(town: Town, account: AccountId, amount: int) -> Sequence:
    answer = await town.pay(account, amount)
    assert answer.sequence is not None
    return answer.sequence


async def total_paid(town: Town, account: AccountId) -> int:
    return sum(sum_ for _, _, sum_ in paid(await town.rebuilt(account)))


@pytest.mark.parametrize("where", ["near", "far"])
async def test_the_money_stands_where_it_belongs_with_the_payments_own_dates(
    town: Town, ledger_database: LedgerDatabase, where: str
) -> None:
    accounts = await accounts_of(town)
    taker = getattr(accounts, where)
    await pay(town, taker, 40_000)
    place = await pay(town, accounts.wrong, 12_000)
    left = await depart(town.services, Reassign(book=accounts.book, sequence=place, account=taker), MOMENT)
    departure = await fetch_entry(town.services, accounts.book, left.sequence)
    arrived = await arrive(town.services, departure)
    payment = (await fetch_entry(town.services, accounts.book, place)).entry
    entry = (await fetch_entry(town.services, arrived.book, arrived.sequence)).entry
    assert (entry.kind, entry.personal_account, entry.amount_kopecks) == (EntryKind.REASSIGNMENT, taker, 12_000)
    assert (entry.event_at, entry.value_date, entry.channel) == (payment.event_at, payment.value_date, payment.channel)
    assert entry.accounts[0] == departure.entry.accounts[0]
    assert parts_of(entry.accounts[0]).kind is AccountKind.REASSIGN
    assert len(entry.accounts) == 2, "all was paid there: an advance by the taker's present table"
    assert (await total_paid(town, accounts.wrong), arrived.is_new) == (0, True)
    assert (await arrive(town.services, departure)).sequence == arrived.sequence
    await assert_verified(ledger_database.reader_dsn)


async def test_only_what_is_left_is_reassigned(town: Town, ledger_database: LedgerDatabase) -> None:
    accounts = await accounts_of(town)
    place = await pay(town, accounts.wrong, 12_000)
    await take_back(town.services, await refund_wanted(town.services, accounts.book, place, 2_000), MOMENT)
    left = await depart(town.services, Reassign(book=accounts.book, sequence=place, account=accounts.far), MOMENT)
    assert (left.amount_kopecks, left.nth) == (10_000, 2)
    await assert_verified(ledger_database.reader_dsn)
    await arrive(town.services, await fetch_entry(town.services, accounts.book, left.sequence))
    assert await total_paid(town, accounts.far) == 10_000
    with pytest.raises(NothingLeft):
        await depart(town.services, Reassign(book=accounts.book, sequence=place, account=accounts.far), MOMENT)
    await assert_verified(ledger_database.reader_dsn)


async def test_of_two_at_once_one_passes(town: Town, ledger_database: LedgerDatabase) -> None:
    accounts = await accounts_of(town)
    place = await pay(town, accounts.wrong, 12_000)
    others = [await asyncpg.connect(ledger_database.services_dsn) for _ in range(3)]
    takers = [accounts.near, accounts.far, accounts.far]
    try:
        told = await asyncio.gather(
            *(
                depart(one, Reassign(book=accounts.book, sequence=place, account=taker), MOMENT)
                for one, taker in zip(others, takers, strict=True)
            ),
            return_exceptions=True,
        )
        (left,) = [one for one in told if isinstance(one, Corrected)]
        assert sum(isinstance(one, NothingLeft) for one in told) == 2
        departure = await fetch_entry(town.services, accounts.book, left.sequence)
        arrivals = await asyncio.gather(*(arrive(one, departure) for one in others))
    finally:
        for one in others:
            one.terminate()
    assert len({one.sequence for one in arrivals}) == 1 and sum(one.is_new for one in arrivals) == 1
    assert await total_paid(town, accounts.near) + await total_paid(town, accounts.far) == 12_000
    await assert_verified(ledger_database.reader_dsn)


async def test_an_account_closed_between_the_halves_leaves_the_money_to_a_person(
    town: Town, ledger_database: LedgerDatabase
) -> None:
    accounts = await accounts_of(town)
    place = await pay(town, accounts.wrong, 12_000)
    left = await depart(town.services, Reassign(book=accounts.book, sequence=place, account=accounts.far), MOMENT)
    await town.owner.execute(SQL["set_state"], accounts.far, AccountState.CLOSED)
    await town.publish(accounts.far)
    arrived = await arrive(town.services, await fetch_entry(town.services, accounts.book, left.sequence))
    entry = (await fetch_entry(town.services, arrived.book, arrived.sequence)).entry
    assert (entry.personal_account, entry.reason) == (None, SuspenseReason.ACCOUNT_CLOSED)
    assert parts_of(entry.accounts[1]).kind is AccountKind.SUSPENSE
    await assert_verified(ledger_database.reader_dsn)


async def test_what_cannot_go_there_says_so_and_stays(town: Town) -> None:
    accounts = await accounts_of(town)
    place = await pay(town, accounts.wrong, 12_000)
    unpublished = (await town.accounts(NUMBERS + 1, NUMBERS + 1))[0]
    refusals = {accounts.wrong: NotReassigned, AccountId(999): NotReassigned, unpublished: TableNotRebuilt}
    for account, refusal in refusals.items():
        with pytest.raises(refusal):
            await depart(town.services, Reassign(book=accounts.book, sequence=place, account=account), MOMENT)
    await town.owner.execute(SQL["set_state"], accounts.far, AccountState.CLOSED)
    await town.publish(accounts.far)
    with pytest.raises(NotReassigned):
        await depart(town.services, Reassign(book=accounts.book, sequence=place, account=accounts.far), MOMENT)
    with pytest.raises(NotRefundable):
        await arrive(town.services, await fetch_entry(town.services, accounts.book, place))
    assert await total_paid(town, accounts.wrong) == 12_000
