"""From the database to frames of many houses: what StockReading reads into HouseMonths, set-based (docs/billing-reading.md).

Facts, meters and readings come as columns; the ordinary meter climbs the ladder in columns, every other supply the plain one. A
house about which anything is doubtful is read whole by StockReading's own functions, which then say what is wrong with it.
"""

from collections.abc import Mapping, Sequence

import msgspec
import polars as pl

from ledger.statements import load_statements
from services.billing.columnar.frames import BREAKS, INDIVIDUAL, SCHEMAS, VOLUMES, Schema, TownFrames
from services.billing.columnar.months import frames_of
from services.billing.columnar.reading_ladder import Climb
from services.billing.columnar.reading_meters import SQL, Around, Metered, read_metered
from services.billing.columnar.reading_plain import PlainRows, read_plainly
from services.billing.columnar.reading_stock import Stock, read_stock
from services.billing.core.assembling import METERED, RAISED, ladder_key, ladder_terms
from services.billing.core.law import Law, LawSilent
from services.billing.core.meters import Possibility
from services.billing.core.month import Break, HouseMonth, PremisesKind, ServiceKind, VolumeSource
from services.billing.core.part_month import PartMonth
from services.billing.core.periods import days_of, month_number
from services.billing.core.quality import UncoveredAct, breaks_of_month
from services.billing.handover import list_handovers
from services.billing.reading import HOUSES_AT_ONCE, Asked, StockReading
from services.billing.runs.sources import Connection, HouseUnreadable
from services.billing.stock.facts import Outline, read_outlines

_SQL = load_statements("services/billing/reading.sql")
MEASURED = (VolumeSource.METER.value, VolumeSource.AVERAGE.value)


class ReadTown(msgspec.Struct, frozen=True, kw_only=True):
    """``unreadable``: why, by code. ``part_months``: of houses that change their provider within the month; they are in no frame,
    since the plain engine alone divides a month.

    ``supplies``: metered services of premises, ``plain_supplies`` of them climbed plainly. ``plain_houses``: read whole by the
    plain way, the unreadable and the divided among them.
    """

    frames: TownFrames
    part_months: tuple[PartMonth, ...]
    unreadable: Mapping[str, HouseUnreadable]
    supplies: int
    plain_supplies: int
    plain_houses: int


class _Chunk(msgspec.Struct, frozen=True, kw_only=True):
    frames: TownFrames | None
    plain: list[str]
    supplies: int = 0
    plain_supplies: int = 0


async def read_frames(connection: Connection, houses: Sequence[str], law: Law, asked: Asked) -> ReadTown:
    """Return the frames of houses (codes) as ``asked.provider`` bills them; read in one transaction of REPEATABLE READ."""
    await connection.execute(SQL["set_limits"])
    chunks: list[_Chunk] = []
    unreadable: dict[str, HouseUnreadable] = {}
    plain: list[HouseMonth] = []
    term = 0
    for start in range(0, len(houses), HOUSES_AT_ONCE):
        codes = houses[start : start + HOUSES_AT_ONCE]
        # What is known later changes months by hindsight, which the columns do not have.
        chunk = _Chunk(frames=None, plain=list(codes))
        if asked.until == asked.period:
            chunk = await _read_chunk(connection, codes, (law, asked), term)
        if chunk.frames is not None:
            term += chunk.frames.terms.height
        chunks.append(chunk)
        reading = StockReading(law, asked.today, asked.known)
        months = await reading.read_houses(connection, asked.provider, asked.period, chunk.plain) if chunk.plain else {}
        plain += [month for month in months.values() if isinstance(month, HouseMonth)]
        unreadable |= {code: why for code, why in months.items() if isinstance(why, HouseUnreadable)}
    frames = [chunk.frames for chunk in chunks if chunk.frames is not None]
    return ReadTown(
        frames=_together([*frames, _renumbered(frames_of([month for month in plain if not isinstance(month, PartMonth)]))]),
        part_months=tuple([month for month in plain if isinstance(month, PartMonth)]),
        unreadable=unreadable,
        supplies=sum(chunk.supplies for chunk in chunks),
        plain_supplies=sum(chunk.plain_supplies for chunk in chunks),
        plain_houses=sum(len(chunk.plain) for chunk in chunks),
    )


