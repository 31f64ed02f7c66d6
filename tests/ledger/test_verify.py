"""Verification of a real ledger: a true one passes, and every single forgery is found at its place."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest
from click.testing import CliRunner

from kopeck.commands.verify import verify
from ledger.audit import conclude, connect_for_audit, plan_audit, run_job
from ledger.core.split import split_amount
from ledger.core.verification import Divergence, entry_fault, sums_fault
from ledger.feed import list_heads
from ledger.journal import fetch_entry
from schemas.ids import Book, LedgerAccount, Sequence
from schemas.notification import NamedBasketItem, NamedDesignation
from services.balances.consumer import BalancesConsumer
from services.runner import catch_up
from tests.conftest import LedgerDatabase
from tests.read_town import SQL, WEIGHTS, Town, build_town

TARGET = 5
"""The forged entry of book 1: a payment of all three lines, with another of the same account after it."""


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[Town]:
    """A town with every kind of entry, its balances read model one entry behind."""
    built = await build_town(ledger_database.owner_dsn)
    first, second, third = built.tables
    for turn in range(3):
        await built.pay_many([(account, 33_335 + turn) for account in built.tables])
    await built.pay(first, sum(WEIGHTS) * 2)
    await built.pay(second, 70_001, NamedDesignation(pool="capital_repair"))
    await built.pay(third, 50_000, NamedDesignation(period="2026-10"))
    item = NamedBasketItem(
        pool="capital_repair", period="2026-10", kind="principal", service="capital_repair", recipient="FOND", amount=9
    )
    await built.pay(third, 1_000, NamedDesignation(basket=(item, msgspec.structs.replace(item, recipient="NOBODY"))))
    await built.suspend(777)
    await built.cover(20_000)
    await built.reverse(Sequence(2))
    await built.publish([msgspec.structs.replace(table, version=table.version + 1) for table in built.tables.values()])
    await built.pay(second, 5_000)
    await catch_up(built.connection, BalancesConsumer())
    await built.pay(first, 12_345)
    yield built
    await built.connection.close()


async def audit(dsn: str, parts: int = 1) -> Divergence | None:
    """Verify in this process."""
    connection = await connect_for_audit(dsn)
    try:
        plan = await plan_audit(connection, parts)
        return conclude(plan, [await run_job(connection, job, lambda _: None) for job in plan.jobs])
    finally:
        await connection.close()


@pytest.mark.parametrize("parts", [1, 3])
async def test_a_true_ledger_is_verified(town: Town, ledger_database: LedgerDatabase, parts: int) -> None:
    assert await audit(ledger_database.reader_dsn, parts) is None


async def test_an_empty_ledger_is_verified(ledger_database: LedgerDatabase) -> None:
    built = await build_town(ledger_database.owner_dsn, accounts=0, books=2)
    await built.connection.close()
    assert await audit(ledger_database.reader_dsn) is None


@pytest.mark.parametrize(
    ("forgery", "place", "what"),
    [
        ("forge_postings", TARGET, "posting 1 is"),
        ("forge_unbalanced", TARGET, "differ by 1 kopecks"),
        ("forge_payee", TARGET, "posting 1 is"),
        ("forge_missing", TARGET, "missing from the journal"),
        ("forge_time", TARGET, "recorded before the entry before it"),
        ("forge_previous", TARGET, "as the account's entry before"),
        ("forge_key", TARGET, "its payment key does not lead to it"),
        ("forge_key_missing", TARGET, "its payment key does not lead to it"),
        ("forge_digest", 16, "the digest of account"),
        ("forge_balance", 0, "balances read model"),
    ],
)
async def test_a_forgery_is_found(town: Town, ledger_database: LedgerDatabase, forgery: str, place: int, what: str) -> None:
    await town.connection.execute(SQL["allow_forgery"])
    await town.connection.execute(SQL[forgery], town.book, TARGET)
    found = await audit(ledger_database.reader_dsn)
    assert found is not None
    assert (found.book, found.sequence) == (town.book, place)
    assert what in found.what


async def test_the_last_entry_taken_away_is_missed(town: Town, ledger_database: LedgerDatabase) -> None:
    head = (await list_heads(town.connection))[town.book]
    await town.connection.execute(SQL["forge_missing"], town.book, head)
    found = await audit(ledger_database.reader_dsn)
    assert found is not None
    assert found.sequence == head


async def test_an_entry_that_does_not_balance_is_named(town: Town) -> None:
    entry = (await fetch_entry(town.connection, town.book, Sequence(TARGET))).entry
    assert entry_fault(entry) == ""
    replace = msgspec.structs.replace
    assert "parallel" in entry_fault(replace(entry, lines=entry.lines[:-1]))
    assert "nought" in entry_fault(replace(entry, amounts=(*entry.amounts[:-1], 0)))
    assert "amount is" in entry_fault(replace(entry, amount_kopecks=entry.amount_kopecks + 1))


async def test_plain_sums_hold_the_split_by_themselves(town: Town) -> None:
    account = next(iter(town.tables))
    table = town.tables[account]
    split = split_amount(table, 5_000)
    entry = town.offer(account, 5_000).entry
    replace = msgspec.structs.replace
    assert sums_fault(entry, table, split) == ""
    moved = replace(entry, accounts=(entry.accounts[0], LedgerAccount(entry.accounts[1] + 7), *entry.accounts[2:]))
    assert "more than the shares give it" in sums_fault(moved, table, split)
    greedy = replace(split, shares=tuple(tuple(share + 10**9 for share in shares) for shares in split.shares), advance=())
    assert "unpaid got" in sums_fault(entry, table, greedy)
    assert "an advance line got -1" in sums_fault(entry, table, replace(split, advance=(-1,)))
    assert sums_fault(entry, table, replace(split, unallocated=1)) != ""


async def test_the_command_names_the_first_divergence(town: Town, ledger_database: LedgerDatabase) -> None:
    true = await run_verify(ledger_database)
    assert (true.exit_code, msgspec.json.decode(true.output)["divergence"]) == (0, None), true.output
    await town.connection.execute(SQL["forge_postings"], town.book, TARGET + 1)
    await town.connection.execute(SQL["forge_postings"], town.book, TARGET)
    forged = await run_verify(ledger_database)
    answer = msgspec.json.decode(forged.stdout)
    assert (forged.exit_code, answer["verified"]) == (1, False)
    assert (answer["divergence"]["book"], answer["divergence"]["sequence"]) == (Book(1), TARGET)


async def run_verify(database: LedgerDatabase) -> Any:
    """The command in a thread, its two workers in processes."""
    environ = {"KOPECK_POSTGRES_DSN": database.owner_dsn, "KOPECK_POSTGRES_READER_DSN": database.reader_dsn}
    environ["KOPECK_REDIS_URL"] = database.redis_url
    return await asyncio.to_thread(CliRunner().invoke, verify, ["--json", "--jobs", "2"], env=environ)


async def test_reading_only(ledger_database: LedgerDatabase) -> None:
    connection = await connect_for_audit(ledger_database.owner_dsn)
    try:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute(SQL["add_space"], "written-by-verify")
    finally:
        await connection.close()
