"""How fast, how many and how long: the limits of delivery to one counterparty, their relations checked at start."""

import msgspec

from services.delivery.rules import Patience

LEASE_PARTS = 3
"""A call begins while a third of its lease is left, and a lease in use is renewed every third of its length."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Limits for one counterparty. Milliseconds.

    ``concurrency`` bounds the orders in work at once, ``records_max`` those recorded in one transaction with their desks.
    ``rest_ms`` is the least time between two leases: fewer, larger ones cost less an order. ``call_ms_max`` bounds one send
    or ask, whatever exchanges it takes. The breaker opens after ``failures_max`` failures of transport one after another
    and lets one order through after ``open_ms``, after longer and longer up to ``open_ms_max``.
    """

    concurrency: int = 32
    records_max: int = 64
    rest_ms: int = 10
    lease_ms: int = 60_000
    call_ms_max: int = 60_000
    failures_max: int = 8
    open_ms: int = 2_000
    open_ms_max: int = 60_000
    patience: Patience = Patience()

    def __post_init__(self) -> None:
        """Raise ValueError for limits that do not fit one another."""
        if min(self.concurrency, self.records_max, self.lease_ms, self.call_ms_max, self.failures_max, self.open_ms) < 1:
            raise ValueError("a limit of delivery is below 1")
        if self.open_ms > self.open_ms_max or self.patience.backoff_ms_min > self.patience.backoff_ms_max:
            raise ValueError("a least time of delivery is above the greatest")
        if self.patience.quiet_ms * LEASE_PARTS > self.lease_ms:
            # Else a crash would lead to the question sooner than an answer that failed to come.
            raise ValueError(f"lease_ms must be at least {LEASE_PARTS} times quiet_ms")
