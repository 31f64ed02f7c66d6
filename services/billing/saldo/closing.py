"""Keeps a month's balances and its turnover sheet as it is closed, so that no later reading sums the whole history again."""

from datetime import datetime

from ledger.feed import Connection
from ledger.statements import load_statements
from services.billing.saldo.filling import fill
from services.billing.saldo.windows import month_window

SQL = load_statements("services/billing/saldo/closing.sql")


async def close_saldo(connection: Connection, provider: int, period: int, moment: datetime) -> bool:
    """Keep a provider's month in the caller's transaction; False where a later month was kept already.

    Loads and publications of charges wait for the transaction to end, and it for those under way; payments do not wait.
    """
    await connection.execute(SQL["hold_charges"])
    if await connection.fetchval(SQL["has_later"], provider, period):
        return False
    window = await month_window(connection, provider, period)
    await fill(connection, window)
    await connection.execute(SQL["add_cells"])
    await connection.execute(SQL["add_snapshot"], provider, period)
    await connection.execute(SQL["add_turnover"], provider, period)
    books, after, _, upto, _ = window.places()
    await connection.execute(SQL["add_closing"], provider, period, window.last, books, upto, after, moment)
    return True
