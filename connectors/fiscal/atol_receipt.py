"""A receipt as ATOL Online takes it: v4 for ФФД 1.05, v5 for ФФД 1.2 (protocols.md §8)."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

from connectors.fiscal.json_roubles import json_roubles
from connectors.fiscal.receipt_limits import PAYING_AGENTS, AgentDetails, ContentFault, is_phone
from schemas.receipt import (
    Correction,
    FiscalFormat,
    MeansOfPayment,
    Operation,
    PaymentMethod,
    PaymentObject,
    Receipt,
    ReceiptItem,
    Vat,
)

VATS_MAX = 6

_METHOD = {
    PaymentMethod.FULL_PREPAYMENT: "full_prepayment",
    PaymentMethod.PREPAYMENT: "prepayment",
    PaymentMethod.ADVANCE: "advance",
    PaymentMethod.FULL_PAYMENT: "full_payment",
    PaymentMethod.PARTIAL_PAYMENT: "partial_payment",
    PaymentMethod.CREDIT: "credit",
    PaymentMethod.CREDIT_PAYMENT: "credit_payment",
}
_OBJECT_WORD = {
    PaymentObject.SERVICE: "service",
    PaymentObject.PAYMENT: "payment",
    PaymentObject.AGENT_COMMISSION: "agent_commission",
    PaymentObject.NON_OPERATING_GAIN: "non-operating_gain",
}
_MEASURE_UNIT = {0: "шт", 32: "м2", 42: "м3", 50: "кВт*ч", 51: "Гкал"}
"""Tag 2108 -> text of tag 1197 (ФФД 1.05, at most 16 characters)."""
_VAT_FRACTION = {
    Vat.VAT5: (5, 105),
    Vat.VAT7: (7, 107),
    Vat.VAT10: (10, 110),
    Vat.VAT20: (20, 120),
    Vat.VAT22: (22, 122),
    Vat.VAT105: (5, 105),
    Vat.VAT107: (7, 107),
    Vat.VAT110: (10, 110),
    Vat.VAT120: (20, 120),
    Vat.VAT122: (22, 122),
}
"""The tax inside a gross sum, as a fraction of it."""


class AtolProtocol(StrEnum):
    """Version of the protocol: one group of tills has one."""

    V4 = "v4"
    V5 = "v5"


FORMAT_OF = {AtolProtocol.V4: FiscalFormat.V105, AtolProtocol.V5: FiscalFormat.V12}


class _Client(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    email: str = ""
    phone: str = ""


class _Company(msgspec.Struct, frozen=True, kw_only=True):
    email: str
    sno: str
    inn: str
    payment_address: str


class _Vat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    type: str
    sum: msgspec.Raw | None = None


class _Phones(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    phones: tuple[str, ...] = ()


class _PayingAgent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    operation: str = ""
    phones: tuple[str, ...] = ()


class _Agent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    type: str
    paying_agent: _PayingAgent | None = None
    receive_payments_operator: _Phones | None = None


class _Supplier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    inn: str
    phones: tuple[str, ...] = ()


class _Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str
    price: msgspec.Raw
    quantity: int
    sum: msgspec.Raw
    measurement_unit: str | None = None
    measure: int | None = None
    payment_method: str
    payment_object: str | int
    vat: _Vat
    agent_info: _Agent | None = None
    supplier_info: _Supplier | None = None


class _Payment(msgspec.Struct, frozen=True, kw_only=True):
    type: int
    sum: msgspec.Raw


class _CorrectionInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    type: str
    base_date: str
    base_number: str = ""


class _Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``receipt`` or ``correction``: a v4 correction has ``vats`` where the others have items and a total."""

    client: _Client
    company: _Company
    correction_info: _CorrectionInfo | None = None
    items: tuple[_Item, ...] = ()
    payments: tuple[_Payment, ...]
    vats: tuple[_Vat, ...] = ()
    total: msgspec.Raw | None = None
    additional_check_props: str = ""
    internet: bool


class _Service(msgspec.Struct, frozen=True, kw_only=True):
    callback_url: str


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    external_id: str
    timestamp: str
    receipt: _Document | None = None
    correction: _Document | None = None
    service: _Service | None = None


