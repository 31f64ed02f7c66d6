"""A check of the whole register: every order stands where the rules can have led it, and none is held by nobody."""

import msgspec

from ledger.feed import Connection
from schemas.delivery import OrderNumber
from services.delivery.store import SQL

FAULTS_MAX = 1_000
UNSEEN_MS = 600_000


class OrderFault(msgspec.Struct, frozen=True, kw_only=True):
    """One order that stands where it should not, and why."""

    number: OrderNumber
    counterparty: str
    fault: str


async def audit_orders(connection: Connection, unseen_ms: int = UNSEEN_MS) -> tuple[OrderFault, ...]:
    """Return at most FAULTS_MAX faults, by order; a lease may have ended ``unseen_ms`` ago before it is one.

    It reads the whole register: for checks, not for the way of an order.
    """
    rows = await connection.fetch(SQL["audit"], unseen_ms, FAULTS_MAX)
    return tuple([msgspec.convert(dict(row), OrderFault) for row in rows])
