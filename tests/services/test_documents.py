"""Payment documents of the database: a published run printed, read back, and held to what was published."""

import io
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest
import zxingcpp
from PIL import Image
from pypdf import PdfReader

from connectors.payment_qr import read_payment_qr
from kopeck.commands.documents import documents
from schemas.payment_document import PaymentDocument
from services.billing.papers.assembling import assemble_document
from services.billing.papers.companies import load_banks, load_contacts
from services.billing.papers.reading import read_papers
from services.billing.papers.rows import PaperTerms, Unprintable, natural
from services.billing.runs.keeping import RunRefused
from services.paper.payment_document import DocumentPrinter
from services.requisites import account_key_is_valid
from tests.conftest import LedgerDatabase
from tests.services.desk import Desk
from tests.services.housing_town import SEALER
from tests.services.paper_town import ANNA, PAPERS, PaperTown

FIRST, SECOND, THIRD = "epd:0001001", "epd:0001002", "epd:0001003"
MICRO = 1_000_000


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> AsyncIterator[PaperTown]:
    """October and November published; a part of October paid before November was."""
    owner = await asyncpg.connect(ledger_database.owner_dsn)
    made = PaperTown(ledger_database, desk, owner)
    await made.load()
    await made.publish("2026-10", 1)
    await made.pay("0001001", 100_000)
    await made.publish("2026-11", 2)
    yield made
    await owner.close()


async def papers(town: PaperTown, **terms: object) -> dict[str, PaymentDocument | str]:
    """Documents, or why there are none, by account."""
    found: dict[str, PaymentDocument | str] = {}
    async for assembled in read_papers(town.desk.connection, msgspec.convert({"run": 2} | terms, PaperTerms)):
        found |= {one.account: one.reason for one in assembled.unprintable}
        for rows in assembled.rows:
            made = assemble_document(rows)
            found[rows.document.account_name] = made.reason if isinstance(made, Unprintable) else made
    return found


async def paper(town: PaperTown, account: str, **terms: object) -> PaymentDocument:
    """One document, which must be printable."""
    made = (await papers(town, **terms))[account]
    assert isinstance(made, PaymentDocument), made
    return made


async def test_a_document_says_what_was_published_and_how_it_came_about(town: PaperTown) -> None:
    document = await paper(town, FIRST)
    (published,) = await town.desk.connection.fetch(PAPERS["published"], 2, "0001001")
    assert sum(one.due_kopecks for one in document.sections) == published["main"] and published["capital_repair"] is None
    ours, heat, light = document.sections
    assert (ours.title, heat.title) == ("Жильё и коммунальные услуги", "Прямой договор: АО «Тепло»")
    assert (ours.debt_kopecks, ours.paid_kopecks) == (published["main_before"] - light.debt_kopecks, 100_000 - light.paid_kopecks)
    assert heat.lines[0].amount_kopecks == heat.charged_kopecks == heat.due_kopecks
    cold, hot, warmth, *_ = ours.lines
    assert (cold.title, cold.volume, cold.price, cold.volume_source) == (
        "Холодное водоснабжение",
        4 * MICRO,
        48_170_000,
        "по прибору",
    )
    assert (cold.amount_kopecks, cold.recalculated_kopecks, cold.payee) == (192_68, -1_73, "МУП «Водоканал»")
    assert (hot.raised_coefficient, warmth.title, warmth.unit) == (
        1_500_000,
        "Горячее водоснабжение: тепловая энергия",
        "Гкал",
    )
    assert [(one.title, one.cause) for one in document.recalculations] == [
        ("Холодное водоснабжение", "перерыв сверх допустимого, акт А-1")
    ]
    assert document.history == ((202610, published["charged_before"]),)
    assert (document.address, document.flat, document.izhku) == ("г. Тверь, ул. Мира, д. 5", "1", "75DA000001-01")
    assert (document.area, document.registered, document.owners, document.payer) == (54_300_000, 3, 2, "И****в И. И.")


async def test_meters_and_volumes_of_the_house_stand_on_it(town: PaperTown) -> None:
    document = await paper(town, FIRST)
    cold = document.meters[0]
    assert (cold.number, cold.previous, cold.current, cold.consumed) == ("111", 118 * MICRO, 122 * MICRO, 4 * MICRO)
    assert [meter.title for meter in document.meters[1:]] == ["Электроснабжение, день", "Электроснабжение, ночь"]
    volumes = {line.title: (line.meter, line.individual) for line in document.house}
    assert volumes["Отопление"][0] == 12_500_000 and volumes["Холодное водоснабжение"][1] > 4 * MICRO
    third = await paper(town, THIRD)
    assert third.house == document.house and third.meters[0].number == "222"


async def test_codes_of_the_printed_page_ask_for_the_sections_sums(town: PaperTown) -> None:
    out = town.desk.folder / "one.pdf"
    await town.commands.text(documents, "print", "2", "--account", FIRST, "--out", str(out), "--processes", "1")
    document = await paper(town, FIRST)
    text = " ".join(" ".join(page.extract_text().split()) for page in PdfReader(out).pages)
    assert "Платёжный документ за ноябрь 2026 г." in text and "Аварийно-диспетчерская служба: +7 482 200-00-01" in text
    picture = Image.open(io.BytesIO(DocumentPrinter().pictures(document)[0])).convert("L")
    codes = [
        read_payment_qr(code.bytes, account_key_is_valid)
        for code in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    ]
    assert {code.amount_kopecks for code in codes} == {one.due_kopecks for one in document.sections}
    assert {(code.personal_account, str(code.period), dict(code.others)["TechCode"]) for code in codes} == {
        ("0001001", "2026-11-01", "02")
    }


