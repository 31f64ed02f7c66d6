"""The dated tables of receipts: what the migration seeds is the law said a second time, and loads change it by new rows."""

from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import pytest

from ledger.statements import load_statements
from schemas.allocation import PayerKind
from schemas.channel import LegalKind
from schemas.receipt import AgentKind, PaymentMethod, PaymentObject, Vat
from services.fiscal.core.reference import Deadline, Form, Issues, NoReceipt, Relation
from services.fiscal.registers import fetch_reference
from services.reference.faults import FaultyFile
from tests.conftest import LedgerDatabase
from tests.core.receipt_town import ADVANCE, COSTS, DECISIONS, PENALTY, PRINCIPAL, START
from tests.services.desk import Desk
from tests.services.fiscal_town import COMPANIES, SQL, FiscalTown, open_town

LATER = date(2027, 1, 1)
LOOKUPS = load_statements("services/fiscal/lookups.sql")


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk) -> AsyncIterator[FiscalTown]:
    built = await open_town(ledger_database, desk)
    yield built
    await built.owner.close()


async def test_the_seeded_decisions_are_the_laws(desk: Desk) -> None:
    assert (await fetch_reference(desk.connection)).decisions == DECISIONS
    assert len(DECISIONS) == (len(LegalKind) + 1) * len(Relation) * len(PayerKind) * len(Form)


async def test_items_and_rates_are_seeded(desk: Desk) -> None:
    reference = await fetch_reference(desk.connection)
    rules = {kind: (row[0].method, row[0].subject) for kind, row in reference.items.items()}
    assert rules == {
        PRINCIPAL: (PaymentMethod.FULL_PAYMENT, PaymentObject.SERVICE),
        PENALTY: (PaymentMethod.FULL_PAYMENT, PaymentObject.SERVICE),
        COSTS: (PaymentMethod.FULL_PAYMENT, PaymentObject.NON_OPERATING_GAIN),
        ADVANCE: (PaymentMethod.ADVANCE, PaymentObject.PAYMENT),
    }
    assert reference.vat_of(1, "penalty", PENALTY, 202610) is Vat.NONE
    assert reference.service_at("heating", START).title == "Отопление"


async def test_a_rate_changes_by_a_dated_row(town: FiscalTown) -> None:
    reference = await fetch_reference(town.services)
    uk = next(number for number, known in reference.recipients.items() if known.code == "uk")
    assert [reference.vat_of(uk, "maintenance", PRINCIPAL, period) for period in (202512, 202601)] == [Vat.VAT20, Vat.VAT22]
    assert reference.vat_of(uk, "heating", PRINCIPAL, 202610) is Vat.NONE


async def test_a_decision_changes_by_a_dated_row(town: FiscalTown) -> None:
    header = "valid_from,legal_kind,relation,payer_kind,form,issues,reason,deadline,source\n"
    await town.load("decisions", header + "2027-01-01,bank,own,person,association,creditor,,at_once,закон № 1\n")
    reference = await fetch_reference(town.services)
    key = (LegalKind.BANK, Relation.OWN, PayerKind.PERSON, Form.ASSOCIATION)
    assert reference.decision_at(key, date(2026, 12, 31)).reason is NoReceipt.ASSOCIATION
    after = reference.decision_at(key, LATER)
    assert (after.issues, after.reason, after.deadline) == (Issues.CREDITOR, None, Deadline.AT_ONCE)


async def test_agencies_titles_and_item_rules_are_loaded(town: FiscalTown) -> None:
    agency = "agent,principal,valid_from,valid_to,mark,principal_phone\nuk,heat,2026-01-01,2026-12-31,attorney,+78001000000\n"
    await town.load("agencies", agency)
    await town.load("services", "service,valid_from,title,measure\nheating,2027-01-01,Тепло,51\n")
    await town.load("item_rules", "kind,valid_from,method,subject,source\npenalty,2027-01-01,full_payment,non_operating_gain,x\n")
    reference = await fetch_reference(town.services)
    code = {known.code: number for number, known in reference.recipients.items()}
    contract = reference.agency_at(code["uk"], code["heat"], date(2026, 12, 31))
    assert contract is not None and (contract.mark, contract.principal_phone) == (AgentKind.ATTORNEY, "+78001000000")
    assert reference.agency_at(code["uk"], code["heat"], LATER) is None
    assert [reference.service_at("heating", day).measure for day in (date(2026, 12, 31), LATER)] == [0, 51]
    assert reference.item_at(PENALTY, LATER).subject is PaymentObject.NON_OPERATING_GAIN


