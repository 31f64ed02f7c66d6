"""Parts shared between personal accounts (``core/sharing.py``): by largest remainder, no kopeck lost or made.

Most premises have one account, which takes its parts whole; only the others are divided.
"""

from math import lcm

import msgspec
import polars as pl

from services.billing.columnar.kernels import wide
from services.billing.columnar.prepared import Batch, cell_of
from services.billing.core.month import ServiceKind

MULTIPLE_MAX = 2**40


def ranked_shares(batch: Batch) -> pl.DataFrame:
    """Return every account of the batch with ``rank``: houses in order of their numbers, then by account and premises."""
    premises = batch.premises.select("premises", "house", "name")
    shares = batch.frames.shares.join(premises, on="premises", validate="m:1")
    return shares.sort("house", "account", "name").with_row_index("rank").with_columns(pl.col("rank").cast(pl.Int64))


class Sharers(msgspec.Struct, frozen=True, kw_only=True):
    """Who is charged, with weights: as a rule ``by_premises``; in the cells of ``special`` whoever ``by_cell`` has, or nobody."""

    by_premises: pl.DataFrame
    by_cell: pl.DataFrame
    special: pl.DataFrame

    def charged_accounts(self, cells: pl.LazyFrame) -> pl.LazyFrame:
        """Return the cells with ``accounts``: how many are charged, 0 for nobody."""
        usual = self.by_premises.lazy().select("premises", usual="accounts").unique()
        special = self.special.lazy().join(self.by_cell.lazy().select("cell", "accounts").unique(), on="cell", how="left")
        joined = cells.join(usual, on="premises", how="left")
        joined = joined.join(special.select("cell", special=pl.col("accounts").fill_null(0)), on="cell", how="left")
        return joined.with_columns(accounts=pl.coalesce("special", "usual", pl.lit(0))).drop("special", "usual")


def sharers_of(batch: Batch, shares: pl.DataFrame) -> Sharers:
    """Return the sharers of a batch; whoever is not charged for a service leaves it to the premises' others."""
    rows = shares.filter(pl.col("numerator") > 0).select("share", "rank", "premises", "house", "numerator", "denominator")
    terms = batch.terms.select("term", "place", "house", "kind", "by_area")
    alike = terms.filter((pl.col("kind") == int(ServiceKind.FIXED)) & ~pl.col("by_area"))
    excluded = batch.frames.excluded.join(shares.select("share", "premises"), on="share").join(terms, on="term")
    excluded = excluded.with_columns(cell=cell_of()).select("cell", "premises", "term", "share")
    several = rows.filter(pl.len().over("premises") > 1).select("premises", "house").unique()
    fixed = several.join(alike.select("house", "term", "place"), on="house").with_columns(cell=cell_of())
    special = pl.concat([excluded.drop("share"), fixed.select("cell", "premises", "term")]).unique()
    left = special.join(rows.drop("house"), on="premises").join(excluded, on=["cell", "share"], how="anti").drop("premises")
    by_shares = _weighted(left.join(alike, on="term", how="anti"), "cell")
    evenly = _weighted(
        left.join(alike, on="term", how="semi").with_columns(numerator=pl.lit(1, pl.Int64), denominator=pl.lit(1, pl.Int64)),
        "cell",
    )
    by_cell = pl.concat([by_shares, evenly.select(by_shares.columns)]).drop("term")
    return Sharers(by_premises=_weighted(rows.drop("house"), "premises"), by_cell=by_cell, special=special.select("cell"))


def _weighted(rows: pl.DataFrame, key: str) -> pl.DataFrame:
    """Return rows with ``weight``, ``total`` and ``accounts``, grouped by a key: shares over the least common denominator."""
    alike = pl.col("denominator").n_unique().over(key) == 1
    counted = rows.with_columns(accounts=pl.len().over(key).cast(pl.Int64), is_alike=alike)
    same = counted.filter("is_alike").with_columns(weight="numerator")
    other = counted.filter(~pl.col("is_alike"))
    whole = other.group_by(key).agg(pl.col("denominator").unique().sort())
    # Shares of no common measure worth the name are left to the plain engine: a weight that is not there makes no sum.
    multiples = [None if (multiple := lcm(*one)) > MULTIPLE_MAX else multiple for one in whole["denominator"].to_list()]
    wholes = whole.select(key, multiple=pl.Series(multiples, dtype=pl.Int64))
    mixed = other.join(wholes, on=key).with_columns(weight=pl.col("numerator") * (pl.col("multiple") // pl.col("denominator")))
    found = pl.concat([same, mixed.select(same.columns)])
    return found.with_columns(total=pl.col("weight").sum().over(key)).drop("is_alike", "numerator", "denominator")


def shared(parts: pl.DataFrame, sharers: Sharers) -> pl.DataFrame:
    """Return a row a part and account: ``share``, ``rank``, its volume and amount; ``weight`` of ``total`` where several."""
    usual = parts.join(sharers.special, on="cell", how="anti") if sharers.special.height else parts
    special = parts.join(sharers.by_cell, on="cell") if sharers.special.height else None
    columns = [*parts.columns, "share", "rank", "weight", "total", "accounts"]
    rows = usual.join(sharers.by_premises, on="premises").select(columns)
    rows = rows if special is None else pl.concat([rows, special.select(columns)])
    alone = rows.filter(pl.col("accounts") == 1).with_columns(pl.lit(None, pl.Int64).alias(name) for name in ("weight", "total"))
    several = rows.filter(pl.col("accounts") > 1)
    if not several.height:
        return alone.drop("accounts")
    divided = several
    for quantity in ("volume", "amount"):
        divided = _divided(divided, quantity)
    return pl.concat([alone, divided.select(alone.columns)]).drop("accounts")


PART = ("shape", "row", "kind")


def _divided(rows: pl.DataFrame, quantity: str) -> pl.DataFrame:
    """Share a quantity: rounded towards zero, the rest one each to the largest remainders, the earlier first."""
    product = wide(pl.col(quantity).abs()) * wide("weight")
    floors = rows.with_columns(floor=(product // wide("total")).cast(pl.Int64)).with_columns(
        rest=(product - wide("floor") * wide("total")).cast(pl.Int64)
    )
    missing = pl.col(quantity).abs() - pl.col("floor").sum().over(PART)
    ranked = floors.with_columns(missing=missing).sort(*PART, "rest", "rank", descending=[*(False for _ in PART), True, False])
    lucky = pl.int_range(pl.len()).over(PART) < pl.col("missing")
    whole = pl.col("floor") + lucky.cast(pl.Int64)
    signed = pl.when(pl.col(quantity) < 0).then(-whole).otherwise(whole)
    return ranked.with_columns(signed.alias(quantity)).drop("floor", "rest", "missing")
