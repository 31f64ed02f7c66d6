"""What premises took of their services (``core/volumes.py``): by meter, by the average, or by the norm; rooms by their part.

``formula`` and ``source`` are codes (``parts.py``, VolumeSource). The letters of an explanation stand in columns of their own,
null where the formula does not have them.
"""

import msgspec
import polars as pl

from services.billing.columnar.kernels import share_of, times
from services.billing.columnar.parts import CODES
from services.billing.columnar.prepared import PLACES, Batch
from services.billing.core.month import PremisesKind, ServiceKind, VolumeSource
from services.billing.core.quantities import MICRO
from services.billing.core.volumes import NO_ZONE

NON_RESIDENTIAL = int(PremisesKind.NON_RESIDENTIAL)
METER, AVERAGE, NORM, NORM_RAISED = (int(source) for source in VolumeSource)
ELECTRICITY = int(ServiceKind.ELECTRICITY)

INPUTS = (
    ("V", "v"),
    ("V_flat", "v_flat"),
    ("n_room", "n_room"),
    ("n_flat", "n_flat"),
    ("V_room", "v_room"),
    ("n", "n"),
    ("N", "n_norm"),
    ("K", "k"),
)
"""(letter, column) in the order of an explanation."""


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """``rows``: one a cell; ``volume`` is all zones together, ``zone`` the only one or null. ``zones``: by cell where several."""

    rows: pl.DataFrame
    zones: pl.DataFrame


NEEDED = (
    *("premises_kind", "area", "persons_paying", "residents", "is_room", "part", "whole", "is_first"),
    *("flat_residents", "flat_paying", "flat_key"),
    *("kind", "norm", "coefficient", "ranges", "is_payable_by_absent_owners"),
)


def taken(batch: Batch, terms: pl.DataFrame) -> Took:
    """Return the volume of every cell of the terms by formula 1, 4 or 4(1), or a room's part of it by 7 or 9."""
    grid = batch.grid(terms, *NEEDED).join(batch.individual.lazy(), on="cell", how="left", validate="1:1")
    payable = pl.col("is_payable_by_absent_owners")
    rows = grid.with_columns(
        persons=pl.when(payable).then("persons_paying").otherwise("residents"),
        flat_persons=pl.when(payable).then("flat_paying").otherwise("flat_residents"),
        is_measured=pl.col("is_measured").fill_null(False),
    ).collect()
    flats = rows.filter(pl.col("is_measured") & ~pl.col("is_room"))
    rooms = rows.filter(pl.col("is_measured") & pl.col("is_room"))
    by_norm = rows.filter(~pl.col("is_measured"))
    measured = [_of_flats(flats)]
    zones = batch.volumes.join(flats.select("cell"), on="cell", how="semi") if batch.volumes.height else batch.volumes
    if rooms.height:
        of_rooms, room_zones = _of_rooms(batch, rooms)
        measured.append(of_rooms)
        zones = pl.concat([zones, room_zones])
    columns = _by_norm(by_norm)
    return Took(rows=pl.concat([*(one.select(columns.columns) for one in measured), columns]), zones=zones)


def _named(rows: pl.LazyFrame) -> pl.DataFrame:
    """Return the columns of ``Took.rows``; letters that were not given are null."""
    names = rows.collect_schema().names()
    empty = {column: pl.lit(None, pl.Int64) for _, column in INPUTS if column not in names}
    kept = ("cell", "premises", "term", "kind", "source", "formula", "coefficient", "volume", "zone", "balance", "ranges")
    return rows.with_columns(**empty).select(*kept, "whole_volume", *(column for _, column in INPUTS)).collect()


def _of_flats(rows: pl.DataFrame) -> pl.DataFrame:
    return _named(
        rows.lazy().with_columns(
            source="told",
            formula=pl.lit(CODES["1"], pl.Int8),
            coefficient=pl.lit(MICRO, pl.Int64),
            volume="own",
            whole_volume="own",
            balance="own",
            v="own",
        )
    )


