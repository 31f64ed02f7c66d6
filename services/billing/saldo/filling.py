"""Sums the movements of a window into temporary tables of the caller's transaction: places, parts, rows (``filling.sql``).

All is done by the database, set by set. Of all accounts the journal is read from the closing before on, as it stands in the
books; of some accounts along their own chains of entries.
"""

from collections.abc import Sequence

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.saldo.windows import Window

SQL = load_statements("services/billing/saldo/filling.sql")


class Only(msgspec.Struct, frozen=True, kw_only=True):
    """Which accounts are wanted; None: all of the provider's. Houses are codes of the housing stock."""

    accounts: Sequence[AccountId] | None = None
    houses: Sequence[str] | None = None


EVERYBODY = Only()


async def fill(connection: Connection, window: Window, only: Only = EVERYBODY) -> None:
    """Fill ``saldo_place``, ``saldo_part`` and ``saldo_row`` with a window, in the caller's transaction."""
    assert connection.is_in_transaction(), "temporary tables go with the transaction"
    for statement in ("give_memory", "drop", "make_place", "make_posting", "make_part"):
        await connection.execute(SQL[statement])
    await _place(connection, window, only)
    await _charge(connection, window)
    await _read_journal(connection, window, is_narrow=only.accounts is not None)
    await connection.execute(SQL["postings"], *window.days())
    await connection.execute(SQL["fold"])


async def take_closed(connection: Connection, window: Window, only: Only) -> None:
    """Fill ``saldo_row`` with a closed month's kept rows by house, in the caller's transaction."""
    await connection.execute(SQL["drop"])
    await connection.execute(SQL["take_closed"])
    await connection.execute(SQL["fill_closed"], window.provider, window.period, only.houses and list(only.houses))


async def _place(connection: Connection, window: Window, only: Only) -> None:
    accounts = None if only.accounts is None else list(only.accounts)
    if window.own is None:
        await connection.execute(SQL["place_now"], window.provider, window.previous_period, window.last, accounts)
    else:
        await connection.execute(SQL["place_closed"], window.provider, window.period, window.previous_period, accounts)
    if only.houses is not None:
        await connection.execute(SQL["confine"], list(only.houses))
    await connection.execute(SQL["analyze_place"])


async def _charge(connection: Connection, window: Window) -> None:
    before = window.previous_period
    await connection.execute(SQL["charges"], before, window.period)
    await connection.execute(SQL["recalculated"], window.period)
    if window.own is not None:
        await connection.execute(SQL["not_yet"], before, window.period)
    if window.previous is not None:
        await connection.execute(SQL["snapshot"], window.provider, before)
        await connection.execute(SQL["late"], before)
        await connection.execute(SQL["newcomers_charges"], before)


async def _read_journal(connection: Connection, window: Window, *, is_narrow: bool) -> None:
    places = window.places()
    if is_narrow:
        await connection.execute(SQL["read_chains"], *places, True)
    else:
        await connection.execute(SQL["read_books"], *places)
        if window.previous is not None and await connection.fetchval(SQL["count_newcomers"]):
            await connection.execute(SQL["read_chains"], *places, False)
    await connection.execute(SQL["analyze_posting"])
