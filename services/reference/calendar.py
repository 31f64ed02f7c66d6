"""Production calendar of Russia (ст. 112 ТК РФ): is a day a working day? Used to warn about due dates.

Holidays and yearly transfers come from the ``holidays`` package; OVERRIDES holds what a Government act says where the
package is wrong or silent, with the act. A working Saturday that the package knows is taken from it as well.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from types import MappingProxyType

import holidays

OVERRIDES: Mapping[date, bool] = MappingProxyType(
    {
        # ПП РФ от 10.08.2023 № 1314: working Saturdays of 2024 and the days off they pay for.
        date(2024, 4, 27): True,
        date(2024, 4, 29): False,
        date(2024, 4, 30): False,
        date(2024, 5, 10): False,
        date(2024, 11, 2): True,
        date(2024, 12, 28): True,
        date(2024, 12, 30): False,
        date(2024, 12, 31): False,
        # ПП РФ от 04.10.2024 № 1335: one working Saturday of 2025.
        date(2025, 5, 2): False,
        date(2025, 5, 8): False,
        date(2025, 6, 13): False,
        date(2025, 11, 1): True,
        date(2025, 11, 3): False,
        date(2025, 12, 31): False,
        # ПП РФ от 24.09.2025 № 1466: no working Saturday in 2026; 9 March and 11 May by ст. 112 ч. 2 ТК РФ.
        date(2026, 1, 9): False,
        date(2026, 3, 9): False,
        date(2026, 5, 11): False,
        date(2026, 12, 31): False,
    }
)
"""Day -> is it a working day."""

SATURDAY = 5


def is_working_day(day: date) -> bool:
    """True when banks and offices work on this day by the production calendar (производственный календарь)."""
    known = OVERRIDES.get(day)
    if known is not None:
        return known
    year = _calendar(day.year)
    return day in year.weekend_workdays or (day.weekday() < SATURDAY and day not in year)


def next_working_day(day: date) -> date:
    """The day itself when it is a working one, else the first working day after it (ст. 193 ГК РФ)."""
    while not is_working_day(day):
        day += timedelta(days=1)
    return day


@cache
def _calendar(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("RU", years=year)
