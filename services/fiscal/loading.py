"""Loading the dated tables of receipts and payers' contacts from files, whole or not at all (services/reference/loading.py)."""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from ledger.core.account_facts import ChargeKind
from ledger.statements import load_statements
from schemas.allocation import PayerKind
from schemas.channel import LegalKind
from schemas.receipt import AgentKind, FiscalFormat, MeansOfPayment, PaymentMethod, PaymentObject, TaxSystem, Vat
from services.fiscal.core.reference import HOUSE, Deadline, Form, Issues, NoReceipt, Relation
from services.reference import rows
from services.reference.faults import Findings
from services.reference.loading import (
    Changes,
    Connection,
    ControlTotal,
    LoadReport,
    LoadTerms,
    Progress,
    load_file,
    no_progress,
)
from services.reference.rows import Column, FieldFault, Shape

_SQL = load_statements("services/fiscal/load.sql")

TITLE_CHARACTERS_MAX = 100
EMAIL_CHARACTERS_MAX = 64
ADDRESS_CHARACTERS_MAX = 256
MEASURE_MAX = 255
_PHONE = re.compile(r"\+7[0-9]{10}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")

LOADED_RATES = (Vat.NONE, Vat.VAT0, Vat.VAT5, Vat.VAT7, Vat.VAT10, Vat.VAT20, Vat.VAT22)
NO_TILL_WORDS = ("payment_address", "email", "operator")

