"""Sberbank online requests and answers as tables: protocols.md §1b."""

from datetime import UTC, datetime
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.answers import provider_txn
from connectors.terminals import sber_online
from connectors.terminals.check_view import CheckView, PrintedTotal
from connectors.terminals.parameters import read_parameters
from schemas.allocation import AccountState, Pool
from schemas.ids import Book, ExternalId, Sequence, Space
from schemas.outcome import Answer, PaymentOutcome, Refusal

SPACE = Space(3)
RECORDED_AT = datetime(2026, 11, 20, 21, 30, 5, 123456, tzinfo=UTC)
BOOKED = PaymentOutcome(answer=Answer.RECORDED, book=Book(1), sequence=Sequence(9))
PAYMENT = "ACTION=payment&ACCOUNT=1001&AMOUNT=8465.34&PAY_ID=sbr-77&PAY_DATE=20.11.2026_15:30:05"

VIEW = CheckView(
    state=AccountState.DEBTS_ONLY,
    masked_name="И*** П.",
    masked_address="ул. М***, 5",
    totals=(
        PrintedTotal(pool=Pool.MAIN, period=202610, amount_kopecks=846534),
        PrintedTotal(pool=Pool.CAPITAL_REPAIR, period=202610, amount_kopecks=71235),
        PrintedTotal(pool=Pool.VOLUNTARY, period=0, amount_kopecks=100),
    ),
    smallest_kopecks=100,
    largest_kopecks=900_000,
)


def payment(query: str = PAYMENT) -> sber_online.SberPaymentRequest:
    request = sber_online.decode(read_parameters(query.encode()).values)
    assert isinstance(request, sber_online.SberPaymentRequest)
    return request


def answer_to(query: str, outcome: PaymentOutcome) -> ElementTree.Element:
    xml = sber_online.encode_payment(outcome, payment(query), space=SPACE, recorded_at=RECORDED_AT)
    return ElementTree.fromstring(xml)


def payment_with(**changed: str) -> str:
    fields = dict(part.split("=") for part in PAYMENT.split("&")) | changed
    return "&".join(f"{name}={value}" for name, value in fields.items())


def test_payment_is_read_with_its_date_in_moscow() -> None:
    notification = payment().notification
    assert (notification.external_id, notification.account_number, notification.amount_kopecks) == ("sbr-77", "1001", 846534)
    assert notification.event_at == datetime(2026, 11, 20, 12, 30, 5, tzinfo=UTC)
    assert notification.form_refusal is Refusal.NONE


FORM_REFUSALS = [
    (payment_with(ACCOUNT=""), Refusal.MALFORMED_ACCOUNT, "4"),
    (payment_with(ACCOUNT="1" * 10_000), Refusal.MALFORMED_ACCOUNT, "4"),
    (payment_with(ACCOUNT="1%00"), Refusal.MALFORMED_ACCOUNT, "4"),
    (payment_with(AMOUNT=""), Refusal.MALFORMED_AMOUNT, "9"),
    (payment_with(AMOUNT="1e3"), Refusal.MALFORMED_AMOUNT, "9"),
    (payment_with(AMOUNT="10.455"), Refusal.MALFORMED_AMOUNT, "9"),
    (payment_with(AMOUNT="-1"), Refusal.MALFORMED_AMOUNT, "9"),
    (payment_with(AMOUNT="0"), Refusal.AMOUNT_TOO_SMALL, "10"),
    (payment_with(PAY_DATE=""), Refusal.MALFORMED_DATE, "12"),
    (payment_with(PAY_DATE="31.02.2026_00:00:00"), Refusal.MALFORMED_DATE, "12"),
    (payment_with(PAY_DATE="20261120153005"), Refusal.MALFORMED_DATE, "12"),
    (PAYMENT + "&ACCOUNT=1001", Refusal.MALFORMED_ACCOUNT, "4"),
]


@pytest.mark.parametrize(("query", "refusal", "code"), FORM_REFUSALS)
def test_malformed_field_is_a_refusal_that_can_be_remembered(query: str, refusal: Refusal, code: str) -> None:
    assert payment(query).notification.form_refusal is refusal
    root = answer_to(query, PaymentOutcome(answer=Answer.REFUSED, refusal=refusal))
    assert (root.findtext("CODE"), root.find("EXT_ID")) == (code, None)


UNDECODABLE = [
    ("", 2),
    ("ACTION=status&PAY_ID=1", 2),
    ("ACTION=Payment&PAY_ID=1", 2),
    (PAYMENT + "&ACTION=payment", 2),
    (payment_with(PAY_ID=""), 6),
    (payment_with(PAY_ID="1" * 129), 6),
    (payment_with(PAY_ID="1" * 10_000), 6),
    (payment_with(PAY_ID="a b"), 6),
    (payment_with(PAY_ID="1%00"), 6),
    (payment_with(PAY_ID="%CF"), 6),
    (PAYMENT + "&PAY_ID=sbr-77", 6),
]


@pytest.mark.parametrize(("query", "code"), UNDECODABLE)
def test_request_without_a_key_is_undecodable(query: str, code: int) -> None:
    request = sber_online.decode(read_parameters(query.encode()).values)
    assert isinstance(request, sber_online.SberUndecodable)
    assert ElementTree.fromstring(sber_online.encode_undecodable(request)).findtext("CODE") == str(code)