class AtolForm(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of tills wants of every receipt: protocol, the issuer's ИНН, the till's zone, our tags as an agent."""

    protocol: AtolProtocol
    inn: str
    zone: ZoneInfo
    agent: AgentDetails
    callback_url: str


def encode_receipt(receipt: Receipt, key: str, form: AtolForm) -> bytes:
    """Write the request's body, the same bytes for the same receipt and key; raises ContentFault."""
    _check_form(receipt, form)
    document = _document(receipt, form)
    envelope = _Envelope(
        external_id=key,
        timestamp=receipt.settled_at.astimezone(form.zone).strftime("%d.%m.%Y %H:%M:%S"),
        receipt=document if receipt.correction is None else None,
        correction=document if receipt.correction is not None else None,
        service=_Service(callback_url=form.callback_url) if form.callback_url else None,
    )
    return msgspec.json.encode(envelope)


def read_atol_moment(text: str) -> datetime:
    """Read ``dd.mm.yyyy HH:MM:SS``, the till's local time without a zone; raises ValueError."""
    return datetime.strptime(text, "%d.%m.%Y %H:%M:%S")


def _check_form(receipt: Receipt, form: AtolForm) -> None:
    if receipt.format is not FORMAT_OF[form.protocol]:
        raise ContentFault("format", f"ФФД {receipt.format} does not go by {form.protocol}")
    if receipt.company.inn != form.inn:
        raise ContentFault("company.inn", "is not the one of this group of tills")
    if receipt.operation is Operation.SELL_REFUND_CORRECTION and form.protocol is AtolProtocol.V4:
        raise ContentFault("operation", f"{form.protocol} has no {receipt.operation}")


def _document(receipt: Receipt, form: AtolForm) -> _Document:
    company = receipt.company
    correction = receipt.correction
    bare = correction is not None and form.protocol is AtolProtocol.V4
    item: Callable[[ReceiptItem, AtolForm, int], _Item] = _item_v4 if form.protocol is AtolProtocol.V4 else _item_v5
    return _Document(
        client=_Client(phone=receipt.client) if is_phone(receipt.client) else _Client(email=receipt.client),
        company=_Company(email=company.email, sno=company.tax_system, inn=company.inn, payment_address=company.payment_address),
        correction_info=None if correction is None else _correction_info(correction),
        items=() if bare else tuple(item(one, form, place) for place, one in enumerate(receipt.items)),
        payments=tuple(_payment(means, amount_kopecks) for means, amount_kopecks in receipt.payments),
        vats=_vats(receipt) if bare else (),
        total=None if bare else json_roubles(receipt.total_kopecks),
        additional_check_props="" if correction is None or bare else correction.wrong_sign,
        internet=receipt.internet,
    )


def _item_v4(item: ReceiptItem, form: AtolForm, place: int) -> _Item:
    if item.measure not in _MEASURE_UNIT:
        raise ContentFault(f"items[{place}].measure", f"no words for unit {item.measure} (2108) in ФФД 1.05")
    return msgspec.structs.replace(
        _item(item, form),
        measurement_unit=_MEASURE_UNIT[item.measure],
        payment_object=_OBJECT_WORD[item.subject],
    )


def _item_v5(item: ReceiptItem, form: AtolForm, place: int) -> _Item:
    if not 0 <= item.measure <= 255:
        raise ContentFault(f"items[{place}].measure", "expected 0 to 255 (2108)")
    return msgspec.structs.replace(_item(item, form), measure=item.measure, payment_object=int(item.subject))


def _item(item: ReceiptItem, form: AtolForm) -> _Item:
    amount = json_roubles(item.sum_kopecks)
    supplier = item.supplier
    return _Item(
        name=item.name,
        price=amount,
        quantity=1,
        sum=amount,
        payment_method=_METHOD[item.method],
        payment_object=item.subject,
        vat=_Vat(type=item.vat),
        agent_info=_agent(item, form.agent),
        supplier_info=None if supplier is None else _Supplier(name=supplier.name, inn=supplier.inn, phones=supplier.phones),
    )


def _agent(item: ReceiptItem, details: AgentDetails) -> _Agent | None:
    if item.agent is None:
        return None
    if item.agent not in PAYING_AGENTS:
        return _Agent(type=item.agent)
    named = details.operation or details.phones
    return _Agent(
        type=item.agent,
        paying_agent=_PayingAgent(operation=details.operation, phones=details.phones) if named else None,
        receive_payments_operator=_Phones(phones=details.operator_phones) if details.operator_phones else None,
    )


def _payment(means: MeansOfPayment, amount_kopecks: int) -> _Payment:
    return _Payment(type=means, sum=json_roubles(amount_kopecks))


def _correction_info(correction: Correction) -> _CorrectionInfo:
    return _CorrectionInfo(
        type="instruction" if correction.by_order else "self",
        base_date=correction.base_date.strftime("%d.%m.%Y"),
        base_number=correction.base_number,
    )


def _vats(receipt: Receipt) -> tuple[_Vat, ...]:
    """Sum the tax of each rate, once a rate; without tax and at 0 % the sum itself stands (1104, 1105) [from memory]."""
    gross_kopecks: dict[Vat, int] = {}
    for item in receipt.items:
        gross_kopecks[item.vat] = gross_kopecks.get(item.vat, 0) + item.sum_kopecks
    if len(gross_kopecks) > VATS_MAX:
        raise ContentFault("items", f"{len(gross_kopecks)} rates of НДС, at most {VATS_MAX} in one correction")
    return tuple(_Vat(type=vat, sum=json_roubles(vat_inside(vat, gross))) for vat, gross in sorted(gross_kopecks.items()))


def vat_inside(vat: Vat, gross_kopecks: int) -> int:
    """Return the tax inside a gross sum, half up to a kopeck; the sum itself without tax or at 0 %."""
    if vat not in _VAT_FRACTION:
        return gross_kopecks
    part, whole = _VAT_FRACTION[vat]
    return (2 * gross_kopecks * part + whole) // (2 * whole)
