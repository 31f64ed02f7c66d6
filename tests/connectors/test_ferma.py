"""OFD.ru Ferma as a counterparty: answers, 1019, tokens by their own end, statuses, receipts, callbacks."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from connectors.fiscal.callback_hint import CALLBACK_BYTES_MAX, CallbackHint
from connectors.fiscal.ferma import Ferma, decode_callback
from connectors.fiscal.ferma_answers import read_ferma_utc
from connectors.fiscal.receipt_limits import AgentDetails
from connectors.sandbox.ferma import FermaSandbox, FermaSandboxOptions
from schemas.delivery import Accepted, Answer, Closed, Done, NotTaken, Refused, Unknown
from schemas.exchange import ExchangeFailed, HttpAnswer
from schemas.receipt import (
    AgentKind,
    FiscalFormat,
    FiscalSign,
    MeansOfPayment,
    Operation,
    PaymentMethod,
    PaymentObject,
    Receipt,
    TaxSystem,
    Vat,
)
from tests.connectors.fiscal_samples import (
    CORRECTION,
    Clock,
    Script,
    agent_item,
    connection,
    ferma,
    ferma_config,
    item,
    json_answer,
    of_items,
    order_of,
    receipt,
)

LOGIN = json_answer({"Status": "Success", "Data": {"AuthToken": "t-1", "ExpirationDateUtc": "2026-11-25T12:30:00"}})
RECEIPT_ID = "6f9d2a31-6f0e-4f7c-9d3b-0a52f1c6f001"
ORDER = order_of(receipt())
ASKED = order_of(receipt(), reference=RECEIPT_ID)
TAKEN = json_answer({"Status": "Success", "Data": {"ReceiptId": RECEIPT_ID}})
AGENT = AgentDetails(operation="Приём платежей", phones=("+74950000002",), operator_phones=("+74950000003",))


def failure(code: int, message: str = "слова") -> dict[str, Any]:
    return {"Status": "Failed", "Error": {"Code": code, "Message": message}}


def party(*answers: HttpAnswer | Exception, **changed: Any) -> tuple[Ferma, Script]:
    script = Script(LOGIN, *answers)
    return ferma(ferma_config(**changed), script, Clock()), script


SENT: list[tuple[HttpAnswer | Exception, Answer]] = [
    (TAKEN, Accepted(reference=RECEIPT_ID, ask_after_ms=2_000)),
    (
        json_answer(failure(1019, f"Чек уже создан --{RECEIPT_ID}-- ранее"), 400),
        Accepted(reference=RECEIPT_ID, ask_after_ms=2_000),
    ),
    (
        json_answer(failure(1019, "уже создан"), 400),
        Unknown(reason="no ReceiptId of the receipt that is there: code 1019: уже создан"),
    ),
    (json_answer(failure(1003), 400), Refused(code="1003", reason="code 1003: слова")),
    (json_answer({"Status": "Failed", "Error": {"Code": 7}}, 422), Refused(code="7", reason="code 7")),
    (json_answer(failure(1003), 403), Closed(reason="code 1003: слова")),
    (HttpAnswer(status=403), Closed(reason="HTTP 403")),
    (json_answer(failure(1050), 500), Unknown(reason="HTTP 500, code 1050: слова")),
    (json_answer(failure(1050), 408), Unknown(reason="HTTP 408, code 1050: слова")),
    (json_answer(failure(1050), 200), Unknown(reason="HTTP 200, code 1050: слова")),
    (json_answer({"Status": "Success", "Data": {}}), Unknown(reason="HTTP 200 with neither a ReceiptId nor an error")),
    (json_answer({"Status": "Failed"}, 400), Unknown(reason="HTTP 400 with neither a ReceiptId nor an error")),
    (HttpAnswer(status=404, body=b"<html>"), Unknown(reason="HTTP 404 without a readable answer")),
    (HttpAnswer(status=500), Unknown(reason="HTTP 500 without a readable answer")),
    (HttpAnswer(status=503, headers=(("retry-after", "2"),)), NotTaken(reason="HTTP 503: busy", after_ms=2_000)),
    (ExchangeFailed("timed out", sent=True), Unknown(reason="timed out")),
    (ExchangeFailed("refused", sent=False), NotTaken(reason="refused")),
]


@pytest.mark.parametrize(("given", "expected"), SENT)
async def test_answer_to_a_receipt(given: HttpAnswer | Exception, expected: Answer) -> None:
    connector, script = party(given)
    assert await connector.send(ORDER) == expected
    assert [request.url for request in script.requests] == [
        "http://ferma/api/Authorization/CreateAuthToken",
        "http://ferma/api/kkt/cloud/receipt?AuthToken=t-1",
    ]
    assert "t-1" not in repr(script.requests[1])


DEVICE = {"DeviceId": "d", "RNM": "0000111118041361", "ZN": "z", "FN": "9960440300000001", "FDN": "12345", "FPD": "3987654321"}
CONFIRMED = {
    "StatusCode": 2,
    "StatusName": "CONFIRMED",
    "StatusMessage": None,
    "ModifiedDateUtc": "2026-11-24T12:30:09",
    "ReceiptDateUtc": "2026-11-24T21:30:07",
    "Device": DEVICE | {"ShiftNumber": 23, "ReceiptNumInShift": 6, "OfdReceiptUrl": "https://check.example.ru/1"},
}
SIGN = FiscalSign(
    fn="9960440300000001",
    fd="12345",
    fpd="3987654321",
    registered_at=datetime(2026, 11, 25, 0, 30, 7),
    total_kopecks=500_000,
    shift="23",
    number_in_shift="6",
    register_number="0000111118041361",
    link="https://check.example.ru/1",
)


def status(**changed: Any) -> HttpAnswer:
    return json_answer({"Status": "Success", "Data": CONFIRMED | changed})


STATUSES: list[tuple[HttpAnswer | Exception, Answer]] = [
    (status(), Done(reference=RECEIPT_ID, content=msgspec.json.encode(SIGN))),
    (status(StatusName="NEW"), Accepted(reference=RECEIPT_ID, ask_after_ms=2_000)),
    (status(StatusName="PROCESSED"), Accepted(reference=RECEIPT_ID, ask_after_ms=2_000)),
    (
        status(StatusName="KKT_ERROR", StatusMessage="Ошибка ФН"),
        Refused(code="KKT_ERROR", reason="Ошибка ФН", again=True),
    ),
    (status(StatusName="KKT_ERROR"), Refused(code="KKT_ERROR", reason="KKT_ERROR", again=True)),
    (status(StatusName=None), Unknown(reason="a status without a name")),
    (status(Device=None), Unknown(reason="registered, and the status has no Device or no ReceiptDateUtc")),
    (status(ReceiptDateUtc=None), Unknown(reason="registered, and the status has no Device or no ReceiptDateUtc")),
    (status(ReceiptId="another"), Unknown(reason="the status is of another receipt")),
    (json_answer(failure(1005), 400), Unknown(reason="code 1005: слова")),
    (json_answer(failure(1005), 403), Closed(reason="code 1005: слова")),
    (json_answer({"Status": "Success"}), Unknown(reason="HTTP 200 without a status")),
    (HttpAnswer(status=500), Unknown(reason="HTTP 500 without a status")),
    (HttpAnswer(status=429), Unknown(reason="the status was not asked for: HTTP 429: busy")),
    (ExchangeFailed("timed out", sent=True), Unknown(reason="timed out")),
]


@pytest.mark.parametrize(("given", "expected"), STATUSES)
async def test_answer_to_a_status(given: HttpAnswer | Exception, expected: Answer) -> None:
    connector, script = party(given)
    assert await connector.ask(ASKED) == expected
    assert script.requests[1].body == b'{"Request":{"ReceiptId":"' + RECEIPT_ID.encode() + b'"}}'


async def test_an_unreadable_moment_of_a_registered_receipt_stays_unknown() -> None:
    connector, _ = party(status(ReceiptDateUtc="yesterday"))
    answer = await connector.ask(ASKED)
    assert isinstance(answer, Unknown)
    assert answer.reason.startswith("registered, and ReceiptDateUtc cannot be read")


ZONES = [
    ("Europe/Kaliningrad", datetime(2026, 11, 24, 23, 30, 7)),
    ("Europe/Moscow", datetime(2026, 11, 25, 0, 30, 7)),
    ("Asia/Kamchatka", datetime(2026, 11, 25, 9, 30, 7)),
]


@pytest.mark.parametrize(("zone", "local"), ZONES)
async def test_the_moment_becomes_the_tills_local_time(zone: str, local: datetime) -> None:
    connector, _ = party(status(), zone=zone)
    answer = await connector.ask(ASKED)
    assert isinstance(answer, Done)
    assert msgspec.json.decode(answer.content, type=FiscalSign).registered_at == local


MOMENTS = ["2026-11-24T12:30:00", "2026-11-24T12:30:00Z", "2026-11-24T15:30:00+03:00", "2026-11-24T12:30:00.000"]


@pytest.mark.parametrize("text", MOMENTS)
def test_moments_are_utc_with_and_without_a_zone(text: str) -> None:
    assert read_ferma_utc(text) == datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


LOGINS: list[tuple[HttpAnswer | Exception, Answer]] = [
    (json_answer(failure(1000), 401), Closed(reason="no token: HTTP 401: code 1000: слова")),
    (json_answer(failure(1000), 400), Closed(reason="no token: HTTP 400: code 1000: слова")),
    (json_answer(failure(1000), 500), NotTaken(reason="no token: HTTP 500: code 1000: слова")),
    (HttpAnswer(status=502), NotTaken(reason="no token: HTTP 502")),
    (json_answer({"Status": "Success", "Data": {"AuthToken": "t"}}), NotTaken(reason="no token in the answer")),
    (
        json_answer({"Status": "Success", "Data": {"AuthToken": "t", "ExpirationDateUtc": "soon"}}),
        NotTaken(reason="no readable ExpirationDateUtc in the answer"),
    ),
    (
        json_answer({"Status": "Success", "Data": {"AuthToken": "t", "ExpirationDateUtc": "0001-01-01T00:00:00"}}),
        NotTaken(reason="no readable ExpirationDateUtc in the answer"),
    ),
    (ExchangeFailed("timed out", sent=True), NotTaken(reason="no token: timed out")),
]


@pytest.mark.parametrize(("given", "expected"), LOGINS)
async def test_without_a_token_nothing_of_the_receipt_is_sent(given: HttpAnswer | Exception, expected: Answer) -> None:
    script = Script(given)
    assert await ferma(ferma_config(), script, Clock()).send(ORDER) == expected
    assert len(script.requests) == 1


@pytest.mark.parametrize("refusal", [json_answer(failure(1001), 400), HttpAnswer(status=401)])
async def test_a_refused_token_is_renewed_and_the_same_body_sent(refusal: HttpAnswer) -> None:
    connector, script = party(refusal, LOGIN, TAKEN)
    assert await connector.send(ORDER) == Accepted(reference=RECEIPT_ID, ask_after_ms=2_000)
    assert script.requests[1].body == script.requests[3].body
    connector, _ = party(refusal, LOGIN, refusal)
    assert await connector.send(ORDER) == NotTaken(reason="a fresh token is refused")


async def test_a_token_is_used_until_the_end_that_came_with_it() -> None:
    clock = Clock()
    sandbox = FermaSandbox(FermaSandboxOptions(token_life_s=3_600))
    connector = ferma(ferma_config(), connection(sandbox, clock), clock)
    for minutes in (0, 54, 2, 50):
        clock.go(minutes * 60_000)
        assert isinstance(await connector.send(ORDER), Accepted)
    assert (sandbox.logins, sandbox.till.repeats) == (2, 3)


async def test_asking_without_a_receipt_id_hands_the_same_over_again() -> None:
    connector, script = party(json_answer(failure(1019, f"--{RECEIPT_ID}--"), 400))
    assert await connector.ask(ORDER) == Accepted(reference=RECEIPT_ID, ask_after_ms=2_000)
    assert "/receipt?" in script.requests[1].url
    connector, _ = party(ExchangeFailed("refused", sent=False))
    assert await connector.ask(ORDER) == Unknown(reason="asked by a repeat: refused")


async def body_of(content: Receipt, **changed: Any) -> dict[str, Any]:
    connector, script = party(HttpAnswer(status=500), **changed)
    await connector.send(order_of(content))
    request: dict[str, Any] = json.loads(script.requests[1].body)["Request"]
    return request


GOLDEN = (
    '{"Request":{"Inn":"7700000000","Type":"Income","InvoiceId":"payment-1:receipt:1","LocalDate":"2026-11-24T15:30:00",'
    '"CustomerReceipt":{"TaxationSystem":"Common","Email":"resident@example.ru","BillAddress":"https://pay.example.ru",'
    '"IsInternet":true,"Items":[{"Label":"Отопление за 10.2026","Price":1697.72,"Quantity":1,"Amount":1697.72,"Vat":"VatNo",'
    '"Measure":"PIECE","PaymentMethod":4,"PaymentType":4},{"Label":"Содержание жилья за 10.2026","Price":1269.88,"Quantity":1,'
    '"Amount":1269.88,"Vat":"Vat22","Measure":"PIECE","PaymentMethod":4,"PaymentType":4}],'
    '"PaymentItems":[{"PaymentType":1,"Sum":2967.60}]}}}'
)


async def test_a_receipt_byte_by_byte() -> None:
    content = of_items(item("Отопление за 10.2026", 169_772), item("Содержание жилья за 10.2026", 126_988, Vat.VAT22))
    connector, script = party(HttpAnswer(status=500))
    await connector.send(order_of(content))
    assert script.requests[1].body.decode() == GOLDEN


async def test_an_agents_item() -> None:
    request = await body_of(of_items(agent_item()), agent=AGENT)
    assert request["CustomerReceipt"]["Items"][0]["PaymentAgentInfo"] == {
        "AgentType": "BANK_PAYMENT_AGENT",
        "PaymentAgentOperation": "Приём платежей",
        "PaymentAgentPhone": "+74950000002",
        "ReceiverPhone": "+74950000003",
        "SupplierInn": "7711111118",
        "SupplierName": "АО «Теплосеть»",
        "SupplierPhone": "+74950000001",
    }


async def test_words_for_agents_may_be_configured() -> None:
    request = await body_of(of_items(agent_item(AgentKind.ATTORNEY)), agent_types={"attorney": "ATTORNEY"}, agent=AGENT)
    agent = request["CustomerReceipt"]["Items"][0]["PaymentAgentInfo"]
    assert (agent["AgentType"], "PaymentAgentOperation" in agent) == ("ATTORNEY", False)


async def test_a_correction() -> None:
    content = receipt(operation=Operation.SELL_REFUND_CORRECTION, correction=CORRECTION)
    request = await body_of(content, correction_date="dd.mm.yyyy")
    assert request["Type"] == "IncomeReturnCorrection"
    assert request["CustomerReceipt"]["AdditionalReceiptProp"] == "3987654321"
    assert request["CustomerReceipt"]["CorrectionInfo"] == {
        "Type": "INSTRUCTION",
        "Description": "Предписание налогового органа",
        "ReceiptDate": "03.11.2026",
        "ReceiptId": "12-34/5",
    }
    own = receipt(
        operation=Operation.SELL_CORRECTION, correction=msgspec.structs.replace(CORRECTION, by_order=False, base_number="")
    )
    info = (await body_of(own))["CustomerReceipt"]["CorrectionInfo"]
    assert (info["Type"], info["ReceiptDate"], info["ReceiptId"]) == ("SELF", "03.11.26", "")


OFFSET = ((MeansOfPayment.OFFSET, 500_000),)
ADVANCE = (item("Аванс (ЖКУ)", 500_000, Vat.VAT122, method=PaymentMethod.ADVANCE, subject=PaymentObject.PAYMENT),)
TYPES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "Income", "Income"),
    ({"items": ADVANCE}, "Income", "IncomePrepayment"),
    ({"payments": OFFSET}, "Income", "IncomePrepaymentOffset"),
    ({"operation": Operation.SELL_REFUND}, "IncomeReturn", "IncomeReturn"),
    ({"operation": Operation.SELL_REFUND, "items": ADVANCE}, "IncomeReturn", "IncomeReturnPrepayment"),
    ({"operation": Operation.SELL_REFUND, "payments": OFFSET}, "IncomeReturn", "IncomeReturnPrepaymentOffset"),
    (
        {"operation": Operation.SELL_CORRECTION, "correction": CORRECTION, "payments": OFFSET},
        "IncomeCorrection",
        "IncomeCorrection",
    ),
]


@pytest.mark.parametrize(("changed", "plain", "named"), TYPES)
async def test_type_of_a_receipt(changed: dict[str, Any], plain: str, named: str) -> None:
    assert (await body_of(receipt(**changed)))["Type"] == plain
    assert (await body_of(receipt(**changed), prepayment_types=True))["Type"] == named


LIMITS: list[tuple[dict[str, Any], str]] = [
    ({"format": FiscalFormat.V105}, "format"),
    ({"items": (item("a", 500_000, measure=11),)}, "items[0].measure"),
    ({"client": "resident"}, "client"),
    ({"total_kopecks": 1}, "total_kopecks"),
    ({"company": msgspec.structs.replace(receipt().company, inn="7700000001")}, "company.inn"),
]


@pytest.mark.parametrize(("changed", "field"), LIMITS)
async def test_a_broken_limit_is_refused_by_its_field_before_anything_is_sent(changed: dict[str, Any], field: str) -> None:
    script = Script()
    answer = await ferma(ferma_config(), script, Clock()).send(order_of(receipt(**changed)))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.reason.partition(": ")[0]) == ("content", field)
    assert script.requests == []


def every_word() -> list[Receipt]:
    made = [of_items(item("a", 1, vat)) for vat in Vat]
    made += [of_items(item("a", 1, method=method)) for method in PaymentMethod]
    made += [of_items(item("a", 1, subject=subject)) for subject in PaymentObject]
    made += [of_items(item("a", 1, measure=measure)) for measure in (0, 32, 42, 50, 51, 255)]
    made += [of_items(agent_item(kind)) for kind in AgentKind]
    made += [receipt(payments=((means, 500_000),)) for means in MeansOfPayment]
    company = receipt().company
    made += [receipt(company=msgspec.structs.replace(company, tax_system=system)) for system in TaxSystem]
    made += [
        receipt(operation=operation, correction=CORRECTION if "correction" in operation else None) for operation in Operation
    ]
    return [*made, receipt(client="+79160000000")]


@pytest.mark.parametrize("prepayment_types", [False, True])
async def test_every_word_is_taken_by_the_fake(prepayment_types: bool) -> None:
    clock = Clock()
    sandbox = FermaSandbox(FermaSandboxOptions())
    config = ferma_config(prepayment_types=prepayment_types, agent=AGENT)
    connector = ferma(config, connection(sandbox, clock), clock)
    for number, content in enumerate(every_word()):
        answer = await connector.send(order_of(content, key=f"k-{number}"))
        assert isinstance(answer, Accepted), answer
    clock.go(10_000)
    sandbox.till.advance(clock())
    assert len(sandbox.registered) == len(every_word())


CALLBACKS = [
    (b'{"Data":{"ReceiptId":"r-1","InvoiceId":"k-1","StatusName":"CONFIRMED"}}', CallbackHint(key="k-1", reference="r-1")),
    (b'{"ReceiptId":"r-1","StatusName":"KKT_ERROR"}', CallbackHint(key="", reference="r-1")),
    (b'{"InvoiceId":"k-1"}', CallbackHint(key="k-1", reference="")),
    (b'{"Data":{"StatusName":"CONFIRMED"}}', None),
    (b'{"ReceiptId":"' + b"r" * 129 + b'"}', None),
    (b'{"ReceiptId":7}', None),
    (b"[]", None),
    (b"\xff", None),
    (b'{"ReceiptId":"r-1","x":"' + b"x" * CALLBACK_BYTES_MAX + b'"}', None),
]


@pytest.mark.parametrize(("body", "hint"), CALLBACKS)
def test_a_callback_names_an_order_and_nothing_more(body: bytes, hint: CallbackHint | None) -> None:
    assert decode_callback(body) == hint


async def test_the_fakes_callback_is_read() -> None:
    clock = Clock()
    sandbox = FermaSandbox(FermaSandboxOptions())
    answer = await ferma(ferma_config(), connection(sandbox, clock), clock).send(ORDER)
    assert isinstance(answer, Accepted)
    hint = decode_callback(sandbox.callback(answer.reference, "http://ferma", clock()))
    assert hint == CallbackHint(key="", reference=answer.reference)


async def test_a_wrong_password_closes_the_connection() -> None:
    clock = Clock()
    sandbox = FermaSandbox(FermaSandboxOptions(password="другой"))
    answer = await ferma(ferma_config(), connection(sandbox, clock), clock).send(ORDER)
    assert answer == Closed(reason="no token: HTTP 401: code 1000: Неверный логин или пароль")


def test_secrets_show_in_no_repr() -> None:
    config = ferma_config(login="the-login", password="the-password")
    shown = f"{config!r} {ferma(config, Script(), Clock())!r} {FermaSandboxOptions(password='the-password')!r}"
    assert "the-login" not in shown
    assert "the-password" not in shown
