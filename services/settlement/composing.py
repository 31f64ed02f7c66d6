"""The decision of a cut: what is ordered, what is kept back, what is carried and why. Pure: nothing is read or written here."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import msgspec

from ledger.chart import AccountKind, ledger_account
from schemas.ids import Transit
from schemas.transfer import PurposeClass, Transfer
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
    corrections, the commission of its payments, and debts of recipients by (recipient, space); kopecks."""

    carried: Mapping[LotKey, Lot] = {}
    fresh: Mapping[LotKey, Lot] = {}
    taken: Sequence[Taken] = ()
    borne: Sequence[Borne] = ()
    debts: Mapping[tuple[int, int], int] = {}


class DraftOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order to be: whom it pays, with which requisites, from which lots; ``reissues``: whose money it pays anew."""

    recipient: Recipient
    purpose_class: PurposeClass
    contract: int | None
    priority: int
    purpose: str
    approvals: int
    lots: tuple[tuple[LotKey, Lot], ...]
    reissues: int | None = None

    @property
    def amount(self) -> int:
        """Kopecks to be transferred."""
        return sum(lot.net for _, lot in self.lots)


class Carry(msgspec.Struct, frozen=True, kw_only=True):
    """A lot that waits, and why."""

    key: LotKey
    lot: Lot
    reason: str


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a cut does. ``debts`` and ``recoveries`` are kopecks by recipient and lot; ``debts_after`` by (recipient, space)."""

    orders: tuple[DraftOrder, ...]
    carried: tuple[Carry, ...]
    borne: tuple[Borne, ...]
    debts: Mapping[int, Mapping[LotKey, int]]
    recoveries: Mapping[int, Mapping[LotKey, int]]
    debts_after: Mapping[tuple[int, int], int]

    @property
    def ordered(self) -> int:
        """Kopecks of all its orders."""
        return sum(order.amount for order in self.orders)


def compose(facts: CutFacts, money: Money, directory: Directory) -> Draft:
    """Decide a cut. Every kopeck of ``money`` comes out: ordered, carried with its reason, taken as commission or for a debt."""
    lots = _joined(money)
    debts, debts_after = _claim(lots, money, directory)
    _take_commission(lots, money.borne, facts.transit)
    _claim_deficits(lots, debts, debts_after, directory)
    recoveries = _recover(lots, debts_after, directory)
    orders: list[DraftOrder] = []
    carried: list[Carry] = []
    for group in _groups(lots, directory):
        decided = _decide(facts, group, directory)
        if isinstance(decided, DraftOrder):
            orders.append(decided)
        else:
            carried += [Carry(key=key, lot=lot, reason=decided) for key, lot in group.lots]
    return Draft(
        orders=tuple(orders),
        carried=tuple(carried),
        borne=tuple(money.borne),
        debts=debts,
        recoveries=recoveries,
        debts_after=debts_after,
    )


def _joined(money: Money) -> dict[LotKey, Lot]:
    lots = dict(money.carried)
    for key, fresh in money.fresh.items():
        known = lots.get(key)
        lots[key] = fresh if known is None else _plus(known, gross=fresh.gross, periods=known.periods | fresh.periods)
    return lots


def _plus(lot: Lot, **more: object) -> Lot:
    """Add to a lot's sums; ``periods`` are replaced."""
    sums = {name: getattr(lot, name) + value for name, value in more.items() if isinstance(value, int)}
    kept = {name: value for name, value in more.items() if not isinstance(value, int)}
    return msgspec.structs.replace(lot, **sums, **kept)


def _claim(
    lots: dict[LotKey, Lot], money: Money, directory: Directory
) -> tuple[dict[int, dict[LotKey, int]], dict[tuple[int, int], int]]:
    """Take corrections out of their lots; what a lot has not got any more is a debt of its recipient.

    Money of the corrected entry that is of this cut or still carried goes back first: it was never ordered, so nobody's
    consent is needed.
    """
    debts: dict[int, dict[LotKey, int]] = {}
    after = dict(money.debts)
    unordered = {key: lot.net for key, lot in money.carried.items()}
    for one in sorted(money.taken, key=lambda taken: (taken.key, taken.original_cut, taken.space)):
        back = one.amount
        if one.original_cut:
            held = money.carried.get(one.key)
            own = unordered[one.key] if held is not None and held.since_cut <= one.original_cut else 0
            back = min(one.amount, own)
            unordered[one.key] = own - back if own else unordered.get(one.key, 0)
        lots[one.key] = _plus(lots.get(one.key, Lot()), gross=-one.amount, claimed=one.amount - back)
        if one.amount > back:
            recipient = directory.recipient_of(one.key)
            assert recipient is not None, "money of an unknown payee is never ordered"
            of_recipient = debts.setdefault(recipient.number, {})
            of_recipient[one.key] = of_recipient.get(one.key, 0) + one.amount - back
            place = (recipient.number, one.space)
            after[place] = after.get(place, 0) + one.amount - back
    return debts, after


def _claim_deficits(
    lots: dict[LotKey, Lot],
    debts: dict[int, dict[LotKey, int]],
    after: dict[tuple[int, int], int],
    directory: Directory,
) -> None:
    """Turn into a debt what a lot lacks for another reason than a counterparty's correction (space 0): a refund to a payer."""
    for key, lot in lots.items():
        if lot.net < 0:
            recipient = directory.recipient_of(key)
            assert recipient is not None, "money of an unknown payee is never ordered"
            of_recipient = debts.setdefault(recipient.number, {})
            of_recipient[key] = of_recipient.get(key, 0) - lot.net
            place = (recipient.number, 0)
            after[place] = after.get(place, 0) - lot.net
            lots[key] = _plus(lot, claimed=-lot.net)


def _take_commission(lots: dict[LotKey, Lot], borne: Iterable[Borne], transit: Transit) -> None:
    """Take what is netted out of its lots; the earner's fee account becomes a lot of its own, for an order of its own."""
    for one in borne:
        for key, amount in one.netted.items():
            lots[key] = _plus(lots[key], commission=amount)
        fee = LotKey(ledger_account(AccountKind.FEE, transit, one.earner), 0, False)
        if netted := sum(one.netted.values()):
            lots[fee] = _plus(lots.get(fee, Lot()), gross=netted)


def _recover(lots: dict[LotKey, Lot], debts: dict[tuple[int, int], int], directory: Directory) -> dict[int, dict[LotKey, int]]:
    """Keep debts back from what their recipients are owed for services, where the lot's contract holds the consent."""
    kept: dict[int, dict[LotKey, int]] = {}
    for key in sorted(lots):
        recipient = directory.recipient_of(key)
        if recipient is None or class_of(key) is not PurposeClass.SERVICES:
            continue
        contract = directory.contract_of(key, recipient)
        if contract is None or not contract.nets_debts:
            continue
        for place in sorted(place for place in debts if place[0] == recipient.number):
            amount = min(debts[place], lots[key].net)
            if amount > 0:
                debts[place] -= amount
                lots[key] = _plus(lots[key], recovered=amount)
                of_recipient = kept.setdefault(recipient.number, {})
                of_recipient[key] = of_recipient.get(key, 0) + amount
    return kept


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
