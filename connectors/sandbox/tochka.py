"""A fake of a bank with webhooks like Tochka's (connectors/sandbox/faults.Fake): payments by СБП and by card (protocols.md §3b).

Only the webhooks are the bank's own; ``POST /sandbox/pay`` with a webhook's fields, without ids, is the payer.
"""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated
from urllib.parse import urlsplit

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import RSAAlgorithm

from connectors.sandbox.callbacks import CallbackFaults, CallbackQueue, DueCallback, Planned
from connectors.terminals.fields import MOSCOW
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.money import roubles_from_kopecks

REPEATS_S = (30, 60, 120, 300, 600)
"""At most five repeats, after half a minute to ten [from memory of a neighbouring bank's rules]."""


class JwtKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An RSA key in PEM, and its name."""

    pem: str
    kid: str

    def __repr__(self) -> str:
        """Name the key."""
        return f"JwtKey({self.kid!r})"


class TochkaSandboxOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One customer. ``old_key``: the key before ``key``, which the faults use."""

    key: JwtKey
    old_key: JwtKey | None = None
    customer_code: str = "300000092"
    webhook_url: str = ""
    repeats_s: tuple[int, ...] = REPEATS_S
    faults: CallbackFaults = CallbackFaults()
    seed: str = "tochka"


class SbpPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as the bank keeps it. ``kind`` is the webhook's type."""

    operation_id: str
    kind: str
    amount_kopecks: int
    qrc_id: str
    at: datetime


class _Paid(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    amount_kopecks: Annotated[int, msgspec.Meta(gt=0)]
    webhook_type: str = "incomingSbpPayment"
    fields: dict[str, str] = {}


class TochkaSandbox:
    """Payments of one customer, by operationId."""

    def __init__(self, options: TochkaSandboxOptions) -> None:
        self._options = options
        self._callbacks: CallbackQueue[Mapping[str, str]] = CallbackQueue(
            options.faults, repeats=options.repeats_s, seed=options.seed
        )
        self.payments: dict[str, SbpPayment] = {}

    @property
    def callbacks_waiting(self) -> int:
        """How many webhooks are not done with."""
        return self._callbacks.waiting

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Let the payer pay, or publish the keys as the bank does."""
        path = urlsplit(request.url).path
        if request.method == "GET" and path == "/keys":
            keys = (self._options.key, self._options.old_key) if self._options.old_key else (self._options.key,)
            return HttpAnswer(status=200, body=jwk_set(*filter(None, keys)).encode())
        if request.method != "POST" or path != "/sandbox/pay":
            return HttpAnswer(status=404)
        try:
            paid = msgspec.json.decode(request.body, type=_Paid)
        except msgspec.MsgspecError:
            return HttpAnswer(status=400)
        payment = self.pay(paid.amount_kopecks, now, kind=paid.webhook_type, fields=paid.fields)
        return HttpAnswer(status=200, body=msgspec.json.encode({"operationId": payment.operation_id}))

    def pay(
        self,
        amount_kopecks: int,
        now: datetime,
        *,
        kind: str = "incomingSbpPayment",
        fields: Mapping[str, str] | None = None,
    ) -> SbpPayment:
        """Take a payment and tell of it; ``fields`` are the webhook's further ones (purpose, payerName, paymentLinkId …)."""
        number = len(self.payments) + 1
        digest = hashlib.sha256(f"{self._options.seed}/{number}".encode()).hexdigest()
        given = {"qrcId": "AD" + digest[:30].upper()} | dict(fields or {})
        payment = SbpPayment(
            operation_id=f"A{digest[:31].upper()}", kind=kind, amount_kopecks=amount_kopecks, qrc_id=given["qrcId"], at=now
        )
        self.payments[payment.operation_id] = payment
        # The webhook of a payment between firms names no operation.
        told = {} if kind == "incomingSbpB2BPayment" else {"operationId": payment.operation_id}
        told |= {"webhookType": kind, "customerCode": self._options.customer_code, "amount": roubles_from_kopecks(amount_kopecks)}
        self._callbacks.plan(told | given, now)
        return payment

    def callbacks_due(self, now: datetime) -> tuple[DueCallback, ...]:
        """Return what the bank sends by ``now``; each is to be told of by ``callback_answered`` before it can be repeated."""
        return self._callbacks.due(now, self._request)

    def callback_answered(self, number: int, answer: HttpAnswer | None, now: datetime) -> None:
        """Learn the customer's answer; only HTTP 200 ends the repeats."""
        self._callbacks.answered(number, now, is_taken=answer is not None and answer.status == 200)

    def evening_register(self, day: date) -> tuple[SbpPayment, ...]:
        """Return the payments of a day of Moscow time."""
        return tuple(payment for payment in self.payments.values() if payment.at.astimezone(MOSCOW).date() == day)

    def _request(self, planned: Planned[Mapping[str, str]]) -> HttpRequest:
        key = self._options.old_key if planned.is_old_key and self._options.old_key else self._options.key
        payload = msgspec.json.encode(dict(planned.told))
        if planned.is_wrong_encoding:
            payload = payload.decode().encode("cp1251", "replace")
        body = jwt.PyJWS().encode(payload, _private_key(key.pem), algorithm="RS256", headers={"kid": key.kid}).encode()
        url = self._options.webhook_url
        return HttpRequest(method="POST", url=url, headers=(("content-type", "text/plain"),), body=body)


def jwk_set(*keys: JwtKey) -> str:
    """Return the public keys as the bank publishes them."""
    jwks = [RSAAlgorithm.to_jwk(_private_key(key.pem).public_key(), as_dict=True) | {"kid": key.kid} for key in keys]
    return msgspec.json.encode({"keys": jwks}).decode()


@lru_cache(maxsize=8)
def _private_key(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("webhooks are signed by an RSA key")
    return key
