"""Publication on a real ledger: tables through the door, opening balances once, races with payments (design W6)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta

import asyncpg
import pytest

from ledger.journal import append
from ledger.publication import publish_accounts, publish_due
from schemas.allocation import AccountState, AdvanceRule
from schemas.ids import AccountId
from schemas.outcome import AppendStatus
from tests.conftest import LedgerDatabase
from tests.ledger.town import NOW, PERIOD, SQL, Town, paid


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[Town]:
    owner = await asyncpg.connect(ledger_database.owner_dsn)
    services = await asyncpg.connect(ledger_database.services_dsn)
    town = Town(owner, services)
    await town.found()
    yield town
    await services.close()
    await owner.close()


async def test_a_new_account_gets_version_one_with_its_advance_line(town: Town) -> None:
    (account,) = await town.accounts()
    await town.charge(account, "maintenance", 500)
    report = await town.publish(account)
    assert (report.published, report.unchanged, report.stale_rebuilt, report.failed) == (1, 0, 0, ())
    state = await town.rebuilt(account)
    assert (state.version, state.table.advance.rule, state.table.advance.lines) == (1, AdvanceRule.TO_LINE, (2,))
    assert [tuple(row) for row in await town.owner.fetch(SQL["bases"], account)] == [(1, "test")]
    assert (await town.head(account))["valid_until"].timestamp() == state.table.valid_until


async def test_what_was_paid_is_in_the_next_publication(town: Town) -> None:
    (account,) = await town.accounts()
    await town.charge(account, "maintenance", 500)
    await town.charge(account, "heating", 300)
    await town.publish(account)
    assert (await town.pay(account, 80)).status is AppendStatus.RECORDED
    await town.charge(account, "heating", 900, period=202611, due=date(2026, 12, 15))
    assert (await town.publish(account)).published == 1
    assert paid(await town.rebuilt(account)) == [(2, 300, 30), (1, 500, 50), (4, 900, 0)]
    assert (await town.pay(account, 900)).status is AppendStatus.RECORDED
    assert paid(await town.rebuilt(account)) == [(2, 300, 300), (1, 500, 500), (4, 900, 180)]


async def test_publishing_what_stands_at_the_head_changes_nothing(town: Town) -> None:
    (account,) = await town.accounts()
    await town.charge(account, "maintenance", 500)
    await town.publish(account)
    report = await town.publish(account)
    assert (report.published, report.unchanged) == (0, 1)
    assert (await town.head(account))["version"] == 1


async def test_opening_balances_are_booked_once_with_the_first_publication(town: Town) -> None:
    (account,) = await town.accounts()
    await town.charge(account, "maintenance", 500, opening_paid=200, opening_advance=70)
    await town.charge(account, "heating", 300, opening_paid=300)
    await town.publish(account)
    state = await town.rebuilt(account)
    assert (state.version, paid(state)) == (3, [(2, 300, 300), (1, 500, 270)]), "the advance is offset at once"
    await town.publish(account)
    await town.charge(account, "heating", 100, period=202611, opening_paid=40)
    await town.publish(account)
    entries = [(row["kind"], row["external_id"], row["amount"]) for row in await town.owner.fetch(SQL["entries"], account)]
    assert entries == [(4, f"{account}/1-2", 570), (6, "1:1/1", 70), (4, f"{account}/4-4", 40)]
    assert paid(await town.rebuilt(account)) == [(2, 300, 300), (1, 500, 270), (4, 100, 40)]


async def test_an_opening_entry_that_cannot_be_booked_fails_its_account_alone(town: Town) -> None:
    first, second = await town.accounts(1, 2)
    await town.charge(first, "maintenance", 500, opening_paid=200)
    await town.charge(second, "maintenance", 500, opening_paid=200)
    await town.owner.execute(SQL["take_key"], 2, f"{first}/1-1")
    report = await town.publish(first, second)
    assert report.published == 1
    assert [(error.account, error.reason) for error in report.failed] == [(first, f"opening entry {first}/1-1: conflict")]
    assert await town.head(first) is None
    assert paid(await town.rebuilt(second)) == [(1, 500, 200)]


async def test_an_account_that_moved_between_reading_and_publishing_is_built_again(
    town: Town, ledger_database: LedgerDatabase
) -> None:
    accounts = await town.accounts(1, 40)
    for account in accounts:
        await town.charge(account, "maintenance", 1_000_000)
    await town.publish(*accounts)
    payer = await asyncpg.connect(ledger_database.services_dsn)
    paying = Town(town.owner, payer)
    paying._payments = 1000
    stop = asyncio.Event()

    async def pay_on() -> int:
        booked = 0
        while not stop.is_set():
            for account in accounts[:5]:
                booked += (await paying.pay(account, 7)).status is AppendStatus.RECORDED
        return booked

    task = asyncio.create_task(pay_on())
    stale = 0
    for turn in range(40):
        for account in accounts:
            await town.owner.execute(SQL["lower"], account, 1, 1_000_000 - turn)
        report = await town.publish(*accounts)
        assert not report.failed
        stale += report.stale_rebuilt
        if stale:
            break
    stop.set()
    booked = await task
    await payer.close()
    assert stale
    assert booked
    states = [await town.rebuilt(account) for account in accounts]
    assert sum(state.table.tiers[0].paid[0] for state in states) == 7 * booked


async def test_a_stale_version_is_answered_stale(town: Town) -> None:
    (account,) = await town.accounts()
    await town.charge(account, "maintenance", 500)
    await town.publish(account)
    state = await town.rebuilt(account)
    offer = town.offer(state, 10)
    await town.owner.execute(SQL["lower"], account, 1, 400)
    await town.publish(account)
    assert [answer.status for answer in await append(town.services, state.book, [offer])] == [AppendStatus.STALE]


async def test_publish_due_takes_what_a_load_marked_and_what_expires(town: Town) -> None:
    accounts = await town.accounts(1, 3)
    for account in accounts:
        await town.charge(account, "maintenance", 500)
    assert (await publish_due(town.services, NOW, "test")).published == 3
    assert await town.owner.fetch(SQL["due"]) == []
    await town.owner.execute(SQL["mark_due"], accounts[1])
    await town.owner.execute(SQL["lower"], accounts[1], 1, 400)
    assert (await publish_due(town.services, NOW, "test")).published == 1
    assert (await publish_due(town.services, NOW + timedelta(days=400), "test")).published == 3


async def test_an_account_that_cannot_be_built_stays_due_and_is_named(town: Town) -> None:
    good, bad = await town.accounts(1, 2)
    for account in (good, bad):
        await town.charge(account, "maintenance", 500)
    await town.owner.execute(SQL["print_total"], bad, PERIOD, 501)
    report = await publish_due(town.services, NOW, "test")
    assert report.published == 1
    assert [(error.account, "prints 501" in error.reason) for error in report.failed] == [(bad, True)]
    assert [row[0] for row in await town.owner.fetch(SQL["due"])] == [bad]


async def test_a_mark_made_while_a_load_is_in_flight_stays(town: Town, ledger_database: LedgerDatabase) -> None:
    (account,) = await town.accounts()
    await town.charge(account, "maintenance", 500)
    loader = await asyncpg.connect(ledger_database.owner_dsn)
    async with loader.transaction():
        await loader.execute(SQL["mark_due"], account)
        assert (await town.publish(account)).published == 1
    await loader.close()
    assert [row[0] for row in await town.owner.fetch(SQL["due"])] == [account]


async def test_a_lowered_charge_keeps_what_was_paid_above_it(town: Town) -> None:
    (account,) = await town.accounts()
    await town.charge(account, "maintenance", 500)
    await town.charge(account, "heating", 300)
    await town.publish(account)
    await town.pay(account, 800)
    await town.owner.execute(SQL["lower"], account, 2, 250)
    await town.publish(account)
    assert paid(await town.rebuilt(account)) == [(2, 250, 300), (1, 500, 500)]


async def test_closing_an_account_is_a_publication(town: Town) -> None:
    (account,) = await town.accounts()
    await town.charge(account, "maintenance", 500)
    await town.publish(account)
    await town.owner.execute(SQL["set_state"], account, int(AccountState.CLOSED))
    assert (await town.publish(account)).published == 1
    table = (await town.rebuilt(account)).table
    assert (table.version, table.state, table.advance.rule) == (2, AccountState.CLOSED, AdvanceRule.REFUSE)


async def test_more_accounts_than_one_publication_takes(town: Town) -> None:
    accounts = await town.accounts(1, 600)
    report = await town.publish(*accounts, AccountId(10**9))
    assert (report.published, report.failed) == (600, ())


async def test_a_ledger_without_a_transit_account_is_refused(ledger_database: LedgerDatabase) -> None:
    services = await asyncpg.connect(ledger_database.services_dsn)
    with pytest.raises(LookupError, match="no transit account"):
        await publish_accounts(services, [AccountId(1)], NOW, "test")
    await services.close()
