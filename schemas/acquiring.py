"""What an acquirer or СБП says of an operation, whatever its protocol (protocols.md §2, §3)."""

from datetime import datetime
from enum import StrEnum

import msgspec

from schemas.ids import ExternalId


class AcquirerAct(StrEnum):
    """What happened. Only PAID is a payment; APPROVED holds the payer's money, which nobody may split yet."""

    APPROVED = "approved"
    PAID = "paid"
    REVERSED = "reversed"  # the hold or payment was released whole, before the acquirer's day closed
    REFUNDED = "refunded"
    DECLINED = "declined"
    OTHER = "other"  # told, and of no consequence to money


class AcquirerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One believed event. ``payment`` is the acquirer's own id of the payment (mdOrder, PaymentId, operationId): the key in
    its operation space. ``key`` is unique an event: repeats of it carry the same.

    ``order`` is our order's number at the acquirer, empty where there is none. ``aliases`` are other ids of the same payment,
    told together (orderNumber, RRN, qrcId …). ``account`` is the personal account where the message itself names one.
    ``amount_kopecks`` is what this event moved: of PAID the deposited sum, of REFUNDED this refund's,
    0 where it was not told: then the acquirer is to be asked.
    """

    act: AcquirerAct
    payment: ExternalId
    key: ExternalId
    amount_kopecks: int
    event_at: datetime | None
    order: str = ""
    account: str = ""
    aliases: tuple[ExternalId, ...] = ()


def order_alias(number: str) -> ExternalId:
    """Return an order's number at the acquirer as another id of its payment."""
    return ExternalId(f"order:{number}")


def rrn_alias(number: str) -> ExternalId:
    """Return a retrieval reference number (RRN) of the payment, not of a refund, as another id of it."""
    return ExternalId(f"rrn:{number}")


def qr_alias(number: str) -> ExternalId:
    """Return the id of a one-time payment link (qrcId) of СБП as another id of its payment."""
    return ExternalId(f"qr:{number}")
