"""``kopeck suspense`` on a real ledger: the queue shown, decided, explained; refusals are one line and exit code 2."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from kopeck.commands.explain import explain
from kopeck.commands.suspense import suspense
from kopeck.config import Config
from kopeck.personal_key import personal_sealer
from schemas.ids import ExternalId
from schemas.statement import StatementEntry, StatementParty
from services.clearing.personal import seal_text
from services.sealing import Sealer
from tests.conftest import LedgerDatabase
from tests.ledger.town import SQL as TOWN
from tests.scenarios.test_explain import Commands
from tests.services.suspense_town import SQL, SuspenseTown, note, suspense_town

PAYER = "40817810000000000001"


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SuspenseTown]:
    async with suspense_town(ledger_database, books=2) as made:
        yield made


@pytest.fixture
def sealer(tmp_path: Path) -> Sealer:
    return personal_sealer(Config(data_dir=tmp_path))


@pytest.fixture
def commands(ledger_database: LedgerDatabase, sealer: Sealer, tmp_path: Path) -> Commands:
    made = Commands(ledger_database)
    made.environ |= {"KOPECK_PERSONAL_KEY_FILE": str(tmp_path / "personal.key"), "KOPECK_DATA": str(tmp_path)}
    return made


async def told_by_the_bank(town: SuspenseTown, sealer: Sealer) -> None:
    """Money of 700 kopecks with a sealed purpose that names account 100234."""
    entry = StatementEntry(
        bank_id=ExternalId("b-1"),
        day=date(2026, 11, 11),
        is_credit=True,
        amount_kopecks=700,
        counterparty=StatementParty(name="Иванов Иван"),
        purpose="ЖКУ л/с 100234",
    )
    await town.owner.execute(SQL["add_line"], "b-1", PAYER, seal_text(sealer, town.transit, entry), "unknown")
    await town.suspend(700, external_id="b-1")


async def refused(commands: Commands, *arguments: str) -> str:
    """What a refusal says: one line, exit code 2, no trace."""
    result = await commands.run(suspense, *arguments)
    assert result.exit_code == 2 and result.exception is not None, result.output
    return result.output.strip().splitlines()[-1]


async def test_the_queue_is_listed_and_an_item_shown_with_reasons(town: SuspenseTown, commands: Commands, sealer: Sealer) -> None:
    assert await commands.text(suspense, "list") == "Nothing waits in suspense.\n"
    await town.home(100234, ("maintenance", 5_000))
    await told_by_the_bank(town, sealer)
    (row,) = await commands.json(suspense, "list")
    assert (row["place"], row["state"], row["remains"], row["term"]["day"]) == ("1:1", "waiting", 700, "2026-12-01")
    listed = await commands.text(suspense, "list")
    assert "b-1" in listed and "7,00" in listed and "Иванов" not in listed
    told = await commands.json(suspense, "show", "b-1")
    (suggestion,) = told["suggestions"]
    assert (suggestion["name"], suggestion["score"]) == ("uo/100234", 80)
    assert suggestion["reasons"] == ["номер лицевого счёта 100234 стоит в назначении платежа"]
    assert "purpose" not in told and "Иванов" not in str(told)
    shown = await commands.text(suspense, "show", "1:1", "--personal")
    assert "payer: Иванов Иван; purpose: ЖКУ л/с 100234" in shown and "SUGGESTIONS" in shown


async def test_without_the_key_nothing_sealed_is_read(town: SuspenseTown, commands: Commands, sealer: Sealer) -> None:
    await told_by_the_bank(town, sealer)
    commands.environ["KOPECK_PERSONAL_KEY_FILE"] = "/nowhere/personal.key"
    told = await commands.json(suspense, "show", "b-1", "--personal")
    assert told["suggestions"] == [] and "KOPECK_PERSONAL_KEY_FILE" in told["unread"] and "purpose" not in told
    assert "cannot be sealed" in await refused(commands, "return", "b-1", "--by", "А", "--approved-by", "Б")


async def test_an_item_is_assigned_across_books_and_explained(town: SuspenseTown, commands: Commands) -> None:
    number = next(number for number in range(1, 50) if town.book(f"{number}") == 2)
    await town.home(number, ("maintenance", 500))
    await town.suspend(700, note("12"))
    done = await commands.text(suspense, "assign", "lost-1", f"uo/{number}", "--amount", "6.50", "--by", "Иванова")
    assert done == f"1:1: 6,50 ₽ to uo/{number}, 0,50 ₽ left\n"
    assert "name the --amount" in await refused(commands, "assign", "1:1", f"{number}", "--by", "Иванова")
    explained = await commands.text(explain, "1:1")
    assert "Released from suspense by entry 1:2." in explained and "Released from suspense by entry 2:1." in explained
    arrival = await commands.json(explain, "2:1")
    assert arrival["entry"]["kind"] == "suspense_release" and arrival["entry"]["value_date"] == "2026-11-11"
    lines = [line for step in arrival["steps"] for line in step["lines"]]
    assert [(line["service"], line["share_kopecks"]) for line in lines] == [("maintenance", 500), ("advance", 150)]
    told = await commands.json(suspense, "show", "1:1")
    assert [(one["what"], one["amount"], one["decided_by"]) for one in told["decisions"]] == [("assign", 650, "Иванова")]
    assert (told["releases"][0]["arrived_book"], told["releases"][0]["arrived_sequence"]) == (2, 1)
    await town.assert_verified()


async def test_what_is_named_comes_from_the_payer_unless_the_operator_says_otherwise(
    town: SuspenseTown, commands: Commands
) -> None:
    number = next(number for number in range(1, 50) if town.book(f"{number}") == 1)
    await town.home(number, ("maintenance", 500), ("capital_repair", 300))
    await town.suspend(100, note("12", named={"pool": "capital_repair"}))
    await town.suspend(100, note("12", named={"pool": "capital_repair"}))
    await commands.text(suspense, "assign", "lost-1", f"{number}", "--by", "Иванова")
    await commands.text(suspense, "assign", "lost-2", f"{number}", "--period", "2026-10", "--by", "Иванова")
    services = [
        line["service"]
        for place in ("lost-1", "lost-2")
        for release in (await commands.json(suspense, "show", place))["releases"]
        for step in (await commands.json(explain, f"1:{release['sequence']}"))["steps"]
        for line in step["lines"]
    ]
    assert services == ["capital_repair", "maintenance"]


async def test_a_return_and_a_hold(town: SuspenseTown, commands: Commands, sealer: Sealer) -> None:
    await told_by_the_bank(town, sealer)
    assert "holds the money on 47416, noted by Иванова" in await commands.text(suspense, "hold", "b-1", "--by", "Иванова")
    assert "47416" in await refused(commands, "return", "b-1", "--by", "А", "--approved-by", "Б")
    await commands.text(suspense, "hold", "b-1", "--back", "--by", "Иванова")
    assert "two different people" in await refused(commands, "return", "b-1", "--by", "А", "--approved-by", "а ")
    assert "return 1 is asked for" in await commands.text(suspense, "return", "b-1", "--by", "А", "--approved-by", "Б")
    (row,) = await town.owner.fetch(SQL["returns"])
    assert sealer.unseal(row["sealed_name"], b"settlement.return_payee/1").decode() == "Иванов Иван"
    shown = await commands.text(suspense, "show", "b-1")
    assert "return 7,00 ₽ by А, approved by Б" in shown and f"return 1: 7,00 ₽ to {PAYER}" in shown
    named = ("--payee-name", "Пётр", "--payee-account", PAYER, "--payee-bic", "044525225")
    await town.suspend(300)
    done = await commands.text(suspense, "return", "lost-2", *named, "--by", "А", "--approved-by", "Б")
    assert "return 2 is asked for" in done


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("assign", "1:9", "1", "--by", "А"), "'1:9' is no item of suspense"),
        (("assign", "nothing", "1", "--by", "А"), "'nothing' is no item of suspense"),
        (("assign", "1:1", "77", "--by", "А"), "'77' is no personal account"),
        (("assign", "1:1", "55", "--by", "А"), "several accounts"),
        (("assign", "1:1", "1", "--amount", "8", "--by", "А"), "1:1 has 700 kopecks left, not 800"),
        (("assign", "1:1", "1", "--amount", "1,5", "--by", "А"), "expected roubles"),
        (("assign", "1:1", "1", "--period", "2026-13", "--by", "А"), "a period is like 2026-10"),
        (("assign", "1:1", "1", "--period", "2026-10", "--pool", "main", "--by", "А"), "not both"),
        (("return", "1:1", "--by", "А", "--approved-by", "Б"), "must be named"),
        (("return", "1:1", "--payee-name", "А", "--by", "А", "--approved-by", "Б"), "--payee-bic"),
    ],
)
async def test_refusals_are_one_line(town: SuspenseTown, commands: Commands, arguments: tuple[str, ...], what: str) -> None:
    first = await town.home(1, ("maintenance", 500))
    second = await town.home(2, ("maintenance", 500))
    for account in (first, second):
        await town.owner.execute(TOWN["add_alias"], "old", "55", account, date(2026, 1, 1))
    await town.suspend(700)
    assert what in await refused(commands, *arguments)
    assert (await commands.json(suspense, "list"))[0]["remains"] == 700
