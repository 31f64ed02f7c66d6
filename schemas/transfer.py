"""Transfer orders from a transit account (40911) and what a bank answers. Field numbers are those of form 0401060."""

from datetime import date, datetime
from enum import IntEnum, StrEnum

import msgspec

PURPOSE_CHARACTERS_MAX = 210


class TransferState(IntEnum):
    """Where a transfer order stands (design §4). HELD: stopped by the bank under 115-ФЗ, neither executed nor rejected."""

    CREATED = 0
    APPROVED = 1
    SENT = 2
    ACCEPTED = 3
    EXECUTED = 4
    REJECTED = 5
    CANCELLED = 6
    RETURNED = 7
    HELD = 8


class PurposeClass(StrEnum):
    """What an order pays; orders of different classes are never merged."""

    SERVICES = "services"
    CAPITAL_REPAIR = "capital_repair"
    FEE = "fee"
    REFUND = "refund"


class BankParty(msgspec.Struct, frozen=True, kw_only=True):
    """A side of an order. ``kpp`` is empty for a person or a sole trader; ``correspondent`` empty for a treasury account."""

    name: str
    inn: str
    kpp: str
    account: str
    bic: str
    bank_name: str = ""
    correspondent: str = ""


class BudgetFields(msgspec.Struct, frozen=True, kw_only=True):
    """Fields 101 and 104–110 of a payment to the budget; "0" where there is nothing to say."""

    drawer_status: str
    kbk: str
    oktmo: str
    reason: str = "0"
    period: str = "0"
    document_number: str = "0"
    document_date: str = "0"
    kind: str = "0"


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """One payment order. ``number`` has at most 6 digits and is unique by (payer account, date) (field 3).

    ``key`` is our own for ever and in the counterparty's duplicate check; ``purpose`` ≤ 210 characters (24), ``code`` is УИН or
    УИП, "0" without (22), ``priority`` очерёдность 1–5 (21).
    """

    key: str
    number: str
    day: date
    amount_kopecks: int
    payer: BankParty
    payee: BankParty
    purpose: str
    purpose_class: PurposeClass
    priority: int = 5
    code: str = "0"
    budget: BudgetFields | None = None


class TransferBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent at once: a distribution register, a file for a bank client, or a single order.

    ``register`` numbers the register of the transit account; control totals are the count and the sum of ``transfers``.
    """

    register: str
    transit_account: str
    day: date
    transfers: tuple[Transfer, ...]
    total_kopecks: int
    count: int


class TransferResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the bank says of one order. ``bank_number`` and ``bank_day`` are of its own order, for an executed one."""

    key: str
    state: TransferState
    bank_number: str = ""
    bank_day: date | None = None
    reason: str = ""


class TransferReport(msgspec.Struct, frozen=True, kw_only=True):
    """A bank's answer on a batch, by line; complete when every line is EXECUTED, REJECTED or CANCELLED.

    ``signer`` is the subject of the certificate that the outgoing file was signed with and ``signed_at`` the moment of signing;
    both are empty where nothing is signed, and while only a status was asked of a counterparty that does not repeat them.
    """

    register: str
    results: tuple[TransferResult, ...]
    signer: str = ""
    signed_at: datetime | None = None


class StatementMovement(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the transit account's statement as far as orders need it. ``bank_id`` is the bank's own id of the line.

    ``number`` is the document's and ``document_day`` its own date where the bank tells it; ``day`` is that of the execution. The
    counterparty is the payee of a debit and the payer of a credit.
    """

    transit_account: str
    bank_id: str
    day: date
    is_credit: bool
    amount_kopecks: int
    number: str
    counterparty_account: str
    counterparty_inn: str
    purpose: str
    document_day: date | None = None
