"""Publication of an approved run: lines become charges, documents and allocation tables, a chunk of accounts at a time.

One connection writes charges, a chunk in a short transaction; others build tables through the ledger's door while payments flow.
Whatever dies, the run goes on with the accounts that are not published yet: (run, account) is the place.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import asyncpg
import msgspec

from ledger.core.entry import MOSCOW
from ledger.publication import publish_accounts
from schemas.ids import AccountId
from services.billing.runs.documents import SQL, Printing, ProveRange, make_documents, note_tables, published_totals
from services.billing.runs.keeping import Run, RunRefused, fetch_run
from services.billing.runs.sources import Connection, DueDate
from services.billing.runs.spreading import Spread, do_parts
from services.billing.runs.straight import PublishRange, begin_straight, list_ranges
from services.reference.charge_rows import begin_staging, print_totals, write_staged

CHUNK_ACCOUNTS = 1_024
"""The charges' lock is held for a chunk: some tenths of a second."""
BUILDERS = 2
PROOF_ACCOUNTS = 8_192
RANGE_CHUNKS = 16
"""Chunks of the straight way that a worker takes at a time."""
WAITING_CHUNKS_MAX = 2 * BUILDERS
ROUNDS_MAX = 5
"""A document is remade as often for an account that is paid while it is published; after that it waits for the next try."""
SHOWN_PARKED_MAX = 100
LOCK_KEY = 0x6B6F7062
"""Any constant number known to all publishers: the letters "kopb"."""

Progress = Callable[[int], None]
Clock = Callable[[], datetime]


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """An account that could not be published, and why."""

    account: str
    reason: str


class PublishReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a run's accounts ended; ``parked`` are the first SHOWN_PARKED_MAX of ``parked_count``."""

    run: int
    state: str
    published: int
    unchanged: int
    parked_count: int
    parked: tuple[Parked, ...]


class Publishing(msgspec.Struct, frozen=True, kw_only=True):
    """By what a run is published."""

    due_date: DueDate
    clock: Clock
    progress: Progress
    chunk_accounts: int = CHUNK_ACCOUNTS
    spread: Spread | None = None
    """Processes that publish; None: connections of this process."""


class _Chunk(NamedTuple):
    accounts: list[AccountId]
    """To be built and published."""
    resumed: list[AccountId]
    """Those of them whose document stood before: their tables may be published already."""


Chunks = asyncio.Queue["_Chunk | None"]


def publisher_of(run: int) -> str:
    """Return the name under which a run's tables are published."""
    return f"billing run {run}"


async def publish_run(pool: "asyncpg.Pool[Any]", run: int, publishing: Publishing) -> PublishReport:
    """Publish what is not published yet of an approved run; once more changes nothing.

    Parked accounts are tried again. Raises RunRefused for a run that nobody approved, or that another process publishes;
    LoadBusy while a long load of charges runs.
    """
    async with pool.acquire() as connection:
        known = await fetch_run(connection, run)
        if known.state not in ("approved", "publishing", "published"):
            raise RunRefused(f"расчёт {run} в состоянии {known.state}: публикуется утверждённый")
        if not await connection.fetchval(SQL["try_lock"], LOCK_KEY, run):
            raise RunRefused(f"расчёт {run} уже публикуется")
        try:
            await connection.execute(SQL["begin"], run, publishing.due_date(known.period, _today(publishing)))
            if await count_pending(connection, run):
                if known.kind == "month":
                    await _publish_straight(pool, connection, known, publishing)
                await _publish_pending(pool, connection, known, publishing)
                await _park_mismatches(pool, connection, known, publishing)
            await connection.execute(SQL["finish"], run, publishing.clock())
        finally:
            if not connection.is_closed():
                await connection.fetchval(SQL["unlock"], LOCK_KEY, run)
        return await fetch_report(connection, run)


