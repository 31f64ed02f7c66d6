"""Stations 4 and 5 as one pure decision: what becomes of a notification, given what is known of its account."""

from datetime import datetime, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo

import msgspec

from ledger.core.designation import Payees, designation_text, resolve_designation
from ledger.core.entry import PaymentFacts, account_key, entry_for_payment, entry_for_suspense
from ledger.core.fingerprint import fingerprint_of
from ledger.core.split import after_split, split_amount
from ledger.journal import Append
from schemas.allocation import AccountState, AllocationTable, Digest, digest_of, pack_table
from schemas.channel import Channel, Manner
from schemas.ids import AccountId
from schemas.journal import EntryKind
from schemas.notification import NamedDesignation, PaymentNotification
from schemas.outcome import Refusal, SuspenseReason

EVENT_AHEAD_MAX = timedelta(days=1)
"""How far ahead of ours a counterparty's clock may be; a date beyond that is as wrong as a malformed one."""


class Objection(IntEnum):
    """Why an account cannot simply be credited, in the order checked."""

    UNIDENTIFIED = 0
    UNKNOWN = 1
    AMBIGUOUS = 2
    NO_CONTRACT = 3
    CLOSED = 4
    ADVANCE = 5
    ABOVE_LIMIT = 6


_REFUSALS = {
    Objection.UNIDENTIFIED: Refusal.ACCOUNT_UNKNOWN,
    Objection.UNKNOWN: Refusal.ACCOUNT_UNKNOWN,
    Objection.AMBIGUOUS: Refusal.ACCOUNT_AMBIGUOUS,
    Objection.NO_CONTRACT: Refusal.NO_CONTRACT,
    Objection.CLOSED: Refusal.ACCOUNT_CLOSED,
    Objection.ADVANCE: Refusal.ADVANCE_NOT_TAKEN,
    Objection.ABOVE_LIMIT: Refusal.AMOUNT_TOO_LARGE,
}
_SUSPENSE = {
    Objection.UNIDENTIFIED: SuspenseReason.UNIDENTIFIED,
    Objection.UNKNOWN: SuspenseReason.ACCOUNT_UNKNOWN,
    Objection.AMBIGUOUS: SuspenseReason.ACCOUNT_AMBIGUOUS,
    Objection.NO_CONTRACT: SuspenseReason.NO_CONTRACT,
    Objection.CLOSED: SuspenseReason.ACCOUNT_CLOSED,
    Objection.ADVANCE: SuspenseReason.ADVANCE_NOT_TAKEN,
    Objection.ABOVE_LIMIT: SuspenseReason.ABOVE_LIMIT,
}
assert set(_REFUSALS) == set(_SUSPENSE) == set(Objection), "every objection has its refusal and its suspense reason"


class SuspenseNote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the journal keeps of a payment without an owner, so that it can be matched: the account as written."""

    account: str
    candidates: tuple[AccountId, ...] = ()
    named: NamedDesignation | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A notification with its channel, and its two texts that every offer needs."""

    channel: Channel
    notification: PaymentNotification
    designation: str
    fingerprint: bytes


