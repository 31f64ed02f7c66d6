"""``kopeck billing``: a month drafted, checked, approved by a second person, published and closed (docs/billing-months.md)."""

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import asyncpg
import click

from kopeck.billing_shown import print_account, print_checks, print_published, print_run, progress_bar, run_row
from kopeck.billing_sources import fetch_due_date, find_provider, plain_drafting
from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option, log_to_standard_error
from kopeck.commands.handover import handover
from kopeck.commands.offsets import offsets
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, ledger_config, print_json, read_ledger
from kopeck.embedded.servers import connect_or_start
from ledger.core.entry import MOSCOW
from services.billing.core.law import LawSilent
from services.billing.runs.checking import CheckReport, check_run
from services.billing.runs.drafting import draft_run
from services.billing.runs.keeping import (
    Person,
    Run,
    RunRefused,
    Scope,
    acknowledge,
    approve_run,
    begin_run,
    close_month,
    drop_run,
    fetch_run,
)
from services.billing.runs.publishing import Publishing, PublishReport, count_pending, publish_run
from services.billing.runs.showing import AccountShown, HouseShown, show_account, show_houses
from services.billing.runs.sources import Connection
from services.billing.runs.spreading import Spread
from services.reference.loading import LoadBusy

Answer = TypeVar("Answer")
Pool: TypeAlias = "asyncpg.Pool[Any]"

