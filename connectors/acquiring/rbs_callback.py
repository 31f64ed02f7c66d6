"""Callbacks of RBS acquiring (Альфа-Банк, Сбербанк, ВТБ …): believed by their checksum and read (protocols.md §2).

The answer to a callback that was believed is HTTP 200; anything else is repeated by the bank, at most a few times.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from connectors.acquiring.callback_refused import CallbackRefused
from connectors.acquiring.rbs_checksum import CHECKSUM, SIGN_ALIAS, RsaKey, is_asymmetric, is_symmetric, signed_text
from connectors.acquiring.rbs_words import (
    ORDER_NUMBER,
    PAYMENT_ID,
    REFUND_IDS,
    ROUBLES,
    ParameterName,
    act_of,
    aliases_of,
    event_key,
    gross_deposited,
    java_moment,
    readable_reference,
)
from connectors.terminals.fields import storable
from connectors.terminals.parameters import REPEATED
from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.ids import ExternalId
from schemas.money import MoneyError, kopecks_from_text

SECRET_CHARACTERS_MIN = 16
SIGNATURES_TRIED_MAX = 8


class RbsCallbackTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one merchant's callbacks are believed and read.

    ``secrets``: keys of symmetric checksums, several during a rotation. ``keys``: the bank's keys of asymmetric ones, old ones
    kept as long as callbacks under them may come. ``keeps_empty``: see ``rbs_checksum.signed_text``. ``account_parameter``: the
    merchant's own parameter that holds the personal account's number, empty when the order tells it. ``refund_ids``: where a
    refund's id stands; the client's settings must say the same.
    """

    secrets: tuple[Annotated[str, msgspec.Meta(min_length=SECRET_CHARACTERS_MIN)], ...] = ()
    keys: tuple[RsaKey, ...] = ()
    keeps_empty: bool = True
    account_parameter: ParameterName | None = None
    refund_ids: tuple[ParameterName, ...] = REFUND_IDS

    def __post_init__(self) -> None:
        """Refuse terms by which nothing could be believed: ValueError."""
        if not self.secrets and not self.keys:
            raise ValueError("secrets or keys: a callback is believed by its checksum")
        if max(len(self.secrets), len(self.keys)) > SIGNATURES_TRIED_MAX:
            raise ValueError(f"at most {SIGNATURES_TRIED_MAX} secrets and as many keys")

    def __repr__(self) -> str:
        """Show which keys there are and no secret."""
        return f"RbsCallbackTerms({len(self.secrets)} secrets, keys={[key.alias for key in self.keys]!r})"


class _Unreadable(Exception):
    pass


def decode(parameters: Mapping[str, str], terms: RbsCallbackTerms) -> AcquirerEvent | CallbackRefused:
    """Believe and read a callback's decoded parameters (``read_parameters``); unknown ones are signed and passed over.

    Without a right checksum there is no event. A refund whose own sum is not told (``operationRefundedAmount``) has amount 0:
    ``amount`` is the registered order's in every callback. A ``deposited`` without any sum is refused: polling tells it.
    """
    if any(REPEATED in value or ";" in name for name, value in parameters.items()) or _swallows(parameters, terms):
        return CallbackRefused(reason="a parameter comes twice, or its name or value could stand for several")
    if not _is_genuine(parameters, terms):
        return CallbackRefused(reason="the checksum is missing or wrong", forged=True)
    try:
        return _event(parameters, terms)
    except _Unreadable as unreadable:
        return CallbackRefused(reason=str(unreadable))


_SUMS = ("amount", "paymentAmount", "approvedAmount", "depositedAmount", "refundedAmount", "operationRefundedAmount", "currency")
_IDS = ("mdOrder", "mdorder", "orderNumber", "refNum", "refnum", "paymentRefNum")
_READ = frozenset((*_SUMS, *_IDS, "operation", "status", "callbackCreationDate"))
"""What is read of a callback, beside what the terms name."""


def _swallows(parameters: Mapping[str, str], terms: RbsCallbackTerms) -> bool:
    """Whether a value holds what is signed as a parameter that is read: whoever caught a callback could hide it in there."""
    names = {*_READ, *terms.refund_ids, terms.account_parameter or ""}
    return any(f";{name};" in value for value in parameters.values() if ";" in value for name in names if name)


