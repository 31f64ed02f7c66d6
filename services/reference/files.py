"""Reading a file row by row: CSV or JSON Lines to texts by column, never the whole file in memory.

Errors of the file's form (encoding, header, quoting, length of a line) end the reading: what follows cannot be trusted.
"""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import msgspec

from services.reference.faults import FaultyFile, RowFault
from services.reference.rows import Shape

LINE_BYTES_MAX = 65_536
HASH_BYTES = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
JSON_SUFFIXES = (".jsonl", ".ndjson")

Row = tuple[int, list[str]]
"""Number of the line where the row starts, and its texts in the order of the header."""


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """An open file: the names of its columns and its rows, to be read once."""

    header: tuple[str, ...]
    rows: Iterator[Row]


def digest_of_file(file: BinaryIO) -> bytes:
    """SHA-256 of the whole file, which is then at its start again."""
    digest = hashlib.sha256()
    while block := file.read(HASH_BYTES):
        digest.update(block)
    file.seek(0)
    return digest.digest()


def open_rows(file: BinaryIO, path: Path, shape: Shape, progress: Callable[[int], None]) -> Rows:
    """Read the header and stand before the first row. ``progress`` is told the bytes read so far.

    Raises FaultyFile, here and while the rows are read, for a file that is not in the promised form.
    """
    lines = _lines(file, progress)
    if path.suffix.lower() in JSON_SUFFIXES:
        header = tuple(column.name for column in shape.columns)
        return Rows(header=header, rows=_json_rows(lines, header))
    first = next(lines, "")
    delimiter = ";" if ";" in first else ","
    header = _header(first, delimiter, shape)
    return Rows(header=header, rows=_csv_rows(lines, delimiter))


def fail(line: int, field: str, message: str) -> NoReturn:
    """Refuse the file for one reason that makes the rest unreadable."""
    raise FaultyFile([RowFault(line=line, field=field, message=message)], 1)


def _lines(file: BinaryIO, progress: Callable[[int], None]) -> Iterator[str]:
    number = 0
    done = 0
    reported = 0
    while raw := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        done += len(raw)
        if len(raw) > LINE_BYTES_MAX:
            fail(number, "line", f"is longer than {LINE_BYTES_MAX} bytes")
        if number == 1:
            raw = raw.removeprefix(BYTE_ORDER_MARK)
        try:
            yield raw.decode("utf-8")
        except UnicodeDecodeError as error:
            fail(number, "line", _not_utf8(raw, error))
        if done - reported >= HASH_BYTES:
            progress(done)
            reported = done
    progress(done)


def _not_utf8(raw: bytes, error: UnicodeDecodeError) -> str:
    cyrillic = sum(byte >= 0xC0 or byte in (0xA8, 0xB8) for byte in raw)
    advice = "; it looks like windows-1251: save the file as UTF-8" if cyrillic else ""
    return f"is not UTF-8 at byte {error.start + 1} (0x{raw[error.start]:02X}){advice}"


def _header(first: str, delimiter: str, shape: Shape) -> tuple[str, ...]:
    try:
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, strict=True), [])]
    except csv.Error as error:
        fail(1, "header", str(error))
    return known_header(names, shape, line=1)


def known_header(names: list[str], shape: Shape, line: int) -> tuple[str, ...]:
    """Return the names when they are columns of the shape, each once, and no required one is missing; else raise FaultyFile."""
    if not names:
        fail(line, "header", "is missing")
    known = {column.name for column in shape.columns}
    faults = [f"unknown column {name!r}" for name in names if name not in known]
    faults += [f"column {name!r} stands twice" for name in sorted(known) if names.count(name) > 1]
    faults += [f"column {column.name!r} is missing" for column in shape.columns if column.required and column.name not in names]
    if faults:
        raise FaultyFile([RowFault(line=line, field="header", message=fault) for fault in faults], len(faults))
    return tuple(names)


def _csv_rows(lines: Iterator[str], delimiter: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 2
    try:
        for texts in reader:
            if texts:
                yield line, texts
            line = reader.line_num + 2
    except csv.Error as error:
        fail(line, "line", f"is not CSV: {error}")


def _json_rows(lines: Iterator[str], header: tuple[str, ...]) -> Iterator[Row]:
    places = {name: place for place, name in enumerate(header)}
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            pairs = _decoder.decode(text)
        except (ValueError, RecursionError) as error:
            fail(number, "line", f"is not a JSON object: {str(error)[:200]}")
        if not isinstance(pairs, _Pairs):
            fail(number, "line", "is not a JSON object")
        yield number, _texts(number, pairs, places)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs, so that a repeated key is seen."""


def _texts(number: int, pairs: _Pairs, places: dict[str, int]) -> list[str]:
    texts = [""] * len(places)
    seen: set[str] = set()
    for name, value in pairs:
        if name not in places:
            fail(number, "line", f"unknown field {name[:40]!r}")
        if name in seen:
            fail(number, name, "stands twice")
        seen.add(name)
        texts[places[name]] = _text(number, name, value)
    return texts


def _text(number: int, name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    fail(number, name, "must be a string, a whole number, true, false or null")


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]!r} is not a whole number")


_decoder = json.JSONDecoder(object_pairs_hook=_Pairs, parse_float=_refuse_number, parse_constant=_refuse_number)
