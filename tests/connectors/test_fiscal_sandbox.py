"""The fake operators of tills are as strict as the real ones: codes, limits, sums, the life of a receipt."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from connectors.sandbox.atol import AtolSandbox, AtolSandboxOptions
from connectors.sandbox.ferma import FermaSandbox, FermaSandboxOptions
from connectors.sandbox.till import Till, TillOptions
from schemas.exchange import HttpAnswer, HttpRequest
from tests.connectors.fiscal_samples import INN, START, Clock

JSON = ("content-type", "application/json")
QUICK = TillOptions(queue_ms=2_000, queue_spread_ms=0, fn="9999078900012345")
ITEM = {
    "name": "Отопление",
    "price": 10.45,
    "quantity": 1,
    "sum": 10.45,
    "measure": 0,
    "payment_method": "full_payment",
    "payment_object": 4,
    "vat": {"type": "none"},
}
COMPANY = {"email": "uk@example.ru", "sno": "osn", "inn": INN, "payment_address": "https://pay.example.ru"}
BODY: dict[str, Any] = {
    "external_id": "k-1",
    "timestamp": "24.11.2026 15:30:00",
    "receipt": {
        "client": {"email": "resident@example.ru"},
        "company": COMPANY,
        "items": [ITEM],
        "payments": [{"type": 1, "sum": 10.45}],
        "total": 10.45,
        "internet": True,
    },
}


class Line:
    """A line to a fake ATOL with a token taken."""

    def __init__(self, options: AtolSandboxOptions | None = None) -> None:
        self.clock = Clock()
        self.sandbox = AtolSandbox(options or AtolSandboxOptions(till=QUICK))
        login = {"login": "sandbox", "pass": "sandbox"}
        self.token = json.loads(self.ask("POST", "v5/getToken", login, token=None).body).get("token", "")

    def ask(self, method: str, path: str, content: object = None, *, token: str | None = "", kind: bool = True) -> HttpAnswer:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        headers = [JSON] if kind else []
        headers += [] if token is None else [("token", token or self.token)]
        request = HttpRequest(method=method, url=f"http://atol/possystem/{path}", headers=tuple(headers), body=body)
        return self.sandbox.handle(request, self.clock())

    def sell(self, content: object) -> tuple[int, dict[str, Any]]:
        answer = self.ask("POST", "v5/sandbox/sell", content)
        return answer.status, json.loads(answer.body)

    def report(self, uuid: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.ask("GET", f"v5/sandbox/report/{uuid}").body)
        return read


def coded(answer: HttpAnswer) -> tuple[int, int]:
    return answer.status, json.loads(answer.body)["error"]["code"]


ASKED: list[tuple[Callable[[Line], HttpAnswer], int, int]] = [
    (lambda line: line.ask("POST", "v5/getToken", {"login": "sandbox", "pass": "x"}, token=None), 401, 12),
    (lambda line: line.ask("POST", "v5/getToken", b"{", token=None), 400, 40),
    (lambda line: line.ask("POST", "v5/getToken", {}, kind=False, token=None), 415, 41),
    (lambda line: line.ask("POST", "v5/sandbox/sell", BODY, token=None), 401, 10),
    (lambda line: line.ask("POST", "v5/sandbox/sell", BODY, token="other"), 401, 11),
    (lambda line: line.ask("POST", "v5/other/sell", BODY), 401, 20),
    (lambda line: line.ask("POST", "v4/sandbox/sell", BODY), 401, 21),
    (lambda line: line.ask("GET", "v5/sandbox/report"), 400, 30),
    (lambda line: line.ask("POST", "v5/sandbox/buy", BODY), 400, 31),
    (lambda line: line.ask("POST", "v5/sandbox/sell", b"{"), 400, 40),
    (lambda line: line.ask("POST", "v5/sandbox/sell", BODY, kind=False), 415, 41),
    (lambda line: line.ask("GET", "v5/sandbox/report/nobody"), 200, 34),
]


@pytest.mark.parametrize(("asked", "status", "code"), ASKED)
def test_codes_of_the_fake(asked: Callable[[Line], HttpAnswer], status: int, code: int) -> None:
    assert coded(asked(Line())) == (status, code)


def test_an_address_outside_the_protocol_is_not_found() -> None:
    request = HttpRequest(method="GET", url="http://atol/possystem/v6/x")
    assert AtolSandbox(AtolSandboxOptions()).handle(request, START).status == 404


def test_a_token_ends() -> None:
    line = Line(AtolSandboxOptions(token_life_s=600))
    line.clock.go(599_999)
    assert line.sell(BODY)[0] == 200
    line.clock.go(1)
    assert coded(line.ask("POST", "v5/sandbox/sell", BODY)) == (401, 11)


def without(content: dict[str, Any], *path: str) -> dict[str, Any]:
    changed = copy.deepcopy(content)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return changed


def with_receipt(**parts: Any) -> dict[str, Any]:
    return BODY | {"receipt": BODY["receipt"] | parts}


def with_item(**parts: Any) -> dict[str, Any]:
    return with_receipt(items=[ITEM | parts])


INVALID: list[dict[str, Any]] = [
    without(BODY, "external_id"),
    without(BODY, "receipt"),
    without(BODY, "receipt", "client"),
    without(BODY, "receipt", "total"),
    without(BODY, "receipt", "items"),
    without(BODY, "receipt", "payments"),
    BODY | {"external_id": "k" * 129},
    BODY | {"timestamp": "2026-11-24T15:30:00"},
    BODY | {"colour": "red"},
    BODY | {"correction": BODY["receipt"]},
    BODY | {"service": {"callback_url": "u" * 257}},
    with_receipt(colour="red"),
    with_receipt(client={}),
    with_receipt(client={"email": "a" * 60 + "@b.ru"}),
    with_receipt(client={"phone": "89160000000"}),
    with_receipt(company=COMPANY | {"inn": "7700000001"}),
    with_receipt(company=COMPANY | {"sno": "none"}),
    with_receipt(company=COMPANY | {"payment_address": ""}),
    with_receipt(correction_info={"type": "self", "base_date": "24.11.2026"}),
    with_receipt(total=10.46),
    with_receipt(total="10.45"),
    with_receipt(total=10.451),
    with_receipt(payments=[{"type": 1, "sum": 10.44}]),
    with_receipt(payments=[{"type": 1, "sum": 10.45}, {"type": 0, "sum": 0}]),
    with_receipt(payments=[{"type": 1, "sum": 0.95}] * 11),
    with_receipt(payments=[{"type": 10, "sum": 10.45}]),
    with_receipt(items=[ITEM | {"price": 0.01, "sum": 0.01}] * 101, total=1.01, payments=[{"type": 1, "sum": 1.01}]),
    with_receipt(additional_check_props="1" * 17),
    with_item(name=""),
    with_item(name="я" * 129),
    with_item(sum=10.44),
    with_item(quantity=2),
    with_item(quantity="1"),
    with_item(price=-10.45),
    with_item(measure=None),
    with_item(measure=256),
    with_item(measurement_unit="шт"),
    with_item(payment_object="service"),
    with_item(payment_object=34),
    with_item(payment_method="later"),
    with_item(vat={"type": "vat18"}),
    with_item(agent_info={"type": "bank_paying_agent"}),
    with_item(agent_info={"type": "spy"}, supplier_info={"inn": INN}),
    with_item(agent_info={"type": "another"}, supplier_info={"inn": "1"}),
]


@pytest.mark.parametrize("content", INVALID)
def test_what_the_real_one_would_refuse_is_refused(content: dict[str, Any]) -> None:
    line = Line()
    status, answer = line.sell(content)
    assert (status, answer["status"], answer["error"]["code"]) == (400, "fail", 32)
    line.clock.go(60_000)
    line.sandbox.till.advance(line.clock())
    assert line.sandbox.registered == ()


def test_price_times_quantity_is_rounded_half_up() -> None:
    line = Line()
    halves = with_item(price=3.33, quantity=0.5, sum=1.67) | {}
    halves["receipt"] |= {"total": 1.67, "payments": [{"type": 1, "sum": 1.67}]}
    assert line.sell(halves)[0] == 200


def test_a_receipt_lives_from_not_found_to_done() -> None:
    line = Line(AtolSandboxOptions(till=QUICK, unseen_ms=300, public_url="http://127.0.0.1:8050"))
    status, taken = line.sell(BODY)
    assert (status, taken["status"], taken["error"]) == (200, "wait", None)
    uuid = taken["uuid"]
    assert line.report(uuid)["error"]["code"] == 34
    line.clock.go(300)
    assert (line.report(uuid)["status"], line.report(uuid)["payload"]) == ("wait", None)
    line.clock.go(1_699)
    assert line.report(uuid)["status"] == "wait"
    line.clock.go(1)
    done = line.report(uuid)
    assert (done["status"], done["external_id"], done["error"]) == ("done", "k-1", None)
    payload = done["payload"]
    assert (payload["total"], payload["fiscal_document_number"], payload["receipt_datetime"]) == (10.45, 1, "24.11.2026 15:30:02")
    assert payload["ofd_receipt_url"].startswith("http://127.0.0.1:8050/check?t=20261124T153002&s=10.45&fn=9999078900012345&i=1&")


def test_a_repeat_gets_the_first_ones_uuid_and_no_second_receipt() -> None:
    line = Line()
    _, first = line.sell(BODY)
    status, again = line.sell(BODY)
    assert (status, again["error"]["code"], again["status"], again["uuid"]) == (400, 33, "wait", first["uuid"])
    line.clock.go(5_000)
    assert line.sell(BODY)[1]["uuid"] == first["uuid"]
    assert [one.receipt.key for one in line.sandbox.registered] == ["k-1"]


def test_a_failed_key_stays_failed_and_a_new_one_is_another_receipt() -> None:
    line = Line(AtolSandboxOptions(till=TillOptions(queue_ms=0, queue_spread_ms=0, timeouts_permille=1_000), unseen_ms=0))
    _, taken = line.sell(BODY)
    report = line.report(taken["uuid"])
    assert (report["status"], report["error"]["code"], report["error"]["type"]) == ("fail", 1, "timeout")
    assert line.sell(BODY)[1]["error"]["code"] == 33
    assert line.sell(BODY | {"external_id": "k-2"})[0] == 200


def test_a_fake_that_is_full_refuses() -> None:
    line = Line(AtolSandboxOptions(till=TillOptions(receipts_max=1)))
    assert line.sell(BODY)[0] == 200
    status, answer = line.sell(BODY | {"external_id": "k-2"})
    assert (status, answer["error"]["code"]) == (500, 50)


def test_shifts_go_by_the_tills_days() -> None:
    line = Line()
    for number, wait_ms in enumerate((0, 1_000, 8 * 3_600_000 + 1_798_000), start=1):
        line.clock.go(wait_ms)
        line.sell(BODY | {"external_id": f"k-{number}"})
    line.clock.go(10_000)
    line.sandbox.till.advance(line.clock())
    assert [(one.shift, one.number_in_shift, one.local.day) for one in line.sandbox.registered] == [
        (1, 1, 24),
        (1, 2, 24),
        (2, 1, 25),
    ]


def test_tills_of_one_sandbox_never_give_the_same_sign() -> None:
    names = ["atol/1/a", "atol/2/a", "ferma/1"]
    tills = [Till(TillOptions(queue_ms=0, queue_spread_ms=0), name) for name in names]
    for till in tills:
        till.take("k-1", "sell", 100, START)
        till.advance(START)
    registered = [till.registered[0] for till in tills]
    assert len({one.fn for one in registered}) == len(names)
    assert len({one.receipt.reference for one in registered}) == len(names)


FERMA_ITEM = {
    "Label": "Отопление",
    "Price": 10.45,
    "Quantity": 1,
    "Amount": 10.45,
    "Vat": "VatNo",
    "Measure": "PIECE",
    "PaymentMethod": 4,
    "PaymentType": 4,
}
CUSTOMER: dict[str, Any] = {
    "TaxationSystem": "Common",
    "Email": "resident@example.ru",
    "BillAddress": "https://pay.example.ru",
    "IsInternet": True,
    "Items": [FERMA_ITEM],
    "PaymentItems": [{"PaymentType": 1, "Sum": 10.45}],
}
FERMA_BODY: dict[str, Any] = {
    "Inn": INN,
    "Type": "Income",
    "InvoiceId": "k-1",
    "LocalDate": "2026-11-24T15:30:00",
    "CustomerReceipt": CUSTOMER,
}


class FermaLine:
    """A line to a fake Ferma with a token taken."""

    def __init__(self, options: FermaSandboxOptions | None = None) -> None:
        self.clock = Clock()
        self.sandbox = FermaSandbox(options or FermaSandboxOptions(till=QUICK))
        _, login = self.ask("/api/Authorization/CreateAuthToken", {"Login": "sandbox", "Password": "sandbox"})
        self.token = login["Data"]["AuthToken"]

    def ask(self, path: str, content: object) -> tuple[int, dict[str, Any]]:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        answer = self.sandbox.handle(HttpRequest(method="POST", url=f"http://ferma{path}", body=body), self.clock())
        return answer.status, json.loads(answer.body or b"{}")

    def take(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return self.ask(f"/api/kkt/cloud/receipt?AuthToken={self.token}", {"Request": request})

    def status(self, receipt_id: str) -> tuple[int, dict[str, Any]]:
        return self.ask(f"/api/kkt/cloud/status?AuthToken={self.token}", {"Request": {"ReceiptId": receipt_id}})


def with_customer(**parts: Any) -> dict[str, Any]:
    return FERMA_BODY | {"CustomerReceipt": CUSTOMER | parts}


FERMA_INVALID: list[dict[str, Any]] = [
    without(FERMA_BODY, "InvoiceId"),
    FERMA_BODY | {"Inn": "7700000001"},
    FERMA_BODY | {"Type": "Outcome"},
    FERMA_BODY | {"Type": "IncomeCorrection"},
    FERMA_BODY | {"LocalDate": "24.11.2026"},
    FERMA_BODY | {"Colour": "red"},
    with_customer(TaxationSystem="osn"),
    with_customer(Email=""),
    with_customer(Email="", Phone="89160000000"),
    with_customer(BillAddress=""),
    with_customer(Items=[]),
    with_customer(Items=[FERMA_ITEM | {"Vat": "Vat18"}]),
    with_customer(Items=[FERMA_ITEM | {"Measure": "BUCKET"}]),
    with_customer(Items=[FERMA_ITEM | {"Amount": 10.44}]),
    with_customer(Items=[FERMA_ITEM | {"PaymentMethod": 8}]),
    with_customer(PaymentItems=[{"PaymentType": 1, "Sum": 10.44}]),
    with_customer(PaymentItems=[{"PaymentType": 5, "Sum": 10.45}]),
]


@pytest.mark.parametrize("request_", FERMA_INVALID)
def test_what_ferma_would_refuse_is_refused(request_: dict[str, Any]) -> None:
    line = FermaLine()
    status, answer = line.take(request_)
    assert (status, answer["Status"]) == (400, "Failed")
    assert answer["Error"]["Message"]
    line.clock.go(60_000)
    line.sandbox.till.advance(line.clock())
    assert line.sandbox.registered == ()


def test_a_receipt_of_ferma_lives_from_new_to_confirmed() -> None:
    line = FermaLine()
    _, taken = line.take(FERMA_BODY)
    receipt_id = taken["Data"]["ReceiptId"]
    assert line.status(receipt_id)[1]["Data"]["StatusName"] == "NEW"
    line.clock.go(1_000)
    assert line.status(receipt_id)[1]["Data"]["StatusName"] == "PROCESSED"
    line.clock.go(1_000)
    part = line.status(receipt_id)[1]["Data"]
    assert (part["StatusCode"], part["StatusName"], part["ReceiptDateUtc"]) == (2, "CONFIRMED", "2026-11-24T12:30:02")
    assert (part["Device"]["FN"], part["Device"]["FDN"]) == ("9999078900012345", "1")
    assert part["Device"]["OfdReceiptUrl"].startswith("http://ferma/check?t=20261124T153002&s=10.45&")


def test_a_repeat_gets_the_first_ones_id_in_words() -> None:
    line = FermaLine()
    _, taken = line.take(FERMA_BODY)
    status, answer = line.take(FERMA_BODY)
    assert (status, answer["Error"]["Code"]) == (400, 1019)
    assert f"--{taken['Data']['ReceiptId']}--" in answer["Error"]["Message"]
    line.clock.go(5_000)
    line.sandbox.till.advance(line.clock())
    assert len(line.sandbox.registered) == 1


def test_other_refusals_of_ferma() -> None:
    line = FermaLine(FermaSandboxOptions(till=TillOptions(receipts_max=0)))
    assert line.take(FERMA_BODY)[0] == 500
    assert line.status("nobody")[0] == 400
    assert line.ask(f"/api/kkt/cloud/receipt?AuthToken={line.token}", b"{")[0] == 400
    assert line.ask("/api/kkt/cloud/other", {})[0] == 404
    line.sandbox.expire_tokens()
    assert line.take(FERMA_BODY)[0] == 401
    assert line.status("nobody")[0] == 401
