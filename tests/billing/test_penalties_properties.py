"""Properties of penalties: splitting, order, time, detail; and credits by line read from entries."""

from datetime import date, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from schemas.allocation import Pool
from schemas.journal import EntryKind
from services.billing.core.line_credits import LineEntry, credits_by_line
from services.billing.core.penalties import Credit, Debt, penalty_of
from tests.billing.made_law import SHIPPED, plain_law

DUE = date(2025, 3, 10)
LATER = date(2026, 12, 31)
amounts = st.integers(1, 10_000_000)
days = st.integers(-40, 600).map(lambda shift: DUE + timedelta(days=shift))
credit_lists = st.lists(st.builds(Credit, day=days, amount_kopecks=amounts), max_size=8)
debts = st.builds(Debt, amount_kopecks=amounts, due=st.just(DUE), pool=st.sampled_from([Pool.MAIN, Pool.CAPITAL_REPAIR]))
laws = st.sampled_from([SHIPPED, plain_law(95_000), plain_law(210_000), plain_law(1)])


@given(debts, credit_lists, laws, st.randoms(use_true_random=False))
def test_order_does_not_matter(debt: Debt, credits: list[Credit], law, random) -> None:
    shuffled = list(credits)
    random.shuffle(shuffled)
    assert penalty_of(debt, shuffled, law, LATER) == penalty_of(debt, credits, law, LATER)


@given(debts, credit_lists, days, st.integers(1, 10**7), st.integers(1, 10**7), laws)
def test_two_payments_of_one_day_are_one(debt: Debt, credits: list[Credit], day: date, one: int, other: int, law) -> None:
    split = [*credits, Credit(day=day, amount_kopecks=one), Credit(day=day, amount_kopecks=other)]
    whole = [*credits, Credit(day=day, amount_kopecks=one + other)]
    assert penalty_of(debt, split, law, LATER) == penalty_of(debt, whole, law, LATER)


@given(debts, credit_lists, days, amounts, st.integers(1, 200), st.sampled_from([1, 95_000, 210_000]))
def test_paying_earlier_never_costs_more(
    debt: Debt, credits: list[Credit], day: date, amount: int, sooner: int, rate: int
) -> None:
    """Under one rate: with several, whoever waits for a lower rate may pay less, and ч. 14 means it so."""
    law = plain_law(rate)
    late = penalty_of(debt, [*credits, Credit(day=day, amount_kopecks=amount)], law, LATER)
    early = penalty_of(debt, [*credits, Credit(day=day - timedelta(days=sooner), amount_kopecks=amount)], law, LATER)
    assert early.amount_kopecks <= late.amount_kopecks


@given(debts, credit_lists, amounts, laws)
def test_more_debt_never_costs_less(debt: Debt, credits: list[Credit], more: int, law) -> None:
    larger = Debt(amount_kopecks=debt.amount_kopecks + more, due=debt.due, pool=debt.pool)
    assert penalty_of(debt, credits, law, LATER).amount_kopecks <= penalty_of(larger, credits, law, LATER).amount_kopecks


@given(debts, credit_lists, laws)
def test_detail_sums_to_the_penalty_and_each_row_is_within_a_kopeck(debt: Debt, credits: list[Credit], law) -> None:
    penalty = penalty_of(debt, credits, law, LATER)
    exact = [Fraction(row.debt_kopecks * row.rate * row.days, 1_000_000 * row.divisor) for row in penalty.rows]
    assert sum(row.amount_kopecks for row in penalty.rows) == penalty.amount_kopecks
    assert all(abs(row.amount_kopecks - wanted) < 1 for row, wanted in zip(penalty.rows, exact, strict=True))
    assert abs(penalty.amount_kopecks - sum(exact, Fraction())) <= Fraction(1, 2)
    assert all(row.days == (row.ends_on - row.starts_on).days + 1 > 0 for row in penalty.rows)
    assert all(row.starts_on > debt.due + timedelta(days=30) for row in penalty.rows)


def entry(sequence: int, day: int, *postings: tuple[int, int], **more) -> LineEntry:
    lines, amounts = zip(*postings, strict=True)
    facts = {"kind": EntryKind.PAYMENT, "space": 101, "external_id": f"pay-{sequence}"} | more
    return LineEntry(sequence=sequence, value_date=date(2025, 4, day), lines=lines, amounts=amounts, **facts)


def found(*entries: LineEntry, due: date = DUE) -> list[tuple[int, int]]:
    return [(credit.day.day, credit.amount_kopecks) for credit in credits_by_line(entries, {1: due})[1]]


def test_credits_of_a_line_are_by_value_date() -> None:
    assert found(entry(1, 3, (0, 500), (1, -300), (2, -200)), entry(2, 1, (0, 50), (1, -50))) == [(3, 300), (1, 50)]


def test_a_reversal_undoes_its_entry_on_the_entrys_own_day() -> None:
    paid = [entry(1, 3, (0, 300), (1, -300)), entry(2, 9, (0, 300), (1, -300))]
    undone = entry(3, 20, (0, -300), (1, 300), kind=EntryKind.REVERSAL, external_id="1:1/1")
    assert found(*paid, undone) == [(9, 300)]


def test_what_else_is_taken_back_comes_off_the_newest_credit() -> None:
    paid = [entry(1, 3, (0, 300), (1, -300)), entry(2, 9, (0, 300), (1, -300))]
    refund = entry(3, 20, (1, 400), (0, -400), kind=EntryKind.REFUND, external_id="1:2/1")
    assert found(*paid, refund) == [(3, 200)]


def test_what_is_taken_before_it_came_is_owed_by_the_next_credit() -> None:
    refund = entry(1, 2, (1, 100), (0, -100), kind=EntryKind.REFUND)
    assert found(refund, entry(2, 9, (0, 300), (1, -300))) == [(9, 200)]


def test_what_was_paid_before_the_ledger_began_was_paid_in_time() -> None:
    opening = entry(1, 25, (0, 300), (1, -300), kind=EntryKind.PAID_ELSEWHERE, space=2, external_id="7-4")
    assert found(opening) == [(DUE.day, 300)]
    assert found(opening, due=date(2025, 5, 12)) == [(25, 300)]
