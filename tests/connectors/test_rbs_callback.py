"""Callbacks of RBS: the published checksums, what each operation becomes, and that nothing unsigned becomes anything."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from hypothesis import given
from hypothesis import strategies as st

from connectors.acquiring.callback_refused import CallbackRefused
from connectors.acquiring.rbs_callback import RbsCallbackTerms, decode
from connectors.acquiring.rbs_checksum import RsaKey, SignHash, signed_text, symmetric_checksum
from connectors.terminals.parameters import read_parameters
from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.ids import EXTERNAL_ID_BYTES_MAX
from tests.connectors.acquirer_keys import certificate_pem, key_of, public_pem

VENDOR_KEY, OWN_KEY = "ooc7slpvc61k7sf7ma7p4hrefr", "quartz-test-secret-0001"
VENDOR = {
    "mdOrder": "06cf5599-3f17-7c86-bdbc-bd7d00a8b38b",
    "operation": "approved",
    "orderNumber": "2003",
    "status": "1",
    "checksum": "EAF2FB72CAB99FD5067F4BA493DD84F4D79C1589FDE8ED29622F0F07215AA972",
}
OWN = {
    "amount": "123456",
    "mdOrder": "3ff6962a-7dcc-4283-ab50-a6d7dd3386fe",
    "operation": "deposited",
    "orderNumber": "10747",
    "status": "1",
    "checksum": "23A6941F4048869CB75F2E1ED0D3ADB6453D367B8DF495962C56D3F499E95C70",
}
OWN_SHA_512 = (
    "ac388aa684cf6e8551bfaee97eea2eb6f4c9ac1a58aea7146e694eb82c737ff1"
    "d0321ddf7d50a15ce5dc744433694f4256e07f6f92f4edf0dc2f57829340fa0f"
)
TERMS = RbsCallbackTerms(secrets=(OWN_KEY,))
MD = OWN["mdOrder"]


def signed(**given: str) -> dict[str, str]:
    """Sign parameters on top of our own example's; one whose value is ``-`` is taken away."""
    parameters = {name: value for name, value in (OWN | given).items() if name != "checksum" and value != "-"}
    return parameters | {"checksum": symmetric_checksum(OWN_KEY, signed_text(parameters))}


def event_of(parameters: dict[str, str], terms: RbsCallbackTerms = TERMS) -> AcquirerEvent:
    event = decode(parameters, terms)
    assert isinstance(event, AcquirerEvent), event
    return event


def test_the_vendors_example_is_believed_and_is_a_hold_without_a_sum() -> None:
    event = event_of(VENDOR, RbsCallbackTerms(secrets=(VENDOR_KEY,)))
    assert (event.act, event.payment, event.order) == (AcquirerAct.APPROVED, VENDOR["mdOrder"], "2003")
    assert event.amount_kopecks == 0 and event.event_at is None


def test_our_example_is_a_payment() -> None:
    text = b"amount;123456;mdOrder;3ff6962a-7dcc-4283-ab50-a6d7dd3386fe;operation;deposited;orderNumber;10747;status;1;"
    assert signed_text(OWN) == text
    digest = hashes.Hash(hashes.SHA512())
    digest.update(text)
    assert digest.finalize().hex() == OWN_SHA_512
    assert event_of(OWN) == AcquirerEvent(
        act=AcquirerAct.PAID,
        payment=MD,
        key=f"{MD}/deposited//123456",
        amount_kopecks=123456,
        event_at=None,
        order="10747",
        aliases=("order:10747",),
    )


def test_query_and_form_are_read_alike_whatever_the_order() -> None:
    query = "&".join(f"{name}={value}" for name, value in reversed(OWN.items()))
    assert event_of(read_parameters(query.encode()).values) == event_of(OWN)


@pytest.mark.parametrize("name", [name for name in OWN if name != "checksum"])
def test_every_parameter_is_signed(name: str) -> None:
    for changed in ({name: OWN[name] + "0"}, {name: ""}, {"sum": "1"}):
        refused = decode(OWN | changed, TERMS)
        assert isinstance(refused, CallbackRefused) and refused.forged


@pytest.mark.parametrize(
    "checksum", ["", "0" * 64, OWN["checksum"][:-1], OWN["checksum"] + "00", "Ж" * 64, "g" * 64, "\ud800" * 64]
)
def test_a_wrong_checksum_is_forged(checksum: str) -> None:
    refused = decode(OWN | {"checksum": checksum}, TERMS)
    assert refused == CallbackRefused(reason="the checksum is missing or wrong", forged=True)


def test_small_letters_in_the_checksum_do_not_matter() -> None:
    assert decode(OWN | {"checksum": OWN["checksum"].lower()}, TERMS) == decode(OWN, TERMS)


