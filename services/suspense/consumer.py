"""Consumer ``suspense``: folds everything that touches suspense accounts into items, their releases, and what stands beside."""

from ledger.feed import Connection, Passage
from ledger.journal import recorded_entry
from ledger.statements import load_statements
from services.suspense.core.folding import Arrived, Beside, CameBack, Change, Corrected, Given, Opened, changes_of

_SQL = load_statements("services/suspense/consumer.sql")


class SuspenseConsumer:
    """Writes suspense.item, suspense.release and suspense.beside; decisions are people's (decisions.py)."""

    name = "suspense"

    async def take(self, connection: Connection, passage: Passage) -> int:
        """Fold the passage; see ``services.runner.Consumer``. Few entries touch suspense: each is a statement or two."""
        place = (passage.book, passage.after, passage.upto)
        for row in await connection.fetch(_SQL["list_entries"], *place):
            recorded = recorded_entry(row)
            for change in changes_of(recorded):
                await _write(connection, passage, change)
        return int(await connection.fetchval(_SQL["count_entries"], *place))


async def _write(connection: Connection, passage: Passage, change: Change) -> None:
    match change:
        case Opened():
            await _open(connection, change)
        case Given(part=part):
            row = (part.number, change.sequence, change.amount, change.account, change.transfer)
            if await connection.fetchval(_SQL["add_release"], part.book, part.sequence, *row):
                await connection.execute(_SQL["take_released"], part.book, part.sequence, change.amount)
        case Arrived(part=part):
            place = (change.arrived_book, change.arrived_sequence)
            await connection.execute(_SQL["mark_arrived"], part.book, part.sequence, part.number, *place)
        case CameBack(part=part):
            back = (change.sequence, change.why)
            await connection.execute(_SQL["mark_come_back"], part.book, part.sequence, part.number, *back)
        case Corrected():
            if not await connection.fetchval(_SQL["take_reversed"], change.book, change.sequence, change.amount):
                for beside in change.otherwise:
                    await _write(connection, passage, beside)
        case Beside(transit=transit, channel=channel):
            await connection.execute(_SQL["add_beside"], transit, channel, passage.book, change.kind, change.amount)


async def _open(connection: Connection, opened: Opened) -> None:
    recorded, note = opened.recorded, opened.note
    entry = recorded.entry
    await connection.execute(
        _SQL["open_item"],
        recorded.book,
        recorded.sequence,
        entry.transit,
        entry.channel,
        entry.space,
        entry.external_id,
        opened.amount,
        entry.reason,
        note.account,
        list(note.candidates),
        note.named,
        entry.personal_account,
        entry.event_at,
        entry.value_date,
        recorded.bank_day,
    )
