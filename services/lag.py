"""How far consumers are behind the head of the journal, as Prometheus gauges (a hook of services/runner.py)."""

from collections.abc import Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge

from ledger.feed import Lag


class LagGauges:
    """Gauges by consumer: entries behind, summed over the books; seconds, the age of the oldest entry not taken."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        labels = ["consumer"]
        self._entries = Gauge(
            "kopeck_consumer_lag_entries", "Entries behind the head.", labels, registry=registry, multiprocess_mode="mostrecent"
        )
        self._seconds = Gauge(
            "kopeck_consumer_lag_seconds",
            "Age of the oldest entry not taken.",
            labels,
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self._failures = Counter("kopeck_consumer_failures", "Passages to be taken again.", labels, registry=registry)

    def lagging(self, consumer: str, lags: Sequence[Lag]) -> None:
        """Show the consumer's lag in all books."""
        self._entries.labels(consumer).set(sum(lag.entries for lag in lags))
        self._seconds.labels(consumer).set(max((lag.age_ms for lag in lags), default=0) / 1000)

    def failed(self, consumer: str) -> None:
        """Count a failure."""
        self._failures.labels(consumer).inc()
