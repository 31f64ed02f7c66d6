"""Sberbank online check/payment protocol: decode, encode (design §1, station 2; protocols.md §1b). HTTP status is always 200."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import assert_never

import msgspec

from connectors.answers import CHECKED_WORDS, CONFLICT_WORDS, TRY_AGAIN_WORDS, provider_txn, refusal_of, refusal_words
from connectors.terminals.check_view import CheckResult, CheckView, state_words, total_words
from connectors.terminals.fields import ACCOUNT_NUMBER, MOSCOW, PaymentFields, moscow_instant, notification_from, storable
from connectors.terminals.xml import DECLARATION, element
from schemas.allocation import Pool
from schemas.ids import EXTERNAL_ID_BYTES_MAX, Space
from schemas.money import roubles_from_kopecks
from schemas.notification import PaymentNotification
from schemas.outcome import Answer, PaymentOutcome, Refusal

CONTENT_TYPE = "application/xml; charset=utf-8"
CODE_OK = 0
CODE_TRY_AGAIN = 1
CODE_UNKNOWN_ACTION = 2
CODE_UNREADABLE_PAY_ID = 6
CODE_DUPLICATE = 8

_PAY_ID = re.compile(rf"[0-9A-Za-z_.:/-]{{1,{EXTERNAL_ID_BYTES_MAX}}}", re.ASCII)
_PAY_DATE = re.compile(
    r"(?P<day>[0-9]{2})\.(?P<month>[0-9]{2})\.(?P<year>[0-9]{4})_(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})",
    re.ASCII,
)


class SberCodes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Codes of refusals; a contract may have others. One that says success, "try again" or "duplicate" is a ValueError."""

    account_unknown: int = 3
    account_ambiguous: int = 3
    malformed_account: int = 4
    account_closed: int = 5
    no_contract: int = 7
    malformed_amount: int = 9
    amount_too_small: int = 10
    amount_too_large: int = 11
    advance_not_taken: int = 11
    malformed_date: int = 12
    conflict: int = 300

    def __post_init__(self) -> None:
        """Check that every code is a refusal."""
        for name in self.__struct_fields__:
            code: int = getattr(self, name)
            if code in (CODE_TRY_AGAIN, CODE_DUPLICATE) or code <= CODE_OK:
                raise ValueError(f"code {name}={code} has another meaning in this protocol")


DEFAULT_CODES = SberCodes()


class SberCheckRequest(msgspec.Struct, frozen=True, kw_only=True):
    """``ACTION=check``."""

    account_number: str
    form_refusal: Refusal


class SberPaymentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """``ACTION=payment``; its key, ``notification.external_id``, is PAY_ID."""

    notification: PaymentNotification


class SberUndecodable(msgspec.Struct, frozen=True, kw_only=True):
    """Neither a check nor a payment that could be remembered; ``code`` is the answer, ``reason`` is for the log."""

    code: int
    reason: str


def decode(query: Mapping[str, str]) -> SberCheckRequest | SberPaymentRequest | SberUndecodable:
    """Read decoded parameters (``read_parameters``); unknown ones are ignored; never raises."""
    action = query.get("ACTION")
    account = query.get("ACCOUNT", "")
    if action == "check":
        refusal = Refusal.NONE if ACCOUNT_NUMBER.fullmatch(account) else Refusal.MALFORMED_ACCOUNT
        return SberCheckRequest(account_number=storable(account), form_refusal=refusal)
    if action != "payment":
        return SberUndecodable(code=CODE_UNKNOWN_ACTION, reason="unknown action")
    pay_id = query.get("PAY_ID", "")
    if _PAY_ID.fullmatch(pay_id) is None:
        return SberUndecodable(code=CODE_UNREADABLE_PAY_ID, reason="unreadable PAY_ID")
    fields = PaymentFields(
        external_id=pay_id,
        account=account,
        amount=query.get("AMOUNT", ""),
        event_at=moscow_instant(_PAY_DATE.fullmatch(query.get("PAY_DATE", ""))),
    )
    return SberPaymentRequest(notification=notification_from(fields))


def encode_payment(
    outcome: PaymentOutcome,
    request: SberPaymentRequest,
    *,
    space: Space,
    recorded_at: datetime | None,
    codes: SberCodes = DEFAULT_CODES,
) -> bytes:
    """Write the answer to ``payment``.

    ``recorded_at`` is the aware moment of the original entry in the journal, so that a duplicate (code 8) repeats the original
    EXT_ID, REG_DATE and AMOUNT; a booked payment without it is a ValueError, other answers do not use it.
    """
    notification = request.notification
    code, message, booked = _payment_code(outcome, codes)
    if not booked:
        return _response(code, message)
    if recorded_at is None or recorded_at.tzinfo is None:
        raise ValueError("a booked payment has no recorded_at with a time zone")
    at = recorded_at.astimezone(MOSCOW)
    registered = f"{at.day:02d}.{at.month:02d}.{at.year:04d}_{at.hour:02d}:{at.minute:02d}:{at.second:02d}"
    body = (
        f"<EXT_ID>{provider_txn(space, notification.external_id)}</EXT_ID><REG_DATE>{registered}</REG_DATE>"
        f"<AMOUNT>{roubles_from_kopecks(notification.amount_kopecks)}</AMOUNT>"
    )
    return _response(code, message, body)


