"""Cold water, electricity, one-component hot water, gas and sewage in columns (``core/individual.py``, ``core/gas.py``)."""

import polars as pl

from services.billing.columnar.charging import add_charged, charged
from services.billing.columnar.kernels import times
from services.billing.columnar.parts import CODES, Parts
from services.billing.columnar.prepared import PLACES, Batch
from services.billing.columnar.taken import AVERAGE, METER, NORM, NORM_RAISED, Took
from services.billing.core.month import ServiceKind
from services.billing.core.quantities import MICRO
from services.billing.core.volumes import NO_ZONE

KINDS = (ServiceKind.COLD_WATER, ServiceKind.HOT_WATER, ServiceKind.ELECTRICITY)
GAS_LETTERS = (("n", "n"), ("N_cook", "n_norm"), ("N_water", "n_water"), ("S", "s"), ("N_rooms", "n_rooms"))


def add_individual(parts: Parts, batch: Batch, took: Took) -> None:
    """Take in the services charged by what was taken alone."""
    kinds = [int(kind) for kind in KINDS]
    add_charged(parts, charged(batch, Took(rows=took.rows.filter(pl.col("kind").is_in(kinds)), zones=took.zones)))


def add_gas(parts: Parts, batch: Batch, took: Took) -> None:
    """Take in gas: by meter or average as all, else by formula 5: three norms, each volume rounded, and no coefficient."""
    rows = took.rows.filter(pl.col("kind") == int(ServiceKind.GAS))
    measured = pl.col("source").is_in([METER, AVERAGE])
    add_charged(parts, charged(batch, Took(rows=rows.filter(measured), zones=took.zones)))
    norms = batch.terms.select("term", "norm", "norm_water_heating", "norm_space_heating")
    premises = batch.premises.select("premises", "area")
    by_norm = (
        rows.filter(~measured)
        .join(norms, on="term")
        .join(premises, on="premises")
        .with_columns(
            source=pl.lit(NORM, pl.Int8),
            formula=pl.lit(CODES["5"], pl.Int8),
            coefficient=pl.lit(MICRO, pl.Int64),
            n_norm="norm",
            n_water="norm_water_heating",
            s="area",
            n_rooms="norm_space_heating",
            volume=times("n", "norm") + times("n", "norm_water_heating") + times("area", "norm_space_heating"),
        )
        .with_columns(whole_volume="volume")
    )
    add_charged(parts, charged(batch, Took(rows=by_norm, zones=took.zones)), GAS_LETTERS)


def add_sewage(parts: Parts, batch: Batch, took: Took) -> None:
    """Take in sewage: by its own meter, else the volumes of the base services that the premises has, without coefficients."""
    rows = took.rows.filter(pl.col("kind") == int(ServiceKind.SEWAGE))
    joined, most = _waters(batch, took, rows)
    is_measured = pl.col("source").is_in([METER, AVERAGE])
    alone = pl.col("waters").is_null() | is_measured
    add_charged(parts, charged(batch, Took(rows=joined.filter(alone).select(rows.columns), zones=took.zones)))
    together = joined.filter(~alone).with_columns(
        volume="waters_volume",
        whole_volume="waters_volume",
        v="waters_volume",
        source="waters",
        formula=pl.when("is_one_formula").then("waters_formula").otherwise(pl.lit(CODES["водоотведение"], pl.Int8)),
        zone=pl.lit(NO_ZONE, pl.Int64),
        coefficient=pl.lit(MICRO, pl.Int64),
    )
    letters = (("V", "v"), *((f"@v_name_{number}", f"v_{number}") for number in range(1, most + 1)))
    add_charged(parts, charged(batch, Took(rows=together, zones=took.zones)), letters)


def _waters(batch: Batch, took: Took, rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return the rows of sewage with their waters side by side (``v_1``, ``v_name_1`` …) and together, and how many at most.

    A water that the premises does not have is null; ``waters`` is null where it has none.
    """
    bases, most = _bases(batch)
    # The least certain of the sources: what is partly by the norm is not by meters.
    source = pl.when(pl.col("source") == NORM_RAISED).then(pl.lit(NORM, pl.Int8)).otherwise("source")
    formula = pl.when(pl.col("formula") == CODES["4(1)"]).then(pl.lit(CODES["4"], pl.Int8)).otherwise("formula")
    found = rows.lazy().join(bases.lazy(), on="term", how="left")
    for number in range(1, most + 1):
        taken = took.rows.lazy().select(
            pl.col("cell").alias("base_cell"),
            pl.col("volume").alias(f"v_{number}"),
            source.alias(f"source_{number}"),
            formula.alias(f"formula_{number}"),
        )
        base_cell = pl.col("premises") * PLACES + pl.col(f"base_{number}")
        found = found.with_columns(base_cell=base_cell).join(taken, on="base_cell", how="left").drop("base_cell")

    def side_by_side(name: str) -> list[str]:
        return [f"{name}_{number}" for number in range(1, most + 1)] or ["nothing"]

    together = found.with_columns(nothing=pl.lit(None, pl.Int64)).with_columns(
        waters=pl.max_horizontal(side_by_side("source")).cast(pl.Int8),
        waters_volume=pl.sum_horizontal(side_by_side("v")),
        waters_formula=pl.max_horizontal(side_by_side("formula")).cast(pl.Int8),
        is_one_formula=pl.max_horizontal(side_by_side("formula")) == pl.min_horizontal(side_by_side("formula")),
    )
    return together.collect(), most


def _bases(batch: Batch) -> tuple[pl.DataFrame, int]:
    """Return of every sewage its base services side by side: place (``base_1``) and letter (``v_name_1``)."""
    places = batch.terms.select(base="term", base_place="place", letter="V_" + pl.col("service"))
    rows = batch.frames.bases.join(batch.of_kinds(ServiceKind.SEWAGE).select("term"), on="term", how="semi")
    rows = rows.sort("term", "place").join(places, on="base").sort("term", "place")
    numbered = rows.with_columns(number=pl.int_range(1, pl.len() + 1).over("term"))
    most = int(numbered["number"].max() or 0)  # type: ignore[arg-type]  # a column of whole numbers
    found = batch.of_kinds(ServiceKind.SEWAGE).select("term")
    for number in range(1, most + 1):
        one = numbered.filter(pl.col("number") == number)
        one = one.select("term", pl.col("base_place").alias(f"base_{number}"), pl.col("letter").alias(f"v_name_{number}"))
        found = found.join(one, on="term", how="left")
    return found, most
