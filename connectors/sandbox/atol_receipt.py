"""What the fake ATOL Online takes for a receipt, by its own reading of the protocol (protocols.md §8): names, limits, sums."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta, Raw

from connectors.sandbox.receipt_sums import SumFault, check_total, item_kopecks, kopecks_in

_MOMENT = "^[0-3][0-9]\\.[01][0-9]\\.20[0-9]{2} [0-2][0-9]:[0-5][0-9]:[0-5][0-9]$"
_DATE = "^[0-3][0-9]\\.[01][0-9]\\.20[0-9]{2}$"
_PRICE_KOPECKS_MAX = 4294967295
_PHONE = re.compile(r"\+[0-9]{5,19}", re.ASCII)
_METHODS = frozenset(["full_prepayment", "prepayment", "advance", "full_payment", "partial_payment", "credit", "credit_payment"])
_OBJECTS = frozenset(["service", "payment", "agent_commission", "non-operating_gain", "composite", "another"])
_OBJECT_NUMBER_MAX = 33
_VATS = frozenset(["none", "vat0", "vat5", "vat7", "vat10", "vat20", "vat22", "vat105", "vat107", "vat110", "vat120", "vat122"])
_AGENTS = frozenset(
    ["bank_paying_agent", "bank_paying_subagent", "paying_agent", "paying_subagent", "attorney", "commission_agent", "another"]
)
_TAX_SYSTEMS = frozenset(["osn", "usn_income", "usn_income_outcome", "envd", "esn", "patent"])

_ABSENT = Raw(b"")

_Inn = Annotated[str, Meta(pattern="^([0-9]{10}|[0-9]{12})$")]
_Text = Annotated[str, Meta(min_length=1, max_length=256)]


class _Client(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    email: Annotated[str, Meta(max_length=64, pattern="^[^@ ]+@[^@ ]+$")] | None = None
    phone: Annotated[str, Meta(max_length=64)] | None = None
    name: _Text | None = None
    inn: _Inn | None = None


class _Company(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    email: Annotated[str, Meta(max_length=64, pattern="^[^@ ]+@[^@ ]+$")]
    sno: str
    inn: _Inn
    payment_address: _Text
    location: _Text | None = None


class _PayingAgent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    operation: Annotated[str, Meta(max_length=24)] = ""
    phones: tuple[str, ...] = ()


class _Operator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    phones: tuple[str, ...] = ()
    name: str = ""
    address: str = ""
    inn: str = ""


class _Agent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: str
    paying_agent: _PayingAgent | None = None
    receive_payments_operator: _Operator | None = None
    money_transfer_operator: _Operator | None = None


class _Supplier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    inn: _Inn
    name: _Text | None = None
    phones: tuple[str, ...] = ()


class _Vat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: str
    sum: Raw = _ABSENT


class _Item(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    price: Raw
    quantity: Raw
    sum: Raw
    measurement_unit: Annotated[str, Meta(max_length=16)] | None = None
    measure: Annotated[int, Meta(ge=0, le=255)] | None = None
    payment_method: str
    payment_object: str | int
    vat: _Vat
    agent_info: _Agent | None = None
    supplier_info: _Supplier | None = None


class _Payment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: Annotated[int, Meta(ge=0, le=9)]
    sum: Raw


class _CorrectionInfo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type: Annotated[str, Meta(pattern="^(self|instruction)$")]
    base_date: Annotated[str, Meta(pattern=_DATE)]
    base_number: Annotated[str, Meta(max_length=32)] = ""


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    client: _Client | None = None
    company: _Company
    correction_info: _CorrectionInfo | None = None
    items: Annotated[tuple[_Item, ...], Meta(max_length=100)] = ()
    payments: Annotated[tuple[_Payment, ...], Meta(min_length=1, max_length=10)]
    vats: Annotated[tuple[_Vat, ...], Meta(max_length=6)] = ()
    total: Raw = _ABSENT
    additional_check_props: Annotated[str, Meta(max_length=16)] = ""
    internet: bool = False


class _Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    callback_url: Annotated[str, Meta(max_length=256)]


class AtolReceipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request's body."""

    external_id: Annotated[str, Meta(min_length=1, max_length=128)]
    timestamp: Annotated[str, Meta(pattern=_MOMENT)]
    receipt: _Document | None = None
    correction: _Document | None = None
    service: _Service | None = None


def total_of(body: AtolReceipt, operation: str, protocol: str, inn: str) -> int:
    """Check a receipt and return its total; raises SumFault, its message naming the field."""
    correction = operation.endswith("_correction")
    document = body.correction if correction else body.receipt
    if document is None or (body.receipt is not None and body.correction is not None):
        raise SumFault(f"expected {'correction' if correction else 'receipt'}")
    if correction != (document.correction_info is not None):
        raise SumFault("correction_info: stands in corrections only")
    _check_parties(document, inn)
    payments_kopecks = [kopecks_in(payment.sum, "payments.sum") for payment in document.payments]
    if correction and protocol == "v4":
        return _bare_total(document, payments_kopecks)
    if not document.items or not bytes(document.total):
        raise SumFault("items, total: are required")
    items_kopecks = [_item_kopecks(item, protocol, f"items[{place}]") for place, item in enumerate(document.items)]
    total_kopecks = kopecks_in(document.total, "total")
    check_total(items_kopecks, payments_kopecks, total_kopecks)
    return total_kopecks


def _bare_total(document: _Document, payments_kopecks: list[int]) -> int:
    if document.items or bytes(document.total) or not document.vats:
        raise SumFault("a correction of v4 has vats and neither items nor a total")
    if any(vat.type not in _VATS or not bytes(vat.sum) for vat in document.vats):
        raise SumFault("vats: expected known types with sums")
    return sum(payments_kopecks)


def _check_parties(document: _Document, inn: str) -> None:
    client = document.client
    if client is None or not (client.email or client.phone):
        raise SumFault("client: email or phone is required")
    if client.phone and _PHONE.fullmatch(client.phone) is None:
        raise SumFault("client.phone: expected + and digits")
    if document.company.sno not in _TAX_SYSTEMS:
        raise SumFault("company.sno: unknown")
    if document.company.inn != inn:
        raise SumFault("company.inn: the group of tills has another")


def _item_kopecks(item: _Item, protocol: str, field: str) -> int:
    if item.payment_method not in _METHODS or item.vat.type not in _VATS:
        raise SumFault(f"{field}: payment_method or vat.type is unknown")
    known = (
        item.payment_object in _OBJECTS
        if isinstance(item.payment_object, str)
        else 1 <= item.payment_object <= _OBJECT_NUMBER_MAX
    )
    if not known or isinstance(item.payment_object, str) != (protocol == "v4"):
        raise SumFault(f"{field}.payment_object: unknown in {protocol}")
    if (item.measure is None) != (protocol == "v4") or (protocol == "v5" and item.measurement_unit is not None):
        raise SumFault(f"{field}.measure: belongs to v5, and measurement_unit to v4")
    if item.agent_info is not None and (item.agent_info.type not in _AGENTS or item.supplier_info is None):
        raise SumFault(f"{field}.agent_info: unknown type, or no supplier_info")
    sum_kopecks = item_kopecks(item.price, item.quantity, item.sum, field)
    if kopecks_in(item.price, f"{field}.price") > _PRICE_KOPECKS_MAX:
        raise SumFault(f"{field}.price: too much")
    return sum_kopecks
