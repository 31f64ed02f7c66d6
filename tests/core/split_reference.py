"""A slow split written again from the vectors' ``format`` alone, in fractions: what the fast one is held against."""

from fractions import Fraction
from hashlib import sha256
from math import floor

from schemas.allocation import AdvanceRule, AllocationTable, Kind, Pool
from schemas.split import BasketItem, Designation, Split


class ReferenceSplit:
    """One split in the making: what is left and what each line got, by (tier, line)."""

    def __init__(self, table: AllocationTable, amount: int) -> None:
        self.table = table
        self.left = amount
        self.got = [[0] * len(tier.lines) for tier in table.tiers]
        self.ignored: list[int] = []

    def cap(self, tier: int, line: int) -> int:
        t = self.table.tiers[tier]
        return max(0, t.weights[line] - t.paid[line] - self.got[tier][line]) if t.weights[line] > 0 else 0

    def visit(self, tiers: list[int], limit: int) -> None:
        for tier in tiers:
            t = self.table.tiers[tier]
            caps = [self.cap(tier, line) for line in range(len(t.lines))]
            offered = min(limit, self.left, sum(caps))
            parts = capped(self.table, offered, list(t.weights), caps, t.tie_order)
            self.got[tier] = [a + b for a, b in zip(self.got[tier], parts, strict=True)]
            limit -= offered
            self.left -= offered

    def choose(self, number: int, item: BasketItem) -> None:
        tiers = self.table.tiers
        places = [
            (i, j)
            for i, t in enumerate(tiers)
            for j, payee in enumerate(t.payees)
            if (t.pool, t.period, t.kind, payee) == (item.pool, item.period, item.kind, item.payee)
        ]
        forbidden = item.pool == Pool.MAIN and item.kind == Kind.PRINCIPAL and not self.table.per_service_payment
        if forbidden or not places:
            self.ignored.append(number)
            return
        wanted = item.amount_kopecks
        for tier, line in places:
            part = min(wanted, self.left, self.cap(tier, line))
            self.got[tier][line] += part
            wanted -= part
            self.left -= part


def capped(table: AllocationTable, amount: int, weights: list[int], caps: list[int], order: tuple[int, ...]) -> list[int]:
    """Exact shares with caps, rounded once; the amount is no more than the caps' sum."""
    exact: dict[int, Fraction] = {}
    open_lines = {line for line, cap in enumerate(caps) if cap}
    left = Fraction(amount)
    while open_lines:
        total = sum(weights[line] for line in open_lines)
        tried = {line: left * weights[line] / total for line in open_lines}
        full = {line for line in open_lines if tried[line] >= caps[line]}
        if not full:
            exact |= tried
            break
        exact |= {line: Fraction(caps[line]) for line in full}
        left -= sum(caps[line] for line in full)
        open_lines -= full
    return rounded(table, amount, [exact.get(line, Fraction(0)) for line in range(len(weights))], order)


def rounded(table: AllocationTable, amount: int, exact: list[Fraction], order: tuple[int, ...]) -> list[int]:
    if not exact:
        return []
    parts = [floor(share) for share in exact]
    seed = sha256(f"{table.personal_account}/{table.version}".encode()).digest()
    start = int.from_bytes(seed[:8], "big") % len(exact)
    ring = list(order) or list(range(len(exact)))
    ring = ring[start:] + ring[:start]
    best = sorted(range(len(exact)), key=lambda line: (parts[line] - exact[line], ring.index(line)))
    for line in best[: amount - sum(parts)]:
        parts[line] += 1
    return parts


def first_tiers(table: AllocationTable, amount: int, named: Designation | None) -> tuple[list[int], int]:
    tiers = list(enumerate(table.tiers))
    if named is None:
        return next(([*total.tiers] for total in table.totals if total.amount == amount), []), amount
    if named.period is not None:
        main = (named.period, Pool.MAIN, Kind.PRINCIPAL)
        return [i for i, t in tiers if (t.period, t.pool, t.kind) == main], amount
    if named.pool is not None:
        return [i for i, t in tiers if t.pool == named.pool], amount
    if named.penalty_kopecks is not None:
        return [i for i, t in tiers if t.kind == Kind.PENALTY], named.penalty_kopecks
    return [i for i, t in tiers if t.court_order == named.court_order], amount


def reference_split(table: AllocationTable, amount: int, named: Designation | None) -> Split:
    """Divide a payment the slow way."""
    work = ReferenceSplit(table, amount)
    if named is not None and named.basket is not None:
        for number, item in enumerate(named.basket):
            work.choose(number, item)
    else:
        work.visit(*first_tiers(table, amount, named))
    work.visit([i for i, tier in enumerate(table.tiers) if not tier.designated_only], amount)
    advance: list[int] = []
    rule = table.advance.rule
    if work.left and rule == AdvanceRule.TO_LINE:
        advance = [work.left]
    total = sum(weight for weight in table.advance.weights if weight > 0)
    if work.left and rule == AdvanceRule.BY_WEIGHTS and total:
        exact = [Fraction(work.left * max(0, weight), total) for weight in table.advance.weights]
        advance = rounded(table, work.left, exact, table.advance.tie_order)
    return Split(
        shares=tuple(tuple(parts) for parts in work.got),
        advance=tuple(advance),
        unallocated=0 if advance else work.left,
        ignored=tuple(work.ignored),
    )
