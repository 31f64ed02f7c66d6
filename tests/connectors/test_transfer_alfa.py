"""Alfa API: the payment's body, every status, the statement's pages, and exact sums."""

from datetime import date
from typing import Any

import msgspec
import pytest

from connectors.statements.source import StatementUnread
from connectors.transfers.alfa_payments import STATUSES, AlfaPayments, AlfaSettings, external_id, write_payment
from connectors.transfers.statement import Statement
from schemas.delivery import Accepted, Closed, Done, NotTaken, Refused, Unknown
from schemas.exchange import ExchangeFailed, HttpAnswer
from schemas.transfer import TransferState
from tests.connectors.transfer_desk import (
    BUDGET,
    CREDIT,
    DAY,
    HEAT,
    TRANSIT,
    Clock,
    Stage,
    Told,
    batch_of,
    outgoing,
    report_of,
    transfer,
)

SETTINGS = AlfaSettings(url="http://127.0.0.1:1/api", authorization="ApiKey k3y", poll_ms=1_000)
BATCH = batch_of(transfer(1))
ORDER = outgoing(BATCH, key="order-1")


def alfa(*answers: HttpAnswer | Exception, settings: AlfaSettings = SETTINGS) -> tuple[AlfaPayments, Told]:
    told = Told(*answers)
    return AlfaPayments(settings, told, Clock()), told


def test_the_body_has_flat_sides_and_an_exact_sum() -> None:
    body = write_payment(transfer(7, 10_000_000_000_001), "id-1")
    assert b'"amount":100000000000.01,' in body
    read = msgspec.json.decode(body)
    assert (read["externalId"], read["number"], read["date"], read["priority"]) == ("id-1", "7", "2026-11-24", "5")
    assert (read["payerAccount"], read["payeeAccount"], read["payeeBankBic"]) == (TRANSIT, HEAT.account, HEAT.bic)
    assert read["payeeBankCorrAccount"] == HEAT.correspondent and read["deliveryKind"] == "электронно"
    assert "digestSignatures" not in read and "departmentalInfo" not in read


def test_budget_fields_and_the_payment_code() -> None:
    budget = msgspec.json.decode(write_payment(transfer(1, budget=BUDGET, code="18801050123456789017"), "id"))["departmentalInfo"]
    assert budget == {
        "uip": "18801050123456789017",
        "drawerStatus101": "01",
        "kbk": "18201061201010000510",
        "oktmo": "45382000",
        "reasonCode106": "0",
        "taxPeriod107": "0",
        "docNumber108": "0",
        "docDate109": "0",
        "paymentKind110": "0",
    }
    code = msgspec.json.decode(write_payment(transfer(1, code="A1"), "id"))["departmentalInfo"]
    assert code == {"uip": "A1", "kbk": "0"}


def test_the_external_id_is_the_same_at_every_attempt() -> None:
    assert external_id("order-1") == "21b25f4a-fd09-5ad2-867f-64f35cdffdb9" != external_id("order-2")


SENT: list[tuple[HttpAnswer | Exception, type]] = [
    (HttpAnswer(status=200, body=b"{}"), Accepted),
    (HttpAnswer(status=201, body=b"{}"), Accepted),
    (HttpAnswer(status=409, body=b"{}"), Accepted),
    (HttpAnswer(status=400, body=b'{"error":"invalid_request"}'), Refused),
    (HttpAnswer(status=422), Refused),
    (HttpAnswer(status=404), Unknown),
    (HttpAnswer(status=401), Closed),
    (HttpAnswer(status=403), Closed),
    (HttpAnswer(status=408), NotTaken),
    (HttpAnswer(status=425), NotTaken),
    (HttpAnswer(status=429, headers=(("retry-after", "3"),)), NotTaken),
    (HttpAnswer(status=503, headers=(("retry-after", "3"),)), Unknown),
    (HttpAnswer(status=500), Unknown),
    (ExchangeFailed("timed out", sent=True), Unknown),
    (ExchangeFailed("refused", sent=False), NotTaken),
]


@pytest.mark.parametrize(("told", "kind"), SENT)
async def test_what_an_answer_to_a_payment_means(told: HttpAnswer | Exception, kind: type) -> None:
    bank, exchange = alfa(told)
    answer = await bank.send(ORDER)
    assert type(answer) is kind and dict(exchange.requests[0].headers)["authorization"] == "ApiKey k3y"
    if isinstance(answer, Accepted):
        assert answer.reference == external_id("order-1") and report_of(answer).results[0].state is TransferState.ACCEPTED


