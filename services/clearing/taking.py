"""A statement taken in: its lines stored once, in one transaction, whatever statements they stand on (design §4).

The same words of the bank on the same days again change nothing. A line known with another content is a fault that a person must
look at: it is parked, which keeps the day open, and what was told first stays. A line that a final statement of its day no longer
has has vanished; one that is told again has come back. What follows for the books is booking.py's.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import structlog

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.statement import BankStatement, StatementEntry, StatementKind, StatementUnbelieved
from services.clearing import metrics
from services.clearing.personal import PersonalText, seal_text, unseal_text
from services.sealing import NotUnsealed, Sealer

_SQL = load_statements("services/clearing/taking.sql")

LINES_MAX = 40_000
"""Lines of one statement: more would not be stored within the 5 s that a transaction may take (design W3)."""

_log = structlog.get_logger("kopeck.clearing")


class TakenStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a statement, in lines. ``repeated``: nothing new was said, nothing was written."""

    statement: int
    repeated: bool
    new: int = 0
    known: int = 0
    conflicts: int = 0
    vanished: int = 0
    came_back: int = 0


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a conflicting line: no text of it."""

    field: str
    amount_kopecks: int
    day: str


async def take_statement(
    connection: Connection, statement: BankStatement, sealer: Sealer, by: str, now: datetime
) -> TakenStatement:
    """Store a believed statement in one transaction, whole or not at all, as the services role.

    Raises LookupError for an account that is not ours, StatementUnbelieved for too many lines, a bank's id that stands on two, a
    part of days of which another part is taken, or days that were told of in another format: its ids of the same lines are
    others, and all money would be confirmed twice. Any database error means that nothing was stored.
    """
    transit = await connection.fetchval(_SQL["find_transit"], statement.account)
    if transit is None:
        raise LookupError(f"transit account {statement.account} is not in the register")
    if len(statement.entries) > LINES_MAX:
        raise StatementUnbelieved(
            f"{len(statement.entries)} lines, and at most {LINES_MAX} are taken at once: ask for fewer days"
        )
    if len({entry.bank_id for entry in statement.entries}) < len(statement.entries):
        raise StatementUnbelieved("one bank id stands on two lines")
    family = statement.source.partition(".")[0]
    digest = hashlib.sha256(msgspec.json.encode(statement)).digest()
    async with connection.transaction():
        await connection.execute(_SQL["lock_transit"], transit)
        days = (transit, statement.since, statement.until, statement.source)
        newest = await connection.fetchrow(_SQL["find_newest_content"], *days)
        if newest is not None and newest["content_digest"] == digest:
            return TakenStatement(statement=newest["statement"], repeated=True)
        other = await connection.fetchval(_SQL["find_other_source"], transit, statement.since, statement.until, family)
        if other is not None:
            raise StatementUnbelieved(f"these days are told of by {other} already: {statement.source} has other ids of lines")
        number = await connection.fetchval(_SQL["add_statement"], *_columns(transit, statement), digest, by, now)
        return await _Taking(connection, transit, statement, sealer).take(number)


class _Taking:
    """One statement while it is stored, inside its transaction."""

    def __init__(self, connection: Connection, transit: int, statement: BankStatement, sealer: Sealer) -> None:
        self._connection = connection
        self._transit = transit
        self._statement = statement
        self._sealer = sealer
        self._is_final = statement.kind is StatementKind.FINAL

    async def take(self, number: int) -> TakenStatement:
        connection, entries = self._connection, self._statement.entries
        rows = await connection.fetch(_SQL["find_known_lines"], self._transit, [entry.bank_id for entry in entries])
        known = {row["bank_id"]: row for row in rows}
        fresh = [entry for entry in entries if entry.bank_id not in known]
        if fresh:
            await connection.execute(_SQL["add_lines"], self._transit, number, *self._lines(fresh))
        told_again = [entry for entry in entries if entry.bank_id in known]
        conflicts = [(entry, field) for entry in told_again if (field := self._differs(entry, known[entry.bank_id]))]
        for entry, field in conflicts:
            await self._park(entry, field, number)
        came_back = await self._come_back(number, told_again, known)
        vanished = 0
        if self._is_final:
            differ = {entry.bank_id for entry, _ in conflicts}
            days = [known[one.bank_id]["day"] if one.bank_id in differ else one.day for one in told_again]
            await connection.execute(_SQL["stand_on"], self._transit, number, [one.bank_id for one in told_again], days)
            if not told_again:
                await self._refuse_part()
            vanished = 0 if self._statement.filtered else await self._vanish(number)
        return TakenStatement(
            statement=number,
            repeated=False,
            new=len(fresh),
            known=len(told_again) - len(conflicts),
            conflicts=len(conflicts),
            vanished=vanished,
            came_back=came_back,
        )

    def _lines(self, entries: Sequence[StatementEntry]) -> list[list[Any]]:
        rows = [
            (
                one.bank_id,
                one.day,
                one.is_credit,
                one.amount_kopecks,
                one.number,
                one.document_day,
                one.operation,
                one.code,
                one.counterparty.account,
                one.counterparty.bic,
                one.counterparty.inn,
                msgspec.json.encode(one.references).decode(),
                one.is_reversal,
                seal_text(self._sealer, self._transit, one),
            )
            for one in entries
        ]
        return [list(column) for column in zip(*rows, strict=True)]

    def _differs(self, entry: StatementEntry, row: Mapping[str, Any]) -> str:
        """Name the first field in which a known line is told otherwise, empty when in none.

        Before a final statement has it, a line's day is not final either.
        """
        party = entry.counterparty
        told: dict[str, object] = {
            "is_credit": entry.is_credit,
            "amount": entry.amount_kopecks,
            "number": entry.number,
            "document_day": entry.document_day,
            "operation": entry.operation,
            "code": entry.code,
            "counterparty_account": party.account,
            "counterparty_bic": party.bic,
            "counterparty_inn": party.inn,
            "is_reversal": entry.is_reversal,
        }
        if row["is_final"] and row["vanished_until"] is None:
            told["day"] = entry.day
        for field, value in told.items():
            if value != row[field]:
                return field
        return "" if self._reads(entry, row["sealed"]) else "purpose"

    def _reads(self, entry: StatementEntry, sealed: bytes | None) -> bool:
        """Whether a known line's text is the one told; one that was erased, or whose key is lost, is compared with nothing."""
        if sealed is None:
            return True
        try:
            known = unseal_text(self._sealer, self._transit, entry.bank_id, sealed)
        except NotUnsealed as error:
            _log.error("statement_line_sealed", transit=self._transit, error=str(error))
            return True
        return known == PersonalText(payer=entry.counterparty.name, purpose=entry.purpose)

    async def _park(self, entry: StatementEntry, field: str, number: int) -> None:
        content = Conflict(field=field, amount_kopecks=entry.amount_kopecks, day=entry.day.isoformat())
        encoded = msgspec.json.encode(content).decode()
        if await self._connection.fetchval(_SQL["park_conflict"], self._transit, entry.bank_id, encoded):
            metrics.CONFLICTS.inc()
            _log.error("statement_line_conflict", transit=self._transit, bank_id=entry.bank_id, field=field, statement=number)

    async def _come_back(self, number: int, told_again: Sequence[StatementEntry], known: Mapping[str, Mapping[str, Any]]) -> int:
        """Bring back vanished lines. Only a final statement outweighs the final one that had lost them, unless the line is told
        of a later day than that one spoke of."""
        back = []
        for entry in told_again:
            row = known[entry.bank_id]
            if row["vanished_until"] is not None and (self._is_final or entry.day > row["vanished_until"]):
                back.append((row["line"], entry.day))
                _log.warning("statement_line_came_back", transit=self._transit, bank_id=entry.bank_id, statement=number)
        if back:
            lines = [line for line, _ in back]
            await self._connection.execute(_SQL["keep_reversed"], lines, number)
            await self._connection.execute(_SQL["come_back"], number, lines, [day for _, day in back])
        return len(back)

    async def _refuse_part(self) -> None:
        """A statement that has no line of those known and goes on where another of its days ended is only a part of them."""
        one = self._statement
        if one.opening_kopecks == one.closing_kopecks:
            return
        place = (self._transit, one.since, one.until, one.opening_kopecks, one.closing_kopecks)
        other = await self._connection.fetchval(_SQL["find_other_part"], *place)
        if other is not None:
            raise StatementUnbelieved(f"it continues statement {other} of the same days: the bank must give the days whole")

    async def _vanish(self, number: int) -> int:
        statement = self._statement
        rows = await self._connection.fetch(_SQL["list_missing"], self._transit, number, statement.since, statement.until)
        await self._connection.execute(_SQL["vanish"], [row["line"] for row in rows], number)
        for row in rows:
            metrics.VANISHED.labels(row["class"] or "").inc()
            told = {
                "amount": row["amount"],
                "is_credit": row["is_credit"],
                "line_class": row["class"],
                "sequence": row["sequence"],
            }
            _log.error("statement_line_vanished", transit=self._transit, bank_id=row["bank_id"], statement=number, **told)
        return len(rows)


def _columns(transit: int, statement: BankStatement) -> tuple[Any, ...]:
    moved = {side: sum(entry.amount_kopecks for entry in statement.entries if entry.is_credit is side) for side in (True, False)}
    return (
        transit,
        statement.source,
        statement.kind.value,
        statement.since,
        statement.until,
        statement.opening_kopecks,
        statement.closing_kopecks,
        moved[True] if statement.credited_kopecks is None else statement.credited_kopecks,
        moved[False] if statement.debited_kopecks is None else statement.debited_kopecks,
        statement.filtered,
        len(statement.entries),
    )
