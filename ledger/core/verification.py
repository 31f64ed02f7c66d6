"""Checks that hold the journal against itself, without asking those who wrote it (``kopeck verify``).

Every split is made again from the published table and the account's entries since. The entry builder is the gateway's own,
so its result is held a second time against plain sums and caps that use neither the builder nor the apportioning.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Sequence_
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

import msgspec

from ledger.chart import AccountKind, ledger_account, parts_of, payable_base
from ledger.core.bank_entries import BANK_SPACE, cover_fault
from ledger.core.designation import Payees, designation_from_text, resolve_designation
from ledger.core.entry import PaymentFacts, credit_postings, entry_for_cover, entry_for_payment, entry_for_suspense
from ledger.core.offset import offset_fault, overspent_fault
from ledger.core.reassign import arrival_fault, is_departure
from ledger.core.refund import REFUND_SPACE, refund_account, taken_back
from ledger.core.release import Portion, part_of, release_entry, release_fault
from ledger.core.reversal import CORRECTION_SPACE, reversal_key
from ledger.core.split import after_split, apply_lines, split_amount
from schemas.allocation import AllocationTable, TableUnreadable, digest_of, pack_table, unpack_table
from schemas.ids import AccountId, Book, LedgerAccount, Sequence, Space
from schemas.journal import NO_LINE, EntryKind, JournalEntry, RecordedEntry
from schemas.split import Split

_HOLDERS = frozenset({AccountKind.OUTSIDE, AccountKind.RECEIVABLE})
_SETTLED = frozenset({AccountKind.SETTLED, AccountKind.PAYABLE})
_SPLIT = frozenset({EntryKind.PAYMENT, EntryKind.SUSPENSE_RELEASE, EntryKind.REASSIGNMENT})
"""Kinds of a personal account's entries that were split from its table."""


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """The first place where the ledger is not what it must be; sequence 0 speaks of the book as a whole."""

    book: Book
    sequence: Sequence
    what: str


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """An account after the entries replayed so far: its packed table and the place of its last entry."""

    packed: bytes
    last: Sequence


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A row of account_head. ``based``: has the table published at exactly that version the head's digest; None without one."""

    account: AccountId
    version: int
    last: Sequence
    digest: bytes
    based: bool | None


def entry_fault(entry: JournalEntry) -> str:
    """Say why the postings do not balance; empty when they do."""
    amounts = entry.amounts
    if len(amounts) < 2 or len(entry.accounts) != len(amounts) or len(entry.lines) != len(amounts):
        return "the posting arrays are not parallel or hold fewer than two postings"
    if 0 in amounts:
        return "a posting of nought"
    if sum(amounts):
        return f"debits and credits differ by {sum(amounts)} kopecks"
    debits = sum([amount for amount in amounts if amount > 0])
    return f"the debits are {debits} kopecks and the amount is {entry.amount_kopecks}" if debits != entry.amount_kopecks else ""


