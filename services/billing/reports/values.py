"""A report as a file of values: ``;`` between cells, UTF-8, with a byte-order mark where a spreadsheet needs it to see that."""

import csv
import io

from services.billing.reports.model import Report
from services.billing.reports.texts import cell_for_values


def report_csv(report: Report, *, with_mark: bool = True) -> bytes:
    """Return the header, the rows and the total row; a text that a spreadsheet would run gets an apostrophe in front."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow([column.title for column in report.columns])
    forms = [column.form for column in report.columns]
    for row in (*report.rows, *([report.totals] if report.totals else [])):
        writer.writerow([cell_for_values(cell, form) for cell, form in zip(row, forms, strict=True)])
    return text.getvalue().encode("utf-8-sig" if with_mark else "utf-8")
