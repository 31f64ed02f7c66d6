"""What must be true of a receipt before any operator of tills is asked to register it (protocols.md §8, §9).

A receipt that breaks a limit would be refused by the operator, or worse, registered wrongly: it is refused here by its field.
"""

import re

import msgspec

from schemas.delivery import ORDER_KEY_CHARACTERS_MAX, Answer, NotTaken, Outgoing, Refused, Unknown
from schemas.receipt import (
    ITEM_NAME_CHARACTERS_MAX,
    RECEIPT_ITEMS_MAX,
    AgentKind,
    Correction,
    Operation,
    Receipt,
    ReceiptItem,
    Supplier,
)

CONTENT_CODE = "content"
ITEM_KOPECKS_MAX = 4_294_967_295
"""Price and sum of an item: 42 949 672.95 roubles."""
PAYMENTS_MAX = 10
EMAIL_CHARACTERS_MAX = 64
ADDRESS_CHARACTERS_MAX = 256
PARTY_NAME_CHARACTERS_MAX = 256
AGENT_OPERATION_CHARACTERS_MAX = 24
CORRECTION_NUMBER_CHARACTERS_MAX = 32
"""Tag 1179 [from memory]."""
NO_SUPPLIER_INN = "0" * 12
"""Tag 1226 of a supplier without an ИНН (law.md §4.3)."""

CORRECTIONS = frozenset({Operation.SELL_CORRECTION, Operation.SELL_REFUND_CORRECTION})

PHONE = re.compile(r"\+7[0-9]{10}", re.ASCII)
INN = re.compile(r"[0-9]{10}|[0-9]{12}", re.ASCII)
_EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+", re.ASCII)
_WRONG_SIGN = re.compile(r"[0-9]{1,10}", re.ASCII)
"""ФПД (1077) has up to ten digits."""


class ContentFault(ValueError):
    """The receipt cannot be sent as it is; ``field`` names the place in schemas/receipt.py's words."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")


class AgentDetails(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Our own tags as a paying agent: the operation's name (1044), our phones (1073) and the payments operator's (1074)."""

    operation: str = ""
    phones: tuple[str, ...] = ()
    operator_phones: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no till takes: ValueError."""
        if len(self.operation) > AGENT_OPERATION_CHARACTERS_MAX:
            raise ValueError(f"operation: longer than {AGENT_OPERATION_CHARACTERS_MAX} characters")
        if not all(PHONE.fullmatch(phone) for phone in (*self.phones, *self.operator_phones)):
            raise ValueError("phones: expected +7 and ten digits")


PAYING_AGENTS = frozenset(
    {AgentKind.BANK_PAYING_AGENT, AgentKind.BANK_PAYING_SUBAGENT, AgentKind.PAYING_AGENT, AgentKind.PAYING_SUBAGENT}
)
"""Kinds of agent that take payments, whose items carry AgentDetails."""


def read_receipt(order: Outgoing) -> Receipt:
    """Decode an order's content and check every limit that the operators share; raises ContentFault."""
    if not 1 <= len(order.key) <= ORDER_KEY_CHARACTERS_MAX or not order.key.isprintable():
        raise ContentFault("key", f"expected 1 to {ORDER_KEY_CHARACTERS_MAX} printable characters")
    try:
        receipt = msgspec.json.decode(order.content, type=Receipt)
    except msgspec.DecodeError as error:
        raise ContentFault("receipt", str(error)) from error
    _check_parties(receipt)
    if not 1 <= len(receipt.items) <= RECEIPT_ITEMS_MAX:
        raise ContentFault("items", f"{len(receipt.items)} items, expected 1 to {RECEIPT_ITEMS_MAX}")
    for place, item in enumerate(receipt.items):
        _check_item(item, f"items[{place}]")
    _check_sums(receipt)
    if (receipt.correction is not None) != (receipt.operation in CORRECTIONS):
        raise ContentFault("correction", f"does not go with {receipt.operation}")
    if receipt.correction is not None:
        _check_correction(receipt.correction)
    return receipt


def refused_content(fault: ContentFault) -> Refused:
    """Tell delivery that the content must be mended; the operator has seen nothing."""
    return Refused(code=CONTENT_CODE, reason=str(fault))


