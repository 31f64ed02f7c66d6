"""``kopeck refunds`` on a real ledger: shown before it is decided, decided once, paid back when covered, and verified."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from kopeck.commands.explain import explain
from kopeck.commands.refunds import refunds
from kopeck.commands.settle import settle
from kopeck.commands.verify import verify
from kopeck.demo.requisites import account_with_key
from ledger.chart import AccountKind, ledger_account
from ledger.core.reassign import is_departure
from ledger.journal import fetch_entry
from ledger.reassign import Reassign, depart
from schemas.ids import Book, Sequence
from services.balances.consumer import BalancesConsumer
from services.days import DayNotClosed, close_day
from services.postings.consumer import PostingsConsumer
from services.runner import catch_up
from services.settlement.consumer import SettlementConsumer
from services.settlement.reassignments import ReassignmentConsumer
from tests.conftest import LedgerDatabase
from tests.read_town import DAY, EVENT_AT, SQL, Town, build_town
from tests.scenarios.test_explain import Commands

PAYER = (
    "--name",
    "Иванов Иван Иванович",
    "--account",
    account_with_key("40817810000000000001", "044525593"),
    "--bic",
    "044525593",
)
BY = ("--by", "Анна")


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[Town]:
    """1:1 and 1:2 of the first account are covered, 1:3 of the second is not."""
    built = await build_town(ledger_database.owner_dsn)
    first, second, _ = built.tables
    await built.pay(first, 100_000)
    await built.pay(first, 700_000)
    await built.cover(800_000)
    await built.pay(second, 50_000)
    await fold(built)
    yield built
    await built.connection.close()


@pytest.fixture
def commands(ledger_database: LedgerDatabase, tmp_path: Path) -> Commands:
    """The commands, with a key of personal data."""
    made = Commands(ledger_database)
    key = tmp_path / "personal.key"
    key.write_text("07" * 32 + "\n", "ascii")
    made.environ["KOPECK_PERSONAL_KEY_FILE"] = str(key)
    return made


async def fold(town: Town) -> None:
    for consumer in (SettlementConsumer(), BalancesConsumer(), PostingsConsumer()):
        await catch_up(town.connection, consumer)


async def balance(town: Town, kind: AccountKind, subject: int) -> int:
    account = ledger_account(kind, town.transit, subject)
    return int(await town.connection.fetchval(SQL["balance"], account))


async def test_a_refund_from_its_preview_to_the_order(town: Town, commands: Commands) -> None:
    told = await commands.json(refunds, "preview", "1:1", "--amount", "100.00")
    assert (told["covered"], told["left_kopecks"], told["owed_kopecks"]) == (True, 100_000, 0)
    assert sum(leg["back_kopecks"] for leg in told["legs"]) == 10_000
    assert {leg["stands"] for leg in told["legs"]} == {"unordered"}
    assert "Nobody would owe" in await commands.text(refunds, "preview", "1:1")
    decided = await commands.json(refunds, "refund", "1:1", "--amount", "100.00", *BY)
    assert (decided["amount_kopecks"], decided["is_new"], decided["book"]) == (10_000, True, 1)
    assert (await commands.json(refunds, "refund", "1:1", "--amount", "100.00", *BY))["is_new"] is False
    place = f"1:{decided['sequence']}"
    assert "makes its order" in await commands.text(refunds, "pay", place, *PAYER, *BY)
    assert place in await commands.text(explain, "1:1"), "its corrections are told"
    await fold(town)
    assert "waits to be covered" in await commands.text(refunds, "list")
    await commands.text(verify)
    await commands.run(settle)
    (one,) = await commands.json(refunds, "list")
    assert (one["covered"], one["order"] != "", one["decided_by"]) == (True, True, "Анна")
    await fold(town)
    assert await balance(town, AccountKind.REFUND, town.channel) == 0
    await commands.text(verify)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("refund", "1:3", *BY), "not confirmed"),
        (("reverse", "1:1", *BY), "has confirmed"),
        (("refund", "1:1", "--amount", "1000.01", *BY), "100001 kopecks are asked back, 100000 are left"),
        (("refund", "9:9", *BY), "no entry 9:9"),
        (("refund", "1:1", "--guarantor", "NOBODY", *BY), "no recipient"),
        (("preview", "one"), "BOOK:SEQUENCE"),
        (("refund", "1:1", "--amount", "0", *BY), "above nought"),
        (("pay", "1:1", *PAYER, *BY), "no refund"),
        (("deduct", "1:1"), "no refund"),
        (("withdraw", "1", *BY, "--why", "x"), "unknown"),
        (("debts", "--stop", "1", *BY, "--why", "x"), "no claim"),
        (("debts", "--stop", "1"), "--by and --why"),
    ],
)
async def test_what_is_refused_says_why(town: Town, commands: Commands, arguments: tuple[str, ...], told: str) -> None:
    result = await commands.run(refunds, *arguments)
    assert result.exit_code == 2 and told in result.output, result.output


async def test_a_reversal_and_a_chargeback(town: Town, commands: Commands) -> None:
    assert "reversal 1" in await commands.text(refunds, "reverse", "1:3", "--amount", "200.00", *BY)
    text = await commands.text(refunds, "refund", "1:2", "--amount", "50.00", "--chargeback", *BY)
    assert "refund 2" in text
    await fold(town)
    assert await balance(town, AccountKind.REFUND, town.channel) == 0
    assert await balance(town, AccountKind.CLEARING, town.space) == 50_000 - 20_000 - 5_000
    assert "kept by the counterparty" in await commands.text(refunds, "list")
    await commands.text(verify)


async def test_a_payment_goes_to_the_account_that_it_was_meant_for(town: Town, commands: Commands, tmp_path: Path) -> None:
    paper = tmp_path / "заявление.pdf"
    paper.write_bytes(b"%PDF")
    told = ("1:3", "town/1002", "--application", str(paper), *BY)
    first = await commands.json(refunds, "reassign", *told)
    again = await commands.json(refunds, "reassign", *told)
    assert (first["amount_kopecks"], first["is_new"], again["is_new"]) == (50_000, True, False)
    rows = await town.connection.fetch(SQL["applications"])
    assert [(row["file_name"], row["decided_by"]) for row in rows] == [("заявление.pdf", "Анна")]
    await fold(town)
    await commands.text(verify)
    for taker, told_why in (("town/1002", "are left of it"), ("town/9", "no personal account"), ("9", "NAMESPACE/NUMBER")):
        refused = await commands.run(refunds, "reassign", "1:3", taker, "--application", __file__, *BY)
        assert refused.exit_code == 2 and told_why in refused.output, refused.output


async def test_a_crash_between_the_halves_is_completed_and_the_day_waits(town: Town, commands: Commands) -> None:
    third = list(town.tables)[2]
    wanted = Reassign(book=Book(1), sequence=Sequence(3), account=third)
    left = await depart(town.connection, wanted, EVENT_AT)
    assert is_departure((await fetch_entry(town.connection, Book(1), left.sequence)).entry)
    await fold(town)
    await commands.text(verify)
    with pytest.raises(DayNotClosed):
        await close_day(town.connection, town.transit, DAY, DAY.replace(day=25))
    services = await asyncpg.connect(commands.environ["KOPECK_POSTGRES_SERVICES_DSN"])
    try:
        await catch_up(services, ReassignmentConsumer())
        await catch_up(services, ReassignmentConsumer())
    finally:
        services.terminate()
    await fold(town)
    assert await town.connection.fetchval(SQL["count_kind"], 14) == 2
    await commands.text(verify)
