"""Fiscal's desk at delivery: what a till's operator said of a receipt, kept in the transaction of the order's state (W9)."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ledger.feed import Connection
from schemas.delivery import Accepted, Done, Outgoing, Refused
from schemas.receipt import FiscalSign, Operation
from services.fiscal.core.keys import qr_text
from services.fiscal.orders import SQL, order_receipts, stop_receipts
from services.fiscal.states import ReceiptState

WHAT = "receipt"
ORDERS_MAX = 8
"""Orders given for one receipt by themselves; after as many final failures a person looks at it."""
AGAIN_AFTER = timedelta(seconds=5)
AGAIN_AFTER_MAX = timedelta(hours=1)

_decoder = msgspec.json.Decoder(FiscalSign)


class UnknownOrder(LookupError):
    """Delivery settles an order that is no receipt's."""


class FiscalDesk:
    """Stores fiscal signs, orders again what may be, lists the rest for a person. ``now`` is the clock."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        """Write what follows from the answer on the connection, whose transaction moves the order's state."""
        if isinstance(answer, Accepted):
            return
        receipt = await connection.fetchrow(SQL["lock_of_order"], order.number)
        if receipt is None:
            raise UnknownOrder(f"order {order.number} is no receipt's")
        await connection.execute(SQL["forget_contact"], order.number)
        if isinstance(answer, Done):
            await self._registered(connection, receipt["number"], _decoder.decode(answer.content), receipt)
        else:
            await self._refused(connection, receipt["number"], answer)

    async def _registered(self, connection: Connection, number: int, sign: FiscalSign, receipt: Mapping[str, Any]) -> None:
        stored = await connection.fetchval(SQL["add_sign"], number, *_sign_row(sign, Operation(receipt["operation"])))
        if stored is None:
            await self._not_stored(connection, number, sign)
        elif sign.total_kopecks != receipt["total"]:
            reason = f"the till registered {sign.total_kopecks} kopecks instead of {receipt['total']}"
            await stop_receipts(connection, [number], ReceiptState.DISPUTED, reason)
        else:
            held = [row["number"] for row in await connection.fetch(SQL["list_held_after"], number)]
            if held:
                await order_receipts(connection, held, self._now(), self._now())

    async def _not_stored(self, connection: Connection, number: int, sign: FiscalSign) -> None:
        """The same answer once more changes nothing; another sign, or one of another receipt, is for a person."""
        key = sign.fn, sign.fd, sign.fpd
        own = await connection.fetchrow(SQL["find_sign"], number)
        if own is not None and tuple(own) == key:
            return
        owner = await connection.fetchval(SQL["find_sign_owner"], *key)
        whose = f"is receipt {owner}'s" if owner is not None else "is not the one it has already"
        await stop_receipts(connection, [number], ReceiptState.DISPUTED, f"the sign {'/'.join(key)} {whose}")

    async def _refused(self, connection: Connection, number: int, answer: Refused) -> None:
        orders = await connection.fetchval(SQL["count_orders"], number)
        if answer.again and orders < ORDERS_MAX:
            moment = self._now()
            await order_receipts(connection, [number], moment, moment + _pause(orders))
        else:
            await stop_receipts(connection, [number], ReceiptState.FAILED, f"{answer.code}: {answer.reason}")


def _pause(orders: int) -> timedelta:
    return min(AGAIN_AFTER_MAX, AGAIN_AFTER * (1 << (orders - 1)))


def _sign_row(sign: FiscalSign, operation: Operation) -> tuple[object, ...]:
    return (
        sign.fn,
        sign.fd,
        sign.fpd,
        sign.registered_at,
        sign.total_kopecks,
        sign.shift,
        sign.number_in_shift,
        sign.register_number,
        sign.link,
        qr_text(sign, operation),
    )
