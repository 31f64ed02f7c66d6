"""A file to a register, by one format's description: whole and adding up, or refused with its faults (protocols.md §6)."""

from collections.abc import Iterator

from connectors.registers.controls import ServiceLines
from connectors.registers.dbf_rows import read_dbf
from connectors.registers.describing import sources_of
from connectors.registers.description import Container, RegisterFormat
from connectors.registers.lines import LineReader
from connectors.registers.places import Columns, HeaderLacks, column_key
from connectors.registers.register import Faults, Register, RegisterLine, unreadable
from connectors.registers.text_rows import Row, text_rows
from connectors.registers.values import FieldFault
from connectors.registers.xlsx_rows import xlsx_rows

REGISTER_BYTES_MAX = 128_000_000
REGISTER_LINES_MAX = 300_000
"""So that a register is taken in one transaction of less than five seconds; a larger one is divided by its counterparty."""
HEADER_ROWS_MAX = 50
"""How far down the columns' names are looked for."""
FAULTS_COUNTED_MAX = 10_000


def read_register(content: bytes, described: RegisterFormat, *, faults_max: int = FAULTS_COUNTED_MAX) -> Register:
    """Read the file as a register of this format; raises RegisterUnreadable, after at most ``faults_max`` faults.

    Nothing of a file with a fault is given: a line that cannot be read, a control total that does not come out, a footer that
    is missing, no payment at all.
    """
    if len(content) > REGISTER_BYTES_MAX:
        raise unreadable("file", f"is longer than {REGISTER_BYTES_MAX} bytes")
    return _Reading(described, Faults(faults_max)).read(content)


class _Reading:
    def __init__(self, described: RegisterFormat, faults: Faults) -> None:
        self._described = described
        self._faults = faults
        self._service = ServiceLines(described, faults)
        self._lines: list[RegisterLine] = []
        self._skipped = 0

    def read(self, content: bytes) -> Register:
        """Read, compare, and give the register."""
        rows, columns = self._rows(content)
        reader = self._reader(columns)
        if reader is None:
            rows, reader = self._after_header(rows)
        for row, cells in rows:
            if any(cells):
                self._take(reader, row, cells)
        if not self._lines and not self._service.unread:
            self._faults.add(0, "file", "holds no payments")
        self._service.close()
        self._faults.raise_if_any()
        return self._register()

    def _rows(self, content: bytes) -> tuple[Iterator[Row], Columns]:
        """The rows, and the columns where the container itself names them."""
        match self._described.container:
            case Container.TEXT:
                if _may_be_cut(content, self._described):
                    self._faults.add(0, "file", "does not end with a whole line: it may be cut short")
                return text_rows(content, self._described), {}
            case Container.XLSX:
                return xlsx_rows(content), {}
            case Container.DBF:
                table = read_dbf(content, self._described.encodings)
                self._skipped += table.deleted
                return iter(table.rows), self._columns(0, list(table.names))

    def _reader(self, columns: Columns) -> LineReader | None:
        """A reader of lines, None when the columns are still to be found in a header."""
        if self._described.has_header and self._described.container is not Container.DBF:
            return None
        try:
            return LineReader(self._described, columns)
        except HeaderLacks as lack:
            raise unreadable("header", str(lack)) from lack

    def _after_header(self, rows: Iterator[Row]) -> tuple[Iterator[Row], LineReader]:
        """Find the line with the columns' names; rows before it are service lines or of no interest."""
        lack: HeaderLacks | None = None
        place = 0
        for row, cells in rows:
            if row > HEADER_ROWS_MAX:
                break
            if not any(cells) or self._service.take(row, cells):
                continue
            try:
                return rows, LineReader(self._described, self._columns(row, cells))
            except HeaderLacks as error:
                if lack is None or sum(map(bool, cells)) > 2:
                    lack, place = error, row
        raise unreadable("header", str(lack or "there is none"), place)

    def _columns(self, row: int, cells: list[str]) -> Columns:
        columns: Columns = {}
        wanted = _names_of(self._described)
        for place, cell in enumerate(cells):
            key = column_key(cell)
            if key in columns and key in wanted:
                raise unreadable("header", f"names the column {cell!r} twice", row)
            columns.setdefault(key, place)
        return columns

    def _take(self, reader: LineReader, row: int, cells: list[str]) -> None:
        described, service = self._described, self._service
        if described.service and service.take(row, cells):
            return
        if service.ended and described.free_tail:
            return
        if (described.skip_prefixes and cells[0].startswith(described.skip_prefixes)) or not reader.is_payment(cells):
            self._skipped += 1
            return
        stray = self._stray(row, cells)
        if stray:
            self._faults.add(row, "line", stray)
            return
        try:
            line = reader.read(row, cells, service.day)
        except FieldFault as fault:
            service.unread += 1
            for field, text in reader.faults(cells) or [("line", str(fault))]:
                self._faults.add(row, field, text)
            return
        service.add(line)
        self._lines.append(line)
        if len(self._lines) > REGISTER_LINES_MAX:
            raise unreadable("file", f"holds more than {REGISTER_LINES_MAX} payments: divide it")

    def _stray(self, row: int, cells: list[str]) -> str:
        """Why a row that is no service line cannot be a payment's either; empty when it may be one."""
        if self._service.ended:
            return "stands after the line that ends the register"
        if row <= self._described.head_lines:
            return "is none of the lines that may stand before the payments"
        if self._described.payment_prefix and not cells[0].startswith(self._described.payment_prefix):
            return f"is neither a payment, which starts with {self._described.payment_prefix!r}, nor a line about them"
        return ""

    def _register(self) -> Register:
        service, sums = self._service, self._service.whole
        return Register(
            format=self._described.name,
            time_zone=self._described.time_zone,
            number=service.first("number"),
            day=service.only_day(of_order=False),
            order_number=service.first("order_number"),
            order_day=service.only_day(of_order=True),
            lines=tuple(self._lines),
            total_kopecks=sums.total,
            fee_kopecks=sums.fee,
            skipped=self._skipped,
        )


def _names_of(described: RegisterFormat) -> set[str]:
    return {column_key(name) for source in sources_of(described.fields).values() for name in source.names}


def _may_be_cut(content: bytes, described: RegisterFormat) -> bool:
    """Whether nothing else in the file would tell that its end is missing."""
    counted = any(one.required and (one.ends or "count" in one.values) for one in described.service)
    return not counted and not described.open_end and not content.rstrip(b"\x1a").endswith((b"\n", b"\r"))
