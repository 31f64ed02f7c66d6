"""Consumer ``balances``: adds up each passage once per ledger account, so that a hot account costs no more than a cold one.

A balance updated inside the payment's own transaction would make every payment wait for the hot account's row (design W2).
"""

from ledger.feed import Connection, Passage
from ledger.statements import load_statements

_SQL = load_statements("services/balances/balances.sql")


class BalancesConsumer:
    """Writes read_model.balance."""

    name = "balances"

    async def take(self, connection: Connection, passage: Passage) -> int:
        """Fold the passage in one statement; see ``services.runner.Consumer``."""
        return int(await connection.fetchval(_SQL["fold"], passage.book, passage.after, passage.upto))