class Decided(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An offer to the door; ``table`` and ``packed`` are the account's table after it, None without an account."""

    offer: Append
    table: AllocationTable | None = None
    packed: bytes = b""


def request_of(channel: Channel, notification: PaymentNotification) -> Request:
    """Compute the canonical designation and the fingerprint of a notification (design W5)."""
    designation = designation_text(notification.designation)
    return Request(
        channel=channel,
        notification=notification,
        designation=designation,
        fingerprint=fingerprint_of(
            kind=EntryKind.PAYMENT,
            account=account_key(channel.namespace, notification.account_number),
            amount_kopecks=notification.amount_kopecks,
            raw_amount=notification.raw_amount,
            designation=designation,
        ),
    )


def form_refusal(channel: Channel, notification: PaymentNotification, moment: datetime) -> Refusal:
    """Return what is wrong with the message itself at ``moment``, whatever its account is; NONE when nothing."""
    if notification.form_refusal is not Refusal.NONE:
        return notification.form_refusal
    if channel.manner is Manner.ASKING:
        if notification.amount_kopecks < channel.amount_min_kopecks:
            return Refusal.AMOUNT_TOO_SMALL
        if notification.amount_kopecks > channel.amount_max_kopecks:
            return Refusal.AMOUNT_TOO_LARGE
        if is_far_ahead(notification.event_at, moment):
            return Refusal.MALFORMED_DATE
    elif notification.amount_kopecks <= 0:
        return Refusal.MALFORMED_AMOUNT
    return Refusal.NONE


def names_nobody(channel: Channel, notification: PaymentNotification) -> bool:
    """Whether arrived money came without any account's number, so that none may be looked for: numbers are never guessed."""
    return channel.manner is Manner.REPORTING and (notification.unidentified or not notification.account_number)


def is_far_ahead(event_at: datetime, moment: datetime) -> bool:
    """Whether a told date lies further ahead of ``moment`` than clocks differ."""
    return event_at - moment > EVENT_AHEAD_MAX


def account_objection(channel: Channel, notification: PaymentNotification, table: AllocationTable) -> Objection | None:
    """Return why this account's table must not be split for this channel, or None."""
    if channel.providers and table.provider not in channel.providers:
        return Objection.NO_CONTRACT
    if table.state is AccountState.CLOSED:
        return Objection.CLOSED
    if notification.amount_kopecks > channel.amount_max_kopecks:
        return Objection.ABOVE_LIMIT
    return None


def decide_booking(request: Request, table: AllocationTable, before: Digest, payees: Payees) -> Decided | Objection:
    """Split and make the entry with the table after it; money that an asking channel may not leave is an objection."""
    notification = request.notification
    split = split_amount(table, notification.amount_kopecks, resolve_designation(notification.designation, payees))
    if split.unallocated and request.channel.manner is Manner.ASKING:
        return Objection.ADVANCE
    after = after_split(table, split)
    packed = pack_table(after)
    offer = Append(
        entry=entry_for_payment(_facts(request, request.designation), table, split, ZoneInfo(table.time_zone)),
        fingerprint=request.fingerprint,
        before=before,
        after=digest_of(packed),
    )
    return Decided(offer=offer, table=after, packed=packed)


def decide_objection(request: Request, objection: Objection, candidates: tuple[AccountId, ...] = ()) -> Decided:
    """Refuse an asking channel; put a reporting channel's money, which has arrived, into suspense with its reason."""
    if request.channel.manner is Manner.ASKING:
        return decide_refusal(request, _REFUSALS[objection])
    note = SuspenseNote(
        account=request.notification.account_number, candidates=candidates, named=request.notification.designation
    )
    facts = _facts(request, msgspec.json.encode(note, order="deterministic").decode())
    return Decided(offer=Append(entry=entry_for_suspense(facts, _SUSPENSE[objection]), fingerprint=request.fingerprint))


def decide_refusal(request: Request, refusal: Refusal) -> Decided:
    """Offer a refusal to be remembered by its key (design W5)."""
    facts = _facts(request, "")
    entry = entry_for_suspense(
        facts if facts.amount_kopecks > 0 else msgspec.structs.replace(facts, amount_kopecks=1), SuspenseReason.NONE
    )
    return Decided(offer=Append(entry=entry, fingerprint=request.fingerprint, refusal=refusal))


def _facts(request: Request, designation: str) -> PaymentFacts:
    channel, notification = request.channel, request.notification
    return PaymentFacts(
        transit=channel.transit,
        channel=channel.number,
        space=channel.space,
        external_id=notification.external_id,
        event_at=notification.event_at,
        amount_kopecks=notification.amount_kopecks,
        designation=designation,
    )
