"""``kopeck explain``: a payment from its notification to its receipts and transfers, with the reason of every kopeck."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from kopeck.commands.options import data_option
from kopeck.commands.reading import console, json_option, place_of, print_json, read_ledger
from kopeck.explanation import EntryTold, Explanation, Notified, StepTold, TableTold, explain_entry, explain_refusal
from kopeck.following import Followed
from ledger.feed import Connection
from ledger.history import HistoryBroken, StoredKey, list_keys
from schemas.ids import Book, Sequence
from schemas.money import roubles_for_people

EXIT_NOT_FOUND = 2


@click.command()
@click.argument("reference")
@data_option
@json_option
def explain(reference: str, data_dir: Path | None, as_json: bool) -> None:
    """Explain the payment REFERENCE: the counterparty's operation id, space/id, or book:sequence.

    Exit code 2 when there is none, or when several operation spaces know the id: name the space then.
    """
    explanation = read_ledger(data_dir, lambda connection: _explain(connection, reference))
    if as_json:
        print_json(explanation)
    else:
        print_explanation(console(), explanation)


async def _explain(connection: Connection, reference: str) -> Explanation:
    keys = await find_keys(connection, reference)
    if len(keys) > 1:
        known = ", ".join(f"{key.space_name}/{key.external_id}" for key in keys)
        raise NotFound(f"several operation spaces know {reference!r}: name one of {known}")
    place = (keys[0].book, keys[0].sequence) if keys else place_of(reference)
    try:
        if keys and keys[0].sequence is None:
            return await explain_refusal(connection, keys[0])
        if place is None or place[1] is None:
            raise LookupError(f"no operation {reference!r} in any operation space")
        return await explain_entry(connection, Book(place[0]), Sequence(place[1]))
    except LookupError as error:
        raise NotFound(str(error)) from error
    except HistoryBroken as error:
        raise click.ClickException(str(error)) from error


async def find_keys(connection: Connection, reference: str) -> tuple[StoredKey, ...]:
    """Find what a reference names: an id that any space knows, else ``space/id`` with the space's name or number."""
    keys = await list_keys(connection, reference)
    space, slash, external_id = reference.partition("/")
    if keys or not slash:
        return keys
    return tuple([key for key in await list_keys(connection, external_id) if space in (key.space_name, str(key.space))])


class NotFound(click.ClickException):
    """The reference names no payment, or several."""

    exit_code = EXIT_NOT_FOUND


def print_explanation(out: Console, explanation: Explanation) -> None:
    """Print an explanation for people, amounts in roubles."""
    if explanation.refusal:
        out.print(f"REFUSED {explanation.key}: {explanation.refusal}. Nothing was booked; every repeat is answered the same.")
    if explanation.notification is not None:
        _print_notification(out, explanation.notification, suspended=explanation.entry is not None and not explanation.table)
    if explanation.table is not None:
        _print_table(out, explanation.table)
    if explanation.steps:
        _print_steps(out, explanation.steps)
    if explanation.entry is not None:
        _print_entry(out, explanation.entry)
    for place in explanation.reversed_by:
        out.print(f"Reversed by entry {place}.")
    for place in explanation.released_by:
        out.print(f"Released from suspense by entry {place}.")
    for place in explanation.offset_by:
        out.print(f"Its advance was set off against charges by entry {place}.")
    if explanation.followed is not None:
        _print_receipts(out, explanation.followed)
        _print_money(out, explanation.followed)
    for parked in explanation.parked:
        state = f"resolved by {parked.resolved_by}" if parked.resolved_at else "waits for a person"
        out.print(f"Parked ({parked.what}) at {parked.seen_at:%Y-%m-%d %H:%M:%S} UTC, {state}: {parked.content}")


def _print_notification(out: Console, notification: Notified, *, suspended: bool) -> None:
    """``suspended``: no personal account was found, and the designation is the note of what was looked for."""
    named = bytes(notification.designation).decode()
    out.print(f"NOTIFICATION {notification.space}/{notification.external_id} by {notification.channel}")
    out.print(f"  amount {roubles_for_people(notification.amount_kopecks)} ₽")
    out.print(f"  paid at {notification.event_at_moscow:%Y-%m-%d %H:%M:%S} Moscow time")
    if named != "null" or not suspended:
        out.print(f"  {'note' if suspended else 'the payer named'} {'nothing' if named == 'null' else named}")


