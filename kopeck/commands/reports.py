"""``kopeck reports``: the turnover sheet, charges, collection, debts by age, missing readings (docs/reports.md)."""

from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import click
import msgspec

from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, print_json, read_ledger
from kopeck.commands.saldo import day_of_text, month_argument, month_of_text
from kopeck.reports_shown import print_report, write_report
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from services.billing.reports.model import Report, ReportRefused
from services.billing.reports.reading import Terms, charges_report, collection_report, debts_report, readings_report
from services.billing.reports.turnover import turnover_report
from services.billing.saldo.sheet import Level
from services.billing.saldo.windows import SaldoRefused, find_provider

LEVELS = {level.name.lower(): level for level in Level}


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What every report is told on the command line; ``outs`` are files by the ends of their names."""

    provider: str
    houses: tuple[str, ...]
    by_value: bool
    outs: tuple[Path, ...]
    with_mark: bool
    data_dir: Path | None
    as_json: bool


def common(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every report has."""
    options = (
        click.option("--provider", required=True, help="Code of the provider (исполнитель) whose accounts are told of."),
        click.option("--house", "houses", multiple=True, help="Only this house; may be given several times."),
        click.option("--by-value-date", "by_value", is_flag=True, help="Payments by value date instead of bank day."),
        click.option(
            "--out", "outs", multiple=True, type=click.Path(path_type=Path), help="File .xlsx, .csv or .pdf; may be repeated."
        ),
        click.option("--bom/--no-bom", "with_mark", default=True, help="Byte-order mark in .csv, by which Excel sees UTF-8."),
        data_option,
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group()
def reports() -> None:
    """Reports of a provider's month: on the screen, as XLSX, CSV or PDF."""


@reports.command()
@month_argument
@click.option("--level", type=click.Choice(tuple(LEVELS)), default="service", show_default=True)
@common
def turnover(period: int, level: str, **given: Any) -> None:
    """Turnover sheet (ОСВ): opening balance, charged, paid, others, closing balance."""
    tell(given, period, lambda connection, terms: turnover_report(connection, terms, LEVELS[level]))


@reports.command()
@month_argument
@click.option("--by", type=click.Choice(("service", "supplier", "house")), default="service", show_default=True)
@common
def charges(period: int, by: str, **given: Any) -> None:
    """What the month charged by service, supplier or house."""
    tell(given, period, lambda connection, terms: charges_report(connection, terms, by))


@reports.command()
@month_argument
@click.option("--since", callback=month_of_text, metavar="YYYY-MM", help="First month; the same by default.")
@click.option("--by", type=click.Choice(("supplier", "house")), default="supplier", show_default=True)
@common
def collection(period: int, since: int | None, by: str, **given: Any) -> None:
    """Collection (собираемость): paid of charged, month by month."""
    tell(given, period, lambda connection, terms: collection_report(connection, terms, since or period, by))


@reports.command()
@month_argument
@click.option(
    "--day", "on", callback=day_of_text, metavar="YYYY-MM-DD", help="At the end of this bank day; the month's last by default."
)
@click.option("--by-house", is_flag=True, help="House by house.")
@common
def debts(period: int, on: date | None, by_house: bool, **given: Any) -> None:
    """Debts by age, of each creditor."""
    tell(given, period, lambda connection, terms: debts_report(connection, terms, on, by_house=by_house))


@reports.command()
@month_argument
@common
def readings(period: int, **given: Any) -> None:
    """Meters of flats without a reading for the month."""
    tell(given, period, readings_report)


def tell(options: dict[str, Any], period: int, make: Callable[[Connection, Terms], Awaitable[Report]]) -> None:
    """Read a report, print it or write it into files; what cannot be told is one line and exit code 2."""
    given = msgspec.convert(options, Given)

    async def read(connection: Connection) -> Report:
        number = await find_provider(connection, given.provider)
        terms = Terms(provider=number, code=given.provider, period=period, houses=tuple(given.houses), by_value=given.by_value)
        return await make(connection, terms)

    made_on = utc_now().astimezone(MOSCOW).date()
    try:
        report = read_ledger(given.data_dir, read)
        for path in given.outs:
            write_report(report, path, made_on, with_mark=given.with_mark)
    except (SaldoRefused, ReportRefused) as error:
        raise NotDone(str(error)) from error
    for path in given.outs:
        click.echo(str(path))
    if given.as_json:
        print_json(report)
    elif not given.outs:
        print_report(console(), report)
