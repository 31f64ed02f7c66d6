"""Settlement's desk: what a bank answers on a register, applied order by order in delivery's own transaction (design W9)."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.delivery import Accepted, Done, Outgoing, Refused
from schemas.transfer import TransferReport, TransferResult, TransferState
from services.settlement.transitions import UNDER_WAY, Told, apply_result, park_result

_SQL = load_statements("services/settlement/desk.sql")

CANCELLED = "cancelled"
"""Code of the refusal that a desk gets when a person cancelled the register (services/delivery/desk.py)."""
NO_LINE = "в ответе на реестр нет строки поручения"
STRANGER = "в реестре нет поручения с таким ключом"
UNREADABLE = "ответ на реестр не читается"


class TransferDesk:
    """The desk of ``what='transfer'``; ``subject`` of an order of delivery is the register."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        """Apply what is told of each order of the register; see ``services.delivery.desk.Desk``.

        A final answer must tell of every order: one it leaves out while it is under way is kept for a person.
        """
        keys = [row["key"] for row in await connection.fetch(_SQL["list_orders"], order.key)]
        report = _report(answer.content)
        if report is None:
            return await self._park(connection, order, keys)
        told = {result.key: result for result in report.results}
        if isinstance(answer, Refused):
            reason = f"{answer.code}: {answer.reason}"
            refused = {key: TransferResult(key=key, state=TransferState.REJECTED, reason=reason) for key in keys}
            told = refused | told
        elif isinstance(answer, Accepted) and not answer.content:
            told = {key: TransferResult(key=key, state=TransferState.ACCEPTED) for key in keys}
        again = isinstance(answer, Refused) and answer.again and answer.code != CANCELLED
        for result in told.values():
            said = Told(result=result, told_by=order.key, at=self._now(), again=again)
            if result.key in keys:
                await apply_result(connection, said)
            else:
                await park_result(connection, said, STRANGER)
        if isinstance(answer, Done):
            await self._park_missing(connection, order, [key for key in keys if key not in told])
        if report.signer and report.signed_at is not None:
            await connection.execute(_SQL["add_signature"], order.key, report.signer, report.signed_at)

    async def _park_missing(self, connection: Connection, order: Outgoing, keys: list[str]) -> None:
        for key in keys:
            state = TransferState(await connection.fetchval(_SQL["find_state"], key))
            if state in UNDER_WAY:
                result = TransferResult(key=key, state=state, reason=NO_LINE)
                await park_result(connection, Told(result=result, told_by=order.key, at=self._now()), NO_LINE)

    async def _park(self, connection: Connection, order: Outgoing, keys: list[str]) -> None:
        for key in keys:
            result = TransferResult(key=key, state=TransferState.SENT, reason=UNREADABLE)
            await park_result(connection, Told(result=result, told_by=order.key, at=self._now()), UNREADABLE)


def _report(content: bytes) -> TransferReport | None:
    """Read what came back; nothing at all is a report without results, None what cannot be read."""
    if not content:
        return TransferReport(register="", results=())
    try:
        return msgspec.json.decode(content, type=TransferReport)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
