"""What an order says: months in words, characters banks take, field 24 and its shortening, fields set by law, numbers."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import Transit
from schemas.transfer import PURPOSE_CHARACTERS_MAX, BudgetFields, PurposeClass
from services.settlement.rules.bank_text import ENCODING, bank_text, fits_bank
from services.settlement.rules.numbering import (
    NUMBERS_OF_A_DAY_MAX,
    NumbersExhausted,
    number_is_valid,
    order_counter,
    order_number,
    register_number,
    register_place,
)
from services.settlement.rules.order_fields import ORDINARY_PRIORITY, DrawerStatus, budget_fields, payment_code
from services.settlement.rules.periods import MONTHS, last_day_of, month_words, period_digits, period_words, runs_of
from services.settlement.rules.purpose import (
    TEMPLATES,
    PurposeFacts,
    PurposeTemplate,
    PurposeTooLong,
    VatSum,
    purpose_text,
    vat_words,
)

PERIODS = st.builds(lambda year, month: year * 100 + month, st.integers(2019, 2030), st.integers(1, 12))


@pytest.mark.parametrize(
    ("periods", "words", "digits", "clause"),
    [
        ((), "", "", "no period: court costs"),
        ((202610,), "октябрь 2026", "10.2026", "one month"),
        ((202609, 202610), "сентябрь–октябрь 2026", "09.2026-10.2026", "a run"),
        ((202610, 202609, 202610), "сентябрь–октябрь 2026", "09.2026-10.2026", "any order, repeated"),
        ((202512, 202601), "декабрь 2025–январь 2026", "12.2025-01.2026", "a run over the year's end"),
        ((202605, 202607), "май, июль 2026", "05.2026,07.2026", "a gap"),
        ((202505, 202605), "май 2025, май 2026", "05.2025,05.2026", "the same month of two years"),
        (
            (202512, 202601, 202603),
            "декабрь 2025–январь, март 2026",
            "12.2025-01.2026,03.2026",
            "the year once where it is the same",
        ),
        ((202601, 202602, 202604, 202605), "январь–февраль, апрель–май 2026", "01.2026-02.2026,04.2026-05.2026", "two runs"),
    ],
)
def test_periods_in_words(periods: tuple[int, ...], words: str, digits: str, clause: str) -> None:
    assert period_words(periods) == words, clause
    assert period_digits(periods) == digits, clause


def test_every_month_has_its_name() -> None:
    names = "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь"
    assert " ".join(MONTHS) == names
    assert [month_words(202600 + month) for month in (1, 12)] == ["январь 2026", "декабрь 2026"]


@pytest.mark.parametrize(
    ("period", "day"),
    [
        (202402, date(2024, 2, 29)),
        (202602, date(2026, 2, 28)),
        (202612, date(2026, 12, 31)),
        (202604, date(2026, 4, 30)),
        (200002, date(2000, 2, 29)),
    ],
)
def test_the_last_day_of_a_month(period: int, day: date) -> None:
    assert last_day_of(period) == day


@given(st.sets(PERIODS, max_size=12))
def test_runs_hold_every_month_once(periods: set[int]) -> None:
    covered = [year * 100 + month for year in range(2019, 2031) for month in range(1, 13)]
    covered = [period for period in covered if any(first <= period <= last for first, last in runs_of(periods))]
    assert covered == sorted(periods)


@pytest.mark.parametrize(
    ("text", "expected", "clause"),
    [
        ("Оплата за ЖКУ «Ромашка» № 5 – 1", "Оплата за ЖКУ «Ромашка» № 5 – 1", "what cp1251 has stays"),
        ("100 ₽", "100 руб.", "the rouble sign"),
        ("5 − 3 ‑ 1", "5 - 3 - 1", "dashes of other pages"),
        ("кв.\u00a05\u20096\u202f7\t8\r\n9", "кв. 5 6 7 8 9", "every kind of space, line ends and tabs"),
        ("  а   б  ", "а б", "spaces around and between"),
        ("па\u00adро\u200bход\ufeff", "пароход", "characters without width"),
        ("и\u0306е\u0308о\u0308", "йёо", "letters put together from parts, one that cp1251 lacks"),
        ("café Škoda", "cafe Skoda", "accents"),
        ("ﬁ ²½", "fi 2?", "forms that decompose, and one that does not into cp1251"),
        ("住 😀 \ud800", "? ? ?", "no counterpart"),
        ("а\x00\x1bб", "а б", "control characters"),
        ("", "", "nothing"),
    ],
)
def test_characters_that_banks_take(text: str, expected: str, clause: str) -> None:
    assert bank_text(text) == expected, clause
    assert fits_bank(expected) and (fits_bank(text) is (text == expected))


@given(st.text())
def test_bank_text_is_one_line_of_cp1251_and_stays(text: str) -> None:
    once = bank_text(text)
    assert once.encode(ENCODING).decode(ENCODING) == once == bank_text(once)
    assert once.isprintable() or "\u00a0" in once


FACTS = PurposeFacts(
    register="1-261124-3",
    contract_number="15/ТС",
    contract_date=date(2025, 2, 1),
    services=("Отопление", "Горячая вода"),
    periods=(202609, 202610),
    payments=128,
    vat=(VatSum(percent=22, amount_kopecks=12_345),),
)
SERVICES = TEMPLATES[PurposeClass.SERVICES]
MANY = tuple(f"Коммунальная услуга номер {number}" for number in range(1, 12))


def changed(**changes: object) -> PurposeFacts:
    return PurposeFacts(**({name: getattr(FACTS, name) for name in FACTS.__struct_fields__} | changes))


@pytest.mark.parametrize(
    ("facts", "kind", "text", "clause"),
    [
        (
            FACTS,
            PurposeClass.SERVICES,
            "Перевод платежей населения: Отопление, Горячая вода за сентябрь–октябрь 2026 по договору № 15/ТС от 01.02.2025, "
            "реестр № 1-261124-3, платежей: 128. В том числе НДС 22 % – 123.45",
            "all in full",
        ),
        (
            changed(services=(), periods=(202610,), payments=0, vat=()),
            PurposeClass.SERVICES,
            "Перевод платежей населения за октябрь 2026 по договору № 15/ТС от 01.02.2025, "
            "реестр № 1-261124-3. НДС не облагается",
            "parts without a value are left out",
        ),
        (
            changed(vat=(), services=()),
            PurposeClass.CAPITAL_REPAIR,
            "Взносы на капитальный ремонт за сентябрь–октябрь 2026 по договору № 15/ТС от 01.02.2025, "
            "реестр № 1-261124-3, платежей: 128. НДС не облагается",
            "capital repair",
        ),
        (
            changed(contract_date=None, periods=(202612,)),
            PurposeClass.FEE,
            "Вознаграждение за услуги по переводу платежей за декабрь 2026 по договору № 15/ТС, "
            "реестр № 1-261124-3. В том числе НДС 22 % – 123.45",
            "the operator's fee; a contract without a date",
        ),
        (
            PurposeFacts(register="1-261124-4"),
            PurposeClass.REFUND,
            "Возврат платежа за жилищно-коммунальные услуги, реестр № 1-261124-4. НДС не облагается",
            "a refund has no contract",
        ),
    ],
)
def test_the_purpose(facts: PurposeFacts, kind: PurposeClass, text: str, clause: str) -> None:
    assert purpose_text(facts, TEMPLATES[kind]) == text, clause


@pytest.mark.parametrize(
    ("facts", "present", "absent", "clause"),
    [
        (
            changed(services=(*FACTS.services, "Вывоз ТКО"), periods=(202512, 202602, 202604, 202606, 202608)),
            ("12.2025,02.2026,04.2026,06.2026,08.2026", "Отопление, Горячая вода, Вывоз ТКО за", "платежей: 128"),
            ("август", "и др."),
            "periods in digits first",
        ),
        (
            changed(services=MANY),
            ("номер 1, Коммунальная услуга номер 2 и др. за 09.2026-10.2026", "платежей: 128"),
            ("номер 3",),
            "then fewer services",
        ),
        (changed(services=("Услуга " * 10,)), ("Услуга", "09.2026-10.2026"), ("платежей:",), "then no number of payments"),
        (changed(services=("Услуга " * 20,)), ("за 09.2026-10.2026",), ("Услуга", "платежей:"), "then no services"),
        (
            changed(periods=tuple(year * 100 + month for year in range(2019, 2027) for month in (1, 3, 5))),
            ("населения по договору",),
            ("01.2019", "Отопление", "платежей:"),
            "then no periods",
        ),
        (changed(contract_number="К" * 130), ("Дог. № ККК",), ("населения",), "then the shortest wording"),
    ],
)
def test_what_does_not_fit_is_shortened(
    facts: PurposeFacts, present: tuple[str, ...], absent: tuple[str, ...], clause: str
) -> None:
    text = purpose_text(facts, SERVICES)
    assert len(text) <= PURPOSE_CHARACTERS_MAX, clause
    for kept in (*present, facts.register, facts.contract_number, "от 01.02.2025", "В том числе НДС 22 % – 123.45"):
        assert kept in text, (clause, kept)
    for gone in absent:
        assert gone not in text, (clause, gone)


WORDS = st.text(st.sampled_from("абвгдеёЖЗ «»№-/1234567890₽"), max_size=60)


@given(
    st.lists(WORDS, max_size=6).map(tuple),
    st.lists(PERIODS, max_size=12).map(tuple),
    st.text(st.sampled_from("АБВ-/0123456789"), max_size=60),
    st.integers(0, 10**6),
    st.lists(st.builds(VatSum, percent=st.sampled_from([5, 7, 10, 22]), amount_kopecks=st.integers(0, 10**12)), max_size=2).map(
        tuple
    ),
)
def test_the_kept_parts_are_never_cut(
    services: tuple[str, ...], periods: tuple[int, ...], contract: str, payments: int, vat: tuple[VatSum, ...]
) -> None:
    facts = changed(services=services, periods=periods, contract_number=contract, payments=payments, vat=vat)
    for template in TEMPLATES.values():
        text = purpose_text(facts, template)
        assert len(text) <= PURPOSE_CHARACTERS_MAX and fits_bank(text)
        assert f"№ {contract} от 01.02.2025" in text if contract else "договор" not in text
        assert facts.register in text and text.endswith(vat_words(vat))


def test_a_contract_that_leaves_no_room_is_named() -> None:
    with pytest.raises(PurposeTooLong, match="1-261124-3"):
        purpose_text(changed(contract_number="К" * 200), SERVICES)


def test_a_contract_may_have_its_own_wording() -> None:
    template = PurposeTemplate(text="Л/с граждан, {contract} ({register}){vat}[ пачек {payments}]")
    assert purpose_text(changed(vat=()), template) == "Л/с граждан, № 15/ТС от 01.02.2025 (1-261124-3)НДС не облагается пачек 128"


def test_an_optional_part_needs_all_its_values() -> None:
    template = PurposeTemplate(text="{contract}, {register}[: {services}, платежей {payments}]. {vat}")
    assert purpose_text(changed(vat=(), payments=0), template) == "№ 15/ТС от 01.02.2025, 1-261124-3. НДС не облагается"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{contract} {register} {vat} {payer}", "payer"),
        ("{register} {vat}", "contract"),
        ("{contract} {vat}", "register"),
        ("{contract} {register}", "vat"),
        ("{contract} {register} {vat} [ за {periods}", "brackets"),
        ("{contract} {register} {vat} ]", "brackets"),
        ("{contract} {register} {vat} [ за [{periods}]]", "brackets"),
        ("{contract} {register} {vat} {", "braces"),
    ],
)
def test_a_wording_with_a_mistake_is_refused(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        PurposeTemplate(text=text)


@pytest.mark.parametrize(
    ("vat", "words"),
    [
        ((), "НДС не облагается"),
        ((VatSum(percent=22, amount_kopecks=12_345),), "В том числе НДС 22 % – 123.45"),
        ((VatSum(percent=22, amount_kopecks=5),), "В том числе НДС 22 % – 0.05"),
        (
            (VatSum(percent=22, amount_kopecks=100_000), VatSum(percent=10, amount_kopecks=100)),
            "В том числе НДС 22 % – 1000.00, НДС 10 % – 1.00",
        ),
    ],
)
def test_the_words_on_vat(vat: tuple[VatSum, ...], words: str) -> None:
    assert vat_words(vat) == words


def test_the_budget_block_of_a_payee() -> None:
    day = date(2026, 11, 24)
    kbk, oktmo = "18210102010011000110", "45382000"
    assert budget_fields("", "", day) is None
    assert budget_fields(kbk, oktmo, day) == BudgetFields(drawer_status="15", kbk=kbk, oktmo=oktmo)
    alone = budget_fields("", oktmo, day)
    assert alone is not None and (alone.kbk, alone.oktmo, alone.reason, alone.kind) == ("0", oktmo, "0", "0")
    rows = (DrawerStatus(since=date(2027, 1, 1), code="31", source="an invented amendment"),)
    later = budget_fields(kbk, oktmo, date(2027, 1, 1), rows)
    assert later is not None and later.drawer_status == "31"
    with pytest.raises(ValueError, match="2026-12-31"):
        budget_fields(kbk, oktmo, date(2026, 12, 31), rows)


@pytest.mark.parametrize(
    ("code", "field"), [("", "0"), ("  ", "0"), ("18801050123456789017", "18801050123456789017"), ("1880 1050", "18801050")]
)
def test_the_code_of_a_payment(code: str, field: str) -> None:
    assert payment_code(code) == field


def test_priority_is_the_fifth() -> None:
    assert ORDINARY_PRIORITY == 5


@pytest.mark.parametrize(
    ("counter", "number"),
    [
        (1, "1"),
        (999, "999"),
        (1_000, "1001"),
        (1_998, "1999"),
        (1_999, "2001"),
        (998_001, "998999"),
        (998_002, "999001"),
        (NUMBERS_OF_A_DAY_MAX, "999999"),
    ],
)
def test_numbers_skip_thousands(counter: int, number: str) -> None:
    assert order_number(counter) == number


@given(st.integers(1, NUMBERS_OF_A_DAY_MAX))
def test_numbers_are_taken_by_banks_and_never_repeat(counter: int) -> None:
    number = order_number(counter)
    assert number_is_valid(number) and order_counter(number) == counter
    if counter < NUMBERS_OF_A_DAY_MAX:
        assert int(order_number(counter + 1)) > int(number)


def test_a_day_has_so_many_numbers() -> None:
    with pytest.raises(NumbersExhausted, match="999001"):
        order_number(NUMBERS_OF_A_DAY_MAX + 1)
    with pytest.raises(ValueError, match="0"):
        order_number(0)


@pytest.mark.parametrize("number", ["", "0", "000", "1000", "00", "1234567", "12a", "１２", "01", " 1"])
def test_numbers_that_are_not_ours(number: str) -> None:
    with pytest.raises(ValueError, match="no number"):
        order_counter(number)


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("1", True),
        ("000001", True),
        ("100", True),
        ("1001", True),
        ("1000", False),
        ("000", False),
        ("0", False),
        ("1234567", False),
    ],
)
def test_numbers_that_a_bank_takes(number: str, valid: bool) -> None:
    assert number_is_valid(number) is valid


def test_registers_are_numbered_by_account_and_day() -> None:
    assert register_number(Transit(12), date(2026, 11, 24), 3) == "12-261124-3"
    assert register_place("12-261124-3") == (Transit(12), date(2026, 11, 24), 3)
    assert register_place(register_number(Transit(1), date(2028, 2, 29), 1_000)) == (Transit(1), date(2028, 2, 29), 1_000)
    with pytest.raises(ValueError, match="0-th"):
        register_number(Transit(1), date(2026, 11, 24), 0)


@pytest.mark.parametrize("number", ["", "1-261124", "1-261324-1", "1-261124-0", "x-261124-1", "1-261124-1 "])
def test_registers_that_are_not_ours(number: str) -> None:
    with pytest.raises(ValueError, match=r"no number of a register|month"):
        register_place(number)
