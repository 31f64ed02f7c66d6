"""How ``kopeck receipts`` shows receipts: tables and words for people, words instead of numbers in JSON."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import click
import msgspec
from rich.table import Table

from kopeck.commands.reading import console
from kopeck.commands.receipts_found import Found, Whole
from schemas.money import roubles_for_people
from schemas.receipt import Receipt
from services.delivery.lookups import OrderView
from services.fiscal.core.drafts import MOSCOW
from services.fiscal.core.reference import Issues, NoReceipt, Relation
from services.fiscal.lookups import OmissionView, ReceiptView
from services.fiscal.reasons import ReceiptReason
from services.fiscal.states import ReceiptState

STATES = [state.name.lower() for state in ReceiptState]
STATES_SHOWN = [state.name.lower() for state in ReceiptState if state < ReceiptState.ORDERED]

STATE_WORDS = {
    ReceiptState.UNCONFIGURED: "waits for a dated table",
    ReceiptState.HELD: "waits for another receipt",
    ReceiptState.WITHDRAWN: "needs no till after all",
    ReceiptState.FAILED: "the till refused it for good",
    ReceiptState.DISPUTED: "a till registered something else",
    ReceiptState.ORDERED: "is on its way to the till",
    ReceiptState.REGISTERED: "the till registered it",
}
NO_RECEIPT_WORDS = {
    NoReceipt.SUSPENSE: "the owner of the money is not known yet",
    NoReceipt.ORGANISATION: "an organisation or ИП pays from its account (54-ФЗ ст. 2 п. 9)",
    NoReceipt.CHANNEL_AGENT: "the payment agent has issued its own receipt",
    NoReceipt.ASSOCIATION: "a ТСЖ, ЖСК or the like is paid by transfer (54-ФЗ ст. 2 п. 13)",
    NoReceipt.EXEMPT: "the creditor uses no till",
    NoReceipt.PAID_ELSEWHERE: "whoever took the money issued the receipt",
    NoReceipt.ORIGINAL_WITHOUT: "what is taken back had no receipt",
}
RELATION_WORDS = {
    Relation.OWN: "the provider's own lines",
    Relation.PASS_THROUGH: "lines that the provider passes on to a supplier (ПП 253)",
    Relation.DIRECT: "lines of another creditor, by direct contract",
    Relation.AGENCY: "a principal's lines that the provider takes as its agent",
}
ISSUER_WORDS = {
    Issues.CREDITOR.value: "the creditor issues",
    Issues.CONTRACT_AGENT.value: "the agent issues",
    Issues.CHANNEL_AGENT.value: "the payment agent issues",
    Issues.NOBODY.value: "nobody issues",
    "": "no decision is in force",
}


def receipt_told(view: ReceiptView) -> dict[str, Any]:
    """A receipt as JSON shows it: its state as a word; inside ``receipt`` numbers are values of the fiscal tags."""
    told: dict[str, Any] = msgspec.to_builtins(view)
    return {**told, "state": view.state.name.lower()}


def print_found(found: Found) -> None:
    """Print a table of receipts, then the sums without one."""
    print_table(found.receipts)
    _print_omissions(found.omissions)


def print_table(views: Iterable[ReceiptView]) -> None:
    """Print receipts, one a row, amounts in roubles."""
    table = Table("receipt", "state", "operation", "issuer", "payment", "account")
    table.add_column("roubles", justify="right", no_wrap=True)
    for title in ("made (Moscow)", "ФПД", "reason"):
        table.add_column(title, overflow="fold")
    for view in views:
        words = (view.state.name.lower(), view.operation.value, view.issuer, _payment(view), view.account)
        made = _moscow(view.made_at)
        sign = view.sign.fpd if view.sign else ""
        table.add_row(str(view.number), *words, roubles_for_people(view.total_kopecks), made, sign, view.reason)
    console().print(table)


def count_words(counts: Mapping[ReceiptState, int]) -> str:
    """How many receipts are stopped in each state, in one line."""
    listed = [f"{number} {state.name.lower()}" for state, number in counts.items()]
    return f"stopped in all: {', '.join(listed)}" if listed else "nothing is stopped"


def print_receipt_whole(whole: Whole) -> None:
    """Print all that is known of one receipt."""
    view = whole.view
    out = console()
    out.print(f"RECEIPT {view.number}: {view.operation.value}, {roubles_for_people(view.total_kopecks)} ₽, issuer {view.issuer}")
    out.print(f"  {view.state.name.lower()}: {STATE_WORDS[view.state]}{f' ({view.reason})' if view.reason else ''}")
    place = f", entry {view.book}:{view.sequence}" if view.sequence else ""
    out.print(f"  payment {_payment(view)}{place}{f', account {view.account}' if view.account else ''}")
    out.print(f"  settled {_moscow(view.settled_at)}, due by {_moscow(view.deadline)}, made {_moscow(view.made_at)}, Moscow time")
    if view.after is not None:
        out.print(f"  goes after receipt {view.after}")
    if view.receipt is not None:
        _print_items(view.receipt)
    _print_reasons(whole)
    _print_orders(whole.orders)
    if view.sign is not None:
        sign = view.sign
        out.print(f"SIGN ФН {sign.fn} ФД {sign.fd} ФПД {sign.fpd}, {sign.registered_at:%Y-%m-%d %H:%M} at the till")
        out.print(f"  shift {sign.shift or '?'}, receipt {sign.number_in_shift or '?'}, РН ККТ {sign.register_number or '?'}")
        click.echo(f"  QR   {view.qr}")
        click.echo(f"  link {sign.link or 'none'}")
    _print_omissions(whole.omissions)


def _print_items(receipt: Receipt) -> None:
    out = console()
    net = ", on the Internet" if receipt.internet else ""
    company = receipt.company
    out.print(f"  {company.name}, ИНН {company.inn}, {company.tax_system.value}, ФФД {receipt.format.value}{net}")
    correction = receipt.correction
    if correction is not None:
        whose = "by order" if correction.by_order else "on one's own"
        out.print(f"  correction {whose} of {correction.base_date} {correction.base_number} {correction.wrong_sign}".rstrip())
    table = Table("item", "method (1214)", "subject (1212)", "VAT", "agent", "supplier")
    table.add_column("roubles", justify="right", no_wrap=True)
    for item in receipt.items:
        supplier = f"{item.supplier.name}, ИНН {item.supplier.inn}" if item.supplier else ""
        marks = (item.method.name.lower(), item.subject.name.lower(), item.vat.value, item.agent.value if item.agent else "")
        table.add_row(item.name, *marks, supplier, roubles_for_people(item.sum_kopecks))
    out.print(table)
    for means, amount in receipt.payments:
        out.print(f"  paid: {means.name.lower()} {roubles_for_people(amount)} ₽")


def _print_reasons(whole: Whole) -> None:
    out = console()
    out.print("WHY (by the tables as they are now)")
    view = whole.view
    if view.after is not None:
        out.print(f"  it takes back or replaces what receipt {view.after} said")
    elif not view.sequence:
        out.print("  one receipt for all advances offset in a month (54-ФЗ ст. 1.2 п. 2.1)")
    for one in whole.reasons:
        out.print(f"  {RELATION_WORDS[one.relation]}: {one.lines} for {roubles_for_people(one.amount_kopecks)} ₽")
        out.print(f"    {_situation(one)}: {ISSUER_WORDS[one.issues]}")
        if one.source:
            out.print(f"    {one.source} (row in force since {one.valid_from})")


def _situation(one: ReceiptReason) -> str:
    return f"channel {one.legal_kind or 'unknown'}, payer {one.payer_kind}, {one.issuer} is {one.form.value}"


def _print_orders(orders: Iterable[OrderView]) -> None:
    table = Table("order", "counterparty", "state", "attempts", "created (Moscow)", "ended (Moscow)", "reason", title="ORDERS")
    table.title_justify = "left"
    for one in orders:
        ended = _moscow(one.ended_at) if one.ended_at else ""
        words = (one.counterparty, one.state, str(one.attempts), _moscow(one.created_at), ended, one.reason)
        table.add_row(str(one.number), *words)
    if table.row_count:
        console().print(table)


def _print_omissions(omissions: Iterable[OmissionView]) -> None:
    for one in omissions:
        whose = f" of {one.issuer}" if one.issuer else ""
        amount = roubles_for_people(one.amount_kopecks)
        click.echo(f"no receipt for {amount} ₽{whose} (entry {one.book}:{one.sequence}): {NO_RECEIPT_WORDS[one.reason]}")


def _payment(view: ReceiptView) -> str:
    return f"{view.space}/{view.external_id}" if view.space else view.external_id


def _moscow(moment: datetime) -> str:
    return f"{moment.astimezone(MOSCOW):%Y-%m-%d %H:%M:%S}"
