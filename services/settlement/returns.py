"""Asking for orders that give payers their money back, and to whom; the payee's name is kept sealed (152-ФЗ)."""

from datetime import datetime

import msgspec

from ledger.core.refund import refund_account
from ledger.feed import Connection
from ledger.journal import fetch_entry
from ledger.statements import load_statements
from schemas.ids import Book, Sequence, Transit
from schemas.journal import EntryKind
from schemas.transfer import BankParty, PurposeClass, Transfer
from services.sealing import Sealer
from services.settlement.directory import fetch_payer, fetch_stop_lists
from services.settlement.refunds import RefundRefused, is_deducted
from services.settlement.registers import payee_bound_to
from services.settlement.rules.bank_text import bank_text
from services.settlement.rules.screening import Verdict
from services.settlement.rules.validation import order_faults

_SQL = load_statements("services/settlement/refunds.sql")
_ORDERS = load_statements("services/settlement/orders.sql")

SAMPLE_NUMBER = "1"


class Payee(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets money back: name, account and БИК, ИНН where it is known."""

    name: str
    bank_account: str
    bic: str
    inn: str = ""
    kpp: str = ""


class PayeeGiven(msgspec.Struct, frozen=True, kw_only=True):
    """A payee as a person gives it for the refund at a place."""

    book: Book
    sequence: Sequence
    payee: Payee
    by: str
    at: datetime


async def ask_return(connection: Connection, given: PayeeGiven, sealer: Sealer) -> int:
    """Ask for an order that gives a refund back, or give another payee after the first; the request's number.

    The next cut makes the order when the refund is covered. Raises RefundRefused, LookupError for no entry.
    """
    refund = await fetch_entry(connection, given.book, given.sequence)
    entry = refund.entry
    if entry.kind is not EntryKind.REFUND:
        raise RefundRefused(f"entry {given.book}:{given.sequence} is no refund")
    if await is_deducted(connection, refund):
        raise RefundRefused("the counterparty has given this refund back itself")
    purpose = f"Возврат излишне уплаченного по операции {entry.event_at:%d.%m.%Y}. НДС не облагается"
    await _check_payee(connection, entry.transit, given, (entry.amount_kopecks, purpose))
    async with connection.transaction():
        await connection.execute(_SQL["lock_decision"], f"return/{given.book}:{given.sequence}")
        known = await connection.fetchrow(_SQL["find_return"], given.book, given.sequence)
        account, amount = refund_account(entry), entry.amount_kopecks
        row = (entry.transit, account, given.book, given.sequence, amount, purpose, given.by, given.at)
        request = int(known["request"] if known is not None else await connection.fetchval(_SQL["add_return"], *row))
        payee = given.payee
        sealed = sealer.seal(payee.name.encode(), payee_bound_to(request))
        requisites = (payee.inn, payee.kpp, payee.bank_account, payee.bic)
        await connection.execute(_SQL["add_payee"], request, sealed, *requisites, given.by, given.at)
    return request


async def withdraw_return(connection: Connection, request: int, by: str, why: str, at: datetime) -> bool:
    """Withdraw a return that has no order yet; False when it has, was withdrawn, or is not known."""
    async with connection.transaction():
        transit = await connection.fetchval(_SQL["find_transit_of_return"], request)
        # A cut that is being written may be making its order.
        await connection.fetchrow(_ORDERS["lock_aggregator"], transit)
        return await connection.fetchval(_SQL["withdraw_return"], request, by, at, why) is not None


async def _check_payee(connection: Connection, transit: Transit, given: PayeeGiven, order: tuple[int, str]) -> None:
    """Refuse what a bank would, and whom the stop lists hold."""
    payee, (amount, purpose) = given.payee, order
    sample = Transfer(
        key=SAMPLE_NUMBER,
        number=SAMPLE_NUMBER,
        day=given.at.date(),
        amount_kopecks=amount,
        payer=(await fetch_payer(connection, transit)).party,
        payee=BankParty(name=bank_text(payee.name), inn=payee.inn, kpp=payee.kpp, account=payee.bank_account, bic=payee.bic),
        purpose=purpose,
        purpose_class=PurposeClass.REFUND,
    )
    faults = [fault for fault in order_faults(sample) if not fault.field.startswith("payer.")]
    if faults:
        raise RefundRefused(f"{faults[0].field}: {faults[0].message}")
    lists = await fetch_stop_lists(connection)
    if lists.screen(payee.name, payee.inn, given.at.date()).verdict is Verdict.STOP:
        raise RefundRefused("the payee is on a stop list")