def _is_genuine(parameters: Mapping[str, str], terms: RbsCallbackTerms) -> bool:
    text = signed_text(parameters, keeps_empty=terms.keeps_empty)
    checksum, alias = parameters.get(CHECKSUM, ""), parameters.get(SIGN_ALIAS, "")
    if is_symmetric(terms.secrets, text, checksum):
        return True
    return is_asymmetric((key for key in terms.keys if key.alias in ("", alias)), text, checksum)


def _event(parameters: Mapping[str, str], terms: RbsCallbackTerms) -> AcquirerEvent:
    payment = _first(parameters, "mdOrder", "mdorder")
    order, operation = parameters.get("orderNumber", ""), parameters.get("operation", "")
    if PAYMENT_ID.fullmatch(payment) is None:
        raise _Unreadable("mdOrder is missing or unreadable")
    if order and ORDER_NUMBER.fullmatch(order) is None:
        raise _Unreadable("orderNumber is unreadable")
    succeeded = _succeeded(parameters)
    if parameters.get("currency", "") not in ROUBLES:
        raise _Unreadable("the currency is not roubles")
    act = act_of(operation, succeeded=succeeded)
    amount_kopecks = _amount(parameters, act)
    reference = next(filter(None, (readable_reference(_reference(parameters, name)) for name in terms.refund_ids)), "")
    of_payment = act in (AcquirerAct.APPROVED, AcquirerAct.PAID)
    return AcquirerEvent(
        act=act,
        payment=ExternalId(payment),
        key=event_key(
            payment,
            storable(operation) if succeeded else f"{storable(operation)}:failed",
            reference if act is AcquirerAct.REFUNDED else "",
            amount_kopecks,
        ),
        amount_kopecks=amount_kopecks,
        event_at=java_moment(parameters.get("callbackCreationDate", "")),
        order=order,
        account=storable(parameters.get(terms.account_parameter, "")) if terms.account_parameter else "",
        aliases=aliases_of(order, _first(parameters, "refNum", "refnum", "paymentRefNum") if of_payment else ""),
    )


def _succeeded(parameters: Mapping[str, str]) -> bool:
    status = parameters.get("status", "")
    if status not in ("0", "1") and (status or act_of(parameters.get("operation", ""), succeeded=True) in _MOVING):
        raise _Unreadable("status is neither 0 nor 1")
    return status != "0"


_MOVING = frozenset({AcquirerAct.APPROVED, AcquirerAct.PAID, AcquirerAct.REVERSED, AcquirerAct.REFUNDED})


def _amount(parameters: Mapping[str, str], act: AcquirerAct) -> int:
    ordered = _kopecks(parameters, "amount", _kopecks(parameters, "paymentAmount", 0))
    if act is AcquirerAct.REFUNDED:
        return _kopecks(parameters, "operationRefundedAmount", 0)
    if act is not AcquirerAct.PAID:
        return ordered
    approved = max(ordered, _kopecks(parameters, "approvedAmount", 0))
    deposited, refunded = _kopecks(parameters, "depositedAmount", -1), _kopecks(parameters, "refundedAmount", 0)
    # Of a deposit that was told and is nought by now, only what was refunded tells how much it was.
    paid = ordered if deposited < 0 else gross_deposited(deposited, refunded, approved)
    if paid <= 0:
        raise _Unreadable("the deposited sum is not told: the bank must add amount or depositedAmount to its callbacks")
    return paid


def _kopecks(parameters: Mapping[str, str], name: str, otherwise: int) -> int:
    text = parameters.get(name, "")
    if not text:
        return otherwise
    try:
        amount_kopecks = kopecks_from_text(text)
    except MoneyError as error:
        raise _Unreadable(f"{name} is unreadable") from error
    if amount_kopecks < 0:
        raise _Unreadable(f"{name} is below zero")
    return amount_kopecks


def _reference(parameters: Mapping[str, str], name: str) -> str:
    return _first(parameters, name, name.lower())


def _first(parameters: Mapping[str, str], *names: str) -> str:
    return next((parameters[name] for name in names if parameters.get(name)), "")
