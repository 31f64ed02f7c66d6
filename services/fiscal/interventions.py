"""What people did with receipts, kept by name for ever: corrected, sent again (fiscal.intervention)."""

from collections.abc import Sequence
from datetime import datetime

from ledger.feed import Connection
from ledger.statements import load_statements
from services.fiscal.states import ReceiptState

_SQL = load_statements("services/fiscal/interventions.sql")


async def note_resending(connection: Connection, numbers: Sequence[int], by: str, at: datetime) -> None:
    """Keep who sends receipts again: those of the numbers that have failed, inside the open transaction that does so."""
    await connection.execute(_SQL["note_stopped"], ReceiptState.FAILED, list(numbers), "resend", by, at)


async def note_mending(connection: Connection, number: int, by: str, at: datetime) -> None:
    """Keep who corrected a receipt, inside the open transaction that does so."""
    await connection.execute(_SQL["note"], number, "mend", by, at)
