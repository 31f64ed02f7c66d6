"""A correction takes back what one payment put there, from the payment's end, and never more (design §4 «Refunds», W7). Pure.

First what waits in suspense, then the advance, then the tiers last to first; inside a tier pro rata to what this payment put on
its lines, by the rounding rule of apportion.py. What earlier corrections of the same payment took caps every posting, so that the
parts of a refund sum to the mirror. Nothing is recomputed from a later table: the groups are those of the table that the payment
was split from.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

import msgspec

from ledger.chart import AccountKind, ledger_account, parts_of
from ledger.core.apportion import Tie, fill
from ledger.core.entry import MOSCOW, value_date_of
from ledger.core.reversal import CORRECTION_SPACE, NotReversible, reversal_key
from ledger.core.settlement_entries import HOUSE_CHANNEL
from schemas.allocation import AllocationTable
from schemas.ids import ExternalId, LedgerAccount, Space, TableVersion
from schemas.journal import NO_LINE, EntryKind, JournalEntry, RecordedEntry
from schemas.outcome import SuspenseReason

REFUND_SPACE = Space(5)
"""The ledger's own operation space of refunds (0008_intake.sql)."""
REFUNDABLE = frozenset({EntryKind.PAYMENT, EntryKind.SUSPENSE, EntryKind.SUSPENSE_RELEASE, EntryKind.REASSIGNMENT})
"""Kinds that gave a payer's money to somebody by one debit."""
_CREDITED = frozenset({AccountKind.PAYABLE, AccountKind.SUSPENSE})


class NotRefundable(NotReversible):
    """The entry gave nobody a payer's money, or it is a correction itself."""


class NothingLeft(ValueError):
    """More is asked back than the payment has left; ``left`` is that, in kopecks."""

    def __init__(self, place: str, asked: int, left: int) -> None:
        super().__init__(f"{place}: {asked} kopecks are asked back, {left} are left of it")
        self.left = left


class Back(msgspec.Struct, frozen=True, kw_only=True):
    """What a correction is: its kind, its number among the entry's corrections, where the money goes, when it was decided.

    ``note`` is the entry's designation: JSON without personal data, empty for nothing.
    """

    kind: EntryKind
    nth: int
    against: LedgerAccount
    event_at: datetime
    value_date: date
    head_version: TableVersion = TableVersion(0)
    note: str = ""


def check_refundable(recorded: RecordedEntry) -> None:
    """Raise NotRefundable for an entry whose money cannot be taken back part by part."""
    entry = recorded.entry
    gave = [parts_of(account).kind in _CREDITED for account, amount in _postings(entry) if amount < 0]
    one_debit = sum(amount > 0 for amount in entry.amounts) == 1 and entry.amounts[0] > 0
    if entry.kind not in REFUNDABLE or entry.space == CORRECTION_SPACE or not gave or not all(gave) or not one_debit:
        raise NotRefundable(f"entry {recorded.book}:{recorded.sequence} of kind {entry.kind.name} has nothing to give back")


def taken_back(original: JournalEntry, corrections: Iterable[JournalEntry]) -> tuple[int, ...]:
    """Return the kopecks that corrections took back, parallel to the original's postings; nought at its debit."""
    places: dict[tuple[int, int], list[int]] = {}
    for place, (account, amount, line) in enumerate(zip(original.accounts, original.amounts, original.lines, strict=True)):
        if amount < 0:
            places.setdefault((account, line), []).append(place)
    taken = [0] * len(original.amounts)
    for entry in corrections:
        for account, amount, line in zip(entry.accounts, entry.amounts, entry.lines, strict=True):
            for place in places.get((account, line), ()) if amount > 0 else ():
                part = min(amount, -original.amounts[place] - taken[place])
                taken[place] += part
                amount -= part
    return tuple(taken)


def left_of(original: JournalEntry, taken: Sequence[int]) -> int:
    """Return the kopecks of an entry that were not taken back."""
    return sum([-amount for amount in original.amounts if amount < 0]) - sum(taken)


