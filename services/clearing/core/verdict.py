"""The words of classification: a line as the rules see it, what they decide, and what of its text they keep."""

from datetime import date
from enum import StrEnum

import msgspec


class LineClass(StrEnum):
    """What a line of a transit account's statement is (design §4): exactly one, before it is booked."""

    PAYMENT = "payment"
    COVER = "cover"
    OWN_ORDER = "own_order"
    RETURNED_ORDER = "returned_order"
    TO_HOLD = "to_hold"
    FROM_HOLD = "from_hold"
    DEBT = "debt"
    TECHNICAL = "technical"
    UNKNOWN = "unknown"


CREDITS_ONLY = frozenset(
    {LineClass.PAYMENT, LineClass.COVER, LineClass.RETURNED_ORDER, LineClass.FROM_HOLD, LineClass.DEBT, LineClass.UNKNOWN}
)
DEBITS_ONLY = frozenset({LineClass.OWN_ORDER, LineClass.TO_HOLD})
"""TECHNICAL moves either way."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line with its text unsealed; both texts are empty after they were erased. Amounts in kopecks.

    ``is_reversal``: the bank says itself that it takes an earlier line of its own back.
    """

    line: int
    transit: int
    bank_id: str
    day: date
    is_credit: bool
    amount: int
    number: str = ""
    document_day: date | None = None
    operation: str = ""
    code: str = ""
    account: str = ""
    bic: str = ""
    inn: str = ""
    references: tuple[str, ...] = ()
    is_reversal: bool = False
    purpose: str = ""
    payer: str = ""

    def __repr__(self) -> str:
        """Show no purpose and no name."""
        return f"Line({self.line}, {self.bank_id!r}, {self.day}, {self.amount})"


class Hints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a line's text says of what it covers. ``fee`` and ``gross`` in kopecks, None where nothing is said."""

    registers: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    fee: int | None = None
    gross: int | None = None


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An acquirer's fee from a day on, in thousandths of a percent of the gross sum, with a minimum a payment."""

    since: date
    rate: int
    minimum_kopecks: int = 0


class Decision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What booking needs beside the class; no names, no purpose.

    ``space`` and ``bearer`` are of a cover, ``party`` of a debt (a recipient), ``account`` of a payment: the number in the
    statement channel's namespace; of an unknown line what was written instead. ``covered_by`` is the feed's entry that moved the
    account already, where covers are believed from a feed; ``explained_by`` the person who said what a booked cover covers.
    """

    rule: str = ""
    space: int = 0
    hints: Hints = Hints()
    rates: tuple[Rate, ...] = ()
    bearer: int = 0
    party: int = 0
    account: str = ""
    covered_by: int = 0
    explained_by: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The class of a line, why (in Russian, for people), and the rest. ``line_class`` None: nobody can say; it waits."""

    line_class: LineClass | None
    why: str
    decision: Decision = Decision()
