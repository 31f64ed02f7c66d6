"""T-Bank's notifications: the published tokens, what each status becomes, the fake that sends them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.acquiring.callback_refused import CallbackRefused
from connectors.acquiring.json_scalars import root_scalars
from connectors.acquiring.tbank import ANSWER, TBankTerms, decode, token_of
from connectors.sandbox.callbacks import CallbackFaults
from connectors.sandbox.tbank import TBankSandbox, TBankSandboxOptions
from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.ids import EXTERNAL_ID_BYTES_MAX

GIFT = {"TerminalKey": "MerchantTerminalKey", "Amount": 19200, "Description": "Подарочная карта на 1000 рублей"}
OWN: dict[str, Any] = {
    "TerminalKey": "TESTDEMO",
    "OrderId": "21050",
    "Success": True,
    "Status": "CONFIRMED",
    "PaymentId": 13660,
    "ErrorCode": "0",
    "Amount": 123456,
    "CardId": 867911,
    "Pan": "430000******0777",
    "ExpDate": "1230",
}
VECTORS = [
    (GIFT | {"OrderId": "00000"}, "11111111111111", "72dd466f8ace0a37a1f740ce5fb78101712bc0665d91a8108c7c8a0ccd426db2"),
    (GIFT | {"OrderId": "21090"}, "usaf8fw8fsw21g", "0024a00af7c350a3a67ca168ce06502aa72772456662e38696d48b56ee9c97d9"),
    (OWN, "quartz-pass", "7f5862fb1a5de6e2e1d44658dafb458e0bbac37cf89a7898824fa5f5ccb5b4a4"),
]
TERMS = TBankTerms(terminal_key="TESTDEMO", passwords=("quartz-pass",))
NOON = datetime(2026, 11, 20, 9, tzinfo=UTC)


def body_of(fields: dict[str, Any], token: str) -> bytes:
    return msgspec.json.encode(fields | {"Token": token})


def signed(**changed: Any) -> bytes:
    """Sign our own example with changes; a value of None takes a field away."""
    fields = {name: value for name, value in (OWN | changed).items() if value is not None}
    return body_of(fields, token_of(root_scalars(msgspec.json.encode(fields)), "quartz-pass"))


def event_of(body: bytes, terms: TBankTerms = TERMS) -> AcquirerEvent:
    event = decode(body, terms)
    assert isinstance(event, AcquirerEvent), event
    return event


@pytest.mark.parametrize(("fields", "password", "token"), VECTORS)
def test_tokens_are_the_published_ones(fields: dict[str, Any], password: str, token: str) -> None:
    assert token_of(root_scalars(msgspec.json.encode(fields)), password) == token
    nested = fields | {"DATA": {"a": "b"}, "Receipt": [1], "Nothing": None, "Token": "x"}
    assert token_of(root_scalars(msgspec.json.encode(nested)), password) == token


def test_a_confirmed_payment() -> None:
    assert event_of(body_of(OWN, VECTORS[2][2])) == AcquirerEvent(
        act=AcquirerAct.PAID, payment="13660", key="13660/CONFIRMED//123456", amount_kopecks=123456, event_at=None, order="21050"
    )
    assert ANSWER == b"OK"


STATUSES = [
    ("AUTHORIZED", True, AcquirerAct.APPROVED),
    ("AUTHORIZED", False, AcquirerAct.DECLINED),
    ("CONFIRMED", True, AcquirerAct.PAID),
    ("CONFIRMED", False, AcquirerAct.DECLINED),
    ("REVERSED", True, AcquirerAct.REVERSED),
    ("PARTIAL_REVERSED", True, AcquirerAct.OTHER),
    ("REFUNDED", True, AcquirerAct.REFUNDED),
    ("REFUNDED", False, AcquirerAct.OTHER),
    ("PARTIAL_REFUNDED", True, AcquirerAct.REFUNDED),
    ("REJECTED", False, AcquirerAct.DECLINED),
    ("DEADLINE_EXPIRED", False, AcquirerAct.DECLINED),
    ("3DS_CHECKING", True, AcquirerAct.OTHER),
    ("RECEIPT", True, AcquirerAct.OTHER),
    ("SOMETHING_NEW", True, AcquirerAct.OTHER),
]


@pytest.mark.parametrize(("status", "success", "act"), STATUSES)
def test_statuses(status: str, success: bool, act: AcquirerAct) -> None:
    event = event_of(signed(Status=status, Success=success))
    assert (event.act, event.amount_kopecks, event.payment) == (act, 123456, "13660")
    assert event.key == f"13660/{status}{'' if success else ':failed'}//123456"


def test_a_refunds_amount_may_be_what_is_left() -> None:
    remaining = msgspec.structs.replace(TERMS, refund_amount="remaining")
    event = event_of(signed(Status="PARTIAL_REFUNDED", Amount=100), remaining)
    assert (event.amount_kopecks, event.key) == (0, "13660/PARTIAL_REFUNDED//100")
    assert event_of(signed(), remaining).amount_kopecks == 123456


def test_an_order_is_an_alias_only_where_it_is_never_used_again() -> None:
    assert event_of(signed()).aliases == ()
    assert event_of(signed(), msgspec.structs.replace(TERMS, order_is_once=True)).aliases == ("order:21050",)


def test_the_account_is_read_from_signed_fields_only() -> None:
    terms = msgspec.structs.replace(TERMS, account_field="CustomerKey")
    assert event_of(signed(CustomerKey="1001/5"), terms).account == "1001/5"
    assert event_of(signed(DATA={"CustomerKey": "1001/5"}), terms).account == ""


def test_an_old_password_is_believed_while_it_is_kept() -> None:
    assert isinstance(decode(signed(), msgspec.structs.replace(TERMS, passwords=("newer-pass", "quartz-pass"))), AcquirerEvent)
    assert isinstance(decode(signed(), msgspec.structs.replace(TERMS, passwords=("newer-pass",))), CallbackRefused)


FORGED = [
    body_of(OWN, "0" * 64),
    body_of(OWN, ""),
    body_of(OWN, "Ж" * 64),
    body_of(OWN | {"Amount": 123457}, VECTORS[2][2]),
    msgspec.json.encode(OWN),
    signed(TerminalKey="ANOTHER"),
    msgspec.json.encode(OWN | {"Password": "quartz-pass", "Token": VECTORS[2][2]}),
]


@pytest.mark.parametrize("body", FORGED)
def test_without_a_right_token_there_is_nothing(body: bytes) -> None:
    refused = decode(body, TERMS)
    assert isinstance(refused, CallbackRefused) and refused.forged


@pytest.mark.parametrize(
    "changed",
    [
        {"PaymentId": None},
        {"PaymentId": "a"},
        {"PaymentId": -1},
        {"OrderId": "Ж"},
        {"Amount": None},
        {"Amount": 0},
        {"Amount": 12.5},
        {"Amount": 10**16},
        {"Success": None},
        {"Success": "yes"},
    ],
)
def test_what_is_signed_and_unreadable_is_refused_and_not_forged(changed: dict[str, Any]) -> None:
    refused = decode(signed(**changed), TERMS)
    assert isinstance(refused, CallbackRefused) and not refused.forged


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b'{"a":' * 5_000, b"[" * 60_000, b" " * 70_000, b'{"Token":"\xff"}', b'{"a":"\\ud800"}']
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    assert isinstance(decode(body, TERMS), CallbackRefused)


def test_a_body_in_windows_1251_has_the_same_token() -> None:
    body = signed(Description="Оплата ЖКУ")
    assert event_of(body.decode().encode("cp1251")) == event_of(body)


def test_terms_hide_passwords() -> None:
    assert "quartz-pass" not in repr(TERMS)
    for wrong in (
        {"terminal_key": "T", "passwords": ["short"]},
        {"terminal_key": "T", "passwords": []},
        {"terminal_key": "", "passwords": ["long-enough"]},
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, TBankTerms)


@given(st.binary(max_size=200))
def test_no_bytes_raise(body: bytes) -> None:
    assert isinstance(decode(body, TERMS), CallbackRefused)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.dictionaries(
    st.sampled_from([*OWN, "DATA", "Receipt"]) | st.text(max_size=10).filter(lambda name: name not in ("Token", "Password")),
    JSON,
    max_size=8,
)


@given(FIELDS, st.text(max_size=64))
def test_nothing_unsigned_is_an_event(fields: dict[str, Any], token: str) -> None:
    assert isinstance(decode(body_of(OWN | fields, token), TERMS), CallbackRefused)


@given(FIELDS)
def test_nothing_signed_raises_and_every_event_is_whole(fields: dict[str, Any]) -> None:
    event = decode(signed(**fields), TERMS)
    if isinstance(event, AcquirerEvent):
        assert event.payment and len(event.key.encode()) <= EXTERNAL_ID_BYTES_MAX
        assert event.amount_kopecks > 0 if event.act is AcquirerAct.PAID else event.amount_kopecks >= 0


def terminal(**changed: Any) -> TBankSandbox:
    return TBankSandbox(TBankSandboxOptions(password="quartz-pass", notification_url="https://kopeck.test/tbank", **changed))


def told(fake: TBankSandbox, now: datetime) -> list[AcquirerEvent]:
    events = []
    for callback in fake.callbacks_due(now):
        events.append(event_of(callback.request.body))
        fake.callback_answered(callback.number, HttpAnswer(status=200, body=b"OK"), now)
    return events


def test_the_fake_tells_both_statuses_at_once_and_only_one_is_money() -> None:
    fake = terminal()
    request = HttpRequest(method="POST", url="http://bank/sandbox/pay", body=b'{"OrderId":"W-1","Amount":500}')
    assert msgspec.json.decode(fake.handle(request, NOON).body) == {"PaymentId": 13661}
    assert [event.act for event in told(fake, NOON)] == [AcquirerAct.APPROVED, AcquirerAct.PAID]
    fake.refund(13661, 200, NOON)
    fake.refund(13661, 300, NOON)
    assert [(event.act, event.amount_kopecks) for event in told(fake, NOON)] == [
        (AcquirerAct.REFUNDED, 200),
        (AcquirerAct.REFUNDED, 300),
    ]
    fake.decline("W-2", 700, NOON)
    assert [event.act for event in told(fake, NOON)] == [AcquirerAct.DECLINED]
    with pytest.raises(ValueError, match="left"):
        fake.refund(13661, 1, NOON)
    assert [row.order for row in fake.evening_register(date(2026, 11, 20))] == ["W-1"]
    for wrong, status in (
        (HttpRequest(method="GET", url="http://b/x"), 404),
        (msgspec.structs.replace(request, body=b"{}"), 400),
    ):
        assert fake.handle(wrong, NOON).status == status


def test_only_the_body_ok_ends_the_banks_repeats() -> None:
    fake = terminal(repeats_s=(60, 120))
    fake.pay("W-1", 500, NOON)
    seconds = []
    for second in range(0, 600, 60):
        now = NOON + timedelta(seconds=second)
        for callback in fake.callbacks_due(now):
            seconds.append(second)
            fake.callback_answered(callback.number, HttpAnswer(status=200, body=b'{"ok":true}'), now)
    assert seconds == [0, 0, 60, 60, 180, 180] and fake.callbacks_waiting == 0


def test_the_fake_signs_with_an_old_password_and_writes_a_wrong_encoding() -> None:
    fake = terminal(old_password="older-pass", faults=CallbackFaults(old_key=1000, wrong_encoding=1000))
    fake.pay("W-1", 500, NOON, Description="Оплата ЖКУ")
    callbacks = fake.callbacks_due(NOON)
    assert len(callbacks) == 2
    for callback in callbacks:
        assert "Оплата".encode("cp1251") in callback.request.body
        assert isinstance(decode(callback.request.body, TERMS), CallbackRefused)
        event_of(callback.request.body, msgspec.structs.replace(TERMS, passwords=("quartz-pass", "older-pass")))
