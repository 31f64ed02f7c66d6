"""Runs, checks and lines of billing for people's eyes (``kopeck billing``)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from schemas.money import roubles_for_people
from services.billing.runs.checking import CheckReport
from services.billing.runs.keeping import Run
from services.billing.runs.publishing import PublishReport
from services.billing.runs.showing import AccountShown, HouseShown, quantity

STATES = {
    "draft": "черновик",
    "checked": "проверен",
    "approved": "утверждён",
    "publishing": "публикуется",
    "published": "опубликован",
    "closed": "закрыт",
    "dropped": "отменён",
}
HOUSE_STATES = {"waiting": "ждёт", "done": "посчитан", "parked": "отложен"}
SEVERITIES = {"error": "ОШИБКА", "warning": "предупреждение", "note": "к сведению"}


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal; what it gives is told how many more are done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.advance(task, done)


def run_row(run: Run) -> Mapping[str, Any]:
    """A run as the commands' JSON shows it."""
    return {**msgspec.structs.asdict(run), "digest": run.digest.hex() if run.digest else None}


def print_run(out: Console, run: Run, houses: Sequence[HouseShown]) -> None:
    """Print a run in a few lines, and its houses, those with trouble first."""
    kind = "месяц" if run.kind == "month" else "перерасчёт"
    approved = f", утвердил {run.approved_by}" if run.approved_by else ""
    out.print(f"Расчёт {run.run}: {kind} {_period(run.period)}, {run.code}; {STATES[run.state]}; считал {run.made_by}{approved}")
    todo = f", ждут {run.waiting}" if run.waiting else ""
    parked = f", отложено {run.parked}" if run.parked else ""
    sums = f"лицевых счетов {run.accounts}, строк {run.lines}, начислено {roubles_for_people(run.amount)} ₽"
    out.print(f"домов {run.houses}{todo}{parked}; {sums}")
    if run.digest:
        out.print(f"SHA-256 исходных данных {run.digest.hex()}")
    if houses:
        shown = Table("дом", "состояние", "причина")
        for title in ("счетов", "строк", "начислено, ₽"):
            shown.add_column(title, justify="right", no_wrap=True)
        for house in houses:
            sums_of = (str(house.accounts), str(house.lines), roubles_for_people(house.amount))
            shown.add_row(house.house, HOUSE_STATES[house.state], house.reason, *sums_of)
        out.print(shown)


def print_checks(out: Console, report: CheckReport) -> None:
    """Print control totals beside last month's, then what was found, gravest first."""
    totals = Table("получатель", "услуга")
    for title in ("счетов", "строк", "начислено, ₽", "месяц назад, ₽"):
        totals.add_column(title, justify="right", no_wrap=True)
    for total in report.totals:
        sums = (roubles_for_people(total.amount_kopecks), roubles_for_people(total.previous_kopecks))
        totals.add_row(total.recipient, total.service, str(total.accounts), str(total.lines), *sums)
    out.print(totals)
    if report.findings:
        found = Table("№", "", "дом", "счёт", "услуга", "что найдено", "ответ")
        for one in report.findings:
            answer = f"{one.acknowledged_by}: {one.why}" if one.acknowledged_by else ""
            found.add_row(str(one.finding), SEVERITIES[one.severity], one.house, one.account, one.service, one.message, answer)
        out.print(found)
    for kind in report.kinds:
        out.print(f"{SEVERITIES[kind.severity]} {kind.name}: {kind.found}, с ответом {kind.acknowledged}")
    out.print(f"Расчёт {report.run}: {STATES[report.state]}")


def print_published(report: PublishReport) -> None:
    """Print how a publication ended; what was parked goes to standard error."""
    for one in report.parked:
        click.echo(f"{one.account}: {one.reason}", err=True)
    click.echo(
        f"расчёт {report.run}: {STATES[report.state]}; опубликовано счетов {report.published}, без изменений {report.unchanged}, "
        f"отложено {report.parked_count}"
    )


def print_account(out: Console, shown: AccountShown) -> None:
    """Print one account's lines, each with its explanation, and its document."""
    lines = Table("услуга", "получатель", "строка")
    for title in ("объём", "цена, ₽", "сумма, ₽"):
        lines.add_column(title, justify="right", no_wrap=True)
    lines.add_column("как получилось")
    for line in shown.lines:
        kind = f"{line.kind} за {_period(line.of_period)}" if line.of_period else line.kind
        price = quantity(line.price) if line.price else ""
        volume = f"{quantity(line.volume)} {line.unit}" if line.volume else ""
        sums = (volume, price, roubles_for_people(line.amount_kopecks))
        lines.add_row(line.title, line.recipient, kind, *sums, line.explanation)
    out.print(lines)
    document = shown.document
    if document is None:
        return
    if document.number is None or document.main is None:
        out.print(f"документа нет: {document.reason or 'ничего не изменилось'}")
        return
    out.print(f"Платёжный документ {document.number} за {_period(document.period)}, оплатить до {document.due_on:%d.%m.%Y}")
    out.print(
        f"жильё и услуги: начислено {roubles_for_people(document.charged_main)}, к оплате {roubles_for_people(document.main)} ₽"
    )
    if document.capital_repair is not None:
        repair = (roubles_for_people(document.charged_repair), roubles_for_people(document.capital_repair))
        out.print(f"капитальный ремонт: начислено {repair[0]}, к оплате {repair[1]} ₽")
    if document.reason:
        out.print(f"отложен: {document.reason}")


def _period(period: int) -> str:
    return f"{period % 100:02d}.{period // 100}"
