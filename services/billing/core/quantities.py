"""Exact quantities of billing: volumes, areas, prices and shares are whole numbers of a millionth; money is whole kopecks.

A volume is rounded half up to a millionth once, where a formula names it, and that rounded volume is what is charged, printed and
explained: whoever multiplies the printed volume by the printed price gets the printed sum (ПП 354 п. 38; the law is silent on
rounding, docs/billing.md says what we chose).
"""

from typing import NewType

Volume = NewType("Volume", int)
"""Millionths of the service's unit: m³, kWh, Gcal, kg."""
Area = NewType("Area", int)
"""Millionths of a square metre."""
Price = NewType("Price", int)
"""Millionths of a rouble for one unit of volume (or square metre): 2486.71 ₽ is 2_486_710_000."""
Ratio = NewType("Ratio", int)
"""Millionths of one: a coefficient, a percentage as a fraction, a count of persons by days."""

MICRO = 1_000_000
MICRO_PER_KOPECK = 10_000
"""Millionths of a rouble in a kopeck."""


def divide_half_up(numerator: int, denominator: int) -> int:
    """Return the quotient rounded to a whole, halves away from zero; ``denominator`` is positive."""
    assert denominator > 0, "a share of nothing"
    doubled = 2 * abs(numerator) + denominator
    rounded = doubled // (2 * denominator)
    return -rounded if numerator < 0 else rounded


def amount_of(volume: int, price: int) -> int:
    """Return ``volume`` × ``price`` in kopecks, rounded half up once (п. 38)."""
    return divide_half_up(volume * price, MICRO * MICRO_PER_KOPECK)


def times(quantity: int, ratio: int) -> int:
    """Return ``quantity`` × ``ratio`` (a millionth each), rounded half up to a millionth."""
    return divide_half_up(quantity * ratio, MICRO)


def share_of(quantity: int, part: int, whole: int) -> int:
    """Return the ``part`` of ``whole`` in ``quantity``, rounded half up to a millionth; ``whole`` is positive."""
    return divide_half_up(quantity * part, whole)
