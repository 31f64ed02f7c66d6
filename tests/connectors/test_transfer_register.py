"""The distribution register: its file, the bank's answer by line, and every status of the exchange."""

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.transfers.batch import read_batch, transfer_faults
from connectors.transfers.distribution_register import HELD_POLL_FACTOR, DistributionRegister, RegisterSettings
from connectors.transfers.multipart import read_parts
from connectors.transfers.register_file import RegisterError, read_register, write_register
from connectors.transfers.signing import Signed, SigningFailed
from schemas.delivery import Accepted, Closed, Done, NotTaken, Refused, Unknown
from schemas.exchange import ExchangeFailed, HttpAnswer
from schemas.transfer import TransferBatch, TransferState
from tests.connectors.transfer_desk import (
    BUDGET,
    CREDIT,
    DAY,
    HEAT,
    Stage,
    Told,
    batch_of,
    outgoing,
    report_of,
    sign,
    transfer,
)

GOLDEN = Path(__file__).parent / "golden" / "register.jsonl"
BATCH = batch_of(transfer(1), transfer(2, 5, budget=BUDGET, code="18801050123456789017"))
SETTINGS = RegisterSettings(url="http://127.0.0.1:1/bank", token="t0ken", poll_ms=1_000)
SANDBOX = RegisterSettings(url="http://127.0.0.1:1", poll_ms=1_000)


def test_the_file_is_the_golden_one() -> None:
    assert write_register(BATCH).decode() == GOLDEN.read_text("utf-8")


def test_a_register_comes_back_whole() -> None:
    assert read_register(write_register(BATCH)) == BATCH


@given(st.lists(st.integers(1, 10**13), min_size=1, max_size=20), st.text(st.characters(categories=("L", "Nd", "P")), min_size=1))
def test_any_batch_comes_back_with_the_same_bytes(amounts: list[int], words: str) -> None:
    batch = batch_of(*(transfer(n, amount, purpose=words[:210]) for n, amount in enumerate(amounts, start=1)))
    written = write_register(batch)
    assert read_register(written) == batch and write_register(read_register(written)) == written


def resealed(text: bytes) -> bytes:
    """Put the right digest under changed lines."""
    *lines, footer = text.splitlines(keepends=True)
    sealed = msgspec.json.decode(footer) | {"sha256": hashlib.sha256(b"".join(lines)).hexdigest()}
    return b"".join(lines) + msgspec.json.encode(sealed) + b"\n"


WRITTEN = write_register(BATCH)
BROKEN = [
    (b"", "ends within a line"),
    (WRITTEN[:-1], "ends within a line"),
    (WRITTEN[: WRITTEN.rindex(b'{"line":"footer"')], "starts with a header"),
    (WRITTEN.replace(b"432150", b"432151"), "digest in the footer"),
    (resealed(WRITTEN.replace(b'"amount_kopecks":432150', b'"amount_kopecks":432151')), "control totals"),
    (resealed(WRITTEN.replace(b'"count":2', b'"count":3', 1)), "different totals"),
    (resealed(WRITTEN.replace(b"register/1", b"register/2")), "this format"),
    (resealed(WRITTEN.replace(b'"priority":5', b'"priority":5,"extra":1')), "cannot be read"),
    (resealed(WRITTEN.replace(b'"number":"2"', b'"number":"1"')), "one number"),
    (resealed(WRITTEN.replace(b'"key":"transfer-2"', b'"key":"transfer-1"')), "one key"),
    ("Реестр\n".encode("cp1251"), "cannot be read"),
]


