"""What RBS calls operations and sums, and how an event gets its key: the same for callbacks and for answers (protocols.md §2)."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from schemas.acquiring import AcquirerAct, order_alias, rrn_alias
from schemas.ids import EXTERNAL_ID_BYTES_MAX, ExternalId

ROUBLES = frozenset({"", "643", "810", "RUB", "RUR"})
REFUND_IDS = ("externalRefundId", "refNum")
"""Where a refund's own id is looked for, in this order: ours if the refund was asked by us, else the bank's."""

ParameterName = Annotated[str, msgspec.Meta(pattern="^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]

PAYMENT_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)
ORDER_NUMBER = re.compile(r"[!-~]{1,64}", re.ASCII)
_REFERENCE = re.compile(r"[!-~]{1,64}", re.ASCII)
_JAVA_MOMENT = re.compile(
    r"[A-Z][a-z]{2} (?P<month>[A-Z][a-z]{2}) (?P<day>\d{2}) (?P<clock>\d{2}:\d{2}:\d{2}) (?P<zone>UTC|GMT|MSK) (?P<year>20\d{2})",
    re.ASCII,
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MOSCOW_OFFSET = timedelta(hours=3)
_ACTS = {
    "approved": AcquirerAct.APPROVED,
    "deposited": AcquirerAct.PAID,
    "reversed": AcquirerAct.REVERSED,
    "refunded": AcquirerAct.REFUNDED,
}
_FAILED_PAYMENTS = frozenset({"approved", "deposited"})
_DECLINES = frozenset({"declinedbytimeout", "declinedcardpresent"})
"""In small letters: the documentation writes the second one in two ways."""


def act_of(operation: str, *, succeeded: bool) -> AcquirerAct:
    """Return what an operation means. A hold or payment that failed is a decline; a refund or reversal that failed moved
    nothing and undoes nothing; bindings and what is not known are OTHER."""
    if operation.lower() in _DECLINES:
        return AcquirerAct.DECLINED
    if not succeeded:
        return AcquirerAct.DECLINED if operation in _FAILED_PAYMENTS else AcquirerAct.OTHER
    return _ACTS.get(operation, AcquirerAct.OTHER)


def event_key(payment: str, operation: str, reference: str, amount_kopecks: int) -> ExternalId:
    """Return the key of (mdOrder, operation, [the refund's id], amount); a longer one than a key may be is hashed."""
    key = f"{payment}/{operation}/{reference}/{amount_kopecks}"
    return ExternalId(key if len(key.encode()) <= EXTERNAL_ID_BYTES_MAX else "sha256:" + hashlib.sha256(key.encode()).hexdigest())


def gross_deposited(deposited_kopecks: int, refunded_kopecks: int, approved_kopecks: int) -> int:
    """Return what was deposited before any refund.

    Banks take refunds off ``depositedAmount``: it and ``refundedAmount`` then make the whole. Where their sum would be more
    than was approved, the bank leaves ``depositedAmount`` as it was.
    """
    whole = deposited_kopecks + refunded_kopecks
    return whole if whole <= approved_kopecks else deposited_kopecks


def aliases_of(order: str, rrn: str) -> tuple[ExternalId, ...]:
    """Return the payment's other ids; ``rrn`` of the payment itself, empty when it is not known or a refund's."""
    aliases = [order_alias(order)] if order else []
    return (*aliases, rrn_alias(rrn)) if readable_reference(rrn) else tuple(aliases)


def readable_reference(text: str) -> str:
    """Return a reference number as it is, or nothing for what could be no id."""
    return text if _REFERENCE.fullmatch(text) else ""


def java_moment(text: str) -> datetime | None:
    """Read ``callbackCreationDate``, e.g. ``Mon Jan 31 21:46:52 UTC 2022``; None for another form or zone."""
    match = _JAVA_MOMENT.fullmatch(text)
    if match is None or match["month"] not in _MONTHS:
        return None
    month = _MONTHS.index(match["month"]) + 1
    try:
        local = datetime.fromisoformat(f"{match['year']}-{month:02d}-{match['day']}T{match['clock']}").replace(tzinfo=UTC)
    except ValueError:
        return None
    return local - _MOSCOW_OFFSET if match["zone"] == "MSK" else local
