"""``kopeck saldo``: balances of accounts on a day, and the check of balances against the ledger (docs/billing-saldo.md)."""

import re
import sys
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import TypeVar

import click

from kopeck.billing_shown import progress_bar
from kopeck.commands.acting import NotDone
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, print_json, read_ledger
from kopeck.saldo_shown import print_check, print_day, print_owed
from ledger.feed import Connection
from services.billing.saldo.checking import SaldoCheck, check_saldo
from services.billing.saldo.filling import Only
from services.billing.saldo.sheet import Ask, Level, SheetRow, read_owed, read_sheet
from services.billing.saldo.windows import SaldoRefused, find_provider

Answer = TypeVar("Answer")

EXIT_NOT_CLEAN = 1
LEVELS = {level.name.lower(): level for level in Level}
_MONTH = re.compile(r"((?:19|20)[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)


def month_of_text(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Read ``YYYY-MM``; what was not given stays None."""
    if value is None:
        return None
    match = _MONTH.fullmatch(value)
    if match is None:
        raise click.BadParameter("месяц пишется ГГГГ-ММ, например 2026-11")
    return int(match[1]) * 100 + int(match[2])


def day_of_text(_context: click.Context, _parameter: click.Parameter, value: str | None) -> date | None:
    """Read ``YYYY-MM-DD``; what was not given stays None."""
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter("день пишется ГГГГ-ММ-ДД, например 2026-11-30") from error


month_argument = click.argument("period", callback=month_of_text, metavar="YYYY-MM")


@click.group()
def saldo() -> None:
    """Balances (сальдо): of an account, of a provider on a day; the check against the ledger."""


@saldo.command()
@click.argument("account", metavar="NS:NUMBER")
@click.option(
    "--day", callback=day_of_text, metavar="YYYY-MM-DD", help="At the end of this bank day; all that is known by default."
)
@data_option
@json_option
def show(account: str, day: date | None, data_dir: Path | None, as_json: bool) -> None:
    """Show what an account owes: to whom, for what, of which month; below nought is an advance."""
    rows = told(data_dir, lambda connection: read_owed(connection, account, day))
    if as_json:
        print_json(rows)
    else:
        print_owed(console(), account, rows)


@saldo.command()
@click.argument("on", callback=day_of_text, metavar="YYYY-MM-DD")
@click.option("--provider", required=True, help="Code of the provider whose accounts are summed.")
@click.option("--level", type=click.Choice(tuple(LEVELS)), default="service", show_default=True)
@click.option("--house", "houses", multiple=True, help="Only this house; may be given several times.")
@data_option
@json_option
def day(on: date, provider: str, level: str, houses: tuple[str, ...], data_dir: Path | None, as_json: bool) -> None:
    """Show a provider's debts and advances at the end of a bank day; charges count from the end of their month."""

    async def read(connection: Connection) -> tuple[SheetRow, ...]:
        number = await find_provider(connection, provider)
        only = Only(houses=houses or None)
        return await read_sheet(connection, Ask(provider=number, period=0, day=on, level=LEVELS[level], only=only))

    rows = told(data_dir, read)
    if as_json:
        print_json(rows)
    else:
        print_day(console(), LEVELS[level], rows)


@saldo.command()
@month_argument
@data_option
@json_option
def check(period: int, data_dir: Path | None, as_json: bool) -> None:
    """Check the balances of a month against the journal, read models, tables and documents. Exit code 1: they disagree."""

    async def read(connection: Connection) -> SaldoCheck:
        with progress_bar("accounts", 0) as advance:
            return await check_saldo(connection, period, advance)

    report = told(data_dir, read)
    if as_json:
        print_json(report)
    else:
        print_check(console(), report)
    if report.disagreements:
        sys.exit(EXIT_NOT_CLEAN)


def told(data_dir: Path | None, read: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """Read; what cannot be told is one line and exit code 2."""
    try:
        return read_ledger(data_dir, read)
    except SaldoRefused as error:
        raise NotDone(str(error)) from error
