"""The columnar engine: charges of many houses at once. What it returns is what ``core/engine.py`` returns for each of them.

A house of quantities that columns cannot hold exactly, or for which they find no sum, goes to the plain engine whole, which
charges it or says what is wrong with it.
"""

from collections.abc import Iterator, Mapping

import msgspec
import polars as pl

from services.billing.columnar.common_property import add_common
from services.billing.columnar.dwelling import add_dwelling, add_waste
from services.billing.columnar.explaining import explain
from services.billing.columnar.frames import TownFrames
from services.billing.columnar.heating import add_heating, add_own_heating
from services.billing.columnar.hot_water import add_own_hot_water, add_two_part
from services.billing.columnar.individual import KINDS, add_gas, add_individual, add_sewage
from services.billing.columnar.parts import CODES, Parts, Shape
from services.billing.columnar.plain import NO_SUM, calculate_plainly, odd_houses, of_houses, plain_shape
from services.billing.columnar.prepared import PLACES, Batch, prepare
from services.billing.columnar.recalculated import add_absence, add_quality
from services.billing.columnar.sharing import ranked_shares, shared, sharers_of
from services.billing.columnar.taken import Took, taken
from services.billing.core.lines import ChargeLine, LineKind
from services.billing.core.month import ServiceKind

TAKEN = (*KINDS, ServiceKind.HOT_WATER_TWO_PART, ServiceKind.HOT_WATER_OWN, ServiceKind.GAS, ServiceKind.SEWAGE)
NTH = 4096
"""Parts that a service of a premises may have."""

LINES = {
    "house": pl.Int64,
    "share": pl.Int64,
    "premises": pl.Int64,
    "term": pl.Int64,  # null: an adjustment of a service that the house no longer has
    "account": pl.String,
    "name": pl.String,  # of the premises
    "service": pl.String,
    "kind": pl.Int8,
    "volume": pl.Int64,
    "price": pl.Int64,
    "amount_kopecks": pl.Int64,
    "of_period": pl.Int32,
    "shape": pl.Int16,
    "row": pl.UInt32,
    "share_part": pl.Int64,  # null: the account takes the part whole
    "share_whole": pl.Int64,
}


class Town(msgspec.Struct, frozen=True, kw_only=True):
    """A batch's charges. ``lines``: LINES, houses in order of their numbers and the plain engine's order within.

    ``plain``: houses (by code) that the plain engine calculated, and why; ``failed``: those that it could not either.
    """

    lines: pl.DataFrame
    shapes: tuple[Shape, ...]
    plain: Mapping[str, str]
    failed: Mapping[str, str]

    def charge_lines(self) -> Iterator[tuple[int, ChargeLine]]:
        """Yield (house, line) in order, explained: slow, for a few houses and for comparing."""
        columns = ("house", "account", "name", "service", "kind", "volume", "price", "amount_kopecks", "of_period")
        rows = self.lines.select(columns).iter_rows()
        for row, explanation in zip(rows, explain(self.lines, self.shapes), strict=True):
            house, account, name, service, kind, volume, price, amount, of_period = row
            yield (
                house,
                ChargeLine(
                    account=account,
                    premises=name,
                    service=service,
                    kind=LineKind(kind),
                    volume=volume,
                    price=price,
                    amount_kopecks=amount,
                    explanation=explanation,
                    of_period=of_period,
                ),
            )


def calculate_town(frames: TownFrames) -> Town:
    """Return all charges of the batch; houses that the plain engine calculates stand among the others in order."""
    odd = odd_houses(frames)
    usual = of_houses(frames, odd, others=True) if odd else frames
    lines, parts = _calculate(usual)
    is_nameless = pl.any_horizontal(pl.col("volume", "price", "amount_kopecks").is_null())
    silent = set(lines.filter(is_nameless)["house"])
    if silent:
        lines = lines.filter(~pl.col("house").is_in(list(silent)))
        odd |= dict.fromkeys(sorted(silent), NO_SUM)
    if not odd:
        return Town(lines=lines, shapes=tuple(parts.shapes), plain={}, failed={})
    plainly = calculate_plainly(frames, odd)
    shapes = (*parts.shapes, plain_shape(plainly.lines))
    rows = _keyed(frames, plainly.lines, len(parts.shapes))
    codes = dict(frames.houses.select("house", "code").iter_rows())
    together = pl.concat([lines, rows]).sort("house", maintain_order=True)
    return Town(
        lines=together,
        shapes=shapes,
        plain={codes[house]: reason for house, reason in odd.items() if codes[house] not in plainly.failed},
        failed=plainly.failed,
    )


