"""What is still promised and by whom: clearing accounts by day, registers that are not covered whole (design §4)."""

from datetime import date, timedelta

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from services.calendar import working_days_between
from services.clearing.core.ageing import OpenDay, Owed, age_promises

_SQL = load_statements("services/clearing/promises.sql")

NEVER = date(1970, 1, 1)


class OpenRegister(msgspec.Struct, frozen=True, kw_only=True):
    """A register that is not covered whole, or more than whole (below nought); ``age`` in working days since its day."""

    register: int
    number: str
    day: date | None
    rest_kopecks: int
    age: int


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    """One clearing account: its balance, and what it consists of by day and by register. The two are views of one sum."""

    transit_account: str
    space: str
    balance_kopecks: int
    days: tuple[Owed, ...]
    registers: tuple[OpenRegister, ...]


async def list_promised(connection: Connection, today: date) -> tuple[Promised, ...]:
    """Return every clearing account that is not at nought, as far as the consumer ``clearing`` has come."""
    found = []
    for row in await connection.fetch(_SQL["list_clearing"]):
        balance = row["promised"] - row["covered"]
        place = (row["transit"], row["space"])
        days = [msgspec.convert(dict(one), OpenDay) for one in await connection.fetch(_SQL["list_days"], *place, NEVER)]
        registers = [_open(dict(one), today) for one in await connection.fetch(_SQL["list_registers"], *place, [])]
        if balance or registers:
            found.append(
                Promised(
                    transit_account=row["account"],
                    space=row["space_name"],
                    balance_kopecks=balance,
                    days=age_promises(days, balance, today),
                    registers=tuple(registers),
                )
            )
    return tuple(found)


def _open(row: dict[str, object], today: date) -> OpenRegister:
    day = row["day"]
    age = working_days_between(day + timedelta(days=1), today) if isinstance(day, date) else 0
    told = {name: row[name] for name in ("register", "number", "day")}
    register: OpenRegister = msgspec.convert({**told, "rest_kopecks": row["rest"], "age": age}, OpenRegister)
    return register
