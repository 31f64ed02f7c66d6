"""OSMP requests and answers as tables: protocols.md §1 and the bad input that a channel must meet."""

from datetime import UTC, datetime
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.answers import provider_txn
from connectors.terminals import osmp
from connectors.terminals.check_view import CheckView, PrintedTotal
from connectors.terminals.fields import EVENT_AT_UNREADABLE
from connectors.terminals.parameters import Encoding, read_parameters
from schemas.allocation import AccountState, Pool
from schemas.ids import Book, ExternalId, Sequence, Space
from schemas.outcome import Answer, PaymentOutcome, Refusal

SPACE = Space(7)
BOOKED = PaymentOutcome(answer=Answer.RECORDED, book=Book(1), sequence=Sequence(42))
PAY = "command=pay&txn_id=1234567&txn_date=20261120153000&account=0957835959&sum=10.45"
CHECK = "command=check&txn_id=1234567&account=0957835959&sum=10.45"

VIEW = CheckView(
    state=AccountState.OPEN,
    masked_name="И*** П. <О>",
    masked_address="г. Казань, ул. Ми*** & Ко",
    totals=(
        PrintedTotal(pool=Pool.MAIN, period=202610, amount_kopecks=846534),
        PrintedTotal(pool=Pool.CAPITAL_REPAIR, period=202610, amount_kopecks=71235),
        PrintedTotal(pool=Pool.VOLUNTARY, period=0, amount_kopecks=100),
    ),
    smallest_kopecks=100,
    largest_kopecks=1_500_000,
)


def decode(query: str | bytes) -> osmp.CheckRequest | osmp.PayRequest | osmp.Undecodable:
    return osmp.decode(read_parameters(query.encode() if isinstance(query, str) else query).values)


def pay(query: str | bytes = PAY) -> osmp.PayRequest:
    request = decode(query)
    assert isinstance(request, osmp.PayRequest)
    return request


def answer_to(query: str | bytes, outcome: PaymentOutcome | None = None) -> ElementTree.Element:
    request = pay(query)
    refused = PaymentOutcome(answer=Answer.REFUSED, refusal=request.notification.form_refusal)
    return ElementTree.fromstring(osmp.encode_pay(outcome or refused, request, space=SPACE))


def test_pay_is_read_with_its_date_in_moscow() -> None:
    notification = pay().notification
    assert notification.external_id == "1234567"
    assert notification.account_number == "0957835959"
    assert (notification.amount_kopecks, notification.raw_amount) == (1045, "")
    assert notification.event_at == datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
    assert notification.form_refusal is Refusal.NONE


def test_check_is_read() -> None:
    request = decode(CHECK)
    assert request == osmp.CheckRequest(
        txn_id="1234567", account_number="0957835959", amount_kopecks=1045, form_refusal=Refusal.NONE
    )


CHECKS = [
    ("command=check&account=1001", Refusal.NONE, None, ""),
    ("command=check&account=1001&sum=0", Refusal.NONE, None, ""),
    ("command=check&account=1001&sum=0.01&txn_id=x", Refusal.NONE, 1, ""),
    ("command=check&account=1001&sum=1e3&txn_id=7", Refusal.MALFORMED_AMOUNT, None, "7"),
    ("command=check&account=&txn_id=7", Refusal.MALFORMED_ACCOUNT, None, "7"),
    ("command=check&txn_id=7", Refusal.MALFORMED_ACCOUNT, None, "7"),
]


@pytest.mark.parametrize(("query", "refusal", "amount", "txn_id"), CHECKS)
def test_check_reads_what_it_can(query: str, refusal: Refusal, amount: int | None, txn_id: str) -> None:
    request = decode(query)
    assert isinstance(request, osmp.CheckRequest)
    assert (request.form_refusal, request.amount_kopecks, request.txn_id) == (refusal, amount, txn_id)


def pay_with(**changed: str) -> str:
    fields = dict(part.split("=") for part in PAY.split("&")) | changed
    return "&".join(f"{name}={value}" for name, value in fields.items())


