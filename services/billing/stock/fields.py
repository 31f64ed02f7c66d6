"""Values of the housing files: quantities become millionths, shares fractions, lists tuples of codes. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any

from services.reference import rows
from services.reference.rows import Decode, FieldFault

MICRO = 1_000_000
AREA_MICRO_MAX = 1_000_000 * MICRO
"""A square kilometre."""
QUANTITY_MICRO_MAX = 10**9 * MICRO
DENOMINATOR_MAX = 1_000_000
CODES_MAX = 100
SEPARATOR = "|"
ALL = "all"

_NUMBER = re.compile(r"(-?)([0-9]{1,10})(?:[.,]([0-9]{1,6}))?", re.ASCII)
_SHARE = re.compile(r"([0-9]{1,7})(?:/([0-9]{1,7}))?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_MONTH = re.compile(r"([0-9]{4}-(?:0[1-9]|1[0-2]))(?:-01)?", re.ASCII)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?", re.ASCII)
_FIAS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def signed(text: str) -> int:
    """A number with at most six decimals, after a dot or a comma, in millionths: ``54,3`` is 54_300_000."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise FieldFault(f"is {rows.quoted(text)}, expected a number with at most six decimals")
    sign, whole, decimals = match.groups()
    amount = int(whole) * MICRO + int((decimals or "").ljust(6, "0"))
    return -amount if sign else amount


def quantity(text: str) -> int:
    """A quantity or price from zero, in millionths."""
    amount = signed(text)
    if not 0 <= amount <= QUANTITY_MICRO_MAX:
        raise FieldFault(f"is {rows.quoted(text)}, expected a number from 0 to {QUANTITY_MICRO_MAX // MICRO}")
    return amount


def area(text: str) -> int:
    """Square metres above zero, in millionths."""
    amount = area_or_none(text)
    if not amount:
        raise FieldFault(f"is {rows.quoted(text)}, an area is above zero")
    return amount


def area_or_none(text: str) -> int:
    """Square metres from zero, in millionths."""
    amount = signed(text)
    if not 0 <= amount <= AREA_MICRO_MAX:
        raise FieldFault(f"is {rows.quoted(text)}, expected square metres from 0 to {AREA_MICRO_MAX // MICRO}")
    return amount


def share(text: str) -> tuple[int, int]:
    """A part of the whole as a fraction: ``1``, ``1/2``, ``13/100``."""
    match = _SHARE.fullmatch(text)
    numerator, denominator = (int(match[1]), int(match[2] or 1)) if match else (0, 0)
    if not 1 <= numerator <= denominator <= DENOMINATOR_MAX:
        raise FieldFault(f"is {rows.quoted(text)}, expected a fraction above 0 and at most 1, such as 1/2")
    return numerator, denominator


def whole(least: int, most: int) -> Decode:
    """A whole number of a range."""

    def decode(text: str) -> int:
        if _WHOLE.fullmatch(text) is None or not least <= int(text) <= most:
            raise FieldFault(f"is {rows.quoted(text)}, expected a whole number from {least} to {most}")
        return int(text)

    return decode


def month(text: str) -> int:
    """``YYYY-MM``, or the month's first day as spreadsheets make of it, as year * 100 + month."""
    match = _MONTH.fullmatch(text)
    if match is None:
        raise FieldFault(f"is {rows.quoted(text)}, expected a month YYYY-MM")
    period: int = rows.period(match[1])
    return period


def moment(text: str) -> datetime:
    """A local time, YYYY-MM-DD HH:MM; a day alone is its beginning."""
    if _MOMENT.fullmatch(text) is None:
        raise FieldFault(f"is {rows.quoted(text)}, expected a time YYYY-MM-DD HH:MM")
    rows.day(text[:10])
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise FieldFault(f"is {rows.quoted(text)}, which is no time of the day") from error


def fias(text: str) -> str:
    """An identifier of ГАР (ФИАС); capital letters are made small."""
    if _FIAS.fullmatch(text.lower()) is None:
        raise FieldFault(f"is {rows.quoted(text)}, expected an identifier of ГАР such as 01234567-89ab-cdef-0123-456789abcdef")
    return text.lower()


def named(values: type[IntEnum]) -> Decode:
    """The small name of a number; given as the number."""
    return rows.one_of({value.name.lower(): int(value) for value in values})


def codes(known: Mapping[str, Any] | None) -> Decode:
    """``a|b`` as ["a", "b"], in order and each once; every code of ``known`` where it is given."""

    def decode(text: str) -> list[str]:
        names = text.split(SEPARATOR)
        if len(names) > CODES_MAX:
            raise FieldFault(f"holds {len(names)} codes, at most {CODES_MAX} are allowed")
        for name in names:
            if not rows.code(name):
                raise FieldFault(f"is {rows.quoted(text)}, expected codes with '{SEPARATOR}' between them")
            if known is not None and name not in known:
                raise FieldFault(f"service {rows.quoted(name)} is not loaded")
        if len(set(names)) != len(names):
            raise FieldFault(f"is {rows.quoted(text)}, a code stands twice")
        return names

    return decode


def codes_or_all(known: Mapping[str, Any]) -> Decode:
    """``all``, given as None, or ``a|b``."""
    listed = codes(known)

    def decode(text: str) -> list[str] | None:
        return None if text == ALL else listed(text)

    return decode


def twice(decode: Decode) -> Decode:
    """The value for two columns of the staging table."""

    def both(text: str) -> tuple[Any, Any]:
        value = decode(text)
        return value, value

    return both
