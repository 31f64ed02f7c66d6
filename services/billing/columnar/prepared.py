"""A batch made ready: premises with their communal flats, terms with their prices, and keys that joins are made by.

``cell`` is one service of one premises: the premises' number and the service's place in one whole number, so that a join has one
key. Everything that a formula asks of a premises or a term stands in its row.
"""

import msgspec
import polars as pl

from services.billing.columnar.frames import TownFrames
from services.billing.columnar.kernels import wide
from services.billing.core.month import PremisesKind, ServiceKind
from services.billing.core.quantities import MICRO
from services.billing.core.volumes import MEASURED, NO_ZONE

PLACES = 4096
"""Services that a house may have; a premises' number times that is far from the end of Int64."""
COMMON_FACTOR = 10_000
"""Of areas: they are told to a hundredth of a square metre. Taken out of part and whole, so that products stay small."""

ROOM = int(PremisesKind.COMMUNAL_ROOM)


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Frames of a batch, as formulas read them.

    ``individual``: by cell, with ``is_measured``, ``own`` (all zones together) and ``zone`` (null where several). ``volumes``: by
    cell, where zones are several. ``ranges``: (term, range, end) of every term from 1 on; ``prices``: (term, range, zone, price);
    ``fuels``: a row a term, burnt volumes and prices side by side (``burnt_1``, ``burnt_price_1`` …), ``fuels_most`` of them.
    """

    frames: TownFrames
    premises: pl.DataFrame
    terms: pl.DataFrame
    served: pl.Series
    individual: pl.DataFrame
    volumes: pl.DataFrame
    room_volumes: pl.DataFrame
    ranges: pl.DataFrame
    prices: pl.DataFrame
    fuels: pl.DataFrame
    fuels_most: int

    def grid(self, terms: pl.DataFrame, *columns: str, is_served_only: bool = True) -> pl.LazyFrame:
        """Return every premises with every one of the terms that its house has: ``columns`` of both, by cell."""
        own = ("premises", "house", "has_all_services", *(name for name in columns if name in self.premises.columns))
        asked = ("term", "house", "place", *(name for name in columns if name not in self.premises.columns))
        joined = self.premises.lazy().select(*dict.fromkeys(own)).join(terms.lazy().select(*dict.fromkeys(asked)), on="house")
        cells = joined.with_columns(cell=cell_of())
        if not is_served_only:
            return cells.with_columns(is_served=self._is_served()).drop("has_all_services")
        return cells.filter(self._is_served()).drop("has_all_services")

    def _is_served(self) -> pl.Expr:
        return pl.col("has_all_services") | pl.col("cell").is_in(self.served.implode())

    def of_kinds(self, *kinds: ServiceKind) -> pl.DataFrame:
        """Return the terms of these kinds."""
        return self.terms.filter(pl.col("kind").is_in([int(kind) for kind in kinds]))


def cell_of() -> pl.Expr:
    """Return the key of a premises' service."""
    return pl.col("premises") * PLACES + pl.col("place")


