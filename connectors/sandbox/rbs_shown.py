"""How a fake RBS acquirer reads forms and shows orders (protocols.md §2)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from connectors.acquiring.rbs_answers import EPOCH
from connectors.sandbox.rbs_orders import Order, OrderFault
from connectors.terminals.fields import MOSCOW, moscow_instant
from schemas.money import MoneyError, kopecks_from_text

_COMPACT = re.compile(
    r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})", re.ASCII
)
_ORDER_NUMBER = re.compile(r"[!-~]{1,36}", re.ASCII)
_STATES = ("CREATED", "APPROVED", "DEPOSITED", "REVERSED", "REFUNDED", "CREATED", "DECLINED")
"""``paymentState`` by orderStatus."""
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class OrderForm(msgspec.Struct, frozen=True, kw_only=True):
    """What ``register.do`` was given."""

    number: str
    amount_kopecks: int
    description: str
    callback_url: str
    expires_at: datetime | None
    extras: dict[str, str]

    @classmethod
    def read(cls, form: Mapping[str, str]) -> "OrderForm":
        """Read a form; OrderFault 4 for what is missing, 5 for what is unreadable, 3 for another currency."""
        number, expires = form.get("orderNumber", ""), form.get("expirationDate", "")
        if not number or not form.get("returnUrl") or not form.get("amount"):
            raise OrderFault(4, "Не задан обязательный параметр")
        if form.get("currency", "643") != "643":
            raise OrderFault(3, "Неизвестная валюта")
        amount = kopecks(form["amount"])
        if amount <= 0 or _ORDER_NUMBER.fullmatch(number) is None:
            raise OrderFault(5, "Неверное значение параметра")
        try:
            extras = msgspec.json.decode(form.get("jsonParams", "") or "{}", type=dict[str, str])
            ends = datetime.fromisoformat(expires).replace(tzinfo=MOSCOW) if expires else None
        except (msgspec.MsgspecError, ValueError) as error:
            raise OrderFault(5, "Неверное значение параметра") from error
        return cls(
            number=number,
            amount_kopecks=amount,
            description=form.get("description", ""),
            callback_url=form.get("dynamicCallbackUrl", ""),
            expires_at=ends,
            extras=extras,
        )


def order_shown(order: Order, lists_refunds: bool) -> dict[str, Any]:
    """Return an order's extended status; ``depositedAmount`` is what is left of the deposit after refunds."""
    shown: dict[str, Any] = {
        "orderNumber": order.number,
        "orderStatus": order.state.value,
        "actionCode": 0,
        "amount": order.amount_kopecks,
        "currency": "643",
        "date": milliseconds(order.made_at),
        "orderDescription": order.description,
        "merchantOrderParams": [{"name": name, "value": value} for name, value in order.extras.items()],
        "attributes": [{"name": "mdOrder", "value": order.order_id}],
        "paymentAmountInfo": {
            "paymentState": _STATES[order.state],
            "approvedAmount": order.approved_kopecks,
            "depositedAmount": order.deposited_kopecks - order.refunded_kopecks,
            "refundedAmount": order.refunded_kopecks,
        },
    }
    if order.rrn:
        shown["authRefNum"] = order.rrn
        shown["cardAuthInfo"] = {"maskedPan": "555555**5599", "approvalCode": "123456"}
    if order.held_at is not None:
        shown["authDateTime"] = milliseconds(order.held_at)
    if order.deposited_at is not None:
        shown["depositedDate"] = milliseconds(order.deposited_at)
    if lists_refunds:
        shown["refunds"] = [
            {
                "amount": refund.amount_kopecks,
                "referenceNumber": refund.rrn,
                "externalRefundId": refund.external_refund_id,
                "date": milliseconds(refund.at),
            }
            for refund in order.refunds
        ]
    return shown


def milliseconds(moment: datetime) -> int:
    """Return milliseconds of UTC since 1970."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def compact_moment(text: str) -> datetime | None:
    """Read ``YYYYMMDDHHmmss`` of Moscow time."""
    return moscow_instant(_COMPACT.fullmatch(text))


def java_moment(moment: datetime) -> str:
    """Write a moment as Java does, whatever the machine's language: ``Mon Jan 31 21:46:52 UTC 2022``."""
    at = moment.astimezone(UTC)
    return f"{_WEEKDAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at:%d %H:%M:%S} UTC {at.year}"


def kopecks(text: str) -> int:
    """Read a whole number; OrderFault 5 for anything else."""
    try:
        number = kopecks_from_text(text)
    except MoneyError as error:
        raise OrderFault(5, "Неверное значение параметра") from error
    if number < 0:
        raise OrderFault(5, "Неверное значение параметра")
    return number
