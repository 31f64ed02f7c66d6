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
NO_END = "окончательный ответ на реестр не говорит, чем кончилось поручение"
STRANGER = "в реестре нет поручения с таким ключом"
UNREADABLE = "ответ на реестр не читается"


class TransferDesk:
    """The desk of ``what='transfer'``; ``subject`` of an order of delivery is the register."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    async def settle(self, connection: Connection, order: Outgoing, answer: Done | Refused | Accepted) -> None:
        """Apply what is told of each order of the register, in the order told; see ``services.delivery.desk.Desk``.

        A final answer must tell of every order's end: one that it leaves under way is kept for a person.
        """
        keys = [row["key"] for row in await connection.fetch(_SQL["list_orders"], order.key)]
        report = _report(answer.content)
        if report is None:
            return await self._park(connection, order, keys)
        told = list(report.results)
        if isinstance(answer, Refused):
            known, reason = {result.key for result in told}, f"{answer.code}: {answer.reason}"
            told += [TransferResult(key=key, state=TransferState.REJECTED, reason=reason) for key in keys if key not in known]
        elif isinstance(answer, Accepted) and not answer.content:
            told = [TransferResult(key=key, state=TransferState.ACCEPTED) for key in keys]
        again = isinstance(answer, Refused) and answer.again and answer.code != CANCELLED
        for result in told:
            said = Told(result=result, told_by=order.key, at=self._now(), again=again)
            if result.key in keys:
                await apply_result(connection, said)
            else:
                await park_result(connection, said, STRANGER)
        if isinstance(answer, Done):
            await self._park_endless(connection, order, keys)
        if report.signer and report.signed_at is not None:
            await connection.execute(_SQL["add_signature"], order.key, report.signer, report.signed_at)

    async def _park_endless(self, connection: Connection, order: Outgoing, keys: list[str]) -> None:
        for key in keys:
            state = TransferState(await connection.fetchval(_SQL["find_state"], key))
            if state in UNDER_WAY:
                result = TransferResult(key=key, state=state, reason=NO_END)
                await park_result(connection, Told(result=result, told_by=order.key, at=self._now()), NO_END)

    async def _park(self, connection: Connection, order: Outgoing, keys: list[str]) -> None:
        for key in keys:
            result = TransferResult(key=key, state=TransferState.SENT, reason=UNREADABLE)
            await park_result(connection, Told(result=result, told_by=order.key, at=self._now()), UNREADABLE)


def _report(content: bytes) -> TransferReport | None:
    """Read what came back; nothing at all is a report without results, None what cannot be read."""
    if not content:
        return TransferReport(register="", results=())
    try:
        report = msgspec.json.decode(content, type=TransferReport)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return msgspec.structs.replace(
        report, results=tuple([_clean(result) for result in report.results]), signer=_text(report.signer)
    )


def _clean(result: TransferResult) -> TransferResult:
    return msgspec.structs.replace(
        result, key=_text(result.key), bank_number=_text(result.bank_number), reason=_text(result.reason)
    )


def _text(told: str) -> str:
    """A bank's words as PostgreSQL takes them: without the one character that it does not."""
    return told.replace("\0", "")
