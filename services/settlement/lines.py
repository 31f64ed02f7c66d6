"""The register of an order: which payments it pays, line by line, with control totals (read from the journal's ranges).

Nothing of it is stored: the ranges of a cut and the journal never change, so the lines are the same whenever they are read.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import date
from typing import Any

import msgspec

from ledger.chart import parts_of
from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Transit
from schemas.transfer import PurposeClass
from services.settlement.directory import fetch_directory
from services.settlement.lots import Directory, Lot, LotKey
from services.settlement.orders import SettlementBroken
from services.settlement.planning import Range, lot_key, passages, payment_commission
from services.settlement.reissues import part_of

_SQL = load_statements("services/settlement/registers.sql")
_ORDERS = load_statements("services/settlement/orders.sql")
_CUT = load_statements("services/settlement/cutting.sql")

SHOWN_DIGITS = 4


class RegisterLine(msgspec.Struct, frozen=True, kw_only=True):
    """What an order pays of one payment for one service and period, in kopecks; negative for a correction.

    The payment's key is (``space``, ``external_id``); the personal account's number is masked but for its end (152-ФЗ).
    """

    book: int
    sequence: int
    space: int
    external_id: str
    account_number: str
    value_date: date | None
    service: str
    period: int
    gross: int
    commission: int

    @property
    def net(self) -> int:
        """What the recipient gets for the line."""
        return self.gross - self.commission


class OrderRegister(msgspec.Struct, frozen=True, kw_only=True):
    """An order's lines and control totals, kopecks: gross + claimed - commission - recovered = amount.

    ``claimed`` was taken back after it had been ordered and is a debt of the recipient now; ``recovered`` was kept back for one.
    """

    key: str
    lines: tuple[RegisterLine, ...]
    gross: int
    claimed: int
    commission: int
    recovered: int
    amount: int


class _Order(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    transit: Transit
    amount: int
    purpose_class: PurposeClass
    parts: Mapping[LotKey, Lot]
    last_cut: int


async def read_register(connection: Connection, key: str) -> OrderRegister:
    """Read an order's register whole. Raises LookupError for an unknown order, SettlementBroken when it does not sum up."""
    order = await _fetch_order(connection, key)
    lines = tuple([line async for line in _iterate(connection, order)])
    parts = order.parts.values()
    register = OrderRegister(
        key=key,
        lines=lines,
        gross=sum(lot.gross for lot in parts),
        claimed=sum(lot.claimed for lot in parts),
        commission=sum(lot.commission for lot in parts),
        recovered=sum(lot.recovered for lot in parts),
        amount=order.amount,
    )
    found = sum(line.gross for line in lines), sum(line.commission for line in lines)
    if found != (register.gross, register.commission) or sum(lot.net for lot in parts) != order.amount:
        raise SettlementBroken(
            f"the lines of {key} sum to {found} kopecks, the order holds {register.gross, register.commission}"
        )
    return register


async def _fetch_order(connection: Connection, key: str) -> _Order:
    row = await connection.fetchrow(_SQL["find_order"], key)
    if row is None:
        raise LookupError(f"no order {key}")
    parts = [part_of(part) for part in await connection.fetch(_ORDERS["list_parts"], row["transfer"])]
    return _Order(
        key=key,
        transit=row["transit"],
        amount=row["amount"],
        purpose_class=PurposeClass(row["class"]),
        parts=dict(parts),
        last_cut=row["last_cut"],
    )


