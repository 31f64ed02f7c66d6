"""The printable receipt: what the law wants on it, whatever the names are, the same bytes for the same receipt."""

import asyncio
import io
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from ledger.statements import ROOT
from schemas.receipt import (
    ITEM_NAME_CHARACTERS_MAX,
    RECEIPT_ITEMS_MAX,
    AgentKind,
    FiscalSign,
    MeansOfPayment,
    Operation,
    PaymentMethod,
    PaymentObject,
    Receipt,
    TaxSystem,
    Vat,
)
from services.fiscal.core.keys import qr_text as stored_qr_text
from services.paper.receipt import print_receipt, qr_text, receipt_pdf, receipt_png, vat_kopecks
from tests.services.receipts import CORRECTION, RECEIPT, SIGN, named, receipt

WIDTH_POINTS = 227
"""80 mm."""
HEIGHT_POINTS_MAX = 14_400
"""What PDF readers show."""
NARROW = "\u202f"


def words_of(pdf: bytes) -> str:
    """The text of all pages, spaces of every kind made one."""
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    return " ".join(text.replace(NARROW, " ").replace("\u200b", "").split())


def printed(paid: Receipt, sign: FiscalSign | None = None) -> str:
    """The words on the paper of a receipt registered as it is."""
    return words_of(receipt_pdf(paid, sign or msgspec.structs.replace(SIGN, total_kopecks=paid.total_kopecks)))


REQUIRED = [
    "ООО «УК Север»",
    "ИНН 7707083893",
    "Кассовый чек № 112",
    "Приход",
    "24.11.2026 15:30",
    "Место расчётов https://pay.example.ru",
    "Расчёт в сети Интернет да",
    "Система налогообложения ОСН",
    "Смена 7",
    "1. Отопление за 10.2026",
    "1 × 1 697,72 1 697,72",
    "Без НДС",
    "Полный расчёт · Услуга",
    "в т. ч. НДС 22 % 228,99",
    "Платёжный агент",
    "Поставщик: АО «Тепло»",
    "ИНН поставщика: 7707083893",
    "Тел. поставщика: +74950000000",
    "3. Аванс (ЖКУ)",
    "Аванс · Платёж",
    "ИТОГ 5 000,00",
    "Безналичными 4 000,00",
    "Предварительная оплата (аванс) 1 000,00",
    "Сумма без НДС 1 697,72",
    "Сумма НДС 22 % 228,99",
    "Сумма НДС 22/122 366,50",
    "resident@example.ru",
    "Эл. адрес отправителя check@example.ru",
    "Сайт ФНС www.nalog.gov.ru",
    "РН ККТ 0000000001234567",
    "ФН 9960440300000001",
    "ФД 12345",
    "ФПД 3987654321",
    "ФФД 1.2",
]


@pytest.mark.parametrize("words", REQUIRED)
def test_what_the_law_requires_stands_on_it(words: str) -> None:
    assert words in printed(RECEIPT)


OPERATIONS = [
    (Operation.SELL, "Кассовый чек № 112 Приход", 1),
    (Operation.SELL_REFUND, "Кассовый чек № 112 Возврат прихода", 2),
    (Operation.SELL_CORRECTION, "Кассовый чек коррекции № 112 Приход", 1),
    (Operation.SELL_REFUND_CORRECTION, "Кассовый чек коррекции № 112 Возврат прихода", 2),
]


@pytest.mark.parametrize(("operation", "words", "kind"), OPERATIONS)
def test_the_document_and_its_qr_code_say_what_was_done(operation: Operation, words: str, kind: int) -> None:
    paid = receipt(operation=operation)
    assert words in printed(paid)
    assert qr_text(paid, SIGN) == stored_qr_text(SIGN, operation)
    assert qr_text(paid, SIGN) == f"t=20261124T1530&s=5000.00&fn=9960440300000001&i=12345&fp=3987654321&n={kind}"


def test_a_correction_names_its_grounds() -> None:
    words = printed(receipt(operation=Operation.SELL_CORRECTION, correction=CORRECTION))
    assert "Тип коррекции по предписанию" in words
    assert "Основание № 12-ф от 20.11.2026" in words
    assert "ФПД исправляемого чека 1122334455" in words
    own = msgspec.structs.replace(CORRECTION, by_order=False, base_number="", wrong_sign="")
    words = printed(receipt(operation=Operation.SELL_CORRECTION, correction=own))
    assert "Тип коррекции самостоятельно Основание от 20.11.2026" in words and "исправляемого" not in words


