"""Who issues the receipt of one line and how the line stands on it, decided once for all lines that are alike. Pure."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from ledger.core.account_facts import ChargeKind
from schemas.allocation import PERIOD_NONE, PayerKind
from schemas.receipt import (
    ITEM_NAME_CHARACTERS_MAX,
    AgentKind,
    Company,
    FiscalFormat,
    PaymentMethod,
    PaymentObject,
    Supplier,
    Vat,
)
from services.fiscal.core.reference import (
    AgencyRow,
    DecisionRow,
    Form,
    Issues,
    NoReceipt,
    NotConfigured,
    Reference,
    Relation,
)

TEMPLATES_MAX = 100_000
PENALTY_TITLE = "Пени"
ADVANCE_TITLE = "Аванс"

CALCULATED: Mapping[Vat, Vat] = MappingProxyType(
    {
        Vat.VAT5: Vat.VAT105,
        Vat.VAT7: Vat.VAT107,
        Vat.VAT10: Vat.VAT110,
        Vat.VAT20: Vat.VAT120,
        Vat.VAT22: Vat.VAT122,
    }
)
"""Calculated rates (расчётная ставка, ст. 164 п. 4 НК) that an advance carries; without VAT and 0 % stay as they are."""


class Situation(NamedTuple):
    """What a payment's lines have in common; ``legal_kind`` is the channel's, ``day`` the value date."""

    legal_kind: str
    payer_kind: PayerKind
    provider: int
    day: date


LineFacts = tuple[int, int, int, int]
"""What a charge line is (reference.charge): creditor, payee, period (year * 100 + month or PERIOD_NONE), kind."""


class ItemTemplate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A receipt's item without its sum."""

    name: str
    method: PaymentMethod
    subject: PaymentObject
    vat: Vat
    measure: int
    agent: AgentKind | None
    supplier: Supplier | None


class IssuerTemplate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who issues and through which operator."""

    company: Company
    format: FiscalFormat
    operator: str


class LegTemplate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What becomes of a line's money. Without ``reason`` it stands on a receipt of ``issuer`` as ``item``.

    ``missing`` names what is not configured yet; the item, the company or the decision may be None then.
    """

    issuer: int
    reason: NoReceipt | None = None
    decision: DecisionRow | None = None
    item: ItemTemplate | None = None
    company: IssuerTemplate | None = None
    missing: str = ""