FORM_REFUSALS = [
    (pay_with(sum="0"), Refusal.AMOUNT_TOO_SMALL, "241"),
    (pay_with(sum="0.00"), Refusal.AMOUNT_TOO_SMALL, "241"),
    (pay_with(sum="-10.45"), Refusal.MALFORMED_AMOUNT, "300"),
    (pay_with(sum="1e3"), Refusal.MALFORMED_AMOUNT, "300"),
    (pay_with(sum="10.455"), Refusal.MALFORMED_AMOUNT, "300"),
    (pay_with(sum="10,45"), Refusal.MALFORMED_AMOUNT, "300"),
    (pay_with(sum="%2B10"), Refusal.MALFORMED_AMOUNT, "300"),
    (pay_with(sum="10+000"), Refusal.MALFORMED_AMOUNT, "300"),
    (pay_with(sum=""), Refusal.MALFORMED_AMOUNT, "300"),
    (pay_with(sum="NaN"), Refusal.MALFORMED_AMOUNT, "300"),
    (pay_with(sum="%D9%A1"), Refusal.MALFORMED_AMOUNT, "300"),
    (pay_with(sum="9" * 10_000), Refusal.MALFORMED_AMOUNT, "300"),
    (PAY + "&sum=10.45", Refusal.MALFORMED_AMOUNT, "300"),
    (pay_with(account=""), Refusal.MALFORMED_ACCOUNT, "4"),
    (pay_with(account="1" * 10_000), Refusal.MALFORMED_ACCOUNT, "4"),
    (pay_with(account="1" * 51), Refusal.MALFORMED_ACCOUNT, "4"),
    (pay_with(account="10%0001"), Refusal.MALFORMED_ACCOUNT, "4"),
    (pay_with(account="1001%0A"), Refusal.MALFORMED_ACCOUNT, "4"),
    (pay_with(account="10 01"), Refusal.MALFORMED_ACCOUNT, "4"),
    (pay_with(account="%CB%D1-1001"), Refusal.MALFORMED_ACCOUNT, "4"),
    (pay_with(account="%zz"), Refusal.MALFORMED_ACCOUNT, "4"),
    (PAY + "&account=1002", Refusal.MALFORMED_ACCOUNT, "4"),
    (pay_with(txn_date=""), Refusal.MALFORMED_DATE, "300"),
    (pay_with(txn_date="20261320153000"), Refusal.MALFORMED_DATE, "300"),
    (pay_with(txn_date="20260230153000"), Refusal.MALFORMED_DATE, "300"),
    (pay_with(txn_date="2026-11-20"), Refusal.MALFORMED_DATE, "300"),
    (pay_with(txn_date="00010101000000"), Refusal.MALFORMED_DATE, "300"),
    (pay_with(txn_date="99991231235959"), Refusal.MALFORMED_DATE, "300"),
    (pay_with(account="", sum="1e3", txn_date=""), Refusal.MALFORMED_ACCOUNT, "4"),
]


@pytest.mark.parametrize(("query", "refusal", "result"), FORM_REFUSALS)
def test_malformed_field_is_a_refusal_that_can_be_remembered(query: str, refusal: Refusal, result: str) -> None:
    notification = pay(query).notification
    assert (notification.external_id, notification.form_refusal) == ("1234567", refusal)
    assert len(notification.account_number) <= 200 and notification.account_number.isprintable()
    assert len(notification.raw_amount) <= 200 and notification.raw_amount.isprintable()
    assert answer_to(query).findtext("result") == result


def test_unreadable_date_has_a_stand_in_moment() -> None:
    assert pay(pay_with(txn_date="x")).notification.event_at == EVENT_AT_UNREADABLE


def test_long_texts_compare_equal_only_when_they_are() -> None:
    first, again, other = (pay(pay_with(account=text)).notification for text in ("1" * 9_999, "1" * 9_999, "1" * 9_998))
    assert first == again
    assert first.account_number != other.account_number
    assert pay(pay_with(sum="1e3")).notification.raw_amount != pay(pay_with(sum="1e4")).notification.raw_amount


UNDECODABLE = [
    "",
    "txn_id=1&account=1001&sum=1",
    "command=cancel&txn_id=1",
    "command=getInfo&account=1001",
    "command=PAY&txn_id=1",
    PAY + "&command=pay",
    PAY + "&txn_id=1234567",
    pay_with(txn_id=""),
    pay_with(txn_id="12a"),
    pay_with(txn_id="-1"),
    pay_with(txn_id="1%00"),
    pay_with(txn_id="1%0A"),
    pay_with(txn_id="%D9%A1"),
    pay_with(txn_id="1" * 21),
    pay_with(txn_id="1" * 10_000),
    PAY + "&x=1" * 64,
]


