"""A receipt of three lines and its sign, for papers and letters."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec

from schemas.receipt import (
    AgentKind,
    Company,
    Correction,
    FiscalFormat,
    FiscalSign,
    MeansOfPayment,
    Operation,
    PaymentMethod,
    PaymentObject,
    Receipt,
    ReceiptItem,
    Supplier,
    TaxSystem,
    Vat,
)

COMPANY = Company(
    inn="7707083893",
    name="ООО «УК Север»",
    tax_system=TaxSystem.OSN,
    payment_address="https://pay.example.ru",
    email="check@example.ru",
)
RECEIPT = Receipt(
    operation=Operation.SELL,
    format=FiscalFormat.V12,
    company=COMPANY,
    client="resident@example.ru",
    items=(
        ReceiptItem(
            name="Отопление за 10.2026",
            sum_kopecks=169_772,
            method=PaymentMethod.FULL_PAYMENT,
            subject=PaymentObject.SERVICE,
            vat=Vat.NONE,
        ),
        ReceiptItem(
            name="Содержание жилья за 10.2026",
            sum_kopecks=126_988,
            method=PaymentMethod.FULL_PAYMENT,
            subject=PaymentObject.SERVICE,
            vat=Vat.VAT22,
            agent=AgentKind.PAYING_AGENT,
            supplier=Supplier(name="АО «Тепло»", inn="7707083893", phones=("+74950000000",)),
        ),
        ReceiptItem(
            name="Аванс (ЖКУ)",
            sum_kopecks=203_240,
            method=PaymentMethod.ADVANCE,
            subject=PaymentObject.PAYMENT,
            vat=Vat.VAT122,
        ),
    ),
    payments=((MeansOfPayment.CASHLESS, 400_000), (MeansOfPayment.OFFSET, 100_000)),
    total_kopecks=500_000,
    settled_at=datetime(2026, 11, 24, 12, 30, tzinfo=UTC),
)
SIGN = FiscalSign(
    fn="9960440300000001",
    fd="12345",
    fpd="3987654321",
    registered_at=datetime(2026, 11, 24, 15, 30),
    total_kopecks=500_000,
    shift="7",
    number_in_shift="112",
    register_number="0000000001234567",
    link="https://ofd.example.ru/check?fn=9960440300000001&i=12345&fp=3987654321",
)
CORRECTION = Correction(by_order=True, base_date=date(2026, 11, 20), base_number="12-ф", wrong_sign="1122334455")


def receipt(**changed: Any) -> Receipt:
    """The receipt, changed as given."""
    return msgspec.structs.replace(RECEIPT, **changed)


def named(*names: str) -> Receipt:
    """A receipt of one kopeck a line, with lines of these names."""
    items = tuple(msgspec.structs.replace(RECEIPT.items[0], name=name, sum_kopecks=1) for name in names)
    return receipt(items=items, payments=((MeansOfPayment.CASHLESS, len(items)),), total_kopecks=len(items))