async def test_a_house_is_one_file_in_the_order_of_delivery(town: PaperTown) -> None:
    folder = town.desk.folder / "out"
    told = await town.commands.text(documents, "print", "2", "--one-file-a-house", "--out", str(folder), "--processes", "1")
    assert "документов 3, не напечатано 0" in told
    (file,) = folder.iterdir()
    pages = [page.extract_text() for page in PdfReader(file).pages]
    heads = [page for page in pages if "Платёжный документ за" in page]
    assert [next(name for name in ("0001001", "0001002", "0001003") if name in page) for page in heads] == [
        "0001001",
        "0001002",
        "0001003",
    ]
    assert "01: документов 3" in await town.commands.text(documents, "show", "2")
    shown = await town.commands.text(documents, "show", "2", "--account", SECOND)
    assert "Фонд капремонта" in shown and "Капитальный ремонт" in shown


async def test_what_is_not_what_was_published_is_not_printed(town: PaperTown) -> None:
    account = await town.owner.fetchval(PAPERS["account"], "epd", "0001001")
    await town.owner.execute(PAPERS["spoil_charge"], account, 202611)
    assert "по расчёту" in str((await papers(town))[FIRST])
    await town.owner.execute(PAPERS["mend_charge"], account, 202611)
    await town.owner.execute(PAPERS["spoil_charge"], account, 202610)
    found = await papers(town)
    assert "опубликовано к оплате" in str(found[FIRST]) and isinstance(found[SECOND], PaymentDocument)
    printed = await town.commands.run(documents, "print", "2", "--out", str(town.desk.folder / "x.pdf"), "--processes", "1")
    assert printed.exit_code == 1 and "документов 2, не напечатано 1" in printed.output
    await town.owner.execute(PAPERS["forget_bank"], "044525593")
    assert "БИК 044525593) не загружен" in str((await papers(town))[THIRD])
    await town.owner.execute(PAPERS["forget_approval"], "fund")
    assert "fund нет утверждённых реквизитов" in str((await papers(town))[SECOND])


async def test_a_document_printed_later_says_the_same(town: PaperTown) -> None:
    before = await paper(town, FIRST)
    await town.pay("0001001", 300_000)
    await town.publish("2026-12", 3)
    assert await paper(town, FIRST) == before
    later = await paper(town, FIRST, run=3)
    assert sum(one.paid_kopecks for one in later.sections) == 300_000
    assert sum(one.debt_kopecks for one in later.sections) == sum(one.due_kopecks for one in before.sections)


async def test_a_corrected_document_says_so_and_the_first_is_not_printed_any_more(town: PaperTown) -> None:
    await town.meters.give("C2", ("2026-11-20", "7"))
    await town.meters.load_facts("house-volumes", "house,service,resource,period,volume,price\n01,heating,,2026-11,14,\n")
    await town.publish("2026-11", 3)
    assert (await papers(town))[FIRST] == "заменён документом 0001001-202611/2"
    corrected = await paper(town, FIRST, run=3)
    assert corrected.notices == ("Исправленный документ: заменяет № 0001001-202611.",)
    assert corrected.number == "0001001-202611/2" and corrected.history[0][0] == 202610


async def test_full_names_are_unsealed_only_when_asked_for(town: PaperTown) -> None:
    assert (await paper(town, FIRST)).payer == "И****в И. И."
    found: dict[str, PaymentDocument | Unprintable] = {}
    async for assembled in read_papers(town.desk.connection, PaperTerms(run=2, sealer=SEALER)):
        found |= {rows.document.account_name: assemble_document(rows) for rows in assembled.rows}
    whole, part = found[FIRST], found[THIRD]
    assert isinstance(whole, PaymentDocument) and whole.payer == "Иванов Иван Иванович"
    assert isinstance(part, PaymentDocument) and "Иванов" not in part.payer


@pytest.mark.parametrize(
    ("terms", "reason"),
    [({"run": 9}, "расчёта 9 нет"), ({"house": "77"}, "нет документов дома 77"), ({"account": "epd:none"}, "нет счёта epd:none")],
)
async def test_what_is_not_there_is_said_to_be_not_there(town: PaperTown, terms: dict[str, object], reason: str) -> None:
    with pytest.raises(RunRefused, match=reason):
        await papers(town, **terms)


BAD = [
    ("bic,name,correspondent_account\n044525225,Банк,30101810400000000226\n", "не подходит к БИК"),
    ("bic,name,correspondent_account\n1,Банк,30101810400000000225\n", "строка 2: нужны БИК"),
    ("bic,name\n", "от 1 до"),
    ("name,account\nx,y\n", "колонки файла: bic"),
    ("bic,name,correspondent_account\n044525225,А,30101810400000000225,x\n", "лишние колонки"),
]


@pytest.mark.parametrize(("content", "reason"), BAD)
async def test_a_bad_file_of_banks_loads_nothing(desk: Desk, content: str, reason: str) -> None:
    path = desk.folder / "banks.csv"
    path.write_text(content, "utf-8")
    with pytest.raises(RunRefused, match=reason):
        await load_banks(desk.connection, path, ANNA)


async def test_contacts_of_nobody_are_refused(desk: Desk) -> None:
    path = desk.folder / "contacts.csv"
    path.write_text("code,phones\nnobody,1\n", "utf-8")
    with pytest.raises(RunRefused, match="nobody"):
        await load_contacts(desk.connection, path, ANNA)


def test_flats_are_counted_as_people_count() -> None:
    assert sorted(["10", "2", "9а", "9", "офис 2", "1"], key=natural) == ["офис 2", "1", "2", "9", "9а", "10"]
