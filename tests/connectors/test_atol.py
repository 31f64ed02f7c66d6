"""ATOL Online as a counterparty: every code, every way an exchange ends, tokens, reports, callbacks."""

import asyncio
from datetime import datetime
from typing import Any

import msgspec
import pytest

from connectors.fiscal.atol import Atol, decode_callback
from connectors.fiscal.callback_hint import CALLBACK_BYTES_MAX, CallbackHint
from connectors.sandbox.atol import AtolSandbox, AtolSandboxOptions
from connectors.sandbox.faults import FaultyExchange
from schemas.delivery import Accepted, Answer, Closed, Done, NotTaken, Refused, Unknown
from schemas.exchange import ExchangeFailed, HttpAnswer, HttpRequest
from schemas.receipt import FiscalSign
from tests.connectors.fiscal_samples import Clock, Script, atol, atol_config, connection, json_answer, order_of, receipt

TOKEN = json_answer({"error": None, "token": "t-1", "timestamp": "24.11.2026 15:30:00"})
UUID = "ea5991ab-05f3-4c10-980b-2d1d1ce9a7d2"
ORDER = order_of(receipt())
ASKED = order_of(receipt(), reference=UUID)


def failure(code: int, *, status: str = "fail", uuid: str = "", type_: str = "system") -> dict[str, Any]:
    return {"uuid": uuid, "status": status, "error": {"error_id": "e", "code": code, "text": "слова", "type": type_}}


def party(*answers: HttpAnswer | Exception) -> tuple[Atol, Script]:
    script = Script(TOKEN, *answers)
    return atol(atol_config(), script, Clock()), script


REFUSED = {code: Refused(code=str(code), reason=f"code {code}: слова") for code in (1, 13, 30, 31, 32, 40, 41, 421)}
CLOSED = {code: Closed(reason=f"code {code}: слова") for code in (12, 14, 20, 21)}
SENT: list[tuple[HttpAnswer | Exception, Answer]] = [
    (json_answer({"uuid": UUID, "status": "wait", "error": None}), Accepted(reference=UUID, ask_after_ms=2_000)),
    (json_answer(failure(0), 400), Unknown(reason="code 0: слова")),
    (json_answer(failure(50), 500), Unknown(reason="code 50: слова")),
    *((json_answer(failure(code), 400), answer) for code, answer in REFUSED.items()),
    *((json_answer(failure(code), 401), answer) for code, answer in CLOSED.items()),
    (json_answer(failure(33, status="wait", uuid=UUID), 400), Accepted(reference=UUID, ask_after_ms=2_000)),
    (json_answer(failure(33, status="wait"), 400), Unknown(reason="no uuid of the receipt that is there: code 33: слова")),
    (json_answer(failure(34, status="wait", uuid=UUID)), Accepted(reference=UUID, ask_after_ms=2_000)),
    (json_answer(failure(777), 400), Unknown(reason="code 777 is not one of the protocol's")),
    (json_answer({"uuid": UUID, "status": "fail", "error": None}), Unknown(reason="HTTP 200 with neither a uuid nor an error")),
    (json_answer({}), Unknown(reason="HTTP 200 with neither a uuid nor an error")),
    (json_answer([]), Unknown(reason="HTTP 200 without a readable answer")),
    (HttpAnswer(status=500), Unknown(reason="HTTP 500 without a readable answer")),
    (HttpAnswer(status=502, body=b"<html>\xff"), Unknown(reason="HTTP 502 without a readable answer")),
    (HttpAnswer(status=503), Unknown(reason="HTTP 503 without a readable answer")),
    (HttpAnswer(status=503, headers=(("retry-after", "7"),)), NotTaken(reason="HTTP 503: busy", after_ms=7_000)),
    (HttpAnswer(status=429, headers=(("retry-after", "Tue"),)), NotTaken(reason="HTTP 429: busy")),
    (ExchangeFailed("timed out", sent=True), Unknown(reason="timed out")),
    (ExchangeFailed("connection refused", sent=False), NotTaken(reason="connection refused")),
]


@pytest.mark.parametrize(("given", "expected"), SENT)
async def test_answer_to_a_receipt(given: HttpAnswer | Exception, expected: Answer) -> None:
    connector, script = party(given)
    assert await connector.send(ORDER) == expected
    assert [request.url for request in script.requests] == [
        "http://atol/possystem/v5/getToken",
        "http://atol/possystem/v5/sandbox/sell",
    ]
    assert ("token", "t-1") in script.requests[1].headers