@pytest.mark.parametrize(("body", "reason"), BROKEN)
def test_a_broken_register_is_refused_in_words(body: bytes, reason: str) -> None:
    with pytest.raises(RegisterError, match=reason):
        read_register(body)


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"number": "1234567"}, "number (3)"),
    ({"number": "000"}, "number (3)"),
    ({"number": "12а"}, "number (3)"),
    ({"amount_kopecks": 0}, "amount (7)"),
    ({"amount_kopecks": -5}, "amount (7)"),
    ({"priority": 0}, "priority (21)"),
    ({"priority": 6}, "priority (21)"),
    ({"code": ""}, "code (22)"),
    ({"code": "1" * 26}, "code (22)"),
    ({"purpose": ""}, "purpose (24)"),
    ({"purpose": "я" * 211}, "purpose (24)"),
    ({"purpose": "НДС\nСумма=1"}, "purpose (24)"),
    ({"key": ""}, "key"),
    ({"payee": msgspec.structs.replace(HEAT, name="я" * 161)}, "name (8, 16)"),
    ({"payee": msgspec.structs.replace(HEAT, inn="123")}, "inn (60, 61)"),
    ({"payee": msgspec.structs.replace(HEAT, kpp="12345678")}, "kpp (102, 103)"),
    ({"payee": msgspec.structs.replace(HEAT, account="4070281040000000000")}, "account (9, 17)"),
    ({"payee": msgspec.structs.replace(HEAT, bic="44525225")}, "bic (11, 14)"),
    ({"payee": msgspec.structs.replace(HEAT, correspondent="1")}, "correspondent (12, 15)"),
    ({"payee": msgspec.structs.replace(HEAT, bank_name="я" * 161)}, "bank_name (10, 13)"),
    ({"budget": msgspec.structs.replace(BUDGET, kbk="")}, "kbk (101, 104–110)"),
    ({"budget": msgspec.structs.replace(BUDGET, document_number="1" * 16)}, "document_number (101, 104–110)"),
]


@pytest.mark.parametrize(("changes", "fault"), FIELDS)
async def test_a_field_over_its_limit_never_leaves_the_house(changes: dict[str, Any], fault: str) -> None:
    batch = batch_of(transfer(1, **changes))
    told = Told()
    answer = await DistributionRegister(SETTINGS, told, sign).send(outgoing(batch))
    assert isinstance(answer, Refused) and fault in answer.reason and not told.requests
    assert report_of(answer).results[0].state is TransferState.REJECTED


def test_fields_at_their_limits_are_taken() -> None:
    widest = msgspec.structs.replace(HEAT, name="я" * 160, kpp="", inn="500100732259", correspondent="")
    full = transfer(999_999, 10**15, payee=widest, purpose="я" * 210, code="A" * 25, priority=1)
    assert not list(transfer_faults(full))


WRONG_BATCHES = [
    (msgspec.structs.replace(BATCH, total_kopecks=BATCH.total_kopecks + 1), "control totals"),
    (msgspec.structs.replace(BATCH, count=3), "control totals"),
    (msgspec.structs.replace(BATCH, transfers=(), count=0, total_kopecks=0), "1 to 10000"),
    (msgspec.structs.replace(BATCH, transit_account=HEAT.account), "not the transit account"),
    (msgspec.structs.replace(BATCH, register="а" * 3), "register"),
]


@pytest.mark.parametrize(("batch", "reason"), WRONG_BATCHES)
def test_a_batch_that_does_not_add_up_is_refused(batch: TransferBatch, reason: str) -> None:
    answer = read_batch(msgspec.json.encode(batch))
    assert isinstance(answer, Refused) and reason in answer.reason


def answer_body(**changes: Any) -> bytes:
    """The bank's answer on BATCH: both lines accepted, unless changed; ``line`` changes the first one."""
    line = changes.pop("line", {})
    lines = [{"key": one.key, "state": "accepted", "amount_kopecks": one.amount_kopecks} for one in BATCH.transfers]
    body = {
        "format": "kopeck-distribution-answer/1",
        "register": BATCH.register,
        "transit_account": BATCH.transit_account,
        "count": BATCH.count,
        "sum_kopecks": BATCH.total_kopecks,
        "signer": "CN=Подписант",
        "signed_at": "2026-11-24T09:00:00Z",
        "lines": [lines[0] | line, *lines[1:]],
    }
    return msgspec.json.encode(body | changes)


