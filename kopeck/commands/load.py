"""``kopeck load``: reference data, charges and the tables of receipts from files, whole or not at all (docs/loading.md)."""

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from kopeck.clock import utc_now
from kopeck.commands.options import data_option
from kopeck.config import ConfigError, read_config
from kopeck.embedded.servers import connect_or_start
from schemas.money import roubles_for_people
from services.fiscal import loading as fiscal
from services.reference.approve import ApprovalRefused, approve_requisites
from services.reference.faults import FaultyFile, RowFault
from services.reference.load_accounts import load_accounts
from services.reference.load_charges import load_charges
from services.reference.load_recipients import load_recipients
from services.reference.loading import Connection, LoadBusy, LoadReport, LoadTerms
from services.reference.loading import Progress as Told

Loader = Callable[[Connection, Path, LoadTerms, Told], Awaitable[LoadReport]]

T = TypeVar("T")

EXIT_FAULTY = 2
WIDTH_CHARACTERS = 120
"""Width of the printed table where there is no terminal to ask."""


class Refused(click.ClickException):
    """What was asked for cannot be done as it was asked for."""

    exit_code = EXIT_FAULTY


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the options of a load say, besides the file; ``by`` is empty for the user of the operating system."""

    data_dir: Path | None
    by: str
    as_json: bool
    control_rows: int | None = None
    control_total_kopecks: int | None = None
    is_dry_run: bool = False


file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
by_option = click.option("--by", "--as", "by", default="", help="Who loads; the user of the operating system unless given.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON, amounts in kopecks.")


@click.group()
def load() -> None:
    """Load reference data, charges and the tables of receipts from CSV or JSON Lines files.

    A file is loaded whole or not at all; faults are listed by line number and field, with exit code 2.
    """


@load.command()
@file_argument
@data_option
@by_option
@json_option
def recipients(file: Path, data_dir: Path | None, by: str, as_json: bool) -> None:
    """Load recipients and their requisites, which pay nothing until approve-requisites."""
    run_load(file, load_recipients, Options(data_dir=data_dir, by=by, as_json=as_json))


@load.command()
@file_argument
@data_option
@by_option
@json_option
def accounts(file: Path, data_dir: Path | None, by: str, as_json: bool) -> None:
    """Load personal accounts; names and addresses are stored masked."""
    run_load(file, load_accounts, Options(data_dir=data_dir, by=by, as_json=as_json))


@load.command()
@file_argument
@data_option
@by_option
@json_option
@click.option("--control-rows", type=click.IntRange(min=0), help="Rows that the file must hold.")
@click.option("--control-total", type=int, help="Sum of amount_kopecks that the file must hold.")
def charges(file: Path, control_rows: int | None, control_total: int | None, **given: object) -> None:
    """Load charges, opening balances and printed totals; prints control totals by recipient and pool."""
    read = msgspec.convert(given, Options)
    options = msgspec.structs.replace(read, control_rows=control_rows, control_total_kopecks=control_total)
    run_load(file, load_charges, options)


@load.command("approve-requisites")
@click.argument("code")
@click.option("--version", type=click.IntRange(min=1), required=True, help="The version, as the load named it.")
@click.option("--by", required=True, help="Who approves; not the person who loaded it.")
@data_option
def approve(code: str, version: int, by: str, data_dir: Path | None) -> None:
    """Approve a version of a recipient's requisites as the second person."""

    async def run(dsn: str) -> bool:
        connection = await asyncpg.connect(dsn)
        try:
            return await approve_requisites(connection, code, version, by, utc_now())
        finally:
            await connection.close()

    try:
        done = with_services(data_dir, run)
    except ApprovalRefused as error:
        raise Refused(str(error)) from error
    click.echo(f"Version {version} of {code} {'is approved' if done else 'was approved before'}.")


def _add_fiscal(name: str, loader: Loader, help_text: str) -> None:
    """Add a command that loads one of the tables of receipts."""

    @load.command(name, help=help_text)
    @file_argument
    @data_option
    @by_option
    @json_option
    def fiscal_table(file: Path, data_dir: Path | None, by: str, as_json: bool) -> None:
        run_load(file, loader, Options(data_dir=data_dir, by=by, as_json=as_json))


