"""First promised, first paid: the pure rule of funding, by cases and as properties."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Book
from services.settlement.funding import Chain, Reach, furthest_funded

START = datetime(2026, 11, 24, tzinfo=UTC)

amounts = st.integers(-50, 100).filter(bool)
chains = st.lists(st.lists(st.tuples(amounts, st.integers(0, 5)), max_size=12), min_size=1, max_size=3)


def chain(book: int, steps: list[tuple[int, int]], first: int = 1) -> Chain:
    """A book's promises: (kopecks, seconds after the one before)."""
    moments, at = [], START
    for _, pause in steps:
        at += timedelta(seconds=pause)
        moments.append(at)
    return Chain(
        book=Book(book),
        sequences=range(first, first + len(steps)),
        amounts=[amount for amount, _ in steps],
        moments=moments,
    )


CASES = (
    ("nothing promised", 100, [[]], {}),
    ("all covered", 100, [[(60, 0), (40, 0)]], {1: (2, 100)}),
    ("an entry is atomic", 99, [[(60, 0), (40, 0)]], {1: (1, 60)}),
    ("first come, first paid", 40, [[(60, 0), (40, 0)]], {}),
    ("a correction makes room behind it", 40, [[(60, 0), (40, 0), (-60, 0)]], {1: (3, 40)}),
    ("a correction alone moves without money", 0, [[(60, 0), (-60, 0)]], {1: (2, 0)}),
    ("taken-back cover: only corrections move", -10, [[(-10, 0), (5, 0)]], {1: (1, -10)}),
    ("older first over the books", 100, [[(60, 5)], [(60, 1)]], {2: (1, 60)}),
    ("ties by book", 60, [[(60, 1)], [(60, 1)]], {1: (1, 60)}),
    ("books together", 120, [[(60, 5)], [(60, 1)]], {1: (1, 60), 2: (1, 60)}),
    ("one stops all of its clearing account", 90, [[(60, 0), (50, 1), (1, 2)], [(1, 3)]], {1: (1, 60)}),
)


@pytest.mark.parametrize(("money", "books", "reached"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_furthest_funded(money: int, books: list[list[tuple[int, int]]], reached: dict[int, tuple[int, int]]) -> None:
    found = furthest_funded(money, [chain(number, steps) for number, steps in enumerate(books, start=1)])
    assert found == {book: Reach(upto=upto, promised=promised) for book, (upto, promised) in reached.items()}


@given(chains, st.integers(-100, 500))
def test_never_more_than_the_money_and_as_far_as_it_goes(books: list[list[tuple[int, int]]], money: int) -> None:
    made = [chain(number, steps) for number, steps in enumerate(books, start=1)]
    reached = furthest_funded(money, made)
    total = 0
    for one in made:
        upto = reached[one.book].upto if one.book in reached else 0
        promised = sum(one.amounts[:upto])
        assert promised == (reached[one.book].promised if one.book in reached else 0)
        total += promised
    assert total <= money or not reached
    order = sorted(
        (moment, one.book, place, amount)
        for one in made
        for place, (amount, moment) in enumerate(zip(one.amounts, one.moments, strict=True), start=1)
    )
    sums = [sum(amount for *_, amount in order[:count]) for count in range(len(order) + 1)]
    furthest = max((count for count in range(1, len(order) + 1) if sums[count] <= money), default=0)
    assert sum(reached[book].upto for book in reached) == furthest


@given(chains, st.lists(st.integers(0, 120), max_size=6))
def test_cut_by_cut_as_money_comes_ends_where_one_cut_does(books: list[list[tuple[int, int]]], covers: list[int]) -> None:
    made = [chain(number, steps) for number, steps in enumerate(books, start=1)]
    places = {one.book: 0 for one in made}
    money = promised = 0
    for cover in covers:
        money += cover
        rest = [
            Chain(
                book=one.book,
                sequences=one.sequences[places[one.book] :],
                amounts=one.amounts[places[one.book] :],
                moments=one.moments[places[one.book] :],
            )
            for one in made
        ]
        reached = furthest_funded(money - promised, rest)
        assert all(reach.upto > places[book] for book, reach in reached.items())
        places |= {book: reach.upto for book, reach in reached.items()}
        promised += sum(reach.promised for reach in reached.values())
        assert promised <= money
    whole = furthest_funded(money, made) if covers else {}
    assert all(places[book] >= reach.upto for book, reach in whole.items())
