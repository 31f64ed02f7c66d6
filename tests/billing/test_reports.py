"""Reports against figures reckoned by hand, and their files read back."""

import csv
import io
import zipfile
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import msgspec
import pytest
from lxml import etree
from pypdf import PdfReader
from python_calamine import CalamineWorkbook

from kopeck.commands.reports import reports
from services.billing.reports.model import Column, Form, Report, ReportRefused, money, share, totals_of
from services.billing.reports.pages import ROWS_MAX, report_pdf
from services.billing.reports.reading import Terms, charges_report, collection_report, debts_report, list_periods
from services.billing.reports.texts import cell_for_people
from services.billing.reports.turnover import turnover_report
from services.billing.reports.values import report_csv
from services.billing.reports.workbook import report_xlsx
from services.billing.saldo.sheet import Level
from services.billing.saldo.windows import find_provider
from tests.billing.saldo_town import DECEMBER, NOVEMBER, OCTOBER, SaldoTown, december, november, saldo_town
from tests.conftest import LedgerDatabase
from tests.scenarios.test_explain import Commands

MADE_ON = date(2026, 12, 31)
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SaldoTown]:
    """Both months of ``saldo_town``."""
    async with saldo_town(ledger_database) as made:
        await november(made)
        await december(made)
        yield made


async def terms(town: SaldoTown, period: int) -> Terms:
    return Terms(provider=await find_provider(town.services, "УО"), code="УО", period=period)


def long_report(rows: int) -> Report:
    columns = (Column(title="дом"), money("долг"), Column(title="доля", form=Form.PERCENT))
    made = [(f"дом {number}", number * 100, 1_000) for number in range(rows)]
    return Report(title="Долгий отчёт", notes=("первый",), columns=columns, rows=tuple(made), totals=totals_of(columns, made))


def words(pdf: bytes) -> list[str]:
    """The text of each page, spaces of every kind made one."""
    return [" ".join(page.extract_text().replace("\u202f", " ").split()) for page in PdfReader(io.BytesIO(pdf)).pages]


async def test_the_turnover_sheet(town: SaldoTown) -> None:
    report = await turnover_report(town.services, await terms(town, DECEMBER), Level.TOTAL)
    titles = [column.title for column in report.columns]
    row = dict(zip(titles, report.rows[0], strict=True))
    assert (row["долг на начало"], row["аванс на начало"]) == (35_150, 2_000)
    assert (row["начислено"], row["за прошлые месяцы"], row["оплачено"]) == (16_000, 700, 13_000)
    assert row["отменено и возвращено"] == 10_500
    assert row["долг на конец"] - row["аванс на конец"] == 47_350
    services = await turnover_report(town.services, await terms(town, NOVEMBER), Level.SERVICE)
    assert services.rows[0][:4] == ("УО", "ТЕПЛО", "heating", "")
    assert dict(zip(titles[1:], services.totals[4:], strict=True))["долг на конец"] == 35_150
    assert "личный" not in str(services) and "uo:1" not in str(services)


async def test_charges_and_collection(town: SaldoTown) -> None:
    by_service = await charges_report(town.services, await terms(town, NOVEMBER), "service")
    assert {row[0]: row[-1] for row in by_service.rows} == {"capital_repair": 3_000, "heating": 21_000, "maintenance": 16_150}
    assert by_service.totals[-1] == 40_150
    by_supplier = await charges_report(town.services, await terms(town, NOVEMBER), "supplier")
    assert {row[0]: row[1] for row in by_supplier.rows} == {"ТЕПЛО": 21_000, "УО": 16_000, "ФКР": 3_000}
    collected = await collection_report(town.services, await terms(town, DECEMBER), NOVEMBER, "supplier")
    assert collected.rows[0] == ("ТЕПЛО", "11.2026", 21_000, 15_000, 7_143)
    assert collected.totals == ("Итого", None, 56_850, 34_500, 6_069)
    assert collected.chart is not None
    assert [series.values for series in collected.chart.series] == [(40_150, 16_700), (32_000, 2_500)]


async def test_debts_by_age(town: SaldoTown) -> None:
    on_november = await debts_report(town.services, await terms(town, NOVEMBER))
    by_kind = {row[:2]: row[2:] for row in on_november.rows}
    assert by_kind["УО", "основной долг"] == (32_000, 700, 0, 0, 0, 0, 0, 32_700)
    assert by_kind["УО", "пени"] == (0, 150, 0, 0, 0, 0, 0, 150)
    assert by_kind["ФКР", "основной долг"] == (3_000, 0, 0, 0, 0, 0, 0, 3_000)
    later = await debts_report(town.services, await terms(town, NOVEMBER), date(2030, 1, 1))
    assert later.totals[-4:] == (0, 14_000, 33_350, 47_350)
    by_house = await debts_report(town.services, await terms(town, NOVEMBER), by_house=True)
    assert by_house.rows[0][:3] == ("без дома", "УО", "основной долг")


