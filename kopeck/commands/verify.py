"""``kopeck verify``: hold the ledger and its orders against themselves, and name the first place that is not as it must be."""

import asyncio
import gc
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from time import monotonic

import asyncpg
import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kopeck.clock import utc_now
from kopeck.commands.options import data_option
from kopeck.commands.reading import json_option, ledger_config, print_json
from kopeck.embedded.servers import connect_or_start
from kopeck.orders_audit import OrderDivergence, OrdersAudit, audit_orders_of_ledger
from ledger.audit import Job, Plan, Result, conclude, connect_for_audit, plan_audit, run_job
from ledger.core.entry import MOSCOW
from ledger.core.verification import Divergence

JOBS_MAX = 64
SHOW_S = 0.2
GARBAGE_OBJECTS = 200_000
"""A replay makes next to no cycles: looking for them less often saves about a tenth of its time."""
EXIT_DIVERGED = 1
LOST = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.CrashShutdownError,
)
"""What a server that goes away leaves behind."""
STOPPED = "the ledger's server went away before everything was verified: nothing is found and nothing is proven, verify again"


@click.command()
@data_option
@click.option("--jobs", type=click.IntRange(1, JOBS_MAX), help="Processes; as many as there are processors by default.")
@json_option
def verify(data_dir: Path | None, jobs: int | None, as_json: bool) -> None:
    """Re-derive every split, chain and balance from the journal, then hold every order against it.

    Checked: gapless sequences, time that never runs backwards, the account's chain, balanced entries, payment keys, every
    payment's split from its table, the digests at the heads, the balances read model, trial balance, daily identity.
    Then what left the house: no transit account ever has more ordered than confirmed, cuts tile the books, orders are their
    parts, every payable is explained; receipts and reasons sum to the payments; deliveries stand where they can.
    Exit code 1 and the first divergence when something is not as it must be.
    """
    config = ledger_config(data_dir)
    began = monotonic()
    with connect_or_start(config.data_dir, config) as connections:
        try:
            plan, divergence = verify_ledger(connections.reader_dsn, jobs or os.cpu_count() or 1, shown=not as_json)
            today = utc_now().astimezone(MOSCOW).date()
            orders = asyncio.run(audit_orders_of_ledger(connections.reader_dsn, connections.services_dsn, today))
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
            raise click.ClickException("this ledger is not migrated yet: run kopeck migrate") from error
        except LOST as error:
            raise click.ClickException(f"{STOPPED} ({type(error).__name__})") from error
    milliseconds = int((monotonic() - began) * 1000)
    found = _Verified(plan=plan, divergence=divergence or orders.first, orders=orders, milliseconds=milliseconds)
    if as_json:
        print_json(_answer(found))
    else:
        _print(found)
    if found.divergence is not None:
        raise SystemExit(EXIT_DIVERGED)


class _Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, and how long it took."""

    plan: Plan
    divergence: Divergence | OrderDivergence | None
    orders: OrdersAudit
    milliseconds: int


def verify_ledger(dsn: str, jobs: int, *, shown: bool) -> tuple[Plan, Divergence | None]:
    """Verify in ``jobs`` processes, with a progress bar on standard error when ``shown``; the first divergence or None."""
    plan = asyncio.run(_plan(dsn, jobs))
    context = multiprocessing.get_context("spawn")
    verified: Synchronized[int] = context.Value("q", 0)
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(dsn, verified)) as pool:
        futures = [pool.submit(_work, job) for job in plan.jobs]
        with _bar(plan, shown) as bar:
            while wait(futures, timeout=SHOW_S).not_done:
                bar(verified.value)
        results = [future.result() for future in futures]
    return plan, conclude(plan, results)


async def _plan(dsn: str, jobs: int) -> Plan:
    connection = await connect_for_audit(dsn)
    try:
        return await plan_audit(connection, jobs)
    finally:
        await connection.close()


_dsn = ""
_verified: "Synchronized[int]"


def _begin(dsn: str, verified: "Synchronized[int]") -> None:
    """Give a worker process its address and the shared count; called once in each."""
    global _dsn, _verified
    _dsn, _verified = dsn, verified
    gc.set_threshold(GARBAGE_OBJECTS)


def _work(job: Job) -> Result:
    return asyncio.run(_run(job))


async def _run(job: Job) -> Result:
    connection = await connect_for_audit(_dsn)
    try:
        return await run_job(connection, job, _count)
    finally:
        await connection.close()


def _count(entries: int) -> None:
    with _verified.get_lock():
        _verified.value += entries


@contextmanager
def _bar(plan: Plan, shown: bool) -> Iterator["_Shown"]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as progress:
        yield _Shown(progress, plan.entries)


class _Shown:
    """The progress bar as a function of the entries verified."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task("Verifying entries", total=total)

    def __call__(self, entries: int) -> None:
        self._progress.update(self._task, completed=entries)


def _answer(found: _Verified) -> dict[str, object]:
    plan, orders = found.plan, found.orders
    return {
        "verified": found.divergence is None,
        "entries": plan.entries,
        "heads": {str(book): head for book, head in plan.heads.items()},
        "balances_read_to": {str(book): sequence for book, sequence in plan.cursors.items()},
        "orders": {"transfers": orders.transfers, "receipts": orders.receipts, "deliveries": orders.deliveries},
        "order_divergences": len(orders.divergences),
        "overdue": orders.overdue,
        "milliseconds": found.milliseconds,
        "divergence": found.divergence,
    }


def _print(found: _Verified) -> None:
    divergence, plan, orders = found.divergence, found.plan, found.orders
    if isinstance(divergence, OrderDivergence):
        more = len(orders.divergences) - 1
        click.echo(f"DIVERGENCE in {divergence.where}: {divergence.what}{f' (and {more} more)' if more else ''}")
        return
    if divergence is not None:
        place = f"entry {divergence.book}:{divergence.sequence}" if divergence.sequence else f"book {divergence.book}"
        click.echo(f"DIVERGENCE at {place}: {divergence.what}")
        return
    rate = plan.entries * 1000 // max(found.milliseconds, 1)
    click.echo(f"verified: {plan.entries} entries in {len(plan.heads)} books, {found.milliseconds} ms, {rate} entries/s")
    for book, head in plan.heads.items():
        click.echo(f"  book {book}: to sequence {head}; balances read model to {plan.cursors.get(book, 0)}")
    click.echo(f"  orders: {orders.transfers} transfers, {orders.receipts} receipts, {orders.deliveries} deliveries")
    if orders.overdue:
        click.echo(f"  {orders.overdue} sums wait on a transit account longer than they may: kopeck transfers waiting")