PAYLOAD = {
    "total": 5000.0,
    "fns_site": "www.nalog.gov.ru",
    "fn_number": "9960440300000001",
    "shift_number": 23,
    "receipt_datetime": "24.11.2026 15:30:07",
    "fiscal_receipt_number": 6,
    "fiscal_document_number": 12345,
    "ecr_registration_number": "0000111118041361",
    "fiscal_document_attribute": 3987654321,
    "ofd_receipt_url": "https://check.example.ru/12345",
}
SIGN = FiscalSign(
    fn="9960440300000001",
    fd="12345",
    fpd="3987654321",
    registered_at=datetime(2026, 11, 24, 15, 30, 7),
    total_kopecks=500_000,
    shift="23",
    number_in_shift="6",
    register_number="0000111118041361",
    link="https://check.example.ru/12345",
)


def report(**changed: Any) -> dict[str, Any]:
    return {"uuid": UUID, "status": "done", "error": None, "external_id": ASKED.key, "payload": PAYLOAD} | changed


def unreadable(payload: dict[str, Any] | None) -> HttpAnswer:
    return json_answer(report(payload=payload))


REPORTED: list[tuple[HttpAnswer | Exception, Answer]] = [
    (json_answer(report()), Done(reference=UUID, content=msgspec.json.encode(SIGN))),
    (json_answer(report(status="wait", payload=None)), Accepted(reference=UUID, ask_after_ms=2_000)),
    (json_answer(failure(34, status="wait", uuid=UUID)), Accepted(reference=UUID, ask_after_ms=2_000)),
    (json_answer(failure(1, type_="timeout")), Refused(code="1", reason="code 1: слова", again=True)),
    (json_answer(failure(-3897, type_="driver")), Refused(code="-3897", reason="code -3897: слова")),
    (json_answer(failure(32)), Refused(code="32", reason="code 32: слова")),
    (json_answer(report(status="fail", payload=None)), Refused(code="fail", reason="failed without a reason")),
    *((json_answer(failure(code), 401), answer) for code, answer in CLOSED.items()),
    *((json_answer(failure(code), 400), Unknown(reason=f"code {code}: слова")) for code in (0, 1, 13, 30, 31, 32, 40, 41)),
    (json_answer(failure(50), 500), Unknown(reason="code 50: слова")),
    (json_answer(report(), 500), Unknown(reason="HTTP 500")),
    (json_answer(report(external_id="another")), Unknown(reason="the report is of another order")),
    (json_answer(report(status="cooking")), Unknown(reason="a report without a known status")),
    (json_answer(report(status=None)), Unknown(reason="a report without a known status")),
    (HttpAnswer(status=200, body=b"{"), Unknown(reason="HTTP 200 without a readable answer")),
    (HttpAnswer(status=429), Unknown(reason="the report was not asked for: HTTP 429: busy")),
    (ExchangeFailed("refused", sent=False), Unknown(reason="the report was not asked for: refused")),
    (ExchangeFailed("timed out", sent=True), Unknown(reason="timed out")),
]


@pytest.mark.parametrize(("given", "expected"), REPORTED)
async def test_answer_to_a_report(given: HttpAnswer | Exception, expected: Answer) -> None:
    connector, script = party(given)
    assert await connector.ask(ASKED) == expected
    asked = script.requests[1]
    assert (asked.method, asked.url) == ("GET", f"http://atol/possystem/v5/sandbox/report/{UUID}")


@pytest.mark.parametrize(
    "payload",
    [
        PAYLOAD | {"total": 5000.001},
        PAYLOAD | {"total": "5000.00"},
        PAYLOAD | {"total": None},
        PAYLOAD | {"receipt_datetime": "2026-11-24T15:30:07"},
        None,
        {name: value for name, value in PAYLOAD.items() if name != "fn_number"},
    ],
)
async def test_a_registered_receipt_with_an_unreadable_report_stays_unknown(payload: dict[str, Any] | None) -> None:
    connector, _ = party(unreadable(payload))
    answer = await connector.ask(ASKED)
    assert isinstance(answer, Unknown)
    assert answer.reason.startswith("registered, and the report cannot be read")


async def test_polling_slows_down_and_stays_bounded() -> None:
    waits = []
    for attempt in (1, 2, 5, 6, 7, 40):
        connector, _ = party(json_answer(report(status="wait")))
        answer = await connector.ask(msgspec.structs.replace(ASKED, attempt=attempt))
        assert isinstance(answer, Accepted)
        waits.append(answer.ask_after_ms)
    assert waits == [2_000, 4_000, 32_000, 60_000, 60_000, 60_000]


