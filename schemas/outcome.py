"""The answers to a notification and every way it can fail, in the order checked (style rule 8)."""

from datetime import datetime
from enum import IntEnum

import msgspec

from schemas.ids import Book, Sequence


class Refusal(IntEnum):
    """Why a payment is not taken, for good; remembered by its key (design W5). Stored in payment_key.outcome."""

    NONE = 0
    MALFORMED_ACCOUNT = 1
    MALFORMED_AMOUNT = 2
    AMOUNT_TOO_SMALL = 3
    AMOUNT_TOO_LARGE = 4
    MALFORMED_DATE = 5
    ACCOUNT_UNKNOWN = 6
    ACCOUNT_AMBIGUOUS = 7
    NO_CONTRACT = 8
    ACCOUNT_CLOSED = 9
    ADVANCE_NOT_TAKEN = 10


class SuspenseReason(IntEnum):
    """Why arrived money waits in suspense (невыясненные); stored in journal.reason."""

    NONE = 0
    ACCOUNT_UNKNOWN = 1
    ACCOUNT_AMBIGUOUS = 2
    NO_CONTRACT = 3
    ACCOUNT_CLOSED = 4
    ADVANCE_NOT_TAKEN = 5
    ABOVE_LIMIT = 6
    UNIDENTIFIED = 7


class AppendStatus(IntEnum):
    """The answer of the ledger's door for one entry of a batch."""

    RECORDED = 0
    REFUSAL_RECORDED = 1
    DUPLICATE = 2
    CONFLICT = 3
    STALE = 4


class Answer(IntEnum):
    """The answer to a notification, before a channel puts it into its own words."""

    RECORDED = 0
    DUPLICATE = 1
    REFUSED = 2
    CONFLICT = 3
    TRY_AGAIN = 4
    STALE_TIMESTAMP = 5
    COVERED_ELSEWHERE = 6


class PaymentOutcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of one notification.

    RECORDED and DUPLICATE of a booked payment carry ``book``, ``sequence`` and ``recorded_at``; REFUSED, and DUPLICATE
    of a refused one, carry ``refusal``; CONFLICT names ``conflict_field``; TRY_AGAIN says nothing about what was booked;
    COVERED_ELSEWHERE: nothing was, because covers of that transit account are believed from its statement.
    """

    answer: Answer
    book: Book | None = None
    sequence: Sequence | None = None
    refusal: Refusal = Refusal.NONE
    conflict_field: str = ""
    suspense: SuspenseReason = SuspenseReason.NONE
    recorded_at: datetime | None = None
