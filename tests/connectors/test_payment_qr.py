"""Payment QR of ГОСТ Р 56042-2014: the worked example, every encoding and separator, habits of real bills, refusals."""

import json
from datetime import date
from pathlib import Path

import msgspec
import pytest
import segno
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.payment_qr import (
    CODECS,
    PaymentQr,
    PaymentQrError,
    QrEncoding,
    decode_payment_qr,
    is_separator,
    make_payment_qr,
    read_payment_qr,
)
from connectors.qr_fields import CANONICAL, LENGTHS, REQUIRED, SEPARATORS
from kopeck.cli import main
from services.requisites import account_key_is_valid

TEXT = (
    "ST00012|Name=ООО «Тестовая УК»|PersonalAcc=40702810200000000001|BankName=ПАО Сбербанк|BIC=044525225"
    "|CorrespAcc=30101810400000000225|PayeeINN=7707083893|KPP=770801001|PersAcc=0001234567|Purpose=Квартплата за 10.2026"
    "|PaymPeriod=102026|LastName=Иванов|Category=ЖКУ|TechCode=02|Sum=432100"
)
EXAMPLE = PaymentQr(
    name="ООО «Тестовая УК»",
    account="40702810200000000001",
    bank_name="ПАО Сбербанк",
    bic="044525225",
    correspondent="30101810400000000225",
    payee_inn="7707083893",
    kpp="770801001",
    personal_account="0001234567",
    purpose="Квартплата за 10.2026",
    period=date(2026, 10, 1),
    amount_kopecks=432_100,
    others=(("LastName", "Иванов"), ("Category", "ЖКУ"), ("TechCode", "02")),
)
PRINTABLE = [chr(code) for code in range(33, 127)]


def read(text: str) -> PaymentQr:
    """Read a text as a scanner gives it."""
    return read_payment_qr(text.encode(), account_key_is_valid)


def test_the_worked_example_is_made_and_read_byte_for_byte() -> None:
    made = make_payment_qr(EXAMPLE, account_key_is_valid)
    assert made == TEXT.encode() and len(made) == 331
    assert read(TEXT) == EXAMPLE
    cp1251 = make_payment_qr(EXAMPLE, account_key_is_valid, encoding=QrEncoding.CP1251)
    assert cp1251 == TEXT.replace("ST00012", "ST00011").encode("cp1251") and len(cp1251) == 284
    assert read_payment_qr(cp1251, account_key_is_valid) == EXAMPLE
    assert segno.make(made, error="m", mode="byte", eci=False).designator == "13-M"


SPELT = {
    QrEncoding.UTF8: st.characters(exclude_categories=["Cs", "Cc"]),
    QrEncoding.CP1251: st.characters(codec="cp1251", exclude_categories=["Cc"]),
    QrEncoding.KOI8_R: st.characters(codec="koi8-r", exclude_categories=["Cc"]),
}
OTHER_KEYS = [
    key for key in CANONICAL.values() if key not in {*REQUIRED, "PayeeINN", "KPP", "PersAcc", "Purpose", "PaymPeriod", "Sum"}
]


@st.composite
def codes(draw: st.DrawFn, encoding: QrEncoding) -> PaymentQr:
    """A code that an encoding can hold."""
    letters = SPELT[encoding]

    def value(length: int) -> st.SearchStrategy[str]:
        return st.text(letters, min_size=1, max_size=length).filter(lambda one: one == one.strip())

    keys = draw(st.lists(st.sampled_from([key for key in OTHER_KEYS if key != "AddAmount"]), unique=True, max_size=4))
    return msgspec.structs.replace(
        EXAMPLE,
        name=draw(value(40)),
        bank_name=draw(value(20)),
        correspondent=draw(st.sampled_from(["", EXAMPLE.correspondent])),
        personal_account=draw(st.just("") | value(20)),
        purpose=draw(st.just("") | value(210)),
        period=draw(st.none() | st.dates(date(1991, 1, 1), date(2199, 12, 31)).map(lambda one: one.replace(day=1))),
        amount_kopecks=draw(st.none() | st.integers(0, 10**15)),
        others=tuple((key, draw(value(min(LENGTHS.get(key, 60), 60)))) for key in keys),
    )


