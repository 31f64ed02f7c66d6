"""The builders' door: versions compared, at most 256 accounts, payments flow on (design W6)."""

import asyncio
import time

import asyncpg
import pytest

from ledger.journal import append
from schemas.ids import Book
from tests.ledger.small_ledger import BOOK, FAR, RECORDED, SQL, STALE, SmallLedger, digest_at, offer, statuses

PAUSE_S_MAX = 1.0
MANY = 10_000
CHUNK = 256


async def test_a_publication_moves_the_head_and_keeps_the_base(ledger: SmallLedger) -> None:
    assert await ledger.publish(1, 2, expected=1) == [(0, 2), (0, 2)]
    head = await ledger.owner.fetchrow(SQL["head"], 1, 1)
    assert (head["version"], head["digest"], head["valid_until"]) == (2, digest_at(1, 2), FAR)
    assert await ledger.owner.fetchval(SQL["count_bases"], 1) == 2
    assert statuses(await ledger.offer(offer("a", 1, 1), offer("b", 2, 2))) == [STALE, RECORDED]


async def test_a_moved_account_comes_back_stale_and_the_others_are_published(ledger: SmallLedger) -> None:
    await ledger.offer(offer("a", 1, 1))
    assert await ledger.publish(1, 2, expected=1) == [(4, 2), (0, 2)]
    assert await ledger.owner.fetchval(SQL["count_bases"], 1) == 1
    assert await ledger.publish(1, expected=2) == [(0, 3)]
    head = await ledger.owner.fetchrow(SQL["head"], 1, 1)
    assert (head["last_sequence"], head["digest"]) == (1, digest_at(1, 3))


@pytest.mark.parametrize("expected", [-1, 0, 2, 99])
async def test_another_version_than_the_heads_is_stale(ledger: SmallLedger, expected: int) -> None:
    assert await ledger.publish(1, expected=expected) == [(4, 1)]


async def test_an_account_without_a_head_is_opened_at_version_one_only(ledger: SmallLedger) -> None:
    assert await ledger.publish(50, expected=3) == [(4, 0)]
    assert await ledger.publish(50) == [(0, 1)]
    assert statuses(await ledger.offer(offer("a", 50, 1))) == [RECORDED]


async def test_one_account_twice_in_a_publication_is_published_once(ledger: SmallLedger) -> None:
    assert await ledger.publish(50, 50) == [(0, 1), (4, 0)]
    assert await ledger.publish(1, 1, expected=1) == [(0, 2), (4, 1)]
    assert await ledger.owner.fetchval(SQL["count_bases"], 1) == 2


async def test_limits_and_unknown_books(ledger: SmallLedger) -> None:
    accounts = range(100, 100 + CHUNK + 1)
    assert await ledger.publish(*accounts[:CHUNK]) == [(0, 1)] * CHUNK
    for book, code, chosen in ((BOOK, "KP002", accounts), (9, "KP001", [1])):
        with pytest.raises(asyncpg.PostgresError) as caught:
            await ledger.publish(*chosen, book=book, expected=1)
        assert caught.value.sqlstate == code
    assert (await ledger.owner.fetchrow(SQL["head"], 1, 100))["version"] == 1


async def test_a_book_is_part_of_the_head(two_books: SmallLedger) -> None:
    assert await two_books.publish(1, book=2) == [(0, 1)]
    await two_books.offer(offer("a", 1, 1), book=Book(2))
    assert (await two_books.owner.fetchrow(SQL["head"], 1, 1))["version"] == 1
    assert (await two_books.owner.fetchrow(SQL["head"], 2, 1))["version"] == 2


async def test_null_publishes_nothing(ledger: SmallLedger) -> None:
    for accounts, contents, until_ in (([None], [b"x"], [FAR]), ([60], [None], [FAR]), ([60], [b"x"], [None])):
        with pytest.raises(asyncpg.NotNullViolationError):
            await ledger.services.fetch(SQL["publish"], BOOK, accounts, [0], contents, until_, "test")
    assert await ledger.owner.fetchrow(SQL["head"], 1, 60) is None
    rows = await ledger.services.fetch(SQL["publish"], BOOK, [1], [None], [b"x"], [FAR], "test")
    assert [row["status"] for row in rows] == [4]


