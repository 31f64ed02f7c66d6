"""Kopecks as JSON numbers of roubles and back, digit by digit: no float ever holds a sum (design W1)."""

from msgspec import Raw

from schemas.money import MoneyError, kopecks_from_roubles, roubles_from_kopecks


def json_roubles(amount_kopecks: int) -> Raw:
    """Write kopecks as a JSON number token with two decimals: 169772 -> ``1697.72``."""
    return Raw(roubles_from_kopecks(amount_kopecks).encode())


def kopecks_of(token: Raw) -> int:
    """Read a JSON number token of roubles: ``5000``, ``5000.0`` and ``5000.00`` are one sum; anything else is a MoneyError."""
    try:
        return kopecks_from_roubles(bytes(token).decode())
    except UnicodeDecodeError as error:
        raise MoneyError("expected a JSON number") from error
