"""What holds for every table, payment and designation, and the fast split against the slow one."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.core.apportion import Tie, caps_of, fill, settle
from ledger.core.split import after_split, apply_lines, split_amount
from ledger.core.trace import trace_split
from schemas.allocation import (
    AccountState,
    Advance,
    AdvanceRule,
    AllocationTable,
    Kind,
    PayerKind,
    Pool,
    Tier,
    Total,
    pack_table,
    unpack_table,
)
from schemas.ids import AccountId, Line, PayeeNumber, TableVersion
from schemas.split import BasketItem, Designation, Split
from tests.core.split_reference import reference_split

WEIGHTS = st.one_of(st.integers(-3, 12), st.integers(0, 300_000), st.sampled_from((1000, 1000, 10**9, 10**15)))
PAID = st.one_of(st.just(0), st.integers(0, 12), st.integers(0, 300_000))
PERIODS = st.sampled_from((202608, 202609, 202610))
PAYEES = st.integers(1, 4).map(PayeeNumber)
AMOUNTS = st.one_of(st.integers(1, 50), st.integers(1, 2_000_000), st.integers(1, 10**15))


@st.composite
def tiers(draw: st.DrawFn, first_line: int) -> Tier:
    size = draw(st.integers(0, 6))
    return Tier(
        creditor=1,
        period=draw(PERIODS),
        pool=draw(st.sampled_from(Pool)),
        kind=draw(st.sampled_from(Kind)),
        designated_only=draw(st.booleans()),
        court_order=draw(st.sampled_from(("", "2-1/2026"))),
        payees=tuple(draw(st.lists(PAYEES, min_size=size, max_size=size))),
        lines=tuple(Line(first_line + place) for place in range(size)),
        weights=tuple(draw(st.lists(WEIGHTS, min_size=size, max_size=size))),
        paid=tuple(draw(st.lists(PAID, min_size=size, max_size=size))),
        tie_order=tuple(draw(st.permutations(range(size)))) if draw(st.booleans()) else (),
    )


@st.composite
def advances(draw: st.DrawFn) -> Advance:
    rule = draw(st.sampled_from(AdvanceRule))
    size = {AdvanceRule.REFUSE: 0, AdvanceRule.TO_LINE: 1, AdvanceRule.BY_WEIGHTS: draw(st.integers(0, 4))}[rule]
    return Advance(
        rule=rule,
        payees=tuple(PayeeNumber(place + 1) for place in range(size)),
        lines=tuple(Line(900 + place) for place in range(size)),
        weights=tuple(draw(st.lists(WEIGHTS, min_size=size, max_size=size))) if rule == AdvanceRule.BY_WEIGHTS else (),
    )


@st.composite
def tables(draw: st.DrawFn) -> AllocationTable:
    drawn = tuple(draw(tiers(1 + 10 * number)) for number in range(draw(st.integers(0, 4))))
    totals = st.builds(Total, st.integers(1, 50), st.lists(st.integers(0, len(drawn) - 1), unique=True).map(tuple))
    return AllocationTable(
        account=AccountId(1),
        version=TableVersion(draw(st.integers(0, 50))),
        personal_account=draw(st.sampled_from(("1001", "2", "лс-3"))),
        aliases=(),
        state=AccountState.OPEN,
        payer_kind=PayerKind.PERSON,
        time_zone="Europe/Moscow",
        provider=1,
        valid_until=0,
        per_service_payment=draw(st.booleans()),
        totals=tuple(draw(st.lists(totals, max_size=2))) if drawn else (),
        tiers=drawn,
        advance=draw(advances()),
    )


BASKET_ITEMS = st.builds(
    BasketItem,
    pool=st.sampled_from(Pool),
    period=PERIODS,
    kind=st.sampled_from(Kind),
    payee=st.none() | PAYEES,
    amount_kopecks=AMOUNTS,
)
DESIGNATIONS = st.one_of(
    st.none(),
    st.builds(Designation, period=PERIODS),
    st.builds(Designation, pool=st.sampled_from(Pool)),
    st.builds(Designation, penalty_kopecks=AMOUNTS),
    st.builds(Designation, court_order=st.just("2-1/2026")),
    st.builds(Designation, basket=st.lists(BASKET_ITEMS, max_size=4).map(tuple)),
)


def cap_of(weight: int, paid: int) -> int:
    return max(0, weight - paid) if weight > 0 else 0


@settings(max_examples=200, deadline=None)
@given(tables(), AMOUNTS, DESIGNATIONS)
def test_the_split_is_the_slow_one(table: AllocationTable, amount: int, named: Designation | None) -> None:
    assert split_amount(table, amount, named) == reference_split(table, amount, named)


@settings(max_examples=80, deadline=None)
@given(tables(), AMOUNTS, DESIGNATIONS)
def test_sum_caps_and_signs(table: AllocationTable, amount: int, named: Designation | None) -> None:
    split = split_amount(table, amount, named)
    assert sum(map(sum, split.shares)) + sum(split.advance) + split.unallocated == amount
    assert split.unallocated >= 0 and all(part >= 0 for part in split.advance)
    for tier, shares in zip(table.tiers, split.shares, strict=True):
        for share, weight, paid in zip(shares, tier.weights, tier.paid, strict=True):
            assert 0 <= share <= cap_of(weight, paid)


@settings(max_examples=80, deadline=None)
@given(tables(), AMOUNTS, DESIGNATIONS)
def test_the_same_table_gives_the_same_split_and_trace(table: AllocationTable, amount: int, named: Designation | None) -> None:
    split = split_amount(table, amount, named)
    assert split_amount(unpack_table(pack_table(table)), amount, named) == split
    steps = trace_split(table, amount, named)
    assert sum(step.credited for step in steps) == amount
    assert all(step.credited <= step.offered for step in steps)


@settings(max_examples=80, deadline=None)
@given(tables(), AMOUNTS, DESIGNATIONS)
def test_the_journal_entry_leads_to_the_same_table(table: AllocationTable, amount: int, named: Designation | None) -> None:
    split = split_amount(table, amount, named)
    after = after_split(table, split)
    lines, amounts = postings_of(table, amount, split)
    assert apply_lines(table, lines, amounts) == after
    assert pack_table(apply_lines(table, lines, amounts)) == pack_table(after)
    assert after.version == table.version + 1
    back = apply_lines(after, lines, [-posted for posted in amounts])
    assert back == replace(table, version=TableVersion(table.version + 2))


def postings_of(table: AllocationTable, amount: int, split: Split) -> tuple[list[Line], list[int]]:
    """The arrays of the entry made from a split: clearing's debit without a line, then a credit for each share given."""
    lines = [Line(0)]
    amounts = [amount]
    parts = [(tier.lines, shares) for tier, shares in zip(table.tiers, split.shares, strict=True)]
    for numbers, shares in [*parts, (table.advance.lines if split.advance else (), split.advance)]:
        for line, share in zip(numbers, shares, strict=True):
            if share:
                lines.append(line)
                amounts.append(-share)
    return lines, amounts


