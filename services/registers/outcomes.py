"""What becomes of a register's line: pure, from the booking's answer or from what is known of its payment."""

from datetime import datetime
from enum import StrEnum
from typing import assert_never

import msgspec

from schemas.ids import Book, ChannelNumber, ExternalId, Sequence
from schemas.notification import NamedDesignation, PaymentNotification
from schemas.outcome import Answer, PaymentOutcome, Refusal, SuspenseReason


class Outcome(StrEnum):
    """Stored in intake.register_outcome.

    RECORDED and SUSPENSE: booked by this line. DUPLICATE: booked before, by whatever way. REFUSED: the channel refused it and
    the counterparty sent it anyway. CONFLICT: another content under its id, parked for a person. MATCHED and DIFFERS: a line of a
    reconciliation whose payment we have, with the same amount or another.
    """

    RECORDED = "recorded"
    SUSPENSE = "suspense"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    CONFLICT = "conflict"
    MATCHED = "matched"
    DIFFERS = "differs"


class Pending(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line without an outcome; ``repeats``: an earlier line of the same file has its key."""

    row: int
    key: ExternalId
    account: str
    amount: int
    event_at: datetime
    period: int
    designates: bool
    aliases: tuple[ExternalId, ...]
    repeats: bool


class KnownPayment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a line's payment; the journal's part is None for a remembered refusal."""

    row: int
    book: Book
    sequence: Sequence | None
    refusal: Refusal
    amount: int | None
    channel: ChannelNumber | None
    recorded_at: datetime | None


class LineOutcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line's end. ``reason`` is the name of a suspense reason, a refusal, the field of a conflict, or our amount in kopecks.

    ``unsure``: it was booked since the register was loaded, perhaps by this very line in a run that died.
    """

    row: int
    outcome: Outcome
    reason: str = ""
    lost: bool = False
    book: Book | None = None
    sequence: Sequence | None = None
    unsure: bool = False


def notification_of(line: Pending) -> PaymentNotification:
    """The payment as the line reports it."""
    named = f"{line.period // 100:04d}-{line.period % 100:02d}"
    return PaymentNotification(
        external_id=line.key,
        account_number=line.account,
        amount_kopecks=line.amount,
        raw_amount="",
        event_at=line.event_at,
        designation=NamedDesignation(period=named) if line.designates else None,
        aliases=line.aliases,
    )


def outcome_of(line: Pending, answer: PaymentOutcome, loaded_at: datetime, *, lost: bool) -> LineOutcome | None:
    """The line's end by the booking's answer; None while it is not known."""
    match answer.answer:
        case Answer.RECORDED:
            return _booked(line, answer, lost=lost)
        case Answer.DUPLICATE if answer.refusal is Refusal.NONE:
            since = answer.recorded_at is not None and answer.recorded_at >= loaded_at
            return LineOutcome(
                row=line.row,
                outcome=Outcome.DUPLICATE,
                book=answer.book,
                sequence=answer.sequence,
                unsure=since and not line.repeats,
                lost=lost,
            )
        case Answer.DUPLICATE | Answer.REFUSED:
            return LineOutcome(row=line.row, outcome=Outcome.REFUSED, reason=answer.refusal.name.lower(), lost=lost)
        case Answer.CONFLICT:
            return LineOutcome(row=line.row, outcome=Outcome.CONFLICT, reason=answer.conflict_field, lost=lost)
        case Answer.TRY_AGAIN | Answer.STALE_TIMESTAMP | Answer.COVERED_ELSEWHERE:
            return None
        case _ as unreachable:
            assert_never(unreachable)


def settled(found: LineOutcome, reason: SuspenseReason, *, own: bool) -> LineOutcome:
    """The end of an unsure line; ``own``: what it found is this register's own, booked in a run that died."""
    if not own:
        return msgspec.structs.replace(found, unsure=False)
    outcome = Outcome.RECORDED if reason is SuspenseReason.NONE else Outcome.SUSPENSE
    return msgspec.structs.replace(found, unsure=False, outcome=outcome, reason=reason.name.lower() if reason else "")


def compared(line: Pending, known: KnownPayment) -> LineOutcome:
    """The end of a reconciliation's line whose payment is known."""
    if known.sequence is None:
        return LineOutcome(row=line.row, outcome=Outcome.REFUSED, reason=known.refusal.name.lower())
    same = known.amount == line.amount
    return LineOutcome(
        row=line.row,
        outcome=Outcome.MATCHED if same else Outcome.DIFFERS,
        reason="" if same else str(known.amount),
        book=known.book,
        sequence=known.sequence,
    )


def is_own_loss(known: KnownPayment, ours: ChannelNumber, loaded_at: datetime) -> bool:
    """Whether a reconciliation's line finds what this register itself booked as lost in a run that died."""
    return known.channel == ours and known.recorded_at is not None and known.recorded_at >= loaded_at


def _booked(line: Pending, answer: PaymentOutcome, *, lost: bool) -> LineOutcome:
    waits = answer.suspense is not SuspenseReason.NONE
    return LineOutcome(
        row=line.row,
        outcome=Outcome.SUSPENSE if waits else Outcome.RECORDED,
        reason=answer.suspense.name.lower() if waits else "",
        lost=lost,
        book=answer.book,
        sequence=answer.sequence,
    )
