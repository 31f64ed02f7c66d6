"""Query strings and urlencoded bodies as text parameters (design §1, station 2)."""

from enum import StrEnum
from urllib.parse import unquote_to_bytes

import msgspec

PARAMETERS_MAX = 64
REPEATED = "\0"
"""Joins the values of a repeated parameter: a control character, so that no field accepts the joined text."""


class Encoding(StrEnum):
    """How the bytes behind the percent signs were read."""

    UTF_8 = "utf-8"
    WINDOWS_1251 = "windows-1251"


class Parameters(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Decoded parameters by name, and WINDOWS_1251 when any of them was not UTF-8, as older terminals send them."""

    values: dict[str, str]
    encoding: Encoding


def read_parameters(raw: bytes) -> Parameters:
    """Decode a raw query string or an ``application/x-www-form-urlencoded`` body; never raises.

    A parameter that comes twice has its values joined by REPEATED, which every field then refuses; more than
    PARAMETERS_MAX parameters give no parameters at all. Bytes that windows-1251 does not know become U+FFFD.
    """
    values: dict[str, str] = {}
    encoding = Encoding.UTF_8
    pairs = raw.split(b"&", PARAMETERS_MAX)
    if len(pairs) > PARAMETERS_MAX:
        return Parameters(values=values, encoding=encoding)
    escaped = b"%" in raw or b"+" in raw
    for pair in pairs:
        name_raw, _, value_raw = pair.partition(b"=")
        if escaped:
            name_raw, value_raw = _unescape(name_raw), _unescape(value_raw)
        try:
            name, value = name_raw.decode(), value_raw.decode()
        except UnicodeDecodeError:
            encoding = Encoding.WINDOWS_1251
            name, value = name_raw.decode("cp1251", "replace"), value_raw.decode("cp1251", "replace")
        values[name] = values[name] + REPEATED + value if name in values else value
    return Parameters(values=values, encoding=encoding)


def _unescape(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" "))
