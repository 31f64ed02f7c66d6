"""A recipient's endpoint is told of its transfers, in the transaction that moves them (services/announce.py)."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.transfer import TransferState
from schemas.webhook import EventType, News, TransferNews
from services.announce import announce
from services.settlement.rules.numbering import register_number

_SQL = load_statements("services/settlement/news.sql")

TOLD = {
    TransferState.CREATED: EventType.TRANSFER_CREATED,
    TransferState.EXECUTED: EventType.TRANSFER_EXECUTED,
    TransferState.REJECTED: EventType.TRANSFER_REJECTED,
    TransferState.RETURNED: EventType.TRANSFER_RETURNED,
}
"""States that a recipient hears of."""


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """A state an order came into, with the bank's words."""

    state: TransferState
    at: datetime
    bank_number: str
    bank_day: date | None
    reason: str


async def tell_recipients(connection: Connection, transfers: Sequence[int], happened: Happened) -> None:
    """Announce what happened to orders to those recipients that listen; one look when nobody does."""
    rows = await connection.fetch(_SQL["find_news"], list(transfers))
    if rows:
        await announce(connection, [_news(row, happened) for row in rows])


def _news(row: Mapping[str, Any], happened: Happened) -> News:
    payload = TransferNews(
        key=row["key"],
        number=str(row["number"]),
        day=row["day"],
        amount_kopecks=row["amount"],
        purpose=row["purpose"],
        register="" if row["ordinal"] is None else register_number(row["transit"], row["register_day"], row["ordinal"]),
        bank_number=happened.bank_number,
        bank_day=happened.bank_day,
        reason=happened.reason,
    )
    return News(recipient=row["recipient"], type=TOLD[happened.state], key=row["key"], happened_at=happened.at, payload=payload)
