"""The obligations report (отчёт об обязательствах): who owes whom because an advance paid the lines of others (law.md 1.9)."""

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements

_SQL = load_statements("services/settlement/obligations.sql")


class Obligation(msgspec.Struct, frozen=True, kw_only=True):
    """Behind ``creditor``, advances held by ``holder`` paid so many kopecks of a recipient's service in so many accounts.

    offset = handed + owed + waiting + outside: given to the recipient by cuts; owed by the holder, which had been paid the
    advance; waiting for the money's cover or the next cut; paid before the ledger began, to be settled between the two.
    """

    creditor: str
    holder: str
    recipient: str
    recipient_name: str
    service: str
    accounts: int
    offset_kopecks: int
    handed_kopecks: int
    owed_kopecks: int
    waiting_kopecks: int
    outside_kopecks: int


async def list_obligations(connection: Connection, period: int, holder: str | None = None) -> tuple[Obligation, ...]:
    """Return the obligations from offsets on lines of ``period`` (year * 100 + month), of all holders or of one by its code.

    Settlement's own rows are as old as its consumer and last cut: until then everything is waiting.
    """
    rows = await connection.fetch(_SQL["list_obligations"], period, holder)
    return tuple([msgspec.convert(dict(row), Obligation) for row in rows])
