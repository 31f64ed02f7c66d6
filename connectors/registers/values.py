"""Values of a register's line: text to account numbers, kopecks, days, moments and periods. Pure; FieldFault says what is wrong.

Values that repeat in a file (days, times, periods) are decoded once and remembered.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from connectors.registers.description import Amounts, AmountUnit, Sign
from schemas.ids import ACCOUNT_NUMBER_CHARACTERS_MAX, EXTERNAL_ID_BYTES_MAX
from schemas.money import AMOUNT_KOPECKS_MAX, MoneyError, written_roubles

T = TypeVar("T")

REMEMBERED_VALUES_MAX = 100_000
SHOWN_CHARACTERS_MAX = 40
TEXT_CHARACTERS_MAX = 500
YEARS = range(2000, 2100)
CENTURY = 2000
NOON = timedelta(hours=12)

_TOKENS = {
    "yyyy": r"(?P<year>[0-9]{4})",
    "yy": r"(?P<short>[0-9]{2})",
    "mm": r"(?P<month>[0-9]{2})",
    "dd": r"(?P<day>[0-9]{2})",
    "hh": r"(?P<hour>[0-9]{2})",
    "nn": r"(?P<minute>[0-9]{2})",
    "ss": r"(?P<second>[0-9]{2})",
}
_WORDS = re.compile(r"[^\W\d_]{3,}")
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_TOKEN = re.compile("yyyy|yy|mm|dd|hh|nn|ss|[^a-z]|T", re.ASCII)


class FieldFault(ValueError):
    """A value is not in the promised form; the text quotes at most a few characters of it, of a payer's name none."""


class Remembered(dict[str, T], Generic[T]):
    """Values by their text: decodes a text it meets for the first time and forgets all when it grows too long."""

    def __init__(self, decode: Callable[[str], T]) -> None:
        self._decode = decode

    def __missing__(self, text: str) -> T:
        value = self._decode(text)
        if len(self) >= REMEMBERED_VALUES_MAX:
            self.clear()
        self[text] = value
        return value


