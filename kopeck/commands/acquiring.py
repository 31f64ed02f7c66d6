"""``kopeck acquiring``: web payments started, what acquirers told, and lost callbacks asked for (docs/intake.md)."""

import asyncio
import re
import secrets
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import click
from rich.table import Table

from connectors.acquiring.rbs_client import RbsClient
from kopeck.acquirer_refunding import Ordered, order_back
from kopeck.acquirer_sections import rbs_settings
from kopeck.channels import ChannelConfigError
from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, by_option, log_to_standard_error
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, ledger_config, place_of, print_json, read_ledger
from kopeck.embedded.servers import Connections, connect_or_start
from kopeck.intake_process import asked_channels, make_askers
from kopeck.intakes import channel_named, channels_of, opened
from ledger.statements import load_statements
from schemas.ids import Book, Sequence
from schemas.money import MoneyError, kopecks_from_roubles, roubles_for_people
from services.acquiring.asking import Asked, ask_once
from services.acquiring.orders import AccountRefused, NotStarted, OrderDiffers, Started, Wanted, draw_number, start_payment
from services.acquiring.refunds import RefundRefused
from services.delivery.http import HttpExchange

_SQL = load_statements("services/acquiring/acquiring.sql")
NUMBER = re.compile(r"[0-9A-Za-z-]{1,32}", re.ASCII)
LIMIT_MAX = 10_000
Answer = TypeVar("Answer")

channels_option = click.option(
    "--channels",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The channels' file (docs/channels.md).",
)


@click.group()
def acquiring() -> None:
    """Acquirers: start web payments, see what was told, ask for what was not."""


@acquiring.command()
@channels_option
@click.option("--channel", "name", required=True, help="Channel of kind rbs with a base_url.")
@click.option("--account", required=True, help="Personal account's number in the channel's namespace.")
@click.option("--amount", required=True, help="Roubles, like 1234.56.")
@click.option("--return-url", default="https://localhost/", show_default=True, help="Where the payer comes back to.")
@click.option("--number", default="", help="The order's number, to go on with a start that was interrupted.")
@data_option
@json_option
def start(file: Path, data_dir: Path | None, as_json: bool, **given: str) -> None:
    """Start a payment and print the address of the page where it is paid. Exit code 2: there is none, and why."""
    wanted = _wanted(given)
    answer = _on_ledger(data_dir, lambda connections: _start(connections, file, given["name"], wanted))
    if isinstance(answer, NotStarted):
        again = f"; repeat with --number {answer.number}" if answer.again else ""
        raise NotDone(f"order {answer.number}: {answer.reason}{again}")
    if as_json:
        print_json({"number": answer.number, "page": answer.page})
    else:
        click.echo(f"{answer.number} {answer.page}")


def _wanted(given: Mapping[str, str]) -> Wanted:
    number = given["number"] or draw_number(secrets.randbelow)
    if NUMBER.fullmatch(number) is None:
        raise click.BadParameter("Latin letters, digits and hyphens, at most 32", param_hint="--number")
    try:
        amount_kopecks = kopecks_from_roubles(given["amount"])
    except MoneyError as error:
        raise click.BadParameter(str(error), param_hint="--amount") from error
    if amount_kopecks <= 0:
        raise click.BadParameter("more than nought", param_hint="--amount")
    return Wanted(number=number, account=given["account"], amount_kopecks=amount_kopecks, return_url=given["return_url"])


async def _start(connections: Connections, file: Path, name: str, wanted: Wanted) -> Started | NotStarted:
    connection = await asyncpg.connect(connections.services_dsn)
    try:
        channel = channel_named(await channels_of(connection, file), name)
        if not asked_channels((channel,)):
            raise NotDone(f"channel {name} starts no payments: it is of kind {channel.kind.value} or has no acquirer.base_url")
        async with HttpExchange() as exchange:
            client = RbsClient(rbs_settings(channel.acquirer), exchange)
            return await start_payment(connection, client, channel, wanted, utc_now())
    except (OrderDiffers, AccountRefused) as error:
        raise NotDone(str(error)) from error
    finally:
        await connection.close()


@acquiring.command()
@click.option("--channel", "name", default="", help="Of one channel only.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=100, show_default=True, help="At most so many.")
@data_option
@json_option
def events(name: str, limit: int, data_dir: Path | None, as_json: bool) -> None:
    """List what acquirers told beside payments, the newest first: holds, reversals, refunds, declines."""
    rows = read_ledger(data_dir, lambda connection: connection.fetch(_SQL["list_last_events"], name, limit))
    if as_json:
        print_json([dict(row) for row in rows])
        return
    table = Table(*("told", "channel", "act", "payment", "order", "amount"), box=None)
    for row in rows:
        table.add_row(
            f"{row['told_at']:%Y-%m-%d %H:%M:%S}",
            row["channel"],
            row["act"],
            row["payment"],
            row["order_number"],
            roubles_for_people(row["amount"]),
        )
    console().print(table)


@acquiring.command()
@channels_option
@click.option("--channel", "name", default="", help="One channel only.")
@data_option
@json_option
def poll(file: Path, name: str, data_dir: Path | None, as_json: bool) -> None:
    """Ask acquirers once about open orders and about the last day, and book what was lost."""
    asked = _on_ledger(data_dir, lambda connections: _poll(connections, file, name))
    if as_json:
        print_json(asked)
    else:
        click.echo(f"{asked.orders} orders told, {asked.found} payments and events found, {asked.again} to ask again")


async def _poll(connections: Connections, file: Path, name: str) -> Asked:
    async with opened(connections, file) as house, HttpExchange() as exchange:
        channels = asked_channels((house.channel(name),) if name else house.channels)
        if not channels:
            raise NotDone("no channel's acquirer can be asked: kind rbs with acquirer.base_url is needed")
        askers = make_askers(channels, exchange, house.intake)
        return await ask_once(connections.services_dsn, askers, utc_now(), sweeps=True)


@acquiring.command()
@click.argument("place", metavar="BOOK:SEQUENCE")
@channels_option
@by_option
@data_option
@json_option
def refund(place: str, file: Path, by: str, data_dir: Path | None, as_json: bool) -> None:
    """Have the acquirer give back what the refund or reversal at BOOK:SEQUENCE took back (kopeck refunds decides it)."""
    where = place_of(place)
    if where is None:
        raise click.BadParameter("a place is written BOOK:SEQUENCE, as kopeck journal shows it", param_hint="PLACE")
    book, sequence = where
    ordered = _on_ledger(data_dir, lambda connections: _refund(connections, file, (Book(book), Sequence(sequence)), by))
    if as_json:
        print_json(ordered)
    else:
        amount = roubles_for_people(ordered.amount_kopecks)
        click.echo(
            f"refund {ordered.refund}: {amount} ₽ of {ordered.payment} through {ordered.channel}; the running house asks for it"
        )


async def _refund(connections: Connections, file: Path, place: tuple[Book, Sequence], by: str) -> Ordered:
    connection = await asyncpg.connect(connections.services_dsn)
    try:
        return await order_back(connection, await channels_of(connection, file), place, by, utc_now())
    except (RefundRefused, LookupError) as error:
        raise NotDone(f"{place[0]}:{place[1]}: {error}") from error
    finally:
        await connection.close()


def _on_ledger(data_dir: Path | None, act: Callable[[Connections], Coroutine[Any, Any, Answer]]) -> Answer:
    config = ledger_config(data_dir)
    log_to_standard_error(config.log_level)
    with connect_or_start(config.data_dir, config) as connections:
        try:
            return asyncio.run(act(connections))
        except ChannelConfigError as error:
            raise NotDone(str(error)) from error
