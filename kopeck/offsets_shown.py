"""Offsets of advances and the obligations report for people's eyes (``kopeck billing offsets``)."""

import csv
from collections.abc import Iterable
from typing import TextIO

import msgspec
from rich.console import Console
from rich.table import Table

from schemas.money import roubles_for_people
from services.billing.offsets.running import OffsetReport
from services.settlement.obligations import Obligation

SHOWN_FAILURES_MAX = 20
SUMS = ("offset_kopecks", "handed_kopecks", "owed_kopecks", "waiting_kopecks", "outside_kopecks")
COLUMNS = ("creditor", "holder", "recipient", "recipient_name", "service", "accounts", *SUMS)
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def print_offsets(out: Console, report: OffsetReport) -> None:
    """Print what was or would be offset, from whose advance to whose lines."""
    done = "Зачтено" if report.booked else "Можно зачесть"
    out.print(f"{done} {roubles_for_people(report.amount_kopecks)} ₽: лицевых счетов {report.accounts}, записей {report.entries}")
    out.print(f"Лицевых счетов с авансом {report.holders}")
    if report.flows:
        shown = Table("аванс", "получатель", "услуга", title="Чей аванс на чьи строки")
        for title in ("счетов", "сумма, ₽"):
            shown.add_column(title, justify="right", no_wrap=True)
        for flow in report.flows:
            sums = (str(flow.accounts), roubles_for_people(flow.amount_kopecks))
            shown.add_row(f"{flow.holder}, {flow.advance}", flow.recipient, flow.service, *sums)
        out.print(shown)
    for failed in report.failed[:SHOWN_FAILURES_MAX]:
        out.print(f"Не зачтено, счёт {failed.account}: {failed.reason}")
    if len(report.failed) > SHOWN_FAILURES_MAX:
        out.print(f"и ещё {len(report.failed) - SHOWN_FAILURES_MAX}")


def print_obligations(out: Console, found: Iterable[Obligation]) -> None:
    """Print the obligations report, a recipient and service a row, with the sum each holder owes."""
    rows = list(found)
    if not rows:
        out.print("Обязательств перед другими получателями нет.")
        return
    shown = Table("исполнитель", "держит аванс", "получатель", "услуга", title="Обязательства по зачтённым авансам")
    for title in ("счетов", "зачтено, ₽", "передано", "должен", "ждёт", "вне учёта"):
        shown.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        sums = [roubles_for_people(getattr(row, name)) for name in SUMS]
        shown.add_row(row.creditor, row.holder, row.recipient_name, row.service, str(row.accounts), *sums)
    out.print(shown)
    for holder in sorted({row.holder for row in rows}):
        owed = sum(row.owed_kopecks for row in rows if row.holder == holder)
        out.print(f"{holder} должен {roubles_for_people(owed)} ₽")


def write_obligations(file: TextIO, found: Iterable[Obligation]) -> None:
    """Write the report as CSV, amounts in kopecks, the last row the totals; a text that would be a formula gets an apostrophe."""
    rows = [msgspec.structs.asdict(one) for one in found]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    writer.writerow(["total", *[""] * 5, *(sum(row[name] for row in rows) for name in SUMS)])


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
