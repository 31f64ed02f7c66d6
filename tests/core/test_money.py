"""Text to kopecks and back (design W1; protocols.md §1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import (
    AMOUNT_KOPECKS_MAX,
    MoneyError,
    kopecks_from_roubles,
    kopecks_from_text,
    roubles_for_people,
    roubles_from_kopecks,
)

ROUBLES = [("0", 0), ("10", 1000), ("10.4", 1040), ("10.45", 1045), ("0.01", 1), ("9999999999999.99", 999_999_999_999_999)]
NOT_ROUBLES = [
    "", "1e3", "10.455", "-1", "+1", "1 000", "10,45", ".5", "5.", "01", "00", "0x1", "1_0", " 1", "1\n", "nan", "inf", "٣",
    "1.٣", "10000000000000", "1" * 10_000, "1\x00",
]  # fmt: skip


@pytest.mark.parametrize(("text", "kopecks"), ROUBLES)
def test_roubles_are_read(text: str, kopecks: int) -> None:
    assert kopecks_from_roubles(text) == kopecks


@pytest.mark.parametrize("text", NOT_ROUBLES, ids=range(len(NOT_ROUBLES)))
def test_what_is_not_roubles_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        kopecks_from_roubles(text)


@pytest.mark.parametrize(("text", "kopecks"), [("0", 0), ("-5", -5), ("1000000000000000", AMOUNT_KOPECKS_MAX)])
def test_kopecks_are_read(text: str, kopecks: int) -> None:
    assert kopecks_from_text(text) == kopecks


@pytest.mark.parametrize("text", ["", "1.0", "1e3", "+1", "01", "1000000000000001", "-1000000000000001", " 1", "٣", "1" * 5000])
def test_what_is_not_kopecks_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        kopecks_from_text(text)


@given(st.integers(0, AMOUNT_KOPECKS_MAX - 1))
def test_roubles_written_are_read_back(kopecks: int) -> None:
    assert kopecks_from_roubles(roubles_from_kopecks(kopecks)) == kopecks


@given(st.integers(-AMOUNT_KOPECKS_MAX, AMOUNT_KOPECKS_MAX))
def test_kopecks_written_are_read_back(kopecks: int) -> None:
    assert kopecks_from_text(str(kopecks)) == kopecks


PRINTED = [
    (123456, "1234.56", "1\u202f234,56"),
    (-5, "-0.05", "−0,05"),
    (0, "0.00", "0,00"),
    (123456789012, "1234567890.12", "1\u202f234\u202f567\u202f890,12"),
]


@pytest.mark.parametrize(("kopecks", "machine", "people"), PRINTED)
def test_kopecks_are_printed(kopecks: int, machine: str, people: str) -> None:
    assert (roubles_from_kopecks(kopecks), roubles_for_people(kopecks)) == (machine, people)
