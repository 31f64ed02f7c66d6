"""Exact arithmetic on columns: the functions of ``core/quantities.py`` as expressions over Int128.

A product that would not fit is not noticed here: ``bounds.py`` keeps houses of such quantities out.
"""

from typing import TypeAlias

import polars as pl

from services.billing.core.quantities import MICRO, MICRO_PER_KOPECK

Column: TypeAlias = pl.Expr | str
TO_KOPECKS = MICRO * MICRO_PER_KOPECK


def wide(column: Column) -> pl.Expr:
    """Return the column as Int128, for products; sums of whole numbers stay Int64."""
    return (pl.col(column) if isinstance(column, str) else column).cast(pl.Int128)


def divide_half_up(numerator: pl.Expr, denominator: pl.Expr | int) -> pl.Expr:
    """Return the quotient (Int64) rounded to a whole, halves away from zero; null where the denominator is not positive."""
    below = pl.lit(denominator, pl.Int128) if isinstance(denominator, int) else denominator
    rounded = (numerator.abs() * 2 + below) // (below * 2)
    signed = pl.when(numerator < 0).then(0 - rounded).otherwise(rounded)
    if not isinstance(denominator, int):
        signed = pl.when(below > 0).then(signed)
    return signed.cast(pl.Int64, strict=False)


def kopecks(products: pl.Expr) -> pl.Expr:
    """Return Σ volume × price (Int128) in kopecks, rounded half up once."""
    return divide_half_up(products, TO_KOPECKS)


def amount_of(volume: Column, price: Column) -> pl.Expr:
    """Return ``volume`` × ``price`` in kopecks, rounded half up once (п. 38)."""
    return kopecks(wide(volume) * wide(price))


def times(quantity: Column, ratio: Column) -> pl.Expr:
    """Return ``quantity`` × ``ratio`` (a millionth each), rounded half up to a millionth."""
    return divide_half_up(wide(quantity) * wide(ratio), MICRO)


def share_of(quantity: Column, part: Column, whole: Column) -> pl.Expr:
    """Return the ``part`` of ``whole`` in ``quantity``, rounded half up; null where ``whole`` is not positive."""
    return divide_half_up(wide(quantity) * wide(part), wide(whole))
