"""Webhooks as JWT: whose signature is believed, what each type becomes, the fake that sends them."""

import base64
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import jwt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.acquiring.callback_refused import CallbackRefused
from connectors.acquiring.tochka import TochkaTerms, decode
from connectors.sandbox.callbacks import CallbackFaults
from connectors.sandbox.tochka import JwtKey, TochkaSandbox, TochkaSandboxOptions, jwk_set
from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.ids import EXTERNAL_ID_BYTES_MAX
from tests.connectors.acquirer_keys import key_of, private_pem, public_pem

BANK, OLD = JwtKey(pem=private_pem("bank"), kid="k-2026"), JwtKey(pem=private_pem("bank-old"), kid="k-2025")
TERMS = TochkaTerms(keys=(jwk_set(BANK),), customer_code="300000092")
NOON = datetime(2026, 11, 20, 9, tzinfo=UTC)
QR = "AD10002FTV13LKDR9ERP7FAK3LKD0AAA"
SBP = {
    "operationId": "A22031016256670100000533E625FCB3",
    "qrcId": QR,
    "amount": "0.33",
    "payerName": "Иванов Иван Иванович",
    "payerMobileNumber": "+79000000000",
    "purpose": "Оплата ЖКУ",
    "customerCode": "300000092",
    "webhookType": "incomingSbpPayment",
}


def token(payload: Any, key: str = "bank", kid: str | None = "k-2026", **headers: Any) -> bytes:
    content = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    named = {"kid": kid} if kid is not None else {}
    return jwt.PyJWS().encode(content, key_of(key), algorithm="RS256", headers=named | headers).encode()


def without(*names: str, **changed: Any) -> dict[str, Any]:
    return {name: value for name, value in (SBP | changed).items() if name not in names}


def event_of(body: bytes, terms: TochkaTerms = TERMS) -> AcquirerEvent:
    event = decode(body, terms)
    assert isinstance(event, AcquirerEvent), event
    return event


def test_a_payment_by_sbp() -> None:
    assert event_of(token(SBP)) == AcquirerEvent(
        act=AcquirerAct.PAID,
        payment=SBP["operationId"],
        key=f"{SBP['operationId']}/paid/33",
        amount_kopecks=33,
        event_at=None,
        aliases=(f"qr:{QR}",),
    )
    assert event_of(token(SBP) + b"\n") == event_of(token(SBP))


@pytest.mark.parametrize(("text", "kopecks"), [("0.33", 33), ("5", 500), ("1234.5", 123450), ("70000000.07", 7_000_000_007)])
def test_roubles_are_read_to_the_kopeck(text: str, kopecks: int) -> None:
    assert event_of(token(SBP | {"amount": text})).amount_kopecks == kopecks
    number = json.dumps(SBP, ensure_ascii=False).replace('"0.33"', text).encode()
    assert event_of(token(number)).amount_kopecks == kopecks


TYPES = [
    ({"webhookType": "acquiringInternetPayment"}, AcquirerAct.PAID, 33),
    ({"webhookType": "acquiringInternetPayment", "status": "APPROVED"}, AcquirerAct.PAID, 33),
    ({"webhookType": "acquiringInternetPayment", "status": "AUTHORIZED"}, AcquirerAct.APPROVED, 33),
    ({"webhookType": "acquiringInternetPayment", "status": "EXPIRED"}, AcquirerAct.OTHER, 0),
    ({"webhookType": "incomingSbpB2BPayment"}, AcquirerAct.PAID, 33),
    ({"webhookType": "incomingPayment"}, AcquirerAct.OTHER, 0),
    ({"webhookType": "outgoingPayment", "amount": "-"}, AcquirerAct.OTHER, 0),
    ({"webhookType": "somethingNew"}, AcquirerAct.OTHER, 0),
]


@pytest.mark.parametrize(("changed", "act", "amount"), TYPES)
def test_types(changed: dict[str, str], act: AcquirerAct, amount: int) -> None:
    event = event_of(token(SBP | changed))
    assert (event.act, event.amount_kopecks, event.payment) == (act, amount, SBP["operationId"])


