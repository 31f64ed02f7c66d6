"""Money and orders that stand still, for whom they wait and until when they may (ПП 253 п. 6, 161-ФЗ ст. 5 ч. 5)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import LedgerAccount, Transit
from schemas.transfer import TransferResult, TransferState
from services.settlement.directory import fetch_directory
from services.settlement.inspection import TransferView, Wanted, list_transfers
from services.settlement.lots import Directory, LotKey
from services.settlement.planning import list_ranges
from services.settlement.rules.deadlines import DaySum, Deferral, due_day, is_overdue, transfer_deadline, transit_deadline

_SQL = load_statements("services/settlement/waiting.sql")

SHOWN_MAX = 1_000
S = TransferState
UNSENT = (S.CREATED, S.APPROVED)
UNDER_WAY = (S.SENT, S.ACCEPTED, S.HELD)
BACK = (S.REJECTED, S.CANCELLED, S.RETURNED)
TRANSFER_RULE = "ПП 253 п. 6"
TRANSIT_RULE = "161-ФЗ ст. 5 ч. 5"


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """The last day on which money may still stay, and by which rule; ``overdue``: it has passed."""

    day: date
    rule: str
    overdue: bool


class CarriedMoney(msgspec.Struct, frozen=True, kw_only=True):
    """A lot that the last cut did not order: of which ledger account and creditor (empty: unknown), since when, and why."""

    transit_account: str
    account: LedgerAccount
    creditor: str
    capital: bool
    amount_kopecks: int
    reason: str
    since: date
    due: Due


class WaitingOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order that has not come to its end, with the deadline of its money."""

    order: TransferView
    due: Due


class UncutMoney(msgspec.Struct, frozen=True, kw_only=True):
    """Confirmed money that no cut has taken yet."""

    transit_account: str
    amount_kopecks: int


class ParkedResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank said of an order and cannot be true as things stand; a person finds out and marks it."""

    number: int
    told_by: str
    key: str
    result: TransferResult
    reason: str
    seen_at: datetime


class ParkedRegister(msgspec.Struct, frozen=True, kw_only=True):
    """A register whose delivery waits for a person; ``number`` is delivery's."""

    number: int
    counterparty: str
    key: str
    reason: str
    created_at: datetime


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that waits. ``came_back``: orders whose money is to be paid anew."""

    uncut: tuple[UncutMoney, ...]
    carried: tuple[CarriedMoney, ...]
    unsent: tuple[WaitingOrder, ...]
    under_way: tuple[WaitingOrder, ...]
    came_back: tuple[WaitingOrder, ...]
    parked_results: tuple[ParkedResult, ...]
    parked_registers: tuple[ParkedRegister, ...]

    @property
    def overdue(self) -> int:
        """How many sums wait longer than they may."""
        orders = (*self.unsent, *self.under_way, *self.came_back)
        return sum(one.due.overdue for one in self.carried) + sum(one.due.overdue for one in orders)


class NotWaiting(LookupError):
    """There is nothing of that number that waits."""


async def list_waiting(connection: Connection, today: date) -> Waiting:
    """Read what waits, in one snapshot; ``today`` is what deadlines are held against."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        results = await connection.fetch(_SQL["list_parked_results"], SHOWN_MAX)
        registers = await connection.fetch(_SQL["list_parked_registers"], SHOWN_MAX)
        unsent = await _orders(connection, UNSENT)
        under_way = await _orders(connection, UNDER_WAY)
        came_back = [one for one in await _orders(connection, BACK) if one.awaits_reissue]
        return Waiting(
            uncut=await _uncut(connection),
            carried=await list_carried(connection, today),
            unsent=tuple([WaitingOrder(order=one, due=_unsent_due(one, today)) for one in unsent]),
            under_way=tuple([WaitingOrder(order=one, due=_transit_due(one.day, today)) for one in under_way]),
            came_back=tuple([WaitingOrder(order=one, due=_unsent_due(one, today)) for one in came_back]),
            parked_results=tuple([_parked_result(row) for row in results]),
            parked_registers=tuple([msgspec.convert(dict(row), ParkedRegister) for row in registers]),
        )


