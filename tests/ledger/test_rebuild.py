"""The table at the head, rebuilt from base tables and entries, and names looked up (design W6, §4 "Who is who")."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.journal import append, fetch_entry
from ledger.publication import publish_due
from ledger.rebuild import Ambiguous, DigestMismatch, Found, NotPublished, Rebuilt, Unknown, read_tables, rebuild_accounts
from schemas.allocation import digest_of
from schemas.ids import AccountId
from schemas.outcome import AppendStatus
from tests.conftest import LedgerDatabase
from tests.ledger.town import NOW, SQL, Town, paid

TODAY = NOW.date()


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[Town]:
    owner = await asyncpg.connect(ledger_database.owner_dsn)
    services = await asyncpg.connect(ledger_database.services_dsn)
    town = Town(owner, services)
    await town.found()
    yield town
    await services.close()
    await owner.close()


async def opened(town: Town, number: int = 1, amount: int = 500) -> AccountId:
    (account,) = await town.accounts(number, number)
    await town.charge(account, "maintenance", amount)
    await town.charge(account, "heating", 300)
    await town.publish(account)
    return account


async def test_the_table_at_the_head_is_the_base_and_the_entries_since(town: Town) -> None:
    account = await opened(town)
    for amount in (80, 40, 1000):
        await town.pay(account, amount)
    state = await town.rebuilt(account)
    head = await town.head(account)
    assert (state.version, state.digest) == (head["version"], head["digest"])
    assert (state.version, paid(state)) == (4, [(2, 300, 300), (1, 500, 500)])
    assert digest_of(state.packed) == state.digest


async def test_entries_before_the_newest_base_are_not_applied_again(town: Town) -> None:
    account = await opened(town)
    await town.pay(account, 80)
    await town.charge(account, "heating", 10, period=202611)
    await town.publish(account)
    await town.pay(account, 8)
    assert paid(await town.rebuilt(account)) == [(2, 300, 33), (1, 500, 55), (4, 10, 0)]


async def test_a_reversal_is_applied_by_its_lines_like_any_entry(town: Town) -> None:
    account = await opened(town)
    booked = await town.pay(account, 80)
    assert booked.book is not None and booked.sequence is not None
    await town.reverse(await fetch_entry(town.services, booked.book, booked.sequence), account)
    state = await town.rebuilt(account)
    assert (state.version, paid(state)) == (3, [(2, 300, 0), (1, 500, 0)])


@pytest.mark.parametrize(("byte", "version"), [(4, 1), (0, 0)], ids=["another name", "unreadable"])
async def test_a_table_that_fails_the_digest_is_a_fact_not_a_table(town: Town, byte: int, version: int) -> None:
    spoilt, whole = await opened(town, 1), await opened(town, 2)
    await town.owner.execute(SQL["spoil_base"], spoilt, byte)
    states = await rebuild_accounts(town.services, [spoilt, whole])
    mismatch = states[spoilt]
    assert isinstance(mismatch, DigestMismatch)
    assert (mismatch.account, mismatch.head_version, mismatch.rebuilt_version) == (spoilt, 1, version)
    assert mismatch.head_digest != mismatch.rebuilt_digest
    assert isinstance(states[whole], Rebuilt)
    await town.owner.execute(SQL["lower"], spoilt, 1, 400)
    assert (await town.publish(spoilt, whole)).published == 1
    assert paid(await town.rebuilt(spoilt)) == [(2, 300, 0), (1, 400, 0)]


async def test_a_version_without_its_entry_is_a_mismatch(town: Town) -> None:
    account = await opened(town)
    await town.owner.execute(SQL["move_head"], account)
    state = (await rebuild_accounts(town.services, [account]))[account]
    assert isinstance(state, DigestMismatch)
    assert (state.head_version, state.rebuilt_version) == (2, 1)


async def test_names_find_one_none_or_several_accounts(town: Town) -> None:
    first, second = await opened(town, 1), await opened(town, 2)
    (new,) = await town.accounts(3, 3)
    for account, number, since in ((first, "50AA", TODAY), (second, "50AA", TODAY), (first, "51", TODAY + timedelta(days=9))):
        await town.owner.execute(SQL["add_alias"], "els", number, account, since)
    names = [("uo", "1"), ("uo", "3"), ("els", "50AA"), ("els", "51"), ("uo", "1 OR 1=1"), ("uo", "9" * 300)]
    answers = await read_tables(town.services, names, TODAY)
    found = answers["uo", "1"]
    assert isinstance(found, Found) and isinstance(found.state, Rebuilt)
    assert (found.account, found.state.table.personal_account) == (first, "1")
    assert answers["uo", "3"] == Found(account=new, book=found.book, state=NotPublished(account=new, book=found.book))
    assert answers["els", "50AA"] == Ambiguous(candidates=(first, second))
    assert [answers[name] for name in names[3:]] == [Unknown()] * 3


async def test_a_name_that_is_not_a_text_of_the_database_is_unknown(town: Town) -> None:
    names = [("uo", "1\0"), ("uo", "\ud800")]
    assert await read_tables(town.services, names, TODAY) == {name: Unknown() for name in names}
    assert await read_tables(town.services, [], TODAY) == {}


async def test_an_unknown_account_is_left_out(town: Town) -> None:
    assert await rebuild_accounts(town.services, [AccountId(404)]) == {}


async def test_the_gateway_may_rebuild(town: Town, ledger_database: LedgerDatabase) -> None:
    account = await opened(town)
    gateway = await asyncpg.connect(ledger_database.gateway_dsn)
    assert isinstance((await rebuild_accounts(gateway, [account]))[account], Rebuilt)
    await gateway.close()


async def test_accounts_of_many_books_are_rebuilt_together(ledger_database: LedgerDatabase) -> None:
    owner = await asyncpg.connect(ledger_database.owner_dsn)
    town = Town(owner, owner)
    await town.found(books=5)
    accounts = await town.accounts(1, 30)
    for account in accounts:
        await town.charge(account, "maintenance", 500)
    assert (await publish_due(owner, NOW, "test")).published == 30
    for account in accounts:
        assert (await town.pay(account, 5)).status is AppendStatus.RECORDED
    states = await rebuild_accounts(owner, accounts)
    assert {state.book for state in states.values()} == {1, 2, 3, 4, 5}
    assert all(isinstance(state, Rebuilt) and state.version == 2 for state in states.values())
    await owner.close()


async def test_an_expired_table_is_rebuilt_and_refused_by_the_door(town: Town) -> None:
    account = await opened(town)
    await town.owner.execute(SQL["expire"], account)
    state = await town.rebuilt(account)
    assert [answer.status for answer in await append(town.services, state.book, [town.offer(state, 10)])] == [AppendStatus.STALE]


READS = [("list_heads", ([1], [1])), ("list_paid", (1, [1])), ("list_accounts", (1, [1])), ("list_charges", ([1],))]


@pytest.mark.parametrize(("statement", "arguments"), READS, ids=[name for name, _ in READS])
async def test_reading_goes_by_whole_keys_on_a_fresh_ledger(town: Town, statement: str, arguments: tuple[Any, ...]) -> None:
    plan = await town.plan_of(statement, *arguments)
    assert "Seq Scan" not in plan
    conditions = [line.strip() for line in plan.splitlines() if "Index Cond" in line]
    assert len(conditions) >= 1
    assert [line for line in conditions if "personal_account" not in line and "sequence" not in line] == []


ACTIONS = st.lists(st.one_of(st.integers(1, 700), st.sampled_from(["publish", "lower", "charge"])), min_size=1, max_size=12)


@given(actions=ACTIONS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_the_rebuilt_table_is_the_head(shared_town: "SharedTown", actions: list[int | str]) -> None:
    shared_town.run(actions)


class SharedTown:
    """One town on a loop of its own, for examples that come one after another."""

    def __init__(self, dsn: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.number = 0
        self.town = self.loop.run_until_complete(self._found(dsn))

    async def _found(self, dsn: str) -> Town:
        owner = await asyncpg.connect(dsn)
        town = Town(owner, owner)
        await town.found()
        return town

    def run(self, actions: list[int | str]) -> None:
        """Take the actions on a new account and compare its head, its rebuilt table and its journal."""
        self.number += 1
        self.loop.run_until_complete(self._run(actions))

    async def _run(self, actions: list[int | str]) -> None:
        account = await opened(self.town, self.number)
        expected = 0
        for turn, action in enumerate(actions):
            if isinstance(action, int):
                assert (await self.town.pay(account, action)).status is AppendStatus.RECORDED
                expected += action
            elif action == "lower":
                await self.town.owner.execute(SQL["lower"], account, 1, 400 - turn)
            elif action == "charge":
                await self.town.charge(account, "heating", 50, period=202611 + turn, due=date(2026, 12, 15))
            else:
                await self.town.publish(account)
        before = await self.town.rebuilt(account)
        head = await self.town.head(account)
        assert (before.version, before.digest) == (head["version"], head["digest"])
        await self.town.publish(account)
        rows = await self.town.owner.fetch(SQL["entries"], account)
        credited = sum(-sum_ for row in rows for line, sum_ in zip(row["lines"], row["amounts"], strict=True) if line)
        assert credited == expected
        after = await self.town.rebuilt(account)
        in_tiers = {line: sum_ for line, _, sum_ in paid(before)}
        assert all(in_tiers.get(line, sum_) == sum_ for line, _, sum_ in paid(after))

    def close(self) -> None:
        """Close the connection and the loop."""
        self.loop.run_until_complete(self.town.owner.close())
        self.loop.close()


@pytest.fixture
async def shared_dsn(ledger_database: LedgerDatabase) -> str:
    return ledger_database.owner_dsn


@pytest.fixture
def shared_town(shared_dsn: str) -> Iterator["SharedTown"]:
    town = SharedTown(shared_dsn)
    yield town
    town.close()
