"""Payment codes of the payment document, read from the printed page as a resident's phone does, field by field."""

import io
import random
from datetime import date
from typing import Any

import msgspec
import pytest
import segno
import zxingcpp
from PIL import Image
from pypdf import PdfReader

from connectors.payment_qr import PaymentQr, decode_payment_qr, read_payment_qr
from connectors.qr_fields import LENGTHS
from schemas.payment_document import PaymentDocument, Section
from services.paper.payment_codes import DIMENSIONS_MAX, CodeDrawer, payment_code
from services.paper.payment_document import DocumentPrinter, PaymentDocumentError
from services.requisites import account_key_is_valid
from tests.billing.papers import COMPANY, LINES, LONG, MINIMAL, ORDINARY, PENALTY, REPAIR_FUND, section

PRINTER = DocumentPrinter()


def scanned(document: PaymentDocument) -> list[PaymentQr]:
    """What a scanner reads off the first page, by payee and sum."""
    picture = Image.open(io.BytesIO(PRINTER.pictures(document)[0])).convert("L")
    codes = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    return sorted((read_payment_qr(code.bytes, account_key_is_valid) for code in codes), key=lambda qr: qr.amount_kopecks or 0)


def asked(document: PaymentDocument, one: Section) -> PaymentQr:
    """What a section asks for."""
    return PaymentQr(
        name=one.payee.name,
        account=one.payee.bank_account,
        bank_name=one.payee.bank_name,
        bic=one.payee.bic,
        correspondent=one.payee.correspondent_account,
        payee_inn=one.payee.inn,
        kpp=one.payee.kpp,
        personal_account=document.account,
        purpose=one.purpose,
        period=date(document.period // 100, document.period % 100, 1),
        amount_kopecks=one.due_kopecks,
        others=(("Category", one.category), ("TechCode", "02")),
    )


@pytest.mark.parametrize("document", [ORDINARY, PENALTY, MINIMAL, LONG], ids=["ordinary", "penalty", "minimal", "long"])
def test_every_section_has_its_code_and_the_page_says_what_it_asks(document: PaymentDocument) -> None:
    expected = sorted((asked(document, one) for one in document.sections), key=lambda qr: qr.amount_kopecks or 0)
    assert scanned(document) == expected


def due_of(**changes: Any) -> PaymentDocument:
    """A minimal document with other sums."""
    return msgspec.structs.replace(MINIMAL, sections=(section((LINES[0],), **changes),))


NOTHING = [
    ({"paid_kopecks": 208_621}, "Платить не нужно"),
    ({"advance_kopecks": 308_621}, "Платить не нужно: переплата 1 000,00 ₽ зачтётся в следующих месяцах"),
]


@pytest.mark.parametrize(("changes", "words"), NOTHING)
def test_nothing_due_has_a_word_and_no_code(changes: dict[str, int], words: str) -> None:
    document = due_of(**changes)
    assert scanned(document) == []
    text = " ".join(PdfReader(io.BytesIO(PRINTER.pdf([document]))).pages[0].extract_text().split())
    assert words in text and "Наведите" not in text


def test_an_advance_to_one_payee_lessens_nothing_of_another() -> None:
    paid = msgspec.structs.replace(ORDINARY.sections[0], advance_kopecks=900_000, due_kopecks=752_882 - 900_000)
    document = msgspec.structs.replace(ORDINARY, sections=(paid, ORDINARY.sections[1]))
    assert [qr.amount_kopecks for qr in scanned(document)] == [151_226]
    text = " ".join(PdfReader(io.BytesIO(PRINTER.pdf([document]))).pages[0].extract_text().split())
    assert "К оплате 1 512,26 ₽" in text


def test_texts_are_cut_to_the_standards_lengths_and_long_ones_fit_in_another_encoding() -> None:
    payee = msgspec.structs.replace(COMPANY, name="Товарищество " * 12, bank_name="Банк " * 20)
    document = due_of(payee=payee, purpose="Оплата " * 60)
    text = payment_code(document, document.sections[0])
    assert text.startswith(b"ST00011") and decode_payment_qr(text)
    qr = read_payment_qr(text, account_key_is_valid)
    assert (len(qr.name), len(qr.bank_name), len(qr.purpose)) <= (LENGTHS["Name"], LENGTHS["BankName"], LENGTHS["Purpose"])
    assert qr.name.startswith("Товарищество Товарищество") and qr.amount_kopecks == 208_621
    (found,) = scanned(document)
    assert found == qr


def test_requisites_of_no_bank_are_named_with_the_document() -> None:
    payee = msgspec.structs.replace(REPAIR_FUND, bank_account="40702810300000000001")
    with pytest.raises(PaymentDocumentError, match="document 1, «Жильё и коммунальные услуги»: no payment code: PersonalAcc"):
        PRINTER.pdf([due_of(payee=payee)])


def text_of(number: int, amount: int) -> bytes:
    """A code's text of one length for most numbers."""
    document = msgspec.structs.replace(MINIMAL, account=f"{number:010d}")
    one = msgspec.structs.replace(document.sections[0], purpose=f"л/с {number:010d}", due_kopecks=amount)
    return payment_code(document, one)


def test_a_summed_code_is_a_code_that_segno_draws() -> None:
    drawer, chance = CodeDrawer(), random.Random(2026)
    for number in range(300):
        text = text_of(chance.randrange(10**10), chance.randrange(10**5, 10**6))
        modules, side = drawer.modules(text)
        if number % 20 == 0:
            masked = [
                segno.make(text, error="m", mode="byte", micro=False, boost_error=False, mask=mask).matrix for mask in range(8)
            ]
            assert {len(matrix) for matrix in masked} == {side}
            assert modules in [int("".join(str(int(module)) for row in matrix for module in row), 2) for matrix in masked]


def test_a_code_costs_few_drawings_and_memory_is_bounded() -> None:
    drawer, chance = CodeDrawer(), random.Random(7)
    for _ in range(DIMENSIONS_MAX * 2):
        drawer.modules(bytes(chance.randrange(256) for _ in range(60)))
    noise = chance.randbytes(60)
    modules, side = drawer.modules(noise)
    assert (modules, side) == drawer.modules(noise)
    for length in range(40, 140):
        drawer.modules(b"1" * length)
    assert len(drawer.modules(b"1" * 40)) == 2
