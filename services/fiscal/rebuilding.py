"""Building recorded receipts from their entries once more, by the tables as they are now: configured at last, or refused.

A receipt's sums are its entry's and never change; names, rates, marks and the company come from the tables.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ledger.feed import Connection
from schemas.receipt import Operation, Receipt
from services.fiscal.core.corrections import Ground, correction_of_missing, mirror_of
from services.fiscal.core.decision import Entry, Known, templates_of
from services.fiscal.core.drafts import MOSCOW, Leg, Moments, Place, drafts_of
from services.fiscal.orders import SQL, order_receipts, stop_receipts
from services.fiscal.reading import list_charges, list_entries_at, list_origins, list_payers
from services.fiscal.registers import Registers
from services.fiscal.states import ReceiptState
from services.fiscal.writing import packed

RECEIPTS_MAX = 500
"""Receipts rebuilt in one transaction."""

_decoder = msgspec.json.Decoder(Receipt)


class Reordered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of stopped receipts; ``waiting`` still lack something, ``withdrawn`` turned out to need none."""

    ordered: int = 0
    held: int = 0
    waiting: int = 0
    withdrawn: int = 0

    def __add__(self, other: "Reordered") -> "Reordered":
        return Reordered(
            ordered=self.ordered + other.ordered,
            held=self.held + other.held,
            waiting=self.waiting + other.waiting,
            withdrawn=self.withdrawn + other.withdrawn,
        )


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt is by the tables of now: a receipt, or what is missing, or ``needless`` because none is needed."""

    receipt: Receipt | None = None
    missing: str = ""
    needless: str = ""
    held: bool = False


async def order_unconfigured(connection: Connection, registers: Registers, moment: datetime) -> Reordered:
    """Order every receipt that waited for a table and is configured now; one past its deadline as a correction receipt.

    In short transactions, by number, so that what is mirrored comes before its mirror.
    """
    report, after = Reordered(), 0
    while True:
        async with connection.transaction():
            rows = await connection.fetch(SQL["list_stopped_after"], ReceiptState.UNCONFIGURED, after, RECEIPTS_MAX)
            if not rows:
                return report
            numbers = [row["receipt"] for row in rows]
            report += await _reorder(connection, registers, numbers, moment)
            after = numbers[-1]


async def resend_failed(connection: Connection, registers: Registers, numbers: Sequence[int], moment: datetime) -> Reordered:
    """Order failed receipts again under new keys, built by the tables as they are now; others are left alone."""
    async with connection.transaction():
        rows = await connection.fetch(SQL["lock_stopped"], ReceiptState.FAILED, list(numbers))
        return await _reorder(connection, registers, [row["receipt"] for row in rows], moment)


async def _reorder(connection: Connection, registers: Registers, numbers: Sequence[int], moment: datetime) -> Reordered:
    """One by one where one mirrors another: a mirror reads what its original has become."""
    report = Reordered()
    rows = await connection.fetch(SQL["list_to_rebuild"], list(numbers))
    sales = [row for row in rows if row["after"] is None]
    if sales:
        report += await _write(connection, await build_sales(connection, registers, sales), sales, moment)
    mirrors = [row["number"] for row in rows if row["after"] is not None]
    if mirrors:
        rows = await connection.fetch(SQL["list_to_rebuild"], mirrors)
        report += await _write(connection, [_build_mirror(row) for row in rows], rows, moment)
    return report


async def build_sales(connection: Connection, registers: Registers, rows: Sequence[Mapping[str, Any]]) -> list[Built]:
    """Build receipts of money received, parallel to the rows of fiscal.receipt."""
    entries = await list_entries_at(connection, sorted({(row["book"], row["sequence"]) for row in rows if row["sequence"]}))
    known = Known(
        payers=await list_payers(connection, [entry.personal_account for entry in entries.values()]),
        charges=await list_charges(connection, entries.values()),
        templates=await registers.templates(connection),
        origins=await list_origins(connection, entries.values()),
    )
    return [_build_sale(row, entries.get((row["book"], row["sequence"])), known) for row in rows]


def _build_sale(row: Mapping[str, Any], entry: Entry | None, known: Known) -> Built:
    """A consolidated receipt has no entry: it stays what it is."""
    if entry is None:
        return Built(receipt=_decoder.decode(row["content"]))
    template = templates_of(entry, known)
    legs = [Leg(line, amount, template(line)) for line, amount in zip(row["lines"], row["amounts"], strict=True)]
    place = Place(book=0, sequence=0, space=0, external_id="", personal_account=None)
    drafts, omissions = drafts_of(place, legs, Moments(event_at=entry.event_at, recorded_at=entry.recorded_at))
    if not drafts:
        return Built(needless=", ".join(sorted({omission.reason.value for omission in omissions})))
    if omissions or len(drafts) > 1 or drafts[0].issuer != row["issuer"]:
        return Built(missing="its lines belong to several issuers now: reverse and pay again, or load the tables as they were")
    return Built(receipt=drafts[0].receipt, missing=drafts[0].missing)


def _build_mirror(row: Mapping[str, Any]) -> Built:
    if row["first_state"] == ReceiptState.WITHDRAWN:
        return Built(needless=f"receipt {row['after']} is withdrawn")
    if row["first_content"] is None:
        return Built(missing=f"receipt {row['after']} is not configured")
    held = not row["first_registered"]
    if row["content"] is not None:
        return Built(receipt=_decoder.decode(row["content"]), held=held)
    amounts = dict(zip(row["lines"], row["amounts"], strict=True))
    return Built(
        receipt=mirror_of(_decoder.decode(row["first_content"]), row["first_lines"], amounts, row["settled_at"]), held=held
    )


async def _write(
    connection: Connection, built: Sequence[Built], rows: Sequence[Mapping[str, Any]], moment: datetime
) -> Reordered:
    ready = [
        (row["number"], _in_time(row, one.receipt, moment), one.held)
        for row, one in zip(rows, built, strict=True)
        if one.receipt is not None
    ]
    if ready:
        numbers, contents = [number for number, _, _ in ready], [packed(receipt) for _, receipt, _ in ready]
        await connection.execute(SQL["set_content"], numbers, contents, [receipt.operation.value for _, receipt, _ in ready])
    for row, one in zip(rows, built, strict=True):
        if one.needless:
            await stop_receipts(connection, [row["number"]], ReceiptState.WITHDRAWN, one.needless)
        elif one.missing:
            await stop_receipts(connection, [row["number"]], ReceiptState.UNCONFIGURED, one.missing)
        elif one.held:
            await stop_receipts(connection, [row["number"]], ReceiptState.HELD, f"waits for receipt {row['after']}")
    ordered = await order_receipts(connection, [number for number, _, held in ready if not held], moment, moment)
    return Reordered(
        ordered=ordered,
        held=sum(held for _, _, held in ready),
        waiting=sum(bool(one.missing) for one in built),
        withdrawn=sum(bool(one.needless) for one in built),
    )


def _in_time(row: Mapping[str, Any], receipt: Receipt, moment: datetime) -> Receipt:
    """Money of which no receipt was registered in time needs a correction receipt (law.md 4.3)."""
    if row["after"] is not None or receipt.operation is not Operation.SELL:
        return receipt
    late = row["content"] is None and moment > row["deadline"]
    if not late and row["operation"] == Operation.SELL:
        return receipt
    return correction_of_missing(receipt, Ground(by_order=False, base_date=receipt.settled_at.astimezone(MOSCOW).date()))
