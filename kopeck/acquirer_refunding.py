"""A refund that was decided (``kopeck refunds``) ordered from the acquirer that took the payment."""

import hashlib
from datetime import datetime

import msgspec

from kopeck.intake_process import asked_channels
from ledger.core.reversal import CORRECTION_SPACE
from ledger.feed import Connection
from ledger.journal import fetch_entry
from schemas.channel import Channel
from schemas.ids import Book, Sequence
from schemas.journal import EntryKind, JournalEntry
from services.acquiring.refunds import RefundNumber, RefundRefused, Wish, order_refund

KEY_CHARACTERS = 40


class Ordered(msgspec.Struct, frozen=True, kw_only=True):
    """The order at the acquirer: its number with us, the payment's id there, kopecks."""

    refund: RefundNumber
    channel: str
    payment: str
    amount_kopecks: int


async def order_back(
    connection: Connection, channels: tuple[Channel, ...], place: tuple[Book, Sequence], by: str, now: datetime
) -> Ordered:
    """Order what the correction at a place took back, once however often it is asked; raises RefundRefused, LookupError.

    The order's key is made of the payment's own id and the correction's number, so that a restored ledger orders no second one.
    """
    correction = (await fetch_entry(connection, *place)).entry
    payment_place, nth = _corrected(correction)
    payment = (await fetch_entry(connection, *payment_place)).entry
    channel = next((one for one in asked_channels(channels) if one.number == payment.channel), None)
    if channel is None:
        raise RefundRefused("the payment came through no channel whose acquirer can be asked")
    wish = Wish(
        key=hashlib.sha256(f"{channel.space_name}/{payment.external_id}/{nth}".encode()).hexdigest()[:KEY_CHARACTERS],
        payment=payment.external_id,
        amount_kopecks=correction.amount_kopecks,
        asked_by=by,
    )
    async with connection.transaction():
        number = await order_refund(connection, channel, wish, now)
    return Ordered(refund=number, channel=channel.name, payment=payment.external_id, amount_kopecks=correction.amount_kopecks)


def _corrected(correction: JournalEntry) -> tuple[tuple[Book, Sequence], int]:
    """The place that a refund's or reversal's key names, and the correction's number."""
    place, _, nth = correction.external_id.rpartition("/")
    book, _, sequence = place.partition(":")
    known = correction.kind in (EntryKind.REFUND, EntryKind.REVERSAL) and correction.space == CORRECTION_SPACE
    if not known or not (nth.isdecimal() and book.isdecimal() and sequence.isdecimal()):
        raise RefundRefused("the entry there is no refund and no reversal of a payment")
    return (Book(int(book)), Sequence(int(sequence))), int(nth)
