"""Transfer orders as people look at them: found by day, state, recipient, register, number or key. Readers only."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.delivery import OrderState
from schemas.ids import LedgerAccount
from schemas.transfer import PurposeClass, TransferState
from services.settlement.rules.numbering import register_place

_SQL = load_statements("services/settlement/inspection.sql")

TRANSFERS_MAX = 1_000


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders: those that fit everything given. ``recipient`` is a code, ``register`` a register's number."""

    day: date | None = None
    state: TransferState | None = None
    recipient: str | None = None
    register: str | None = None
    number: int | None = None
    keys: tuple[str, ...] | None = None


class TransferView(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it stands. ``state`` is a word of TransferState, ``since`` and ``reason`` are of it; ``register``: left in.

    ``bank_number`` and ``bank_day`` are the bank's own; ``awaits_reissue``: its money came back and is not paid anew yet.
    """

    transfer: int
    key: str
    transit_account: str
    day: date
    number: int
    recipient: str
    recipient_name: str
    purpose_class: PurposeClass
    amount_kopecks: int
    purpose: str
    state: str
    approvals_needed: int
    approvals: int
    register: str
    since: datetime
    reason: str
    bank_number: str
    bank_day: date | None
    awaits_reissue: bool


class Particulars(msgspec.Struct, frozen=True, kw_only=True):
    """What an order was made with; ``delivery`` is how its register stands on its way to the bank, a word of OrderState."""

    requisites: int
    bank_account: str
    bic: str
    payee_name: str
    inn: str
    contract: str
    priority: int
    made_at: datetime
    cut: int
    reissues: str
    reissued_by: str
    reissue_reason: str
    same_requisites: bool
    signer: str
    signed_at: datetime | None
    delivery: str
    delivery_reason: str


class PartView(msgspec.Struct, frozen=True, kw_only=True):
    """What an order pays from one ledger account for one creditor's lines: gross + claimed - commission - recovered = net."""

    account: LedgerAccount
    creditor: str
    capital: bool
    gross_kopecks: int
    claimed_kopecks: int
    commission_kopecks: int
    recovered_kopecks: int
    net_kopecks: int
    since_cut: int


class RangeView(msgspec.Struct, frozen=True, kw_only=True):
    """Entries ``after`` < sequence <= ``upto`` of a book for one operation space, as a cut of a day took them."""

    cut: int
    day: date
    space: str
    book: int
    after: int
    upto: int


class HistoryView(msgspec.Struct, frozen=True, kw_only=True):
    """A state that an order came into, told by whom; ``sequence`` of its entry in book 0 where money moved."""

    state: str
    at: datetime
    told_by: str
    reason: str
    bank_number: str
    bank_day: date | None
    sequence: int | None


class ApprovalView(msgspec.Struct, frozen=True, kw_only=True):
    """Who has approved an order, and when."""

    person: str
    at: datetime


class TransferTold(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is kept of an order."""

    order: TransferView
    particulars: Particulars
    parts: tuple[PartView, ...]
    ranges: tuple[RangeView, ...]
    history: tuple[HistoryView, ...]
    approvals: tuple[ApprovalView, ...]


async def list_transfers(connection: Connection, wanted: Wanted, transfers_max: int = TRANSFERS_MAX) -> tuple[TransferView, ...]:
    """Return the newest orders that are wanted; raises ValueError for a text that is no register's number."""
    transit, day, ordinal = register_place(wanted.register) if wanted.register is not None else (None, None, None)
    keys = None if wanted.keys is None else list(wanted.keys)
    given = (wanted.day, wanted.state, wanted.recipient, transit, day, ordinal, wanted.number, keys)
    rows = await connection.fetch(_SQL["list_transfers"], *given, transfers_max)
    return tuple([msgspec.convert(_worded(row), TransferView) for row in rows])


async def find_transfers(connection: Connection, reference: str) -> tuple[TransferView, ...]:
    """Return the order with a key, else the newest ones with a number: numbers repeat every day."""
    found = await list_transfers(connection, Wanted(keys=(reference,)))
    if found or not (reference.isascii() and reference.isdecimal() and len(reference) <= 6):
        return found
    return await list_transfers(connection, Wanted(number=int(reference)))


async def tell_transfer(connection: Connection, order: TransferView) -> TransferTold:
    """Return everything that is kept of an order."""
    number = order.transfer
    row = await connection.fetchrow(_SQL["fetch_particulars"], number)
    delivery = "" if row["delivery"] is None else OrderState(row["delivery"]).name.lower()
    return TransferTold(
        order=order,
        particulars=msgspec.convert({**dict(row), "delivery": delivery}, Particulars),
        parts=tuple([msgspec.convert(dict(row), PartView) for row in await connection.fetch(_SQL["list_parts"], number)]),
        ranges=tuple([msgspec.convert(dict(row), RangeView) for row in await connection.fetch(_SQL["list_ranges"], number)]),
        history=tuple(
            [msgspec.convert(_worded(row), HistoryView) for row in await connection.fetch(_SQL["list_history"], number)]
        ),
        approvals=tuple(
            [msgspec.convert(dict(row), ApprovalView) for row in await connection.fetch(_SQL["list_approvals"], number)]
        ),
    )


def _worded(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**dict(row), "state": TransferState(row["state"]).name.lower()}
