"""Resources for the common property in columns (``core/common_property.py``): by norm, by average, by fact."""

import polars as pl

from services.billing.columnar.kernels import amount_of, divide_half_up, times, wide
from services.billing.columnar.parts import CODES, Parts, Sum
from services.billing.columnar.prepared import Batch
from services.billing.columnar.taken import Took
from services.billing.core.common_property import HOT_WATERS, LIMITED, NO_HOUSE_METER, RETURNED
from services.billing.core.lines import LineKind
from services.billing.core.month import CommonWay, ServiceKind

KINDS = (
    *(ServiceKind.COMMON_COLD_WATER, ServiceKind.COMMON_HOT_WATER),
    *(ServiceKind.COMMON_SEWAGE, ServiceKind.COMMON_ELECTRICITY),
)
COMMON = Sum(nth=0, kind=LineKind.COMMON, volume="volume", price="price", amount="amount")
LETTERS = (("S_i", "s_i"), ("S_all", "area_all"), ("V_common", "common"), ("T", "price"))
NORM_LETTERS = (*LETTERS, ("N", "norm"), ("S_com", "area_common"))
FACT_LETTERS = (*LETTERS, ("V_house", "by_meter"), ("ΣV_i", "of_premises"), ("V_norm", "limit"))
BY_NORM = CODES["СОИ-норматив"]


def add_common(parts: Parts, batch: Batch, took: Took) -> None:
    """Take in every premises' part by area of what the house took in common, negative where volume is returned."""
    sums = _sums(batch, took)
    grid = batch.grid(batch.of_kinds(*KINDS), "area_part", "whole").join(sums.lazy(), on="term")
    share = divide_half_up(pl.col("area_part") * wide("common"), wide("whole") * wide("area_all"))
    rows = (
        grid.with_columns(volume=share)
        .filter((pl.col("volume") != 0) | pl.col("volume").is_null())
        .with_columns(amount=amount_of("volume", "price"), s_i=(pl.col("area_part") // wide("whole")).cast(pl.Int64))
        .collect()
    )
    by_norm = pl.col("formula") == BY_NORM
    parts.add(rows.filter(by_norm), NORM_LETTERS, (COMMON,))
    parts.add(rows.filter(~by_norm), FACT_LETTERS, (COMMON,))


def _sums(batch: Batch, took: Took) -> pl.DataFrame:
    """Return the house's common volume of every term. Without a volume to go by, average and fact fall back to the norm."""
    way, own = pl.col("common_way"), pl.col("house_volume")
    by_way = way == int(CommonWay.NORM)
    is_average = way == int(CommonWay.AVERAGE)
    code = pl.when(is_average).then(pl.lit(CODES["СОИ-среднее"], pl.Int8)).otherwise(pl.lit(CODES["СОИ-факт"], pl.Int8))
    # A meter of the common property alone, or the monthly average of what it took, goes before the house's balance.
    goes_by_own = is_average | own.is_not_null()
    measured = pl.when(by_way).then(None).when(goes_by_own).then(own).otherwise(pl.col("balance"))
    limited = pl.when("is_above_norm_shared").then("measured").otherwise(pl.min_horizontal("measured", "limit"))
    note = (
        pl.when(by_way)
        .then(pl.lit(""))
        .when(pl.col("measured").is_null())
        .then(pl.lit(NO_HOUSE_METER))
        .when(pl.col("common") < 0)
        .then(pl.lit(RETURNED))
        .when(pl.col("common") < pl.col("measured"))
        .then(pl.lit(LIMITED))
        .otherwise(pl.lit(""))
    )
    is_balance = ~goes_by_own & pl.col("balance").is_not_null()
    return (
        batch.of_kinds(*KINDS)
        .join(_balances(batch, took), on="term", how="left")
        .with_columns(balance=pl.col("by_meter") - pl.col("of_premises"), limit=times("area_common", "norm"))
        .with_columns(measured=measured)
        .with_columns(common=pl.when(pl.col("measured").is_null()).then("limit").otherwise(limited))
        .with_columns(note=note, formula=pl.when(pl.col("measured").is_null()).then(pl.lit(BY_NORM, pl.Int8)).otherwise(code))
        .with_columns(
            pl.when(is_balance).then(pl.col("by_meter", "of_premises")).otherwise(0),
            source=pl.lit(None, pl.Int8),
            price=pl.when(pl.col("zones") == 1).then("zone_price"),
        )
        .select(
            *("term", "common", "limit", "by_meter", "of_premises", "formula", "note", "source", "price"),
            *("norm", "area_all", "area_common"),
        )
    )


def _balances(batch: Batch, took: Took) -> pl.DataFrame:
    """Return what the house's meters of base services say together (null where one says nothing), and what premises took.

    Hot water made in the house needs no meter of its own; cold water for the common property holds hot water within.
    """
    commons = batch.of_kinds(*KINDS).select("term", is_cold=pl.col("kind") == int(ServiceKind.COMMON_COLD_WATER))
    bases = batch.terms.select(base="term", base_kind="kind", said="house_volume")
    of_premises = took.rows.group_by("term").agg(taken=pl.col("balance").sum()).rename({"term": "base"})
    hot = pl.col("base_kind").is_in([int(kind) for kind in HOT_WATERS])
    within = pl.when("is_cold").then(hot).otherwise(pl.col("base_kind") == int(ServiceKind.HOT_WATER_OWN))
    counts = ~within | pl.col("said").is_not_null()
    found = (
        batch.frames.bases.select("term", "base")
        .unique()
        .join(commons, on="term")
        .join(bases, on="base")
        .join(of_premises, on="base", how="left")
        .with_columns(counts=counts)
    )
    said = pl.col("said").filter("counts")
    is_told = (pl.col("counts").sum() > 0) & (said.null_count() == 0)
    return found.group_by("term").agg(by_meter=pl.when(is_told).then(said.sum()), of_premises=pl.col("taken").fill_null(0).sum())
