"""``kopeck transfers``: transfer orders shown, approved, let go again, and what of them waits for whom (docs/settlement.md)."""

from datetime import date, datetime
from pathlib import Path

import click

from connectors.transfers.statement import read_orders_file
from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, print_json, read_ledger
from kopeck.transfers_shown import (
    print_registers,
    print_suspended,
    print_transfer,
    print_transfers,
    print_unrecognised,
    print_waiting,
    register_rows,
    register_totals,
    told_with_names,
    waiting_with_names,
    write_registers,
)
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from ledger.names import Names, fetch_names
from schemas.statement import StatementUnbelieved
from schemas.transfer import TransferState
from services.settlement.approvals import ApprovalRefused, approve_order
from services.settlement.inspection import TransferTold, TransferView, Wanted, find_transfers, list_transfers, tell_transfer
from services.settlement.lines import OrderRegister, read_register
from services.settlement.orders import SettlementBroken
from services.settlement.reading import offer_movements
from services.settlement.rules.numbering import register_place
from services.settlement.statement import UnrecognisedMovement, list_unrecognised
from services.settlement.transitions import Applied, allow_reissue, apply_parked, cancel_order, state_executed
from services.settlement.waiting import NotWaiting, Waiting, list_waiting, resolve_result
from services.suspense.queue import SuspendedSum, list_suspended_sums

DATE = click.DateTime(formats=["%Y-%m-%d"])
STATES = tuple(state.name.lower() for state in TransferState)
LIMIT_MAX = 10_000
KEYS_SHOWN = 10

reference_argument = click.argument("reference", metavar="KEY|NUMBER")
limit_option = click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=100, show_default=True, help="At most so many.")


@click.group()
def transfers() -> None:
    """Transfer orders: what leaves the transit accounts, and what waits for whom."""


