"""Verification of a whole ledger: what is read, in which pieces, and what it is held against (``kopeck verify``).

The work falls into jobs that know nothing of one another and may run in several processes: the places and keys of a book,
the payment keys, and the replay of a part of a book's accounts. Accounts are dealt into parts so that one part's tables
fit into memory: ACCOUNTS_IN_MEMORY_MAX packed tables of 8 lines take about 150 MB; each part reads the journal once more.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import asyncpg
import msgspec

from ledger.balances import Turnover
from ledger.chart import AccountKind, parts_of
from ledger.core.designation import Payees
from ledger.core.reversal import CORRECTION_SPACE
from ledger.core.verification import CORRECTIONS, Divergence, Head, Replay, balances_fault
from ledger.feed import Connection, list_heads
from ledger.journal import recorded_entry
from ledger.names import fetch_names
from ledger.statements import load_statements
from schemas.ids import Book, LedgerAccount, Sequence
from schemas.journal import JournalEntry, RecordedEntry

_SQL = load_statements("ledger/statements/audit.sql")

ACCOUNTS_IN_MEMORY_MAX = 200_000
PART_ENTRIES = 4_000
PASSAGE_ENTRIES = 20_000
RUN_KEYS = 50_000
RUN_HEADS = 20_000
NTH_DIGITS_MAX = 5
BREATH_ENTRIES = 250
"""The next entries are received between so many replayed ones."""
_SETTINGS = {
    "application_name": "kopeck-verify",
    "default_transaction_read_only": "on",
    "statement_timeout": "5000",
    # A plan by keys stays a plan by keys, whatever the server believes about the size of a growing ledger.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

Progress: TypeAlias = Callable[[int], None]
Sums: TypeAlias = dict[LedgerAccount, list[int]]
"""Ledger account -> [debit, credit] in kopecks."""


class PartJob(msgspec.Struct, frozen=True, kw_only=True):
    """Replay the accounts with number % ``parts`` == ``part``, and fold the rest of the entries by the same deal.

    ``cursor`` is how far the balances read model had come.
    """

    book: Book
    upto: Sequence
    cursor: Sequence
    part: int
    parts: int


class PlacesJob(msgspec.Struct, frozen=True, kw_only=True):
    """Check that the book has no gap, never goes back in time, and that every entry's key leads to it."""

    book: Book
    upto: Sequence


class KeysJob(msgspec.Struct, frozen=True, kw_only=True):
    """Check that every payment key of a booked entry leads to the entry that carries it."""


Job: TypeAlias = PartJob | PlacesJob | KeysJob


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a job found: its first divergence, and for a part its sums to the cursor and after it."""

    job: Job
    divergence: Divergence | None
    entries: int
    folded: Sums
    rest: Sums


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is verified: every book to its head, the read model as it stood just before; ``steps`` is for progress."""

    heads: Mapping[Book, Sequence]
    cursors: Mapping[Book, Sequence]
    model: Mapping[Book, Mapping[LedgerAccount, tuple[int, int]]]
    jobs: tuple[Job, ...]

    @property
    def entries(self) -> int:
        """Entries to verify."""
        return sum(self.heads.values())


async def connect_for_audit(dsn: str) -> Connection:
    """Open a connection that reads only, by keys, in statements of at most 5 seconds."""
    return await asyncpg.connect(dsn, server_settings=_SETTINGS)


