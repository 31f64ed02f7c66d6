"""Keys under which receipts are ordered, and the code printed on them. Pure."""

import hashlib
import re

from schemas.delivery import ORDER_KEY_CHARACTERS_MAX
from schemas.money import roubles_from_kopecks
from schemas.receipt import FiscalSign, Operation
from services.fiscal.core.drafts import Place

_PLAIN = re.compile(r"[0-9A-Za-z._:/-]{1,64}", re.ASCII)
_HASHED = "~"
_OPERATION_LETTERS = {
    Operation.SELL: "s",
    Operation.SELL_REFUND: "r",
    Operation.SELL_CORRECTION: "c",
    Operation.SELL_REFUND_CORRECTION: "u",
}
_SIGN_KINDS = {
    Operation.SELL: 1,
    Operation.SELL_CORRECTION: 1,
    Operation.SELL_REFUND: 2,
    Operation.SELL_REFUND_CORRECTION: 2,
}
"""Признак расчёта (1054): 1 приход, 2 возврат прихода."""


def order_key(place: Place, operation: Operation, issuer: int, part: int, generation: int) -> str:
    """Return the key of an order at a till's operator: from the payment's key, never from a place in a book (design W9).

    ``generation`` counts the orders of one receipt from 1: a new one is made only after a final failure. A payment's id that is
    long or holds other than plain characters is hashed, so that the key is at most 128 plain characters.
    """
    external = place.external_id
    if _PLAIN.fullmatch(external) is None:
        external = _HASHED + hashlib.sha256(external.encode()).hexdigest()
    letter = _OPERATION_LETTERS[operation]
    key = f"{place.space}-{external}-{issuer}-{letter}{place.correction}-{part}-{generation}"
    assert len(key) <= ORDER_KEY_CHARACTERS_MAX, key
    return key


def qr_text(sign: FiscalSign, operation: Operation) -> str:
    """Return the text of a receipt's QR code: t, s, fn, i, fp, n; roubles with two decimals, the till's local time."""
    moment = sign.registered_at.strftime("%Y%m%dT%H%M")
    kind = _SIGN_KINDS[operation]
    return f"t={moment}&s={roubles_from_kopecks(sign.total_kopecks)}&fn={sign.fn}&i={sign.fd}&fp={sign.fpd}&n={kind}"
