"""The payment document: what п. 69 wants stands on it, whatever the names are, and nothing is cut or overlaps."""

import io
import re
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from schemas.money import roubles_for_people
from schemas.payment_document import PaymentDocument
from services.paper.document_texts import document_texts
from services.paper.payment_document import (
    DOCUMENTS_MAX,
    DocumentPrinter,
    PaymentDocumentError,
    print_documents,
    print_house,
)
from services.paper.press import print_batches
from tests.billing.papers import LINES, LONG, METERS, MINIMAL, ORDINARY, PENALTY, line, section

PRINTER = DocumentPrinter()
A4_POINTS = (595, 842)
A4_MILLIMETRES, MARGIN_MILLIMETRES = 210, 10


def words_of(text: str) -> str:
    """Spaces of every kind made one, places where a line may end left out."""
    return " ".join(text.replace("\u200b", "").split())


def pages(pdf: bytes) -> list[str]:
    """The words of every page."""
    return [words_of(page.extract_text()) for page in PdfReader(io.BytesIO(pdf)).pages]


def printed(document: PaymentDocument) -> str:
    """The words of one document."""
    return " ".join(pages(PRINTER.pdf([document])))


def changed(document: PaymentDocument, **changes: Any) -> PaymentDocument:
    """The document with other fields."""
    return msgspec.structs.replace(document, **changes)


ORDINARY_WORDS = printed(ORDINARY)
REQUIRED = [
    ("а", "107078, г. Москва, ул. Ленина, д. 24, корп. 2, кв. 58"),
    ("а", "Иванова М. П., собственник"),
    ("а", "Лицевой счёт 0001234567"),
    ("а", "ЕЛС: 75DA533315"),
    ("а", "Площадь, м²: 54,3, жилая 32,1"),
    ("а", "проживают 2, зарегистрированы 3, собственников 1"),
    ("б", "Исполнитель: ООО «УК Север», ИНН 7707083893"),
    ("б", "р/с 40702810200000000001"),
    ("б", "ПАО Сбербанк, БИК 044525225"),
    ("б", "к/с 30101810400000000225"),
    ("б", "107078, г. Москва, ул. Садовая, д. 3, офис 12"),
    ("б", "dom@example.ru, uk.example.ru"),
    ("б", "+7 495 000-00-01, круглосуточно"),
    ("в", "Платёжный документ за октябрь 2026 г."),
    ("в", "№ 75DA533315-01-6101 от 01.11.2026"),
    ("г", "Отопление по прибору 0,812 Гкал 2 486,71 2 019,21 2 019,21"),
    ("г", "день: 120 кВт·ч × 7,12 ₽"),
    ("г(1)", "423,10 × 1,5"),
    ("д", "2,03 0,034 м³"),
    ("е", "Холодная вода, м³ 1 284,5 1 271,3 13,2"),
    ("е", "Отопление, Гкал — 112,48 0"),
    ("ж", "Температура ниже нормы с 3 по 9 октября, акт от 10.10.2026"),
    ("ж", "−151,20"),
    ("з", "Долг на 01.10.2026 1 200,00"),
    ("з", "Оплачено по 25.10.2026 −1 200,00"),
    ("и", "51,07"),
    ("и", "Льготы показаны для сведения"),
    ("сумма", "К оплате 9 041,08 ₽ до 15 ноября 2026 г."),
    ("капремонт", "Капитальный ремонт 1 512,26 ₽"),
    ("капремонт", "Получатель: Фонд капитального ремонта города Москвы"),
    ("приборы", "Холодная вода, кухня № 17-204418 214,31 220,51 20.12.2026 истекает"),
    ("приборы", "01.09.2026 истекла"),
    ("график", "10 023"),
    ("дом", "ООО «Чистый город»"),
]


@pytest.mark.parametrize(("clause", "words"), REQUIRED)
def test_what_the_rules_require_stands_on_it(clause: str, words: str) -> None:
    assert words in ORDINARY_WORDS, clause


def test_instalments_stand_on_it() -> None:
    words = printed(changed(ORDINARY, instalments=(("Отопление за январь 2026 г.", 45_000),)))
    assert "Оплата в рассрочку За что В этом месяце, ₽ Отопление за январь 2026 г. 450,00" in words


def test_the_sum_the_day_and_the_address_come_before_the_charges() -> None:
    found = [ORDINARY_WORDS.index(words) for words in ("К оплате", "до 15 ноября", "ул. Ленина", "Расчёт:", "Исполнитель:")]
    assert found == sorted(found)


def test_penalties_are_a_document_of_their_own() -> None:
    words = printed(PENALTY)
    assert "Платёжный документ: пени за октябрь 2026 г." in words and "Пени к оплате 110,65 ₽" in words
    assert "июль 2026 г. 4 876,50 15.09.2026 – 31.10.2026 47 9,5 % 1/300 72,58" in words
    assert "Начислено пеней 98,65" in words and "Содержание" not in words
    with pytest.raises(PaymentDocumentError, match="penalties stand with charges"):
        PRINTER.pdf([changed(ORDINARY, penalties=PENALTY.penalties)])


