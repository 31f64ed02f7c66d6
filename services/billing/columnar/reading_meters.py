"""Meters of many houses in columns: which of them the columns can judge, their rungs, and what is left to the plain ladder."""

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec
import polars as pl

from ledger.statements import load_statements
from services.billing.columnar.copying import copy_frame
from services.billing.columnar.frames import Schema
from services.billing.columnar.reading_ladder import READINGS, Climb, Rungs, climb, in_window, read_rungs
from services.billing.core.assembling import HEATING, METERED
from services.billing.core.meters import EventKind
from services.billing.core.month import HeatingWay, PremisesKind, VolumeSource
from services.billing.core.periods import days_of, month_number, period_of
from services.billing.reading import HISTORY_MONTHS, Asked
from services.billing.runs.sources import Connection

SQL = load_statements("services/billing/columnar/reading.sql")
DAY = timedelta(days=1)
WINDOW_MONTHS = 3
"""Beyond the months of an average: so long a meter may be silent before all its readings are read."""
NORMS = (VolumeSource.NORM.value, VolumeSource.NORM_RAISED.value)

_METERS: Schema = {
    "meter": pl.Int64,
    "house": pl.Int64,
    "premises": pl.Int64,
    "flat": pl.String,
    "service": pl.String,
    "place": pl.String,
    "zones": pl.Int64,
    "ratio": pl.Int64,
    "installed": pl.Date,
    "verified_until": pl.Date,
}
_EVENTS: Schema = {
    "meter": pl.Int64,
    "kind": pl.Int64,
    "on_day": pl.Date,
    "valid": pl.Date,
    "counts": pl.Int64,
}


class Metered(msgspec.Struct, frozen=True, kw_only=True):
    """Rungs of premises: ``supplies`` (premises, term, source), ``volumes`` (premises, term, zone, volume).

    ``plain``: (premises, term) that the plain ladder has to climb. ``meters``: numbers of the meters whose lives it needs, those
    of houses and communal flats among them. ``count``: supplies of premises that have meters.
    """

    supplies: pl.DataFrame
    volumes: pl.DataFrame
    plain: pl.DataFrame
    meters: list[int]
    count: int


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What meters stand in: ``terms`` (house, term, service, kind, heating_way), ``premises`` (premises, kind, averaged_max).

    ``whole``: premises that the plain ladder climbs with all their services. ``base``: the law's base of an average.
    """

    terms: pl.DataFrame
    premises: pl.DataFrame
    whole: pl.Series
    base: Climb


async def read_metered(connection: Connection, houses: Sequence[int], asked: Asked, around: Around) -> Metered:
    """Read the houses' meters and readings, and climb as far as columns reach."""
    first, last = days_of(month_number(asked.period))
    meters = await copy_frame(connection, SQL["meters"], (houses, last), _METERS)
    events = await copy_frame(connection, SQL["events"], (houses, last), _EVENTS)
    evented = events["meter"].unique().to_list()
    restarted = [row["meter"] for row in await connection.fetch(SQL["restarted"], evented)]
    spells = _with_spells(_placed(meters, around), events, restarted)
    before = days_of(month_number(asked.period) - 1)[0]
    recent = await copy_frame(connection, SQL["recent_readings"], (houses, before, asked.period), READINGS)
    columns = spells.filter(~pl.col("is_left"))
    is_steady = pl.col("until").is_null() | (pl.col("until") > last)
    quick = read_rungs(columns.filter(is_steady & (pl.col("installed") < first)), recent, around.base.month)
    slow = columns.join(quick.meters, on="meter", how="anti")
    # What one place was charged without a reading depends on the others of its supply, so all of them are looked at.
    beside = columns.filter("is_shared").join(slow, on=("premises", "term"), how="semi")
    slow = pl.concat([slow.filter(~pl.col("is_shared")), beside])
    return _supplied(spells, [_without(quick, beside), *await _climb_far(connection, slow, asked, around.base)])


async def _climb_far(connection: Connection, meters: pl.DataFrame, asked: Asked, base: Climb) -> list[Rungs]:
    """Climb by the readings of a window that nearly every average lies in, and those it does not tell by all of them."""
    month = month_number(asked.period)
    since = days_of(month - base.average_months - WINDOW_MONTHS)[0]
    near = climb(meters, await _read_past(connection, meters, asked, since), base)
    told = in_window(near.meters, since)
    rest = meters.join(told, on="meter", how="anti")
    far = climb(rest, await _read_past(connection, rest, asked, date.min), base)
    return [_without(near, rest), far]


async def _read_past(connection: Connection, meters: pl.DataFrame, asked: Asked, since: date) -> pl.DataFrame:
    first = period_of(month_number(asked.period) - HISTORY_MONTHS)
    return await copy_frame(connection, SQL["past_readings"], (meters["meter"].to_list(), first, asked.period, since), READINGS)