async def count_pending(connection: Connection, run: int) -> int:
    """Return how many accounts of a run are not published yet."""
    return int(await connection.fetchval(SQL["count_pending"], run))


async def fetch_report(connection: Connection, run: int) -> PublishReport:
    """Return how a run's accounts stand."""
    states = {row["state"]: row["accounts"] for row in await connection.fetch(SQL["count_states"], run)}
    parked = await connection.fetch(SQL["list_parked"], run, SHOWN_PARKED_MAX)
    return PublishReport(
        run=run,
        state=(await fetch_run(connection, run)).state,
        published=states.get("published", 0),
        unchanged=states.get("unchanged", 0),
        parked_count=states.get("parked", 0),
        parked=tuple([Parked(account=f"{row['namespace']}:{row['number']}", reason=row["reason"]) for row in parked]),
    )


async def _publish_straight(pool: "asyncpg.Pool[Any]", connection: Connection, known: Run, publishing: Publishing) -> None:
    """Publish what goes the straight way (``straight.py``); it is the rest that ``_publish_pending`` finds."""
    due_on = (await fetch_run(connection, known.run)).due_on
    assert due_on is not None, "a run that is being published has a due date"
    straight = await begin_straight(connection, _printing(known, publishing), due_on, publisher_of(known.run))
    straight = msgspec.structs.replace(straight, chunk_accounts=min(straight.chunk_accounts, publishing.chunk_accounts))
    ranges = await list_ranges(connection, known.run, RANGE_CHUNKS * straight.chunk_accounts)
    await do_parts(
        (pool, publishing.spread), ranges, PublishRange(straight=straight, clock=publishing.clock), publishing.progress
    )


async def _publish_pending(pool: "asyncpg.Pool[Any]", connection: Connection, known: Run, publishing: Publishing) -> None:
    chunks: Chunks = asyncio.Queue(WAITING_CHUNKS_MAX)
    async with asyncio.TaskGroup() as group:
        for _ in range(BUILDERS):
            group.create_task(_build(pool, known, chunks, publishing))
        after = AccountId(0)
        while rows := await connection.fetch(SQL["list_pending"], known.run, after, publishing.chunk_accounts):
            after = rows[-1]["account"]
            resumed = [row["account"] for row in rows if row["is_charged"]]
            fresh = [row["account"] for row in rows if not row["is_charged"]]
            charged = await charge_chunk(connection, _printing(known, publishing), known.kind, fresh)
            publishing.progress(len(fresh) - len(charged))
            await chunks.put(_Chunk([*resumed, *charged], resumed))
        for _ in range(BUILDERS):
            await chunks.put(None)


def _printing(known: Run, publishing: Publishing) -> Printing:
    return Printing(known.run, known.period, _today(publishing))


def _today(publishing: Publishing) -> date:
    return publishing.clock().astimezone(MOSCOW).date()


async def charge_chunk(
    connection: Connection, printing: Printing, kind: str, accounts: Sequence[AccountId]
) -> tuple[AccountId, ...]:
    """Fold the accounts' lines into charges and make their documents, in one transaction; the accounts that got one.

    Accounts that break a rule of the reference data are parked; those that nothing changes for are left as they are.
    """
    if not accounts:
        return ()
    run, period, today = printing
    async with connection.transaction():
        await begin_staging(connection)
        await connection.execute(SQL["fold"], run, list(accounts), period)
        sums = await connection.fetchrow(SQL["sums_of_fold"], run, list(accounts))
        assert sums["folded"] == sums["lines"], f"run {run}: {sums['lines']} kopecks were folded into {sums['folded']}"
        due_on = (await fetch_run(connection, run)).due_on
        await connection.execute(SQL["stage_accounts"], list(accounts))
        await connection.execute(SQL["stage_payees"])
        await connection.execute(SQL["stage_charges"], period, due_on)
        written = await write_staged(connection)
        rows = await connection.fetch(SQL["list_documented"], run, list(accounts), kind, list(written.touched))
        documented = sorted({row[0] for row in rows} - written.refused.keys())
        await _park(connection, printing, written.refused)
        others = sorted(set(accounts) - set(documented) - written.refused.keys())
        await connection.execute(SQL["leave_unchanged"], run, others, today)
        await print_totals(connection, period, await make_documents(connection, printing, documented))
    return tuple(documented)