Recipients = Mapping[str, int]


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of file: its columns, and how many of the first ones are its key."""

    name: str
    keys: int
    shape: Callable[[Recipients], Shape]


async def load_companies(connection: Connection, path: Path, terms: LoadTerms, progress: Progress = no_progress) -> LoadReport:
    """Load who issues receipts; see ``load_file`` for what this and the others raise."""
    return await load_file(connection, path, _DatedFile(COMPANIES), terms, progress)


async def load_services(connection: Connection, path: Path, terms: LoadTerms, progress: Progress = no_progress) -> LoadReport:
    """Load how services are called on receipts, and their units."""
    return await load_file(connection, path, _DatedFile(SERVICES), terms, progress)


async def load_vat(connection: Connection, path: Path, terms: LoadTerms, progress: Progress = no_progress) -> LoadReport:
    """Load rates by recipient, service, kind and period."""
    return await load_file(connection, path, _DatedFile(VAT), terms, progress)


async def load_agencies(connection: Connection, path: Path, terms: LoadTerms, progress: Progress = no_progress) -> LoadReport:
    """Load agency contracts."""
    return await load_file(connection, path, _DatedFile(AGENCIES), terms, progress)


async def load_decisions(connection: Connection, path: Path, terms: LoadTerms, progress: Progress = no_progress) -> LoadReport:
    """Load rows of the table of decisions."""
    return await load_file(connection, path, _DatedFile(DECISIONS), terms, progress)


async def load_item_rules(connection: Connection, path: Path, terms: LoadTerms, progress: Progress = no_progress) -> LoadReport:
    """Load how lines of a kind are registered."""
    return await load_file(connection, path, _DatedFile(ITEM_RULES), terms, progress)


async def load_contacts(connection: Connection, path: Path, terms: LoadTerms, progress: Progress = no_progress) -> LoadReport:
    """Load where payers want their receipts."""
    return await load_file(connection, path, _DatedFile(CONTACTS), terms, progress)


class _DatedFile:
    """One file of one kind while it is loaded."""

    def __init__(self, kind: _Kind) -> None:
        self.name = f"fiscal_{kind.name}"
        self._table = f"staged_fiscal_{kind.name}"
        self.staged: dict[str, list[tuple[Any, ...]]] = {self._table: []}
        self._kind = kind
        self._first_lines: dict[tuple[Any, ...], int] = {}
        self._repeats: list[tuple[int, int]] = []

    async def prepare(self, connection: Connection) -> Shape:
        await connection.execute(_SQL["drop_staging"])
        await connection.execute(_SQL[f"make_staging_{self._kind.name}"])
        recipients = {record["code"]: record["recipient"] for record in await connection.fetch(_SQL["list_recipients"])}
        return self._kind.shape(recipients)

    def stage(self, line: int, row: list[Any]) -> None:
        first = self._first_lines.setdefault(tuple(row[: self._kind.keys]), line)
        if first != line:
            self._repeats.append((line, first))
        self.staged[self._table].append((line, *row))

    async def check(self, connection: Connection, faults: Findings, warnings: Findings) -> None:
        for line, first in self._repeats:
            faults.add(line, "line", f"repeats line {first}")
        if self._kind.name == "contacts":
            unknown = await connection.fetch(_SQL["unknown_accounts"])
            faults.add_listed(unknown, "number", "is no personal account that is loaded")

    async def totals(self, connection: Connection) -> tuple[ControlTotal, ...]:
        return ()

    async def write(self, connection: Connection, terms: LoadTerms, warnings: Findings) -> Changes:
        counts = await connection.fetchrow(_SQL[f"write_{self._kind.name}"])
        await connection.execute(_SQL["drop_staging"])
        return Changes(added=counts["added"], changed=counts["changed"])


def _words(*values: Enum) -> rows.Decode:
    """One of the words; given as the word."""
    return rows.one_of({str(value.value): value.value for value in values})


def _names(*values: Enum) -> rows.Decode:
    """The small name of a number; given as the number."""
    return rows.one_of({value.name.lower(): value.value for value in values})


def _number(largest: int) -> rows.Decode:
    return rows.one_of({str(number): number for number in range(largest + 1)})


def _email(text: str) -> str:
    """An e-mail, never quoted in a message."""
    if len(text) > EMAIL_CHARACTERS_MAX or _EMAIL.fullmatch(text) is None or not text.isprintable():
        raise FieldFault(f"expected an e-mail of at most {EMAIL_CHARACTERS_MAX} characters")
    return text


def _phone(text: str) -> str:
    if _PHONE.fullmatch(text) is None:
        raise FieldFault("expected a phone as +7 and 10 digits")
    return text


def _contact(text: str) -> str:
    """An e-mail or a phone, never quoted in a message (152-ФЗ)."""
    return _phone(text) if text.startswith("+") else _email(text)


def _companies(recipients: Recipients) -> Shape:
    return Shape(
        name="fiscal companies",
        columns=(
            Column(name="recipient", decode=rows.known_code(recipients, "recipient"), required=True),
            Column(name="valid_from", decode=rows.day, required=True),
            Column(name="form", decode=_words(*Form), default=Form.ORDINARY.value),
            Column(name="tax_system", decode=_words(*TaxSystem), required=True),
            Column(name="format", decode=_words(*FiscalFormat), required=True),
            Column(name="payment_address", decode=rows.text_of(ADDRESS_CHARACTERS_MAX)),
            Column(name="email", decode=_email),
            Column(name="operator", decode=rows.code),
        ),
        check=_check_company,
    )


def _check_company(row: Sequence[Any]) -> tuple[str, str] | None:
    if row[2] == Form.EXEMPT:
        return None
    lacking = [name for name, value in zip(NO_TILL_WORDS, row[5:], strict=True) if not value]
    return (lacking[0], "is required of who issues receipts") if lacking else None


def _services(recipients: Recipients) -> Shape:
    return Shape(
        name="fiscal services",
        columns=(
            Column(name="service", decode=rows.code, required=True),
            Column(name="valid_from", decode=rows.day, required=True),
            Column(name="title", decode=rows.text_of(TITLE_CHARACTERS_MAX), required=True),
            Column(name="measure", decode=_number(MEASURE_MAX), default=0),
        ),
    )


def _vat(recipients: Recipients) -> Shape:
    kinds = (ChargeKind.PRINCIPAL, ChargeKind.PENALTY, ChargeKind.COSTS)
    return Shape(
        name="fiscal vat",
        columns=(
            Column(name="recipient", decode=rows.known_code(recipients, "recipient"), default=None),
            Column(name="service", decode=rows.code),
            Column(name="kind", decode=_names(*kinds), default=ChargeKind.PRINCIPAL.value),
            Column(name="period_from", decode=rows.period, required=True),
            Column(name="rate", decode=_words(*LOADED_RATES), required=True),
            Column(name="source", decode=rows.free_text),
        ),
    )


def _agencies(recipients: Recipients) -> Shape:
    return Shape(
        name="fiscal agencies",
        columns=(
            Column(name="agent", decode=rows.known_code(recipients, "recipient"), required=True),
            Column(name="principal", decode=rows.known_code(recipients, "recipient"), required=True),
            Column(name="valid_from", decode=rows.day, required=True),
            Column(name="valid_to", decode=rows.day, default=None),
            Column(name="mark", decode=_words(*AgentKind), required=True),
            Column(name="principal_phone", decode=_phone),
        ),
        check=lambda row: ("principal", "is the agent itself") if row[0] == row[1] else None,
    )


def _decisions(recipients: Recipients) -> Shape:
    return Shape(
        name="fiscal decisions",
        columns=(
            Column(name="valid_from", decode=rows.day, required=True),
            Column(name="legal_kind", decode=rows.one_of({word: word for word in (*LegalKind, HOUSE)}), required=True),
            Column(name="relation", decode=_words(*Relation), required=True),
            Column(name="payer_kind", decode=_names(*PayerKind), required=True),
            Column(name="form", decode=_words(*Form), required=True),
            Column(name="issues", decode=_words(*Issues), required=True),
            Column(name="reason", decode=_words(*NoReceipt)),
            Column(name="means", decode=_names(*MeansOfPayment), default=MeansOfPayment.CASHLESS.value),
            Column(name="deadline", decode=_words(*Deadline), default=Deadline.NEXT_WORKING_DAY.value),
            Column(name="internet", decode=rows.boolean, default=False),
            Column(name="source", decode=rows.free_text, required=True),
        ),
        check=_check_decision,
    )


def _check_decision(row: Sequence[Any]) -> tuple[str, str] | None:
    nobody = row[5] in (Issues.NOBODY, Issues.CHANNEL_AGENT)
    if nobody != bool(row[6]):
        return "reason", "is required of what needs no receipt" if nobody else "must be empty when a receipt is issued"
    if (row[2] == Relation.AGENCY) != (row[5] == Issues.CONTRACT_AGENT) and not nobody:
        return "issues", "contract_agent stands for the relation agency, and creditor for the others"
    return None


def _item_rules(recipients: Recipients) -> Shape:
    return Shape(
        name="fiscal item rules",
        columns=(
            Column(name="kind", decode=_names(*ChargeKind), required=True),
            Column(name="valid_from", decode=rows.day, required=True),
            Column(name="method", decode=_names(*PaymentMethod), required=True),
            Column(name="subject", decode=_names(*PaymentObject), required=True),
            Column(name="source", decode=rows.free_text, required=True),
        ),
    )


def _contacts(recipients: Recipients) -> Shape:
    return Shape(
        name="fiscal contacts",
        columns=(
            Column(name="namespace", decode=rows.code, required=True),
            Column(name="number", decode=rows.account_number, required=True),
            Column(name="contact", decode=_contact, required=True),
        ),
    )


COMPANIES = _Kind(name="companies", keys=2, shape=_companies)
SERVICES = _Kind(name="services", keys=2, shape=_services)
VAT = _Kind(name="vat", keys=4, shape=_vat)
AGENCIES = _Kind(name="agencies", keys=3, shape=_agencies)
DECISIONS = _Kind(name="decisions", keys=5, shape=_decisions)
ITEM_RULES = _Kind(name="item_rules", keys=2, shape=_item_rules)
CONTACTS = _Kind(name="contacts", keys=2, shape=_contacts)