def _without(rungs: Rungs, others: pl.DataFrame) -> Rungs:
    """Return the rungs of all meters but those."""
    return Rungs(
        meters=rungs.meters.join(others, on="meter", how="anti"), volumes=rungs.volumes.join(others, on="meter", how="anti")
    )


def _placed(meters: pl.DataFrame, around: Around) -> pl.DataFrame:
    """Return the meters with their term and premises. ``is_used``: somebody asks for their rung, and columns may tell it.

    ``is_left``: the plain ladder climbs them.
    """
    terms = around.terms.select("house", "term", "service", pl.col("kind").alias("service_kind"), "heating_way")
    joined = meters.join(terms, on=("house", "service"), how="left").join(around.premises, on="premises", how="left")
    kind = pl.col("service_kind")
    is_even = kind.is_in(HEATING) & (pl.col("heating_way") == HeatingWay.EVEN.value)
    is_own = (pl.col("premises") != 0) & (pl.col("kind") != PremisesKind.COMMUNAL_ROOM.value)
    place = ("house", "premises", "flat", "service", "place")
    return joined.with_columns(
        is_shared=pl.len().over("premises", "term") > 1,
        is_used=(is_own & kind.is_in(METERED)).fill_null(False),
        is_heating=kind.is_in(HEATING).fill_null(False),
        is_left=is_even.fill_null(False)
        | (pl.len().over(place) > 1)
        | (pl.col("premises") == 0)
        | pl.col("premises").is_in(around.whole.implode()),
    )


def _with_spells(meters: pl.DataFrame, events: pl.DataFrame, restarted: list[int]) -> pl.DataFrame:
    """Return the meters with ``until``, the day after their last one; events other than verifications in time leave them over.

    So does a dial that was set anew (``restarted``): its readings before may go against it, and then the house cannot be read.
    """
    about = meters.select("meter", "verified_until", "installed")
    counted = events.filter(pl.col("counts") == 1).join(about, on="meter").sort("on_day", "kind")
    valid_before = pl.col("valid").shift(1).over("meter")
    before = pl.when(pl.int_range(pl.len()).over("meter") == 0).then(pl.col("verified_until")).otherwise(valid_before)
    in_time = (pl.col("kind") == EventKind.VERIFIED.value) & (before.is_null() | (before + DAY >= pl.col("on_day")))
    verified = (
        counted.with_columns(in_time=in_time)
        .group_by("meter")
        .agg(
            in_time=pl.col("in_time").all()
            & (pl.col("verified_until").is_null() | (pl.col("verified_until") >= pl.col("installed"))).all(),
            valid=pl.col("valid").last(),
        )
    )
    joined = meters.join(verified, on="meter", how="left")
    until = pl.when(pl.col("in_time").is_null()).then(pl.col("verified_until")).otherwise(pl.col("valid")) + DAY
    is_restarted = pl.col("meter").is_in(restarted)
    return joined.with_columns(until=until, is_left=pl.col("is_left") | ~pl.col("in_time").fill_null(True) | is_restarted).filter(
        pl.col("is_used") | pl.col("is_left")
    )


def _supplied(meters: pl.DataFrame, parts: list[Rungs]) -> Metered:
    """Put places of one service of a premises together, as ``_Ladder.rung`` does; one that is left over takes all with it."""
    rungs = pl.concat([part.meters for part in parts], how="vertical_relaxed")
    joined = meters.join(rungs.drop("installed"), on="meter", how="left")
    source = pl.col("source")
    is_norm = source.is_in(NORMS).any()
    # A reading settled with averages stands where no place of the supply had come to the norm in the months between.
    is_unsettled = ~is_norm & (pl.len() > 1) & (pl.col("gap").max() > pl.col("calm").min())
    is_raised = (source == VolumeSource.NORM_RAISED.value).any()
    used = joined.filter("is_used").group_by("premises", "term").agg(
        is_plain=(pl.col("is_left") | pl.col("is_plain").fill_null(True)).any() | is_unsettled,
        source=pl.when(is_raised).then(VolumeSource.NORM_RAISED.value)
        .when((source == VolumeSource.NORM.value).any()).then(VolumeSource.NORM.value).otherwise(source.max()),
    )  # fmt: skip
    plain = used.filter("is_plain").select("premises", "term")
    supplies = used.filter(~pl.col("is_plain"))
    measured = supplies.filter(~source.is_in(NORMS)).select("premises", "term")
    mine = joined.filter("is_used").select("meter", "premises", "term").join(measured, on=("premises", "term"), how="semi")
    volumes = (
        pl.concat([part.volumes for part in parts])
        .join(mine, on="meter")
        .group_by("premises", "term", "zone")
        .agg(pl.col("volume").sum())
    )
    unused = joined.filter("is_left").select("meter")
    taken_along = joined.join(plain, on=("premises", "term"), how="semi").select("meter")
    return Metered(
        supplies=supplies.select("premises", "term", "source"),
        volumes=volumes,
        plain=plain,
        meters=pl.concat([unused, taken_along])["meter"].unique().sort().to_list(),
        count=used.height,
    )
