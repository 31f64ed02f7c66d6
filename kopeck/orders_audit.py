"""What left the house, and what waits in suspense, held against the ledger (the second half of ``kopeck verify``)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date

import asyncpg
import msgspec

from ledger.chart import parts_of
from ledger.feed import Connection
from ledger.statements import load_statements
from services.delivery.audit import audit_orders
from services.fiscal.totals import verify_receipts
from services.settlement.audit import SettlementAudit, audit_settlement
from services.suspense.queue import list_differences

_SQL = load_statements("kopeck/statements/orders_audit.sql")

SETTLEMENT, RECEIPTS, DELIVERY, SUSPENSE = "settlement", "receipts", "delivery", "suspense"
_SETTINGS = {
    "application_name": "kopeck-verify",
    "default_transaction_read_only": "on",
    "statement_timeout": "60000",
    "jit": "off",
}


class OrderDivergence(msgspec.Struct, frozen=True, kw_only=True):
    """Something that left the house and should not have, or not so; ``book`` and ``sequence`` where an entry is meant."""

    where: str
    what: str
    book: int | None = None
    sequence: int | None = None


class OrdersAudit(msgspec.Struct, frozen=True, kw_only=True):
    """How many orders there are, what is wrong with them, and how many sums wait longer than they may."""

    transfers: int
    receipts: int
    deliveries: int
    divergences: tuple[OrderDivergence, ...]
    overdue: int

    @property
    def first(self) -> OrderDivergence | None:
        """The first divergence, None when all is as it must be."""
        return self.divergences[0] if self.divergences else None


async def audit_orders_of_ledger(reader_dsn: str, services_dsn: str, today: date) -> OrdersAudit:
    """Audit everything that left; ``today`` is what deadlines are held against.

    The deliveries' own marks (leases, results) are not for the reader's role: they are read as the services, read-only.
    """
    async with _connected(reader_dsn) as connection:
        counted = await connection.fetchrow(_SQL["count_orders"])
        settled = SettlementAudit(faults=(), overdue=())
        if counted["has_settled"]:
            settled = await audit_settlement(connection, today)
        divergences = [OrderDivergence(where=SETTLEMENT, what=fault) for fault in settled.faults]
        divergences += await _receipt_divergences(connection)
        divergences += await _suspense_divergences(connection)
    if counted["deliveries"]:
        async with _connected(services_dsn) as connection:
            divergences += await _delivery_divergences(connection)
    return OrdersAudit(
        transfers=counted["transfers"],
        receipts=counted["receipts"],
        deliveries=counted["deliveries"],
        divergences=tuple(divergences),
        overdue=len(settled.overdue),
    )


async def _receipt_divergences(connection: Connection) -> list[OrderDivergence]:
    uneven, offsets = await verify_receipts(connection)
    found = [OrderDivergence(where=RECEIPTS, what=str(one), book=one.book, sequence=one.sequence) for one in uneven]
    for one in offsets:
        what = f"receipt {one.number} ({one.external_id}) is of {one.total} kopecks, its offsets are of {one.offsets}"
        found.append(OrderDivergence(where=RECEIPTS, what=what))
    return found


async def _suspense_divergences(connection: Connection) -> list[OrderDivergence]:
    found = []
    for one in await list_differences(connection):
        account = parts_of(one.account)
        where = f"transit account {account.transit}, channel {account.subject}"
        what = f"{where}: {one.owed} kopecks are owed, the items make {one.folded}"
        found.append(OrderDivergence(where=SUSPENSE, what=what, book=one.book))
    return found


async def _delivery_divergences(connection: Connection) -> list[OrderDivergence]:
    faults = await audit_orders(connection)
    return [OrderDivergence(where=DELIVERY, what=f"order {one.number} to {one.counterparty}: {one.fault}") for one in faults]


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(dsn, server_settings=_SETTINGS)
    try:
        yield connection
    finally:
        await connection.close()
