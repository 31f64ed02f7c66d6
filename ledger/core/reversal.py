"""A reversal mirrors the corrected entry kopeck by kopeck and never recomputes (design W7)."""

from datetime import date, datetime

import msgspec

from schemas.ids import ExternalId, Space, TableVersion
from schemas.journal import EntryKind, JournalEntry, RecordedEntry
from schemas.outcome import SuspenseReason

CORRECTION_SPACE = Space(1)


class NotReversible(ValueError):
    """The entry is itself a correction, or of a kind that is undone by an event of its own."""


_REVERSIBLE = frozenset(
    {
        EntryKind.PAYMENT,
        EntryKind.SUSPENSE,
        EntryKind.PAID_ELSEWHERE,
        EntryKind.ADVANCE_OFFSET,
        EntryKind.STATEMENT_COVER,
        # Of statement lines that vanish (services/clearing).
        EntryKind.HELD_BY_BANK,
        EntryKind.DEBT_PAID,
        EntryKind.TECHNICAL,
    }
)


def reversal_key(recorded: RecordedEntry, part: int) -> ExternalId:
    """Return the key of the n-th correction of an entry: one key, so that two concurrent ones cannot both pass."""
    return ExternalId(f"{recorded.book}:{recorded.sequence}/{part}")


def reversal_of(recorded: RecordedEntry, *, head_version: TableVersion, event_at: datetime, value_date: date) -> JournalEntry:
    """Return the mirror of the whole entry, to be appended in its book at the payer's present table version.

    Reversals and kinds not listed above raise NotReversible.
    """
    entry = recorded.entry
    if entry.kind not in _REVERSIBLE:
        raise NotReversible(f"entry {recorded.book}:{recorded.sequence} of kind {entry.kind.name} cannot be reversed")
    return msgspec.structs.replace(
        entry,
        kind=EntryKind.REVERSAL,
        event_at=event_at,
        value_date=value_date,
        space=CORRECTION_SPACE,
        external_id=reversal_key(recorded, 1),
        table_version=head_version if entry.personal_account is not None else TableVersion(0),
        reason=SuspenseReason.NONE,
        designation="",
        amounts=tuple(-amount for amount in entry.amounts),
    )
