"""Drafting a run: houses are read, calculated, checked and kept, each chunk of them in one transaction of its own.

Any number of workers and of processes may work on one run: a house is taken with SKIP LOCKED and is waiting again when its worker
dies. A house that cannot be read or calculated is parked with the reason; the others go on.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import asyncpg
import msgspec

from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.core.checks import Limits
from services.billing.core.lines import ChargeLine
from services.billing.core.month import AccountShare, Adjustment, HouseMonth
from services.billing.runs.drafted import Drafted, HouseFacts, draft_house, pool_of
from services.billing.runs.keeping import RunRefused
from services.billing.runs.sources import Calculating, Connection, HouseUnreadable, Reading

SQL = load_statements("services/billing/runs/drafting.sql")

HOUSES_A_CHUNK = 8
"""A chunk's transaction lasts as long as its houses are calculated: a large house has a thousand accounts."""
WORKERS = 2

Progress = Callable[[int], None]
LINE_COLUMNS = ("run", "account", "nth", "service", "kind", "volume", "price", "amount", "of_period", "explanation")
TERM_COLUMNS = ("run", "house", "service", "recipient", "creditor", "pool", "title", "unit")
FINDING_COLUMNS = ("run", "house", "account", "service", "name", "severity", "message")


class Drafting(msgspec.Struct, frozen=True, kw_only=True):
    """By what a run is drafted. ``executor`` runs the calculation beside the event loop; None: in it."""

    reading: Reading
    calculating: Calculating
    limits: Limits = Limits()
    executor: Executor | None = None
    workers: int = WORKERS


class _Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A draft as its chunk's transaction sees it."""

    run: int
    provider: int
    code: str
    period: int
    only: frozenset[str]


def no_progress(done: int) -> None:
    """Tell nobody."""


async def draft_run(pool: "asyncpg.Pool[Any]", run: int, drafting: Drafting, progress: Progress = no_progress) -> None:
    """Do every waiting house of a draft, and those parked before once more; ``progress`` is told the houses done.

    Raises RunRefused when the run is no draft (any more).
    """
    async with pool.acquire() as connection:
        await connection.execute(SQL["retry_parked"], run)
    async with asyncio.TaskGroup() as group:
        for _ in range(drafting.workers):
            group.create_task(_work(pool, run, drafting, progress))


async def _work(pool: "asyncpg.Pool[Any]", run: int, drafting: Drafting, progress: Progress) -> None:
    async with pool.acquire() as connection, pool.acquire() as reader:
        while done := await draft_chunk(connection, reader, run, drafting):
            progress(done)


async def draft_chunk(connection: Connection, reader: Connection, run: int, drafting: Drafting) -> int:
    """Take a few waiting houses and do them, in one transaction; how many they were.

    ``reader`` reads them in a snapshot of its own: houses that others have taken are skipped only outside of one.
    """
    async with connection.transaction():
        row = await connection.fetchrow(SQL["share_draft"], run)
        if row is None or row["state"] != "draft":
            raise RunRefused(f"расчёт {run} не черновик")
        chunk = _Chunk(run=run, provider=row["provider"], code=row["code"], period=row["period"], only=frozenset(row["asked"]))
        houses = [one["house"] for one in await connection.fetch(SQL["take_houses"], run, HOUSES_A_CHUNK)]
        if not houses:
            return 0
        async with reader.transaction(isolation="repeatable_read", readonly=True):
            months = await drafting.reading.read_houses(reader, chunk.code, chunk.period, houses)
        taken: set[AccountId] = set()
        for house in houses:
            month = months.get(house, HouseUnreadable("дома нет в данных этого месяца"))
            try:
                if isinstance(month, HouseUnreadable):
                    raise month
                if month.house != house:
                    raise HouseUnreadable(f"прочитан другой дом: {month.house}")
                drafted = await _draft(connection, chunk, month, drafting)
                await _claim_accounts(connection, chunk, drafted, taken)
            except HouseUnreadable as error:
                await connection.execute(SQL["park_house"], run, house, str(error) or "не читается")
                continue
            await _keep(connection, chunk, house, drafted)
    return len(houses)


