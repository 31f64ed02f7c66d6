"""The interface of RBS acquiring: orders, their status, refunds, payment links of СБП (protocols.md §2, §3a).

Whatever moves money answers ``Unknown`` when its outcome is not known: then the order's status is asked before anything else, by
our number or by the bank's id. A second order under a new number is never made for it.
"""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from connectors.acquiring.rbs_answers import (
    Carried,
    Envelope,
    OrderExists,
    OrderMissing,
    OrdersPage,
    OrderStatus,
    PaymentLink,
    Registered,
    fault_of,
    read_envelope,
    status_of,
)
from connectors.acquiring.rbs_settings import DESCRIPTION_CHARACTERS_MAX, NewOrder, RbsSettings
from connectors.acquiring.rbs_words import PAYMENT_ID
from connectors.terminals.fields import MOSCOW
from connectors.transfers.http_answers import common_answer, failed_send
from schemas.delivery import Closed, NotTaken, Refused, Unknown
from schemas.exchange import Exchange, ExchangeFailed, HttpRequest

FORM = "application/x-www-form-urlencoded; charset=utf-8"
ORDER_STATES = "APPROVED,DEPOSITED,DECLINED,REVERSED,REFUNDED"
QR_PIXELS = range(10, 1001)

Failed = Refused | NotTaken | Unknown | Closed
"""Refused is final. NotTaken: the bank has surely seen nothing. Unknown: ask first. Closed: we are refused altogether."""


