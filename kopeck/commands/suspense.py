"""``kopeck suspense``: money without an owner (невыясненные) shown, assigned, returned (docs/suspense.md)."""

import re
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import TypeVar

import click

from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, ledger_config, place_of, print_json
from kopeck.config import ConfigError
from kopeck.personal_key import personal_sealer
from kopeck.suspense_shown import ItemShown, item_row, print_item, print_items, shown_row
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from ledger.release import NotReleased
from schemas.ids import AccountId, Book, Sequence
from schemas.money import MoneyError, kopecks_from_roubles, roubles_for_people
from schemas.notification import POOL_NAMES, NamedDesignation
from services.clearing.personal import unseal_text
from services.registers.booking import line_bound_to
from services.runner import catch_up
from services.sealing import NotUnsealed, Sealer
from services.suspense.arrivals import Arrivals, bring_arrivals
from services.suspense.consumer import SuspenseConsumer
from services.suspense.core.evidence import Told
from services.suspense.decisions import (
    Assignment,
    NotDecided,
    Payee,
    Place,
    Return,
    assign,
    hold,
    note_withdrawn,
    return_to_payer,
)
from services.suspense.papers import find_origin
from services.suspense.queue import SHOWN_MAX, Item, find_item, find_place, list_waiting_items, tell_item
from services.suspense.suggestions import find_accounts, suggest

Answer = TypeVar("Answer")

_PERIOD = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")

place_argument = click.argument("place", metavar="PLACE")
amount_option = click.option("--amount", help="Only so many roubles of it, like 1234.56; all that is left by default.")


class SealedPapers:
    """Unseals lines of statements and seals payees with the house's key of personal data."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def read_line(self, transit: int, bank_id: str, sealed: bytes) -> Told:
        """What the line tells of its payer."""
        text = unseal_text(self._sealer, transit, bank_id, sealed)
        return Told(payer=text.payer, purpose=text.purpose)

    def read_register_line(self, register: int, row: int, sealed: bytes) -> Told:
        """The payer as the register names him."""
        return Told(payer=self._sealer.unseal(sealed, line_bound_to(register, row)).decode())

    def seal_payee(self, request: int, name: str) -> bytes:
        """The payee's name, bound to its request."""
        return self._sealer.seal(name.encode(), f"settlement.return_payee/{request}".encode())


@click.group()
def suspense() -> None:
    """Money without an owner (невыясненные): who it may belong to, and what is decided.

    PLACE is book:sequence or the counterparty's id of the operation.
    """


@suspense.command(name="list")
@click.option("--overdue", is_flag=True, help="Only what waits longer than five working days.")
@click.option("--limit", type=click.IntRange(1, SHOWN_MAX), default=100, show_default=True, help="At most so many.")
@data_option
@json_option
def list_command(overdue: bool, limit: int, data_dir: Path | None, as_json: bool) -> None:
    """List what waits for a decision, the oldest first."""

    async def read(connection: Connection) -> tuple[Item, ...]:
        return await list_waiting_items(connection, _today(), overdue=overdue, items_max=limit)

    items, now = _act(data_dir, read), utc_now()
    if as_json:
        print_json([item_row(item, now) for item in items])
    else:
        print_items(console(), items, now)


@suspense.command()
@place_argument
@click.option("--personal", is_flag=True, help="Show what the statement's line tells of the payer, which is personal data.")
@data_option
@json_option
def show(place: str, personal: bool, data_dir: Path | None, as_json: bool) -> None:
    """Show one item: what was decided, and whose it may be, with reasons."""
    papers, unread = _papers(data_dir)

    async def read(connection: Connection) -> ItemShown:
        item = await _item(connection, place)
        suggestions = await suggest(connection, item, papers)
        line = (await find_origin(connection, item, papers)).told if personal and papers is not None else None
        told = await tell_item(connection, item)
        return ItemShown(told=told, suggestions=suggestions, line=line, unread=unread)

    shown, now = _act(data_dir, read), utc_now()
    if as_json:
        print_json(shown_row(shown, now))
    else:
        print_item(console(), shown, now)


