"""What lines of statements and registers tell of a payer: kept sealed, read only where a person or a rule asks for it."""

from typing import Protocol

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from services.suspense.core.evidence import Told
from services.suspense.queue import Item

_SQL = load_statements("services/suspense/suggestions.sql")


class Papers(Protocol):
    """Personal data's way in and out of the database (services/sealing.py)."""

    def read_line(self, transit: int, bank_id: str, sealed: bytes) -> Told:
        """Return what a line of a statement tells of its payer."""
        ...

    def read_register_line(self, register: int, row: int, sealed: bytes) -> Told:
        """Return what a line of a register tells of its payer."""
        ...

    def seal_payee(self, request: int, name: str) -> bytes:
        """Seal the name of a return's payee."""
        ...


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Whence an item's money came: what is told of its payer, and his bank account, empty where nobody tells."""

    told: Told
    payer_account: str


async def find_origin(connection: Connection, item: Item, papers: Papers | None) -> Origin:
    """Read the line of a statement or register that brought an item's money; without papers nothing that is sealed."""
    line = await connection.fetchrow(_SQL["find_line"], item.transit, item.external_id, item.space)
    if line is not None:
        sealed = line["sealed"]
        told = Told() if sealed is None or papers is None else papers.read_line(item.transit, item.external_id, sealed)
        return Origin(told=told, payer_account=line["counterparty_account"])
    row = await connection.fetchrow(_SQL["find_register_line"], item.space, item.external_id)
    if row is None or papers is None:
        return Origin(told=Told(), payer_account="")
    return Origin(told=papers.read_register_line(row["register"], row["row"], row["sealed"]), payer_account="")
