"""A town's fiscal tables by hand, and the law's table of decisions said a second time, for the pure tests of receipts."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import product

import msgspec

from ledger.chart import AccountKind, ledger_account
from ledger.core.account_facts import ChargeKind
from schemas.allocation import PayerKind
from schemas.channel import LegalKind
from schemas.journal import EntryKind
from schemas.receipt import (
    AgentKind,
    FiscalFormat,
    MeansOfPayment,
    PaymentMethod,
    PaymentObject,
    Receipt,
    TaxSystem,
    Vat,
)
from services.fiscal.core.decision import Decided, Entry, Known, Origin, Payer, decide_entry
from services.fiscal.core.reference import (
    AgencyRow,
    CompanyRow,
    Deadline,
    DecisionRow,
    Form,
    Issues,
    ItemRow,
    NoReceipt,
    Recipient,
    Reference,
    Relation,
    ServiceRow,
)
from services.fiscal.core.templates import Templates

START = date(2019, 7, 1)
DAY = date(2026, 11, 24)
EVENT_AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
RECORDED_AT = datetime(2026, 11, 24, 9, 30, 1, tzinfo=UTC)
ACCOUNT = 77
BOOK = 1

CODES = ("uk", "heat", "water", "fund", "tszh", "rent", "energo", "unset", "usn")
RECIPIENT = {code: number for number, code in enumerate(CODES, start=1)}
PAYEES = (
    ("uk", "maintenance"),
    ("heat", "heating"),
    ("water", "cold_water"),
    ("fund", "capital_repair"),
    ("tszh", "maintenance"),
    ("rent", "rent"),
    ("energo", "electricity"),
    ("unset", "gas"),
    ("usn", "intercom"),
    ("uk", "penalty"),
    ("heat", "penalty"),
    ("uk", "court_costs"),
    ("uk", "advance"),
    ("usn", "advance"),
    ("heat", "advance"),
    ("tszh", "advance"),
    ("uk", "unheard_of"),
)
PAYEE = {pair: number for number, pair in enumerate(PAYEES, start=1)}
CHANNEL = {kind: number for number, kind in enumerate(LegalKind, start=101)}
TITLES = {
    "maintenance": "Содержание жилья",
    "heating": "Отопление",
    "cold_water": "Холодная вода",
    "capital_repair": "Взнос на капитальный ремонт",
    "rent": "Плата за наём",
    "electricity": "Электроэнергия",
    "gas": "Газ",
    "intercom": "Домофон",
    "penalty": "Пени",
    "court_costs": "Судебные расходы",
    "advance": "ЖКУ",
}
PRINCIPAL, PENALTY, COSTS, ADVANCE = ChargeKind
NOBODY_FOR = {
    Form.ASSOCIATION: (Issues.NOBODY, NoReceipt.ASSOCIATION),
    Form.EXEMPT: (Issues.NOBODY, NoReceipt.EXEMPT),
}


def lawful(legal_kind: str, relation: Relation, payer: PayerKind, form: Form) -> tuple[Issues, NoReceipt | None]:
    """Who issues, by law.md 4.1 (54-ФЗ ст. 2 п. 9, 13; ФНС ЕД-4-20/15964@)."""
    if legal_kind in (LegalKind.PAYMENT_AGENT, LegalKind.BANK_PAYMENT_AGENT):
        return Issues.CHANNEL_AGENT, NoReceipt.CHANNEL_AGENT
    if legal_kind == LegalKind.ACQUIRER:
        if form is Form.EXEMPT:
            return NOBODY_FOR[form]
    elif payer is not PayerKind.PERSON:
        return Issues.NOBODY, NoReceipt.ORGANISATION
    elif form in NOBODY_FOR:
        return NOBODY_FOR[form]
    return (Issues.CONTRACT_AGENT if relation is Relation.AGENCY else Issues.CREDITOR), None


def decision_row(legal_kind: str, relation: Relation, payer: PayerKind, form: Form) -> DecisionRow:
    """A row of the table of decisions as the law has it; terms by law.md 4.2."""
    issues, reason = lawful(legal_kind, relation, payer, form)
    acquirer_or_agent = legal_kind in (LegalKind.ACQUIRER, LegalKind.PAYMENT_AGENT, LegalKind.BANK_PAYMENT_AGENT)
    exempt_person = form is Form.EXEMPT and payer is PayerKind.PERSON and legal_kind == LegalKind.ACQUIRER
    deadline = Deadline.AT_ONCE if acquirer_or_agent and not exempt_person else Deadline.NEXT_WORKING_DAY
    return DecisionRow(
        valid_from=START,
        issues=issues,
        reason=reason,
        means=MeansOfPayment.OFFSET if legal_kind == "house" else MeansOfPayment.CASHLESS,
        deadline=Deadline.TEN_DAYS_AFTER_MONTH if legal_kind == "house" else deadline,
        internet=legal_kind == LegalKind.ACQUIRER and not exempt_person,
    )


DECISIONS = {key: [decision_row(*key)] for key in product((*LegalKind, "house"), Relation, PayerKind, Form)}


def company(code: str, form: Form = Form.ORDINARY, format_: FiscalFormat = FiscalFormat.V12) -> CompanyRow:
    """A company's row."""
    return CompanyRow(
        valid_from=START,
        form=form,
        tax_system=TaxSystem.USN_INCOME if code == "usn" else TaxSystem.OSN,
        format=format_,
        payment_address="https://pay.example.ru",
        email=f"{code}@example.ru",
        operator=f"atol:{code}",
    )


