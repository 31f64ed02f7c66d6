"""Why each kopeck of a split went where it did, for people (``kopeck split``, ``kopeck explain``)."""

from collections.abc import Sequence
from math import gcd

import msgspec

from ledger.core.apportion import Tie, caps_of, round_once, settle, tie_ring
from ledger.core.split import Credit, Reason, added, advance_shares, credit_tiers, split_amount, tie_of
from schemas.allocation import AdvanceRule, AllocationTable
from schemas.ids import Line, PayeeNumber
from schemas.split import Designation, Split


class Portion(msgspec.Struct, frozen=True, kw_only=True):
    """How one line's kopecks came about. ``exact`` is the exact share as text, ``12 3/7``; ``floor`` its whole part.

    ``kopeck``: a remainder kopeck was given on top. ``tie_position``: the line's place from 0 in the tie ring, None
    where no tie decided over it. ``at_cap``: the line was closed, its exact share having reached its cap.
    """

    exact: str
    floor: int
    kopeck: bool = False
    tie_position: int | None = None
    at_cap: bool = False

    @property
    def kopecks(self) -> int:
        """The line's share of the step, in kopecks."""
        return self.floor + self.kopeck


class LineTrace(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a step, in kopecks: ``paid`` before the step, ``cap`` what it could take (None: an advance has no cap)."""

    payee: PayeeNumber
    line: Line
    weight: int
    paid: int
    cap: int | None
    portion: Portion


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One visit to a tier, the advance or the unallocated rest: of ``offered`` kopecks ``credited`` stayed there.

    ``tier`` is the table's index, None for the advance and the rest; ``lines`` are parallel to the tier's or the
    advance's lines, empty for the rest.
    """

    reason: Reason
    tier: int | None
    offered: int
    credited: int
    lines: tuple[LineTrace, ...]


def trace_split(table: AllocationTable, amount_kopecks: int, designation: Designation | None = None) -> tuple[Step, ...]:
    """Explain ``split_amount`` of the same arguments, step by step; raises the same ValueError.

    Each line is computed again from its exact share, and the steps are asserted to be the split.
    """
    split = split_amount(table, amount_kopecks, designation)
    visits, left, _ = credit_tiers(table, amount_kopecks, designation)
    steps = [_tier_step(table, visit) for visit in visits]
    if left:
        steps.append(_rest_step(table, left))
    _assert_same(table, split, steps)
    return tuple(steps)


def _tier_step(table: AllocationTable, visit: Credit) -> Step:
    tier = table.tiers[visit.tier]
    caps = caps_of(tier.weights, visit.paid)
    if visit.reason is Reason.BASKET_NAMED:
        portions = [_whole(part, cap) for part, cap in zip(visit.parts, caps, strict=True)]
    elif visit.offered >= sum(caps):
        portions = [_whole(cap, cap) for cap in caps]
    else:
        rest, open_weights = settle(visit.offered, tier.weights, caps)
        shared = _shared(rest, open_weights, tie_of(table, tier.tie_order))
        portions = [
            portion if weight else _whole(cap, cap) for portion, weight, cap in zip(shared, open_weights, caps, strict=True)
        ]
    columns = zip(tier.payees, tier.lines, tier.weights, visit.paid, caps, portions, strict=True)
    lines = tuple(
        [
            LineTrace(payee=payee, line=line, weight=weight, paid=paid, cap=cap, portion=portion)
            for payee, line, weight, paid, cap, portion in columns
        ]
    )
    return _step(visit.reason, visit.tier, visit.offered, lines)


def _rest_step(table: AllocationTable, left: int) -> Step:
    """Explain what no tier took: the advance, or nobody's money."""
    advance = table.advance
    if not advance_shares(table, left):
        return Step(reason=Reason.UNALLOCATED, tier=None, offered=left, credited=left, lines=())
    if advance.rule == AdvanceRule.TO_LINE:
        weights: Sequence[int] = (0,)
        portions = [_whole(left, 0)]
    else:
        weights = advance.weights
        open_weights = [max(0, weight) for weight in weights]
        portions = _shared(left, open_weights, tie_of(table, advance.tie_order))
    lines = tuple(
        [
            LineTrace(payee=payee, line=line, weight=weight, paid=0, cap=None, portion=portion)
            for payee, line, weight, portion in zip(advance.payees, advance.lines, weights, portions, strict=True)
        ]
    )
    return _step(Reason.ADVANCE, None, left, lines)


def _step(reason: Reason, tier: int | None, offered: int, lines: tuple[LineTrace, ...]) -> Step:
    credited = sum(line.portion.kopecks for line in lines)
    return Step(reason=reason, tier=tier, offered=offered, credited=credited, lines=lines)


def _whole(kopecks: int, cap: int) -> Portion:
    return Portion(exact=str(kopecks), floor=kopecks, at_cap=0 < cap == kopecks)


def _shared(amount: int, open_weights: Sequence[int], tie: Tie) -> list[Portion]:
    """Explain ``round_once`` of the same arguments."""
    total = sum(open_weights)
    parts = round_once(amount, open_weights, tie)
    exact = [divmod(amount * weight, total) for weight in open_weights]
    tied = _tied([rest for _, rest in exact], [part > floor for part, (floor, _) in zip(parts, exact, strict=True)])
    ring = tie_ring(tie, len(parts)) if tied else []
    return [
        Portion(
            exact=fraction_text(floor, rest, total),
            floor=floor,
            kopeck=part > floor,
            tie_position=ring.index(index) if index in tied else None,
        )
        for index, (part, (floor, rest)) in enumerate(zip(parts, exact, strict=True))
    ]


def _tied(remainders: Sequence[int], given: Sequence[bool]) -> set[int]:
    """Return the lines over which a tie decided: equal to the least remainder that got a kopeck, one of them got none."""
    least = min((rest for rest, kopeck in zip(remainders, given, strict=True) if kopeck), default=None)
    equal = {index for index, rest in enumerate(remainders) if rest == least}
    return equal if any(not given[index] for index in equal) else set()


def fraction_text(whole: int, numerator: int, denominator: int) -> str:
    """Write an exact share: ``12``, ``3/7`` or ``12 3/7``, in lowest terms."""
    if not numerator:
        return str(whole)
    divisor = gcd(numerator, denominator)
    fraction = f"{numerator // divisor}/{denominator // divisor}"
    return f"{whole} {fraction}" if whole else fraction


def _assert_same(table: AllocationTable, split: Split, steps: Sequence[Step]) -> None:
    """Hold the explanation against the split; a difference is a programmer's error."""
    shares = [(0,) * len(tier.lines) for tier in table.tiers]
    advance: tuple[int, ...] = ()
    unallocated = 0
    for step in steps:
        parts = tuple([line.portion.kopecks for line in step.lines])
        if step.tier is not None:
            shares[step.tier] = added(shares[step.tier], parts)
        elif step.reason is Reason.ADVANCE:
            advance = parts
        else:
            unallocated = step.credited
    traced = (tuple(shares), advance, unallocated)
    assert traced == (split.shares, split.advance, split.unallocated), "a trace must be its split"