class Day(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A date in the counterparty's zone; ``midnight`` in UTC when the whole day has one offset, else None."""

    day: date
    midnight: datetime | None


def quoted(text: str) -> str:
    """The value for a message: short, printable, and without words: in a row whose fields have shifted they are a name."""
    text = _WORDS.sub("…", text)
    return repr(text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "…")


def pattern_of(written: str) -> re.Pattern[str]:
    """Compile ``dd.mm.yyyy`` and the like; raises ValueError for anything but tokens and punctuation, or a repeated token."""
    parts = _TOKEN.findall(written)
    if "".join(parts) != written or not parts:
        raise ValueError(f"{written!r}: only yyyy yy mm dd hh nn ss, T and punctuation are known")
    return re.compile("".join(_TOKENS.get(part) or re.escape(part) for part in parts), re.ASCII)


def account_reader(pattern: str, *, required: bool) -> Callable[[str], str]:
    """An account number as written; ``pattern`` is the whole form that it must have, if any."""
    form = re.compile(pattern) if pattern else None

    def read(text: str) -> str:
        if not text:
            if required:
                raise FieldFault("is required")
            return ""
        if len(text) > ACCOUNT_NUMBER_CHARACTERS_MAX or not text.isprintable():
            raise FieldFault(f"is {quoted(text)}, expected at most {ACCOUNT_NUMBER_CHARACTERS_MAX} printable characters")
        if form is not None and form.fullmatch(text) is None:
            raise FieldFault(f"is {quoted(text)}, which is no account number here")
        return text

    return read


def amount_reader(amounts: Amounts) -> Callable[[str], int]:
    """Kopecks, signed so that a payment is above zero; the sign other than the promised one gives a negative amount."""
    read = _kopecks if amounts.unit is AmountUnit.KOPECKS else _roubles(amounts)
    negated = amounts.sign is Sign.MINUS

    def decode(text: str) -> int:
        try:
            amount = read(text)
            return -amount if negated else amount
        except MoneyError as error:
            raise FieldFault(f"is {quoted(text)}, {error}") from error

    return decode


def _kopecks(text: str) -> int:
    if _WHOLE.fullmatch(text) is None or abs(int(text)) > AMOUNT_KOPECKS_MAX:
        raise MoneyError("expected whole kopecks")
    return int(text)


def _roubles(amounts: Amounts) -> Callable[[str], int]:
    return written_roubles(decimal=amounts.decimal, thousands=amounts.thousands)


def payment_reader(amounts: Amounts) -> Callable[[str], int]:
    """The amount of a payment: above zero."""
    decode = amount_reader(amounts)

    def read(text: str) -> int:
        amount = decode(text)
        if amount <= 0:
            raise FieldFault(f"is {quoted(text)}, a payment's amount is above zero")
        return amount

    return read


def fee_reader(amounts: Amounts) -> Callable[[str], int]:
    """A fee or what is passed on, from zero; an empty text is none."""
    decode = amount_reader(amounts)

    def read(text: str) -> int:
        amount = decode(text) if text else 0
        if amount < 0:
            raise FieldFault(f"is {quoted(text)}, expected no negative amount")
        return amount

    return read


def id_reader(*, required: bool) -> Callable[[str], str]:
    """An id of an operation: printable, at most EXTERNAL_ID_BYTES_MAX bytes of UTF-8."""

    def read(text: str) -> str:
        if not text and required:
            raise FieldFault("is required")
        if not text.isprintable() or len(text.encode()) > EXTERNAL_ID_BYTES_MAX:
            raise FieldFault(f"is {quoted(text)}, expected at most {EXTERNAL_ID_BYTES_MAX} printable bytes")
        if text.startswith(FALLBACK_MARK):
            raise FieldFault(f"is {quoted(text)}: ids that start with {FALLBACK_MARK} are our own")
        return text

    return read


FALLBACK_MARK = "~"
"""Starts the keys that we make for lines without an id, so that no counterparty's id can be one of them."""


def plain_text(text: str) -> str:
    """Free text as it stands, never quoted in a message."""
    if len(text) > TEXT_CHARACTERS_MAX or not text.isprintable():
        raise FieldFault(f"expected at most {TEXT_CHARACTERS_MAX} printable characters")
    return text


def text_of(text: str) -> str:
    """Free text, spaces tidied, never quoted in a message."""
    return plain_text(" ".join(text.split()))


def day_reader(patterns: tuple[str, ...], zone: ZoneInfo) -> Callable[[str], Day]:
    """A date in one of the patterns."""
    forms = [pattern_of(written) for written in patterns]

    def read(text: str) -> Day:
        return day_in(_date(_first(forms, text, "a date", patterns), text), zone)

    return read


def time_reader(patterns: tuple[str, ...]) -> Callable[[str], timedelta]:
    """A time of day in one of the patterns."""
    forms = [pattern_of(written) for written in patterns]

    def read(text: str) -> timedelta:
        return _time(_first(forms, text, "a time", patterns), text)

    return read


def moment_reader(patterns: tuple[str, ...], zone: ZoneInfo) -> Callable[[str], tuple[Day, timedelta]]:
    """A date and a time of day in one value."""
    forms = [pattern_of(written) for written in patterns]
    days: dict[date, Day] = {}

    def read(text: str) -> tuple[Day, timedelta]:
        match = _first(forms, text, "a date and time", patterns)
        day = _date(match, text)
        if day not in days:
            days[day] = day_in(day, zone)
        return days[day], _time(match, text)

    return read


def period_reader(patterns: tuple[str, ...]) -> Callable[[str], int]:
    """A month as year * 100 + month; an empty text or zeros only are none."""
    forms = [pattern_of(written) for written in patterns]

    def read(text: str) -> int:
        if not text.strip("0"):
            return 0
        match = _first(forms, text, "a month", patterns)
        return _year(match, text) * 100 + _between(match, "month", 1, 12, text)

    return read


def day_in(day: date, zone: ZoneInfo) -> Day:
    """The day with its beginning in UTC, where no clock is changed in it."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone)
    end = start + timedelta(days=1)
    return Day(day=day, midnight=start.astimezone(UTC) if start.utcoffset() == end.utcoffset() else None)


def moment_of(day: Day, time: timedelta, zone: ZoneInfo) -> datetime:
    """UTC of a time of day."""
    if day.midnight is not None:
        return day.midnight + time
    return (datetime(day.day.year, day.day.month, day.day.day, tzinfo=zone) + time).astimezone(UTC)


def _first(forms: list[re.Pattern[str]], text: str, what: str, patterns: tuple[str, ...]) -> re.Match[str]:
    for form in forms:
        match = form.fullmatch(text)
        if match is not None:
            return match
    raise FieldFault(f"is {quoted(text)}, expected {what} {' or '.join(patterns)}")


def _date(match: re.Match[str], text: str) -> date:
    year, month, day = _year(match, text), _between(match, "month", 1, 12, text), _between(match, "day", 1, 31, text)
    try:
        return date(year, month, day)
    except ValueError as error:
        raise FieldFault(f"is {quoted(text)}, which is no day of the calendar") from error


def _time(match: re.Match[str], text: str) -> timedelta:
    hour, minute = _between(match, "hour", 0, 23, text), _between(match, "minute", 0, 59, text)
    second = _between(match, "second", 0, 59, text) if "second" in match.re.groupindex else 0
    return timedelta(hours=hour, minutes=minute, seconds=second)


def _year(match: re.Match[str], text: str) -> int:
    year = int(match["year"]) if "year" in match.re.groupindex else CENTURY + int(match["short"])
    if year not in YEARS:
        raise FieldFault(f"is {quoted(text)}, expected a year {YEARS.start} … {YEARS.stop - 1}")
    return year


def _between(match: re.Match[str], group: str, least: int, most: int, text: str) -> int:
    value = int(match[group])
    if not least <= value <= most:
        raise FieldFault(f"is {quoted(text)}: {group} {value:02d} is out of range")
    return value


def row_number(text: str) -> str:
    """The counterparty's own number of a line, without leading zeros."""
    if not text.isascii() or not text.isdecimal():
        raise FieldFault(f"is {quoted(text)}, expected a number")
    return text.lstrip("0") or "0"
