"""From the database to HouseMonths: facts of the stock, meters, readings and the law, for many houses in a few statements.

Read in one transaction of REPEATABLE READ, or what is loaded meanwhile may show in a part of a house.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.core.assembling import (
    HEATING,
    Assembly,
    Metering,
    OwnSupply,
    assemble,
    ladder_key,
    ladder_terms,
    norm_volume,
    premises_rungs,
    with_departed,
)
from services.billing.core.facts import HouseFacts, PremisesFacts
from services.billing.core.heating import charged_heat
from services.billing.core.ladder import Rung, changed_periods, norm_periods
from services.billing.core.law import Law, LawSilent
from services.billing.core.meters import MeterLife, MeterOutOfOrder, Possibility, Supply, supply_of
from services.billing.core.month import HeatingWay, HouseMonth, PremisesKind, ServiceKind
from services.billing.core.periods import days_of, month_number, period_of
from services.billing.core.pricing import is_priced
from services.billing.core.quality import UncoveredAct
from services.billing.core.quantities import Price, Volume
from services.billing.handover import as_parts, find_handed_over, list_handovers, read_facts_of, with_handed_over
from services.billing.readings.lives import lives_of
from services.billing.records import by_code, by_number, first_day, names_of, year_before
from services.billing.runs.sources import Connection, HouseUnreadable
from services.billing.stock.facts import read_facts, read_norm_facts

SQL = load_statements("services/billing/reading.sql")

HOUSES_AT_ONCE = 500
HISTORY_MONTHS = 37
"""Readings are looked back for: three years and the month (limitation), which is more than any average or settlement asks."""

Months = Mapping[str, HouseMonth | HouseUnreadable]
HousedLife = tuple[int, str, str, MeterLife]
"""Premises or 0, communal flat or empty, service, and the meter's life."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A period as it is known from readings up to ``known`` (the period itself for 0), read on ``today``. Of houses that change
    their provider within it the part of ``provider`` is read; empty: of the first one."""

    period: int
    today: date
    known: int = 0
    provider: str = ""

    @property
    def until(self) -> int:
        """The last period whose readings count."""
        return self.known or self.period


class StockReading:
    """Houses of the stock for the month's life; see ``runs/sources.py``. ``known``: for recalculating a closed month."""

    def __init__(self, law: Law, today: date, known: int = 0) -> None:
        self._law, self._today, self._known = law, today, known

    async def list_houses(self, connection: Connection, provider: str, period: int) -> Sequence[str]:
        """Return the houses that the provider bills in the period, ascending."""
        rows = await connection.fetch(SQL["provided_houses"], provider, first_day(period))
        return await with_handed_over(connection, [row["code"] for row in rows], provider, period)

    async def houses_of(self, connection: Connection, provider: str, period: int, accounts: Sequence[str]) -> Mapping[str, str]:
        """Return the house of each account that is in one of the provider's; others are left out."""
        houses = {row["code"] for row in await connection.fetch(SQL["provided_houses"], provider, first_day(period))}
        rows = await connection.fetch(SQL["houses_of_accounts"], *names_of(accounts), first_day(period))
        found = {row["name"]: row["code"] for row in rows if row["code"] in houses}
        gone = [account for account in accounts if account not in found]
        found |= await find_handed_over(connection, names_of(gone), provider, period) if gone else {}
        gone = [account for account in gone if account not in found]
        rows = await connection.fetch(SQL["departed"], provider, period, first_day(period), [], gone) if gone else []
        return found | {row["name"]: row["code"] for row in rows}

    async def read_houses(self, connection: Connection, provider: str, period: int, houses: Sequence[str]) -> Months:
        """Return each house's month, or why it has none."""
        asked = Asked(period=period, today=self._today, known=self._known, provider=provider)
        months: dict[str, HouseMonth | HouseUnreadable] = {}
        async for chunk in read_months(connection, houses, self._law, asked):
            months |= chunk
        rows = await connection.fetch(SQL["departed"], provider, period, first_day(period), list(houses), [])
        for code, gone in by_code(rows).items():
            month = months[code]
            if isinstance(month, HouseMonth):
                months[code] = with_departed(month, [(row["number"], row["name"]) for row in gone])
        return months

    async def number_accounts(self, connection: Connection, provider: str, accounts: Sequence[str]) -> Mapping[str, AccountId]:
        """Return the ledger's personal account of each account of the provider; unknown ones and others' are left out."""
        rows = await connection.fetch(SQL["number_accounts"], *names_of(accounts), provider)
        return {row["name"]: AccountId(row["personal_account"]) for row in rows}


