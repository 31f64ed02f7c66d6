"""Fiscal receipts (54-ФЗ) in one form for every operator of tills; numbers in comments are the tags of the fiscal format."""

from datetime import date, datetime
from enum import IntEnum, StrEnum

import msgspec

RECEIPT_ITEMS_MAX = 100
ITEM_NAME_CHARACTERS_MAX = 128


class Operation(StrEnum):
    """What the till registers (1054 and the form of the document)."""

    SELL = "sell"
    SELL_REFUND = "sell_refund"
    SELL_CORRECTION = "sell_correction"
    SELL_REFUND_CORRECTION = "sell_refund_correction"


class FiscalFormat(StrEnum):
    """Version of the fiscal data format (ФФД)."""

    V105 = "1.05"
    V12 = "1.2"


class PaymentMethod(IntEnum):
    """Признак способа расчёта (1214)."""

    FULL_PREPAYMENT = 1
    PREPAYMENT = 2
    ADVANCE = 3
    FULL_PAYMENT = 4
    PARTIAL_PAYMENT = 5
    CREDIT = 6
    CREDIT_PAYMENT = 7


class PaymentObject(IntEnum):
    """Признак предмета расчёта (1212): those that occur here."""

    SERVICE = 4
    PAYMENT = 10
    AGENT_COMMISSION = 11
    NON_OPERATING_GAIN = 15


class Vat(StrEnum):
    """Ставка НДС of an item (1199): inside the sum; the last six are calculated rates for advances."""

    NONE = "none"
    VAT0 = "vat0"
    VAT5 = "vat5"
    VAT7 = "vat7"
    VAT10 = "vat10"
    VAT20 = "vat20"
    VAT22 = "vat22"
    VAT105 = "vat105"
    VAT107 = "vat107"
    VAT110 = "vat110"
    VAT120 = "vat120"
    VAT122 = "vat122"


class TaxSystem(StrEnum):
    """Система налогообложения (1055)."""

    OSN = "osn"
    USN_INCOME = "usn_income"
    USN_INCOME_OUTCOME = "usn_income_outcome"
    ESN = "esn"
    PATENT = "patent"


class AgentKind(StrEnum):
    """Признак агента по предмету расчёта (1222)."""

    BANK_PAYING_AGENT = "bank_paying_agent"
    BANK_PAYING_SUBAGENT = "bank_paying_subagent"
    PAYING_AGENT = "paying_agent"
    PAYING_SUBAGENT = "paying_subagent"
    ATTORNEY = "attorney"
    COMMISSION_AGENT = "commission_agent"
    ANOTHER = "another"


class MeansOfPayment(IntEnum):
    """How the sum was paid (1031, 1081, 1215, 1216, 1217)."""

    CASH = 0
    CASHLESS = 1
    OFFSET = 2
    CREDIT = 3
    OTHER = 4


class Supplier(msgspec.Struct, frozen=True, kw_only=True):
    """Whose money an agent takes (1224, 1226). ``inn`` has 10 or 12 digits; phones are +7…"""

    name: str
    inn: str
    phones: tuple[str, ...] = ()


class ReceiptItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One предмет расчёта, quantity 1: price = sum. ``vat`` is inside the sum. ``measure`` is tag 2108 (0: piece)."""

    name: str
    sum_kopecks: int
    method: PaymentMethod
    subject: PaymentObject
    vat: Vat
    measure: int = 0
    agent: AgentKind | None = None
    supplier: Supplier | None = None


class Company(msgspec.Struct, frozen=True, kw_only=True):
    """Who issues: пользователь ККТ. ``payment_address`` is the site or place of settlement (1187), ``email`` tag 1117."""

    inn: str
    name: str
    tax_system: TaxSystem
    payment_address: str
    email: str


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """Why a receipt is corrected (1173, 1178, 1179). ``wrong_sign`` is the fiscal sign of the wrong receipt (1192), ФФД 1.2."""

    by_order: bool
    base_date: date
    base_number: str = ""
    wrong_sign: str = ""


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One receipt to be registered. Sums are kopecks; the items' sums, the payments' and ``total_kopecks`` are equal.

    ``client`` is the payer's e-mail or +7… phone (1008). ``settled_at`` is the moment of settlement, UTC. ``internet``: tag 1125.
    """

    operation: Operation
    format: FiscalFormat
    company: Company
    client: str
    items: tuple[ReceiptItem, ...]
    payments: tuple[tuple[MeansOfPayment, int], ...]
    total_kopecks: int
    settled_at: datetime
    internet: bool = True
    correction: Correction | None = None


class FiscalSign(msgspec.Struct, frozen=True, kw_only=True):
    """What the till registered: номер ФН (1041), номер ФД (1040), ФПД (1077) and where the receipt can be seen.

    ``registered_at`` is the till's local time as printed on the receipt, without a zone: the QR code holds it so.
    """

    fn: str
    fd: str
    fpd: str
    registered_at: datetime
    total_kopecks: int
    shift: str = ""
    number_in_shift: str = ""
    register_number: str = ""
    link: str = ""
