"""The decision of a cut: what is ordered, what is kept back, what is carried and why. Pure: nothing is read or written here."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import msgspec

from ledger.chart import AccountKind, ledger_account
from schemas.ids import Transit
from schemas.transfer import PurposeClass, Transfer
from services.settlement.backlots import Backlog, ClaimPayment, Deduction, Kept, KnownClaim, Move, Moved, NewClaim, Return
from services.settlement.claiming import Claiming, plus
from services.settlement.lots import Borne, Contract, Directory, Lot, LotKey, Recipient, Taken, class_of
from services.settlement.rules.act import vat_inside
from services.settlement.rules.deadlines import DaySum as RuleDaySum
from services.settlement.rules.deadlines import Deferral, due_day, is_due
from services.settlement.rules.order_fields import ORDINARY_PRIORITY, budget_fields
from services.settlement.rules.purpose import (
    TEMPLATES,
    PurposeFacts,
    PurposeTemplate,
    PurposeTooLong,
    VatSum,
    purpose_text,
)
from services.settlement.rules.screening import Verdict, limit_on, reaches_limit
from services.settlement.rules.validation import order_faults

TRANSFER_OPERATION = "transfer"
"""The operation of settlement.legal_limit that orders are held to."""
APPROVALS = 2

NO_PAYEE = "получатель не найден в реестре"
NO_REQUISITES = "нет утверждённых реквизитов"
NO_CONTRACT = "нет договора"
STOPPED = "остановлено проверкой по перечням"
DEFERRED = "отложено: сумма до предела ПП 253 п. 6"
NOTHING = "нечего платить"
ON_DEMAND_NUMBER = "1"
"""Stands for the order's number while its other fields are checked."""


class CutFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The cut being made; ``register`` is the number that its orders name in their purpose."""

    transit: Transit
    day: date
    moment: datetime
    register: str


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """What the cut has: lots carried so far, money of its ranges without the corrections of entries cut earlier, those
    corrections, the commission of its payments, and what stands beside the chains; kopecks."""

    carried: Mapping[LotKey, Lot] = {}
    fresh: Mapping[LotKey, Lot] = {}
    taken: Sequence[Taken] = ()
    borne: Sequence[Borne] = ()
    backlog: Backlog = Backlog()


class DraftOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order to be: whom it pays, with which requisites, from which lots; ``reissues``: whose money it pays anew.

    ``recipient`` is None for a return to a payer, which ``returns`` tells of.
    """

    recipient: Recipient | None
    purpose_class: PurposeClass
    contract: int | None
    priority: int
    purpose: str
    approvals: int
    lots: tuple[tuple[LotKey, Lot], ...]
    reissues: int | None = None
    returns: Return | None = None

    @property
    def amount(self) -> int:
        """Kopecks to be transferred."""
        return sum(lot.net for _, lot in self.lots)

    @property
    def payee(self) -> tuple[int | None, int, str, str]:
        """Whom it pays: recipient or None, the version of the requisites, account and БИК."""
        if self.returns is not None:
            return None, self.returns.version, self.returns.bank_account, self.returns.bic
        assert self.recipient is not None, "an order pays a recipient or a payer"
        return self.recipient.number, self.recipient.version, self.recipient.account, self.recipient.bic