def _by_norm(rows: pl.DataFrame) -> pl.DataFrame:
    """The norm is rounded once, without the coefficient: that is money, not water."""
    is_raised = (pl.col("told") == NORM_RAISED).fill_null(False) & (pl.col("coefficient") > MICRO)
    persons = pl.when(pl.col("premises_kind") == NON_RESIDENTIAL).then(0).otherwise("persons")
    of_flat = pl.col("is_room") & (pl.col("has_ranges"))
    return _named(
        rows.lazy()
        .with_columns(is_raised=is_raised, n=persons, n_norm="norm", has_ranges=pl.col("ranges") > 1)
        .with_columns(
            source=pl.when("is_raised").then(pl.lit(NORM_RAISED, pl.Int8)).otherwise(pl.lit(NORM, pl.Int8)),
            formula=pl.when("is_raised").then(pl.lit(CODES["4(1)"], pl.Int8)).otherwise(pl.lit(CODES["4"], pl.Int8)),
            coefficient=pl.when("is_raised").then("coefficient").otherwise(MICRO),
            k=pl.when("is_raised").then("coefficient"),
            volume=times("n", "norm"),
            zone=pl.lit(NO_ZONE, pl.Int64),
        )
        .with_columns(whole_volume=pl.when(of_flat).then(times("flat_persons", "norm")).otherwise("volume"), balance="volume")
    )


def _of_rooms(batch: Batch, rooms: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return rooms, and their zones where several: by persons, or by area where nobody lives in the flat."""
    shared = pl.col("flat_persons") != 0
    told = rooms.with_columns(
        part_of=pl.when(shared).then("persons").otherwise("part"),
        whole_of=pl.when(shared).then("flat_persons").otherwise("whole"),
        flat_cell=pl.col("flat_key") * PLACES + pl.col("cell") % PLACES,
    )
    flats, rooms_say = _of_flats_rooms(batch)
    told = told.join(flats, on="flat_cell", how="left")
    with_zone = told.filter(pl.col("zone").is_not_null() & ~pl.col("is_empty"))
    one = with_zone.select("cell", at=pl.lit(0, pl.Int32), zone="zone", volume="own")
    zones = pl.concat([one, batch.volumes.join(told, on="cell", how="semi")])
    about = ("cell", "flat_cell", "part_of", "whole_of", "has_room_meters")
    zones = zones.join(told.select(*about), on="cell").join(
        batch.room_volumes.rename({"volume": "mine"}), on=["cell", "zone"], how="left"
    )
    zones = zones.join(rooms_say, on=["flat_cell", "zone"], how="left").with_columns(
        pl.when("has_room_meters").then(pl.col("mine", "rooms").fill_null(0)).otherwise(0)
    )
    rest = share_of(pl.col("volume") - pl.col("rooms"), "part_of", "whole_of")
    zones = zones.select("cell", "at", "zone", volume=pl.col("mine") + rest).sort("cell", "at")
    summed = zones.group_by("cell").agg(volume=pl.col("volume").sum())
    mine = batch.room_volumes.group_by("cell").agg(mine=pl.col("volume").sum())
    joined = told.lazy().join(summed.lazy(), on="cell", how="left").join(mine.lazy(), on="cell", how="left")
    several = told.filter(pl.col("zone").is_null())
    return _named(_letters_of_rooms(joined.with_columns(pl.col("volume").fill_null(0)))), zones.join(
        several, on="cell", how="semi"
    )


def _of_flats_rooms(batch: Batch) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return of flats' services, whether every room has a meter of its own, and by zone what the rooms' meters say together.

    Where one room has none they do not count.
    """
    rooms = batch.premises.filter("is_room").select("premises", "flat_key")

    def of_flat(frame: pl.DataFrame) -> pl.DataFrame:
        found = frame.with_columns(premises=pl.col("cell") // PLACES).join(rooms, on="premises")
        return found.with_columns(flat_cell=pl.col("flat_key") * PLACES + pl.col("cell") % PLACES)

    flats = of_flat(batch.individual).group_by("flat_cell").agg(has_room_meters=pl.col("has_room_meter").all())
    return flats, of_flat(batch.room_volumes).group_by("flat_cell", "zone").agg(rooms=pl.col("volume").sum())


def _letters_of_rooms(rooms: pl.LazyFrame) -> pl.LazyFrame:
    by_part = pl.when(pl.col("kind") == ELECTRICITY).then(pl.lit(CODES["7"], pl.Int8)).otherwise(pl.lit(CODES["9"], pl.Int8))
    own_meter = pl.lit(CODES["комнатный прибор"], pl.Int8)
    return rooms.with_columns(
        source="told",
        formula=pl.when("has_room_meters").then(own_meter).otherwise(by_part),
        coefficient=pl.lit(MICRO, pl.Int64),
        v="volume",
        v_flat="own",
        n_room="persons",
        n_flat="flat_persons",
        v_room=pl.when("has_room_meters").then(pl.col("mine").fill_null(0)),
        whole_volume="own",
        # What the house's balance has of it: the flat's meter stands at every room alike, and counts at one.
        balance=pl.when("is_first").then("own").otherwise(0),
    )