@pytest.mark.parametrize("query", UNDECODABLE)
def test_request_without_a_key_is_undecodable(query: str) -> None:
    assert isinstance(decode(query), osmp.Undecodable)
    assert ElementTree.fromstring(osmp.encode_undecodable()).findtext("result") == "300"


def test_windows_1251_is_read_and_recorded_as_such() -> None:
    parameters = read_parameters("account=ЛС".encode("cp1251"))
    assert (parameters.values["account"], parameters.encoding) == ("ЛС", Encoding.WINDOWS_1251)
    parameters = read_parameters(b"account=%D0%9B%D0%A1+1")
    assert (parameters.values["account"], parameters.encoding) == ("ЛС 1", Encoding.UTF_8)


def refused(refusal: Refusal) -> PaymentOutcome:
    return PaymentOutcome(answer=Answer.REFUSED, refusal=refusal)


RESULTS = [
    (BOOKED, "0"),
    (PaymentOutcome(answer=Answer.DUPLICATE, book=Book(1), sequence=Sequence(42)), "0"),
    (PaymentOutcome(answer=Answer.DUPLICATE, refusal=Refusal.ACCOUNT_CLOSED), "79"),
    (PaymentOutcome(answer=Answer.CONFLICT, conflict_field="amount"), "300"),
    (PaymentOutcome(answer=Answer.TRY_AGAIN), "1"),
    (PaymentOutcome(answer=Answer.STALE_TIMESTAMP), "1"),
    (refused(Refusal.MALFORMED_ACCOUNT), "4"),
    (refused(Refusal.MALFORMED_AMOUNT), "300"),
    (refused(Refusal.AMOUNT_TOO_SMALL), "241"),
    (refused(Refusal.AMOUNT_TOO_LARGE), "242"),
    (refused(Refusal.MALFORMED_DATE), "300"),
    (refused(Refusal.ACCOUNT_UNKNOWN), "5"),
    (refused(Refusal.ACCOUNT_AMBIGUOUS), "5"),
    (refused(Refusal.NO_CONTRACT), "7"),
    (refused(Refusal.ACCOUNT_CLOSED), "79"),
    (refused(Refusal.ADVANCE_NOT_TAKEN), "242"),
]


@pytest.mark.parametrize(("outcome", "result"), RESULTS)
def test_every_outcome_has_its_result(outcome: PaymentOutcome, result: str) -> None:
    root = answer_to(PAY, outcome)
    assert root.findtext("result") == result
    assert root.findtext("osmp_txn_id") == "1234567"
    assert root.findtext("prv_txn") == str(provider_txn(SPACE, ExternalId("1234567")))
    assert root.findtext("sum") == "10.45"


def test_every_refusal_is_in_the_table() -> None:
    assert {outcome.refusal for outcome, _ in RESULTS} == set(Refusal)


def test_booked_and_repeated_payments_get_the_same_bytes() -> None:
    duplicate = msgspec.structs.replace(BOOKED, answer=Answer.DUPLICATE)
    first = osmp.encode_pay(BOOKED, pay(), space=SPACE)
    assert first == osmp.encode_pay(duplicate, pay(pay_with(sum="10.45")), space=SPACE)
    assert (
        first
        == (
            '<?xml version="1.0" encoding="UTF-8"?>\n<response><osmp_txn_id>1234567</osmp_txn_id><prv_txn>'
            f"{provider_txn(SPACE, ExternalId('1234567'))}</prv_txn><sum>10.45</sum><result>0</result>"
            "<comment>Платёж принят</comment></response>"
        ).encode()
    )


def test_provider_txn_is_derived_from_the_key() -> None:
    """First 8 bytes of `printf 7/1234567 | sha256sum`, modulo 10**18."""
    assert provider_txn(SPACE, ExternalId("1234567")) == int("6d53e5cd5c63f4ec", 16) % 10**18
    assert provider_txn(Space(8), ExternalId("1234567")) != provider_txn(SPACE, ExternalId("1234567"))


