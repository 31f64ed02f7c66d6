"""Publication of approved penalties: charges of kind 1 in the run's period and their documents, then the accounts' tables.

A chunk of accounts is charged in one transaction with its documents, so that nothing is charged twice whatever dies; tables
follow through the ledger's door, and an account whose table is to come is published at the next try. Payments flow meanwhile: an
account that was charged or paid penalties since the draft in a way that the draft did not see is parked, not guessed at.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import asyncpg
import msgspec

from ledger.core.entry import MOSCOW
from ledger.publication import publish_accounts
from ledger.statements import load_statements
from schemas.allocation import Kind, Pool
from schemas.ids import AccountId
from services.billing.penalties.keeping import PenaltyRun, fetch_penalties
from services.billing.penalties.reading import read_debtors
from services.billing.runs.keeping import RunRefused
from services.billing.runs.publishing import Parked, Publishing
from services.billing.runs.sources import Connection
from services.reference.charge_rows import ChargeRow, begin_staging, stage_rows, write_staged

SQL = load_statements("services/billing/penalties/publishing.sql")

CHUNK_ACCOUNTS = 512
SHOWN_PARKED_MAX = 100
LOCK_KEY = 0x6B6F7070
"""Any constant number known to all publishers of penalties: the letters "kopp"."""
PENALTY_SERVICE = "penalty"
"""Service of the payee: penalties are the creditor's own, whoever supplies."""

OVERTAKEN = "после расчёта пени этого счёта начислены иначе: рассчитайте их снова"
PAID_SINCE = "после расчёта оплачено больше пеней, чем остаётся: рассчитайте их снова"
PERIOD_IS_PAST = "начисления следующего месяца уже опубликованы: пени этого месяца больше не меняются"


class PenaltyReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended, in documents; ``parked`` are the first SHOWN_PARKED_MAX of ``parked_count`` documents.

    ``waiting`` are charged and their accounts' tables could not be built: publish again.
    """

    run: int
    state: str
    published: int
    waiting: int
    charged_kopecks: int
    parked_count: int
    parked: tuple[Parked, ...]


class _Change(NamedTuple):
    """What the run charges an account for one creditor and pool; ``charged`` is less what is waived."""

    account: AccountId
    creditor: int
    pool: Pool
    charged: int
    before: int


async def publish_penalties(pool: "asyncpg.Pool[Any]", run: int, publishing: Publishing) -> PenaltyReport:
    """Publish what is not published yet of an approved run; once more changes nothing. Parked accounts are tried again.

    Raises RunRefused for a run that nobody approved or that another process publishes; LoadBusy while a long load runs.
    """
    async with pool.acquire() as connection:
        known = await fetch_penalties(connection, run)
        if known.state not in ("approved", "publishing", "published"):
            raise RunRefused(f"расчёт пеней {run} в состоянии {known.state}: публикуется утверждённый")
        if not await connection.fetchval(SQL["try_lock"], LOCK_KEY, run):
            raise RunRefused(f"расчёт пеней {run} уже публикуется")
        try:
            today = publishing.clock().astimezone(MOSCOW).date()
            await connection.execute(SQL["begin"], run, publishing.due_date(known.period, today))
            known = await fetch_penalties(connection, run)
            after = AccountId(0)
            while rows := await connection.fetch(SQL["list_pending"], run, after, min(publishing.chunk_accounts, CHUNK_ACCOUNTS)):
                after = rows[-1]["account"]
                await charge_penalties(connection, known, [row["account"] for row in rows if not row["is_charged"]], today)
                await _publish(connection, run, [row["account"] for row in rows], publishing)
                publishing.progress(len(rows))
            await connection.execute(SQL["finish"], run, publishing.clock())
        finally:
            if not connection.is_closed():
                await connection.fetchval(SQL["unlock"], LOCK_KEY, run)
        return await fetch_penalty_report(connection, run)


async def count_pending_penalties(connection: Connection, run: int) -> int:
    """Return how many accounts of a run are not published yet."""
    return int(await connection.fetchval(SQL["count_pending"], run))


async def fetch_penalty_report(connection: Connection, run: int) -> PenaltyReport:
    """Return how a run stands."""
    states = {row["state"]: row for row in await connection.fetch(SQL["count_states"], run)}
    parked = await connection.fetch(SQL["list_parked"], run, SHOWN_PARKED_MAX)
    return PenaltyReport(
        run=run,
        state=(await fetch_penalties(connection, run)).state,
        published=_count(states, "published"),
        waiting=_count(states, "charged"),
        charged_kopecks=sum(row["charged"] for row in states.values()),
        parked_count=_count(states, "parked"),
        parked=tuple([Parked(account=row["account"], reason=row["reason"]) for row in parked]),
    )


async def charge_penalties(connection: Connection, run: PenaltyRun, accounts: Sequence[AccountId], today: date) -> None:
    """Charge accounts and make their documents, in one transaction; those for which the draft is out of date are parked."""
    if not accounts:
        return
    async with connection.transaction():
        await begin_staging(connection)
        changes = [
            _Change(row["account"], row["creditor"], Pool(row["pool"]), row["change"] - row["waived"], row["before"])
            for row in await connection.fetch(SQL["list_changes"], run.run, list(accounts))
        ]
        owed, reasons = await _owed(connection, run, changes)
        fit = [one for one in changes if one.account not in reasons]
        known = {
            (row["account"], row["creditor"], Pool(row["pool"])): (row["amount"], row["due_date"])
            for row in await connection.fetch(SQL["known_charges"], list(accounts), run.period, PENALTY_SERVICE)
        }
        assert run.due_on is not None, "publication has begun"
        rows = [_charge_row(one, known.get((one.account, one.creditor, one.pool), (0, run.due_on)), run.period) for one in fit]
        await stage_rows(connection, rows)
        written = await write_staged(connection)
        reasons |= dict.fromkeys(written.refused, PERIOD_IS_PAST)
        charged = [
            (one.account, one.creditor, one.pool, one.charged, owed[one.account, one.creditor, one.pool], row.due_date)
            for one, row in zip(fit, rows, strict=True)
            if one.account not in reasons
        ]
        await connection.execute(SQL["add_documents"], run.run, *_columns(charged, 6), today)
        parked = [(one.account, one.creditor, one.pool, reasons[one.account]) for one in changes if one.account in reasons]
        await connection.execute(SQL["park"], run.run, *_columns(parked, 4), today)


async def _owed(
    connection: Connection, run: PenaltyRun, changes: Sequence[_Change]
) -> tuple[dict[tuple[AccountId, int, Pool], int], dict[AccountId, str]]:
    """What is owed of penalties before this run, by account, creditor and pool; and accounts whose draft is out of date."""
    accounts = sorted({one.account for one in changes})
    debtors = {one.account: one.debts for one in await read_debtors(connection, accounts, run.as_of)}
    owed: dict[tuple[AccountId, int, Pool], int] = {}
    reasons: dict[AccountId, str] = {}
    for one in changes:
        debts, place = debtors[one.account], (one.creditor, one.pool)
        group = debts.groups.get(place)
        charged, paid = (group.charged_kopecks, group.paid_kopecks) if group is not None else (0, 0)
        owed[one.account, one.creditor, one.pool] = charged - paid
        before = sum(amount for key, amount in debts.before.items() if key[:2] == place)
        if before != one.before:
            reasons[one.account] = OVERTAKEN
        elif one.charged < 0 and charged + one.charged < paid:
            reasons.setdefault(one.account, PAID_SINCE)
    return owed, reasons


def _charge_row(change: _Change, known: tuple[int, date], period: int) -> ChargeRow:
    amount, due_date = known
    return ChargeRow(
        account=change.account,
        creditor=change.creditor,
        period=period,
        recipient=change.creditor,
        service=PENALTY_SERVICE,
        amount_kopecks=amount + change.charged,
        due_date=due_date,
        kind=Kind.PENALTY,
        pool=change.pool,
    )


async def _publish(connection: Connection, run: int, accounts: Sequence[AccountId], publishing: Publishing) -> None:
    """Publish the tables of the accounts that are charged; one that cannot be built now stays charged and is tried again."""
    report = await publish_accounts(connection, accounts, publishing.clock(), f"penalty run {run}")
    failed = {error.account for error in report.failed}
    await connection.execute(SQL["mark_published"], run, [account for account in accounts if account not in failed])


def _count(states: Mapping[str, Any], state: str) -> int:
    return int(states[state]["documents"]) if state in states else 0


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(count)]
