"""What suppliers are told by webhooks: a closed set of events, each with one form of payload and no personal data."""

from datetime import date, datetime
from enum import StrEnum
from typing import TypeAlias

import msgspec

from schemas.delivery import ORDER_KEY_CHARACTERS_MAX

MESSAGE_ID_CHARACTERS_MAX = ORDER_KEY_CHARACTERS_MAX // 2
"""A replay's key is the message's id and a number after it."""


class EventType(StrEnum):
    """Types of events; an endpoint subscribes to some of them. TEST is sent on demand, to any endpoint."""

    PAYMENT_SPLIT = "payment.split"
    PAYMENT_REVERSED = "payment.reversed"
    TRANSFER_CREATED = "transfer.created"
    TRANSFER_EXECUTED = "transfer.executed"
    TRANSFER_REJECTED = "transfer.rejected"
    TRANSFER_RETURNED = "transfer.returned"
    RECEIPT_REGISTERED = "receipt.registered"
    TEST = "webhook.test"


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """What one line of the payer's account got, or gave back, in kopecks, above zero. ``period``: YYYY-MM, or empty."""

    service: str
    period: str
    kind: str
    amount_kopecks: int


class PaymentLegs(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient's own legs of one payment, never another's: nor their sum, nor the payment's.

    ``payment`` is the key under which the payer's channel knows it, ``<operation space>:<id>``; ``account`` is the personal
    account's number, masked; ``entry`` is the place in the journal, ``<book>:<sequence>``.
    """

    payment: str
    entry: str
    account: str
    transit_account: str
    paid_at: datetime
    bank_day: date
    legs: tuple[Leg, ...]
    total_kopecks: int


class TransferNews(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer to the recipient. ``number`` and ``day`` are the payment order's; the bank's own are known once executed."""

    key: str
    number: str
    day: date
    amount_kopecks: int
    purpose: str
    register: str = ""
    bank_number: str = ""
    bank_day: date | None = None
    reason: str = ""


class ReceiptNews(msgspec.Struct, frozen=True, kw_only=True):
    """A fiscal receipt registered in the recipient's name: ФН (1041), ФД (1040), ФПД (1077), the till's local time."""

    payment: str
    operation: str
    fn: str
    fd: str
    fpd: str
    registered_at: datetime
    total_kopecks: int
    link: str = ""


class TestNews(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing but a try of the receiver, asked for by a person."""

    asked_by: str


Payload: TypeAlias = PaymentLegs | TransferNews | ReceiptNews | TestNews


class News(msgspec.Struct, frozen=True, kw_only=True):
    """Something to tell a recipient (its number in our register).

    ``key`` names the thing for ever among those of its type (a payment's or a transfer's key): what is announced again under
    it is the same message. ``happened_at`` is the event's own time, UTC.
    """

    recipient: int
    type: EventType
    key: str
    happened_at: datetime
    payload: Payload
