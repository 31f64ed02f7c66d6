"""Runs of penalties for people's eyes (``kopeck penalties``)."""

from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

from kopeck.billing_shown import STATES
from kopeck.documents_shown import period_text
from schemas.allocation import Pool
from schemas.money import roubles_for_people
from services.billing.penalties.keeping import BillShown, PenaltyChecks, PenaltyRun
from services.billing.penalties.publishing import PenaltyReport

POOLS = {Pool.MAIN: "жильё и услуги", Pool.CAPITAL_REPAIR: "капитальный ремонт"}


def print_penalty_run(run: PenaltyRun) -> None:
    """Print a run in two lines."""
    approved = f", утвердил {run.approved_by}" if run.approved_by else ""
    unfinished = "" if run.is_complete or run.state == "dropped" else ", не досчитан"
    head = f"Пени {run.run}: за {period_text(run.period)} на {run.as_of:%d.%m.%Y}, {run.code}; {STATES[run.state]}{unfinished}"
    click.echo(f"{head}; считал {run.made_by}{approved}")
    lowered = f", из них снижено {roubles_for_people(-run.lowered)}" if run.lowered else ""
    waived = f", списано {roubles_for_people(run.waived)} ₽" if run.waived else ""
    excluded = f", не начислено по {run.excluded}" if run.excluded else ""
    sums = f"начислено {roubles_for_people(run.change)} ₽{lowered}{waived}"
    click.echo(f"лицевых счетов {run.accounts}, долгов {run.bills}{excluded}; {sums}")


def print_penalty_checks(out: Console, checks: PenaltyChecks) -> None:
    """Print what a run charges by creditor, and why bills are left alone."""
    print_penalty_run(checks.run)
    totals = Table("кому", "что")
    for title in ("счетов", "долгов", "начислено, ₽", "снижено, ₽", "не начислено по"):
        totals.add_column(title, justify="right", no_wrap=True)
    for one in checks.totals:
        sums = roubles_for_people(one.change), roubles_for_people(one.lowered)
        totals.add_row(one.creditor, POOLS[Pool(one.pool)], str(one.accounts), str(one.bills), *sums, str(one.excluded))
    out.print(totals)
    for reason, bills in checks.reasons:
        out.print(f"не начислено по {bills} долгам: {reason}")


def print_penalty_report(report: PenaltyReport) -> None:
    """Print how a publication ended; what was parked goes to standard error."""
    for one in report.parked:
        click.echo(f"{one.account}: {one.reason}", err=True)
    waiting = f", ждут таблицы {report.waiting}" if report.waiting else ""
    click.echo(
        f"пени {report.run}: {STATES[report.state]}; документов {report.published}{waiting}, отложено {report.parked_count}; "
        f"начислено {roubles_for_people(report.charged_kopecks)} ₽"
    )


def print_bills(out: Console, bills: Sequence[BillShown]) -> None:
    """Print one account's bills, each with the rows that its penalty follows from."""
    for bill in bills:
        head = (
            f"{bill.creditor}, {POOLS[Pool(bill.pool)]}, {period_text(bill.bill_period)}: долг {roubles_for_people(bill.debt)} ₽"
        )
        sums = f"пени {roubles_for_people(bill.penalty)}, раньше {roubles_for_people(bill.before)}"
        out.print(f"{head}, срок {bill.due_on:%d.%m.%Y}; {sums}, начислено {roubles_for_people(bill.change)} ₽")
        if bill.excluded:
            out.print(f"не начислено: {bill.excluded}")
        if bill.parts:
            detail = Table("часть долга, ₽", "с", "по", "дней", "ставка, %", "доля", "", "пени, ₽")
            for debt, since, until, days, rate, divisor, is_paid, amount in bill.parts:
                percent = f"{rate // 10_000},{rate % 10_000:04d}".rstrip("0").rstrip(",")
                when = f"{since:%d.%m.%Y}", f"{until:%d.%m.%Y}", str(days), percent, f"1/{divisor}"
                paid = "оплачено" if is_paid else "не оплачено"
                detail.add_row(roubles_for_people(debt), *when, paid, roubles_for_people(amount))
            out.print(detail)
