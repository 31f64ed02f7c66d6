"""What the bank says of an order, applied: state, ledger entry and what follows, in the caller's transaction (design §4).

A result that repeats what is known changes nothing; one that does not follow from where the order stands is kept for a person
(settlement.parked_result), never guessed.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import IntEnum
from types import MappingProxyType
from typing import Any

import msgspec

from ledger.core.settlement_entries import Occasion, order_executed, order_returned, order_undone
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.journal import JournalEntry
from schemas.transfer import TransferResult, TransferState
from services.settlement.orders import Step, add_history, record_entries
from services.settlement.reissues import part_of

_SQL = load_statements("services/settlement/transitions.sql")
_ORDERS = load_statements("services/settlement/orders.sql")

S = TransferState
UNDER_WAY = frozenset({S.SENT, S.ACCEPTED, S.HELD})
"""States in which the bank may still do anything."""
LEGAL: Mapping[TransferState, frozenset[TransferState]] = MappingProxyType(
    {
        S.CREATED: frozenset({S.APPROVED, S.CANCELLED}),
        S.APPROVED: frozenset({S.SENT, S.CANCELLED}),
        S.SENT: frozenset({S.ACCEPTED, S.EXECUTED, S.REJECTED, S.CANCELLED, S.HELD}),
        S.ACCEPTED: frozenset({S.EXECUTED, S.REJECTED, S.CANCELLED, S.HELD}),
        S.HELD: frozenset({S.ACCEPTED, S.EXECUTED, S.REJECTED, S.CANCELLED}),
        S.EXECUTED: frozenset({S.RETURNED}),
        S.REJECTED: frozenset(),
        S.CANCELLED: frozenset(),
        S.RETURNED: frozenset(),
    }
)
ENDED = frozenset({S.EXECUTED, S.REJECTED, S.CANCELLED, S.RETURNED})
BACK = frozenset({S.REJECTED, S.CANCELLED, S.RETURNED})
"""States in which the money is where the order took it from, and is to be paid anew."""

UNKNOWN_ORDER = "поручения с таким ключом нет"


class Applied(IntEnum):
    """What became of a result."""

    MOVED = 0
    REPEATED = 1
    PARKED = 2


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A result and who told it at what moment. ``again``: the bank would take the same order under a new key."""

    result: TransferResult
    told_by: str
    at: datetime
    again: bool = False


async def apply_result(connection: Connection, told: Told) -> Applied:
    """Apply a result inside the open transaction, which holds the order's locks until it ends."""
    transit = await connection.fetchval(_SQL["find_transit"], told.result.key)
    if transit is None:
        await park_result(connection, told, UNKNOWN_ORDER)
        return Applied.PARKED
    await connection.fetchrow(_ORDERS["lock_aggregator"], transit)
    order = await connection.fetchrow(_SQL["lock_order"], told.result.key)
    now, wanted = TransferState(order["state"]), told.result.state
    if now is wanted:
        return Applied.REPEATED
    if wanted not in LEGAL[now]:
        if wanted is S.ACCEPTED and now in ENDED:
            return Applied.REPEATED  # told late: the end was known already, by the statement
        if await connection.fetchval(_SQL["has_been"], order["transfer"], wanted):
            return Applied.REPEATED
        await park_result(connection, told, f"из состояния {now.name} в {wanted.name} перехода нет")
        return Applied.PARKED
    await _move(connection, order, told)
    return Applied.MOVED


async def park_result(connection: Connection, told: Told, reason: str) -> None:
    """Keep a result for a person; the same one is kept once."""
    content = msgspec.json.encode(told.result)
    await connection.execute(_SQL["park_result"], told.told_by, told.result.key, content, reason, told.at)


async def cancel_order(connection: Connection, key: str, by: str, at: datetime) -> bool:
    """Cancel an order that has not left yet, as a person; False when it has, or is not known: then only the bank can.

    Its money waits for other requisites, or for ``allow_reissue``.
    """
    async with connection.transaction():
        transit = await connection.fetchval(_SQL["find_transit"], key)
        await connection.fetchrow(_ORDERS["lock_aggregator"], transit)
        order = await connection.fetchrow(_SQL["lock_order"], key)
        if order is None or order["state"] not in (S.CREATED, S.APPROVED):
            return False
        result = TransferResult(key=key, state=S.CANCELLED, reason="отменено до отправки")
        await _move(connection, order, Told(result=result, told_by=by, at=at))
        return True