CODES = [
    (BOOKED, "0"),
    (PaymentOutcome(answer=Answer.DUPLICATE, book=Book(1), sequence=Sequence(9)), "8"),
    (PaymentOutcome(answer=Answer.DUPLICATE, refusal=Refusal.ACCOUNT_UNKNOWN), "3"),
    (PaymentOutcome(answer=Answer.CONFLICT, conflict_field="account"), "300"),
    (PaymentOutcome(answer=Answer.TRY_AGAIN), "1"),
    (PaymentOutcome(answer=Answer.STALE_TIMESTAMP), "1"),
    *(
        (PaymentOutcome(answer=Answer.REFUSED, refusal=refusal), code)
        for refusal, code in (
            (Refusal.MALFORMED_ACCOUNT, "4"),
            (Refusal.MALFORMED_AMOUNT, "9"),
            (Refusal.AMOUNT_TOO_SMALL, "10"),
            (Refusal.AMOUNT_TOO_LARGE, "11"),
            (Refusal.MALFORMED_DATE, "12"),
            (Refusal.ACCOUNT_UNKNOWN, "3"),
            (Refusal.ACCOUNT_AMBIGUOUS, "3"),
            (Refusal.NO_CONTRACT, "7"),
            (Refusal.ACCOUNT_CLOSED, "5"),
            (Refusal.ADVANCE_NOT_TAKEN, "11"),
        )
    ),
]


@pytest.mark.parametrize(("outcome", "code"), CODES)
def test_every_outcome_has_its_code(outcome: PaymentOutcome, code: str) -> None:
    assert answer_to(PAYMENT, outcome).findtext("CODE") == code


def test_every_refusal_is_in_the_table() -> None:
    assert {outcome.refusal for outcome, _ in CODES} == set(Refusal)


def test_duplicate_repeats_the_original_registration() -> None:
    first = answer_to(PAYMENT, BOOKED)
    again = answer_to(PAYMENT, msgspec.structs.replace(BOOKED, answer=Answer.DUPLICATE))
    original = [str(provider_txn(SPACE, ExternalId("sbr-77"))), "21.11.2026_00:30:05", "8465.34"]
    assert [first.findtext(name) for name in ("EXT_ID", "REG_DATE", "AMOUNT")] == original
    assert [again.findtext(name) for name in ("EXT_ID", "REG_DATE", "AMOUNT")] == original


@pytest.mark.parametrize("recorded_at", [None, datetime(2026, 11, 20)])
def test_booked_payment_needs_its_moment(recorded_at: datetime | None) -> None:
    with pytest.raises(ValueError, match="recorded_at"):
        sber_online.encode_payment(BOOKED, payment(), space=SPACE, recorded_at=recorded_at)


def test_check_shows_what_may_be_shown() -> None:
    request = sber_online.decode({"ACTION": "check", "ACCOUNT": "1001"})
    assert request == sber_online.SberCheckRequest(account_number="1001", form_refusal=Refusal.NONE)
    root = ElementTree.fromstring(sber_online.encode_check(VIEW))
    assert {child.tag: child.text for child in root} == {
        "CODE": "0",
        "MESSAGE": "Лицевой счёт найден",
        "FIO": "И*** П.",
        "ADDRESS": "ул. М***, 5",
        "BALANCE": "9177.69",
        "INFO": "Счёт: принимается только погашение долга; жилищно-коммунальные услуги за 10.2026: 8465.34; "
        "взнос на капитальный ремонт за 10.2026: 712.35; добровольные услуги: 1.00; принимается от 1.00 до 9000.00",
        "REC_SUM": "9000.00",
    }


def test_check_is_refused_or_put_off() -> None:
    assert ElementTree.fromstring(sber_online.encode_check(Refusal.ACCOUNT_CLOSED)).findtext("CODE") == "5"
    assert ElementTree.fromstring(sber_online.encode_check(Answer.TRY_AGAIN)).findtext("CODE") == "1"
    malformed = sber_online.decode({"ACTION": "check", "ACCOUNT": "1\0"})
    assert isinstance(malformed, sber_online.SberCheckRequest)
    assert malformed.form_refusal is Refusal.MALFORMED_ACCOUNT
    with pytest.raises(ValueError, match="no refusal"):
        sber_online.encode_check(Refusal.NONE)


@pytest.mark.parametrize("wrong", [{"account_unknown": 0}, {"conflict": 1}, {"conflict": 8}])
def test_codes_with_another_meaning_are_not_configured(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="has another meaning"):
        sber_online.SberCodes(**wrong)


FRAGMENTS = st.sampled_from(
    [b"ACTION=payment", b"ACTION=check", b"PAY_ID=1", b"&", b"=", b"%00", b"%FF", b"AMOUNT=1", b"ACCOUNT=1"]
)


@given(st.one_of(st.binary(), st.lists(FRAGMENTS | st.binary(max_size=4)).map(b"".join)))
def test_any_bytes_decode_to_a_request(raw: bytes) -> None:
    request = sber_online.decode(read_parameters(raw).values)
    if isinstance(request, sber_online.SberPaymentRequest):
        xml = sber_online.encode_payment(BOOKED, request, space=SPACE, recorded_at=RECORDED_AT)
        assert ElementTree.fromstring(xml).findtext("CODE") == "0"
    elif isinstance(request, sber_online.SberUndecodable):
        assert request.code in (2, 6)
    else:
        assert len(request.account_number) <= 200