class Carry(msgspec.Struct, frozen=True, kw_only=True):
    """A lot that waits, and why."""

    key: LotKey
    lot: Lot
    reason: str


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a cut does. ``debts`` and ``recoveries`` are kopecks by recipient and lot; ``finished`` are moves done with."""

    orders: tuple[DraftOrder, ...]
    carried: tuple[Carry, ...]
    borne: tuple[Borne, ...]
    debts: Mapping[int, Mapping[LotKey, int]]
    recoveries: Mapping[int, Mapping[LotKey, int]]
    known: tuple[KnownClaim, ...]
    claims: tuple[NewClaim, ...]
    payments: tuple[ClaimPayment, ...]
    kept: tuple[Kept, ...]
    moved: tuple[Moved, ...]
    finished: tuple[Move, ...]
    deducted: tuple[Deduction, ...]

    @property
    def ordered(self) -> int:
        """Kopecks of all its orders."""
        return sum(order.amount for order in self.orders)

    @property
    def changes(self) -> bool:
        """Whether there is anything to write beside what is carried as before."""
        done = (self.orders, self.recoveries, self.claims, self.payments, self.moved, self.finished, self.deducted)
        return any(bool(one) for one in done)


def compose(facts: CutFacts, money: Money, directory: Directory) -> Draft:
    """Decide a cut. Every kopeck of ``money`` comes out: ordered, carried with its reason, taken as commission or for a debt."""
    lots = _joined(money)
    claiming = _claimed(lots, money, facts.transit, directory)
    orders: list[DraftOrder] = []
    carried: list[Carry] = []
    for group in _groups(lots, directory):
        decided = _decide(facts, group, directory)
        if isinstance(decided, DraftOrder):
            orders.append(decided)
        else:
            carried += [Carry(key=key, lot=lot, reason=decided) for key, lot in group.lots]
    orders += [_return_order(facts, one, directory) for one in money.backlog.returns if claiming.is_returnable(one)]
    return Draft(
        orders=tuple(orders),
        carried=tuple(carried),
        borne=tuple(money.borne),
        debts=claiming.debts(),
        recoveries=claiming.recoveries,
        known=tuple(money.backlog.claims),
        claims=claiming.told(),
        payments=tuple(claiming.payments),
        kept=tuple(claiming.kept),
        moved=tuple(claiming.moved),
        finished=tuple(claiming.finished.values()),
        deducted=tuple(claiming.deducted),
    )


def _claimed(lots: dict[LotKey, Lot], money: Money, transit: Transit, directory: Directory) -> Claiming:
    """Take back what was taken back, and keep back what may be; the cut's lots are what is left to be ordered."""
    claiming = Claiming(lots, money.carried, money.backlog, directory)
    claiming.take_corrections(money.taken)
    claiming.advance_moves()
    _take_commission(lots, money.borne, transit)
    claiming.take_deficits()
    claiming.spend_deposits()
    claiming.keep_come_back()
    claiming.offset_own()
    claiming.net_with_consent()
    claiming.advance_moves()
    claiming.take_deductions(money.backlog.deductions)
    return claiming


def _joined(money: Money) -> dict[LotKey, Lot]:
    lots = dict(money.carried)
    for key, fresh in money.fresh.items():
        known = lots.get(key)
        lots[key] = fresh if known is None else plus(known, gross=fresh.gross, periods=known.periods | fresh.periods)
    return lots


def _take_commission(lots: dict[LotKey, Lot], borne: Iterable[Borne], transit: Transit) -> None:
    """Take what is netted out of its lots; the earner's fee account becomes a lot of its own, for an order of its own."""
    for one in borne:
        for key, amount in one.netted.items():
            lots[key] = plus(lots[key], commission=amount)
        fee = LotKey(ledger_account(AccountKind.FEE, transit, one.earner), 0, False)
        if netted := sum(one.netted.values()):
            lots[fee] = plus(lots.get(fee, Lot()), gross=netted)


class _Group(msgspec.Struct, frozen=True, kw_only=True):
    """Lots that make one order: one recipient, purpose class and contract."""

    recipient: Recipient | None
    purpose_class: PurposeClass
    contract: Contract | None
    lots: tuple[tuple[LotKey, Lot], ...]

    @property
    def amount(self) -> int:
        return sum(lot.net for _, lot in self.lots)


def _groups(lots: Mapping[LotKey, Lot], directory: Directory) -> list[_Group]:
    """Group the lots that have anything; a lot that sums to nought is done with, unless a later correction may name its money."""
    found: dict[tuple[int, str, int], list[tuple[LotKey, Lot]]] = {}
    for key, lot in sorted(lots.items(), key=lambda item: item[0]):
        assert lot.net >= 0, "a lot never owes"
        if not lot.net:
            continue
        recipient = directory.recipient_of(key)
        contract = None if recipient is None else directory.contract_of(key, recipient)
        place = (recipient.number if recipient else 0, class_of(key).value, contract.contract if contract else 0)
        found.setdefault(place, []).append((key, lot))
    groups = []
    for (number, purpose_class, _), members in sorted(found.items(), key=lambda item: item[0]):
        recipient = directory.recipients.get(number)
        contract = None if recipient is None else directory.contract_of(members[0][0], recipient)
        groups.append(
            _Group(recipient=recipient, purpose_class=PurposeClass(purpose_class), contract=contract, lots=tuple(members))
        )
    return groups


