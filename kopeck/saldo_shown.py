"""Balances and their check for people's eyes (``kopeck saldo``)."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from schemas.money import roubles_for_people
from services.billing.saldo.checking import SHOWN_MAX, SaldoCheck
from services.billing.saldo.sheet import Level, Owed, SheetRow

KINDS = {0: "", 1: "пени", 2: "судебные расходы", 3: "аванс"}
LETTERS = {
    "a": "движение и остатки",
    "b": "ведомость и счета получателей в журнале и витринах",
    "c": "сальдо, таблицы распределения и документы",
    "d": "исходящее прошлого месяца и входящее этого",
}


def print_owed(out: Console, account: str, rows: Sequence[Owed]) -> None:
    """Print what an account owes, and the sum of debts and advances."""
    shown = Table("кредитор", "получатель", "услуга", "", "месяц")
    shown.add_column("долг, ₽", justify="right", no_wrap=True)
    for row in rows:
        what = KINDS[row.kind] or ("капитальный ремонт" if row.pool == 1 else "")
        month = f"{row.period % 100:02d}.{row.period // 100}" if row.period else ""
        shown.add_row(row.creditor, row.recipient, row.service, what, month, roubles_for_people(row.amount))
    out.print(shown)
    debt = roubles_for_people(sum([max(row.amount, 0) for row in rows]))
    advance = roubles_for_people(sum([max(-row.amount, 0) for row in rows]))
    out.print(f"{account}: долг {debt} ₽, авансы и переплаты {advance} ₽")


def print_day(out: Console, level: Level, rows: Sequence[SheetRow]) -> None:
    """Print debts and advances at a level."""
    shown = Table(level.value)
    for title in ("долг, ₽", "авансы и переплаты, ₽"):
        shown.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(row_name(level, row), roubles_for_people(row.closing_debt), roubles_for_people(row.closing_advance))
    out.print(shown)


def print_check(out: Console, report: SaldoCheck) -> None:
    """Print what was held against what, what the ledger has apart, and every disagreement."""
    out.print(f"Сальдо за {report.period % 100:02d}.{report.period // 100}: лицевых счетов {report.accounts}")
    out.print(f"таблиц сверено {report.tables} (ждут построения {report.due}), документов {report.documents}")
    if report.behind:
        out.print(f"витрины отстают от журнала на {report.behind} проводок: сверено до их места")
    if report.apart:
        shown = Table("получатель/услуга", "в журнале, но не в оплате этого месяца")
        shown.add_column("сумма, ₽", justify="right", no_wrap=True)
        for one in report.apart:
            shown.add_row(one.payee, one.what, roubles_for_people(one.amount))
        out.print(shown)
    out.print(f"невыясненные платежи за банковские дни месяца: {roubles_for_people(report.suspended)} ₽")
    for letter, words in LETTERS.items():
        wrong = [one for one in report.disagreements if one.letter == letter]
        out.print(f"{letter}) {words}: {'сходится' if not wrong else f'РАСХОЖДЕНИЙ {len(wrong)}'}")
        for disagreement in wrong[:SHOWN_MAX]:
            out.print(f"   {disagreement}")


def row_name(level: Level, row: SheetRow) -> str:
    """The name of a sheet's row at its level, as people read it."""
    if level is Level.SERVICE:
        kind = f" ({KINDS[row.kind]})" if KINDS.get(row.kind) else ""
        return f"{row.creditor}: {row.recipient}/{row.service}{kind}"
    names = {Level.TOTAL: "всего", Level.CREDITOR: row.creditor, Level.HOUSE: row.house or "без дома", Level.ACCOUNT: row.account}
    return names[level]
