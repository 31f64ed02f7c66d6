"""What columns leave over of many houses, by the plain assembling: its premises and services alone stand in each HouseMonth."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import polars as pl

from services.billing.columnar.frames import ABSENCES, INDIVIDUAL, ROOM_VOLUMES, VOLUMES
from services.billing.columnar.reading_meters import SQL, Metered
from services.billing.columnar.reading_stock import Stock
from services.billing.core.assembling import Assembly, Metering, assemble
from services.billing.core.facts import HouseFacts, PremisesFacts
from services.billing.core.law import Law, LawSilent
from services.billing.core.month import HouseMonth, Individual, PremisesKind
from services.billing.core.pricing import is_priced
from services.billing.core.quality import UncoveredAct
from services.billing.core.quantities import Area, Ratio
from services.billing.reading import Asked, meterings_of, read_lives
from services.billing.runs.sources import Connection, HouseUnreadable
from services.billing.stock.facts import Outline

Terms = Mapping[tuple[int, str], int]
"""The term of a house's service."""


class PlainRows(msgspec.Struct, frozen=True, kw_only=True):
    """``months``: by house, without the premises' own figures; ``doubtful``: houses that are to be read whole, the plain way."""

    months: dict[int, HouseMonth]
    doubtful: set[int]
    individual: pl.DataFrame
    volumes: pl.DataFrame
    room_volumes: pl.DataFrame
    absences: pl.DataFrame


async def read_plainly(
    connection: Connection, outlines: Sequence[Outline], over: tuple[Stock, Metered], terms: Terms, by: tuple[Law, Asked]
) -> PlainRows:
    """Assemble the houses with what is left over of them, ``over``."""
    law, asked = by
    stock, metered = over
    premises = _facts_left(stock, metered, {term: service for (_, service), term in terms.items()})
    facts = [msgspec.structs.replace(one.facts, premises=tuple(premises.get(one.facts.key, ())), acts=()) for one in outlines]
    rows = await connection.fetch(SQL["some_meters"], metered.meters)
    meterings = await meterings_of(connection, facts, await read_lives(connection, rows, asked), by)
    months: dict[int, HouseMonth] = {}
    doubtful: set[int] = set()
    assembly = Assembly(law=law, today=asked.today, known=asked.known)
    for one in facts:
        month = _month(one, meterings[one.key], assembly)
        if month is None:
            doubtful.add(one.key)
        else:
            months[one.key] = month
    return _rows(((one, months[one.key]) for one in facts if one.key in months), terms, (months, doubtful))


def _month(facts: HouseFacts, metering: Metering | HouseUnreadable, assembly: Assembly) -> HouseMonth | None:
    """Return the month; None for a house that is not as it should be: it is read whole, and then says why."""
    if isinstance(metering, HouseUnreadable) or not all(is_priced(terms) for terms in facts.services):
        return None
    try:
        return assemble(facts, metering, assembly)
    except (UncoveredAct, LawSilent):
        return None


def _facts_left(stock: Stock, metered: Metered, services: Mapping[int, str]) -> dict[int, list[PremisesFacts]]:
    """Return, by house, premises with the services that are left over: all of them of rooms and where somebody is away."""
    left: dict[int, set[str]] = {}
    for key, term in metered.plain.iter_rows():
        left.setdefault(key, set()).add(services[term])
    whole = pl.Series(list(stock.applications), dtype=pl.Int64)
    is_whole = (pl.col("kind") == PremisesKind.COMMUNAL_ROOM.value) | pl.col("premises").is_in(whole.implode())
    mine = stock.premises.with_columns(is_whole=is_whole).filter(
        pl.col("is_whole") | pl.col("premises").is_in(pl.Series(list(left), dtype=pl.Int64).implode())
    )
    found: dict[int, list[PremisesFacts]] = {}
    for row in mine.iter_rows(named=True):
        key = row["premises"]
        served = stock.services.get(key)
        if not row["is_whole"]:
            served = tuple([one for one in sorted(left[key]) if served is None or one in served])
        facts = PremisesFacts(
            premises=row["name"],
            key=key,
            kind=PremisesKind(row["kind"]),
            area=Area(row["area"]),
            residents=Ratio(row["residents"]),
            owners=row["owners"],
            accounts=(),
            flat=row["flat"],
            is_without_heating=row["is_without_heating"],
            services=served,
            applications=tuple(stock.applications.get(key, ())),
        )
        found.setdefault(row["house"], []).append(facts)
    return found


def _rows(
    houses: Iterable[tuple[HouseFacts, HouseMonth]], terms: Terms, about: tuple[dict[int, HouseMonth], set[int]]
) -> PlainRows:
    individual: list[tuple[int, int, int, int | None, int | None, bool]] = []
    volumes: list[tuple[int, int, int, int, int]] = []
    rooms: list[tuple[int, int, int, int, int]] = []
    absences: list[tuple[int, int, int]] = []
    for facts, month in houses:
        for asked, told in zip(facts.premises, month.premises, strict=True):
            key = asked.key
            for own in told.individual:
                term = terms[facts.key, own.service]
                individual.append((key, term, own.source.value, *_only_zone(own), own.room_zones is not None))
                several = own.zones if len(own.zones) > 1 else ()
                volumes += [(key, term, place, *pair) for place, pair in enumerate(several)]
                rooms += [(key, term, place, *pair) for place, pair in enumerate(own.room_zones or ())]
            absences += [(key, terms[facts.key, away.service], away.person_days) for away in told.absences]
    return PlainRows(
        months=about[0],
        doubtful=about[1],
        individual=pl.DataFrame(individual, schema=dict(INDIVIDUAL), orient="row"),
        volumes=pl.DataFrame(volumes, schema=dict(VOLUMES), orient="row"),
        room_volumes=pl.DataFrame(rooms, schema=dict(ROOM_VOLUMES), orient="row"),
        absences=pl.DataFrame(absences, schema=dict(ABSENCES), orient="row"),
    )


def _only_zone(own: Individual) -> tuple[int | None, int | None]:
    return own.zones[0] if len(own.zones) == 1 else (None, None)