def _decide(facts: CutFacts, group: _Group, directory: Directory) -> DraftOrder | str:
    """Return the group's order, or why it waits, in the order checked."""
    recipient = group.recipient
    if recipient is None:
        return NO_PAYEE
    if not recipient.version:
        return NO_REQUISITES
    services = group.purpose_class is not PurposeClass.FEE
    if services and group.contract is None and directory.payer.contracts_required:
        return NO_CONTRACT
    screening = directory.stop_lists.screen(recipient.name, recipient.inn, facts.day)
    if screening.verdict is Verdict.STOP:
        return f"{STOPPED}: {screening.matches[0].entry.list_code}"
    if _may_wait(facts, group):
        return DEFERRED
    try:
        purpose = _purpose_of(facts, group, directory)
    except PurposeTooLong as error:
        return str(error)
    order = DraftOrder(
        recipient=recipient,
        purpose_class=group.purpose_class,
        contract=group.contract.contract if group.contract else None,
        priority=group.contract.priority if group.contract else ORDINARY_PRIORITY,
        purpose=purpose,
        approvals=approvals_of(facts.day, group.amount, screening.verdict, directory),
        lots=group.lots,
    )
    return form_fault(facts.day, order, directory) or order


def _return_order(facts: CutFacts, wanted: Return, directory: Directory) -> DraftOrder:
    """Return the order that gives a payer money back; the payee's name is sealed, so it is screened when the order leaves."""
    return DraftOrder(
        recipient=None,
        purpose_class=PurposeClass.REFUND,
        contract=None,
        priority=ORDINARY_PRIORITY,
        purpose=wanted.purpose,
        approvals=approvals_of(facts.day, wanted.amount, Verdict.CLEAR, directory),
        lots=((LotKey(wanted.account, 0, False), Lot(gross=wanted.amount)),),
        returns=wanted,
    )


def _may_wait(facts: CutFacts, group: _Group) -> bool:
    """Whether the contract lets a small sum wait beyond today (ПП 253 п. 6); capital repair and fees never wait."""
    if group.contract is None or not group.contract.defers_small or group.purpose_class is not PurposeClass.SERVICES:
        return False
    sums = [RuleDaySum(day=one.day, amount_kopecks=one.amount) for _, lot in group.lots for one in lot.aged(facts.day)]
    due = due_day(sums, Deferral())
    return due is not None and not is_due(facts.day, due)


def approvals_of(day: date, amount_kopecks: int, verdict: Verdict, directory: Directory) -> int:
    """Return how many people must approve an order: two for a large one, one of a limit of 115-ФЗ, or a name that is alike."""
    large = directory.approval_limit is not None and amount_kopecks >= directory.approval_limit
    lawful = reaches_limit(amount_kopecks, limit_on(directory.legal_limits, TRANSFER_OPERATION, day))
    return APPROVALS if large or lawful or verdict is Verdict.CHECK else 0


def _purpose_of(facts: CutFacts, group: _Group, directory: Directory) -> str:
    """Write the purpose of an order by its contract's own wording or the default one; raises PurposeTooLong."""
    contract = group.contract
    percent = contract.vat_percent if contract else None
    names = {name: None for key, _ in group.lots if (name := directory.service_of(key))}
    told = PurposeFacts(
        register=facts.register,
        contract_number=contract.number if contract else "",
        contract_date=contract.signed_on if contract else None,
        services=tuple(names),
        periods=tuple(sorted({period for _, lot in group.lots for period in lot.periods if period})),
        vat=(VatSum(percent=percent, amount_kopecks=vat_inside(group.amount, percent)),) if percent else (),
    )
    own = contract.purpose if contract else ""
    return purpose_text(told, PurposeTemplate(text=own) if own else TEMPLATES[group.purpose_class])


def form_fault(day: date, order: DraftOrder, directory: Directory) -> str:
    """Return what the bank would refuse the order for; the payer's own requisites are checked once, for all."""
    recipient = order.recipient
    assert recipient is not None, "a return's payee is checked when it is asked for"
    transfer = Transfer(
        key=ON_DEMAND_NUMBER,
        number=ON_DEMAND_NUMBER,
        day=day,
        amount_kopecks=order.amount,
        payer=directory.payer.party,
        payee=recipient.party,
        purpose=order.purpose,
        purpose_class=order.purpose_class,
        priority=order.priority,
        budget=budget_fields(recipient.kbk, recipient.oktmo, day),
    )
    faults = [fault.message for fault in order_faults(transfer) if not fault.field.startswith("payer.")]
    return faults[0] if faults else ""
