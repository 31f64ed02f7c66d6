"""Consumers of the feed on a real ledger: nothing skipped, nothing doubled, whoever runs and whatever breaks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from ledger.balances import Cut, cut_now, journal_balances, list_balances, projected_balances
from ledger.feed import Connection, Lag, Passage, list_books, list_cursors, list_heads, list_lags, read_feed
from ledger.journal import fetch_entry
from schemas.ids import Book
from services.balances.consumer import BalancesConsumer
from services.lag import LagGauges
from services.postings.consumer import PostingsConsumer
from services.postings.statement import read_statement
from services.runner import FeedBroken, Pace, Runner, advance, catch_up
from tests.conftest import LedgerDatabase
from tests.read_town import DAY, SQL, Town, build_town

DEADLINE_S = 20
FAST = Pace(poll_ms=20, retry_ms_min=10, retry_ms_max=100, lag_ms=1)


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[Town]:
    """A town whose consumers have not run."""
    built = await build_town(ledger_database.owner_dsn)
    yield built
    await built.connection.close()


@pytest.fixture
async def services(ledger_database: LedgerDatabase) -> AsyncIterator[Connection]:
    """A connection of the services' role."""
    connection = await asyncpg.connect(ledger_database.services_dsn)
    yield connection
    await connection.close()


class Witness:
    """A consumer that remembers what it took; told to, it fails or miscounts."""

    name = "witness"

    def __init__(self) -> None:
        self.taken: list[Passage] = []
        self.failures = 0
        self.miscount = 0

    async def take(self, connection: Connection, passage: Passage) -> int:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("told to fail")
        entries = await read_feed(connection, passage.book, passage.after, passage.entries)
        self.taken.append(passage)
        return len(entries) + self.miscount

    @property
    def sequences(self) -> list[tuple[int, int]]:
        return [(one.book, sequence) for one in self.taken for sequence in range(one.after + 1, one.upto + 1)]


class Told:
    """Hooks that remember the last lag and count failures."""

    def __init__(self) -> None:
        self.lag: dict[str, Sequence[Lag]] = {}
        self.failures = 0

    def lagging(self, consumer: str, lags: Sequence[Lag]) -> None:
        self.lag[consumer] = lags

    def failed(self, consumer: str) -> None:
        self.failures += 1


@asynccontextmanager
async def running(runner: Runner) -> AsyncIterator[None]:
    """The runner at work, stopped in order at the end."""
    work = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        runner.stop()
        await asyncio.wait_for(work, DEADLINE_S)


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the condition holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not await done():
            await asyncio.sleep(0.01)


def reached(connection: Connection, consumer: str) -> Callable[[], Awaitable[bool]]:
    """Has the consumer come to the heads."""

    async def compare() -> bool:
        return await list_cursors(connection, consumer) == await list_heads(connection)

    return compare


async def pay_some(town: Town, rounds: int = 4) -> None:
    """Payments of every account, one to suspense and a statement cover."""
    for turn in range(rounds):
        await town.pay_many([(account, 10_001 + turn) for account in town.tables])
    await town.suspend(777)
    await town.cover(20_000)


async def test_feed_is_read_in_order_and_in_pieces(town: Town, services: Connection) -> None:
    await pay_some(town)
    whole = await read_feed(services, town.book, 0, 100)
    assert [one.sequence for one in whole] == list(range(1, 14))
    assert await read_feed(services, town.book, 10, 2) == whole[10:12]
    assert await read_feed(services, town.book, 13, 100) == ()
    assert whole[4] == await fetch_entry(services, town.book, 5)
    assert await list_books(services) == (0, 1)
    assert await list_heads(services) == {0: 1, 1: 13}


async def test_both_read_models_agree_with_the_journal(town: Town, services: Connection) -> None:
    await pay_some(town)
    assert await catch_up(services, BalancesConsumer(), 5) == 14
    assert await catch_up(services, PostingsConsumer(), 4) == 14
    journal = await journal_balances(services, await cut_now(services))
    assert await list_balances(services) == journal
    assert await projected_balances(services, await cut_now(services), list(journal)) == journal
    counts = await services.fetchrow(SQL["count_effects"])
    feed = [await read_feed(services, book, 0, 100) for book in (0, 1)]
    postings = [one.entry.accounts for entries in feed for one in entries]
    assert counts["postings"] == sum(map(len, postings))
    assert counts["entries"] == sum(len(set(accounts)) for accounts in postings)


