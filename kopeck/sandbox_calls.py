"""Fakes that call the house: their callbacks are sent when they are due, until the fake needs no more of them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Protocol, runtime_checkable

import structlog

from connectors.sandbox.callbacks import DueCallback
from schemas.exchange import Exchange, ExchangeFailed, HttpAnswer

CALL_PERIOD_S = 0.5

_log = structlog.get_logger("kopeck.sandbox")


@runtime_checkable
class CallingFake(Protocol):
    """A fake with callbacks of its own (connectors/sandbox/rbs.py, tbank.py, tochka.py)."""

    def callbacks_due(self, now: datetime) -> tuple[DueCallback, ...]: ...

    def callback_answered(self, number: int, answer: HttpAnswer | None, now: datetime) -> None: ...


async def call_due(name: str, fake: CallingFake, exchange: Exchange, clock: Callable[[], datetime]) -> int:
    """Send what is due, one after another, and tell the fake what was answered; how many were sent."""
    due = fake.callbacks_due(clock())
    for callback in due:
        answer: HttpAnswer | None = None
        try:
            answer = await exchange(callback.request)
        except ExchangeFailed as error:
            _log.warning("callback_unanswered", fake=name, reason=error.reason)
        fake.callback_answered(callback.number, answer, clock())
        _log.info("callback", fake=name, status=answer.status if answer is not None else None)
    return len(due)


async def keep_calling(
    name: str, fake: CallingFake, exchange: Exchange, clock: Callable[[], datetime], stop: asyncio.Event
) -> None:
    """Send callbacks until ``stop``."""
    while not stop.is_set():
        await call_due(name, fake, exchange, clock)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), CALL_PERIOD_S)