class Replay:
    """Replays a book's entries, all of some accounts' in order. ``originals`` are entries corrected by reversals, by key.

    Memory: one packed table an account that has been paid, about 700 bytes with 8 lines.
    """

    def __init__(self, payees: Payees) -> None:
        self._payees = payees
        self._accounts: dict[AccountId, Replayed] = {}

    def fault(
        self,
        recorded: RecordedEntry,
        base: bytes | None,
        original: RecordedEntry | None,
        earlier: Sequence_[JournalEntry] = (),
    ) -> str:
        """Check the next entry and replay it; say what is wrong, empty when nothing is.

        ``base`` is the table published at the entry's version, if one was; ``original`` is what a correction corrects, and
        ``earlier`` are the corrections of the same before it.
        """
        entry = recorded.entry
        fault = entry_fault(entry) or form_fault(recorded, original, earlier)
        if fault or entry.personal_account is None:
            return fault
        before = self._accounts.get(entry.personal_account)
        last = before.last if before is not None else 0
        if recorded.previous != last:
            return f"names {recorded.previous} as the account's entry before, and it is {last}"
        packed = base if base is not None else before.packed if before is not None else None
        if packed is None:
            return f"no table was published at version {entry.table_version}"
        try:
            table = unpack_table(packed)
        except TableUnreadable:
            return f"the table published at version {entry.table_version} cannot be read"
        if table.version != entry.table_version:
            return f"split from version {entry.table_version}, and the account's table stood at {table.version}"
        after = self._after(recorded, table)
        if isinstance(after, str):
            return after
        self._accounts[entry.personal_account] = Replayed(packed=pack_table(after), last=recorded.sequence)
        return ""

    def head_fault(self, head: Head) -> str:
        """Hold an account's head, which has not moved since the replayed entries, against its replayed table."""
        replayed = self._accounts.pop(head.account, None)
        last = replayed.last if replayed is not None else 0
        if head.last != last:
            return f"the head of account {head.account} names entry {head.last} as its last, and it is {last}"
        if head.based is not None:
            return "" if head.based else f"the digest of account {head.account} is not that of its published table"
        if replayed is None or unpack_table(replayed.packed).version != head.version:
            return f"the head of account {head.account} stands at version {head.version}, and its entries do not lead there"
        if digest_of(replayed.packed) != head.digest:
            return f"the digest of account {head.account} is not that of its table replayed to version {head.version}"
        return ""

    def forget(self, account: AccountId) -> None:
        """Leave out an account that has moved since."""
        self._accounts.pop(account, None)

    def without_head(self) -> Iterator[tuple[AccountId, Sequence]]:
        """Accounts that were replayed and whose head was neither checked nor forgotten, with their last entry."""
        return ((account, replayed.last) for account, replayed in self._accounts.items())

    def _after(self, recorded: RecordedEntry, table: AllocationTable) -> AllocationTable | str:
        entry = recorded.entry
        if recorded.recorded_at.timestamp() >= table.valid_until:
            return f"the table of version {table.version} had expired when the entry was recorded"
        if entry.kind is EntryKind.ADVANCE_OFFSET:
            return overspent_fault(entry, table) or apply_lines(table, entry.lines, entry.amounts)
        if entry.kind not in _SPLIT or is_departure(entry):
            return apply_lines(table, entry.lines, entry.amounts)
        try:
            named = designation_from_text(entry.designation)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "the designation cannot be read"
        split = split_amount(table, entry.amount_kopecks, resolve_designation(named, self._payees))
        fault = _SPLIT_FAULTS[entry.kind]
        return fault(entry, table, split) or after_split(table, split)


def form_fault(recorded: RecordedEntry, original: RecordedEntry | None, earlier: Sequence_[JournalEntry] = ()) -> str:
    """Say why the entry has not the form of its kind (design §4); kinds without a fixed form pass."""
    entry = recorded.entry
    if entry.kind is EntryKind.PAYMENT:
        return "" if entry.personal_account is not None else "a payment without a personal account"
    if entry.kind is EntryKind.SUSPENSE:
        return _same_postings(entry, entry_for_suspense(facts_of(entry), entry.reason))
    if entry.kind is EntryKind.STATEMENT_COVER and entry.space == BANK_SPACE:
        return cover_fault(entry)
    if entry.kind is EntryKind.STATEMENT_COVER:
        return _same_postings(entry, entry_for_cover(facts_of(entry), Space(parts_of(entry.accounts[1]).subject)))
    if entry.kind is EntryKind.PAID_ELSEWHERE:
        kinds = zip([parts_of(account).kind for account in entry.accounts], entry.amounts, strict=True)
        misplaced = [kind for kind, amount in kinds if kind not in (_HOLDERS if amount > 0 else _SETTLED)]
        return f"paid elsewhere may not stand on {misplaced[0].name.lower()}" if misplaced else ""
    if entry.kind is EntryKind.ADVANCE_OFFSET:
        return offset_fault(entry)
    if entry.kind is EntryKind.SUSPENSE_RELEASE:
        return release_fault(entry)
    if entry.kind is EntryKind.REFUND_DEDUCTED:
        return deduction_fault(entry)
    if entry.kind is EntryKind.REASSIGNMENT and not is_departure(entry):
        return arrival_fault(entry)
    return correction_fault(recorded, original, earlier) if entry.kind in CORRECTIONS else ""


CORRECTIONS = frozenset({EntryKind.REVERSAL, EntryKind.REFUND, EntryKind.REASSIGNMENT})
"""Kinds whose keys in the space «correction» name what they correct."""


