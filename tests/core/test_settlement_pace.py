"""When a cut is due: at the bank's own times of working days, once each."""

from datetime import UTC, datetime, time

import pytest

from schemas.ids import Transit
from services.settlement.pace import Pace, is_cut_due


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    """A moment of 2026, in UTC; Moscow is three hours ahead."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


NOON_AND_EVENING = (time(12, 0), time(20, 30))

CASES = (
    ("before the first time, after yesterday's last cut", at(24, 8), at(23, 17, 30), None, False),
    ("at the time", at(24, 9), at(23, 17, 30), None, True),
    ("after it, once", at(24, 9, 1), at(24, 9), None, False),
    ("tried without anything to cut", at(24, 9, 1), at(23, 17, 30), at(24, 9), False),
    ("the next time of the day", at(24, 17, 30), at(24, 9), at(24, 9), True),
    ("missed overnight, made up for in the morning", at(25, 5), at(24, 9), None, True),
    ("never cut before", at(24, 18), None, None, True),
    ("a Sunday has no times", at(22, 18), at(20, 17, 30), None, False),
    ("a holiday has none", at(4, 18), at(3, 17, 30), None, False),
    ("the last working day's evening belongs to the day after", at(21, 8), at(20, 9), None, True),
)


@pytest.mark.parametrize(("now", "last", "tried", "due"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_is_cut_due(now: datetime, last: datetime | None, tried: datetime | None, due: bool) -> None:
    pace = Pace(transit=Transit(1), account="40911", cut_times=NOON_AND_EVENING, time_zone="Europe/Moscow", last_cut=last)
    assert is_cut_due(pace, now, tried) is due
