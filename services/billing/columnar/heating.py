"""Heating in columns (``core/heating.py``): by the norm, by the house's meter, and by the house's own boiler."""

import polars as pl

from services.billing.columnar.hot_water import fuel_letters, products_of
from services.billing.columnar.kernels import amount_of, divide_half_up, kopecks, share_of, times, wide
from services.billing.columnar.parts import CODES, Parts, Sum
from services.billing.columnar.prepared import Batch
from services.billing.columnar.taken import NORM, NORM_RAISED
from services.billing.core.heating import COMMON_ONLY, MONTHS_OF_YEAR
from services.billing.core.lines import LineKind
from services.billing.core.month import HeatingWay, ServiceKind
from services.billing.core.quantities import MICRO

EVEN = int(HeatingWay.EVEN)
CHARGE = Sum(nth=0, kind=LineKind.CHARGE, volume="volume", price="price", amount="amount")
RAISED = Sum(nth=1, kind=LineKind.RAISED, volume="more_volume", price="price", amount="more")
NORM_LETTERS = (("S_i", "s_i"), ("N", "norm"), ("T", "price"), ("months", "months"))
METER_LETTERS = (
    *(("V_i", "v_i"), ("S_i", "s_i"), ("V_house", "house_volume"), ("ΣV_i", "flats_volume")),
    *(("S_all", "area_all"), ("S_heated", "heated_area"), ("T", "price")),
)
OWN_LETTERS = (("S_i", "s_i"), ("S_all", "area_all"), ("S_heated", "heated_area"))


def add_heating(parts: Parts, batch: Batch) -> None:
    """Take in heating of every house: a premises is charged its own heat and its part of what is common, or the norm."""
    grid = _grid(batch, batch.of_kinds(ServiceKind.HEATING)).with_columns(
        is_measured=pl.col("is_measured").fill_null(False) & ~pl.col("is_without_heating"),
        price=pl.when(pl.col("zones") == 1).then("zone_price"),
    )
    rows = grid.with_columns(v_i=_own_volume()).collect()
    is_heated = ~pl.col("is_without_heating")
    sums = rows.group_by("term").agg(
        flats_volume=pl.when(pl.col("v_i").null_count() == 0).then(pl.col("v_i").sum()),
        metered=pl.col("is_measured").sum(),
        heated=is_heated.sum(),
    )
    charged = rows.filter(pl.col("is_served") & _is_charged()).join(sums, on="term")
    _add_by_house_meter(parts, charged.lazy().filter(pl.col("house_volume").is_not_null()))
    _add_by_norm(parts, charged.lazy().filter(pl.col("house_volume").is_null() & is_heated))


