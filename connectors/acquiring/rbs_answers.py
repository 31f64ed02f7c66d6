"""What RBS answers: an order's status as events, and errors as what may be done next (protocols.md §2)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

import msgspec

from connectors.acquiring.rbs_settings import RbsSettings
from connectors.acquiring.rbs_words import (
    ORDER_NUMBER,
    PAYMENT_ID,
    ROUBLES,
    aliases_of,
    event_key,
    gross_deposited,
    readable_reference,
)
from connectors.terminals.fields import storable
from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.delivery import Refused, Unknown
from schemas.ids import ExternalId
from schemas.money import AMOUNT_KOPECKS_MAX

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECONDS_MAX = 4_102_444_800_000
"""The year 2100."""
OK, ORDER_EXISTS, ORDER_UNKNOWN, SYSTEM_ERROR = 0, 1, 6, 7


class OrderState(IntEnum):
    """``orderStatus``. PAID stands until a refund; PAID, REVERSED, REFUNDED and DECLINED are final."""

    REGISTERED = 0
    HELD = 1
    PAID = 2
    REVERSED = 3
    REFUNDED = 4
    AUTHENTICATING = 5
    DECLINED = 6


class OrderRefund(msgspec.Struct, frozen=True, kw_only=True):
    """One refund: its own id by the settings' ``refund_ids``, all ids it has, its sum and moment."""

    reference: str
    ids: tuple[str, ...]
    amount_kopecks: int
    event_at: datetime | None


class OrderStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the bank shows it; ``deposited_kopecks`` before refunds. ``refunds``: None where the bank lists none at all."""

    order_id: str
    number: str
    state: OrderState
    amount_kopecks: int
    approved_kopecks: int
    deposited_kopecks: int
    refunded_kopecks: int
    rrn: str
    account: str
    paid_at: datetime | None
    refunds: tuple[OrderRefund, ...] | None

    def refund_known_as(self, external_refund_id: str) -> OrderRefund | None:
        """Return the refund that was asked for under an id of ours, None when the bank shows none."""
        return next((refund for refund in self.refunds or () if external_refund_id in refund.ids), None)

    def __repr__(self) -> str:
        """Show the order without the account."""
        return f"OrderStatus({self.order_id!r}, {self.state.name})"


class OrdersPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a period's orders; ``unread``: how many on it could not be read."""

    orders: tuple[OrderStatus, ...]
    has_next: bool
    unread: int = 0


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """The bank has the order: its id (mdOrder) and where the payer pays."""

    order_id: str
    form_url: str


class OrderExists(msgspec.Struct, frozen=True, kw_only=True):
    """errorCode 1: the number is taken. Ask by the number before anything else; never make a new number for it."""


class OrderMissing(msgspec.Struct, frozen=True, kw_only=True):
    """errorCode 6: the bank does not know the order."""


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """A refund, reversal, deposit or decline is done."""


class PaymentLink(msgspec.Struct, frozen=True, kw_only=True):
    """A dynamic QR of СБП: the link's text, its id at the bank, and the picture in PNG as base64, empty when none was asked."""

    qr_id: str
    payload: str
    status: str
    picture: str = ""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's fields by name, its error taken out."""

    code: int
    message: str
    fields: dict[str, Any]


def read_envelope(body: bytes) -> Envelope | Unknown:
    """Read any answer; without a readable errorCode of its own, success is what carries no error at all."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Unknown(reason="not an answer of the bank")
    code = fields.get("errorCode", 0)
    text = str(code)
    if isinstance(code, bool | float) or not (text.isascii() and text.isdigit() and len(text) < 6):
        return Unknown(reason="errorCode is unreadable")
    return Envelope(code=int(text), message=" ".join(str(fields.get("errorMessage") or "").split())[:200], fields=fields)


def fault_of(envelope: Envelope) -> Refused | Unknown | OrderExists | OrderMissing | None:
    """Return what an error means, None without one. SYSTEM_ERROR also stands for sums and states that do not fit: either way
    the order is to be asked about first."""
    match envelope.code:
        case 0:
            return None
        case 1:
            return OrderExists()
        case 6:
            return OrderMissing()
        case 7:
            return Unknown(reason=f"errorCode 7: {envelope.message}")
        case _:
            return Refused(code=str(envelope.code), reason=envelope.message)


def status_of(fields: dict[str, Any], settings: RbsSettings, *, order_id: str = "") -> OrderStatus | Unknown:
    """Read an order's extended status; ``order_id`` is the id it was asked by."""
    try:
        return _status(fields, settings, order_id)
    except (ValueError, TypeError, AttributeError) as error:
        return Unknown(reason=f"the order's status is unreadable: {error}")


