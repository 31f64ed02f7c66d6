"""Where a value stands in a row of fields: a column by number or name, a tag, a slice of a line of fixed width."""

import re
from collections.abc import Callable
from typing import TypeVar

from connectors.registers.describing import sources_of
from connectors.registers.description import RegisterFormat, Source

T = TypeVar("T")
Get = Callable[[list[str]], str]
Columns = dict[str, int]
"""Name of a column in the header, as ``column_key`` writes it, -> its place from 0."""


class HeaderLacks(ValueError):
    """The header does not name a column that the format needs; the message says which."""


def column_key(name: str) -> str:
    """A column's name, so that case and spaces do not matter."""
    return " ".join(name.split()).casefold()


def tags_of(described: RegisterFormat) -> tuple[str, ...]:
    """The tags that the format reads, in the order in which their values are put behind a row's plain fields."""
    return tuple(dict.fromkeys(one.tag.casefold() for one in sources_of(described.fields).values() if one.tag))


def value_of(
    source: Source, described: RegisterFormat, columns: Columns, decode: Callable[[str], T], default: T
) -> Callable[[list[str]], T] | None:
    """Return what reads the value of a row, None for an optional column that the file lacks; raises HeaderLacks.

    An empty text that is not required is the default.
    """
    place = _place(source, described, columns)
    if place is None:
        return None
    if source.start or source.pattern:
        get = _sliced(source) if source.start else _at(place)
        return _decoded(_matched(get, source.pattern) if source.pattern else get, source, decode, default)
    required = source.required

    def value(cells: list[str]) -> T:
        text = cells[place]
        return decode(text) if text or required else default

    return value


def _decoded(get: Get, source: Source, decode: Callable[[str], T], default: T) -> Callable[[list[str]], T]:
    required = source.required

    def value(cells: list[str]) -> T:
        text = get(cells)
        return decode(text) if text or required else default

    return value


def fields_needed(described: RegisterFormat, columns: Columns) -> int:
    """How many fields a payment's row has at least."""
    places = [_place(one, described, columns) for one in sources_of(described.fields).values() if not one.tag]
    return max([described.tagged_from - 1, *(place + 1 for place in places if place is not None)])


def _place(source: Source, described: RegisterFormat, columns: Columns) -> int | None:
    if source.column:
        return source.column - 1
    if source.tag:
        return described.tagged_from - 1 + tags_of(described).index(source.tag.casefold())
    if source.start:
        return 0
    for name in source.names:
        if (place := columns.get(column_key(name))) is not None:
            return place
    if source.optional:
        return None
    raise HeaderLacks(f"has no column {' or '.join(source.names)}")


def _at(place: int) -> Get:
    return lambda cells: cells[place]


def _sliced(source: Source) -> Get:
    start, end = source.start - 1, source.start - 1 + source.width
    return lambda cells: cells[0][start:end].strip()


def _matched(get: Get, pattern: str) -> Get:
    form = re.compile(pattern)

    def matched(cells: list[str]) -> str:
        match = form.search(get(cells))
        if match is None:
            return ""
        return (match[1] if form.groups else match[0]) or ""

    return matched
