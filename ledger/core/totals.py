"""Sums printed as «к оплате»: what they cover, and the check that the table owes exactly what was printed (design §3)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ledger.core.account_facts import AccountFacts, BuildError, Control
from schemas.allocation import Kind, Pool, Tier, Total


class Place(NamedTuple):
    """A tier, what its lines were paid with pending opening balances, and whether the table keeps it."""

    tier: Tier
    settled: tuple[int, ...]
    kept: bool


class _Sums(NamedTuple):
    """Of one pool's principal, in kopecks: open without and with designated-only tiers, and what its tiers can take."""

    open: int
    with_designated: int
    caps: int


def totals_of(
    facts: AccountFacts, places: Sequence[Place], document: int, advances: int
) -> tuple[tuple[Total, ...], tuple[Control, ...]]:
    """Return the printed totals and the controls of the document of period ``document``.

    ``advances`` is the account's advance money not yet offset, in kopecks: documents print the main pool less it.
    Raises BuildError when a document that no publication has covered prints another sum than is open. A document may print
    principal with or without what is time-barred or under a court order, and one sum for both pools.
    """
    main, repair = _sums(places, Pool.MAIN, advances), _sums(places, Pool.CAPITAL_REPAIR, 0)
    printed = {line.pool: line.amount for line in facts.printed if line.period == document}
    as_one = _prints_one_sum(printed, main, repair)
    if as_one:
        main = _Sums(*[left + right for left, right in zip(main, repair, strict=True)])
    pools = {Pool.MAIN: main} if as_one else {Pool.MAIN: main, Pool.CAPITAL_REPAIR: repair}
    if _is_first_seen(facts, places, document):
        for pool, sums in pools.items():
            _check(facts, (pool, document), printed.get(pool), sums)
    amounts = {pool: max(0, printed.get(pool, sums.caps)) for pool, sums in pools.items()}
    controls = tuple([Control(pool=pool, found=sums.open, printed=printed.get(pool)) for pool, sums in pools.items()])
    return _totals([place.tier for place in places if place.kept], amounts), controls


def _is_first_seen(facts: AccountFacts, places: Sequence[Place], document: int) -> bool:
    """Tell whether no publication covers the document; one without charges is known only by the account's first."""
    charged = any(place.tier.period == document for place in places)
    return document > facts.checked_period and (charged or not facts.version)


def _totals(tiers: Sequence[Tier], amounts: dict[Pool, int]) -> tuple[Total, ...]:
    """Return the main total, and with capital repair the sum of both; ``amounts`` of one pool cover the tiers of both."""
    main = _indexes(tiers, lambda tier: _is_printed(tier, Pool.MAIN))
    both = main + _indexes(tiers, lambda tier: _is_printed(tier, Pool.CAPITAL_REPAIR))
    repair = amounts.get(Pool.CAPITAL_REPAIR)
    if repair is None:
        candidates = [Total(amounts[Pool.MAIN], both)]
    elif repair:
        candidates = [Total(amounts[Pool.MAIN], main), Total(amounts[Pool.MAIN] + repair, both)]
    else:
        candidates = [Total(amounts[Pool.MAIN], main)]
    return tuple([total for total in candidates if total.amount and total.tiers])


def _indexes(tiers: Sequence[Tier], wanted: Callable[[Tier], bool]) -> tuple[int, ...]:
    return tuple([index for index, tier in enumerate(tiers) if wanted(tier)])


def _is_printed(tier: Tier, pool: Pool) -> bool:
    return tier.pool == pool and tier.kind == Kind.PRINCIPAL and not tier.designated_only


def _sums(places: Sequence[Place], pool: Pool, advances: int) -> _Sums:
    ordinary = designated = caps = 0
    for tier, settled, kept in places:
        if tier.pool != pool or tier.kind != Kind.PRINCIPAL:
            continue
        unpaid = sum(tier.weights) - sum(settled)
        if tier.designated_only:
            designated += unpaid
        else:
            ordinary += unpaid
            if kept:
                caps += sum([max(0, weight - paid) for weight, paid in zip(tier.weights, settled, strict=True)])
    return _Sums(ordinary - advances, ordinary + designated - advances, caps)


def _prints_one_sum(printed: dict[Pool, int], main: _Sums, repair: _Sums) -> bool:
    if Pool.CAPITAL_REPAIR in printed or Pool.MAIN not in printed or not repair.open:
        return False
    amount = printed[Pool.MAIN]
    apart = amount in (main.open, main.with_designated)
    return not apart and amount in (main.open + repair.open, main.with_designated + repair.with_designated)


def _check(facts: AccountFacts, document: tuple[Pool, int], printed: int | None, sums: _Sums) -> None:
    if printed is None or printed in (sums.open, sums.with_designated):
        return
    pool, period = document
    raise BuildError(
        facts.account,
        f"pool {pool.name.lower()}: the document of {period} prints {printed} kopecks to pay, its charges leave {sums.open}",
    )