async def _read_chunk(connection: Connection, codes: Sequence[str], by: tuple[Law, Asked], term: int) -> _Chunk:
    """Read houses by columns; their terms are numbered from ``term`` on."""
    law, asked = by
    rows = await connection.fetch(_SQL["houses_by_code"], list(codes))
    numbers = {row["house"]: row["code"] for row in rows}
    odd = {numbers[house] for house in await list_handovers(connection, list(numbers), asked.period)}
    odd |= await _read_departed(connection, list(numbers.values()), asked)
    found = await read_outlines(connection, [house for house, code in numbers.items() if code not in odd], asked.period)
    breaks, uncovered = _breaks(found)
    outlines = [one for one in found if one.facts.key not in uncovered and _is_told(law, one)]
    if not outlines:
        return _Chunk(frames=None, plain=list(codes))
    terms = _terms(outlines, term)
    keys = [one.facts.key for one in outlines]
    stock = await read_stock(connection, keys, asked.period, terms.select("house", "term", "service"))
    metered = await read_metered(connection, keys, asked, _around(outlines, stock, terms, law))
    services = {(house, service): number for house, number, service in terms.select("house", "term", "service").iter_rows()}
    plain = await read_plainly(connection, outlines, (stock, metered), services, by)
    possibilities = await connection.fetch(_SQL["possibilities"], keys, days_of(month_number(asked.period))[0])
    told = pl.DataFrame(
        [tuple(row) for row in possibilities],
        schema={"premises": pl.Int64, "service": pl.String, "possibility": pl.Int64},
        orient="row",
    )
    individual, volumes = _individual(stock, metered, terms, told)
    frames = _frames(plain, stock, terms, (individual, volumes, _spread_breaks(breaks, stock, terms)))
    read = set(frames.houses["code"])
    return _Chunk(
        frames=frames,
        plain=[code for code in codes if code not in read],
        supplies=metered.count,
        plain_supplies=metered.plain.height,
    )


async def _read_departed(connection: Connection, codes: list[str], asked: Asked) -> set[str]:
    """Return the houses that accounts have left which the provider's month still has sums of: StockReading adds them."""
    first = days_of(month_number(asked.period))[0]
    rows = await connection.fetch(_SQL["departed"], asked.provider, asked.period, first, codes, []) if asked.provider else ()
    return {row["code"] for row in rows}


def _is_told(law: Law, outline: Outline) -> bool:
    """Tell whether the law has the ladder's terms for the house."""
    view, day = law.in_region(outline.facts.region), days_of(month_number(outline.facts.period))[0]
    try:
        for kind in PremisesKind:
            ladder_terms(view, day, ladder_key(kind, ServiceKind.COLD_WATER), ServiceKind.COLD_WATER)
    except LawSilent:
        return False
    return True


def _terms(outlines: Sequence[Outline], first: int) -> pl.DataFrame:
    """Return house, term, place, service, kind, heating_way and, by the house's region, nothing else of its services."""
    rows = [
        (one.facts.key, place, terms.service, terms.kind.value, terms.heating_way.value)
        for one in outlines
        for place, terms in enumerate(one.facts.services)
    ]
    columns = {"house": pl.Int64, "place": pl.Int32, "service": pl.String, "kind": pl.Int8, "heating_way": pl.Int8}
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    return frame.with_columns(term=pl.int_range(first, first + pl.len(), dtype=pl.Int64))


