"""What a person does with orders: sees the parked ones, lets them go on, ends them, opens a closed counterparty."""

from datetime import datetime

import msgspec
import structlog

from ledger.feed import Connection
from schemas.delivery import OrderNumber, Outgoing, Refused
from services.delivery.desk import CANCELLED, Desks
from services.delivery.rules import clean
from services.delivery.store import SQL

PARKED_MAX = 1_000

_log = structlog.get_logger("kopeck.delivery")


class ParkedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that waits for a person. ``unknown``: the counterparty may have it. ``accepted``: it once said so."""

    number: OrderNumber
    what: str
    subject: int
    counterparty: str
    key: str
    reference: str
    attempts: int
    unknown: bool
    accepted: bool
    reason: str
    created_at: datetime


class ClosedCounterparty(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that the counterparty refuses altogether, and why."""

    counterparty: str
    reason: str
    closed_at: datetime


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Who does it, and why."""

    by: str
    why: str


class NotSo(LookupError):
    """The order is not in a state in which this can be done with it, or there is no such thing."""


async def list_parked_orders(connection: Connection, what: str = "") -> tuple[ParkedOrder, ...]:
    """Return at most PARKED_MAX parked orders, of one owner or all, the oldest first."""
    rows = await connection.fetch(SQL["list_parked"], what, PARKED_MAX)
    return tuple([msgspec.convert(dict(row), ParkedOrder) for row in rows])


async def list_closed_counterparties(connection: Connection) -> tuple[ClosedCounterparty, ...]:
    """Return the counterparties to which nothing is sent, the longest closed first."""
    return tuple([msgspec.convert(dict(row), ClosedCounterparty) for row in await connection.fetch(SQL["list_closed"])])


async def retry_order(connection: Connection, number: OrderNumber, act: Act, *, surely_not_taken: bool = False) -> None:
    """Let a parked order go on; raises NotSo.

    One that the counterparty may have is asked about first. ``surely_not_taken`` is the person's word, learnt from the
    counterparty itself, that it has no such order: it is then sent as if for the first time.
    """
    reason = clean(f"retried by {act.by}: {act.why}")
    if await connection.fetchval(SQL["retry"], number, reason, surely_not_taken) is None:
        raise NotSo(f"no parked order {number}")
    _log.info("order_retried", number=number, by=act.by, why=act.why, surely_not_taken=surely_not_taken)


async def cancel_order(connection: Connection, desks: Desks, number: OrderNumber, act: Act) -> None:
    """End an order that is parked or was never sent, and tell its desk in the same transaction; raises NotSo.

    The desk gets a Refused of code CANCELLED. An order of unknown outcome may have been taken all the same: the person who
    cancels it answers for that.
    """
    reason = clean(f"cancelled by {act.by}: {act.why}")
    async with connection.transaction():
        row = await connection.fetchrow(SQL["cancel"], number, reason)
        if row is None:
            raise NotSo(f"order {number} is neither parked nor unsent")
        if row["what"] not in desks:
            raise NotSo(f"nobody here owns orders of {row['what']!r}")
        order = Outgoing(
            number=number,
            key=row["key"],
            content=row["content"],
            reference=row["reference"],
            attempt=row["attempts"],
            subject=row["subject"],
        )
        await desks[row["what"]].settle(connection, order, Refused(code=CANCELLED, reason=reason))
    _log.info("order_cancelled", number=number, by=act.by, why=act.why)


async def open_counterparty(connection: Connection, counterparty: str, act: Act) -> None:
    """Send to a closed counterparty again; raises NotSo."""
    reason = await connection.fetchval(SQL["open"], counterparty)
    if reason is None:
        raise NotSo(f"the counterparty {counterparty!r} is not closed")
    _log.info("counterparty_opened", counterparty=counterparty, by=act.by, why=act.why, closed_for=reason)
