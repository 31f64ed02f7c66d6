"""kl_to_1c.txt as real banks write it: encodings detected, several accounts, partial balances, fields of documents."""

from datetime import date

import pytest

from connectors.statements.client_bank_1c import read_1c
from schemas.statement import BankStatement, StatementKind, StatementUnbelieved
from tests.connectors.statement_plans import ACCOUNT, NOW, OTHER_ACCOUNT

OUTSIDE = "40702810400000000002"
HEADER = """1CClientBankExchange
ВерсияФормата=1.03
Кодировка=Windows
ДатаНачала=23.11.2026
ДатаКонца=24.11.2026
РасчСчет=40911810101850000000
"""


def balances(account: str, *values: str) -> str:
    """A section of 24.11.2026: opening, in, out, closing; an empty value is left out."""
    keys = ("НачальныйОстаток", "ВсегоПоступило", "ВсегоСписано", "КонечныйОстаток")
    told = "".join(f"{key}={value}\n" for key, value in zip(keys, values, strict=True) if value)
    return f"СекцияРасчСчет\nДатаНачала=24.11.2026\nДатаКонца=24.11.2026\nРасчСчет={account}\n{told}КонецРасчСчет\n"


def document(payer: str, payee: str, amount: str, *lines: str, kind: str = "Платежное поручение") -> str:
    """A document between two accounts, executed on 24.11.2026 on both sides."""
    dates = "ДатаСписано=24.11.2026\nДатаПоступило=24.11.2026\n"
    more = "".join(f"{line}\n" for line in lines)
    return (
        f"СекцияДокумент={kind}\nНомер=1\nДата=23.11.2026\nСумма={amount}\nПлательщикСчет={payer}\nПолучательСчет={payee}\n"
        f"{dates}{more}КонецДокумента\n"
    )


CREDIT = document(OUTSIDE, ACCOUNT, "700")
WHOLE = balances(ACCOUNT, "0", "700", "0", "700")


def file(*sections: str, header: str = HEADER) -> str:
    """A whole file."""
    return f"{header}{''.join(sections)}КонецФайла\n"


def read(text: str, account: str = ACCOUNT) -> BankStatement:
    """What a file in UTF-8 says."""
    return read_1c(text.encode(), account, NOW)


TEXT = file(WHOLE, CREDIT.replace("КонецДокумента", "НазначениеПлатежа=За тепло\nКонецДокумента"))
ENCODED = {
    "UTF-8 declared Windows": TEXT.encode(),
    "cp1251 declared DOS": TEXT.replace("Windows", "DOS").encode("cp1251"),
    "cp866 declared Windows": TEXT.encode("cp866"),
    "cp1251 declared nothing": TEXT.replace("Кодировка=Windows\n", "").encode("cp1251"),
    "cp1251 declared anything": TEXT.replace("Windows", "UTF-16").encode("cp1251"),
    "UTF-16 with its mark": TEXT.encode("utf-16"),
    "UTF-8 with a mark and CRLF": TEXT.replace("\n", "\r\n").encode("utf-8-sig"),
    "cp1251 with NUL bytes after the end": TEXT.encode("cp1251") + b"\0\0\r\n",
}


@pytest.mark.parametrize("name", ENCODED)
def test_the_encoding_is_the_bytes_not_the_declaration(name: str) -> None:
    found = read_1c(ENCODED[name], ACCOUNT, NOW)
    assert [one.purpose for one in found.entries] == ["За тепло"] and found.closing_kopecks == 70_000


def test_one_account_of_many_is_read() -> None:
    between = document(OTHER_ACCOUNT, ACCOUNT, "5")
    sections = (balances(OTHER_ACCOUNT, "10", "0", "5", "5"), balances(ACCOUNT, "0", "705", "0", "705"), CREDIT, between)
    text = file(*sections, header=f"{HEADER}РасчСчет={OTHER_ACCOUNT}\n")
    ours, other = read(text), read(text, OTHER_ACCOUNT)
    assert [(one.is_credit, one.amount_kopecks) for one in ours.entries] == [(True, 70_000), (True, 500)]
    assert [(one.is_credit, one.amount_kopecks) for one in other.entries] == [(False, 500)]
    assert (ours.closing_kopecks, other.closing_kopecks) == (70_500, 500)
    assert ours.entries[1].bank_id != other.entries[0].bank_id


FILTER = f"{HEADER}Документ=Платежное поручение\n"


def test_a_filter_that_left_nothing_out_does_not_make_a_file_partial() -> None:
    assert not read(file(WHOLE, CREDIT, header=FILTER)).filtered
    partial = read(file(WHOLE, header=FILTER))
    assert partial.filtered and partial.entries == () and partial.credited_kopecks == 70_000
    with pytest.raises(StatementUnbelieved, match="agree"):
        read(file(balances(ACCOUNT, "0", "700", "0", "701"), header=FILTER))


BALANCES = [
    (("0", "700", "", "700"), (70_000, 0)),
    (("0", "", "0", "700"), (70_000, 0)),
    (("0", "", "", "700"), (None, None)),
    (("", "700", "0", ""), (70_000, 0)),
    (("", "", "", ""), (None, None)),
]


@pytest.mark.parametrize(("told", "turnovers"), BALANCES)
def test_what_the_balances_leave_out_follows_from_the_rest(
    told: tuple[str, ...], turnovers: tuple[int | None, int | None]
) -> None:
    found = read(file(balances(ACCOUNT, *told), CREDIT))
    assert (found.credited_kopecks, found.debited_kopecks) == turnovers and not found.filtered