def test_an_old_secret_is_believed_while_it_is_kept() -> None:
    assert isinstance(decode(OWN, RbsCallbackTerms(secrets=("a-newer-secret-0002", OWN_KEY))), AcquirerEvent)
    assert isinstance(decode(OWN, RbsCallbackTerms(secrets=("a-newer-secret-0002",))), CallbackRefused)


def rsa_signed(key: str, alias: str, algorithm: hashes.HashAlgorithm) -> dict[str, str]:
    parameters = {name: value for name, value in OWN.items() if name != "checksum"}
    signature = key_of(key).sign(signed_text(parameters), PKCS1v15(), algorithm)
    assert len(signature.hex()) == 512
    return parameters | {"sign_alias": alias, "checksum": signature.hex().upper()}


@pytest.mark.parametrize(("hash_name", "algorithm"), [(SignHash.SHA_256, hashes.SHA256()), (SignHash.SHA_512, hashes.SHA512())])
@pytest.mark.parametrize("pem", [public_pem, certificate_pem])
def test_asymmetric_checksums_by_key_and_by_certificate(
    hash_name: SignHash, algorithm: hashes.HashAlgorithm, pem: Callable[[str], str]
) -> None:
    keys = (RsaKey(pem=pem("bank"), alias="SHA-256 with RSA", hash=hash_name),)
    terms = RbsCallbackTerms(keys=keys)
    assert event_of(rsa_signed("bank", "SHA-256 with RSA", algorithm), terms).amount_kopecks == 123456
    other = hashes.SHA512() if hash_name is SignHash.SHA_256 else hashes.SHA256()
    for forged in (
        rsa_signed("bank", "SHA-256 with RSA", other),
        rsa_signed("stranger", "SHA-256 with RSA", algorithm),
        rsa_signed("bank", "another alias", algorithm),
        rsa_signed("bank", "SHA-256 with RSA", algorithm) | {"amount": "123457"},
    ):
        refused = decode(forged, terms)
        assert isinstance(refused, CallbackRefused) and refused.forged


def test_keys_are_chosen_by_alias_and_an_old_one_stays() -> None:
    old, new = RsaKey(pem=public_pem("bank"), alias="k-2025"), RsaKey(pem=public_pem("bank-new"), alias="k-2026")
    terms = RbsCallbackTerms(keys=(old, new))
    assert event_of(rsa_signed("bank", "k-2025", hashes.SHA512()), terms) == event_of(
        rsa_signed("bank-new", "k-2026", hashes.SHA512()), terms
    )
    assert isinstance(decode(rsa_signed("bank-new", "k-2025", hashes.SHA512()), terms), CallbackRefused)
    under_any = RbsCallbackTerms(keys=(RsaKey(pem=public_pem("bank")),))
    assert event_of(rsa_signed("bank", "whatever", hashes.SHA512()), under_any).payment == MD


def test_empty_values_stand_in_the_string_unless_the_bank_leaves_them_out() -> None:
    parameters = {name: value for name, value in OWN.items() if name != "checksum"} | {"clientId": ""}
    assert b"clientId;;" in signed_text(parameters)
    kept = parameters | {"checksum": symmetric_checksum(OWN_KEY, signed_text(parameters))}
    left_out = parameters | {"checksum": OWN["checksum"]}
    assert isinstance(decode(kept, TERMS), AcquirerEvent) and isinstance(decode(left_out, TERMS), CallbackRefused)
    without = RbsCallbackTerms(secrets=(OWN_KEY,), keeps_empty=False)
    assert isinstance(decode(left_out, without), AcquirerEvent) and isinstance(decode(kept, without), CallbackRefused)


