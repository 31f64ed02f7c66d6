"""Advances are set off when a document is published: in one transaction, once whatever happens, reversible (law.md 1.9)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, timedelta

import asyncpg
import pytest

from ledger.audit import conclude, connect_for_audit, plan_audit, run_job
from ledger.core.entry import MOSCOW, value_date_of
from ledger.core.reversal import NotReversible
from ledger.feed import Connection
from ledger.journal import append, fetch_entry
from ledger.offset import list_offsets_of
from ledger.publication import publish_accounts
from ledger.refund import refund_wanted, take_back
from ledger.reversal import reverse_entry
from schemas.ids import AccountId, Book, Sequence
from schemas.journal import EntryKind
from schemas.outcome import AppendStatus
from tests.conftest import LedgerDatabase
from tests.ledger.town import NOW, SQL, Town, paid

BOOK = Book(1)
Look = Callable[[Connection, Book, Sequence], Awaitable[tuple[tuple[Book, Sequence], ...]]]
NEXT = {"period": 202611, "due": date(2026, 12, 15)}


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[Town]:
    connections = [await asyncpg.connect(dsn) for dsn in (ledger_database.owner_dsn, ledger_database.services_dsn)]
    town = Town(*connections)
    await town.found()
    yield town
    for one in connections:
        one.terminate()


async def prepaid(town: Town, ahead: int) -> AccountId:
    """An account that paid October's 800 kopecks and so many ahead; its advance line is the third."""
    (account,) = await town.accounts()
    await town.charge(account, "maintenance", 500)
    await town.charge(account, "heating", 300)
    await town.publish(account)
    assert (await town.pay(account, 800 + ahead)).status is AppendStatus.RECORDED
    return account


async def november(town: Town, account: AccountId) -> None:
    """Charge November: lines 4, 5 and 6."""
    await town.charge(account, "maintenance", 400, **NEXT)
    await town.charge(account, "heating", 600, **NEXT)
    await town.charge(account, "capital_repair", 100, **NEXT)


async def entries(town: Town, account: AccountId) -> list[tuple[int, str, int]]:
    """(kind, key, kopecks) of the account's entries."""
    return [(row["kind"], row["external_id"], row["amount"]) for row in await town.owner.fetch(SQL["entries"], account)]


async def assert_verified(database: LedgerDatabase) -> None:
    """The ledger's own check, which replays every entry, has nothing to say."""
    connection = await connect_for_audit(database.reader_dsn)
    try:
        plan = await plan_audit(connection, 1)
        assert conclude(plan, [await run_job(connection, job, lambda _: None) for job in plan.jobs]) is None
    finally:
        await connection.close()


async def test_a_published_month_uses_the_advance(town: Town, ledger_database: LedgerDatabase) -> None:
    account = await prepaid(town, 700)
    await november(town, account)
    await town.owner.execute(SQL["print_total"], account, 202611, 300)
    report = await town.publish(account)
    assert (report.published, report.failed) == (1, ()), "Σ(weight - paid) less the advance is what the document prints"
    state = await town.rebuilt(account)
    assert paid(state) == [(5, 600, 300), (4, 400, 400), (6, 100, 0)], "the УО's own line first; capital repair never"
    row = (await town.owner.fetch(SQL["entries"], account))[-1]
    assert (row["kind"], row["external_id"], row["amount"]) == (EntryKind.ADVANCE_OFFSET, "1:1/1", 700)
    assert row["value_date"] == value_date_of(NOW, MOSCOW)
    assert (await town.publish(account)).unchanged == 1
    assert len(await entries(town, account)) == 2
    assert (await town.pay(account, 400)).status is AppendStatus.RECORDED
    assert paid(await town.rebuilt(account)) == [(5, 600, 600), (4, 400, 400), (6, 100, 100)]
    await assert_verified(ledger_database)


async def test_an_advance_larger_than_the_month_waits_for_the_next(town: Town, ledger_database: LedgerDatabase) -> None:
    account = await prepaid(town, 1_500)
    await november(town, account)
    await town.publish(account)
    await town.charge(account, "maintenance", 900, period=202612, due=date(2027, 1, 15))
    await town.publish(account)
    assert (await entries(town, account))[1:] == [(6, "1:1/1", 1_000), (6, "1:1/2", 500)]
    await assert_verified(ledger_database)


