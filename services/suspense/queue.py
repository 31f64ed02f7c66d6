"""The queue of suspense: what waits and until when, one item with everything decided about it, sums for whoever warns."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import AccountId, Book, ChannelNumber, ExternalId, LedgerAccount, Sequence, Space, Transit
from schemas.outcome import SuspenseReason
from services.suspense.core.terms import Term, clarify_term, overdue_since, transit_term

_SQL = load_statements("services/suspense/queue.sql")

SHOWN_MAX = 1_000


class State(StrEnum):
    """Where an item stands. HELD: the bank moved its money to 47416."""

    WAITING = "waiting"
    HELD = "held"
    RELEASED = "released"
    RETURNED = "returned"
    REVERSED = "reversed"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Money without an owner, sums in kopecks; ``remains`` is what nobody has decided about.

    ``account`` is the account as written, ``candidates`` those that it may mean, ``named`` what the payer named, as JSON.
    ``personal_account``: the payer's own, where a payment left a rest. ``term`` is our own promise.
    """

    book: Book
    sequence: Sequence
    transit: Transit
    transit_account: str
    channel: ChannelNumber
    channel_name: str
    space: Space
    external_id: ExternalId
    amount: int
    remains: int
    released: int
    returned: int
    reversed: int
    overdrawn: int
    reason: SuspenseReason
    account: str
    candidates: tuple[AccountId, ...]
    named: str
    personal_account: AccountId | None
    event_at: datetime
    value_date: date
    bank_day: date
    held_by: str | None
    held_at: datetime | None
    term: Term

    @property
    def place(self) -> str:
        """Its place in the journal, ``book:sequence``."""
        return f"{self.book}:{self.sequence}"

    @property
    def state(self) -> State:
        """Where it stands; one with several ends by the one that came first in the list of states."""
        if self.remains:
            return State.WAITING if self.held_at is None else State.HELD
        if self.released:
            return State.RELEASED
        return State.RETURNED if self.returned else State.REVERSED


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a person decided; ``account`` is ``namespace/number`` for an assignment."""

    what: str
    amount: int
    decided_by: str
    approved_by: str
    decided_at: datetime
    account: str


class ReleaseView(msgspec.Struct, frozen=True, kw_only=True):
    """A part given away. ``transfer``: by way of another book, where it arrived, or whence it came back and why."""

    part: int
    sequence: Sequence
    amount: int
    account: str
    transfer: int | None
    arrived_book: Book | None
    arrived_sequence: Sequence | None
    came_back: Sequence | None
    why: str


class ReturnView(msgspec.Struct, frozen=True, kw_only=True):
    """A request that settlement turns into an order back to the payer."""

    request: int
    amount: int
    payee_account: str
    payee_bic: str
    asked_by: str
    asked_at: datetime
    withdrawn_by: str


class ItemTold(msgspec.Struct, frozen=True, kw_only=True):
    """An item with all that was decided about it."""

    item: Item
    decisions: tuple[Decision, ...]
    releases: tuple[ReleaseView, ...]
    returns: tuple[ReturnView, ...]


class SuspendedSum(msgspec.Struct, frozen=True, kw_only=True):
    """Items of one bank day of a transit account. ``law``: until when they may be in transit; None for what the bank holds."""

    transit_account: str
    bank_day: date
    items: int
    amount: int
    held: bool
    promise: Term
    law: Term | None

    @property
    def is_overdue(self) -> bool:
        """Whether either term has passed."""
        return self.promise.overdue or (self.law is not None and self.law.overdue)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The queue in figures; the oldest item's bank day and payer's act are None when nothing waits. Sums in kopecks."""

    items: int
    amount: int
    oldest_day: date | None
    oldest_at: datetime | None
    on_their_way: int
    overdrawn: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A suspense account of a book that owes other than its items, and what stands beside them, add up to."""

    account: LedgerAccount
    book: Book
    owed: int
    folded: int


async def list_waiting_items(
    connection: Connection, today: date, *, overdue: bool = False, items_max: int = SHOWN_MAX
) -> tuple[Item, ...]:
    """Return items that wait for a decision, the oldest first; only those past our promise when ``overdue``."""
    until = overdue_since(today) if overdue else None
    rows = await connection.fetch(_SQL["list_waiting"], until, items_max)
    return tuple([_item(row, today) for row in rows])


async def find_item(connection: Connection, book: Book, sequence: Sequence, today: date) -> Item | None:
    """Return an item, or None."""
    row = await connection.fetchrow(_SQL["find_item"], book, sequence)
    return None if row is None else _item(row, today)


async def find_place(connection: Connection, external_id: str) -> tuple[Book, Sequence] | None:
    """Return the place of the item with the counterparty's id; None for no item, LookupError when several have it."""
    rows = await connection.fetch(_SQL["find_place"], external_id)
    if len(rows) > 1:
        raise LookupError(f"several items have the id {external_id!r}: name the place, book:sequence")
    return (rows[0]["book"], rows[0]["sequence"]) if rows else None


async def tell_item(connection: Connection, item: Item) -> ItemTold:
    """Read what was decided about an item."""
    decisions = await list_decisions(connection, item.book, item.sequence)
    releases = await connection.fetch(_SQL["list_releases"], item.book, item.sequence)
    returns = await connection.fetch(_SQL["list_returns"], item.book, item.sequence)
    return ItemTold(
        item=item,
        decisions=decisions,
        releases=tuple([msgspec.convert(dict(row), ReleaseView) for row in releases]),
        returns=tuple([msgspec.convert(dict(row), ReturnView) for row in returns]),
    )


async def list_decisions(connection: Connection, book: Book, sequence: Sequence) -> tuple[Decision, ...]:
    """Return what people decided about an item, in order."""
    rows = await connection.fetch(_SQL["list_decisions"], book, sequence)
    return tuple([msgspec.convert(dict(row), Decision) for row in rows])


async def list_suspended_sums(connection: Connection, today: date) -> tuple[SuspendedSum, ...]:
    """Return what waits by transit account and bank day, with both terms: what ``kopeck transfers waiting`` warns of."""
    rows = await connection.fetch(_SQL["list_sums"])
    return tuple(
        [
            SuspendedSum(
                **dict(row),
                promise=clarify_term(row["bank_day"], today),
                law=None if row["held"] else transit_term(row["bank_day"], today),
            )
            for row in rows
        ]
    )


async def fetch_figures(connection: Connection) -> Figures:
    """Return the figures of the whole queue."""
    return msgspec.convert(dict(await connection.fetchrow(_SQL["fetch_figures"])), Figures)


async def list_differences(connection: Connection) -> tuple[Difference, ...]:
    """Return suspense accounts that owe other than their items say, in books where both read models have come equally far."""
    rows = await connection.fetch(_SQL["list_differences"])
    return tuple([msgspec.convert(dict(row), Difference) for row in rows])


def _item(row: Mapping[str, Any], today: date) -> Item:
    fields = {name: row[name] for name in Item.__struct_fields__ if name not in ("term", "reason", "candidates")}
    return Item(
        **fields,
        reason=SuspenseReason(row["reason"]),
        candidates=tuple(row["candidates"]),
        term=clarify_term(row["bank_day"], today),
    )