async def test_a_workbook_is_read_back(town: SaldoTown) -> None:
    report = await collection_report(town.services, await terms(town, DECEMBER), NOVEMBER, "supplier")
    content = report_xlsx(report)
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    rows = book.get_sheet_by_name("Отчёт").to_python()
    head = rows.index([column.title for column in report.columns])
    assert rows[head + 1][2:] == [210.0, 150.0, 0.7143]
    total = rows[head + 1 + len(report.rows)]
    assert (total[0], total[2], total[3]) == ("Итого", 568.5, 345.0)
    assert book.get_sheet_by_name("Диаграмма").to_python()[1] == ["11.2026", 401.5, 320.0]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheet = etree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
        assert "xl/charts/chart1.xml" in archive.namelist()
    formulas = [element.text for element in sheet.iter(f"{SHEET}f")]
    assert formulas == [f"SUBTOTAL(109,{name}{head + 2}:{name}{head + 1 + len(report.rows)})" for name in "CD"]
    (pane,) = sheet.iter(f"{SHEET}pane")
    assert (pane.get("state"), pane.get("ySplit")) == ("frozen", str(head + 1))
    (setup,) = sheet.iter(f"{SHEET}pageSetup")
    assert setup.get("orientation") == "landscape"


def test_a_text_is_never_a_formula() -> None:
    columns = (Column(title="дом"), money("долг"))
    report = Report(title="Т", notes=(), columns=columns, rows=(("=1+1", -105), ("@дом", None)), totals=("Итого", -105))
    lines = list(csv.reader(io.StringIO(report_csv(report).decode("utf-8-sig")), delimiter=";"))
    assert lines == [["дом", "долг"], ["'=1+1", "-1,05"], ["'@дом", ""], ["Итого", "-1,05"]]
    assert report_csv(report)[:3] == b"\xef\xbb\xbf" and report_csv(report, with_mark=False)[:2] == "д".encode()
    rows = CalamineWorkbook.from_filelike(io.BytesIO(report_xlsx(report))).get_sheet_by_index(0).to_python()
    assert [cell for row in rows for cell in row if str(cell).startswith(("=", "@"))] == ["=1+1", "@дом"]


def test_pages_carry_their_totals() -> None:
    pages = words(report_pdf(long_report(100), MADE_ON))
    assert len(pages) == 3
    for number, page in enumerate(pages, start=1):
        assert f"страница {number} из {len(pages)}" in page
    assert "Перенесено" not in pages[0] and "К переносу" in pages[0]
    carried = pages[0].partition("К переносу ")[2].partition(" дом")[0].split(" Долгий")[0]
    assert f"Перенесено {carried}" in pages[1]
    assert "Итого 4 950,00" in pages[-1] and "К переносу" not in pages[-1]
    assert all(f"дом {number} " in " ".join(pages) for number in range(100))


async def test_a_page_with_a_chart(town: SaldoTown) -> None:
    report = await debts_report(town.services, await terms(town, NOVEMBER))
    (page,) = words(report_pdf(report, MADE_ON))
    for text in ("Задолженность по срокам на 30.11.2026", "Долг по срокам", "до 1 мес.", "358,50", "страница 1 из 1"):
        assert text in page
    assert "более 3 лет 0,00" not in page
    assert report_pdf(report, MADE_ON) == report_pdf(report, MADE_ON)


def test_what_cannot_be_written_is_said() -> None:
    with pytest.raises(ReportRefused, match="не печатают"):
        report_pdf(long_report(ROWS_MAX + 1), MADE_ON)
    with pytest.raises(ReportRefused, match="позже"):
        list_periods(DECEMBER, NOVEMBER)
    with pytest.raises(ReportRefused, match="больше 60"):
        list_periods(202001, 202512)
    assert list_periods(OCTOBER, 202702) == [202610, 202611, 202612, 202701, 202702]
    assert (share(1, 3), share(2, 3), share(1, 0)) == (3_333, 6_667, None)
    assert [cell_for_people(share(part, 200), Form.PERCENT) for part in (-1, 201)] == ["-0,50 %", "100,50 %"]


@pytest.fixture
def commands(ledger_database: LedgerDatabase) -> Commands:
    return Commands(ledger_database)


async def test_reports_as_they_are_typed(town: SaldoTown, commands: Commands, tmp_path: Path) -> None:
    shown = await commands.text(reports, "turnover", "2026-11", "--provider", "УО", "--level", "creditor")
    for text in ("Оборотно-сальдовая ведомость за ноябрь 2026", "долг на конец", "351,50", "Итого"):
        assert text in shown.replace("\u202f", " ")
    outs = [str(tmp_path / name) for name in ("a.xlsx", "a.csv", "a.pdf")]
    given = [part for out in outs for part in ("--out", out)]
    for arguments in (
        ("turnover", "2026-12"),
        ("charges", "2026-12"),
        ("collection", "2026-12", "--since", "2026-11"),
        ("debts", "2026-12"),
        ("readings", "2026-12"),
    ):
        told = await commands.text(reports, *arguments, "--provider", "УО", *given)
        assert told.split() == outs
        assert (tmp_path / "a.pdf").read_bytes()[:5] == b"%PDF-"
    told_json = msgspec.json.decode(await commands.text(reports, "charges", "2026-11", "--provider", "УО", "--json"))
    assert told_json["totals"][-1] == 40_150
    for wrong, words_of in (
        (("turnover", "2026-13", "--provider", "УО"), "ГГГГ-ММ"),
        (("turnover", "2026-11", "--provider", "нет"), "организации нет нет"),
        (("debts", "2026-11", "--provider", "УО", "--day", "завтра"), "ГГГГ-ММ-ДД"),
        (("charges", "2026-11", "--provider", "УО", "--out", "отчёт.doc"), ".xlsx, .csv или .pdf"),
        (("charges", "2026-11", "--provider", "УО", "--out", str(tmp_path / "нет" / "a.csv")), "файл не записан"),
        (("collection", "2026-11", "--since", "2026-12", "--provider", "УО"), "начало периода"),
    ):
        refused = await commands.run(reports, *wrong)
        assert refused.exit_code == 2 and words_of in refused.output, refused.output
