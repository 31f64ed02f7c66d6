"""What the clearing accounts still promise, read for matching (matching.py) and for people (ageing.py)."""

from datetime import date, timedelta

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from services.clearing.core.matching import DayPromise, OperationPromise, Promises, RegisterPromise
from services.clearing.core.verdict import Hints

_SQL = load_statements("services/clearing/promises.sql")

LOOK_BACK = timedelta(days=400)
"""Days of payers before that are not looked at when a cover is matched."""
LINES_AT_ONCE = 10_000
_SUMS = ("refused", "refused_lines", "repeated", "repeated_lines")


async def note_registers(connection: Connection) -> int:
    """Note what each register promises whose lines have their outcomes by now; return how many.

    Lines of such a register never change, so they are added up in pieces: no statement is long, however many there are.
    """
    rows = await connection.fetch(_SQL["list_new_registers"])
    for row in rows:
        last, sums = 0, [0] * len(_SUMS)
        while True:
            piece = await connection.fetchrow(_SQL["sum_lines"], row["register"], last, LINES_AT_ONCE)
            if piece["last"] is None:
                break
            last = piece["last"]
            sums = [before + piece[name] for before, name in zip(sums, _SUMS, strict=True)]
        await connection.execute(_SQL["add_register_promise"], row["register"], *sums)
    return len(rows)


async def fetch_promises(connection: Connection, transit: int, space: int, hints: Hints, day: date) -> Promises:
    """Read what a clearing account promises, as far as a cover of ``day`` with these hints can be of it."""
    registers = await connection.fetch(_SQL["list_registers"], transit, space, list(hints.registers))
    days = await connection.fetch(_SQL["list_days"], transit, space, day - LOOK_BACK)
    operations = (
        await connection.fetch(_SQL["list_operations"], transit, space, list(hints.operations)) if hints.operations else []
    )
    return Promises(
        registers=tuple([_register(dict(row)) for row in registers]),
        days=tuple([msgspec.convert(dict(row), DayPromise) for row in days]),
        operations=tuple([msgspec.convert(dict(row), OperationPromise) for row in operations]),
    )


def _register(row: dict[str, object]) -> RegisterPromise:
    promise: RegisterPromise = msgspec.convert(row, RegisterPromise)
    return msgspec.structs.replace(promise, rest=max(promise.rest, 0), fee_rest=max(promise.fee_rest, 0))
