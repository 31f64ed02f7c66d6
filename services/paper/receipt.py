"""The printable receipt: what 54-ФЗ ст. 4.7 п. 1 lists, in its words, with the QR code by which the tax service finds it.

Texts go into the template as JSON, never as its code, so that a name with # or $ in it stays a name. Only the fonts embedded in
typst are used, and no clock: the same receipt gives the same bytes.
"""

import asyncio
import io
from datetime import UTC
from pathlib import Path
from typing import Any, Literal

import msgspec
import segno
import typst

from schemas.money import roubles_for_people, roubles_from_kopecks
from schemas.receipt import (
    AgentKind,
    FiscalSign,
    MeansOfPayment,
    Operation,
    PaymentMethod,
    PaymentObject,
    Receipt,
    ReceiptItem,
    TaxSystem,
    Vat,
)

TEMPLATE = Path(__file__).with_name("receipt.typ")
TAX_SERVICE_SITE = "www.nalog.gov.ru"
"""Tag 1060."""

PICTURE_DOTS_PER_INCH = 144.0

_OPERATIONS = {
    Operation.SELL: ("Кассовый чек", "Приход", 1),
    Operation.SELL_REFUND: ("Кассовый чек", "Возврат прихода", 2),
    Operation.SELL_CORRECTION: ("Кассовый чек коррекции", "Приход", 1),
    Operation.SELL_REFUND_CORRECTION: ("Кассовый чек коррекции", "Возврат прихода", 2),
}
"""Name of the document, признак расчёта (1054) in words and as the QR code's ``n``."""
_TAX_SYSTEMS = {
    TaxSystem.OSN: "ОСН",
    TaxSystem.USN_INCOME: "УСН доход",
    TaxSystem.USN_INCOME_OUTCOME: "УСН доход − расход",
    TaxSystem.ESN: "ЕСХН",
    TaxSystem.PATENT: "Патент",
}
_METHODS = {
    PaymentMethod.FULL_PREPAYMENT: "Предоплата 100 %",
    PaymentMethod.PREPAYMENT: "Предоплата",
    PaymentMethod.ADVANCE: "Аванс",
    PaymentMethod.FULL_PAYMENT: "Полный расчёт",
    PaymentMethod.PARTIAL_PAYMENT: "Частичный расчёт и кредит",
    PaymentMethod.CREDIT: "Передача в кредит",
    PaymentMethod.CREDIT_PAYMENT: "Оплата кредита",
}
_OBJECTS = {
    PaymentObject.SERVICE: "Услуга",
    PaymentObject.PAYMENT: "Платёж",
    PaymentObject.AGENT_COMMISSION: "Агентское вознаграждение",
    PaymentObject.NON_OPERATING_GAIN: "Внереализационный доход",
}
_AGENTS = {
    AgentKind.BANK_PAYING_AGENT: "Банковский платёжный агент",
    AgentKind.BANK_PAYING_SUBAGENT: "Банковский платёжный субагент",
    AgentKind.PAYING_AGENT: "Платёжный агент",
    AgentKind.PAYING_SUBAGENT: "Платёжный субагент",
    AgentKind.ATTORNEY: "Поверенный",
    AgentKind.COMMISSION_AGENT: "Комиссионер",
    AgentKind.ANOTHER: "Агент",
}
_MEANS = {
    MeansOfPayment.CASH: "Наличными",
    MeansOfPayment.CASHLESS: "Безналичными",
    MeansOfPayment.OFFSET: "Предварительная оплата (аванс)",
    MeansOfPayment.CREDIT: "Последующая оплата (кредит)",
    MeansOfPayment.OTHER: "Иная форма оплаты",
}
_RATES = {
    Vat.VAT5: (5, 105, "НДС 5 %"),
    Vat.VAT7: (7, 107, "НДС 7 %"),
    Vat.VAT10: (10, 110, "НДС 10 %"),
    Vat.VAT20: (20, 120, "НДС 20 %"),
    Vat.VAT22: (22, 122, "НДС 22 %"),
    Vat.VAT105: (5, 105, "НДС 5/105"),
    Vat.VAT107: (7, 107, "НДС 7/107"),
    Vat.VAT110: (10, 110, "НДС 10/110"),
    Vat.VAT120: (20, 120, "НДС 20/120"),
    Vat.VAT122: (22, 122, "НДС 22/122"),
}
"""Numerator and denominator of the tax inside a sum, and its words."""
_WITHOUT_TAX = {Vat.NONE: "Без НДС", Vat.VAT0: "НДС 0 %"}


async def print_receipt(receipt: Receipt, sign: FiscalSign) -> bytes:
    """Make the PDF in a thread, a few milliseconds of work; see ``receipt_pdf``."""
    return await asyncio.to_thread(receipt_pdf, receipt, sign)


def receipt_pdf(receipt: Receipt, sign: FiscalSign) -> bytes:
    """Return the receipt as a PDF, 80 mm wide and as long as it needs; ValueError when the till registered another sum."""
    return _typeset(receipt, sign, "pdf")


def receipt_png(receipt: Receipt, sign: FiscalSign) -> bytes:
    """Return the same page as a picture."""
    return _typeset(receipt, sign, "png")


def vat_kopecks(item: ReceiptItem) -> int:
    """Return the tax inside an item's sum (1200), rounded half up; 0 for rates that hold none."""
    if item.vat not in _RATES:
        return 0
    rate, whole, _ = _RATES[item.vat]
    return (2 * item.sum_kopecks * rate + whole) // (2 * whole)


