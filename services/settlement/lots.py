"""What a cut reckons with: lots of funded money, and the directory of who is paid how. Frozen values, no input or output."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from ledger.chart import AccountKind, parts_of
from schemas.ids import Book, LedgerAccount, Transit
from schemas.ids import Sequence as Place
from schemas.transfer import BankParty, PurposeClass
from services.settlement.rules.commission import CommissionTerms
from services.settlement.rules.screening import LegalLimit, StopLists

CAPITAL_SERVICE = "capital_repair"
"""Services of this name, and everything of a fund, are capital repair even where no charge line says so."""
FUND = "fund"


class LotKey(NamedTuple):
    """Money of one payable (or fee) account for lines owed to one creditor (0: unknown); capital repair apart."""

    account: LedgerAccount
    creditor: int
    capital: bool


class DaySum(NamedTuple):
    """Kopecks of a lot that were funded by a bank day's cut."""

    day: date
    amount: int


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """A lot's kopecks: what its lines sum to, corrections included; what of that became a debt of the recipient; what was kept
    back as commission and for debts. ``since_cut`` is the first cut whose money is in it, 0 for the one being made."""

    gross: int = 0
    claimed: int = 0
    commission: int = 0
    recovered: int = 0
    periods: frozenset[int] = frozenset()
    days: tuple[DaySum, ...] = ()
    since_cut: int = 0

    @property
    def net(self) -> int:
        """What may be ordered."""
        return self.gross + self.claimed - self.commission - self.recovered

    def aged(self, today: date) -> tuple[DaySum, ...]:
        """Return the days of ``net``: what is new is of today; what was kept back is taken from the newest days."""
        days, more = list(self.days), self.net - sum(one.amount for one in self.days)
        if more > 0:
            return (*days, DaySum(today, more))
        while more < 0:
            last = days.pop()
            left = max(last.amount + more, 0)
            more += last.amount - left
            days += [DaySum(last.day, left)] if left else []
        return tuple(days)


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A correction's leg of an entry that a cut holds (``original_cut``, 0: this one): kopecks taken back from a lot, above zero.

    ``space`` is the clearing account whose promise was taken back, ``at`` the correction's (book, sequence).
    """

    key: LotKey
    space: int
    original_cut: int
    amount: int
    at: tuple[Book, Place]


class Borne(msgspec.Struct, frozen=True, kw_only=True):
    """Commission of a cut for one earner from one bearer: netted from lots, the rest claimed; kopecks."""

    earner: int
    bearer: int
    netted: Mapping[LotKey, int]
    claimed: int


class Payee(NamedTuple):
    """A pair of our register."""

    recipient: int
    service: str


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient with the requisites approved and valid on the cut's day; ``version`` 0: there are none."""

    number: int
    code: str
    kind: str
    name: str
    inn: str
    kpp: str
    version: int = 0
    account: str = ""
    bic: str = ""
    kbk: str = ""
    oktmo: str = ""

    @property
    def party(self) -> BankParty:
        """The recipient as the payee of an order."""
        return BankParty(name=self.name, inn=self.inn, kpp=self.kpp, account=self.account, bic=self.bic)


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """By what money of a creditor (None: whoever it is) goes to a recipient; settlement.contract."""

    contract: int
    creditor: int | None
    recipient: int
    number: str
    signed_on: date
    defers_small: bool
    nets_debts: bool
    bears_commission: bool
    vat_percent: int | None
    purpose: str
    priority: int


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Commission on the payments of a creditor's lines on the cut's day, and who earns it."""

    earner: int
    commission: CommissionTerms


class Payer(msgspec.Struct, frozen=True, kw_only=True):
    """How the transit account pays: the bank as payer, the connection, whether every payment needs a contract."""

    transit: Transit
    party: BankParty
    counterparty: str
    contracts_required: bool


class Directory(msgspec.Struct, frozen=True, kw_only=True):
    """Who is paid how on a day. ``approval_limit`` None: no order needs two people for its sum."""

    payer: Payer
    payees: Mapping[int, Payee]
    recipients: Mapping[int, Recipient]
    service_names: Mapping[str, str]
    contracts: Sequence[Contract]
    terms: Mapping[int, Terms]
    stop_lists: StopLists
    legal_limits: Sequence[LegalLimit]
    approval_limit: int | None

    def recipient_of(self, key: LotKey) -> Recipient | None:
        """Return whom a lot is owed to; None for a payee that no register knows."""
        parts = parts_of(key.account)
        if parts.kind is AccountKind.FEE:
            return self.recipients.get(parts.subject)
        payee = self.payees.get(parts.subject)
        return None if payee is None else self.recipients.get(payee.recipient)

    def contract_of(self, key: LotKey, recipient: Recipient) -> Contract | None:
        """Return the contract of a lot: the creditor's own before one for every creditor; a fee has none."""
        if parts_of(key.account).kind is AccountKind.FEE:
            return None
        own = [one for one in self.contracts if one.recipient == recipient.number and one.creditor in (key.creditor, None)]
        return min(own, key=lambda one: (one.creditor is None, one.contract), default=None)

    def service_of(self, key: LotKey) -> str:
        """Return how the lot's service is called in a purpose, empty when it has no name."""
        payee = self.payees.get(parts_of(key.account).subject) if parts_of(key.account).kind is AccountKind.PAYABLE else None
        return "" if payee is None else self.service_names.get(payee.service, "")

    def is_capital(self, account: LedgerAccount) -> bool:
        """Whether everything on the account is capital repair, whatever its lines say."""
        parts = parts_of(account)
        payee = self.payees.get(parts.subject) if parts.kind is AccountKind.PAYABLE else None
        if payee is None:
            return False
        return payee.service.startswith(CAPITAL_SERVICE) or self.recipients[payee.recipient].kind == FUND


def class_of(key: LotKey) -> PurposeClass:
    """Return the purpose class of a lot: orders of different classes are never merged."""
    if key.capital:
        return PurposeClass.CAPITAL_REPAIR
    return PurposeClass.FEE if parts_of(key.account).kind is AccountKind.FEE else PurposeClass.SERVICES
