"""Penalties of ЖК 155 ч. 14 and 14.1 as a table: the worked examples to the kopeck, the edges of every step, cap and switch."""

from datetime import date, timedelta

import pytest

from schemas.allocation import Kind, Pool
from services.billing.core.law import LawSilent
from services.billing.core.penalties import Credit, Debt, Penalty, penalty_left, penalty_of
from tests.billing.made_law import SHIPPED, law_with, plain_law, rule

TODAY = date(2026, 11, 24)
AUGUST = date(2026, 8, 17)
"""Due day of July 2026: the 15th is a Saturday."""
SEPTEMBER = date(2026, 9, 15)
RATE = 95_000


def bill(amount: int, due: date, pool: Pool = Pool.MAIN, kind: Kind = Kind.PRINCIPAL) -> Debt:
    return Debt(amount_kopecks=amount, due=due, pool=pool, kind=kind)


def paid(day: date, amount: int) -> Credit:
    return Credit(day=day, amount_kopecks=amount)


def rows(penalty: Penalty) -> list[tuple[int, str, str, int, int, int, bool]]:
    return [
        (
            row.debt_kopecks,
            row.starts_on.isoformat(),
            row.ends_on.isoformat(),
            row.days,
            row.rate,
            row.divisor,
            row.is_paid,
        )
        for row in penalty.rows
    ]


def test_the_worked_example_of_a_bill_paid_late() -> None:
    assert SHIPPED.due_date(202607) == AUGUST
    penalty = penalty_of(bill(654_321, AUGUST), [paid(date(2026, 11, 20), 654_321)], SHIPPED, TODAY)
    assert penalty.amount_kopecks == 14_823
    assert rows(penalty) == [
        (654_321, "2026-09-17", "2026-11-15", 60, RATE, 300, True),
        (654_321, "2026-11-16", "2026-11-20", 5, RATE, 130, True),
    ]
    assert [row.amount_kopecks for row in penalty.rows] == [12_432, 2_391]


def test_the_worked_example_of_capital_repair_knows_no_second_step() -> None:
    penalty = penalty_of(bill(71_235, AUGUST, Pool.CAPITAL_REPAIR), [paid(date(2026, 11, 20), 71_235)], SHIPPED, TODAY)
    assert penalty.amount_kopecks == 1_466
    assert rows(penalty) == [(71_235, "2026-09-17", "2026-11-20", 65, RATE, 300, True)]


def test_the_worked_example_without_the_weekend_shift() -> None:
    law = law_with(rule("due_shift", date(2005, 3, 1), to_working_day=0, by_late_issue=1))
    due = law.due_date(202607)
    assert due == date(2026, 8, 15)
    penalty = penalty_of(bill(654_321, due), [paid(date(2026, 11, 20), 654_321)], law, TODAY)
    assert [(row.days, row.divisor) for row in penalty.rows] == [(60, 300), (7, 130)]
    assert penalty.amount_kopecks == 15_779


PARTLY = [paid(date(2026, 10, 20), 100_000), paid(date(2026, 12, 20), 200_000)]


def test_the_worked_example_of_two_parts() -> None:
    first = penalty_of(bill(100_000, SEPTEMBER), PARTLY[:1], SHIPPED, TODAY)
    rest = penalty_of(bill(200_000, SEPTEMBER), PARTLY[1:], SHIPPED, date(2026, 12, 31))
    both = penalty_of(bill(300_000, SEPTEMBER), PARTLY, SHIPPED, date(2026, 12, 31))
    # 158.33 and 4676.92 kopecks; together 4835.26.
    assert (first.amount_kopecks, rest.amount_kopecks, both.amount_kopecks) == (158, 4_677, 4_835)
    assert rows(both) == [
        (100_000, "2026-10-16", "2026-10-20", 5, RATE, 300, True),
        (200_000, "2026-10-16", "2026-12-14", 60, RATE, 300, True),
        (200_000, "2026-12-15", "2026-12-20", 6, RATE, 130, True),
    ]
    assert sum(row.amount_kopecks for row in both.rows) == 4_835


