"""Reading an XLSX workbook row by row: the first sheet, its first row that is not empty the header, cells to texts by column.

A spreadsheet keeps what people typed as something else: numbers in binary, with the noise of a formula perhaps; account numbers
that lost their zeros; errors and formulas never calculated, which a reader shows as empty. Each is read exactly or is a fault.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, BinaryIO

from lxml import etree
from python_calamine import CalamineError, CalamineWorkbook

from connectors.xml_safe import XmlError, read_xml
from services.reference.files import HASH_BYTES, Row, Rows, fail, known_header
from services.reference.rows import NUMBER_CELL, Shape

WORKBOOK_SUFFIXES = (".xlsx",)
FILE_BYTES_MAX = 300_000_000
UNPACKED_BYTES_MAX = 3_000_000_000
CELLS_MAX = 30_000_000
MICRO = 1_000_000
EXACT_MAX = 10_000_000
"""Up to here a binary number tells millionths from one another by far more than the tolerance."""
TOLERANCE_MICRO = 0.01
"""How far from a whole millionth a number may lie: the noise of a formula."""
DIGITS_EXACT_MAX = 10**15
"""From here on a spreadsheet's number has lost digits."""
CARRIED_BYTES = 400
"""More than one cell's tag: what is looked for at the border of two blocks is found in their overlap."""
BAD_ARCHIVE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What a damaged, encrypted or oddly packed archive makes of its reader."""

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REFERENCE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_PLACE = re.compile(rb'\br="([A-Z]{1,3})([0-9]{1,7})"')
_ERROR = re.compile(rb'<(?:\w+:)?c\b[^>]*\bt="e"')
_NOT_CALCULATED = re.compile(rb"(?:<(?:\w+:)?f\b[^>]*/>|</(?:\w+:)?f>)</(?:\w+:)?c>")


def open_workbook(file: BinaryIO, path: Path, shape: Shape, progress: Callable[[int], None]) -> Rows:
    """Read the header of the first sheet and stand before its first row. ``progress`` is told the bytes read, at once.

    Raises FaultyFile, here and while the rows are read, for what is no workbook or cannot be read exactly.
    """
    content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        fail(0, "file", f"is longer than {FILE_BYTES_MAX} bytes")
    _require_exact(content)
    try:
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
        cells = enumerate(sheet.iter_rows(), start=1)
    except (CalamineError, OSError, ValueError) as error:
        fail(0, "file", f"is no XLSX workbook with a sheet: {type(error).__name__}")
    progress(len(content))
    for line, row in cells:
        names = [cell_text(cell, False).strip() for cell in row]
        if any(names):
            while not names[-1]:
                names.pop()
            header = known_header(names, shape, line)
            return Rows(header=header, rows=_rows(cells, header, shape))
    fail(0, "file", "holds no rows")


def _rows(cells: Iterator[tuple[int, list[Any]]], header: tuple[str, ...], shape: Shape) -> Iterator[Row]:
    of_text = {column.name for column in shape.columns if column.is_text}
    are_texts = [name in of_text for name in header]
    width = len(header)
    for line, row in cells:
        texts = [cell_text(cell, is_text) for cell, is_text in zip(row, are_texts, strict=False)]
        beyond = [text for text in (cell_text(cell, False) for cell in row[width:]) if text]
        if beyond or any(texts):
            yield line, [*texts, *[""] * (width - len(texts)), *beyond]


def cell_text(cell: Any, is_text: bool) -> str:
    """The cell as our CSV files write it: days and times in ISO form, numbers with a dot and at most six decimals.

    A number in a column of text is marked by NUMBER_CELL; one that is no whole number of millionths keeps all its digits.
    """
    match cell:
        case str():
            return cell.strip()
        case bool():
            return "true" if cell else "false"
        case int() | float():
            return NUMBER_CELL + number_text(cell) if is_text else number_text(cell)
        case datetime():
            is_day = cell.time() == time()
            return cell.date().isoformat() if is_day else cell.replace(microsecond=0).isoformat(sep=" ")
        case date() | time():
            return cell.isoformat()
        case _:
            return "" if cell is None else str(cell)


def number_text(value: float) -> str:
    """Write a spreadsheet's number exactly, or with all its digits where it is no whole number of millionths."""
    if abs(value) < DIGITS_EXACT_MAX and value == int(value):
        return str(int(value))
    if not abs(value) <= EXACT_MAX:
        return repr(value)
    micro = round(value * MICRO)
    if abs(value * MICRO - micro) > TOLERANCE_MICRO:
        return repr(value)
    whole, rest = divmod(abs(micro), MICRO)
    decimals = f"{rest:06d}".rstrip("0")
    return f"{'-' if micro < 0 else ''}{whole}{'.' if decimals else ''}{decimals}"


def _require_exact(content: bytes) -> None:
    """Refuse a workbook that is too large, or whose first sheet has an error or a formula without a value."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > UNPACKED_BYTES_MAX:
                fail(0, "file", f"unpacks to more than {UNPACKED_BYTES_MAX} bytes")
            with archive.open(_first_sheet(archive)) as sheet:
                _require_exact_cells(sheet)
    except (*BAD_ARCHIVE, KeyError, XmlError) as error:
        fail(0, "file", f"is no XLSX workbook: {type(error).__name__}")


def _first_sheet(archive: zipfile.ZipFile) -> str:
    """Return the part of the first sheet; raises KeyError where the workbook names none."""
    first = next(_rooted(archive, "xl/workbook.xml").iter(f"{_MAIN}sheet"), None)
    wanted = None if first is None else first.get(_REFERENCE)
    for relation in _rooted(archive, "xl/_rels/workbook.xml.rels"):
        if wanted is not None and relation.get("Id") == wanted:
            target = relation.get("Target", "")
            return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    raise KeyError("sheet")


def _rooted(archive: zipfile.ZipFile, name: str) -> etree._Element:
    return read_xml(archive.read(name))


def _require_exact_cells(sheet: Any) -> None:
    carried = b""
    rows = columns = 0
    while block := sheet.read(HASH_BYTES):
        seen = carried + block
        for found in (_ERROR.search(seen), _NOT_CALCULATED.search(seen)):
            if found is not None:
                _refuse_cell(seen[: found.end()], is_error=found.re is _ERROR)
        places = set(_PLACE.findall(seen))
        rows = max(rows, max((int(row) for _, row in places), default=0))
        columns = max(columns, max((_column(letters) for letters, _ in places), default=0))
        if rows * columns > CELLS_MAX:
            fail(0, "file", f"the first sheet spans more than {CELLS_MAX} cells")
        carried = seen[-CARRIED_BYTES:]


def _refuse_cell(before: bytes, is_error: bool) -> None:
    places = _PLACE.findall(before)
    letters, row = places[-1] if places else (b"?", b"0")
    cell = f"cell {letters.decode()}{row.decode()}"
    fail(
        int(row), "cell", f"{cell} {'is an error' if is_error else 'is a formula that was never calculated: save the file again'}"
    )


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number