async def _build(pool: "asyncpg.Pool[Any]", known: Run, chunks: Chunks, publishing: Publishing) -> None:
    async with pool.acquire() as connection:
        while (chunk := await chunks.get()) is not None:
            stands = await _settle(connection, known.run, chunk.resumed, publisher_of(known.run)) if chunk.resumed else set()
            await _publish(connection, known, [one for one in chunk.accounts if one not in stands], publishing)
            publishing.progress(len(chunk.accounts))


async def _publish(connection: Connection, known: Run, accounts: Sequence[AccountId], publishing: Publishing) -> None:
    """Publish tables until each says what its document prints; documents of accounts paid meanwhile are remade."""
    reasons: dict[AccountId, str] = {}
    for _ in range(ROUNDS_MAX):
        if not accounts:
            return
        report = await publish_accounts(connection, accounts, publishing.clock(), publisher_of(known.run))
        reasons = {error.account: error.reason for error in report.failed}
        built = [account for account in accounts if account not in reasons]
        stands = await _settle(connection, known.run, built)
        for mismatch in await published_totals(connection, known.run, [one for one in built if one not in stands]):
            reasons.setdefault(mismatch.account, str(mismatch))
        accounts = sorted(reasons)
        changed = await _remake(connection, _printing(known, publishing), accounts)
        stuck = {account: reasons[account] for account in accounts if account not in changed}
        await _park(connection, _printing(known, publishing), stuck)
        accounts = sorted(changed)
    await _park(connection, _printing(known, publishing), {account: reasons[account] for account in accounts})


async def _settle(connection: Connection, run: int, accounts: Sequence[AccountId], publisher: str = "") -> set[AccountId]:
    """Mark documents as published whose tables say what they print; those accounts."""
    noted = await note_tables(connection, run, accounts, publisher)
    wrong = {mismatch.account for mismatch in await published_totals(connection, run, noted)} if noted else set()
    stands = {account for account in noted if account not in wrong}
    await connection.execute(SQL["mark_published"], run, sorted(stands))
    return stands


async def _remake(connection: Connection, printing: Printing, accounts: Sequence[AccountId]) -> set[AccountId]:
    """Make the documents anew; the accounts that print another sum now."""
    if not accounts:
        return set()
    async with connection.transaction():
        before = {row["account"]: tuple(row) for row in await connection.fetch(SQL["list_printed"], printing.run, list(accounts))}
        await print_totals(connection, printing.period, await make_documents(connection, printing, accounts))
        after = await connection.fetch(SQL["list_printed"], printing.run, list(accounts))
    return {row["account"] for row in after if tuple(row) != before[row["account"]]}


async def _park(connection: Connection, printing: Printing, reasons: dict[AccountId, str]) -> None:
    if reasons:
        columns = (list(reasons), list(reasons.values()))
        await connection.execute(SQL["park"], printing.run, *columns, printing.today)


async def _park_mismatches(pool: "asyncpg.Pool[Any]", connection: Connection, known: Run, publishing: Publishing) -> None:
    """Hold the whole run to the proof, a range of accounts at a time; an account that fails it is parked."""
    bounds = [row["account"] for row in await connection.fetch(SQL["list_bounds"], known.run, PROOF_ACCOUNTS)]
    ranges = list(zip([0, *bounds], bounds, strict=False))
    found = await do_parts((pool, publishing.spread), ranges, ProveRange(run=known.run), lambda done: None)
    wrong = {mismatch.account: str(mismatch) for mismatches in found for mismatch in mismatches}
    await _park(connection, _printing(known, publishing), wrong)
