"""What of reconciliation waits, for metrics and the morning: days not closed, late news of closed days, the oldest promise."""

from datetime import date

import msgspec

from ledger.feed import Connection
from schemas.ids import Transit
from services.calendar import working_days_between
from services.reconciliation.reading import SQL as DAYS_SQL
from services.reconciliation.report import ONE_DAY, reconcile
from services.reconciliation.signed import SQL


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What waits on one transit account. ``promised_*`` are of money promised to it and not covered, orders left out."""

    transit: Transit
    account: str
    unreconciled_days: int
    oldest_unreconciled: date | None
    late_items: int
    promised_kopecks: int
    oldest_promised: date | None
    oldest_promised_working_days: int


async def list_backlog(connection: Connection, today: date) -> tuple[Backlog, ...]:
    """Return what waits on every transit account that has an open day.

    It reads the journal since the last closed day: once in minutes, not in seconds.
    """
    rows = {row["transit"]: row for row in await connection.fetch(SQL["list_backlog"])}
    found = []
    for one in await connection.fetch(DAYS_SQL["list_transits"]):
        if one["open_day"] is None:
            continue
        row = rows[one["transit"]]
        report = await reconcile(connection, one["transit"], one["open_day"])
        promised = [promise for promise in report.promised if promise.what != "order"]
        oldest = min((promise.since for promise in promised), default=None)
        found.append(
            Backlog(
                transit=one["transit"],
                account=one["account"],
                unreconciled_days=row["days"],
                oldest_unreconciled=row["oldest"],
                late_items=await connection.fetchval(SQL["count_late"], one["transit"]),
                promised_kopecks=sum(promise.amount_kopecks for promise in promised),
                oldest_promised=oldest,
                oldest_promised_working_days=working_days_between(oldest + ONE_DAY, today) if oldest is not None else 0,
            )
        )
    return tuple(found)
