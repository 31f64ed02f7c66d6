"""The calculation of a run of penalties: a page of accounts a transaction, which also says how far the run has come.

Whatever dies, the draft goes on after the last page that was written, and no account is calculated twice.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import asyncpg

from services.billing.core.law import Law
from services.billing.core.penalty_changes import AccountChanges, account_changes
from services.billing.penalties.keeping import SQL, fetch_penalties
from services.billing.penalties.reading import SQL as READING
from services.billing.penalties.reading import Debtor, law_of_region, read_page
from services.billing.runs.keeping import RunRefused

ACCOUNTS_PER_PAGE = 1_000

BILLS = ("run", "account", "nth", "creditor", "bill_period", "pool", "due_on", "debt", "penalty", "before", "change", "excluded")
PARTS = ("run", "account", "nth", "part", "debt", "starts_on", "ends_on", "days", "rate", "divisor", "is_paid", "amount")
WAIVED = ("run", "waiver", "account", "amount")


async def count_debtors(connection: "asyncpg.Connection[Any]", run: int) -> int:
    """Return how many accounts of the provider are after the place that the run has reached."""
    row = await connection.fetchrow(SQL["fetch"], run)
    return 0 if row is None else int(await connection.fetchval(READING["count_accounts"], row["provider"], row["reached"]))


async def draft_penalties(
    pool: "asyncpg.Pool[Any]", run: int, law: Law, progress: Callable[[int], None], *, page: int = ACCOUNTS_PER_PAGE
) -> None:
    """Calculate what is not calculated yet of a draft; the next page is read while one is calculated. RunRefused for no draft."""
    views: dict[str, Law] = {}
    async with pool.acquire() as reader, pool.acquire() as writer:
        known = await fetch_penalties(reader, run)
        if known.state != "draft":
            raise RunRefused(f"расчёт пеней {run} в состоянии {known.state}: считается черновик (draft)")
        if known.is_complete:
            return
        reached = await writer.fetchval(SQL["reached"], run)
        place = known.provider, known.as_of
        debtors = await _read(reader, place, reached, page)
        while debtors:
            ahead = asyncio.ensure_future(_read(reader, place, debtors[-1].account, page))
            try:
                changes = await asyncio.to_thread(_calculate, debtors, law, views, known.as_of)
                await _write(writer, run, reached, list(zip(debtors, changes, strict=True)))
            finally:
                following = await ahead
            progress(len(debtors))
            reached, debtors = debtors[-1].account, following
        async with writer.transaction():
            await _hold(writer, run, reached)
            await writer.execute(SQL["reach"], run, reached, True)


async def _read(connection: "asyncpg.Connection[Any]", place: tuple[int, date], after: int, limit: int) -> list[Debtor]:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return await read_page(connection, place, after, limit)


def _calculate(debtors: Sequence[Debtor], law: Law, views: dict[str, Law], as_of: date) -> list[AccountChanges]:
    return [account_changes(one.debts, law_of_region(law, one.region, views), as_of) for one in debtors]


async def _write(
    connection: "asyncpg.Connection[Any]", run: int, reached: int, changed: Sequence[tuple[Debtor, AccountChanges]]
) -> None:
    bills, parts, waived = [], [], []
    for debtor, changes in changed:
        waived += [(run, waiver, debtor.account, amount) for waiver, amount in changes.waived]
        for nth, one in enumerate(changes.bills, start=1):
            creditor, pool, period, due = one.key
            sums = one.debt_kopecks, one.penalty.amount_kopecks, one.before_kopecks, one.change_kopecks
            bills.append((run, debtor.account, nth, creditor, period, pool, due, *sums, one.excluded))
            for part, row in enumerate(one.penalty.rows, start=1):
                when = row.starts_on, row.ends_on, row.days, row.rate, row.divisor, row.is_paid
                parts.append((run, debtor.account, nth, part, row.debt_kopecks, *when, row.amount_kopecks))
    async with connection.transaction():
        await _hold(connection, run, reached)
        for table, columns, rows in (
            ("penalty_bill", BILLS, bills),
            ("penalty_part", PARTS, parts),
            ("penalty_waived", WAIVED, waived),
        ):
            await connection.copy_records_to_table(table, schema_name="billing", columns=columns, records=rows)
        await connection.execute(SQL["reach"], run, changed[-1][0].account, False)


async def _hold(connection: "asyncpg.Connection[Any]", run: int, reached: int) -> None:
    """Hold the run, which nobody may have moved on since: two processes that draft it would write a page twice."""
    row = await connection.fetchrow(SQL["lock"], run)
    if (row["state"], row["reached"], row["is_complete"]) != ("draft", reached, False):
        raise RunRefused(f"расчёт пеней {run} ведёт другой процесс")
