"""``corrections yearly``: heating paid evenly and the common property corrected to their year by meters, in an open month, once.

A repeat compares with what it decided before and decides the difference, which is nothing where nothing changed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.core.assembling import HEATING, MEASURED, Metering, OwnSupply, ladder_key, ladder_terms
from services.billing.core.facts import HouseFacts
from services.billing.core.ladder import averages_run_out, rung_of
from services.billing.core.lines import ChargeLine, LineKind
from services.billing.core.month import Adjustment, HeatingWay, HouseMonth, PremisesKind, ServiceKind, ServiceTerms
from services.billing.core.periods import MONTHS, days_of, month_number
from services.billing.core.year import HeatYear, YearIncomplete, common_corrections, heating_corrections
from services.billing.corrections.comparing import SQL as COMPARING
from services.billing.corrections.comparing import Compared, Comparing, Row
from services.billing.corrections.deciding import Basis, Month, decide
from services.billing.reading import Asked, StockReading, read_meterings, read_months
from services.billing.runs.keeping import Person, RunRefused
from services.billing.runs.sources import Connection, HouseUnreadable
from services.billing.stock.facts import read_facts

SQL = load_statements("services/billing/corrections/yearly.sql")

COMMON = (
    ServiceKind.COMMON_COLD_WATER,
    ServiceKind.COMMON_HOT_WATER,
    ServiceKind.COMMON_SEWAGE,
    ServiceKind.COMMON_ELECTRICITY,
)
GROUPS: Mapping[str, tuple[ServiceKind, ...]] = {"heating": (ServiceKind.HEATING,), "common": COMMON}
"""What a year is corrected of: heating that is paid evenly, and resources for the common property."""


class Yearly(msgspec.Struct, frozen=True, kw_only=True):
    """A year to be corrected, of what group of services, by whom."""

    year: int
    group: str
    comparing: Comparing
    by: Person

    @property
    def periods(self) -> tuple[int, ...]:
        """The twelve months."""
        return tuple([self.year * 100 + month for month in range(1, MONTHS + 1)])


async def list_year_houses(connection: Connection, month: Month, yearly: Yearly) -> Sequence[str]:
    """Return the houses that the provider bills in the year's last month; RunRefused for a year that is not over."""
    if yearly.periods[-1] >= month.period:
        raise RunRefused("год корректируется после того, как он кончился")
    reading = StockReading(yearly.comparing.law, yearly.comparing.today)
    return await reading.list_houses(connection, month.code, yearly.periods[-1])


async def correct_year(
    pool: "asyncpg.Pool[Any]", month: Month, house: str, yearly: Yearly, *, is_found_only: bool = False
) -> tuple[Compared, ...]:
    """Decide one house's yearly corrections, or only find them: a row a service; RunRefused when the open month is closed."""
    async with pool.acquire() as connection, pool.acquire() as reader, connection.transaction():
        await connection.execute(COMPARING["lock_house"], house)
        found = []
        try:
            read = await _read_year(reader, month, house, yearly)
        except (HouseUnreadable, YearIncomplete) as error:
            return (_stopped(house, yearly, str(error)),)
        for terms in read.services:
            try:
                rows = await _service_rows(connection, month, read, terms, yearly)
            except YearIncomplete as error:
                found.append(_stopped(house, yearly, f"{terms.title}: {error}"))
                continue
            found.append(
                Compared(house=house, of_period=yearly.periods[-1], cause=_cause(terms, yearly), state="done", rows=rows)
            )
            if not is_found_only:
                sums = [(row.account, row.decided) for row in rows]
                await decide(connection, month, sums, Basis.YEAR, yearly.by)
        return tuple(found)


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """A house's year: its months, the last month's facts and meters, the services to be corrected."""

    house: str
    months: tuple[HouseMonth, ...]
    facts: HouseFacts
    metering: Metering
    services: tuple[ServiceTerms, ...]


def _stopped(house: str, yearly: Yearly, reason: str) -> Compared:
    return Compared(house=house, of_period=yearly.periods[-1], cause="", state="parked", reason=reason or "не читается")


def _cause(terms: ServiceTerms, yearly: Yearly) -> str:
    return f"корректировка за {yearly.year} год по показаниям общедомового прибора: {terms.title}"


async def _read_year(reader: Connection, month: Month, house: str, yearly: Yearly) -> _Read:
    law, known = yearly.comparing.law, month.period
    async with reader.transaction(isolation="repeatable_read", readonly=True):
        months = []
        for period in yearly.periods:
            asked = Asked(period=period, today=yearly.comparing.today, known=known, provider=month.code)
            one = (await anext(read_months(reader, [house], law, asked)))[house]
            if isinstance(one, HouseUnreadable):
                raise HouseUnreadable(f"{period % 100:02d}.{period // 100}: {one}")
            months.append(one)
        number = await reader.fetchval(COMPARING["number_house"], house)
        (facts,) = await read_facts(reader, [number], yearly.periods[-1])
        after = Asked(period=(yearly.year + 1) * 100 + 1, today=yearly.comparing.today, known=known)
        metering = (await read_meterings(reader, [facts], law, after))[number]
    if isinstance(metering, HouseUnreadable):
        raise metering
    services = [terms for terms in facts.services if terms.kind in GROUPS[yearly.group]]
    even = [terms for terms in services if terms.kind not in HEATING or terms.heating_way is HeatingWay.EVEN]
    return _Read(house=house, months=tuple(months), facts=facts, metering=metering, services=tuple(even))


