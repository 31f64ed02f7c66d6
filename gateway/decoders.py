"""Which connector reads an acquirer's channel, by the terms of its configuration."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from connectors.acquiring import rbs_callback, tbank, tochka
from connectors.acquiring.callback_refused import CallbackRefused
from connectors.acquiring.rbs_callback import RbsCallbackTerms
from connectors.acquiring.tbank import TBankTerms
from connectors.acquiring.tochka import TochkaTerms
from connectors.terminals.parameters import read_parameters
from schemas.acquiring import AcquirerEvent
from schemas.channel import AcquirerTerms, ChannelKind

Decode = Callable[[bytes], AcquirerEvent | CallbackRefused]
"""Query, form or body -> what it tells; never raises."""

_Terms = TypeVar("_Terms", RbsCallbackTerms, TBankTerms, TochkaTerms)

PATHS = {ChannelKind.RBS: "rbs", ChannelKind.TBANK: "tbank", ChannelKind.TOCHKA: "tochka"}
METHODS = {ChannelKind.RBS: ("GET", "POST"), ChannelKind.TBANK: ("POST",), ChannelKind.TOCHKA: ("POST",)}
TAKEN = {ChannelKind.RBS: b"", ChannelKind.TBANK: tbank.ANSWER, ChannelKind.TOCHKA: b""}
"""The body of the answer that ends the repeats; HTTP 200 with it."""


def decoder_of(kind: ChannelKind, terms: AcquirerTerms, secrets: tuple[str, ...]) -> Decode:
    """Return the decoder of a channel; raises ValueError that names what of its terms cannot be used, and no secret."""
    match kind:
        case ChannelKind.RBS:
            rbs = _rbs_terms(terms, secrets)
            return lambda raw: rbs_callback.decode(read_parameters(raw).values, rbs)
        case ChannelKind.TBANK:
            terminal = _tbank_terms(terms, secrets)
            return lambda raw: tbank.decode(raw, terminal)
        case ChannelKind.TOCHKA:
            customer = _tochka_terms(terms)
            return lambda raw: tochka.decode(raw, customer)
        case _:
            raise ValueError(f"kind {kind.value} has no acquirer")


def _rbs_terms(terms: AcquirerTerms, secrets: tuple[str, ...]) -> RbsCallbackTerms:
    keys = [{"alias": alias, "pem": pem, "hash": terms.key_hash} for alias, pem in terms.public_keys]
    told = {"secrets": secrets, "keys": keys, "keeps_empty": terms.keeps_empty, "account_parameter": terms.account_field or None}
    return _read(told, RbsCallbackTerms)


def _tbank_terms(terms: AcquirerTerms, secrets: tuple[str, ...]) -> TBankTerms:
    told = {
        "terminal_key": terms.merchants[0] if terms.merchants else "",
        "passwords": secrets,
        "account_field": terms.account_field,
        "order_is_once": terms.order_is_once,
        "refund_amount": terms.refund_amount,
    }
    return _read(told, TBankTerms)


def _tochka_terms(terms: AcquirerTerms) -> TochkaTerms:
    told: dict[str, Any] = {
        "keys": [text for _, text in terms.public_keys],
        "customer_code": terms.merchants[0] if terms.merchants else "",
        "account_field": terms.account_field,
    }
    return _read(told | ({"order_field": terms.order_field} if terms.order_field else {}), TochkaTerms)


def _read(told: dict[str, Any], kind: type[_Terms]) -> _Terms:
    try:
        return msgspec.convert(told, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
