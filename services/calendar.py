"""Production calendar of Russia (ст. 112 ТК РФ): which days are working days of banks and offices, and terms counted in them.

Holidays and yearly transfers come from the ``holidays`` package; TRANSFERS repeats what the Government's acts say of each year,
so that a version of the package that does not know a year, or its working Saturdays, changes nothing. Where both speak, TRANSFERS
wins. A year without a row rests on the package alone: ``is_covered`` says so.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from types import MappingProxyType

import holidays
import msgspec

SATURDAY = 5


class YearTransfers(msgspec.Struct, frozen=True, kw_only=True):
    """What differs in a year from weekends and the holidays of ст. 112: working Saturdays, and days off moved there.

    Days on which a holiday's day off falls by ст. 112 ч. 2 itself are listed too. ``source``: the act, and how far it was read.
    """

    year: int
    working: tuple[date, ...]
    days_off: tuple[date, ...]
    source: str


TRANSFERS = (
    YearTransfers(
        year=2024,
        working=(date(2024, 4, 27), date(2024, 11, 2), date(2024, 12, 28)),
        days_off=(date(2024, 4, 29), date(2024, 4, 30), date(2024, 5, 10), date(2024, 12, 30), date(2024, 12, 31)),
        source="ПП РФ от 10.08.2023 № 1314",
    ),
    YearTransfers(
        year=2025,
        working=(date(2025, 11, 1),),
        days_off=(date(2025, 5, 2), date(2025, 5, 8), date(2025, 6, 13), date(2025, 11, 3), date(2025, 12, 31)),
        source="ПП РФ от 04.10.2024 № 1335",
    ),
    YearTransfers(
        year=2026,
        working=(),
        days_off=(date(2026, 1, 9), date(2026, 3, 9), date(2026, 5, 11), date(2026, 12, 31)),
        source="ПП РФ от 24.09.2025 № 1466; 9 марта и 11 мая по ст. 112 ч. 2 ТК РФ",
    ),
    YearTransfers(
        year=2027,
        working=(date(2027, 2, 20),),
        days_off=(
            date(2027, 2, 22),
            date(2027, 5, 3),
            date(2027, 5, 10),
            date(2027, 6, 14),
            date(2027, 11, 5),
            date(2027, 12, 31),
        ),
        source="act of 2026 (КонсультантПлюс LAW_544706, its number not seen); 3, 10 мая и 14 июня по ст. 112 ч. 2 ТК РФ",
    ),
)
"""A row a year, ascending; the next year's act is published in the autumn."""


def is_covered(year: int) -> bool:
    """Whether the transfers of the year are known from its act; if not, the calendar knows only what ``holidays`` does."""
    return any(row.year == year for row in TRANSFERS)


def is_working_day(day: date) -> bool:
    """True when banks and offices work on this day by the production calendar (производственный календарь)."""
    known = _moved_days().get(day)
    if known is not None:
        return known
    year = _holidays(day.year)
    return day in year.weekend_workdays or (day.weekday() < SATURDAY and day not in year)


def next_working_day(day: date) -> date:
    """The day itself when it is a working one, else the first working day after it (ст. 193 ГК РФ)."""
    while not is_working_day(day):
        day += timedelta(days=1)
    return day


def working_day_after(day: date) -> date:
    """The first working day after the day, never the day itself."""
    return next_working_day(day + timedelta(days=1))


def add_working_days(day: date, count: int) -> date:
    """The ``count``-th working day after the day (ст. 191 ГК РФ: a term starts on the following day); 0 is next_working_day.

    Raises ValueError for a negative count.
    """
    if count < 0:
        raise ValueError(f"a term of {count} working days")
    if not count:
        return next_working_day(day)
    for _ in range(count):
        day = working_day_after(day)
    return day


def nth_working_day(first: date, number: int) -> date:
    """The ``number``-th working day of a term that starts with ``first`` itself: 1 is ``first`` when it is a working day.

    For terms that the law counts «начиная со дня»; raises ValueError for a number below 1.
    """
    return add_working_days(next_working_day(first), number - 1)


def working_days_between(first: date, last: date) -> int:
    """How many working days lie in ``first`` … ``last``, both included; 0 when ``last`` is before ``first``."""
    return sum(is_working_day(first + timedelta(days=shift)) for shift in range((last - first).days + 1))


@cache
def _moved_days() -> Mapping[date, bool]:
    moved = {day: True for row in TRANSFERS for day in row.working}
    return MappingProxyType(moved | {day: False for row in TRANSFERS for day in row.days_off})


@cache
def _holidays(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("RU", years=year)