async def read_months(connection: Connection, houses: Sequence[str], law: Law, asked: Asked) -> AsyncIterator[Months]:
    """Yield the months of houses (codes), HOUSES_AT_ONCE together; a house not in force then is unreadable."""
    for start in range(0, len(houses), HOUSES_AT_ONCE):
        codes = houses[start : start + HOUSES_AT_ONCE]
        rows = await connection.fetch(SQL["houses_by_code"], list(codes))
        numbers = [row["house"] for row in rows]
        changes = await list_handovers(connection, numbers, asked.period)
        facts = await read_facts_of(connection, numbers, asked.period, asked.provider, changes)
        meterings = await read_meterings(connection, facts, law, asked)
        months: dict[str, HouseMonth | HouseUnreadable] = {
            code: HouseUnreadable("дома нет в данных этого месяца") for code in codes
        }
        for one in facts:
            months[one.house] = _month(one, meterings[one.key], law, asked)
        if changed := [one for one in facts if one.key in changes]:
            lives = await _read_lives(connection, [one.key for one in changed], asked)
            months |= as_parts([(one, months[one.house]) for one in changed], changes, asked.provider, lives)
        yield months


def _month(facts: HouseFacts, metering: Metering | HouseUnreadable, law: Law, asked: Asked) -> HouseMonth | HouseUnreadable:
    if isinstance(metering, HouseUnreadable):
        return metering
    unpriced = [terms.title for terms in facts.services if not is_priced(terms)]
    if unpriced:
        return HouseUnreadable(f"нет тарифа или он не такой, как нужен услуге: {', '.join(unpriced)}")
    try:
        return assemble(facts, metering, Assembly(law=law, today=asked.today, known=asked.known))
    except UncoveredAct as error:
        return HouseUnreadable(f"акт не описан правилами качества: {error}")
    except LawSilent as error:
        return HouseUnreadable(str(error))


async def read_meterings(
    connection: Connection, facts: Sequence[HouseFacts], law: Law, asked: Asked
) -> dict[int, Metering | HouseUnreadable]:
    """Return the meters of each house (by its number), with the norms that readings have to be settled with."""
    return await meterings_of(connection, facts, await _read_lives(connection, [one.key for one in facts], asked), (law, asked))


async def meterings_of(
    connection: Connection, facts: Sequence[HouseFacts], lives: Mapping[int, Sequence[HousedLife]], by: tuple[Law, Asked]
) -> dict[int, Metering | HouseUnreadable]:
    """Return the meters of each house whose lives, by house, are those given; the rest of what a metering is, is read."""
    law, asked = by
    houses = [one.key for one in facts]
    rows = _Rows(
        possibilities=by_number(await connection.fetch(SQL["possibilities"], houses, first_day(asked.period)), "premises"),
        volumes=by_number(await connection.fetch(SQL["house_volumes"], houses, asked.period), "house"),
        years=by_number(await connection.fetch(SQL["house_years"], houses, *year_before(asked.period)), "house"),
    )
    idle = await _read_idle(connection, facts, asked)
    supplies: dict[int, _Supplies | HouseUnreadable] = {}
    for one in facts:
        try:
            supplies[one.key] = _Supplies.of(lives.get(one.key, ()), _seasonal(one), idle[one.key])
        except MeterOutOfOrder as error:
            supplies[one.key] = HouseUnreadable(str(error))
    norms = await _read_norms(connection, facts, supplies, (law, asked))
    return {one.key: _metering(one, supplies[one.key], norms, rows) for one in facts}


class _Rows(msgspec.Struct, frozen=True, kw_only=True):
    possibilities: Mapping[int, list[Any]]
    volumes: Mapping[int, list[Any]]
    years: Mapping[int, list[Any]]


class _Supplies(msgspec.Struct, frozen=True, kw_only=True):
    """Supplies of one house: (premises, flat, service), where premises is 0 and flat empty for the house itself."""

    by_place: Mapping[tuple[int, str, str], Supply]

    @classmethod
    def of(cls, lives: Iterable[HousedLife], seasonal: Collection[str], idle: frozenset[int]) -> "_Supplies":
        """Group the meters; those of ``seasonal`` services rest in ``idle`` months. Raises MeterOutOfOrder."""
        groups: defaultdict[tuple[int, str, str], list[MeterLife]] = defaultdict(list)
        for premises, flat, service, life in lives:
            groups[premises, flat, service].append(life)
        return cls(
            by_place={
                place: msgspec.structs.replace(supply_of(group), idle=idle if place[2] in seasonal else frozenset())
                for place, group in groups.items()
            }
        )


def _seasonal(facts: HouseFacts) -> frozenset[str]:
    """Return the services that are supplied and charged in the heating period alone."""
    return frozenset(
        terms.service for terms in facts.services if terms.kind in HEATING and terms.heating_way is HeatingWay.SEASON
    )


