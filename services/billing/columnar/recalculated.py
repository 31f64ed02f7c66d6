"""What absence and bad quality take from a service's charge, in columns (``core/absence.py``, ``core/quality.py``)."""

import polars as pl

from services.billing.columnar.kernels import amount_of, divide_half_up, share_of, times, wide
from services.billing.columnar.parts import CODES, Parts, Sum
from services.billing.columnar.prepared import Batch, cell_of
from services.billing.core.absence import REDUCED, SERVICES
from services.billing.core.lines import LineKind
from services.billing.core.month import ServiceKind
from services.billing.core.quality import BASE
from services.billing.core.quantities import MICRO

ABSENCE = Sum(nth=8, kind=LineKind.ABSENCE, volume="lost", price="nothing", amount="reduced")
QUALITY = LineKind.QUALITY
FIRST_QUALITY = 16
"""Number of the first QUALITY part: after a formula's own and absence."""
ABSENCE_LETTERS = (("P", "amount"), ("person_days", "person_days"), ("n", "persons"), ("days", "days"))
QUALITY_LETTERS = (("P", "amount"), ("reduction", "reduction"), ("at_cold_price", "at_cold"), ("T_cold", "t_cold"))


def is_kind(*kinds: LineKind) -> pl.Expr:
    """Tell which parts are of these kinds."""
    return pl.col("kind").is_in([int(kind) for kind in kinds])


def add_absence(parts: Parts, batch: Batch) -> None:
    """Take in ΔP = P × absent person-days / (n × days of the month), no more than P; of gas without what heats rooms."""
    days = batch.frames.absences.group_by("premises", "term").agg(pl.col("person_days").sum())
    rows = _cells(batch, days, ("kind", "norm_space_heating", "days", "is_payable_by_absent_owners"))
    persons = pl.when("is_payable_by_absent_owners").then("persons_paying").otherwise("residents")
    rows = rows.rename({"kind": "service_kind"}).with_columns(persons=persons)
    is_covered = pl.col("service_kind").is_in([int(kind) for kind in SERVICES])
    rows = rows.filter((pl.col("person_days") > 0) & (pl.col("persons") > 0) & is_covered)
    if not rows.height:
        return
    is_gas = pl.col("service_kind") == int(ServiceKind.GAS)
    heating = pl.when(is_gas).then(times("area", "norm_space_heating")).otherwise(0)
    personal = pl.max_horizontal(pl.col("volume") - pl.col("heating"), 0)
    is_whole = (pl.col("heating") == 0) | (pl.col("volume") <= 0)
    charged = parts.charged().filter(is_kind(*REDUCED)).join(rows.select("cell", "area", heating=heating), on="cell")
    charged = charged.with_columns(personal=pl.when(is_whole).then("volume").otherwise(personal)).with_columns(
        amount=pl.when(is_whole).then("amount").otherwise(share_of("amount", "personal", "volume"))
    )
    sums = charged.group_by("cell").agg(
        amount=pl.col("amount").sum(), volume=pl.col("personal").filter(is_kind(LineKind.CHARGE)).sum()
    )
    whole = pl.col("persons") * pl.col("days")
    found = (
        rows.join(sums, on="cell")
        .with_columns(part=pl.min_horizontal(pl.col("person_days") * MICRO, whole), whole_part=whole)
        .with_columns(reduced=share_of("amount", "part", "whole_part"), lost=-share_of("volume", "part", "whole_part"))
        .filter((pl.col("reduced") > 0) | pl.col("reduced").is_null())
        .with_columns(
            reduced=-pl.col("reduced"),
            nothing=pl.lit(0, pl.Int64),
            formula=pl.lit(CODES["отсутствие"], pl.Int8),
            source=pl.lit(None, pl.Int8),
            note=pl.lit("временное отсутствие"),
        )
    )
    parts.add(found, ABSENCE_LETTERS, (ABSENCE,))


def _cells(batch: Batch, rows: pl.DataFrame, term_columns: tuple[str, ...]) -> pl.DataFrame:
    """Return rows of (premises, term) with their cells and what is asked of premises and terms."""
    premises = batch.premises.select("premises", "area", "residents", "persons_paying")
    terms = batch.terms.select("term", "place", *term_columns)
    return rows.join(terms, on="term").join(premises, on="premises").with_columns(cell=cell_of()).drop("place")


def add_quality(parts: Parts, batch: Batch) -> None:
    """Take in what every cause takes of the charge that absence left; together they take no more than that."""
    breaks = batch.frames.breaks.rename({"place": "at"})
    rows = _cells(batch, breaks, ("cold_price",)).drop("area", "residents", "persons_paying")
    if not rows.height:
        return
    charged = parts.charged().filter(is_kind(*BASE)).join(rows.select("cell").unique(), on="cell", how="semi")
    own = is_kind(LineKind.CHARGE, LineKind.ABSENCE)
    sums = charged.group_by("cell").agg(amount=pl.col("amount").sum(), volume=pl.col("volume").filter(own).sum())
    cold = _cold()
    wanted = pl.max_horizontal(divide_half_up(wide("amount") * wide("reduction") + wide(cold), MICRO), 0)
    taken = pl.min_horizontal(pl.col("wanted").cum_sum().over("cell"), "amount")
    found = (
        rows.join(sums, on="cell")
        .filter(pl.col("amount") > 0)
        .sort("cell", "at")
        .with_columns(wanted=wanted)
        .with_columns(taken=taken)
        .with_columns(reduced=pl.col("taken").shift(1).over("cell").fill_null(0) - pl.col("taken"))
        .with_columns(
            number=pl.int_range(pl.len()).over("cell"),
            nothing=pl.lit(0, pl.Int64),
            at_cold=pl.when(pl.col("at_cold_price") != 0).then("at_cold_price"),
            t_cold=pl.when(pl.col("at_cold_price") != 0).then("cold_price"),
            formula=pl.lit(CODES["качество"], pl.Int8),
            source=pl.lit(None, pl.Int8),
            note=pl.col("cause") + ", акт " + pl.col("act"),
        )
        .filter((pl.col("reduced") < 0) | pl.col("reduced").is_null())
    )
    for number in found["number"].unique().sort():
        one = Sum(nth=FIRST_QUALITY + int(number), kind=QUALITY, volume="nothing", price="nothing", amount="reduced")
        parts.add(found.filter(pl.col("number") == number), QUALITY_LETTERS, (one,))


def _cold() -> pl.Expr:
    """What hot water under 40 °C cost more than cold, in millionths of a kopeck."""
    of_charge = wide("amount") * wide("at_cold_price")
    at_cold = wide(amount_of(times("volume", "at_cold_price"), "cold_price")) * MICRO
    return pl.max_horizontal(of_charge - at_cold, 0)
