"""Columns of the files that may be loaded and how one row of text becomes checked values. Pure.

A kind of file is a ``Shape``: columns in the order in which their values are staged. Every value comes as text, the empty
text standing for nothing; a decoder gives the value or raises FieldFault with what is wrong. Values that repeat in a file
(codes, dates, periods) are decoded once and remembered.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import available_timezones

import msgspec

from schemas.allocation import PERIOD_NONE
from schemas.ids import ACCOUNT_NUMBER_CHARACTERS_MAX
from schemas.money import MoneyError, kopecks_from_text

Decode = Callable[[str], Any]

REMEMBERED_VALUES_MAX = 100_000
CODE_CHARACTERS_MAX = 64
TEXT_CHARACTERS_MAX = 500
YEARS = range(1991, 2100)
SHOWN_CHARACTERS_MAX = 40
NUMBER_CELL = "\x00number:"
"""Stands before the text of a spreadsheet's number in a column of text (workbook.py)."""

_PERIOD = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_ELS = re.compile(r"[0-9A-ZА-Я]{10}")
_IZHKU = re.compile(r"[0-9A-ZА-Я]{10}-[0-9]{2}")


class FieldFault(ValueError):
    """A value is not in the promised form; the text says what was expected and quotes at most a few characters."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """``required``: the file must have the column and every row a value in it; ``default`` stands for an empty value.

    ``is_text``: digits of it are no number, so that a spreadsheet's number, which has lost its leading zeros, is a fault.
    """

    name: str
    decode: Decode
    required: bool = False
    default: Any = ""
    is_text: bool = False


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of file: its name, its columns, and a check of decoded rows that gives (field, fault) or None.

    ``takes_workbooks``: it may come as XLSX, its columns of text being marked ``is_text``.
    """

    name: str
    columns: tuple[Column, ...]
    check: Callable[[Sequence[Any]], tuple[str, str] | None] = lambda row: None
    takes_workbooks: bool = False

    def index(self, name: str) -> int:
        """Place of a column's value in a decoded row."""
        return [column.name for column in self.columns].index(name)


class Remembered(dict[str, Any]):
    """Values by their text: decodes a text it meets for the first time and forgets all when it grows too long."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode

    def __missing__(self, text: str) -> Any:
        value = self._decode(text)
        if len(self) >= REMEMBERED_VALUES_MAX:
            self.clear()
        self[text] = value
        return value


def row_decoder(shape: Shape, header: Sequence[str]) -> Callable[[list[str]], list[Any]]:
    """A function from the texts of a row, in the order of the header, to values in the order of the shape's columns.

    It raises FieldFault without the field; ``faults_of`` names them all. It appends to the list it is given.
    """
    decoders = [Remembered(_decode_or_default(column)).__getitem__ for column in shape.columns]
    plan = tuple(zip(_places(shape, header), decoders, strict=True))

    def decode(texts: list[str]) -> list[Any]:
        texts.append("")
        return [decode_one(texts[place]) for place, decode_one in plan]

    return decode


def faults_of(shape: Shape, header: Sequence[str], texts: Sequence[str]) -> list[tuple[str, str]]:
    """Every (field, fault) of a row whose decoding failed."""
    faults = []
    padded = [*texts[: len(header)], ""]
    for column, place in zip(shape.columns, _places(shape, header), strict=True):
        try:
            _decode_or_default(column)(padded[place])
        except FieldFault as fault:
            faults.append((column.name, str(fault)))
    return faults


def _places(shape: Shape, header: Sequence[str]) -> list[int]:
    """Places of the shape's columns in a row of texts; -1, the appended empty text, for a column the file lacks."""
    return [header.index(column.name) if column.name in header else -1 for column in shape.columns]


def _decode_or_default(column: Column) -> Decode:
    def decode(text: str) -> Any:
        if text.startswith(NUMBER_CELL):
            number = quoted(text.removeprefix(NUMBER_CELL))
            raise FieldFault(f"is the number {number} in the spreadsheet: write the cell as text, or leading zeros are lost")
        if text:
            return column.decode(text)
        if column.required:
            raise FieldFault("is required")
        return column.default

    return decode


def quoted(text: str) -> str:
    """The value for a message: short and printable."""
    return repr(text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "…")


