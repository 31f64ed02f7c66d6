"""Cells of reports as Russian people and their spreadsheets read them."""

from datetime import date

from schemas.money import roubles_for_people, roubles_from_kopecks
from services.billing.reports.model import Cell, Form

_MONTHS = ["январь", "февраль", "март", "апрель", "май", "июнь", "июль", "август", "сентябрь", "октябрь", "ноябрь", "декабрь"]
_RUN_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that a spreadsheet would run."""


def month_words(period: int) -> str:
    """Write a period ``yyyymm`` as ``октябрь 2026 г.``."""
    return f"{_MONTHS[period % 100 - 1]} {period // 100}\u00a0г."


def month_short(period: int) -> str:
    """Write a period as ``10.2026``."""
    return f"{period % 100:02d}.{period // 100}"


def cell_for_people(cell: Cell, form: Form) -> str:
    """Write a cell as a page or a screen shows it."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, date):
        return f"{cell:%d.%m.%Y}"
    if form is Form.MONEY:
        return roubles_for_people(cell)
    return f"{_hundredths(cell)} %" if form is Form.PERCENT else str(cell)


def cell_for_values(cell: Cell, form: Form) -> str:
    """Write a cell for a file of values that a Russian spreadsheet opens: a comma before decimals, no spaces, ISO days."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_RUN_AS_FORMULA) else cell
    if isinstance(cell, date):
        return cell.isoformat()
    if form is Form.MONEY:
        return roubles_from_kopecks(cell).replace(".", ",")
    return _hundredths(cell) if form is Form.PERCENT else str(cell)


def _hundredths(number: int) -> str:
    sign = "-" if number < 0 else ""
    return f"{sign}{abs(number) // 100},{abs(number) % 100:02d}"