async def test_a_second_taking_changes_nothing(town: Town, services: Connection) -> None:
    await pay_some(town)
    await catch_up(services, BalancesConsumer())
    before = await list_balances(services)
    assert await catch_up(services, BalancesConsumer()) == 0
    assert await list_balances(services) == before


async def test_polling_alone_finds_everything(town: Town, services: Connection, ledger_database: LedgerDatabase) -> None:
    witness = Witness()
    pace = Pace(poll_ms=20, notified=False, entries_max=3)
    async with running(Runner(ledger_database.services_dsn, [witness, BalancesConsumer()], pace=pace)):
        for _ in range(3):
            await pay_some(town, 1)
        await until(reached(services, "witness"))
        await until(reached(services, "balances"))
    assert sorted(witness.sequences) == [(0, n) for n in range(1, 4)] + [(1, n) for n in range(1, 13)]
    assert max(one.entries for one in witness.taken) <= 3
    assert await list_balances(services) == await journal_balances(services, await cut_now(services))


async def test_a_notification_wakes_before_the_poll(town: Town, services: Connection, ledger_database: LedgerDatabase) -> None:
    witness = Witness()
    async with running(Runner(ledger_database.services_dsn, [witness], pace=Pace(poll_ms=600_000))):
        await until(reached(services, "witness"))
        await pay_some(town, 1)

        async def woken() -> bool:
            await town.connection.execute(SQL["notify"])
            return len(witness.sequences) == 5

        await until(woken)


async def test_two_runners_share_the_work(town: Town, services: Connection, ledger_database: LedgerDatabase) -> None:
    witnesses = [Witness(), Witness()]
    pace = Pace(poll_ms=5, entries_max=1)
    dsn = ledger_database.services_dsn
    async with running(Runner(dsn, [witnesses[0]], pace=pace)), running(Runner(dsn, [witnesses[1]], pace=pace)):
        await pay_some(town, 10)
        await until(reached(services, "witness"))
    # A passage is remembered before its commit, so only the cursor's own count may be compared.
    assert sorted(witnesses[0].sequences + witnesses[1].sequences) == [(0, 1)] + [(1, n) for n in range(1, 32)]


async def test_a_held_cursor_is_skipped(town: Town, services: Connection) -> None:
    await pay_some(town, 1)
    await catch_up(services, Witness())
    await pay_some(town, 1)
    async with town.connection.transaction():
        await town.connection.fetch(SQL["hold_cursor"], "witness", town.book)
        assert await advance(services, Witness(), town.book, 10) is None
        assert await advance(services, Witness(), Book(0), 10) == 1
    assert await advance(services, Witness(), town.book, 10) == 4


async def test_a_failing_consumer_is_tried_again(town: Town, services: Connection, ledger_database: LedgerDatabase) -> None:
    witness, told = Witness(), Told()
    witness.failures = 3
    await pay_some(town, 1)
    async with running(Runner(ledger_database.services_dsn, [witness], hooks=told, pace=FAST)):
        await until(reached(services, "witness"))
    assert told.failures == 3
    assert sorted(witness.sequences) == [(0, 1)] + [(1, n) for n in range(1, 5)]


async def test_a_miscounting_consumer_leaves_no_effects(town: Town, services: Connection) -> None:
    await pay_some(town, 1)
    await catch_up(services, BalancesConsumer())
    witness = Witness()
    await catch_up(services, witness)
    witness.miscount = 1
    await town.suspend(5)
    with pytest.raises(FeedBroken):
        await advance(services, witness, town.book, 10)
    assert (await list_cursors(services, "witness"))[town.book] == 4


