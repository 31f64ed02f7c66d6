"""Prometheus metrics of the gateway, right for N processes; the pipeline knows only these hooks (style rule 20)."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ENTRIES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

ANSWERS = Counter("kopeck_payments_total", "Notifications answered.", ("channel", "answer"))
ANSWER_SECONDS = Histogram("kopeck_payment_seconds", "From receipt to answer, payments only.", buckets=_SECONDS)
FORM_ERRORS = Counter("kopeck_form_errors_total", "Messages refused for their form or signature.", ("channel", "error"))
REFUSALS = Counter("kopeck_refusals_total", "Payments refused for good.", ("channel", "reason"))
SUSPENSE = Counter("kopeck_suspense_total", "Payments put into suspense.", ("channel", "reason"))
BATCH_ENTRIES = Histogram("kopeck_batch_entries", "Offers in one append.", buckets=_ENTRIES)
APPEND_SECONDS = Histogram("kopeck_append_seconds", "One append, answer included.", buckets=_SECONDS)
STALE = Counter("kopeck_stale_total", "Offers split again because their table had moved or expired.")
UNKNOWN_OUTCOMES = Counter("kopeck_append_unknown_total", "Appends that failed with their outcome unknown and were sent again.")
TABLES = Counter("kopeck_table_lookups_total", "Tables looked up.", ("source",))
CACHE_ERRORS = Counter("kopeck_cache_errors_total", "Failures of Redis, each answered from PostgreSQL.")
READ_ERRORS = Counter("kopeck_postgresql_read_errors_total", "Reads that PostgreSQL failed, each answered by try again.")
PARKED = Counter("kopeck_parked_total", "Cases kept for a person.", ("what",))
FAULTS = Counter("kopeck_pipeline_faults_total", "Programming errors met by the batcher: always a bug.")
CONNECTIONS_REFUSED = Counter("kopeck_connections_refused_total", "Connections answered 503: as many are held as may be.")
QUEUE = Gauge("kopeck_queue_payments", "Payments waiting for the door.", multiprocess_mode="livesum")


def render() -> bytes:
    """Return the metrics in the text format: of all processes of this run, or of this one when it runs alone."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
