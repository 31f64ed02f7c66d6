"""Charges written from memory or from other tables, by the rules and the statements of ``load_charges`` (docs/loading.md).

The caller stages a chunk of accounts and writes it in one short transaction of his own:

``staged_payee`` (local, recipient, service): the pairs, numbered by the caller;
``staged_charge``: rows with ``key`` and ``local``, told apart by ``line_no``; opening balances and limitation stay as known;
``resolved_key`` (key, 0, '', personal_account, 1): the account of each key.
"""

from collections.abc import Sequence
from datetime import date

import asyncpg
import msgspec

from ledger.statements import load_statements
from schemas.allocation import Kind, Pool
from schemas.ids import AccountId
from services.reference.load_charges import FAULTS
from services.reference.loading import LOCK_KEY, Connection, LoadBusy

_SQL = load_statements("services/reference/charge_rows.sql")
_CHARGES = load_statements("services/reference/charges.sql")
_CHECKS = load_statements("services/reference/charge_checks.sql")
_LOADING = load_statements("services/reference/loading.sql")

LOAD_WAIT = "30s"
REFUSING = ("published", "late_lines")
"""The faults of ``load_charges`` that rows with known accounts may have: charges of a published period never change."""


class ChargeRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an account is charged for one service; ``recipient`` and ``creditor`` are numbers, ``period`` is yyyymm."""

    account: AccountId
    creditor: int
    period: int
    recipient: int
    service: str
    amount_kopecks: int
    due_date: date
    kind: Kind = Kind.PRINCIPAL
    pool: Pool = Pool.MAIN


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a chunk: the accounts whose lines changed, and those refused whole, with the reason."""

    touched: tuple[AccountId, ...]
    refused: dict[AccountId, str]


async def begin_staging(connection: Connection) -> None:
    """Make the staging tables inside the caller's transaction; LoadBusy when a load of a file does not end in time."""
    await _wait_for_loads(connection, "wait_for_loads")
    await connection.execute(_LOADING["drop_temporary_tables"])
    await connection.execute(_CHARGES["make_staging"])
    await connection.execute(_SQL["make_resolved"])


async def keep_loads_out(connection: Connection) -> None:
    """Let no file be loaded until the caller's transaction ends, beside others who ask so; LoadBusy as ``begin_staging``."""
    await _wait_for_loads(connection, "share_loads")


async def _wait_for_loads(connection: Connection, statement: str) -> None:
    try:
        await connection.fetchrow(_SQL[statement], LOAD_WAIT, LOCK_KEY)
    except asyncpg.LockNotAvailableError as error:
        raise LoadBusy("a load is running on this database; try again when it has ended") from error


async def stage_rows(connection: Connection, rows: Sequence[ChargeRow]) -> None:
    """COPY rows from memory into the staging tables."""
    keys: dict[AccountId, int] = {}
    payees: dict[tuple[int, str], int] = {}
    charges = []
    for place, row in enumerate(rows, start=1):
        key = keys.setdefault(row.account, len(keys))
        local = payees.setdefault((row.recipient, row.service), len(payees))
        sums = (row.kind, row.pool, row.amount_kopecks, row.due_date)
        charges.append((place, key, row.creditor, row.period, local, *sums, None, "", 0, 0, "", None))
    accounts = [(key, 0, "", account, 1) for account, key in keys.items()]
    await connection.copy_records_to_table("resolved_key", records=accounts)
    await connection.copy_records_to_table("staged_payee", records=[(local, *pair) for pair, local in payees.items()])
    await connection.copy_records_to_table("staged_charge", records=charges)


async def write_staged(connection: Connection) -> Written:
    """Write what was staged, in the transaction of ``begin_staging``; accounts that break a rule are left out whole.

    Touched accounts are marked as due for a table. The lock on the charges lasts until the transaction ends.
    """
    for name in ("analyze", "analyze_resolved", "match", "analyze_matched", "balances"):
        await connection.execute(_CHARGES[name])
    await connection.execute(_SQL["keep_known"])
    await connection.execute(_SQL["leave_out_nothing_new"])
    refused = await _leave_out_faulty(connection)
    for name in ("keep_lines", "add_payees", "add_charges", "change_charges", "mark_touched"):
        await connection.execute(_CHARGES[name])
    touched = tuple([row[0] for row in await connection.fetch(_SQL["list_touched"])])
    await connection.execute(_LOADING["drop_temporary_tables"])
    return Written(touched=touched, refused=refused)


async def _leave_out_faulty(connection: Connection) -> dict[AccountId, str]:
    """Take out accounts that break a rule; a check lists its first rows only, so it is asked until it lists none."""
    refused: dict[AccountId, str] = {}
    for name, _field, message in FAULTS:
        while name in REFUSING and (rows := await connection.fetch(_CHECKS[name])):
            found = await connection.fetch(_SQL["accounts_of_rows"], [row["line_no"] for row in rows])
            accounts = [row["personal_account"] for row in found]
            await connection.execute(_SQL["leave_out"], accounts)
            refused |= dict.fromkeys(accounts, message)
    return refused


async def print_totals(connection: Connection, period: int, totals: Sequence[tuple[AccountId, Pool, int]]) -> None:
    """Set what the documents of ``period`` print, in kopecks by account and pool; accounts it changes are due for a table."""
    if totals:
        await connection.execute(_SQL["print_totals"], *map(list, zip(*totals, strict=True)), period)