LINES = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 3000)), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(LINES, st.data())
def test_rounding_moves_less_than_a_kopeck(lines: list[tuple[int, int]], data: st.DataObject) -> None:
    weights, paid = [tuple(column) for column in zip(*lines, strict=True)]
    caps = caps_of(weights, paid)
    if sum(caps) < 2:
        assert fill(1, weights, paid, Tie(personal_account="1", version=0)) == tuple(caps)
        return
    amount = data.draw(st.integers(1, sum(caps) - 1))
    shares = fill(amount, weights, paid, Tie(personal_account="1", version=0))
    rest, open_weights = settle(amount, weights, caps)
    for share, cap, weight in zip(shares, caps, open_weights, strict=True):
        if weight:
            assert abs(share - Fraction(rest * weight, sum(open_weights))) < 1
        else:
            assert share == cap


@settings(max_examples=80, deadline=None)
@given(LINES, st.integers(1, 60_000), st.data())
def test_the_order_of_recipients_does_not_matter(lines: list[tuple[int, int]], amount: int, data: st.DataObject) -> None:
    weights, paid = [tuple(column) for column in zip(*lines, strict=True)]
    order = data.draw(st.permutations(range(len(lines))))
    shares = fill(amount, weights, paid, Tie(personal_account="1", version=7))
    # The line that stands k-th by name now stands at order.index(k).
    tie = Tie(personal_account="1", version=7, order=tuple(order.index(place) for place in range(len(order))))
    turned = fill(amount, [weights[place] for place in order], [paid[place] for place in order], tie)
    assert turned == tuple(shares[place] for place in order)


@settings(max_examples=60, deadline=None)
@given(tables(), st.lists(st.integers(1, 400_000), max_size=6), st.booleans())
def test_partial_payments_close_every_tier_exactly(table: AllocationTable, amounts: list[int], closing: bool) -> None:
    open_tiers = tuple(replace(tier, designated_only=False) for tier in table.tiers)
    table = replace(table, tiers=open_tiers, totals=())
    unpaid = sum(sum(caps_of(tier.weights, tier.paid)) for tier in table.tiers)
    for amount in amounts:
        if amount < unpaid:
            table = after_split(table, split_amount(table, amount))
            unpaid -= amount
    if unpaid:
        table = after_split(table, split_amount(table, unpaid + (0 if closing else 5)))
    for before, after in zip(open_tiers, table.tiers, strict=True):
        expected = [max(weight, paid) if weight > 0 else paid for weight, paid in zip(before.weights, before.paid, strict=True)]
        assert list(after.paid) == expected


@pytest.mark.parametrize("amount", [0, -1])
def test_a_payment_is_above_zero(amount: int) -> None:
    table = AllocationTable(
        account=AccountId(1),
        version=TableVersion(1),
        personal_account="1",
        aliases=(),
        state=AccountState.OPEN,
        payer_kind=PayerKind.PERSON,
        time_zone="",
        provider=0,
        valid_until=0,
        per_service_payment=False,
        totals=(),
        tiers=(),
        advance=Advance(rule=AdvanceRule.REFUSE),
    )
    with pytest.raises(ValueError, match="above zero"):
        split_amount(table, amount)