def _status(fields: dict[str, Any], settings: RbsSettings, order_id: str) -> OrderStatus:
    told = _named(fields.get("attributes"), "mdOrder")
    if order_id and told not in ("", order_id):
        raise ValueError("it is of another order")
    payment = order_id or told
    number = str(fields.get("orderNumber") or "")
    if PAYMENT_ID.fullmatch(payment) is None or ORDER_NUMBER.fullmatch(number) is None:
        raise ValueError("mdOrder or orderNumber is missing")
    if str(fields.get("currency") or "") not in ROUBLES:
        raise ValueError("the currency is not roubles")
    sums = fields.get("paymentAmountInfo") or {}
    amount = _kopecks(fields.get("amount"))
    approved, refunded = _kopecks(sums.get("approvedAmount")), _kopecks(sums.get("refundedAmount"))
    deposited = gross_deposited(_kopecks(sums.get("depositedAmount")), refunded, max(approved, amount))
    state = OrderState(fields.get("orderStatus", 0))
    if state in (OrderState.PAID, OrderState.REFUNDED) and not (deposited or amount):
        raise ValueError("a paid order has no sum")
    listed = fields.get("refunds")
    account = _named(fields.get("merchantOrderParams"), settings.account_parameter) if settings.account_parameter else ""
    return OrderStatus(
        order_id=payment,
        number=number,
        state=state,
        amount_kopecks=amount,
        approved_kopecks=approved,
        deposited_kopecks=deposited,
        refunded_kopecks=refunded,
        rrn=readable_reference(str(fields.get("authRefNum") or "")),
        account=storable(account),
        paid_at=_moment(fields.get("depositedDate")) or _moment(fields.get("authDateTime")) or _moment(fields.get("date")),
        refunds=None if listed is None else tuple(_refund(one, settings) for one in listed),
    )


def _refund(fields: dict[str, Any], settings: RbsSettings) -> OrderRefund:
    # What callbacks call refNum is the list's referenceNumber.
    named = {"externalRefundId": fields.get("externalRefundId"), "refNum": fields.get("referenceNumber")}
    ids = {name: readable_reference(str(value or "")) for name, value in named.items()}
    return OrderRefund(
        reference=next((ids[name] for name in settings.refund_ids if ids.get(name)), ""),
        ids=tuple(filter(None, ids.values())),
        amount_kopecks=_kopecks(fields.get("amount")),
        event_at=_moment(fields.get("date")),
    )


def events_of(status: OrderStatus, known: Iterable[AcquirerEvent] = ()) -> tuple[AcquirerEvent, ...]:
    """Return the events that callbacks would have told of an order, with the same payment, sums and keys.

    ``known``: what was told of the order before. Where the bank lists no refunds, what is refunded beyond the known ones makes
    one event. A reversal takes the place of whatever payment it released.
    """
    match status.state:
        case OrderState.HELD:
            return (_event(status, "approved", status.amount_kopecks or status.approved_kopecks),)
        case OrderState.PAID | OrderState.REFUNDED:
            paid = status.deposited_kopecks or status.amount_kopecks
            return (_event(status, "deposited", paid), *_refunds(status, known))
        case OrderState.REVERSED:
            return (_event(status, "reversed", status.amount_kopecks),)
        case OrderState.DECLINED:
            return (_event(status, "declined", status.amount_kopecks),)
        case OrderState.REGISTERED | OrderState.AUTHENTICATING:
            return ()


_ACTS = {
    "approved": AcquirerAct.APPROVED,
    "deposited": AcquirerAct.PAID,
    "reversed": AcquirerAct.REVERSED,
    "declined": AcquirerAct.DECLINED,
}


def _refunds(status: OrderStatus, known: Iterable[AcquirerEvent]) -> tuple[AcquirerEvent, ...]:
    if status.refunds is not None:
        return tuple(_refund_event(status, one) for one in status.refunds if one.amount_kopecks)
    told = {event.key: event.amount_kopecks for event in known if event.act is AcquirerAct.REFUNDED}
    more = status.refunded_kopecks - sum(told.values())
    if more <= 0:
        return ()
    total = OrderRefund(reference=f"of-{status.refunded_kopecks}", ids=(), amount_kopecks=more, event_at=None)
    return (_refund_event(status, total),)


def _event(status: OrderStatus, operation: str, amount_kopecks: int) -> AcquirerEvent:
    return AcquirerEvent(
        act=_ACTS[operation],
        payment=ExternalId(status.order_id),
        key=event_key(status.order_id, operation, "", amount_kopecks),
        amount_kopecks=amount_kopecks,
        event_at=status.paid_at,
        order=status.number,
        account=status.account,
        aliases=aliases_of(status.number, status.rrn if operation in ("approved", "deposited") else ""),
    )


def _refund_event(status: OrderStatus, refund: OrderRefund) -> AcquirerEvent:
    return AcquirerEvent(
        act=AcquirerAct.REFUNDED,
        payment=ExternalId(status.order_id),
        key=event_key(status.order_id, "refunded", refund.reference, refund.amount_kopecks),
        amount_kopecks=refund.amount_kopecks,
        event_at=refund.event_at,
        order=status.number,
        account=status.account,
        aliases=aliases_of(status.number, ""),
    )


def _named(pairs: Any, name: str) -> str:
    return next((str(pair.get("value") or "") for pair in pairs or () if pair.get("name") == name), "")


def _kopecks(value: Any) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= AMOUNT_KOPECKS_MAX:
        raise ValueError("a sum is no whole number of kopecks")
    return value


def _moment(value: Any) -> datetime | None:
    """Read milliseconds of UTC since 1970, as RBS writes moments; None for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < MILLISECONDS_MAX:
        return None
    return EPOCH + timedelta(milliseconds=value)