def _grid(batch: Batch, terms: pl.DataFrame) -> pl.LazyFrame:
    """Return every premises of the houses, served or not: what is common is shared by all."""
    premises = ("area", "is_without_heating", "area_part", "part", "whole")
    house = ("area_all", "area_common", "house_volume", "zones", "zone_price", "norm", "coefficient")
    way = ("heating_way", "heating_months", "is_heating_month", "is_house_meter_due")
    cells = batch.grid(terms, *premises, *house, *way, is_served_only=False)
    individual = batch.individual.lazy().select("cell", "is_measured", "own", "told")
    without = pl.when("is_without_heating").then("area").otherwise(0).sum().over("term")
    return (
        cells.join(individual, on="cell", how="left", validate="1:1")
        .with_columns(heated_area=pl.col("area_all") - without + pl.col("area_common"))
        .with_columns(s_i=(pl.col("area_part") // pl.col("whole").cast(pl.Int128)).cast(pl.Int64))
    )


def _is_charged() -> pl.Expr:
    return (pl.col("heating_way") == EVEN) | pl.col("is_heating_month")


def _own_volume() -> pl.Expr:
    """V_i: nothing without heating devices, the meter's, or the area's by formulas 3(6) and 3(7)."""
    by_area = divide_half_up(pl.col("area_part") * wide("house_volume"), wide("whole") * wide("heated_area"))
    by_meter = share_of("own", "part", "whole")
    return pl.when("is_without_heating").then(0).when("is_measured").then(by_meter).otherwise(by_area)


def _add_by_house_meter(parts: Parts, rows: pl.LazyFrame) -> None:
    common = divide_half_up(
        pl.col("area_part") * wide(pl.col("house_volume") - pl.col("flats_volume")), wide("whole") * wide("area_all")
    )
    formula = (
        pl.when(pl.col("metered") == 0)
        .then(pl.lit(CODES["3"], pl.Int8))
        .when(pl.col("metered") == pl.col("heated"))
        .then(pl.lit(CODES["3(3)"], pl.Int8))
        .otherwise(pl.lit(CODES["3(1)"], pl.Int8))
    )
    charged = rows.with_columns(
        volume=pl.col("v_i") + common,
        formula=formula,
        source=pl.when("is_measured").then("told"),
        note=pl.when("is_without_heating").then(pl.lit(COMMON_ONLY)).otherwise(pl.lit("")),
    ).with_columns(amount=amount_of("volume", "price"))
    parts.add(charged.collect(), METER_LETTERS, (CHARGE,))


def _add_by_norm(parts: Parts, rows: pl.LazyFrame) -> None:
    """Formulas 2 and 2(3), with the coefficient 2(1) and 2(4)."""
    is_even = pl.col("heating_way") == EVEN
    months = pl.when(is_even).then("heating_months").otherwise(MONTHS_OF_YEAR)
    is_raised = pl.col("is_house_meter_due") & (pl.col("coefficient") > MICRO)

    def code(name: str) -> pl.Expr:
        return pl.lit(CODES[name], pl.Int8)

    even = pl.when("has_more").then(code("2(4)")).otherwise(code("2(3)"))
    season = pl.when("has_more").then(code("2(1)")).otherwise(code("2"))
    charged = (
        rows.with_columns(
            volume=divide_half_up(pl.col("area_part") * wide("norm") * wide(months), wide("whole") * (MICRO * MONTHS_OF_YEAR)),
            has_more=is_raised,
            months=pl.when(is_even).then("heating_months"),
            source=pl.when(is_raised).then(pl.lit(NORM_RAISED, pl.Int8)).otherwise(pl.lit(NORM, pl.Int8)),
        )
        .with_columns(
            formula=pl.when(is_even).then(even).otherwise(season),
            amount=amount_of("volume", "price"),
            raised=times("volume", "coefficient"),
        )
        .with_columns(more=amount_of("raised", "price") - pl.col("amount"), more_volume=pl.col("raised") - pl.col("volume"))
        .collect()
    )
    parts.add(charged, NORM_LETTERS, (CHARGE,))
    parts.add(charged.filter("has_more"), (*NORM_LETTERS, ("K", "coefficient")), (RAISED,))


def add_own_heating(parts: Parts, batch: Batch) -> None:
    """Take in heat of the house's own boiler: each resource burnt by area (formula 18), rounded once."""
    rows = _grid(batch, batch.of_kinds(ServiceKind.HEATING_OWN)).filter(pl.col("is_served") & _is_charged())
    rows = rows.join(batch.fuels.lazy(), on="term")
    # Of each resource: S_i/S_heated for a heated one, and S_i/S_all of the rest, S_com/S_heated, for everybody.
    taken = pl.col("area_common") + pl.when("is_without_heating").then(0).otherwise("area_all")
    whole = wide("whole") * wide("area_all") * wide("heated_area")
    numbers = range(1, batch.fuels_most + 1)
    if not batch.fuels_most:
        return
    for number in numbers:
        share = divide_half_up(pl.col("area_part") * wide(f"burnt_{number}") * wide(taken), whole)
        rows = rows.with_columns(share.alias(f"own_{number}"))
    is_single = pl.col("fuels") == 1
    charged = rows.with_columns(
        volume=pl.when(is_single).then("own_1").otherwise(0),
        price=pl.when(is_single).then("burnt_price_1").otherwise(0),
        amount=kopecks(products_of("own", numbers)),
        formula=pl.lit(CODES["18"], pl.Int8),
        source=pl.lit(None, pl.Int8),
        note=pl.when("is_without_heating").then(pl.lit(COMMON_ONLY)).otherwise(pl.lit("")),
    )
    parts.add(charged.collect(), (*OWN_LETTERS, *fuel_letters(batch.fuels_most)), (CHARGE,))