async def test_one_order_a_request() -> None:
    bank, told = alfa()
    assert isinstance(await bank.send(outgoing(batch_of(transfer(1), transfer(2)))), Refused) and not told.requests


def state(code: str, comment: str | None = None) -> HttpAnswer:
    body = {"bankStatus": code, "bankComment": comment, "crucialFieldsHash": "x"}
    return HttpAnswer(status=200, body=msgspec.json.encode(body))


FINAL = [(code, meaning) for code, meaning in STATUSES.items() if meaning is not TransferState.EXECUTED]


@pytest.mark.parametrize(("code", "meaning"), FINAL)
async def test_a_payment_that_ends_without_money_is_done(code: str, meaning: TransferState) -> None:
    answer = await alfa(state(code, "Счёт закрыт"))[0].ask(ORDER)
    assert isinstance(answer, Done)
    assert [(one.state, one.reason) for one in report_of(answer).results] == [(meaning, f"{code} Счёт закрыт")]


@pytest.mark.parametrize("code", ["CREATED", "PARTSIGNED", "SIGNED", "DELIVERED", "ACCEPTED_BY_ABS", "NEW_AND_STRANGE"])
async def test_any_other_status_stays_accepted(code: str) -> None:
    answer = await alfa(state(code))[0].ask(ORDER)
    assert isinstance(answer, Accepted) and report_of(answer).results[0].reason == code


ASKED: list[tuple[HttpAnswer | Exception, str, type]] = [
    (HttpAnswer(status=404), "", NotTaken),
    (HttpAnswer(status=404), "known", Unknown),
    (HttpAnswer(status=200, body=b"[]"), "", Unknown),
    (HttpAnswer(status=401), "", Closed),
    (HttpAnswer(status=429), "", Unknown),
    (HttpAnswer(status=500), "", Unknown),
    (ExchangeFailed("refused", sent=False), "", Unknown),
]


@pytest.mark.parametrize(("told", "reference", "kind"), ASKED)
async def test_what_an_answer_to_a_question_means(told: HttpAnswer | Exception, reference: str, kind: type) -> None:
    order = msgspec.structs.replace(ORDER, reference=reference)
    assert type(await alfa(told)[0].ask(order)) is kind


async def test_a_tables_statuses_win() -> None:
    settings = msgspec.structs.replace(SETTINGS, statuses={"FRAUDREVIEW": "held", "IMPLEMENTED": "accepted"})
    held = await alfa(state("FRAUDREVIEW"), settings=settings)[0].ask(ORDER)
    assert isinstance(held, Accepted) and report_of(held).results[0].state is TransferState.HELD
    assert isinstance(await alfa(state("IMPLEMENTED"), settings=settings)[0].ask(ORDER), Accepted)


def operation(uuid: str = "u-1", **changes: Any) -> dict[str, Any]:
    amount = {"amount": changes.pop("amount", 4321.5), "currencyName": changes.pop("currency", "RUR")}
    return {
        "uuid": uuid,
        "number": "000001",
        "documentDate": "2026-11-24",
        "operationDate": "2026-11-24T00:00:00Z",
        "direction": "DEBIT",
        "amount": amount,
        "amountRub": amount,
        "operationCode": "01",
        "paymentPurpose": "За тепло",
        "rurTransfer": {"payerAccount": TRANSIT, "payeeAccount": HEAT.account, "payeeInn": HEAT.inn, "cartInfo": None},
    } | changes


def page(*operations: dict[str, Any], more: bool = False) -> HttpAnswer:
    links = [{"href": "https://evil.example/next", "rel": "next"}] if more else [{"href": "?page=1", "rel": "prev"}]
    return HttpAnswer(status=200, body=msgspec.json.encode({"_links": links, "transactions": operations}))


async def test_pages_are_counted_deduplicated_and_never_followed_elsewhere() -> None:
    income = operation("u-2", direction="CREDIT", amount=0.05, rurTransfer={"payeeAccount": TRANSIT, "payerInn": "7728168971"})
    bank, told = alfa(page(operation(), more=True), page(operation(), income))
    read = await bank.statement(TRANSIT, DAY)
    assert isinstance(read, Statement)
    assert [(one.bank_id, one.is_credit, one.amount_kopecks, one.day) for one in read.movements] == [
        ("u-1", False, 432_150, DAY),
        ("u-2", True, 5, DAY),
    ]
    assert read.movements[0].counterparty_inn == HEAT.inn and read.movements[1].counterparty_account == ""
    assert [request.url.partition("?")[0] for request in told.requests] == ["http://127.0.0.1:1/api/statement/transactions"] * 2
    assert "page=2" in told.requests[1].url and "statementDate=2026-11-24" in told.requests[1].url


