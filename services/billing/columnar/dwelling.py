"""Waste, maintenance, capital repair and prices by contract in columns (``core/waste.py``, ``core/dwelling.py``)."""

import polars as pl

from services.billing.columnar.kernels import amount_of, divide_half_up, wide
from services.billing.columnar.parts import CODES, Parts, Sum
from services.billing.columnar.prepared import Batch
from services.billing.columnar.sharing import Sharers
from services.billing.columnar.taken import NON_RESIDENTIAL, NORM
from services.billing.core.dwelling import NAMES
from services.billing.core.lines import LineKind
from services.billing.core.month import ServiceKind
from services.billing.core.quantities import MICRO
from services.billing.core.waste import MONTHS_OF_YEAR

CHARGE = Sum(nth=0, kind=LineKind.CHARGE, volume="volume", price="zone_price", amount="amount")


def add_waste(parts: Parts, batch: Batch) -> None:
    """Take in a twelfth of the year's norm a person (9(1)), owners where nobody lives, or a square metre (9(2))."""
    premises = ("area", "residents", "persons_paying", "premises_kind")
    grid = batch.grid(
        batch.of_kinds(ServiceKind.WASTE), *premises, "norm", "by_area", "zone_price", "is_payable_by_absent_owners"
    )
    persons = pl.when("is_payable_by_absent_owners").then("persons_paying").otherwise("residents")
    counted = pl.when(pl.col("premises_kind") == NON_RESIDENTIAL).then(0).otherwise(persons)
    rows = (
        grid.with_columns(quantity=pl.when("by_area").then("area").otherwise(counted))
        .with_columns(volume=divide_half_up(wide("quantity") * wide("norm"), MICRO * MONTHS_OF_YEAR))
        .filter((pl.col("volume") != 0) | pl.col("volume").is_null())
        .with_columns(
            amount=amount_of("volume", "zone_price"),
            formula=pl.when("by_area").then(pl.lit(CODES["9(2)"], pl.Int8)).otherwise(pl.lit(CODES["9(1)"], pl.Int8)),
            source=pl.lit(NORM, pl.Int8),
        )
        .collect()
    )
    for by_area, letter in ((True, "S"), (False, "n")):
        letters = ((letter, "quantity"), ("N_year", "norm"), ("T", "zone_price"))
        parts.add(rows.filter(pl.col("by_area") == by_area), letters, (CHARGE,))


def add_dwelling(parts: Parts, batch: Batch, sharers: Sharers) -> None:
    """Take in area × rate; a FIXED service that is not by area is its price for every account that is charged for it."""
    terms = batch.of_kinds(*NAMES)
    is_by_account = (pl.col("kind") == int(ServiceKind.FIXED)) & ~pl.col("by_area")
    formula = pl.col("kind").replace_strict({int(kind): CODES[name] for kind, name in NAMES.items()}, return_dtype=pl.Int8)
    grid = batch.grid(terms, "area", "kind", "by_area", "zone_price")
    rows = (
        sharers.charged_accounts(grid)
        .with_columns(is_by_account=is_by_account)
        .with_columns(volume=pl.when("is_by_account").then(pl.col("accounts") * MICRO).otherwise("area"))
        .filter(pl.col("volume") != 0)
        .with_columns(formula=formula, source=pl.lit(None, pl.Int8), amount=amount_of("volume", "zone_price"))
        .collect()
    )
    parts.add(rows.filter("is_by_account"), (("accounts", "volume"), ("T", "zone_price")), (CHARGE,))
    parts.add(rows.filter(~pl.col("is_by_account")), (("S", "volume"), ("T", "zone_price")), (CHARGE,))
