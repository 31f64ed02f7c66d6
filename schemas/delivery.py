"""Orders on their way out: what delivery hands to a connector and what a connector says of it (design W9)."""

from enum import IntEnum
from typing import NewType, Protocol

import msgspec

OrderNumber = NewType("OrderNumber", int)
"""Number of an order in the house's register of orders."""

ORDER_KEY_CHARACTERS_MAX = 128


class OrderState(IntEnum):
    """Where an order stands. The last three are at rest: nothing is sent any more until a person or its owner acts."""

    WAITING = 0
    ACCEPTED = 1
    DONE = 2
    REFUSED = 3
    PARKED = 4
    CANCELLED = 5


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """An order as a connector gets it.

    ``key`` is its idempotency key at the counterparty: derived from the payment's key or the transfer's, never from a place in
    a book, and the same at every attempt. ``content`` is the owner's JSON (a Receipt, a TransferBatch …).
    ``reference`` is the counterparty's own id once it is known. ``attempt`` counts from 1. ``subject`` is the owner's own row,
    for its desk.
    """

    number: OrderNumber
    key: str
    content: bytes
    reference: str = ""
    attempt: int = 1
    subject: int = 0


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The counterparty has the order and is not done; ask again in ``ask_after_ms``. ``content``: what is known so far."""

    reference: str
    ask_after_ms: int
    content: bytes = b""


class Done(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Final success; ``content`` is the owner's JSON of what came back (a FiscalSign, a TransferReport …)."""

    reference: str
    content: bytes


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Final failure at the counterparty: the owner may make a new order under a new key. ``again`` says that the same
    content has a chance under a new key (a till's queue timed out); otherwise the content must be mended first."""

    code: str
    reason: str
    again: bool = False
    content: bytes = b""


class NotTaken(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing was taken and nothing will be of this attempt: send the same later."""

    reason: str
    after_ms: int = 0


class Unknown(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The order may or may not have been taken: it must be asked about by its key before anything else."""

    reason: str


class Closed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The counterparty refuses us altogether (password, blocked, wrong group): stop sending to it, keep the order, alert."""

    reason: str


Answer = Accepted | Done | Refused | NotTaken | Unknown | Closed


class Counterparty(Protocol):
    """A connector that delivers. It never raises for what the counterparty does or fails to do.

    ``deduplicates``: the counterparty itself answers a repeated key with the first order, so an unknown outcome may be sent
    again. ``can_be_asked``: ``ask`` finds an order by ``reference`` or, without one, by ``key``. When it can do neither, an
    order whose outcome is unknown is parked for a person.
    """

    @property
    def deduplicates(self) -> bool:
        """Whether a repeated key gets the first order's answer."""
        ...

    @property
    def can_be_asked(self) -> bool:
        """Whether ``ask`` finds an order."""
        ...

    async def send(self, order: Outgoing) -> Answer:
        """Hand the order over."""
        ...

    async def ask(self, order: Outgoing) -> Answer:
        """Ask what became of it. NotTaken: the counterparty does not know the key, so it may be sent."""
        ...
