"""The production calendar and the deadlines counted by it, one case a rule."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.calendar import (
    TRANSFERS,
    add_working_days,
    is_covered,
    is_working_day,
    next_working_day,
    nth_working_day,
    working_day_after,
    working_days_between,
)
from services.settlement.rules.deadlines import (
    DaySum,
    Deferral,
    OrderCutOff,
    TransitLimit,
    due_day,
    is_due,
    is_overdue,
    operational_day,
    transfer_deadline,
    transit_deadline,
    transit_limit_on,
)

NO_LIMIT: tuple[TransitLimit, ...] = ()
DEFERRAL = Deferral()
DAYS = st.dates(date(2024, 1, 1), date(2027, 12, 31))


@pytest.mark.parametrize(
    ("day", "working", "clause"),
    [
        (date(2027, 2, 20), True, "a working Saturday of 2027"),
        (date(2027, 2, 22), False, "the Monday it pays for"),
        (date(2024, 12, 28), True, "a working Saturday of 2024"),
        (date(2024, 12, 30), False, "the Monday it pays for"),
        (date(2026, 1, 9), False, "moved from 3 January"),
        (date(2026, 1, 8), False, "the last of the New Year holidays"),
        (date(2026, 1, 12), True, "the first working day of 2026"),
        (date(2026, 12, 31), False, "moved from 4 January"),
        (date(2027, 12, 31), False, "moved from 3 January"),
        (date(2027, 11, 5), False, "moved from 2 January"),
        (date(2027, 5, 3), False, "ст. 112 ч. 2: 1 May is a Saturday"),
        (date(2027, 6, 14), False, "ст. 112 ч. 2: 12 June is a Saturday"),
        (date(2024, 2, 29), True, "a leap day"),
        (date(2026, 2, 28), False, "a Saturday"),
        (date(2026, 11, 4), False, "national unity day"),
    ],
)
def test_working_days(day: date, working: bool, clause: str) -> None:
    assert is_working_day(day) is working, clause


@pytest.mark.parametrize(
    ("year", "first_half", "whole"),
    [(2024, 117, 248), (2025, 117, 247), (2026, 117, 247), (2027, 118, 247)],
)
def test_working_days_of_a_year(year: int, first_half: int, whole: int) -> None:
    # Months of the published calendars, 2024: 17 20 20 21 20 19; 2025: 17 20 21 22 18 19; 2026: 15 19 21 22 19 21.
    assert working_days_between(date(year, 1, 1), date(year, 6, 30)) == first_half
    assert working_days_between(date(year, 1, 1), date(year, 12, 31)) == whole


def test_a_year_without_its_act_is_named() -> None:
    assert [year for year in range(2020, 2031) if is_covered(year)] == [2024, 2025, 2026, 2027]
    assert is_working_day(date(2029, 3, 7)) and not is_working_day(date(2029, 3, 8)), (
        "the law's own holidays are known of any year"
    )


def test_every_transfer_lies_in_its_year_and_has_a_source() -> None:
    years = [row.year for row in TRANSFERS]
    assert years == sorted(set(years))
    for row in TRANSFERS:
        assert row.source and {day.year for day in (*row.working, *row.days_off)} <= {row.year}
        assert all(day.weekday() == 5 for day in row.working) and all(day.weekday() < 5 for day in row.days_off)
    assert date(2027, 2, 20) in TRANSFERS[-1].working, "not every version of the package knows it"


@pytest.mark.parametrize(
    ("day", "count", "expected", "clause"),
    [
        (date(2026, 11, 23), 1, date(2026, 11, 24), "Monday to Tuesday"),
        (date(2026, 11, 27), 1, date(2026, 11, 30), "Friday to Monday"),
        (date(2026, 11, 28), 1, date(2026, 11, 30), "Saturday to Monday"),
        (date(2026, 12, 30), 1, date(2027, 1, 11), "over the New Year"),
        (date(2027, 2, 19), 1, date(2027, 2, 20), "Friday to a working Saturday"),
        (date(2027, 2, 20), 1, date(2027, 2, 24), "from a working Saturday over three days off"),
        (date(2024, 2, 28), 1, date(2024, 2, 29), "to a leap day"),
        (date(2026, 11, 23), 5, date(2026, 11, 30), "a week"),
        (date(2026, 11, 28), 0, date(2026, 11, 30), "no term from a day off: the next working day"),
        (date(2026, 11, 27), 0, date(2026, 11, 27), "no term from a working day"),
    ],
)
def test_terms_start_on_the_following_day(day: date, count: int, expected: date, clause: str) -> None:
    assert add_working_days(day, count) == expected, clause


@given(DAYS, st.integers(1, 15))
def test_terms_agree_with_counting(day: date, count: int) -> None:
    end = add_working_days(day, count)
    assert is_working_day(end) and working_days_between(day + timedelta(days=1), end) == count
    assert nth_working_day(day, count) == add_working_days(next_working_day(day), count - 1)
    assert working_days_between(day, nth_working_day(day, count)) == count


def test_a_term_is_not_negative() -> None:
    with pytest.raises(ValueError, match="-1"):
        add_working_days(date(2026, 11, 23), -1)
    with pytest.raises(ValueError, match="-1"):
        nth_working_day(date(2026, 11, 23), 0)
    assert working_days_between(date(2026, 11, 24), date(2026, 11, 23)) == 0


MOSCOW = OrderCutOff(time=time(17, 0), time_zone=ZoneInfo("Europe/Moscow"))
KAMCHATKA = OrderCutOff(time=time(17, 0), time_zone=ZoneInfo("Asia/Kamchatka"))


@pytest.mark.parametrize(
    ("moment", "cut_off", "day", "clause"),
    [
        (datetime(2026, 11, 24, 13, 59, 59, tzinfo=UTC), MOSCOW, date(2026, 11, 24), "a second before the cut-off"),
        (datetime(2026, 11, 24, 14, 0, tzinfo=UTC), MOSCOW, date(2026, 11, 25), "the cut-off itself is too late"),
        (datetime(2026, 11, 24, 13, 0, tzinfo=UTC), KAMCHATKA, date(2026, 11, 25), "already tomorrow in the bank's zone"),
        (datetime(2026, 11, 24, 4, 59, tzinfo=UTC), KAMCHATKA, date(2026, 11, 24), "the bank's own afternoon"),
        (datetime(2026, 11, 27, 15, 0, tzinfo=UTC), MOSCOW, date(2026, 11, 30), "Friday evening"),
        (datetime(2026, 11, 28, 9, 0, tzinfo=UTC), MOSCOW, date(2026, 11, 30), "Saturday morning"),
        (datetime(2027, 2, 20, 9, 0, tzinfo=UTC), MOSCOW, date(2027, 2, 20), "a working Saturday"),
        (datetime(2026, 12, 30, 20, 0, tzinfo=UTC), MOSCOW, date(2027, 1, 11), "the last evening of the year"),
        (datetime(2026, 11, 23, 21, 30, tzinfo=UTC), MOSCOW, date(2026, 11, 24), "past midnight in Moscow"),
    ],
)
def test_the_bank_day_of_an_order(moment: datetime, cut_off: OrderCutOff, day: date, clause: str) -> None:
    assert operational_day(moment, cut_off) == day, clause


@pytest.mark.parametrize(
    ("confirmed", "deadline"),
    [
        (date(2026, 11, 23), date(2026, 11, 24)),
        (date(2026, 11, 27), date(2026, 11, 30)),
        (date(2026, 11, 28), date(2026, 11, 30)),
        (date(2026, 12, 30), date(2027, 1, 11)),
        (date(2027, 2, 19), date(2027, 2, 20)),
    ],
)
def test_pp_253_the_working_day_after(confirmed: date, deadline: date) -> None:
    assert transfer_deadline(confirmed) == deadline


MON, TUE, WED, THU, FRI = (date(2026, 11, 16) + timedelta(days=shift) for shift in range(5))


def sums(*pairs: tuple[date, int]) -> list[DaySum]:
    return [DaySum(day=day, amount_kopecks=amount) for day, amount in pairs]


@pytest.mark.parametrize(
    ("owed", "due", "clause"),
    [
        ([], None, "nothing is owed"),
        ([(MON, 0)], None, "a day without money does not count"),
        ([(MON, 120_000)], FRI, "law.md §1.13: below the limit, may wait to the fifth working day"),
        ([(MON, 120_000), (TUE, 90_000)], FRI, "law.md §1.13: 210 000 may still wait"),
        ([(MON, 120_000), (TUE, 90_000), (WED, 350_000)], WED, "law.md §1.13: 560 000 leaves on Wednesday"),
        ([(THU, 60_000)], date(2026, 11, 25), "law.md §1.13: Thursday starts anew, to the next Wednesday"),
        ([(MON, 500_000)], TUE, "a day of 5 000 ₽ may not wait: the next working day"),
        ([(MON, 499_999)], FRI, "a kopeck below may"),
        ([(MON, 200_000), (TUE, 300_000)], FRI, "exactly 5 000 ₽ does not exceed the limit"),
        ([(MON, 200_000), (TUE, 300_001)], TUE, "a kopeck more does"),
        ([(MON, 100_000), (TUE, 700_000)], TUE, "a great day takes what waits with it"),
        ([(MON, 700_000), (TUE, 100_000)], TUE, "a great day first: the day after it"),
        ([(TUE, 50_000), (MON, 50_000), (TUE, 60_000), (MON, 60_000)], FRI, "in any order, several sums of a day"),
        ([(MON, 300_000), (MON, 200_000)], TUE, "sums of one day are one day's sum"),
        ([(date(2026, 11, 21), 100_000)], date(2026, 11, 27), "from a Saturday: Monday is the first working day"),
        ([(MON, 300_000), (date(2026, 11, 21), 300_000)], FRI, "the term ends before the sum of a Saturday"),
        ([(FRI, 300_000), (date(2026, 11, 21), 300_000)], date(2026, 11, 23), "exceeded on a Saturday: Monday"),
        ([(date(2026, 12, 29), 100_000)], date(2027, 1, 13), "five working days over the New Year"),
    ],
)
def test_the_deferral_below_5000_roubles(owed: list[tuple[date, int]], due: date | None, clause: str) -> None:
    assert due_day(sums(*owed), DEFERRAL, NO_LIMIT) == due, clause


@pytest.mark.parametrize(
    ("owed", "due", "clause"),
    [
        ([(MON, 1)], TUE, "no deferral without the contract's option"),
        ([(MON, 1), (TUE, 1)], TUE, "the oldest day decides"),
        ([(FRI, 1)], date(2026, 11, 23), "Friday's by Monday"),
    ],
)
def test_without_the_option_nothing_waits(owed: list[tuple[date, int]], due: date, clause: str) -> None:
    assert due_day(sums(*owed), None, NO_LIMIT) == due, clause
    assert due_day(sums(*owed), None) == due, "the limit on transit is later than ПП 253"


def test_the_contract_sets_its_own_deferral() -> None:
    assert due_day(sums((MON, 120_000)), Deferral(limit_kopecks=100_000), NO_LIMIT) == TUE
    assert due_day(sums((MON, 120_000)), Deferral(working_days_max=2), NO_LIMIT) == TUE


@pytest.mark.parametrize(
    ("accepted", "deadline", "clause"),
    [
        (MON, WED, "the day of acceptance is the first of three"),
        (THU, date(2026, 11, 23), "over a week-end"),
        (date(2026, 11, 28), date(2026, 12, 2), "accepted on a Saturday: Monday is the first"),
        (date(2026, 12, 30), date(2027, 1, 12), "over the New Year"),
        (date(2011, 9, 28), None, "before the law"),
    ],
)
def test_nothing_stays_in_transit(accepted: date, deadline: date | None, clause: str) -> None:
    assert transit_deadline(accepted) == deadline, clause


def test_the_limit_on_transit_holds_the_deferral() -> None:
    assert due_day(sums((THU, 60_000)), DEFERRAL) == date(2026, 11, 23)
    assert due_day(sums((MON, 120_000), (TUE, 90_000), (WED, 350_000)), DEFERRAL) == WED


def test_the_limit_on_transit_is_dated() -> None:
    rows = (
        TransitLimit(since=date(2011, 9, 29), working_days=3, source="161-ФЗ"),
        TransitLimit(since=date(2027, 1, 1), working_days=1, source="an invented amendment"),
    )
    assert transit_deadline(date(2026, 12, 30), rows) == date(2027, 1, 12)
    assert transit_deadline(date(2027, 1, 11), rows) == date(2027, 1, 11)
    newest = transit_limit_on(date(2027, 1, 1), rows)
    assert newest is not None and newest.working_days == 1


@pytest.mark.parametrize(("today", "due", "overdue"), [(MON, False, False), (TUE, True, False), (WED, True, True)])
def test_due_and_overdue(today: date, due: bool, overdue: bool) -> None:
    assert (is_due(today, TUE), is_overdue(today, TUE)) == (due, overdue)
    assert not is_due(today, None) and not is_overdue(today, None)


@given(st.lists(st.tuples(DAYS, st.integers(1, 700_000)), min_size=1, max_size=6), st.integers(1, 700_000))
def test_more_money_is_never_due_later(owed: list[tuple[date, int]], more: int) -> None:
    plain, deferred, held = (due_day(sums(*owed), *rules) for rules in ((None, NO_LIMIT), (DEFERRAL, NO_LIMIT), (DEFERRAL,)))
    assert plain is not None and deferred is not None and held is not None
    assert plain == working_day_after(min(day for day, _ in owed)) and held <= deferred
    later = max(day for day, _ in owed)
    grown = due_day(sums(*owed, (later, more)), DEFERRAL, NO_LIMIT)
    assert grown is not None and grown <= deferred
