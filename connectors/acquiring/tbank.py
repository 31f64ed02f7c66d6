"""Notifications of T-Bank acquiring: JSON believed by its Token; only CONFIRMED is a payment (protocols.md §3c)."""

import hashlib
import hmac
import re
from typing import Annotated, Literal

import msgspec

from connectors.acquiring.callback_refused import CallbackRefused
from connectors.acquiring.json_scalars import ScalarsUnreadable, root_scalars
from connectors.acquiring.rbs_words import event_key
from connectors.terminals.fields import storable
from schemas.acquiring import AcquirerAct, AcquirerEvent, order_alias
from schemas.ids import ExternalId
from schemas.money import AMOUNT_KOPECKS_MAX

ANSWER = b"OK"
"""The body that ends the bank's repeats, with HTTP 200 and nothing around it."""
BODY_BYTES_MAX = 65_536
PASSWORDS_MAX = 8
TOKEN, PASSWORD = "Token", "Password"

_TOKEN = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,19}", re.ASCII)
_ORDER = re.compile(r"[!-~]{1,64}", re.ASCII)
_ACTS = {
    "AUTHORIZED": AcquirerAct.APPROVED,
    "CONFIRMED": AcquirerAct.PAID,
    "REVERSED": AcquirerAct.REVERSED,
    "PARTIAL_REFUNDED": AcquirerAct.REFUNDED,
    "REFUNDED": AcquirerAct.REFUNDED,
    "REJECTED": AcquirerAct.DECLINED,
    "DEADLINE_EXPIRED": AcquirerAct.DECLINED,
}
"""Others are OTHER: PARTIAL_REVERSED makes a hold smaller, of which CONFIRMED tells the rest; RECEIPT is fiscal."""

Password = Annotated[str, msgspec.Meta(min_length=8, max_length=100)]


class TBankTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One terminal. ``passwords``: several while it is changed.

    ``account_field``: a field of the notification's root that holds the personal account's number; DATA is not signed and never
    read. ``order_is_once``: an OrderId is never used for a second payment, so that it is another id of the payment: true of
    orders that we number, which the bank itself does not demand. ``refund_amount``: what Amount is in a refund, the operation's
    own sum or what is left of the payment [from memory: the operation's]; of what is left no sum can be told, so it is 0.
    """

    terminal_key: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    passwords: Annotated[tuple[Password, ...], msgspec.Meta(min_length=1, max_length=PASSWORDS_MAX)]
    account_field: str = ""
    order_is_once: bool = False
    refund_amount: Literal["operation", "remaining"] = "operation"

    def __repr__(self) -> str:
        """Name the terminal without its passwords."""
        return f"TBankTerms({self.terminal_key!r})"


class _Unreadable(Exception):
    pass


class _Forged(Exception):
    pass


def token_of(fields: dict[str, str], password: str) -> str:
    """Return the Token of a message's root-level scalars as text (``true``, ``19200`` …): SHA-256 of their values by name."""
    signed = {name: value for name, value in fields.items() if name != TOKEN} | {PASSWORD: password}
    text = "".join(value for _, value in sorted(signed.items()))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def decode(body: bytes, terms: TBankTerms) -> AcquirerEvent | CallbackRefused:
    """Believe and read a notification; without a right Token of the configured terminal there is no event."""
    try:
        if len(body) > BODY_BYTES_MAX:
            raise _Unreadable("the notification is too long")
        fields = root_scalars(body)
        _check_genuine(fields, terms)
        return _event(fields, terms)
    except _Forged as forged:
        return CallbackRefused(reason=str(forged), forged=True)
    except (_Unreadable, ScalarsUnreadable) as unreadable:
        return CallbackRefused(reason=str(unreadable))


def _check_genuine(fields: dict[str, str], terms: TBankTerms) -> None:
    token = fields.get(TOKEN, "")
    if _TOKEN.fullmatch(token) is None or PASSWORD in fields:
        raise _Forged("the Token is missing or unreadable")
    given = token.lower()
    if not any([hmac.compare_digest(token_of(fields, password), given) for password in terms.passwords]):
        raise _Forged("the Token is wrong")
    if fields.get("TerminalKey") != terms.terminal_key:
        raise _Forged("the notification is of another terminal")


def _event(fields: dict[str, str], terms: TBankTerms) -> AcquirerEvent:
    status, order = fields.get("Status", ""), fields.get("OrderId", "")
    payment = fields.get("PaymentId", "")
    if _NUMBER.fullmatch(payment) is None:
        raise _Unreadable("PaymentId is missing or unreadable")
    if order and _ORDER.fullmatch(order) is None:
        raise _Unreadable("OrderId is unreadable")
    act = _act(status, fields.get("Success", ""))
    told_kopecks = _kopecks(fields.get("Amount", ""))
    if act is AcquirerAct.PAID and told_kopecks <= 0:
        raise _Unreadable("Amount of a confirmed payment is missing or nought")
    is_unknown = act is AcquirerAct.REFUNDED and terms.refund_amount == "remaining"
    failed = "" if fields.get("Success", "true") == "true" else ":failed"
    return AcquirerEvent(
        act=act,
        payment=ExternalId(payment),
        # What is left after a refund tells two refunds of one sum apart, so the key has what was told.
        key=event_key(payment, storable(status) + failed, "", told_kopecks),
        amount_kopecks=0 if is_unknown else told_kopecks,
        event_at=None,
        order=order,
        account=storable(fields.get(terms.account_field, "")) if terms.account_field else "",
        aliases=(order_alias(order),) if order and terms.order_is_once else (),
    )


def _act(status: str, success: str) -> AcquirerAct:
    act = _ACTS.get(status, AcquirerAct.OTHER)
    if act in (AcquirerAct.DECLINED, AcquirerAct.OTHER) or success == "true":
        return act
    if success != "false":
        raise _Unreadable("Success is neither true nor false")
    return AcquirerAct.DECLINED if status in ("AUTHORIZED", "CONFIRMED") else AcquirerAct.OTHER


def _kopecks(text: str) -> int:
    if not text:
        return 0
    if _NUMBER.fullmatch(text) is None or int(text) > AMOUNT_KOPECKS_MAX:
        raise _Unreadable("Amount is unreadable")
    return int(text)
