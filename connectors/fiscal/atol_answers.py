"""What ATOL Online answers, in delivery's words (protocols.md §8, table of codes)."""

from enum import IntEnum
from typing import assert_never

import msgspec

from connectors.fiscal.atol_receipt import read_atol_moment
from connectors.fiscal.json_roubles import kopecks_of
from schemas.delivery import Accepted, Answer, Closed, Done, NotTaken, Outgoing, Refused, Unknown
from schemas.exchange import HttpAnswer
from schemas.money import MoneyError
from schemas.receipt import FiscalSign

_OK = 200
_WAIT, _DONE, _FAIL = "wait", "done", "fail"
_TIMEOUT = "timeout"


_NOTHING = msgspec.Raw(b"null")


class Code(IntEnum):
    """Codes of errors (protocols.md §8)."""

    UNDEFINED = 0
    UNPROCESSED = 1
    TOKEN_MISSING = 10
    TOKEN_EXPIRED = 11
    WRONG_LOGIN = 12
    INVALID = 13
    BLOCKED = 14
    WRONG_GROUP = 20
    WRONG_PROTOCOL = 21
    UUID_MISSING = 30
    OPERATION_UNKNOWN = 31
    INVALID_RECEIPT = 32
    DUPLICATE = 33
    NOT_FOUND_YET = 34
    BAD_REQUEST = 40
    WRONG_MEDIA_TYPE = 41
    SERVER = 50
    MARKING_TIMEOUT = 421


TOKEN_CODES = frozenset({Code.TOKEN_MISSING, Code.TOKEN_EXPIRED})
CLOSING_CODES = frozenset({Code.WRONG_LOGIN, Code.BLOCKED, Code.WRONG_GROUP, Code.WRONG_PROTOCOL})
"""The operator has nothing to do with us until a person has mended the configuration."""


class AtolError(msgspec.Struct, frozen=True, kw_only=True):
    """``error`` of an answer."""

    code: int
    text: str | None = None
    type: str | None = None


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    total: msgspec.Raw
    receipt_datetime: str
    fn_number: int | str
    fiscal_document_number: int | str
    fiscal_document_attribute: int | str
    fiscal_receipt_number: int | str = ""
    shift_number: int | str = ""
    ecr_registration_number: int | str = ""
    ofd_receipt_url: str | None = None


class AtolAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to a receipt, to a report and, with ``token``, to a login; a callback has the same form."""

    uuid: str | None = None
    status: str | None = None
    error: AtolError | None = None
    external_id: str | None = None
    token: str | None = None
    payload: msgspec.Raw = _NOTHING


def read_answer(body: bytes) -> AtolAnswer | None:
    """Decode an answer; None when it is not one of ATOL's."""
    try:
        return msgspec.json.decode(body, type=AtolAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def refuses_token(http: HttpAnswer) -> bool:
    """Whether the token of the request is missing, expired or unknown."""
    answer = read_answer(http.body)
    return answer is not None and answer.error is not None and answer.error.code in TOKEN_CODES


def answer_to_receipt(http: HttpAnswer, ask_after_ms: int) -> Answer:
    """Say what became of a receipt that was handed over."""
    answer = read_answer(http.body)
    if answer is None:
        return _unreadable(http)
    if answer.error is None:
        if answer.uuid and answer.status != _FAIL:
            return Accepted(reference=answer.uuid, ask_after_ms=ask_after_ms)
        return Unknown(reason=f"HTTP {http.status} with neither a uuid nor an error")
    try:
        code = Code(answer.error.code)
    except ValueError:
        return Unknown(reason=f"code {answer.error.code} is not one of the protocol's")
    return _answer_to_code(code, answer, answer.error, ask_after_ms)


def _answer_to_code(code: Code, answer: AtolAnswer, error: AtolError, ask_after_ms: int) -> Answer:
    match code:
        case Code.UNDEFINED | Code.SERVER:
            return Unknown(reason=_words(error))
        case Code.TOKEN_MISSING | Code.TOKEN_EXPIRED:
            return NotTaken(reason=f"a fresh token is refused: {_words(error)}")
        case Code.WRONG_LOGIN | Code.BLOCKED | Code.WRONG_GROUP | Code.WRONG_PROTOCOL:
            return Closed(reason=_words(error))
        case (
            Code.UNPROCESSED
            | Code.INVALID
            | Code.UUID_MISSING
            | Code.OPERATION_UNKNOWN
            | Code.INVALID_RECEIPT
            | Code.BAD_REQUEST
            | Code.WRONG_MEDIA_TYPE
            | Code.MARKING_TIMEOUT
        ):
            return Refused(code=str(code.value), reason=_words(error))
        case Code.DUPLICATE | Code.NOT_FOUND_YET:
            if answer.uuid:
                return Accepted(reference=answer.uuid, ask_after_ms=ask_after_ms)
            return Unknown(reason=f"no uuid of the receipt that is there: {_words(error)}")
        case _ as unreachable:
            assert_never(unreachable)


def answer_to_report(http: HttpAnswer, order: Outgoing, ask_after_ms: int) -> Answer:
    """Say what became of a receipt that was asked about.

    Only ``done`` and ``fail`` of a report, HTTP 200, are final: an error of the question itself tells nothing of the receipt.
    """
    answer = read_answer(http.body)
    if answer is None:
        return _unreadable(http)
    if answer.external_id and answer.external_id != order.key:
        return Unknown(reason="the report is of another order")
    error = answer.error
    if error is not None and error.code in CLOSING_CODES:
        return Closed(reason=_words(error))
    if http.status != _OK:
        return Unknown(reason=f"HTTP {http.status}" if error is None else _words(error))
    if answer.status == _WAIT:
        return Accepted(reference=order.reference, ask_after_ms=ask_after_ms)
    if answer.status == _FAIL:
        if error is None:
            return Refused(code=_FAIL, reason="failed without a reason")
        return Refused(code=str(error.code), reason=_words(error), again=error.type == _TIMEOUT)
    if answer.status == _DONE:
        return _done(answer.payload, order)
    return Unknown(reason="a report without a known status")


def _done(payload: msgspec.Raw, order: Outgoing) -> Done | Unknown:
    try:
        read = msgspec.json.decode(payload, type=_Payload)
        sign = FiscalSign(
            fn=str(read.fn_number),
            fd=str(read.fiscal_document_number),
            fpd=str(read.fiscal_document_attribute),
            registered_at=read_atol_moment(read.receipt_datetime),
            total_kopecks=kopecks_of(read.total),
            shift=str(read.shift_number),
            number_in_shift=str(read.fiscal_receipt_number),
            register_number=str(read.ecr_registration_number),
            link=read.ofd_receipt_url or "",
        )
    except (msgspec.DecodeError, MoneyError, ValueError) as error:
        return Unknown(reason=f"registered, and the report cannot be read: {error}")
    return Done(reference=order.reference, content=msgspec.json.encode(sign))


def _unreadable(http: HttpAnswer) -> Unknown:
    return Unknown(reason=f"HTTP {http.status} without a readable answer")


def _words(error: AtolError) -> str:
    return f"code {error.code}: {error.text}" if error.text else f"code {error.code}"