async def test_nothing_is_valued_before_its_payment(town: Town) -> None:
    account = await prepaid(town, 100)
    await town.charge(account, "maintenance", 400, period=202609, due=NOW.date() - timedelta(days=5))
    await town.publish(account)
    assert (await town.owner.fetch(SQL["entries"], account))[-1]["value_date"] == value_date_of(NOW, MOSCOW)


async def test_an_opening_advance_is_offset_with_its_own_publication(town: Town, ledger_database: LedgerDatabase) -> None:
    (account,) = await town.accounts()
    await town.charge(account, "maintenance", 500, opening_advance=650)
    await town.charge(account, "heating", 300)
    await town.publish(account)
    assert await entries(town, account) == [(4, f"{account}/1-1", 650), (6, "1:1/1", 650)]
    assert paid(await town.rebuilt(account)) == [(2, 300, 150), (1, 500, 500)]
    await assert_verified(ledger_database)


async def test_an_offset_that_cannot_be_booked_fails_its_account_alone(town: Town) -> None:
    account = await prepaid(town, 700)
    (other,) = await town.accounts(2, 2)
    await town.charge(other, "maintenance", 500)
    await november(town, account)
    await town.owner.execute(SQL["take_key"], 7, "1:1/1")
    report = await town.publish(account, other)
    assert (report.published, [error.reason for error in report.failed]) == (1, ["offset 1:1/1: conflict"])
    assert paid(await town.rebuilt(account)) == [(2, 300, 300), (1, 500, 500)], "the account keeps its table"


async def test_a_reversal_gives_the_advance_back_and_the_next_publication_uses_it(
    town: Town, ledger_database: LedgerDatabase
) -> None:
    account = await prepaid(town, 700)
    await november(town, account)
    await town.publish(account)
    assert (await reverse_entry(town.services, BOOK, Sequence(2), NOW)).status is AppendStatus.RECORDED
    assert paid(await town.rebuilt(account))[-2:] == [(4, 400, 0), (6, 100, 0)]
    with pytest.raises(NotReversible):
        await reverse_entry(town.services, BOOK, Sequence(3), NOW)
    await town.publish(account)
    assert (await entries(town, account))[1:] == [(6, "1:1/1", 700), (5, "1:2/1", 700), (6, "1:1/2", 700)]
    await assert_verified(ledger_database)


async def test_a_payment_with_offsets_is_reversed_whole(town: Town, ledger_database: LedgerDatabase) -> None:
    account = await prepaid(town, 700)
    await november(town, account)
    await town.publish(account)
    assert (await reverse_entry(town.services, BOOK, Sequence(1), NOW)).status is AppendStatus.RECORDED
    assert (await entries(town, account))[2:] == [(5, "1:2/1", 700), (5, "1:1/1", 1_500)]
    assert await list_offsets_of(town.services, BOOK, Sequence(1)) == ()
    await town.publish(account)
    assert [(line, credited) for line, _, credited in paid(await town.rebuilt(account)) if credited] == []
    await assert_verified(ledger_database)


async def test_a_refund_takes_the_advance_back_from_what_it_was_spent_on(town: Town, ledger_database: LedgerDatabase) -> None:
    account = await prepaid(town, 700)
    await town.charge(account, "maintenance", 400, **NEXT)
    await town.publish(account)
    refund = await refund_wanted(town.services, BOOK, Sequence(1), 300)
    await take_back(town.services, refund, NOW)
    assert (await entries(town, account))[1:] == [(6, "1:1/1", 400), (12, "1:1/1", 300)], "300 of the advance were free"
    refund = await refund_wanted(town.services, BOOK, Sequence(1), 100)
    await take_back(town.services, refund, NOW)
    assert (await entries(town, account))[3:] == [(5, "1:2/1", 400), (12, "1:1/2", 100)]
    await town.publish(account)
    assert (await entries(town, account))[5:] == [(6, "1:1/2", 300)], "what is left of it is spent again"
    await assert_verified(ledger_database)


