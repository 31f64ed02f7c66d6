"""Reads what the housing stock says of many houses in one period: a few statements for all of them, then plain structs.

In force is, of every key, the newest row whose valid_from is not after the period's first day; residents are counted by days.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec

from ledger.statements import load_statements
from services.billing.core.absence import Application
from services.billing.core.facts import AccountFacts, HouseFacts, PremisesFacts
from services.billing.core.month import PremisesKind, ServiceTerms
from services.billing.core.quality import Act
from services.billing.core.quality_rows import Deviation, RoomKind
from services.billing.core.quantities import MICRO, Area, Ratio, divide_half_up
from services.billing.records import Record, by_number
from services.billing.stock.terms import Scopes, service_terms
from services.reference.loading import Connection

_SQL = load_statements("services/billing/stock/facts.sql")

TEMPORARY_DAYS_OVER = 5
"""Who stays temporarily for no more days in a row is not counted (п. 56 ПП 354)."""


class UnknownHouse(LookupError):
    """There is no house of that code."""


async def list_houses(connection: Connection, code: str = "") -> list[int]:
    """Return the numbers of all houses, or of the one that is named; raises UnknownHouse."""
    houses = [record["house"] for record in await connection.fetch(_SQL["every_house"], code)]
    if code and not houses:
        raise UnknownHouse(f"house {code!r} is not loaded")
    return houses


async def read_facts(
    connection: Connection, houses: Sequence[int], period: int, since: date | None = None
) -> tuple[HouseFacts, ...]:
    """Return the facts of the houses in the period (yyyymm), by number of the house; houses not in force then are left out.

    ``since``: what is in force on that day of the period instead of its first one (a provider that begins in mid-month).
    Read it in one transaction of REPEATABLE READ, or what is loaded meanwhile may show in a part of it.
    """
    outlines = await read_outlines(connection, houses, period, since)
    rows = await _read_premises(connection, houses, month_days(period), since=since)
    return tuple([_house_facts(outline, rows) for outline in outlines])


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """A house without its premises: ``facts`` have none, and ``area_all`` is 0 where only the premises' areas tell it.

    ``acts``: by premises, those of the whole house left out.
    """

    facts: HouseFacts
    acts: Mapping[int, tuple[Act, ...]]


async def read_outlines(
    connection: Connection, houses: Sequence[int], period: int, since: date | None = None
) -> tuple[Outline, ...]:
    """Return the houses that are in force in the period, by number, with services, terms and acts but no premises."""
    first, last = month_days(period)
    day = since or first
    records = await connection.fetch(_SQL["houses"], houses, day)
    contracts = await connection.fetch(_SQL["contracts"], houses, day)
    scopes = await _read_scopes(connection, houses, (period, day), (records, contracts))
    begins, ends = datetime(first.year, first.month, 1), datetime(last.year, last.month, last.day) + timedelta(days=1)
    acts = by_number(await connection.fetch(_SQL["acts"], houses, begins, ends), "house")
    of_house = by_number(contracts, "house")
    found = []
    for record in records:
        services = tuple([service_terms(record, contract, scopes) for contract in of_house[record["house"]]])
        told = {key: tuple([_act(one) for one in rows]) for key, rows in by_number(acts[record["house"]], "premises").items()}
        facts = _outline_facts(record, period, services, scopes.days_of_heating(record))
        found.append(Outline(facts=msgspec.structs.replace(facts, acts=told.pop(0, ())), acts=told))
    return tuple(found)


class _PremisesRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of all premises read: those of a house by house, the rest by premises."""

    premises: Mapping[int, list[Record]]
    areas: Mapping[int, Record]
    owners: Mapping[int, int]
    person_days: Mapping[int, int]
    services: Mapping[int, list[str]]
    accounts: Mapping[int, list[Record]]
    applications: Mapping[int, list[Record]]


async def read_norm_facts(
    connection: Connection, houses: Sequence[int], period: int, premises: Sequence[int]
) -> tuple[HouseFacts, ...]:
    """Return the houses with those ``premises`` alone, without accounts and applications: what a norm is multiplied by."""
    rows = await _read_premises(connection, houses, month_days(period), premises)
    return tuple([_house_facts(outline, rows) for outline in await read_outlines(connection, houses, period)])


