"""Mending a registered receipt that is wrong: what undoes it, then what is right (law.md 4.3)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ledger.feed import Connection
from schemas.receipt import FiscalSign, Operation, Receipt
from services.fiscal.core.corrections import Ground, corrections_of
from services.fiscal.core.drafts import Draft, Place, deadline_of
from services.fiscal.core.reference import Deadline
from services.fiscal.orders import SQL, order_receipts
from services.fiscal.rebuilding import build_sales
from services.fiscal.registers import Registers
from services.fiscal.writing import add_receipts

_decoder = msgspec.json.Decoder(Receipt)


class NotMendable(ValueError):
    """The receipt cannot be mended; the message says why."""


async def mend_receipt(
    connection: Connection, registers: Registers, number: int, ground: Ground, moment: datetime
) -> tuple[int, int]:
    """Undo a registered receipt that is wrong and issue what is right by the tables of now; the numbers of both.

    The second is held until the first is registered. Raises NotMendable, or NothingToMend when the tables still say the same.
    """
    async with connection.transaction():
        await connection.fetchval(SQL["lock_receipt"], number)
        row = await connection.fetchrow(SQL["find_registered"], number)
        if row is None or row["operation"] not in (Operation.SELL, Operation.SELL_CORRECTION):
            raise NotMendable(f"receipt {number} is no registered receipt of money received")
        if row["followers"]:
            raise NotMendable(f"receipt {number} has refunds or was mended already")
        (built,) = await build_sales(connection, registers, [row])
        if built.receipt is None:
            raise NotMendable(built.missing or f"receipt {number} needs none by the tables of now: {built.needless}")
        undo, right = corrections_of(_decoder.decode(row["content"]), _sign(row), built.receipt, ground)
        (first,) = await add_receipts(connection, [_draft(row, undo, number, moment)], {})
        (second,) = await add_receipts(connection, [_draft(row, right, first, moment)], {})
        await order_receipts(connection, [first], moment, moment)
    return first, second


def _draft(row: Mapping[str, Any], receipt: Receipt, after: int, moment: datetime) -> Draft:
    """Recorded as held first, like any receipt that follows another."""
    place = Place(
        book=row["book"],
        sequence=row["sequence"],
        space=row["space"],
        external_id=row["external_id"],
        personal_account=row["personal_account"],
        correction=f"w{row['mended'] + 1}",
    )
    return Draft(
        place=place,
        issuer=row["issuer"],
        operation=receipt.operation,
        part=row["part"],
        lines=tuple(row["lines"]),
        amounts=tuple(row["amounts"]),
        settled_at=receipt.settled_at,
        deadline=deadline_of(Deadline.NEXT_WORKING_DAY, moment),
        receipt=receipt,
        after=after,
        stopped=True,
    )


def _sign(row: Mapping[str, Any]) -> FiscalSign:
    return FiscalSign(fn=row["fn"], fd=row["fd"], fpd=row["fpd"], registered_at=row["registered_at"], total_kopecks=row["total"])
