"""Entries made from lines of a bank's statement: covers, money held and given back, debts paid, the bank's mistakes (design §4).

They stand in book 0, space «bank», under the key of their line, and have no payer. Amounts are kopecks above zero.
"""

from datetime import UTC, date, datetime, time

import msgspec

from ledger.chart import AccountKind, ledger_account
from ledger.core.entry import MOSCOW
from ledger.core.settlement_entries import HOUSE_CHANNEL, Occasion, Posting, settlement_entry, settlement_fingerprint
from schemas.ids import LedgerAccount, Space, Transit
from schemas.journal import EntryKind, JournalEntry

BANK_SPACE = Space(6)
"""The ledger's own operation space of statement lines (0008_intake.sql)."""


class BankLine(msgspec.Struct, frozen=True, kw_only=True):
    """Which line an entry is of. ``turn`` counts the times it appeared; ``event_at`` is its day, see ``moment_of``."""

    transit: Transit
    bank_id: str
    event_at: datetime
    turn: int = 1

    def key(self, what: str = "") -> str:
        """Return the key of its entry in this turn: ``<transit>:<bank id>``; a transit number holds no such sign."""
        again = f"/{self.turn}" if self.turn > 1 else ""
        return f"{self.transit}{again}{f'/{what}' if what else ''}:{self.bank_id}"


class Fee(msgspec.Struct, frozen=True, kw_only=True):
    """An acquirer's fee that was kept back from a cover, and the recipient who bears it by contract."""

    amount_kopecks: int
    bearer: int


def moment_of(day: date, now: datetime) -> datetime:
    """Return the beginning of a bank's day, never later than ``now``: nothing is booked as having happened in the future."""
    return min(datetime.combine(day, time(), MOSCOW).astimezone(UTC), now)


def covered(line: BankLine, space: Space, amount_kopecks: int, fee: Fee | None = None) -> JournalEntry:
    """Debit transit and the receivable of the fee's bearer, credit the clearing of ``space`` with both: the gross."""
    kept = fee.amount_kopecks if fee is not None else 0
    postings = [
        (ledger_account(AccountKind.TRANSIT, line.transit), amount_kopecks),
        (ledger_account(AccountKind.CLEARING, line.transit, space), -amount_kopecks - kept),
    ]
    if fee is not None:
        postings.append((_receivable(line, fee.bearer), kept))
    return _entry(line, EntryKind.STATEMENT_COVER, postings)


def fee_learnt(line: BankLine, space: Space, fee: Fee) -> JournalEntry:
    """Debit the bearer's receivable, credit clearing: a booked cover turns out to have been net of a fee."""
    debit = (_receivable(line, fee.bearer), fee.amount_kopecks)
    credit = (ledger_account(AccountKind.CLEARING, line.transit, space), -fee.amount_kopecks)
    return _entry(line, EntryKind.STATEMENT_COVER, [debit, credit], what="fee")


def held_by_bank(line: BankLine, amount_kopecks: int) -> JournalEntry:
    """Debit held, credit transit: the bank moved unidentified money to its 47416."""
    return _entry(line, EntryKind.HELD_BY_BANK, _moved(line, AccountKind.HELD, AccountKind.TRANSIT, amount_kopecks))


def given_back(line: BankLine, amount_kopecks: int) -> JournalEntry:
    """Debit transit, credit held: the bank moved it back from 47416."""
    return _entry(line, EntryKind.HELD_BY_BANK, _moved(line, AccountKind.TRANSIT, AccountKind.HELD, amount_kopecks))


def debt_paid(line: BankLine, party: int, amount_kopecks: int) -> JournalEntry:
    """Debit transit, credit the party's receivable: who owed us has paid."""
    transit = ledger_account(AccountKind.TRANSIT, line.transit)
    return _entry(line, EntryKind.DEBT_PAID, [(transit, amount_kopecks), (_receivable(line, party), -amount_kopecks)])


def technical(line: BankLine, amount_kopecks: int, *, is_credit: bool) -> JournalEntry:
    """Transit against suspense of no channel: the bank's own mistake, or its storno with the sides exchanged."""
    sides = (AccountKind.TRANSIT, AccountKind.SUSPENSE) if is_credit else (AccountKind.SUSPENSE, AccountKind.TRANSIT)
    return _entry(line, EntryKind.TECHNICAL, _moved(line, *sides, amount_kopecks))


def bank_fingerprint(entry: JournalEntry) -> bytes:
    """Return the fingerprint: its key stands for the account, its amount and kind for themselves."""
    return settlement_fingerprint(entry)


def cover_fault(entry: JournalEntry) -> str:
    """Say why a cover of this space has not the form of one; empty when it has."""
    transit, clearing, receivable = (ledger_account(kind, entry.transit) for kind in _COVER_KINDS)
    kinds = [account >> 40 << 40 for account in entry.accounts]
    if kinds not in ([transit, clearing], [transit, clearing, receivable], [receivable, clearing]):
        return "a cover debits transit or the receivable of a fee's bearer, or both, and credits one clearing account"
    return "a cover credits clearing alone" if [amount for amount in entry.amounts if amount < 0] != [entry.amounts[1]] else ""


_COVER_KINDS = (AccountKind.TRANSIT, AccountKind.CLEARING, AccountKind.RECEIVABLE)


def _moved(line: BankLine, debit: AccountKind, credit: AccountKind, amount_kopecks: int) -> list[Posting]:
    """Both sides have no subject, or, of suspense, the channel of the house itself, whose number is the same nought."""
    return [
        (ledger_account(debit, line.transit, HOUSE_CHANNEL), amount_kopecks),
        (ledger_account(credit, line.transit), -amount_kopecks),
    ]


def _receivable(line: BankLine, party: int) -> LedgerAccount:
    return ledger_account(AccountKind.RECEIVABLE, line.transit, party)


def _entry(line: BankLine, kind: EntryKind, postings: list[Posting], what: str = "") -> JournalEntry:
    occasion = Occasion(transit=line.transit, key=line.key(what), event_at=line.event_at)
    return msgspec.structs.replace(settlement_entry(occasion, kind, postings), space=BANK_SPACE)
