"""What becomes of an acquirer's event, whoever heard of it: a payment goes to the door, anything else is kept durably.

A callback's route and a poll take the same way, so that a lost callback that a poll finds is the same entry.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from gateway.parking import Parking
from gateway.reader import POSTGRESQL_ERRORS, Reader
from gateway.submission import TRY_AGAIN
from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.channel import Channel
from schemas.notification import PaymentNotification
from schemas.outcome import Answer, PaymentOutcome

log = structlog.get_logger("gateway.acquiring")

KEPT = PaymentOutcome(answer=Answer.RECORDED)
"""An event that is no payment is kept."""
KNOWN = PaymentOutcome(answer=Answer.DUPLICATE)
"""It was kept before."""
ORDER_ACCOUNT_GROUP = "account"

Submit = Callable[[Channel, PaymentNotification], Awaitable[PaymentOutcome]]


class EventTaker:
    """Takes the events of acquirers' channels."""

    def __init__(self, reader: Reader, parking: Parking, submit: Submit, utc_now: Callable[[], datetime]):
        self._reader = reader
        self._parking = parking
        self._submit = submit
        self._utc_now = utc_now

    async def take(self, channel: Channel, event: AcquirerEvent) -> PaymentOutcome:
        """Book a payment, keep anything else; RECORDED and DUPLICATE of what is only kept carry no place in the journal.

        TRY_AGAIN when it is not known whether that was done. Never raises for what an event holds.
        """
        try:
            if event.act is not AcquirerAct.PAID:
                return await self._keep(channel, event)
            notification = await self._payment(channel, event)
        except POSTGRESQL_ERRORS as error:
            log.warning("event.unavailable", channel=channel.name, payment=event.payment, error=type(error).__name__)
            return TRY_AGAIN
        return await self._submit(channel, notification)

    async def _keep(self, channel: Channel, event: AcquirerEvent) -> PaymentOutcome:
        if await self._reader.keep_event(channel, event):
            return KEPT
        if await self._reader.has_event(channel, event):
            return KNOWN
        await self._parking.park_event(channel, event)
        return PaymentOutcome(answer=Answer.CONFLICT, conflict_field="event")

    async def _payment(self, channel: Channel, event: AcquirerEvent) -> PaymentNotification:
        account, designation, unidentified = event.account, None, False
        if not account:
            order = await self._reader.find_web_order(channel.space, event.order) if event.order else None
            if order is not None:
                account, designation = order
            else:
                account = account_of_order(channel, event.order)
        if not account:
            account, unidentified = event.order, True
        return PaymentNotification(
            external_id=event.payment,
            account_number=account,
            amount_kopecks=event.amount_kopecks,
            raw_amount="",
            event_at=event.event_at or self._utc_now(),
            designation=designation,
            aliases=event.aliases,
            unidentified=unidentified,
        )


def account_of_order(channel: Channel, order: str) -> str:
    """Return the account's number that an order's number holds by the channel's expression, or an empty text."""
    pattern = channel.acquirer.account_in_order
    found = re.fullmatch(pattern, order) if pattern and order else None
    return found.group(ORDER_ACCOUNT_GROUP) or "" if found is not None else ""
