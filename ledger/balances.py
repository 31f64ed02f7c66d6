"""Balances of ledger accounts: at a cut, from the journal or from its projection; trial balance; daily identity (design §4).

The journal is the truth. The projection must agree with it to the kopeck and is what commands use when accounts are few
and the journal is long. A balance is debit - credit: assets positive, liabilities negative.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from ledger.chart import AccountKind
from ledger.feed import Connection, list_cursors, list_heads
from ledger.statements import load_statements
from schemas.ids import Book, LedgerAccount, Transit
from schemas.ids import Sequence as Place

_SQL = load_statements("ledger/statements/balances.sql")

POSTINGS_CONSUMER = "postings"
PASSAGE_ENTRIES_MAX = 20_000
"""Entries added up in one statement: a fraction of a second, far below the 5 s of design W3."""
_IDENTITY_KINDS = frozenset(AccountKind) - {
    AccountKind.OUTSIDE,
    AccountKind.SETTLED,
    AccountKind.REASSIGN,
    AccountKind.IN_TRANSFER,
}


class Turnover(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of debits and of credits in kopecks."""

    debit: int = 0
    credit: int = 0

    @property
    def balance(self) -> int:
        """Debit less credit, in kopecks."""
        return self.debit - self.credit

    def plus(self, other: "Turnover") -> "Turnover":
        """Return the sums of both."""
        return Turnover(debit=self.debit + other.debit, credit=self.credit + other.credit)


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of the ledger: the last sequence that counts in each book; a book that is not named counts for nothing."""

    places: Mapping[Book, Place]


class StoredCut(msgspec.Struct, frozen=True, kw_only=True):
    """A cut kept when a transit account's day was closed."""

    number: int
    transit: Transit
    day: date
    moment: datetime
    cut: Cut


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """The daily identity of one transit account: the signed balances by kind; it holds when they sum to nought."""

    transit: Transit
    balances: Mapping[AccountKind, int]

    @property
    def difference(self) -> int:
        """Kopecks by which transit + held + clearing + receivable exceed the liabilities."""
        return sum(self.balances.values())


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What must be nought in the balances read model, in kopecks."""

    trial_difference: int
    identities: tuple[Identity, ...]
    outside_difference: int
    open_transfers: Mapping[LedgerAccount, int]

    @property
    def fault(self) -> str:
        """The first difference in words; empty when there is none.

        What is on its way between two accounts or books stands on no transit account: by so much, and no more, they may differ.
        """
        if self.trial_difference:
            return f"trial balance differs by {self.trial_difference} kopecks"
        differing = [identity for identity in self.identities if identity.difference]
        on_its_way = sum(self.open_transfers.values())
        if differing and (not self.open_transfers or sum(one.difference for one in differing) + on_its_way):
            return f"identity of transit account {differing[0].transit} differs by {differing[0].difference} kopecks"
        return f"outside and settled differ by {self.outside_difference} kopecks" if self.outside_difference else ""


async def cut_now(connection: Connection) -> Cut:
    """Return the heads, each as it stood when it was read."""
    return Cut(places=await list_heads(connection))


async def find_cut(connection: Connection, number: int) -> StoredCut | None:
    """Return a stored cut by its number, or None."""
    return _stored(await connection.fetchrow(_SQL["find_cut"], number))


async def find_cut_of_day(connection: Connection, transit: Transit, day: date) -> StoredCut | None:
    """Return the cut that closed the transit account's day, or None while the day is open."""
    return _stored(await connection.fetchrow(_SQL["find_cut_of_day"], transit, day))


async def cut_at_entry(connection: Connection, book: Book, sequence: Place) -> Cut:
    """Return the moment right after an entry: in other books, everything recorded not later than it.

    ``recorded_at`` never runs backwards in a book, so the place is found by halving. Raises LookupError for no entry.
    """
    moment = await connection.fetchval(_SQL["find_entry_at"], book, sequence)
    if moment is None:
        raise LookupError(f"no entry {book}:{sequence}")
    places = {}
    for other, head in (await list_heads(connection)).items():
        places[other] = sequence if other == book else await _last_until(connection, other, head, moment)
    return Cut(places=places)


async def _last_until(connection: Connection, book: Book, head: Place, moment: datetime) -> Place:
    low, high = 0, int(head)
    while low < high:
        middle = (low + high + 1) // 2
        if await connection.fetchval(_SQL["find_entry_at"], book, middle) <= moment:
            low = middle
        else:
            high = middle - 1
    return Place(low)


