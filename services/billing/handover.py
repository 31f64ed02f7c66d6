"""Houses whose provider (исполнитель) changes within a month: who bills which part of it (docs/billing-offsets.md)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.core.facts import HouseFacts
from services.billing.core.meters import MeterLife
from services.billing.core.month import HouseMonth
from services.billing.core.part_month import MonthPart, PartMonth, measured_parts, part_of_month
from services.billing.core.periods import days_of, month_number
from services.billing.runs.sources import Connection, HouseUnreadable
from services.billing.stock.facts import read_facts

SQL = load_statements("services/billing/handover.sql")


HousedLife = tuple[int, str, str, MeterLife]
"""Premises or 0, communal flat or empty, service, and the meter's life."""


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """Until the day before ``changed_on`` the house is billed by ``first``, from then on by ``second`` (codes).

    ``times``: how often the provider changes in the month; more than once is not calculated.
    """

    changed_on: date
    first: str
    second: str
    times: int

    def is_rest(self, provider: str) -> bool:
        """Whether the part of ``provider`` is the one from the change on; of nobody in particular it is the first."""
        return provider == self.second and provider != self.first


async def list_handovers(connection: Connection, houses: Sequence[int], period: int) -> dict[int, Handover]:
    """Return the changes within the period, by house; nearly always none."""
    rows = await connection.fetch(SQL["handovers"], list(houses), *days_of(month_number(period)))
    return {
        row["house"]: Handover(changed_on=row["changed_on"], first=row["first"], second=row["second"], times=row["times"])
        for row in rows
    }


async def with_handed_over(connection: Connection, codes: list[str], provider: str, period: int) -> list[str]:
    """Return the codes with those of the houses that come to the provider in mid-month, ascending."""
    rows = await connection.fetch(SQL["handed_over"], provider, *days_of(month_number(period)))
    return sorted({*codes, *[row["code"] for row in rows]}) if rows else codes


async def find_handed_over(
    connection: Connection, names: tuple[list[str], list[str], list[str]], provider: str, period: int
) -> dict[str, str]:
    """Return the house of each account that stands, at the month's end, in a house that came to the provider in mid-month."""
    rows = await connection.fetch(SQL["handed_over_accounts"], *names, provider, *days_of(month_number(period)))
    return {row["name"]: row["code"] for row in rows}


async def read_facts_of(
    connection: Connection, houses: Sequence[int], period: int, provider: str, changes: Mapping[int, Handover]
) -> tuple[HouseFacts, ...]:
    """Return the houses as the provider bills them: from a change to it on by what is in force on that day."""
    since: defaultdict[date, list[int]] = defaultdict(list)
    for house, change in changes.items():
        if change.is_rest(provider):
            since[change.changed_on].append(house)
    late = {house for some in since.values() for house in some}
    facts = list(await read_facts(connection, [house for house in houses if house not in late], period))
    for day, some in since.items():
        facts += await read_facts(connection, some, period, day)
    return tuple(sorted(facts, key=lambda one: one.key))


def as_parts(
    houses: Sequence[tuple[HouseFacts, HouseMonth | HouseUnreadable]],
    changes: Mapping[int, Handover],
    provider: str,
    lives: Mapping[int, Sequence[HousedLife]],
) -> dict[str, HouseMonth | HouseUnreadable]:
    """Return the months of houses that change their provider as the provider's parts of them, by code."""
    return {
        facts.house: _as_part(month, changes[facts.key], provider, _lives_by_place(facts, lives.get(facts.key, ())))
        if isinstance(month, HouseMonth)
        else month
        for facts, month in houses
    }


def _as_part(
    month: HouseMonth, change: Handover, provider: str, lives: Mapping[tuple[str, str], Sequence[MeterLife]]
) -> PartMonth | HouseUnreadable:
    """Return the month as the provider's part of it; ``lives`` by (premises, service)."""
    if change.times > 1:
        return HouseUnreadable("исполнитель дома сменился в этом месяце больше одного раза")
    part = MonthPart(
        days=change.changed_on.day - 1,
        of_days=month.days,
        is_rest=change.is_rest(provider),
        measured=measured_parts(month, lives, change.changed_on),
    )
    return part_of_month(month, part)


def _lives_by_place(facts: HouseFacts, lives: Iterable[HousedLife]) -> dict[tuple[str, str], list[MeterLife]]:
    """Return the meters of premises by (number of the premises, service)."""
    numbers = {one.key: one.premises for one in facts.premises}
    found: dict[tuple[str, str], list[MeterLife]] = {}
    for premises, _, service, life in lives:
        if premises in numbers:
            found.setdefault((numbers[premises], service), []).append(life)
    return found


class LeftAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An open account of the provider that a house left."""

    house: str
    account: AccountId
    name: str


async def list_left_accounts(connection: Connection, provider: str, period: int) -> tuple[LeftAccount, ...]:
    """Return the open accounts of a provider in the houses that leave it within the period."""
    rows = await connection.fetch(SQL["every_handover"], provider, *days_of(month_number(period)))
    return tuple([LeftAccount(house=row["house"], account=row["personal_account"], name=row["name"]) for row in rows])


async def keep_debts_only(connection: Connection, accounts: Sequence[AccountId]) -> int:
    """Let accounts take payments of debts alone, no advance; they are due for another table. How many were open."""
    return int(await connection.fetchval(SQL["keep_debts_only"], list(accounts)))