def _around(outlines: Sequence[Outline], stock: Stock, terms: pl.DataFrame, law: Law) -> Around:
    """Return what the ladder's columns are climbed by: the region's terms of the law at every premises."""
    month = month_number(outlines[0].facts.period)
    day = days_of(month)[0]
    rows = []
    bases = set()
    for one in outlines:
        view = law.in_region(one.facts.region)
        for kind in PremisesKind:
            found = ladder_terms(view, day, ladder_key(kind, ServiceKind.COLD_WATER), ServiceKind.COLD_WATER)
            bases.add((found.average_months, found.average_months_min))
            rows.append((one.facts.key, kind.value, found.averaged_max))
    allowed = pl.DataFrame(rows, schema={"house": pl.Int64, "kind": pl.Int8, "averaged_max": pl.Int64}, orient="row")
    (months, least), *others = sorted(bases)
    if others:
        # Regions with bases of their own: none of these houses' averages is made in columns.
        allowed = allowed.with_columns(averaged_max=pl.lit(None, pl.Int64))
    whole = stock.premises.filter(
        (pl.col("kind") == PremisesKind.COMMUNAL_ROOM.value) | pl.col("premises").is_in(list(stock.applications))
    )
    return Around(
        terms=terms,
        premises=stock.premises.select("premises", "house", "kind").join(allowed, on=("house", "kind")).drop("house"),
        whole=whole["premises"],
        base=Climb(month=month, average_months=months, average_months_min=least),
    )