async def list_carried(connection: Connection, today: date) -> tuple[CarriedMoney, ...]:
    """Return the lots that the last cuts did not order, with why and until when they may wait."""
    rows = await connection.fetch(_SQL["list_carried"])
    days = {row["transit"]: row["open_day"] for row in await connection.fetch(_SQL["list_open_days"])}
    transits = sorted({row["transit"] for row in rows})
    directories = {one: await fetch_directory(connection, one, days.get(one, today)) for one in transits}
    return tuple([_carried(row, directories[row["transit"]], today) for row in rows])


async def resolve_result(connection: Connection, number: int, by: str, now: datetime) -> None:
    """Mark a parked result as seen to by a person; NotWaiting when there is none."""
    if await connection.fetchval(_SQL["resolve_result"], number, now, by) is None:
        raise NotWaiting(f"no parked result {number} waits")


async def find_transit_terms(connection: Connection, account: str) -> Mapping[str, Any] | None:
    """Return the transit account's number, БИК and the terms that were set for it (null where none were); None: unknown."""
    row = await connection.fetchrow(_SQL["find_transit_terms"], account)
    return None if row is None else dict(row)


async def _orders(connection: Connection, states: tuple[TransferState, ...]) -> list[TransferView]:
    found: list[TransferView] = []
    for state in states:
        found += await list_transfers(connection, Wanted(state=state), SHOWN_MAX)
    return sorted(found, key=lambda one: (one.day, one.transit_account, one.number))


async def _uncut(connection: Connection) -> tuple[UncutMoney, ...]:
    found = []
    for row in await connection.fetch(_SQL["list_open_days"]):
        amount = await uncut_money(connection, row["transit"])
        if amount:
            found.append(UncutMoney(transit_account=row["account"], amount_kopecks=amount))
    return tuple(found)


async def uncut_money(connection: Connection, transit: Transit) -> int:
    """Return how much promised money is confirmed and in no cut yet, in kopecks."""
    rows = await connection.fetch(_SQL["list_last_cuts"], transit)
    last = {(row["space"], row["book"]): row["promised"] for row in rows}
    ranges, _ = await list_ranges(connection, transit)
    return sum(one.promised - last.get((one.space, one.book), 0) for one in ranges)


def _carried(row: Mapping[str, Any], directory: Directory, today: date) -> CarriedMoney:
    key = LotKey(row["account"], row["creditor"], row["capital"])
    recipient = directory.recipient_of(key)
    contract = None if recipient is None else directory.contract_of(key, recipient)
    sums = [DaySum(day=day, amount_kopecks=amount) for day, amount in zip(row["days"], row["sums"], strict=True)]
    since = min(one.day for one in sums)
    lawful = due_day(sums, Deferral() if contract is not None and contract.defers_small else None, limits=())
    creditor = directory.recipients.get(row["creditor"])
    return CarriedMoney(
        transit_account=row["transit_account"],
        account=row["account"],
        creditor="" if creditor is None else creditor.code,
        capital=row["capital"],
        amount_kopecks=row["amount"],
        reason=row["reason"],
        since=since,
        due=_earlier(lawful, since, today),
    )


def _unsent_due(order: TransferView, today: date) -> Due:
    return _earlier(transfer_deadline(order.day), order.day, today)


def _transit_due(since: date, today: date) -> Due:
    """Money on its way is no more bound by ПП 253; while the bank has not paid, it still stays on the transit account."""
    return _earlier(None, since, today)


def _earlier(lawful: date | None, since: date, today: date) -> Due:
    rules = [(day, rule) for day, rule in ((lawful, TRANSFER_RULE), (transit_deadline(since), TRANSIT_RULE)) if day is not None]
    day, rule = min(rules, default=(date.max, TRANSIT_RULE))
    return Due(day=day, rule=rule, overdue=is_overdue(today, day))


def _parked_result(row: Mapping[str, Any]) -> ParkedResult:
    result = msgspec.json.decode(row["content"], type=TransferResult)
    return ParkedResult(**{name: row[name] for name in ("number", "told_by", "key", "reason", "seen_at")}, result=result)
