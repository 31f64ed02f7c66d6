"""The ladder of ``core/ladder.py`` in columns, for places with one meter that stands in one spell; others are left over.

Pure. A meter's row says what it is and, in ``averaged_max``, for how many periods its average may stand; readings are rows of a
meter, zone and day. What is not decided here is marked ``is_plain`` and climbs the plain ladder: never an answer by guess.
"""

from datetime import date

import msgspec
import polars as pl

from services.billing.core.ladder import Cause
from services.billing.core.month import VolumeSource
from services.billing.core.periods import MONTHS, days_of

READINGS = {
    "meter": pl.Int64,
    "zone": pl.Int64,
    "value": pl.Int64,
    "taken_on": pl.Date,
    "period": pl.Int64,
    "is_odd": pl.Int64,
}
CALM_MONTHS_MAX = 4
VOLUMES_MAX = 2**56
"""What a meter may have counted: a few dozen months of more might leave 64 bits."""


class Climb(msgspec.Struct, frozen=True, kw_only=True):
    """The month asked for, as a number, and the law's base of an average in months."""

    month: int
    average_months: int
    average_months_min: int


class Rungs(msgspec.Struct, frozen=True, kw_only=True):
    """``meters``: meter, source, cause, gap (months that its reading is settled with by averages, 0 for none), is_plain, calm.

    ``calm``: for so many months back from the month before nothing was charged by the norm; only of shared supplies, else 0.
    ``older``: the month that the average reaches back to, None where it is all readings. ``volumes``: meter, zone, volume.
    """

    meters: pl.DataFrame
    volumes: pl.DataFrame


def in_window(rungs: pl.DataFrame, since: date) -> pl.DataFrame:
    """Return the meters that ``climb`` tells rightly of readings taken from a day on alone: numbers of ``meter``.

    Earlier readings change nothing where an average has all its months without them, or where the meter was not there yet.
    """
    return rungs.filter(pl.col("older").is_not_null() | (pl.col("installed") >= since)).select("meter")


def month_of(period: pl.Expr) -> pl.Expr:
    """Return the number of a period's month, as ``core/periods.py`` counts."""
    return period // 100 * MONTHS + period % 100 - 1


def month_of_day(day: pl.Expr) -> pl.Expr:
    """Return the number of a day's month."""
    return day.dt.year().cast(pl.Int64) * MONTHS + day.dt.month().cast(pl.Int64) - 1


def read_rungs(meters: pl.DataFrame, readings: pl.DataFrame, month: int) -> Rungs:
    """Return the rungs of the meters that have a reading of the month and of the month before: what lies between is charged.

    ``meters``: meter, zones, ratio, installed, until (None or the day after the last one), all of them in order throughout both
    months. ``readings``: taken from the first day of the month before on. Meters without both readings are left out.
    """
    joined = (
        readings.join(meters, on="meter").with_columns(number=month_of(pl.col("period"))).filter(pl.col("number") >= month - 1)
    )
    # A dial that never passed zero only grows: the last reading of a month is its greatest.
    last = joined.group_by("meter", "zone").agg(
        before=_where(pl.col("number") == month - 1, pl.col("value")).max(),
        after=_where(pl.col("number") == month, pl.col("value")).max(),
        is_fair=(_fair() & _in_spell()).all(),
        zones=pl.col("zones").first(),
        ratio=pl.col("ratio").first(),
    )
    moved = (pl.col("after") - pl.col("before")) * pl.col("ratio")
    last = last.with_columns(volume=moved, is_fair=pl.col("is_fair") & _holds("after", "before"))
    whole = last.group_by("meter").agg(
        is_whole=(pl.len() == pl.col("zones").first()) & pl.col("is_fair").all() & (pl.col("volume") >= 0).all(),
        is_told=pl.col("volume").is_not_null().all(),
    )
    told = whole.filter(pl.col("is_whole").fill_null(False) & pl.col("is_told")).select("meter")
    return Rungs(
        meters=told.with_columns(
            source=pl.lit(VolumeSource.METER.value),
            cause=pl.lit(Cause.READING.value),
            gap=pl.lit(0, pl.Int64),
            is_plain=pl.lit(False),
            calm=pl.lit(0, pl.Int64),
            older=pl.lit(None, pl.Int64),
            installed=pl.lit(None, pl.Date),
        ),
        volumes=last.join(told, on="meter", how="semi").select("meter", "zone", "volume"),
    )


