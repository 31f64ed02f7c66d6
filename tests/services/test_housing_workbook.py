"""Spreadsheets: what people typed is read exactly, or the cell is named; and texts that no reader may choke on."""

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing.stock import fields
from services.billing.stock.files import ALL_KINDS, KINDS
from services.billing.stock.kinds import Known
from services.reference.faults import FaultyFile
from services.reference.files import open_rows
from services.reference.loading import no_progress
from services.reference.rows import FieldFault, faults_of, row_decoder
from services.reference.workbook import number_text, open_workbook
from tests.services.desk import Desk
from tests.services.housing_town import FILES, Stock, workbook

KNOWN = Known(houses={"01": 1, "02": 2}, recipients={"uk": 1, "heat": 2}, services={"cold": "cold", "hot": "hot"})
AREAS = ["house", "premises", "valid_from", "area", "living_area"]


def read(content: bytes, what: str = "premises-areas") -> list[tuple[int, list[str]]]:
    """Rows of a workbook as texts."""
    return list(open_workbook(io.BytesIO(content), Path("a.xlsx"), KINDS[what].shape(KNOWN), no_progress).rows)


def fault_of(content: bytes) -> str:
    """What a workbook that cannot be read is refused for."""
    with pytest.raises(FaultyFile) as caught:
        read(content)
    return str(caught.value)


def test_cells_are_read_exactly() -> None:
    row = ["01", 12, date(2026, 11, 1), 54.3, ("=0.1+0.2", 0.1 + 0.2)]
    assert read(workbook([AREAS, row])) == [(2, ["01", "12", "2026-11-01", "54.3", "0.3"])]
    moments = [["house", "number", "service", "deviation", "started_at", "ended_at", "cold_region"]]
    moments.append(["01", "А-1", "cold", "break", datetime(2026, 11, 1, 13, 5), datetime(2026, 11, 2), True])
    texts = ["01", "А-1", "cold", "break", "2026-11-01 13:05:00", "2026-11-02", "true"]
    assert read(workbook(moments), "acts") == [(2, texts)]


def test_empty_rows_and_a_table_that_stands_lower() -> None:
    rows = [[], [], AREAS, ["01", "1", "2026-11-01", 1, ""], [], ["01", "2", "2026-11-01", 2.5]]
    assert read(workbook(rows)) == [(4, ["01", "1", "2026-11-01", "1", ""]), (6, ["01", "2", "2026-11-01", "2.5", ""])]


def test_what_stands_beyond_the_header_is_a_fault(tmp_path: Path) -> None:
    (row,) = read(workbook([AREAS, ["01", "1", "2026-11-01", 1, 1, "", "stray"]]))
    assert len(row[1]) > len(AREAS)


FAULTS: list[tuple[list[list[Any]], str]] = [
    ([AREAS, ["01", "1", "2026-11-01", ("=1/0", "#DIV/0!")]], "line 2, cell: cell D2 is an error"),
    ([["house", "house"]], "line 1, header: column 'house' stands twice"),
    ([[], ["house", "what"]], "line 2, header: unknown column 'what'"),
    ([], "file, file: holds no rows"),
]


@pytest.mark.parametrize(("rows", "message"), FAULTS)
def test_faults_name_the_cell(rows: list[list[Any]], message: str) -> None:
    assert message in fault_of(workbook(rows))


