"""What is wrong with a file, by line number and field; what is odd about it, as warnings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

SHOWN_MAX = 100
"""Faults and warnings kept with their text; the rest is only counted."""


class RowFault(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A fault of one field. ``line`` counts from 1, the header included; 0 stands for the file as a whole."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line else "file"
        return f"{place}, {self.field}: {self.message}"


class FaultyFile(Exception):
    """The file was not loaded; nothing was changed. ``faults`` are at most SHOWN_MAX of the ``count`` found, by line."""

    def __init__(self, faults: Iterable[RowFault], count: int) -> None:
        self.faults = tuple(sorted(faults))
        self.count = count
        super().__init__("\n".join(map(str, self.faults)))


class Findings:
    """Collects faults, or warnings, of one load: the first SHOWN_MAX by text, all by number."""

    def __init__(self) -> None:
        self.shown: list[RowFault] = []
        self.count = 0

    def add(self, line: int, field: str, message: str) -> None:
        """Note one finding."""
        self.count += 1
        if len(self.shown) < SHOWN_MAX:
            self.shown.append(RowFault(line=line, field=field, message=message))

    def add_listed(self, records: Sequence[Mapping[str, Any]], field: str, message: str) -> None:
        """Note the rows that a statement lists: each with its ``line_no`` and the values that the message names in braces;
        ``found`` is how many there are, of which the statement lists the first."""
        for record in records:
            self.add(record["line_no"], field, message.format_map(dict(record)))
        if records:
            self.count += records[0]["found"] - len(records)

    def raise_if_any(self) -> None:
        """Raise FaultyFile when there is a fault."""
        if self.count:
            raise FaultyFile(self.shown, self.count)
