"""Alfa API's statement: JSON pages of operations with decimal roubles, and a summary of the day (protocols.md §4a)."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime

import msgspec

from connectors.statements.agreement import FILE_BYTES_MAX, agreed, kind_of, moscow_day
from schemas.ids import ExternalId
from schemas.money import MoneyError, kopecks_from_roubles
from schemas.statement import BankStatement, StatementEntry, StatementKind, StatementParty, StatementUnbelieved

SOURCE = "alfa"
ROUBLES = frozenset({"RUR", "RUB", "810", "643"})


class Amount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Decimal roubles: the number is kept as it is written, so that nothing rounds it on the way."""

    amount: msgspec.Raw
    currency_name: str = "RUR"


class Departmental(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in field 22."""

    uip: str | None = None


class Sides(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Both sides of a rouble operation."""

    payer_account: str | None = None
    payer_inn: str | None = None
    payer_kpp: str | None = None
    payer_name: str | None = None
    payer_bank_bic: str | None = None
    payee_account: str | None = None
    payee_inn: str | None = None
    payee_kpp: str | None = None
    payee_name: str | None = None
    payee_bank_bic: str | None = None
    departmental_info: Departmental | None = None

    def account(self, *, of_payee: bool) -> str:
        """Return a side's account, empty when the bank does not tell it."""
        return (self.payee_account if of_payee else self.payer_account) or ""

    def party(self, *, of_payee: bool) -> StatementParty:
        """Return a side."""
        told = (self.payee_name, self.payee_inn, self.payee_kpp, self.payee_account, self.payee_bank_bic)
        if not of_payee:
            told = (self.payer_name, self.payer_inn, self.payer_kpp, self.payer_account, self.payer_bank_bic)
        name, inn, kpp, account, bic = (_plain(text) for text in told)
        return StatementParty(name=name, inn=inn, kpp=kpp, account=account, bic=bic)


class Operation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line; ``uuid`` is its identity however often it is shown."""

    uuid: str
    direction: str
    operation_date: str
    document_date: str | None = None
    amount: Amount
    amount_rub: Amount | None = None
    number: str | int | None = ""
    operation_code: str | None = None
    transaction_id: str | None = None
    payment_purpose: str | None = None
    rur_transfer: Sides | None = None


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A page beside this one. Its address is never followed: pages are counted."""

    rel: str
    href: str = ""


class Page(msgspec.Struct, frozen=True, kw_only=True, rename={"links": "_links"}):
    """One page of a day; unknown fields are passed over, the bank adds them at will."""

    transactions: tuple[Operation, ...]
    links: tuple[Link, ...] = ()

    def leads(self, rel: str) -> bool:
        """Whether there is a page of the day on that side: ``next`` or ``prev``."""
        return any(link.rel == rel for link in self.links)


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Balances and turnovers of a day, in the account's currency."""

    opening_balance: Amount
    closing_balance: Amount
    debit_turnover: Amount
    credit_turnover: Amount
    debit_transactions_number: int | None = None
    credit_transactions_number: int | None = None


_pages: msgspec.json.Decoder[Page] = msgspec.json.Decoder(Page)
_summaries: msgspec.json.Decoder[Summary] = msgspec.json.Decoder(Summary)


def read_page(body: bytes) -> Page:
    """Read one page; raises StatementUnbelieved."""
    try:
        return _pages.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StatementUnbelieved(f"a page of the statement cannot be read: {_named(error)}") from error


def read_summary(body: bytes) -> Summary:
    """Read a day's summary; raises StatementUnbelieved."""
    try:
        return _summaries.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StatementUnbelieved(f"the summary of the statement cannot be read: {_named(error)}") from error


class AskedDay(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and the moment of asking."""

    account: str
    day: date
    now: datetime


def read_day(asked: AskedDay, operations: Mapping[str, Operation], summary: Summary | None) -> BankStatement:
    """Return the day of an account from its operations by uuid; raises StatementUnbelieved.

    Today's is INTRADAY, a past day FINAL. Without a summary nothing shows that an operation is missing.
    """
    entries = tuple(_entry(asked.account, one, _moved_on(one, asked.day)) for one in operations.values())
    today = moscow_day(asked.now)
    statement = BankStatement(
        account=asked.account,
        source=SOURCE,
        kind=kind_of(asked.day, today),
        since=asked.day,
        until=asked.day,
        entries=entries,
    )
    if summary is None:
        return agreed(statement, today)
    _check_count("credits", summary.credit_transactions_number, sum(one.is_credit for one in entries))
    _check_count("debits", summary.debit_transactions_number, sum(not one.is_credit for one in entries))
    told = msgspec.structs.replace(
        statement,
        opening_kopecks=_kopecks(summary.opening_balance, "openingBalance"),
        closing_kopecks=_kopecks(summary.closing_balance, "closingBalance"),
        credited_kopecks=_kopecks(summary.credit_turnover, "creditTurnover"),
        debited_kopecks=_kopecks(summary.debit_turnover, "debitTurnover"),
    )
    return agreed(told, today)


def read_alfa_file(body: bytes, account: str, now: datetime) -> BankStatement:
    """Read a saved answer that holds all operations of its days; raises StatementUnbelieved.

    Without balances it proves no day complete, so it is never FINAL.
    """
    if len(body) > FILE_BYTES_MAX:
        raise StatementUnbelieved(f"the file has more than {FILE_BYTES_MAX} bytes")
    page = read_page(body)
    if page.leads("next") or page.leads("prev"):
        raise StatementUnbelieved("the file is one page of several: the bank must give the statement whole")
    entries = tuple(_entry(account, one, _day(one.operation_date, "operationDate")) for one in page.transactions)
    if not entries:
        raise StatementUnbelieved("the file says nowhere of which days it is")
    days = [one.day for one in entries]
    statement = BankStatement(
        account=account, source=SOURCE, kind=StatementKind.INTRADAY, since=min(days), until=max(days), entries=entries
    )
    return agreed(statement, moscow_day(now))


def own_accounts(operations: Iterable[Operation]) -> list[str]:
    """Return the accounts that operations moved, as far as they tell them."""
    told = [(one.rur_transfer or Sides()).account(of_payee=one.direction == "CREDIT") for one in operations]
    return [account for account in told if account]


def _entry(account: str, operation: Operation, day: date) -> StatementEntry:
    if operation.direction not in ("DEBIT", "CREDIT"):
        raise StatementUnbelieved("an operation is neither DEBIT nor CREDIT")
    is_credit = operation.direction == "CREDIT"
    sides = operation.rur_transfer or Sides()
    if sides.account(of_payee=is_credit) not in (account, ""):
        raise StatementUnbelieved("an operation is of another account")
    kopecks = _kopecks(operation.amount_rub or operation.amount, "amount")
    code = _plain((sides.departmental_info or Departmental()).uip)
    transaction = _plain(operation.transaction_id)
    return StatementEntry(
        bank_id=ExternalId(operation.uuid),
        day=day,
        is_credit=is_credit,
        amount_kopecks=kopecks,
        number=_plain(str(operation.number or "")),
        document_day=_day(operation.document_date, "documentDate") if operation.document_date else None,
        operation=_plain(operation.operation_code),
        code=code if code.strip("0") else "",
        counterparty=sides.party(of_payee=not is_credit),
        purpose=_plain(operation.payment_purpose),
        references=(transaction,) if transaction not in ("", operation.uuid) else (),
    )


def _moved_on(operation: Operation, asked: date) -> date:
    """Return the asked day if the operation is of it: as written, or its moment in Moscow's zone."""
    written = operation.operation_date
    if _day(written, "operationDate") == asked:
        return asked
    try:
        moment = datetime.fromisoformat(written)
        is_asked = moment.tzinfo is not None and moscow_day(moment) == asked
    except (ValueError, OverflowError) as error:
        raise StatementUnbelieved("operationDate is not a moment") from error
    if not is_asked:
        raise StatementUnbelieved("an operation is of another day")
    return asked


def _day(text: str, key: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise StatementUnbelieved(f"{key} is not a date") from error


def _kopecks(amount: Amount, key: str) -> int:
    """Read decimal roubles of either sign as they are written."""
    if amount.currency_name not in ROUBLES:
        raise StatementUnbelieved(f"{key} is not in roubles")
    text = bytes(amount.amount).decode("ascii", "replace")
    try:
        return -kopecks_from_roubles(text[1:]) if text.startswith("-") else kopecks_from_roubles(text)
    except MoneyError as error:
        raise StatementUnbelieved(f"{key}: {error}") from error


def _check_count(name: str, told: int | None, found: int) -> None:
    if told is not None and told != found:
        raise StatementUnbelieved(f"{told} {name} are told, there are {found}")


def _plain(text: str | None) -> str:
    """Return text that a database can hold, without spaces around it."""
    return (text or "").replace("\0", "").strip()


def _named(error: Exception) -> str:
    """Say what is wrong with the form; only msgspec's own words hold nothing of the content."""
    return str(error) if isinstance(error, msgspec.ValidationError) else type(error).__name__
