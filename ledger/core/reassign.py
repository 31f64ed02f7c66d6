"""A payment given to another personal account: it leaves the wrong one as it came, and is split anew there (design §4, W7).

Two entries. The departure mirrors what is left of the payment against reassign:<id> in its own book and names the account in its
designation. The arrival debits reassign:<id> and splits by the other account's present table, with the payment's own dates, in
the other account's book; it is the departure's effect, and its key makes it one.
"""

import re

import msgspec

from ledger.chart import AccountKind, ledger_account, parts_of
from ledger.core.entry import credit_postings
from ledger.core.refund import REFUND_SPACE
from ledger.core.reversal import CORRECTION_SPACE
from schemas.allocation import AllocationTable
from schemas.ids import AccountId, ExternalId, LedgerAccount, TableVersion
from schemas.journal import NO_LINE, EntryKind, JournalEntry, RecordedEntry
from schemas.outcome import SuspenseReason
from schemas.split import Split

_KEY = re.compile(r"([0-9]{1,5}):([0-9]{1,18})/([0-9]{1,9})", re.ASCII)


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What a departure says of its arrival."""

    account: AccountId


def reassign_account(number: int) -> LedgerAccount:
    """Return the ledger account of one reassignment."""
    return ledger_account(AccountKind.REASSIGN, 0, number)


def errand_text(account: AccountId) -> str:
    """Return a departure's designation."""
    return msgspec.json.encode(Errand(account=account)).decode()


def errand_of(departure: JournalEntry) -> Errand:
    """Read a departure's designation; text that is not an errand raises msgspec.DecodeError or ValidationError."""
    return msgspec.json.decode(departure.designation, type=Errand)


def is_departure(entry: JournalEntry) -> bool:
    """Whether an entry is the first half of a reassignment."""
    return entry.kind is EntryKind.REASSIGNMENT and entry.space == CORRECTION_SPACE


def arrival_key(departure: JournalEntry) -> ExternalId:
    """Return the arrival's key in the space «refund»: the corrected payment's place and the correction's number."""
    return ExternalId(departure.external_id)


def arrival_entry(departure: RecordedEntry, payment: JournalEntry, table: AllocationTable, split: Split) -> JournalEntry:
    """Debit reassign, credit the other account's lines by ``split`` of ``table``; what nothing takes waits in suspense.

    Dates and channel are the payment's: debts and penalties of the account that should have been paid go by them.
    """
    left = departure.entry
    credits = credit_postings(table, split, left.transit)
    if split.unallocated:
        suspense = ledger_account(AccountKind.SUSPENSE, left.transit, left.channel)
        credits.append((suspense, -split.unallocated, NO_LINE))
    accounts, amounts, lines = zip((left.accounts[0], left.amount_kopecks, NO_LINE), *credits, strict=True)
    assert sum(amounts) == 0, "an entry sums to nought"
    reason = SuspenseReason.ADVANCE_NOT_TAKEN if split.unallocated else SuspenseReason.NONE
    arrived = _arrival(departure, payment, reason)
    return msgspec.structs.replace(
        arrived, personal_account=table.account, table_version=table.version, accounts=accounts, amounts=amounts, lines=lines
    )


def stranded_entry(departure: RecordedEntry, payment: JournalEntry) -> JournalEntry:
    """Debit reassign, credit suspense: the other account was closed between the two halves; a person decides about the money."""
    left = departure.entry
    suspense = ledger_account(AccountKind.SUSPENSE, left.transit, left.channel)
    return msgspec.structs.replace(
        _arrival(departure, payment, SuspenseReason.ACCOUNT_CLOSED),
        accounts=(left.accounts[0], suspense),
        amounts=(left.amount_kopecks, -left.amount_kopecks),
        lines=(NO_LINE, NO_LINE),
    )


def _arrival(departure: RecordedEntry, payment: JournalEntry, reason: SuspenseReason) -> JournalEntry:
    return msgspec.structs.replace(
        departure.entry,
        event_at=payment.event_at,
        value_date=payment.value_date,
        space=REFUND_SPACE,
        external_id=arrival_key(departure.entry),
        personal_account=None,
        table_version=TableVersion(0),
        reason=reason,
        designation="",
    )


def arrival_fault(entry: JournalEntry) -> str:
    """Say why the second half of a reassignment has not its form; empty when it has."""
    if _KEY.fullmatch(entry.external_id) is None or entry.space != REFUND_SPACE:
        return "a reassignment without the key of what it reassigns"
    kinds = [parts_of(account).kind for account in entry.accounts]
    debits = [kind for kind, amount in zip(kinds, entry.amounts, strict=True) if amount > 0]
    if debits != [AccountKind.REASSIGN] or kinds[0] is not AccountKind.REASSIGN:
        return "a reassignment arrives from one reassign account"
    return "" if set(kinds[1:]) <= {AccountKind.PAYABLE, AccountKind.SUSPENSE} else "a reassignment credits payables or suspense"
