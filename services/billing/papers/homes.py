"""Where the accounts of some houses live, who lives there, what their meters and the house's say: by the housing stock."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from ledger.statements import load_statements
from schemas.payment_document import HouseLine
from services.billing.core.facts import HouseFacts
from services.billing.core.periods import days_of, month_number
from services.billing.papers.metering import house_lines, meter_lines
from services.billing.papers.rows import Home
from services.billing.runs.sources import Connection
from services.billing.stock.facts import read_facts
from services.billing.stock.persons import unseal_name
from services.sealing import Sealer

_SQL = load_statements("services/billing/papers/reading.sql")


class Homes(msgspec.Struct, frozen=True, kw_only=True):
    """Homes by account, and the volumes of houses by code."""

    by_account: Mapping[int, Home]
    lines: Mapping[str, tuple[HouseLine, ...]]


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """By number of the premises."""

    identifiers: Mapping[int, str]
    registered: Mapping[int, int]
    owners: Mapping[int, tuple[str, ...]]


async def read_homes(connection: Connection, month: tuple[int, int], houses: Sequence[str], sealer: Sealer | None) -> Homes:
    """Read houses (codes) in a month (provider, period); owners' names are unsealed only when a sealer is given.

    A house or an account that the stock does not know then has no home: its document shows what the reference data keep.
    """
    provider, period = month
    first, last = days_of(month_number(period))
    addresses = {row["house"]: row["address"] for row in await connection.fetch(_SQL["addresses"], list(houses), first)}
    facts = await read_facts(connection, sorted(addresses), period)
    titles = {terms.service: terms.title for one in facts for terms in one.services}
    meters = await connection.fetch(_SQL["meters"], sorted(addresses), period, last)
    by_place = meter_lines(meters, titles)
    told = await _read_told(connection, facts, last, sealer)
    found: dict[int, Home] = {}
    for one in facts:
        for premises in one.premises:
            for account in premises.accounts:
                found[account.key] = Home(
                    premises=premises,
                    account=account,
                    address=addresses[one.key],
                    izhku=told.identifiers.get(premises.key, ""),
                    registered=told.registered.get(premises.key, 0),
                    # Which of the owners an account of a part is, nobody tells.
                    owners=told.owners.get(premises.key, ()) if account.numerator == account.denominator else (),
                    meters=(
                        *by_place.get((one.key, premises.key, ""), ()),
                        *(by_place.get((one.key, 0, premises.flat), ()) if premises.flat else ()),
                    ),
                )
    return Homes(by_account=found, lines=await _read_lines(connection, (provider, period), facts, meters))


async def _read_told(connection: Connection, facts: Sequence[HouseFacts], day: Any, sealer: Sealer | None) -> _Told:
    premises = {one.key: (house.house, one.premises) for house in facts for one in house.premises}
    numbers = list(premises)
    owners: dict[int, tuple[str, ...]] = {}
    if sealer is not None:
        for key, group in groupby(await connection.fetch(_SQL["owners"], numbers, day), itemgetter("premises")):
            owners[key] = tuple([unseal_name(sealer, (*premises[key], row["person"]), row["sealed"]) for row in group])
    return _Told(
        identifiers=dict(await connection.fetch(_SQL["identifiers"], numbers, day)),
        registered=dict(await connection.fetch(_SQL["registered"], numbers, day)),
        owners=owners,
    )


async def _read_lines(
    connection: Connection, month: tuple[int, int], facts: Sequence[HouseFacts], meters: Iterable[Any]
) -> Mapping[str, tuple[HouseLine, ...]]:
    provider, period = month
    keys, codes = [one.key for one in facts], [one.house for one in facts]
    said = _by(await connection.fetch(_SQL["house_volumes"], keys, period))
    charged = _by(await connection.fetch(_SQL["sums_of_volumes"], provider, period, codes))
    of_house = _by(meters)
    return {
        one.house: house_lines(
            one,
            {row["service"]: row["volume"] for row in said.get(one.key, ())},
            of_house.get(one.key, ()),
            {(row["service"], row["kind"]): row["volume"] for row in charged.get(one.house, ())},
        )
        for one in facts
    }


def _by(rows: Iterable[Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(row["house"], []).append(row)
    return found