def test_a_payment_between_firms_is_known_by_a_link_that_is_paid_once() -> None:
    once = without("operationId", webhookType="incomingSbpB2BPayment")
    event = event_of(token(once))
    assert (event.act, event.payment, event.aliases) == (AcquirerAct.PAID, f"qr:{QR}", ())
    # A static link is paid many times: nobody could tell a repeat from a second payment.
    static = event_of(token(once | {"qrcId": "AS10002FTV13LKDR9ERP7FAK3LKD0AAA"}))
    assert (static.act, static.amount_kopecks) == (AcquirerAct.OTHER, 0) and static.payment.startswith("sha256:")
    assert event_of(token(SBP | {"qrcId": "AS10002FTV13LKDR9ERP7FAK3LKD0AAA"})).aliases == ()


def test_our_orders_number_and_account_stand_where_the_terms_say() -> None:
    paid = SBP | {"webhookType": "acquiringInternetPayment", "paymentLinkId": "W-1", "consumerId": "1001/5"}
    event = event_of(token(paid), msgspec.structs.replace(TERMS, account_field="consumerId"))
    assert (event.order, event.account, event.aliases) == ("W-1", "1001/5", ("order:W-1", f"qr:{QR}"))


def test_keys_rotate_and_the_message_chooses_among_ours_only() -> None:
    both = msgspec.structs.replace(TERMS, keys=(jwk_set(OLD, BANK),))
    apart = msgspec.structs.replace(TERMS, keys=(jwk_set(OLD), jwk_set(BANK)))
    for terms in (both, apart):
        assert (
            event_of(token(SBP), terms)
            == event_of(token(SBP, "bank-old", "k-2025"), terms)
            == event_of(token(SBP, kid=None), terms)
        )
    assert isinstance(decode(token(SBP, "bank-old", "k-2025"), TERMS), CallbackRefused)
    assert isinstance(decode(token(SBP, "bank", "k-2025"), TERMS), CallbackRefused)
    one = json.loads(jwk_set(BANK))["keys"][0]
    del one["kid"]
    assert event_of(token(SBP), msgspec.structs.replace(TERMS, keys=(json.dumps(one),))).amount_kopecks == 33


def part(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def forged() -> list[bytes]:
    payload = json.dumps(SBP).encode()
    head, _, tail = token(SBP).split(b".")
    # A secret that everybody knows, the public key's text, must not pass for a signature's key.
    public = public_pem("bank").encode()
    signing = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(payload)
    hs256 = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signing, public)
    return [
        head + b"." + part(json.dumps(SBP | {"amount": "3300.00"}).encode()) + b"." + tail,
        part(b'{"alg":"none","typ":"JWT"}') + b"." + part(payload) + b".",
        part(b'{"alg":"none","typ":"JWT"}') + b"." + part(payload) + b"." + tail,
        signing + b"." + part(hs256),
        token(SBP, "stranger"),
        token(SBP, "stranger", jwk={"kty": "RSA"}, jku="https://evil.test/keys"),
        jwt.PyJWS().encode(payload, key_of("bank"), algorithm="RS512").encode(),
        jwt.PyJWS().encode(payload, key_of("bank"), algorithm="PS256").encode(),
        head + b"." + tail,
        payload,
        b"",
        b"a.b.c",
        part(b"[" * 20_000) + b".e30.AA",
        part(b'{"alg":"RS256","kid":5}') + b".e30.AA",
        part(b'{"alg":"RS256","b64":false}') + b".e30.AA",
        b"A" * 70_000,
        "ЖЖ.ЖЖ.ЖЖ".encode(),
    ]


@pytest.mark.parametrize("body", forged())
def test_without_a_right_signature_there_is_nothing(body: bytes) -> None:
    refused = decode(body, TERMS)
    assert isinstance(refused, CallbackRefused) and refused.forged


@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        b" ",
        b"{" * 20_000,
        SBP | {"amount": "0.335"},
        SBP | {"amount": "0"},
        SBP | {"amount": "-1"},
        SBP | {"amount": True},
        without("amount"),
        SBP | {"operationId": "a b"},
        SBP | {"customerCode": "300000093"},
        without("customerCode"),
    ],
)
def test_what_is_signed_and_unreadable_is_refused_and_not_forged(payload: Any) -> None:
    refused = decode(token(payload), TERMS)
    assert isinstance(refused, CallbackRefused) and not refused.forged


def test_a_payload_in_windows_1251_is_read() -> None:
    assert event_of(token(json.dumps(SBP, ensure_ascii=False).encode("cp1251"))) == event_of(token(SBP))