class Templates:
    """Templates by situation and line, made from one reading of the tables and remembered."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self._known: dict[Situation, dict[LineFacts, LegTemplate]] = {}
        self._made = 0

    def of(self, situation: Situation) -> "dict[LineFacts, LegTemplate]":
        """Return the templates made so far in a situation, to be completed with ``make``."""
        return self._known.setdefault(situation, {})

    def make(self, situation: Situation, line: LineFacts) -> LegTemplate:
        """Make a template and remember it."""
        if self._made >= TEMPLATES_MAX:
            self._known.clear()
            self._made = 0
        self._made += 1
        made = self._known.setdefault(situation, {})[line] = make_template(self.reference, situation, line)
        return made


def make_template(reference: Reference, situation: Situation, line: LineFacts) -> LegTemplate:
    """Decide a line; what a table does not say yet is named in ``missing``."""
    day = situation.day
    creditor, payee, _, _ = line
    recipient, _ = reference.payees[payee]
    relation, agency = relation_of(reference, situation, line)
    issuer = situation.provider if relation is Relation.AGENCY else creditor
    form = reference.form_at(issuer, day)
    try:
        decision = _decision(reference, situation, relation, form)
    except NotConfigured as missing:
        return LegTemplate(issuer=issuer, missing=str(missing))
    if decision.issues in (Issues.NOBODY, Issues.CHANNEL_AGENT):
        return LegTemplate(issuer=issuer, reason=decision.reason, decision=decision)
    supplier = recipient if relation is Relation.AGENCY else creditor
    try:
        company = issuer_template(reference, issuer, day)
        item = item_template(reference, day, line, supplier, agency)
    except NotConfigured as missing:
        return LegTemplate(issuer=issuer, decision=decision, missing=str(missing))
    return LegTemplate(issuer=issuer, decision=decision, item=item, company=company)


def item_template(reference: Reference, day: date, line: LineFacts, supplier: int, agency: AgencyRow | None) -> ItemTemplate:
    """Name a line and give it its marks; ``supplier`` is whose supply it is. Raises NotConfigured."""
    _, payee, period, kind = line
    _, service = reference.payees[payee]
    row = reference.service_at(service, day)
    rule = reference.item_at(kind, day)
    return ItemTemplate(
        name=item_name(row.title, kind, period),
        method=rule.method,
        subject=rule.subject,
        vat=_vat(reference, day, line, supplier, service),
        measure=row.measure,
        agent=agency.mark if agency else None,
        supplier=_supplier(reference, supplier, agency) if agency else None,
    )


def issuer_template(reference: Reference, issuer: int, day: date) -> IssuerTemplate:
    """Return the head of a receipt that ``issuer`` issues on that day; raises NotConfigured."""
    row = reference.company_at(issuer, day)
    if not row.operator:
        raise NotConfigured(f"till of {reference.code_of(issuer)} on {day}")
    known = reference.recipients[issuer]
    company = Company(
        inn=known.inn, name=known.name, tax_system=row.tax_system, payment_address=row.payment_address, email=row.email
    )
    return IssuerTemplate(company=company, format=row.format, operator=row.operator)


def item_name(title: str, kind: int, period: int) -> str:
    """Name an item: «Отопление за 10.2026», «Пени: Отопление за 10.2026», «Аванс (ЖКУ)»; at most 128 characters (1030)."""
    if kind == ChargeKind.ADVANCE:
        return f"{ADVANCE_TITLE} ({_cut(title, len(ADVANCE_TITLE) + 3)})"
    name = f"{PENALTY_TITLE}: {title}" if kind == ChargeKind.PENALTY and not title.startswith(PENALTY_TITLE) else title
    ending = "" if period == PERIOD_NONE else f" за {period % 100:02d}.{period // 100}"
    return _cut(name, len(ending)) + ending


def _cut(text: str, reserved: int) -> str:
    return text[: ITEM_NAME_CHARACTERS_MAX - reserved]


def relation_of(reference: Reference, situation: Situation, line: LineFacts) -> tuple[Relation, AgencyRow | None]:
    """Return how a line stands to the provider of its account, and the agency contract by which it does."""
    creditor, payee, _, _ = line
    recipient, _ = reference.payees[payee]
    agency = None if recipient == situation.provider else reference.agency_at(situation.provider, recipient, situation.day)
    if agency is not None:
        return Relation.AGENCY, agency
    if creditor != situation.provider:
        return Relation.DIRECT, None
    return Relation.OWN if recipient == creditor else Relation.PASS_THROUGH, None


def _decision(reference: Reference, situation: Situation, relation: Relation, form: Form) -> DecisionRow:
    return reference.decision_at((situation.legal_kind, relation, situation.payer_kind, form), situation.day)


def _vat(reference: Reference, day: date, line: LineFacts, supplier: int, service: str) -> Vat:
    """Rates go by the period supplied; an advance's period is not known yet and goes by the day it was paid."""
    _, _, period, kind = line
    if kind != ChargeKind.ADVANCE:
        return reference.vat_of(supplier, service, kind, period or _month(day))
    rate = reference.vat_of(supplier, service, ChargeKind.PRINCIPAL, _month(day))
    return CALCULATED.get(rate, rate)


def _month(day: date) -> int:
    return day.year * 100 + day.month


def _supplier(reference: Reference, supplier: int, agency: AgencyRow) -> Supplier:
    known = reference.recipients[supplier]
    phones = (agency.principal_phone,) if agency.principal_phone else ()
    return Supplier(name=known.name, inn=known.inn, phones=phones)
