"""Reports of billing on a screen and into files (``kopeck reports``)."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.billing.reports.model import Form, Report, ReportRefused, shown_columns
from services.billing.reports.pages import report_pdf
from services.billing.reports.texts import cell_for_people
from services.billing.reports.values import report_csv
from services.billing.reports.workbook import report_xlsx

SHOWN_ROWS_MAX = 200


def print_report(out: Console, report: Report) -> None:
    """Print a report; of a long one its first rows and the totals."""
    places = shown_columns(report)
    shown = Table(title=report.title, caption="; ".join(report.notes) or None, title_justify="left", caption_justify="left")
    for place in places:
        column = report.columns[place]
        is_text = column.form is Form.TEXT
        shown.add_column(column.title, justify="left" if is_text else "right", no_wrap=not is_text)
    for row in report.rows[:SHOWN_ROWS_MAX]:
        shown.add_row(*[cell_for_people(row[place], report.columns[place].form) for place in places])
    if report.totals:
        shown.add_section()
        shown.add_row(*[cell_for_people(report.totals[place], report.columns[place].form) for place in places])
    out.print(shown)
    if len(report.rows) > SHOWN_ROWS_MAX:
        out.print(f"показано {SHOWN_ROWS_MAX} строк из {len(report.rows)}: запишите отчёт в файл (--out)")


def write_report(report: Report, path: Path, made_on: date, *, with_mark: bool) -> None:
    """Write a report in the form that the file's name ends with; another ending is ReportRefused."""
    writers: Mapping[str, Callable[[], bytes]] = {
        ".xlsx": lambda: report_xlsx(report),
        ".csv": lambda: report_csv(report, with_mark=with_mark),
        ".pdf": lambda: report_pdf(report, made_on),
    }
    write = writers.get(path.suffix.lower())
    if write is None:
        raise ReportRefused(f"{path.name}: имя файла должно кончаться на .xlsx, .csv или .pdf")
    content = write()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ReportRefused(f"{path}: файл не записан: {error.strerror}") from error
