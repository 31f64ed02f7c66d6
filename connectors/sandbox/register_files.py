"""Fake counterparties' DBF and XLSX files, written by hand: small, and with nothing but the standard library."""

import io
import struct
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from xml.sax.saxutils import escape

import msgspec

CODE_PAGE_MARKS = {"cp866": 0x65, "cp1251": 0xC9}
_EPOCH = date(1899, 12, 30)
_PARTS = {
    "[Content_Types].xml": (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
        'Target="worksheets/sheet1.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
        '<sheets><sheet name="Реестр" sheetId="1" r:id="r1"/></sheets></workbook>'
    ),
}

Cell = str | int | None


class DbfColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column: name, kind (C, N, D) and length; ``decimals`` of a number."""

    name: str
    kind: str
    length: int
    decimals: int = 0


def write_dbf(columns: Sequence[DbfColumn], records: Iterable[Sequence[str]], encoding: str, deleted: frozenset[int]) -> bytes:
    """Write dBase III; values are texts already, cut to their column; records at the places ``deleted`` are marked so."""
    body = b"".join(
        (b"*" if place in deleted else b" ")
        + b"".join(_dbf_value(column, value, encoding) for column, value in zip(columns, record, strict=True))
        for place, record in enumerate(records)
    )
    record_bytes = 1 + sum(column.length for column in columns)
    header_bytes = 32 + 32 * len(columns) + 1
    counts = struct.pack("<IHH", len(body) // record_bytes, header_bytes, record_bytes)
    header = bytes((3, 126, 11, 24)) + counts + bytes(17) + bytes((CODE_PAGE_MARKS[encoding], 0, 0))
    fields = b"".join(
        column.name.encode().ljust(11, b"\0")
        + column.kind.encode()
        + bytes(4)
        + bytes((column.length, column.decimals))
        + bytes(14)
        for column in columns
    )
    return header + fields + b"\r" + body + b"\x1a"


def write_xlsx(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Write one sheet of texts and kopecks: a whole number becomes a binary number of roubles, as a spreadsheet keeps it."""
    written = "".join(f'<row r="{number}">{_cells(number, row)}</row>' for number, row in enumerate(rows, start=1))
    sheet = f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{written}</sheetData></worksheet>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (*_PARTS.items(), ("xl/worksheets/sheet1.xml", sheet)):
            stamped = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
            archive.writestr(stamped, f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{text}', zipfile.ZIP_DEFLATED)
    return out.getvalue()


def serial_day(moment: datetime) -> int:
    """The day as a spreadsheet counts it."""
    return (moment.date() - _EPOCH).days


def _cells(number: int, row: Sequence[Cell]) -> str:
    return "".join(_cell(f"{chr(ord('A') + place)}{number}", value) for place, value in enumerate(row) if value is not None)


def _cell(place: str, value: str | int) -> str:
    if isinstance(value, int):
        return f'<c r="{place}"><v>{value // 100}.{value % 100:02d}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def _dbf_value(column: DbfColumn, value: str, encoding: str) -> bytes:
    raw = value.encode(encoding, "replace")[: column.length]
    return raw.rjust(column.length) if column.kind == "N" else raw.ljust(column.length)
