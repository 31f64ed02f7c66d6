"""Drafting a run: houses are read, calculated, checked and kept, each chunk of them in one transaction of its own.

Any number of workers and of processes may work on one run: a house is taken with SKIP LOCKED and is waiting again when its worker
dies. A house that cannot be read or calculated is parked with the reason; the others go on.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import asyncpg
import msgspec

from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.core.checks import Limits
from services.billing.core.lines import ChargeLine
from services.billing.core.month import AccountShare, Adjustment, HouseMonth
from services.billing.runs.drafted import Drafted, HouseFacts, Terms, draft_house, pool_of
from services.billing.runs.keeping import RunRefused
from services.billing.runs.sources import Calculating, Connection, HouseUnreadable, Reading
from services.billing.runs.spreading import Progress, Spread, commit_lazily, do_parts

SQL = load_statements("services/billing/runs/drafting.sql")

HOUSES_A_CHUNK = 16
PART_HOUSES = 16 * HOUSES_A_CHUNK
"""A chunk's transaction lasts as long as its houses are calculated: a large house has a thousand accounts."""
WORKERS = 2

ACCOUNT_COLUMNS = ("run", "house", "account", "services", "kinds", "volumes", "prices", "amounts", "of_periods", "explanations")
TERM_COLUMNS = ("run", "house", "service", "recipient", "creditor", "pool", "title", "unit", "lines", "accounts", "amount")
FINDING_COLUMNS = ("run", "house", "account", "service", "name", "severity", "message")
NO_LINES = (0, 0, 0)


class Drafting(msgspec.Struct, frozen=True, kw_only=True):
    """By what a run is drafted. ``executor`` runs the calculation beside the event loop; None: in it."""

    reading: Reading
    calculating: Calculating
    limits: Limits = Limits()
    executor: Executor | None = None
    workers: int = WORKERS
    spread: Spread | None = None
    """Processes that read, calculate and keep houses, each by itself; ``reading`` and ``calculating`` must be picklable then."""


class _Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A draft as its chunk's transaction sees it."""

    run: int
    provider: int
    code: str
    period: int
    only: frozenset[str]


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the houses of a chunk are drafted with; ``adjustments`` and ``previous`` (by service) by the account's name."""

    chunk: _Chunk
    numbers: Mapping[str, AccountId]
    adjustments: Mapping[str, list[Mapping[str, Any]]]
    previous: Mapping[str, Mapping[str, int]]
    recipients: Mapping[str, int]


def no_progress(done: int) -> None:
    """Tell nobody."""