WRONG = [("0", "700.01", "", "700.01"), ("0", "", "0", "699"), ("0", "", "", "699"), ("", "699", "", ""), ("1", "700", "1", "")]


@pytest.mark.parametrize("told", WRONG)
def test_documents_that_do_not_make_the_sums_are_not_believed(told: tuple[str, ...]) -> None:
    with pytest.raises(StatementUnbelieved, match=r"the lines make|do not agree"):
        read(file(balances(ACCOUNT, *told), CREDIT))


def test_the_period_is_what_header_and_balances_say() -> None:
    found = read(file(WHOLE, CREDIT))
    assert (found.since, found.until, found.kind) == (date(2026, 11, 23), date(2026, 11, 24), StatementKind.FINAL)
    assert read(file(CREDIT)).opening_kopecks is None
    undated = HEADER.replace("ДатаНачала=23.11.2026\n", "").replace("ДатаКонца=24.11.2026\n", "")
    assert read(file(WHOLE, CREDIT, header=undated)).since == date(2026, 11, 24)
    with pytest.raises(StatementUnbelieved, match="of which days"):
        read(file(CREDIT, header=undated))
    with pytest.raises(StatementUnbelieved, match="outside of"):
        read(file(CREDIT.replace("Поступило=24", "Поступило=22")))
    ahead = HEADER.replace("ДатаКонца=24.11.2026", "ДатаКонца=30.11.2026")
    assert read(file(WHOLE, CREDIT, header=ahead)).kind is StatementKind.INTRADAY
    with pytest.raises(StatementUnbelieved, match="to come"):
        read(file(CREDIT.replace("Поступило=24", "Поступило=29"), header=ahead))


FIELDS = [
    (("Код=0",), "code", ""),
    (("КодНазПлатежа=1", "Код=18801050123456789017"), "code", "18801050123456789017"),
    (("Код=18801050123456789017", "КодНазПлатежа=1"), "code", "18801050123456789017"),
    (("КодНазПлатежа=1",), "code", ""),
    (("ВидОплаты=06",), "operation", "06"),
    ((), "operation", "01"),
    (("НазначениеПлатежа1=За", "НазначениеПлатежа2=", "НазначениеПлатежа3=тепло"), "purpose", "За тепло"),
    (("НазначениеПлатежа=За тепло", "НазначениеПлатежа1=короче"), "purpose", "За тепло"),
    (("НазначениеПлатежа=Пеня", "за", "", "2026 год; сумма=5"), "purpose", "Пеня за 2026 год; сумма=5"),
    ((), "purpose", ""),
    ((), "references", ()),
]


@pytest.mark.parametrize(("lines", "field", "value"), FIELDS)
def test_fields_of_a_document(lines: tuple[str, ...], field: str, value: object) -> None:
    found = read(file(document(OUTSIDE, ACCOUNT, "700", *lines)))
    assert getattr(found.entries[0], field) == value


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("Банковский ордер", "17"),
        ("Платёжный ордер", "16"),
        ("МЕМОРИАЛЬНЫЙ ОРДЕР", "09"),
        ("Инкассовое поручение", "06"),
        ("Чек", ""),
    ],
)
def test_the_kind_of_a_document_is_its_operation(kind: str, code: str) -> None:
    assert read(file(document(OUTSIDE, ACCOUNT, "700", kind=kind))).entries[0].operation == code


def test_sides_are_told_by_either_account() -> None:
    through = document("", "", "700", f"ПлательщикРасчСчет={OUTSIDE}", f"ПолучательРасчСчет={ACCOUNT}", "Плательщик1=ООО «Тепло»")
    entry = read(file(through)).entries[0]
    assert entry.is_credit and entry.counterparty.account == OUTSIDE and entry.counterparty.name == "ООО «Тепло»"
    spelt = document(OUTSIDE, "30101810400000000225", "700", f"ПолучательРасчСчет={ACCOUNT}")
    assert read(file(spelt)).entries[0].is_credit


REFUSED = [
    (document(ACCOUNT, ACCOUNT, "700"), "both sides"),
    (document(OUTSIDE, ACCOUNT, "700").replace("ДатаПоступило=24.11.2026\n", ""), "of the other side"),
    (document(OUTSIDE, ACCOUNT, "700").replace("24.11", "31.11"), "not a date"),
    (document(OUTSIDE, ACCOUNT, "700,00"), "expected roubles"),
    (document(OUTSIDE, ACCOUNT, "700.001"), "expected roubles"),
    (document(OUTSIDE, ACCOUNT, "0"), "no sum"),
    (document(OUTSIDE, ACCOUNT, "7", "НазначениеПлатежа=а", *["Иванов Пётр" * 100] * 20), "more than 10000 characters"),
    (document(OUTSIDE, ACCOUNT, "7", "Иванов=1", "Иванов=2"), "a key is given twice"),
]


@pytest.mark.parametrize(("section", "reason"), REFUSED)
def test_refusals_name_the_place_and_nobody(section: str, reason: str) -> None:
    with pytest.raises(StatementUnbelieved, match=reason) as refused:
        read(file(section))
    assert "Иванов" not in str(refused.value)


def test_what_is_read_shows_no_names() -> None:
    named = document(OUTSIDE, ACCOUNT, "700", "Плательщик1=Иванов Пётр", "НазначениеПлатежа=Лицевой счёт 12, Иванов")
    assert "Иванов" not in repr(read(file(named)))