async def test_ended_sessions_are_replaced(town: Town, services: Connection, ledger_database: LedgerDatabase) -> None:
    async with running(Runner(ledger_database.services_dsn, [BalancesConsumer(), PostingsConsumer()], pace=FAST)):
        for _ in range(3):
            await pay_some(town, 1)
            await until(reached(services, "balances"))
            await town.connection.execute(SQL["end_sessions"])
        await pay_some(town, 1)
        await until(reached(services, "balances"))
        await until(reached(services, "postings"))
    journal = await journal_balances(services, await cut_now(services))
    assert await list_balances(services) == journal
    assert await projected_balances(services, await cut_now(services), list(journal)) == journal


async def test_lag_is_shown(town: Town, services: Connection, ledger_database: LedgerDatabase) -> None:
    await catch_up(services, Witness())
    await pay_some(town, 1)
    lags = await list_lags(services, "witness")
    assert [(lag.book, lag.entries) for lag in lags] == [(0, 1), (1, 4)]
    assert all(lag.age_ms >= 0 for lag in lags)
    registry = CollectorRegistry()
    gauges = LagGauges(registry)
    gauges.lagging("witness", lags)
    assert registry.get_sample_value("kopeck_consumer_lag_entries", {"consumer": "witness"}) == 5
    async with running(Runner(ledger_database.services_dsn, [Witness()], hooks=gauges, pace=FAST)):

        async def caught_up() -> bool:
            return registry.get_sample_value("kopeck_consumer_lag_entries", {"consumer": "witness"}) == 0

        await until(caught_up)
    assert registry.get_sample_value("kopeck_consumer_lag_seconds", {"consumer": "witness"}) == 0


async def test_a_statement_runs_from_opening_to_closing(town: Town, services: Connection) -> None:
    await pay_some(town)
    cover = await town.cover(5)
    await catch_up(services, PostingsConsumer(), 5)
    feed = [one for book in (0, 1) for one in await read_feed(services, book, 0, 100)]
    clearing = feed[-1].entry.accounts[0]
    statement = await read_statement(services, clearing, DAY, DAY)
    amounts = [
        amount
        for one in feed
        for account, amount in zip(one.entry.accounts, one.entry.amounts, strict=True)
        if account == clearing
    ]
    assert [line.amount_kopecks for line in statement.lines] == amounts
    assert (statement.opening, statement.closing) == (0, sum(amounts))
    assert [line.balance for line in statement.lines] == [sum(amounts[: n + 1]) for n in range(len(amounts))]
    assert [(line.book, line.sequence) for line in statement.lines][:2] == [(0, 1), (0, cover)]
    later = await read_statement(services, clearing, date(2026, 11, 25), date(2026, 11, 30))
    assert (later.opening, later.closing, later.lines) == (sum(amounts), sum(amounts), ())


async def test_a_cut_through_a_page_and_past_the_cursor(town: Town, services: Connection) -> None:
    await pay_some(town)
    await catch_up(services, PostingsConsumer())
    await pay_some(town, 1)
    accounts = list(await journal_balances(services, await cut_now(services)))
    for sequence in range(18):
        cut = Cut(places={Book(0): min(sequence, 2), town.book: sequence})
        wanted = await journal_balances(services, cut)
        assert await journal_balances(services, cut, accounts) == wanted
        assert await projected_balances(services, cut, accounts) == wanted


async def test_passages_never_read_the_whole_journal(ledger_database: LedgerDatabase, town: Town) -> None:
    await pay_some(town)
    await town.connection.execute(SQL["analyze_journal"])
    connection = await Runner(ledger_database.services_dsn, []).connect()
    try:
        scans = await _journal_scans(town.connection)
        for consumer in (BalancesConsumer(), PostingsConsumer()):
            assert await catch_up(connection, consumer, 1) == 14
        await connection.execute(SQL["flush_statistics"])
        assert await _journal_scans(town.connection) == scans
    finally:
        await connection.close()


async def _journal_scans(connection: Connection) -> int:
    await connection.execute(SQL["flush_statistics"])
    scans: int = await connection.fetchval(SQL["count_journal_scans"])
    return scans
