"""``corrections take``: what is known now of closed months becomes sums of the open one, each once.

The list of houses is kept, and a house is done in one transaction: whatever dies, the same command goes on with those that wait.
Two takes at once share the list; a house is locked while it is compared, so that its correction is decided once.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from ledger.statements import load_statements
from services.billing.corrections.candidates import Candidate, Search, list_candidates
from services.billing.corrections.comparing import SQL as COMPARING
from services.billing.corrections.comparing import Compared, Comparing, compare
from services.billing.corrections.deciding import SQL as DECIDING
from services.billing.corrections.deciding import Basis, Decided, Month, decide
from services.billing.runs.keeping import Person, RunRefused, person_name
from services.billing.runs.sources import Connection

SQL = load_statements("services/billing/corrections/taking.sql")

HOUSES_A_CHUNK = 8
"""A chunk's transaction lasts as long as its houses are calculated."""
SHOWN_MAX = 1_000

Progress = Callable[[int], None]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What a take came to. ``decided``: by this call; ``stopped``: houses that were not corrected, at most SHOWN_MAX of them."""

    take: int
    decided: Decided
    done: int
    open: int
    parked: int
    stopped: tuple[Compared, ...]
    drafted: int
    """Accounts of ``decided`` that a run of the month was drafted without: they must be recalculated."""


class Taking(msgspec.Struct, frozen=True, kw_only=True):
    """By what a take is made, and by whom."""

    search: Search
    comparing: Comparing
    by: Person
    clock: Callable[[], datetime]
    progress: Progress = lambda done: None


async def find_corrections(connection: Connection, month: Month, search: Search, comparing: Comparing) -> AsyncIterator[Compared]:
    """Yield what ``take`` would decide, house by house; nothing is written. The connection has no transaction open."""
    found = await list_candidates(connection, month, search)
    for chunk in _chunks(found):
        for one in await compare(connection, connection, month, chunk, comparing):
            if one.rows or one.reason:
                yield one


def _chunks(found: Sequence[Candidate]) -> list[Sequence[Candidate]]:
    chunks: list[list[Candidate]] = []
    for one in found:
        if not chunks or len(chunks[-1]) >= HOUSES_A_CHUNK or chunks[-1][0].of_period != one.of_period:
            chunks.append([])
        chunks[-1].append(one)
    return list(chunks)


async def take(pool: "asyncpg.Pool[Any]", month: Month, taking: Taking) -> Taken:
    """Decide the corrections of the open month, or go on with deciding them. Raises RunRefused."""
    async with pool.acquire() as connection, pool.acquire() as reader:
        number = await begin_take(connection, month, taking)
        decided = Decided()
        while (chunk := await take_chunk(connection, reader, month, number, taking)) is not None:
            decided = decided.plus(chunk)
        await connection.execute(SQL["finish"], number, taking.clock())
        return await _taken(connection, month, number, decided, taking)


async def begin_take(connection: Connection, month: Month, taking: Taking) -> int:
    """Return the month's take that is under way, or begin one with the houses to look at."""
    name = person_name(taking.by.name)
    if not await connection.fetchval(SQL["is_open"], month.provider, month.period):
        raise RunRefused("месяц закрыт: перерасчёты начисляет открытый")
    begun_at = taking.clock()
    async with connection.transaction():
        await connection.execute(SQL["lock_takes"], month.provider)
        under_way = await connection.fetchrow(SQL["find_open"], month.provider)
        if under_way is not None and under_way["in_period"] == month.period:
            return int(under_way["take"])
        if under_way is not None:
            await connection.execute(SQL["give_up"], under_way["take"])
            await connection.execute(SQL["finish"], under_way["take"], begun_at)
        found = await list_candidates(connection, month, taking.search)
        await connection.execute(DECIDING["begin_month"], month.provider, month.period)
        number = int(await connection.fetchval(SQL["begin"], month.provider, month.period, name, begun_at))
        columns = [one.house for one in found], [one.of_period for one in found], [one.cause for one in found]
        await connection.execute(SQL["add_houses"], number, *columns)
    return number


async def count_waiting(connection: Connection, number: int) -> int:
    """Return how many houses of a take wait."""
    return int(await connection.fetchval(SQL["count_waiting"], number))


async def take_chunk(connection: Connection, reader: Connection, month: Month, number: int, taking: Taking) -> Decided | None:
    """Correct a few waiting houses of one period, in one transaction; None when none waits.

    Houses are locked before they are read: whoever corrected them before has committed what he decided.
    """
    async with connection.transaction():
        rows = await connection.fetch(SQL["take_houses"], number, HOUSES_A_CHUNK)
        if not rows:
            return None
        given = [Candidate(house=row["house"], of_period=row["of_period"], cause=row["cause"]) for row in rows]
        for one in given:
            await connection.execute(COMPARING["lock_house"], one.house)
        decided = Decided()
        for found in await compare(connection, reader, month, given, taking.comparing):
            sums = [(row.account, row.decided) for row in found.rows]
            decided = decided.plus(await decide(connection, month, sums, Basis.FACTS, taking.by))
            await connection.execute(SQL["finish_house"], number, found.house, found.of_period, found.state, found.reason)
    taking.progress(len(given))
    return decided


async def _taken(connection: Connection, month: Month, number: int, decided: Decided, taking: Taking) -> Taken:
    counts = await connection.fetchrow(SQL["count_stopped"], number)
    assert counts is not None
    stopped = await connection.fetch(SQL["list_stopped"], number, SHOWN_MAX)
    drafted = await connection.fetchval(SQL["count_drafted"], month.provider, month.period, taking.by.at)
    return Taken(
        take=number,
        decided=decided,
        done=counts["done"],
        open=counts["open"],
        parked=counts["parked"],
        stopped=tuple([Compared(**dict(row)) for row in stopped]),
        drafted=drafted,
    )
