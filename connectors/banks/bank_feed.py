"""A bank's signed feed of its transit account: payments and statement lines in JSON (design §1, station 2).

Strictness is by type (unknown fields, strings for numbers and fractions are refused) and by form: repeated names in an
object, control characters and over-long texts are refused too.
"""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, NoReturn, TypeVar, assert_never

import msgspec

from connectors.answers import refusal_of
from connectors.banks.feed_errors import FeedError, Problem, encode_problem, feed_error, refused_error
from schemas.ids import ACCOUNT_NUMBER_CHARACTERS_MAX, EXTERNAL_ID_BYTES_MAX, ExternalId
from schemas.money import AMOUNT_KOPECKS_MAX
from schemas.notification import KIND_NAMES, POOL_NAMES, NamedBasketItem, NamedDesignation, PaymentNotification, StatementLine
from schemas.outcome import Answer, PaymentOutcome, Refusal, SuspenseReason

CONTENT_TYPE = "application/json"
BASKET_ITEMS_MAX = 200
NAME_CHARACTERS_MAX = 100
EVENT_YEAR_MIN = 2000
EVENT_YEAR_MAX = 2100

_PERIOD = re.compile(r"2[0-9]{3}-(0[1-9]|1[0-2])", re.ASCII)
_TRANSIT_ACCOUNT = re.compile(r"[0-9]{20}", re.ASCII)
_PATH = re.compile(r"`\$\.?([^`]*)`$")
_NAMED = re.compile(r"field `([^`]*)`")

_Amount = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_KOPECKS_MAX)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _PaymentBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: str
    amount: _Amount
    occurred_at: _Moment
    designation: NamedDesignation | None = None
    purpose: str | None = None


class _StatementBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    transit_account: str
    space: str
    amount: _Amount
    occurred_at: _Moment


class _RepeatedName(ValueError):
    pass


class _Refused(Exception):
    def __init__(self, problem: Problem, field: str = "") -> None:
        super().__init__(problem.value)
        self.error = feed_error(problem, field)


_Body = TypeVar("_Body", _PaymentBody, _StatementBody)

_payment_decoder = msgspec.json.Decoder(_PaymentBody)
_statement_decoder = msgspec.json.Decoder(_StatementBody)


def decode_payment(body: bytes, key: str | None, *, signed_id: str | None = None) -> PaymentNotification | FeedError:
    """Read a payment notification; ``key`` is the Idempotency-Key header: the bank's operation id. Never raises.

    With ``signed_id`` (the verified webhook-id) the key must equal it: Idempotency-Key itself is under no signature, so
    without this a captured message could be sent again under another key while its timestamp is fresh.
    ``purpose`` (the payer's free text) is read past and never kept: it may hold personal data.
    """
    try:
        external_id = _key(key, signed_id)
        payment = _decode(_payment_decoder, body)
        _check_text(payment.account, "account", ACCOUNT_NUMBER_CHARACTERS_MAX)
        if payment.purpose is not None and "\0" in payment.purpose:
            _refuse("purpose")
        if payment.designation is not None:
            _check_designation(payment.designation)
        return PaymentNotification(
            external_id=external_id,
            account_number=payment.account,
            amount_kopecks=payment.amount,
            raw_amount="",
            event_at=_event_at(payment.occurred_at),
            designation=payment.designation,
        )
    except _Refused as refused:
        return refused.error


def decode_statement_line(body: bytes, key: str | None, *, signed_id: str | None = None) -> StatementLine | FeedError:
    """Read a believed statement line: a credit of ``transit_account`` that covers the promises of ``space``. Never raises.

    ``key`` and ``signed_id`` as in decode_payment.
    """
    try:
        external_id = _key(key, signed_id)
        line = _decode(_statement_decoder, body)
        if _TRANSIT_ACCOUNT.fullmatch(line.transit_account) is None:
            _refuse("transit_account")
        _check_text(line.space, "space", NAME_CHARACTERS_MAX)
        return StatementLine(
            external_id=external_id,
            transit_account=line.transit_account,
            space=line.space,
            amount_kopecks=line.amount,
            event_at=_event_at(line.occurred_at),
        )
    except _Refused as refused:
        return refused.error


def encode_outcome(outcome: PaymentOutcome, *, space_name: str, external_id: ExternalId) -> tuple[int, bytes]:
    """Return HTTP status and body. A duplicate has the bytes of the original; the caller adds Idempotency-Replayed: true.

    A status of 400 and above comes with PROBLEM_CONTENT_TYPE; 503 also needs Retry-After.
    """
    match outcome.answer:
        case Answer.RECORDED | Answer.DUPLICATE | Answer.REFUSED:
            refusal = refusal_of(outcome)
            if refusal is Refusal.NONE:
                return 200, _recorded(outcome, f"{space_name}/{external_id}")
            return _problem(refused_error(refusal))
        case Answer.CONFLICT:
            return _problem(feed_error(Problem.CONFLICT, outcome.conflict_field))
        case Answer.TRY_AGAIN:
            return _problem(feed_error(Problem.TRY_AGAIN))
        case Answer.STALE_TIMESTAMP:
            return _problem(feed_error(Problem.STALE_TIMESTAMP))
        case Answer.COVERED_ELSEWHERE:
            return _problem(feed_error(Problem.COVERED_ELSEWHERE))
        case _ as unreachable:
            assert_never(unreachable)


