"""1CClientBankExchange: the orders' file byte for byte, statements of real banks' habits, and the bank client's exchange."""

from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.bank_folder import file_order_key
from connectors.statements.exchange_1c import Exchange1CError, decode_exchange, read_exchange, spelt_1251
from connectors.statements.source import StatementUnread
from connectors.transfers.client_bank import ClientBank, ClientBankSettings, file_name
from connectors.transfers.orders_1c import UnwritableOrder, write_orders
from connectors.transfers.signing import Signed, SigningFailed
from connectors.transfers.statement import Statement, executed_by
from connectors.transfers.statement import read_orders_file as read_statement
from schemas.delivery import Accepted, Answer, Closed, Done, NotTaken, Refused, Unknown
from schemas.exchange import ExchangeFailed, HttpAnswer
from schemas.statement import StatementUnbelieved
from schemas.transfer import TransferState
from tests.connectors.transfer_desk import (
    BUDGET,
    CREDIT,
    DAY,
    HEAT,
    TRANSIT,
    Clock,
    Stage,
    Told,
    batch_of,
    outgoing,
    report_of,
    sign,
    transfer,
)

GOLDEN = Path(__file__).parent / "golden" / "1c_to_kl.txt"
BATCH = batch_of(transfer(1), transfer(2, 5, budget=BUDGET, code="18801050123456789017"))
SETTINGS = ClientBankSettings(
    folder_url="http://127.0.0.1:1/folder",
    statement_url="http://127.0.0.1:1/statement?account={account}&from={from}&to={to}",
    poll_ms=2_000,
)


def test_the_file_is_the_golden_one_in_cp1251_with_crlf() -> None:
    written = write_orders(BATCH)
    assert written == GOLDEN.read_bytes()
    assert written.startswith(b"1CClientBankExchange\r\n") and written.endswith("КонецФайла\r\n".encode("cp1251"))
    assert written.count(b"\n") == written.count(b"\r\n")


def test_orders_come_back_with_their_fields() -> None:
    file = read_exchange(write_orders(BATCH))
    assert file.header["ВерсияФормата"] == "1.03" and file.header["Кодировка"] == "Windows"
    assert file.accounts == (TRANSIT,) and file.kinds == ("Платежное поручение",)
    plain, budget = file.documents
    assert (plain.get("Номер"), plain.get("Дата"), plain.get("Сумма")) == ("1", "24.11.2026", "4321.50")
    assert plain.get("ПолучательСчет") == HEAT.account and plain.get("НазначениеПлатежа") == BATCH.transfers[0].purpose
    assert plain.get("Код") == "0" and "СтатусСоставителя" not in plain.values
    assert budget.get("СтатусСоставителя") == "01" and budget.get("Сумма") == "0.05"
    block = ("ПоказательКБК", "ОКАТО", "ПоказательОснования", "ПоказательПериода", "ПоказательНомера", "ПоказательДаты")
    assert all(budget.get(key) for key in (*block, "ПоказательТипа", "ПлательщикКПП", "ПолучательКПП"))


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("«Тепло» — „да“ – 5 %", "«Тепло» — „да“ – 5 %"),
        ("1\u202f000 ₽", "1 000 руб."),
        ("а‑б−в", "а-б-в"),
        ("СНТ\u00a0№\u00a05", "СНТ\u00a0№\u00a05"),
        ("пере\u00adнос\u200b", "перенос"),
    ],
)
def test_letters_that_cp1251_lacks_are_spelt_otherwise(text: str, spelt: str) -> None:
    assert spelt_1251(text) == spelt


@pytest.mark.parametrize("text", ["你好", "é", "м²", "a\nb"])
def test_letters_without_another_spelling_are_refused_not_replaced(text: str) -> None:
    with pytest.raises(Exchange1CError, match=r"U\+|several lines"):
        spelt_1251(text)


def test_a_purpose_that_grows_over_its_limit_when_spelt_is_refused() -> None:
    with pytest.raises(UnwritableOrder, match="transfer 1: the purpose has 213"):
        write_orders(batch_of(transfer(1, purpose="я" * 209 + "₽")))


@given(st.text(st.characters(codec="cp1251", exclude_categories=["Cc"]), min_size=1, max_size=160).filter(str.strip))
def test_any_name_of_cp1251_comes_back(name: str) -> None:
    batch = batch_of(transfer(1, payee=msgspec.structs.replace(HEAT, name=name)))
    read = read_exchange(write_orders(batch)).documents[0].values
    assert read["Получатель"] == read["Получатель1"] == spelt_1251(name)


