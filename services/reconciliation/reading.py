"""Reads what a bank day is judged by, in short statements: the journal between two cuts, which never changes, the bank's side.

The journal is read from the last closed day's cut on: what was open there stands in that day's protocol.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from ledger.balances import Cut, find_cut, find_cut_of_day, journal_turnover
from ledger.chart import AccountKind, parts_of
from ledger.feed import Connection, list_heads
from ledger.statements import load_statements
from schemas.ids import Book, LedgerAccount, Transit
from schemas.ids import Sequence as JournalPlace
from schemas.journal import EntryKind
from services.reconciliation.core.clearing import Hints
from services.reconciliation.core.judging import DayFacts, order_told_of
from services.reconciliation.core.words import BankLine, Cover, CoverPart, Explanation, Place, Posting

SQL = load_statements("services/reconciliation/days.sql")

PASSAGE_ENTRIES_MAX = 20_000
"""Entries read in one statement: a fraction of a second, far below the 5 s of design W3."""
LOOK_UPS_MAX = 10_000
BEGINNING = date(1970, 1, 1)
OPEN, CUT, RECONCILED = "open", "cut", "reconciled"
GLOBAL_KINDS = (AccountKind.OUTSIDE, AccountKind.SETTLED, AccountKind.REASSIGN, AccountKind.IN_TRANSFER)


class NoSuchDay(LookupError):
    """The transit account has no such bank day; the message says which it has."""


class ClosedDay(msgspec.Struct, frozen=True, kw_only=True):
    """The last protocol before a day: what was open at its cut, and every balance there."""

    protocol: int
    day: date
    places: Mapping[int, int]
    balances: Mapping[int, int]
    open_lines: tuple[int, ...]
    closing: int | None
    difference: int


class JournalSide(msgspec.Struct, frozen=True, kw_only=True):
    """What of a day never changes once it is cut. While the day is open ``number`` is None and the heads stand for its cut."""

    transit: Transit
    account: str
    day: date
    state: str
    before: date | None
    closed: ClosedDay | None
    number: int | None
    after: Mapping[int, int]
    upto: Mapping[int, int]
    postings: tuple[Posting, ...]
    balances: Mapping[int, int]

    @property
    def follows(self) -> bool:
        """Whether the day before is closed, or there is none: then this one may be."""
        return (self.closed.day if self.closed else None) == self.before


async def read_journal(connection: Connection, transit: Transit, day: date) -> JournalSide:
    """Read the ledger's side of a day; raises NoSuchDay."""
    row = next((one for one in await connection.fetch(SQL["list_transits"]) if one["transit"] == transit), None)
    if row is None:
        raise NoSuchDay(f"транзитный счёт {transit} не заведён")
    stored = await find_cut_of_day(connection, transit, day)
    if stored is None and row["open_day"] != day:
        raise NoSuchDay(f"{row['account']}: {day} не операционный день; открыт {row['open_day'] or 'никакой'}")
    before = await connection.fetchval(SQL["find_day_before"], transit, day)
    closed = await read_closed(connection, transit, day)
    previous = await find_cut_of_day(connection, transit, before) if before is not None else None
    places = stored.cut.places if stored is not None else await list_heads(connection)
    base: Mapping[int, int] = closed.places if closed is not None else {}
    postings = await _read_open(connection, closed)
    for book, upto in places.items():
        postings += await _read_postings(connection, transit, (book, base.get(book, 0), upto))
    return JournalSide(
        transit=transit,
        account=row["account"],
        day=day,
        state=OPEN if stored is None else CUT,
        before=before,
        closed=closed,
        number=None if stored is None else stored.number,
        after={} if previous is None else {int(book): int(place) for book, place in previous.cut.places.items()},
        upto={int(book): int(place) for book, place in places.items()},
        postings=tuple(postings),
        balances=await balances_between(connection, transit, closed, Cut(places=places)),
    )


async def balances_between(connection: Connection, transit: Transit, closed: ClosedDay | None, upto: Cut) -> dict[int, int]:
    """Return every balance at the cut that concerns the transit account: its own accounts, and those of no transit account."""
    after = Cut(places={} if closed is None else {Book(book): JournalPlace(place) for book, place in closed.places.items()})
    found: dict[int, int] = dict(closed.balances) if closed is not None else {}
    for account, turnover in (await journal_turnover(connection, after, upto)).items():
        parts = parts_of(account)
        if parts.transit == transit or parts.kind in GLOBAL_KINDS:
            found[account] = found.get(account, 0) + turnover.balance
    return {account: balance for account, balance in sorted(found.items()) if balance}


async def read_closed(connection: Connection, transit: Transit, day: date) -> ClosedDay | None:
    """Return the last closed day before a day, None before the first."""
    row = await connection.fetchrow(SQL["find_closed_before"], transit, day)
    if row is None:
        return None
    stored = await find_cut(connection, row["cut"])
    assert stored is not None, "a protocol refers to its cut"
    return ClosedDay(
        protocol=row["protocol"],
        day=row["period"],
        places={int(book): int(place) for book, place in stored.cut.places.items()},
        balances=dict(zip(row["accounts"], row["balances"], strict=True)),
        open_lines=tuple(row["open_lines"]),
        closing=row["closing"],
        difference=row["difference"],
    )