@pytest.mark.parametrize("code", [10, 11])
async def test_a_refused_token_is_renewed_and_the_same_body_sent(code: int) -> None:
    second = json_answer({"error": None, "token": "t-2"})
    connector, script = party(
        json_answer(failure(code), 401), second, json_answer({"uuid": UUID, "status": "wait", "error": None})
    )
    assert await connector.send(ORDER) == Accepted(reference=UUID, ask_after_ms=2_000)
    first, again = script.requests[1], script.requests[3]
    assert first.body == again.body
    assert (("token", "t-1") in first.headers, ("token", "t-2") in again.headers) == (True, True)


async def test_a_fresh_token_that_is_refused_ends_the_attempt() -> None:
    refused = json_answer(failure(11), 401)
    connector, _ = party(refused, TOKEN, refused)
    assert await connector.send(ORDER) == NotTaken(reason="a fresh token is refused: code 11: слова")


LOGINS: list[tuple[HttpAnswer | Exception, Answer]] = [
    (json_answer(failure(12), 401), Closed(reason="no token: code 12: слова")),
    (json_answer(failure(14), 403), Closed(reason="no token: code 14: слова")),
    (json_answer(failure(13), 400), Closed(reason="no token: code 13: слова")),
    (json_answer(failure(50), 500), NotTaken(reason="no token: code 50")),
    (json_answer({"error": None, "token": ""}), NotTaken(reason="no token in the answer")),
    (json_answer({"error": None, "token": "a\r\nb: c"}), NotTaken(reason="no token in the answer")),
    (json_answer({"error": None, "token": "t" * 1001}), NotTaken(reason="no token in the answer")),
    (HttpAnswer(status=502), NotTaken(reason="no token: HTTP 502")),
    (HttpAnswer(status=429, headers=(("retry-after", "3"),)), NotTaken(reason="no token: HTTP 429: busy", after_ms=3_000)),
    (ExchangeFailed("timed out", sent=True), NotTaken(reason="no token: timed out")),
    (ExchangeFailed("no route", sent=False), NotTaken(reason="no token: no route")),
]


@pytest.mark.parametrize(("given", "expected"), LOGINS)
async def test_without_a_token_nothing_of_the_receipt_is_sent(given: HttpAnswer | Exception, expected: Answer) -> None:
    script = Script(given)
    assert await atol(atol_config(), script, Clock()).send(ORDER) == expected
    assert len(script.requests) == 1


async def test_a_failed_login_while_asking_is_no_news_of_the_receipt() -> None:
    script = Script(ExchangeFailed("no route", sent=False))
    assert await atol(atol_config(), script, Clock()).ask(ASKED) == Unknown(
        reason="the report was not asked for: no token: no route"
    )


async def test_a_token_is_kept_for_its_life() -> None:
    clock, sandbox = Clock(), AtolSandbox(AtolSandboxOptions())
    connector = atol(atol_config(), connection(sandbox, clock), clock)
    for hours in (0, 12, 11, 1):
        clock.go(hours * 3_600_000)
        assert isinstance(await connector.send(ORDER), Accepted)
    assert sandbox.logins == 2


async def test_tokens_that_end_early_are_renewed() -> None:
    clock, sandbox = Clock(), AtolSandbox(AtolSandboxOptions())
    connector = atol(atol_config(), connection(sandbox, clock), clock)
    first = await connector.send(ORDER)
    sandbox.expire_tokens()
    assert await connector.send(ORDER) == first
    assert (sandbox.logins, sandbox.till.repeats) == (2, 1)


class _Slow:
    """An exchange that lets every other task go first."""

    def __init__(self, inner: FaultyExchange, *, fails: bool = False) -> None:
        self._inner, self._fails = inner, fails
        self.logins = 0

    async def __call__(self, request: HttpRequest) -> HttpAnswer:
        await asyncio.sleep(0)
        if request.url.endswith("getToken"):
            self.logins += 1
            if self._fails:
                raise ExchangeFailed("timed out", sent=True)
        return await self._inner(request)


@pytest.mark.parametrize("fails", [False, True])
async def test_one_login_at_a_time_and_those_who_waited_share_its_result(fails: bool) -> None:
    clock, sandbox = Clock(), AtolSandbox(AtolSandboxOptions())
    exchange = _Slow(connection(sandbox, clock), fails=fails)
    connector = atol(atol_config(), exchange, clock)
    orders = [order_of(receipt(), key=f"p-{number}:1") for number in range(20)]
    answers = await asyncio.gather(*(connector.send(order) for order in orders))
    assert exchange.logins == 1
    assert {type(answer) for answer in answers} == {NotTaken if fails else Accepted}
    sandbox.expire_tokens()
    await asyncio.gather(*(connector.send(order) for order in orders))
    assert exchange.logins == 2


