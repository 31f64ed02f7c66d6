"""Orders for receipts that are recorded already: released, repeated after a final failure, or configured at last."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.receipt import Operation, Receipt
from services.fiscal.core.drafts import MOSCOW, Place, with_client
from services.fiscal.core.keys import order_key
from services.fiscal.states import ReceiptState
from services.fiscal.writing import packed

SQL = load_statements("services/fiscal/orders.sql")

_decoder = msgspec.json.Decoder(Receipt)


async def order_receipts(connection: Connection, numbers: Sequence[int], moment: datetime, due_at: datetime) -> int:
    """Give each receipt a new order under its next key, due at ``due_at``, in the open transaction; how many were ordered.

    The payer's contact and the till's operator are those of ``moment``; a receipt whose issuer has no operator then is
    listed as unconfigured.
    """
    rows = await connection.fetch(SQL["list_orderable"], list(numbers), moment.astimezone(MOSCOW).date())
    ready = [row for row in rows if row["operator"]]
    lacking = [row["number"] for row in rows if not row["operator"]]
    if lacking:
        await stop_receipts(connection, lacking, ReceiptState.UNCONFIGURED, "its issuer has no till")
    if ready:
        columns = [list(column) for column in zip(*map(_order, ready), strict=True)]
        await connection.execute(SQL["add_orders"], *columns, due_at)
    return len(ready)


async def stop_receipts(connection: Connection, numbers: Sequence[int], state: ReceiptState, reason: str) -> None:
    """List receipts as not on their way."""
    await connection.execute(SQL["stop"], list(numbers), state, [reason] * len(numbers))


def _order(row: Mapping[str, Any]) -> tuple[int, str, str, bytes]:
    place = Place(
        book=row["book"],
        sequence=row["sequence"],
        space=row["space"],
        external_id=row["external_id"],
        personal_account=row["personal_account"],
        correction=row["correction"],
    )
    key = order_key(place, Operation(row["operation"]), row["issuer"], row["part"], row["orders"] + 1)
    sent = packed(with_client(_decoder.decode(row["content"]), row["contact"]))
    return row["number"], row["operator"], key, sent
