"""Rows of the first sheet of an XLSX workbook; amounts come out of its binary numbers as exact kopecks or not at all."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from connectors.registers.register import unreadable
from connectors.registers.text_rows import Row
from connectors.registers.values import FieldFault
from schemas.money import MoneyError, kopecks_from_number, roubles_from_kopecks

UNPACKED_BYTES_MAX = 512_000_000
CELLS_MAX = 20_000_000
WORKBOOK = "xl/workbook.xml"
BAD_ARCHIVE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What a damaged, encrypted or oddly packed archive makes of its reader."""
DIGITS_EXACT_MAX = 10**15
"""Beyond it a number of a spreadsheet has lost digits: an account number must be a text there."""
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_PLACE = re.compile(rb'\br="([A-Z]{0,3})([0-9]{1,7})"')

CELL_DATES = ("yyyy-mm-dd",)
CELL_TIMES = ("hh:nn:ss",)
CELL_MOMENTS = ("yyyy-mm-dd hh:nn:ss",)
"""How cells of those kinds are written here, beside the format's own patterns."""


def xlsx_rows(content: bytes) -> Iterator[Row]:
    """Yield the rows of the first sheet from row 1; raises RegisterUnreadable."""
    _require_small(content)
    try:
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, OSError, ValueError) as error:
        raise unreadable("file", f"is no XLSX workbook with a sheet: {type(error).__name__}") from error
    for number, cells in enumerate(rows, start=1):
        yield number, [_text(cell, number) for cell in cells]


def _require_small(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            if WORKBOOK not in archive.namelist():
                raise unreadable("file", "is no XLSX workbook")
            unpacked = sum(one.file_size for one in parts)
            if unpacked > UNPACKED_BYTES_MAX:
                raise unreadable("file", f"unpacks to more than {UNPACKED_BYTES_MAX} bytes")
            cells = max([_cells_spanned(archive.read(one)) for one in parts if _SHEET.fullmatch(one.filename)], default=0)
    except BAD_ARCHIVE as error:
        raise unreadable("file", "is no XLSX workbook") from error
    if cells > CELLS_MAX:
        raise unreadable("file", f"its sheet spans more than {CELLS_MAX} cells")


def _cells_spanned(sheet: bytes) -> int:
    """How many cells lie between the first and the outermost: a reader makes room for all of them."""
    places = set(_PLACE.findall(sheet))
    rows = max((int(row) for _, row in places), default=0)
    columns = max((_column(letters) for letters, _ in places), default=0)
    return rows * max(1, columns)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _text(cell: Any, row: int) -> str:
    try:
        return cell_text(cell)
    except FieldFault as fault:
        raise unreadable("cell", str(fault), row) from fault


def cell_text(cell: Any) -> str:
    """The cell as text: numbers without needless decimals, days and times in ISO form."""
    match cell:
        case str():
            return cell.strip()
        case bool():
            return "1" if cell else "0"
        case int():
            return str(cell)
        case float():
            return _number(cell)
        case datetime():
            return cell.replace(microsecond=0).isoformat(sep=" ")
        case date() | time():
            return cell.isoformat()[:10]
        case timedelta():
            return str(cell)
        case _:
            return ""


def _number(value: float) -> str:
    if abs(value) >= DIGITS_EXACT_MAX:
        raise FieldFault("is a number so long that its last digits are lost: the cell must be a text")
    if value == int(value):
        return str(int(value))
    try:
        return roubles_from_kopecks(kopecks_from_number(value))
    except MoneyError:
        return repr(value)