def test_the_worked_example_after_the_caps_end() -> None:
    late = [paid(date(2027, 1, 20), 200_000)]
    # 13569.23 kopecks at the whole key rate; 9207.69 if the cap is extended.
    assert penalty_of(bill(200_000, SEPTEMBER), late, SHIPPED, date(2027, 1, 31)).amount_kopecks == 13_569
    extended = law_with(rule("penalty_cap", date(2027, 1, 1), rate=95_000, is_fixed=0))
    assert penalty_of(bill(200_000, SEPTEMBER), late, extended, date(2027, 1, 31)).amount_kopecks == 9_208


DUE = date(2026, 3, 16)
STEPS = [
    # days overdue, days by 1/300, days by 1/130
    (0, 0, 0),
    (1, 0, 0),
    (30, 0, 0),
    (31, 1, 0),
    (32, 2, 0),
    (89, 59, 0),
    (90, 60, 0),
    (91, 60, 1),
    (92, 60, 2),
    (365, 60, 275),
]


@pytest.mark.parametrize(("overdue", "first", "second"), STEPS)
@pytest.mark.parametrize("is_paid", [True, False])
def test_steps_count_the_day_of_payment(overdue: int, first: int, second: int, is_paid: bool) -> None:
    day = DUE + timedelta(days=overdue)
    credits = [paid(day, 390_000_000)] if is_paid else []
    penalty = penalty_of(bill(390_000_000, DUE), credits, plain_law(100_000), day)
    # 390 000 000 × 0.1 is 130 000 a day by 1/300 and 300 000 by 1/130.
    assert penalty.amount_kopecks == first * 130_000 + second * 300_000
    assert {row.divisor: row.days for row in penalty.rows} == {d: n for d, n in ((300, first), (130, second)) if n}
    assert all(row.is_paid is is_paid for row in penalty.rows)


@pytest.mark.parametrize(("overdue", "first", "second"), STEPS)
def test_capital_repair_goes_by_one_step(overdue: int, first: int, second: int) -> None:
    day = DUE + timedelta(days=overdue)
    penalty = penalty_of(bill(390_000_000, DUE, Pool.CAPITAL_REPAIR), [], plain_law(100_000), day)
    assert penalty.amount_kopecks == (first + second) * 130_000
    assert len(penalty.rows) == (1 if first else 0)


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        (date(2022, 2, 27), 95_000),
        (date(2022, 3, 15), 95_000),  # the key rate is 20 %; ПП 474
        (date(2022, 8, 1), 95_000),  # 8 %, but 2022 was fixed at the rate of 27.02.2022
        (date(2022, 10, 1), 75_000),  # the lower of two, ПП 1681
        (date(2023, 7, 24), 85_000),
        (date(2023, 8, 15), 95_000),
        (date(2025, 1, 1), 95_000),
        (date(2026, 12, 31), 95_000),
        (date(2027, 1, 1), 140_000),  # the cap has ended
        (date(2021, 12, 20), 85_000),  # no cap yet
    ],
)
def test_the_rate_is_of_the_day_of_payment_and_capped(day: date, rate: int) -> None:
    penalty = penalty_of(bill(1_000_000, day - timedelta(days=40)), [paid(day, 1_000_000)], SHIPPED, TODAY + timedelta(days=100))
    assert [row.rate for row in penalty.rows] == [rate]


def test_one_rate_holds_for_the_whole_delay_of_a_part() -> None:
    """Not the history of the rate: ч. 14 names the day of payment."""
    penalty = penalty_of(bill(1_000_000, date(2022, 9, 1)), [paid(date(2023, 9, 1), 1_000_000)], SHIPPED, TODAY)
    assert {row.rate for row in penalty.rows} == {95_000}
    earlier = penalty_of(bill(1_000_000, date(2022, 9, 1)), [], SHIPPED, date(2023, 7, 23))
    assert {row.rate for row in earlier.rows} == {75_000}