def _print_table(out: Console, table: TableTold) -> None:
    since = f", then moved on by {', '.join(table.since)}" if table.since else ""
    out.print(f"TABLE of personal account {table.personal_account}, version {table.version}")
    out.print(
        f"  version {table.base_version} published by {table.published_by} at {table.published_at:%Y-%m-%d %H:%M:%S} UTC{since}"
    )


def _print_steps(out: Console, steps: tuple[StepTold, ...]) -> None:
    shown = Table(title="SPLIT", title_justify="left")
    for title in ("tier", "why here", "recipient", "service", "line"):
        shown.add_column(title, overflow="fold")
    for title in ("charge", "paid before", "share"):
        shown.add_column(title, justify="right", no_wrap=True)
    shown.add_column("why so much", overflow="fold")
    for step in steps:
        place = " ".join(word for word in (str(step.tier), step.period, step.pool, step.kind) if word)
        first = (place if step.tier is not None else "advance", step.reason)
        for line in step.lines:
            amounts = (line.charge_kopecks, line.paid_before_kopecks, line.share_kopecks)
            shown.add_row(*first, line.recipient, line.service, str(line.line), *map(roubles_for_people, amounts), line.why)
            first = ("", "")
        if not step.lines:
            shown.add_row(
                "none", step.reason, "", "", "", "", "", roubles_for_people(step.credited_kopecks), "no advance may be taken"
            )
        shown.add_section()
    out.print(shown)


def _print_entry(out: Console, entry: EntryTold) -> None:
    reason = f", reason: {entry.reason}" if entry.reason else ""
    out.print(f"ENTRY {entry.place} {entry.kind}{reason}")
    out.print(
        f"  recorded {entry.recorded_at:%Y-%m-%d %H:%M:%S.%f} UTC, bank day {entry.bank_day}, value date {entry.value_date}"
    )
    shown = Table()
    shown.add_column("ledger account", overflow="fold")
    for title in ("line", "debit", "credit", "balance after"):
        shown.add_column(title, justify="right", no_wrap=True)
    for posting in entry.postings:
        amount = roubles_for_people(abs(posting.amount_kopecks))
        sides = (amount, "") if posting.amount_kopecks > 0 else ("", amount)
        line = str(posting.line) if posting.line else ""
        shown.add_row(posting.account, line, *sides, roubles_for_people(posting.balance_after_kopecks))
    out.print(shown)


def _print_receipts(out: Console, followed: Followed) -> None:
    if not followed.receipts_decided:
        out.print("RECEIPTS: the fiscal service has not read the entry yet")
    if followed.receipts:
        shown = Table("receipt", "operation", "issuer", "state", "ФН / ФД / ФПД", "link or reason", title="RECEIPTS")
        shown.title_justify = "left"
        shown.add_column("total", justify="right", no_wrap=True)
        for one in followed.receipts:
            sign = f"{one.fn} / {one.fd} / {one.fpd}" if one.fn else f"due {one.deadline:%Y-%m-%d %H:%M} UTC"
            row = (str(one.number), one.operation, one.issuer, one.state, sign, one.link or one.reason)
            shown.add_row(*row, roubles_for_people(one.total_kopecks))
        out.print(shown)
    for omission in followed.without_receipt:
        whose = f" of {omission.issuer}" if omission.issuer else ""
        out.print(f"No receipt for {roubles_for_people(omission.amount_kopecks)} ₽{whose}: {omission.reason}")


def _print_money(out: Console, followed: Followed) -> None:
    if not followed.money:
        return
    shown = Table("payee", title="WHERE THE MONEY IS", title_justify="left")
    for title in ("amount", "commission"):
        shown.add_column(title, justify="right", no_wrap=True)
    shown.add_column("where", overflow="fold")
    for one in followed.money:
        commission = roubles_for_people(one.commission_kopecks) if one.commission_kopecks else ""
        shown.add_row(one.payee, roubles_for_people(one.amount_kopecks), commission, one.told)
    out.print(shown)