def climb(meters: pl.DataFrame, readings: pl.DataFrame, asked: Climb) -> Rungs:
    """Return the rungs of meters from all their readings.

    ``meters`` as above, with ``averaged_max``, ``is_heating`` and ``is_shared``: whether other places stand beside it.
    """
    marks = _marks(meters, readings)
    told = _anchors(meters, marks, asked)
    zones = _zone_figures(marks, told, asked)
    decided = _decide(told.join(_fair_meters(zones), on="meter", how="left"), asked)
    calm = _calm(_beside_settled(decided), marks, asked)
    decided = decided.join(calm, on="meter", how="left").with_columns(pl.col("calm").fill_null(0))
    average = pl.col("average")
    charged = (
        pl.when(pl.col("source") == VolumeSource.AVERAGE.value)
        .then(average)
        .when(pl.col("gap") > 0)
        .then(pl.max_horizontal(pl.col("moved") - pl.col("gap") * average, 0))
        .otherwise(pl.col("moved"))
    )
    measured = decided.filter(
        ~pl.col("is_plain") & pl.col("source").is_in([VolumeSource.METER.value, VolumeSource.AVERAGE.value])
    )
    return Rungs(
        meters=decided.select("meter", "source", "cause", "gap", "is_plain", "calm", "older", "installed"),
        volumes=zones.join(measured.select("meter", "source", "gap"), on="meter").select("meter", "zone", volume=charged),
    )


