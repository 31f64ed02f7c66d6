"""Consumer ``clearing``: folds the feed into what is promised by payers' day and what is covered, a clearing account (§4)."""

from ledger.feed import Connection, Passage
from ledger.statements import load_statements
from schemas.ids import BOOK_WITHOUT_PAYER

_SQL = load_statements("services/clearing/consumer.sql")


class ClearingConsumer:
    """Writes bank.promised_day and bank.covered."""

    name = "clearing"

    async def take(self, connection: Connection, passage: Passage) -> int:
        """Fold the passage in one statement; see ``services.runner.Consumer``."""
        fold = "fold_covered" if passage.book == BOOK_WITHOUT_PAYER else "fold_promised"
        return int(await connection.fetchval(_SQL[fold], passage.book, passage.after, passage.upto))