SUMS = [(b"4321.5", 432_150), (b"4321.50", 432_150), (b"700", 70_000), (b"0.01", 1), (b"9999999999999.99", 999_999_999_999_999)]


@pytest.mark.parametrize(("number", "kopecks"), SUMS)
async def test_sums_are_read_as_they_are_written(number: bytes, kopecks: int) -> None:
    bank, _ = alfa(page(operation(amount=msgspec.Raw(number))))
    read = await bank.statement(TRANSIT, DAY)
    assert isinstance(read, Statement) and read.movements[0].amount_kopecks == kopecks


UNBELIEVED = [
    page(operation(amount=msgspec.Raw(b"1.005"))),
    page(operation(amount=msgspec.Raw(b"1e3"))),
    page(operation(amount=msgspec.Raw(b"-1"))),
    page(operation(amount=msgspec.Raw(b"0"))),
    page(operation(amount="5")),
    page(operation(currency="USD")),
    page(operation(direction="debit")),
    page(operation(operationDate="24.11.2026")),
    page(operation(rurTransfer={"payerAccount": HEAT.account})),
    HttpAnswer(status=200, body=b"{}"),
    HttpAnswer(status=404),
]


@pytest.mark.parametrize("answer", UNBELIEVED)
async def test_a_statement_that_cannot_be_believed_says_so(answer: HttpAnswer) -> None:
    read = await alfa(answer)[0].statement(TRANSIT, DAY)
    assert isinstance(read, StatementUnread) and not read.again and read.reason


async def test_a_statement_that_was_not_got_may_be_asked_for_again() -> None:
    for answer in (HttpAnswer(status=503), HttpAnswer(status=429), ExchangeFailed("timed out", sent=True)):
        read = await alfa(answer)[0].statement(TRANSIT, DAY)
        assert isinstance(read, StatementUnread) and read.again
    empty = await alfa(HttpAnswer(status=204))[0].statement(TRANSIT, DAY)
    assert empty == Statement(account=TRANSIT, movements=())


async def test_executed_means_on_the_statement() -> None:
    done = await alfa(state("IMPLEMENTED"), page(operation()))[0].ask(ORDER)
    assert isinstance(done, Done)
    result = report_of(done).results[0]
    assert (result.state, result.bank_number, result.bank_day) == (TransferState.EXECUTED, "000001", DAY)
    income = {"direction": "CREDIT", "rurTransfer": {"payerAccount": HEAT.account}}
    for changes in ({"amount": 4321.51}, {"number": "2"}, {"documentDate": "2026-11-23"}, income):
        line = page(operation(**changes))
        assert isinstance(await alfa(state("IMPLEMENTED"), line)[0].ask(ORDER), Accepted)
    assert isinstance(await alfa(state("IMPLEMENTED"), HttpAnswer(status=503))[0].ask(ORDER), Unknown)


async def test_an_order_executed_after_its_day_is_found_there() -> None:
    clock = Clock()
    clock.pass_ms(2 * 86_400_000)
    told = Told(state("IMPLEMENTED"), page(), page(operation(operationDate="2026-11-25")))
    done = await AlfaPayments(SETTINGS, told, clock).ask(ORDER)
    assert isinstance(done, Done) and report_of(done).results[0].bank_day == date(2026, 11, 25)


async def test_a_repeat_through_the_sandbox_finds_the_first() -> None:
    stage = Stage(statement_page=1)
    stage.bank.credit(CREDIT, stage.clock())
    bank = AlfaPayments(SETTINGS, stage.exchange, stage.clock)
    assert isinstance(await bank.send(ORDER), Accepted) and isinstance(await bank.send(ORDER), Accepted)
    answer = await stage.deliver(bank, ORDER)
    assert isinstance(answer, Done) and stage.bank.books.effects == {external_id("order-1"): 1}
    read = await bank.statement(TRANSIT, DAY)
    assert isinstance(read, Statement) and [one.is_credit for one in read.movements] == [True, False]
    assert "k3y" not in repr(SETTINGS)
