"""A bank's answer on a distribution register, by line: one JSON object (docs/distribution-register.md).

Read strictly: an answer that does not agree with the register that was sent is no answer, and says why; nothing in it is guessed.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import assert_never

import msgspec

from schemas.transfer import Transfer, TransferBatch, TransferReport, TransferResult, TransferState

FORMAT = "kopeck-distribution-answer/1"
PROBLEM_UNKNOWN_REGISTER = "unknown_register"
BANK_NUMBER_CHARACTERS_MAX = 20
LINE_REASON_CHARACTERS_MAX = 500


class LineState(StrEnum):
    """What the bank has done with an order of a register. HELD: stopped under 115-ФЗ."""

    ACCEPTED = "accepted"
    EXECUTED = "executed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    HELD = "held"


class AnswerLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order. The bank's own number and day stand with an executed one, a reason with a refused, cancelled or held one."""

    key: str
    state: LineState
    amount_kopecks: int
    bank_number: str = ""
    bank_day: date | None = None
    reason: str = ""


class RegisterAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The register as the bank took it, the signature as the bank verified it, and all of its lines."""

    format: str
    register: str
    transit_account: str
    count: int
    sum_kopecks: int
    signer: str
    signed_at: datetime
    lines: tuple[AnswerLine, ...]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request failed, with any status of 400 and above."""

    code: str
    reason: str = ""


_answer_decoder = msgspec.json.Decoder(RegisterAnswer)
_problem_decoder = msgspec.json.Decoder(Problem)


def read_answer(body: bytes, batch: TransferBatch) -> TransferReport | str:
    """Return the report in the register's order of lines, or in words why the answer cannot be believed."""
    try:
        answer = _answer_decoder.decode(body)
    except msgspec.MsgspecError as error:
        return f"the bank's answer cannot be read: {error}"
    fault = _fault(answer, batch)
    if fault:
        return f"the bank's answer does not agree with the register: {fault}"
    by_key = {line.key: line for line in answer.lines}
    results = tuple(_result(by_key[one.key]) for one in batch.transfers)
    return TransferReport(register=batch.register, results=results, signer=answer.signer, signed_at=answer.signed_at)


def read_problem(body: bytes) -> Problem | None:
    """Return the problem in an error's body, or None when it holds none."""
    try:
        return _problem_decoder.decode(body)
    except msgspec.MsgspecError:
        return None


def _fault(answer: RegisterAnswer, batch: TransferBatch) -> str:
    if answer.format != FORMAT or answer.signed_at.tzinfo is None:
        return "another format, or a moment without a time zone"
    if (answer.register, answer.transit_account) != (batch.register, batch.transit_account):
        return "another register"
    if (answer.count, answer.sum_kopecks) != (batch.count, batch.total_kopecks):
        return f"control totals {answer.count} and {answer.sum_kopecks}, ours {batch.count} and {batch.total_kopecks}"
    ours = {one.key: one for one in batch.transfers}
    if len(answer.lines) != len(ours) or {line.key for line in answer.lines} != ours.keys():
        return "its lines are not the orders of the register"
    return next((fault for line in answer.lines if (fault := _line_fault(line, ours[line.key]))), "")


def _line_fault(line: AnswerLine, transfer: Transfer) -> str:
    at = f"order {transfer.number}"
    if line.amount_kopecks != transfer.amount_kopecks:
        return f"{at}: {line.amount_kopecks} kopecks, ours {transfer.amount_kopecks}"
    executed = line.state is LineState.EXECUTED
    if executed != bool(line.bank_number) or executed != (line.bank_day is not None):
        return f"{at}: the bank's number and day stand with executed orders, and only there"
    if len(line.bank_number) > BANK_NUMBER_CHARACTERS_MAX or len(line.reason) > LINE_REASON_CHARACTERS_MAX:
        return f"{at}: a text is too long"
    if line.state in (LineState.REFUSED, LineState.HELD) and not line.reason.strip():
        return f"{at}: {line.state.value} without a reason"
    return ""


def _result(line: AnswerLine) -> TransferResult:
    return TransferResult(
        key=line.key, state=_state(line.state), bank_number=line.bank_number, bank_day=line.bank_day, reason=line.reason
    )


def _state(state: LineState) -> TransferState:
    match state:
        case LineState.ACCEPTED:
            return TransferState.ACCEPTED
        case LineState.EXECUTED:
            return TransferState.EXECUTED
        case LineState.REFUSED:
            return TransferState.REJECTED
        case LineState.CANCELLED:
            return TransferState.CANCELLED
        case LineState.HELD:
            return TransferState.HELD
        case _ as unreachable:
            assert_never(unreachable)