async def test_under_an_older_snapshot_nothing_is_published(ledger: SmallLedger) -> None:
    with pytest.raises(asyncpg.PostgresError) as caught:
        async with ledger.services.transaction(isolation="repeatable_read"):
            await ledger.publish(1, expected=1)
    assert caught.value.sqlstate == "KP006"


async def test_publications_and_payments_never_deadlock(ledger: SmallLedger) -> None:
    """The same accounts are published and paid in opposite orders for two seconds; every call answers."""
    ends = time.monotonic() + 2
    counts = await asyncio.gather(_publish_until(ledger, ends), _pay_until(ledger, ends, "x"), _second_payer(ledger, ends))
    assert min(counts) > 0
    rows = await ledger.journal()
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    for account in (1, 2, 3):
        paid = sum(row["personal_account"] == account for row in rows)
        head = await ledger.owner.fetchrow(SQL["head"], 1, account)
        assert head["version"] == paid + await ledger.owner.fetchval(SQL["count_bases"], account)


async def _publish_until(ledger: SmallLedger, ends: float) -> int:
    published = 0
    while time.monotonic() < ends:
        versions = {account: (await ledger.owner.fetchrow(SQL["head"], 1, account))["version"] for account in (3, 2, 1)}
        for account, version in versions.items():
            published += (await ledger.publish(account, expected=version))[0][0] == 0
    return published


async def _second_payer(ledger: SmallLedger, ends: float) -> int:
    connection = await asyncpg.connect(ledger.database.services_dsn)
    try:
        return await _pay_until(SmallLedger(ledger.database, connection, connection, ledger.services), ends, "y")
    finally:
        connection.terminate()


async def _pay_until(ledger: SmallLedger, ends: float, prefix: str) -> int:
    """Pay every account from its present version, in ascending order."""
    reader = await asyncpg.connect(ledger.database.reader_dsn)
    recorded = turn = 0
    while time.monotonic() < ends:
        heads = [(account, (await reader.fetchrow(SQL["head"], 1, account))["version"]) for account in (1, 2, 3)]
        turn += 1
        offers = [offer(f"{prefix}{turn}-{account}", account, version) for account, version in heads]
        recorded += statuses(await ledger.offer(*offers)).count(RECORDED)
    reader.terminate()
    return recorded


async def test_ten_thousand_tables_are_published_while_payments_flow(ledger: SmallLedger) -> None:
    publishing = asyncio.create_task(_publish_many(ledger))
    pauses = []
    version = 1
    while not publishing.done():
        started = time.perf_counter()
        answers = await append(ledger.gateway, BOOK, [offer(f"p{version}", 1, version)])
        pauses.append(time.perf_counter() - started)
        assert statuses(answers) == [RECORDED]
        version += 1
    assert await publishing == MANY
    longest_ms = round(max(pauses) * 1_000)
    print(f"{MANY} tables published beside {len(pauses)} appends, the longest {longest_ms} ms")
    # Payments and publications take turns at the head; how many of each is the machine's mood.
    assert len(pauses) > MANY // CHUNK // 4
    assert max(pauses) < PAUSE_S_MAX


async def _publish_many(ledger: SmallLedger) -> int:
    published = 0
    for first in range(1_000, 1_000 + MANY, CHUNK):
        answers = await ledger.publish(*range(first, min(first + CHUNK, 1_000 + MANY)))
        published += sum(status == 0 for status, _ in answers)
    return published


async def test_a_session_opened_on_an_empty_ledger_publishes_by_keys(ledger: SmallLedger) -> None:
    for first in range(1_000, 3_000, 100):
        await ledger.publish(*range(first, first + 100))
    await ledger.services.execute(SQL["flush_stats"])
    for table in ("account_head", "base_table"):
        assert (await ledger.owner.fetchrow(SQL["scans"], table))["seq_tup_read"] == 0, table
    assert await ledger.owner.fetchval(SQL["index_reads"], "account_head_key") <= 100