@transfers.command(name="list")
@click.option("--day", type=DATE, help="The bank day that they are dated.")
@click.option("--state", type=click.Choice(STATES), help="Where they stand.")
@click.option("--recipient", help="Code of the recipient.")
@click.option("--register", "register_", metavar="NUMBER", help="Register that they left in, or name in their purpose.")
@limit_option
@data_option
@json_option
def list_command(
    day: datetime | None,
    state: str | None,
    recipient: str | None,
    register_: str | None,
    limit: int,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """List orders, the newest first."""
    if register_ is not None and not _is_register(register_):
        raise click.BadParameter("a register's number is like 1-261124-3", param_hint="--register")
    wanted = Wanted(
        day=day.date() if day else None,
        state=TransferState[state.upper()] if state else None,
        recipient=recipient,
        register=register_,
    )
    found = read_ledger(data_dir, lambda connection: list_transfers(connection, wanted, limit))
    if as_json:
        print_json(found)
    else:
        print_transfers(console(), found)


@transfers.command()
@reference_argument
@data_option
@json_option
def show(reference: str, data_dir: Path | None, as_json: bool) -> None:
    """Show one order: parts, ranges, history, approvals. Exit code 2: none, or several with that number."""

    async def read(connection: Connection) -> tuple[TransferTold, Names]:
        return await tell_transfer(connection, await _one(connection, reference)), await fetch_names(connection)

    told, names = read_ledger(data_dir, read)
    if as_json:
        print_json(told_with_names(told, names))
    else:
        print_transfer(console(), told, names)


@transfers.command()
@click.argument("reference", metavar="KEY|NUMBER|REGISTER")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write the lines to a file.")
@data_option
@json_option
def register(reference: str, csv_file: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Show which payments an order, or every order of a register, pays, with control totals.

    Personal accounts' numbers are masked but for their ends.
    """
    found, names = read_ledger(data_dir, lambda connection: _read_registers(connection, reference))
    if csv_file is not None:
        with csv_file.open("w", encoding="utf-8", newline="") as file:
            write_registers(file, found, names)
    if as_json:
        print_json({"totals": register_totals(found), "lines": list(register_rows(found, names))})
    elif csv_file is None:
        print_registers(console(), found, names)
    else:
        click.echo(f"{sum(len(one.lines) for one in found)} lines written to {csv_file}")


@transfers.command()
@click.argument("key")
@by_option
@data_option
def approve(key: str, by: str, data_dir: Path | None) -> None:
    """Approve an order as one of the two people it needs; nobody approves twice."""
    try:
        wanting = act_on_ledger(data_dir, lambda connection: approve_order(connection, key, by, utc_now()))
    except ApprovalRefused as error:
        raise NotDone(str(error)) from error
    click.echo(f"{key}: {f'{wanting} more to approve' if wanting else 'approved, leaves with the next register'}")


@transfers.command()
@click.option("--on", "day", type=DATE, help="Hold deadlines against this day; today in Moscow by default.")
@data_option
@json_option
def waiting(day: datetime | None, data_dir: Path | None, as_json: bool) -> None:
    """Show what waits and for whom: approval, the bank, other requisites, a person; and what is overdue."""
    today: date = day.date() if day else utc_now().astimezone(MOSCOW).date()

    async def read(connection: Connection) -> tuple[Waiting, Names, tuple[SuspendedSum, ...]]:
        suspended = await list_suspended_sums(connection, today)
        return await list_waiting(connection, today), await fetch_names(connection), suspended

    found, names, suspended = read_ledger(data_dir, read)
    if as_json:
        print_json({**waiting_with_names(found, names), "suspended": suspended})
    else:
        print_waiting(console(), found, names)
        print_suspended(console(), suspended)


@transfers.command()
@click.argument("key")
@by_option
@data_option
def reissue(key: str, by: str, data_dir: Path | None) -> None:
    """Let the money of an order that came back be paid anew to the same requisites, by the next cut; who let it is kept."""
    if not act_on_ledger(data_dir, lambda connection: allow_reissue(connection, key, by, utc_now())):
        raise NotDone(f"{key} does not wait to be paid anew")
    click.echo(f"{key}: the next cut pays it anew to the same requisites")


@transfers.command()
@click.argument("key")
@by_option
@data_option
def cancel(key: str, by: str, data_dir: Path | None) -> None:
    """Cancel an order that has not left yet; its money waits for other requisites, or for reissue."""
    if not act_on_ledger(data_dir, lambda connection: cancel_order(connection, key, by, utc_now())):
        raise NotDone(f"{key} is unknown or has left: what has left only the bank can cancel")
    click.echo(f"{key} is cancelled; its money waits")


@transfers.command()
@click.argument("number", type=int)
@click.option("--apply", "applies", is_flag=True, help="Apply it, now that it follows from where the order stands.")
@by_option
@data_option
def resolve(number: int, by: str, applies: bool, data_dir: Path | None) -> None:
    """Mark the parked result NUMBER as seen to; with --apply do what the bank said, with its entry in the books."""
    try:
        if not applies:
            act_on_ledger(data_dir, lambda connection: resolve_result(connection, number, by, utc_now()))
        elif act_on_ledger(data_dir, lambda connection: apply_parked(connection, number, by, utc_now())) is Applied.PARKED:
            raise NotDone(f"parked result {number} does not follow from where its order stands: kopeck transfers executed first")
    except (NotWaiting, LookupError) as error:
        raise NotDone(str(error)) from error
    click.echo(f"parked result {number} is {'applied' if applies else 'resolved'} by {by}")


@transfers.command()
@click.argument("key")
@click.option("--number", "bank_number", required=True, help="The bank's own number of the order.")
@click.option("--day", "bank_day", type=DATE, required=True, help="The bank day on which it was executed.")
@by_option
@data_option
def executed(key: str, bank_number: str, bank_day: datetime, by: str, data_dir: Path | None) -> None:
    """State that the bank executed an order, by its paper, where neither its answer nor its statement has told so."""
    bank = (bank_number, bank_day.date())
    applied = act_on_ledger(data_dir, lambda connection: state_executed(connection, key, bank, by, utc_now()))
    if applied is Applied.PARKED:
        raise NotDone(f"{key} is unknown, has not left, or ended otherwise")
    click.echo(f"{key} is {'executed' if applied is Applied.MOVED else 'known to be executed'}")


@transfers.command()
@limit_option
@data_option
@json_option
def unrecognised(limit: int, data_dir: Path | None, as_json: bool) -> None:
    """List statement lines of transit accounts that are no order of ours, the newest first, and why."""

    async def read(connection: Connection) -> tuple[UnrecognisedMovement, ...]:
        return await list_unrecognised(connection, limit)

    found = read_ledger(data_dir, read)
    if as_json:
        print_json(found)
    else:
        print_unrecognised(console(), found)


@transfers.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--transit", required=True, help="The transit account's 20 digits.")
@data_option
@json_option
def statement(file: Path, transit: str, data_dir: Path | None, as_json: bool) -> None:
    """Offer the lines of a statement FILE (1CClientBankExchange) to the orders: executed, and come back.

    The file's balances and turnovers must agree. A line that was offered before is not offered again.
    """
    try:
        read = read_orders_file(file.read_bytes(), transit)
        report = act_on_ledger(data_dir, lambda connection: offer_movements(connection, read.movements, utc_now()))
    except (StatementUnbelieved, LookupError) as error:
        raise NotDone(f"{file}: {error}") from error
    if as_json:
        print_json(report)
    else:
        click.echo(
            f"{report.offered} lines offered, {report.recognised} of them orders' own; {report.left} known before or others'"
        )


def _is_register(text: str) -> bool:
    try:
        register_place(text)
    except ValueError:
        return False
    return True


async def _one(connection: Connection, reference: str) -> TransferView:
    found = await find_transfers(connection, reference)
    if not found:
        raise NotDone(f"no order {reference!r}")
    if len(found) > 1:
        raise NotDone(f"{len(found)} orders have that number: {', '.join(one.key for one in found[:KEYS_SHOWN])}")
    return found[0]


async def _read_registers(connection: Connection, reference: str) -> tuple[tuple[OrderRegister, ...], Names]:
    if _is_register(reference):
        orders = await list_transfers(connection, Wanted(register=reference), LIMIT_MAX)
        if not orders:
            raise NotDone(f"no order left in register {reference} or names it")
    else:
        orders = (await _one(connection, reference),)
    try:
        ordered = sorted(orders, key=lambda one: (one.day, one.number))
        registers = tuple([await read_register(connection, one.key) for one in ordered])
    except SettlementBroken as error:
        raise click.ClickException(f"{error}: run kopeck verify") from error
    return registers, await fetch_names(connection)
