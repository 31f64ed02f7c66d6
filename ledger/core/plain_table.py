"""The table of an account that has nothing but documents: what nearly every account is, made in half the time.

``build_plain`` is ``build_table`` (crediting.py) where there is neither penalty, costs, court order, voluntary line, limitation
of its own or run out, nor an opening balance to be booked, and the newest document prints what is open; it is None
elsewhere. Tests hold the two to the same bytes.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ledger.core.account_facts import AccountFacts, BuiltTable, Charge, ChargeKind, Control
from ledger.core.advances import advance_of
from ledger.core.limitation import last_day_of_limitation
from ledger.core.validity import ONE_DAY, alias_changes, aliases_on, expiry_of, zone_of
from schemas.allocation import AllocationTable, Kind, Pool, Tier, Total
from schemas.ids import Line, TableVersion

_Key = tuple[Pool, date, int, str]
"""Where a tier stands: pool, due date, period, creditor's code."""


class _Sums(NamedTuple):
    """What is open of each pool in kopecks, the main one less advances; ``repair`` None where nothing of it was ever charged."""

    main: int
    repair: int | None


def build_plain(facts: AccountFacts, charges: Sequence[Charge], paid: Mapping[Line, int], moment: datetime) -> BuiltTable | None:
    """Return the table that follows ``facts.version``, or None where ``build_table`` is to be asked; arguments are its.

    BuildError as there, for an unknown time zone or a missing advance line.
    """
    groups = _groups(facts, charges)
    zone = zone_of(facts)
    today = moment.astimezone(zone).date()
    if not groups or any([last_day_of_limitation(key[1], facts.limitation) < today for key in groups]):
        return None
    sums = _sums(groups, paid, [charge for charge in charges if charge.kind is ChargeKind.ADVANCE])
    document = max([*[key[2] for key in groups], *[line.period for line in facts.printed]])
    wanted = {Pool.MAIN: sums.main} if sums.repair is None else {Pool.MAIN: sums.main, Pool.CAPITAL_REPAIR: sums.repair}
    if {line.pool: line.amount for line in facts.printed if line.period == document} != wanted:
        return None
    tiers, change = _tiers(facts, groups, paid, document)
    changes = [day for day in (change, *alias_changes(facts)) if day > today]
    valid_until = _expiry(zone, today, min(changes, default=date.max))
    table = AllocationTable(
        account=facts.account,
        version=TableVersion(facts.version + 1),
        personal_account=facts.number,
        aliases=aliases_on(facts, today),
        state=facts.state,
        payer_kind=facts.payer_kind,
        time_zone=facts.time_zone,
        provider=facts.provider.number,
        valid_until=valid_until,
        per_service_payment=facts.provider.per_service_payment,
        totals=_totals(tiers, sums),
        tiers=tiers,
        advance=advance_of(facts, charges),
    )
    control = (
        Control(pool=Pool.MAIN, found=sums.main, printed=sums.main),
        Control(pool=Pool.CAPITAL_REPAIR, found=sums.repair or 0, printed=sums.repair),
    )
    return BuiltTable(table=table, valid_until=datetime.fromtimestamp(valid_until, UTC), control=control)


def _groups(facts: AccountFacts, charges: Sequence[Charge]) -> dict[_Key, list[Charge]]:
    """Return the charges of each tier in the order of crediting; none where something else than documents is there."""
    codes, names, booked = facts.register.recipients, facts.register.payees, facts.opening_until
    groups: dict[tuple[int, int, Pool], list[Charge]] = {}
    for charge in charges:
        if (charge.opening_paid or charge.opening_advance) and charge.line > booked:
            return {}
        if charge.kind is ChargeKind.ADVANCE:
            continue
        if (
            charge.kind is not ChargeKind.PRINCIPAL
            or charge.pool is Pool.VOLUNTARY
            or charge.court_order
            or charge.limitation_until
        ):
            return {}
        groups.setdefault((charge.creditor, charge.period, charge.pool), []).append(charge)
    keyed: dict[_Key, list[Charge]] = {}
    for (creditor, period, pool), group in groups.items():
        if len(group) > 1:
            group.sort(key=lambda charge: names[charge.payee])
        dues = {charge.due_date for charge in group}
        if len(dues) > 1:
            return {}
        keyed[pool, dues.pop(), period, codes[creditor]] = group
    return {key: keyed[key] for key in sorted(keyed)}


def _sums(groups: Mapping[_Key, Sequence[Charge]], paid: Mapping[Line, int], advances: Sequence[Charge]) -> _Sums:
    sums: dict[Pool, int] = {}
    for key, group in groups.items():
        charged = sum([charge.amount for charge in group])
        credited = sum([paid.get(charge.line, 0) for charge in group]) if paid else 0
        sums[key[0]] = sums.get(key[0], 0) + charged - credited
    held = sum([paid.get(charge.line, 0) for charge in advances])
    return _Sums(sums.get(Pool.MAIN, 0) - held, sums.get(Pool.CAPITAL_REPAIR))


def _tiers(
    facts: AccountFacts, groups: Mapping[_Key, Sequence[Charge]], paid: Mapping[Line, int], document: int
) -> tuple[tuple[Tier, ...], date]:
    """Return the tiers that the table keeps, and the first day on which an open line is time-barred."""
    tiers, change = [], date.max
    for (pool, due, period, _), group in groups.items():
        weights = tuple([charge.amount for charge in group])
        lines = tuple([charge.line for charge in group])
        settled = tuple([paid.get(line, 0) for line in lines]) if paid else (0,) * len(lines)
        is_open = any([weight > sum_ for weight, sum_ in zip(weights, settled, strict=True)])
        if is_open:
            change = min(change, last_day_of_limitation(due, facts.limitation) + ONE_DAY)
        if is_open or period == document:
            tiers.append(
                Tier(
                    creditor=group[0].creditor,
                    period=period,
                    pool=pool,
                    kind=Kind.PRINCIPAL,
                    designated_only=False,
                    court_order="",
                    payees=tuple([charge.payee for charge in group]),
                    lines=lines,
                    weights=weights,
                    paid=settled,
                )
            )
    return tuple(tiers), change


def _totals(tiers: Sequence[Tier], sums: _Sums) -> tuple[Total, ...]:
    """Return the main total, and with capital repair the sum of both; the main pool's tiers stand first."""
    main = tuple([index for index, tier in enumerate(tiers) if tier.pool is Pool.MAIN])
    amount, repair = max(0, sums.main), max(0, sums.repair or 0)
    totals = [Total(amount, main)] if amount and main else []
    return (*totals, Total(amount + repair, tuple(range(len(tiers))))) if repair and tiers else tuple(totals)


@lru_cache(maxsize=4096)
def _expiry(zone: ZoneInfo, today: date, change: date) -> int:
    return expiry_of(zone, today, (change,))
