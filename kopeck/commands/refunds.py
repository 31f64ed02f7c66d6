"""``kopeck refunds``: money given back, taken back, given to another account, and what is owed for it (docs/refunds.md)."""

from collections.abc import Awaitable, Callable
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import click

from kopeck.clock import utc_now
from kopeck.commands.acting import NotDone, act_on_ledger, by_option, why_option
from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, ledger_config, place_of, print_json, read_ledger
from kopeck.config import ConfigError
from kopeck.personal_key import personal_sealer
from kopeck.refunds_shown import preview_with_names, print_claims, print_preview, print_refunds
from ledger.core.entry import MOSCOW
from ledger.core.refund import NothingLeft, NotRefundable
from ledger.feed import Connection
from ledger.history import HistoryBroken
from ledger.journal import fetch_entry
from ledger.names import Names, fetch_names
from ledger.reassign import NotReassigned
from ledger.reversal import AccountBusy, TableNotRebuilt
from schemas.ids import AccountId, Book, Sequence
from schemas.money import MoneyError, kopecks_from_roubles, roubles_for_people
from services.settlement.claims import list_claims, list_refunds, stop_claim
from services.settlement.preview import Question, RefundPreview, preview_refund
from services.settlement.refunds import (
    Application,
    Asked,
    Decided,
    RefundRefused,
    decide_deduction,
    decide_reassignment,
    decide_refund,
    decide_reversal,
    find_account,
    find_recipient,
    guarantor_of,
)
from services.settlement.returns import Payee, PayeeGiven, ask_return, withdraw_return

Answer = TypeVar("Answer")
ROWS_MAX = 10_000
REFUSALS = (RefundRefused, NothingLeft, NotRefundable, NotReassigned, AccountBusy, TableNotRebuilt, HistoryBroken, LookupError)

place_argument = click.argument("place", metavar="BOOK:SEQUENCE")
amount_option = click.option("--amount", metavar="ROUBLES", help="So much of it; all that is left by default.")
approved_option = click.option("--approved-by", default="", help="The second person, from the approval limit on.")
key_option = click.option("--key", default="", help="What makes the decision one; place, sum, person and day by default.")
limit_option = click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True, help="At most so many.")


@click.group()
def refunds() -> None:
    """Refunds, reversals and reassignments: preview, decide, pay back, and what is owed for them."""


@refunds.command()
@place_argument
@amount_option
@click.option("--guarantor", default="", help="Code of who would owe in the place of recipients that were paid.")
@data_option
@json_option
def preview(place: str, amount: str | None, guarantor: str, data_dir: Path | None, as_json: bool) -> None:
    """Show leg by leg what taking back the payment at BOOK:SEQUENCE would do: what was not ordered, who would owe whom."""
    book, sequence = _place(place)
    asked = Question(book=book, sequence=sequence, amount_kopecks=_kopecks(amount), guarantor=guarantor)
    today = utc_now().astimezone(MOSCOW).date()

    async def read(connection: Connection) -> tuple[RefundPreview, Names]:
        found = await preview_refund(connection, asked, today)
        return found, await fetch_names(connection)

    found, names = _refusing(lambda: read_ledger(data_dir, read))
    if as_json:
        print_json(preview_with_names(found, names))
    else:
        print_preview(console(), found, names)


@refunds.command()
@place_argument
@amount_option
@by_option
@approved_option
@click.option("--chargeback", is_flag=True, help="The payer's bank took it back: the guarantor owes what recipients were paid.")
@click.option("--guarantor", default="", help="Code of the guarantor; the account's provider (УО) by default.")
@key_option
@data_option
@json_option
def refund(place: str, amount: str | None, data_dir: Path | None, as_json: bool, **given: object) -> None:
    """Take back the confirmed payment at BOOK:SEQUENCE, or a part of it: it is owed to the payer.

    A chargeback is kept by the acquirer from its next cover; another refund is given back by an order (kopeck refunds pay), or by
    the acquirer (kopeck refunds deduct, or its own event).
    """
    book, sequence = _place(place)
    chargeback, code = bool(given["chargeback"]), str(given["guarantor"])

    async def act(connection: Connection) -> Decided:
        recorded = await fetch_entry(connection, book, sequence)
        guarantor = await find_recipient(connection, code) if code else 0
        if chargeback and not guarantor:
            guarantor = await guarantor_of(connection, recorded)
        decided = await decide_refund(connection, _asked(place, amount, given, guarantor))
        if chargeback:
            await decide_deduction(connection, decided.book, decided.sequence, utc_now())
        return decided

    _tell(_acting(data_dir, act), as_json=as_json)


