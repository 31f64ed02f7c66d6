"""Consumer ``settlement``: folds the feed into promises by clearing account, and book 0 into confirmed money (design §4)."""

from ledger.feed import Connection, Passage
from ledger.statements import load_statements
from schemas.ids import BOOK_WITHOUT_PAYER

_SQL = load_statements("services/settlement/consumer.sql")


class SettlementConsumer:
    """Writes settlement.promise, its pages and corrections, and settlement.confirmed."""

    name = "settlement"

    async def take(self, connection: Connection, passage: Passage) -> int:
        """Fold the passage in one statement; see ``services.runner.Consumer``."""
        fold = "fold_confirmed" if passage.book == BOOK_WITHOUT_PAYER else "fold_promised"
        return int(await connection.fetchval(_SQL[fold], passage.book, passage.after, passage.upto))