@pytest.mark.parametrize("encoding", QrEncoding)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_what_is_made_is_read(encoding: QrEncoding, data: st.DataObject) -> None:
    qr = data.draw(codes(encoding))
    separator = data.draw(st.just("") | st.sampled_from([one for one in PRINTABLE if is_separator(one)]))
    try:
        made = make_payment_qr(qr, account_key_is_valid, encoding=encoding, separator=separator)
    except PaymentQrError as refused:
        # In a code page of one byte some texts are valid UTF-8 or look like the other page; such a code is not made at all.
        assert encoding is not QrEncoding.UTF8 or "separator" in str(refused) or "required fields" in str(refused)
        return
    assert read_payment_qr(made, account_key_is_valid) == qr
    assert made.startswith(f"ST0001{encoding.value}".encode())


WORDS = "ООО УК Север Квартплата за октябрь ул Ленина дом № 5 ИВАНОВ ПЁТР лицевой счёт капитальный ремонт"
RUSSIAN = st.lists(st.sampled_from(WORDS.split(" ")), min_size=1, max_size=12).map(" ".join)


@pytest.mark.parametrize("declared", QrEncoding)
@pytest.mark.parametrize("real", QrEncoding)
@given(name=RUSSIAN, purpose=RUSSIAN)
@example(name="ТСЖ", purpose="ИВАНОВ ПЁТР")
@settings(max_examples=40, deadline=None)
def test_the_encoding_is_the_bytes_not_the_digit(real: QrEncoding, declared: QrEncoding, name: str, purpose: str) -> None:
    text = TEXT.replace("ООО «Тестовая УК»", name).replace("Квартплата за 10.2026", f"Оплата жилищных услуг {purpose}")
    body = text.replace("№", "N").replace("ST00012", f"ST0001{declared.value}").encode(CODECS[real])
    assert read_payment_qr(body, account_key_is_valid) == read(text.replace("№", "N"))


@pytest.mark.parametrize("separator", [one for one in PRINTABLE if is_separator(one)])
def test_every_separator_is_read(separator: str) -> None:
    text = TEXT.replace("|", separator).replace("Квартплата за 10.2026", "ЖКУ")
    assert read(text) == msgspec.structs.replace(EXAMPLE, purpose="ЖКУ")


def test_the_separator_is_one_that_stands_in_no_value() -> None:
    for taken in range(1, len(SEPARATORS)):
        qr = msgspec.structs.replace(EXAMPLE, purpose=SEPARATORS[:taken])
        made = make_payment_qr(qr, account_key_is_valid)
        assert chr(made[7]) == SEPARATORS[taken] and read_payment_qr(made, account_key_is_valid) == qr
    with pytest.raises(PaymentQrError, match="no separator is free"):
        make_payment_qr(msgspec.structs.replace(EXAMPLE, purpose=SEPARATORS), account_key_is_valid)
    for wrong in ("О", "=", "a", "0", " ", "||", "\n"):
        with pytest.raises(PaymentQrError, match="no separator is free"):
            make_payment_qr(EXAMPLE, account_key_is_valid, separator=wrong)


HABITS = [
    (TEXT.replace("PersAcc", "persAcc").replace("LastName", "lastname").replace("Sum", "SUM"), {}),
    (TEXT.replace("PaymPeriod=102026", "PaymPeriod=202610"), {}),
    (TEXT.replace("PaymPeriod=102026", "PaymPeriod=10.2026"), {}),
    (TEXT + "|", {}),
    ("\ufeff" + TEXT + "\r\n", {}),
    (TEXT + "|Sum=432100|UIN=", {}),
    (TEXT.replace("|CorrespAcc=30101810400000000225", "|CorrespAcc=0"), {"correspondent": ""}),
    (TEXT.replace("Квартплата за 10.2026", "а=б=в"), {"purpose": "а=б=в"}),
    (TEXT.replace("PaymPeriod=102026|", ""), {"period": None}),
    (TEXT.replace("|Sum=432100", ""), {"amount_kopecks": None}),
    (TEXT + "|bankSpecific=7", {"others": (*EXAMPLE.others, ("bankSpecific", "7"))}),
]


