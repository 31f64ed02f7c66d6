"""What the payer named, from the counterparty's words to the numbers of our registers, and its canonical text."""

from collections.abc import Mapping

import msgspec

from schemas.ids import PayeeNumber
from schemas.notification import KIND_NAMES, POOL_NAMES, NamedBasketItem, NamedDesignation
from schemas.split import BasketItem, Designation

Payees = Mapping[tuple[str, str], PayeeNumber]
"""(recipient code, service) -> payee number."""

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(NamedDesignation)


def designation_text(named: NamedDesignation | None) -> str:
    """Return the canonical JSON kept in the journal; empty when nothing was named."""
    return "" if named is None else _encoder.encode(named).decode()


def designation_from_text(text: str) -> NamedDesignation | None:
    """Read the journal's text back; text that is not ours raises msgspec.ValidationError or DecodeError."""
    return _decoder.decode(text) if text else None


def period_number(text: str) -> int:
    """Turn ``YYYY-MM`` into year * 100 + month; an empty text into 0."""
    return int(text[:4]) * 100 + int(text[5:7]) if text else 0


def resolve_designation(named: NamedDesignation | None, payees: Payees) -> Designation | None:
    """Put our numbers for the counterparty's words; an unknown recipient or service leaves ``payee`` None."""
    if named is None:
        return None
    return Designation(
        period=period_number(named.period) if named.period is not None else None,
        pool=POOL_NAMES[named.pool] if named.pool is not None else None,
        penalty_kopecks=named.penalty,
        court_order=named.court_order,
        basket=tuple(_item(item, payees) for item in named.basket) if named.basket is not None else None,
    )


def _item(item: NamedBasketItem, payees: Payees) -> BasketItem:
    return BasketItem(
        pool=POOL_NAMES[item.pool],
        period=period_number(item.period),
        kind=KIND_NAMES[item.kind],
        payee=payees.get((item.recipient, item.service)),
        amount_kopecks=item.amount,
    )
