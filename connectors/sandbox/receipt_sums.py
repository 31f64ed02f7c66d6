"""The sums of a receipt as a fake operator checks them, digit by digit and by its own code."""

import re
from collections.abc import Iterable

from msgspec import Raw

from schemas.money import MoneyError, kopecks_from_roubles

_QUANTITY = re.compile(r"([0-9]{1,8})(?:\.([0-9]{1,3}))?", re.ASCII)
_THOUSANDTHS = 1000


class SumFault(ValueError):
    """The receipt's sums do not agree; the message says where."""


def kopecks_in(token: Raw, field: str) -> int:
    """Read a JSON number of roubles above zero; raises SumFault."""
    try:
        amount_kopecks = kopecks_from_roubles(bytes(token).decode())
    except (MoneyError, UnicodeDecodeError) as error:
        raise SumFault(f"{field}: expected a number with at most two decimals") from error
    if amount_kopecks <= 0:
        raise SumFault(f"{field}: expected a sum above zero")
    return amount_kopecks


def item_kopecks(price: Raw, quantity: Raw, total: Raw, field: str) -> int:
    """Return an item's sum once it is price times quantity, half up to a kopeck; raises SumFault."""
    match = _QUANTITY.fullmatch(bytes(quantity).decode("ascii", "replace"))
    if match is None:
        raise SumFault(f"{field}.quantity: expected a number with at most three decimals")
    thousandths = int(match.group(1)) * _THOUSANDTHS + int((match.group(2) or "").ljust(3, "0"))
    price_kopecks, sum_kopecks = kopecks_in(price, f"{field}.price"), kopecks_in(total, f"{field}.sum")
    if (2 * price_kopecks * thousandths + _THOUSANDTHS) // (2 * _THOUSANDTHS) != sum_kopecks:
        raise SumFault(f"{field}.sum: is not price times quantity")
    return sum_kopecks


def check_total(items_kopecks: Iterable[int], payments_kopecks: Iterable[int], total_kopecks: int) -> None:
    """See that the items and the payments both make the total; raises SumFault."""
    if sum(items_kopecks) != total_kopecks:
        raise SumFault("total: is not the sum of the items")
    if sum(payments_kopecks) != total_kopecks:
        raise SumFault("payments: do not make the total")
