"""Consumer ``postings``: packs each passage into a page a ledger account and bank day, and adds up the day's turnover."""

from ledger.feed import Connection, Passage
from ledger.statements import load_statements

_SQL = load_statements("services/postings/postings.sql")


class PostingsConsumer:
    """Writes read_model.posting_page and read_model.day_turnover."""

    name = "postings"

    async def take(self, connection: Connection, passage: Passage) -> int:
        """Fold the passage in one statement; see ``services.runner.Consumer``."""
        return int(await connection.fetchval(_SQL["fold"], passage.book, passage.after, passage.upto))
