"""A day of a statement by Alfa API: JSON pages of operations with decimal roubles (protocols.md §4a)."""

from datetime import date

import msgspec

from connectors.transfers.statement import StatementUnread
from schemas.money import MoneyError, kopecks_from_roubles
from schemas.transfer import StatementMovement

ROUBLES = frozenset({"RUR", "RUB", "810", "643"})


class Amount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Decimal roubles: the number is kept as it is written, so that nothing rounds it on the way."""

    amount: msgspec.Raw
    currency_name: str = "RUR"


class Sides(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Both sides of a rouble operation, as far as orders need them."""

    payer_account: str | None = None
    payer_inn: str | None = None
    payee_account: str | None = None
    payee_inn: str | None = None


class Operation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line; ``uuid`` is its identity however often it is shown."""

    uuid: str
    direction: str
    operation_date: str
    document_date: str | None = None
    amount: Amount
    amount_rub: Amount | None = None
    number: str | int = ""
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

    @property
    def has_next(self) -> bool:
        """Whether the day goes on."""
        return any(link.rel == "next" for link in self.links)


_decoder: msgspec.json.Decoder[Page] = msgspec.json.Decoder(Page)


def read_page(body: bytes) -> Page | StatementUnread:
    """Read a page, or say why it cannot be believed."""
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError as error:
        return StatementUnread(reason=f"a page of the statement cannot be read: {error}", again=False)


def movements_of(account: str, operations: dict[str, Operation]) -> tuple[StatementMovement, ...] | StatementUnread:
    """Return the movements of ``account`` from its operations by uuid."""
    try:
        return tuple(_movement(account, operation) for operation in operations.values())
    except ValueError as error:
        return StatementUnread(reason=f"the statement cannot be believed: {error}", again=False)


def _movement(account: str, operation: Operation) -> StatementMovement:
    if operation.direction not in ("DEBIT", "CREDIT"):
        raise ValueError(f"operation {operation.uuid}: direction {operation.direction}")
    is_credit = operation.direction == "CREDIT"
    sides = operation.rur_transfer or Sides()
    own = sides.payee_account if is_credit else sides.payer_account
    if own not in (account, None, ""):
        raise ValueError(f"operation {operation.uuid} is of another account")
    return StatementMovement(
        transit_account=account,
        bank_id=operation.uuid,
        day=date.fromisoformat(operation.operation_date[:10]),
        is_credit=is_credit,
        amount_kopecks=_kopecks(operation),
        number=str(operation.number),
        counterparty_account=(sides.payer_account if is_credit else sides.payee_account) or "",
        counterparty_inn=(sides.payer_inn if is_credit else sides.payee_inn) or "",
        purpose=operation.payment_purpose or "",
        document_day=date.fromisoformat(operation.document_date[:10]) if operation.document_date else None,
    )


def _kopecks(operation: Operation) -> int:
    stated = operation.amount_rub or operation.amount
    if stated.currency_name not in ROUBLES:
        raise ValueError(f"operation {operation.uuid} is in {stated.currency_name}")
    try:
        kopecks = kopecks_from_roubles(bytes(stated.amount).decode())
    except MoneyError as error:
        raise ValueError(f"operation {operation.uuid}: {error}") from error
    if kopecks <= 0:
        raise ValueError(f"operation {operation.uuid} has no sum")
    return kopecks