@pytest.mark.parametrize(("text", "changes"), HABITS)
def test_habits_of_real_bills_are_read(text: str, changes: dict[str, object]) -> None:
    assert read(text) == msgspec.structs.replace(EXAMPLE, **changes)


def test_a_period_that_is_no_month_is_kept_as_it_is() -> None:
    found = read(TEXT.replace("PaymPeriod=102026", "PaymPeriod=132026"))
    assert found.period is None and ("PaymPeriod", "132026") in found.others


REFUSED = [
    ("", "does not begin"),
    ("ST00022|" + TEXT[8:], "does not begin"),
    ("ST00014|" + TEXT[8:], "does not begin"),
    (TEXT.replace("|", "="), "eighth character"),
    (TEXT.replace("BIC=044525225|", ""), "missing: BIC"),
    (TEXT.replace("Name=ООО «Тестовая УК»", "Name="), "missing: Name"),
    (TEXT.replace("40702810200000000001", "40702810300000000001"), "PersonalAcc is no account"),
    (TEXT.replace("40702810200000000001", "4070281020000000001"), "PersonalAcc is no account"),
    (TEXT.replace("30101810400000000225", "30101810500000000225"), "CorrespAcc is no correspondent"),
    (TEXT.replace("BIC=044525225", "BIC=04452522"), "BIC is not nine digits"),
    (TEXT.replace("Sum=432100", "Sum=4321.00"), "Sum is not"),
    (TEXT.replace("Sum=432100", "Sum=-1"), "Sum is not"),
    (TEXT.replace("Sum=432100", "Sum=" + "9" * 18), "Sum is not"),
    (TEXT + "|AddAmount=1,5", "AddAmount is not"),
    (TEXT + "|Sum=1", "Sum stands twice"),
    (TEXT + "|Иванов=1|Иванов=2", "a field stands twice"),
    (TEXT + "|без знака", "field 15 is no pair"),
    (TEXT.replace("Квартплата за 10.2026", "я" * 211), "Purpose has 211 characters of 210"),
    (TEXT + "я" * 4000, "no payment code"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_a_code_that_cannot_be_paid_is_refused_in_words(text: str, reason: str) -> None:
    with pytest.raises(PaymentQrError, match=reason) as refused:
        read(text)
    assert "Иванов" not in str(refused.value)


UNMAKEABLE = [
    ({"name": "я" * 161}, "Name has 161 characters of 160"),
    ({"name": "я" * 120}, "required fields take 3"),
    ({"account": "40702810300000000001"}, "PersonalAcc is no account"),
    ({"others": (("Sum", "1"),)}, "stands twice"),
    ({"others": (("flat", "1"),)}, "read otherwise"),
    ({"others": (("Flat", ""),)}, "read otherwise"),
    ({"purpose": "ЖКУ", "amount_kopecks": 10**16}, "Sum is not"),
    ({"others": (("Flat", "1\n"),), "amount_kopecks": None}, "read otherwise"),
]


@pytest.mark.parametrize(("changes", "reason"), UNMAKEABLE)
def test_a_code_that_would_not_be_read_is_not_made(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(PaymentQrError, match=reason):
        make_payment_qr(msgspec.structs.replace(EXAMPLE, **changes), account_key_is_valid)


def test_letters_that_an_encoding_lacks_and_texts_that_look_like_another_are_refused() -> None:
    with pytest.raises(PaymentQrError, match=r"U\+00AB cannot be written in koi8-r"):
        make_payment_qr(EXAMPLE, account_key_is_valid, encoding=QrEncoding.KOI8_R)
    ambiguous = msgspec.structs.replace(
        EXAMPLE, name="Рђ", bank_name="B", purpose="", others=(), correspondent=EXAMPLE.correspondent
    )
    with pytest.raises(PaymentQrError, match="take encoding 2"):
        make_payment_qr(ambiguous, account_key_is_valid, encoding=QrEncoding.CP1251)
    assert read_payment_qr(make_payment_qr(ambiguous, account_key_is_valid), account_key_is_valid) == ambiguous


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda body: b"ST00012|" + body))
@settings(max_examples=200, deadline=None)
def test_arbitrary_bytes_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(PaymentQrError):
        read_payment_qr(body, account_key_is_valid)


@given(st.integers(0, 330), st.integers(0, 12), st.binary(max_size=4))
@settings(max_examples=200, deadline=None)
def test_a_changed_code_is_read_or_refused(place: int, length: int, piece: bytes) -> None:
    body = TEXT.encode()
    changed = body[:place] + piece + body[place + length :]
    try:
        found = read_payment_qr(changed, account_key_is_valid)
    except PaymentQrError as refused:
        assert str(refused)
    else:
        assert account_key_is_valid(found.account, found.bic) and decode_payment_qr(changed)


MAKE = [
    "qr",
    "make",
    *("--name", EXAMPLE.name, "--account", EXAMPLE.account, "--bank", EXAMPLE.bank_name, "--bic", EXAMPLE.bic),
    *("--correspondent", EXAMPLE.correspondent, "--inn", EXAMPLE.payee_inn, "--kpp", EXAMPLE.kpp, "--purpose", EXAMPLE.purpose),
    *("--personal-account", EXAMPLE.personal_account, "--period", "2026-10", "--sum", "4321.00"),
    *("--field", "LastName=Иванов", "--field", "Category=ЖКУ", "--field", "TechCode=02"),
]


def test_the_command_prints_the_text_and_reads_it(tmp_path: Path) -> None:
    made = CliRunner().invoke(main, MAKE)
    assert made.exit_code == 0 and made.stdout.rstrip("\n") == TEXT
    file = tmp_path / "code.txt"
    file.write_bytes(make_payment_qr(EXAMPLE, account_key_is_valid, encoding=QrEncoding.CP1251))
    for given_as, stdin in ((TEXT, None), (str(file), None), ("-", TEXT.encode())):
        told = CliRunner().invoke(main, ["qr", "read", given_as, "--json"], input=stdin)
        found = json.loads(told.stdout)
        assert told.exit_code == 0 and found["amount_kopecks"] == 432_100 and found["period"] == "2026-10"
        assert (found["personal_account"], found["LastName"]) == ("0001234567", "Иванов")
    shown = CliRunner().invoke(main, ["qr", "read", TEXT]).stdout
    assert "4321.00" in shown and "ООО «Тестовая УК»" in shown


@pytest.mark.parametrize(("name", "begins"), [("bill.svg", b"<?xml"), ("bill.PNG", b"\x89PNG")])
def test_the_command_draws_the_symbol(tmp_path: Path, name: str, begins: bytes) -> None:
    done = CliRunner().invoke(main, [*MAKE, "--output", str(tmp_path / name)])
    assert done.exit_code == 0 and "331 bytes" in done.stdout
    assert (tmp_path / name).read_bytes().startswith(begins)


WRONG = [
    ([*MAKE, "--sum", "1,5"], "--sum: expected roubles"),
    ([*MAKE, "--inn", "7707083894"], "--inn has a wrong check digit"),
    ([*MAKE, "--kpp", "1"], "--kpp is no КПП"),
    ([*MAKE, "--account", "40702810300000000001"], "PersonalAcc is no account"),
    ([*MAKE, "--field", "Flat"], "--field is KEY=VALUE"),
    ([*MAKE, "--output", "bill.pdf"], "drawn as .svg or .png"),
    ([*MAKE, "--output", "no/such/folder/bill.svg"], "No such file"),
    (["qr", "read", "no-such-file"], "neither the text of a payment code"),
    (["qr", "read", TEXT[:30]], "required and missing: PersonalAcc, BankName"),
]


@pytest.mark.parametrize(("arguments", "reason"), WRONG)
def test_what_the_command_cannot_do_ends_with_one_line_and_code_2(arguments: list[str], reason: str) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2 and reason in done.stderr and "Traceback" not in done.output
