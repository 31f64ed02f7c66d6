"""Settlement periods (расчётные периоды) in Russian words; a period is year * 100 + month, as in the journal."""

from collections.abc import Iterable
from datetime import date, timedelta

MONTHS = (
    "январь",
    "февраль",
    "март",
    "апрель",
    "май",
    "июнь",
    "июль",
    "август",
    "сентябрь",
    "октябрь",
    "ноябрь",
    "декабрь",
)

Run = tuple[int, int]
"""First and last period of an unbroken run of months."""


def month_words(period: int) -> str:
    """202610 -> ``октябрь 2026``."""
    return f"{MONTHS[period % 100 - 1]} {period // 100}"


def last_day_of(period: int) -> date:
    """Return the last day of the month."""
    year, month = divmod(_after(period), 100)
    return date(year, month, 1) - timedelta(days=1)


def period_words(periods: Iterable[int]) -> str:
    """Name the months, runs joined by a dash: ``сентябрь–октябрь 2026``, ``декабрь 2025–январь 2026``, ``май, июль 2026``.

    The year is written where the next name has another one; empty for no period.
    """
    runs = runs_of(periods)
    words = []
    for place, (first, last) in enumerate(runs):
        following = runs[place + 1][0] if place + 1 < len(runs) else 0
        closing = month_words(last) if following // 100 != last // 100 else MONTHS[last % 100 - 1]
        if first == last:
            words.append(closing)
        elif first // 100 == last // 100:
            words.append(f"{MONTHS[first % 100 - 1]}–{closing}")
        else:
            words.append(f"{month_words(first)}–{closing}")
    return ", ".join(words)


def period_digits(periods: Iterable[int]) -> str:
    """The same in digits, as short as can be: ``09.2026-10.2026,12.2026``."""
    return ",".join(
        [_digits(first) if first == last else f"{_digits(first)}-{_digits(last)}" for first, last in runs_of(periods)]
    )


def runs_of(periods: Iterable[int]) -> tuple[Run, ...]:
    """Join the periods, in any order and repeated, into runs of months without a gap, ascending."""
    runs: list[Run] = []
    for period in sorted(set(periods)):
        if runs and _after(runs[-1][1]) == period:
            runs[-1] = (runs[-1][0], period)
        else:
            runs.append((period, period))
    return tuple(runs)


def _after(period: int) -> int:
    return period + 1 if period % 100 < 12 else period + 89


def _digits(period: int) -> str:
    return f"{period % 100:02d}.{period // 100}"
