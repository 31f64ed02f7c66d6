"""A fake T-Bank terminal (connectors/sandbox/faults.Fake): payments and their notifications (protocols.md §3c).

Only the notifications are the bank's own; ``POST /sandbox/pay`` with ``{"OrderId": …, "Amount": …}`` is the payer.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from connectors.acquiring.tbank import ANSWER, TOKEN, token_of
from connectors.sandbox.callbacks import CallbackFaults, CallbackQueue, DueCallback, Planned
from connectors.terminals.fields import MOSCOW
from schemas.exchange import HttpAnswer, HttpRequest

REPEATS_S = (3_600,) * 24 + (86_400,) * 30
"""Hourly for a day, then daily for a month [from memory]."""
Scalar = str | int | bool


class TBankSandboxOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One terminal. ``old_password``: the one before, which the faults use; ``first_payment``: the PaymentId before the first."""

    terminal_key: str = "TESTDEMO"
    password: str = "sandbox-password"
    old_password: str = ""
    notification_url: str = ""
    repeats_s: tuple[int, ...] = REPEATS_S
    first_payment: Annotated[int, msgspec.Meta(ge=0)] = 13_660
    faults: CallbackFaults = CallbackFaults()
    seed: str = "tbank"

    def __repr__(self) -> str:
        """Name the terminal without its password."""
        return f"TBankSandboxOptions({self.terminal_key!r})"


class TBankPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A confirmed payment and what was given back of it, in kopecks."""

    payment_id: int
    order: str
    amount_kopecks: int
    refunded_kopecks: int
    at: datetime


class _Paid(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    order_id: Annotated[str, msgspec.Meta(min_length=1, max_length=36)]
    amount: Annotated[int, msgspec.Meta(gt=0)]


class TBankSandbox:
    """Payments of one terminal; ``payments`` are by PaymentId."""

    def __init__(self, options: TBankSandboxOptions) -> None:
        self._options = options
        self._callbacks: CallbackQueue[Mapping[str, Scalar]] = CallbackQueue(
            options.faults, repeats=options.repeats_s, seed=options.seed
        )
        self.payments: dict[int, TBankPayment] = {}

    @property
    def callbacks_waiting(self) -> int:
        """How many notifications are not done with."""
        return self._callbacks.waiting

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Let the payer pay; the bank's own methods are not here."""
        if request.method != "POST" or urlsplit(request.url).path != "/sandbox/pay":
            return HttpAnswer(status=404)
        try:
            paid = msgspec.json.decode(request.body, type=_Paid)
        except msgspec.MsgspecError:
            return HttpAnswer(status=400)
        return HttpAnswer(status=200, body=msgspec.json.encode({"PaymentId": self.pay(paid.order_id, paid.amount, now)}))

    def pay(self, order: str, amount_kopecks: int, now: datetime, **extras: Scalar) -> int:
        """Pay in one stage: AUTHORIZED and CONFIRMED are told at the same moment, with ``extras``. Return the PaymentId."""
        payment_id = self._options.first_payment + len(self.payments) + 1
        payment = TBankPayment(payment_id=payment_id, order=order, amount_kopecks=amount_kopecks, refunded_kopecks=0, at=now)
        self.payments[payment_id] = payment
        for status in ("AUTHORIZED", "CONFIRMED"):
            self._tell(payment, status, amount_kopecks, now, **extras)
        return payment_id

    def decline(self, order: str, amount_kopecks: int, now: datetime) -> None:
        """Let a payment fail; it is told and not kept."""
        payment_id = self._options.first_payment + len(self.payments) + 1_000_000
        payment = TBankPayment(payment_id=payment_id, order=order, amount_kopecks=amount_kopecks, refunded_kopecks=0, at=now)
        self._tell(payment, "REJECTED", amount_kopecks, now)

    def refund(self, payment_id: int, amount_kopecks: int, now: datetime) -> None:
        """Give a part or the rest back; ValueError above what is left."""
        payment = self.payments[payment_id]
        refunded = payment.refunded_kopecks + amount_kopecks
        if not 0 < amount_kopecks <= payment.amount_kopecks - payment.refunded_kopecks:
            raise ValueError("more than is left of the payment")
        self.payments[payment_id] = msgspec.structs.replace(payment, refunded_kopecks=refunded)
        self._tell(payment, "REFUNDED" if refunded == payment.amount_kopecks else "PARTIAL_REFUNDED", amount_kopecks, now)

    def callbacks_due(self, now: datetime) -> tuple[DueCallback, ...]:
        """Return what the bank sends by ``now``; each is to be told of by ``callback_answered`` before it can be repeated."""
        return self._callbacks.due(now, self._request)

    def callback_answered(self, number: int, answer: HttpAnswer | None, now: datetime) -> None:
        """Learn the merchant's answer; only HTTP 200 with the body OK ends the repeats."""
        is_taken = answer is not None and answer.status == 200 and answer.body == ANSWER
        self._callbacks.answered(number, now, is_taken=is_taken)

    def evening_register(self, day: date) -> tuple[TBankPayment, ...]:
        """Return the payments of a day of Moscow time."""
        return tuple(payment for payment in self.payments.values() if payment.at.astimezone(MOSCOW).date() == day)

    def _tell(self, payment: TBankPayment, status: str, amount_kopecks: int, now: datetime, **extras: Scalar) -> None:
        fields: dict[str, Scalar] = {
            "TerminalKey": self._options.terminal_key,
            "OrderId": payment.order,
            "Success": status != "REJECTED",
            "Status": status,
            "PaymentId": payment.payment_id,
            "ErrorCode": "0" if status != "REJECTED" else "1051",
            "Amount": amount_kopecks,
            "Pan": "430000******0777",
            "ExpDate": "1230",
        }
        self._callbacks.plan(fields | extras, now)

    def _request(self, planned: Planned[Mapping[str, Scalar]]) -> HttpRequest:
        old = self._options.old_password if planned.is_old_key else ""
        token = token_of({name: _text(value) for name, value in planned.told.items()}, old or self._options.password)
        body = msgspec.json.encode(dict(planned.told) | {TOKEN: token, "DATA": {"Source": "sandbox"}})
        if planned.is_wrong_encoding:
            body = body.decode().encode("cp1251", "replace")
        url = self._options.notification_url
        return HttpRequest(method="POST", url=url, headers=(("content-type", "application/json"),), body=body)


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