def prepare(frames: TownFrames) -> Batch:
    """Make a batch ready; duplicates of what the contract has once raise ``polars.exceptions.ComputeError``."""
    ranges, prices = _tariffs(frames)
    terms = _terms(frames, ranges, prices)
    places = terms.select("term", "place")
    fuels, most = _fuels(frames)

    def by_cell(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.join(places, on="term").with_columns(cell=cell_of()).drop("premises", "place", "term")

    volumes = frames.volumes.rename({"place": "at"}).join(places, on="term").with_columns(cell=cell_of())
    rooms = frames.room_volumes.rename({"place": "at"}).join(places, on="term").with_columns(cell=cell_of())
    volumes = volumes.select("cell", "at", "zone", "volume").sort("cell", "at")
    return Batch(
        frames=frames,
        premises=_premises(frames.premises),
        terms=terms,
        served=by_cell(frames.served)["cell"],
        individual=_individual(by_cell(frames.individual), volumes),
        volumes=volumes,
        room_volumes=rooms.select("cell", "zone", "volume"),
        ranges=ranges,
        prices=prices,
        fuels=fuels,
        fuels_most=most,
    )


def _individual(own: pl.DataFrame, volumes: pl.DataFrame) -> pl.DataFrame:
    """Return own volumes with their zones summed; one of no zone at all is a zero of no zone."""
    several = volumes.group_by("cell").agg(summed=pl.col("volume").sum(), several=pl.lit(True))
    joined = own.lazy().join(several.lazy(), on="cell", how="left") if volumes.height else own.lazy()
    if not volumes.height:
        joined = joined.with_columns(summed=pl.lit(None, pl.Int64), several=pl.lit(None, pl.Boolean))
    return joined.select(
        "cell",
        pl.col("source").alias("told"),
        "has_room_meter",
        is_measured=pl.col("source").is_in([int(source) for source in MEASURED]),
        own=pl.coalesce("volume", "summed", pl.lit(0)),
        is_empty=pl.col("volume").is_null() & pl.col("several").is_null(),
        zone=pl.when(pl.col("several").is_null()).then(pl.col("zone").fill_null(NO_ZONE)),
    ).collect()


def _premises(premises: pl.DataFrame) -> pl.DataFrame:
    """Return premises with what the formulas count: persons, and the part of a communal flat that a room is."""
    counted = premises.with_columns(
        persons_paying=pl.when(pl.col("residents") != 0).then("residents").otherwise(pl.col("owners") * MICRO),
        is_room=pl.col("kind") == ROOM,
    ).rename({"kind": "premises_kind"})
    rooms = counted.filter("is_room")
    others = counted.filter(~pl.col("is_room")).with_columns(
        part=pl.lit(1, pl.Int64),
        whole=pl.lit(1, pl.Int64),
        flat_area="area",
        is_first=pl.lit(True),
        flat_residents="residents",
        flat_paying="persons_paying",
        flat_key=pl.lit(-1, pl.Int64),
    )
    flats = rooms.group_by("house", "flat").agg(
        flat_area=pl.col("area").sum(),
        flat_living=pl.col("living_area").sum(),
        first=pl.col("name").min(),
        flat_residents=pl.col("residents").sum(),
        flat_paying=pl.col("persons_paying").sum(),
    )
    by_living = pl.col("flat_living") != 0
    joined = rooms.join(flats.with_row_index("flat_key"), on=["house", "flat"]).with_columns(
        part=pl.when(by_living).then("living_area").otherwise("area"),
        whole=pl.when(by_living).then("flat_living").otherwise("flat_area"),
        is_first=pl.col("name") == pl.col("first"),
        flat_key=pl.col("flat_key").cast(pl.Int64),
    )
    is_coarse = (pl.col("part") % COMMON_FACTOR == 0) & (pl.col("whole") % COMMON_FACTOR == 0)
    factor = pl.when(is_coarse).then(COMMON_FACTOR).otherwise(1)
    rooms = joined.with_columns(part=pl.col("part") // factor, whole=pl.col("whole") // factor)
    found = pl.concat([others, rooms.select(others.columns)])
    # What a room's part is taken of: the whole flat's area times the room's part, over ``whole``.
    return found.with_columns(area_part=wide("flat_area") * wide("part")).sort("premises")


def _tariffs(frames: TownFrames) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return (ranges, prices) by which a term's volume is charged: ``zones`` hold below the first range, or alone.

    Hot water of the house's own boiler is charged at the price of cold water.
    """
    boilers = frames.terms.filter(pl.col("kind") == int(ServiceKind.HOT_WATER_OWN))
    cold = boilers.select("term", place=pl.lit(0, pl.Int32), zone=pl.lit(NO_ZONE, pl.Int64), price="cold_price")
    zones = pl.concat([frames.zones.join(boilers, on="term", how="anti"), cold])
    ranges = frames.ranges.join(boilers, on="term", how="anti")
    from_nothing = ranges.filter(pl.col("above") == 0).select("term").unique()
    below = zones.join(from_nothing, on="term", how="anti").with_columns(above=pl.lit(0, pl.Int64))
    rows = pl.concat([below.select(ranges.columns), ranges])
    rows = rows.with_columns(range=pl.col("above").rank("dense").over("term").cast(pl.Int64))
    starts = rows.select("term", "range", "above").unique().sort("term", "range")
    found = starts.with_columns(end=pl.col("above").shift(-1).over("term")).drop("above")
    return found, rows.select("term", "range", "place", "zone", "price")


def default_prices(prices: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Return what a zone without a price of its own is charged by: the price without zones, or the first (the day's)."""
    first = pl.col("price").sort_by("place").first()
    return prices.group_by(*keys).agg(
        default=pl.coalesce(pl.col("price").filter(pl.col("zone") == NO_ZONE).first(), first), zones=pl.len()
    )


def _terms(frames: TownFrames, ranges: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """Return terms with their house and prices.

    ``zone_price``: of ``zones`` for no zone, ``zones``: how many; ``price_1``: of the first range for no zone.
    """
    in_order = frames.terms.sort("house", "place").with_columns(place=pl.int_range(pl.len()).over("house"))
    own = default_prices(frames.zones, "term").rename({"default": "zone_price"})
    first = default_prices(prices.filter(pl.col("range") == 1), "term").select("term", price_1="default")
    counts = ranges.group_by("term").agg(ranges=pl.len())
    return (
        in_order.join(frames.houses.drop("code"), on="house", validate="m:1")
        .join(own, on="term", how="left", validate="1:1")
        .join(first, on="term", how="left")
        .join(counts, on="term", how="left")
        .join(frames.house_volumes.rename({"volume": "house_volume"}), on="term", how="left", validate="1:1")
        .with_columns(pl.col("ranges").fill_null(0).cast(pl.Int64), pl.col("zones").fill_null(0).cast(pl.Int64))
    )


def _fuels(frames: TownFrames) -> tuple[pl.DataFrame, int]:
    """Return what was burnt, side by side, and how many resources at most."""
    numbered = frames.fuels.sort("term", "place").with_columns(number=pl.int_range(1, pl.len() + 1).over("term"))
    most = int(numbered["number"].max() or 0)  # type: ignore[arg-type]  # a column of whole numbers
    columns = [
        pl.col(name).filter(pl.col("number") == number).first().alias(f"{prefix}_{number}")
        for number in range(1, most + 1)
        for name, prefix in (("volume", "burnt"), ("price", "burnt_price"))
    ]
    return numbered.group_by("term").agg(*columns, fuels=pl.len().cast(pl.Int64)), most