async def allow_reissue(connection: Connection, key: str, by: str, at: datetime) -> bool:
    """Let the money of an order that came back be paid again to the same requisites, as a person; False when it does not wait."""
    async with connection.transaction():
        transfer = await connection.fetchval(_SQL["allow_reissue"], key)
        if transfer is None:
            return False
        await connection.execute(_SQL["add_intervention"], transfer, None, "reissue", by, at)
    return True


async def apply_parked(connection: Connection, number: int, by: str, at: datetime) -> Applied:
    """Apply a parked result as a person, now that it follows from where its order stands; it is resolved with that.

    A RETURNED that came before EXECUTED, mostly: by now the bank has told of the execution, or a person states it
    (``state_executed``). PARKED: it still does not follow, and nothing was changed. Raises LookupError for a number that does not
    wait.
    """
    async with connection.transaction():
        row = await connection.fetchrow(_SQL["lock_parked"], number)
        if row is None:
            raise LookupError(f"no parked result {number} waits")
        result = msgspec.json.decode(row["content"], type=TransferResult)
        order = await connection.fetchrow(_SQL["find_order_state"], result.key)
        now = None if order is None else TransferState(order["state"])
        if now is None or (result.state not in LEGAL[now] and result.state is not now):
            return Applied.PARKED
        applied = await apply_result(connection, Told(result=result, told_by=by, at=at))
        await connection.execute(_SQL["resolve_parked"], number, at, by)
        await connection.execute(_SQL["add_intervention"], order["transfer"], number, "apply", by, at)
    return applied


async def state_executed(connection: Connection, key: str, bank: tuple[str, date], by: str, at: datetime) -> Applied:
    """State as a person that the bank executed an order, by its document's number and day, from the bank's paper."""
    number, day = bank
    result = TransferResult(key=key, state=S.EXECUTED, bank_number=number, bank_day=day, reason=f"указал {by}")
    async with connection.transaction():
        order = await connection.fetchrow(_SQL["find_order_state"], key)
        if order is None or (S.EXECUTED not in LEGAL[TransferState(order["state"])] and order["state"] != S.EXECUTED):
            return Applied.PARKED
        applied = await apply_result(connection, Told(result=result, told_by=by, at=at))
        await connection.execute(_SQL["add_intervention"], order["transfer"], None, "executed", by, at)
    return applied


async def _move(connection: Connection, order: Mapping[str, Any], told: Told) -> None:
    """Move an order: entry first, then the state, its history, and the money that is to be paid anew."""
    state, transfer = told.result.state, order["transfer"]
    entry = await _entry(connection, order, told)
    sequence = None if entry is None else (await record_entries(connection, [entry]))[0]
    await connection.execute(_SQL["set_state"], transfer, state)
    step = Step(
        state=state,
        at=told.at,
        told_by=told.told_by,
        reason=told.result.reason,
        bank_number=told.result.bank_number,
        bank_day=told.result.bank_day,
        sequence=sequence,
    )
    await add_history(connection, transfer, step)
    if state in BACK:
        await connection.execute(_SQL["give_back"], order["transit"], order["amount"])
        await connection.execute(_SQL["add_reissue_due"], transfer, told.again, told.result.reason, told.at)


async def _entry(connection: Connection, order: Mapping[str, Any], told: Told) -> JournalEntry | None:
    """Return the entry of a transition; None where no money moves (held by the bank, accepted, sent, approved)."""
    state = told.result.state
    occasion = Occasion(transit=order["transit"], key=f"order/{order['key']}/{state.name.lower()}", event_at=told.at)
    if state is S.EXECUTED:
        return order_executed(occasion, order["amount"])
    if state not in BACK:
        return None
    parts = [part_of(row) for row in await connection.fetch(_ORDERS["list_parts"], order["transfer"])]
    postings = [(key.account, lot.net) for key, lot in parts]
    return order_returned(occasion, postings) if state is S.RETURNED else order_undone(occasion, postings)


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order as people see it; ``state`` with the day it was dated and the bank's own number of it."""

    transfer: int
    key: str
    number: int
    day: date
    recipient: str
    purpose_class: str
    amount: int
    purpose: str
    state: TransferState
    reason: str


async def list_orders(connection: Connection, transit: int, day: date) -> tuple[OrderView, ...]:
    """Return a transit account's orders of a bank day, with the last reason told."""
    rows = await connection.fetch(_SQL["list_orders"], transit, day)
    return tuple([OrderView(**{**dict(row), "state": TransferState(row["state"])}) for row in rows])
