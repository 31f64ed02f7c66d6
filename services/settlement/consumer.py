"""Consumer ``settlement``: folds the feed into promises and moves, and book 0 into confirmed money and claims (design §4)."""

from ledger.feed import Connection, Passage
from ledger.statements import load_statements
from schemas.ids import BOOK_WITHOUT_PAYER
from services.settlement.rules.claims import CLAIM_DAYS

_SQL = load_statements("services/settlement/consumer.sql")


class SettlementConsumer:
    """Writes settlement.promise, its pages and corrections, moves, deductions; settlement.confirmed, claims and payments."""

    name = "settlement"

    async def take(self, connection: Connection, passage: Passage) -> int:
        """Fold the passage; see ``services.runner.Consumer``."""
        place = (passage.book, passage.after, passage.upto)
        if passage.book != BOOK_WITHOUT_PAYER:
            return int(await connection.fetchval(_SQL["fold_promised"], *place))
        taken = int(await connection.fetchval(_SQL["fold_confirmed"], *place, CLAIM_DAYS))
        for row in await connection.fetch(_SQL["list_debts_paid"], *place):
            how = "paid" if row["is_paid"] else "cancelled"
            await connection.execute(_SQL["pay_claims"], row["transit"], row["party"], row["amount"], row["sequence"], how)
        return taken
