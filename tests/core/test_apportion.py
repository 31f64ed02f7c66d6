"""The fill rule as a table, one line a case (format.fill and format.ties of the split vectors; law.md 1.7)."""

from hashlib import sha256

import pytest

from ledger.core.apportion import Tie, fill, share, tie_ring

TIE = Tie(personal_account="2", version=0)

FILLS = [
    # amount, weights, paid, expected, clause
    (0, (10, 20), (0, 0), (0, 0), "nothing offered"),
    (30, (10, 20), (0, 0), (10, 20), "the payment that closes a tier gives what is unpaid"),
    (99, (10, 20), (4, 5), (6, 15), "more than the tier takes gives the caps"),
    (10, (10, 20), (0, 0), (3, 7), "the largest remainder gets the kopeck"),
    (700, (1000, 1000, 1, 500), (999, 0, 0, 500), (1, 698, 1, 0), "caps first, one rounding at the end"),
    (50_000, (200_000, 35_640), (287_436, 0), (0, 35_640), "a charge lowered after payment takes no part"),
    (10, (-50, 20), (0, 0), (0, 10), "a negative recalculation takes no part"),
    (10, (-50, 20), (-90, 0), (0, 10), "a negative weight takes no part even where it was paid below itself"),
    (10, (0, 20), (-5, 0), (0, 10), "a weight of zero takes no part"),
    (10, (-1, 0), (0, 0), (0, 0), "a tier without a positive weight takes nothing"),
    (12_345, (0, 1, 10**9), (0, 0, 0), (0, 0, 12_345), "tiny weights"),
    (10**14, (10**15, 10**15), (0, 0), (5 * 10**13, 5 * 10**13), "sums that floating point cannot carry"),
    (9, (), (), (), "a tier without lines"),
]


@pytest.mark.parametrize(("amount", "weights", "paid", "expected", "clause"), FILLS, ids=[case[-1] for case in FILLS])
def test_fill(amount: int, weights: tuple[int, ...], paid: tuple[int, ...], expected: tuple[int, ...], clause: str) -> None:
    assert fill(amount, weights, paid, TIE) == expected, clause


SHARES = [
    (100, (1, 1), (50, 50), "no caps"),
    (100, (-5, 1), (0, 100), "negative weights take no part"),
    (100, (0, 0), (), "nobody can be given it"),
    (100, (), (), "no lines"),
]


@pytest.mark.parametrize(("amount", "weights", "expected", "clause"), SHARES, ids=[case[-1] for case in SHARES])
def test_share(amount: int, weights: tuple[int, ...], expected: tuple[int, ...], clause: str) -> None:
    assert share(amount, weights, TIE) == expected, clause


@pytest.mark.parametrize("version", range(5))
def test_the_kopeck_of_a_tie_goes_where_the_hash_says(version: int) -> None:
    start = int.from_bytes(sha256(f"77/{version}".encode()).digest()[:8], "big") % 3
    tie = Tie(personal_account="77", version=version)
    assert fill(100, (5000, 5000, 5000), (0, 0, 0), tie) == tuple(34 if place == start else 33 for place in range(3))


def test_lines_that_are_closed_keep_their_place_in_the_tie_ring() -> None:
    tie = Tie(personal_account="3", version=1)  # starts at the third line (vector G)
    assert fill(101, (1000, 1000, 1000), (0, 0, 1000), tie) == (51, 50, 0)


def test_the_tie_order_names_the_sorted_lines() -> None:
    plain = tie_ring(Tie(personal_account="3", version=1), 3)
    turned = tie_ring(Tie(personal_account="3", version=1, order=(2, 0, 1)), 3)
    assert (plain, turned) == ([2, 0, 1], [1, 2, 0])


def test_no_line_is_favoured_over_versions() -> None:
    wins = [0, 0, 0]
    for version in range(3000):
        parts = fill(100, (1000, 1000, 1000), (0, 0, 0), Tie(personal_account="1", version=version))
        wins[parts.index(34)] += 1
    assert max(wins) - min(wins) < 200
