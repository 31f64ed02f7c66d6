"""Webhooks of Tochka-type banks: a bare JWT (RS256) that tells a payment by СБП or by card (protocols.md §3b).

Only what succeeded is told; what was missed is found by asking or on the statement. The answer is HTTP 200.
"""

import hashlib
import re
from functools import lru_cache
from typing import Annotated, Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from connectors.acquiring.callback_refused import CallbackRefused
from connectors.acquiring.json_scalars import ScalarsUnreadable, root_scalars
from connectors.terminals.fields import storable
from schemas.acquiring import AcquirerAct, AcquirerEvent, order_alias, qr_alias
from schemas.ids import ExternalId
from schemas.money import MoneyError, kopecks_from_roubles

ALGORITHM = "RS256"
BODY_BYTES_MAX = 65_536
KEYS_MAX = 16
RSA_BITS_MIN = 2048

_JWT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_ID = re.compile(r"[!-~]{1,100}", re.ASCII)
_PAYMENTS = frozenset({"incomingSbpPayment", "incomingSbpB2BPayment", "acquiringInternetPayment"})
_CARD_ACTS = {"": AcquirerAct.PAID, "APPROVED": AcquirerAct.PAID, "AUTHORIZED": AcquirerAct.APPROVED}
_jws = jwt.PyJWS(algorithms=[ALGORITHM])


class TochkaTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One customer of the bank.

    ``keys``: the bank's public keys as JSON, each a JWK or a JWK set; an old one stays during a rotation. ``customer_code``: only
    webhooks of this customer are believed, empty for any. ``account_field``: the field that holds the personal account's number.
    ``order_field``: the field that holds our order's number. ``one_time_qr``: what ids of payment links that can be paid only
    once start with [from memory]; such an id is another id of the payment, or its only one where no operationId is told.
    """

    keys: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=KEYS_MAX)]
    customer_code: str = ""
    account_field: str = ""
    order_field: str = "paymentLinkId"
    one_time_qr: tuple[str, ...] = ("AD", "BD")

    def __post_init__(self) -> None:
        """Refuse keys that are no RSA keys of RSA_BITS_MIN bits or more: ValueError."""
        for text in self.keys:
            _public_keys(text)

    def __repr__(self) -> str:
        """Name the customer."""
        return f"TochkaTerms(customer_code={self.customer_code!r}, {len(self.keys)} keys)"


class _Unreadable(Exception):
    pass


@lru_cache(maxsize=KEYS_MAX)
def _public_keys(text: str) -> tuple[tuple[str, RSAPublicKey], ...]:
    """Return (kid, key) of a JWK or a JWK set; ValueError for anything else and for private keys."""
    try:
        content: Any = msgspec.json.decode(text)
        jwks = content.get("keys", [content])
        if any("d" in jwk for jwk in jwks):
            raise ValueError("keys: a private key; the bank's public one is needed")
        found = tuple((str(jwk.get("kid") or ""), jwt.PyJWK(jwk, algorithm=ALGORITHM).key) for jwk in jwks)
    except (msgspec.MsgspecError, AttributeError, TypeError, jwt.PyJWTError) as error:
        raise ValueError("keys: expected a JWK or a JWK set of RSA keys") from error
    if not found or any(not isinstance(key, RSAPublicKey) or key.key_size < RSA_BITS_MIN for _, key in found):
        raise ValueError(f"keys: expected RSA keys of at least {RSA_BITS_MIN} bits")
    return found


def decode(body: bytes, terms: TochkaTerms) -> AcquirerEvent | CallbackRefused:
    """Believe and read a webhook; without a right signature there is no event."""
    token = body.strip()
    if len(body) > BODY_BYTES_MAX or _JWT.fullmatch(token) is None:
        return CallbackRefused(reason="the webhook is no JWT", forged=True)
    payload = _believed(token, terms)
    if payload is None:
        return CallbackRefused(reason="the signature is wrong", forged=True)
    try:
        return _event(root_scalars(payload), payload, terms)
    except (_Unreadable, ScalarsUnreadable) as unreadable:
        return CallbackRefused(reason=str(unreadable))


def _believed(token: bytes, terms: TochkaTerms) -> bytes | None:
    """Return the payload if one of the keys signed it. The message chooses a key only among ours, and never the algorithm."""
    try:
        kid = _jws.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, RecursionError):
        return None
    known = [pair for text in terms.keys for pair in _public_keys(text)]
    for name, key in known:
        if kid and name and kid != name:
            continue
        try:
            content: bytes = _jws.decode(token, key, algorithms=[ALGORITHM])
        except jwt.PyJWTError:
            continue
        return content
    return None


def _event(fields: dict[str, str], payload: bytes, terms: TochkaTerms) -> AcquirerEvent:
    kind = fields.get("webhookType", "")
    if terms.customer_code and fields.get("customerCode") != terms.customer_code:
        raise _Unreadable("the webhook is of another customer")
    qr, order = fields.get("qrcId", ""), fields.get(terms.order_field, "") if terms.order_field else ""
    qr = qr if _ID.fullmatch(qr) and qr.startswith(terms.one_time_qr) else ""
    order = order if _ID.fullmatch(order) else ""
    payment, act = _payment(fields, qr), _act(kind, fields)
    if not payment:
        # Nobody could tell its repeat from a second payment: it is known by its content and moves nothing.
        payment, act = ExternalId("sha256:" + hashlib.sha256(payload).hexdigest()), AcquirerAct.OTHER
    amount_kopecks = 0 if act is AcquirerAct.OTHER else _kopecks(fields.get("amount", ""))
    aliases = (order_alias(order) if order else "", qr_alias(qr) if qr else "")
    return AcquirerEvent(
        act=act,
        payment=payment,
        key=ExternalId(f"{payment}/{act.value}/{amount_kopecks}"),
        amount_kopecks=amount_kopecks,
        event_at=None,
        order=order,
        account=storable(fields.get(terms.account_field, "")) if terms.account_field else "",
        aliases=tuple(ExternalId(alias) for alias in aliases if alias and alias != payment),
    )


def _payment(fields: dict[str, str], one_time_qr: str) -> ExternalId:
    operation = fields.get("operationId", "")
    if operation and _ID.fullmatch(operation) is None:
        raise _Unreadable("operationId is unreadable")
    return ExternalId(operation) if operation else qr_alias(one_time_qr) if one_time_qr else ExternalId("")


def _act(kind: str, fields: dict[str, str]) -> AcquirerAct:
    if kind not in _PAYMENTS:
        return AcquirerAct.OTHER
    return _CARD_ACTS.get(fields.get("status", ""), AcquirerAct.OTHER)


def _kopecks(text: str) -> int:
    try:
        amount_kopecks = kopecks_from_roubles(text)
    except MoneyError as error:
        raise _Unreadable("amount is unreadable") from error
    if amount_kopecks <= 0:
        raise _Unreadable("amount is nought")
    return amount_kopecks
