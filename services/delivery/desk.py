"""The desk: where an order's owner meets the answer, in the very transaction that records it (design W9)."""

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from ledger.feed import Connection
from schemas.delivery import Accepted, Done, Outgoing, Refused

CANCELLED = "cancelled"
"""Code of the Refused that a desk gets when a person cancelled the order: no new order may follow by itself."""


class Desk(Protocol):
    """Writes the consequences of an order's end, of its first acceptance, and of each later one that tells something new
    (its content is there and is not what the last one told), on the connection it is given.

    What it writes and the order's state are committed together, so it is called for an order's end once, as far as anything
    that was committed can tell; what it does elsewhere may be done again. It must be short: a transaction of delivery holds
    as many orders as were answered together. An exception is a bug: the order is parked, its answer is asked for again later.
    """

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        """Write the consequences. A Refused with ``again`` may become a new order under a new key here."""
        ...


Desks: TypeAlias = Mapping[str, Desk]
"""By ``what``."""
