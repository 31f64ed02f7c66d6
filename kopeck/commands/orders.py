"""``kopeck orders``: delivery's register of receipts, transfers, webhooks and letters on their way out (docs/orders.md)."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from pathlib import Path

import click
import msgspec
from rich.table import Table

from kopeck.commands.acting import NotDone, act_on_ledger, by_option, why_option
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, print_json, read_ledger
from kopeck.desks import make_desks
from ledger.feed import Connection
from schemas.delivery import OrderNumber, OrderState
from services.delivery.interventions import (
    PARKED_MAX,
    Act,
    NotSo,
    ParkedOrder,
    cancel_order,
    list_closed_counterparties,
    list_parked_orders,
    open_counterparty,
    retry_order,
)
from services.delivery.lookups import OrderView, Wanted, list_orders

STATES = [state.name.lower() for state in OrderState]
number_argument = click.argument("number", type=click.IntRange(1, 2**63 - 1))
what_option = click.option("--what", default="", help="Of this owner: receipt, transfer, webhook or letter.")


@click.group()
def orders() -> None:
    """Orders on their way out: see them, let parked ones go on, end them, open a closed counterparty."""


@orders.command(name="list")
@what_option
@click.option("--state", type=click.Choice(STATES), help="In this state only.")
@click.option("--counterparty", default="", help="Of this connection, such as atol:uk or webhook:7.")
@click.option("--limit", type=click.IntRange(1, PARKED_MAX), default=20, show_default=True, help="At most so many.")
@data_option
@json_option
def list_command(state: str | None, limit: int, data_dir: Path | None, as_json: bool, **given: str) -> None:
    """List orders, the newest first."""
    wanted = Wanted(state=OrderState[state.upper()] if state else None, **given)
    found = read_ledger(data_dir, lambda connection: list_orders(connection, wanted, limit))
    if as_json:
        print_json(found)
    else:
        _print(found)


@orders.command()
@what_option
@data_option
@json_option
def parked(what: str, data_dir: Path | None, as_json: bool) -> None:
    """List orders that wait for a person, the oldest first, with what is known of them at the counterparty."""
    found = read_ledger(data_dir, lambda connection: list_parked_orders(connection, what))
    if as_json:
        print_json(found)
        return
    table = Table("order", "of", "counterparty", "key", "attempts", "created (UTC)", "at the counterparty", "reason")
    for one in found:
        words = (str(one.number), f"{one.what} {one.subject}", one.counterparty, one.key, str(one.attempts))
        table.add_row(*words, _moment(one.created_at), _known_there(one), one.reason)
    console().print(table)


@orders.command()
@number_argument
@by_option
@why_option
@click.option(
    "--surely-not-taken",
    is_flag=True,
    help="The counterparty itself said that it has no such order: it is sent as if for the first time.",
)
@data_option
@json_option
def retry(number: int, surely_not_taken: bool, data_dir: Path | None, as_json: bool, **act: str) -> None:
    """Let parked order NUMBER go on; one that may have been taken is asked about first."""

    async def run(connection: Connection) -> None:
        await retry_order(connection, OrderNumber(number), msgspec.convert(act, Act), surely_not_taken=surely_not_taken)

    _do(data_dir, run)
    _told(as_json, {"order": number, "retried_by": act["by"]}, f"order {number} goes on")


@orders.command()
@number_argument
@by_option
@why_option
@data_option
@json_option
def cancel(number: int, data_dir: Path | None, as_json: bool, **act: str) -> None:
    """End order NUMBER, which is parked or was never sent; its owner is told, and makes no new one by itself."""

    async def run(connection: Connection) -> None:
        await cancel_order(connection, make_desks(), OrderNumber(number), msgspec.convert(act, Act))

    _do(data_dir, run)
    _told(as_json, {"order": number, "cancelled_by": act["by"]}, f"order {number} is cancelled")


@orders.command()
@data_option
@json_option
def closed(data_dir: Path | None, as_json: bool) -> None:
    """List counterparties to which nothing is sent because they refuse us altogether, and why."""
    found = read_ledger(data_dir, list_closed_counterparties)
    if as_json:
        print_json(found)
        return
    table = Table("counterparty", "closed (UTC)", "reason")
    for one in found:
        table.add_row(one.counterparty, _moment(one.closed_at), one.reason)
    console().print(table)


@orders.command(name="open")
@click.argument("counterparty")
@by_option
@why_option
@data_option
@json_option
def open_command(counterparty: str, data_dir: Path | None, as_json: bool, **act: str) -> None:
    """Send to closed COUNTERPARTY again."""

    async def run(connection: Connection) -> None:
        await open_counterparty(connection, counterparty, msgspec.convert(act, Act))

    _do(data_dir, run)
    _told(as_json, {"counterparty": counterparty, "opened_by": act["by"]}, f"{counterparty} is open again")


def _do(data_dir: Path | None, run: Callable[[Connection], Awaitable[None]]) -> None:
    async def acted(connection: Connection) -> None:
        try:
            await run(connection)
        except NotSo as error:
            raise NotDone(str(error)) from error

    act_on_ledger(data_dir, acted)


def _told(as_json: bool, value: dict[str, object], words: str) -> None:
    if as_json:
        print_json(value)
    else:
        click.echo(words)


def _print(found: Iterable[OrderView]) -> None:
    table = Table("order", "of", "counterparty", "state", "attempts", "created (UTC)", "next or end (UTC)", "reason")
    for one in found:
        state = f"{one.state}, may have been taken" if one.unknown else one.state
        moment = one.ended_at or one.due_at
        words = (str(one.number), f"{one.what} {one.subject}", one.counterparty, state, str(one.attempts))
        table.add_row(*words, _moment(one.created_at), _moment(moment) if moment else "", one.reason)
    console().print(table)


def _known_there(one: ParkedOrder) -> str:
    if one.accepted:
        return f"accepted it once, {one.reference}" if one.reference else "accepted it once"
    return "may have it" if one.unknown else "has it not"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