EXIT_NOT_CLEAN = 1
CONNECTIONS_MAX = 8
_PERIOD = re.compile(r"((?:19|20)[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)

run_argument = click.argument("run", type=click.IntRange(min=1))


def period_of_text(_context: click.Context, _parameter: click.Parameter, value: str) -> int:
    match = _PERIOD.fullmatch(value)
    if match is None:
        raise click.BadParameter("expected YYYY-MM")
    return int(match[1]) * 100 + int(match[2])


period_argument = click.argument("period", callback=period_of_text, metavar="YYYY-MM")


@click.group()
def billing() -> None:
    """A month's charges: draft, checks, approve, publish, close; offsets of advances; drop and show."""


billing.add_command(offsets)
billing.add_command(handover)


@billing.command()
@period_argument
@click.option("--provider", help="Code of the provider; needed when several bill houses.")
@click.option("--house", "houses", multiple=True, help="Only this house; may be given several times.")
@click.option("--account", "accounts", multiple=True, metavar="NS:NUMBER", help="Only this account of a published month.")
@click.option("--run", "resumed", type=click.IntRange(min=1), help="Go on with this draft.")
@by_option
@data_option
@json_option
def draft(
    period: int, provider: str | None, houses: tuple[str, ...], accounts: tuple[str, ...], resumed: int | None, **given: object
) -> None:
    """Calculate a draft of a month, or again of a house or account of a published month. Exit code 1: houses were parked."""
    data_dir, by = given["data_dir"], Person(name=str(given["by"]), at=utc_now())

    async def work(pool: Pool) -> Run:
        async with pool.acquire() as connection:
            with ProcessPoolExecutor() as executor:
                drafting = await plain_drafting(connection, executor, by.at.astimezone(MOSCOW).date())
                run = resumed or await begin_run(connection, drafting.reading, await _scope(connection), by)
                waiting = (await fetch_run(connection, run)).waiting
                with progress_bar("houses", waiting) as advance:
                    await draft_run(pool, run, drafting, advance)
            return await fetch_run(connection, run)

    async def _scope(connection: Connection) -> Scope:
        found = await find_provider(connection, provider, period)
        return Scope(provider=found, period=period, houses=houses, accounts=accounts)

    run = refusals_told(lambda: with_pool(data_dir if isinstance(data_dir, Path) else None, work))
    if given["as_json"]:
        print_json(run_row(run))
    else:
        print_run(console(), run, ())
    if run.parked:
        sys.exit(EXIT_NOT_CLEAN)


@billing.command()
@run_argument
@click.option("--acknowledge", "finding", type=click.IntRange(min=1), help="Answer for this finding; needs --by and --why.")
@click.option("--by", help="Who answers for it.")
@click.option("--why", help="Why it is right as it is.")
@data_option
@json_option
def checks(run: int, finding: int | None, by: str | None, why: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Check a finished draft, or show what was found. Exit code 1: an error waits for an answer."""
    if finding is not None and not (by and why):
        raise click.UsageError("--acknowledge needs --by and --why")

    async def act(connection: Connection) -> CheckReport:
        if finding is not None:
            await acknowledge(connection, run, finding, Person(name=by or "", at=utc_now()), why or "")
        return await check_run(connection, run, utc_now())

    report = refusals_told(lambda: act_on_ledger(data_dir, act))
    if as_json:
        print_json(report)
    else:
        print_checks(console(), report)
    if any(kind.severity == "error" and kind.acknowledged < kind.found for kind in report.kinds):
        sys.exit(EXIT_NOT_CLEAN)


@billing.command()
@run_argument
@by_option
@data_option
def approve(run: int, by: str, data_dir: Path | None) -> None:
    """Approve a checked run as the second person."""
    who = Person(name=by, at=utc_now())
    done = refusals_told(lambda: act_on_ledger(data_dir, lambda connection: approve_run(connection, run, who)))
    click.echo(f"расчёт {run} {'утверждён' if done else 'утверждён раньше'}")


@billing.command()
@run_argument
@data_option
@json_option
def publish(run: int, data_dir: Path | None, as_json: bool) -> None:
    """Publish an approved run, or go on with it; payments flow meanwhile. Exit code 1: accounts were parked."""

    async def work(pool: Pool, spread: Spread) -> PublishReport:
        async with pool.acquire() as connection:
            due_date = await fetch_due_date(connection)
            pending = await count_pending(connection, run)
        with progress_bar("accounts", pending) as advance:
            return await publish_run(pool, run, Publishing(due_date=due_date, clock=utc_now, progress=advance, spread=spread))

    report = refusals_told(lambda: with_processes(data_dir, work))
    if as_json:
        print_json(report)
    else:
        print_published(report)
    if report.parked_count:
        sys.exit(EXIT_NOT_CLEAN)


@billing.command()
@period_argument
@click.option("--provider", help="Only this provider's month.")
@by_option
@data_option
def close(period: int, provider: str | None, by: str, data_dir: Path | None) -> None:
    """Close a month for good: what corrects it is charged in an open one."""
    who = Person(name=by, at=utc_now())
    closed = refusals_told(lambda: act_on_ledger(data_dir, lambda connection: close_month(connection, period, who, provider)))
    if not closed:
        raise NotDone("открытого месяца с расчётами нет")
    click.echo(f"месяц закрыт: {', '.join(closed)}")


@billing.command()
@run_argument
@by_option
@data_option
def drop(run: int, by: str, data_dir: Path | None) -> None:
    """Give up a run that is not published: its houses may be calculated again."""
    who = Person(name=by, at=utc_now())
    done = refusals_told(lambda: act_on_ledger(data_dir, lambda connection: drop_run(connection, run, who)))
    click.echo(f"расчёт {run} {'отменён' if done else 'отменён раньше'}")


@billing.command()
@run_argument
@click.option("--account", metavar="NS:NUMBER", help="This account's lines, each with its explanation, and its document.")
@data_option
@json_option
def show(run: int, account: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Show a run and its houses, or one account's lines with how each sum came about."""

    async def read(connection: Connection) -> tuple[Run, tuple[HouseShown, ...], AccountShown | None]:
        known = await fetch_run(connection, run)
        if account is None:
            return known, await show_houses(connection, run), None
        namespace, _, number = account.partition(":")
        return known, (), await show_account(connection, run, namespace, number)

    known, houses, shown = refusals_told(lambda: read_ledger(data_dir, read))
    if shown is not None and not shown.lines and shown.document is None:
        raise NotDone(f"в расчёте {run} нет счёта {account}")
    if as_json:
        print_json({"run": run_row(known), "houses": houses} if shown is None else shown)
    elif shown is None:
        print_run(console(), known, houses)
    else:
        print_account(console(), shown)


def with_pool(data_dir: Path | None, work: Callable[[Pool], Awaitable[Answer]]) -> Answer:
    """Run ``work`` on a pool of the services' connections."""
    return with_processes(data_dir, lambda pool, _: work(pool))


def with_processes(data_dir: Path | None, work: Callable[[Pool, Spread], Awaitable[Answer]]) -> Answer:
    """Run ``work`` on a pool of the services' connections, and with processes that start once they are given something."""

    async def run(dsn: str) -> Answer:
        workers = os.cpu_count() or 1
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
            async with asyncpg.create_pool(dsn, min_size=1, max_size=CONNECTIONS_MAX) as pool:
                return await work(pool, Spread(executor=executor, dsn=dsn, workers=workers))

    config = ledger_config(data_dir)
    log_to_standard_error(config.log_level)
    with connect_or_start(config.data_dir, config) as connections:
        return asyncio.run(run(connections.services_dsn))


def refusals_told(work: Callable[[], Answer]) -> Answer:
    """Run ``work``; what cannot be done is one line and exit code 2, from a group of tasks too."""
    try:
        return work()
    except (RunRefused, LoadBusy, LawSilent) as error:
        raise NotDone(str(error)) from error
    except ExceptionGroup as errors:
        refused, other = errors.split((RunRefused, LoadBusy))
        if refused is None or other is not None:
            raise
        raise NotDone(str(refused.exceptions[0])) from errors