class RbsClient:
    """One merchant's orders. Never raises for what the bank does or fails to do."""

    def __init__(self, settings: RbsSettings, exchange: Exchange) -> None:
        self._settings = settings
        self._exchange = exchange

    def __repr__(self) -> str:
        """Name the merchant's place."""
        return f"RbsClient({self._settings!r})"

    async def register(self, order: NewOrder, *, holds: bool = False) -> Registered | OrderExists | Failed:
        """Register an order; ``holds``: the sum is only held until ``deposit``. A number that is too long is a ValueError."""
        if len(order.number) > self._settings.order_number_characters_max:
            raise ValueError(f"number: at most {self._settings.order_number_characters_max} characters at this bank")
        answer = await self._call("registerPreAuth.do" if holds else "register.do", self._order_form(order))
        if not isinstance(answer, Envelope):
            return answer
        fault = fault_of(answer)
        if isinstance(fault, OrderMissing):
            return Refused(code="6", reason=answer.message)
        if fault is not None:
            return fault
        order_id, form_url = answer.fields.get("orderId"), answer.fields.get("formUrl")
        if not isinstance(order_id, str) or PAYMENT_ID.fullmatch(order_id) is None or not isinstance(form_url, str):
            return Unknown(reason="the answer names no orderId or no formUrl")
        return Registered(order_id=order_id, form_url=form_url)

    async def status(self, *, order_id: str = "", number: str = "") -> OrderStatus | OrderMissing | Failed:
        """Ask for an order by the bank's id or by our number."""
        assert bool(order_id) != bool(number), "one of the two"
        answer = await self._call("getOrderStatusExtended.do", {"orderId": order_id, "orderNumber": number}, asks=True)
        if not isinstance(answer, Envelope):
            return answer
        fault = fault_of(answer)
        if isinstance(fault, OrderExists):
            return Unknown(reason=f"errorCode 1: {answer.message}")
        if fault is not None:
            return fault
        if number and answer.fields.get("orderNumber") != number:
            return Unknown(reason="the answer is of another order")
        return status_of(answer.fields, self._settings, order_id=order_id)

    async def last_orders(self, since: datetime, until: datetime, *, page: int = 0) -> OrdersPage | Failed:
        """Ask for a page, counted from 0, of the orders that changed in a period [since, until)."""
        form = {
            "from": _compact(since),
            "to": _compact(until + timedelta(microseconds=999_999)),
            "page": str(page),
            "size": str(self._settings.orders_page),
            "transactionStates": ORDER_STATES,
            "searchByCreatedDate": "false",
        }
        answer = await self._call("getLastOrdersForMerchants.do", form | {"merchants": self._settings.merchant_login}, asks=True)
        if not isinstance(answer, Envelope):
            return answer
        fault = fault_of(answer)
        if isinstance(fault, Refused | Unknown):
            return fault
        return self._page(answer.fields, page) if fault is None else OrdersPage(orders=(), has_next=False)

    async def refund(self, order_id: str, amount_kopecks: int, external_refund_id: str) -> Carried | OrderMissing | Failed:
        """Give a part or all of a payment back, under an id of ours by which the status then shows it."""
        assert amount_kopecks > 0 and external_refund_id
        return await self._act(
            "refund.do", {"orderId": order_id, "amount": str(amount_kopecks), "externalRefundId": external_refund_id}
        )

    async def reverse(self, order_id: str, amount_kopecks: int = 0) -> Carried | OrderMissing | Failed:
        """Release a hold or a payment of today, whole or, where the bank supports it, in part."""
        return await self._act("reverse.do", {"orderId": order_id, "amount": str(amount_kopecks) if amount_kopecks else ""})

    async def deposit(self, order_id: str, amount_kopecks: int = 0) -> Carried | OrderMissing | Failed:
        """Take what was held; 0 takes all of it."""
        return await self._act("deposit.do", {"orderId": order_id, "amount": str(amount_kopecks)})

    async def decline(self, order_id: str) -> Carried | OrderMissing | Failed:
        """Cancel an order that nobody paid."""
        return await self._act("decline.do", {"orderId": order_id, "merchantLogin": self._settings.merchant_login})

    async def payment_link(self, order_id: str, *, pixels: int = 0) -> PaymentLink | OrderMissing | Failed:
        """Ask for the order's dynamic QR of СБП, with a picture of so many pixels a side unless 0."""
        assert not pixels or pixels in QR_PIXELS
        picture = {"qrFormat": "image", "qrHeight": str(pixels), "qrWidth": str(pixels)} if pixels else {}
        return await self._link(self._settings.qr_create, {"mdOrder": order_id} | picture)

    async def link_status(self, order_id: str, qr_id: str) -> PaymentLink | OrderMissing | Failed:
        """Ask what became of a payment link. Whether it was paid is told by the order's status only."""
        return await self._link("sbp/c2b/qr/status.do", {"mdOrder": order_id, "qrId": qr_id})

    async def _link(self, method: str, form: dict[str, str]) -> PaymentLink | OrderMissing | Failed:
        answer = await self._call(method, form)
        if not isinstance(answer, Envelope):
            return answer
        fault = fault_of(answer)
        if fault is not None:
            return Unknown(reason=f"errorCode 1: {answer.message}") if isinstance(fault, OrderExists) else fault
        words = {name: str(answer.fields.get(name) or "") for name in ("qrId", "payload", "qrStatus", "renderedQr")}
        qr_id = words["qrId"] or form.get("qrId", "")
        return PaymentLink(qr_id=qr_id, payload=words["payload"], status=words["qrStatus"], picture=words["renderedQr"])

    async def _act(self, method: str, form: dict[str, str]) -> Carried | OrderMissing | Failed:
        answer = await self._call(method, form)
        if not isinstance(answer, Envelope):
            return answer
        fault = fault_of(answer)
        if isinstance(fault, OrderExists):
            return Unknown(reason=f"errorCode 1: {answer.message}")
        return Carried() if fault is None else fault

    def _page(self, fields: dict[str, Any], page: int) -> OrdersPage | Unknown:
        listed, total = fields.get("orderStatuses"), fields.get("totalCount")
        if not isinstance(listed, list):
            return Unknown(reason="the answer lists no orders")
        read = [status_of(one, self._settings) for one in listed]
        orders = tuple(one for one in read if isinstance(one, OrderStatus))
        size = self._settings.orders_page
        has_next = (page + 1) * size < total if isinstance(total, int) else len(listed) >= size
        return OrdersPage(orders=orders, has_next=has_next and bool(listed), unread=len(read) - len(orders))

    async def _call(self, method: str, form: dict[str, str], *, asks: bool = False) -> Envelope | Failed:
        """Post a form. ``asks``: nothing is moved by it, so that a lost answer is only a lost answer."""
        filled = {name: value for name, value in (self._settings.credentials() | form).items() if value}
        request = HttpRequest(
            method="POST",
            url=f"{self._settings.root}/{method}",
            headers=(("content-type", FORM),),
            body=urlencode(filled).encode(),
            timeout_ms=self._settings.timeout_ms,
        )
        try:
            http = await self._exchange(request)
        except ExchangeFailed as error:
            return _narrowed(failed_send(error))
        told = common_answer(http, taken=not asks)
        if told is not None:
            return _narrowed(told)
        if http.status != 200:
            return Unknown(reason=f"HTTP {http.status}")
        return read_envelope(http.body)

    def _order_form(self, order: NewOrder) -> dict[str, str]:
        name = self._settings.account_parameter
        extras = {name: order.account} if name and order.account else {}
        return {
            "orderNumber": order.number,
            "amount": str(order.amount_kopecks),
            "currency": "643",
            "returnUrl": order.return_url,
            "failUrl": order.fail_url,
            "description": order.description[:DESCRIPTION_CHARACTERS_MAX],
            "merchantLogin": self._settings.merchant_login,
            "expirationDate": order.expires_at.astimezone(MOSCOW).strftime("%Y-%m-%dT%H:%M:%S") if order.expires_at else "",
            "email": order.email,
            "dynamicCallbackUrl": order.callback_url,
            "jsonParams": msgspec.json.encode(extras).decode() if extras else "",
        }


def _narrowed(answer: object) -> Failed:
    """What HTTP and the network say is never a success; anything else would be a programmer's error."""
    assert isinstance(answer, Refused | NotTaken | Unknown | Closed)
    return answer


def _compact(moment: datetime) -> str:
    """Write a moment's whole second as ``YYYYMMDDHHmmss`` in Moscow time."""
    return moment.astimezone(MOSCOW).strftime("%Y%m%d%H%M%S")