async def _read_open(connection: Connection, closed: ClosedDay | None) -> list[Posting]:
    if closed is None:
        return []
    return [_posting(row) for row in await connection.fetch(SQL["list_open_items"], closed.protocol)]


async def _read_postings(connection: Connection, transit: Transit, passage: tuple[int, int, int]) -> list[Posting]:
    book, after, upto = passage
    found: list[Posting] = []
    while after < upto:
        end = min(after + PASSAGE_ENTRIES_MAX, upto)
        found += [_posting(row) for row in await connection.fetch(SQL["list_postings"], book, after, end, transit)]
        after = end
    return found


def _posting(row: Mapping[str, Any]) -> Posting:
    return Posting(**{**dict(row), "kind": EntryKind(row["kind"])})


async def read_facts(connection: Connection, journal: JournalSide, required: bool) -> DayFacts:
    """Read the bank's side of a day and what people said of it."""
    transit, last = journal.transit, journal.upto.get(0, 0)
    line_of = await _read_line_of(connection, journal)
    since = journal.closed.day if journal.closed is not None else BEGINNING
    carried = journal.closed.open_lines if journal.closed is not None else ()
    wanted = sorted({*carried, *line_of.values()})
    rows = await connection.fetch(SQL["list_lines"], transit, since, journal.day, wanted)
    lines = tuple(
        [BankLine(**{**dict(row), "booked": tuple(row["booked"]), "reversals": tuple(row["reversals"])}) for row in rows]
    )
    told = await connection.fetch(SQL["list_explanations"], transit, journal.day)
    return DayFacts(
        day=journal.day,
        before=journal.before,
        after=journal.after,
        upto=journal.upto,
        postings=journal.postings,
        lines=lines,
        line_of={sequence: line for sequence, line in line_of.items() if sequence <= last},
        hints=await _read_hints(connection, journal, line_of),
        explanations={row["place"]: Explanation(text=row["text"], by=row["person"], at=row["at"]) for row in told},
        required=required,
    )


async def _read_line_of(connection: Connection, journal: JournalSide) -> dict[int, int]:
    """Lead entries of book 0 to their lines."""
    own = [one for one in journal.postings if one.book == 0]
    found: dict[int, int] = {}
    for sequences in _slices(sorted({one.sequence for one in own})):
        rows = await connection.fetch(SQL["lines_of_entries"], journal.transit, sequences)
        found.update((row["sequence"], row["line"]) for row in rows)
    moved = [one for one in own if parts_of(LedgerAccount(one.account)).kind is AccountKind.TRANSIT and one.sequence not in found]
    told = [(one.sequence, *key) for one in moved if (key := order_told_of(one)) is not None]
    for slice_ in _slices(told):
        columns = [[one[place] for one in slice_] for place in range(3)]
        rows = await connection.fetch(SQL["lines_of_orders"], journal.transit, *columns)
        found.update((row["sequence"], row["line"]) for row in rows)
    return found


async def _read_hints(connection: Connection, journal: JournalSide, line_of: Mapping[int, int]) -> Hints:
    """Read what covers cover, and which promises the registers hold that they name."""
    kinds = {one.account: parts_of(LedgerAccount(one.account)).kind for one in journal.postings}
    covers = [
        one.sequence
        for one in journal.postings
        if one.amount < 0 and kinds[one.account] is AccountKind.CLEARING and one.book == 0
    ]
    rows: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for sequences in _slices([one for one in covers if one in line_of]):
        places = [line_of[one] for one in sequences]
        for row in await connection.fetch(SQL["list_covers"], journal.transit, sequences, places):
            rows[row["sequence"]].append(row)
    found: dict[Place, Cover] = {(0, sequence): _cover(parts) for sequence, parts in rows.items()}
    named = {part.register for cover in found.values() for part in cover.parts if part.register is not None}
    members: dict[Place, set[int]] = defaultdict(set)
    for registers in _slices(sorted(named)):
        for row in await connection.fetch(SQL["list_members"], registers):
            members[row["book"], row["sequence"]].add(row["register"])
    return Hints(covers=found, registers={place: frozenset(held) for place, held in members.items()})


def _cover(rows: Sequence[Mapping[str, Any]]) -> Cover:
    first = rows[0]
    parts = [
        CoverPart(amount=row["amount"], register=row["register"], day=row["day"], operation=row["operation"] or "")
        for row in rows
        if row["amount"] is not None
    ]
    return Cover(
        parts=tuple(parts),
        surplus=max(0, first["difference"]),
        reason=first["reason"],
        by_person=first["classified_by"] if first["by"] == "person" else "",
        at=first["classified_at"],
    )


def _slices(values: Sequence[Any]) -> Iterable[list[Any]]:
    for start in range(0, len(values), LOOK_UPS_MAX):
        yield list(values[start : start + LOOK_UPS_MAX])
