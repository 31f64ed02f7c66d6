"""``kopeck penalties``: calculated, checked, approved by a second person, charged, printed (docs/billing-penalties.md)."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import click

from kopeck.billing_shown import progress_bar
from kopeck.billing_sources import fetch_due_date
from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option, log_to_standard_error, why_option
from kopeck.commands.billing import period_argument
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, ledger_config, print_json, read_ledger
from kopeck.embedded.servers import connect_or_start
from kopeck.penalties_shown import print_bills, print_penalty_checks, print_penalty_report, print_penalty_run
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from schemas.allocation import Pool
from schemas.money import MoneyError, kopecks_from_roubles
from schemas.payment_document import PaymentDocument
from services.billing.core.law import LawSilent
from services.billing.law.reading import read_law
from services.billing.papers.rows import Unprintable
from services.billing.penalties.drafting import count_debtors, draft_penalties
from services.billing.penalties.keeping import (
    BillShown,
    PenaltyRun,
    WaiverTerms,
    approve_penalties,
    approve_waiver,
    begin_penalties,
    check_penalties,
    drop_penalties,
    end_exclusion,
    exclude_account,
    fetch_penalties,
    find_penalty_provider,
    propose_waiver,
    show_bills,
)
from services.billing.penalties.papers import PenaltyPaperTerms, read_penalty_papers, together
from services.billing.penalties.publishing import PenaltyReport, count_pending_penalties, publish_penalties
from services.billing.runs.keeping import Person, RunRefused
from services.billing.runs.publishing import Publishing
from services.paper.payment_document import DocumentPrinter, PaymentDocumentError
from services.reference.loading import LoadBusy

Answer = TypeVar("Answer")

EXIT_NOT_CLEAN = 1
CONNECTIONS_MAX = 4
POOLS = {"main": Pool.MAIN, "capital_repair": Pool.CAPITAL_REPAIR}

run_argument = click.argument("run", type=click.IntRange(min=1))
creditor_option = click.option("--creditor", required=True, help="Code of the recipient whose penalties they are.")


@click.group()
def penalties() -> None:
    """Penalties (ЖК 155 ч. 14, 14.1): calculate, check, approve, publish, print; waive and exclude."""


@penalties.command()
@period_argument
@click.option("--as-of", "as_of", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The last day that is counted.")
@click.option("--provider", help="Code of the provider; needed when several have accounts.")
@click.option("--run", "resumed", type=click.IntRange(min=1), help="Go on with this draft.")
@by_option
@data_option
@json_option
def calculate(period: int, as_of: datetime, provider: str | None, resumed: int | None, **given: object) -> None:
    """Calculate a draft of a provider's penalties as of a day, to be charged in a period: the growth since earlier runs."""
    data_dir, by = given["data_dir"], Person(name=str(given["by"]), at=utc_now())

    async def work(pool: "asyncpg.Pool[Any]") -> PenaltyRun:
        async with pool.acquire() as connection:
            law = await read_law(connection)
            run = resumed or await _begin(connection, provider, (period, as_of.date()), by)
            waiting = await count_debtors(connection, run)
        with progress_bar("accounts", waiting) as advance:
            await draft_penalties(pool, run, law, advance)
        async with pool.acquire() as connection:
            return await fetch_penalties(connection, run)

    run = _told(lambda: _with_pool(data_dir if isinstance(data_dir, Path) else None, work))
    if given["as_json"]:
        print_json(run)
    else:
        print_penalty_run(run)


async def _begin(connection: Connection, provider: str | None, month: tuple[int, date], by: Person) -> int:
    found = await find_penalty_provider(connection, provider)
    return await begin_penalties(connection, found, month, by, by.at.astimezone(MOSCOW).date())


@penalties.command()
@run_argument
@data_option
@json_option
def check(run: int, data_dir: Path | None, as_json: bool) -> None:
    """Show what a finished draft comes to, by creditor, and which bills it leaves alone and why; it may then be approved."""
    checks = _told(lambda: act_on_ledger(data_dir, lambda connection: check_penalties(connection, run)))
    if as_json:
        print_json(checks)
    else:
        print_penalty_checks(console(), checks)


@penalties.command()
@run_argument
@by_option
@data_option
def approve(run: int, by: str, data_dir: Path | None) -> None:
    """Approve a checked run as the second person."""
    who = Person(name=by, at=utc_now())
    done = _told(lambda: act_on_ledger(data_dir, lambda connection: approve_penalties(connection, run, who)))
    click.echo(f"расчёт пеней {run} {'утверждён' if done else 'утверждён раньше'}")


@penalties.command()
@run_argument
@data_option
@json_option
def publish(run: int, data_dir: Path | None, as_json: bool) -> None:
    """Charge an approved run, or go on with it; payments flow meanwhile. Exit code 1: something is left to be done."""

    async def work(pool: "asyncpg.Pool[Any]") -> PenaltyReport:
        async with pool.acquire() as connection:
            due_date, pending = await fetch_due_date(connection), await count_pending_penalties(connection, run)
        with progress_bar("accounts", pending) as advance:
            return await publish_penalties(pool, run, Publishing(due_date=due_date, clock=utc_now, progress=advance))

    report = _told(lambda: _with_pool(data_dir, work))
    if as_json:
        print_json(report)
    else:
        print_penalty_report(report)
    if report.parked_count or report.waiting:
        sys.exit(EXIT_NOT_CLEAN)


@penalties.command()
@run_argument
@by_option
@data_option
def drop(run: int, by: str, data_dir: Path | None) -> None:
    """Give up a run that is not published."""
    who = Person(name=by, at=utc_now())
    done = _told(lambda: act_on_ledger(data_dir, lambda connection: drop_penalties(connection, run, who)))
    click.echo(f"расчёт пеней {run} {'отменён' if done else 'отменён раньше'}")


