"""What a run of penalties charges of an account's bills: the growth since what earlier runs charged, with who is spared and why.

A bill's penalty is of its whole delay (``penalties.py``), so an earlier charge is never charged again, and where a payment became
known late the change is negative. Penalties charged never fall below what was paid of them: the overcharge stays on the bill and
its next growth is taken from it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import msgspec

from schemas.allocation import Pool
from services.billing.core.law import Law
from services.billing.core.penalties import NO_PENALTY, Credit, Debt, Penalty, penalty_of

CHARGED_ELSEWHERE = "пени этого получателя начислены и не нами: сверьте и спишите лишнее"
BY_COURT = "долг взыскан судебным актом {order}: пени по нему идут по этому акту"
TIME_BARRED = "истёк срок исковой давности (ГК 196, 207)"

BillKey = tuple[int, Pool, int, date]
"""Creditor's number, pool, period and the last day to pay."""
GroupKey = tuple[int, Pool]


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What a creditor charged for a period in a pool, due on one day, with its credits; ``court_order`` of a debt under one."""

    key: BillKey
    amount_kopecks: int
    credits: tuple[Credit, ...]
    court_order: str = ""
    limitation_until: date | None = None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Penalties of one creditor and pool as the ledger has them: all that is charged, of it by our runs, and what is paid."""

    charged_kopecks: int = 0
    ours_kopecks: int = 0
    paid_kopecks: int = 0


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of an approved decision to write penalties off."""

    waiver: int
    group: GroupKey
    left_kopecks: int


class Spared(msgspec.Struct, frozen=True, kw_only=True):
    """A standing exclusion of the account, or of one creditor's bills."""

    creditor: int | None
    reason: str


class AccountDebts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one account's penalties follow from; ``before`` is what earlier runs charged, by bill.

    ``bills`` of one key differ in court order; the one without an order stands first.
    """

    bills: tuple[Bill, ...]
    before: Mapping[BillKey, int]
    groups: Mapping[GroupKey, Group]
    waivers: tuple[Waiver, ...] = ()
    spared: tuple[Spared, ...] = ()


class BillChange(msgspec.Struct, frozen=True, kw_only=True):
    """One bill of a run: its penalty with the detail, what was charged before, and what this run charges."""

    key: BillKey
    debt_kopecks: int
    penalty: Penalty
    before_kopecks: int
    change_kopecks: int
    excluded: str = ""


class AccountChanges(msgspec.Struct, frozen=True, kw_only=True):
    """An account in a run: its bills, and (waiver, kopecks) of what is written off."""

    bills: tuple[BillChange, ...]
    waived: tuple[tuple[int, int], ...]


def account_changes(debts: AccountDebts, law: Law, as_of: date) -> AccountChanges:
    """Return what a run as of a day charges of an account. Bills that never bore a penalty and are not excluded are left out."""
    known: set[BillKey] = set()
    found = []
    for bill in debts.bills:
        # A key has a second bill where a part of the debt is under a court order: what was charged counts once.
        before = 0 if bill.key in known else debts.before.get(bill.key, 0)
        found.append(_change(debts, bill, before, (law, as_of)))
        known.add(bill.key)
    found += [_gone(key, before) for key, before in debts.before.items() if before and key not in known]
    changes = [one for one in found if one.penalty.amount_kopecks or one.before_kopecks or one.excluded]
    kept: list[BillChange] = []
    waived: list[tuple[int, int]] = []
    for place in sorted({_group(one.key) for one in changes} | {waiver.group for waiver in debts.waivers}):
        group = debts.groups.get(place, Group())
        mine = _not_below_paid([one for one in changes if _group(one.key) == place], group)
        room = group.charged_kopecks + sum(one.change_kopecks for one in mine) - group.paid_kopecks
        waived += _taken([waiver for waiver in debts.waivers if waiver.group == place], room)
        kept += mine
    return AccountChanges(bills=tuple(sorted(kept, key=lambda one: one.key)), waived=tuple(waived))


def _change(debts: AccountDebts, bill: Bill, before: int, terms: tuple[Law, date]) -> BillChange:
    (law, as_of), (_, pool, _, due) = terms, bill.key
    paid = sum(credit.amount_kopecks for credit in bill.credits if credit.day <= as_of)
    is_owed = due < as_of and paid < bill.amount_kopecks
    excluded = _excluded(debts, bill, law, as_of)
    penalty = NO_PENALTY
    if not excluded:
        debt = Debt(amount_kopecks=bill.amount_kopecks, due=due, pool=pool)
        penalty = penalty_of(debt, bill.credits, law, as_of)
    return BillChange(
        key=bill.key,
        debt_kopecks=bill.amount_kopecks,
        penalty=penalty,
        before_kopecks=before,
        change_kopecks=0 if excluded else penalty.amount_kopecks - before,
        excluded=excluded if is_owed or before else "",
    )


def _excluded(debts: AccountDebts, bill: Bill, law: Law, as_of: date) -> str:
    """Why nothing is charged of a bill now; what was charged before stays."""
    creditor, pool, _, due = bill.key
    if bill.court_order:
        return BY_COURT.format(order=bill.court_order)
    for one in debts.spared:
        if one.creditor in (None, creditor):
            return one.reason
    group = debts.groups.get((creditor, pool), Group())
    if group.charged_kopecks != group.ours_kopecks:
        return CHARGED_ELSEWHERE
    return TIME_BARRED if (bill.limitation_until or law.limitation_until(due)) < as_of else ""


def _gone(key: BillKey, before: int) -> BillChange:
    """A bill that is no more (its day was moved): what was charged of it is taken back."""
    return BillChange(key=key, debt_kopecks=0, penalty=NO_PENALTY, before_kopecks=before, change_kopecks=-before)


def _not_below_paid(changes: Sequence[BillChange], group: Group) -> list[BillChange]:
    """Keep the group's charge at or above what is paid of it: the newest bills' reductions give way first."""
    short = group.paid_kopecks - group.charged_kopecks - sum(one.change_kopecks for one in changes)
    kept: list[BillChange] = []
    for one in sorted(changes, key=lambda change: change.key, reverse=True):
        given = min(max(short, 0), max(-one.change_kopecks, 0))
        short -= given
        kept.append(msgspec.structs.replace(one, change_kopecks=one.change_kopecks + given))
    return kept


def _taken(waivers: Iterable[Waiver], room: int) -> list[tuple[int, int]]:
    """Take waivers in the order decided, as far as something is charged and not paid."""
    found = []
    for one in waivers:
        if amount := min(one.left_kopecks, max(room, 0)):
            room -= amount
            found.append((one.waiver, amount))
    return found


def _group(key: BillKey) -> GroupKey:
    return key[0], key[1]
