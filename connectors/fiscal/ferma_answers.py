"""What OFD.ru Ferma answers, in delivery's words (protocols.md §9)."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from schemas.delivery import Accepted, Answer, Closed, Done, Outgoing, Refused, Unknown
from schemas.exchange import HttpAnswer
from schemas.receipt import FiscalSign

DUPLICATE = 1019
CONFIRMED, KKT_ERROR = "CONFIRMED", "KKT_ERROR"
_UNAUTHORISED, _FORBIDDEN = 401, 403
_REFUSALS = range(400, 500)
_UNDECIDED = frozenset({408, 429})
_RECEIPT_ID = re.compile(r"--([0-9A-Za-z-]{8,64}?)--", re.ASCII)


class FermaError(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """``Error`` of an answer."""

    code: int
    message: str | None = None


class _Device(msgspec.Struct, frozen=True, kw_only=True):
    FN: str | int
    FDN: str | int
    FPD: str | int
    RNM: str | int | None = None
    ShiftNumber: str | int | None = None
    ReceiptNumInShift: str | int | None = None
    OfdReceiptUrl: str | None = None


class FermaPart(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """``Data`` of an answer: of a login, of a receipt taken, of a status; and a callback's."""

    auth_token: str | None = None
    expiration_date_utc: str | None = None
    receipt_id: str | None = None
    invoice_id: str | None = None
    status_name: str | None = None
    status_message: str | None = None
    receipt_date_utc: str | None = None
    device: _Device | None = None


class FermaAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """An answer's envelope."""

    status: str | None = None
    data: FermaPart | None = None
    error: FermaError | None = None


def read_answer(body: bytes) -> FermaAnswer | None:
    """Decode an answer; None when it is not one of Ferma's."""
    try:
        return msgspec.json.decode(body, type=FermaAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def refuses_token(http: HttpAnswer, token_codes: tuple[int, ...]) -> bool:
    """Whether the token of the request is refused: HTTP 401, or one of the codes configured for it."""
    if http.status == _UNAUTHORISED:
        return True
    answer = read_answer(http.body)
    return answer is not None and answer.error is not None and answer.error.code in token_codes


def answer_to_receipt(http: HttpAnswer, ask_after_ms: int) -> Answer:
    """Say what became of a receipt that was handed over."""
    answer = read_answer(http.body)
    if http.status == _FORBIDDEN:
        return Closed(reason="HTTP 403" if answer is None or answer.error is None else words(answer.error))
    if answer is None:
        return Unknown(reason=f"HTTP {http.status} without a readable answer")
    if answer.error is None:
        if answer.status == "Success" and answer.data is not None and answer.data.receipt_id:
            return Accepted(reference=answer.data.receipt_id, ask_after_ms=ask_after_ms)
        return Unknown(reason=f"HTTP {http.status} with neither a ReceiptId nor an error")
    if answer.error.code == DUPLICATE:
        found = _RECEIPT_ID.search(answer.error.message or "")
        if found is None:
            return Unknown(reason=f"no ReceiptId of the receipt that is there: {words(answer.error)}")
        return Accepted(reference=found.group(1), ask_after_ms=ask_after_ms)
    if http.status in _REFUSALS and http.status not in _UNDECIDED and http.status != _UNAUTHORISED:
        return Refused(code=str(answer.error.code), reason=words(answer.error))
    return Unknown(reason=f"HTTP {http.status}, {words(answer.error)}")


def answer_to_status(http: HttpAnswer, order: Outgoing, zone: ZoneInfo, total_kopecks: int, ask_after_ms: int) -> Answer:
    """Say what became of a receipt that was asked about; only CONFIRMED and KKT_ERROR are final."""
    answer = read_answer(http.body)
    if http.status == _FORBIDDEN:
        return Closed(reason="HTTP 403" if answer is None or answer.error is None else words(answer.error))
    if answer is None or answer.data is None or answer.status != "Success":
        error = None if answer is None else answer.error
        return Unknown(reason=f"HTTP {http.status} without a status" if error is None else words(error))
    part = answer.data
    if part.receipt_id and part.receipt_id != order.reference:
        return Unknown(reason="the status is of another receipt")
    if part.status_name == CONFIRMED:
        return _done(part, order, zone, total_kopecks)
    if part.status_name == KKT_ERROR:
        return Refused(code=KKT_ERROR, reason=part.status_message or KKT_ERROR, again=True)
    if part.status_name:
        return Accepted(reference=order.reference, ask_after_ms=ask_after_ms)
    return Unknown(reason="a status without a name")


def read_ferma_utc(text: str) -> datetime:
    """Read an ISO moment that Ferma gives in UTC, with or without a zone and fractions; raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _done(part: FermaPart, order: Outgoing, zone: ZoneInfo, total_kopecks: int) -> Done | Unknown:
    device = part.device
    if device is None or not part.receipt_date_utc:
        return Unknown(reason="registered, and the status has no Device or no ReceiptDateUtc")
    try:
        # The QR code holds the till's local time, and Ferma gives UTC (protocols.md §12).
        registered_at = read_ferma_utc(part.receipt_date_utc).astimezone(zone).replace(tzinfo=None, microsecond=0)
    except ValueError as error:
        return Unknown(reason=f"registered, and ReceiptDateUtc cannot be read: {error}")
    sign = FiscalSign(
        fn=str(device.FN),
        fd=str(device.FDN),
        fpd=str(device.FPD),
        registered_at=registered_at,
        total_kopecks=total_kopecks,
        shift=_text(device.ShiftNumber),
        number_in_shift=_text(device.ReceiptNumInShift),
        register_number=_text(device.RNM),
        link=device.OfdReceiptUrl or "",
    )
    return Done(reference=order.reference, content=msgspec.json.encode(sign))


def _text(value: str | int | None) -> str:
    return "" if value is None else str(value)


def words(error: FermaError) -> str:
    """Write an error for a log and for a person."""
    return f"code {error.code}: {error.message}" if error.message else f"code {error.code}"