PAGES = [(ORDINARY, 1), (MINIMAL, 1), (PENALTY, 1), (LONG, 4)]


@pytest.mark.parametrize(("document", "count"), PAGES)
def test_it_takes_as_many_pages_as_it_needs(document: PaymentDocument, count: int) -> None:
    assert len(pages(PRINTER.pdf([document]))) == count


@pytest.mark.parametrize("document", [ORDINARY, LONG, MINIMAL, PENALTY])
def test_every_sum_is_printed_and_nothing_leaves_the_page(document: PaymentDocument) -> None:
    words = printed(document)
    for one in document.sections:
        for row in one.lines:
            assert roubles_for_people(row.total_kopecks).replace("\u202f", " ") in words
            assert roubles_for_people(row.amount_kopecks).replace("\u202f", " ") in words
            assert row.title.split()[0] in words
        assert roubles_for_people(one.due_kopecks).replace("\u202f", " ") in words
    for page in PdfReader(io.BytesIO(PRINTER.pdf([document]))).pages:
        assert (round(page.mediabox.width), round(page.mediabox.height)) == A4_POINTS
    for picture in map(Image.open, map(io.BytesIO, PRINTER.pictures(document))):
        grey, margin = picture.convert("L"), picture.width * MARGIN_MILLIMETRES // A4_MILLIMETRES
        for strip in ((0, 0, margin, grey.height), (grey.width - margin, 0, grey.width, grey.height)):
            assert grey.crop(strip).getextrema() == (255, 255)


def test_further_pages_name_the_account() -> None:
    assert sum("Л/с 0001234567" in page for page in pages(PRINTER.pdf([LONG]))) >= 2


def test_what_is_not_known_is_left_out() -> None:
    words = printed(MINIMAL)
    for absent in ("ЕЛС", "Плательщик", "Показания", "Перерасчёт", "Льготы", "Повышающий", "На общее", "кв.", "КПП", "Адрес"):
        assert absent not in words


WARNED = [
    (date(2027, 2, 1), "истекает"),
    (date(2027, 2, 2), ""),
    (date(2026, 11, 1), "истекает"),
    (date(2026, 10, 31), "истекла"),
]


@pytest.mark.parametrize(("until", "warning"), WARNED)
def test_a_verification_that_ends_within_three_months_is_warned_of(until: date, warning: str) -> None:
    meter = msgspec.structs.replace(METERS[0], verified_until=until)
    words = printed(changed(ORDINARY, meters=(meter,)))
    assert f"{until:%d.%m.%Y} {warning}".strip() in words
    assert ("истек" in words) == bool(warning)


