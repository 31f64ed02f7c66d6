"""The bank feed's JSON: every problem by a bad body, every outcome by its status and bytes."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.banks.bank_feed import decode_payment, decode_statement_line, encode_outcome
from connectors.banks.feed_errors import SIGNATURE_ERRORS, FeedError, Problem, encode_problem, feed_error
from connectors.banks.standard_webhooks import Verdict
from schemas.ids import Book, ExternalId, Sequence
from schemas.notification import NamedBasketItem, NamedDesignation, PaymentNotification, StatementLine
from schemas.outcome import Answer, PaymentOutcome, Refusal, SuspenseReason

KEY = "op-2026-0001"
PAYMENT: dict[str, Any] = {"account": "ЛС 1001/5", "amount": 846534, "occurred_at": "2026-11-20T15:30:00.5+03:00"}
LINE: dict[str, Any] = {
    "transit_account": "40911810100000000001",
    "space": "sber-online",
    "amount": 917769,
    "occurred_at": "2026-11-20T23:59:59Z",
}
ITEM = {
    "pool": "capital_repair",
    "period": "2026-10",
    "kind": "principal",
    "service": "capital_repair",
    "recipient": "ФКР",
    "amount": 71235,
}


def payment_with(**changed: Any) -> bytes:
    return json.dumps(PAYMENT | changed, ensure_ascii=False).encode()


def line_with(**changed: Any) -> bytes:
    return json.dumps(LINE | changed, ensure_ascii=False).encode()


def test_payment_is_read() -> None:
    body = payment_with(designation={"period": "2026-10"}, purpose="Оплата от Иванова И. И.")
    assert decode_payment(body, KEY) == PaymentNotification(
        external_id=ExternalId(KEY),
        account_number="ЛС 1001/5",
        amount_kopecks=846534,
        raw_amount="",
        event_at=datetime(2026, 11, 20, 12, 30, 0, 500_000, tzinfo=UTC),
        designation=NamedDesignation(period="2026-10"),
    )


def test_statement_line_is_read() -> None:
    assert decode_statement_line(line_with(), KEY) == StatementLine(
        external_id=ExternalId(KEY),
        transit_account="40911810100000000001",
        space="sber-online",
        amount_kopecks=917769,
        event_at=datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC),
    )


DESIGNATIONS = [
    (None, None),
    ({"period": "2026-10"}, NamedDesignation(period="2026-10")),
    ({"pool": "capital_repair"}, NamedDesignation(pool="capital_repair")),
    ({"penalty": 8640}, NamedDesignation(penalty=8640)),
    ({"court_order": "2-1234/2026"}, NamedDesignation(court_order="2-1234/2026")),
    ({"basket": [ITEM]}, NamedDesignation(basket=(msgspec.convert(ITEM, NamedBasketItem),))),
    ({"basket": [ITEM | {"period": ""}]}, NamedDesignation(basket=(msgspec.convert(ITEM | {"period": ""}, NamedBasketItem),))),
    ({"pool": "main", "period": None}, NamedDesignation(pool="main")),
]


@pytest.mark.parametrize(("sent", "named"), DESIGNATIONS)
def test_designation_is_read(sent: object, named: NamedDesignation | None) -> None:
    notification = decode_payment(payment_with(designation=sent), KEY)
    assert isinstance(notification, PaymentNotification)
    assert notification.designation == named


PROBLEMS = [
    (b"", Problem.NOT_JSON, ""),
    (b"not json", Problem.NOT_JSON, ""),
    (payment_with()[:-1], Problem.NOT_JSON, ""),
    (payment_with() + b"{}", Problem.NOT_JSON, ""),
    (b"\xef\xbb\xbf" + payment_with(), Problem.NOT_JSON, ""),
    (payment_with(account="\0").replace(b"\\u0000", b"\0"), Problem.NOT_JSON, ""),
    (b'{"account":"\\ud800","amount":1}', Problem.NOT_JSON, ""),
    (payment_with().decode().encode("cp1251"), Problem.NOT_UTF8, ""),
    (payment_with(purpose="Оплата").decode().encode("utf-16"), Problem.NOT_UTF8, ""),
    (b'"x"', Problem.UNEXPECTED_SHAPE, ""),
    (b"[" * 50_000, Problem.UNEXPECTED_SHAPE, ""),
    (b"{}", Problem.UNEXPECTED_SHAPE, "account"),
    (payment_with(extra=1), Problem.UNEXPECTED_SHAPE, "extra"),
    (payment_with(amount=True), Problem.UNEXPECTED_SHAPE, "amount"),
    (payment_with(amount=1.0), Problem.UNEXPECTED_SHAPE, "amount"),
    (payment_with(amount=10.455), Problem.UNEXPECTED_SHAPE, "amount"),
    (payment_with().replace(b"846534", b"1e3"), Problem.UNEXPECTED_SHAPE, "amount"),
    (payment_with(amount="846534"), Problem.UNEXPECTED_SHAPE, "amount"),
    (payment_with(amount=None), Problem.UNEXPECTED_SHAPE, "amount"),
    (payment_with(amount=0), Problem.UNEXPECTED_SHAPE, "amount"),
    (payment_with(amount=-1), Problem.UNEXPECTED_SHAPE, "amount"),
    (payment_with(amount=10**15 + 1), Problem.UNEXPECTED_SHAPE, "amount"),
    (payment_with().replace(b"846534", b"9" * 5_000), Problem.UNEXPECTED_SHAPE, "amount"),
    (payment_with(occurred_at="2026-11-20T15:30:00"), Problem.UNEXPECTED_SHAPE, "occurred_at"),
    (payment_with(occurred_at="20.11.2026"), Problem.UNEXPECTED_SHAPE, "occurred_at"),
    (payment_with(occurred_at="2026-02-30T00:00:00Z"), Problem.UNEXPECTED_SHAPE, "occurred_at"),
    (payment_with(occurred_at=1_795_000_000), Problem.UNEXPECTED_SHAPE, "occurred_at"),
    (payment_with(occurred_at="0001-01-01T00:00:00+23:59"), Problem.INVALID_FIELD, "occurred_at"),
    (payment_with(occurred_at="9999-12-31T23:59:59-23:59"), Problem.INVALID_FIELD, "occurred_at"),
    (payment_with(account=""), Problem.INVALID_FIELD, "account"),
    (payment_with(account="  "), Problem.INVALID_FIELD, "account"),
    (payment_with(account="10\x0001"), Problem.INVALID_FIELD, "account"),
    (payment_with(account="1001\n"), Problem.INVALID_FIELD, "account"),
    (payment_with(account="1" * 201), Problem.INVALID_FIELD, "account"),
    (payment_with(account="1" * 10_240), Problem.INVALID_FIELD, "account"),
    (payment_with(purpose="a\0b"), Problem.INVALID_FIELD, "purpose"),
    (payment_with(purpose=5), Problem.UNEXPECTED_SHAPE, "purpose"),
    (payment_with(designation={}), Problem.INVALID_FIELD, "designation"),
    (payment_with(designation={"period": "2026-10", "pool": "main"}), Problem.INVALID_FIELD, "designation"),
    (payment_with(designation={"what": 1}), Problem.UNEXPECTED_SHAPE, "designation.what"),
    (payment_with(designation={"period": "2026-13"}), Problem.INVALID_FIELD, "designation.period"),
    (payment_with(designation={"period": "102026"}), Problem.INVALID_FIELD, "designation.period"),
    (payment_with(designation={"pool": "MAIN"}), Problem.INVALID_FIELD, "designation.pool"),
    (payment_with(designation={"penalty": 0}), Problem.INVALID_FIELD, "designation.penalty"),
    (payment_with(designation={"penalty": 10**30}), Problem.INVALID_FIELD, "designation.penalty"),
    (payment_with(designation={"penalty": 1.5}), Problem.UNEXPECTED_SHAPE, "designation.penalty"),
    (payment_with(designation={"court_order": ""}), Problem.INVALID_FIELD, "designation.court_order"),
    (payment_with(designation={"court_order": "x" * 10_240}), Problem.INVALID_FIELD, "designation.court_order"),
    (payment_with(designation={"basket": []}), Problem.INVALID_FIELD, "designation.basket"),
    (payment_with(designation={"basket": [ITEM] * 201}), Problem.INVALID_FIELD, "designation.basket"),
    (payment_with(designation={"basket": [ITEM, ITEM | {"pool": "x"}]}), Problem.INVALID_FIELD, "designation.basket[1].pool"),
    (payment_with(designation={"basket": [ITEM | {"period": "x"}]}), Problem.INVALID_FIELD, "designation.basket[0].period"),
    (payment_with(designation={"basket": [ITEM | {"kind": "x"}]}), Problem.INVALID_FIELD, "designation.basket[0].kind"),
    (payment_with(designation={"basket": [ITEM | {"amount": 0}]}), Problem.INVALID_FIELD, "designation.basket[0].amount"),
    (payment_with(designation={"basket": [ITEM | {"service": "\0"}]}), Problem.INVALID_FIELD, "designation.basket[0].service"),
    (payment_with(designation={"basket": [ITEM | {"recipient": ""}]}), Problem.INVALID_FIELD, "designation.basket[0].recipient"),
    (payment_with()[:-1] + b',"amount":1}', Problem.DUPLICATE_KEY, "amount"),
    (payment_with()[:-1] + b',"\\u0061mount":1}', Problem.DUPLICATE_KEY, "amount"),
    (payment_with()[:-1] + b',"amount" : 846534}', Problem.DUPLICATE_KEY, "amount"),
    (payment_with()[:-1] + b',"designation":{"pool":"main","pool":"voluntary"}}', Problem.DUPLICATE_KEY, "pool"),
]


@pytest.mark.parametrize(("body", "problem", "field"), PROBLEMS)
def test_bad_payment_has_its_problem(body: bytes, problem: Problem, field: str) -> None:
    assert decode_payment(body, KEY) == feed_error(problem, field)


LINE_PROBLEMS = [
    (line_with(transit_account="4091181010000000000"), Problem.INVALID_FIELD, "transit_account"),
    (line_with(transit_account="4091181010000000000x"), Problem.INVALID_FIELD, "transit_account"),
    (line_with(transit_account=40911810100000000001), Problem.UNEXPECTED_SHAPE, "transit_account"),
    (line_with(space=""), Problem.INVALID_FIELD, "space"),
    (line_with(space="x" * 10_240), Problem.INVALID_FIELD, "space"),
    (line_with(amount=-5), Problem.UNEXPECTED_SHAPE, "amount"),
    (line_with(account="1001"), Problem.UNEXPECTED_SHAPE, "account"),
    (line_with()[:-1] + b',"space":"other"}', Problem.DUPLICATE_KEY, "space"),
    (line_with(space="Сбер").decode().encode("cp1251"), Problem.NOT_UTF8, ""),
]


@pytest.mark.parametrize(("body", "problem", "field"), LINE_PROBLEMS)
def test_bad_statement_line_has_its_problem(body: bytes, problem: Problem, field: str) -> None:
    assert decode_statement_line(body, KEY) == feed_error(problem, field)


KEYS = [
    (None, Problem.KEY_MISSING),
    ("", Problem.KEY_MISSING),
    (" ", Problem.KEY_MALFORMED),
    ("a\0b", Problem.KEY_MALFORMED),
    ("a\nb", Problem.KEY_MALFORMED),
    ("a\udcff", Problem.KEY_MALFORMED),
    ("1" * 129, Problem.KEY_MALFORMED),
    ("я" * 65, Problem.KEY_MALFORMED),
    ("1" * 10_240, Problem.KEY_MALFORMED),
]


@pytest.mark.parametrize(("key", "problem"), KEYS)
def test_bad_key_has_its_problem(key: str | None, problem: Problem) -> None:
    assert decode_payment(payment_with(), key) == feed_error(problem)
    assert decode_statement_line(line_with(), key) == feed_error(problem)


def test_longest_texts_are_taken() -> None:
    notification = decode_payment(payment_with(account="Я" * 200), "я" * 64)
    assert isinstance(notification, PaymentNotification)
    assert (notification.external_id, notification.account_number) == ("я" * 64, "Я" * 200)


def test_key_can_be_bound_to_the_signed_id() -> None:
    assert isinstance(decode_payment(payment_with(), KEY, signed_id=KEY), PaymentNotification)
    assert decode_payment(payment_with(), KEY, signed_id="other") == feed_error(Problem.KEY_NOT_SIGNED)
    assert decode_statement_line(line_with(), KEY, signed_id="other") == feed_error(Problem.KEY_NOT_SIGNED)


def booked(answer: Answer, suspense: SuspenseReason = SuspenseReason.NONE) -> PaymentOutcome:
    return PaymentOutcome(answer=answer, book=Book(1), sequence=Sequence(42), suspense=suspense)


@pytest.mark.parametrize("answer", [Answer.RECORDED, Answer.DUPLICATE])
def test_booked_and_repeated_payments_get_the_same_bytes(answer: Answer) -> None:
    in_suspense = encode_outcome(booked(answer, SuspenseReason.ACCOUNT_UNKNOWN), space_name="bank", external_id=ExternalId(KEY))
    assert in_suspense == (
        200,
        b'{"status":"recorded","payment":"bank/op-2026-0001","entry":{"book":1,"sequence":42},"suspense":"account_unknown"}',
    )
    status, body = encode_outcome(booked(answer), space_name="bank", external_id=ExternalId(KEY))
    assert (status, json.loads(body)["suspense"]) == (200, None)


OUTCOMES = [
    (PaymentOutcome(answer=Answer.CONFLICT, conflict_field="amount"), 409, "/problems/conflict", "amount"),
    (PaymentOutcome(answer=Answer.STALE_TIMESTAMP), 409, "/problems/stale-timestamp", None),
    (PaymentOutcome(answer=Answer.COVERED_ELSEWHERE), 409, "/problems/covered-elsewhere", None),
    (PaymentOutcome(answer=Answer.TRY_AGAIN), 503, "/problems/try-again", None),
    (PaymentOutcome(answer=Answer.REFUSED, refusal=Refusal.AMOUNT_TOO_SMALL), 422, "/problems/refused", None),
    (PaymentOutcome(answer=Answer.DUPLICATE, refusal=Refusal.NO_CONTRACT), 422, "/problems/refused", None),
]


@pytest.mark.parametrize(("outcome", "status", "kind", "field"), OUTCOMES)
def test_every_other_outcome_is_a_problem(outcome: PaymentOutcome, status: int, kind: str, field: str | None) -> None:
    got, body = encode_outcome(outcome, space_name="bank", external_id=ExternalId(KEY))
    problem = json.loads(body)
    assert (got, problem["status"], problem["type"], problem.get("field")) == (status, status, kind, field)


def test_problem_has_words_in_both_languages() -> None:
    for problem in Problem:
        members = json.loads(encode_problem(feed_error(problem, 'имя "\n')))
        assert set(members) == {"type", "title", "status", "detail", "detail_en", "field"}
        assert members["type"] == f"/problems/{problem.value}"
        assert 400 <= members["status"] <= 599 and members["detail"] and members["detail_en"].isascii()


SIGNATURE_STATUSES = [(Verdict.MISSING, 401), (Verdict.MALFORMED, 401), (Verdict.WRONG_SIGNATURE, 401), (Verdict.STALE, 409)]


@pytest.mark.parametrize(("verdict", "status"), SIGNATURE_STATUSES)
def test_signature_that_is_not_valid_is_a_problem(verdict: Verdict, status: int) -> None:
    assert SIGNATURE_ERRORS[verdict].status == status
    assert set(SIGNATURE_ERRORS) == set(Verdict) - {Verdict.VALID}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from([*PAYMENT, *LINE, "designation", "purpose"])


@given(
    st.one_of(st.binary(), st.dictionaries(NAMES, JSON).map(lambda changed: json.dumps(PAYMENT | changed).encode())), st.text()
)
def test_any_body_and_key_give_a_value(body: bytes, key: str) -> None:
    for decoded in (decode_payment(body, key), decode_statement_line(body, key)):
        if isinstance(decoded, FeedError):
            assert json.loads(encode_problem(decoded))["status"] == decoded.status
        else:
            assert 0 < decoded.amount_kopecks <= 10**15 and decoded.event_at.tzinfo is UTC


@given(st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1, max_size=200), st.integers(1, 10**15))
def test_what_is_written_is_read(account: str, amount: int) -> None:
    notification = decode_payment(payment_with(account=account, amount=amount), KEY)
    assert isinstance(notification, PaymentNotification)
    assert (notification.account_number, notification.amount_kopecks) == (account, amount)