def correction_fault(recorded: RecordedEntry, original: RecordedEntry | None, earlier: Sequence_[JournalEntry]) -> str:
    """Say why a correction is neither the mirror of what its key names nor a part of it that nobody has taken back before."""
    entry = recorded.entry
    whole = entry.kind is EntryKind.REVERSAL and (original is None or entry.amount_kopecks >= original.entry.amount_kopecks)
    if whole or original is None:
        return mirror_fault(recorded, original)
    if entry.space != CORRECTION_SPACE or entry.external_id != reversal_key(original, len(earlier) + 1):
        return "a correction without the key of what it corrects"
    corrected = original.entry
    if entry.personal_account != corrected.personal_account:
        return f"corrects {original.book}:{original.sequence} of another personal account"
    against = {EntryKind.REVERSAL: corrected.accounts[0], EntryKind.REFUND: refund_account(corrected)}
    credited = [account for account, amount in zip(entry.accounts, entry.amounts, strict=True) if amount < 0]
    to_reassign = entry.kind is EntryKind.REASSIGNMENT and parts_of(credited[0]).kind is AccountKind.REASSIGN
    if len(credited) != 1 or (not to_reassign and credited[0] != against.get(entry.kind)):
        return f"may not credit ledger account {credited[0]}"
    before, after = sum(taken_back(corrected, earlier)), sum(taken_back(corrected, [*earlier, entry]))
    if after - before != entry.amount_kopecks:
        return (
            f"takes back {entry.amount_kopecks} kopecks, {after - before} of which {original.book}:{original.sequence} still had"
        )
    return ""


def deduction_fault(entry: JournalEntry) -> str:
    """Say why a refund kept by the counterparty has not its form: refund against one clearing account."""
    kinds = [parts_of(account).kind for account in entry.accounts]
    if entry.space != REFUND_SPACE or kinds != [AccountKind.REFUND, AccountKind.CLEARING] or entry.amounts[0] < 0:
        return "a deducted refund debits refund and credits one clearing account"
    return ""


def mirror_fault(recorded: RecordedEntry, original: RecordedEntry | None) -> str:
    """Say why a reversal is not the mirror, kopeck by kopeck, of the entry its key names (design W7)."""
    if original is None:
        return f"corrects {recorded.entry.external_id}, which is not in the journal"
    entry, mirrored = recorded.entry, original.entry
    if entry.space != CORRECTION_SPACE or entry.external_id != reversal_key(original, 1):
        return "a reversal without the key of what it corrects"
    same = (entry.accounts, entry.lines, entry.personal_account) == (mirrored.accounts, mirrored.lines, mirrored.personal_account)
    if not same or entry.amounts != tuple([-amount for amount in mirrored.amounts]):
        return f"is not the mirror of {original.book}:{original.sequence}"
    return ""


def payment_fault(entry: JournalEntry, table: AllocationTable, split: Split) -> str:
    """Hold a payment's postings against the split made again, through the entry builder and by plain sums."""
    rebuilt = entry_for_payment(facts_of(entry), table, split, _zone(table.time_zone))
    return _same_postings(entry, rebuilt) or sums_fault(entry, table, split)


def given_fault(entry: JournalEntry, table: AllocationTable, split: Split) -> str:
    """Hold the postings of money released from suspense, or arrived from another book, against the split made again."""
    part, named = part_of(entry), designation_from_text(entry.designation)
    assert part is not None, "its form was checked before"
    if split.unallocated:
        return f"{split.unallocated} kopecks were released that the account does not take"
    portion = Portion(
        part=part,
        transit=entry.transit,
        channel=entry.channel,
        event_at=entry.event_at,
        amount_kopecks=entry.amount_kopecks,
        source=entry.accounts[0],
    )
    rebuilt = release_entry(portion, table, split, named)
    return _same_postings(entry, rebuilt) or sums_fault(entry, table, split, portion.source)