@suspense.command(name="assign")
@place_argument
@click.argument("account", metavar="ACCOUNT")
@amount_option
@click.option("--period", help="Pay this period first, YYYY-MM, as if the payer had named it.")
@click.option("--pool", type=click.Choice(tuple(POOL_NAMES)), help="Pay this pool first, as if the payer had named it.")
@by_option
@data_option
@json_option
def assign_command(
    place: str,
    account: str,
    amount: str | None,
    period: str | None,
    pool: str | None,
    by: str,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Give an item to the personal ACCOUNT (number, or namespace/number), by its present table."""
    kopecks, named = _kopecks(amount), _named(period, pool)

    async def decide(connection: Connection) -> tuple[Item, Arrivals, int]:
        item = await _item(connection, place)
        whole = item.remains if kopecks is None else kopecks
        if kopecks is None and item.remains != item.amount:
            raise NotDone(f"{item.place}: a part of it was decided before; name the --amount")
        owner = await _account(connection, account, item.value_date)
        wanted = Assignment(place=_seen(item), account=owner, by=by, amount_kopecks=kopecks, named=named)
        await assign(connection, wanted, utc_now())
        return await _item(connection, item.place), await bring_arrivals(connection), whole

    item, arrivals, given = _act(data_dir, decide)
    waits = [why for at, why in arrivals.waiting if at == item.place]
    if as_json:
        print_json({"place": item.place, "given_kopecks": given, "remains_kopecks": item.remains, "waits": waits})
        return
    click.echo(f"{item.place}: {roubles_for_people(given)} ₽ to {account}, {roubles_for_people(item.remains)} ₽ left")
    for why in waits:
        click.echo(f"on its way to another book, not arrived yet: {why}")


@suspense.command(name="return")
@place_argument
@amount_option
@click.option("--payee-name", help="Who gets it back, where no line of a statement tells.")
@click.option("--payee-account", help="20 digits of the payee's bank account.")
@click.option("--payee-bic", help="9 digits of the payee's bank.")
@click.option("--payee-inn", default="", help="The payee's ИНН.")
@click.option("--approved-by", required=True, help="The second person who decides it.")
@by_option
@data_option
def return_command(
    place: str,
    amount: str | None,
    payee_name: str | None,
    payee_account: str | None,
    payee_bic: str | None,
    payee_inn: str,
    approved_by: str,
    by: str,
    data_dir: Path | None,
) -> None:
    """Send an item back to its payer: settlement makes the order at the next cut that finds the money covered."""
    kopecks, payee = _kopecks(amount), _payee(payee_name, payee_account, payee_bic, payee_inn)
    papers, unread = _papers(data_dir)
    if papers is None:
        raise NotDone(f"the payee's name cannot be sealed: {unread}")

    async def decide(connection: Connection) -> tuple[str, int]:
        item = await _item(connection, place)
        wanted = Return(place=_seen(item), by=by, approved_by=approved_by, amount_kopecks=kopecks, payee=payee)
        return item.place, await return_to_payer(connection, wanted, papers, utc_now())

    at, request = _act(data_dir, decide)
    click.echo(f"{at}: return {request} is asked for; the next cut that finds its money covered orders it")


@suspense.command(name="hold")
@place_argument
@click.option("--back", is_flag=True, help="The bank has given the money back to the transit account.")
@by_option
@data_option
def hold_command(place: str, back: bool, by: str, data_dir: Path | None) -> None:
    """Note that the bank has moved an item's money to its 47416; the entries come from the statement."""

    async def decide(connection: Connection) -> str:
        item = await _item(connection, place)
        await hold(connection, _seen(item), by, utc_now(), back=back)
        return item.place

    at = _act(data_dir, decide)
    click.echo(f"{at}: {'back on the transit account' if back else 'the bank holds the money on 47416'}, noted by {by}")


def _act(data_dir: Path | None, act: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """Read what the ledger has recorded, then act; refusals end the command with their one line."""

    async def fresh(connection: Connection) -> Answer:
        await catch_up(connection, SuspenseConsumer())
        await note_withdrawn(connection)
        return await act(connection)

    try:
        return act_on_ledger(data_dir, fresh)
    except (NotDecided, NotReleased, NotUnsealed) as error:
        raise NotDone(str(error)) from error


async def _item(connection: Connection, text: str) -> Item:
    place = place_of(text)
    try:
        found = (Book(place[0]), Sequence(place[1])) if place is not None else await find_place(connection, text)
    except LookupError as error:
        raise NotDone(str(error)) from error
    item = None if found is None else await find_item(connection, *found, _today())
    if item is None:
        raise NotDone(f"{text!r} is no item of suspense")
    return item


async def _account(connection: Connection, text: str, day: date) -> AccountId:
    found = await find_accounts(connection, text, max(day, _today()))
    if len(found) != 1:
        raise NotDone(f"{text!r} is {'no personal account' if not found else 'the number of several accounts: namespace/number'}")
    return found[0]


def _seen(item: Item) -> Place:
    return Place(book=item.book, sequence=item.sequence, seen_remains=item.remains)


def _papers(data_dir: Path | None) -> tuple[SealedPapers | None, str]:
    """The key of personal data, or why there is none."""
    try:
        return SealedPapers(personal_sealer(ledger_config(data_dir))), ""
    except ConfigError as error:
        return None, str(error)


def _kopecks(amount: str | None) -> int | None:
    if amount is None:
        return None
    try:
        return kopecks_from_roubles(amount)
    except MoneyError as error:
        raise click.BadParameter(str(error), param_hint="--amount") from error


def _named(period: str | None, pool: str | None) -> NamedDesignation | None:
    if period is not None and pool is not None:
        raise click.UsageError("a payment names a period or a pool, not both")
    if period is not None and _PERIOD.fullmatch(period) is None:
        raise click.BadParameter("a period is like 2026-10", param_hint="--period")
    return None if period is None and pool is None else NamedDesignation(period=period, pool=pool)


def _payee(name: str | None, account: str | None, bic: str | None, inn: str) -> Payee | None:
    given = (name, account, bic)
    if not any(given):
        return None
    if name is None or account is None or bic is None:
        raise click.UsageError("a payee has --payee-name, --payee-account and --payee-bic")
    if re.fullmatch("[0-9]{20}", account) is None or re.fullmatch("[0-9]{9}", bic) is None:
        raise click.UsageError("an account has 20 digits, a БИК 9")
    if re.fullmatch("([0-9]{10}|[0-9]{12})?", inn) is None:
        raise click.UsageError("an ИНН has 10 or 12 digits")
    return Payee(name=name, account=account, bic=bic, inn=inn)


def _today() -> date:
    return utc_now().astimezone(MOSCOW).date()
