"""A release gives suspended money to its owner by the owner's present table, with the payment's own dates (design §4, W7).

To an account of the item's own book it is one entry: debit suspense, credit payables. To an account of another book it is two,
through in_transfer:<id>: the departure in the item's book, which names the account, and the arrival in the account's. What could
not arrive comes back by a third entry in the item's book. The keys of all stand in the space «suspense» and name the item.
"""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from ledger.chart import AccountKind, ledger_account, parts_of
from ledger.core.designation import designation_text
from ledger.core.entry import MOSCOW, credit_postings, value_date_of
from schemas.allocation import AllocationTable
from schemas.ids import AccountId, Book, ChannelNumber, ExternalId, LedgerAccount, Sequence, Space, TableVersion, Transit
from schemas.journal import NO_LINE, EntryKind, JournalEntry, RecordedEntry
from schemas.notification import NamedDesignation
from schemas.outcome import SuspenseReason
from schemas.split import Split

SUSPENSE_SPACE = Space(4)
"""The ledger's own operation space of releases (0008_intake.sql)."""
PARTS_MAX = 30
"""An item may be released in so many parts."""
_KEY = re.compile(r"([0-9]{1,5}):([0-9]{1,18})/([0-9]{1,2})(/in|/back)?", re.ASCII)
_SOURCES = frozenset({AccountKind.SUSPENSE, AccountKind.IN_TRANSFER})