@penalties.command()
@run_argument
@click.option("--account", metavar="NS:NUMBER", help="This account's bills with the detail of each.")
@data_option
@json_option
def show(run: int, account: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Show a run, or one account's bills with the days, rates and divisors that each penalty follows from."""

    async def read(connection: Connection) -> tuple[PenaltyRun, tuple[BillShown, ...]]:
        namespace, _, number = (account or "").partition(":")
        return await fetch_penalties(connection, run), await show_bills(connection, run, namespace, number) if account else ()

    known, bills = _told(lambda: read_ledger(data_dir, read))
    if account and not bills:
        raise NotDone(f"в расчёте пеней {run} нет счёта {account}")
    if as_json:
        print_json(bills if account else known)
    elif account:
        print_bills(console(), bills)
    else:
        print_penalty_run(known)


@penalties.command(name="print")
@run_argument
@click.option("--account", default="", metavar="NS:NUMBER", help="Only this account's documents.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("penalties.pdf"), show_default=True, help="File.")
@data_option
def print_command(run: int, account: str, out: Path, data_dir: Path | None) -> None:
    """Print the documents of penalties in the order of delivery; more than 2 000 go to files with numbers."""
    terms = PenaltyPaperTerms(run=run, account=account)
    found = _told(lambda: read_ledger(data_dir, lambda connection: read_penalty_papers(connection, terms)))
    refused = [one for one in found if isinstance(one, Unprintable)]
    parts = together([one for one in found if isinstance(one, PaymentDocument)])
    if not found:
        raise NotDone(f"в расчёте пеней {run} печатать нечего")
    printer = DocumentPrinter()
    for place, part in enumerate(parts):
        path = out if len(parts) == 1 else out.with_stem(f"{out.stem}-{place + 1}")
        path.write_bytes(_told(lambda: printer.pdf(part)))  # noqa: B023 (called at once)
        click.echo(str(path))
    for one in refused:
        click.echo(f"{one.account}: {one.reason}", err=True)
    if refused:
        sys.exit(EXIT_NOT_CLEAN)


@penalties.command()
@click.argument("account", metavar="NS:NUMBER")
@click.argument("amount")
@creditor_option
@click.option("--pool", type=click.Choice(tuple(POOLS)), default="main", show_default=True)
@by_option
@why_option
@data_option
def waive(account: str, amount: str, data_dir: Path | None, **given: str) -> None:
    """Propose to write off AMOUNT roubles of an account's penalties; a second person approves, the next run takes it."""
    try:
        kopecks = kopecks_from_roubles(amount)
    except MoneyError as error:
        raise NotDone(str(error)) from error
    terms = WaiverTerms(
        account=account, creditor=given["creditor"], pool=POOLS[given["pool"]], amount_kopecks=kopecks, why=given["why"]
    )
    who = Person(name=given["by"], at=utc_now())
    waiver = _told(lambda: act_on_ledger(data_dir, lambda connection: propose_waiver(connection, terms, who)))
    click.echo(f"списание {waiver} ждёт второго лица")


@penalties.command("approve-waiver")
@click.argument("waiver", type=click.IntRange(min=1))
@by_option
@data_option
def approve_waiver_command(waiver: int, by: str, data_dir: Path | None) -> None:
    """Approve a waiver as the second person."""
    who = Person(name=by, at=utc_now())
    done = _told(lambda: act_on_ledger(data_dir, lambda connection: approve_waiver(connection, waiver, who)))
    click.echo(f"списание {waiver} {'утверждено' if done else 'утверждено раньше'}")


@penalties.command()
@click.argument("account", metavar="NS:NUMBER")
@click.option("--creditor", default="", help="Only this creditor's bills.")
@by_option
@why_option
@data_option
def exclude(account: str, creditor: str, by: str, why: str, data_dir: Path | None) -> None:
    """Charge no more penalties of an account while this stands: a dispute, an agreement, a bankruptcy."""
    who = Person(name=by, at=utc_now())
    number = _told(lambda: act_on_ledger(data_dir, lambda connection: exclude_account(connection, (account, creditor), why, who)))
    click.echo(f"исключение {number}: пени не начисляются")


@penalties.command("end-exclusion")
@click.argument("exclusion", type=click.IntRange(min=1))
@by_option
@data_option
def end_exclusion_command(exclusion: int, by: str, data_dir: Path | None) -> None:
    """End an exclusion: the next run charges the whole delay."""
    who = Person(name=by, at=utc_now())
    _told(lambda: act_on_ledger(data_dir, lambda connection: end_exclusion(connection, exclusion, who)))
    click.echo(f"исключение {exclusion} снято")


def _with_pool(data_dir: Path | None, work: "Callable[[asyncpg.Pool[Any]], Awaitable[Answer]]") -> Answer:
    """Run ``work`` on a pool of the services' connections."""

    async def run(dsn: str) -> Answer:
        async with asyncpg.create_pool(dsn, min_size=1, max_size=CONNECTIONS_MAX) as pool:
            return await work(pool)

    config = ledger_config(data_dir)
    log_to_standard_error(config.log_level)
    with connect_or_start(config.data_dir, config) as connections:
        return asyncio.run(run(connections.services_dsn))


def _told(work: Callable[[], Answer]) -> Answer:
    """Run ``work``; what cannot be done is one line and exit code 2."""
    try:
        return work()
    except (RunRefused, LoadBusy, LawSilent, PaymentDocumentError) as error:
        raise NotDone(str(error)) from error
