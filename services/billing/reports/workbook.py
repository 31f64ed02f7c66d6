"""A report as an XLSX workbook: typed cells, totals as formulas, a frozen header, print set-up, a native chart."""

import io
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name

from schemas.money import KOPECKS_PER_ROUBLE
from services.billing.reports.model import PERCENT, Cell, Chart, Column, Form, Report, ReportRefused

ROWS_MAX = 1_000_000
"""A sheet holds 1 048 576 rows."""
CHART_LABELS_MAX = 24
PAPER_A4 = 9
WIDTHS = {Form.TEXT: 26, Form.MONEY: 16, Form.COUNT: 10, Form.PERCENT: 12, Form.DAY: 12}
"""Characters."""
NUMBERS = {Form.MONEY: "#,##0.00", Form.COUNT: "#,##0", Form.PERCENT: "0.00%", Form.DAY: "dd.mm.yyyy"}


def report_xlsx(report: Report) -> bytes:
    """Return the workbook; ReportRefused for more rows than a sheet holds."""
    if len(report.rows) > ROWS_MAX:
        raise ReportRefused(f"строк больше {ROWS_MAX}: в лист книги столько не входит, сузьте отчёт или запишите .csv")
    out = io.BytesIO()
    # A text is never taken for a formula, a link or a number, whatever it looks like.
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        _Sheet(book, report).write()
    return out.getvalue()


class _Sheet:
    """The sheet of one report."""

    def __init__(self, book: Any, report: Report) -> None:
        self._report = report
        self._book = book
        self._sheet = book.add_worksheet("Отчёт")
        self._formats = {form: book.add_format({"num_format": NUMBERS.get(form, "@")}) for form in Form}
        self._totals = {form: book.add_format({"num_format": NUMBERS.get(form, "@"), "bold": True, "top": 1}) for form in Form}
        self._head = len(report.notes) + 2
        """The row of the column titles."""

    def write(self) -> None:
        report, sheet = self._report, self._sheet
        sheet.write_string(0, 0, report.title, self._book.add_format({"bold": True, "font_size": 14}))
        for place, note in enumerate(report.notes, start=1):
            sheet.write_string(place, 0, note)
        titled = self._book.add_format({"bold": True, "text_wrap": True, "valign": "vcenter", "bottom": 1, "bg_color": "#EDEDED"})
        for place, column in enumerate(report.columns):
            sheet.write_string(self._head, place, column.title, titled)
            sheet.set_column(place, place, WIDTHS[column.form])
        for number, row in enumerate(report.rows, start=self._head + 1):
            for place, (cell, column) in enumerate(zip(row, report.columns, strict=True)):
                self._cell((number, place), cell, column, self._formats)
        last = self._head + len(report.rows)
        if report.totals:
            self._total_row(last + 1)
        self._print_set_up(last)
        if report.chart is not None:
            self._chart(report.chart, last + 4)

    def _cell(self, at: tuple[int, int], cell: Cell, column: Column, formats: dict[Form, Any]) -> None:
        form = formats[column.form]
        if cell is None:
            self._sheet.write_blank(*at, None, form)
        elif isinstance(cell, str):
            self._sheet.write_string(*at, cell, form)
        elif not isinstance(cell, int):
            self._sheet.write_datetime(*at, cell, form)
        else:
            self._sheet.write_number(*at, _number(cell, column.form), form)

    def _total_row(self, row: int) -> None:
        first, last = self._head + 2, self._head + 1 + len(self._report.rows)
        for place, (cell, column) in enumerate(zip(self._report.totals, self._report.columns, strict=True)):
            if column.summed and self._report.rows and isinstance(cell, int):
                name = xl_col_to_name(place)
                value = _number(cell, column.form)
                formula = f"=SUBTOTAL(109,{name}{first}:{name}{last})"
                self._sheet.write_formula(row, place, formula, self._totals[column.form], value)
            else:
                self._cell((row, place), cell, column, self._totals)

    def _print_set_up(self, last: int) -> None:
        sheet, columns = self._sheet, len(self._report.columns)
        sheet.freeze_panes(self._head + 1, 1)
        sheet.autofilter(self._head, 0, max(last, self._head), columns - 1)
        sheet.set_landscape()
        sheet.set_paper(PAPER_A4)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(self._head)
        sheet.set_footer("&L&A&RСтраница &P из &N")
        sheet.print_area(0, 0, last + (1 if self._report.totals else 0), columns - 1)

    def _chart(self, chart: Chart, row: int) -> None:
        """Its numbers stand on a sheet of their own: the report may show them otherwise or not at all."""
        data = self._book.add_worksheet("Диаграмма")
        drawn = self._book.add_chart({"type": "column"})
        count = min(len(chart.labels), CHART_LABELS_MAX)
        for place, label in enumerate(chart.labels[:count], start=1):
            data.write_string(place, 0, label)
        for column, series in enumerate(chart.series, start=1):
            data.write_string(0, column, series.title)
            for place, value in enumerate(series.values[:count], start=1):
                data.write_number(place, column, _number(value, Form.MONEY), self._formats[Form.MONEY])
            drawn.add_series(
                {
                    "name": ["Диаграмма", 0, column],
                    "categories": ["Диаграмма", 1, 0, count, 0],
                    "values": ["Диаграмма", 1, column, count, column],
                }
            )
        data.set_column(0, len(chart.series), WIDTHS[Form.MONEY])
        drawn.set_title({"name": chart.title})
        drawn.set_y_axis({"num_format": "#,##0", "name": "₽"})
        drawn.set_size({"width": 900, "height": 360})
        self._sheet.insert_chart(row, 0, drawn)


def _number(cell: int, form: Form) -> float:
    """A spreadsheet has binary numbers only: the one that shows the same two decimals (kopecks_from_number reads it back)."""
    if form is Form.MONEY:
        return cell / KOPECKS_PER_ROUBLE
    return cell / PERCENT if form is Form.PERCENT else cell
