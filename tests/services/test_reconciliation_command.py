"""``kopeck reconcile`` as it is typed: tables, JSON, exit codes, two signatures."""

from collections.abc import AsyncIterator

import pytest

from kopeck.commands.day import day
from kopeck.commands.reconcile import reconcile
from services.reconciliation.core import reasons
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands
from tests.services.reconciliation_town import DAY, NEXT_DAY, BankTown, Line, bank_town
from tests.services.settlement_town import TRANSIT_ACCOUNT


@pytest.fixture
async def bank(ledger_database: LedgerDatabase) -> AsyncIterator[BankTown]:
    async with bank_town(ledger_database) as town:
        yield town


@pytest.fixture
def commands(ledger_database: LedgerDatabase) -> Commands:
    return Commands(ledger_database)


async def test_a_day_from_the_morning_to_its_protocol(bank: BankTown, commands: Commands) -> None:
    await bank.town.pay(("heating", 100_00))
    await bank.put_statement([Line(bank_id="a", amount=60_00), Line(bank_id="b", amount=7_00, line_class=None)])
    await bank.book_cover("a", 60_00)
    await bank.cut()
    shown = await commands.run(reconcile, str(DAY))
    assert shown.exit_code == 1
    for words in ("НЕ СОШЛОСЬ", "line:2", reasons.NOT_CLASSIFIED, "ОБЕЩАНО", "40,00", "не сошлось и не объяснено: 1"):
        assert words in shown.output
    refused = await commands.run(reconcile, "close", str(DAY), "--by", "Анна")
    assert refused.exit_code == 2 and "line:2" in refused.output
    said = await commands.text(reconcile, "explain", str(DAY), "line:2", "--text", "запрошено у банка", "--by", "Анна")
    assert said == "объяснено: line:2\n"
    assert "День чист" in (await commands.run(reconcile, str(DAY))).output
    assert "второго лица" in await commands.text(reconcile, "close", str(DAY), "--by", "Анна")
    again = await commands.run(reconcile, "close", str(DAY), "--by", "анна")
    assert again.exit_code == 2 and "второе лицо" in again.output
    assert "закрыто" in await commands.text(reconcile, "close", str(DAY), "--by", "Борис")
    document = await commands.text(reconcile, "protocol", str(DAY))
    for words in ("ПРОТОКОЛ СВЕРКИ", "запрошено у банка — Анна", "Подписал анна", "Подписал борис", "SHA-256", "Тождество"):
        assert words in document
    closed = await commands.run(reconcile, str(DAY), "--transit", TRANSIT_ACCOUNT)
    assert closed.exit_code == 0 and document.strip() in closed.output


async def test_json_tells_the_report_and_the_protocol(bank: BankTown, commands: Commands) -> None:
    await bank.put_statement([])
    await bank.cut()
    (row,) = await commands.json(reconcile, str(DAY))
    assert (row["report"]["state"], row["closed_by"], row["faults"]) == ("cut", None, [])
    signed = await commands.json(reconcile, "close", str(DAY), "--by", "Анна")
    assert signed["closed"] is False and len(signed["sha256"]) == 64
    told = await commands.json(reconcile, "protocol", str(DAY))
    assert told["content"] == signed["content"] and told["signatures"][0]["person"] == "анна"
    (waiting,) = await commands.json(reconcile, "waiting")
    assert waiting["unreconciled_days"] == 1
    await commands.text(reconcile, "close", str(DAY), "--by", "Борис")
    (shown,) = await commands.json(day, "show")
    assert [(one["day"], one["reconciled"]) for one in shown["closed"]] == [(str(DAY), True)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((str(NEXT_DAY),), "операционного дня"),
        ((str(NEXT_DAY), "--transit", TRANSIT_ACCOUNT), "не операционный день"),
        ((str(DAY), "--transit", "1"), "не транзитный счёт"),
        (("protocol", str(DAY)), "протокола нет"),
        (("explain", str(DAY), "line:9", "--text", "что-то", "--by", "Анна"), "среди несошедшегося"),
        (("close", str(DAY), "--by", " "), "имя"),
        (("month", "2026-11", "--close"), "--close needs --by"),
        (("month", "2026-11", "--close", "--by", "Анна"), "месяц не кончился"),
        (("yesterday",), "does not match the format"),
    ],
)
async def test_what_cannot_be_done_is_said_with_exit_code_2(
    bank: BankTown, commands: Commands, arguments: tuple[str, ...], told: str
) -> None:
    result = await commands.run(reconcile, *arguments)
    assert result.exit_code == 2 and told in result.output and "Traceback" not in result.output


async def test_a_month_is_checked_and_its_protocol_shown(bank: BankTown, commands: Commands) -> None:
    result = await commands.run(reconcile, "month", "2026-11")
    assert result.exit_code == 1 and "актов комиссии в системе ещё нет" in result.output
    await bank.put_statement([])
    await bank.cut(DAY, DAY.replace(month=12))
    await bank.close()
    for name in ("Анна", "Борис"):
        await commands.text(reconcile, "month", "2026-11", "--close", "--by", name)
    document = await commands.text(reconcile, "month", "2026-11", "--protocol")
    assert "ПРОТОКОЛ ЗАКРЫТИЯ МЕСЯЦА" in document and "акты составлены: НЕ ПРОВЕРЕНО" in document


async def test_a_statement_may_be_required(bank: BankTown, commands: Commands) -> None:
    await bank.cut()
    assert (await commands.run(reconcile, str(DAY))).exit_code == 0
    await commands.text(reconcile, "statement", TRANSIT_ACCOUNT, "--required", "--by", "Анна")
    result = await commands.run(reconcile, str(DAY))
    assert result.exit_code == 1 and reasons.NO_STATEMENT in result.output


async def test_tampering_with_a_closed_day_is_told_with_exit_code_1(bank: BankTown, commands: Commands) -> None:
    await bank.town.pay(("heating", 100))
    await bank.put_statement([])
    await bank.cut()
    await bank.close()
    await bank.tamper(1, 1)
    result = await commands.run(reconcile, str(DAY))
    assert result.exit_code == 1 and "книги закрытого дня изменены" in result.output