async def plan_audit(connection: Connection, parts_min: int) -> Plan:
    """Fix what is verified and deal it into jobs; each book's accounts into at least ``parts_min`` parts."""
    rows = await connection.fetch(_SQL["fetch_balances"])
    heads = await list_heads(connection)
    accounts = await connection.fetchval(_SQL["count_accounts"])
    cursors = {Book(row["book"]): Sequence(row["sequence"]) for row in rows}
    model: dict[Book, dict[LedgerAccount, tuple[int, int]]] = {book: {} for book in heads}
    for row in rows:
        if row["account"] is not None:
            model.setdefault(row["book"], {})[row["account"]] = (row["debit"], row["credit"])
    parts = max(parts_min, -(-accounts // ACCOUNTS_IN_MEMORY_MAX))
    jobs: list[Job] = [
        PartJob(book=book, upto=head, cursor=cursors.get(book, Sequence(0)), part=part, parts=parts)
        for book, head in heads.items()
        for part in range(parts)
    ]
    jobs += [PlacesJob(book=book, upto=head) for book, head in heads.items() if head]
    return Plan(heads=heads, cursors=cursors, model=model, jobs=(*jobs, KeysJob()))


async def run_job(connection: Connection, job: Job, progress: Progress) -> Result:
    """Do one job to its first divergence; ``progress`` is told of entries as they are verified."""
    if isinstance(job, PartJob):
        return await _Part(connection, job, progress).run()
    divergence = await (_audit_places(connection, job) if isinstance(job, PlacesJob) else _audit_keys(connection))
    return Result(job=job, divergence=divergence, entries=0, folded={}, rest={})


def conclude(plan: Plan, results: Iterable[Result]) -> Divergence | None:
    """Return the first divergence in order of (book, sequence); what concerns a whole book comes after its entries."""
    done = list(results)
    found = [result.divergence for result in done if result.divergence is not None]
    if found:
        return min(found, key=lambda one: (one.book, one.sequence or 1 << 62))
    total: dict[LedgerAccount, Turnover] = {}
    for book in plan.heads:
        folded = _merged(result.folded for result in done if isinstance(result.job, PartJob) and result.job.book == book)
        fault = balances_fault(_pairs(folded), plan.model.get(book, {}))
        if fault:
            return Divergence(book=book, sequence=Sequence(0), what=f"to sequence {plan.cursors.get(book, 0)}: {fault}")
    for account, (debit, credit) in _merged(sums for result in done for sums in (result.folded, result.rest)).items():
        total[account] = Turnover(debit=debit, credit=credit)
    fault = totals_fault(total)
    return Divergence(book=Book(0), sequence=Sequence(0), what=fault) if fault else None


def totals_fault(total: Mapping[LedgerAccount, Turnover]) -> str:
    """Say which of trial balance, identity of a transit account, outside against settled is not nought."""
    if difference := sum(turnover.balance for turnover in total.values()):
        return f"the trial balance differs by {difference} kopecks"
    by_transit: dict[int, int] = {}
    outside = 0
    on_its_way: dict[LedgerAccount, int] = {}
    for account, turnover in total.items():
        parts = parts_of(account)
        if parts.kind in (AccountKind.OUTSIDE, AccountKind.SETTLED):
            outside += turnover.balance
        elif parts.kind in (AccountKind.REASSIGN, AccountKind.IN_TRANSFER):
            on_its_way[account] = turnover.balance
        else:
            by_transit[parts.transit] = by_transit.get(parts.transit, 0) + turnover.balance
    for transit, difference in sorted(by_transit.items()):
        # What is on its way between two accounts or books stands on no transit account.
        if difference and not (any(on_its_way.values()) and sum(by_transit.values()) + sum(on_its_way.values()) == 0):
            return f"the identity of transit account {transit} differs by {difference} kopecks"
    return f"outside and settled differ by {outside} kopecks" if outside else ""


Row: TypeAlias = tuple[RecordedEntry, bytes | None, RecordedEntry | None, tuple[JournalEntry, ...]]
"""An entry, the table published at its version, what it corrects, and the corrections of the same before it."""


class _Part:
    """One part of one book's accounts, replayed; the next entries are received while these are checked."""

    def __init__(self, connection: Connection, job: PartJob, progress: Progress) -> None:
        self._connection = connection
        self._job = job
        self._progress = progress
        self._entries = 0
        self._folded: Sums = {}
        self._rest: Sums = {}

    async def run(self) -> Result:
        replay = Replay(await _payees(self._connection))
        divergence = await self._replay(replay) or await self._heads(replay)
        return Result(job=self._job, divergence=divergence, entries=self._entries, folded=self._folded, rest=self._rest)

    async def _replay(self, replay: Replay) -> Divergence | None:
        job, step = self._job, PART_ENTRIES * self._job.parts
        rows = await self._fetch(0)
        for after in range(0, job.upto, step):
            coming = asyncio.create_task(self._fetch(after + step))
            try:
                for number, (recorded, base, original, earlier) in enumerate(rows):
                    if number % BREATH_ENTRIES == 0:
                        await asyncio.sleep(0)
                    if fault := replay.fault(recorded, base, original, earlier):
                        return Divergence(book=recorded.book, sequence=recorded.sequence, what=fault)
                    self._fold(recorded)
            finally:
                fetched = await coming
            self._entries += len(rows)
            self._progress(len(rows))
            rows = fetched
        return None

    async def _fetch(self, after: int) -> list[Row]:
        job = self._job
        upto = min(after + PART_ENTRIES * job.parts, job.upto)
        if after >= upto:
            return []
        found = await self._connection.fetch(_SQL["list_entries"], job.book, after, upto, job.parts, job.part)
        rows = [(recorded_entry(row), row["content"]) for row in found]
        originals = await self._originals([recorded for recorded, _ in rows])
        earlier = await self._earlier([recorded for recorded, _ in rows])
        return [
            (recorded, base, originals.get(_corrected(recorded) or (0, 0)), earlier.get(recorded.sequence, ()))
            for recorded, base in rows
        ]

    async def _originals(self, entries: list[RecordedEntry]) -> dict[tuple[int, int], RecordedEntry]:
        places = [place for place in map(_corrected, entries) if place is not None]
        if not places:
            return {}
        books, sequences = zip(*places, strict=True)
        rows = await self._connection.fetch(_SQL["list_places"], list(books), list(sequences))
        return {(row["book"], row["sequence"]): recorded_entry(row) for row in rows}

    async def _earlier(self, entries: list[RecordedEntry]) -> dict[Sequence, tuple[JournalEntry, ...]]:
        """Return the corrections before each that is not the first of its entry, by its own place in the book."""
        keys = {one.sequence: _keys_before(one) for one in entries if _corrected(one) is not None}
        wanted = sorted({key for own in keys.values() for key in own})
        if not wanted:
            return {}
        rows = await self._connection.fetch(_SQL["list_keyed"], int(CORRECTION_SPACE), wanted)
        found = {row["external_id"]: recorded_entry(row).entry for row in rows}
        return {place: tuple([found[key] for key in own if key in found]) for place, own in keys.items() if own}

    def _fold(self, recorded: RecordedEntry) -> None:
        sums = self._folded if recorded.sequence <= self._job.cursor else self._rest
        for account, amount in zip(recorded.entry.accounts, recorded.entry.amounts, strict=True):
            turnover = sums.get(account)
            if turnover is None:
                turnover = sums[account] = [0, 0]
            if amount > 0:
                turnover[0] += amount
            else:
                turnover[1] -= amount

    async def _heads(self, replay: Replay) -> Divergence | None:
        job, last = self._job, 0
        arguments = (job.parts, job.part, RUN_HEADS)
        while rows := await self._connection.fetch(_SQL["list_heads_after"], job.book, last, *arguments):
            for row in rows:
                if row["last_sequence"] > job.upto:
                    replay.forget(row["personal_account"])
                elif fault := replay.head_fault(_head(row)):
                    return Divergence(book=job.book, sequence=row["last_sequence"], what=fault)
            last = rows[-1]["personal_account"]
        for account, sequence in replay.without_head():
            return Divergence(book=job.book, sequence=sequence, what=f"account {account} has entries and no head")
        return None


async def _audit_places(connection: Connection, job: PlacesJob) -> Divergence | None:
    for after in range(0, job.upto, PASSAGE_ENTRIES):
        upto = min(after + PASSAGE_ENTRIES, job.upto)
        row = await connection.fetchrow(_SQL["find_place_fault"], job.book, after, upto)
        if row is not None:
            place = row["before"] + 1 if row["gap"] else row["sequence"]
            return Divergence(book=job.book, sequence=place, what=_place_text(row))
        count = await connection.fetchval(_SQL["count_entries"], job.book, after, upto)
        if count != upto - after:
            return Divergence(book=job.book, sequence=Sequence(upto), what="missing from the journal")
    return None


async def _audit_keys(connection: Connection) -> Divergence | None:
    space, external_id = -1, ""
    while rows := await connection.fetch(_SQL["list_keys_after"], space, external_id, RUN_KEYS):
        wrong = [row for row in rows if row["wrong"]]
        if wrong:
            what = f"the payment key {wrong[0]['space']}/{wrong[0]['external_id']} leads here, and the entry does not carry it"
            return Divergence(book=wrong[0]["book"], sequence=wrong[0]["sequence"], what=what)
        space, external_id = rows[-1]["space"], rows[-1]["external_id"]
    return None


async def _payees(connection: Connection) -> Payees:
    return (await fetch_names(connection)).pairs


def _corrected(recorded: RecordedEntry) -> tuple[int, int] | None:
    """The place that a correction's key names, None for other entries and for a key of another form."""
    if recorded.entry.kind not in CORRECTIONS or recorded.entry.space != CORRECTION_SPACE:
        return None
    book, _, rest = recorded.entry.external_id.partition(":")
    sequence = rest.partition("/")[0]
    return (int(book), int(sequence)) if book.isdecimal() and sequence.isdecimal() else None


def _keys_before(recorded: RecordedEntry) -> tuple[str, ...]:
    """The keys of the corrections that the numbers before a correction's own name."""
    place, _, nth = recorded.entry.external_id.partition("/")
    return tuple([f"{place}/{number}" for number in range(1, int(nth))]) if nth.isdecimal() and len(nth) < NTH_DIGITS_MAX else ()


def _place_text(row: Mapping[str, Any]) -> str:
    if row["gap"]:
        return "missing from the journal"
    return "recorded before the entry before it" if row["backwards"] else "its payment key does not lead to it"


def _head(row: Mapping[str, Any]) -> Head:
    return Head(
        account=row["personal_account"],
        version=row["version"],
        last=row["last_sequence"],
        digest=row["digest"],
        based=row["based"],
    )


def _merged(many: Iterable[Sums]) -> Sums:
    total: Sums = {}
    for sums in many:
        for account, (debit, credit) in sums.items():
            turnover = total.setdefault(account, [0, 0])
            turnover[0] += debit
            turnover[1] += credit
    return total


def _pairs(sums: Sums) -> dict[LedgerAccount, tuple[int, int]]:
    return {account: (debit, credit) for account, (debit, credit) in sums.items()}
