"""``kopeck housing``: the housing stock loaded, shown, and checked for a month's calculation (docs/billing-housing.md)."""

import re
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import click
import msgspec

from kopeck.clock import utc_now
from kopeck.commands.load import Loader, Options, Refused, by_option, file_argument, json_option, run_load, with_services
from kopeck.commands.options import data_option
from kopeck.commands.reading import ledger_config
from kopeck.config import ConfigError
from kopeck.housing_shown import print_facts
from kopeck.personal_key import personal_sealer
from ledger.core.entry import MOSCOW
from services.billing.core.facts import HouseFacts
from services.billing.stock.facts import UnknownHouse, list_houses, read_facts
from services.billing.stock.files import KINDS
from services.billing.stock.loading import load_owners, load_stock
from services.billing.stock.missing import Missing, missing_of
from services.billing.stock.persons import NothingToErase, erase_name
from services.reference.loading import Connection, LoadReport, LoadTerms, Progress

Answer = TypeVar("Answer")

HOUSES_AT_ONCE = 500
SHOWN_MAX = 200
"""Lines of what is missing that are printed; the rest is counted."""
EXIT_MISSING = 1
_PERIOD = re.compile(r"((?:19|20)[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)


@click.group()
def housing() -> None:
    """Load, show and check the housing stock: houses, premises, accounts, tariffs, norms.

    A file of one line corrects one fact. Nothing is changed or deleted: a correction is a later row that counts instead.
    """


@housing.command()
@click.argument("what", type=click.Choice(tuple(KINDS)))
@file_argument
@data_option
@by_option
@json_option
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Check and write everything, then undo it.")
def load(what: str, file: Path, is_dry_run: bool, data_dir: Path | None, by: str, as_json: bool) -> None:
    """Load a CSV, JSON Lines or XLSX file whole, or not at all."""
    options = Options(data_dir=data_dir, by=by, as_json=as_json, is_dry_run=is_dry_run)
    run_load(file, _loader(what, data_dir), options)


def _loader(what: str, data_dir: Path | None) -> Loader:
    if what == "owners":
        try:
            sealer = personal_sealer(ledger_config(data_dir))
        except ConfigError as error:
            raise Refused(str(error)) from error

        async def load_sealed(connection: Connection, path: Path, terms: LoadTerms, told: Progress) -> LoadReport:
            return await load_owners(connection, path, sealer, terms, told)

        return load_sealed

    async def load_plain(connection: Connection, path: Path, terms: LoadTerms, told: Progress) -> LoadReport:
        return await load_stock(connection, path, KINDS[what], terms, told)

    return load_plain


@housing.command()
@click.argument("house")
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="The month of this day; today's by default.")
@data_option
@json_option
def show(house: str, day: datetime | None, data_dir: Path | None, as_json: bool) -> None:
    """Show what holds of a house in a month, as billing reads it."""
    on = day.date() if day is not None else utc_now().astimezone(MOSCOW).date()

    async def read(connection: Connection) -> tuple[HouseFacts, ...]:
        return await read_facts(connection, await list_houses(connection, house), on.year * 100 + on.month)

    facts = _read(data_dir, read)
    if not facts:
        raise Refused(f"house {house!r} is not in force on {date(on.year, on.month, 1)}")
    if as_json:
        click.echo(msgspec.json.encode(facts[0]))
    else:
        print_facts(facts[0])


@housing.command()
@click.argument("house", default="")
@click.option("--period", "month", default="", help="The month to be calculated, YYYY-MM; this month by default.")
@data_option
@json_option
def check(house: str, month: str, data_dir: Path | None, as_json: bool) -> None:
    """List what is missing for a month's calculation, of one house or of all; exit code 1 when something is."""
    period = _period(month)

    async def read(connection: Connection) -> tuple[list[Missing], int]:
        found: list[Missing] = []
        seen = 0
        houses = await list_houses(connection, house)
        for start in range(0, len(houses), HOUSES_AT_ONCE):
            for facts in await read_facts(connection, houses[start : start + HOUSES_AT_ONCE], period):
                seen += 1
                found += missing_of(facts)
        return found, seen

    found, seen = _read(data_dir, read)
    if as_json:
        click.echo(msgspec.json.encode({"period": period, "houses": seen, "missing": found}))
    else:
        for missing in found[:SHOWN_MAX]:
            click.echo(str(missing))
        if len(found) > SHOWN_MAX:
            click.echo(f"… and {len(found) - SHOWN_MAX} more")
        click.echo(f"{seen} houses in {period // 100}-{period % 100:02d}: {len(found)} things missing.")
    if found:
        raise SystemExit(EXIT_MISSING)


@housing.command("erase-owner")
@click.argument("house")
@click.argument("premises")
@click.argument("person")
@data_option
def erase_owner(house: str, premises: str, person: str, data_dir: Path | None) -> None:
    """Erase an owner's name for good (152-ФЗ); the share stays."""

    async def erase(connection: Connection) -> None:
        await erase_name(connection, (house, premises, person))

    _read(data_dir, erase)
    click.echo(f"The name of {person} is erased.")


def _period(month: str) -> int:
    if not month:
        today = utc_now().astimezone(MOSCOW).date()
        return today.year * 100 + today.month
    match = _PERIOD.fullmatch(month)
    if match is None:
        raise Refused(f"--period is {month[:40]!r}, expected a month YYYY-MM")
    return int(match[1]) * 100 + int(match[2])


def _read(data_dir: Path | None, work: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """Do the work in one transaction of the services, which sees one state of the stock."""

    async def run(dsn: str) -> Answer:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(dsn)
        try:
            async with connection.transaction(isolation="repeatable_read"):
                return await work(connection)
        finally:
            await connection.close()

    try:
        return with_services(data_dir, run)
    except (UnknownHouse, NothingToErase) as error:
        raise Refused(str(error)) from error