async def _service_rows(
    connection: Connection, month: Month, read: _Read, terms: ServiceTerms, yearly: Yearly
) -> tuple[Row, ...]:
    """Return the service's corrections: of every account of the house, none that a person declined."""
    span = yearly.periods[0], yearly.periods[-1]
    known = {row["period"] for row in await connection.fetch(SQL["list_charged_months"], month.provider, read.house, *span)}
    missing = [f"{period % 100:02d}" for period in yearly.periods if period not in known]
    if missing:
        raise YearIncomplete(f"начислено не за все месяцы года здесь: нет {', '.join(missing)}")
    charged = await _charged(connection, month, read, terms, yearly)
    if terms.kind in HEATING:
        lines = heating_corrections(read.months, terms.service, _heat_year(read, terms, (month, yearly)), charged)
    else:
        lines = common_corrections(read.months, terms.service, charged)
    return await _rows(connection, month, lines, _cause(terms, yearly))


async def _charged(connection: Connection, month: Month, read: _Read, terms: ServiceTerms, yearly: Yearly) -> Mapping[str, int]:
    """Return what premises were charged in the year, by name."""
    sums: dict[str, int] = {}
    rows = await connection.fetch(SQL["list_year"], read.house, month.provider, terms.service, list(yearly.periods))
    for row in rows:
        if row["places"] > 1 and row["amount"]:
            raise YearIncomplete("лицевой счёт стоял в нескольких помещениях: чьё начислено, не известно")
        sums[row["premises"]] = sums.get(row["premises"], 0) + row["amount"]
    return sums


def _heat_year(read: _Read, terms: ServiceTerms, by: tuple[Month, Yearly]) -> HeatYear:
    """Return the year by meters; months that no act, bill or meter of the house tells of are YearIncomplete."""
    told = read.metering.year.get(terms.service, {})
    is_told_whole = bool(told) and len(told) >= terms.heating_months
    own = None if is_told_whole else _months_of(read.metering.house.get(terms.service), terms, None, (read, *by))
    if not is_told_whole and own is None:
        raise YearIncomplete("нет объёмов тепла дома за год")
    house = [int(told.get(period, 0)) if own is None else int(told.get(period, own[n])) for n, period in enumerate(by[1].periods)]
    metered = {
        one.premises: volumes
        for one in read.facts.premises
        if (own_supply := read.metering.premises.get((one.key, terms.service))) is not None
        and (volumes := _months_of(own_supply, terms, one.kind, (read, *by))) is not None
    }
    return HeatYear(house=tuple(house), premises=metered)


def _months_of(
    own: OwnSupply | None, terms: ServiceTerms, kind: PremisesKind | None, by: tuple[_Read, Month, Yearly]
) -> tuple[int, ...] | None:
    """Return the twelve volumes of a supply, None where a month of it is not by the meter or its average."""
    if own is None:
        return None
    read, month, yearly = by
    law = yearly.comparing.law.in_region(read.facts.region)
    volumes = []
    for period in yearly.periods:
        day = days_of(month_number(period))[0]
        ladder = ladder_terms(law, day, ladder_key(kind, terms.kind), terms.kind)
        rung = rung_of(own.supply, period, ladder, averages_run_out(own.supply, period, ladder, month.period), month.period)
        if rung.source not in MEASURED:
            return None
        volumes.append(sum(volume for _, volume in rung.zones))
    return tuple(volumes)


async def _rows(connection: Connection, month: Month, lines: Sequence[ChargeLine], cause: str) -> tuple[Row, ...]:
    names = sorted({line.account for line in lines})
    numbers = {
        row["name"]: AccountId(row["personal_account"]) for row in await connection.fetch(COMPARING["number_accounts"], names)
    }
    if len(numbers) < len(names):
        raise YearIncomplete("лицевых счетов дома нет в справочнике")
    of_period = lines[0].of_period if lines else 0
    declined = {
        tuple(row)
        for row in await connection.fetch(
            COMPARING["list_declined"], list(numbers.values()), of_period, month.provider, Basis.YEAR.value
        )
    }
    rows = [Row(account=numbers[line.account], name=line.account, decided=_adjustment(line, cause)) for line in lines]
    return tuple([row for row in rows if (row.account, row.decided.service, row.decided.amount_kopecks) not in declined])


def _adjustment(line: ChargeLine, cause: str) -> Adjustment:
    return Adjustment(
        service=line.service,
        kind=int(LineKind.CORRECTION),
        amount_kopecks=line.amount_kopecks,
        cause=cause,
        of_period=line.of_period,
    )
