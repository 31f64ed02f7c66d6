"""A report on paper: landscape pages with numbers, totals carried from page to page, a chart of bars.

Texts go into the template as JSON, never as its code. Only the fonts embedded in typst are used, and no clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import typst

from services.billing.reports.model import Cell, Chart, Form, Report, ReportRefused, shown_columns, summed
from services.billing.reports.texts import cell_for_people

TEMPLATE = Path(__file__).with_name("report.typ")
ROWS_MAX = 20_000
A3_COLUMNS = 10
"""From here on a page of A4 is too narrow."""
MARGINS_MM = 20
SIZES_MM = {"a4": (297, 173), "a3": (420, 258)}
"""Width of the paper, and what its rows may take in height beside titles of columns and carried sums."""
LINE_MM, SECOND_LINE_MM = 3.75, 3.0
CHART_MM, TITLE_MM, NOTE_MM = 66, 9, 4
MONEY_MM, SIGN_MM = 23, 1.5
"""A column of money at least; a sign of text."""
SIGNS_MIN, NAME_SIGNS_MIN = 6, 20
BAR_HEIGHT = 1_000
_CUT = "…"


def report_pdf(report: Report, made_on: date) -> bytes:
    """Return the PDF of a report; ReportRefused for more rows than anybody prints."""
    if len(report.rows) > ROWS_MAX:
        raise ReportRefused(f"строк больше {ROWS_MAX}: столько не печатают, сузьте отчёт или запишите .xlsx")
    texts = msgspec.json.encode(_texts(report)).decode()
    return typst.compile(
        TEMPLATE,
        root=TEMPLATE.parent,
        format="pdf",
        sys_inputs={"report": texts},
        ignore_system_fonts=True,
        timestamp=datetime(made_on.year, made_on.month, made_on.day, tzinfo=UTC),
    )


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    """How a report lies on paper: its shown columns by place, and how many signs a line of a text cell holds."""

    paper: str
    places: list[int]
    signs: int


def _page_of(report: Report) -> _Page:
    places = shown_columns(report)
    paper = "a3" if len(places) > A3_COLUMNS else "a4"
    columns = [report.columns[place] for place in places]
    left = SIZES_MM[paper][0] - MARGINS_MM
    left -= sum([max(MONEY_MM, int(len(column.title) * SIGN_MM)) for column in columns if column.form is not Form.TEXT])
    texts = sum([column.form is Form.TEXT for column in columns])
    return _Page(paper=paper, places=places, signs=max(SIGNS_MIN, int(left / max(1, texts) / SIGN_MM)))


def _texts(report: Report) -> dict[str, Any]:
    page = _page_of(report)
    return {
        "title": report.title,
        "notes": list(report.notes),
        "paper": page.paper,
        "heads": [report.columns[place].title for place in page.places],
        "widths": [0 if report.columns[place].form is Form.TEXT else 1 for place in page.places],
        "pages": _pages(report, page),
        "chart": None if report.chart is None or not report.chart.labels else _chart(report.chart),
    }


def _pages(report: Report, page: _Page) -> list[dict[str, Any]]:
    """Rows page by page: each begins with what is carried over and ends with what is carried on, the last with the total."""
    places, pages = page.places, []
    carried = {place: 0 for place in places if report.columns[place].summed}
    chunks = list(_chunks(report, page))
    for number, chunk in enumerate(chunks, start=1):
        before = _carried(report, places, carried, "Перенесено") if number > 1 else []
        carried = {place: told + summed(chunk, place) for place, told in carried.items()}
        if number < len(chunks):
            after = _carried(report, places, carried, "К переносу")
        else:
            after = [_cell(report, place, report.totals[place], page.signs) for place in places] if report.totals else []
        rows = [[_cell(report, place, row[place], page.signs) for place in places] for row in chunk]
        pages.append({"before": before, "rows": rows, "after": after})
    return pages


def _chunks(report: Report, page: _Page) -> Iterator[list[tuple[Cell, ...]]]:
    """Rows that fit a page, by how many lines their texts take; at least one chunk, perhaps empty."""
    height: float = SIZES_MM[page.paper][1]
    left = height - TITLE_MM - NOTE_MM * len(report.notes) - (CHART_MM if report.chart is not None else 0)
    chunk: list[tuple[Cell, ...]] = []
    for row in report.rows:
        texts = [_cell(report, place, row[place], page.signs) for place in page.places if isinstance(row[place], str)]
        needs = LINE_MM + SECOND_LINE_MM * max([0, *((len(text) - 1) // page.signs for text in texts)])
        if needs > left and chunk:
            yield chunk
            chunk, left = [], height
        chunk.append(row)
        left -= needs
    yield chunk


def _carried(report: Report, places: Sequence[int], carried: Mapping[int, int], words: str) -> list[str]:
    if not report.totals:
        return []
    sums = [cell_for_people(carried[place], report.columns[place].form) if place in carried else "" for place in places]
    return [words, *sums[1:]]


def _cell(report: Report, place: int, cell: Cell, signs: int) -> str:
    """A cell's text: what would take more than two lines, three in a narrow column, ends with «…»."""
    text = cell_for_people(cell, report.columns[place].form)
    if report.columns[place].form is not Form.TEXT:
        return text
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    most = max(signs + signs // 2, NAME_SIGNS_MIN)
    return line if len(line) <= most else line[: most - 1].rstrip() + _CUT


def _chart(chart: Chart) -> dict[str, Any]:
    highest = max([1, *(value for series in chart.series for value in series.values)])
    return {
        "title": chart.title,
        "legend": [series.title for series in chart.series],
        "groups": [
            {
                "label": label,
                "bars": [
                    {
                        "words": cell_for_people(series.values[place], Form.MONEY).partition(",")[0],
                        "height": max(series.values[place], 0) * BAR_HEIGHT // highest,
                    }
                    for series in chart.series
                ],
            }
            for place, label in enumerate(chart.labels)
        ],
    }