def _recorded(outcome: PaymentOutcome, payment: str) -> bytes:
    suspense = None if outcome.suspense is SuspenseReason.NONE else outcome.suspense.name.lower()
    entry = {"book": outcome.book, "sequence": outcome.sequence}
    return msgspec.json.encode({"status": "recorded", "payment": payment, "entry": entry, "suspense": suspense})


def _problem(error: FeedError) -> tuple[int, bytes]:
    return error.status, encode_problem(error)


def _refuse(field: str) -> NoReturn:
    raise _Refused(Problem.INVALID_FIELD, field)


def _key(key: str | None, signed_id: str | None) -> ExternalId:
    if not key:
        raise _Refused(Problem.KEY_MISSING)
    if not key.isprintable() or key.isspace() or len(key.encode("utf-8", "replace")) > EXTERNAL_ID_BYTES_MAX:
        raise _Refused(Problem.KEY_MALFORMED)
    if signed_id is not None and key != signed_id:
        raise _Refused(Problem.KEY_NOT_SIGNED)
    return ExternalId(key)


def _decode(decoder: "msgspec.json.Decoder[_Body]", body: bytes) -> _Body:
    """Decode twice: msgspec checks types and depth; the standard parser then sees repeated names, which msgspec takes.

    The second parse is after the first, so it meets neither deep nesting nor huge numbers.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _Refused(Problem.NOT_UTF8) from error
    try:
        decoded = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _Refused(Problem.UNEXPECTED_SHAPE, _field_of(str(error))) from error
    except msgspec.DecodeError as error:
        raise _Refused(Problem.NOT_JSON) from error
    try:
        _names.decode(text)
    except _RepeatedName as error:
        raise _Refused(Problem.DUPLICATE_KEY, str(error)) from error
    return decoded


def _unrepeated(members: list[tuple[str, object]]) -> None:
    names = [name for name, _ in members]
    if len(set(names)) != len(names):
        raise _RepeatedName(next(name for name in names if names.count(name) > 1))


_names = json.JSONDecoder(object_pairs_hook=_unrepeated)


def _field_of(message: str) -> str:
    """Find the field in msgspec's words: its path, and the name that is missing or unknown."""
    path, named = _PATH.search(message), _NAMED.search(message)
    return ".".join(match.group(1) for match in (path, named) if match is not None)


def _event_at(moment: datetime) -> datetime:
    if not EVENT_YEAR_MIN <= moment.year <= EVENT_YEAR_MAX:
        _refuse("occurred_at")
    return moment.astimezone(UTC)


def _check_text(text: str, field: str, characters_max: int) -> None:
    if not 0 < len(text) <= characters_max or not text.isprintable() or text.isspace():
        _refuse(field)


def _check_designation(named: NamedDesignation) -> None:
    given = (named.period, named.pool, named.penalty, named.court_order, named.basket)
    if sum(value is not None for value in given) != 1:
        _refuse("designation")
    if named.period is not None and _PERIOD.fullmatch(named.period) is None:
        _refuse("designation.period")
    if named.pool is not None and named.pool not in POOL_NAMES:
        _refuse("designation.pool")
    if named.penalty is not None and not 0 < named.penalty <= AMOUNT_KOPECKS_MAX:
        _refuse("designation.penalty")
    if named.court_order is not None:
        _check_text(named.court_order, "designation.court_order", NAME_CHARACTERS_MAX)
    if named.basket is not None:
        if not 0 < len(named.basket) <= BASKET_ITEMS_MAX:
            _refuse("designation.basket")
        for index, item in enumerate(named.basket):
            _check_basket_item(item, f"designation.basket[{index}]")


def _check_basket_item(item: NamedBasketItem, path: str) -> None:
    if item.pool not in POOL_NAMES:
        _refuse(f"{path}.pool")
    if item.period and _PERIOD.fullmatch(item.period) is None:
        _refuse(f"{path}.period")
    if item.kind not in KIND_NAMES:
        _refuse(f"{path}.kind")
    if not 0 < item.amount <= AMOUNT_KOPECKS_MAX:
        _refuse(f"{path}.amount")
    _check_text(item.service, f"{path}.service", NAME_CHARACTERS_MAX)
    _check_text(item.recipient, f"{path}.recipient", NAME_CHARACTERS_MAX)