async def _read_premises(
    connection: Connection,
    houses: Sequence[int],
    days: tuple[date, date],
    some: Sequence[int] | None = None,
    since: date | None = None,
) -> _PremisesRows:
    """Read each kind of row by a statement of its own: joined in one, the planner's guesses multiply. ``some``: those alone."""
    first, last = days
    day = since or first
    is_whole = some is None
    return _PremisesRows(
        premises=by_number(await connection.fetch(_SQL["premises"], houses, day, some), "house"),
        areas={row["premises"]: row for row in await connection.fetch(_SQL["areas"], houses, day, some)},
        owners=dict(await connection.fetch(_SQL["owners"], houses, day, some)),
        person_days=dict(await connection.fetch(_SQL["residents"], houses, first, last, TEMPORARY_DAYS_OVER, some)),
        services=dict(await connection.fetch(_SQL["premises_services"], houses, day, some)),
        accounts=by_number(await connection.fetch(_SQL["accounts"], houses, day) if is_whole else (), "premises"),
        applications=by_number(await connection.fetch(_SQL["applications"], houses, first, last) if is_whole else (), "premises"),
    )


async def _read_scopes(
    connection: Connection, houses: Sequence[int], when: tuple[int, date], who: tuple[Sequence[Record], Sequence[Record]]
) -> Scopes:
    period, first = when
    regions = sorted({record["region"] for record in who[0]})
    suppliers = sorted({record["supplier"] for record in who[1]})
    return Scopes(
        tariffs=await connection.fetch(_SQL["tariffs"], houses, first, suppliers, regions),
        norms=await connection.fetch(_SQL["norms"], houses, first, regions),
        heating=await connection.fetch(_SQL["heating_terms"], houses, first, regions),
        heating_days=await connection.fetch(_SQL["heating_days"], houses, period, regions),
        common=await connection.fetch(_SQL["common_terms"], houses, first),
    )


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """What one house's premises are made of."""

    rows: _PremisesRows
    outline: Outline

    def premises(self, record: Record) -> PremisesFacts:
        key, rows = record["premises"], self.rows
        area, services = rows.areas.get(key), rows.services.get(key)
        return PremisesFacts(
            premises=record["number"],
            key=key,
            kind=PremisesKind(record["kind"]),
            area=Area(area["area"] if area else 0),
            residents=Ratio(divide_half_up(rows.person_days.get(key, 0) * MICRO, self.outline.facts.days)),
            owners=rows.owners.get(key, 0),
            accounts=tuple([self._account(one) for one in rows.accounts.get(key, ())]),
            living_area=Area(area["living_area"] if area else 0),
            flat=record["flat"],
            is_without_heating=record["is_without_heating"],
            services=None if services is None else tuple(services),
            applications=tuple([application_of(one) for one in rows.applications.get(key, ())]),
            acts=self.outline.acts.get(key, ()),
        )

    def _account(self, record: Record) -> AccountFacts:
        only, excluded = record["only_services"], record["excluded"]
        if only is not None:
            excluded = [terms.service for terms in self.outline.facts.services if terms.service not in only]
        return AccountFacts(
            account=f"{record['namespace']}:{record['number']}",
            key=record["personal_account"],
            numerator=record["numerator"],
            denominator=record["denominator"],
            excluded=tuple(excluded),
        )


def _house_facts(outline: Outline, rows: _PremisesRows) -> HouseFacts:
    place, facts = _Place(rows=rows, outline=outline), outline.facts
    premises = tuple([place.premises(one) for one in rows.premises.get(facts.key, ())])
    area_all = facts.area_all or sum(one.area for one in premises)
    return msgspec.structs.replace(facts, premises=premises, area_all=Area(area_all))


def _outline_facts(record: Record, period: int, services: tuple[ServiceTerms, ...], heating_days: int | None) -> HouseFacts:
    return HouseFacts(
        house=record["code"],
        key=record["house"],
        period=period,
        days=monthrange(period // 100, period % 100)[1],
        region=record["region"],
        time_zone=record["time_zone"],
        provider=record["provider"],
        area_all=Area(record["area_all"]),
        area_common=Area(record["area_common"]),
        services=services,
        premises=(),
        heating_days=heating_days,
    )


def application_of(record: Record) -> Application:
    return Application(
        person=record["person"],
        left_on=record["left_on"],
        returned_on=record["returned_on"],
        applied_on=record["applied_on"],
        documented_on=record["documented_on"],
    )


def _act(record: Record) -> Act:
    return Act(
        number=record["number"],
        service=record["service"],
        deviation=Deviation(record["deviation"]),
        started_at=record["started_at"],
        ended_at=record["ended_at"],
        measured=record["measured"],
        outdoor=record["outdoor"],
        supplies=record["supplies"],
        room=RoomKind(record["room"]),
        is_cold_region=record["cold_region"],
    )


def month_days(period: int) -> tuple[date, date]:
    """Return the first and the last day of a period."""
    first = date(period // 100, period % 100, 1)
    return first, first.replace(day=monthrange(first.year, first.month)[1])
