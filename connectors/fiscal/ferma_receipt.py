"""A receipt as OFD.ru Ferma takes it (protocols.md §9); names of fields are Ferma's."""

from zoneinfo import ZoneInfo

import msgspec

from connectors.fiscal.json_roubles import json_roubles
from connectors.fiscal.receipt_limits import PAYING_AGENTS, AgentDetails, ContentFault, is_phone
from schemas.receipt import (
    AgentKind,
    Correction,
    FiscalFormat,
    MeansOfPayment,
    Operation,
    PaymentMethod,
    Receipt,
    ReceiptItem,
    TaxSystem,
    Vat,
)

_TYPE = {
    Operation.SELL: "Income",
    Operation.SELL_REFUND: "IncomeReturn",
    Operation.SELL_CORRECTION: "IncomeCorrection",
    Operation.SELL_REFUND_CORRECTION: "IncomeReturnCorrection",
}
_PREPAYMENT_TYPE = {Operation.SELL: "IncomePrepayment", Operation.SELL_REFUND: "IncomeReturnPrepayment"}
_OFFSET_TYPE = {Operation.SELL: "IncomePrepaymentOffset", Operation.SELL_REFUND: "IncomeReturnPrepaymentOffset"}
_PREPAYMENTS = frozenset({PaymentMethod.FULL_PREPAYMENT, PaymentMethod.PREPAYMENT, PaymentMethod.ADVANCE})
_TAX_SYSTEM = {
    TaxSystem.OSN: "Common",
    TaxSystem.USN_INCOME: "SimpleIn",
    TaxSystem.USN_INCOME_OUTCOME: "SimpleInOut",
    TaxSystem.ESN: "UnifiedAgricultural",
    TaxSystem.PATENT: "Patent",
}
_VAT = {
    Vat.NONE: "VatNo",
    Vat.VAT0: "Vat0",
    Vat.VAT5: "Vat5",
    Vat.VAT7: "Vat7",
    Vat.VAT10: "Vat10",
    Vat.VAT20: "Vat20",
    Vat.VAT22: "Vat22",
    Vat.VAT105: "CalculatedVat5105",
    Vat.VAT107: "CalculatedVat7107",
    Vat.VAT110: "CalculatedVat10110",
    Vat.VAT120: "CalculatedVat20120",
    Vat.VAT122: "CalculatedVat22122",
}
"""Names of 5/105, 7/107, 22 and 22/122 per cent as a public client of Ferma 2.84 has them."""
_MEASURE = {0: "PIECE", 32: "SQUARE_METER", 42: "CUBIC_METER", 50: "KILOWATT_HOUR", 51: "GIGACALORIE", 255: "OTHER"}
"""Tag 2108 -> Ferma's word."""
_AGENT = {
    AgentKind.BANK_PAYING_AGENT: "BANK_PAYMENT_AGENT",
    AgentKind.BANK_PAYING_SUBAGENT: "BANK_PAYMENT_SUBAGENT",
    AgentKind.PAYING_AGENT: "PAYMENT_AGENT",
    AgentKind.PAYING_SUBAGENT: "PAYMENT_SUBAGENT",
    AgentKind.ATTORNEY: "CONFIDANT",
    AgentKind.COMMISSION_AGENT: "COMMISSIONER",
    AgentKind.ANOTHER: "AGENT",
}
"""As a public client of Ferma 2.84 has them; others remember ATTORNEY and COMMISSION_AGENT, which settings may put back."""


class _Agent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    agent_type: str
    payment_agent_operation: str = ""
    payment_agent_phone: str = ""
    receiver_phone: str = ""
    supplier_inn: str
    supplier_name: str
    supplier_phone: str = ""


class _Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    label: str
    price: msgspec.Raw
    quantity: int
    amount: msgspec.Raw
    vat: str
    measure: str
    payment_method: int
    payment_type: int
    payment_agent_info: _Agent | None = None


