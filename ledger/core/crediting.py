"""Charges become an allocation table: the order of crediting (law.md 1.5–1.9, design §3). Pure; the clock is an argument.

Order of tiers: charges under a court order; costs where the contract puts them first; main principal, then capital repair,
oldest due date first; penalties; costs; voluntary lines. Dates, limitation and contracts are resolved here, so a table
holds until the first instant at which one of them changes. See docs/crediting.md.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from ledger.core.account_facts import AccountFacts, BuiltTable, Charge, ChargeKind, LimitationTerm
from ledger.core.advances import advance_of
from ledger.core.limitation import limits_by_line
from ledger.core.opening import pending_openings, settled_by_line
from ledger.core.totals import Place, totals_of
from ledger.core.validity import ONE_DAY, alias_changes, aliases_on, expiry_of, zone_of
from schemas.allocation import AllocationTable, Kind, Pool, Tier
from schemas.ids import Line, TableVersion

_COURT, _COSTS_FIRST, _MAIN, _CAPITAL_REPAIR, _PENALTY, _COSTS, _VOLUNTARY = range(7)
_UNDER_ORDER = {Kind.COSTS: 0, Kind.PRINCIPAL: 1, Kind.PENALTY: 2}


class _Group(NamedTuple):
    """What charges credited together have in common; ``barred`` sets time-barred charges of a document apart."""

    creditor: int
    period: int
    pool: Pool
    kind: Kind
    court_order: str
    barred: bool


class _Money(NamedTuple):
    """By line, in kopecks: credited in the journal, and the same with pending opening balances."""

    paid: Mapping[Line, int]
    settled: Mapping[Line, int]


def build_table(
    facts: AccountFacts,
    charges: Sequence[Charge],
    paid: Mapping[Line, int],
    moment: datetime,
    law: tuple[LimitationTerm, ...] | None = None,
) -> BuiltTable:
    """Build the table that follows ``facts.version`` from all the account's charges.

    ``paid`` is what the journal credits to each line, in kopecks; ``moment`` is aware; ``law`` stands in for the facts'
    terms of limitation. Raises BuildError when the open sum is not the printed one, an advance line is missing, or the facts
    cannot be read.
    """
    zone = zone_of(facts)
    today = moment.astimezone(zone).date()
    money = _Money(paid, settled_by_line(facts, charges, paid))
    obligations = [charge for charge in charges if charge.kind is not ChargeKind.ADVANCE]
    limits = limits_by_line(obligations, facts.limitation if law is None else law)
    document = _document_period(facts, obligations)
    groups = _groups(obligations, limits, today)
    places = [_place(facts, group, groups[group], money, document) for group in _in_order(facts, groups)]
    totals, control = totals_of(facts, places, document, _advances(facts, charges, money))
    valid_until = expiry_of(zone, today, [*_limitation_changes(places, limits), *alias_changes(facts)])
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
        totals=totals,
        tiers=tuple([place.tier for place in places if place.kept]),
        advance=advance_of(facts, charges),
    )
    return BuiltTable(table=table, valid_until=datetime.fromtimestamp(valid_until, UTC), control=control)


def _document_period(facts: AccountFacts, obligations: Sequence[Charge]) -> int:
    """Return the period of the newest payment document (ПД), 0 before the first."""
    charged = [charge.period for charge in obligations if _is_on_document(charge.kind, charge.pool, charge.court_order)]
    return max([*charged, *[line.period for line in facts.printed]], default=0)


def _is_on_document(kind: int, pool: Pool, court_order: str) -> bool:
    return kind == Kind.PRINCIPAL and pool != Pool.VOLUNTARY and not court_order


def _groups(obligations: Sequence[Charge], limits: Mapping[Line, date], today: date) -> dict[_Group, list[Charge]]:
    groups: dict[tuple[object, ...], list[Charge]] = {}
    for charge in obligations:
        order = charge.court_order
        key = (charge.creditor, charge.period, charge.pool, charge.kind, order, not order and limits[charge.line] < today)
        if key in groups:
            groups[key].append(charge)
        else:
            groups[key] = [charge]
    return {_group(key[-1] is True, found[0]): found for key, found in groups.items()}


def _group(barred: bool, charge: Charge) -> _Group:
    return _Group(charge.creditor, charge.period, charge.pool, Kind(charge.kind), charge.court_order, barred)


def _in_order(facts: AccountFacts, groups: Mapping[_Group, Sequence[Charge]]) -> list[_Group]:
    """Sort by rank, then due date, period and creditor's code; charges of an order stay together (law.md 1.5 step 2)."""

    def key(group: _Group) -> tuple[object, ...]:
        rank = _rank(group, facts.provider.costs_first)
        inside = _UNDER_ORDER[group.kind] if group.court_order else 0
        due = min([charge.due_date for charge in groups[group]])
        return rank, group.court_order, inside, due, group.period, facts.register.recipients[group.creditor], group.barred

    return sorted(groups, key=key)


def _rank(group: _Group, costs_first: bool) -> int:
    if group.court_order:
        return _COURT
    if group.pool == Pool.VOLUNTARY:
        return _VOLUNTARY
    if group.kind == Kind.COSTS:
        return _COSTS_FIRST if costs_first else _COSTS
    if group.kind == Kind.PENALTY:
        return _PENALTY
    return _MAIN if group.pool == Pool.MAIN else _CAPITAL_REPAIR


def _place(facts: AccountFacts, group: _Group, charges: Sequence[Charge], money: _Money, document: int) -> Place:
    """Make the tier of one group, its lines sorted by (recipient, service): the tie rule needs no order of its own then."""
    names = facts.register.payees
    ordered = sorted(charges, key=lambda charge: names[charge.payee]) if len(charges) > 1 else charges
    settled = tuple([money.settled[charge.line] for charge in ordered])
    is_open = any([charge.amount > paid for charge, paid in zip(ordered, settled, strict=True)])
    newest = group.period == document and _is_on_document(group.kind, group.pool, group.court_order)
    tier = Tier(
        creditor=group.creditor,
        period=group.period,
        pool=group.pool,
        kind=group.kind,
        designated_only=group.barred or bool(group.court_order) or group.pool == Pool.VOLUNTARY,
        court_order=group.court_order,
        payees=tuple([charge.payee for charge in ordered]),
        lines=tuple([charge.line for charge in ordered]),
        weights=tuple([charge.amount for charge in ordered]),
        paid=tuple([money.paid.get(charge.line, 0) for charge in ordered]),
    )
    return Place(tier, settled, is_open or newest)


def _advances(facts: AccountFacts, charges: Sequence[Charge], money: _Money) -> int:
    """Return the account's advance money not yet offset, in kopecks, pending opening advances included."""
    held = sum(money.paid.get(charge.line, 0) for charge in charges if charge.kind is ChargeKind.ADVANCE)
    return held + sum(charge.opening_advance for charge in pending_openings(facts, charges))


def _limitation_changes(places: Sequence[Place], limits: Mapping[Line, date]) -> list[date]:
    """Return the days from which an open line of an ordinary tier is time-barred."""
    return [
        limits[line] + ONE_DAY
        for tier, settled, kept in places
        if kept and not tier.designated_only
        for line, weight, paid in zip(tier.lines, tier.weights, settled, strict=True)
        if weight > paid
    ]
