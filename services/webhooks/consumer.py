"""Consumer ``webhooks``: tells suppliers' endpoints of payments, each of its own legs only."""

from collections.abc import Sequence

import asyncpg

from ledger.feed import Connection, Passage
from ledger.statements import load_statements
from schemas.journal import EntryKind
from services.announce import add_events
from services.webhooks.payments import LegRow, events_of

_SQL = load_statements("services/webhooks/webhooks.sql")

_TOLD = (EntryKind.PAYMENT, EntryKind.SUSPENSE_RELEASE, EntryKind.REVERSAL, EntryKind.REFUND, EntryKind.REASSIGNMENT)
"""Entries that give a payer's money to recipients or take it back; offsets, commission and orders move it otherwise."""


class WebhooksConsumer:
    """Writes webhooks.event and its orders. Without a live endpoint it looks once and reads nothing of the journal."""

    name = "webhooks"

    async def take(self, connection: Connection, passage: Passage) -> int:
        """Make the events of a passage; see ``services.runner.Consumer``.

        What was appended before an endpoint was registered, or while it was closed, is not told to it later.
        """
        if await connection.fetchval(_SQL["is_anybody_listening"]):
            place = (passage.book, passage.after, passage.upto)
            rows = await connection.fetch(_SQL["list_legs"], *place, list(_TOLD))
            await add_events(connection, events_of(passage.book, _legs(rows)))
        return passage.entries


def _legs(rows: Sequence["asyncpg.Record"]) -> tuple[LegRow, ...]:
    return tuple([LegRow(**dict(row) | {"events": frozenset(row["events"])}) for row in rows])
