"""Records of a dBase III file: character, numeric, date and logical fields; deleted records are no payments."""

import struct
from collections.abc import Iterator

import msgspec

from connectors.registers.encoding import encoding_of
from connectors.registers.register import unreadable
from connectors.registers.text_rows import Row

DBASE3 = 0x03
HEADER_BYTES = 32
FIELD_BYTES = 32
FIELDS_END = b"\r"
FILE_END = b"\x1a"
DELETED = 0x2A
PRESENT = 0x20
KINDS = "CNFDL"
CODE_PAGES = {0x26: "cp866", 0x65: "cp866", 0xC9: "cp1251", 0x57: "cp1251"}
"""Code page marks of the header's byte 29; another, or none, and the encoding is seen from the text."""


class DbfField(msgspec.Struct, frozen=True, kw_only=True):
    """One column: name in capitals, kind, place in the record."""

    name: str
    kind: str
    start: int
    end: int


class Dbf(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose header and length agree. Rows are (number of the record, values as text); ``deleted`` are left out."""

    names: tuple[str, ...]
    rows: tuple[Row, ...]
    deleted: int


def read_dbf(content: bytes, encodings: tuple[str, ...]) -> Dbf:
    """Read a whole file; raises RegisterUnreadable for another kind, a truncated one and one with something behind its end."""
    if len(content) < HEADER_BYTES or content[0] != DBASE3:
        raise unreadable("file", "is no dBase III file")
    records, header_bytes, record_bytes = struct.unpack_from("<IHH", content, 4)
    fields = _fields(content, header_bytes, record_bytes)
    end = header_bytes + records * record_bytes
    if len(content) < end or content[end:].strip(FILE_END):
        raise unreadable("file", f"has {len(content)} bytes, its header promises {records} records up to byte {end}")
    marked = CODE_PAGES.get(content[29])
    body = content[header_bytes:end]
    if marked is not None and marked not in encodings:
        raise unreadable("encoding", f"the file is marked as {marked}, the format is in {' or '.join(encodings)}")
    encoding = (marked,) if marked is not None else encodings
    found = list(_records(body, fields, record_bytes, encoding))
    kept = tuple((number, values) for number, values in found if values is not None)
    return Dbf(names=tuple(field.name for field in fields), rows=kept, deleted=len(found) - len(kept))


def _fields(content: bytes, header_bytes: int, record_bytes: int) -> list[DbfField]:
    fields: list[DbfField] = []
    place, start = HEADER_BYTES, 1
    while content[place : place + 1] != FIELDS_END:
        described = content[place : place + FIELD_BYTES]
        name, kind = described[:11].partition(b"\0")[0], chr(described[11]) if len(described) == FIELD_BYTES else ""
        if len(described) < FIELD_BYTES or place >= header_bytes or not name.isascii() or not name.strip():
            raise unreadable("file", "the list of its columns does not end where its header says")
        if kind not in KINDS:
            raise unreadable("file", f"column {name.decode()!r} is of a kind that dBase III registers do not have")
        length = described[16]
        fields.append(DbfField(name=name.decode().strip().upper(), kind=kind, start=start, end=start + length))
        start += length
        place += FIELD_BYTES
    if not fields or start != record_bytes or place >= header_bytes:
        raise unreadable("file", "the lengths of its columns do not make up its records")
    return fields


def _records(
    body: bytes, fields: list[DbfField], record_bytes: int, encodings: tuple[str, ...]
) -> Iterator[tuple[int, list[str] | None]]:
    """Yield the values of each record, None of a deleted one."""
    encoding = encoding_of(body, encodings)
    for number, place in enumerate(range(0, len(body), record_bytes), start=1):
        record = body[place : place + record_bytes]
        if record[0] == DELETED:
            yield number, None
            continue
        if record[0] != PRESENT:
            raise unreadable("record", "starts with neither a space nor an asterisk", number)
        yield number, [_value(record[field.start : field.end], field, encoding, number) for field in fields]


def _value(raw: bytes, field: DbfField, encoding: str, number: int) -> str:
    try:
        text = raw.decode(encoding).strip(" \0")
    except UnicodeDecodeError as error:
        raise unreadable(field.name, f"is not in {encoding}", number) from error
    if field.kind == "D" and text:
        if len(text) != 8 or not text.isascii() or not text.isdecimal():
            raise unreadable(field.name, "is no date YYYYMMDD", number)
        return "" if text == "00000000" else f"{text[:4]}-{text[4:6]}-{text[6:]}"
    if field.kind in "NF" and text.startswith("*"):
        raise unreadable(field.name, "a number did not fit into its column", number)
    return text
