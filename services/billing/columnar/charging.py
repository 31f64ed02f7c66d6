"""From what was taken to kopecks (``core/pricing.py``): one price, or cells of zones and ranges summed and rounded once."""

import polars as pl

from services.billing.columnar.kernels import amount_of, kopecks, share_of, times, wide
from services.billing.columnar.parts import CELL_COLUMNS, Parts, Sum
from services.billing.columnar.prepared import Batch, default_prices
from services.billing.columnar.taken import AVERAGE, INPUTS, METER, Took
from services.billing.core.lines import LineKind
from services.billing.core.quantities import MICRO
from services.billing.core.volumes import NO_ZONE

CHARGE = Sum(nth=0, kind=LineKind.CHARGE, volume="volume", price="price", amount="amount")
RAISED = Sum(nth=2, kind=LineKind.RAISED, volume="more_volume", price="price", amount="more")
"""After the heat of two-part hot water, which is the part number 1."""


def charged(batch: Batch, took: Took) -> pl.DataFrame:
    """Return rows with ``price``, ``amount`` and, where the norm is raised (``has_more``), ``more_volume`` and ``more``.

    A meter that says nothing was taken makes a charge of nothing; a norm of nobody makes none. Rows of several prices have lists
    of CELL_COLUMNS, and price 0 unless the prices are one.
    """
    rows = took.rows.filter((pl.col("volume") != 0) | pl.col("source").is_in([METER, AVERAGE]) | pl.col("volume").is_null())
    tariffs = batch.terms.lazy().select("term", "price_1")
    has_one_price = (pl.col("ranges") == 1) & (pl.col("zone") == NO_ZONE).fill_null(False)
    simple = (
        rows.lazy()
        .filter(has_one_price | (pl.col("ranges") == 0))
        .join(tariffs, on="term", how="left")
        .rename({"price_1": "price"})
        .with_columns(amount=amount_of("volume", "price"), more_volume=times("volume", "coefficient"))
        .with_columns(more=amount_of("more_volume", "price") - pl.col("amount"))
        .with_columns(more_volume=pl.col("more_volume") - pl.col("volume"), has_more=pl.col("coefficient") > MICRO)
        .collect()
    )
    cells = rows.filter(~(has_one_price | (pl.col("ranges") == 0)))
    if not cells.height:
        return simple
    summed = _summed(_cells(batch, Took(rows=cells, zones=took.zones)))
    joined = cells.join(summed, on="cell", how="left").with_columns(has_more=pl.col("coefficient") > MICRO)
    joined = joined.with_columns(more_volume=pl.col("more_volume") - pl.col("volume"))
    return pl.concat([simple, joined], how="diagonal")


def _cells(batch: Batch, took: Took) -> pl.DataFrame:
    """Return (cell, at, range, zone, volume, price, coefficient) in order: a range's part is spread over the zones."""
    about = ("cell", "term", "whole_volume", "coefficient")
    one = took.rows.filter(pl.col("zone").is_not_null()).select(*about, "zone", "volume", at=pl.lit(0, pl.Int32))
    several = took.zones.join(took.rows.select(*about), on="cell")
    zones = pl.concat([one, several.select(one.columns)])
    defaults = default_prices(batch.prices, "term", "range").select("term", "range", "default")
    prices = batch.prices.select("term", "range", "zone", "price")
    is_last = pl.col("end").is_null() | (pl.col("end") >= pl.col("whole_volume"))
    return (
        zones.lazy()
        .join(batch.ranges.lazy(), on="term")
        .with_columns(until=pl.when(is_last).then("volume").otherwise(share_of("end", "volume", "whole_volume")))
        .join(prices.lazy(), on=["term", "range", "zone"], how="left")
        .join(defaults.lazy(), on=["term", "range"], how="left")
        .sort("cell", "at", "range")
        .with_columns(
            price=pl.coalesce("price", "default"),
            volume=pl.col("until") - pl.col("until").shift(1).over("cell", "at").fill_null(0),
            range=pl.when(pl.col("range").max().over("cell") > 1).then("range"),
        )
        .select("cell", "at", "range", "zone", "volume", "price", "coefficient")
        .collect()
    )


def _summed(cells: pl.DataFrame) -> pl.DataFrame:
    """Return the sums of every row; cells of no volume are left out, but one always stays to name the price."""
    is_left = (pl.col("volume") != 0) | (~(pl.col("volume") != 0).any().over("cell") & pl.col("cell").is_first_distinct())
    more = times("volume", "coefficient")
    left = cells.filter(is_left).with_columns(
        product=wide("volume") * wide("price"), more_product=wide(more) * wide("price"), more_volume=more
    )
    price = pl.when(pl.col("price").min() == pl.col("price").max()).then(pl.col("price").first()).otherwise(0)
    lists = {f"cell_{name}": pl.col(name) for name in ("zone", "range", "volume")}
    return (
        left.group_by("cell", maintain_order=True)
        .agg(
            pl.col("product").sum(),
            pl.col("more_product").sum(),
            pl.col("more_volume").sum(),
            **lists,
            cell_price=pl.col("price"),
            price=price,
        )
        .with_columns(amount=kopecks(pl.col("product")), more=kopecks(pl.col("more_product")))
        .select("cell", "more_volume", "price", "amount", *CELL_COLUMNS, more=pl.col("more") - pl.col("amount"))
    )


def price_letters(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with the letter ``T``: the price, or where cells are several none."""
    if "cell_price" not in rows.columns:
        return rows.with_columns(t="price")
    several = pl.col("cell_price").list.len() > 1
    one = pl.col("cell_price").list.first()
    return rows.with_columns(t=pl.when(several).then(None).otherwise(pl.coalesce(one, "price")))


def add_charged(parts: Parts, rows: pl.DataFrame, letters: tuple[tuple[str, str], ...] = INPUTS) -> None:
    """Take the CHARGE of the rows, and what a coefficient adds, into the parts."""
    explained = price_letters(rows)
    parts.add(explained, (*letters, ("T", "t")), (CHARGE, RAISED))
