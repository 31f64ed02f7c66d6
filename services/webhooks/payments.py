"""Legs of payments become messages: pure, one message an endpoint, entry and direction."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import groupby

import msgspec

from schemas.allocation import Kind
from schemas.ids import Book
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind
from schemas.webhook import EventType, Leg, PaymentLegs
from services.announce import Event, body_of, message_id_of

ADVANCE_KIND = 3
"""Kind of the lines that hold advances (reference.charge); the others are those of schemas.allocation."""
_SHOWN_CHARACTERS = 4
_MASK = "**"


class LegRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A posting to a payable of the endpoint's recipient, credit negative, with what is known of the entry and the line.

    ``period`` and ``charge_kind`` are None for a posting without a charge line. ``undone_*`` are the key of the payment that a
    reversal undoes.
    """

    endpoint: int
    events: frozenset[str]
    sequence: Place
    kind: int
    external_id: str
    space: str
    event_at: datetime
    bank_day: date
    transit_account: str
    number: str | None
    service: str
    period: int | None
    charge_kind: int | None
    amount: int
    undone_id: str | None
    undone_space: str | None


def events_of(book: Book, rows: Sequence[LegRow]) -> list[Event]:
    """Return the messages of a passage's legs, which come in order of (sequence, endpoint).

    A recipient that several postings of one entry credit and debit hears of both, in two messages.
    """
    events = []
    for _, group in groupby(rows, key=lambda row: (row.sequence, row.endpoint)):
        legs = tuple(group)
        for type_, chosen in (
            (EventType.PAYMENT_SPLIT, tuple(row for row in legs if row.amount < 0)),
            (EventType.PAYMENT_REVERSED, tuple(row for row in legs if row.amount > 0)),
        ):
            if chosen and type_ in chosen[0].events:
                events.append(_event(book, type_, chosen))
    return events


def masked_number(number: str) -> str:
    """Keep an account number's last four characters, never more than half of it: ``0001001234`` -> ``**1234``."""
    shown = min(_SHOWN_CHARACTERS, len(number) // 2)
    return _MASK + (number[-shown:] if shown else "")


def _event(book: Book, type_: EventType, rows: tuple[LegRow, ...]) -> Event:
    first = rows[0]
    payment = f"{first.space}:{first.external_id}"
    key = payment
    if first.undone_id is not None and first.kind == EntryKind.REVERSAL:
        payment = f"{first.undone_space}:{first.undone_id}"
        # The reversal's own key names a place in a book, which a restore may give to another entry; its part does not.
        key = f"{payment} {first.external_id.partition('/')[2]}"
    legs = PaymentLegs(
        payment=payment,
        entry=f"{book}:{first.sequence}",
        account=masked_number(first.number or ""),
        transit_account=first.transit_account,
        paid_at=first.event_at,
        bank_day=first.bank_day,
        legs=_legs(rows),
        total_kopecks=sum(abs(row.amount) for row in rows),
    )
    return Event(
        endpoint=first.endpoint,
        message_id=message_id_of(first.endpoint, type_, key),
        type=type_,
        body=body_of(type_, first.event_at, legs),
    )


def _legs(rows: Iterable[LegRow]) -> tuple[Leg, ...]:
    return tuple(
        [
            Leg(service=row.service, period=_period(row.period), kind=_kind(row.charge_kind), amount_kopecks=abs(row.amount))
            for row in rows
        ]
    )


def _period(period: int | None) -> str:
    return f"{period // 100:04d}-{period % 100:02d}" if period else ""


def _kind(kind: int | None) -> str:
    if kind is None:
        return ""
    return "advance" if kind == ADVANCE_KIND else Kind(kind).name.lower()
