"""Fiscal's desk at delivery: what a till's operator said of a receipt, kept in the transaction of the order's state (W9)."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ledger.feed import Connection
from schemas.delivery import Accepted, Done, Outgoing, Refused
from schemas.receipt import FiscalSign, Operation, Receipt
from schemas.webhook import EventType, News, ReceiptNews
from services.announce import announce
from services.fiscal.core.keys import qr_text
from services.fiscal.orders import SQL, order_receipts, stop_receipts
from services.fiscal.states import ReceiptState
from services.letters import order_letter

WHAT = "receipt"
ORDERS_MAX = 8
"""Orders given for one receipt by themselves; after as many final failures a person looks at it."""
AGAIN_AFTER = timedelta(seconds=5)
AGAIN_AFTER_MAX = timedelta(hours=1)

_decoder = msgspec.json.Decoder(FiscalSign)
_receipt_decoder = msgspec.json.Decoder(Receipt)


class UnknownOrder(LookupError):
    """Delivery settles an order that is no receipt's."""


class FiscalDesk:
    """Stores fiscal signs, orders again what may be, lists the rest for a person. ``now`` is the clock.

    A registered receipt is told to its issuer's endpoint and, with ``letters``, sent to a payer who gave an e-mail.
    """

    def __init__(self, now: Callable[[], datetime], *, letters: bool = False) -> None:
        self._now = now
        self._letters = letters

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        """Write what follows from the answer on the connection, whose transaction moves the order's state."""
        if isinstance(answer, Accepted):
            return
        receipt = await connection.fetchrow(SQL["lock_of_order"], order.number)
        if receipt is None:
            raise UnknownOrder(f"order {order.number} is no receipt's")
        if isinstance(answer, Done):
            await self._registered(connection, order, receipt, _decoder.decode(answer.content))
        else:
            await connection.execute(SQL["forget_contact"], order.number)
            await self._refused(connection, receipt["number"], answer)

    async def _registered(self, connection: Connection, order: Outgoing, receipt: Mapping[str, Any], sign: FiscalSign) -> None:
        """The receipt is locked since before this statement's snapshot: no refund can be made that it does not see."""
        number = receipt["number"]
        row = _sign_row(sign, Operation(receipt["operation"]))
        stored = await connection.fetchrow(SQL["add_sign"], number, *row, order.number)
        if not stored["added"]:
            await self._not_stored(connection, number, sign)
        elif sign.total_kopecks != receipt["total"]:
            reason = f"the till registered {sign.total_kopecks} kopecks instead of {receipt['total']}"
            await stop_receipts(connection, [number], ReceiptState.DISPUTED, reason)
        else:
            if stored["held"]:
                await order_receipts(connection, stored["held"], self._now(), self._now())
            await self._tell(connection, order, receipt, sign)

    async def _tell(self, connection: Connection, order: Outgoing, receipt: Mapping[str, Any], sign: FiscalSign) -> None:
        if receipt["listening"]:
            payload = ReceiptNews(
                payment=f"{receipt['space_name']}:{receipt['external_id']}",
                operation=receipt["operation"],
                fn=sign.fn,
                fd=sign.fd,
                fpd=sign.fpd,
                registered_at=sign.registered_at,
                total_kopecks=sign.total_kopecks,
                link=sign.link,
            )
            news = News(
                recipient=receipt["issuer"],
                type=EventType.RECEIPT_REGISTERED,
                key=order.key,
                happened_at=self._now(),
                payload=payload,
            )
            await announce(connection, [news])
        if self._letters:
            await order_letter(connection, receipt["number"], order.key, _receipt_decoder.decode(order.content), sign)

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
