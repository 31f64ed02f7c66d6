"""What delivery tells about itself; metrics and tests listen (style rule 20)."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from schemas.delivery import OrderState
from services.delivery.breaker import BreakerState
from services.delivery.store import Measured


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A committed answer: whose order, what it became, its age in milliseconds; ``first`` at its first acceptance."""

    what: str
    state: OrderState
    age_ms: int
    first: bool


class Hooks(Protocol):
    """Called between the steps of a delivery, in their order; none may raise."""

    def leased(self, counterparty: str, orders: int) -> None:
        """So many leases are committed, no connector was called yet."""

    def attempted(self, counterparty: str, outcome: str) -> None:
        """An attempt is over and not recorded: the answer's name in small letters, ``bug``, ``parked`` or ``released``."""

    def recorded(self, counterparty: str, written: Sequence[Written]) -> None:
        """These answers are committed with their consequences."""

    def lost(self, counterparty: str, orders: int) -> None:
        """So many orders turned out to be another worker's."""

    def breaker(self, counterparty: str, state: BreakerState) -> None:
        """The breaker is in this state now."""

    def measured(self, measured: Sequence[Measured], closed: Sequence[str]) -> None:
        """All that is not done, and the closed counterparties."""


class NoHooks:
    """Tells nobody."""

    def leased(self, counterparty: str, orders: int) -> None:
        """Say nothing."""

    def attempted(self, counterparty: str, outcome: str) -> None:
        """Say nothing."""

    def recorded(self, counterparty: str, written: Sequence[Written]) -> None:
        """Say nothing."""

    def lost(self, counterparty: str, orders: int) -> None:
        """Say nothing."""

    def breaker(self, counterparty: str, state: BreakerState) -> None:
        """Say nothing."""

    def measured(self, measured: Sequence[Measured], closed: Sequence[str]) -> None:
        """Say nothing."""
