"""The register of orders as a worker uses it: leases, renewals, what became of an order. Everything in batches."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.delivery import OrderNumber, OrderState, Outgoing
from services.delivery.rules import Stand, Verdict

SQL = load_statements("services/delivery/delivery.sql")

ORDERS_CHANNEL = "kopeck_orders"
"""PostgreSQL's notification channel: «there are new orders», without content."""


class Leased(msgspec.Struct, frozen=True, kw_only=True):
    """An order in a worker's hands. ``lease`` is compared when the worker writes.

    ``told`` is the SHA-256 of what an Accepted told of it last, which its desk has settled; None when none told anything.
    """

    order: Outgoing
    what: str
    lease: UUID
    stand: Stand
    never_accepted: bool
    told: bytes | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Orders of one owner, counterparty and state that are not done, and the age of the oldest in milliseconds."""

    what: str
    counterparty: str
    state: OrderState
    orders: int
    oldest_ms: int


async def list_due(connection: Connection, counterparties: Sequence[str]) -> tuple[str, ...]:
    """Return those of the counterparties that have an order to work on now and are not closed."""
    return tuple([row["name"] for row in await connection.fetch(SQL["list_due"], counterparties)])


async def lease(
    connection: Connection, counterparty: str, orders_max: int, lease_ms: int, held: Collection[OrderNumber] = ()
) -> tuple[Leased, ...]:
    """Lease at most so many due orders; none of a closed counterparty, none that another holds or the caller itself.

    ``sending`` is committed with the lease: from here on the outcome of an order that is not accepted counts as unknown
    until something is recorded.
    """
    rows = await connection.fetch(SQL["lease"], counterparty, orders_max, lease_ms, list(held))
    return tuple([_leased(row) for row in rows])


async def renew(connection: Connection, held: Sequence[Leased], lease_ms: int) -> frozenset[OrderNumber]:
    """Lengthen leases from now; return the orders that are held no more."""
    numbers = [one.order.number for one in held]
    kept = await connection.fetch(SQL["renew"], numbers, [one.lease for one in held], lease_ms)
    return frozenset(numbers) - {row["number"] for row in kept}


async def record(connection: Connection, verdicts: Sequence[tuple[Leased, Verdict]]) -> dict[OrderNumber, int]:
    """Write verdicts and give the leases back; return the age in milliseconds of each order that was written.

    An order whose lease another worker has taken over is not written and not returned. A lease that has ended and that
    nobody took over is still good: what is known of the order then is better than what would have to be asked.
    """
    rows = sorted(verdicts, key=lambda pair: pair[0].order.number)
    written = await connection.fetch(
        SQL["record"],
        [one.order.number for one, _ in rows],
        [one.lease for one, _ in rows],
        [verdict.state for _, verdict in rows],
        [verdict.reference for _, verdict in rows],
        [verdict.attempts for _, verdict in rows],
        [verdict.sending for _, verdict in rows],
        [verdict.due_ms for _, verdict in rows],
        [verdict.reason for _, verdict in rows],
        [verdict.result for _, verdict in rows],
    )
    return {row["number"]: row["age_ms"] for row in written}


async def close_counterparty(connection: Connection, counterparty: str, reason: str) -> bool:
    """Send nothing to a counterparty any more; whether it was open."""
    return await connection.fetchval(SQL["close"], counterparty, reason) is not None


async def measure(connection: Connection) -> tuple[Measured, ...]:
    """Return what is not done, by owner, counterparty and state."""
    return tuple([msgspec.convert(dict(row), Measured) for row in await connection.fetch(SQL["measure"])])


def _leased(row: Any) -> Leased:
    order = Outgoing(
        number=OrderNumber(row["number"]),
        key=row["key"],
        content=row["content"],
        reference=row["reference"],
        attempt=row["attempts"],
        subject=row["subject"],
    )
    stand = Stand(
        state=OrderState(row["state"]),
        unknown=row["unknown"],
        attempt=row["attempts"],
        age_ms=row["age_ms"],
        reference=row["reference"],
    )
    return Leased(
        order=order,
        what=row["what"],
        lease=row["lease"],
        stand=stand,
        never_accepted=row["never_accepted"],
        told=row["told"],
    )
