"""What is known of a personal account when its allocation table is built: charges, names, contract, heads (design §3)."""

from datetime import date, datetime
from enum import IntEnum

import msgspec

from schemas.allocation import AccountState, AdvanceRule, AllocationTable, PayerKind, Pool
from schemas.ids import AccountId, Line, PayeeNumber


class LimitationTerm(msgspec.Struct, frozen=True, kw_only=True):
    """The general term of limitation (ГК 196 п. 1) in whole ``years`` for charges due from ``since`` on."""

    since: date
    years: int


LIMITATION_TERMS = (LimitationTerm(since=date(1995, 1, 1), years=3),)
"""Ascending by ``since``: three years since the Civil Code; used while the law's table has no row (ledger/tables.py)."""


class ChargeKind(IntEnum):
    """Kinds of reference.charge: those of ``schemas.allocation.Kind``, and lines that hold advances."""

    PRINCIPAL = 0
    PENALTY = 1
    COSTS = 2
    ADVANCE = 3


class Charge(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of reference.charge, amounts in kopecks; ``period`` is year * 100 + month, 0 for none.

    ``limitation_until`` is the last day of the limitation period, None when only the law's term is known. The opening
    amounts are what was paid before the ledger began: ``opening_holder`` is the code of who holds it, empty for the creditor.
    """

    line: Line
    creditor: int
    period: int
    payee: PayeeNumber
    kind: ChargeKind
    pool: Pool
    amount: int
    due_date: date
    limitation_until: date | None = None
    court_order: str = ""
    opening_paid: int = 0
    opening_advance: int = 0
    opening_holder: str = ""


class DatedAlias(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A name of the account, found by it from ``valid_from`` to ``valid_to``, both days included."""

    namespace: str
    number: str
    valid_from: date
    valid_to: date | None = None


class Printed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A sum printed as «к оплате» on the payment document of ``period``, in kopecks."""

    period: int
    pool: Pool
    amount: int


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """The исполнитель of an account and the options of its contract that decide crediting; ``number`` 0 for none."""

    number: int
    advance_rule: AdvanceRule
    advance_payee: PayeeNumber
    per_service_payment: bool = False
    costs_first: bool = False


class Register(msgspec.Struct, frozen=True, kw_only=True):
    """What numbers mean: recipient number -> code and back, payee number -> (recipient code, service)."""

    recipients: dict[int, str]
    numbers: dict[str, int]
    payees: dict[PayeeNumber, tuple[str, str]]


class AccountFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One personal account when its table is built.

    ``version`` is the head's, 0 before the first publication. ``opening_until`` is the highest line whose opening amounts
    are in the journal already. ``checked_period`` is the newest document that an earlier publication has covered: its
    printed total was compared then, and payments since have moved what is open. ``limitation`` ascends by its days.
    """

    account: AccountId
    namespace: str
    number: str
    state: AccountState
    payer_kind: PayerKind
    provider: Provider
    time_zone: str
    version: int
    register: Register
    aliases: tuple[DatedAlias, ...]
    printed: tuple[Printed, ...] = ()
    opening_until: int = 0
    checked_period: int = 0
    limitation: tuple[LimitationTerm, ...] = LIMITATION_TERMS


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """A pool's open principal, in kopecks, against what its newest document prints; ``printed`` None when it prints none."""

    pool: Pool
    found: int
    printed: int | None


class BuiltTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table ready to be published; ``valid_until`` is the table's, as an instant."""

    table: AllocationTable
    valid_until: datetime
    control: tuple[Control, ...]


class BuildError(ValueError):
    """An account's table cannot be built; ``account`` is its internal id, the text names what was expected and found."""

    def __init__(self, account: AccountId, reason: str) -> None:
        super().__init__(f"account {account}: {reason}")
        self.account = account
        self.reason = reason
