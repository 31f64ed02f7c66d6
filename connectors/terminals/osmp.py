"""OSMP/QIWI provider protocol of payment terminals: decode, encode (design §1, station 2; protocols.md §1)."""

import re
from collections.abc import Mapping
from typing import assert_never

import msgspec

from connectors.answers import CHECKED_WORDS, CONFLICT_WORDS, TRY_AGAIN_WORDS, provider_txn, refusal_of, refusal_words
from connectors.terminals.check_view import CheckResult, CheckView, fields_shown
from connectors.terminals.fields import ACCOUNT_NUMBER, PaymentFields, moscow_instant, notification_from, read_amount, storable
from connectors.terminals.xml import DECLARATION, escape
from schemas.ids import Space
from schemas.money import roubles_from_kopecks
from schemas.notification import PaymentNotification
from schemas.outcome import Answer, PaymentOutcome, Refusal

CONTENT_TYPE = "text/xml; charset=utf-8"
RESULT_OK = 0
RESULTS_RETRIED = frozenset({1, 90})
"""Results upon which the network repeats ``pay``; every other one but 0 is fatal."""

_TXN_ID = re.compile(r"[0-9]{1,20}", re.ASCII)
_TXN_DATE = re.compile(
    r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})", re.ASCII
)


class ResultCodes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Result codes of one network; networks differ (protocols.md, Uncertain 1).

    ``try_again`` must be one that is retried, every other one fatal: otherwise ValueError.
    """

    account_unknown: int = 5
    account_ambiguous: int = 5
    account_closed: int = 79
    no_contract: int = 7
    amount_too_small: int = 241
    amount_too_large: int = 242
    advance_not_taken: int = 242
    malformed_account: int = 4
    conflict: int = 300
    other: int = 300
    try_again: int = 1

    def __post_init__(self) -> None:
        """Check that no refusal says success or asks for a repeat, and that "try again" does ask."""
        for name in self.__struct_fields__:
            code: int = getattr(self, name)
            if (code in RESULTS_RETRIED) != (name == "try_again") or code <= RESULT_OK:
                raise ValueError(f"result code {name}={code} has another meaning in this protocol")


DEFAULT_CODES = ResultCodes()


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True):
    """``command=check``. ``txn_id`` is empty when absent or unreadable; ``amount_kopecks`` None when absent or zero."""

    txn_id: str
    account_number: str
    amount_kopecks: int | None
    form_refusal: Refusal


class PayRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``command=pay``; its key, ``notification.external_id``, is txn_id as written."""

    notification: PaymentNotification


class Undecodable(msgspec.Struct, frozen=True, kw_only=True):
    """Not a check, and not a payment that could be remembered: there is no readable key. ``reason`` is for the log."""

    reason: str


def decode(query: Mapping[str, str]) -> CheckRequest | PayRequest | Undecodable:
    """Read decoded parameters (``read_parameters``); unknown ones are ignored; never raises."""
    command = query.get("command")
    txn_id = query.get("txn_id", "")
    readable = _TXN_ID.fullmatch(txn_id) is not None
    if command == "check":
        return _check_request(query, txn_id if readable else "")
    if command != "pay":
        return Undecodable(reason="unknown command")
    if not readable:
        return Undecodable(reason="unreadable txn_id")
    fields = PaymentFields(
        external_id=txn_id,
        account=query.get("account", ""),
        amount=query.get("sum", ""),
        event_at=moscow_instant(_TXN_DATE.fullmatch(query.get("txn_date", ""))),
    )
    return PayRequest(notification=notification_from(fields))


def _check_request(query: Mapping[str, str], txn_id: str) -> CheckRequest:
    account = query.get("account", "")
    amount_kopecks, refusal = (None, Refusal.NONE) if "sum" not in query else read_amount(query["sum"])
    if refusal is Refusal.AMOUNT_TOO_SMALL:
        refusal = Refusal.NONE
    if ACCOUNT_NUMBER.fullmatch(account) is None:
        refusal = Refusal.MALFORMED_ACCOUNT
    return CheckRequest(
        txn_id=txn_id, account_number=storable(account), amount_kopecks=amount_kopecks or None, form_refusal=refusal
    )