def test_parts_of_one_debt_have_rates_of_their_own() -> None:
    credits = [paid(date(2026, 12, 31), 100_000), paid(date(2027, 1, 1), 100_000)]
    penalty = penalty_of(bill(200_000, date(2026, 11, 1)), credits, SHIPPED, date(2027, 2, 1))
    assert [(row.rate, row.days) for row in penalty.rows] == [(95_000, 30), (140_000, 31)]


@pytest.mark.parametrize(
    ("credits", "left"),
    [
        ([paid(DUE, 100_000)], 0),
        ([paid(DUE - timedelta(days=20), 100_000)], 0),
        ([paid(DUE - timedelta(days=20), 40_000)], 60_000),
        ([paid(DUE - timedelta(days=20), 40_000), paid(DUE, 30_000)], 30_000),
        ([paid(DUE, 250_000)], 0),
        ([], 100_000),
    ],
)
def test_money_paid_in_time_bears_no_penalty(credits: list[Credit], left: int) -> None:
    penalty = penalty_of(bill(100_000, DUE), credits, plain_law(300_000), DUE + timedelta(days=60))
    assert penalty.amount_kopecks == left * 300_000 * 30 // (300 * 1_000_000)
    assert [row.debt_kopecks for row in penalty.rows] == ([left] if left else [])


def test_money_beyond_the_debt_earns_nothing() -> None:
    credits = [paid(DUE + timedelta(days=40), 70_000), paid(DUE + timedelta(days=41), 90_000), paid(DUE + timedelta(days=42), 5)]
    penalty = penalty_of(bill(100_000, DUE), credits, plain_law(RATE), TODAY)
    assert [row.debt_kopecks for row in penalty.rows] == [70_000, 30_000]


def test_payments_after_the_calculation_are_not_known_yet() -> None:
    day = DUE + timedelta(days=50)
    with_later = penalty_of(bill(100_000, DUE), [paid(day + timedelta(days=1), 100_000)], plain_law(RATE), day)
    assert with_later == penalty_of(bill(100_000, DUE), [], plain_law(RATE), day)
    assert not with_later.rows[0].is_paid


@pytest.mark.parametrize(
    "debt",
    [
        bill(100_000, DUE, kind=Kind.PENALTY),
        bill(100_000, DUE, kind=Kind.COSTS),
        bill(100_000, DUE, pool=Pool.CAPITAL_REPAIR, kind=Kind.PENALTY),
        bill(100_000, DUE, pool=Pool.VOLUNTARY),
        bill(0, DUE),
        bill(-5_000, DUE),
    ],
)
def test_never_on_penalties_costs_voluntary_services_and_reductions(debt: Debt) -> None:
    assert penalty_of(debt, [], plain_law(RATE), TODAY) == Penalty(amount_kopecks=0)


def test_the_moratorium_of_2020_leaves_its_days_out_and_the_count_goes_on() -> None:
    penalty = penalty_of(bill(1_000_000, date(2020, 2, 10)), [paid(date(2021, 1, 10), 1_000_000)], SHIPPED, TODAY)
    assert rows(penalty) == [
        (1_000_000, "2020-03-12", "2020-04-05", 25, 42_500, 300, True),
        (1_000_000, "2021-01-01", "2021-01-10", 10, 42_500, 130, True),
    ]


def test_a_delay_inside_the_moratorium_costs_nothing() -> None:
    assert penalty_of(bill(1_000_000, date(2020, 5, 12)), [paid(date(2020, 12, 31), 1_000_000)], SHIPPED, TODAY).rows == ()


