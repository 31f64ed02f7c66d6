"""Held against the journal: every kopeck that came to a charge line stands on a receipt or among the reasons why not."""

import msgspec

from ledger.feed import Connection, list_cursors
from ledger.statements import load_statements
from schemas.ids import Book, Sequence
from services.fiscal.core.decision import CONCERNED

_SQL = load_statements("services/fiscal/lookups.sql")

CONSUMER = "fiscal"
ENTRIES_MAX = 10_000
"""Entries compared in one statement."""
FAULTS_MAX = 100


class Uneven(msgspec.Struct, frozen=True, kw_only=True):
    """An entry whose sums are not all told of, in kopecks: ``moved`` is what the journal says."""

    book: Book
    sequence: Sequence
    moved: int
    receipts: int
    without: int
    offsets: int

    def __str__(self) -> str:
        told = f"receipts {self.receipts}, none needed {self.without}, offsets {self.offsets}"
        return f"entry {self.book}:{self.sequence}: {self.moved} kopecks moved, {told}"


class UnevenOffsets(msgspec.Struct, frozen=True, kw_only=True):
    """A consolidated receipt that is not worth the offsets in it, in kopecks."""

    number: int
    external_id: str
    issuer: int
    total: int
    offsets: int


async def list_uneven(connection: Connection, book: Book, after: Sequence, upto: Sequence) -> tuple[Uneven, ...]:
    """Compare the entries ``after`` < sequence <= ``upto`` of a book, in short statements; at most FAULTS_MAX faults."""
    kinds = [kind.value for kind in CONCERNED]
    faults: list[Uneven] = []
    start = int(after)
    while start < upto and len(faults) < FAULTS_MAX:
        end = min(int(upto), start + ENTRIES_MAX)
        rows = await connection.fetch(_SQL["list_uneven"], book, start, end, kinds, FAULTS_MAX - len(faults))
        faults += [msgspec.convert(dict(row), Uneven) for row in rows]
        start = end
    return tuple(faults)


async def verify_receipts(connection: Connection) -> tuple[tuple[Uneven, ...], tuple[UnevenOffsets, ...]]:
    """Compare everything that the consumer has taken, and the consolidated receipts; for ``kopeck verify``."""
    uneven: list[Uneven] = []
    for book, sequence in (await list_cursors(connection, CONSUMER)).items():
        uneven += await list_uneven(connection, book, Sequence(0), sequence)
    rows = await connection.fetch(_SQL["list_uneven_offsets"], FAULTS_MAX)
    return tuple(uneven), tuple([msgspec.convert(dict(row), UnevenOffsets) for row in rows])
