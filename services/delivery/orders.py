"""The register of orders as their owners use it: new orders, hints, and ends that were learnt otherwise."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ledger.feed import Connection
from schemas.delivery import Done, OrderNumber, OrderState, Refused
from services.delivery.rules import clean
from services.delivery.store import SQL


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order to be delivered: whose it is, the owner's row, by which connection, under which key, and its JSON.

    ``key`` is for ever the counterparty's: derived from the payment's or the transfer's key. It is not sent before
    ``not_before``, at once without one.
    """

    what: str
    subject: int
    counterparty: str
    key: str
    content: bytes
    not_before: datetime | None = None


async def create_orders(connection: Connection, orders: Sequence[NewOrder]) -> tuple[OrderNumber, ...]:
    """Put orders into the register in the caller's transaction; their numbers in the order given.

    Raises asyncpg.UniqueViolationError (constraint ``outgoing_once``) for a key that the counterparty has had before: it is
    the caller's bug, for an owner makes its orders once, in the transaction in which its own cursor moves.
    """
    rows = await connection.fetch(
        SQL["create"],
        [one.what for one in orders],
        [one.subject for one in orders],
        [one.counterparty for one in orders],
        [one.key for one in orders],
        [one.content for one in orders],
        [one.not_before for one in orders],
    )
    numbers = {(row["counterparty"], row["key"]): OrderNumber(row["number"]) for row in rows}
    return tuple([numbers[one.counterparty, one.key] for one in orders])


async def notify_orders(connection: Connection) -> None:
    """Wake the workers; polling alone finds orders too, up to 200 ms later.

    After the commit, at most once in 20 ms. Inside a transaction the workers are told at its commit, but PostgreSQL lets
    only one transaction that notifies commit at a time.
    """
    await connection.execute(SQL["notify"])


async def hasten_order(connection: Connection, counterparty: str, key: str) -> bool:
    """Have an accepted order asked about at once, for a callback is a hint; whether there was one to ask about."""
    return await connection.fetchval(SQL["hasten"], counterparty, key) is not None


async def conclude_order(connection: Connection, number: OrderNumber, answer: Done | Refused) -> bool:
    """End an order by what its owner learnt otherwise (a statement), in the caller's transaction; the desk is not called.

    Only an order that the counterparty may have can be ended so: accepted, parked or of unknown outcome. False for others.
    """
    state, reference, reason = OrderState.REFUSED, "", ""
    if isinstance(answer, Done):
        state, reference = OrderState.DONE, answer.reference
    else:
        reason = clean(f"{answer.code}: {answer.reason}")
    return await connection.fetchval(SQL["conclude"], number, state, reference, reason, answer.content) is not None
