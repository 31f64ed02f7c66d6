"""Approval of large orders by two people, neither of them the maker (design §4, issue «two-person approval above a limit»)."""

from datetime import datetime

import asyncpg

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.transfer import TransferState
from services.settlement.orders import MAKER, Step, add_history

_SQL = load_statements("services/settlement/approvals.sql")

NAME_CHARACTERS_MAX = 128


class ApprovalRefused(ValueError):
    """The order was not approved; the message says why."""


async def approve_order(connection: Connection, key: str, by: str, now: datetime) -> int:
    """Approve an order as a person; how many approvals are still wanting, 0 when it may leave.

    Raises ApprovalRefused for an unknown order, one that needs no approval or is past it, an empty name, the maker's, and the
    name of someone who has approved it already, in whatever case.
    """
    name = by.strip().lower()
    if not name or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise ApprovalRefused("имя утверждающего пусто или не читается")
    if name == MAKER:
        raise ApprovalRefused("тот, кто составил поручение, его не утверждает")
    async with connection.transaction():
        order = await connection.fetchrow(_SQL["lock_order"], key)
        if order is None:
            raise ApprovalRefused("такого поручения нет")
        if order["state"] != TransferState.CREATED:
            raise ApprovalRefused("поручение не ждёт утверждения")
        try:
            async with connection.transaction():
                await connection.execute(_SQL["add_approval"], order["transfer"], name, now)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "approval_once":
                raise
            raise ApprovalRefused(f"{by.strip()} уже утвердил это поручение: нужно второе лицо") from error
        wanting = int(order["approvals_needed"] - await connection.fetchval(_SQL["count_approvals"], order["transfer"]))
        if wanting <= 0:
            await connection.execute(_SQL["set_approved"], order["transfer"])
            await add_history(connection, order["transfer"], Step(state=TransferState.APPROVED, at=now, told_by=name))
    return max(wanting, 0)
