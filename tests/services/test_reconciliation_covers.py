"""Which promise a cover pays: pure rules, as a table and as properties."""

from datetime import date, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ledger.chart import AccountKind, ledger_account
from schemas.journal import EntryKind
from services.reconciliation.core.clearing import Hints, corrected_place, settle
from services.reconciliation.core.words import Cover, CoverPart, Place, Posting

ACCOUNT = ledger_account(AccountKind.CLEARING, 1, 101)
DAY = date(2026, 11, 24)
NO_HINTS = Hints(covers={}, registers={})


def promise(sequence: int, amount: int, **changed: object) -> Posting:
    """A payment of book 1, promised."""
    made = Posting(
        book=1,
        sequence=sequence,
        kind=EntryKind.PAYMENT,
        space=101,
        external_id=f"op-{sequence}",
        value_date=DAY,
        account=ACCOUNT,
        amount=amount,
    )
    return msgspec.structs.replace(made, **changed)


def cover(sequence: int, amount: int, **changed: object) -> Posting:
    """A cover of book 0."""
    made = promise(sequence, -amount, book=0, kind=EntryKind.STATEMENT_COVER, space=6, external_id=f"1:line-{sequence}")
    return msgspec.structs.replace(made, **changed)


def left(*postings: Posting, hints: Hints = NO_HINTS) -> dict[Place, int]:
    """What stays open, by place."""
    return {one.place: one.amount for one in settle(postings, hints)}


def test_without_a_hint_the_oldest_promise_is_paid() -> None:
    older = promise(2, 50, value_date=DAY - timedelta(days=3))
    assert left(promise(1, 100), older, cover(1, 70)) == {(1, 1): 80}


def test_an_operation_a_register_and_a_day_come_before_age() -> None:
    old, new = promise(1, 100, value_date=DAY - timedelta(days=1)), promise(2, 100)
    for part in (CoverPart(amount=100, operation="op-2"), CoverPart(amount=100, register=7), CoverPart(amount=100, day=DAY)):
        hints = Hints(covers={(0, 1): Cover(parts=(part,))}, registers={(1, 2): frozenset({7})})
        assert left(old, new, cover(1, 100), hints=hints) == {(1, 1): 100}


def test_a_cover_made_from_a_line_pays_the_payment_of_that_line() -> None:
    own = promise(2, 40, external_id="line-1")
    assert left(promise(1, 40), own, cover(1, 40)) == {(1, 1): 40}


def test_a_known_surplus_pays_nobody_elses_promise() -> None:
    hints = Hints(covers={(0, 1): Cover(parts=(CoverPart(amount=130, operation="op-1"),), surplus=30)}, registers={})
    assert left(promise(1, 100), promise(2, 500), cover(1, 130), hints=hints) == {(1, 2): 500, (0, 1): -30}


def test_what_a_cover_names_wrongly_pays_the_oldest() -> None:
    hints = Hints(covers={(0, 1): Cover(parts=(CoverPart(amount=100, day=DAY + timedelta(days=1)),))}, registers={})
    assert left(promise(1, 100), cover(1, 100), hints=hints) == {}


def test_a_reversal_closes_its_own_promise_not_the_oldest() -> None:
    reversal = promise(3, -100, kind=EntryKind.REVERSAL, space=1, external_id="1:2/1")
    assert corrected_place(reversal) == (1, 2)
    assert left(promise(1, 100), promise(2, 100), reversal) == {(1, 1): 100}


def test_a_reversed_cover_leaves_the_promise_it_had_paid() -> None:
    undone = cover(2, -100, kind=EntryKind.REVERSAL, space=1, external_id="0:1/1")
    assert left(promise(1, 100), cover(1, 100), undone) == {(1, 1): 100}
    assert left(undone) == {(0, 2): 100}


@given(st.lists(st.integers(1, 500), max_size=12), st.lists(st.tuples(st.integers(1, 900), st.integers(0, 200)), max_size=8))
def test_the_balance_is_kept_and_nothing_turns_round(promised: list[int], covered: list[tuple[int, int]]) -> None:
    postings = [promise(number, amount) for number, amount in enumerate(promised, start=1)]
    credits = [cover(number, amount) for number, (amount, _) in enumerate(covered, start=1)]
    hints = Hints(
        covers={
            (0, number): Cover(parts=(CoverPart(amount=amount, operation=f"op-{number}"),), surplus=surplus)
            for number, (amount, surplus) in enumerate(covered, start=1)
            if number % 2
        },
        registers={},
    )
    stays = settle([*postings, *credits], hints)
    whole = {one.place: one.amount for one in (*postings, *credits)}
    assert sum(one.amount for one in stays) == sum(whole.values())
    assert all(0 < one.amount * (1 if whole[one.place] > 0 else -1) <= abs(whole[one.place]) for one in stays)
    # Carried to the next day and judged again, what is open stays what it is.
    assert settle(stays, hints) == stays
