"""A circuit breaker: a counterparty that cannot be reached is left alone and tried with one order at a time. Without I/O."""

from enum import IntEnum

from tenacity import wait_exponential

from services.delivery.pace import Pace
from services.delivery.rules import Draw, jittered


class BreakerState(IntEnum):
    """CLOSED lets everything through, HALF_OPEN one order, OPEN none."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Counts failures of transport that follow one another. Moments are milliseconds of any steady clock."""

    def __init__(self, pace: Pace, draw: Draw) -> None:
        self.state = BreakerState.CLOSED
        self._failures_max = pace.failures_max
        self._wait = wait_exponential(multiplier=pace.open_ms, max=pace.open_ms_max)
        self._draw = draw
        self._failures = 0
        self._openings = 0
        self._until_ms = 0

    def allowance(self, now_ms: int, in_work: int, wanted: int) -> int:
        """How many of the ``wanted`` orders may begin while ``in_work`` are under way."""
        if self.state is BreakerState.OPEN and now_ms >= self._until_ms:
            self.state = BreakerState.HALF_OPEN
        if self.state is BreakerState.CLOSED:
            return wanted
        return min(wanted, 1) if self.state is BreakerState.HALF_OPEN and in_work == 0 else 0

    def succeeded(self) -> None:
        """Note that the counterparty answered."""
        self.state = BreakerState.CLOSED
        self._failures = self._openings = 0

    def failed(self, now_ms: int) -> None:
        """Note that it did not."""
        self._failures += 1
        probing = self.state is BreakerState.HALF_OPEN
        if probing or (self.state is BreakerState.CLOSED and self._failures >= self._failures_max):
            self._openings += 1
            self.state = BreakerState.OPEN
            self._until_ms = now_ms + jittered(self._wait, self._openings, self._draw)