CASES = [
    ({"operation": "approved"}, AcquirerAct.APPROVED, 123456, "approved//123456"),
    ({"operation": "approved", "status": "0"}, AcquirerAct.DECLINED, 123456, "approved:failed//123456"),
    ({"operation": "deposited", "status": "0"}, AcquirerAct.DECLINED, 123456, "deposited:failed//123456"),
    ({"operation": "deposited", "depositedAmount": "100000"}, AcquirerAct.PAID, 100000, "deposited//100000"),
    # A late callback that was written after a refund: the bank takes refunds off depositedAmount.
    (
        {"operation": "deposited", "depositedAmount": "100000", "refundedAmount": "23456"},
        AcquirerAct.PAID,
        123456,
        "deposited//123456",
    ),
    (
        {"operation": "deposited", "depositedAmount": "0", "refundedAmount": "123456"},
        AcquirerAct.PAID,
        123456,
        "deposited//123456",
    ),
    ({"operation": "deposited", "amount": "-", "paymentAmount": "5"}, AcquirerAct.PAID, 5, "deposited//5"),
    ({"operation": "reversed"}, AcquirerAct.REVERSED, 123456, "reversed//123456"),
    ({"operation": "reversed", "status": "0"}, AcquirerAct.OTHER, 123456, "reversed:failed//123456"),
    ({"operation": "refunded", "operationRefundedAmount": "456"}, AcquirerAct.REFUNDED, 456, "refunded//456"),
    (
        {"operation": "refunded", "operationRefundedAmount": "456", "refNum": "612345678901"},
        AcquirerAct.REFUNDED,
        456,
        "refunded/612345678901/456",
    ),
    (
        {"operation": "refunded", "operationRefundedAmount": "456", "refNum": "612345678901", "externalRefundId": "r-7"},
        AcquirerAct.REFUNDED,
        456,
        "refunded/r-7/456",
    ),
    # ``amount`` is the order's: without the operation's own sum nobody knows how much went back.
    ({"operation": "refunded", "refundedAmount": "456"}, AcquirerAct.REFUNDED, 0, "refunded//0"),
    ({"operation": "refunded", "status": "0"}, AcquirerAct.OTHER, 123456, "refunded:failed//123456"),
    ({"operation": "declinedByTimeout"}, AcquirerAct.DECLINED, 123456, "declinedByTimeout//123456"),
    ({"operation": "declinedCardPresent", "status": "-"}, AcquirerAct.DECLINED, 123456, "declinedCardPresent//123456"),
    ({"operation": "declinedCardpresent", "status": "0"}, AcquirerAct.DECLINED, 123456, "declinedCardpresent:failed//123456"),
    ({"operation": "bindingCreated", "status": "-", "amount": "-"}, AcquirerAct.OTHER, 0, "bindingCreated//0"),
    ({"operation": "somethingNew"}, AcquirerAct.OTHER, 123456, "somethingNew//123456"),
]


@pytest.mark.parametrize(("given_", "act", "amount", "key"), CASES)
def test_operations(given_: dict[str, str], act: AcquirerAct, amount: int, key: str) -> None:
    event = event_of(signed(**given_))
    assert (event.act, event.amount_kopecks, event.key) == (act, amount, f"{MD}/{key}")
    assert event.payment == MD


REFUSED = [
    {"mdOrder": ""},
    {"mdOrder": "a b"},
    {"mdOrder": "x" * 65},
    {"orderNumber": "Ж"},
    {"status": "2"},
    {"status": "-"},
    {"currency": "840"},
    {"amount": "-"},
    {"amount": "0"},
    {"amount": "12.34"},
    {"amount": "-5"},
    {"amount": "1" + "0" * 16},
    {"depositedAmount": "1e3"},
    {"depositedAmount": "0"},
]


@pytest.mark.parametrize("given_", REFUSED)
def test_what_is_signed_and_unreadable_is_refused_and_not_forged(given_: dict[str, str]) -> None:
    parameters = signed(**given_)
    refused = decode(parameters, TERMS)
    assert isinstance(refused, CallbackRefused) and not refused.forged
    assert not any(value in refused.reason for value in parameters.values() if len(value) > 4 and value != "deposited")


def test_a_parameter_given_twice_is_refused() -> None:
    query = "&".join(f"{name}={value}" for name, value in OWN.items()) + "&amount=1"
    assert isinstance(decode(read_parameters(query.encode()).values, TERMS), CallbackRefused)


def test_a_name_cannot_swallow_other_parameters() -> None:
    """``a;1;b`` with the value 2 signs as a=1 and b=2 would."""
    whole = signed(refundedAmount="0")
    swallowed = {name: value for name, value in whole.items() if name not in ("orderNumber", "refundedAmount")}
    swallowed |= {"orderNumber;10747;refundedAmount": "0"}
    assert signed_text(swallowed) == signed_text(whole) and event_of(whole).order == "10747"
    assert isinstance(decode(swallowed, TERMS), CallbackRefused)


def test_a_value_cannot_swallow_other_parameters() -> None:
    """What was really deposited hides in a date that nobody has to read, and the registered sum stays."""
    whole = signed(callbackCreationDate="then", depositedAmount="5000", amount="10000")
    swallowed = {name: value for name, value in whole.items() if name != "depositedAmount"}
    swallowed |= {"callbackCreationDate": "then;depositedAmount;5000"}
    assert signed_text(swallowed) == signed_text(whole) and event_of(whole).amount_kopecks == 5_000
    assert isinstance(decode(swallowed, TERMS), CallbackRefused)
    assert event_of(signed(orderDescription="ЖКУ; квартира 5; ноябрь")).amount_kopecks