EXECUTED = {"state": "executed", "bank_number": "100001", "bank_day": "2026-11-24"}
NOT_BELIEVED = [
    ({"sum_kopecks": 1}, "control totals"),
    ({"count": 1}, "control totals"),
    ({"register": "13"}, "another register"),
    ({"format": "kopeck-distribution-answer/2"}, "another format"),
    ({"signed_at": "2026-11-24T09:00:00"}, "without a time zone"),
    ({"lines": []}, "not the orders of the register"),
    ({"line": {"key": "transfer-3"}}, "not the orders of the register"),
    ({"line": {"key": "transfer-2"}}, "not the orders of the register"),
    ({"line": {"amount_kopecks": 432_151}}, "432151 kopecks, ours 432150"),
    ({"line": {"state": "paid"}}, "cannot be read"),
    ({"line": {"state": "executed"}}, "number and day"),
    ({"line": EXECUTED | {"bank_number": ""}}, "number and day"),
    ({"line": {"bank_number": "1"}}, "number and day"),
    ({"line": {"state": "refused"}}, "refused without a reason"),
    ({"line": {"state": "held", "reason": " "}}, "held without a reason"),
    ({"line": {"reason": "я" * 501}}, "too long"),
    ({"surprise": 1}, "cannot be read"),
    ({"line": {"surprise": 1}}, "cannot be read"),
]


@pytest.mark.parametrize(("changes", "reason"), NOT_BELIEVED)
async def test_an_answer_that_does_not_agree_leaves_the_outcome_unknown(changes: dict[str, Any], reason: str) -> None:
    body = answer_body(**changes)
    told = Told(HttpAnswer(status=200, body=body), HttpAnswer(status=200, body=body))
    register = DistributionRegister(SETTINGS, told, sign)
    for answer in (await register.send(outgoing(BATCH)), await register.ask(outgoing(BATCH))):
        assert isinstance(answer, Unknown) and reason in answer.reason


async def test_lines_become_results_in_our_order() -> None:
    lines = msgspec.json.decode(answer_body(line=EXECUTED))["lines"][::-1]
    lines[0] |= {"state": "refused", "reason": "Счёт закрыт"}
    told = Told(HttpAnswer(status=200, body=answer_body(lines=lines)))
    answer = await DistributionRegister(SETTINGS, told, sign).ask(outgoing(BATCH))
    assert isinstance(answer, Done) and answer.reference == f"{BATCH.transit_account}/12"
    report = report_of(answer)
    first, second = report.results
    assert (first.key, first.state, first.bank_number, first.bank_day) == (
        "transfer-1",
        TransferState.EXECUTED,
        "100001",
        date(2026, 11, 24),
    )
    assert (second.key, second.state, second.reason) == ("transfer-2", TransferState.REJECTED, "Счёт закрыт")
    assert report.signer == "CN=Подписант" and report.signed_at is not None


async def test_a_hold_is_asked_about_seldom_and_reported() -> None:
    held = {"state": "held", "reason": "115-ФЗ"}
    lines = [line | held for line in msgspec.json.decode(answer_body())["lines"]]
    told = Told(HttpAnswer(status=200, body=answer_body(lines=lines)))
    answer = await DistributionRegister(SETTINGS, told, sign).ask(outgoing(BATCH))
    assert isinstance(answer, Accepted) and answer.ask_after_ms == 1_000 * HELD_POLL_FACTOR
    assert {result.state for result in report_of(answer).results} == {TransferState.HELD}


PROBLEM = b'{"code":"signature","reason":"wrong"}'
SENT = [
    (HttpAnswer(status=201, body=answer_body()), Accepted),
    (HttpAnswer(status=200, body=answer_body()), Accepted),
    (HttpAnswer(status=409, body=PROBLEM), Unknown),
    (HttpAnswer(status=400, body=PROBLEM), Refused),
    (HttpAnswer(status=413, body=PROBLEM), Refused),
    (HttpAnswer(status=422, body=PROBLEM), Refused),
    (HttpAnswer(status=422, body=b"<html>"), Unknown),
    (HttpAnswer(status=401), Closed),
    (HttpAnswer(status=403), Closed),
    (HttpAnswer(status=405, body=PROBLEM), Closed),
    (HttpAnswer(status=408), NotTaken),
    (HttpAnswer(status=425), NotTaken),
    (HttpAnswer(status=429, headers=(("retry-after", "7"),)), NotTaken),
    (HttpAnswer(status=503, headers=(("retry-after", "7"),)), NotTaken),
    (HttpAnswer(status=503), Unknown),
    (HttpAnswer(status=500), Unknown),
    (HttpAnswer(status=302), Unknown),
    (HttpAnswer(status=201, body=b""), Unknown),
    (ExchangeFailed("no route", sent=False), NotTaken),
    (ExchangeFailed("timed out", sent=True), Unknown),
]


