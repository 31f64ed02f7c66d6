"""Faults on the way to a fake counterparty: what networks and busy servers do to an exchange, by seeded chance."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from schemas.exchange import ExchangeFailed, HttpAnswer, HttpRequest

PERMILLE = 1000


class Fake(Protocol):
    """A counterparty in memory: pure but for its own state."""

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Answer a request as the real counterparty would."""
        ...


class FaultProfile(msgspec.Struct, frozen=True, kw_only=True):
    """Chances in a thousand, drawn for every exchange in this order; what is left goes through undisturbed."""

    refused: int = 0  # no connection: the counterparty has seen nothing
    lost_before: int = 0  # timed out, and the counterparty has seen nothing
    lost_after: int = 0  # timed out after the counterparty did what was asked
    broken: int = 0  # HTTP 500 after the counterparty did what was asked
    busy: int = 0  # HTTP 503 with Retry-After, nothing done


HEALTHY = FaultProfile()


class FaultyExchange:
    """An Exchange with a fake at its other end. ``draw(n)`` gives a whole number from 0 to n - 1."""

    def __init__(
        self,
        fake: Fake,
        profile: FaultProfile,
        *,
        draw: Callable[[int], int],
        now: Callable[[], datetime],
        seen: list[str] | None = None,
    ) -> None:
        self._fake = fake
        self._profile = profile
        self._draw = draw
        self._now = now
        self._seen = seen

    async def __call__(self, request: HttpRequest) -> HttpAnswer:
        """Exchange with the fake; raises ExchangeFailed as the profile says."""
        fault = self._fault()
        if self._seen is not None:
            self._seen.append(fault)
        if fault == "refused":
            raise ExchangeFailed("connection refused", sent=False)
        if fault == "lost_before":
            raise ExchangeFailed("timed out", sent=True)
        if fault == "busy":
            return HttpAnswer(status=503, headers=(("retry-after", "1"),))
        answer = self._fake.handle(request, self._now())
        if fault == "lost_after":
            raise ExchangeFailed("timed out", sent=True)
        if fault == "broken":
            return HttpAnswer(status=500)
        return answer

    def _fault(self) -> str:
        drawn = self._draw(PERMILLE)
        for name in ("refused", "lost_before", "lost_after", "broken", "busy"):
            chance: int = getattr(self._profile, name)
            if drawn < chance:
                return name
            drawn -= chance
        return ""
