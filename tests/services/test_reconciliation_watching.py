"""What the bank tells late of a closed day is warned of once, and what reconciliation waits for is shown in gauges."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from services.reconciliation.backlog import list_backlog
from services.reconciliation.watching import BacklogGauges, keep_watching, tell_late
from tests.conftest import LedgerDatabase
from tests.services.reconciliation_town import DAY, NEXT_DAY, NOW, BankTown, Line, bank_town
from tests.services.test_reconciliation_closing import covered_day


@pytest.fixture
async def bank(ledger_database: LedgerDatabase) -> AsyncIterator[BankTown]:
    async with bank_town(ledger_database) as town:
        yield town


async def late_line(bank: BankTown) -> None:
    """A line of a closed day that a new final statement tells of."""
    await covered_day(bank)
    await bank.close()
    await bank.put_statement([Line(bank_id=f"line of {DAY}", amount=100), Line(bank_id="late", amount=40)], opening=0)
    bank.balance = 140


async def test_a_late_item_is_warned_of_once_while_its_day_is_open(bank: BankTown) -> None:
    await late_line(bank)
    told: set[int] = set()
    with capture_logs() as lines:
        await tell_late(bank.town.services, told)
        await tell_late(bank.town.services, told)
    assert [(one["event"], one["log_level"], one["what"], one["day"], one["falls_to"]) for one in lines] == [
        ("late_item", "warning", what, str(DAY), str(NEXT_DAY)) for what in ("statement", "appeared")
    ]
    assert lines[1]["line"] == bank.numbers["late"]
    await bank.town.pay(("heating", 40))
    await bank.book_cover("late", 40)
    await bank.put_statement([], NEXT_DAY)
    await bank.cut(NEXT_DAY)
    await bank.close(NEXT_DAY)
    with capture_logs() as lines:
        await tell_late(bank.town.services, set())
    assert lines == [], "the day that it fell to is closed"


async def test_the_watcher_shows_what_waits_until_it_is_stopped(bank: BankTown, ledger_database: LedgerDatabase) -> None:
    await late_line(bank)
    await bank.town.pay(("heating", 60))
    await bank.town.fold()
    (expected,) = await list_backlog(bank.town.services, DAY)
    stop, registry = asyncio.Event(), CollectorRegistry()

    def shown(name: str) -> float | None:
        return registry.get_sample_value(f"kopeck_reconciliation_{name}", {"transit": expected.account})

    with capture_logs() as lines:
        watching = asyncio.create_task(keep_watching(ledger_database.services_dsn, lambda: NOW, stop, BacklogGauges(registry)))
        async with asyncio.timeout(20):
            while shown("late_items") is None:
                assert not watching.done(), watching
                await asyncio.sleep(0.01)
        stop.set()
        await watching
    assert [one["event"] for one in lines] == ["late_item", "late_item"]
    assert (shown("late_items"), shown("promised_kopecks"), shown("unreconciled_days")) == (2, expected.promised_kopecks, 0)
    assert expected.promised_kopecks > 0


async def test_gauges_tell_the_age_of_the_oldest_day_and_promise(bank: BankTown) -> None:
    await bank.town.pay(("heating", 100))
    await bank.put_statement([])
    await bank.cut()
    registry, later = CollectorRegistry(), NOW + timedelta(days=3)
    gauges, account = BacklogGauges(registry), {"transit": ""}
    backlogs = await list_backlog(bank.town.services, later.date())
    gauges.show(backlogs, later)
    account["transit"] = backlogs[0].account
    names = ("unreconciled_days", "oldest_unreconciled_days", "promised_kopecks", "oldest_promise_working_days")
    told = [registry.get_sample_value(f"kopeck_reconciliation_{name}", account) for name in names]
    assert told == [1, (later.date() - DAY).days, 100, backlogs[0].oldest_promised_working_days]
