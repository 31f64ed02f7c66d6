"""Encodings, workbooks and DBF files: what is in them comes out exactly, or not at all."""

import io
import math
from datetime import date, datetime, time

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from connectors.registers.dbf_rows import read_dbf
from connectors.registers.encoding import decode_text
from connectors.registers.reading import read_register
from connectors.registers.register import RegisterUnreadable
from connectors.registers.shipped import shipped_formats
from connectors.sandbox.register_files import DbfColumn, write_dbf, write_xlsx
from connectors.sandbox.registers import write_sent
from schemas.money import MoneyError, kopecks_from_number, roubles_from_kopecks, written_roubles
from tests.connectors.register_samples import sent_register

HEADINGS = ("Дата", "Время", "Лицевой счёт", "Сумма", "Номер операции")
RUSSIAN = "Иванов Иван; ул. Мира, 5\r\nПетров № 7 «Ёлка»\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1251", "cp866", "koi8-r"])
def test_an_encoding_is_seen_from_the_text(encoding: str) -> None:
    text = RUSSIAN if encoding in ("utf-8", "cp1251") else RUSSIAN.replace("«", '"').replace("»", '"').replace("№", "N")
    assert decode_text(text.encode(encoding), ("cp1251", "cp866", "koi8-r", "utf-8")) == text
    assert decode_text(text.encode(encoding), ("utf-8", "koi8-r", "cp866", "cp1251")) == text


def test_utf8_is_refused_where_another_encoding_is_promised() -> None:
    with pytest.raises(RegisterUnreadable, match="the file is in UTF-8, the format in cp866 or cp1251"):
        decode_text(RUSSIAN.encode(), ("cp866", "cp1251"))


def test_a_mark_at_the_beginning_and_a_dos_end_are_no_text() -> None:
    assert decode_text(b"\xef\xbb\xbfa;b\x1a", ("utf-8",)) == "a;b"


def test_bytes_of_no_promised_encoding_are_refused() -> None:
    with pytest.raises(RegisterUnreadable, match="the file is not in utf-8"):
        decode_text("Иванов".encode("cp1251"), ("utf-8",))


def workbook(*rows: tuple[object, ...]) -> bytes:
    """A workbook as a spreadsheet writes it."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        for place, value in enumerate(row):
            if isinstance(value, datetime | date | time):
                form = "dd.mm.yyyy" if isinstance(value, date) else "hh:mm:ss"
                sheet.write_datetime(number, place, value, book.add_format({"num_format": form}))
            else:
                sheet.write(number, place, value)
    book.close()
    return out.getvalue()


def test_a_workbook_with_dates_times_and_numbers_as_a_spreadsheet_keeps_them() -> None:
    content = workbook(
        ("Реестр за ноябрь",), (), HEADINGS, (date(2026, 11, 1), time(10, 30), "0001001", 1234.56, 77), ("Итого", "", "", 1234.56)
    )
    register = read_register(content, shipped_formats()["xlsx"])
    line = register.lines[0]
    assert (line.account, line.amount_kopecks, line.operation, line.day) == ("0001001", 123_456, "77", date(2026, 11, 1))
    assert line.event_at == datetime.fromisoformat("2026-11-01T07:30:00+00:00")


def test_a_number_that_is_no_whole_kopeck_is_refused() -> None:
    with pytest.raises(RegisterUnreadable, match=r"amount: is '0\.335'"):
        read_register(workbook(HEADINGS, (date(2026, 11, 1), time(10), "1", 0.335, 1)), shipped_formats()["xlsx"])


def test_an_account_that_a_spreadsheet_has_rounded_is_refused() -> None:
    with pytest.raises(RegisterUnreadable, match="its last digits are lost"):
        read_register(workbook(HEADINGS, (date(2026, 11, 1), time(10), 12345678901234567, 1, 1)), shipped_formats()["xlsx"])


def test_a_heading_that_stands_twice_or_lacks_a_column_is_told() -> None:
    with pytest.raises(RegisterUnreadable, match="names the column 'Сумма' twice"):
        read_register(workbook((*HEADINGS, "Сумма")), shipped_formats()["xlsx"])
    with pytest.raises(RegisterUnreadable, match="has no column Сумма or"):
        read_register(workbook(("Дата", "Лицевой счёт")), shipped_formats()["xlsx"])


@given(st.integers(min_value=0, max_value=10**11))
def test_kopecks_survive_a_binary_number(kopecks: int) -> None:
    assert kopecks_from_number(kopecks / 100) == kopecks
    assert written_roubles(decimal=".", thousands="")(roubles_from_kopecks(kopecks)) == kopecks


@pytest.mark.parametrize("number", [0.001, 0.0049, 1.005, 1e18, math.inf, math.nan, -1e300])
def test_numbers_that_are_no_money_are_refused(number: float) -> None:
    with pytest.raises(MoneyError):
        kopecks_from_number(number)


@pytest.mark.parametrize("text", ["", "1e3", "1.005", "1,00", "--1", "1 00", "+1", "٣", "1" * 20, "1."])
def test_texts_that_are_no_roubles_are_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        written_roubles(decimal=".", thousands=" ")(text)


def test_groups_of_thousands_are_whole() -> None:
    read = written_roubles(decimal=".,", thousands=" '")
    assert [read("1 234,5"), read("1'234'567.89"), read("0012"), read("-7")] == [123_450, 123_456_789, 1_200, -700]


COLUMNS = (DbfColumn(name="LS", kind="C", length=10), DbfColumn(name="SUMMA", kind="N", length=8, decimals=2))


def test_a_dbf_gives_its_records_in_the_marked_encoding() -> None:
    table = read_dbf(write_dbf(COLUMNS, [("Счёт 1", "1.50"), ("x", "2")], "cp866", frozenset({1})), ("cp866",))
    assert table.names == ("LS", "SUMMA") and table.rows == ((1, ["Счёт 1", "1.50"]),) and table.deleted == 1
    with pytest.raises(RegisterUnreadable, match="marked as cp1251"):
        read_dbf(write_dbf(COLUMNS, [("ё", "1")], "cp1251", frozenset()), ("cp866",))


@pytest.mark.parametrize("damage", [lambda b: b[:-5], lambda b: b + b"x", lambda b: b"\x30" + b[1:], lambda b: b[:40] + b[72:]])
def test_a_damaged_dbf_is_refused(damage: object) -> None:
    whole = write_dbf(COLUMNS, [("1", "1.50"), ("2", "2.00")], "cp866", frozenset())
    with pytest.raises(RegisterUnreadable):
        read_dbf(damage(whole), ("cp866",))  # type: ignore[operator]


def test_a_number_that_did_not_fit_its_column_is_refused() -> None:
    with pytest.raises(RegisterUnreadable, match="did not fit into its column"):
        read_dbf(write_dbf(COLUMNS, [("1", "********")], "cp866", frozenset()), ("cp866",))


def test_texts_are_no_workbooks() -> None:
    for content in (b"", b"PK\x03\x04", write_sent("sber", sent_register()), write_xlsx([])[:200]):
        with pytest.raises(RegisterUnreadable):
            read_register(content, shipped_formats()["xlsx"])


def test_a_cell_at_the_far_end_of_a_sheet_is_refused_before_room_is_made_for_it() -> None:
    with pytest.raises(RegisterUnreadable, match="spans more than 20000000 cells"):
        read_register(workbook_with_far_cell(), shipped_formats()["xlsx"])


def workbook_with_far_cell() -> bytes:
    """One cell in the last place that a sheet has."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.add_worksheet().write(1_048_575, 16_383, "x")
    book.close()
    return out.getvalue()
