"""Closing a bank day: one sequence a book, and never an entry in a closed day (design W3)."""

import asyncio
from datetime import date, timedelta
from itertools import pairwise

import asyncpg
import pytest

from schemas.ids import Book
from schemas.journal import EntryKind
from tests.ledger.small_ledger import DAY, NEXT_DAY, RECORDED, SQL, STALE, SmallLedger, offer, statuses

BOOKS = (0, 1, 2)


async def test_a_cut_holds_one_sequence_a_book(two_books: SmallLedger) -> None:
    await two_books.offer(offer("a", 1, 1), offer("s"))
    await two_books.offer(offer("t"), book=Book(2))
    made = await two_books.close_day()
    cut = await two_books.owner.fetchrow(SQL["cut"], made)
    assert (cut["transit"], cut["day"]) == (1, DAY)
    assert dict(zip(cut["books"], cut["sequences"], strict=True)) == {0: 0, 1: 2, 2: 1}
    (after,) = await two_books.offer(offer("b", 1, 2))
    assert after.recorded_at is not None
    assert after.recorded_at >= cut["moment"]
    last = (await two_books.journal())[-1]
    assert (last["sequence"], last["bank_day"]) == (3, NEXT_DAY)


async def test_a_day_is_the_transit_accounts_own(ledger: SmallLedger) -> None:
    await ledger.close_day(transit=1)
    await ledger.offer(offer("a", 1, 1), offer("b", 1, 2, transit=2))
    assert [row["bank_day"] for row in await ledger.journal()] == [NEXT_DAY, DAY]


WRONG = {
    "not the open day": (1, NEXT_DAY, NEXT_DAY + timedelta(days=1), "KP003"),
    "a closed day": (1, DAY - timedelta(days=1), DAY, "KP003"),
    "no day": (1, None, NEXT_DAY, "KP003"),
    "an unknown transit account": (9, DAY, NEXT_DAY, "KP003"),
    "an unknown transit account and no day": (9, None, NEXT_DAY, "KP003"),
    "the same day": (1, DAY, DAY, "KP004"),
    "backwards": (1, DAY, DAY - timedelta(days=1), "KP004"),
    "no next day": (1, DAY, None, "KP004"),
}


@pytest.mark.parametrize(("transit", "day", "following", "code"), WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_closing_is_refused(
    ledger: SmallLedger, transit: int, day: date | None, following: date | None, code: str
) -> None:
    with pytest.raises(asyncpg.PostgresError) as caught:
        await ledger.close_day(transit, day, following)
    assert caught.value.sqlstate == code
    await ledger.offer(offer("a", 1, 1))
    assert (await ledger.journal())[0]["bank_day"] == DAY


async def test_a_day_is_closed_once(ledger: SmallLedger) -> None:
    await ledger.close_day()
    with pytest.raises(asyncpg.PostgresError) as caught:
        await ledger.close_day()
    assert caught.value.sqlstate == "KP003"


async def test_a_day_without_end_cannot_follow(ledger: SmallLedger) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await ledger.close_day(following=date.max)
    assert caught.value.constraint_name == "bank_day_finite"


async def test_an_unresolved_conflict_keeps_the_day_open(ledger: SmallLedger) -> None:
    await ledger.gateway.execute(SQL["park_conflict"], 1)
    with pytest.raises(asyncpg.PostgresError) as caught:
        await ledger.close_day()
    assert caught.value.sqlstate == "KP005"
    assert await ledger.close_day(transit=2) > 0
    await ledger.services.execute(SQL["resolve"])
    assert await ledger.close_day() > 0


async def test_a_closing_under_an_older_snapshot_is_refused(ledger: SmallLedger) -> None:
    with pytest.raises(asyncpg.PostgresError) as caught:
        async with ledger.services.transaction(isolation="repeatable_read"):
            await ledger.close_day()
    assert caught.value.sqlstate == "KP006"


async def test_no_entry_falls_into_a_closed_day_under_load(two_books: SmallLedger) -> None:
    """Payers of two books pay while days are closed one after another; each cut divides the books by day exactly."""
    days = [DAY + timedelta(days=n) for n in range(7)]
    closed = asyncio.Event()
    payers = [asyncio.create_task(_pay_until(two_books, Book(book), closed)) for book in (1, 2)]
    cuts = []
    for day, following in pairwise(days):
        await _grown(two_books)
        cuts.append(await two_books.close_day(1, day, following))
    await _grown(two_books)
    closed.set()
    assert all(count > len(cuts) for count in await asyncio.gather(*payers))
    rows = {book: await two_books.journal(book) for book in BOOKS}
    for day, made in zip(days, cuts, strict=False):
        cut = await two_books.owner.fetchrow(SQL["cut"], made)
        for book, sequence in zip(cut["books"], cut["sequences"], strict=True):
            assert all((row["bank_day"] <= day) == (row["sequence"] <= sequence) for row in rows[book])
            assert all((row["recorded_at"] >= cut["moment"]) or row["sequence"] <= sequence for row in rows[book])
    for book_rows in rows.values():
        assert [row["recorded_at"] for row in book_rows] == sorted(row["recorded_at"] for row in book_rows)


async def _pay_until(ledger: SmallLedger, book: Book, closed: asyncio.Event) -> int:
    connection = await asyncpg.connect(ledger.database.gateway_dsn)
    payer = SmallLedger(ledger.database, ledger.owner, connection, ledger.services)
    count = 0
    while not closed.is_set():
        given = offer(f"{book}-{count}", kind=EntryKind.SUSPENSE)
        assert statuses(await payer.offer(given, book=book)) == [RECORDED]
        count += 1
    connection.terminate()
    return count


async def _grown(ledger: SmallLedger) -> None:
    """Wait until each payers' book has more entries than now."""
    async with asyncio.timeout(20):
        for book in (1, 2):
            before = len(await ledger.journal(book))
            while len(await ledger.journal(book)) == before:
                await asyncio.sleep(0)


async def test_stale_offers_take_no_place_in_a_cut(ledger: SmallLedger) -> None:
    assert statuses(await ledger.offer(offer("a", 1, 4))) == [STALE]
    cut = await ledger.owner.fetchrow(SQL["cut"], await ledger.close_day())
    assert cut["sequences"] == [0, 0]