def test_the_payments_own_rrn_is_its_alias_and_a_refunds_is_not() -> None:
    assert event_of(signed(refNum="612345678901")).aliases == ("order:10747", "rrn:612345678901")
    assert event_of(signed(paymentRefNum="612345678902")).aliases == ("order:10747", "rrn:612345678902")
    assert event_of(signed(refnum="612345678903")).aliases == ("order:10747", "rrn:612345678903")
    assert event_of(signed(refNum="none given")).aliases == ("order:10747",)
    refund = signed(operation="refunded", operationRefundedAmount="1", refNum="612345678904")
    assert event_of(refund).aliases == ("order:10747",)


def test_the_account_stands_where_the_terms_say() -> None:
    terms = RbsCallbackTerms(secrets=(OWN_KEY,), account_parameter="ls")
    assert event_of(signed(ls="1001/5"), terms).account == "1001/5"
    assert event_of(signed(), terms).account == ""
    assert event_of(signed(ls="1001\n5"), terms).account.startswith("sha256:")
    assert event_of(signed(ls="1001/5")).account == ""


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Mon Jan 31 21:46:52 UTC 2022", datetime(2022, 1, 31, 21, 46, 52, tzinfo=UTC)),
        ("Mon Jan 31 21:46:52 MSK 2022", datetime(2022, 1, 31, 18, 46, 52, tzinfo=UTC)),
        ("Mon Jan 31 21:46:52 PST 2022", None),
        ("Mon Feb 31 21:46:52 UTC 2022", None),
        ("31.01.2022", None),
    ],
)
def test_the_callbacks_moment(text: str, moment: datetime | None) -> None:
    assert event_of(signed(callbackCreationDate=text)).event_at == moment


def test_texts_in_windows_1251_are_believed_as_the_bank_signed_them() -> None:
    parameters = signed(orderDescription="Оплата ЖКУ")
    pairs = (f"{name}=".encode() + value.encode("cp1251") for name, value in parameters.items())
    assert event_of(read_parameters(b"&".join(pairs)).values) == event_of(parameters)


def test_terms_hide_secrets_and_refuse_what_cannot_verify() -> None:
    assert OWN_KEY not in repr(TERMS)
    for wrong in ({}, {"secrets": ("short",)}, {"secrets": tuple(f"{OWN_KEY}-{n}" for n in range(9))}):
        with pytest.raises((ValueError, TypeError)):
            msgspec.convert(wrong, RbsCallbackTerms)
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    for key in (curve, small):
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        with pytest.raises(ValueError, match="RSA key"):
            RsaKey(pem=pem)
    for text in ("not a key", "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n", "Ж"):
        with pytest.raises(ValueError, match="public key"):
            RsaKey(pem=text)


ANY_TEXT = st.text(st.characters(codec=None), max_size=60)
NAMES = st.sampled_from(
    [*OWN, "sign_alias", "depositedAmount", "refundedAmount", "operationRefundedAmount", "refNum", "callbackCreationDate", "ls"]
)
ALL_TERMS = RbsCallbackTerms(secrets=(OWN_KEY,), keys=(RsaKey(pem=public_pem("bank")),), account_parameter="ls")


@given(st.dictionaries(NAMES | ANY_TEXT, ANY_TEXT, max_size=12))
def test_nothing_unsigned_is_an_event_and_nothing_raises(parameters: dict[str, str]) -> None:
    assert isinstance(decode(parameters, ALL_TERMS), CallbackRefused)


@given(st.binary(max_size=300))
def test_no_bytes_raise(raw: bytes) -> None:
    assert isinstance(decode(read_parameters(raw).values, ALL_TERMS), CallbackRefused)


@given(
    st.dictionaries(
        NAMES.filter(lambda name: name != "checksum") | ANY_TEXT,
        ANY_TEXT | st.sampled_from([*OWN.values(), "1", "0"]),
        max_size=12,
    )
)
def test_nothing_signed_raises_and_every_event_is_whole(parameters: dict[str, str]) -> None:
    given_ = OWN | parameters
    event = decode(given_ | {"checksum": symmetric_checksum(OWN_KEY, signed_text(given_))}, ALL_TERMS)
    if isinstance(event, AcquirerEvent):
        assert 0 < len(event.key.encode()) <= EXTERNAL_ID_BYTES_MAX and event.payment
        assert event.amount_kopecks > 0 if event.act is AcquirerAct.PAID else event.amount_kopecks >= 0
        assert all(0 < len(alias.encode()) <= EXTERNAL_ID_BYTES_MAX for alias in event.aliases)
    else:
        assert not event.forged or any(";" in name for name in parameters)