@pytest.mark.parametrize(
    ("due", "is_on", "days"),
    [
        (date(2022, 2, 10), 0, 249),  # as shipped: courts differ
        (date(2022, 2, 10), 1, 249 - 184),
        (date(2022, 3, 31), 1, 200 - 154),  # overdue day 31 is 1 May
        (date(2022, 4, 1), 1, 199),  # a debt of after the moratorium's beginning
    ],
)
def test_the_moratorium_of_2022_is_a_switch_for_old_debts(due: date, is_on: int, days: int) -> None:
    law = law_with(rule("moratorium", date(2022, 4, 1), "pp497", is_on=is_on, is_old_debts_only=1))
    penalty = penalty_of(bill(1_000_000, due), [], law, date(2022, 11, 16))
    assert sum(row.days for row in penalty.rows) == days


def test_overlapping_moratoriums_leave_a_day_out_once() -> None:
    begins = date(2000, 1, 1)
    law = law_with(
        rule("moratorium", date(2026, 5, 1), "one", is_on=1, is_old_debts_only=0),
        rule("moratorium", date(2026, 5, 11), "one"),
        rule("moratorium", date(2026, 5, 6), "two", is_on=1, is_old_debts_only=0),
        rule("moratorium", date(2026, 5, 16), "two"),
        rule("moratorium", begins, "three", is_on=0, is_old_debts_only=0),
    )
    penalty = penalty_of(bill(1_000_000, date(2026, 3, 16)), [], law, date(2026, 6, 14))
    spans = [(row.starts_on.isoformat(), row.ends_on.isoformat(), row.days) for row in penalty.rows]
    assert spans == [("2026-04-16", "2026-04-30", 15), ("2026-05-16", "2026-06-14", 30)]


def test_one_rounding_at_the_end_and_rows_by_largest_remainder() -> None:
    """Parts of 0.41, 0.82 … 3.69 kopecks are 18.47 together, so 18; a part alone rounds by itself."""
    credits = [paid(DUE + timedelta(days=31 + number), 1_296) for number in range(9)]
    law = plain_law(RATE)
    single = penalty_of(bill(1_296, DUE), credits[:1], law, TODAY)
    assert (single.amount_kopecks, [row.amount_kopecks for row in single.rows]) == (0, [0])
    together = penalty_of(bill(9 * 1_296, DUE), credits, law, TODAY)
    # 0.4104 × (1 + 2 + … + 9) = 18.468
    assert together.amount_kopecks == 18
    assert sum(row.amount_kopecks for row in together.rows) == 18
    assert all(abs(row.amount_kopecks * 10_000 - 4_104 * place) < 10_000 for place, row in enumerate(together.rows, start=1))


def test_half_a_kopeck_is_rounded_up() -> None:
    # 1500 × 0.1 × 1/300 = 0.5
    assert penalty_of(bill(1_500, DUE), [], plain_law(100_000), DUE + timedelta(days=31)).amount_kopecks == 1
    assert penalty_of(bill(1_499, DUE), [], plain_law(100_000), DUE + timedelta(days=31)).amount_kopecks == 0


@pytest.mark.parametrize(("paid_", "written_off", "left"), [(0, 0, 4_835), (4_000, 835, 0), (4_000, 0, 835), (5_000, 0, 0)])
def test_what_is_left_of_a_penalty(paid_: int, written_off: int, left: int) -> None:
    penalty = penalty_of(bill(300_000, SEPTEMBER), PARTLY, SHIPPED, date(2026, 12, 31))
    assert penalty_left(penalty, paid_, written_off) == left


def test_the_law_says_when_it_does_not_know() -> None:
    with pytest.raises(LawSilent, match="penalty_step"):
        penalty_of(bill(100, date(2015, 1, 1)), [paid(date(2015, 3, 1), 100)], SHIPPED, TODAY)
    with pytest.raises(LawSilent, match="key_rate"):
        penalty_of(bill(100, date(2018, 1, 1)), [paid(date(2018, 3, 1), 100)], SHIPPED, TODAY)
