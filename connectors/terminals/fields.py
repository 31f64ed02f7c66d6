"""Fields that terminal protocols share: account number, roubles, a moment in Moscow time (design §1, station 2)."""

import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone

import msgspec

from schemas.ids import ACCOUNT_NUMBER_CHARACTERS_MAX, ExternalId
from schemas.money import MoneyError, kopecks_from_roubles
from schemas.notification import PaymentNotification
from schemas.outcome import Refusal

ACCOUNT_NUMBER = re.compile(r"[0-9A-Za-z/_.-]{1,50}", re.ASCII)
"""The provider's expression for account numbers, as a terminal network checks it before it sends (protocols.md §1)."""

MOSCOW_OFFSET = timedelta(hours=3)
MOSCOW = timezone(MOSCOW_OFFSET)
EVENT_YEAR_MIN = 2015
"""First full year in which Moscow is UTC+3 without exception (107-ФЗ as in force from 26.10.2014)."""
EVENT_YEAR_MAX = 2100
EVENT_AT_UNREADABLE = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands in ``event_at`` of a notification whose date could not be read: it is refused and never reaches the journal."""


class PaymentFields(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A payment's fields as text; ``event_at`` is None when the date could not be read."""

    external_id: str
    account: str
    amount: str
    event_at: datetime | None


def notification_from(fields: PaymentFields) -> PaymentNotification:
    """Read the fields; the first one in another form than promised, in the order of Refusal, is the form refusal.

    ``raw_amount`` is set only when the amount is unreadable, so that ``10.4`` and ``10.40`` are one content.
    """
    amount_kopecks, amount_refusal = read_amount(fields.amount)
    refusal = Refusal.NONE
    if ACCOUNT_NUMBER.fullmatch(fields.account) is None:
        refusal = Refusal.MALFORMED_ACCOUNT
    elif amount_refusal is not Refusal.NONE:
        refusal = amount_refusal
    elif fields.event_at is None:
        refusal = Refusal.MALFORMED_DATE
    return PaymentNotification(
        external_id=ExternalId(fields.external_id),
        account_number=storable(fields.account),
        amount_kopecks=amount_kopecks,
        raw_amount=storable(fields.amount) if amount_refusal is Refusal.MALFORMED_AMOUNT else "",
        event_at=fields.event_at or EVENT_AT_UNREADABLE,
        form_refusal=refusal,
    )


def read_amount(text: str) -> tuple[int, Refusal]:
    """Read roubles as kopecks above zero; otherwise 0 and MALFORMED_AMOUNT or, for zero, AMOUNT_TOO_SMALL."""
    try:
        amount_kopecks = kopecks_from_roubles(text)
    except MoneyError:
        return 0, Refusal.MALFORMED_AMOUNT
    return amount_kopecks, Refusal.NONE if amount_kopecks else Refusal.AMOUNT_TOO_SMALL


def storable(text: str) -> str:
    """Return the text itself when it is short and printable, else ``sha256:<hex>`` of it.

    Equal texts stay equal and unequal ones unequal, and what is kept can be neither NUL nor ten kilobytes long.
    """
    if len(text) <= ACCOUNT_NUMBER_CHARACTERS_MAX and text.isprintable():
        return text
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def moscow_instant(match: re.Match[str] | None) -> datetime | None:
    """Return UTC of a moment in Moscow time from the groups year, month, day, hour, minute, second.

    None without a match, for a date that does not exist and for years outside EVENT_YEAR_MIN … EVENT_YEAR_MAX.
    """
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.group("year", "month", "day", "hour", "minute", "second"))
    if not EVENT_YEAR_MIN <= year <= EVENT_YEAR_MAX:
        return None
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC) - MOSCOW_OFFSET
    except ValueError:
        return None
