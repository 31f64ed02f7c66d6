"""Lines get their class: what was read and found is decided purely and stored, before anything is booked (design §4)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

import msgspec
import structlog

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.channel import Channel
from schemas.transfer import StatementMovement
from services.clearing import metrics
from services.clearing.core.classify import Found, Reading, classify, read_line, storno_pairs
from services.clearing.core.rules import RuleReady
from services.clearing.core.verdict import Line, Verdict
from services.clearing.facts import Facts, fetch_rules
from services.clearing.guarding import Guard
from services.clearing.personal import line_of
from services.sealing import NotUnsealed, Sealer

_SQL = load_statements("services/clearing/facts.sql")

READ = "read"
HOUSE = "clearing"
"""Who classified what the rules did."""
LINES_AT_ONCE = 1_000

_log = structlog.get_logger("kopeck.clearing")


class OwnOrders(Protocol):
    """Settlement, as clearing knows it (wired in kopeck: services do not import one another)."""

    async def may_be(self, connection: Connection, movements: Sequence[StatementMovement]) -> frozenset[str]:
        """Return the bank ids of those lines that ``take`` must be asked about."""
        ...

    async def take(self, connection: Connection, movement: StatementMovement, now: datetime) -> bool:
        """Apply a line to the order it executes or returns, in the open transaction; whether it is one's."""
        ...


Screen = Callable[[str, str, date], str]
"""(name, ИНН, day) -> what the stop lists say of a payer (115-ФЗ), without the name; empty when nothing."""


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """What classification is done with; ``channels`` by transit account (facts.statement_channels)."""

    sealer: Sealer
    channels: Mapping[int, Channel]
    accounts: Mapping[int, str]
    orders: OwnOrders
    screen: Screen


async def classify_lines(connection: Connection, desk: Desk, now: datetime, guard: Guard) -> int:
    """Classify every open line that can be; return how many. A line that may be an order's is a transaction of its own."""
    rules = await fetch_rules(connection)
    done, last = 0, 0
    while rows := await connection.fetch(_SQL["list_open_lines"], last, LINES_AT_ONCE):
        done += await _Batch(connection, desk, now, rules).classify(rows, guard)
        last = rows[-1]["line"]
    return done


class _Batch:
    """Some open lines on their way to a class."""

    def __init__(self, connection: Connection, desk: Desk, now: datetime, rules: Sequence[RuleReady]) -> None:
        self._connection = connection
        self._desk = desk
        self._now = now
        self._rules = rules
        self._read: dict[int, tuple[Line, Reading, str]] = {}
        self._pairs: Mapping[int, int] = {}
        self._rows: dict[int, Mapping[str, Any]] = {}

    async def classify(self, rows: Sequence[Mapping[str, Any]], guard: Guard) -> int:
        """A pair of a mistake and its correction is found among all lines and decided together, also when others fail."""
        for row in rows:
            if guard.waits(READ, row["line"]):
                continue
            with guard.alone(READ, row["line"]):
                try:
                    line = line_of(row, self._desk.sealer)
                except NotUnsealed as error:
                    _log.error("statement_line_sealed", line=row["line"], error=str(error))
                    continue
                self._read[line.line] = (line, read_line(line, self._rules), row["believed"])
        self._pairs = storno_pairs([(line, reading) for line, reading, _ in self._read.values()])
        self._rows = {row["line"]: row for row in rows if row["line"] in self._read}
        return await guard.together("classify", [*self._rows.values()], self._with_pairs)

    async def _with_pairs(self, rows: Sequence[Mapping[str, Any]]) -> int:
        numbers = [one for row in rows for one in (row["line"], self._pairs.get(row["line"])) if one is not None]
        return await self._decide([self._rows[one] for one in dict.fromkeys(numbers)])

    async def _decide(self, rows: Sequence[Mapping[str, Any]]) -> int:
        lines = [self._read[row["line"]] for row in rows]
        why = {row["line"]: row["why"] for row in rows}
        looked_up = await Facts(self._connection, self._desk.channels).find(lines)
        orders = await self._desk.orders.may_be(self._connection, [self._movement(line) for line, _, _ in lines])
        decided: list[tuple[Line, Verdict, str]] = []
        done = 0
        # An order is executed before it comes back.
        together = sorted(zip(lines, looked_up, strict=True), key=lambda one: (one[0][0].day, one[0][0].is_credit))
        for (line, reading, _), found in together:
            found = msgspec.structs.replace(found, mistake=self._pairs.get(line.line))
            if line.bank_id in orders:
                done += await self._ask_settlement(line, reading, found)
            else:
                decided.append((line, classify(line, reading, found), self._screened(line)))
        async with self._connection.transaction():
            return done + await self._store(decided, why)

    async def _ask_settlement(self, line: Line, reading: Reading, found: Found) -> int:
        """Let settlement look at a line and store its class, in one transaction."""
        connection = self._connection
        async with connection.transaction():
            if await connection.fetchval(_SQL["lock_open"], line.line) is None:
                return 0
            own = await self._desk.orders.take(connection, self._movement(line), self._now)
            verdict = classify(line, reading, msgspec.structs.replace(found, own=own))
            return await self._store([(line, verdict, self._screened(line))], {})

    async def _store(self, decided: Sequence[tuple[Line, Verdict, str]], why: Mapping[int, str]) -> int:
        """Store classes, and why lines without one wait; return how many have one now."""
        waiting = [one for one in decided if one[1].line_class is None and one[1].why != why.get(one[0].line)]
        if waiting:
            columns = (
                [line.line for line, _, _ in waiting],
                [one.why for _, one, _ in waiting],
                [text for _, _, text in waiting],
            )
            await self._connection.execute(_SQL["explain_open"], *columns)
        given = [(line, one, text, one.line_class.value) for line, one, text in decided if one.line_class is not None]
        if not given:
            return 0
        stored = await self._connection.fetch(
            _SQL["classify"],
            HOUSE,
            self._now,
            [line.line for line, _, _, _ in given],
            [line_class for _, _, _, line_class in given],
            [one.why for _, one, _, _ in given],
            [msgspec.json.encode(one.decision).decode() for _, one, _, _ in given],
            [text for _, _, text, _ in given],
            [one.decision.covered_by or None for _, one, _, _ in given],
        )
        kept = {row["line"] for row in stored}
        for line, one, text, _ in given:
            if line.line in kept and one.decision.covered_by:
                reference = ",".join(one.decision.hints.operations)
                await self._connection.execute(_SQL["add_fed_cover"], line.line, one.decision.space, reference)
            if line.line in kept and text:
                metrics.SCREENED.inc()
                _log.warning("payer_on_stop_list", line=line.line, transit=line.transit, bank_id=line.bank_id)
        return len(kept)

    def _movement(self, line: Line) -> StatementMovement:
        return StatementMovement(
            transit_account=self._desk.accounts[line.transit],
            bank_id=line.bank_id,
            day=line.day,
            is_credit=line.is_credit,
            amount_kopecks=line.amount,
            number=line.number,
            counterparty_account=line.account,
            counterparty_inn=line.inn,
            purpose=line.purpose,
            document_day=line.document_day,
        )

    def _screened(self, line: Line) -> str:
        """Look the payer up; of «Банк//ФИО//адрес//» every part (115-ФЗ, payer of a transfer without an account)."""
        if not line.is_credit:
            return ""
        parts = [part.strip() for part in line.payer.split("//")]
        told = [self._desk.screen(part, line.inn if place == 0 else "", line.day) for place, part in enumerate(parts) if part]
        return "; ".join(dict.fromkeys(one for one in told if one))