def arrived_fault(entry: JournalEntry, table: AllocationTable, split: Split) -> str:
    """Hold the postings of a payment that was given to this account against the split made again."""
    credits = credit_postings(table, split, entry.transit)
    if split.unallocated:
        credits.append((ledger_account(AccountKind.SUSPENSE, entry.transit, entry.channel), -split.unallocated, NO_LINE))
    accounts, amounts, lines = zip((entry.accounts[0], entry.amount_kopecks, NO_LINE), *credits, strict=True)
    rebuilt = msgspec.structs.replace(entry, accounts=accounts, amounts=amounts, lines=lines)
    return _same_postings(entry, rebuilt) or sums_fault(entry, table, split, entry.accounts[0])


_SPLIT_FAULTS = MappingProxyType(
    {
        EntryKind.PAYMENT: payment_fault,
        EntryKind.SUSPENSE_RELEASE: given_fault,
        EntryKind.REASSIGNMENT: arrived_fault,
    }
)


def sums_fault(entry: JournalEntry, table: AllocationTable, split: Split, source: LedgerAccount | None = None) -> str:
    """Check, by nothing but adding up, who got how much and that no line got more than was unpaid.

    ``source`` is what is debited: the clearing account of the entry's space unless another is named.
    """
    rest: dict[int, int] = {}
    for account, amount in zip(entry.accounts, entry.amounts, strict=True):
        rest[account] = rest.get(account, 0) + amount
    payables = payable_base(entry.transit)
    debited = ledger_account(AccountKind.CLEARING, entry.transit, entry.space) if source is None else source
    due: list[tuple[int, int]] = [(debited, -entry.amount_kopecks)]
    for tier, shares in zip(table.tiers, split.shares, strict=True):
        for payee, weight, paid, share in zip(tier.payees, tier.weights, tier.paid, shares, strict=True):
            if share:
                if not 0 < share <= weight - paid:
                    return f"a line with {weight - paid} kopecks unpaid got {share}"
                due.append((payables + payee, share))
    for payee, share in zip(table.advance.payees, split.advance, strict=False):
        if share < 0:
            return f"an advance line got {share} kopecks"
        due.append((payables + payee, share))
    if split.unallocated:
        due.append((ledger_account(AccountKind.SUSPENSE, entry.transit, entry.channel), split.unallocated))
    for owed, share in due:
        rest[owed] = rest.get(owed, 0) + share
    for touched, difference in rest.items():
        if difference:
            return f"ledger account {touched} got {-difference} kopecks more than the shares give it"
    return ""


def facts_of(entry: JournalEntry) -> PaymentFacts:
    """Return what the entry had taken from its notification."""
    return PaymentFacts(
        transit=entry.transit,
        channel=entry.channel,
        space=entry.space,
        external_id=entry.external_id,
        event_at=entry.event_at,
        amount_kopecks=entry.amount_kopecks,
        designation=entry.designation,
    )


def balances_fault(journal: Mapping[LedgerAccount, tuple[int, int]], model: Mapping[LedgerAccount, tuple[int, int]]) -> str:
    """Say which (debit, credit) of the balances read model differs from the journal's sums at its own cursor."""
    for account in sorted(journal.keys() | model.keys()):
        wanted, found = journal.get(account, (0, 0)), model.get(account, (0, 0))
        if wanted != found:
            return f"balances read model: ledger account {account} has debit, credit {found}, and the journal {wanted}"
    return ""


def _same_postings(entry: JournalEntry, rebuilt: JournalEntry) -> str:
    if (entry.accounts, entry.amounts, entry.lines) != (rebuilt.accounts, rebuilt.amounts, rebuilt.lines):
        for place, pair in enumerate(zip(_postings(entry), _postings(rebuilt), strict=False)):
            if pair[0] != pair[1]:
                return f"posting {place} is {pair[0]} (ledger account, kopecks, line) and must be {pair[1]}"
        return f"has {len(entry.accounts)} postings and must have {len(rebuilt.accounts)}"
    if entry.reason != rebuilt.reason:
        return f"has the reason {entry.reason.name} and must have {rebuilt.reason.name}"
    if entry.value_date != rebuilt.value_date:
        return f"has the value date {entry.value_date} and must have {rebuilt.value_date}"
    return ""


def _postings(entry: JournalEntry) -> Iterator[tuple[int, int, int]]:
    return zip(entry.accounts, entry.amounts, entry.lines, strict=True)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