def published_after_the_look(town: Town, account: AccountId, look: Look, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Let a publication come right after ``where`` has looked for offsets for the first time."""

    async def meanwhile(connection: Connection, book: Book, sequence: Sequence) -> tuple[tuple[Book, Sequence], ...]:
        found = await look(connection, book, sequence)
        monkeypatch.setattr(where, look)
        await town.publish(account)
        return found

    monkeypatch.setattr(where, meanwhile)


async def test_an_offset_made_while_its_payment_is_reversed_is_reversed_too(
    town: Town, ledger_database: LedgerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await prepaid(town, 700)
    await november(town, account)
    published_after_the_look(town, account, list_offsets_of, monkeypatch, "ledger.reversal.list_offsets_of")
    assert (await reverse_entry(town.services, BOOK, Sequence(1), NOW)).status is AppendStatus.RECORDED
    assert [key for _, key, _ in await entries(town, account)][1:] == ["1:1/1", "1:2/1", "1:1/1"]
    assert {credited for _, _, credited in paid(await town.rebuilt(account))} == {0}, "nothing is left of money that went back"
    await assert_verified(ledger_database)


async def test_an_offset_made_while_its_payment_is_refunded_is_reversed_too(
    town: Town, ledger_database: LedgerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await prepaid(town, 700)
    await november(town, account)
    published_after_the_look(town, account, list_offsets_of, monkeypatch, "ledger.refund.list_offsets_of")
    wanted = await refund_wanted(town.services, BOOK, Sequence(1), 500)
    assert (await take_back(town.services, wanted, NOW)).amount_kopecks == 500
    await town.publish(account)
    told = [(kind, amount) for kind, _, amount in await entries(town, account)][1:]
    assert told == [(6, 700), (5, 700), (12, 500), (6, 200)], "the advance is given back or spent, never both"
    await assert_verified(ledger_database)


async def test_offsets_and_payments_at_once(town: Town, ledger_database: LedgerDatabase) -> None:
    account = await prepaid(town, 700)
    await november(town, account)
    builders = [await asyncpg.connect(ledger_database.services_dsn) for _ in range(3)]
    stale = town.offer(await town.rebuilt(account), 50)

    async def pay() -> None:
        (answer,) = await append(town.services, BOOK, [stale])
        while answer.status is AppendStatus.STALE:
            answer = await town.pay(account, 50)

    reports = await asyncio.gather(*[publish_accounts(one, [account], NOW, "test") for one in builders], pay())
    assert not [error for report in reports if report is not None for error in report.failed]
    for one in builders:
        await one.close()
    await town.publish(account)
    booked = await entries(town, account)
    kinds = [kind for kind, _, _ in booked]
    assert kinds.count(EntryKind.PAYMENT) == 2
    assert sum(amount for kind, _, amount in booked if kind == EntryKind.ADVANCE_OFFSET) in (700, 750)
    by_line = {line: credited for line, _, credited in paid(await town.rebuilt(account))}
    assert sum(by_line[line] for line in (4, 5)) == 750
    await assert_verified(ledger_database)


@pytest.mark.parametrize("pause_s", [0.0, 0.002, 0.005, 0.01, 0.02])
async def test_a_publisher_that_dies_leaves_all_or_nothing(town: Town, ledger_database: LedgerDatabase, pause_s: float) -> None:
    account = await prepaid(town, 700)
    await november(town, account)
    dying = await asyncpg.connect(ledger_database.services_dsn)
    task = asyncio.create_task(publish_accounts(dying, [account], NOW, "dies"))
    await asyncio.wait([task], timeout=pause_s)
    dying.terminate()
    await asyncio.gather(task, return_exceptions=True)
    version = (await town.head(account))["version"]
    assert version in (2, 4), "neither the table nor the offset, or both"
    await town.publish(account)
    assert [entry for entry in await entries(town, account) if entry[0] == 6] == [(6, "1:1/1", 700)]
    assert (await fetch_entry(town.services, BOOK, Sequence(2))).entry.table_version == 3
    await assert_verified(ledger_database)
