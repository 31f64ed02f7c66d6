"""Lines of the transit account's statement, recognised as orders of ours (design §4 «One class per statement line»).

A debit executes an order, a credit from a payee returns one. Recognised by our number, the sum and the payee's account before
anything else, and only when that leaves one order; what is not recognised is kept with the reason.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.transfer import StatementMovement, TransferResult, TransferState
from services.settlement.transitions import Applied, Told, apply_result

_SQL = load_statements("services/settlement/statement.sql")

LOOK_BACK = timedelta(days=60)
"""How long before a line its order may have been dated."""
BEFORE_ORDER = "строка датирована раньше поручения"
NO_ACCOUNT = "счёт не заведён"
NO_ORDER = "нет нашего поручения с этим номером, суммой и счётом получателя"
SEVERAL = "подходит несколько поручений"
NOT_FOLLOWING = "не следует из состояния поручения"
NOT_RETURNED = "в назначении нет слова «возврат»: это не возврат нашего поручения"
TWICE = "поручение уже подтверждено другой строкой выписки"

_RETURNED = re.compile(r"возвра[тщ]", re.IGNORECASE)
"""A bank that sends a transfer back says so (762-П); a payee that pays the same sum again, for a flat whose number is that of
an order, does not."""
_NUMBERS = re.compile(r"(?<![0-9])[0-9]{1,6}(?![0-9])", re.ASCII)


class Recognised(IntEnum):
    """What became of a line."""

    APPLIED = 0
    REPEATED = 1
    NOT_RECOGNISED = 2


class UnrecognisedMovement(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is no order's, and why."""

    bank_id: str
    movement: StatementMovement
    reason: str


async def take_movement(connection: Connection, movement: StatementMovement, now: datetime) -> Recognised:
    """Take one line of a believed statement, in one transaction; the same bank id again changes nothing.

    REPEATED: the line was taken before, or says what the bank's answer had said already.
    """
    async with connection.transaction():
        transit = await connection.fetchval(_SQL["find_transit"], movement.transit_account)
        if transit is None:
            raise LookupError(f"{movement.transit_account}: {NO_ACCOUNT}")
        # Two takers of one line: the second waits here for the first.
        await connection.execute(_SQL["lock_line"], f"{transit}/{movement.bank_id}")
        if await connection.fetchval(_SQL["is_taken"], transit, movement.bank_id):
            return Recognised.REPEATED
        order, reason = await _recognise(connection, transit, movement)
        if movement.is_credit and await connection.fetchval(_SQL["is_payers_account"], movement.counterparty_account):
            # A payer's own words are personal data: clearing keeps them sealed (152-ФЗ).
            movement = msgspec.structs.replace(movement, purpose="")
        applied = Applied.PARKED
        if order is not None:
            applied = await apply_result(connection, _told(order, movement, now))
            reason = NOT_FOLLOWING if applied is Applied.PARKED else ""
        transfer = order["transfer"] if order is not None and not reason else None
        await connection.execute(_SQL["add_movement"], transit, *_columns(movement), now, transfer, reason)
    if reason:
        return Recognised.NOT_RECOGNISED
    return Recognised.APPLIED if applied is Applied.MOVED else Recognised.REPEATED


async def _recognise(connection: Connection, transit: int, movement: StatementMovement) -> tuple[Mapping[str, Any] | None, str]:
    """Return the only order that the line can be, or why there is none."""
    numbers = {movement.number.lstrip("0")} if movement.number.isascii() and movement.number.isdecimal() else set()
    if movement.is_credit:
        if _RETURNED.search(movement.purpose) is None:
            return None, NOT_RETURNED
        numbers |= {number.lstrip("0") for number in _NUMBERS.findall(movement.purpose)}
    wanted = sorted(int(number) for number in numbers if number and len(number) <= 6)
    first = movement.day - LOOK_BACK
    arguments = (wanted, movement.amount_kopecks, movement.counterparty_account, first, movement.is_credit, movement.number)
    rows = await connection.fetch(_SQL["list_candidates"], transit, *arguments, movement.day)
    if not movement.is_credit and movement.document_day is not None:
        rows = [row for row in rows if row["day"] == movement.document_day]
    fitting = [row for row in rows if row["day"] <= movement.day and _fits(row, movement)]
    fitting = [row for row in fitting if row["is_ours"]] or fitting
    free = [row for row in fitting if not row["is_lined"]]
    if len(free) > 1 and not movement.is_credit:
        # The same number, sum and payee on two days: what the bank has told already is what its statement shows first.
        free = [row for row in free if row["is_told_of"]][:1] or free
    if len(free) > 1:
        free = [row for row in free if row["state"] in _EXPECTED[movement.is_credit]]
    if len(free) == 1:
        return free[0], ""
    if free or len(fitting) > 1:
        return None, SEVERAL
    if fitting:
        return None, TWICE
    return None, BEFORE_ORDER if any(row["day"] > movement.day for row in rows) else NO_ORDER


_EXPECTED = {
    False: frozenset({TransferState.SENT, TransferState.ACCEPTED, TransferState.HELD}),
    True: frozenset({TransferState.EXECUTED}),
}
"""States from which a debit, a credit leads on."""


def _fits(row: Mapping[str, Any], movement: StatementMovement) -> bool:
    """Whether an order may stand in the line: one that never left the house cannot, nor a return of one not executed."""
    state = TransferState(row["state"])
    if movement.is_credit:
        return state in (TransferState.EXECUTED, TransferState.RETURNED)
    return state not in (TransferState.CREATED, TransferState.APPROVED)


def _told(order: Mapping[str, Any], movement: StatementMovement, now: datetime) -> Told:
    state = TransferState.RETURNED if movement.is_credit else TransferState.EXECUTED
    reason = movement.purpose if movement.is_credit else ""
    result = TransferResult(key=order["key"], state=state, bank_number=movement.number, bank_day=movement.day, reason=reason)
    return Told(result=result, told_by=f"выписка {movement.bank_id}", at=now)


def _columns(movement: StatementMovement) -> tuple[Any, ...]:
    return (
        movement.bank_id,
        movement.day,
        movement.is_credit,
        movement.amount_kopecks,
        movement.number,
        movement.document_day,
        movement.counterparty_account,
        movement.counterparty_inn,
        movement.purpose,
    )


async def list_unrecognised(connection: Connection, limit: int = 100) -> tuple[UnrecognisedMovement, ...]:
    """Return the newest lines that are no order's."""
    return tuple(
        [
            UnrecognisedMovement(
                bank_id=row["bank_id"],
                reason=row["reason"],
                movement=StatementMovement(
                    transit_account=row["account"],
                    bank_id=row["bank_id"],
                    day=row["day"],
                    is_credit=row["is_credit"],
                    amount_kopecks=row["amount"],
                    number=row["number"],
                    document_day=row["document_day"],
                    counterparty_account=row["counterparty_account"],
                    counterparty_inn=row["counterparty_inn"],
                    purpose=row["purpose"],
                ),
            )
            for row in await connection.fetch(_SQL["list_unrecognised"], limit)
        ]
    )