@pytest.mark.parametrize(("told", "kind"), SENT)
async def test_what_an_answer_to_a_register_means(told: HttpAnswer | Exception, kind: type) -> None:
    answer = await DistributionRegister(SETTINGS, Told(told), sign).send(outgoing(BATCH))
    assert type(answer) is kind
    if isinstance(answer, NotTaken) and isinstance(told, HttpAnswer) and told.headers:
        assert answer.after_ms == 7_000


ASKED = [
    (HttpAnswer(status=200, body=answer_body()), "", Accepted),
    (HttpAnswer(status=404, body=b'{"code":"unknown_register"}'), "", NotTaken),
    (HttpAnswer(status=404, body=b'{"code":"unknown_register"}'), "40911/12", Unknown),
    (HttpAnswer(status=404, body=b"<html>"), "", Unknown),
    (HttpAnswer(status=401), "", Closed),
    (HttpAnswer(status=429), "", Unknown),
    (HttpAnswer(status=503, headers=(("retry-after", "7"),)), "", Unknown),
    (HttpAnswer(status=400, body=PROBLEM), "", Unknown),
    (ExchangeFailed("no route", sent=False), "", Unknown),
    (ExchangeFailed("timed out", sent=True), "", Unknown),
]


@pytest.mark.parametrize(("told", "reference", "kind"), ASKED)
async def test_what_an_answer_to_a_question_means(told: HttpAnswer | Exception, reference: str, kind: type) -> None:
    answer = await DistributionRegister(SETTINGS, Told(told), sign).ask(outgoing(BATCH, reference=reference))
    assert type(answer) is kind


async def test_what_was_sent_is_asked_about_even_if_rules_have_changed_since() -> None:
    batch = msgspec.structs.replace(BATCH, register="№ 12/а")
    told = Told(HttpAnswer(status=404, body=b'{"code":"unknown_register"}'))
    assert isinstance(await DistributionRegister(SETTINGS, told, sign).ask(outgoing(batch)), NotTaken)
    assert told.requests[0].url.endswith("/%E2%84%96%2012%2F%D0%B0")


async def test_nothing_is_sent_unsigned() -> None:
    async def broken(content: bytes) -> Signed:
        raise SigningFailed("no token")

    told = Told()
    answer = await DistributionRegister(SETTINGS, told, broken).send(outgoing(BATCH))
    assert answer == NotTaken(reason="not signed: no token") and not told.requests


async def test_the_request_carries_key_signature_and_token() -> None:
    told = Told(HttpAnswer(status=201, body=answer_body()))
    await DistributionRegister(SETTINGS, told, sign).send(outgoing(BATCH))
    headers = dict(told.requests[0].headers)
    assert (told.requests[0].method, told.requests[0].url) == ("POST", "http://127.0.0.1:1/bank/registers")
    assert headers["idempotency-key"] == f"{BATCH.transit_account}/12" and headers["authorization"] == "Bearer t0ken"
    parts = read_parts(headers["content-type"], told.requests[0].body)
    assert parts["register"] == WRITTEN and len(parts["signature"]) > 300
    assert "t0ken" not in repr(told.requests[0]) + repr(SETTINGS)


async def test_the_bank_answers_a_known_number_with_the_first_register_and_refuses_another() -> None:
    stage = Stage()
    stage.bank.credit(CREDIT, stage.clock())
    register = DistributionRegister(SANDBOX, stage.exchange, sign)
    first = await register.send(outgoing(BATCH))
    assert isinstance(first, Accepted) and await register.send(outgoing(BATCH)) == first
    other = batch_of(transfer(1, 7))
    conflict = await register.send(outgoing(other))
    assert isinstance(conflict, Unknown) and "another register under this number" in conflict.reason
    assert isinstance(await stage.deliver(register, outgoing(BATCH)), Done)
    assert stage.bank.books.effects == {"transfer-1": 1, "transfer-2": 1}


async def test_the_bank_refuses_what_it_cannot_verify() -> None:
    async def signs_other_content(content: bytes) -> Signed:
        return await sign(content + b" ")

    stage = Stage()
    answer = await DistributionRegister(SANDBOX, stage.exchange, signs_other_content).send(outgoing(BATCH))
    assert isinstance(answer, Refused) and answer.code == "signature"
    assert {result.state for result in report_of(answer).results} == {TransferState.REJECTED}
    assert report_of(answer).register == "12" and BATCH.day == DAY
