"""``kopeck day``: the bank days of transit accounts, shown and closed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import asyncpg
import click

from kopeck.commands.options import data_option
from kopeck.commands.reading import json_option, ledger_config, print_json, read_ledger
from kopeck.embedded.servers import connect_or_start
from ledger.balances import StoredCut
from ledger.feed import Connection
from services.calendar import next_working_day
from services.days import DayNotClosed, EndedDay, OpenDay, close_day, list_closed_days, list_open_days

CLOSED_DAYS_SHOWN = 10
DATE = click.DateTime(formats=["%Y-%m-%d"])


@click.group()
def day() -> None:
    """Bank days of transit accounts (40911): show them, or close one."""


@day.command()
@data_option
@json_option
def show(data_dir: Path | None, as_json: bool) -> None:
    """Show each transit account's open day and its newest closed ones, with the numbers of their cuts."""
    days = read_ledger(data_dir, _read_days)
    if as_json:
        print_json([{"transit": one.account, "open_day": one.open_day, "closed": closed} for one, closed in days])
        return
    for one, closed in days:
        click.echo(f"{one.account}: open day {one.open_day}")
        for ended in closed:
            state = "reconciled" if ended.reconciled else "not reconciled yet"
            click.echo(f"  {ended.day} closed at {ended.moment:%Y-%m-%d %H:%M:%S} UTC, cut {ended.cut}, {state}")


@day.command()
@click.option("--transit", required=True, help="The transit account's 20 digits.")
@click.option("--day", "closing", type=DATE, help="The day to close; the open one by default.")
@click.option("--next", "following", type=DATE, help="The day to open; the next working day by default.")
@data_option
@json_option
def close(transit: str, closing: datetime | None, following: datetime | None, data_dir: Path | None, as_json: bool) -> None:
    """Close the open bank day of a transit account; what comes later belongs to the next day."""
    config = ledger_config(data_dir)
    wanted = (closing.date() if closing else None, following.date() if following else None)
    with connect_or_start(config.data_dir, config) as connections:
        cut = asyncio.run(_connected(connections.services_dsn, lambda connection: _close(connection, transit, wanted)))
    if as_json:
        places = {str(book): sequence for book, sequence in cut.cut.places.items()}
        print_json({"day": cut.day, "cut": cut.number, "moment": cut.moment, "transit": transit, "places": places})
    else:
        click.echo(f"{transit}: day {cut.day} closed, cut {cut.number}")


async def _connected(dsn: str, work: Callable[[Connection], Awaitable[StoredCut]]) -> StoredCut:
    connection = await asyncpg.connect(dsn)
    try:
        return await work(connection)
    finally:
        await connection.close()


async def _close(connection: Connection, transit: str, wanted: tuple[date | None, date | None]) -> StoredCut:
    open_days = {one.account: one for one in await list_open_days(connection)}
    if transit not in open_days:
        known = ", ".join(sorted(open_days)) or "none"
        raise click.ClickException(f"{transit} has no open day here; transit accounts with one: {known}")
    one = open_days[transit]
    closing = wanted[0] or one.open_day
    following = wanted[1] or next_working_day(closing + timedelta(days=1))
    try:
        return await close_day(connection, one.transit, closing, following)
    except DayNotClosed as error:
        code = f" [{error.code}]" if error.code else ""
        raise click.ClickException(f"the day stays open: {error}{code}") from error


async def _read_days(connection: Connection) -> list[tuple[OpenDay, tuple[EndedDay, ...]]]:
    open_days = await list_open_days(connection)
    return [(one, await list_closed_days(connection, one.transit, CLOSED_DAYS_SHOWN)) for one in open_days]