def encode_check(answer: CheckResult, *, codes: SberCodes = DEFAULT_CODES) -> bytes:
    """Write the answer to ``check``: what may be shown, a refusal, or "try again"."""
    if isinstance(answer, CheckView):
        return _response(CODE_OK, CHECKED_WORDS, _shown(answer))
    if isinstance(answer, Refusal):
        if answer is Refusal.NONE:
            raise ValueError("a refused check has no refusal")
        return _response(_refusal_code(answer, codes), refusal_words(answer))
    return _response(CODE_TRY_AGAIN, TRY_AGAIN_WORDS)


def encode_undecodable(request: SberUndecodable) -> bytes:
    """Write the answer to a request that is neither a check nor a payment with a key."""
    return _response(request.code, "Запрос не распознан")


def _payment_code(outcome: PaymentOutcome, codes: SberCodes) -> tuple[int, str, bool]:
    match outcome.answer:
        case Answer.RECORDED | Answer.DUPLICATE | Answer.REFUSED:
            refusal = refusal_of(outcome)
            if refusal is not Refusal.NONE:
                return _refusal_code(refusal, codes), refusal_words(refusal), False
            if outcome.answer is Answer.DUPLICATE:
                return CODE_DUPLICATE, "Платёж с этим номером уже принят", True
            return CODE_OK, refusal_words(refusal), True
        case Answer.CONFLICT:
            return codes.conflict, CONFLICT_WORDS, False
        case Answer.TRY_AGAIN | Answer.STALE_TIMESTAMP | Answer.COVERED_ELSEWHERE:
            return CODE_TRY_AGAIN, TRY_AGAIN_WORDS, False
        case _ as unreachable:
            assert_never(unreachable)


def _refusal_code(refusal: Refusal, codes: SberCodes) -> int:
    match refusal:
        case Refusal.NONE:
            return CODE_OK
        case Refusal.MALFORMED_ACCOUNT:
            return codes.malformed_account
        case Refusal.MALFORMED_AMOUNT:
            return codes.malformed_amount
        case Refusal.AMOUNT_TOO_SMALL:
            return codes.amount_too_small
        case Refusal.AMOUNT_TOO_LARGE:
            return codes.amount_too_large
        case Refusal.MALFORMED_DATE:
            return codes.malformed_date
        case Refusal.ACCOUNT_UNKNOWN:
            return codes.account_unknown
        case Refusal.ACCOUNT_AMBIGUOUS:
            return codes.account_ambiguous
        case Refusal.NO_CONTRACT:
            return codes.no_contract
        case Refusal.ACCOUNT_CLOSED:
            return codes.account_closed
        case Refusal.ADVANCE_NOT_TAKEN:
            return codes.advance_not_taken
        case _ as unreachable:
            assert_never(unreachable)


def _shown(view: CheckView) -> str:
    """BALANCE is what the document prints without voluntary lines; REC_SUM the same within the sums taken."""
    due_kopecks = sum(total.amount_kopecks for total in view.totals if total.pool is not Pool.VOLUNTARY)
    recommended_kopecks = min(max(due_kopecks, view.smallest_kopecks), view.largest_kopecks)
    smallest, largest = roubles_from_kopecks(view.smallest_kopecks), roubles_from_kopecks(view.largest_kopecks)
    totals = (f"{total_words(total)}: {roubles_from_kopecks(total.amount_kopecks)}" for total in view.totals)
    info = "; ".join((f"Счёт: {state_words(view.state)}", *totals, f"принимается от {smallest} до {largest}"))
    shown = (
        ("FIO", view.masked_name),
        ("ADDRESS", view.masked_address),
        ("BALANCE", roubles_from_kopecks(due_kopecks)),
        ("INFO", info),
        ("REC_SUM", roubles_from_kopecks(recommended_kopecks)),
    )
    return "".join(element(name, text) for name, text in shown)


def _response(code: int, message: str, body: str = "") -> bytes:
    """Frame an answer; ``message`` is our own words and ``body`` is XML already."""
    return f"{DECLARATION}<response><CODE>{code}</CODE><MESSAGE>{message}</MESSAGE>{body}</response>".encode()
