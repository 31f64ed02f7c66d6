"""Loading one file: read, check, stage in temporary tables, then write all of it or nothing.

Reading and checking hold no transaction open; the writing is one transaction on the reference tables, which for a large
file lasts longer than the 5 s that design W3 allows on the ledger's tables (it takes no lock there). Loads exclude one another.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias

import asyncpg
import msgspec

from ledger.statements import load_statements
from services.reference.faults import Findings, RowFault
from services.reference.files import Rows, digest_of_file, fail, open_rows
from services.reference.rows import FieldFault, Shape, faults_of, row_decoder
from services.reference.workbook import WORKBOOK_SUFFIXES, open_workbook

Connection: TypeAlias = "asyncpg.Connection[Any]"
Progress = Callable[[int], None]

_SQL = load_statements("services/reference/loading.sql")

STAGED_ROWS_MAX = 50_000
LOCK_KEY = 0x6B6F706C6F6164
"""Any constant number known to all loaders: the letters "kopload"."""


class LoadBusy(RuntimeError):
    """Another load is running on this database."""


class LoadTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Who loads and when; ``control_rows`` and ``control_total_kopecks`` (the sum of the amounts) are what the file must hold.

    ``is_dry_run``: everything is checked and written, and then undone.
    """

    loaded_by: str
    today: date
    control_rows: int | None = None
    control_total_kopecks: int | None = None
    is_dry_run: bool = False


class ControlTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of charges holds for one recipient and pool, in kopecks."""

    recipient: str
    pool: str
    rows: int
    amount: int
    paid: int
    advance: int


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a load changed, in rows of the file."""

    added: int
    changed: int


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a load. ``already_loaded``: the file is, byte for byte, the one of its kind loaded last; nothing was read.

    ``warnings`` are at most SHOWN_MAX of ``warnings_count``.
    """

    what: str
    file_name: str
    rows: int
    added: int
    changed: int
    unchanged: int
    already_loaded: bool
    totals: tuple[ControlTotal, ...]
    warnings: tuple[RowFault, ...]
    warnings_count: int
    is_dry_run: bool = False


class FileKind(Protocol):
    """One kind of file while it is loaded. ``staged`` are records by temporary table, emptied as they are written."""

    name: str
    staged: dict[str, list[tuple[Any, ...]]]

    async def prepare(self, connection: Connection) -> Shape:
        """Make the temporary tables and give the columns."""
        ...

    def stage(self, line: int, row: list[Any]) -> None:
        """Put one checked row into ``staged``."""
        ...

    async def check(self, connection: Connection, faults: Findings, warnings: Findings) -> None:
        """Find what only the rows together, or the database, can tell."""
        ...

    async def totals(self, connection: Connection) -> tuple[ControlTotal, ...]:
        """Sum up what was staged."""
        ...

    async def write(self, connection: Connection, terms: LoadTerms, warnings: Findings) -> Changes:
        """Write what was staged, inside a transaction."""
        ...


def no_progress(done: int) -> None:
    """Tell nobody."""


async def load_file(
    connection: Connection, path: Path, kind: FileKind, terms: LoadTerms, progress: Progress = no_progress
) -> LoadReport:
    """Load one file whole; the connection has the services' role and no transaction open.

    ``progress`` is told the bytes read so far. Raises FaultyFile with every fault found, LoadBusy, or any database
    error; nothing was changed then.
    """
    with path.open("rb") as file:
        digest = digest_of_file(file)
        async with _session(connection, kind):
            known = await connection.fetchrow(_SQL["find_last_load"], kind.name)
            if known is not None and known["content_digest"] == digest:
                return _repeated(path, kind, known, terms)
            shape = await kind.prepare(connection)
            faults, warnings = Findings(), Findings()
            rows = await _stage_rows(connection, kind, shape, _open(file, path, shape, progress), faults)
            await kind.check(connection, faults, warnings)
            totals = await kind.totals(connection)
            if not faults.count:
                _check_controls(rows, totals, terms, faults)
            faults.raise_if_any()
            async with _written(connection, terms):
                changes = await kind.write(connection, terms, warnings)
                stored = msgspec.json.encode(totals).decode()
                await connection.execute(_SQL["record_load"], digest, kind.name, path.name, rows, stored, terms.loaded_by)
    return LoadReport(
        what=kind.name,
        file_name=path.name,
        rows=rows,
        added=changes.added,
        changed=changes.changed,
        unchanged=rows - changes.added - changes.changed,
        already_loaded=False,
        totals=totals,
        warnings=tuple(warnings.shown),
        warnings_count=warnings.count,
        is_dry_run=terms.is_dry_run,
    )


class _Undone(Exception):
    """Ends a dry run."""


@asynccontextmanager
async def _written(connection: Connection, terms: LoadTerms) -> AsyncIterator[None]:
    """A transaction that ends as the terms say: kept, or undone when it was a dry run."""
    with suppress(_Undone):
        async with connection.transaction():
            yield
            if terms.is_dry_run:
                raise _Undone


@asynccontextmanager
async def _session(connection: Connection, kind: FileKind) -> AsyncIterator[None]:
    """Exclude other loads, give large statements memory and time, and leave the connection as it was."""
    if not await connection.fetchval(_SQL["lock"], LOCK_KEY):
        raise LoadBusy("another load is running on this database; try again when it has ended")
    try:
        await connection.execute(_SQL["allow_large_statements"])
        yield
    finally:
        if not connection.is_closed():
            await connection.execute(_SQL["drop_temporary_tables"])
            await connection.execute(_SQL["restore_settings"])
            await connection.fetchval(_SQL["unlock"], LOCK_KEY)


def _open(file: BinaryIO, path: Path, shape: Shape, progress: Progress) -> Rows:
    if path.suffix.lower() not in WORKBOOK_SUFFIXES:
        return open_rows(file, path, shape, progress)
    if not shape.takes_workbooks:
        fail(0, "file", "is a workbook: this kind of file comes as CSV or JSON Lines")
    return open_workbook(file, path, shape, progress)


async def _stage_rows(connection: Connection, kind: FileKind, shape: Shape, rows: Rows, faults: Findings) -> int:
    """Decode and stage every row; the number of rows seen."""
    decode = row_decoder(shape, rows.header)
    width = len(rows.header)
    seen = 0
    for line, texts in rows.rows:
        seen += 1
        if len(texts) != width:
            faults.add(line, "line", f"has {len(texts)} fields, the header has {width}")
            continue
        try:
            row = decode(texts)
        except FieldFault:
            for field, fault in faults_of(shape, rows.header, texts):
                faults.add(line, field, fault)
            continue
        wrong = shape.check(row)
        if wrong is not None:
            faults.add(line, *wrong)
            continue
        kind.stage(line, row)
        if seen % STAGED_ROWS_MAX == 0:
            await _flush(connection, kind)
    await _flush(connection, kind)
    if not seen:
        fail(0, "file", "holds no rows")
    return seen


async def _flush(connection: Connection, kind: FileKind) -> None:
    for table, records in kind.staged.items():
        if records:
            await connection.copy_records_to_table(table, records=records)
            records.clear()


def _check_controls(rows: int, totals: tuple[ControlTotal, ...], terms: LoadTerms, faults: Findings) -> None:
    if terms.control_rows is not None and terms.control_rows != rows:
        faults.add(0, "control_rows", f"the file has {rows} rows, the control says {terms.control_rows}")
    amount = sum(total.amount for total in totals)
    if terms.control_total_kopecks is not None and terms.control_total_kopecks != amount:
        faults.add(0, "control_total", f"the file sums to {amount} kopecks, the control says {terms.control_total_kopecks}")


def _repeated(path: Path, kind: FileKind, known: asyncpg.Record, terms: LoadTerms) -> LoadReport:
    totals = msgspec.json.decode(known["totals"], type=tuple[ControlTotal, ...])
    faults = Findings()
    _check_controls(known["rows"], totals, terms, faults)
    faults.raise_if_any()
    return LoadReport(
        what=kind.name,
        file_name=path.name,
        rows=known["rows"],
        added=0,
        changed=0,
        unchanged=known["rows"],
        already_loaded=True,
        totals=totals,
        warnings=(),
        warnings_count=0,
    )
