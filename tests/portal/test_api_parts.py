"""Parts of the API's frame that need no server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.api.limits import Buckets, RateLimit
from portal.api.paging import cursor_of, key_of
from portal.api.problems import Problem, language_of


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "ru"),
        ("en", "en"),
        ("ru", "ru"),
        ("en-GB,en;q=0.9,ru;q=0.8", "en"),
        ("ru,en;q=0.999", "ru"),
        ("en;q=0.5,*;q=0.6", "ru"),
        ("de", "ru"),
        ("en;q=2", "ru"),
        ("en;q=0", "ru"),
        ("en;q=nan", "ru"),
        ("en;q=1.000,ru;q=0.999", "en"),
        (",;,=;q=", "ru"),
    ],
)
def test_the_language_is_the_one_preferred(header: str, language: str) -> None:
    assert language_of(header) == language


@given(st.text(max_size=200))
def test_any_header_has_a_language(header: str) -> None:
    assert language_of(header) in ("ru", "en")


def test_a_bucket_refills_evenly() -> None:
    buckets = Buckets(RateLimit(burst=2, per_minute=60))
    taken = [buckets.take("key", at_ms) for at_ms in (0, 0, 0, 999, 1_000, 1_001, 100_000)]
    assert [one.wait_s for one in taken] == [0, 0, 1, 1, 0, 1, 0]
    assert taken[-1].remaining == 1, "no more than the burst"


@given(st.lists(st.integers(0, 5_000), max_size=80))
def test_nobody_gets_more_than_the_limit(gaps_ms: list[int]) -> None:
    buckets, now_ms, allowed = Buckets(RateLimit(burst=5, per_minute=60)), 0, 0
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        allowed += buckets.take("key", now_ms).wait_s == 0
    assert allowed <= 5 + now_ms // 1_000


@given(st.text(max_size=20), st.tuples(st.integers(), st.text()))
def test_a_cursor_comes_back(name: str, key: tuple[int, str]) -> None:
    assert key_of(cursor_of(name, key), name, tuple[int, str]) == key


@given(st.text(max_size=60))
def test_any_other_cursor_is_refused(text: str) -> None:
    try:
        assert key_of(text, "list", int) is None and text == ""
    except Problem as problem:
        assert problem.kind.name == "CURSOR_INVALID"
