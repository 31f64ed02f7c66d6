"""Latency summaries: the percentiles that the bench prints."""

import random

import pytest

from loadtests.latency import LATENCY_MICROSECONDS_MAX, Latencies, latencies_from, milliseconds


def test_nothing_measured() -> None:
    assert latencies_from([]) == Latencies(count=0, p50=0, p95=0, p99=0, p999=0, largest=0)


def test_one_value_is_every_percentile() -> None:
    assert latencies_from([777]) == Latencies(count=1, p50=777, p95=777, p99=777, p999=777, largest=777)


def test_percentiles_are_within_a_thousandth_of_the_exact_ones() -> None:
    chance = random.Random(7)
    values = sorted(int(chance.lognormvariate(8, 1.5)) + 1 for _ in range(20_000))
    summary = latencies_from(values)
    for share, found in ((0.5, summary.p50), (0.95, summary.p95), (0.99, summary.p99), (0.999, summary.p999)):
        exact = values[round(share * len(values)) - 1]
        assert abs(found - exact) <= exact / 500 + 1, (share, found, exact)
    assert summary.largest >= values[-1] * 999 // 1000


@pytest.mark.parametrize("value, counted", [(0, 1), (-5, 1), (LATENCY_MICROSECONDS_MAX * 3, LATENCY_MICROSECONDS_MAX)])
def test_values_outside_the_range_count_as_its_ends(value: int, counted: int) -> None:
    assert abs(latencies_from([value]).largest - counted) <= counted / 500


@pytest.mark.parametrize("microseconds, text", [(0, "0.0"), (49, "0.0"), (50, "0.1"), (20_149, "20.1"), (61_000, "61.0")])
def test_milliseconds_have_one_decimal(microseconds: int, text: str) -> None:
    assert milliseconds(microseconds) == text