def encode_pay(outcome: PaymentOutcome, request: PayRequest, *, space: Space, codes: ResultCodes = DEFAULT_CODES) -> bytes:
    """Write the answer to ``pay``; a booked payment and its duplicate get the same bytes (protocols.md §1, repeat rules)."""
    notification = request.notification
    result, comment = _payment_result(outcome, codes)
    amount = _sum(notification.amount_kopecks) if notification.amount_kopecks else ""
    prv_txn = provider_txn(space, notification.external_id)
    return _response(notification.external_id, f"<prv_txn>{prv_txn}</prv_txn>{amount}", result, comment)


def encode_check(request: CheckRequest, answer: CheckResult, *, codes: ResultCodes = DEFAULT_CODES) -> bytes:
    """Write the answer to ``check``: what may be shown, a refusal, or "try again"."""
    amount = "" if request.amount_kopecks is None else _sum(request.amount_kopecks)
    if isinstance(answer, CheckView):
        return _response(request.txn_id, amount, RESULT_OK, CHECKED_WORDS, _fields(answer))
    if isinstance(answer, Refusal):
        if answer is Refusal.NONE:
            raise ValueError("a refused check has no refusal")
        return _response(request.txn_id, amount, _refusal_result(answer, codes), refusal_words(answer))
    return _response(request.txn_id, amount, codes.try_again, TRY_AGAIN_WORDS)


def encode_undecodable(*, codes: ResultCodes = DEFAULT_CODES) -> bytes:
    """Write the answer to a request that is neither a check nor a payment with a key."""
    return _response("", "", codes.other, "Запрос не распознан")


def _payment_result(outcome: PaymentOutcome, codes: ResultCodes) -> tuple[int, str]:
    match outcome.answer:
        case Answer.RECORDED | Answer.DUPLICATE | Answer.REFUSED:
            refusal = refusal_of(outcome)
            return _refusal_result(refusal, codes), refusal_words(refusal)
        case Answer.CONFLICT:
            return codes.conflict, CONFLICT_WORDS
        case Answer.TRY_AGAIN | Answer.STALE_TIMESTAMP | Answer.COVERED_ELSEWHERE:
            return codes.try_again, TRY_AGAIN_WORDS
        case _ as unreachable:
            assert_never(unreachable)


def _refusal_result(refusal: Refusal, codes: ResultCodes) -> int:
    match refusal:
        case Refusal.NONE:
            return RESULT_OK
        case Refusal.MALFORMED_ACCOUNT:
            return codes.malformed_account
        case Refusal.MALFORMED_AMOUNT | Refusal.MALFORMED_DATE:
            return codes.other
        case Refusal.AMOUNT_TOO_SMALL:
            return codes.amount_too_small
        case Refusal.AMOUNT_TOO_LARGE:
            return codes.amount_too_large
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


def _fields(view: CheckView) -> str:
    shown = enumerate(fields_shown(view), start=1)
    inner = "".join(f'<field{n} name="{escape(name)}" type="disp">{escape(text)}</field{n}>' for n, (name, text) in shown)
    return f"<fields>{inner}</fields>"


def _sum(amount_kopecks: int) -> str:
    return f"<sum>{roubles_from_kopecks(amount_kopecks)}</sum>"


def _response(txn_id: str, middle: str, result: int, comment: str, fields: str = "") -> bytes:
    """Frame an answer; ``txn_id`` is digits and ``comment`` our own words, so that only ``fields`` needed escaping."""
    echo = f"<osmp_txn_id>{txn_id}</osmp_txn_id>" if txn_id else ""
    return (
        f"{DECLARATION}<response>{echo}{middle}<result>{result}</result><comment>{comment}</comment>{fields}</response>".encode()
    )
