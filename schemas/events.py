"""How whoever asks an acquirer hands over what it was told: by the same way as a callback's route."""

from typing import Protocol

from schemas.acquiring import AcquirerEvent
from schemas.channel import Channel
from schemas.outcome import PaymentOutcome


class EventTaking(Protocol):
    """The gateway's way of an acquirer's event (gateway/acquiring.py)."""

    async def take(self, channel: Channel, event: AcquirerEvent) -> PaymentOutcome:
        """Book a payment, keep anything else; TRY_AGAIN says nothing about what was done. Never raises for what an event
        holds."""
        ...
