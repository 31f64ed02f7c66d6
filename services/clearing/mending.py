"""What changes after lines were booked: entries of vanished lines are reversed, covers explained by registers that came later."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from ledger.core.bank_entries import Fee, fee_learnt
from ledger.feed import Connection
from ledger.reversal import reverse_entry
from ledger.statements import load_statements
from schemas import ids
from services.clearing.booking import LINES_AT_ONCE, Booked, BookingDesk, bank_line, booked_of, record, set_cover
from services.clearing.core.matching import match_cover
from services.clearing.guarding import Guard
from services.clearing.promises import fetch_promises

_SQL = load_statements("services/clearing/booking.sql")

_log = structlog.get_logger("kopeck.clearing")


async def reverse_vanished(connection: Connection, now: datetime, guard: Guard) -> int:
    """Reverse the entries of lines that vanished, each in a transaction of its own; return how many.

    Money that was ordered from them is not there: settlement shows it (``kopeck verify``), and makes no orders until it is.
    """
    done = 0
    for row in await connection.fetch(_SQL["list_vanished"], LINES_AT_ONCE):
        if not guard.waits("reverse", row["line"]):
            with guard.alone("reverse", row["line"]):
                done += await _reverse(connection, row, now)
    return done


async def _reverse(connection: Connection, row: Mapping[str, Any], now: datetime) -> bool:
    async with connection.transaction():
        if await connection.fetchval(_SQL["lock_vanished"], row["line"], row["sequence"]) is None:
            return False
        if row["fee_sequence"] is not None:
            await reverse_entry(connection, ids.BOOK_WITHOUT_PAYER, row["fee_sequence"], now)
        answer = await reverse_entry(connection, ids.BOOK_WITHOUT_PAYER, row["sequence"], now)
        if row["turn"] is not None:
            await connection.execute(_SQL["name_days"], row["line"], row["turn"], -1)
        await connection.execute(_SQL["set_reversed"], row["line"], answer.sequence)
    told = {"line_class": row["class"], "amount": row["amount"], "entry": row["sequence"], "reversal": answer.sequence}
    _log.error("vanished_line_reversed", line=row["line"], transit=row["transit"], bank_id=row["bank_id"], **told)
    return True


async def explain_covers(connection: Connection, desk: BookingDesk, now: datetime, guard: Guard) -> int:
    """Match again the covers of which only the payer is known; return how many a register or a day explains now."""
    done, last = 0, 0
    while rows := await connection.fetch(_SQL["list_unexplained"], last, LINES_AT_ONCE):
        last = rows[-1]["line"]
        for row in rows:
            if not guard.waits("explain", row["line"]):
                with guard.alone("explain", row["line"]):
                    done += await _explain(connection, desk, booked_of(row), now)
    return done


async def _explain(connection: Connection, desk: BookingDesk, one: Booked, now: datetime) -> bool:
    line, decision = one.line, one.decision
    async with connection.transaction():
        await connection.execute(_SQL["lock_space"], line.transit, decision.space)
        if await connection.fetchrow(_SQL["lock_unexplained"], line.line) is None:
            return False
        promises = await fetch_promises(connection, line.transit, decision.space, decision.hints, line.day)
        matched = match_cover(line, decision, promises)
        if matched.by == "payer":
            return False
        await set_cover(connection, one, matched, by=decision.explained_by or desk.by, now=now)
        if matched.fee:
            fee = Fee(amount_kopecks=matched.fee, bearer=decision.bearer)
            entry = fee_learnt(bank_line(one, now), ids.Space(decision.space), fee)
            (place,) = await record(connection, [entry])
            await connection.execute(_SQL["set_fee_sequence"], line.line, place)
    return True
