"""Station 4: one payment divided by its personal account's allocation table (design §3, law.md 1.5-1.9)."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from msgspec.structs import replace

from ledger.core.apportion import Tie, caps_of, fill, share
from schemas.allocation import AdvanceRule, AllocationTable, Kind, Pool, Tier
from schemas.ids import Line, TableVersion
from schemas.split import BasketItem, Designation, Split


class Reason(StrEnum):
    """Why money reached a tier or went past them all."""

    PERIOD_NAMED = "period named by the payer"
    POOL_NAMED = "pool named by the payer"
    PENALTY_NAMED = "penalty amount named by the payer"
    COURT_ORDER_NAMED = "court order named by the payer"
    BASKET_NAMED = "line chosen by the payer"
    PRINTED_TOTAL = "amount equals a printed total"
    GENERAL_ORDER = "general order"
    ADVANCE = "advance"
    UNALLOCATED = "unallocated"


class Credit(NamedTuple):
    """What one visit to a tier gave: ``parts`` of its lines out of the ``offered`` kopecks, ``paid`` before it."""

    reason: Reason
    tier: int
    offered: int
    paid: tuple[int, ...]
    parts: tuple[int, ...]


class Order(NamedTuple):
    """Distinct tiers in the order they are filled, why, and the most kopecks they take together as such."""

    reason: Reason
    tiers: Sequence[int]
    limit: int


def split_amount(table: AllocationTable, amount_kopecks: int, designation: Designation | None = None) -> Split:
    """Divide a payment by design §3; ``amount_kopecks`` must be above zero, else ValueError.

    The answer is parallel to ``table`` and sums to the payment; advance money that no line can be given is unallocated.
    """
    visits, left, ignored = credit_tiers(table, amount_kopecks, designation)
    given: dict[int, tuple[int, ...]] = {}
    for _, index, _, _, parts in visits:
        given[index] = added(given[index], parts) if index in given else parts
    shares = tuple([given[i] if i in given else (0,) * len(tier.lines) for i, tier in enumerate(table.tiers)])
    advance = advance_shares(table, left) if left else ()
    unallocated = 0 if advance else left
    assert sum(map(sum, shares)) + sum(advance) + unallocated == amount_kopecks, "a split must sum to its payment"
    return Split(shares=shares, advance=advance, unallocated=unallocated, ignored=ignored)


def credit_tiers(
    table: AllocationTable, amount_kopecks: int, designation: Designation | None
) -> tuple[list[Credit], int, tuple[int, ...]]:
    """Return the visits to tiers in order, what is left after them, and the indexes of basket items not honoured."""
    if amount_kopecks <= 0:
        raise ValueError("a payment must be above zero")
    visits: list[Credit] = []
    paid_now: dict[int, tuple[int, ...]] = {}
    left = amount_kopecks
    ignored: tuple[int, ...] = ()
    if designation is not None and designation.basket is not None:
        visits, ignored = credit_basket(table, designation.basket, left)
        left -= _remember(visits, paid_now)
    else:
        first = first_tiers(table, amount_kopecks, designation)
        if first is not None:
            visits = _fill_tiers(table, first, paid_now)
            left -= _remember(visits, paid_now)
    if left:
        general = [index for index, tier in enumerate(table.tiers) if not tier.designated_only]
        last = _fill_tiers(table, Order(Reason.GENERAL_ORDER, general, left), paid_now)
        visits += last
        left -= sum([sum(visit.parts) for visit in last])
    return visits, left, ignored


def _fill_tiers(table: AllocationTable, order: Order, paid_now: dict[int, tuple[int, ...]]) -> list[Credit]:
    """Fill distinct tiers in order with up to ``order.limit`` kopecks; ``paid_now`` has the tiers credited before."""
    reason, indexes, left = order
    visits = []
    for index in indexes:
        tier = table.tiers[index]
        paid = paid_now.get(index, tier.paid)
        parts = fill(left, tier.weights, paid, tie_of(table, tier.tie_order))
        given = sum(parts)
        if given:
            visits.append(Credit(reason, index, left, paid, parts))
            left -= given
            if not left:
                break
    return visits


def _remember(visits: list[Credit], paid_now: dict[int, tuple[int, ...]]) -> int:
    """Note in ``paid_now`` what the visits made of the tiers; return the kopecks they gave."""
    given = 0
    for _, index, _, paid, parts in visits:
        paid_now[index] = added(paid, parts)
        given += sum(parts)
    return given


def first_tiers(table: AllocationTable, amount_kopecks: int, designation: Designation | None) -> Order | None:
    """Return what the payer named other than by a basket, or the printed total that an unnamed amount equals."""
    if designation is None:
        for total in table.totals:
            if total.amount == amount_kopecks:
                return Order(Reason.PRINTED_TOTAL, total.tiers, amount_kopecks)
        return None
    tiers = table.tiers
    if designation.period is not None:
        period = designation.period
        named = [i for i, t in enumerate(tiers) if t.period == period and t.pool == Pool.MAIN and t.kind == Kind.PRINCIPAL]
        return Order(Reason.PERIOD_NAMED, named, amount_kopecks)
    if designation.pool is not None:
        named = [i for i, tier in enumerate(tiers) if tier.pool == designation.pool]
        return Order(Reason.POOL_NAMED, named, amount_kopecks)
    if designation.penalty_kopecks is not None:
        named = [i for i, tier in enumerate(tiers) if tier.kind == Kind.PENALTY]
        return Order(Reason.PENALTY_NAMED, named, min(amount_kopecks, designation.penalty_kopecks))
    if designation.court_order:
        named = [i for i, tier in enumerate(tiers) if tier.court_order == designation.court_order]
        return Order(Reason.COURT_ORDER_NAMED, named, amount_kopecks)
    return None


def credit_basket(table: AllocationTable, basket: Sequence[BasketItem], left: int) -> tuple[list[Credit], tuple[int, ...]]:
    """Credit chosen lines in the order given, at most ``left`` kopecks; return the visits and the items not honoured."""
    visits: list[Credit] = []
    ignored = []
    paid_now: dict[int, tuple[int, ...]] = {}
    for number, item in enumerate(basket):
        places = _places_of(table, item)
        if not places:
            ignored.append(number)
        wanted = min(item.amount_kopecks, left)
        for index, place in places:
            tier = table.tiers[index]
            paid = paid_now.get(index, tier.paid)
            part = min(wanted, caps_of(tier.weights, paid)[place])
            if part:
                parts = (0,) * place + (part,) + (0,) * (len(paid) - place - 1)
                visits.append(Credit(Reason.BASKET_NAMED, index, wanted, paid, parts))
                paid_now[index] = added(paid, parts)
                wanted -= part
                left -= part
    return visits, tuple(ignored)


def _places_of(table: AllocationTable, item: BasketItem) -> list[tuple[int, int]]:
    """Return the (tier, line) indexes an item means; none for an unknown or forbidden one (ПП 354 п. 118)."""
    if item.payee is None:
        return []
    if item.pool == Pool.MAIN and item.kind == Kind.PRINCIPAL and not table.per_service_payment:
        return []
    meaning = (item.pool, item.period, item.kind)
    return [
        (index, place)
        for index, tier in enumerate(table.tiers)
        if (tier.pool, tier.period, tier.kind) == meaning
        for place, payee in enumerate(tier.payees)
        if payee == item.payee
    ]


def tie_of(table: AllocationTable, order: tuple[int, ...]) -> Tie:
    """Return the tie rule of one tier, or of the advance, of ``table``."""
    return Tie(personal_account=table.personal_account, version=table.version, order=order)


def advance_shares(table: AllocationTable, left: int) -> tuple[int, ...]:
    """Give what no tier took to the advance lines (law.md 1.9); empty when the table admits none."""
    advance = table.advance
    if advance.rule == AdvanceRule.TO_LINE:
        return (left,)
    if advance.rule == AdvanceRule.BY_WEIGHTS:
        return share(left, advance.weights, tie_of(table, advance.tie_order))
    return ()


def added(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sums of two parallel tuples."""
    return tuple([a + b for a, b in zip(left, right, strict=True)])