@pytest.mark.parametrize(
    "keys", [[], ["{}"], ["no json"], ["[]"], ["5"], ['{"keys":[]}'], ['{"keys":5}'], ['{"kty":"oct","k":"AA"}']]
)
def test_keys_that_verify_nothing_are_refused(keys: list[str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"keys": keys}, TochkaTerms)


def test_a_private_key_is_refused() -> None:
    private = jwt.algorithms.RSAAlgorithm.to_jwk(key_of("bank"))
    with pytest.raises(ValueError, match="private"):
        TochkaTerms(keys=(private,))


@given(st.binary(max_size=200) | st.from_regex(rb"[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{1,80}\.[A-Za-z0-9_-]{1,80}", fullmatch=True))
def test_no_bytes_raise(body: bytes) -> None:
    assert isinstance(decode(body, TERMS), CallbackRefused)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]), JSON, max_size=5), st.binary(max_size=50))
def test_no_header_makes_an_event_or_raises(header: dict[str, Any], signature: bytes) -> None:
    body = b".".join((part(json.dumps(header).encode()), part(json.dumps(SBP).encode()), part(signature) or b"A"))
    assert isinstance(decode(body, TERMS), CallbackRefused)


@given(st.dictionaries(st.sampled_from([*SBP, "status", "paymentLinkId"]) | st.text(max_size=8), JSON, max_size=6))
def test_nothing_signed_raises_and_every_event_is_whole(changed: dict[str, Any]) -> None:
    event = decode(token(json.dumps(SBP | changed).encode()), TERMS)
    if isinstance(event, AcquirerEvent):
        assert event.payment and len(event.key.encode()) <= EXTERNAL_ID_BYTES_MAX
        assert event.amount_kopecks > 0 if event.act is AcquirerAct.PAID else event.amount_kopecks >= 0
        assert all(len(alias.encode()) <= EXTERNAL_ID_BYTES_MAX for alias in event.aliases)


def bank(**changed: Any) -> TochkaSandbox:
    return TochkaSandbox(TochkaSandboxOptions(key=BANK, old_key=OLD, webhook_url="https://kopeck.test/tochka", **changed))


def test_the_fake_tells_payments_of_every_kind() -> None:
    fake = bank()
    request = HttpRequest(method="POST", url="http://bank/sandbox/pay", body=b'{"amountKopecks":33,"fields":{"purpose":"x"}}')
    answered = msgspec.json.decode(fake.handle(request, NOON).body)
    for kind in ("incomingSbpB2BPayment", "acquiringInternetPayment"):
        fake.pay(500, NOON, kind=kind)
    events = [event_of(callback.request.body) for callback in fake.callbacks_due(NOON)]
    assert [(event.act, event.amount_kopecks) for event in events] == [(AcquirerAct.PAID, amount) for amount in (33, 500, 500)]
    assert events[0].payment == answered["operationId"] and events[1].payment.startswith("qr:AD")
    rows = fake.evening_register(date(2026, 11, 20))
    assert (rows[0].operation_id, rows[0].amount_kopecks) == (answered["operationId"], 33) and len(rows) == 3
    published = fake.handle(HttpRequest(method="GET", url="http://bank/keys"), NOON).body.decode()
    assert published == jwk_set(BANK, OLD)
    for wrong, status in (
        (HttpRequest(method="GET", url="http://b/x"), 404),
        (msgspec.structs.replace(request, body=b"{}"), 400),
    ):
        assert fake.handle(wrong, NOON).status == status
    assert "PRIVATE" not in repr(TochkaSandboxOptions(key=BANK))


def test_the_fake_repeats_what_was_not_taken_and_signs_with_an_old_key() -> None:
    fake = bank(faults=CallbackFaults(old_key=1000, wrong_encoding=1000), repeats_s=(30,))
    fake.pay(33, NOON, fields={"payerName": "Иванов"})
    for second, answer in ((0, HttpAnswer(status=503)), (30, HttpAnswer(status=200))):
        (callback,) = fake.callbacks_due(NOON + timedelta(seconds=second))
        assert isinstance(decode(callback.request.body, TERMS), CallbackRefused)
        assert event_of(callback.request.body, msgspec.structs.replace(TERMS, keys=(jwk_set(BANK, OLD),))).amount_kopecks == 33
        fake.callback_answered(callback.number, answer, NOON + timedelta(seconds=second))
    assert fake.callbacks_waiting == 0