def town_reference() -> Reference:
    """Nine recipients: ``unset`` is not configured, ``energo`` is a principal of ``uk``, ``tszh`` an association."""
    companies = {code: company(code) for code in CODES if code not in ("unset", "rent", "tszh", "heat")}
    companies |= {"tszh": company("tszh", Form.ASSOCIATION), "rent": company("rent", Form.EXEMPT)}
    companies["heat"] = company("heat", format_=FiscalFormat.V105)
    rates = {code: [(202601, Vat.VAT22), (0, Vat.VAT20)] for code in ("uk", "heat", "water", "energo")}
    rates |= {code: [(0, Vat.NONE)] for code in ("fund", "tszh", "rent")} | {"usn": [(0, Vat.VAT5)]}
    vats = {(RECIPIENT[code], "", int(PRINCIPAL)): rows for code, rows in rates.items()}
    vats |= {(RECIPIENT["uk"], service, int(PRINCIPAL)): [(0, Vat.NONE)] for service in ("heating", "cold_water")}
    vats |= {(0, "", int(kind)): [(0, Vat.NONE)] for kind in (PENALTY, COSTS)}
    return Reference(
        recipients={
            number: Recipient(code=code, name=f"ООО «{code}»", inn=f"77000000{number:02d}") for code, number in RECIPIENT.items()
        },
        payees={number: (RECIPIENT[code], service) for (code, service), number in PAYEE.items()},
        channels={number: kind.value for kind, number in CHANNEL.items()},
        companies={RECIPIENT[code]: [row] for code, row in companies.items()},
        services={service: [ServiceRow(valid_from=START, title=title, measure=0)] for service, title in TITLES.items()},
        vats=vats,
        agencies={
            (RECIPIENT["uk"], RECIPIENT["energo"]): [
                AgencyRow(
                    valid_from=date(2026, 6, 1),
                    valid_to=date(2027, 5, 31),
                    mark=AgentKind.ANOTHER,
                    principal_phone="+78001000000",
                )
            ]
        },
        decisions=DECISIONS,
        items={
            int(PRINCIPAL): [item(PaymentMethod.FULL_PAYMENT, PaymentObject.SERVICE)],
            int(PENALTY): [item(PaymentMethod.FULL_PAYMENT, PaymentObject.SERVICE)],
            int(COSTS): [item(PaymentMethod.FULL_PAYMENT, PaymentObject.NON_OPERATING_GAIN)],
            int(ADVANCE): [item(PaymentMethod.ADVANCE, PaymentObject.PAYMENT)],
        },
    )


def item(method: PaymentMethod, subject: PaymentObject) -> ItemRow:
    """A rule of items."""
    return ItemRow(valid_from=START, method=method, subject=subject)


TOWN = town_reference()


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A charge line paid with ``amount`` kopecks; below zero it is taken back."""

    creditor: str
    recipient: str
    service: str
    amount: int
    kind: int = PRINCIPAL
    period: int = 202610


def entry_of(
    paid: Sequence[Line], kind: EntryKind = EntryKind.PAYMENT, *, channel: int = 101, suspense: int = 0, **more: object
) -> Entry:
    """An entry that credits the lines, numbered from 1, and suspense with the rest."""
    amounts = [-line.amount for line in paid]
    payables = [ledger_account(AccountKind.PAYABLE, 1, PAYEE[line.recipient, line.service]) for line in paid]
    numbers = [*range(1, len(paid) + 1)]
    if suspense:
        payables.append(ledger_account(AccountKind.SUSPENSE, 1, CHANNEL[LegalKind.ACQUIRER]))
        amounts.append(-suspense)
        numbers.append(0)
    entry = Entry(
        book=BOOK,
        sequence=5,
        kind=kind,
        space=101,
        external_id="txn-1",
        personal_account=ACCOUNT,
        channel=channel,
        event_at=EVENT_AT,
        recorded_at=RECORDED_AT,
        value_date=DAY,
        accounts=[ledger_account(AccountKind.CLEARING, 1, 101), *payables],
        amounts=[-sum(amounts), *amounts],
        lines=[0, *numbers],
    )
    return msgspec.structs.replace(entry, **more)


def decide(
    lines: Sequence[Line],
    entry: Entry,
    payer_kind: PayerKind = PayerKind.PERSON,
    *,
    provider: str = "uk",
    reference: Reference = TOWN,
    origin: Origin | None = None,
) -> Decided:
    """Decide an entry of the lines."""
    facts = {
        (ACCOUNT, number): (RECIPIENT[line.creditor], PAYEE[line.recipient, line.service], line.period, line.kind)
        for number, line in enumerate(lines, start=1)
    }
    return decide_entry(
        entry,
        Known(
            payers={ACCOUNT: Payer(kind=payer_kind, provider=RECIPIENT[provider], contact="")},
            charges=facts,
            templates=Templates(reference),
            origins={} if origin is None else {(BOOK, entry.sequence): origin},
        ),
    )


def assert_published_limits(receipt: Receipt) -> None:
    """Every limit that the tills' operators publish (protocols.md 8)."""
    assert 1 <= len(receipt.items) <= 100 and 1 <= len(receipt.payments) <= 10
    assert sum(one.sum_kopecks for one in receipt.items) == receipt.total_kopecks
    assert sum(amount for _, amount in receipt.payments) == receipt.total_kopecks
    assert len(receipt.company.email) <= 64 and len(receipt.company.payment_address) <= 256
    assert len({one.vat for one in receipt.items}) <= 6
    for one in receipt.items:
        assert 1 <= len(one.name) <= 128 and 0 < one.sum_kopecks <= 4_294_967_295
        assert (one.agent is None) == (one.supplier is None)
        if one.supplier is not None:
            assert len(one.supplier.name) <= 256 and len(one.supplier.inn) in (10, 12)
            assert all(len(phone) == 12 and phone.startswith("+7") for phone in one.supplier.phones)