def undo(original: JournalEntry, table: AllocationTable | None, taken: Sequence[int], amount_kopecks: int) -> tuple[int, ...]:
    """Return what each posting gives back of ``amount_kopecks``, parallel to the original's; at most ``left_of`` may be asked.

    ``table`` is the one the entry was split from, None for an entry without a personal account.
    """
    assert 0 < amount_kopecks <= left_of(original, taken), "more is asked back than is left"
    parts = [0] * len(original.amounts)
    left = amount_kopecks
    tie = Tie(personal_account="" if table is None else table.personal_account, version=original.table_version)
    for group in _groups(original, table):
        put, gone = [-original.amounts[place] for place in group], [taken[place] for place in group]
        given = fill(min(left, sum(put) - sum(gone)), put, gone, tie) if left else ()
        for place, part in zip(group, given, strict=False):
            parts[place] = part
            left -= part
    assert left == 0, "every kopeck asked back comes from somewhere"
    return tuple(parts)


def _groups(original: JournalEntry, table: AllocationTable | None) -> list[list[int]]:
    """Return the places of credits that are undone together, the first to be undone first."""
    tier_of = {line: index for index, tier in enumerate(table.tiers) for line in tier.lines} if table is not None else {}
    suspense: list[int] = []
    outside_tiers: list[int] = []
    tiers: dict[int, list[int]] = {}
    for place, (account, amount, line) in enumerate(zip(original.accounts, original.amounts, original.lines, strict=True)):
        if amount > 0:
            continue
        if parts_of(account).kind is AccountKind.SUSPENSE:
            suspense.append(place)
        elif line in tier_of:
            tiers.setdefault(tier_of[line], []).append(place)
        else:
            outside_tiers.append(place)
    return [group for group in (suspense, outside_tiers, *[tiers[index] for index in sorted(tiers, reverse=True)]) if group]


def correction_of(recorded: RecordedEntry, parts: Sequence[int], back: Back) -> JournalEntry:
    """Debit the parts where the entry had put them, credit ``back.against``; in the order of the original's postings."""
    entry, amount = recorded.entry, sum(parts)
    debits = [(place, part) for place, part in enumerate(parts) if part]
    return msgspec.structs.replace(
        entry,
        kind=back.kind,
        event_at=back.event_at,
        value_date=back.value_date,
        space=CORRECTION_SPACE,
        external_id=reversal_key(recorded, back.nth),
        table_version=back.head_version if entry.personal_account is not None else TableVersion(0),
        reason=SuspenseReason.NONE,
        designation=back.note,
        amount_kopecks=amount,
        accounts=(back.against, *[entry.accounts[place] for place, _ in debits]),
        amounts=(-amount, *[part for _, part in debits]),
        lines=(NO_LINE, *[entry.lines[place] for place, _ in debits]),
    )


def refund_account(entry: JournalEntry) -> LedgerAccount:
    """Return refund:<transit>:<channel>: what is owed back to payers of the entry's channel."""
    return ledger_account(AccountKind.REFUND, entry.transit, entry.channel)


def refund_deducted(refund: RecordedEntry, space: Space, moment: datetime) -> JournalEntry:
    """Debit refund, credit clearing of ``space``: the counterparty gave the money back itself and keeps it from its next cover.

    It stands in the refund's book under the refund's own place: once a refund.
    """
    entry = refund.entry
    return JournalEntry(
        kind=EntryKind.REFUND_DEDUCTED,
        event_at=moment,
        value_date=value_date_of(moment, MOSCOW),
        transit=entry.transit,
        channel=entry.channel if entry.channel else HOUSE_CHANNEL,
        space=REFUND_SPACE,
        external_id=deduction_key(refund),
        personal_account=None,
        table_version=TableVersion(0),
        reason=SuspenseReason.NONE,
        designation="",
        amount_kopecks=entry.amount_kopecks,
        accounts=(refund_account(entry), ledger_account(AccountKind.CLEARING, entry.transit, space)),
        amounts=(entry.amount_kopecks, -entry.amount_kopecks),
        lines=(NO_LINE, NO_LINE),
    )


def deduction_key(refund: RecordedEntry) -> ExternalId:
    """Return the key of a refund's deduction."""
    return ExternalId(f"deducted/{refund.book}:{refund.sequence}")


def _postings(entry: JournalEntry) -> Iterable[tuple[LedgerAccount, int]]:
    return zip(entry.accounts, entry.amounts, strict=True)