async def _draft(connection: Connection, chunk: _Chunk, month: HouseMonth, drafting: Drafting) -> Drafted:
    names = [share.account for premises in month.premises for share in premises.accounts]
    numbers = await drafting.reading.number_accounts(connection, chunk.code, names)
    unknown = sorted({name for name in names if name not in numbers and (not chunk.only or name in chunk.only)})
    if unknown:
        raise HouseUnreadable(f"лицевых счетов нет в справочнике: {', '.join(unknown[:5])} (всего {len(unknown)})")
    accounts = sorted(set(numbers.values()))
    by_number = {number: name for name, number in numbers.items()}
    asked = (accounts, chunk.period, chunk.provider)
    month = with_adjustments(month, by_number, await connection.fetch(SQL["list_adjustments"], *asked))
    lines = await _calculate(drafting, month)
    if chunk.only:
        lines = tuple([line for line in lines if line.account in chunk.only])
    previous = await connection.fetch(SQL["list_previous"], accounts, month_before(chunk.period))
    facts = HouseFacts(
        house=month,
        lines=lines,
        numbers=numbers,
        only=chunk.only,
        previous={(by_number[row["account"]], row["service"]): row["amount"] for row in previous},
        terms=await _terms(connection, chunk, month, lines),
    )
    return draft_house(facts, drafting.limits)


async def _calculate(drafting: Drafting, month: HouseMonth) -> tuple[ChargeLine, ...]:
    if drafting.executor is None:
        return drafting.calculating(month)
    return await asyncio.get_running_loop().run_in_executor(drafting.executor, drafting.calculating, month)


async def _terms(
    connection: Connection, chunk: _Chunk, month: HouseMonth, lines: Sequence[ChargeLine]
) -> Mapping[str, tuple[int, int, int, str, str]]:
    """Return (recipient, creditor, pool, title, unit) by service; of one no longer supplied, as it was last published."""
    codes = sorted({code for terms in month.services for code in (terms.recipient, terms.creditor)})
    known = {row["code"]: row["recipient"] for row in await connection.fetch(SQL["list_recipients"], codes)}
    absent = [code for code in codes if code not in known]
    if absent:
        raise HouseUnreadable(f"получателей нет в справочнике: {', '.join(absent)}")
    found = {
        terms.service: (known[terms.recipient], known[terms.creditor], pool_of(terms), terms.title, terms.unit)
        for terms in month.services
    }
    missing = sorted({line.service for line in lines} - found.keys())
    if missing:
        rows = await connection.fetch(SQL["list_known_terms"], month.house, chunk.provider, missing)
        found |= {row["service"]: tuple(row.values())[1:] for row in rows}
    return found


async def _claim_accounts(connection: Connection, chunk: _Chunk, drafted: Drafted, taken: set[AccountId]) -> None:
    """Refuse a house with an account that another house of the run has."""
    mine = [account for _run, account, _house in drafted.accounts_of(chunk.run)]
    twice = taken.intersection(mine) or [row["account"] for row in await connection.fetch(SQL["list_taken"], chunk.run, mine)]
    if twice:
        raise HouseUnreadable(f"лицевых счетов, стоящих и в другом доме: {len(twice)}")
    taken.update(mine)


async def _keep(connection: Connection, chunk: _Chunk, house: str, drafted: Drafted) -> None:
    run = chunk.run
    terms = [(run, house, service, *values) for service, values in sorted(drafted.terms.items())]
    tables = (
        ("run_terms", TERM_COLUMNS, terms),
        ("run_account", ("run", "account", "house"), drafted.accounts_of(run)),
        ("line", LINE_COLUMNS, [(run, *row) for row in drafted.lines]),
        ("finding", FINDING_COLUMNS, [(run, house, *row) for row in drafted.findings]),
    )
    for table, columns, records in tables:
        if records:
            await connection.copy_records_to_table(table, schema_name="billing", columns=columns, records=records)
    sums = (len(drafted.accounts), len(drafted.lines), drafted.amount)
    await connection.execute(SQL["finish_house"], run, house, drafted.digest, *sums)


def with_adjustments(month: HouseMonth, names: Mapping[AccountId, str], rows: Sequence[Mapping[str, Any]]) -> HouseMonth:
    """Return the month with sums decided of earlier periods at their accounts, each at the first premises of the account."""
    waiting: dict[str, list[Adjustment]] = {}
    for row in rows:
        one = Adjustment(
            service=row["service"],
            kind=row["kind"],
            amount_kopecks=row["amount"],
            cause=row["cause"],
            of_period=row["of_period"],
        )
        waiting.setdefault(names[row["account"]], []).append(one)
    if not waiting:
        return month
    replaced = msgspec.structs.replace

    def adjusted(share: AccountShare) -> AccountShare:
        return replace_adjustments(share, waiting.pop(share.account, []))

    premises = tuple([replaced(one, accounts=tuple(map(adjusted, one.accounts))) for one in month.premises])
    return replaced(month, premises=premises)


def replace_adjustments(share: AccountShare, added: Sequence[Adjustment]) -> AccountShare:
    """Return the share with more adjustments after its own."""
    return msgspec.structs.replace(share, adjustments=(*share.adjustments, *added)) if added else share


def month_before(period: int) -> int:
    """Return the period before, both yyyymm."""
    year, month = divmod(period, 100)
    return (year - 1) * 100 + 12 if month == 1 else period - 1
