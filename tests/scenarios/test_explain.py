"""The reading commands on a real ledger: every kopeck is explained, and what is not there is said to be not there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from kopeck.commands.balance import balance
from kopeck.commands.day import day
from kopeck.commands.explain import explain
from kopeck.commands.journal import journal
from kopeck.commands.settle import settle
from kopeck.commands.transfers import transfers
from kopeck.commands.verify import verify
from schemas.ids import Sequence
from schemas.notification import NamedDesignation
from services.balances.consumer import BalancesConsumer
from services.postings.consumer import PostingsConsumer
from services.runner import catch_up
from services.settlement.composing import NO_REQUISITES
from services.settlement.consumer import SettlementConsumer
from services.settlement.orders import make_orders
from tests.conftest import LedgerDatabase
from tests.read_town import EVENT_AT, SQL, TRANSIT_ACCOUNT, Town, build_town


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[Town]:
    """op-1 … op-5: two payments of the first account, one designated of the second, suspense, a cover."""
    built = await build_town(ledger_database.owner_dsn)
    first, second, _ = built.tables
    await built.pay(first, 100_001)
    await built.pay(first, 700_009)
    await built.pay(second, 70_001, NamedDesignation(pool="capital_repair"))
    await built.suspend(777)
    await built.cover(500_000)
    for consumer in (BalancesConsumer(), PostingsConsumer()):
        await catch_up(built.connection, consumer)
    yield built
    await built.connection.close()


class Commands:
    """Runs commands in a thread, against one test's ledger."""

    def __init__(self, database: LedgerDatabase) -> None:
        self.environ = {
            "KOPECK_POSTGRES_DSN": database.owner_dsn,
            "KOPECK_POSTGRES_READER_DSN": database.reader_dsn,
            "KOPECK_POSTGRES_SERVICES_DSN": database.services_dsn,
            "KOPECK_REDIS_URL": database.redis_url,
        }

    async def run(self, command: click.Command, *arguments: str) -> Result:
        """The command's result, whatever its exit code."""
        return await asyncio.to_thread(CliRunner().invoke, command, list(arguments), env=self.environ)

    async def text(self, command: click.Command, *arguments: str) -> str:
        """What a command that succeeds prints on standard output."""
        result = await self.run(command, *arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    async def json(self, command: click.Command, *arguments: str) -> Any:
        """The same, decoded."""
        return msgspec.json.decode(await self.text(command, *arguments, "--json"))


@pytest.fixture
def commands(ledger_database: LedgerDatabase) -> Commands:
    """The commands of this test's ledger."""
    return Commands(ledger_database)


async def test_every_kopeck_has_its_reason(town: Town, commands: Commands) -> None:
    told = await commands.json(explain, "op-2")
    assert told["notification"]["amount_kopecks"] == 700_009
    assert told["notification"]["event_at_moscow"].startswith("2026-11-24T12:30:02")
    assert (told["table"]["version"], told["table"]["base_version"], told["table"]["since"]) == (2, 1, ["1:1"])
    assert (told["table"]["published_by"], told["table"]["personal_account"]) == ("tests", "town/1000")
    lines = [line for step in told["steps"] for line in step["lines"]]
    assert sum(line["share_kopecks"] for line in lines) == 700_009
    assert [step["reason"] for step in told["steps"]] == ["general order", "general order", "advance"]
    assert all(
        line["charge_kopecks"] - line["paid_before_kopecks"] == line["share_kopecks"] for line in told["steps"][0]["lines"]
    )
    postings = told["entry"]["postings"]
    assert (told["entry"]["place"], told["entry"]["kind"]) == ("1:2", "payment")
    assert [posting["amount_kopecks"] for posting in postings] == [700_009, *(-line["share_kopecks"] for line in lines)]
    assert postings[0]["account"] == f"clearing:{TRANSIT_ACCOUNT}:bank-feed"
    assert postings[0]["balance_after_kopecks"] == 800_010


async def test_the_same_payment_by_every_reference(town: Town, commands: Commands) -> None:
    by_id = await commands.json(explain, "op-3")
    assert by_id["notification"]["designation"] == {"pool": "capital_repair"}
    assert by_id["steps"][0]["reason"] == "pool named by the payer"
    assert by_id == await commands.json(explain, "bank-feed/op-3") == await commands.json(explain, "1:3")


async def test_for_people(town: Town, commands: Commands) -> None:
    text = await commands.text(explain, "op-1")
    for words in ("NOTIFICATION bank-feed/op-1", "12:30:01 Moscow time", "published by tests", "rounded down to", "ENTRY 1:1"):
        assert words in text, words


async def test_money_without_an_owner(town: Town, commands: Commands) -> None:
    told = await commands.json(explain, "op-4")
    assert (told["entry"]["kind"], told["entry"]["reason"], told["table"], told["steps"]) == (
        "suspense",
        "account unknown",
        None,
        [],
    )
    assert "account unknown" in await commands.text(explain, "op-4")


async def test_a_reversed_payment_names_its_reversal(town: Town, commands: Commands) -> None:
    place = await town.reverse(Sequence(1))
    assert (await commands.json(explain, "1:1"))["reversed_by"] == [f"1:{place}"]
    told = await commands.json(explain, "correction/1:1/1")
    assert (told["entry"]["kind"], told["table"]["since"]) == ("reversal", ["1:1", "1:2"])


async def test_a_refusal_is_told(town: Town, commands: Commands) -> None:
    await town.connection.execute(SQL["add_refusal"], town.space, "refused-1")
    await town.connection.execute(SQL["park_conflict"], town.transit, town.channel, town.space)
    told = await commands.json(explain, "refused-1")
    assert (told["refusal"], told["entry"], told["key"]) == ("account unknown", None, "bank-feed/refused-1")
    assert "REFUSED bank-feed/refused-1: account unknown" in await commands.text(explain, "refused-1")
    assert "amount 1 / amount 2" in await commands.text(explain, "op-1")


async def test_what_followed_a_payment(town: Town, commands: Commands) -> None:
    """op-1 is within the cover, op-2 goes beyond it; nobody has approved requisites. Suspense is owed to no recipient."""
    before = (await commands.json(explain, "op-1"))["followed"]
    assert (before["receipts_decided"], {leg["where"] for leg in before["money"]}) == (False, {"not_read"})
    assert "settlement has not read the entry yet" in await commands.text(explain, "op-1")
    await catch_up(town.connection, SettlementConsumer())
    for reference, where in (("op-1", {"not_cut"}), ("op-2", {"not_confirmed"}), ("op-4", set())):
        money = (await commands.json(explain, reference))["followed"]["money"]
        assert {leg["where"] for leg in money} == where, reference
    await make_orders(town.connection, town.transit, EVENT_AT)
    told = await commands.json(explain, "op-1")
    legs = told["followed"]["money"]
    assert sum(leg["amount_kopecks"] for leg in legs) == 100_001
    assert {(leg["where"], leg["told"]) for leg in legs} == {("carried", f"confirmed, carried to the next cut: {NO_REQUISITES}")}
    assert "WHERE THE MONEY IS" in await commands.text(explain, "op-1")


@pytest.mark.parametrize("reference", ["nothing", "1:99", "99:1", "bank-feed/nothing", "", "1:2:3"])
async def test_what_is_not_there(town: Town, commands: Commands, reference: str) -> None:
    result = await commands.run(explain, reference)
    assert result.exit_code == 2
    assert "Error" in result.output


async def test_an_id_of_two_spaces_must_be_named(town: Town, commands: Commands) -> None:
    await town.connection.execute(SQL["add_refusal"], 1, "op-1")
    result = await commands.run(explain, "op-1")
    assert result.exit_code == 2
    assert "correction/op-1, bank-feed/op-1" in result.output
    assert (await commands.json(explain, "bank-feed/op-1"))["entry"]["place"] == "1:1"


@pytest.mark.parametrize("command", [explain, balance, journal, verify, day, transfers, settle])
async def test_no_ledger_is_made_by_asking(tmp_path: Path, command: click.Command) -> None:
    arguments = {"explain": ["op-1"], "day": ["show"], "transfers": ["waiting"]}.get(command.name or "", [])
    result = CliRunner().invoke(command, [*arguments, "--data", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "there is no ledger in" in result.output
    assert not (tmp_path / "none").exists()


async def test_balances(town: Town, commands: Commands) -> None:
    rows = await commands.json(balance)
    assert sum(row["balance_kopecks"] for row in rows) == 0
    assert rows == await commands.json(balance, "--from-journal") == await commands.json(balance, "--at", "0:1,1:4")
    name = f"clearing:{TRANSIT_ACCOUNT}:bank-feed"
    assert (await commands.json(balance, name, "--at", "1:1"))[0]["balance_kopecks"] == 100_001
    assert {row["account"].split(":")[0] for row in await commands.json(balance, "payable")} == {"payable"}
    assert "trial balance" in await commands.text(balance)
    assert (await commands.run(balance, "--at", "77")).exit_code == 1
    assert (await commands.run(balance, "--at", "yesterday")).exit_code == 2


async def test_the_journal(town: Town, commands: Commands) -> None:
    text = await commands.text(journal)
    assert text.index("0:1 ") < text.index("1:1 ") < text.index("1:4 ")
    lines = (await commands.text(journal, "--book", "1", "--after", "1", "--limit", "2", "--json")).splitlines()
    assert [msgspec.json.decode(line)["sequence"] for line in lines] == [2, 3]
    mine = (await commands.text(journal, "--account", "town:1000", "--json")).splitlines()
    assert [msgspec.json.decode(line)["external_id"] for line in mine] == ["op-2", "op-1"]
    assert (await commands.run(journal, "--account", "town:77")).exit_code == 1
    assert (await commands.run(journal, "--account", "town")).exit_code == 2


async def test_a_day_is_closed_once(town: Town, commands: Commands) -> None:
    assert f"{TRANSIT_ACCOUNT}: open day 2026-11-24" in await commands.text(day, "show")
    closed = await commands.json(day, "close", "--transit", TRANSIT_ACCOUNT)
    assert closed["places"] == {"0": 1, "1": 4}
    shown = await commands.json(day, "show")
    assert (shown[0]["open_day"], shown[0]["closed"][0]["cut"]) == ("2026-11-25", closed["cut"])
    again = await commands.run(day, "close", "--transit", TRANSIT_ACCOUNT, "--day", "2026-11-24")
    assert (again.exit_code, "[KP003]" in again.output) == (1, True)
    back = await commands.run(day, "close", "--transit", TRANSIT_ACCOUNT, "--next", "2026-11-25")
    assert (back.exit_code, "[KP004]" in back.output) == (1, True)
    assert (await commands.run(day, "close", "--transit", "1")).exit_code == 1
    assert await commands.json(balance, "--at", str(closed["cut"])) == await commands.json(balance)