def after_split(table: AllocationTable, split: Split) -> AllocationTable:
    """Return the table after a split made from it: the next version, each share added to what its line was paid.

    Advance lines stand in no tier: an advance leaves the tiers as they are.
    """
    tiers = tuple([_credited(tier, shares) for tier, shares in zip(table.tiers, split.shares, strict=True)])
    return replace(table, version=TableVersion(table.version + 1), tiers=tiers)


def _credited(tier: Tier, shares: tuple[int, ...]) -> Tier:
    return replace(tier, paid=added(tier.paid, shares)) if any(shares) else tier


def apply_lines(table: AllocationTable, lines: Sequence[Line], amounts: Sequence[int]) -> AllocationTable:
    """Return the table after one journal entry, from its parallel posting arrays (credits negative, in kopecks).

    A credit of a line adds to what it was paid and a debit (a reversal) takes off; line 0 and lines in no tier change
    nothing. The version moves by one whatever the entry was.
    """
    credited: dict[int, int] = {}
    for line, amount in zip(lines, amounts, strict=True):
        if line:
            credited[line] = credited.get(line, 0) - amount
    tiers = tuple([_credited(tier, tuple([credited.get(line, 0) for line in tier.lines])) for tier in table.tiers])
    return replace(table, version=TableVersion(table.version + 1), tiers=tiers)
