"""Consumer ``reassignments``: completes every reassignment whose second half a crash kept from being written (design W7)."""

from ledger.core.reassign import is_departure
from ledger.feed import Connection, Passage
from ledger.journal import recorded_entry
from ledger.reassign import arrive
from ledger.statements import load_statements

_SQL = load_statements("services/settlement/reassignments.sql")


class ReassignmentConsumer:
    """Appends the arrivals of departures; who wrote the departure has mostly done so before."""

    name = "reassignments"

    async def take(self, connection: Connection, passage: Passage) -> int:
        """Complete the passage's reassignments; see ``services.runner.Consumer``. An account that is busy is tried again."""
        place = (passage.book, passage.after, passage.upto)
        for row in await connection.fetch(_SQL["list_departures"], *place):
            departure = recorded_entry(row)
            if is_departure(departure.entry):
                await arrive(connection, departure)
        return int(await connection.fetchval(_SQL["count_entries"], *place))