def _individual(
    stock: Stock, metered: Metered, terms: pl.DataFrame, possibilities: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return INDIVIDUAL and VOLUMES of what the columns climbed, and of services without a meter."""
    away = pl.col("premises").is_in(list(stock.applications))
    flats = stock.premises.filter((pl.col("kind") != PremisesKind.COMMUNAL_ROOM.value) & ~away)
    metered_terms = terms.filter(pl.col("kind").is_in(METERED)).select(
        "house", "term", "service", is_raised=pl.col("kind").is_in(RAISED)
    )
    own = flats.select("premises", "house", "has_all_services").join(metered_terms, on="house")
    partly = own.filter(~pl.col("has_all_services")).join(stock.served.unique(), on=("premises", "term"), how="semi")
    served = pl.concat([own.filter("has_all_services"), partly])
    served = served.join(metered.plain, on=("premises", "term"), how="anti")
    told = served.join(metered.supplies, on=("premises", "term"), how="left")
    told = told.join(possibilities, on=("premises", "service"), how="left")
    can_be = (pl.col("possibility") == Possibility.POSSIBLE.value).fill_null(False)
    without = pl.when(can_be).then(VolumeSource.NORM_RAISED.value).otherwise(VolumeSource.NORM.value)
    source = pl.coalesce("source", without).cast(pl.Int8)
    rows = told.with_columns(source=source).filter(pl.col("is_raised") | pl.col("source").is_in(MEASURED))
    zones = metered.volumes.join(rows.select("premises", "term"), on=("premises", "term"), how="semi")
    zones = zones.with_columns(zones=pl.len().over("premises", "term"))
    single = zones.filter(pl.col("zones") == 1).select("premises", "term", "zone", "volume")
    several = zones.filter(pl.col("zones") > 1).with_columns(place=pl.col("zone").cast(pl.Int32))
    joined = rows.join(single, on=("premises", "term"), how="left").with_columns(has_room_meter=pl.lit(False))
    return joined.select(list(INDIVIDUAL)), several.select(list(VOLUMES))


def _breaks(outlines: Sequence[Outline]) -> tuple[list[tuple[int, int, tuple[Break, ...]]], set[int]]:
    """Return (house, premises or 0 for those without acts of their own, breaks), and the houses whose acts no rule covers."""
    found: list[tuple[int, int, tuple[Break, ...]]] = []
    uncovered: set[int] = set()
    for one in outlines:
        kinds = {terms.service: terms.kind for terms in one.facts.services}
        try:
            for premises, acts in ((0, ()), *one.acts.items()):
                every = (*one.facts.acts, *acts)
                if every:
                    found.append((one.facts.key, premises, breaks_of_month(every, kinds, one.facts.period)))
        except UncoveredAct:
            uncovered.add(one.facts.key)
    return found, uncovered


def _spread_breaks(breaks: list[tuple[int, int, tuple[Break, ...]]], stock: Stock, terms: pl.DataFrame) -> pl.DataFrame:
    """Return BREAKS: those of the house at every premises without acts of its own."""
    rows = [
        (house, premises, row.service, place, row.cause, row.act, row.reduction, row.at_cold_price)
        for house, premises, told in breaks
        for place, row in enumerate(told)
    ]
    about = ("place", "cause", "act", "reduction", "at_cold_price")
    columns: Schema = {"house": pl.Int64, "of": pl.Int64, "service": pl.String, **{name: BREAKS[name] for name in about}}
    said = pl.DataFrame(rows, schema=columns, orient="row").join(
        terms.select("house", "term", "service"), on=("house", "service")
    )
    premises = stock.premises.select("premises", "house")
    own = (
        said.filter(pl.col("of") != 0)
        .join(premises, left_on=("house", "of"), right_on=("house", "premises"))
        .with_columns(premises="of")
    )
    with_acts = [premises for _, premises, _ in breaks if premises]
    shared = said.filter(pl.col("of") == 0).join(premises.filter(~pl.col("premises").is_in(with_acts)), on="house")
    return pl.concat([own.select(list(BREAKS)), shared.select(list(BREAKS))])


def _frames(
    plain: PlainRows, stock: Stock, terms: pl.DataFrame, told: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
) -> TownFrames:
    """Return the frames of the houses that were assembled, in the keys of the stock."""
    individual, volumes, breaks = told
    months = [msgspec.structs.replace(month, premises=()) for month in plain.months.values()]
    outline = _rekeyed(frames_of(months), list(plain.months), terms)
    areas = stock.premises.group_by("house").agg(pl.col("area").sum().alias("sum"))
    houses = outline.houses.join(areas, on="house", how="left")
    area_all = pl.when(pl.col("area_all") == 0).then(pl.col("sum").fill_null(0)).otherwise(pl.col("area_all"))
    whole = msgspec.structs.replace(
        outline,
        houses=houses.with_columns(area_all=area_all).drop("sum"),
        premises=stock.premises,
        served=stock.served,
        shares=stock.shares,
        excluded=stock.excluded,
        individual=pl.concat([individual, plain.individual]),
        volumes=pl.concat([volumes, plain.volumes]),
        room_volumes=plain.room_volumes,
        absences=plain.absences,
        breaks=breaks,
    )
    return _without(whole, plain.doubtful) if plain.doubtful else whole


def _rekeyed(outline: TownFrames, houses: list[int], terms: pl.DataFrame) -> TownFrames:
    """Return frames_of's houses and terms with the numbers of the stock in place of its own."""
    found = pl.DataFrame({"house": range(len(houses)), "number": houses}, schema={"house": pl.Int64, "number": pl.Int64})
    known = outline.terms.select("term", "house", "place").join(found, on="house")
    known = known.join(
        terms.select(pl.col("house").alias("number"), "place", pl.col("term").alias("new")), on=("number", "place")
    )
    new_terms = known.select("term", "new")
    changed = {}
    for name, schema in SCHEMAS.items():
        frame: pl.DataFrame = getattr(outline, name)
        for column, numbers, key in (("house", found, "number"), ("term", new_terms, "new"), ("base", new_terms, "new")):
            if column in schema and frame.height:
                renamed = numbers.rename({numbers.columns[0]: column, key: "key"})
                frame = frame.join(renamed, on=column).with_columns(pl.col("key").alias(column)).drop("key")
        changed[name] = frame.select(list(schema))
    return TownFrames(**changed)


def _without(frames: TownFrames, houses: set[int]) -> TownFrames:
    """Return the frames without some houses, which stand in them with premises alone."""
    premises = frames.premises.filter(~pl.col("house").is_in(list(houses)))
    shares = frames.shares.join(premises, on="premises", how="semi")
    kept = {"premises": premises, "shares": shares}
    for name in ("served", "individual", "volumes", "room_volumes", "absences", "breaks"):
        kept[name] = getattr(frames, name).join(premises, on="premises", how="semi")
    return msgspec.structs.replace(frames, **kept, excluded=frames.excluded.join(shares, on="share", how="semi"))


def _renumbered(frames: TownFrames) -> TownFrames:
    """Return frames_of's frames with keys below zero, which no number of the stock is."""
    keys = ("house", "term", "base", "premises", "share")
    return TownFrames(
        **{
            name: getattr(frames, name).with_columns((-1 - pl.col(key)).alias(key) for key in keys if key in schema)
            for name, schema in SCHEMAS.items()
        }
    )


def _together(frames: list[TownFrames]) -> TownFrames:
    return TownFrames(**{name: pl.concat([getattr(one, name) for one in frames]) for name in SCHEMAS})