async def _read_idle(connection: Connection, facts: Sequence[HouseFacts], asked: Asked) -> dict[int, frozenset[int]]:
    """Return, by house, the months that readings are read of and in which it was not heated, as far as anybody told."""
    first, last = month_number(asked.period) - HISTORY_MONTHS, month_number(asked.until)
    houses, regions = [one.key for one in facts], [one.region for one in facts]
    rows = await connection.fetch(SQL["heated_periods"], houses, regions, period_of(first), period_of(last))
    heated = {house: {month_number(row["period"]) for row in told} for house, told in by_number(rows, "house").items()}
    return {house: frozenset(range(first, last + 1)) - heated.get(house, set()) for house in houses}


async def _read_lives(connection: Connection, houses: Sequence[int], asked: Asked) -> dict[int, list[HousedLife]]:
    last = days_of(month_number(asked.until))[1]
    return await read_lives(connection, await connection.fetch(SQL["meters"], houses, last), asked)


async def read_lives(connection: Connection, meters: Sequence[Any], asked: Asked) -> dict[int, list[HousedLife]]:
    """Return the lives of meters (rows of the statement ``meters``) by house, in the order of the rows."""
    last = days_of(month_number(asked.until))[1]
    numbers = [row["meter"] for row in meters]
    events = await connection.fetch(SQL["events"], numbers, last)
    since = period_of(month_number(asked.period) - HISTORY_MONTHS)
    readings = await connection.fetch(SQL["readings"], numbers, since, asked.until)
    found: defaultdict[int, list[HousedLife]] = defaultdict(list)
    for row, life in lives_of(meters, events, readings):
        found[row["house"]].append((row["premises"], row["flat"], row["service"], life))
    return found


NormKey = tuple[int, int, str, str]
"""House, premises or 0, flat, service."""


async def _read_norms(
    connection: Connection,
    facts: Sequence[HouseFacts],
    supplies: dict[int, _Supplies | HouseUnreadable],
    by: tuple[Law, Asked],
) -> dict[NormKey, dict[int, int]]:
    """Read n × N of the earlier months by the norm that readings now have to be settled with: few premises have any.

    Houses of whose ladder the law is silent become unreadable in ``supplies``.
    """
    law, asked = by
    wanted: defaultdict[int, list[NormKey]] = defaultdict(list)
    for one in facts:
        found = supplies[one.key]
        if isinstance(found, _Supplies):
            try:
                ladders = list(_ladders(one, found, law))
            except LawSilent as error:
                supplies[one.key], ladders = HouseUnreadable(str(error)), []
            for place, supply, ladder in ladders:
                for period in norm_periods(supply, asked.period, ladder, asked.until):
                    wanted[period].append((one.key, *place))
    norms: defaultdict[NormKey, dict[int, int]] = defaultdict(dict)
    for period, keys in wanted.items():
        then = await _read_then(connection, keys, period)
        heated = await _read_heated(connection, keys, then, (law, msgspec.structs.replace(asked, period=period, known=0)))
        for key in keys:
            norms[key][period] = _norm(then.get(key[0]), key, heated.get(key[0]))
    return norms


async def _read_heated(
    connection: Connection, keys: Iterable[NormKey], then: Mapping[int, HouseFacts], by: tuple[Law, Asked]
) -> dict[int, HouseMonth]:
    """Return the whole months, as they were charged, of houses whose heat has to be settled: by a house meter it went by area."""
    law, asked = by
    kinds = {(house, terms.service): terms.kind for house, facts in then.items() for terms in facts.services}
    houses = sorted({key[0] for key in keys if kinds.get((key[0], key[3])) is ServiceKind.HEATING})
    facts = await read_facts(connection, houses, asked.period) if houses else ()
    meterings = await read_meterings(connection, facts, law, asked) if facts else {}
    months = {one.key: _month(one, meterings[one.key], law, asked) for one in facts}
    return {house: month for house, month in months.items() if isinstance(month, HouseMonth)}


async def _read_then(connection: Connection, keys: Iterable[NormKey], period: int) -> dict[int, HouseFacts]:
    """Return the facts of a period by house: of the premises of the keys alone, but of all where a communal flat is asked for."""
    flats = {house for house, _, flat, _ in keys if flat}
    premises = {key: house for house, key, _, _ in keys if house not in flats}
    whole = await read_facts(connection, sorted(flats), period) if flats else ()
    some = await read_norm_facts(connection, sorted(set(premises.values())), period, sorted(premises)) if premises else ()
    return {one.key: one for one in (*whole, *some)}