@refunds.command()
@place_argument
@amount_option
@by_option
@approved_option
@key_option
@data_option
@json_option
def reverse(place: str, amount: str | None, data_dir: Path | None, as_json: bool, **given: object) -> None:
    """Take back the payment at BOOK:SEQUENCE, or a part of it, before its cover: the counterparty sends so much less."""
    _tell(_acting(data_dir, lambda connection: decide_reversal(connection, _asked(place, amount, given))), as_json=as_json)


@refunds.command()
@place_argument
@click.argument("account", metavar="NAMESPACE/NUMBER")
@click.option("--application", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The payer's.")
@by_option
@approved_option
@data_option
@json_option
def reassign(place: str, account: str, application: Path, data_dir: Path | None, as_json: bool, **given: object) -> None:
    """Give the payment at BOOK:SEQUENCE to another personal account; the application's name and digest are kept.

    It is split there by the account's present table, with the payment's own dates.
    """
    content = application.read_bytes()
    told = Application(file_name=application.name, digest=sha256(content).digest())
    namespace, slash, number = account.partition("/")
    if not slash:
        raise click.BadParameter("is written NAMESPACE/NUMBER", param_hint="ACCOUNT")
    asked = _asked(place, None, {**given, "key": f"reassign/{place}/{account}/{told.digest.hex()}"})

    async def act(connection: Connection) -> Decided:
        taker = await find_account(connection, namespace, number)
        decided, _ = await decide_reassignment(connection, asked, AccountId(taker), told)
        return decided

    _tell(_acting(data_dir, act), as_json=as_json)


@refunds.command()
@place_argument
@click.option("--name", required=True, help="The payer's name as its bank knows it; kept sealed.")
@click.option("--account", "bank_account", required=True, help="20 digits.")
@click.option("--bic", required=True, help="9 digits.")
@click.option("--inn", default="", help="ИНН, where it is known.")
@by_option
@data_option
def pay(place: str, by: str, data_dir: Path | None, **requisites: str) -> None:
    """Have the refund at BOOK:SEQUENCE given back by an order, made by the cut that finds it covered.

    Given again, the newest account counts: for a refund whose order came back.
    """
    book, sequence = _place(place)
    try:
        sealer = personal_sealer(ledger_config(data_dir))
    except ConfigError as error:
        raise NotDone(str(error)) from error
    given = PayeeGiven(book=book, sequence=sequence, payee=Payee(**requisites), by=by, at=utc_now())
    request = _acting(data_dir, lambda connection: ask_return(connection, given, sealer))
    click.echo(f"return {request}: the next cut that finds {place} covered makes its order")


@refunds.command()
@click.argument("request", type=int)
@by_option
@why_option
@data_option
def withdraw(request: int, by: str, why: str, data_dir: Path | None) -> None:
    """Withdraw the return REQUEST, of a refund or of suspended money, that has no order yet."""
    if not _acting(data_dir, lambda connection: withdraw_return(connection, request, by, why, utc_now())):
        raise NotDone(f"return {request} is unknown, withdrawn already, or has its order: cancel that")
    click.echo(f"return {request} is withdrawn by {by}")


@refunds.command()
@place_argument
@data_option
def deduct(place: str, data_dir: Path | None) -> None:
    """Book that the counterparty gave the refund at BOOK:SEQUENCE back itself and keeps it from its next cover."""
    book, sequence = _place(place)
    made = _acting(data_dir, lambda connection: decide_deduction(connection, book, sequence, utc_now()))
    click.echo(f"{place} is {'' if made.is_new else 'already '}deducted: entry {made.book}:{made.sequence}")


@refunds.command(name="list")
@limit_option
@data_option
@json_option
def list_command(limit: int, data_dir: Path | None, as_json: bool) -> None:
    """List decisions, the newest first, and how far each has come."""
    found = read_ledger(data_dir, lambda connection: list_refunds(connection, limit))
    if as_json:
        print_json(found)
    else:
        print_refunds(console(), found)


@refunds.command()
@click.option("--recipient", help="Code of one debtor.")
@click.option("--all", "paid_too", is_flag=True, help="Those that are paid as well.")
@click.option("--stop", "stopped", type=int, metavar="CLAIM", help="Stop keeping a claim back from its debtor's orders.")
@click.option("--resume", "resumed", type=int, metavar="CLAIM", help="Let it be kept back again.")
@click.option("--by", default="", help="Who stops or resumes.")
@click.option("--why", default="", help="Why; kept with it.")
@limit_option
@data_option
@json_option
def debts(data_dir: Path | None, as_json: bool, **given: object) -> None:
    """List what recipients, guarantors and bearers of fees owe: of what, since when, until when; or stop a claim."""
    claim = given["stopped"] or given["resumed"]
    if claim is not None:
        _stop(data_dir, int(str(claim)), given)
        return
    recipient, paid_too, limit = given["recipient"], bool(given["paid_too"]), int(str(given["limit"]))
    code = None if recipient is None else str(recipient)
    found = read_ledger(data_dir, lambda connection: list_claims(connection, code, limit, paid_too=paid_too))
    today: date = utc_now().astimezone(MOSCOW).date()
    if as_json:
        print_json(found)
    else:
        print_claims(console(), found, today)


def _stop(data_dir: Path | None, claim: int, given: dict[str, object]) -> None:
    by, why, stopped = str(given["by"]).strip(), str(given["why"]).strip(), given["stopped"] is not None
    if not by or not why:
        raise click.UsageError("--stop and --resume need --by and --why")
    if not _acting(data_dir, lambda connection: stop_claim(connection, claim, (by, why, utc_now()), stopped=stopped)):
        raise NotDone(f"there is no claim {claim}")
    click.echo(f"claim {claim} is {'no longer' if stopped else 'again'} kept back")


def _place(text: str) -> tuple[Book, Sequence]:
    place = place_of(text)
    if place is None:
        raise click.BadParameter("a place is written BOOK:SEQUENCE, as kopeck journal shows it", param_hint="PLACE")
    return Book(place[0]), Sequence(place[1])


def _kopecks(amount: str | None) -> int | None:
    if amount is None:
        return None
    try:
        kopecks = kopecks_from_roubles(amount)
    except MoneyError as error:
        raise click.BadParameter(str(error), param_hint="--amount") from error
    if kopecks <= 0:
        raise click.BadParameter("must be above nought", param_hint="--amount")
    return kopecks


def _asked(place: str, amount: str | None, given: dict[str, object], guarantor: int = 0) -> Asked:
    book, sequence = _place(place)
    now, by, kopecks = utc_now(), str(given["by"]), _kopecks(amount)
    default = f"{place}/{kopecks or 'all'}/{by.strip().lower()}/{now.astimezone(MOSCOW):%Y-%m-%d}"
    return Asked(
        key=str(given["key"]) or default,
        book=book,
        sequence=sequence,
        by=by,
        at=now,
        amount_kopecks=kopecks,
        approved_by=str(given["approved_by"]),
        guarantor=guarantor,
    )


def _tell(decided: Decided, *, as_json: bool) -> None:
    if as_json:
        print_json(decided)
        return
    known = "" if decided.is_new else " (decided before)"
    place = f"{decided.book}:{decided.sequence}"
    click.echo(f"{decided.what} {decided.refund}: {roubles_for_people(decided.amount_kopecks)} ₽, entry {place}{known}")


def _acting(data_dir: Path | None, act: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    return _refusing(lambda: act_on_ledger(data_dir, act))


def _refusing(do: Callable[[], Answer]) -> Answer:
    """Turn what the rules refuse into one line and exit code 2."""
    try:
        return do()
    except REFUSALS as error:
        raise NotDone(str(error)) from error
