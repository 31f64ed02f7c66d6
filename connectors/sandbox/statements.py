"""Statements as banks write them, with what goes wrong with them: 1CClientBankExchange and camt.053 (protocols.md §5, §7a).

Alfa API's pages are written beside it (statements_alfa.py). A plan is what really happened on an account; faults are what the
bank makes of it. Faults that lose or change money can never be believed: a reader must refuse such a file.
"""

from datetime import date, timedelta
from enum import StrEnum

import msgspec
from lxml import etree

from connectors.statements.client_bank_1c import DAY_FORMAT, OPERATIONS
from connectors.statements.exchange_1c import (
    BALANCE,
    BALANCE_END,
    DOCUMENT,
    DOCUMENT_END,
    FIRST_LINE,
    LAST_LINE,
    PURPOSE,
    encode_exchange,
    spelt_1251,
)
from schemas.money import roubles_from_kopecks
from schemas.statement import StatementEntry, StatementParty

CAMT_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."
USTRD_CHARACTERS = 140
REFERENCE_CHARACTERS_MAX = 35
SKEWED_DAYS = 3
WRONG_KOPECKS = 100
ORDER = "01"

_KINDS = {code: kind.capitalize() for kind, code in OPERATIONS.items()}


class StatementFault(StrEnum):
    """What a bank does to a statement. The first three lose nothing and must be read; the rest must be refused."""

    LINE_FEEDS = "line_feeds"
    WRONG_ENCODING = "wrong_encoding"
    FILTERED = "filtered"
    TRUNCATED = "truncated"
    HALF = "half"
    REPEATED_PAGE = "repeated_page"
    WRONG_TURNOVER = "wrong_turnover"
    SKEWED_DATES = "skewed_dates"


READABLE = frozenset({StatementFault.LINE_FEEDS, StatementFault.WRONG_ENCODING, StatementFault.FILTERED})
Faults = frozenset[StatementFault]
NONE: Faults = frozenset()


class StatementPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What happened on ``account`` from ``since`` to ``until``, in the order of the days. The bank writes it on ``made_on``."""

    account: str
    since: date
    until: date
    entries: tuple[StatementEntry, ...]
    opening_kopecks: int = 0
    made_on: date | None = None

    @property
    def credited_kopecks(self) -> int:
        """What came in."""
        return sum(one.amount_kopecks for one in self.entries if one.is_credit)

    @property
    def debited_kopecks(self) -> int:
        """What went out."""
        return sum(one.amount_kopecks for one in self.entries if not one.is_credit)

    @property
    def closing_kopecks(self) -> int:
        """What was left."""
        return self.opening_kopecks + self.credited_kopecks - self.debited_kopecks

    @property
    def written_on(self) -> date:
        """The day of the file: by default the one after the period, when the bank's day is over."""
        return self.made_on or self.until + timedelta(days=1)

    def told(self, faults: Faults) -> tuple[StatementEntry, ...]:
        """Return the lines that the bank shows."""
        shown = self.entries
        if StatementFault.HALF in faults:
            shown = shown[: len(shown) // 2]
        if StatementFault.REPEATED_PAGE in faults:
            shown += shown[: (len(shown) + 1) // 2]
        if StatementFault.FILTERED in faults:
            shown = tuple(one for one in shown if one.operation in ("", ORDER))
        if StatementFault.SKEWED_DATES in faults:
            later = self.until + timedelta(days=SKEWED_DAYS)
            shown = tuple(msgspec.structs.replace(one, day=later) for one in shown)
        return shown


def write_1c(plan: StatementPlan, faults: Faults = NONE) -> bytes:
    """Write kl_to_1c.txt: cp1251 and CRLF, a section of balances for each day; raises Exchange1CError for text it cannot hold."""
    lines = [
        FIRST_LINE,
        "ВерсияФормата=1.03",
        "Кодировка=Windows",
        "Отправитель=Банк песочницы",
        "Получатель=Kopeck",
        f"ДатаСоздания={plan.written_on.strftime(DAY_FORMAT)}",
        "ВремяСоздания=08:00:00",
        f"ДатаНачала={plan.since.strftime(DAY_FORMAT)}",
        f"ДатаКонца={plan.until.strftime(DAY_FORMAT)}",
        f"РасчСчет={plan.account}",
        *([f"Документ={_KINDS[ORDER]}"] if StatementFault.FILTERED in faults else []),
    ]
    balance = plan.opening_kopecks
    for later in range((plan.until - plan.since).days + 1):
        day = plan.since + timedelta(days=later)
        moved = [one for one in plan.entries if one.day == day]
        credited = sum(one.amount_kopecks for one in moved if one.is_credit)
        debited = sum(one.amount_kopecks for one in moved if not one.is_credit)
        wrong = WRONG_KOPECKS if StatementFault.WRONG_TURNOVER in faults and not later else 0
        lines += _section(plan.account, day, (balance, credited + wrong, debited))
        balance += credited - debited
    for entry in plan.told(faults):
        lines += _document(plan.account, entry)
    body = encode_exchange([*lines, LAST_LINE])
    if StatementFault.WRONG_ENCODING in faults:
        body = body.decode("cp1251").encode("utf-8")
    if StatementFault.LINE_FEEDS in faults:
        body = body.replace(b"\r\n", b"\n")
    return cut_short(body) if StatementFault.TRUNCATED in faults else body


def cut_short(body: bytes) -> bytes:
    """Return what arrives when the line breaks off."""
    return body[: len(body) * 9 // 10]


def _section(account: str, day: date, sums: tuple[int, int, int]) -> list[str]:
    opening, credited, debited = sums
    return [
        BALANCE,
        f"ДатаНачала={day.strftime(DAY_FORMAT)}",
        f"ДатаКонца={day.strftime(DAY_FORMAT)}",
        f"РасчСчет={account}",
        f"НачальныйОстаток={roubles_from_kopecks(opening)}",
        f"ВсегоПоступило={roubles_from_kopecks(credited)}",
        f"ВсегоСписано={roubles_from_kopecks(debited)}",
        f"КонечныйОстаток={roubles_from_kopecks(opening + credited - debited)}",
        BALANCE_END,
    ]


def _document(account: str, entry: StatementEntry) -> list[str]:
    own = StatementParty(account=account)
    payer, payee = (entry.counterparty, own) if entry.is_credit else (own, entry.counterparty)
    day = entry.day.strftime(DAY_FORMAT)
    document_day = "" if entry.document_day is None else entry.document_day.strftime(DAY_FORMAT)
    return [
        f"{DOCUMENT}={_KINDS.get(entry.operation, _KINDS[ORDER])}",
        f"Номер={spelt_1251(entry.number)}",
        f"Дата={document_day}",
        f"Сумма={roubles_from_kopecks(entry.amount_kopecks)}",
        f"ДатаСписано={'' if entry.is_credit else day}",
        *_side("Плательщик", payer),
        f"ДатаПоступило={day if entry.is_credit else ''}",
        *_side("Получатель", payee),
        f"ВидОплаты={entry.operation}",
        f"Код={entry.code or '0'}",
        f"{PURPOSE}={spelt_1251(entry.purpose)}",
        DOCUMENT_END,
    ]


def _side(side: str, party: StatementParty) -> list[str]:
    return [
        f"{side}Счет={party.account}",
        f"{side}1={spelt_1251(party.name)}",
        f"{side}ИНН={party.inn}",
        f"{side}КПП={party.kpp}",
        f"{side}БИК={party.bic}",
    ]


def write_camt053(plan: StatementPlan, faults: Faults = NONE, *, version: str = "05") -> bytes:
    """Write BkToCstmrStmt in UTF-8. ``version`` 02 … 08; from 08 a status and a party stand one element deeper."""
    wrong = WRONG_KOPECKS if StatementFault.WRONG_TURNOVER in faults else 0
    writer = _CamtWriter(version)
    root = etree.Element(f"{{{writer.namespace}}}Document", nsmap={None: writer.namespace})
    message = writer.under(root, "BkToCstmrStmt")
    writer.put(message, "GrpHdr/MsgId", f"{plan.account}{plan.since:%y%m%d}{plan.until:%y%m%d}")
    writer.put(message, "GrpHdr/CreDtTm", f"{plan.written_on.isoformat()}T08:00:00")
    statement = writer.under(message, "Stmt")
    writer.put(statement, "Id", f"{plan.since:%y%m%d}")
    writer.put(statement, "CreDtTm", f"{plan.written_on.isoformat()}T08:00:00")
    writer.put(statement, "FrToDt/FrDtTm", f"{plan.since.isoformat()}T00:00:00")
    writer.put(statement, "FrToDt/ToDtTm", f"{plan.until.isoformat()}T23:59:59")
    writer.put(statement, "Acct/Id/Othr/Id", plan.account)
    writer.balance(statement, "OPBD", plan.opening_kopecks, plan.since)
    writer.balance(statement, "CLBD", plan.closing_kopecks, plan.until)
    writer.put(statement, "TxsSummry/TtlCdtNtries/Sum", roubles_from_kopecks(plan.credited_kopecks + wrong))
    writer.put(statement, "TxsSummry/TtlDbtNtries/Sum", roubles_from_kopecks(plan.debited_kopecks))
    for entry in plan.told(faults):
        writer.entry(statement, entry)
    body = bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
    if StatementFault.LINE_FEEDS in faults:
        body = body.replace(b"><", b">\n<")
    return cut_short(body) if StatementFault.TRUNCATED in faults else body


class _CamtWriter:
    """Puts elements of one version of the message."""

    def __init__(self, version: str) -> None:
        self.namespace = CAMT_NAMESPACE + version
        self._is_deep = version >= "08"

    def under(self, parent: etree._Element, name: str) -> etree._Element:
        """Add a new element."""
        return etree.SubElement(parent, f"{{{self.namespace}}}{name}")

    def put(self, parent: etree._Element, path: str, text: str) -> etree._Element:
        """Write a text at a path, going into elements that are there already; nothing for an empty text."""
        *steps, last = path.split("/")
        if not text:
            return parent
        element = self.under(self.into(parent, steps), last)
        element.text = text
        return element

    def into(self, parent: etree._Element, steps: list[str]) -> etree._Element:
        """Go into elements, adding those that are not there."""
        for step in steps:
            found = parent.find(f"{{{self.namespace}}}{step}")
            parent = self.under(parent, step) if found is None else found
        return parent

    def balance(self, parent: etree._Element, code: str, kopecks: int, day: date) -> None:
        """Write a balance; the sign stands in CdtDbtInd."""
        balance = self.under(parent, "Bal")
        self.put(balance, "Tp/CdOrPrtry/Cd", code)
        self.put(balance, "Amt", roubles_from_kopecks(abs(kopecks))).set("Ccy", "RUB")
        self.put(balance, "CdtDbtInd", "DBIT" if kopecks < 0 else "CRDT")
        self.put(balance, "Dt/Dt", day.isoformat())

    def entry(self, parent: etree._Element, entry: StatementEntry) -> None:
        """Write a booked line with its one payment."""
        line = self.under(parent, "Ntry")
        self.put(line, "Amt", roubles_from_kopecks(entry.amount_kopecks)).set("Ccy", "RUB")
        self.put(line, "CdtDbtInd", "CRDT" if entry.is_credit else "DBIT")
        self.put(line, "RvslInd", "true" if entry.is_reversal else "")
        self.put(line, "Sts/Cd" if self._is_deep else "Sts", "BOOK")
        self.put(line, "BookgDt/Dt", entry.day.isoformat())
        self.put(line, "ValDt/Dt", entry.day.isoformat())
        self.put(line, "AcctSvcrRef", entry.bank_id[:REFERENCE_CHARACTERS_MAX])
        self.put(line, "BkTxCd/Prtry/Cd", entry.operation)
        payment = self.under(self.under(line, "NtryDtls"), "TxDtls")
        self.put(payment, "Refs/EndToEndId", entry.number or "NOTPROVIDED")
        self._party(payment, entry)
        for start in range(0, len(entry.purpose), USTRD_CHARACTERS):
            self.put(payment, "RmtInf/Ustrd", entry.purpose[start : start + USTRD_CHARACTERS])
        self.put(payment, "RmtInf/Strd/RfrdDocInf/Nb", entry.code)
        if entry.document_day is not None:
            self.put(payment, "RmtInf/Strd/RfrdDocInf/RltdDt", entry.document_day.isoformat())

    def _party(self, payment: etree._Element, entry: StatementEntry) -> None:
        side, other = "Dbtr" if entry.is_credit else "Cdtr", entry.counterparty
        deep = f"RltdPties/{side}/Pty" if self._is_deep else f"RltdPties/{side}"
        self.put(payment, f"{deep}/Nm", other.name[:USTRD_CHARACTERS])
        for value, scheme, name in ((other.inn, "Cd", "TXID"), (other.kpp, "Prtry", "KPP")):
            if value:
                identification = self.under(self.into(payment, [*deep.split("/"), "Id", "OrgId"]), "Othr")
                self.put(identification, "Id", value)
                self.put(identification, f"SchmeNm/{scheme}", name)
        self.put(payment, f"{deep}/CtctDtls/Nm", other.name[USTRD_CHARACTERS:])
        self.put(payment, f"RltdPties/{side}Acct/Id/Othr/Id", other.account)
        if other.bic:
            self.put(payment, f"RltdAgts/{side}Agt/FinInstnId/ClrSysMmbId/ClrSysId/Cd", "RUCBC")
            self.put(payment, f"RltdAgts/{side}Agt/FinInstnId/ClrSysMmbId/MmbId", other.bic)