@pytest.mark.parametrize("outcome", [PaymentOutcome(answer=Answer.RECORDED), PaymentOutcome(answer=Answer.REFUSED)])
def test_outcome_without_its_proof_is_not_encoded(outcome: PaymentOutcome) -> None:
    with pytest.raises(ValueError, match="payment has no"):
        osmp.encode_pay(outcome, pay(), space=SPACE)


def test_network_has_its_own_codes() -> None:
    codes = osmp.ResultCodes(account_closed=5, conflict=10, try_again=90)
    request = pay()
    answers = [
        osmp.encode_pay(outcome, request, space=SPACE, codes=codes)
        for outcome in (refused(Refusal.ACCOUNT_CLOSED), *(PaymentOutcome(answer=a) for a in (Answer.CONFLICT, Answer.TRY_AGAIN)))
    ]
    assert [ElementTree.fromstring(xml).findtext("result") for xml in answers] == ["5", "10", "90"]


@pytest.mark.parametrize("wrong", [{"account_unknown": 0}, {"conflict": 1}, {"other": 90}, {"try_again": 5}, {"other": -1}])
def test_codes_with_another_meaning_are_not_configured(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="has another meaning"):
        osmp.ResultCodes(**wrong)


def test_check_shows_what_may_be_shown() -> None:
    request = decode(CHECK)
    assert isinstance(request, osmp.CheckRequest)
    root = ElementTree.fromstring(osmp.encode_check(request, VIEW))
    assert (root.findtext("result"), root.findtext("sum"), root.findtext("prv_txn")) == ("0", "10.45", None)
    fields = root.find("fields")
    assert fields is not None
    assert {field.get("type") for field in fields} == {"disp"}
    assert [(field.get("name"), field.text) for field in fields] == [
        ("Состояние счёта", "открыт"),
        ("Плательщик", "И*** П. <О>"),
        ("Адрес", "г. Казань, ул. Ми*** & Ко"),
        ("К оплате: жилищно-коммунальные услуги за 10.2026", "8465.34"),
        ("К оплате: взнос на капитальный ремонт за 10.2026", "712.35"),
        ("К оплате: добровольные услуги", "1.00"),
        ("Наименьшая сумма", "1.00"),
        ("Наибольшая сумма", "15000.00"),
    ]


def test_check_is_refused_or_put_off() -> None:
    request = decode("command=check&account=1001")
    assert isinstance(request, osmp.CheckRequest)
    unknown = ElementTree.fromstring(osmp.encode_check(request, Refusal.ACCOUNT_UNKNOWN))
    later = ElementTree.fromstring(osmp.encode_check(request, Answer.TRY_AGAIN))
    assert (unknown.findtext("result"), later.findtext("result")) == ("5", "1")
    assert unknown.find("osmp_txn_id") is None
    with pytest.raises(ValueError, match="no refusal"):
        osmp.encode_check(request, Refusal.NONE)


@given(st.text())
def test_hostile_text_stays_text(text: str) -> None:
    request = decode(CHECK)
    assert isinstance(request, osmp.CheckRequest)
    root = ElementTree.fromstring(osmp.encode_check(request, msgspec.structs.replace(VIEW, masked_name=text)))
    shown = root.findtext("fields/field2") or ""
    assert len(shown) == len(text)
    assert all(got in (sent, "\ufffd") for got, sent in zip(shown, text, strict=True))


FRAGMENTS = st.sampled_from(
    [
        b"command=pay",
        b"command=check",
        b"txn_id=1",
        b"&",
        b"=",
        b"%",
        b"%00",
        b"%FF",
        b"+",
        b"sum=1.5",
        b"account=1",
        b"txn_date=",
    ]
)


@given(st.one_of(st.binary(), st.lists(FRAGMENTS | st.binary(max_size=4)).map(b"".join)))
def test_any_bytes_decode_to_a_request(raw: bytes) -> None:
    request = osmp.decode(read_parameters(raw).values)
    if isinstance(request, osmp.PayRequest):
        ElementTree.fromstring(osmp.encode_pay(BOOKED, request, space=SPACE))
    elif isinstance(request, osmp.CheckRequest):
        assert ElementTree.fromstring(osmp.encode_check(request, VIEW)).findtext("result") == "0"
    else:
        assert request.reason