_add_fiscal("companies", fiscal.load_companies, "Load who issues fiscal receipts, and through which till's operator.")
_add_fiscal("services", fiscal.load_services, "Load how services are called on receipts.")
_add_fiscal("vat", fiscal.load_vat, "Load VAT rates by recipient, service, kind and period.")
_add_fiscal("agencies", fiscal.load_agencies, "Load agency contracts: whose lines stand in an agent's receipt.")
_add_fiscal("decisions", fiscal.load_decisions, "Load rows of the table that decides who issues a receipt.")
_add_fiscal("item-rules", fiscal.load_item_rules, "Load how lines of a kind are registered (tags 1214 and 1212).")
_add_fiscal("contacts", fiscal.load_contacts, "Load where payers want their receipts: personal data, erased on demand.")


def with_services(data_dir: Path | None, run: Callable[[str], Coroutine[Any, Any, T]]) -> T:
    """Run with the services' address; own servers are started for it when none run on the folder."""
    try:
        config = read_config(os.environ, data_dir=data_dir)
    except ConfigError as error:
        raise Refused(str(error)) from error
    with connect_or_start(config.data_dir, config) as connections:
        return asyncio.run(run(connections.services_dsn))


def run_load(file: Path, loader: Loader, options: Options) -> None:
    """Load the file and print the report, or its faults with exit code 2."""
    terms = LoadTerms(
        loaded_by=options.by.strip() or getpass.getuser(),
        today=utc_now().date(),
        control_rows=options.control_rows,
        control_total_kopecks=options.control_total_kopecks,
        is_dry_run=options.is_dry_run,
    )

    async def run(dsn: str) -> LoadReport:
        connection = await asyncpg.connect(dsn)
        try:
            with _bar(file) as told:
                return await loader(connection, file, terms, told)
        finally:
            await connection.close()

    try:
        report = with_services(options.data_dir, run)
    except FaultyFile as error:
        _print_faults(file, error, options.as_json)
        sys.exit(EXIT_FAULTY)
    except LoadBusy as error:
        raise click.ClickException(str(error)) from error
    if options.as_json:
        click.echo(msgspec.json.encode(report))
    else:
        _print_report(report)


@contextmanager
def _bar(file: Path) -> Iterator[Told]:
    """A progress bar on standard error, when that is a terminal; gives what is told the bytes read."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    size = file.stat().st_size
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("reading", total=size)

        def tell(done: int) -> None:
            progress.update(task, completed=done, description="checking and writing" if done >= size else "reading")

        yield tell


def _print_faults(file: Path, error: FaultyFile, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode({"what": "faults", "file_name": file.name, "count": error.count, "faults": error.faults}))
        return
    _echo_findings(error.faults, error.count)
    click.echo(f"{file.name}: {error.count} faults; nothing was loaded.", err=True)


def _echo_findings(findings: tuple[RowFault, ...], count: int) -> None:
    for finding in findings:
        click.echo(str(finding), err=True)
    if count > len(findings):
        click.echo(f"… and {count - len(findings)} more", err=True)


def _print_report(report: LoadReport) -> None:
    if report.warnings_count:
        click.echo(f"Warnings ({report.warnings_count}):", err=True)
        _echo_findings(report.warnings, report.warnings_count)
    if report.totals:
        width = None if sys.stdout.isatty() else WIDTH_CHARACTERS
        Console(width=width).print(_totals_table(report))
    if report.already_loaded:
        click.echo(f"{report.file_name} is the file of {report.what} loaded last; nothing was changed.")
        return
    counts = f"{report.rows} rows, {report.added} new, {report.changed} changed, {report.unchanged} unchanged"
    click.echo(f"{report.file_name}: {counts}{'; a dry run, nothing was loaded' if report.is_dry_run else ''}.")


def _totals_table(report: LoadReport) -> Table:
    table = Table(title="Control totals, roubles")
    for heading in ("recipient", "pool"):
        table.add_column(heading, no_wrap=True)
    for heading in ("rows", "amount", "paid", "advance"):
        table.add_column(heading, justify="right", no_wrap=True)
    for total in report.totals:
        amounts = [roubles_for_people(amount) for amount in (total.amount, total.paid, total.advance)]
        table.add_row(total.recipient, total.pool, str(total.rows), *amounts)
    sums = [sum(getattr(total, name) for total in report.totals) for name in ("amount", "paid", "advance")]
    table.add_section()
    table.add_row("total", "", str(sum(total.rows for total in report.totals)), *map(roubles_for_people, sums))
    return table
