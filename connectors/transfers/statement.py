"""A transit account's statement as orders need it, whatever the bank writes it in: what moved, and whether that is all."""

from datetime import date
from typing import Protocol, runtime_checkable

import msgspec

from schemas.transfer import StatementMovement, Transfer


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


class StatementUnread(msgspec.Struct, frozen=True, kw_only=True):
    """The statement was not got or cannot be believed. ``again``: asking later may help; otherwise a person must look."""

    reason: str
    again: bool


@runtime_checkable
class StatementSource(Protocol):
    """A connector that can be asked for a day of a statement; it never raises for what the bank does."""

    async def statement(self, account: str, day: date) -> Statement | StatementUnread:
        """Read one calendar day; an empty day is a statement without movements."""
        ...


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