def altered(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The workbook with its sheet changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.infolist():
            body = old.read(part)
            new.writestr(part, change(body) if "worksheets/" in part.filename else body)
    return out.getvalue()


def test_a_formula_that_was_never_calculated_is_a_fault() -> None:
    content = altered(workbook([AREAS, ["01", "1", "2026-11-01", ("=1+1", 2)]]), lambda body: body.replace(b"<v>2</v>", b""))
    assert "line 2, cell: cell D2 is a formula that was never calculated" in fault_of(content)


def test_a_sheet_that_spans_too_much_is_refused() -> None:
    sheet = workbook([AREAS, ["01", "1", "2026-11-01", 1]])
    content = altered(sheet, lambda body: body.replace(b'r="D2"', b'r="XFD1048576"'))
    assert "spans more than" in fault_of(content)


@pytest.mark.parametrize("content", [b"", b"house,premises", b"PK\x03\x04" + bytes(100), workbook([AREAS])[:-80]])
def test_what_is_no_workbook_is_refused(content: bytes) -> None:
    assert "is no XLSX workbook" in fault_of(content)


@given(content=st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(content: bytes) -> None:
    assert fault_of(content).startswith("file, file:")


@given(micro=st.integers(min_value=-(10**12), max_value=10**12))
def test_millionths_come_through_binary_numbers_exactly(micro: int) -> None:
    assert fields.signed(number_text(micro / 10**6)) == micro


@given(value=st.floats())
def test_no_number_is_rounded_silently(value: float) -> None:
    try:
        micro = fields.signed(number_text(value))
    except FieldFault:
        return
    assert abs(value * 10**6 - micro) <= max(0.01, abs(value) * 1e-9)


async def test_account_numbers_must_be_text(desk: Desk) -> None:
    await desk.load_town()
    stock = Stock(desk=desk)
    for what in ("services", "houses", "premises"):
        await stock.load(what, FILES[what])
    rows = [["namespace", "number", "house", "premises", "valid_from"]]
    with pytest.raises(FaultyFile) as caught:
        await stock.load("accounts", workbook([*rows, ["epd", 1001, "01", 1, date(2020, 1, 1)]]), suffix="xlsx")
    assert "line 2, number: is the number '1001' in the spreadsheet: write the cell as text" in str(caught.value)
    good = workbook([*rows, ["epd", "0001001", "01", 1, date(2020, 1, 1)]])
    assert (await stock.load("accounts", good, suffix="xlsx")).added == 1
    assert (await stock.load("accounts", good, suffix="xlsx")).already_loaded


async def test_files_whose_columns_of_text_are_not_marked_take_no_workbook(desk: Desk) -> None:
    with pytest.raises(FaultyFile, match="is a workbook: this kind of file comes as CSV or JSON Lines"):
        await desk.load("accounts", workbook([["namespace", "number"], ["epd", 1001]]), name="accounts.xlsx")


texts = st.text(alphabet=st.sampled_from("0123456789-/.,| abcABCабв\x00\n\t−½²٣"), max_size=12) | st.text(max_size=30)


@given(what=st.sampled_from(ALL_KINDS), given_texts=st.lists(texts, min_size=30, max_size=30))
def test_any_texts_are_read_or_named_by_field(what: Any, given_texts: list[str]) -> None:
    shape = what.shape(KNOWN)
    header = tuple(column.name for column in shape.columns)
    row = given_texts[: len(header)]
    try:
        values = row_decoder(shape, header)(list(row))
    except FieldFault:
        named = faults_of(shape, header, row)
        assert named and all(field in header and message for field, message in named)
        return
    fault = shape.check(values)
    assert fault is None or (fault[0] in header and fault[1])


@given(content=st.binary(max_size=200), what=st.sampled_from(ALL_KINDS))
def test_any_csv_bytes_are_rows_or_a_fault(content: bytes, what: Any) -> None:
    try:
        rows = list(open_rows(io.BytesIO(content), Path("a.csv"), what.shape(KNOWN), no_progress).rows)
    except FaultyFile as error:
        assert error.faults
        return
    assert all(line >= 2 for line, _ in rows)


SHARES = [("1", (1, 1)), ("1/3", (1, 3)), ("13/100", (13, 100)), ("1000000/1000000", (1_000_000, 1_000_000))]


@pytest.mark.parametrize(("text", "share"), SHARES)
def test_shares(text: str, share: tuple[int, int]) -> None:
    assert fields.share(text) == share


@pytest.mark.parametrize("text", ["0", "0/1", "2/1", "1/0", "1/1000001", "1/", "/2", "0.5", "1/2/3", "-1/2", "٣/4"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(FieldFault):
        fields.share(text)