def _where(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Return the value where the condition holds, else nothing: of groups its greatest is found much faster than by a filter."""
    return pl.when(condition).then(value)


def _fair() -> pl.Expr:
    """Tell whether readings of a zone are as the columns take them: of the meter's zones, and the dial never passed zero."""
    zone, zones = pl.col("zone"), pl.col("zones")
    is_zone = pl.when(zones == 1).then(zone == 0).otherwise(zone.is_between(1, zones))
    return is_zone & (pl.col("is_odd") == 0)


def _in_spell() -> pl.Expr:
    """Tell whether a reading lies in its meter's spell, the day after the last one included; others do not count."""
    day = pl.col("taken_on")
    return (day >= pl.col("installed")) & (pl.col("until").is_null() | (day <= pl.col("until")))


def _holds(after: str, before: str) -> pl.Expr:
    return (pl.col(after) - pl.col(before)).abs() <= VOLUMES_MAX // pl.col("ratio")


class _Marks(msgspec.Struct, frozen=True, kw_only=True):
    """``rows``: a meter, zone and month with all zones read: ``value`` the last, ``first`` for where counting starts.

    ``unfair``: meters whose readings the columns do not take.
    """

    rows: pl.DataFrame
    unfair: pl.DataFrame


def _marks(meters: pl.DataFrame, readings: pl.DataFrame) -> _Marks:
    about = meters.select("meter", "zones", "ratio", "installed", "until")
    joined = readings.join(about, on="meter").with_columns(number=month_of(pl.col("period")), is_in=_in_spell())
    # Of a meter with zones a month's reading might lie on both sides of a border. The act's own reading counts from its day,
    # however late it was given.
    is_late_act = (pl.col("taken_on") == pl.col("installed")) & (pl.col("number") > month_of_day(pl.col("installed")))
    is_split = ~pl.col("is_in") & (pl.col("zones") > 1)
    unfair = joined.filter(~_fair() | is_split | is_late_act).select("meter").unique()
    by_zone = (
        joined.filter("is_in")
        .group_by("meter", "number", "zone")
        .agg(
            value=pl.col("value").max(),
            first=pl.col("value").min(),
            readings=pl.len(),
            zones=pl.col("zones").first(),
            ratio=pl.col("ratio").first(),
        )
    )
    single = by_zone.filter(pl.col("zones") == 1)
    several = by_zone.filter((pl.col("zones") > 1) & (pl.len().over("meter", "number") == pl.col("zones")))
    return _Marks(rows=pl.concat([single, several]), unfair=unfair.with_columns(is_fair=pl.lit(False)))


def _beside_settled(decided: pl.DataFrame) -> pl.DataFrame:
    """Return the meters of the shared supplies of which a reading is settled with averages."""
    shared = decided.filter("is_shared")
    return shared.join(shared.filter(pl.col("gap") > 0), on=("premises", "term"), how="semi")


def _calm(meters: pl.DataFrame, marks: _Marks, asked: Climb) -> pl.DataFrame:
    """Return meter and ``calm``, by ``_Ladder._climb`` of each of the months: a reading, or an average that had not run out."""
    about = meters.select("meter", "base", "covered", "averaged_max")
    least = max(asked.average_months_min, 1)
    if not about.height or asked.average_months < least:
        return pl.DataFrame(schema={"meter": pl.Int64, "calm": pl.Int64})
    back = pl.DataFrame({"back": range(1, CALM_MONTHS_MAX + 1)}, schema={"back": pl.Int64})
    months = marks.rows.select("meter", "number").unique().join(about, on="meter").join(back, how="cross")
    number, then = pl.col("number"), asked.month - pl.col("back")
    found = months.group_by("meter", "back").agg(
        full=_where((number <= then) & _is_full(), number).max(),
        top=_where(number < then, number).max(),
        then=then.first(),
        base=pl.col("base").first(),
        averaged_max=pl.col("averaged_max").first(),
    )
    is_averaged = (then_missed := pl.col("then") - pl.col("full")) <= pl.col("averaged_max")
    is_calm = (then_missed == 0) | (is_averaged & (pl.col("top") - pl.col("base") >= least))
    broken = (
        found.with_columns(is_calm=is_calm.fill_null(False))
        .group_by("meter")
        .agg(first=_where(~pl.col("is_calm"), pl.col("back")).min())
    )
    return broken.select("meter", calm=pl.coalesce(pl.col("first") - 1, CALM_MONTHS_MAX))


def _is_full() -> pl.Expr:
    """Tell whether a mark tells its month: the first is only where counting starts, and a meter counts up to ``until``."""
    number, covered = pl.col("number"), pl.col("covered")
    return (number > pl.col("base")) & (covered.is_null() | (number < covered))


def _anchors(meters: pl.DataFrame, marks: _Marks, asked: Climb) -> pl.DataFrame:
    """Return the meters with the months that count: the first mark, the last before the month, the last that tells one fully."""
    number, is_before = pl.col("number"), pl.col("number") < asked.month
    rows = marks.rows.select("meter", "number", "readings")
    bases = rows.group_by("meter").agg(
        base=number.min(),
        top=_where(is_before, number).max(),
        has_month=(number == asked.month).any(),
    )
    covered = meters.select("meter", covered=month_of_day(pl.col("until")))
    found = (
        rows.join(bases.select("meter", "base", "top").join(covered, on="meter"), on="meter")
        .group_by("meter")
        .agg(
            full=_where(_is_full() & is_before, number).max(),
            older=_where(number <= pl.col("top") - asked.average_months, number).max(),
            covered=pl.col("covered").first(),
            base_readings=_where(number == pl.col("base"), pl.col("readings")).max(),
        )
    )
    joined = (
        meters.join(bases, on="meter", how="left").join(found, on="meter", how="left").join(marks.unfair, on="meter", how="left")
    )
    return joined.with_columns(
        pl.col("has_month").fill_null(False),
        pl.col("is_fair").fill_null(True),
        first_month=month_of_day(pl.col("installed")),
        from_base=pl.col("older").is_null(),
        months=pl.col("top") - pl.coalesce("older", "base"),
    )


def _zone_figures(marks: _Marks, told: pl.DataFrame, asked: Climb) -> pl.DataFrame:
    """Return, by meter and zone, what the month's reading moved, and the average of the months before it."""
    about = told.select("meter", "top", "older", "base", "months")
    rows = marks.rows.join(about, on="meter")
    number, value = pl.col("number"), pl.col("value")
    at_base = _where(number == pl.col("base"), pl.col("first")).max()
    found = rows.group_by("meter", "zone").agg(
        now=_where(number == asked.month, value).max(),
        top_value=_where(number == pl.col("top"), value).max(),
        older_value=pl.coalesce(_where(number == pl.col("older"), value).max(), at_base),
        months=pl.col("months").first(),
        ratio=pl.col("ratio").first(),
    )
    ratio, months = pl.col("ratio"), pl.col("months")
    used = (pl.col("top_value") - pl.col("older_value")) * ratio
    is_enough = (months > 0) & (months >= asked.average_months_min)
    return found.with_columns(
        moved=(pl.col("now") - pl.col("top_value")) * ratio,
        average=pl.when(is_enough).then((2 * used + months) // (2 * months)),
        is_small=_holds("top_value", "older_value").fill_null(True) & _holds("now", "top_value").fill_null(True),
    )


def _fair_meters(zones: pl.DataFrame) -> pl.DataFrame:
    return zones.group_by("meter").agg(
        is_small=pl.col("is_small").all(),
        goes_back=(pl.col("moved").fill_null(0) < 0).any() | (pl.col("average").fill_null(0) < 0).any(),
        has_average=pl.col("average").is_not_null().all(),
    )


def _decide(told: pl.DataFrame, asked: Climb) -> pl.DataFrame:
    """Return the meters with source, cause and whether they are left over; by the order of ``_Ladder._climb``."""
    first, last = days_of(asked.month)
    month, until = pl.lit(asked.month), pl.col("until")
    is_open, is_over = until.is_null() | (until > last), until <= first
    gap = month - 1 - pl.col("top")
    is_full = pl.col("has_month") & pl.col("top").is_not_null() & is_open
    missed = month - pl.coalesce("full", "first_month")
    has_average = pl.col("has_average").fill_null(False)
    run_out = missed > pl.col("averaged_max")
    is_first = pl.col("first_month") == month
    is_settled = is_full & (gap > 0)
    # Settled with averages alone: the reading before is a full one, and no month in between has come to the norm.
    is_averaged = (pl.col("full") == pl.col("top")).fill_null(False) & (gap <= pl.col("averaged_max")) & has_average
    norm = pl.when(run_out & ~is_open).then(VolumeSource.NORM_RAISED.value).otherwise(VolumeSource.NORM.value)
    source = (
        pl.when(is_first).then(VolumeSource.NORM.value).when(is_full).then(VolumeSource.METER.value)
        .when(run_out | ~has_average).then(norm).otherwise(VolumeSource.AVERAGE.value)
    )  # fmt: skip
    cause = (
        pl.when(is_first).then(Cause.FIRST_MONTH.value).when(is_full).then(Cause.READING.value)
        .when(is_open).then(Cause.NO_READING.value).otherwise(Cause.FAULTY.value)
    )  # fmt: skip
    is_decided = (
        _is_taken()
        & (is_open | (is_over & ~pl.col("has_month")))
        & (~is_settled | is_averaged)
        & (~pl.col("is_heating") | is_first | (is_full & (gap == 0)))
        & (pl.col("first_month") <= month)
    )
    return told.with_columns(
        source=source,
        cause=cause,
        gap=pl.when(is_settled).then(gap).otherwise(0),
        is_plain=~is_decided.fill_null(False),
    )


def _is_taken() -> pl.Expr:
    """Tell whether the meter and its readings are such as the columns take, whatever the month is charged by."""
    return (
        pl.col("is_fair")
        & pl.col("is_small").fill_null(True)
        & ~pl.col("goes_back").fill_null(False)
        & pl.col("averaged_max").is_not_null()
        & (pl.col("until").is_null() | (pl.col("until") > pl.col("installed")))
        & (pl.col("base").is_null() | (pl.col("base") >= pl.col("first_month")))
        & ((pl.col("zones") == 1) | ~pl.col("from_base") | (pl.col("base_readings").fill_null(1) == 1))
    )