async def journal_balances(
    connection: Connection, cut: Cut, accounts: Sequence[LedgerAccount] | None = None
) -> dict[LedgerAccount, Turnover]:
    """Add up the journal to the cut in short statements: all ledger accounts, or only those given."""
    found: dict[LedgerAccount, Turnover] = {}
    for book, upto in cut.places.items():
        await _add_journal(connection, found, (book, 0, upto), accounts)
    return found


async def journal_turnover(connection: Connection, after: Cut, upto: Cut) -> dict[LedgerAccount, Turnover]:
    """Add up the journal between two cuts, in short statements: every ledger account that moved."""
    found: dict[LedgerAccount, Turnover] = {}
    for book, place in upto.places.items():
        await _add_journal(connection, found, (book, after.places.get(book, Place(0)), place), None)
    return found


async def projected_balances(
    connection: Connection, cut: Cut, accounts: Sequence[LedgerAccount]
) -> dict[LedgerAccount, Turnover]:
    """The same from the postings' pages, and from the journal where the consumer has not come yet."""
    found: dict[LedgerAccount, Turnover] = {}
    cursors = await list_cursors(connection, POSTINGS_CONSUMER)
    for book, upto in cut.places.items():
        passed = min(upto, cursors.get(book, Place(0)))
        _add(found, await connection.fetch(_SQL["sum_pages"], accounts, book, passed))
        await _add_journal(connection, found, (book, passed, upto), accounts)
    return found


async def list_balances(connection: Connection) -> dict[LedgerAccount, Turnover]:
    """Return every ledger account's turnover as far as the balances consumer has come."""
    found: dict[LedgerAccount, Turnover] = {}
    _add(found, await connection.fetch(_SQL["list_balances"]))
    return found


async def read_proof(connection: Connection) -> Proof:
    """Read what must be nought: trial balance, identity of each transit account, outside against settled, open transfers.

    Every prefix of the journal is balanced, so the proof holds wherever the consumer stands.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        trial = await connection.fetchrow(_SQL["trial_balance"])
        kinds = await connection.fetch(_SQL["list_kind_totals"])
        transfers = await connection.fetch(_SQL["list_open_transfers"])
    return Proof(
        trial_difference=trial["debit"] - trial["credit"],
        identities=identities_of([(row["transit"], AccountKind(row["kind"]), row["balance"]) for row in kinds]),
        outside_difference=sum(row["balance"] for row in kinds if row["kind"] in (AccountKind.OUTSIDE, AccountKind.SETTLED)),
        open_transfers={row["account"]: row["balance"] for row in transfers},
    )


def identities_of(totals: Iterable[tuple[int, AccountKind, int]]) -> tuple[Identity, ...]:
    """Group (transit, kind, balance) into the identity of each transit account."""
    by_transit: dict[int, dict[AccountKind, int]] = {}
    for transit, kind, balance in totals:
        if kind in _IDENTITY_KINDS:
            by_transit.setdefault(transit, {})[kind] = balance
    return tuple([Identity(transit=Transit(transit), balances=kinds) for transit, kinds in sorted(by_transit.items())])


async def _add_journal(
    connection: Connection,
    found: dict[LedgerAccount, Turnover],
    passage: tuple[Book, int, int],
    accounts: Sequence[LedgerAccount] | None,
) -> None:
    book, after, upto = passage
    while after < upto:
        end = min(after + PASSAGE_ENTRIES_MAX, upto)
        if accounts is None:
            _add(found, await connection.fetch(_SQL["sum_journal"], book, after, end))
        else:
            _add(found, await connection.fetch(_SQL["sum_journal_of"], book, after, end, accounts))
        after = end


def _add(found: dict[LedgerAccount, Turnover], rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        turnover = Turnover(debit=row["debit"], credit=row["credit"])
        known = found.get(row["account"])
        found[row["account"]] = turnover if known is None else known.plus(turnover)


def _stored(row: Mapping[str, Any] | None) -> StoredCut | None:
    if row is None:
        return None
    return StoredCut(
        number=row["cut"],
        transit=row["transit"],
        day=row["day"],
        moment=row["moment"],
        cut=Cut(places=dict(zip(row["books"], row["sequences"], strict=True))),
    )