async def _iterate(connection: Connection, order: _Order) -> AsyncIterator[RegisterLine]:
    if order.purpose_class is PurposeClass.REFUND:
        yield await _returned_line(connection, order)
        return
    first = min(lot.since_cut for lot in order.parts.values())
    between = (order.transit, first, order.last_cut)
    by_cut: dict[int, list[Range]] = {}
    for row in await connection.fetch(_SQL["list_ranges"], *between):
        one = Range(space=row["space"], book=row["book"], after=row["after"], upto=row["upto"], promised=row["promised"])
        by_cut.setdefault(row["cut"], []).append(one)
    for cut, day in await connection.fetch(_SQL["list_cuts"], *between):
        directory = await fetch_directory(connection, order.transit, day)
        own = {key for key, lot in order.parts.items() if lot.since_cut <= cut}
        accounts = sorted({key.account for key in own})
        for statement in ("list_taken_lines", "list_moved_lines"):
            for line in payable_lines(await connection.fetch(_SQL[statement], cut, accounts), {}, own, directory):
                yield line
        for arguments in passages(order.transit, by_cut.get(cut, ())):
            payments = await _payments(connection, arguments, cut, directory)
            if order.purpose_class is PurposeClass.FEE:
                lines = fee_lines(payments, own, arguments[1])
            else:
                lines = payable_lines(await connection.fetch(_SQL["list_lines"], *arguments, accounts), payments, own, directory)
            for line in lines:
                yield line


async def _returned_line(connection: Connection, order: _Order) -> RegisterLine:
    """Return the one line of a return to a payer: the entry whose money goes back."""
    row = await connection.fetchrow(_SQL["find_returned"], order.key)
    return RegisterLine(
        book=row["book"],
        sequence=row["sequence"],
        space=row["space"],
        external_id=row["external_id"],
        account_number=masked(row["account_number"] or ""),
        value_date=row["value_date"],
        service="",
        period=0,
        gross=row["amount"],
        commission=0,
    )


async def _payments(
    connection: Connection, arguments: tuple[Any, ...], cut: int, directory: Directory
) -> dict[int, list[tuple[tuple[int, int], LotKey | None, int]]]:
    """Return the commission of a passage's payments by sequence, reckoned anew as their cut did."""
    creditors = sorted(directory.terms)
    if not creditors:
        return {}
    undone = [row["corrects"] for row in await connection.fetch(_SQL["list_undone"], cut, arguments[1])]
    rows = await connection.fetch(_CUT["list_payments"], *arguments, creditors, undone)
    return {row["sequence"]: list(payment_commission(row, directory)) for row in rows}


def payable_lines(
    rows: Iterable[Mapping[str, Any]],
    payments: Mapping[int, list[tuple[tuple[int, int], LotKey | None, int]]],
    own: set[LotKey],
    directory: Directory,
) -> Iterable[RegisterLine]:
    """Yield the lines of some lots; a payment's commission stands on its first line of a lot."""
    told: set[tuple[int, LotKey]] = set()
    for row in rows:
        key = lot_key(row, directory)
        if key not in own:
            continue
        place = (row["sequence"], key)
        parts = () if place in told else payments.get(row["sequence"], ())
        told.add(place)
        yield RegisterLine(
            book=row["book"],
            sequence=row["sequence"],
            space=row["space"],
            external_id=row["external_id"],
            account_number=masked(row["account_number"] or ""),
            value_date=row["value_date"],
            service=row["service"] or "",
            period=row["period"],
            gross=row["amount"],
            commission=sum(amount for _, lot, amount in parts if lot == key),
        )


def fee_lines(
    payments: Mapping[int, list[tuple[tuple[int, int], LotKey | None, int]]], own: set[LotKey], book: int
) -> Iterable[RegisterLine]:
    """Yield what the payments gave to the earner whose fee an order pays: the netted parts of each payment's commission."""
    earners = {parts_of(key.account).subject for key in own}
    for sequence, parts in sorted(payments.items()):
        netted = sum(amount for (earner, _), lot, amount in parts if lot is not None and earner in earners)
        if netted:
            yield RegisterLine(
                book=book,
                sequence=sequence,
                space=0,
                external_id="",
                account_number="",
                value_date=None,
                service="",
                period=0,
                gross=netted,
                commission=0,
            )


def masked(number: str) -> str:
    """Show the end of a personal account's number only."""
    return "*" * max(0, len(number) - SHOWN_DIGITS) + number[-SHOWN_DIGITS:]
