"""``kopeck saldo`` as it is typed: balances of an account and a day, the check and its exit codes."""

from collections.abc import AsyncIterator

import pytest

from kopeck.commands.saldo import saldo
from services.postings.consumer import PostingsConsumer
from services.runner import catch_up
from tests.billing.saldo_town import NOVEMBER, ONE, SaldoTown, december, november, saldo_town
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SaldoTown]:
    """Both months of ``saldo_town``, the read models brought up."""
    async with saldo_town(ledger_database) as made:
        await november(made)
        await december(made)
        await catch_up(made.services, PostingsConsumer())
        yield made


@pytest.fixture
def commands(ledger_database: LedgerDatabase) -> Commands:
    return Commands(ledger_database)


async def test_balances_are_shown(town: SaldoTown, commands: Commands) -> None:
    shown = (await commands.text(saldo, "show", "uo:1", "--day", "2026-11-30")).replace("\u202f", " ")
    for words in ("heating", "11.2026", "210,00", "пени", "капитальный ремонт", "uo:1: долг 358,50 ₽, авансы и переплаты 0,00 ₽"):
        assert words in shown
    owed = await commands.json(saldo, "show", "uo:2", "--day", "2026-11-30")
    assert [(row["kind"], row["amount"]) for row in owed] == [(3, -2_000)]
    by_creditor = (await commands.text(saldo, "day", "2026-11-30", "--provider", "УО", "--level", "creditor")).replace(
        "\u202f", " "
    )
    for words in ("УО", "328,50", "20,00", "ФКР", "30,00"):
        assert words in by_creditor


async def test_what_cannot_be_told_is_said(town: SaldoTown, commands: Commands) -> None:
    for wrong, words in (
        (("show", "uo:9"), "лицевого счёта uo:9 нет"),
        (("show", "uo:1", "--day", "2026-02-30"), "ГГГГ-ММ-ДД"),
        (("day", "2026-11-30", "--provider", "нет"), "организации нет нет"),
        (("check", "ноябрь"), "ГГГГ-ММ"),
    ):
        refused = await commands.run(saldo, *wrong)
        assert refused.exit_code == 2 and words in refused.output


async def test_the_check_exits_1_when_a_kopeck_is_missing(town: SaldoTown, commands: Commands) -> None:
    told = await commands.text(saldo, "check", "2026-12")
    for words in (
        "лицевых счетов 2",
        "a) движение и остатки: сходится",
        "d) исходящее прошлого месяца и входящее этого: сходится",
    ):
        assert words in told
    assert (await commands.json(saldo, "check", "2026-11"))["disagreements"] == []
    await town.spoil("spoil_snapshot", NOVEMBER, ONE)
    wrong = await commands.run(saldo, "check", "2026-12")
    assert wrong.exit_code == 1
    assert "РАСХОЖДЕНИЙ" in wrong.output and "uo:1" in wrong.output and "разница" in wrong.output