async def draft_run(pool: "asyncpg.Pool[Any]", run: int, drafting: Drafting, progress: Progress = no_progress) -> None:
    """Do every waiting house of a draft, and those parked before once more; ``progress`` is told the houses done.

    Raises RunRefused when the run is no draft (any more).
    """
    async with pool.acquire() as connection:
        await connection.execute(SQL["retry_parked"], run)
        waiting = await connection.fetchval(SQL["count_waiting"], run)
    if drafting.spread is not None and waiting > PART_HOUSES:
        apart = msgspec.structs.replace(drafting, executor=None, spread=None)
        parts = [PART_HOUSES] * -(-waiting // PART_HOUSES)
        await do_parts((pool, drafting.spread), parts, DraftHouses(run=run, drafting=apart, dsn=drafting.spread.dsn), progress)
    async with asyncio.TaskGroup() as group:
        for _ in range(drafting.workers):
            group.create_task(_work(pool, run, drafting, progress))


class DraftHouses(msgspec.Struct, frozen=True, kw_only=True):
    """The job of doing so many waiting houses, or what there is of them."""

    run: int
    drafting: Drafting
    dsn: str

    async def __call__(self, connection: Connection, part: int, progress: Progress) -> None:
        """Do them; the houses are read over a second connection."""
        reader = await asyncpg.connect(self.dsn)
        try:
            done = 0
            while done < part and (more := await draft_chunk(connection, reader, self.run, self.drafting)):
                done += more
                progress(more)
        finally:
            await reader.close()


async def _work(pool: "asyncpg.Pool[Any]", run: int, drafting: Drafting, progress: Progress) -> None:
    async with pool.acquire() as connection, pool.acquire() as reader:
        while done := await draft_chunk(connection, reader, run, drafting):
            progress(done)


async def draft_chunk(connection: Connection, reader: Connection, run: int, drafting: Drafting) -> int:
    """Take a few waiting houses and do them, in one transaction; how many they were.

    ``reader`` reads them in a snapshot of its own: houses that others have taken are skipped only outside of one.
    """
    async with connection.transaction():
        await commit_lazily(connection)
        row = await connection.fetchrow(SQL["share_draft"], run)
        if row is None or row["state"] != "draft":
            raise RunRefused(f"расчёт {run} не черновик")
        chunk = _Chunk(run=run, provider=row["provider"], code=row["code"], period=row["period"], only=frozenset(row["asked"]))
        houses = [one["house"] for one in await connection.fetch(SQL["take_houses"], run, HOUSES_A_CHUNK)]
        if not houses:
            return 0
        async with reader.transaction(isolation="repeatable_read", readonly=True):
            months = await drafting.reading.read_houses(reader, chunk.code, chunk.period, houses)
        read = {house: months.get(house, HouseUnreadable("дома нет в данных этого месяца")) for house in houses}
        drafted = await _draft(connection, chunk, read, drafting)
        await _keep(connection, chunk, await _claim_accounts(connection, chunk, drafted))
    return len(houses)


async def _draft(
    connection: Connection, chunk: _Chunk, months: Mapping[str, HouseMonth | HouseUnreadable], drafting: Drafting
) -> dict[str, Drafted | HouseUnreadable]:
    """Calculate the houses of a chunk; what they need from the database is read for all of them at once."""
    readable = [month for month in months.values() if isinstance(month, HouseMonth)]
    names = [share.account for month in readable for premises in month.premises for share in premises.accounts]
    facts = await _chunk_facts(connection, chunk, await drafting.reading.number_accounts(connection, chunk.code, names))
    drafted: dict[str, Drafted | HouseUnreadable] = {}
    for house, month in months.items():
        try:
            if isinstance(month, HouseUnreadable):
                raise month
            if month.house != house:
                raise HouseUnreadable(f"прочитан другой дом: {month.house}")
            drafted[house] = await _draft_house(connection, facts, month, drafting)
        except HouseUnreadable as error:
            drafted[house] = error
    return drafted


async def _chunk_facts(connection: Connection, chunk: _Chunk, numbers: Mapping[str, AccountId]) -> _Facts:
    accounts = sorted(set(numbers.values()))
    names = {number: name for name, number in numbers.items()}
    adjustments: dict[str, list[Mapping[str, Any]]] = {}
    for row in await connection.fetch(SQL["list_adjustments"], accounts, chunk.period, chunk.provider):
        adjustments.setdefault(names[row["account"]], []).append(row)
    previous: dict[str, dict[str, int]] = {}
    for row in await connection.fetch(SQL["list_previous"], accounts, month_before(chunk.period)):
        previous.setdefault(names[row["account"]], {})[row["service"]] = row["amount"]
    recipients = {row["code"]: row["recipient"] for row in await connection.fetch(SQL["list_recipients"])}
    return _Facts(chunk=chunk, numbers=numbers, adjustments=adjustments, previous=previous, recipients=recipients)


async def _draft_house(connection: Connection, facts: _Facts, month: HouseMonth, drafting: Drafting) -> Drafted:
    only = facts.chunk.only
    names = [share.account for premises in month.premises for share in premises.accounts]
    numbers = {name: facts.numbers[name] for name in names if name in facts.numbers}
    unknown = sorted({name for name in names if name not in numbers and (not only or name in only)})
    if unknown:
        raise HouseUnreadable(f"лицевых счетов исполнителя нет в справочнике: {', '.join(unknown[:5])} (всего {len(unknown)})")
    month = with_adjustments(month, {name: facts.adjustments[name] for name in numbers if name in facts.adjustments})
    lines = await _calculate(drafting, month)
    if only:
        lines = tuple([line for line in lines if line.account in only])
    house_facts = HouseFacts(
        house=month,
        lines=lines,
        numbers=numbers,
        only=only,
        previous={(name, service): sum_ for name in numbers for service, sum_ in facts.previous.get(name, {}).items()},
        terms=await _terms(connection, facts, month, lines),
    )
    return draft_house(house_facts, drafting.limits)


async def _calculate(drafting: Drafting, month: HouseMonth) -> tuple[ChargeLine, ...]:
    if drafting.executor is None:
        return drafting.calculating(month)
    return await asyncio.get_running_loop().run_in_executor(drafting.executor, drafting.calculating, month)


async def _terms(connection: Connection, facts: _Facts, month: HouseMonth, lines: Sequence[ChargeLine]) -> Terms:
    """Return who is paid, by service; of one no longer supplied, as it was last published."""
    known = facts.recipients
    codes = sorted({code for terms in month.services for code in (terms.recipient, terms.creditor)})
    absent = [code for code in codes if code not in known]
    if absent:
        raise HouseUnreadable(f"получателей нет в справочнике: {', '.join(absent)}")
    found = {
        terms.service: (known[terms.recipient], known[terms.creditor], pool_of(terms), terms.title, terms.unit)
        for terms in month.services
    }
    missing = sorted({line.service for line in lines} - found.keys())
    if missing:
        rows = await connection.fetch(SQL["list_known_terms"], month.house, facts.chunk.provider, missing)
        found |= {row["service"]: tuple(row.values())[1:] for row in rows}
    return found


async def _claim_accounts(
    connection: Connection, chunk: _Chunk, drafted: Mapping[str, Drafted | HouseUnreadable]
) -> dict[str, Drafted | HouseUnreadable]:
    """Refuse each house with an account that a house before it in the run has."""
    wanted = [row[0] for one in drafted.values() if isinstance(one, Drafted) for row in one.accounts]
    taken = {row["account"] for row in await connection.fetch(SQL["list_taken"], chunk.run, wanted)}
    claimed: dict[str, Drafted | HouseUnreadable] = {}
    for house, one in drafted.items():
        claimed[house] = one
        if isinstance(one, HouseUnreadable):
            continue
        mine = {row[0] for row in one.accounts}
        if twice := mine & taken:
            claimed[house] = HouseUnreadable(f"лицевых счетов, стоящих и в другом доме: {len(twice)}")
        else:
            taken |= mine
    return claimed


async def _keep(connection: Connection, chunk: _Chunk, drafted: Mapping[str, Drafted | HouseUnreadable]) -> None:
    """Write a chunk, a table at a time; houses that could not be drafted are parked."""
    run = chunk.run
    done = {house: one for house, one in drafted.items() if isinstance(one, Drafted)}
    reasons = {house: str(one) or "не читается" for house, one in drafted.items() if isinstance(one, HouseUnreadable)}
    terms = [
        (run, house, service, *values, *one.totals.get(service, NO_LINES))
        for house, one in done.items()
        for service, values in sorted(one.terms.items())
    ]
    tables = (
        ("run_terms", TERM_COLUMNS, terms),
        ("run_account", ACCOUNT_COLUMNS, [(run, house, *row) for house, one in done.items() for row in one.accounts]),
        ("finding", FINDING_COLUMNS, [(run, house, *row) for house, one in done.items() for row in one.findings]),
    )
    for table, columns, records in tables:
        if records:
            await connection.copy_records_to_table(table, schema_name="billing", columns=columns, records=records)
    sums = [(house, one.digest, len(one.accounts), one.lines, one.amount) for house, one in done.items()]
    if sums:
        await connection.execute(SQL["finish_houses"], run, *map(list, zip(*sums, strict=True)))
    if reasons:
        await connection.execute(SQL["park_houses"], run, list(reasons), list(reasons.values()))


def with_adjustments(month: HouseMonth, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> HouseMonth:
    """Return the month with sums decided of earlier periods at their accounts, each at the first premises of the account."""
    if not rows:
        return month
    waiting = {name: [_adjustment(row) for row in of_account] for name, of_account in rows.items()}
    replaced = msgspec.structs.replace

    def adjusted(share: AccountShare) -> AccountShare:
        return replace_adjustments(share, waiting.pop(share.account, []))

    premises = tuple([replaced(one, accounts=tuple(map(adjusted, one.accounts))) for one in month.premises])
    return replaced(month, premises=premises)


def _adjustment(row: Mapping[str, Any]) -> Adjustment:
    return Adjustment(
        service=row["service"],
        kind=row["kind"],
        amount_kopecks=row["amount"],
        cause=row["cause"],
        of_period=row["of_period"],
    )


def replace_adjustments(share: AccountShare, added: Sequence[Adjustment]) -> AccountShare:
    """Return the share with more adjustments after its own."""
    return msgspec.structs.replace(share, adjustments=(*share.adjustments, *added)) if added else share


def month_before(period: int) -> int:
    """Return the period before, both yyyymm."""
    year, month = divmod(period, 100)
    return (year - 1) * 100 + 12 if month == 1 else period - 1
