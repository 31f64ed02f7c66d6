"""Calendar months: a period ``yyyymm`` as a number that can be counted with, and its days. Pure."""

from calendar import monthrange
from datetime import date

MONTHS = 12


def month_number(period: int) -> int:
    """Return the months from year 0 to the period: neighbours differ by one."""
    return period // 100 * MONTHS + period % 100 - 1


def period_of(number: int) -> int:
    """Return the period of a month's number."""
    return number // MONTHS * 100 + number % MONTHS + 1


def month_of_day(day: date) -> int:
    """Return the number of the month that the day lies in."""
    return day.year * MONTHS + day.month - 1


def days_of(number: int) -> tuple[date, date]:
    """Return the first and the last day of the month of that number."""
    year, month = number // MONTHS, number % MONTHS + 1
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])