def asked_by_repeat(answer: Answer) -> Answer:
    """Turn the answer to a repeat into one to the question what became of the first.

    That this repeat was not taken, or could not be written, tells nothing of the attempt before it.
    """
    if isinstance(answer, NotTaken) or (isinstance(answer, Refused) and answer.code == CONTENT_CODE):
        return Unknown(reason=f"asked by a repeat: {answer.reason}")
    return answer


def is_phone(client: str) -> bool:
    """Whether the payer's contact (1008) is a phone; otherwise it is an e-mail."""
    return client.startswith("+")


def _check_parties(receipt: Receipt) -> None:
    if is_phone(receipt.client):
        if PHONE.fullmatch(receipt.client) is None:
            raise ContentFault("client", "a phone is +7 and ten digits")
    else:
        _check_email(receipt.client, "client")
    company = receipt.company
    _check_email(company.email, "company.email")
    if INN.fullmatch(company.inn) is None:
        raise ContentFault("company.inn", "expected 10 or 12 digits")
    _check_text(company.payment_address, "company.payment_address", ADDRESS_CHARACTERS_MAX)
    if receipt.settled_at.tzinfo is None:
        raise ContentFault("settled_at", "has no time zone")


def _check_item(item: ReceiptItem, field: str) -> None:
    _check_text(item.name, f"{field}.name", ITEM_NAME_CHARACTERS_MAX)
    if not 0 < item.sum_kopecks <= ITEM_KOPECKS_MAX:
        raise ContentFault(f"{field}.sum_kopecks", f"{item.sum_kopecks}, expected 1 to {ITEM_KOPECKS_MAX}")
    if (item.agent is None) != (item.supplier is None):
        raise ContentFault(f"{field}.supplier", "stands with an agent and only with one")
    if item.supplier is not None:
        _check_supplier(item.supplier, f"{field}.supplier")


def _check_supplier(supplier: Supplier, field: str) -> None:
    _check_text(supplier.name, f"{field}.name", PARTY_NAME_CHARACTERS_MAX)
    if INN.fullmatch(supplier.inn) is None:
        raise ContentFault(f"{field}.inn", f"expected 10 or 12 digits ({NO_SUPPLIER_INN} when there is none)")
    if not all(PHONE.fullmatch(phone) for phone in supplier.phones):
        raise ContentFault(f"{field}.phones", "a phone is +7 and ten digits")


def _check_sums(receipt: Receipt) -> None:
    if not 1 <= len(receipt.payments) <= PAYMENTS_MAX:
        raise ContentFault("payments", f"{len(receipt.payments)} payments, expected 1 to {PAYMENTS_MAX}")
    if any(amount_kopecks <= 0 for _, amount_kopecks in receipt.payments):
        raise ContentFault("payments", "a sum is not above zero")
    items_kopecks = sum(item.sum_kopecks for item in receipt.items)
    if items_kopecks != receipt.total_kopecks:
        raise ContentFault("total_kopecks", f"{receipt.total_kopecks}, the items make {items_kopecks}")
    paid_kopecks = sum(amount_kopecks for _, amount_kopecks in receipt.payments)
    if paid_kopecks != receipt.total_kopecks:
        raise ContentFault("payments", f"make {paid_kopecks}, the total is {receipt.total_kopecks}")


def _check_correction(correction: Correction) -> None:
    if correction.by_order and not correction.base_number:
        raise ContentFault("correction.base_number", "a correction by order names the order")
    if len(correction.base_number) > CORRECTION_NUMBER_CHARACTERS_MAX:
        raise ContentFault("correction.base_number", f"longer than {CORRECTION_NUMBER_CHARACTERS_MAX} characters")
    if correction.wrong_sign and _WRONG_SIGN.fullmatch(correction.wrong_sign) is None:
        raise ContentFault("correction.wrong_sign", "a fiscal sign has 1 to 10 digits")


def _check_email(text: str, field: str) -> None:
    if not 0 < len(text) <= EMAIL_CHARACTERS_MAX or _EMAIL.fullmatch(text) is None:
        raise ContentFault(field, f"expected an e-mail of at most {EMAIL_CHARACTERS_MAX} characters")


def _check_text(text: str, field: str, characters_max: int) -> None:
    if not 0 < len(text) <= characters_max or not text.isprintable() or text.isspace():
        raise ContentFault(field, f"expected 1 to {characters_max} printable characters")