def text_of(characters_max: int) -> Decode:
    """An id as written: printable, without spaces around it, leading zeros and case kept."""

    def decode(text: str) -> str:
        if len(text) > characters_max:
            raise FieldFault(f"is {len(text)} characters long, at most {characters_max} are allowed")
        if not text.isprintable():
            raise FieldFault(f"holds a control character: {quoted(text)}")
        if text != text.strip():
            raise FieldFault(f"has spaces around it: {quoted(text)}")
        return text

    return decode


code = text_of(CODE_CHARACTERS_MAX)
account_number = text_of(ACCOUNT_NUMBER_CHARACTERS_MAX)


def free_text(text: str) -> str:
    """A name or an address: spaces tidied, never quoted in a message."""
    tidy = " ".join(text.split())
    if len(tidy) > TEXT_CHARACTERS_MAX:
        raise FieldFault(f"is {len(tidy)} characters long, at most {TEXT_CHARACTERS_MAX} are allowed")
    if not tidy.isprintable():
        raise FieldFault("holds a control character")
    return tidy


def one_of(values: Mapping[str, Any]) -> Decode:
    """One of the listed words, given as its value."""

    def decode(text: str) -> Any:
        try:
            return values[text]
        except KeyError:
            raise FieldFault(f"is {quoted(text)}, expected one of: {', '.join(values)}") from None

    return decode


def known_code(numbers: Mapping[str, int], what: str) -> Decode:
    """The number of a code that must already be in our register."""

    def decode(text: str) -> int:
        try:
            return numbers[text]
        except KeyError:
            raise FieldFault(f"{what} {quoted(text)} is not loaded") from None

    return decode


boolean = one_of({"true": True, "false": False, "1": True, "0": False})


def kopecks(text: str) -> int:
    """Whole kopecks, possibly negative."""
    try:
        return kopecks_from_text(text)
    except MoneyError as error:
        raise FieldFault(f"is {quoted(text)}, {error}") from error


def kopecks_not_negative(text: str) -> int:
    """Whole kopecks from zero."""
    amount = kopecks(text)
    if amount < 0:
        raise FieldFault(f"is {quoted(text)}, expected no negative amount")
    return amount


def day(text: str) -> date:
    """An ISO date, YYYY-MM-DD."""
    if _DATE.fullmatch(text) is None:
        raise FieldFault(f"is {quoted(text)}, expected a date YYYY-MM-DD")
    try:
        decoded = date.fromisoformat(text)
    except ValueError as error:
        raise FieldFault(f"is {quoted(text)}, which is no day of the calendar") from error
    if decoded.year not in YEARS:
        raise FieldFault(f"is {quoted(text)}, expected a year {YEARS.start} … {YEARS.stop - 1}")
    return decoded


def period(text: str) -> int:
    """YYYY-MM as year * 100 + month; ``none`` is no period (court costs)."""
    if text == "none":
        return PERIOD_NONE
    match = _PERIOD.fullmatch(text)
    if match is None or int(match[1]) not in YEARS:
        raise FieldFault(f"is {quoted(text)}, expected a month YYYY-MM")
    return int(match[1]) * 100 + int(match[2])


def els(text: str) -> str:
    """ЕЛС: ten digits or capital letters; small letters are made capital."""
    if _ELS.fullmatch(text.upper()) is None:
        raise FieldFault(f"is {quoted(text)}, expected 10 digits or letters")
    return text.upper()


def izhku(text: str) -> str:
    """ИЖКУ: an ЕЛС, a hyphen and two digits."""
    if _IZHKU.fullmatch(text.upper()) is None:
        raise FieldFault(f"is {quoted(text)}, expected 10 digits or letters, a hyphen and 2 digits")
    return text.upper()


def time_zone(text: str) -> str:
    """A zone of the IANA database, such as Asia/Yekaterinburg."""
    if text not in available_timezones():
        raise FieldFault(f"is {quoted(text)}, expected a time zone of the IANA database such as Europe/Moscow")
    return text


def checked(is_valid: Callable[[str], bool], what: str) -> Decode:
    """Text that a check of services.requisites accepts."""

    def decode(text: str) -> str:
        if not is_valid(text):
            raise FieldFault(f"{quoted(text)} is not a valid {what}")
        return text

    return decode
