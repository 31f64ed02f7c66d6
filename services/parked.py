"""Cases that no program may decide: conflicts, stale timestamps, tables that fail their digest (design §4, W6).

An unresolved conflict blocks the closing of its transit account's day; the ledger itself checks that.
"""

from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from ledger.statements import load_statements

_SQL = load_statements("services/parked.sql")

CASES_MAX = 1000


class ParkedCase(msgspec.Struct, frozen=True, kw_only=True):
    """One case; ``content`` is the JSON of what was offered, without names or raw message."""

    number: int
    what: str
    channel: str
    space: str
    external_id: str
    content: msgspec.Raw
    seen_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None


class NotParked(LookupError):
    """No unresolved case has that number."""


async def list_parked(connection: "asyncpg.Connection[Any]", *, resolved_too: bool) -> tuple[ParkedCase, ...]:
    """Return at most CASES_MAX cases, the oldest first."""
    rows = await connection.fetch(_SQL["list_parked"], resolved_too, CASES_MAX)
    return tuple(
        ParkedCase(
            number=row["parked"],
            what=row["what"],
            channel=row["channel"] or "",
            space=row["space"] or "",
            external_id=row["external_id"],
            content=msgspec.Raw(row["content"].encode()),
            seen_at=row["seen_at"],
            resolved_at=row["resolved_at"],
            resolved_by=row["resolved_by"],
        )
        for row in rows
    )


async def resolve_parked(connection: "asyncpg.Connection[Any]", number: int, by: str) -> None:
    """Mark a case as resolved by ``by``; NotParked when there is no such case or it is resolved already."""
    if await connection.fetchval(_SQL["resolve_parked"], number, by) is None:
        raise NotParked(f"no unresolved case {number}")
