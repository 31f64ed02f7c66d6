"""Consumer ``fiscal``: turns each passage of the feed into receipts, their orders, and reasons why there is none (W9)."""

from collections.abc import Sequence

from ledger.feed import Connection, Passage
from services.fiscal.core.decision import CORRECTING, Entry, Known, corrected_place, decide_entry
from services.fiscal.reading import SQL, list_charges, list_entries, list_origins, list_payers
from services.fiscal.registers import Registers
from services.fiscal.writing import write_decided


class FiscalConsumer:
    """Writes fiscal.receipt, fiscal.no_receipt, fiscal.advance_offset and the orders in delivery.outgoing."""

    name = "fiscal"

    def __init__(self) -> None:
        self._registers = Registers()

    async def take(self, connection: Connection, passage: Passage) -> int:
        """Take a passage in a handful of statements; see ``services.runner.Consumer``."""
        counted = int(await connection.fetchval(SQL["count_entries"], passage.book, passage.after, passage.upto))
        entries = await list_entries(connection, passage)
        if not entries:
            return counted
        known = Known(
            payers=await list_payers(connection, [entry.personal_account for entry in entries]),
            charges=await list_charges(connection, entries),
            templates=await self._registers.templates(connection),
            origins={},
        )
        plain = [entry for entry in entries if entry.kind not in CORRECTING]
        await write_decided(connection, [decide_entry(entry, known) for entry in plain], known.payers)
        # What an entry corrects may stand in the same passage: its receipts have their numbers only now.
        for wave in _waves(passage, [entry for entry in entries if entry.kind in CORRECTING]):
            known.origins.update(await list_origins(connection, wave))
            await write_decided(connection, [decide_entry(entry, known) for entry in wave], known.payers)
        return counted


def _waves(passage: Passage, entries: Sequence[Entry]) -> list[list[Entry]]:
    """Corrections in turns, so that one of another correction in the passage comes after it."""
    waves: list[list[Entry]] = []
    turn: dict[int, int] = {}
    for entry in entries:
        place = corrected_place(entry)
        before = turn.get(place[1], -1) if place is not None and place[0] == passage.book else -1
        turn[entry.sequence] = before + 1
        if before + 1 == len(waves):
            waves.append([])
        waves[before + 1].append(entry)
    return waves
