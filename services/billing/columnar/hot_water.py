"""Hot water of two components and of the house's own boiler in columns (``core/hot_water.py``)."""

import polars as pl

from services.billing.columnar.charging import CHARGE, RAISED, charged, price_letters
from services.billing.columnar.kernels import amount_of, kopecks, share_of, times, wide
from services.billing.columnar.parts import CODES, Parts, Sum
from services.billing.columnar.prepared import Batch
from services.billing.columnar.taken import INPUTS, Took
from services.billing.core.lines import LineKind
from services.billing.core.month import ServiceKind
from services.billing.core.quantities import MICRO

HEAT = Sum(nth=1, kind=LineKind.HEAT, volume="heat_volume", price="heat_price", amount="heat")
MORE_HEAT = Sum(nth=3, kind=LineKind.RAISED, volume="more_heat_volume", price="heat_price", amount="more_heat")


def add_two_part(parts: Parts, batch: Batch, took: Took) -> None:
    """Take in the cold component and heat, always by the approved norm a cubic metre (formulas 23, 24)."""
    rows = took.rows.filter(pl.col("kind") == int(ServiceKind.HOT_WATER_TWO_PART))
    by_meter = pl.col("formula") == CODES["1"]
    formula = pl.when(by_meter).then(pl.lit(CODES["23"], pl.Int8)).otherwise(pl.lit(CODES["24"], pl.Int8))
    cold = charged(batch, Took(rows=rows, zones=took.zones)).with_columns(formula=formula)
    parts.add(price_letters(cold), (*INPUTS, ("T", "t")), (CHARGE, RAISED))
    heat = (
        cold.lazy()
        .join(batch.terms.lazy().select("term", "heat_norm", "heat_price"), on="term")
        .with_columns(heat_volume=times("volume", "heat_norm"))
        .with_columns(heat=amount_of("heat_volume", "heat_price"), raised=times("heat_volume", "coefficient"))
        .with_columns(
            more_heat=amount_of("raised", "heat_price") - pl.col("heat"),
            more_heat_volume=pl.col("raised") - pl.col("heat_volume"),
            has_more_heat=pl.col("coefficient") > MICRO,
        )
        .drop("cell_zone", "cell_range", "cell_volume", "cell_price", strict=False)
        .collect()
    )
    parts.add(heat, (*INPUTS, ("q", "heat_norm"), ("T_heat", "heat_price")), (HEAT, MORE_HEAT))


def add_own_hot_water(parts: Parts, batch: Batch, took: Took) -> None:
    """Take in cold water and the premises' part of what was burnt, V_i of ΣV (formula 20)."""
    rows = took.rows.filter(pl.col("kind") == int(ServiceKind.HOT_WATER_OWN))
    formula = pl.lit(CODES["20"], pl.Int8)
    cold = charged(batch, Took(rows=rows, zones=took.zones)).with_columns(formula=formula)
    parts.add(price_letters(cold), (*INPUTS, ("T", "t")), (CHARGE, RAISED))
    whole = rows.group_by("term").agg(house_taken=pl.col("volume").sum())
    heated = cold.lazy().drop("cell_zone", "cell_range", "cell_volume", "cell_price", strict=False)
    heated = heated.join(batch.fuels.lazy(), on="term").join(whole.lazy(), on="term").filter(pl.col("house_taken") > 0)
    numbers = range(1, batch.fuels_most + 1)
    for number in numbers:
        own = share_of(f"burnt_{number}", "volume", "house_taken")
        heated = heated.with_columns(own.alias(f"own_{number}")).with_columns(
            times(f"own_{number}", "coefficient").alias(f"raised_{number}")
        )
    letters = [*INPUTS, ("V_i", "volume"), ("ΣV", "house_taken"), *fuel_letters(batch.fuels_most)]
    if batch.fuels_most:
        parts.add(_heat(heated, numbers).collect(), letters, (HEAT, MORE_HEAT))


def fuel_letters(most: int) -> list[tuple[str, str]]:
    """Return the letters of what was burnt: all of it, the premises' own part, and its price."""
    return [
        pair
        for number in range(1, most + 1)
        for pair in (
            (f"V_{number}", f"burnt_{number}"),
            (f"V_{number}i", f"own_{number}"),
            (f"T_{number}", f"burnt_price_{number}"),
        )
    ]


def products_of(volume: str, numbers: range) -> pl.Expr:
    """Return Σ volume × price of what was burnt; a resource that the house does not have is nothing."""
    first, *others = [(wide(f"{volume}_{number}") * wide(f"burnt_price_{number}")).fill_null(0) for number in numbers]
    for other in others:
        first = first + other
    # A share that could not be told is not nothing: the house is refused by it.
    return pl.when(pl.col(f"{volume}_1").is_not_null()).then(first)


def _heat(rows: pl.LazyFrame, numbers: range) -> pl.LazyFrame:
    # Volumes of different resources are not to be added up.
    is_single = pl.col("fuels") == 1
    return rows.with_columns(
        heat=kopecks(products_of("own", numbers)),
        heat_volume=pl.when(is_single).then("own_1").otherwise(0),
        heat_price=pl.when(is_single).then("burnt_price_1").otherwise(0),
        more_heat_volume=pl.when(is_single).then(pl.col("raised_1") - pl.col("own_1")).otherwise(0),
        has_more_heat=pl.col("coefficient") > MICRO,
    ).with_columns(more_heat=kopecks(products_of("raised", numbers)) - pl.col("heat"))