def _calculate(frames: TownFrames) -> tuple[pl.DataFrame, Parts]:
    """Return the lines of a batch in order, null where there is no sum, and their explanations."""
    batch, parts = prepare(frames), Parts()
    shares = ranked_shares(batch)
    sharers = sharers_of(batch, shares)
    took = taken(batch, _taken_terms(batch))
    _add_taken(parts, batch, took)
    add_waste(parts, batch)
    add_dwelling(parts, batch, sharers)
    add_heating(parts, batch)
    add_own_heating(parts, batch)
    add_common(parts, batch, took)
    add_absence(parts, batch)
    add_quality(parts, batch)
    rows = shared(parts.charged(), sharers)
    services = batch.terms.select("term", "service")
    charged = _ordered(rows).join(services, on="term", how="left")
    rows = pl.concat([charged, _adjusted(parts, batch, shares).select(charged.columns)])
    about = shares.select("rank", "account", "name", "house")
    lines = rows.sort("order").join(about, on="rank", how="left", maintain_order="left")
    return lines.select(pl.col(name).cast(dtype) for name, dtype in LINES.items()), parts


def _add_taken(parts: Parts, batch: Batch, took: Took) -> None:
    add_individual(parts, batch, took)
    add_two_part(parts, batch, took)
    add_own_hot_water(parts, batch, took)
    add_gas(parts, batch, took)
    add_sewage(parts, batch, took)


def _taken_terms(batch: Batch) -> pl.DataFrame:
    """Return the terms that volumes are asked of: by their kind, or as the base of another."""
    of_kind = pl.col("kind").is_in([int(kind) for kind in TAKEN])
    return batch.terms.filter(of_kind | pl.col("term").is_in(batch.frames.bases["base"].implode()))


def _ordered(rows: pl.DataFrame) -> pl.DataFrame:
    """Return lines with the number that they are sorted by."""
    place = pl.col("cell") % PLACES
    return rows.select(
        *("share", "rank", "premises", "term", "kind", "volume", "price", "shape", "row"),
        amount_kopecks="amount",
        of_period=pl.lit(0, pl.Int32),
        share_part="weight",
        share_whole="total",
        order=_order(place, pl.col("nth")),
    )


def _keyed(frames: TownFrames, lines: list[tuple[int, ChargeLine]], shape: int) -> pl.DataFrame:
    """Return lines of the plain engine as rows, explained by ``shape``."""
    schema = {name: LINES[name] for name in ("house", "account", "name", "service", "kind", "volume", "price")}
    schema |= {name: LINES[name] for name in ("amount_kopecks", "of_period")}
    rows = [
        (house, one.account, one.premises, one.service, one.kind, one.volume, one.price, one.amount_kopecks, one.of_period)
        for house, one in lines
    ]
    premises = frames.premises.select("premises", "house", "name")
    found = (
        pl.DataFrame(rows, schema=schema, orient="row")
        .with_row_index("row")
        .join(premises, on=["house", "name"], how="left", maintain_order="left")
        .join(frames.shares.select("share", "premises", "account"), on=["premises", "account"], how="left", maintain_order="left")
        .join(frames.terms.select("term", "house", "service"), on=["house", "service"], how="left", maintain_order="left")
    )
    nothing = pl.lit(None, pl.Int64)
    # Its explanations say the share themselves.
    found = found.with_columns(shape=pl.lit(shape, pl.Int16), share_part=nothing, share_whole=nothing)
    return found.select(*LINES)


def _order(place: pl.Expr, nth: pl.Expr) -> pl.Expr:
    return (pl.col("rank") * PLACES + place) * NTH + nth


def _adjusted(parts: Parts, batch: Batch, shares: pl.DataFrame) -> pl.DataFrame:
    """Return the sums decided elsewhere that the month carries, each after its service's lines, or after all."""
    places = batch.terms.select("house", "service", "term", "place")
    rows = batch.frames.adjustments.rename({"place": "at"}).join(shares, on="share").sort("share", "at")
    rows = rows.join(places, on=["house", "service"], how="left", maintain_order="left").with_columns(
        formula=pl.lit(CODES["корректировка"], pl.Int8), source=pl.lit(None, pl.Int8), note="cause"
    )
    shape = Shape(frame=rows.select("formula", "source", "note", "amount_kopecks"), letters=(("P", "amount_kopecks"),))
    parts.shapes.append(shape)
    nth = pl.int_range(pl.len()).over("share") + NTH // 2
    found = rows.with_row_index("row").select(
        *("share", "rank", "premises", "term", "kind", "amount_kopecks", "of_period", "row", "service"),
        volume=pl.lit(0, pl.Int64),
        price=pl.lit(0, pl.Int64),
        shape=pl.lit(len(parts.shapes) - 1, pl.Int16),
        share_part=pl.lit(None, pl.Int64),
        share_whole=pl.lit(None, pl.Int64),
        order=_order(pl.col("place").fill_null(PLACES - 1), nth),
    )
    return found
