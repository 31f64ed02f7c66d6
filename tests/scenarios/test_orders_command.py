"""``kopeck orders`` on a real ledger: what is on its way, what waits for a person, and what that person does."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from kopeck.commands.orders import orders
from kopeck.commands.receipts import receipts
from services.delivery.rules import parked
from services.delivery.store import close_counterparty, lease, record
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands
from tests.services.desk import Desk
from tests.services.fiscal_town import FiscalTown, open_town

LEASE_MS = 60_000
ACT = ("--by", "anna", "--why", "the operator said so")


@pytest.fixture
def commands(ledger_database: LedgerDatabase) -> Commands:
    return Commands(ledger_database)


@pytest.fixture
async def town(ledger_database: LedgerDatabase, tmp_path: Path) -> AsyncIterator[FiscalTown]:
    """Orders 1 at atol:uk and 2 at ferma:water, for receipts 1 and 2."""
    services = await asyncpg.connect(ledger_database.services_dsn)
    built = await open_town(ledger_database, Desk(connection=services, folder=tmp_path))
    await built.pay("1001", 550_000)
    await built.take()
    yield built
    await built.owner.close()
    await services.close()


async def park(town: FiscalTown, counterparty: str, *, unknown: bool) -> None:
    """What a worker does with an order whose outcome it cannot find out."""
    leased = await lease(town.services, counterparty, 10, LEASE_MS)
    verdicts = [(one, parked(one.stand, "its outcome is unknown", unknown=unknown)) for one in leased]
    assert len(await record(town.services, verdicts)) == 1


async def listed(commands: Commands, *arguments: str) -> list[int]:
    """Orders that a list shows, in its order."""
    return [one["number"] for one in await commands.json(orders, "list", *arguments)]


async def test_orders_are_listed_newest_first_and_filtered(town: FiscalTown, commands: Commands) -> None:
    await park(town, "atol:uk", unknown=True)
    assert await listed(commands) == await listed(commands, "--what", "receipt") == [2, 1]
    assert await listed(commands, "--limit", "1") == [2]
    assert await listed(commands, "--state", "parked") == await listed(commands, "--counterparty", "atol:uk") == [1]
    assert await listed(commands, "--state", "waiting", "--counterparty", "atol:uk") == []
    assert await listed(commands, "--what", "transfer") == await listed(commands, "--state", "done") == []
    told = await commands.json(orders, "list", "--state", "waiting")
    assert (told[0]["state"], told[0]["counterparty"], told[0]["unknown"]) == ("waiting", "ferma:water", False)
    assert "content" not in told[0]
    text = await commands.text(orders, "list")
    assert "parked, may have been taken" in text and "ferma:water" in text


async def test_a_parked_order_is_asked_about_first(town: FiscalTown, commands: Commands) -> None:
    await park(town, "atol:uk", unknown=True)
    told = await commands.json(orders, "parked")
    assert [(one["number"], one["unknown"], one["reason"]) for one in told] == [(1, True, "its outcome is unknown")]
    assert "may have it" in await commands.text(orders, "parked", "--what", "receipt")
    assert await commands.json(orders, "parked", "--what", "transfer") == []
    assert await commands.json(orders, "retry", "1", *ACT) == {"order": 1, "retried_by": "anna"}
    (order,) = await commands.json(orders, "list", "--counterparty", "atol:uk")
    assert (order["state"], order["unknown"], order["reason"]) == ("waiting", True, "retried by anna: the operator said so")


async def test_a_persons_word_sends_it_as_if_for_the_first_time(town: FiscalTown, commands: Commands) -> None:
    await park(town, "atol:uk", unknown=True)
    assert "order 1 goes on" in await commands.text(orders, "retry", "1", *ACT, "--surely-not-taken")
    (order,) = await commands.json(orders, "list", "--counterparty", "atol:uk")
    assert (order["state"], order["unknown"], order["attempts"]) == ("waiting", False, 0)


async def test_a_cancelled_receipt_waits_for_a_person(town: FiscalTown, commands: Commands) -> None:
    await park(town, "atol:uk", unknown=False)
    assert await commands.json(orders, "cancel", "1", *ACT) == {"order": 1, "cancelled_by": "anna"}
    assert await listed(commands, "--state", "cancelled") == [1]
    (failed,) = (await commands.json(receipts, "stopped"))["receipts"]
    assert (failed["number"], failed["state"]) == (1, "failed")
    assert "cancelled by anna: the operator said so" in failed["reason"]
    assert "order 2 is cancelled" in await commands.text(orders, "cancel", "2", *ACT)


async def test_a_closed_counterparty_is_opened(town: FiscalTown, commands: Commands) -> None:
    assert await close_counterparty(town.services, "atol:uk", "wrong password")
    assert [(one["counterparty"], one["reason"]) for one in await commands.json(orders, "closed")] == [
        ("atol:uk", "wrong password")
    ]
    assert "wrong password" in await commands.text(orders, "closed")
    assert "atol:uk is open again" in await commands.text(orders, "open", "atol:uk", *ACT)
    assert await commands.json(orders, "closed") == []
    assert len(await lease(town.services, "atol:uk", 10, LEASE_MS)) == 1


WRONG = [
    (("retry", "1", *ACT), "no parked order 1"),
    (("cancel", "77", *ACT), "neither parked nor unsent"),
    (("open", "atol:uk", *ACT), "is not closed"),
    (("retry", "1", "--by", "anna"), "--why"),
    (("list", "--state", "lost"), "'lost' is not one of"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
async def test_what_cannot_be_done_is_said(town: FiscalTown, commands: Commands, arguments: tuple[str, ...], words: str) -> None:
    result = await commands.run(orders, *arguments)
    assert (result.exit_code, words in result.output) == (2, True), result.output
    assert await listed(commands, "--state", "waiting") == [2, 1]


async def test_an_order_that_is_being_sent_is_not_cancelled(town: FiscalTown, commands: Commands) -> None:
    assert len(await lease(town.services, "atol:uk", 10, LEASE_MS)) == 1
    result = await commands.run(orders, "cancel", "1", *ACT)
    assert (result.exit_code, "neither parked nor unsent" in result.output) == (2, True)


async def test_json_is_all_there_is_on_standard_output(town: FiscalTown, commands: Commands) -> None:
    """What an act logs goes to standard error."""
    await park(town, "atol:uk", unknown=True)
    result = await commands.run(orders, "retry", "1", *ACT, "--json")
    assert result.stdout.startswith("{") and "order_retried" not in result.stdout
    assert "order_retried" in result.stderr and "anna" in result.stderr


async def test_the_reader_lists_without_the_services_rights(town: FiscalTown, commands: Commands) -> None:
    await park(town, "atol:uk", unknown=True)
    commands.environ["KOPECK_POSTGRES_SERVICES_DSN"] = "postgresql://nobody@127.0.0.1:1/none"
    assert await listed(commands) == [2, 1]
    assert len(await commands.json(orders, "parked")) == 1
    assert await commands.json(orders, "closed") == []