def _ladders(facts: HouseFacts, supplies: _Supplies, law: Law) -> Iterable[tuple[tuple[int, str, str], Supply, Any]]:
    """Yield the supplies of premises and flats, each with the terms of its ladder."""
    kinds = {terms.service: terms.kind for terms in facts.services}
    premises = {one.key: one.kind for one in facts.premises}
    view, day = law.in_region(facts.region), first_day(facts.period)
    for (key, flat, service), supply in supplies.by_place.items():
        if service not in kinds or not (key or flat):
            continue
        kind = premises.get(key, PremisesKind.COMMUNAL_ROOM if flat else PremisesKind.FLAT)
        yield (key, flat, service), supply, ladder_terms(view, day, ladder_key(kind, kinds[service]), kinds[service])


def _norm(facts: HouseFacts | None, key: NormKey, month: HouseMonth | None = None) -> Volume:
    """Return what the premises, or the rooms of the flat, were charged by the norm; nothing where they were not there.

    Heat is what the ``month`` charged, where it is known.
    """
    _, premises, flat, service = key
    terms = next((one for one in facts.services if one.service == service), None) if facts is not None else None
    if facts is None or terms is None:
        return Volume(0)
    mine = [one for one in facts.premises if _is_of(one, premises, flat)]
    if month is not None and terms.kind is ServiceKind.HEATING:
        return Volume(sum(charged_heat(month, service, one.premises) for one in mine))
    return Volume(sum(norm_volume(terms, one, facts.services) for one in mine))


def _is_of(facts: PremisesFacts, premises: int, flat: str) -> bool:
    return facts.key == premises if premises else facts.flat == flat


def _metering(
    facts: HouseFacts, supplies: "_Supplies | HouseUnreadable", norms: Mapping[NormKey, dict[int, int]], rows: _Rows
) -> Metering | HouseUnreadable:
    if isinstance(supplies, HouseUnreadable):
        return supplies
    own = {place: OwnSupply(supply=one, norms=norms.get((facts.key, *place), {})) for place, one in supplies.by_place.items()}
    return Metering(
        premises={(premises, service): one for (premises, _, service), one in own.items() if premises},
        flats={(flat, service): one for (_, flat, service), one in own.items() if flat},
        house={service: one for (premises, flat, service), one in own.items() if not premises and not flat},
        possibilities={
            (row["premises"], row["service"]): Possibility(row["possibility"])
            for one in facts.premises
            for row in rows.possibilities.get(one.key, ())
        },
        volumes={
            (row["service"], row["resource"]): (Volume(row["volume"]), Price(row["price"]))
            for row in rows.volumes.get(facts.key, ())
        },
        year={
            service: {row["period"]: Volume(row["volume"]) for row in rows.years.get(facts.key, ()) if row["service"] == service}
            for service in {row["service"] for row in rows.years.get(facts.key, ())}
        },
    )


async def read_rungs(connection: Connection, house: int, premises: int, law: Law, asked: Asked) -> dict[str, Rung]:
    """Return where the volumes of one premises come from, by service; empty for a house that cannot be read."""
    facts = await read_facts(connection, [house], asked.period)
    meterings = await read_meterings(connection, facts, law, asked)
    for one in facts:
        metering = meterings[one.key]
        if not isinstance(metering, HouseUnreadable):
            return premises_rungs(one, metering, Assembly(law=law, today=asked.today, known=asked.known), premises)
    return {}


async def list_changed_periods(connection: Connection, houses: Sequence[str], law: Law, asked: Asked) -> list[tuple[str, int]]:
    """Return (house, earlier period) whose volumes the readings of the period bring down (п. 61): they are to be recalculated.

    Read such a house with ``Asked(period=earlier, known=period)``, calculate it, and ``corrections.py`` makes the adjustments.
    """
    found: set[tuple[str, int]] = set()
    for start in range(0, len(houses), HOUSES_AT_ONCE):
        rows = await connection.fetch(SQL["houses_by_code"], list(houses[start : start + HOUSES_AT_ONCE]))
        facts = await read_facts(connection, [row["house"] for row in rows], asked.period)
        meterings = await read_meterings(connection, facts, law, asked)
        for one in facts:
            metering = meterings[one.key]
            if not isinstance(metering, HouseUnreadable):
                supplies = _Supplies(by_place=_places(metering))
                for (key, flat, service), supply, ladder in _ladders(one, supplies, law):
                    norms = (metering.premises[key, service] if key else metering.flats[flat, service]).norms
                    found |= {(one.house, period) for period in changed_periods(supply, asked.period, ladder, norms)}
    return sorted(found)


def _places(metering: Metering) -> dict[tuple[int, str, str], Supply]:
    premises = {(key, "", service): one.supply for (key, service), one in metering.premises.items()}
    return premises | {(0, flat, service): one.supply for (flat, service), one in metering.flats.items()}
