"""``kopeck billing`` as it is typed: from draft to closing, exit codes, a line explained."""

from collections.abc import AsyncIterator
from concurrent.futures import Executor
from datetime import date

import pytest

from kopeck.commands import billing as module
from kopeck.commands.billing import billing
from services.billing.runs.drafting import Drafting
from services.billing.runs.sources import Connection
from tests.billing.run_town import NOVEMBER, OCTOBER, RunTown, calculate, due_date, run_town
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands


@pytest.fixture
async def town(ledger_database: LedgerDatabase, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunTown]:
    """A town whose stock stands behind the command's doors."""
    async with run_town(ledger_database, houses=2, flats=2) as made:

        async def plain_drafting(connection: Connection, executor: Executor, today: date) -> Drafting:
            return Drafting(reading=made.stock, calculating=calculate, executor=executor)

        async def fetch_due_date(connection: Connection) -> object:
            return due_date

        async def find_provider(connection: Connection, code: str | None, period: int) -> str:
            return code or "УО"

        monkeypatch.setattr(module, "plain_drafting", plain_drafting)
        monkeypatch.setattr(module, "fetch_due_date", fetch_due_date)
        monkeypatch.setattr(module, "find_provider", find_provider)
        yield made


@pytest.fixture
def commands(ledger_database: LedgerDatabase) -> Commands:
    return Commands(ledger_database)


async def test_a_month_as_it_is_typed(town: RunTown, commands: Commands) -> None:
    drafted = await commands.text(billing, "draft", "2026-10", "--by", "Анна")
    for words in ("Расчёт 1: месяц 10.2026, УО; черновик; считал Анна", "домов 2; лицевых счетов 4, строк 12"):
        assert words in drafted
    checked = await commands.text(billing, "checks", "1")
    assert "ТЕПЛО" in checked and "Расчёт 1: проверен" in checked
    refused = await commands.run(billing, "approve", "1", "--by", "анна")
    assert refused.exit_code == 2 and "второе лицо" in refused.output
    assert await commands.text(billing, "approve", "1", "--by", "Борис") == "расчёт 1 утверждён\n"
    published = await commands.text(billing, "publish", "1")
    assert "расчёт 1: опубликован; опубликовано счетов 4, без изменений 0, отложено 0" in published
    shown = await commands.text(billing, "show", "1", "--account", "uo:1")
    for words in ("heating", "45,5", "1 820,00", "S × T; по нормативу; S = 40, T = 45,5", f"Платёжный документ 1-{OCTOBER}"):
        assert words in shown.replace("\u202f", " ")
    assert "h1" in await commands.text(billing, "show", "1")
    assert await commands.text(billing, "close", "2026-10", "--by", "Борис") == "месяц закрыт: УО\n"
    late = await commands.run(billing, "draft", "2026-10", "--house", "h1", "--by", "Анна")
    assert late.exit_code == 2 and "месяц закрыт" in late.output


async def test_a_parked_house_is_told_and_the_draft_dropped(town: RunTown, commands: Commands) -> None:
    town.stock.unreadable.add("h2")
    drafted = await commands.run(billing, "draft", "2026-11", "--by", "Анна", "--json")
    assert drafted.exit_code == 1 and f'"period": {NOVEMBER}' in drafted.output and '"parked": 1' in drafted.output
    refused = await commands.run(billing, "checks", "1")
    assert refused.exit_code == 2 and "h2: нет площади" in refused.output
    assert await commands.text(billing, "drop", "1", "--by", "Анна") == "расчёт 1 отменён\n"
    gone = await commands.run(billing, "publish", "1")
    assert gone.exit_code == 2 and "dropped" in gone.output
    assert (await commands.run(billing, "show", "9")).exit_code == 2


async def test_an_error_is_answered_for(town: RunTown, commands: Commands) -> None:
    town.stock.prices["maintenance", OCTOBER] = -1_000_000
    await commands.text(billing, "draft", "2026-10", "--by", "Анна")
    checked = await commands.run(billing, "checks", "1")
    assert checked.exit_code == 1 and "ОШИБКА" in checked.output
    answered = await commands.run(billing, "checks", "1", "--acknowledge", "1", "--by", "Борис", "--why", "решение собрания")
    assert "Борис: решение собрания" in answered.output.replace("\n", " ") or "с ответом 1" in answered.output
    assert (await commands.run(billing, "checks", "1", "--acknowledge", "1")).exit_code == 2


@pytest.mark.parametrize("period", ["2026-13", "202611", "ноябрь"])
async def test_a_period_is_a_year_and_a_month(town: RunTown, commands: Commands, period: str) -> None:
    assert (await commands.run(billing, "draft", period, "--by", "Анна")).exit_code == 2