async def test_an_agent_lists_its_principal_marked(town: FiscalTown) -> None:
    await town.load("agencies", "agent,principal,valid_from,mark,principal_phone\nuk,water,2026-01-01,another,+78001000000\n")
    await town.pay("1001", 550_000)
    await town.take()
    (receipt,) = await town.receipts()
    assert (receipt["issuer_code"], receipt["total"]) == ("uk", 550_000)
    assert b'"agent":"another"' in receipt["content"] and "МУП «Водоканал»".encode() in receipt["content"]


async def test_loading_counts_what_is_new_and_what_is_changed(town: FiscalTown) -> None:
    assert (await town.load("companies", COMPANIES)).already_loaded
    changed = (
        COMPANIES.replace("https://uk.example.ru", "https://new.example.ru") + "fund,2026-01-01,osn,1.2,a,a@b.ru,atol:fund\n"
    )
    report = await town.load("companies", changed)
    assert (report.rows, report.added, report.changed, report.unchanged) == (3, 1, 1, 1)


BAD = [
    ("companies", "recipient,valid_from,tax_system,format\nnobody,2026-01-01,osn,1.2\n", "recipient", "is not loaded"),
    ("companies", "recipient,valid_from,tax_system,format\nfund,2026-01-01,osn,1.2\n", "payment_address", "is required"),
    ("companies", "recipient,valid_from,tax_system,format\nfund,2026-01-01,envd,1.2\n", "tax_system", "expected one of: osn"),
    ("vat", "recipient,period_from,rate\nfund,2026-01,vat122\n", "rate", "expected one of: none"),
    ("vat", "recipient,period_from,rate\nfund,2026-01,none\nfund,2026-01,vat0\n", "line", "repeats line 2"),
    ("agencies", "agent,principal,valid_from,mark\nuk,uk,2026-01-01,another\n", "principal", "is the agent itself"),
    ("agencies", "agent,principal,valid_from,mark,principal_phone\nuk,heat,2026-01-01,another,8800\n", "principal_phone", "+7"),
    ("contacts", "namespace,number,contact\nepd,9999,a@b.ru\n", "number", "is no personal account"),
    ("contacts", "namespace,number,contact\nepd,1001,somebody\n", "contact", "expected an e-mail"),
    ("contacts", "namespace,number,contact\nepd,1001,+79\n", "contact", "expected a phone"),
    ("services", f"service,valid_from,title\ngas,2026-01-01,{'Г' * 101}\n", "title", "at most 100"),
    (
        "decisions",
        "valid_from,legal_kind,relation,payer_kind,form,issues,source\n2027-01-01,bank,own,person,ordinary,nobody,x\n",
        "reason",
        "is required",
    ),
    (
        "decisions",
        "valid_from,legal_kind,relation,payer_kind,form,issues,source\n2027-01-01,bank,own,person,ordinary,contract_agent,x\n",
        "issues",
        "stands for the relation agency",
    ),
]


async def test_faulty_files_change_nothing_and_show_no_contact(town: FiscalTown) -> None:
    before = await fetch_reference(town.services)
    for what, content, field, message in BAD:
        with pytest.raises(FaultyFile) as caught:
            await town.load(what, content)
        assert [fault.field for fault in caught.value.faults][:1] == [field], what
        assert message in str(caught.value) and "somebody" not in str(caught.value)
    assert await fetch_reference(town.services) == before


async def test_readers_see_no_contacts(town: FiscalTown, ledger_database: LedgerDatabase) -> None:
    reader = await asyncpg.connect(ledger_database.reader_dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.fetch(SQL["read_contacts"])
        assert len((await fetch_reference(reader)).recipients) == 4
    finally:
        await reader.close()


@pytest.mark.parametrize(
    ("statement", "arguments", "index"),
    [
        ("list_by_payment", ("feed", "op-1"), "receipt_once"),
        ("list_by_account", ("epd", "1001", 10), "receipt_account"),
        ("list_by_sign", ("1", "", ""), "sign_by_fpd"),
        ("list_stopped", ([0, 3, 4], 10), "stopped"),
        ("list_omissions", ("feed", "op-1"), "no_receipt_key"),
    ],
)
async def test_receipts_are_looked_up_by_index(desk: Desk, statement: str, arguments: tuple[object, ...], index: str) -> None:
    await desk.connection.execute(SQL["prefer_indexes"])
    rows = await desk.connection.fetch(f"{SQL['explain']} {LOOKUPS[statement]}", *arguments)
    plan = "\n".join(row[0] for row in rows)
    assert index in plan and "Seq Scan on receipt" not in plan and "Seq Scan on sign" not in plan
