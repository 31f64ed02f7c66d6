"""``kopeck receipts``: fiscal receipts found, explained, printed, and brought on their way again (docs/receipts.md)."""

from datetime import date, datetime
from pathlib import Path

import click
import msgspec

from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option
from kopeck.commands.options import data_option
from kopeck.commands.reading import json_option, print_json, read_ledger
from kopeck.commands.receipts_found import Sought, fetch_receipt, find_receipts
from kopeck.commands.receipts_shown import (
    STATES,
    STATES_SHOWN,
    count_words,
    print_found,
    print_receipt_whole,
    print_table,
    receipt_told,
)
from ledger.feed import Connection
from services.fiscal.contacts import erase_contact
from services.fiscal.core.corrections import Ground, NothingToMend
from services.fiscal.core.drafts import MOSCOW
from services.fiscal.interventions import note_mending, note_resending
from services.fiscal.lookups import OPERATORS_STATES, RECEIPTS_MAX, ReceiptView, count_stopped, find_receipt, list_stopped
from services.fiscal.mending import NotMendable, mend_receipt
from services.fiscal.offsets import Consolidated, consolidate_offsets
from services.fiscal.rebuilding import Reordered, order_unconfigured, resend_failed
from services.fiscal.registers import Registers
from services.fiscal.states import ReceiptState
from services.paper.receipt import receipt_pdf

DATE = click.DateTime(formats=["%Y-%m-%d"])
MONTH = click.DateTime(formats=["%Y-%m"])
number_argument = click.argument("number", type=click.IntRange(1, 2**63 - 1))
limit_option = click.option(
    "--limit", type=click.IntRange(1, RECEIPTS_MAX), default=20, show_default=True, help="At most so many."
)


@click.group()
def receipts() -> None:
    """Fiscal receipts (54-ФЗ): find, print, explain, send again, correct."""


@receipts.command(name="list")
@click.option("--payment", default="", help="Of a payment: SPACE/ID or the counterparty's ID; with the sums that need none.")
@click.option("--account", default="", help="Of a personal account: NAMESPACE/NUMBER or NUMBER.")
@click.option("--sign", default="", help="By fiscal sign: ФПД, or ФН/ФД/ФПД.")
@click.option("--state", type=click.Choice(STATES), help="In this state only.")
@limit_option
@data_option
@json_option
def list_command(state: str | None, limit: int, data_dir: Path | None, as_json: bool, **given: str) -> None:
    """List receipts, the newest first: all, or those of a payment, an account or a fiscal sign."""
    if sum(bool(text) for text in given.values()) > 1:
        raise click.UsageError("--payment, --account and --sign exclude one another")
    sought = Sought(state=ReceiptState[state.upper()] if state else None, limit=limit, **given)
    found = read_ledger(data_dir, lambda connection: find_receipts(connection, sought))
    if as_json:
        print_json({"receipts": [receipt_told(view) for view in found.receipts], "without_receipt": found.omissions})
    else:
        print_found(found)


@receipts.command()
@number_argument
@data_option
@json_option
def show(number: int, data_dir: Path | None, as_json: bool) -> None:
    """Show receipt NUMBER: its items, why there is one, its state, its orders, fiscal sign, QR text and link."""
    whole = read_ledger(data_dir, lambda connection: fetch_receipt(connection, number))
    if whole is None:
        raise _unknown(number)
    if as_json:
        told = {"reasons": whole.reasons, "orders": whole.orders, "without_receipt": whole.omissions}
        print_json({**receipt_told(whole.view), **told})
    else:
        print_receipt_whole(whole)


@receipts.command(name="print")
@number_argument
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The PDF file to write.")
@data_option
def print_command(number: int, output: Path, data_dir: Path | None) -> None:
    """Write registered receipt NUMBER as a PDF; the payer's contact is not on it."""
    view = read_ledger(data_dir, lambda connection: find_receipt(connection, number))
    if view is None:
        raise _unknown(number)
    if view.receipt is None or view.sign is None:
        raise NotDone(f"receipt {number} is {view.state.name.lower()}: only what a till registered can be printed")
    try:
        page = receipt_pdf(view.receipt, view.sign)
    except ValueError as error:
        raise NotDone(f"receipt {number} is not printed: {error}") from error
    try:
        output.write_bytes(page)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}") from error
    click.echo(f"receipt {number} is written to {output}")


@receipts.command()
@click.option("--state", type=click.Choice(STATES_SHOWN), help="In this state; those for a person by default.")
@limit_option
@data_option
@json_option
def stopped(state: str | None, limit: int, data_dir: Path | None, as_json: bool) -> None:
    """List receipts that are not on their way and why, the oldest first: unconfigured, failed and disputed ones."""
    states = [ReceiptState[state.upper()]] if state else list(OPERATORS_STATES)

    async def read(connection: Connection) -> tuple[tuple[ReceiptView, ...], dict[ReceiptState, int]]:
        return await list_stopped(connection, states, limit), await count_stopped(connection)

    views, counts = read_ledger(data_dir, read)
    if as_json:
        counted = {one.name.lower(): number for one, number in counts.items()}
        print_json({"counts": counted, "receipts": [receipt_told(view) for view in views]})
        return
    print_table(views)
    click.echo(count_words(counts))


