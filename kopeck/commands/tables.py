"""``kopeck tables``: build allocation tables from charges and publish them (docs/crediting.md)."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kopeck.clock import utc_now
from kopeck.commands.options import data_option
from kopeck.config import ConfigError, read_config
from kopeck.embedded.servers import connect_or_start
from ledger.publication import PublicationReport, count_accounts, list_accounts, publish_accounts
from ledger.tables import SQL
from schemas.ids import AccountId

CONNECTIONS = 3
"""One builds while the others wait for PostgreSQL; more were measured to give nothing on two cores."""
SLICE_ACCOUNTS = 1024
WAITING_SLICES_MAX = 2 * CONNECTIONS
PUBLISHER = "kopeck tables build"
EXIT_SOME_FAILED = 1

Slices = asyncio.Queue[list[AccountId]]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which tables are to be built: of one account by its (namespace, number), of all, or of those due."""

    account: tuple[str, str] | None
    all_accounts: bool


@click.group()
def tables() -> None:
    """Build and publish allocation tables."""


@tables.command()
@click.option("--all", "all_accounts", is_flag=True, help="Every account, not only those changed or about to expire.")
@click.option("--account", metavar="NS:NUMBER", default=None, help="One account by its namespace and number.")
@data_option
def build(all_accounts: bool, account: str | None, data_dir: Path | None) -> None:
    """Build the tables of accounts whose charges changed, or whose table ends within a day, and publish them.

    An account that cannot be built keeps its table, stays due and is listed with its reason; the exit code is 1 then.
    """
    wanted = Wanted(account=_name(account), all_accounts=all_accounts)
    try:
        config = read_config(os.environ, data_dir=data_dir)
        with connect_or_start(config.data_dir, config) as connections:
            started = perf_counter()
            report = asyncio.run(build_tables(connections.services_dsn, wanted))
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    except ExceptionGroup as errors:
        raise click.ClickException(_missing(errors)) from errors
    _print(report, perf_counter() - started)
    if report.failed:
        sys.exit(EXIT_SOME_FAILED)


def _name(account: str | None) -> tuple[str, str] | None:
    if account is None:
        return None
    namespace, colon, number = account.partition(":")
    if not (namespace and colon and number):
        raise click.BadParameter("expected NAMESPACE:NUMBER", param_hint="--account")
    return namespace, number


def _missing(errors: ExceptionGroup[Exception]) -> str:
    """Say what was looked for in vain; any other error among them is raised as it came."""
    missing, other = errors.split(LookupError)
    if missing is None or other is not None:
        raise errors
    return str(missing.exceptions[0])


def _print(report: PublicationReport, seconds: float) -> None:
    for error in report.failed:
        click.echo(str(error), err=True)
    done = report.published + report.unchanged
    click.echo(
        f"published {report.published}, unchanged {report.unchanged}, failed {len(report.failed)}, "
        f"built again because they moved {report.stale_rebuilt}; {seconds:.1f} s, {done / seconds:.0f} accounts/s"
    )


async def build_tables(dsn: str, wanted: Wanted) -> PublicationReport:
    """Publish what is wanted over CONNECTIONS connections with the services' rights; a progress bar shows on a terminal."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=CONNECTIONS + 1) as pool, pool.acquire() as connection:
        total = 1 if wanted.account else await count_accounts(connection, utc_now(), all_accounts=wanted.all_accounts)
        with _progress() as progress:
            task = progress.add_task("tables", total=total)
            slices: Slices = asyncio.Queue(WAITING_SLICES_MAX)
            async with asyncio.TaskGroup() as group:
                workers = [
                    group.create_task(_work(pool, slices, lambda done: progress.advance(task, done))) for _ in range(CONNECTIONS)
                ]
                async for accounts in _slices(connection, wanted):
                    await slices.put(accounts)
                for _ in workers:
                    await slices.put([])
    return sum((worker.result() for worker in workers), PublicationReport())


async def _work(pool: Any, slices: Slices, advance: Callable[[int], None]) -> PublicationReport:
    """Publish slices until an empty one comes."""
    report = PublicationReport()
    async with pool.acquire() as connection:
        while accounts := await slices.get():
            report += await publish_accounts(connection, accounts, utc_now(), PUBLISHER)
            advance(len(accounts))
    return report


async def _slices(connection: Any, wanted: Wanted) -> AsyncIterator[list[AccountId]]:
    if wanted.account:
        found = await connection.fetchval(SQL["find_account"], *wanted.account)
        if found is None:
            raise LookupError(f"no account {wanted.account[0]}:{wanted.account[1]}")
        yield [found]
        return
    async for accounts in list_accounts(connection, utc_now(), all_accounts=wanted.all_accounts):
        for start in range(0, len(accounts), SLICE_ACCOUNTS):
            yield accounts[start : start + SLICE_ACCOUNTS]


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