def qr_text(receipt: Receipt, sign: FiscalSign) -> str:
    """Return the content of the receipt's QR code: t, s, fn, i, fp, n."""
    moment, total = f"{sign.registered_at:%Y%m%dT%H%M}", roubles_from_kopecks(sign.total_kopecks)
    return f"t={moment}&s={total}&fn={sign.fn}&i={sign.fd}&fp={sign.fpd}&n={_OPERATIONS[receipt.operation][2]}"


def _typeset(receipt: Receipt, sign: FiscalSign, form: Literal["pdf", "png"]) -> bytes:
    if sign.total_kopecks != receipt.total_kopecks:
        raise ValueError(f"receipt ФД {sign.fd}: {receipt.total_kopecks} kopecks were sent, {sign.total_kopecks} registered")
    return typst.compile(
        TEMPLATE,
        root=TEMPLATE.parent,
        format=form,
        ppi=PICTURE_DOTS_PER_INCH,
        sys_inputs={"receipt": msgspec.json.encode(_texts(receipt, sign)).decode()},
        ignore_system_fonts=True,
        timestamp=sign.registered_at.replace(tzinfo=UTC),
    )


def _texts(receipt: Receipt, sign: FiscalSign) -> dict[str, Any]:
    """Everything the template prints, as texts in their order; a pair is a word and what stands at the line's end."""
    name, operation, _ = _OPERATIONS[receipt.operation]
    return {
        "title": name if not sign.number_in_shift else f"{name} № {sign.number_in_shift}",
        "operation": operation,
        "company": [receipt.company.name, f"ИНН {receipt.company.inn}"],
        "head": _head(receipt, sign),
        "correction": _correction(receipt),
        "items": [_item(place, item) for place, item in enumerate(receipt.items, start=1)],
        "total": roubles_for_people(receipt.total_kopecks),
        "payments": [(_MEANS[means], roubles_for_people(amount)) for means, amount in receipt.payments],
        "vats": _vats(receipt.items),
        "tail": _tail(receipt, sign),
        "qr": _qr_svg(qr_text(receipt, sign)),
        "link": sign.link,
    }


def _head(receipt: Receipt, sign: FiscalSign) -> list[tuple[str, str]]:
    return [
        ("Дата и время", f"{sign.registered_at:%d.%m.%Y %H:%M}"),
        ("Место расчётов", receipt.company.payment_address),
        *([("Расчёт в сети Интернет", "да")] if receipt.internet else []),
        ("Система налогообложения", _TAX_SYSTEMS[receipt.company.tax_system]),
        *([("Смена", sign.shift)] if sign.shift else []),
    ]


def _correction(receipt: Receipt) -> list[tuple[str, str]]:
    correction = receipt.correction
    if correction is None:
        return []
    document = f"от {correction.base_date:%d.%m.%Y}"
    return [
        ("Тип коррекции", "по предписанию" if correction.by_order else "самостоятельно"),
        ("Основание", f"№ {correction.base_number} {document}" if correction.base_number else document),
        *([("ФПД исправляемого чека", correction.wrong_sign)] if correction.wrong_sign else []),
    ]


def _item(place: int, item: ReceiptItem) -> dict[str, Any]:
    amount = roubles_for_people(item.sum_kopecks)
    tax = _WITHOUT_TAX.get(item.vat)
    words = (tax, "") if tax else (f"в т. ч. {_RATES[item.vat][2]}", roubles_for_people(vat_kopecks(item)))
    return {
        "name": f"{place}. {item.name}",
        "sum": (f"1 × {amount}", amount),
        "vat": words,
        "signs": f"{_METHODS[item.method]} · {_OBJECTS[item.subject]}",
        "agent": [*([_AGENTS[item.agent]] if item.agent else []), *_supplier(item)],
    }


def _supplier(item: ReceiptItem) -> list[str]:
    if item.supplier is None:
        return []
    phones = [f"Тел. поставщика: {', '.join(item.supplier.phones)}"] if item.supplier.phones else []
    return [f"Поставщик: {item.supplier.name}", f"ИНН поставщика: {item.supplier.inn}", *phones]


def _vats(items: tuple[ReceiptItem, ...]) -> list[tuple[str, str]]:
    """Return the tax by rate (1102 … 1107), the sum of what stands at the items; without tax, the turnover."""
    lines = []
    for vat in Vat:
        chosen = [item for item in items if item.vat is vat]
        if not chosen:
            continue
        if vat in _WITHOUT_TAX:
            lines.append((f"Сумма {_WITHOUT_TAX[vat].replace('Без', 'без')}", sum(item.sum_kopecks for item in chosen)))
        else:
            lines.append((f"Сумма {_RATES[vat][2]}", sum(map(vat_kopecks, chosen))))
    return [(words, roubles_for_people(amount)) for words, amount in lines]


def _tail(receipt: Receipt, sign: FiscalSign) -> list[tuple[str, str]]:
    given = [
        ("Эл. адрес или телефон покупателя", receipt.client),
        ("Эл. адрес отправителя", receipt.company.email),
        ("Сайт ФНС", TAX_SERVICE_SITE),
        ("РН ККТ", sign.register_number),
        ("ФН", sign.fn),
        ("ФД", sign.fd),
        ("ФПД", sign.fpd),
        ("ФФД", receipt.format.value),
    ]
    return [(word, text) for word, text in given if text]


def _qr_svg(text: str) -> str:
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", border=0, xmldecl=False)
    return out.getvalue().decode()
