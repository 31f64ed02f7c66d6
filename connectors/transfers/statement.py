"""A transit account's statement as orders need it: what moved, and whether that is all (connectors/statements reads it)."""

from datetime import UTC, date, datetime
from typing import Protocol, runtime_checkable

import msgspec

from connectors.statements.client_bank_1c import read_1c
from connectors.statements.source import StatementUnread
from schemas.statement import BankStatement, StatementEntry
from schemas.transfer import StatementMovement, Transfer

_ANY_DAY_IS_OVER = datetime(9999, 1, 1, tzinfo=UTC)


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """Movements of one account. ``bank_id`` of a movement is the same at every reading of the same line.

    Balances are None where the bank gives none. ``filtered``: the bank left lines out, so absence proves nothing and turnovers
    were not compared.
    """

    account: str
    movements: tuple[StatementMovement, ...]
    opening_kopecks: int | None = None
    closing_kopecks: int | None = None
    filtered: bool = False


@runtime_checkable
class StatementSource(Protocol):
    """A connector that can be asked for a day of a statement; it never raises for what the bank does."""

    async def statement(self, account: str, day: date) -> Statement | StatementUnread:
        """Read one calendar day; an empty day is a statement without movements."""
        ...


def read_orders_file(body: bytes, account: str) -> Statement:
    """Read kl_to_1c.txt as orders need it, of any day; raises StatementUnbelieved.

    Whether the day is over matters to its closing and not to an order.
    """
    return orders_view(read_1c(body, account, _ANY_DAY_IS_OVER))


def orders_view(statement: BankStatement) -> Statement:
    """Return what orders need of a believed statement."""
    return Statement(
        account=statement.account,
        movements=tuple(movement_of(statement.account, entry) for entry in statement.entries),
        opening_kopecks=statement.opening_kopecks,
        closing_kopecks=statement.closing_kopecks,
        filtered=statement.filtered,
    )


def movement_of(account: str, entry: StatementEntry) -> StatementMovement:
    """Return one line of ``account`` as orders need it."""
    return StatementMovement(
        transit_account=account,
        bank_id=entry.bank_id,
        day=entry.day,
        is_credit=entry.is_credit,
        amount_kopecks=entry.amount_kopecks,
        number=entry.number,
        counterparty_account=entry.counterparty.account,
        counterparty_inn=entry.counterparty.inn,
        purpose=entry.purpose,
        document_day=entry.document_day,
    )


def executed_by(transfer: Transfer, movements: list[StatementMovement]) -> StatementMovement | None:
    """Find the debit that executes ``transfer`` and take it out of ``movements``: a line of a statement executes one order.

    Recognised by our number, the exact sum, the payee's account and the document's date; where the bank does not tell the last,
    the line is not before the order's own day (numbers are unique within a day only).
    """
    for place, movement in enumerate(movements):
        same = movement.amount_kopecks == transfer.amount_kopecks and movement.counterparty_account == transfer.payee.account
        timely = movement.day >= transfer.day and movement.document_day in (None, transfer.day)
        if not movement.is_credit and same and timely and same_number(movement.number, transfer.number):
            return movements.pop(place)
    return None


def same_number(written: str, ours: str) -> bool:
    """Whether a document number is ours: banks pad with zeros."""
    return written.strip().lstrip("0") == ours.lstrip("0")