async def test_asking_without_a_uuid_hands_the_same_over_again() -> None:
    connector, script = party(json_answer(failure(33, status="wait", uuid=UUID), 400))
    assert await connector.ask(ORDER) == Accepted(reference=UUID, ask_after_ms=2_000)
    assert script.requests[1].method == "POST"


UNLEARNT: list[HttpAnswer | Exception] = [ExchangeFailed("refused", sent=False), HttpAnswer(status=429)]


@pytest.mark.parametrize("given", UNLEARNT)
async def test_a_repeat_that_was_not_taken_leaves_the_outcome_unknown(given: HttpAnswer | Exception) -> None:
    connector, _ = party(given)
    assert isinstance(await connector.ask(ORDER), Unknown)


async def test_a_receipt_that_cannot_be_written_any_more_leaves_the_outcome_unknown() -> None:
    unsendable = order_of(receipt(client="nobody"))
    connector, script = party()
    assert await connector.ask(unsendable) == Unknown(
        reason="asked by a repeat: client: expected an e-mail of at most 64 characters"
    )
    assert await connector.send(unsendable) == Refused(
        code="content", reason="client: expected an e-mail of at most 64 characters"
    )
    assert script.requests == []


async def test_a_reference_cannot_leave_the_path_of_reports() -> None:
    connector, script = party(HttpAnswer(status=404))
    await connector.ask(order_of(receipt(), reference="../sell?x=1"))
    assert script.requests[1].url.endswith("/sandbox/report/..%2Fsell%3Fx%3D1")


CALLBACKS = [
    (b'{"uuid":"u-1","external_id":"k-1","status":"done","error":null}', CallbackHint(key="k-1", reference="u-1")),
    (b'{"uuid":"u-1","status":"fail"}', CallbackHint(key="", reference="u-1")),
    (b'{"external_id":"k-1"}', CallbackHint(key="k-1", reference="")),
    (b'{"status":"done"}', None),
    (b'{"uuid":"' + b"u" * 129 + b'"}', None),
    (b'{"uuid":"u\\u0000"}', None),
    (b'{"uuid":5}', None),
    (b"", None),
    (b"\xff", None),
    (b'{"uuid":"u-1","text":"' + b"x" * CALLBACK_BYTES_MAX + b'"}', None),
]


@pytest.mark.parametrize(("body", "hint"), CALLBACKS)
def test_a_callback_names_an_order_and_nothing_more(body: bytes, hint: CallbackHint | None) -> None:
    assert decode_callback(body) == hint


async def test_the_fakes_callback_is_read() -> None:
    clock, sandbox = Clock(), AtolSandbox(AtolSandboxOptions())
    answer = await atol(atol_config(), connection(sandbox, clock), clock).send(ORDER)
    assert isinstance(answer, Accepted)
    assert decode_callback(sandbox.callback(answer.reference, "http://atol")) == CallbackHint(
        key=ORDER.key, reference=answer.reference
    )


REFUSED_LOGINS = [
    (AtolSandboxOptions(password="другой"), "no token: code 12: Неверный логин или пароль"),
    (AtolSandboxOptions(blocked=True), "no token: code 14: Пользователь заблокирован"),
    (AtolSandboxOptions(group_code="other"), "code 20: Код группы не соответствует токену"),
    (AtolSandboxOptions(protocol="v4"), "code 21: Версия протокола не поддерживается группой"),
]


@pytest.mark.parametrize(("options", "reason"), REFUSED_LOGINS)
async def test_what_the_operator_holds_against_us_closes_it(options: AtolSandboxOptions, reason: str) -> None:
    clock = Clock()
    sandbox = AtolSandbox(options)
    assert await atol(atol_config(), connection(sandbox, clock), clock).send(ORDER) == Closed(reason=reason)
    assert sandbox.registered == ()


async def test_secrets_show_in_no_repr() -> None:
    config = atol_config(login="the-login", password="the-password")
    connector = atol(config, Script(), Clock())
    shown = f"{config!r} {connector!r} {AtolSandboxOptions(password='the-password')!r}"
    assert "the-login" not in shown
    assert "the-password" not in shown


def test_an_order_of_unknown_outcome_may_be_asked_about_and_sent_again() -> None:
    connector = atol(atol_config(), Script(), Clock())
    assert (connector.deduplicates, connector.can_be_asked) == (True, True)
