"""How whoever learns of payments outside the gateway's routes has them booked: by the same stations and the same door."""

from collections.abc import Sequence
from typing import Protocol

from schemas.channel import Channel
from schemas.notification import PaymentNotification
from schemas.outcome import PaymentOutcome


class Booking(Protocol):
    """The gateway's stations without its routes (gateway/intake.py)."""

    async def book(self, channel: Channel, notifications: Sequence[PaymentNotification]) -> tuple[PaymentOutcome, ...]:
        """Return the outcome of each notification, in order; TRY_AGAIN says nothing about what was booked. Never raises for
        what a notification holds."""
        ...
