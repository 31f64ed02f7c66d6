"""Latencies as an HdrHistogram: three significant digits from a microsecond to ten minutes."""

from collections.abc import Iterable

import msgspec
from hdrh.histogram import HdrHistogram

LATENCY_MICROSECONDS_MAX = 600_000_000
SIGNIFICANT_DIGITS = 3


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles in whole microseconds, exact to three digits; all 0 when ``count`` is 0."""

    count: int
    p50: int
    p95: int
    p99: int
    p999: int
    largest: int


def latencies_from(microseconds: Iterable[int]) -> Latencies:
    """Summarise; what is below 1 µs counts as 1 µs, what is above ten minutes as ten minutes."""
    histogram = HdrHistogram(1, LATENCY_MICROSECONDS_MAX, SIGNIFICANT_DIGITS)
    for latency in microseconds:
        histogram.record_value(min(max(1, latency), LATENCY_MICROSECONDS_MAX))
    if histogram.total_count == 0:
        return Latencies(count=0, p50=0, p95=0, p99=0, p999=0, largest=0)
    p50, p95, p99, p999 = (histogram.get_value_at_percentile(share) for share in (50, 95, 99, 99.9))
    return Latencies(count=histogram.total_count, p50=p50, p95=p95, p99=p99, p999=p999, largest=histogram.get_max_value())


def milliseconds(microseconds: int) -> str:
    """Write microseconds as milliseconds with one decimal, rounded half up: 20149 -> ``20.1``."""
    tenths = (microseconds + 50) // 100
    return f"{tenths // 10}.{tenths % 10}"