class Part(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """The ``number``-th part, from 1, released of the item at a place of the journal."""

    book: Book
    sequence: Sequence
    number: int

    @property
    def key(self) -> ExternalId:
        """Key of the release, or of the departure."""
        return ExternalId(f"{self.book}:{self.sequence}/{self.number}")

    @property
    def arrival_key(self) -> ExternalId:
        """Key of the arrival in the other book."""
        return ExternalId(f"{self.key}/in")

    @property
    def comeback_key(self) -> ExternalId:
        """Key of the entry that takes a departure back."""
        return ExternalId(f"{self.key}/back")


class Errand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a departure says of its arrival: whose account, and what the payer named."""

    account: AccountId
    named: NamedDesignation | None = None


class Portion(msgspec.Struct, frozen=True, kw_only=True):
    """So many kopecks of the money at ``source`` (suspense or in_transfer) that the payer paid at ``event_at``."""

    part: Part
    transit: Transit
    channel: ChannelNumber
    event_at: datetime
    amount_kopecks: int
    source: LedgerAccount


def part_of(entry: JournalEntry) -> Part | None:
    """Return the part that an entry of a release belongs to, by its key; None for other entries."""
    match = _KEY.fullmatch(entry.external_id) if entry.space == SUSPENSE_SPACE else None
    if match is None:
        return None
    return Part(book=Book(int(match[1])), sequence=Sequence(int(match[2])), number=int(match[3]))


def suspended_at(entry: JournalEntry) -> tuple[LedgerAccount, int] | None:
    """Return the suspense account that an entry credits and the kopecks it leaves there; None when it leaves none."""
    left: dict[LedgerAccount, int] = {}
    for account, amount in zip(entry.accounts, entry.amounts, strict=True):
        if parts_of(account).kind is AccountKind.SUSPENSE:
            left[account] = left.get(account, 0) - amount
    return next(((account, amount) for account, amount in left.items() if amount > 0), None)


def in_transfer(number: int) -> LedgerAccount:
    """Return the ledger account of a transfer between two books."""
    return ledger_account(AccountKind.IN_TRANSFER, 0, number)


def portion_of(recorded: RecordedEntry, part: Part, amount_kopecks: int) -> Portion:
    """Return a part of what an entry left in suspense, with the payment's own dates; an entry that left nothing: ValueError."""
    left = suspended_at(recorded.entry)
    if left is None:
        raise ValueError(f"entry {recorded.book}:{recorded.sequence} left nothing in suspense")
    parts = parts_of(left[0])
    return Portion(
        part=part,
        transit=Transit(parts.transit),
        channel=ChannelNumber(parts.subject),
        event_at=recorded.entry.event_at,
        amount_kopecks=amount_kopecks,
        source=left[0],
    )


def release_entry(portion: Portion, table: AllocationTable, split: Split, named: NamedDesignation | None) -> JournalEntry:
    """Debit the portion's source, credit payables by a split that leaves nothing (AssertionError); release and arrival alike."""
    assert not split.unallocated, "what nothing takes is not released"
    credits = credit_postings(table, split, portion.transit)
    accounts, amounts, lines = zip((portion.source, portion.amount_kopecks, NO_LINE), *credits, strict=True)
    assert sum(amounts) == 0, "an entry sums to nought"
    arrives = parts_of(portion.source).kind is AccountKind.IN_TRANSFER
    return JournalEntry(
        kind=EntryKind.SUSPENSE_RELEASE,
        event_at=portion.event_at,
        value_date=value_date_of(portion.event_at, ZoneInfo(table.time_zone)),
        transit=portion.transit,
        channel=portion.channel,
        space=SUSPENSE_SPACE,
        external_id=portion.part.arrival_key if arrives else portion.part.key,
        personal_account=table.account,
        table_version=table.version,
        reason=SuspenseReason.NONE,
        designation=designation_text(named),
        amount_kopecks=portion.amount_kopecks,
        accounts=accounts,
        amounts=amounts,
        lines=lines,
    )


def departure_entry(portion: Portion, transfer: int, errand: Errand) -> JournalEntry:
    """Debit suspense, credit in_transfer:<transfer>, in the item's book; the designation is the errand."""
    told = msgspec.json.encode(errand, order="deterministic").decode()
    return _between(portion, portion.source, in_transfer(transfer), portion.part.key, told)


def comeback_entry(departure: RecordedEntry, part: Part, why: str) -> JournalEntry:
    """Debit in_transfer, credit suspense: the departure is taken back, its reason is the designation."""
    entry = departure.entry
    portion = portion_on_its_way(departure, part)
    note = msgspec.json.encode({"came_back": why}, order="deterministic").decode()
    return _between(portion, portion.source, entry.accounts[0], part.comeback_key, note)


def portion_on_its_way(departure: RecordedEntry, part: Part) -> Portion:
    """Return what a departure sent: its source is in_transfer."""
    entry = departure.entry
    return Portion(
        part=part,
        transit=entry.transit,
        channel=entry.channel,
        event_at=entry.event_at,
        amount_kopecks=entry.amount_kopecks,
        source=entry.accounts[1],
    )


def errand_of(departure: RecordedEntry) -> Errand:
    """Read what a departure says of its arrival; text that is not an errand raises msgspec.ValidationError or DecodeError."""
    return msgspec.json.decode(departure.entry.designation, type=Errand)


def release_fault(entry: JournalEntry) -> str:
    """Say why an entry has not the form of a release, a departure, an arrival or a comeback; empty when it has."""
    if part_of(entry) is None:
        return "a release without the key of what it releases"
    kinds = [parts_of(account).kind for account in entry.accounts]
    debits = [kind for kind, amount in zip(kinds, entry.amounts, strict=True) if amount > 0]
    if len(debits) != 1 or entry.amounts[0] < 0 or debits[0] not in _SOURCES:
        return "a release takes from one suspense account or transfer"
    if entry.personal_account is None:
        return "" if sorted(kinds) == sorted(_SOURCES) and len(kinds) == 2 else "a release without a personal account"
    return "" if all(kind is AccountKind.PAYABLE for kind in kinds[1:]) else "a release may credit payables only"


def _between(portion: Portion, debit: LedgerAccount, credit: LedgerAccount, key: ExternalId, note: str) -> JournalEntry:
    value_date: date = value_date_of(portion.event_at, MOSCOW)
    return JournalEntry(
        kind=EntryKind.SUSPENSE_RELEASE,
        event_at=portion.event_at,
        value_date=value_date,
        transit=portion.transit,
        channel=portion.channel,
        space=SUSPENSE_SPACE,
        external_id=key,
        personal_account=None,
        table_version=TableVersion(0),
        reason=SuspenseReason.NONE,
        designation=note,
        amount_kopecks=portion.amount_kopecks,
        accounts=(debit, credit),
        amounts=(portion.amount_kopecks, -portion.amount_kopecks),
        lines=(NO_LINE, NO_LINE),
    )
