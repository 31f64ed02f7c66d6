"""Receipts as ATOL Online takes them: the bytes of samples, every limit by its field, every word of the mapping."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.fiscal.atol_receipt import vat_inside
from connectors.fiscal.json_roubles import json_roubles, kopecks_of
from connectors.fiscal.receipt_limits import AgentDetails
from connectors.sandbox.atol import AtolSandbox, AtolSandboxOptions
from schemas.delivery import Accepted, Outgoing, Refused
from schemas.exchange import HttpAnswer
from schemas.money import MoneyError, roubles_from_kopecks
from schemas.receipt import (
    AgentKind,
    FiscalFormat,
    MeansOfPayment,
    Operation,
    PaymentMethod,
    PaymentObject,
    Receipt,
    Supplier,
    TaxSystem,
    Vat,
)
from tests.connectors.fiscal_samples import (
    CORRECTION,
    INN,
    LINES,
    START,
    SUPPLIER,
    Clock,
    Script,
    agent_item,
    atol,
    atol_config,
    connection,
    item,
    json_answer,
    of_items,
    order_of,
    receipt,
)

TOKEN = json_answer({"token": "t"})
AGENT = AgentDetails(operation="Приём платежей", phones=("+74950000002",), operator_phones=("+74950000003",))


async def body_of(content: Receipt, **changed: Any) -> bytes:
    script = Script(TOKEN, HttpAnswer(status=500))
    await atol(atol_config(**changed), script, Clock()).send(order_of(content))
    return script.requests[1].body


def golden_item(name: str, amount: str, vat: str) -> str:
    return (
        f'{{"name":"{name}","price":{amount},"quantity":1,"sum":{amount},"measure":0,'
        f'"payment_method":"full_payment","payment_object":4,"vat":{{"type":"{vat}"}}}}'
    )


GOLDEN_AMOUNTS = ["1269.88", "10.90", "38.23", "1697.72", "597.78", "210.50", "294.71", "616.16", "225.73", "38.39"]
GOLDEN = (
    '{"external_id":"payment-1:receipt:1","timestamp":"24.11.2026 15:30:00","receipt":{'
    '"client":{"email":"resident@example.ru"},'
    '"company":{"email":"uk@example.ru","sno":"osn","inn":"7700000000","payment_address":"https://pay.example.ru"},"items":['
    + ",".join(golden_item(name, amount, vat) for (name, _, vat), amount in zip(LINES, GOLDEN_AMOUNTS, strict=True))
    + '],"payments":[{"type":1,"sum":5000.00}],"total":5000.00,"internet":true},'
    '"service":{"callback_url":"https://kopeck.example.ru/atol"}}'
)


async def test_the_sample_receipt_byte_by_byte() -> None:
    body = await body_of(receipt(), callback_url="https://kopeck.example.ru/atol")
    assert body.decode() == GOLDEN


async def test_the_same_order_sends_the_same_bytes_whenever_it_is_sent() -> None:
    late = Clock()
    late.go(86_400_000)
    bodies = set()
    for clock in (Clock(), late):
        script = Script(TOKEN, HttpAnswer(status=500))
        await atol(atol_config(), script, clock).send(order_of(receipt(), attempt=7))
        bodies.add(script.requests[1].body)
    assert bodies == {await body_of(receipt())}


AGENT_ITEM_V5 = {
    "name": "Отопление за 10.2026",
    "price": 1697.72,
    "quantity": 1,
    "sum": 1697.72,
    "measure": 51,
    "payment_method": "advance",
    "payment_object": 10,
    "vat": {"type": "vat122"},
    "agent_info": {
        "type": "bank_paying_agent",
        "paying_agent": {"operation": "Приём платежей", "phones": ["+74950000002"]},
        "receive_payments_operator": {"phones": ["+74950000003"]},
    },
    "supplier_info": {"name": "АО «Теплосеть»", "inn": "7711111118", "phones": ["+74950000001"]},
}
ADVANCE = {"method": PaymentMethod.ADVANCE, "subject": PaymentObject.PAYMENT, "vat": Vat.VAT122, "measure": 51}


async def test_an_agents_item() -> None:
    content = of_items(msgspec.structs.replace(agent_item(), **ADVANCE))
    body = json.loads(await body_of(content, agent=AGENT))
    assert body["receipt"]["items"] == [AGENT_ITEM_V5]


async def test_an_agents_item_in_v4_has_words_for_numbers() -> None:
    content = of_items(msgspec.structs.replace(agent_item(), **ADVANCE), format=FiscalFormat.V105)
    body = json.loads(await body_of(content, agent=AGENT, protocol="v4"))
    expected = {name: value for name, value in AGENT_ITEM_V5.items() if name != "measure"}
    assert body["receipt"]["items"] == [expected | {"measurement_unit": "Гкал", "payment_object": "payment"}]


async def test_other_kinds_of_agent_carry_no_tags_of_ours() -> None:
    for kind in (AgentKind.ATTORNEY, AgentKind.COMMISSION_AGENT, AgentKind.ANOTHER):
        body = json.loads(await body_of(of_items(agent_item(kind)), agent=AGENT))
        assert body["receipt"]["items"][0]["agent_info"] == {"type": kind.value}


async def test_a_phone_stands_where_an_email_would() -> None:
    body = json.loads(await body_of(receipt(client="+79160000000")))
    assert body["receipt"]["client"] == {"phone": "+79160000000"}


async def test_the_moment_is_the_tills_local_time() -> None:
    moment = datetime(2026, 11, 24, 20, 59, 59, tzinfo=UTC)
    body = json.loads(await body_of(receipt(settled_at=moment), zone="Asia/Yekaterinburg"))
    assert body["timestamp"] == "25.11.2026 01:59:59"


async def test_a_correction_of_v5_has_items_and_the_wrong_sign() -> None:
    content = receipt(operation=Operation.SELL_REFUND_CORRECTION, correction=CORRECTION)
    body = json.loads(await body_of(content))
    correction = body["correction"]
    assert "receipt" not in body
    assert correction["correction_info"] == {"type": "instruction", "base_date": "03.11.2026", "base_number": "12-34/5"}
    assert (len(correction["items"]), correction["total"]) == (len(LINES), 5000.00)
    assert correction["additional_check_props"] == "3987654321"


async def test_a_correction_of_v4_has_sums_of_tax_instead_of_items() -> None:
    content = receipt(
        operation=Operation.SELL_CORRECTION,
        format=FiscalFormat.V105,
        correction=msgspec.structs.replace(CORRECTION, by_order=False, base_number=""),
    )
    correction = json.loads(await body_of(content, protocol="v4"))["correction"]
    assert correction["correction_info"] == {"type": "self", "base_date": "03.11.2026"}
    assert correction["vats"] == [
        {"type": "none", "sum": 3691.73},
        {"type": "vat22", "sum": 228.99},
        {"type": "vat5", "sum": 1.83},
    ]
    assert {"items", "total", "additional_check_props"} & set(correction) == set()


TAXES = [
    (Vat.NONE, 12_345, 12_345),
    (Vat.VAT0, 12_345, 12_345),
    (Vat.VAT5, 105, 5),
    (Vat.VAT105, 10_500, 500),
    (Vat.VAT7, 107, 7),
    (Vat.VAT107, 53, 3),
    (Vat.VAT10, 110, 10),
    (Vat.VAT110, 11_000, 1_000),
    (Vat.VAT20, 3, 1),
    (Vat.VAT120, 120, 20),
    (Vat.VAT22, 61, 11),
    (Vat.VAT122, 126_988, 22_899),
]


@pytest.mark.parametrize(("vat", "gross", "tax"), TAXES)
def test_the_tax_inside_a_sum(vat: Vat, gross: int, tax: int) -> None:
    assert vat_inside(vat, gross) == tax
    assert {one for one, _, _ in TAXES} == set(Vat)


LONG_MAIL = "a" * 53 + "@example.ru"
LIMITS: list[tuple[dict[str, Any], str]] = [
    ({"client": ""}, "client"),
    ({"client": "a" + LONG_MAIL}, "client"),
    ({"client": "resident"}, "client"),
    ({"client": "рез@example.ru"}, "client"),
    ({"client": "+7916000000"}, "client"),
    ({"client": "+49160000000"}, "client"),
    ({"format": FiscalFormat.V105}, "format"),
    ({"company": {"inn": "123"}}, "company.inn"),
    ({"company": {"inn": "7700000001"}}, "company.inn"),
    ({"company": {"email": "uk"}}, "company.email"),
    ({"company": {"payment_address": ""}}, "company.payment_address"),
    ({"company": {"payment_address": "a" * 257}}, "company.payment_address"),
    ({"settled_at": datetime(2026, 11, 24, 12, 30)}, "settled_at"),
    ({"items": ()}, "items"),
    ({"items": tuple(item("x", 1) for _ in range(101)), "total_kopecks": 101}, "items"),
    ({"items": (item("", 500_000),)}, "items[0].name"),
    ({"items": (item("я" * 129, 500_000),)}, "items[0].name"),
    ({"items": (item("a\nb", 500_000),)}, "items[0].name"),
    ({"items": (item("a", 500_000), item("b", 0))}, "items[1].sum_kopecks"),
    ({"items": (item("a", 500_001), item("b", -1))}, "items[1].sum_kopecks"),
    ({"items": (item("a", 4_294_967_296),)}, "items[0].sum_kopecks"),
    ({"items": (item("a", 500_000, measure=256),)}, "items[0].measure"),
    ({"items": (item("a", 500_000, agent=AgentKind.ANOTHER),)}, "items[0].supplier"),
    ({"items": (item("a", 500_000, supplier=SUPPLIER),)}, "items[0].supplier"),
    ({"items": (agent_item(), item("a", 330_228, agent=AgentKind.ANOTHER, supplier=Supplier(name="", inn=INN)))},
     "items[1].supplier.name"),
    ({"items": (item("a", 500_000, agent=AgentKind.ANOTHER, supplier=Supplier(name="я" * 257, inn=INN)),)},
     "items[0].supplier.name"),
    ({"items": (item("a", 500_000, agent=AgentKind.ANOTHER, supplier=Supplier(name="я", inn="1")),)}, "items[0].supplier.inn"),
    ({"items": (item("a", 500_000, agent=AgentKind.ANOTHER, supplier=Supplier(name="я", inn=INN, phones=("8",))),)},
     "items[0].supplier.phones"),
    ({"payments": ()}, "payments"),
    ({"payments": ((MeansOfPayment.CASHLESS, 45_455),) * 11}, "payments"),
    ({"payments": ((MeansOfPayment.CASHLESS, 500_000), (MeansOfPayment.CASH, 0))}, "payments"),
    ({"payments": ((MeansOfPayment.CASHLESS, 500_001), (MeansOfPayment.CASH, -1))}, "payments"),
    ({"payments": ((MeansOfPayment.CASHLESS, 499_999),)}, "payments"),
    ({"total_kopecks": 500_001}, "total_kopecks"),
    ({"correction": CORRECTION}, "correction"),
    ({"operation": Operation.SELL_CORRECTION}, "correction"),
    ({"operation": Operation.SELL_CORRECTION, "correction": {"base_number": ""}}, "correction.base_number"),
    ({"operation": Operation.SELL_CORRECTION, "correction": {"base_number": "1" * 33}}, "correction.base_number"),
    ({"operation": Operation.SELL_CORRECTION, "correction": {"wrong_sign": "12345678901"}}, "correction.wrong_sign"),
    ({"operation": Operation.SELL_CORRECTION, "correction": {"wrong_sign": "12A"}}, "correction.wrong_sign"),
]  # fmt: skip


def broken(changed: dict[str, Any]) -> Receipt:
    whole = receipt(correction=CORRECTION)
    parts = {
        name: msgspec.structs.replace(getattr(whole, name), **value) if isinstance(value, dict) else value
        for name, value in changed.items()
    }
    return receipt(**parts)


@pytest.mark.parametrize(("changed", "field"), LIMITS)
async def test_a_broken_limit_is_refused_by_its_field_before_anything_is_sent(changed: dict[str, Any], field: str) -> None:
    script = Script()
    answer = await atol(atol_config(), script, Clock()).send(order_of(broken(changed)))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.again, answer.reason.partition(": ")[0]) == ("content", False, field)
    assert script.requests == []


V4_LIMITS: list[tuple[dict[str, Any], str]] = [
    ({"items": (item("a", 500_000, measure=11),)}, "items[0].measure"),
    ({"operation": Operation.SELL_REFUND_CORRECTION, "correction": CORRECTION}, "operation"),
    ({"format": FiscalFormat.V12}, "format"),
    (
        {
            "operation": Operation.SELL_CORRECTION,
            "correction": CORRECTION,
            "items": tuple(item("a", 1, vat) for vat in list(Vat)[:7]),
            "total_kopecks": 7,
            "payments": ((MeansOfPayment.CASHLESS, 7),),
        },
        "items",
    ),
]


@pytest.mark.parametrize(("changed", "field"), V4_LIMITS)
async def test_limits_of_v4(changed: dict[str, Any], field: str) -> None:
    script = Script()
    content = receipt(**{"format": FiscalFormat.V105, **changed})
    answer = await atol(atol_config(protocol="v4"), script, Clock()).send(order_of(content))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.reason.partition(": ")[0]) == ("content", field)
    assert script.requests == []


KEYS = ["", "k" * 129, "a\nb"]


@pytest.mark.parametrize("key", KEYS)
async def test_a_key_that_cannot_be_sent_is_refused(key: str) -> None:
    answer = await atol(atol_config(), Script(), Clock()).send(order_of(receipt(), key=key))
    assert answer == Refused(code="content", reason="key: expected 1 to 128 printable characters")


@pytest.mark.parametrize("content", [b"", b"\xff", b"{}", b'{"operation":"buy"}', b"[1]"])
async def test_a_content_that_is_no_receipt_is_refused(content: bytes) -> None:
    order: Outgoing = msgspec.structs.replace(order_of(receipt()), content=content)
    answer = await atol(atol_config(), Script(), Clock()).send(order)
    assert isinstance(answer, Refused)
    assert answer.reason.startswith("receipt: ")


AT_THE_LIMIT = {
    "client": LONG_MAIL,
    "items": (
        *(item(f"{number:03d}" + "я" * 125, 1) for number in range(99)),
        item("a", 4_294_967_295, measure=255, agent=AgentKind.PAYING_AGENT, supplier=Supplier(name="я" * 256, inn="0" * 12)),
    ),
    "total_kopecks": 4_294_967_394,
    "payments": (*(((MeansOfPayment.CASH, 1),) * 9), (MeansOfPayment.CASHLESS, 4_294_967_385)),
}


def every_word() -> list[Receipt]:
    """A receipt for each word of the mapping, ФФД 1.2."""
    made = [of_items(item("a", 1, vat)) for vat in Vat]
    made += [of_items(item("a", 1, method=method)) for method in PaymentMethod]
    made += [of_items(item("a", 1, subject=subject)) for subject in PaymentObject]
    made += [of_items(agent_item(kind)) for kind in AgentKind]
    made += [receipt(payments=((means, 500_000),)) for means in MeansOfPayment]
    company = receipt().company
    made += [receipt(company=msgspec.structs.replace(company, tax_system=system)) for system in TaxSystem]
    made += [
        receipt(operation=operation, correction=CORRECTION if "correction" in operation else None) for operation in Operation
    ]
    return [*made, receipt(**AT_THE_LIMIT), receipt(internet=False), receipt(client="+79160000000")]


@pytest.mark.parametrize("protocol", ["v4", "v5"])
async def test_every_word_and_every_limit_is_taken_by_the_fake(protocol: str) -> None:
    clock = Clock()
    sandbox = AtolSandbox(msgspec.convert({"protocol": protocol}, AtolSandboxOptions))
    connector = atol(atol_config(protocol=protocol, agent=AGENT), connection(sandbox, clock), clock)
    for number, content in enumerate(every_word()):
        fitted = content
        if protocol == "v4":
            if content.operation is Operation.SELL_REFUND_CORRECTION:
                continue
            items = tuple(msgspec.structs.replace(one, measure=0) for one in content.items)
            fitted = msgspec.structs.replace(content, format=FiscalFormat.V105, items=items)
        answer = await connector.send(order_of(fitted, key=f"k-{number}"))
        assert isinstance(answer, Accepted), answer
    clock.go(10_000)
    sandbox.till.advance(clock())
    assert len(sandbox.registered) == len(every_word()) - (protocol == "v4")


JSON_NUMBER = re.compile(rb"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


@given(st.integers(1, 10**12))
def test_kopecks_become_a_json_number_and_the_same_kopecks(amount_kopecks: int) -> None:
    wire = msgspec.json.encode({"sum": json_roubles(amount_kopecks)})
    token = wire.removeprefix(b'{"sum":').removesuffix(b"}")
    assert JSON_NUMBER.fullmatch(token) and token[-3:-2] == b"."
    assert int(token.replace(b".", b"")) == amount_kopecks
    assert kopecks_of(msgspec.json.decode(wire, type=dict[str, msgspec.Raw])["sum"]) == amount_kopecks


@given(st.integers(1, 10**12))
def test_a_sum_survives_an_operator_that_reads_it_as_a_double(amount_kopecks: int) -> None:
    """Operators' servers do: a double holds fifteen digits, and is printed back as short as can be."""
    through = json.dumps(json.loads(bytes(json_roubles(amount_kopecks))))
    assert kopecks_of(msgspec.Raw(through.encode())) == amount_kopecks


@pytest.mark.parametrize("token", [b"1e3", b"1.005", b"-1", b'"1"', b"null", b"", b"01", b"1.", b"\xff"])
def test_what_is_no_sum_is_not_read(token: bytes) -> None:
    with pytest.raises(MoneyError):
        kopecks_of(msgspec.Raw(token))


def test_the_samples_lines_make_its_total() -> None:
    assert [roubles_from_kopecks(amount) for _, amount, _ in LINES] == GOLDEN_AMOUNTS
    assert sum(amount for _, amount, _ in LINES) == receipt().total_kopecks
    assert receipt().settled_at == START
