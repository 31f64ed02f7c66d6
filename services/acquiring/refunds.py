"""Money given back by the acquirer that took it, as orders of delivery under externalRefundId (protocols.md §2; design W9).

Whoever decides the refund appends its entry; the order belongs into the same transaction. That the acquirer took it off its next
transfer is told by the refund's event, which comes as a callback or is found by asking.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NewType

import msgspec

from connectors.acquiring.rbs_answers import Carried, OrderMissing, OrderStatus
from connectors.acquiring.rbs_client import RbsClient
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.channel import Channel
from schemas.delivery import Accepted, Answer, Done, NotTaken, Outgoing, Refused, Unknown
from schemas.ids import ExternalId
from services.delivery.orders import NewOrder, create_orders

_SQL = load_statements("services/acquiring/acquiring.sql")

WHAT = "acquirer_refund"
NO_PAYMENT = "6"
"""errorCode of an order that the acquirer does not know."""

RefundNumber = NewType("RefundNumber", int)


class RefundRefused(ValueError):
    """Such a refund cannot be; the text says why."""


class RefundOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The order's content: the acquirer's id of the payment, and how much of it goes back."""

    payment: ExternalId
    amount_kopecks: int


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A refund as decided. ``key`` is ours for ever, the decision's own: 1 to 64 visible ASCII characters, no place in a book."""

    key: str
    payment: ExternalId
    amount_kopecks: int
    asked_by: str


def counterparty_of(channel_name: str) -> str:
    """Return the name by which orders leave through a channel's acquirer."""
    return f"acquirer:{channel_name}"


async def order_refund(connection: Connection, channel: Channel, wish: Wish, now: datetime) -> RefundNumber:
    """Order a refund in the caller's transaction; the same wish again is the same refund.

    Raises RefundRefused for a payment that is not booked, for more than is left of it, and for a key with another content.
    """
    assert connection.is_in_transaction(), "the decision and its order are one"
    await connection.execute(_SQL["lock_payment"], channel.space, wish.payment)
    known = await connection.fetchrow(_SQL["find_refund"], channel.space, wish.key)
    if known is not None:
        if (known["payment"], known["amount"]) != (wish.payment, wish.amount_kopecks):
            raise RefundRefused(f"refund {wish.key} stands with another payment or sum")
        return RefundNumber(known["refund"])
    found = await connection.fetchrow(_SQL["find_refundable"], channel.space, wish.payment)
    if found is None:
        raise RefundRefused(f"payment {wish.payment} is not booked")
    left = found["amount"] - found["asked"]
    if not 0 < wish.amount_kopecks <= left:
        raise RefundRefused(f"payment {wish.payment}: {left} kopecks are left to give back")
    number = await connection.fetchval(
        _SQL["add_refund"],
        channel.number,
        channel.space,
        wish.payment,
        wish.key,
        wish.amount_kopecks,
        wish.asked_by,
        now,
    )
    content = msgspec.json.encode(RefundOrder(payment=wish.payment, amount_kopecks=wish.amount_kopecks))
    order = NewOrder(what=WHAT, subject=number, counterparty=counterparty_of(channel.name), key=wish.key, content=content)
    await create_orders(connection, (order,))
    return RefundNumber(number)


class RefundsDesk:
    """The desk of ``what='acquirer_refund'``; ``subject`` is the refund. A refusal waits for a person, who orders another."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        """Write the refund's end; see ``services.delivery.desk.Desk``."""
        if isinstance(answer, Accepted):
            return
        reason = f"{answer.code}: {answer.reason}" if isinstance(answer, Refused) else ""
        await connection.execute(_SQL["end_refund"], order.subject, isinstance(answer, Done), reason, self._now())


class AcquirerRefunds:
    """Delivers refunds to one RBS merchant (schemas.delivery.Counterparty).

    A repeated externalRefundId is refused by an errorCode that says nothing else, so an unknown outcome is asked about: the
    order's refunds are shown with our id. A bank that shows no refunds leaves it unknown, for a person.
    """

    deduplicates = False
    can_be_asked = True

    def __init__(self, client: RbsClient) -> None:
        self._client = client

    async def send(self, order: Outgoing) -> Answer:
        """Ask for the refund."""
        wanted = msgspec.json.decode(order.content, type=RefundOrder)
        answer = await self._client.refund(wanted.payment, wanted.amount_kopecks, order.key)
        match answer:
            case Carried():
                return Done(reference=order.key, content=b"")
            case OrderMissing():
                return Refused(code=NO_PAYMENT, reason="the acquirer does not know the payment")
            case _:
                return answer

    async def ask(self, order: Outgoing) -> Answer:
        """Look for the refund among those of its payment; NotTaken when the bank shows refunds and not this one."""
        wanted = msgspec.json.decode(order.content, type=RefundOrder)
        status = await self._client.status(order_id=wanted.payment)
        if isinstance(status, OrderMissing):
            return Refused(code=NO_PAYMENT, reason="the acquirer does not know the payment")
        if not isinstance(status, OrderStatus):
            return status
        found = status.refund_known_as(order.key)
        if found is None:
            if status.refunds is None and status.refunded_kopecks:
                return Unknown(reason="the bank gave money back and does not show under which ids")
            return NotTaken(reason="the bank shows no such refund")
        if found.amount_kopecks != wanted.amount_kopecks:
            return Unknown(reason="the bank shows the refund with another sum")
        return Done(reference=order.key, content=b"")
