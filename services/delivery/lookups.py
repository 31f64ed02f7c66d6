"""The register of orders as people look at it. Readers only; what a person does about an order is in interventions.py."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.delivery import OrderNumber, OrderState

_SQL = load_statements("services/delivery/lookups.sql")


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it stands, without its content. ``state`` is a word; ``unknown``: the counterparty may have it already.

    ``due_at`` is when it is sent or asked about next; None for an order at rest, and for one that only its owner can end.
    """

    number: OrderNumber
    what: str
    subject: int
    counterparty: str
    key: str
    state: str
    reference: str
    attempts: int
    unknown: bool
    due_at: datetime | None
    reason: str
    created_at: datetime
    accepted_at: datetime | None
    ended_at: datetime | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders are looked for; an empty word is any."""

    what: str = ""
    state: OrderState | None = None
    counterparty: str = ""


async def list_orders(connection: Connection, wanted: Wanted, orders_max: int) -> tuple[OrderView, ...]:
    """Return orders, the newest first."""
    rows = await connection.fetch(_SQL["list_orders"], wanted.what, wanted.state, wanted.counterparty, orders_max)
    return tuple([_view(row) for row in rows])


async def list_orders_of(connection: Connection, what: str, subject: int) -> tuple[OrderView, ...]:
    """Return the orders that were given for one of an owner's things, the oldest first."""
    return tuple([_view(row) for row in await connection.fetch(_SQL["list_orders_of"], what, subject)])


def _view(row: Mapping[str, Any]) -> OrderView:
    state = OrderState(row["state"])
    under_way = state in (OrderState.WAITING, OrderState.ACCEPTED)
    return OrderView(
        number=row["number"],
        what=row["what"],
        subject=row["subject"],
        counterparty=row["counterparty"],
        key=row["key"],
        state=state.name.lower(),
        reference=row["reference"],
        attempts=row["attempts"],
        unknown=row["sending"],
        due_at=row["due_at"] if under_way and row["due_at"].year < datetime.max.year else None,
        reason=row["reason"],
        created_at=row["created_at"],
        accepted_at=row["accepted_at"],
        ended_at=row["ended_at"],
    )
