"""A report before it is written anywhere: titles, typed columns, rows, totals, a chart."""

from collections.abc import Sequence
from datetime import date
from enum import Enum
from typing import TypeAlias

import msgspec

Cell: TypeAlias = str | int | date | None
"""Text; kopecks, a number or hundredths of a percent, by the column's form; a day; nothing."""

PERCENT = 100_00


class Form(Enum):
    """What a column's cells are."""

    TEXT = "text"
    MONEY = "money"
    COUNT = "count"
    PERCENT = "percent"
    """Hundredths of a percent: 9 750 is 97,50 %."""
    DAY = "day"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column. ``summed``: the last row holds its total; ``hides``: left out of pages and screens where all is nought."""

    title: str
    form: Form = Form.TEXT
    summed: bool = False
    hides: bool = False


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Kopecks by label of a chart."""

    title: str
    values: tuple[int, ...]


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """Bars that stand side by side for each label."""

    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report; ``totals`` is parallel to ``columns`` and empty for a report without a total row."""

    title: str
    notes: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    totals: tuple[Cell, ...] = ()
    chart: Chart | None = None


class ReportRefused(ValueError):
    """The report cannot be made or written as asked; the message is Russian and says why."""


def money(title: str, *, hides: bool = False) -> Column:
    """A column of kopecks with a total."""
    return Column(title=title, form=Form.MONEY, summed=True, hides=hides)


def totals_of(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], first: str = "Итого") -> tuple[Cell, ...]:
    """Return the total row: sums where a column has one, ``first`` in the first cell."""
    sums: list[Cell] = [summed(rows, place) if column.summed else None for place, column in enumerate(columns)]
    return (first, *sums[1:])


def summed(rows: Sequence[Sequence[Cell]], place: int) -> int:
    """Return the sum of one column."""
    return sum([cell for cell in (row[place] for row in rows) if isinstance(cell, int)])


def share(part: int, whole: int) -> int | None:
    """Return a share in hundredths of a percent, rounded half up; None of nothing."""
    return None if whole <= 0 else (2 * part * PERCENT + whole) // (2 * whole)


def shown_columns(report: Report) -> list[int]:
    """Return the places of the columns that a page or a screen shows: not those that hide and are nought throughout."""
    return [
        place
        for place, column in enumerate(report.columns)
        if not column.hides or any(row[place] for row in (*report.rows, report.totals or (0,) * len(report.columns)))
    ]
