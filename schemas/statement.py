"""A bank's statement of a transit account, whatever it was written in (protocols.md §4a, §5, §7a)."""

from datetime import date
from enum import StrEnum

import msgspec

from schemas.ids import ExternalId


class StatementKind(StrEnum):
    """What a statement may be used for: a final one closes a day, an intraday one only funds, notices are single lines."""

    FINAL = "final"
    INTRADAY = "intraday"
    NOTICE = "notice"


class StatementParty(msgspec.Struct, frozen=True, kw_only=True):
    """The other side of a line. ``name`` may be a person's: it is kept sealed (152-ФЗ); what the bank did not tell is empty."""

    name: str = ""
    inn: str = ""
    kpp: str = ""
    account: str = ""
    bic: str = ""

    def __repr__(self) -> str:
        """Show no name."""
        return f"StatementParty({self.account!r})"


class StatementEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line. ``bank_id`` is the bank's own id of it, or one derived from its content and its place among equal lines.

    ``day`` is the day on which the account moved, ``document_day`` that of the document ``number``. ``operation`` is the code
    of the operation (поле 18: 01, 06, 09, 16, 17 …), ``code`` УИН or УИП (поле 22), ``references`` further ids that the bank
    tells of the operation (EndToEndId, SBP operation, RRN). ``is_reversal``: the bank takes an earlier line of its own back;
    the direction is that of this line.
    """

    bank_id: ExternalId
    day: date
    is_credit: bool
    amount_kopecks: int
    number: str = ""
    document_day: date | None = None
    operation: str = ""
    code: str = ""
    counterparty: StatementParty = StatementParty()
    purpose: str = ""
    references: tuple[str, ...] = ()
    is_reversal: bool = False

    def __repr__(self) -> str:
        """Show no purpose and no name."""
        return f"StatementEntry({self.bank_id!r}, {self.day}, {self.amount_kopecks})"


class BankStatement(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of one account over whole days ``since`` … ``until``; sums in kopecks, None where the bank does not tell.

    ``source`` names the format. ``filtered``: the bank left lines out by kind, so turnovers and balances cannot be compared.
    """

    account: str
    source: str
    kind: StatementKind
    since: date
    until: date
    entries: tuple[StatementEntry, ...]
    opening_kopecks: int | None = None
    closing_kopecks: int | None = None
    credited_kopecks: int | None = None
    debited_kopecks: int | None = None
    filtered: bool = False


class StatementUnbelieved(ValueError):
    """The statement cannot be read or its sums do not agree; the message says where, and holds no personal data."""