class _PaymentItem(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    payment_type: int
    sum: msgspec.Raw


class _CorrectionInfo(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    type: str
    description: str
    receipt_date: str
    receipt_id: str


class _CustomerReceipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    taxation_system: str
    email: str = ""
    phone: str = ""
    bill_address: str
    is_internet: bool
    items: tuple[_Item, ...]
    payment_items: tuple[_PaymentItem, ...]
    correction_info: _CorrectionInfo | None = None
    additional_receipt_prop: str = ""


class _Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    inn: str
    type: str
    invoice_id: str
    callback_url: str = ""
    local_date: str
    customer_receipt: _CustomerReceipt


class _Body(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    request: _Request


class FermaForm(msgspec.Struct, frozen=True, kw_only=True):
    """What one account wants of every receipt.

    ``prepayment_types``: advances and their offsets get Ferma's own types of receipt, not only their items' method and
    payments. ``correction_date`` is the form of a correction's date, for strftime. ``agent_types`` replaces Ferma's words for
    kinds of agent.
    """

    format: FiscalFormat
    inn: str
    zone: ZoneInfo
    agent: AgentDetails
    agent_types: dict[AgentKind, str]
    callback_url: str
    prepayment_types: bool
    correction_date: str


def encode_receipt(receipt: Receipt, key: str, form: FermaForm) -> bytes:
    """Write the request's body, the same bytes for the same receipt and key; raises ContentFault."""
    if receipt.format is not form.format:
        raise ContentFault("format", f"ФФД {receipt.format} is not the one of these tills")
    if receipt.company.inn != form.inn:
        raise ContentFault("company.inn", "is not the one of these tills")
    request = _Request(
        inn=receipt.company.inn,
        type=_type(receipt, form),
        invoice_id=key,
        callback_url=form.callback_url,
        local_date=receipt.settled_at.astimezone(form.zone).strftime("%Y-%m-%dT%H:%M:%S"),
        customer_receipt=_customer_receipt(receipt, form),
    )
    return msgspec.json.encode(_Body(request=request))


def _type(receipt: Receipt, form: FermaForm) -> str:
    if form.prepayment_types and receipt.operation in _PREPAYMENT_TYPE:
        if any(means is MeansOfPayment.OFFSET for means, _ in receipt.payments):
            return _OFFSET_TYPE[receipt.operation]
        if all(item.method in _PREPAYMENTS for item in receipt.items):
            return _PREPAYMENT_TYPE[receipt.operation]
    return _TYPE[receipt.operation]


def _customer_receipt(receipt: Receipt, form: FermaForm) -> _CustomerReceipt:
    correction = receipt.correction
    phone = is_phone(receipt.client)
    return _CustomerReceipt(
        taxation_system=_TAX_SYSTEM[receipt.company.tax_system],
        email="" if phone else receipt.client,
        phone=receipt.client if phone else "",
        bill_address=receipt.company.payment_address,
        is_internet=receipt.internet,
        items=tuple(_item(item, form, place) for place, item in enumerate(receipt.items)),
        payment_items=tuple(_payment_item(means, amount_kopecks) for means, amount_kopecks in receipt.payments),
        correction_info=None if correction is None else _correction_info(correction, form),
        additional_receipt_prop="" if correction is None else correction.wrong_sign,
    )


def _item(item: ReceiptItem, form: FermaForm, place: int) -> _Item:
    if item.measure not in _MEASURE:
        raise ContentFault(f"items[{place}].measure", f"Ferma has no word for unit {item.measure} (2108)")
    amount = json_roubles(item.sum_kopecks)
    return _Item(
        label=item.name,
        price=amount,
        quantity=1,
        amount=amount,
        vat=_VAT[item.vat],
        measure=_MEASURE[item.measure],
        payment_method=item.method,
        payment_type=int(item.subject),
        payment_agent_info=_agent(item, form),
    )


def _agent(item: ReceiptItem, form: FermaForm) -> _Agent | None:
    if item.agent is None or item.supplier is None:
        return None
    details = form.agent if item.agent in PAYING_AGENTS else AgentDetails()
    return _Agent(
        agent_type=form.agent_types.get(item.agent, _AGENT[item.agent]),
        payment_agent_operation=details.operation,
        payment_agent_phone=_first(details.phones),
        receiver_phone=_first(details.operator_phones),
        supplier_inn=item.supplier.inn,
        supplier_name=item.supplier.name,
        supplier_phone=_first(item.supplier.phones),
    )


def _first(phones: tuple[str, ...]) -> str:
    return phones[0] if phones else ""


def _payment_item(means: MeansOfPayment, amount_kopecks: int) -> _PaymentItem:
    return _PaymentItem(payment_type=means, sum=json_roubles(amount_kopecks))


def _correction_info(correction: Correction, form: FermaForm) -> _CorrectionInfo:
    return _CorrectionInfo(
        type="INSTRUCTION" if correction.by_order else "SELF",
        description="Предписание налогового органа" if correction.by_order else "Самостоятельная коррекция",
        receipt_date=correction.base_date.strftime(form.correction_date),
        receipt_id=correction.base_number,
    )