def test_every_word_of_the_forms_can_be_printed() -> None:
    """No member of an enumeration lacks its words, and no two share them."""
    item = RECEIPT.items[0]
    seen = set()
    for changes in (
        [{"method": method} for method in PaymentMethod]
        + [{"subject": subject} for subject in PaymentObject]
        + [{"vat": vat} for vat in Vat]
        + [{"agent": agent} for agent in AgentKind]
    ):
        changed = msgspec.structs.replace(item, **changes)
        seen.add(printed(receipt(items=(changed,), payments=((MeansOfPayment.CASH, 169_772),), total_kopecks=169_772)))
    # FULL_PAYMENT, SERVICE and NONE are the item as it was, three times the same paper.
    assert len(seen) == len(PaymentMethod) + len(PaymentObject) + len(Vat) + len(AgentKind) - 2
    systems = {printed(receipt(company=msgspec.structs.replace(RECEIPT.company, tax_system=system))) for system in TaxSystem}
    means = {printed(receipt(payments=((one, 500_000),))) for one in MeansOfPayment}
    assert (len(systems), len(means)) == (len(TaxSystem), len(MeansOfPayment))


VATS = [
    (Vat.NONE, 10_000, 0),
    (Vat.VAT0, 10_000, 0),
    (Vat.VAT5, 10_500, 500),
    (Vat.VAT7, 10_700, 700),
    (Vat.VAT10, 11_000, 1_000),
    (Vat.VAT20, 12_000, 2_000),
    (Vat.VAT22, 12_200, 2_200),
    (Vat.VAT22, 126_988, 22_899),
    (Vat.VAT122, 203_240, 36_650),
    (Vat.VAT120, 3, 1),
    (Vat.VAT110, 5, 0),
    (Vat.VAT105, 21, 1),
    (Vat.VAT107, 7, 0),
    (Vat.VAT107, 8, 1),
]


@pytest.mark.parametrize(("vat", "amount", "tax"), VATS)
def test_the_tax_inside_a_sum_is_rounded_half_up(vat: Vat, amount: int, tax: int) -> None:
    assert vat_kopecks(msgspec.structs.replace(RECEIPT.items[0], vat=vat, sum_kopecks=amount)) == tax


HOSTILE = [
    "#panic()",
    '#read("receipt.typ")',
    "$sum$ *bold* _it_ [x] {y} <z> @ref",
    '"quoted" \\" \\n \\u{41}',
    "= Heading",
    "- list // comment /* block */",
    "`raw` ```raw```",
    "ООО «Рога & Копыта» — 100 % №1 ₽",
    "https://evil.example.ru/#x",
    "--- ... -- ~ '",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_printed_and_never_evaluated(name: str) -> None:
    assert f"1. {' '.join(name.split())} " in printed(named(name))
    company = msgspec.structs.replace(RECEIPT.company, name=name)
    assert printed(receipt(company=company)).startswith(" ".join(name.split()))


@settings(max_examples=40)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=40))
def test_any_name_can_be_printed(name: str) -> None:
    assert receipt_pdf(named(name), msgspec.structs.replace(SIGN, total_kopecks=1)).startswith(b"%PDF-")


def test_the_longest_receipt_is_one_page_of_one_width() -> None:
    names = [f"{place} " + "О" * (ITEM_NAME_CHARACTERS_MAX - 4) for place in range(RECEIPT_ITEMS_MAX)]
    pdf = receipt_pdf(named(*names), msgspec.structs.replace(SIGN, total_kopecks=RECEIPT_ITEMS_MAX))
    (page,) = PdfReader(io.BytesIO(pdf)).pages
    assert round(page.mediabox.width) == WIDTH_POINTS and page.mediabox.height < HEIGHT_POINTS_MAX
    words = words_of(pdf)
    assert "100. 99 " in words and "ИТОГ 1,00" in words
    assert words.count("О") >= RECEIPT_ITEMS_MAX * (ITEM_NAME_CHARACTERS_MAX - 4)


def test_the_same_receipt_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib, sys; from services.paper.receipt import receipt_pdf; "
        "from tests.services.receipts import RECEIPT, SIGN; print(hashlib.sha256(receipt_pdf(RECEIPT, SIGN)).hexdigest())"
    )
    said = [
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said[0] == said[1] and len(said[0].strip()) == 64


def test_only_the_embedded_font_is_used() -> None:
    reader = PdfReader(io.BytesIO(receipt_pdf(RECEIPT, SIGN)))
    fonts = {font["/BaseFont"] for font in reader.pages[0]["/Resources"]["/Font"].values()}
    assert fonts and all("DejaVuSansMono" in font for font in fonts)


def test_another_sum_than_was_registered_is_not_printed() -> None:
    with pytest.raises(ValueError, match="500000 kopecks were sent, 499999 registered"):
        receipt_pdf(RECEIPT, msgspec.structs.replace(SIGN, total_kopecks=499_999))


def test_what_is_not_known_is_left_out() -> None:
    bare = msgspec.structs.replace(SIGN, shift="", number_in_shift="", register_number="", link="")
    words = printed(receipt(internet=False), bare)
    assert "Кассовый чек Приход" in words
    assert not any(word in words for word in ("Смена", "РН ККТ", "Интернет", "ofd.example.ru"))


async def test_it_is_printed_beside_the_loop_and_as_a_picture() -> None:
    one, other = await asyncio.gather(print_receipt(RECEIPT, SIGN), print_receipt(RECEIPT, SIGN))
    assert one == other == receipt_pdf(RECEIPT, SIGN)
    assert receipt_png(RECEIPT, SIGN).startswith(b"\x89PNG")
