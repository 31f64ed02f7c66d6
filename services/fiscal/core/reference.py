"""Dated tables from which receipts are decided, and what they say on a day. Pure; read by services/fiscal/registers.py.

Each table is a mapping to rows, the newest ``valid_from`` first. A table that says nothing raises NotConfigured.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Protocol, TypeVar

import msgspec

from schemas.allocation import PayerKind
from schemas.receipt import AgentKind, FiscalFormat, MeansOfPayment, PaymentMethod, PaymentObject, TaxSystem, Vat

HOUSE = "house"
"""Legal kind of what moves no money: an advance's offset."""
EVERYBODY = 0
EVERY_SERVICE = ""


class Form(StrEnum):
    """Legal form of who would issue, as far as 54-ФЗ ст. 2 tells them apart."""

    ORDINARY = "ordinary"
    ASSOCIATION = "association"
    EXEMPT = "exempt"


class Relation(StrEnum):
    """How a line stands to the provider of its account (see fiscal.decision)."""

    OWN = "own"
    PASS_THROUGH = "pass_through"
    DIRECT = "direct"
    AGENCY = "agency"


class Issues(StrEnum):
    """Who issues the receipt."""

    CREDITOR = "creditor"
    CONTRACT_AGENT = "contract_agent"
    CHANNEL_AGENT = "channel_agent"
    NOBODY = "nobody"


class NoReceipt(StrEnum):
    """Why a sum needs no receipt of ours."""

    SUSPENSE = "suspense"
    ORGANISATION = "organisation"
    CHANNEL_AGENT = "channel_agent"
    ASSOCIATION = "association"
    EXEMPT = "exempt"
    PAID_ELSEWHERE = "paid_elsewhere"
    ORIGINAL_WITHOUT = "original_without"


class Deadline(StrEnum):
    """Until when a receipt must be registered (54-ФЗ ст. 1.2)."""

    AT_ONCE = "at_once"
    NEXT_WORKING_DAY = "next_working_day"
    TEN_DAYS_AFTER_MONTH = "ten_days_after_month"


class NotConfigured(LookupError):
    """A dated table says nothing of what is asked; the message says which and of whom."""


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """A row of reference.recipient."""

    code: str
    name: str
    inn: str


class CompanyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of fiscal.company; ``operator`` is the connection of its till's operator."""

    valid_from: date
    form: Form
    tax_system: TaxSystem
    format: FiscalFormat
    payment_address: str
    email: str
    operator: str


class ServiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of fiscal.service."""

    valid_from: date
    title: str
    measure: int


class AgencyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of fiscal.agency; ``valid_to`` is its last day."""

    valid_from: date
    valid_to: date | None
    mark: AgentKind
    principal_phone: str


class DecisionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of fiscal.decision."""

    valid_from: date
    issues: Issues
    reason: NoReceipt | None
    means: MeansOfPayment
    deadline: Deadline
    internet: bool


class ItemRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of fiscal.item_rule."""

    valid_from: date
    method: PaymentMethod
    subject: PaymentObject


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The tables. ``vats`` holds (period_from, rate) by (recipient or EVERYBODY, service or EVERY_SERVICE, kind)."""

    recipients: Mapping[int, Recipient]
    payees: Mapping[int, tuple[int, str]]
    channels: Mapping[int, str]
    companies: Mapping[int, Sequence[CompanyRow]]
    services: Mapping[str, Sequence[ServiceRow]]
    vats: Mapping[tuple[int, str, int], Sequence[tuple[int, Vat]]]
    agencies: Mapping[tuple[int, int], Sequence[AgencyRow]]
    decisions: Mapping[tuple[str, Relation, int, Form], Sequence[DecisionRow]]
    items: Mapping[int, Sequence[ItemRow]]

    def code_of(self, recipient: int) -> str:
        """Our name of a recipient, for messages."""
        known = self.recipients.get(recipient)
        return known.code if known else f"#{recipient}"

    def company_at(self, recipient: int, day: date) -> CompanyRow:
        """Who issues, as on that day."""
        row = _in_force(self.companies.get(recipient, ()), day)
        if row is None:
            raise NotConfigured(f"fiscal company {self.code_of(recipient)} on {day}")
        return row

    def form_at(self, recipient: int, day: date) -> Form:
        """Legal form; ordinary while nothing is configured, so that a missing row waits and is not forgotten."""
        row = _in_force(self.companies.get(recipient, ()), day)
        return Form.ORDINARY if row is None else row.form

    def service_at(self, service: str, day: date) -> ServiceRow:
        """How a service is called on receipts."""
        row = _in_force(self.services.get(service, ()), day)
        if row is None:
            raise NotConfigured(f"fiscal service {service} on {day}")
        return row

    def vat_of(self, recipient: int, service: str, kind: int, period: int) -> Vat:
        """The rate of a supply: the service's own row before the recipient's, and that before everybody's."""
        for key in ((recipient, service), (recipient, EVERY_SERVICE), (EVERYBODY, service), (EVERYBODY, EVERY_SERVICE)):
            for period_from, rate in self.vats.get((*key, kind), ()):
                if period_from <= period:
                    return rate
        raise NotConfigured(f"VAT of {self.code_of(recipient)}, service {service}, from {period}")

    def agency_at(self, agent: int, principal: int, day: date) -> AgencyRow | None:
        """The agency contract in force, if any."""
        row = _in_force(self.agencies.get((agent, principal), ()), day)
        return None if row is None or (row.valid_to is not None and row.valid_to < day) else row

    def decision_at(self, key: tuple[str, Relation, PayerKind, Form], day: date) -> DecisionRow:
        """What the table of decisions says of (legal kind, relation, payer kind, form of who would issue)."""
        row = _in_force(self.decisions.get(key, ()), day)
        if row is None:
            raise NotConfigured(f"decision of {'/'.join(map(str, key))} on {day}")
        return row

    def item_at(self, kind: int, day: date) -> ItemRow:
        """How a line of a kind is registered."""
        row = _in_force(self.items.get(kind, ()), day)
        if row is None:
            raise NotConfigured(f"item rule of kind {kind} on {day}")
        return row


class _Dated(Protocol):
    @property
    def valid_from(self) -> date: ...


R = TypeVar("R", bound=_Dated)


def _in_force(rows: Sequence[R], day: date) -> R | None:
    return next((row for row in rows if row.valid_from <= day), None)