@receipts.command()
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(1, 2**63 - 1))
@by_option
@data_option
@json_option
def resend(numbers: tuple[int, ...], by: str, data_dir: Path | None, as_json: bool) -> None:
    """Order failed receipts NUMBERS again under new keys, by the tables as they are now; who does so is kept."""
    wanted, moment = sorted(set(numbers)), utc_now()

    async def act(connection: Connection) -> Reordered:
        async with connection.transaction():
            await note_resending(connection, wanted, by, moment)
            return await resend_failed(connection, Registers(), wanted, moment)

    report = act_on_ledger(data_dir, act)
    left = len(wanted) - _touched(report)
    if as_json:
        print_json({**msgspec.to_builtins(report), "left_alone": left})
        return
    click.echo(f"{_words(report)}; {left} left alone, not being failed")


@receipts.command(name="order-unconfigured")
@data_option
@json_option
def order_unconfigured_command(data_dir: Path | None, as_json: bool) -> None:
    """Order every receipt that waited for a table and has it now; a late one goes as a correction receipt."""
    report = act_on_ledger(data_dir, lambda connection: order_unconfigured(connection, Registers(), utc_now()))
    if as_json:
        print_json(report)
    else:
        click.echo(_words(report))


@receipts.command()
@number_argument
@click.option("--by-order", is_flag=True, help="The tax service ordered it; otherwise it is corrected on one's own.")
@click.option("--base-date", type=DATE, help="Day of the document that says so (tag 1178); today by default.")
@click.option("--base-number", default="", help="Number of that document (tag 1179); required with --by-order.")
@by_option
@data_option
@json_option
def mend(number: int, by_order: bool, base_date: datetime | None, base_number: str, **given: object) -> None:
    """Correct wrong registered receipt NUMBER: undo it, then issue what is right by the tables as they are now."""
    if by_order and not base_number:
        raise click.UsageError("--by-order needs the order's --base-number")
    moment = utc_now()
    day: date = base_date.date() if base_date else moment.astimezone(MOSCOW).date()
    ground = Ground(by_order=by_order, base_date=day, base_number=base_number)
    options = msgspec.convert(given, _Options)

    async def act(connection: Connection) -> tuple[int, int]:
        try:
            async with connection.transaction():
                made = await mend_receipt(connection, Registers(), number, ground, moment)
                await note_mending(connection, number, options.by, moment)
                return made
        except (NotMendable, NothingToMend) as error:
            raise NotDone(f"receipt {number} is not corrected: {error}") from error

    undo, right = act_on_ledger(options.data_dir, act)
    if options.as_json:
        print_json({"wrong": number, "undo": undo, "right": right})
    else:
        click.echo(f"receipt {undo} undoes receipt {number}; receipt {right} follows when it is registered")


@receipts.command()
@click.argument("month", type=MONTH)
@data_option
@json_option
def offsets(month: datetime, data_dir: Path | None, as_json: bool) -> None:
    """Issue the consolidated receipts for the advances that were offset in MONTH (2026-10); again for late ones."""
    moment = utc_now()
    if (month.year, month.month) >= (moment.astimezone(MOSCOW).year, moment.astimezone(MOSCOW).month):
        raise NotDone(f"{month:%Y-%m} has not ended")

    async def act(connection: Connection) -> Consolidated:
        return await consolidate_offsets(connection, Registers(), month.year * 100 + month.month, moment)

    made = act_on_ledger(data_dir, act)
    if as_json:
        print_json({"receipts": made.receipts, "total_kopecks": made.total, "missing": made.missing})
        return
    click.echo(
        f"{len(made.receipts)} receipts for {made.total} kopecks of offsets: {', '.join(map(str, made.receipts)) or 'none'}"
    )
    for lacking in made.missing:
        click.echo(f"waits for: {lacking}", err=True)


@receipts.command(name="erase-contact")
@click.argument("namespace")
@click.argument("number")
@data_option
@json_option
def erase_contact_command(namespace: str, number: str, data_dir: Path | None, as_json: bool) -> None:
    """Forget where the payer of account NAMESPACE NUMBER wanted receipts (152-ФЗ), in orders not sent yet too."""
    erased = act_on_ledger(data_dir, lambda connection: erase_contact(connection, namespace, number))
    if as_json:
        print_json({"erased": erased})
    else:
        click.echo("the contact is erased" if erased else "no contact of this account is known")


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    by: str
    data_dir: Path | None
    as_json: bool


def _unknown(number: int) -> NotDone:
    return NotDone(f"there is no receipt {number}")


def _touched(report: Reordered) -> int:
    return report.ordered + report.held + report.waiting + report.withdrawn


def _words(report: Reordered) -> str:
    return (
        f"{report.ordered} ordered, {report.held} held until another is registered, {report.waiting} still not configured, "
        f"{report.withdrawn} withdrawn"
    )
