"""Journal entries: what the ledger's door takes and what the feed gives (design W2, §4)."""

from datetime import date, datetime
from enum import IntEnum

import msgspec

from schemas.ids import AccountId, Book, ChannelNumber, ExternalId, LedgerAccount, Line, Sequence, Space, TableVersion, Transit
from schemas.outcome import SuspenseReason

NO_LINE = Line(0)
"""In ``lines``: a posting that credits no charge line (clearing, suspense, transit …)."""


class EntryKind(IntEnum):
    """What happened; the rows of the table in design §4. Kinds above 5 are reserved for the services to come."""

    PAYMENT = 1
    SUSPENSE = 2
    STATEMENT_COVER = 3
    PAID_ELSEWHERE = 4
    REVERSAL = 5
    ADVANCE_OFFSET = 6
    COMMISSION = 7
    ORDER_CREATED = 8
    ORDER_EXECUTED = 9
    ORDER_REJECTED = 10
    ORDER_RETURNED = 11
    REFUND = 12
    REFUND_DEDUCTED = 13
    REASSIGNMENT = 14
    SUSPENSE_RELEASE = 15
    HELD_BY_BANK = 16
    DEBT_PAID = 17
    DEBT_ARISEN = 18
    DEBT_NETTED = 19
    TECHNICAL = 20


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A balanced entry to be appended. ``accounts``, ``amounts`` and ``lines`` are parallel; debits are positive.

    ``amount_kopecks`` is the sum of the debits. ``table_version`` is the version the split was made from, 0 without one.
    ``event_at`` is the payer's act in UTC; ``value_date`` its date in the house's time zone. ``designation`` is the
    canonical JSON of what the payer named, empty when nothing.
    """

    kind: EntryKind
    event_at: datetime
    value_date: date
    transit: Transit
    channel: ChannelNumber
    space: Space
    external_id: ExternalId
    personal_account: AccountId | None
    table_version: TableVersion
    reason: SuspenseReason
    designation: str
    amount_kopecks: int
    accounts: tuple[LedgerAccount, ...]
    amounts: tuple[int, ...]
    lines: tuple[Line, ...]


class RecordedEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An entry as the journal holds it. ``previous`` is the account's entry before, 0 for its first."""

    book: Book
    sequence: Sequence
    recorded_at: datetime
    bank_day: date
    previous: Sequence
    entry: JournalEntry
