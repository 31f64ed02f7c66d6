"""Delivery as Prometheus metrics (a hook of services/delivery/worker.py)."""

from collections.abc import Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from schemas.delivery import OrderState
from services.delivery.breaker import BreakerState
from services.delivery.hooks import Written
from services.delivery.store import Measured

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 43_200, 86_400, 259_200)


class DeliveryMetrics:
    """Times from an order's creation, queues, attempts, breakers. The age of the oldest counts parked orders too."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        both, one = ("what", "counterparty"), ("counterparty",)
        self._accepted = Histogram(
            "kopeck_order_accepted_seconds", "From created to accepted.", both, buckets=_SECONDS, registry=registry
        )
        self._done = Histogram("kopeck_order_done_seconds", "From created to done.", both, buckets=_SECONDS, registry=registry)
        self._attempts = Counter("kopeck_delivery_attempts_total", "Attempts by outcome.", (*one, "outcome"), registry=registry)
        self._ended = Counter("kopeck_orders_ended_total", "Orders at rest.", (*both, "state"), registry=registry)
        self._lost = Counter("kopeck_delivery_leases_lost_total", "Orders that another worker took over.", one, registry=registry)
        self._orders = _gauge("kopeck_orders", "Orders not done, by state.", (*both, "state"), registry)
        self._oldest = _gauge("kopeck_order_oldest_seconds", "Age of the oldest order not done.", both, registry)
        self._breaker = _gauge("kopeck_delivery_breaker", "0 closed, 1 half open, 2 open.", one, registry)
        self._closed = _gauge("kopeck_counterparty_closed", "1 for a counterparty that refuses us altogether.", one, registry)
        self._shown: set[tuple[str, str, OrderState]] = set()
        self._shown_closed: set[str] = set()

    def leased(self, counterparty: str, orders: int) -> None:
        """Say nothing: every lease ends in an attempt."""

    def attempted(self, counterparty: str, outcome: str) -> None:
        """Count the attempt."""
        self._attempts.labels(counterparty, outcome).inc()

    def recorded(self, counterparty: str, written: Sequence[Written]) -> None:
        """Observe acceptance and completion."""
        for one in written:
            if one.first:
                self._accepted.labels(one.what, counterparty).observe(one.age_ms / 1000)
            if one.state is OrderState.DONE:
                self._done.labels(one.what, counterparty).observe(one.age_ms / 1000)
            if one.state >= OrderState.DONE:
                self._ended.labels(one.what, counterparty, one.state.name.lower()).inc()

    def lost(self, counterparty: str, orders: int) -> None:
        """Count lost leases."""
        self._lost.labels(counterparty).inc(orders)

    def breaker(self, counterparty: str, state: BreakerState) -> None:
        """Show the breaker."""
        self._breaker.labels(counterparty).set(state)

    def measured(self, measured: Sequence[Measured], closed: Sequence[str]) -> None:
        """Show the queues; what was shown before and is empty now goes to nought."""
        orders = {(row.what, row.counterparty, row.state): row.orders for row in measured}
        oldest: dict[tuple[str, str], int] = {}
        for row in measured:
            place = (row.what, row.counterparty)
            oldest[place] = max(oldest.get(place, 0), row.oldest_ms)
        self._shown |= set(orders)
        for what, counterparty, state in self._shown:
            self._orders.labels(what, counterparty, state.name.lower()).set(orders.get((what, counterparty, state), 0))
            self._oldest.labels(what, counterparty).set(oldest.get((what, counterparty), 0) / 1000)
        self._shown_closed |= set(closed)
        for counterparty in self._shown_closed:
            self._closed.labels(counterparty).set(counterparty in closed)


def _gauge(name: str, text: str, labels: tuple[str, ...], registry: CollectorRegistry) -> Gauge:
    return Gauge(name, text, labels, registry=registry, multiprocess_mode="mostrecent")