HOSTILE = [
    "#panic()",
    '#eval("1")',
    "$sum$ *bold* _it_ [x] {y} <z> @ref",
    '"quoted" \\" \\n \\u{41}',
    "= Heading - list // comment /* x */",
    "`raw` ```raw``` --- ... ~ '",
    "Рога & Копыта <b>№1</b> ₽",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_text_is_printed_and_never_evaluated(name: str) -> None:
    hostile = line(name, "м²", 1_000, 100)
    words = printed(changed(MINIMAL, sections=(section((hostile,), title=name),), notices=(name,), payer=name))
    assert words.count(name) == 5


def test_marks_of_direction_and_controls_turn_nothing_round() -> None:
    words = printed(changed(MINIMAL, payer="А\u202eБВ\u2066Г\u200f\x00Д\nЕ 😀"))
    assert "Плательщик: АБВГД Е" in words
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", words)


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_any_text_can_be_printed(text: str) -> None:
    rows = (line(f"А{text}", text, 1_000, 100),)
    document = changed(MINIMAL, sections=(section(rows),), payer=text, address=text, notices=(text,), flat=text)
    assert "1,00" in printed(document)


def test_emoji_are_left_out_and_never_printed_as_boxes() -> None:
    words = printed(changed(MINIMAL, payer="Иванова 😀 М. П. ❤️ № 5 ₽"))
    assert "Плательщик: Иванова М. П. № 5 ₽" in words


def test_what_was_taken_between_readings_is_told_where_it_is_known() -> None:
    assert "Расход" not in printed(changed(ORDINARY, meters=METERS))
    told = (msgspec.structs.replace(METERS[0], consumed=6_200_000), METERS[1])
    words = printed(changed(ORDINARY, meters=told))
    nameless = tuple([msgspec.structs.replace(meter, number="") for meter in told])
    assert printed(changed(ORDINARY, meters=nameless)).count("№") == words.count("№") - len(told), "no empty number is printed"
    assert "Было Стало Расход Поверка до" in words and "214,31 220,51 6,2 20.12.2026" in words


def test_penalties_charged_earlier_are_taken_off_below_the_detail() -> None:
    one = PENALTY.sections[0]
    charged, due = one.charged_kopecks - 1_000, one.due_kopecks - 1_000
    less = msgspec.structs.replace(one, charged_kopecks=charged, due_kopecks=due)
    words = printed(changed(PENALTY, sections=(less,), charged_before_kopecks=1_000))
    assert "Начислено раньше −10,00 Всего 88,65" in words


def test_two_columns_are_as_low_as_they_can_be() -> None:
    def halves(**changes: Any) -> list[list[str]]:
        texts = document_texts(changed(ORDINARY, **changes), lambda document, section: "")
        return [[part["title"].split()[0] for part in half] for half in texts["halves"]]

    # About 18 lines of meters, 12 of the house, 7 of the chart, 9 of recalculations: 25 beside 21.
    assert halves() == [["Показания", "Начислено"], ["Объёмы", "Перерасчёты"]]
    # 30 lines of the house beside all the others.
    assert halves(meters=METERS[:1], house=ORDINARY.house * 4) == [["Объёмы"], ["Показания", "Начислено", "Перерасчёты"]]
    assert halves(house=(), meters=()) == [["Начислено"], ["Перерасчёты"]]


def test_a_long_word_wraps_and_huge_sums_do_not_meet() -> None:
    huge = line("Ш" * 200, "Щ" * 30, 99_999_999, 9_999_999, common_volume=123_456_789_123, common_kopecks=10**11)
    words = printed(changed(MINIMAL, sections=(section((huge,)),)))
    assert words.count("Ш") == 200
    for kopecks in (huge.amount_kopecks, huge.common_kopecks, huge.total_kopecks):
        assert roubles_for_people(kopecks).replace("\u202f", " ") in words


WRONG = [
    ({"charged_kopecks": 208_620, "due_kopecks": 208_620}, "lines' totals are 208621 kopecks, 208620 stated"),
    ({"due_kopecks": 1}, r"debt - advance \+ charged - paid are 208621 kopecks, 1 stated"),
    ({"lines": (msgspec.structs.replace(LINES[0], total_kopecks=1),)}, "parts of the line are 208621 kopecks, 1 stated"),
    (
        {"lines": (LINES[3],), "charged_kopecks": 111_810, "due_kopecks": 111_810},
        "causes of recalculations are 0 kopecks, -15120",
    ),
]


@pytest.mark.parametrize(("changes", "said"), WRONG)
def test_sums_that_do_not_add_up_are_not_printed(changes: dict[str, Any], said: str) -> None:
    wrong = changed(MINIMAL, number="75-1", sections=(msgspec.structs.replace(MINIMAL.sections[0], **changes),))
    with pytest.raises(PaymentDocumentError, match=f"document 75-1: .*{said}"):
        PRINTER.pdf([ORDINARY, wrong])


def test_penalties_and_empty_documents_are_checked_too() -> None:
    with pytest.raises(PaymentDocumentError, match="parts of the penalties are 7258 kopecks, 9865 stated"):
        PRINTER.pdf([changed(PENALTY, penalties=PENALTY.penalties[:1])])
    with pytest.raises(PaymentDocumentError, match="no section"):
        PRINTER.pdf([changed(MINIMAL, sections=())])
    for documents in ([], [MINIMAL] * (DOCUMENTS_MAX + 1)):
        with pytest.raises(PaymentDocumentError, match=f"{len(documents)} documents asked for"):
            PRINTER.pdf(documents)


def test_a_house_keeps_its_order_and_may_use_both_sides() -> None:
    house = [changed(MINIMAL, flat=str(flat), account=f"{flat:010d}") for flat in (7, 3, 12)]
    one_sided = pages(print_house(house))
    assert [f"кв. {flat}" in page for flat, page in zip((7, 3, 12), one_sided, strict=True)] == [True] * 3
    two_sided = pages(print_house(house, two_sided=True))
    assert [bool(page) for page in two_sided] == [True, False, True, False, True]
    long_first = pages(print_house([LONG, ORDINARY], two_sided=True))
    assert len(long_first) == 5 and "75DA533315-01-6101" in long_first[4]


def test_the_same_documents_give_the_same_bytes_however_printed() -> None:
    assert print_documents([ORDINARY, PENALTY]) == print_documents([ORDINARY, PENALTY]) == PRINTER.pdf([ORDINARY, PENALTY])


def test_processes_print_what_one_prints_in_order() -> None:
    batches = [[ORDINARY, changed(MINIMAL, flat=str(flat))] for flat in range(5)]
    assert list(print_batches(batches, 2)) == list(print_batches(batches, 1))
    wrong = [[MINIMAL], [changed(MINIMAL, number="bad", sections=())]]
    files = print_batches(wrong, 2)
    assert next(files).startswith(b"%PDF-")
    with pytest.raises(PaymentDocumentError, match="document bad"):
        next(files)


def test_only_embedded_fonts_are_used_and_no_letter_is_missing() -> None:
    reader = PdfReader(io.BytesIO(PRINTER.pdf([ORDINARY])))
    fonts = {font["/BaseFont"] for font in reader.pages[0]["/Resources"]["/Font"].values()}
    assert fonts and all(re.search("Libertinus|NewCM|DejaVuSansMono", font) for font in fonts)
    assert "\u202f" in reader.pages[0].extract_text() and "₽" in ORDINARY_WORDS
