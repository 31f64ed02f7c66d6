"""Lines of statements as people see them: in a list, and one with all that is known of it."""

from datetime import date, datetime
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements

_SQL = load_statements("services/clearing/lookups.sql")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines to list; None for all. ``open_only``: those that somebody must look at or that are not booked yet."""

    transit_account: str | None = None
    day: date | None = None
    line_class: str | None = None
    open_only: bool = False


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """A line in a list, kopecks; ``difference`` of its cover. No text of it."""

    line: int
    transit_account: str
    bank_id: str
    day: date
    is_credit: bool
    amount: int
    number: str
    line_class: str
    why: str
    held_back: str
    screened: str
    sequence: int | None
    reversed_by: int | None
    vanished: bool
    difference: int


class CoverPartView(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a cover; of the newest ``turn`` counts."""

    turn: int
    part: int
    register: int | None
    day: date | None
    operation: str
    promised: int
    amount: int
    fee: int
    reason: str
    told_by: str
    told_at: datetime


class CoverView(msgspec.Struct, frozen=True, kw_only=True):
    """What a line covers: gross = its amount + fee, difference = gross − promised."""

    space: str
    by: str
    reference: str
    promised: int
    gross: int
    fee: int
    fee_bearer: str | None
    difference: int
    reason: str
    turn: int


class StatementView(msgspec.Struct, frozen=True, kw_only=True):
    """A statement of the line's day."""

    statement: int
    source: str
    kind: str
    since: date
    until: date
    lines: int
    loaded_by: str
    loaded_at: datetime


class LineTold(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what the bank told, what it was taken for and why, what it covers, where it is booked."""

    line: int
    transit_account: str
    transit: int
    bank_id: str
    day: date
    is_credit: bool
    amount: int
    number: str
    document_day: date | None
    operation: str
    code: str
    counterparty_account: str
    counterparty_bic: str
    counterparty_inn: str
    line_class: str
    why: str
    classified_by: str | None
    classified_at: datetime | None
    decision: str
    held_back: str
    screened: str
    sequence: int | None
    reversed_by: int | None
    turn: int
    first_statement: int
    last_statement: int
    vanished_from: int | None
    cover: CoverView | None = None
    parts: tuple[CoverPartView, ...] = ()
    statements: tuple[StatementView, ...] = ()


async def list_lines(connection: Connection, wanted: Wanted, limit: int) -> tuple[LineView, ...]:
    """Return lines, the newest first."""
    given = (wanted.transit_account, wanted.day, wanted.line_class, wanted.open_only, limit)
    return tuple([_read(row, LineView) for row in await connection.fetch(_SQL["list_lines"], *given)])


async def find_line(connection: Connection, line: int) -> LineTold | None:
    """Return all about a line but its text, which only the services may read."""
    row = await connection.fetchrow(_SQL["find_line"], line)
    if row is None:
        return None
    cover = await connection.fetchrow(_SQL["find_cover"], line)
    told: LineTold = _read(row, LineTold)
    return msgspec.structs.replace(
        told,
        cover=None if cover is None else _read(cover, CoverView),
        parts=tuple([_read(one, CoverPartView) for one in await connection.fetch(_SQL["list_parts"], line)]),
        statements=tuple(
            [_read(one, StatementView) for one in await connection.fetch(_SQL["list_statements"], told.transit, told.day)]
        ),
    )


async def find_sealed(connection: Connection, line: int) -> tuple[bytes | None, int, str] | None:
    """Return (sealed text, transit account, bank's id) of a line, as the services role; None for no line."""
    row = await connection.fetchrow(_SQL["find_sealed"], line)
    return None if row is None else (row["sealed"], row["transit"], row["bank_id"])


def _read(row: Any, kind: Any) -> Any:
    return msgspec.convert(dict(row), kind)