STATEMENT = """1CClientBankExchange
ВерсияФормата=1.03
Кодировка=Windows
Отправитель=Банк
Получатель=
ДатаНачала=23.11.2026
ДатаКонца=24.11.2026
РасчСчет=40911810101850000000
СекцияРасчСчет
ДатаНачала=24.11.2026
ДатаКонца=24.11.2026
РасчСчет=40911810101850000000
НачальныйОстаток=1200.5
ВсегоПоступило=0
ВсегоСписано=700
КонечныйОстаток=500.50
КонецРасчСчет
СекцияРасчСчет
ДатаНачала=23.11.2026
ДатаКонца=23.11.2026
РасчСчет=40911810101850000000
НачальныйОстаток=0
ВсегоПоступило=1200.50
ВсегоСписано=
КонечныйОстаток=1200.50
КонецРасчСчет
СекцияДокумент=Платежное поручение
Номер=77
Дата=23.11.2026
Сумма=1200.50
ПлательщикСчет=30232810500000000001
ПлательщикИНН=7728168971
ПолучательСчет=40911810101850000000
ДатаПоступило=23.11.2026
НазначениеПлатежа=Покрытие по реестру № 8,
НДС = не облагается;
КонецРасчета отдельно
КонецДокумента
СекцияДокумент=Платежное поручение
Номер=000001
Дата=24.11.2026
Сумма=350
ПлательщикРасчСчет=40911810101850000000
ДатаСписано=24.11.2026
ПолучательСчет=40702810400000000002
ПолучательИНН=7707083893
НовыйКлючБанка=x
НазначениеПлатежа1=За тепло
НазначениеПлатежа2=по реестру 12
КонецДокумента
СекцияДокумент=Платежное поручение
Номер=000001
Дата=24.11.2026
Сумма=350
ПлательщикСчет=40911810101850000000
ДатаСписано=24.11.2026
ПолучательСчет=40702810400000000002
ПолучательИНН=7707083893
НазначениеПлатежа1=За тепло
НазначениеПлатежа2=по реестру 12
КонецДокумента
КонецФайла
"""
ENCODED = {
    "UTF-8 with LF, declared Windows": STATEMENT.encode(),
    "UTF-8 with a BOM": STATEMENT.encode("utf-8-sig"),
    "cp1251 with CRLF": STATEMENT.replace("\n", "\r\n").encode("cp1251"),
    "cp866 declared DOS": STATEMENT.replace("Windows", "DOS").replace("№", "N").encode("cp866"),
    "blank lines at the end": STATEMENT.encode() + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", ENCODED)
def test_a_statement_is_read_in_every_encoding_that_banks_send(name: str) -> None:
    read = read_statement(ENCODED[name], TRANSIT)
    assert (read.opening_kopecks, read.closing_kopecks, read.filtered) == (0, 50_050, False)
    credit, first, second = read.movements
    assert (credit.is_credit, credit.amount_kopecks, credit.day) == (True, 120_050, date(2026, 11, 23))
    assert (credit.counterparty_account, credit.counterparty_inn) == ("30232810500000000001", "7728168971")
    assert credit.purpose.endswith("НДС = не облагается; КонецРасчета отдельно")
    assert (first.is_credit, first.amount_kopecks, first.number, first.document_day) == (False, 35_000, "000001", DAY)
    assert first.counterparty_account == HEAT.account and first.purpose == "За тепло по реестру 12"
    assert first.bank_id != second.bank_id and first.bank_id[:-2] == second.bank_id[:-2]


def test_lines_have_the_same_identity_at_every_reading_and_in_every_encoding() -> None:
    ids = [
        tuple(one.bank_id for one in read_statement(body, TRANSIT).movements)
        for name, body in ENCODED.items()
        if "cp866" not in name
    ]
    assert len(set(ids)) == 1


def test_a_filtered_file_is_taken_and_flagged() -> None:
    body = STATEMENT.replace(
        "РасчСчет=40911810101850000000\nСекция", "РасчСчет=40911810101850000000\nДокумент=Платежное поручение\nСекция", 1
    )
    body = body.replace("Сумма=1200.50", "Сумма=1200.49")
    assert read_statement(body.encode(), TRANSIT).filtered


def test_an_order_that_is_not_executed_yet_is_no_movement() -> None:
    changes = {
        "Номер=77": "Номер=78\nКвитанцияСодержание=принято",
        "ДатаПоступило=23.11.2026": "ДатаПоступило=",
        "ВсегоПоступило=1200.50": "ВсегоПоступило=0",
        "КонечныйОстаток=1200.50": "КонечныйОстаток=0",
        "НачальныйОстаток=1200.5\n": "НачальныйОстаток=0\n",
        "КонечныйОстаток=500.50": "КонечныйОстаток=-700.00",
    }
    pending = STATEMENT
    for old, new in changes.items():
        pending = pending.replace(old, new)
    read = read_statement(pending.encode(), TRANSIT)
    assert len(read.movements) == 2 and read.closing_kopecks == -70_000


TRAPS = [
    (("1CClientBankExchange\n", "1CClientBank\n"), "first line"),
    (("КонецФайла\n", ""), "cut short"),
    (("КонецДокумента\nКонецФайла", "КонецФайла"), "not closed"),
    (("КонецДокумента\nСекция", "Секция"), "inside СекцияДокумент"),
    (("КонецРасчСчет\nСекцияДокумент", "КонецДокумента\nСекцияДокумент"), "which is not open"),
    (("КонечныйОстаток=500.50", "КонечныйОстаток=500.51"), "do not agree"),
    (("НачальныйОстаток=1200.5\n", "НачальныйОстаток=1200.6\n"), "do not agree"),
    (("Сумма=1200.50", "Сумма=1200.51"), "the lines make 120051"),
    (("Сумма=1200.50", "Сумма=1200,50"), "Сумма: expected roubles"),
    (("Сумма=1200.50", "Сумма="), "no sum"),
    (("Сумма=1200.50", "Сумма=-1200.50"), "no sum"),
    (("Номер=77", "Номер=77\nНомер=78"), "given twice"),
    (("ДатаПоступило=23.11.2026", "ДатаСписано=23.11.2026"), "of the other side"),
    (("ДатаПоступило=23.11.2026", "ДатаПоступило=2026-11-23"), "not a date"),
    (("ПлательщикСчет=30232810500000000001", "ПлательщикСчет=40911810101850000000"), "both sides"),
    (("Номер=77", "что-то"), "neither a key nor a section"),
    (("РасчСчет=40911810101850000000", "РасчСчет=40911810101850000001"), "not of this account"),
]


@pytest.mark.parametrize(("change", "reason"), TRAPS)
def test_a_statement_that_cannot_be_believed_is_refused_in_words(change: tuple[str, str], reason: str) -> None:
    assert change[0] in STATEMENT
    with pytest.raises(StatementUnbelieved, match=reason):
        read_statement(STATEMENT.replace(*change).encode(), TRANSIT)


def test_a_purpose_cannot_give_the_sum_anew() -> None:
    read = read_statement(STATEMENT.replace("НДС = не облагается;", "Сумма=9999999.00").encode(), TRANSIT)
    assert read.movements[0].amount_kopecks == 120_050 and "Сумма=9999999.00" in read.movements[0].purpose


@pytest.mark.parametrize("body", [STATEMENT.encode("koi8-r", "replace"), STATEMENT.encode("cp1251") + b"\x98"])
def test_an_unknown_or_broken_code_page_is_refused(body: bytes) -> None:
    with pytest.raises(Exchange1CError, match="code page"):
        decode_exchange(body)


@given(st.text(max_size=300))
def test_any_text_is_refused_in_words(text: str) -> None:
    with pytest.raises(Exchange1CError):
        read_exchange(f"1CClientBankExchange\n{text}\nx".encode("utf-8", "surrogatepass"))


def test_one_line_executes_one_order() -> None:
    order = transfer(1, 35_000)
    left = list(read_statement(STATEMENT.encode(), TRANSIT).movements)
    found = [executed_by(order, left) for _ in range(3)]
    assert [one is not None for one in found] == [True, True, False] and len(left) == 1
    for other in (transfer(2, 35_000), transfer(1, 35_001), transfer(1, 35_000, day=date(2026, 11, 23))):
        assert executed_by(other, list(read_statement(STATEMENT.encode(), TRANSIT).movements)) is None


def client(*answers: HttpAnswer | Exception) -> tuple[ClientBank, Told]:
    told = Told(*answers)
    return ClientBank(SETTINGS, told, sign, Clock()), told


CREATED, STATEMENT_ANSWER = HttpAnswer(status=201), HttpAnswer(status=200, body=STATEMENT.encode())
SENT: list[tuple[tuple[HttpAnswer | Exception, ...], type]] = [
    ((CREATED, CREATED), Accepted),
    ((CREATED, HttpAnswer(status=412)), Accepted),
    ((CREATED, HttpAnswer(status=401)), Closed),
    ((HttpAnswer(status=403),), Closed),
    ((HttpAnswer(status=500),), NotTaken),
    ((HttpAnswer(status=507),), NotTaken),
    ((ExchangeFailed("timed out", sent=True),), NotTaken),
    ((CREATED, ExchangeFailed("timed out", sent=True)), Unknown),
    ((CREATED, ExchangeFailed("no route", sent=False)), NotTaken),
    ((CREATED, HttpAnswer(status=500)), Unknown),
    ((CREATED, HttpAnswer(status=404)), NotTaken),
    ((CREATED, HttpAnswer(status=429)), NotTaken),
]


@pytest.mark.parametrize(("answers", "kind"), SENT)
async def test_what_leaving_a_file_means(answers: tuple[HttpAnswer | Exception, ...], kind: type) -> None:
    bank, told = client(*answers)
    answer = await bank.send(outgoing(BATCH))
    assert type(answer) is kind and [request.method for request in told.requests] == ["PUT"] * len(answers)


async def test_the_signature_is_left_before_the_file_and_reported() -> None:
    bank, told = client(CREATED, CREATED)
    report = report_of(await bank.send(outgoing(BATCH)))
    assert report.signer == "CN=Подписант песочницы" and report.signed_at is not None
    signature, file = told.requests
    assert signature.url == f"{file.url}.p7s" and file.url.endswith(file_name(BATCH))
    assert ("if-none-match", "*") in file.headers and file.body == GOLDEN.read_bytes()


async def test_a_batch_that_cp1251_cannot_write_is_refused_unsent() -> None:
    bank, told = client()
    answer = await bank.send(outgoing(batch_of(transfer(1, purpose="За 30 м²"))))
    assert isinstance(answer, Refused) and "U+00B2" in answer.reason and not told.requests


async def test_nothing_is_left_unsigned() -> None:
    async def broken(content: bytes) -> Signed:
        raise SigningFailed("no token")

    told = Told()
    answer = await ClientBank(SETTINGS, told, broken, Clock()).send(outgoing(BATCH))
    assert isinstance(answer, NotTaken) and not told.requests
    with pytest.raises(ValueError, match="signing command"):
        ClientBank(SETTINGS, told, None, Clock())


ASKED = batch_of(transfer(1, 35_000))
QUESTIONS: list[tuple[tuple[HttpAnswer | Exception, ...], str, type]] = [
    ((STATEMENT_ANSWER,), "", Done),
    ((HttpAnswer(status=500),), "", Unknown),
    ((HttpAnswer(status=200, body=b"x"),), "", Unknown),
    ((ExchangeFailed("timed out", sent=True),), "", Unknown),
]


@pytest.mark.parametrize(("answers", "reference", "kind"), QUESTIONS)
async def test_what_the_statement_means(answers: tuple[HttpAnswer | Exception, ...], reference: str, kind: type) -> None:
    bank, _ = client(*answers)
    assert type(await bank.ask(outgoing(ASKED, reference=reference))) is kind


async def ask_for(number: int, *answers: HttpAnswer | Exception, reference: str = "") -> Answer:
    bank, _ = client(STATEMENT_ANSWER, *answers)
    return await bank.ask(outgoing(batch_of(transfer(number, 35_000)), reference=reference))


async def test_an_order_that_is_not_on_the_statement_waits_or_is_a_persons() -> None:
    assert isinstance(await ask_for(9, reference="file"), Accepted)
    assert isinstance(await ask_for(9, HttpAnswer(status=200)), Accepted)
    lost = await ask_for(9, HttpAnswer(status=404))
    assert isinstance(lost, Unknown) and "look in the bank client" in lost.reason
    assert isinstance(await ask_for(9, ExchangeFailed("no route", sent=False)), Unknown)
    assert isinstance(await ask_for(9, HttpAnswer(status=403)), Closed)


async def test_after_ten_days_a_person_looks() -> None:
    clock = Clock()
    clock.pass_ms(11 * 86_400_000)
    late = ClientBank(SETTINGS, Told(STATEMENT_ANSWER), sign, clock)
    answer = await late.ask(outgoing(batch_of(transfer(9, 35_000)), reference="file"))
    assert isinstance(answer, Unknown) and "10 days after" in answer.reason


async def test_a_statement_is_read_as_a_source() -> None:
    bank, told = client(STATEMENT_ANSWER, HttpAnswer(status=503), HttpAnswer(status=200, body=b"<html>"))
    read = await bank.statement(TRANSIT, DAY)
    assert isinstance(read, Statement) and len(read.movements) == 3
    assert told.requests[0].url.endswith(f"account={TRANSIT}&from=2026-11-24&to=2026-11-24")
    busy, broken = await bank.statement(TRANSIT, DAY), await bank.statement(TRANSIT, DAY)
    assert isinstance(busy, StatementUnread) and busy.again and isinstance(broken, StatementUnread) and not broken.again


async def test_a_file_is_paid_through_the_sandbox_and_proven_by_its_statement() -> None:
    stage = Stage(delay_ms=500)
    stage.bank.credit(CREDIT, stage.clock())
    answer = await stage.deliver(ClientBank(SETTINGS, stage.exchange, sign, stage.clock), outgoing(BATCH))
    assert isinstance(answer, Done)
    assert [(one.state, one.bank_day) for one in report_of(answer).results] == [(TransferState.EXECUTED, DAY)] * 2
    assert stage.bank.books.effects == {file_order_key(TRANSIT, number, DAY): 1 for number in ("1", "2")}
