"""Prometheus metrics of the gateway, right for N processes; the pipeline knows only these hooks (style rule 20)."""

import asyncio
import os
from bisect import bisect_left

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from schemas.outcome import Answer

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ENTRIES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

ANSWERS = Counter("kopeck_payments_total", "Notifications answered.", ("channel", "answer"))
ANSWER_SECONDS = Histogram("kopeck_payment_seconds", "From receipt to answer, payments only.", buckets=_SECONDS)
FORM_ERRORS = Counter("kopeck_form_errors_total", "Messages refused for their form or signature.", ("channel", "error"))
FORGED = Counter("kopeck_forged_messages_total", "Acquirers' messages without a right signature: an alert.", ("channel",))
REFUSALS = Counter("kopeck_refusals_total", "Payments refused for good.", ("channel", "reason"))
SUSPENSE = Counter("kopeck_suspense_total", "Payments put into suspense.", ("channel", "reason"))
BATCH_ENTRIES = Histogram("kopeck_batch_entries", "Offers in one append.", buckets=_ENTRIES)
APPEND_SECONDS = Histogram("kopeck_append_seconds", "One append, answer included.", buckets=_SECONDS)
STALE = Counter("kopeck_stale_total", "Offers split again because their table had moved or expired.")
UNKNOWN_OUTCOMES = Counter("kopeck_append_unknown_total", "Appends that failed with their outcome unknown and were sent again.")
APPENDS_REFUSED = Counter("kopeck_append_refused_total", "Appends that PostgreSQL refuses to do at all.", ("sqlstate",))
EVENTS_AHEAD = Counter("kopeck_events_ahead_total", "Messages that tell a date more than a day ahead of our clock.", ("channel",))
TABLES = Counter("kopeck_table_lookups_total", "Tables looked up.", ("source",))
CACHE_ERRORS = Counter("kopeck_cache_errors_total", "Failures of Redis, each answered from PostgreSQL.")
READ_ERRORS = Counter("kopeck_postgresql_read_errors_total", "Reads that PostgreSQL failed, each answered by try again.")
PARKED = Counter("kopeck_parked_total", "Cases kept for a person.", ("what",))
FAULTS = Counter("kopeck_pipeline_faults_total", "Programming errors met by the batcher: always a bug.")
CONNECTIONS_REFUSED = Counter("kopeck_connections_refused_total", "Connections answered 503: as many are held as may be.")
QUEUE = Gauge("kopeck_queue_payments", "Payments waiting for the door.", multiprocess_mode="livesum")


FLUSH_EVERY_S = 0.1


class Tally:
    """The hot path's own counts, kept in memory and given to Prometheus ten times a second.

    Two increments in a file shared by processes cost a payment more than its signature; these cost two additions.
    """

    def __init__(self) -> None:
        self._answers: dict[tuple[str, Answer], int] = {}
        self._buckets = [0] * (len(_SECONDS) + 1)
        self._seconds = 0.0

    def answered(self, channel: str, answer: Answer) -> None:
        """Count one answer of a channel."""
        key = (channel, answer)
        self._answers[key] = self._answers.get(key, 0) + 1

    def took(self, seconds: float) -> None:
        """Note how long a payment waited for its answer."""
        self._buckets[bisect_left(_SECONDS, seconds)] += 1
        self._seconds += seconds

    def flush(self) -> None:
        """Give Prometheus what has come together since the last time."""
        answers, self._answers = self._answers, {}
        for (channel, answer), count in answers.items():
            ANSWERS.labels(channel, answer.name.lower()).inc(count)
        if self._seconds:
            # The library has no way to observe many values at once; a test compares this with observing each.
            for bucket, count in zip(ANSWER_SECONDS._buckets, self._buckets, strict=True):
                if count:
                    bucket.inc(count)
            ANSWER_SECONDS._sum.inc(self._seconds)
            self._buckets = [0] * len(self._buckets)
            self._seconds = 0.0

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            self.flush()


TALLY = Tally()


def render() -> bytes:
    """Return the metrics in the text format: of all processes of this run, or of this one when it runs alone."""
    TALLY.flush()
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
