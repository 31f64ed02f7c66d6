"""The table of an account with nothing but documents is the same to the byte, made the short way or by the rules of crediting."""

from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.core.account_facts import AccountFacts, Charge, ChargeKind, DatedAlias, LimitationTerm, Printed
from ledger.core.crediting import build_table
from ledger.core.limitation import last_day_of_limitation
from ledger.core.plain_table import build_plain
from schemas.allocation import AccountState, AdvanceRule, pack_table
from schemas.ids import Line
from tests.core.charged_accounts import MAIN, NOW, PAYEE, VOLUNTARY, charge, facts_of, numbered, repair

SERVICES = [pair for pair in PAYEE if pair[1] not in ("penalty", "advance", "court_costs", "insurance")]
NEWEST = 202610
MOMENTS = st.datetimes(min_value=datetime(2026, 10, 1), max_value=datetime(2028, 1, 1), timezones=st.just(UTC))
NAMES = st.lists(
    st.builds(
        DatedAlias,
        namespace=st.sampled_from(["uo", "els"]),
        number=st.sampled_from(["1", "2"]),
        valid_from=st.dates(date(2020, 1, 1), date(2028, 1, 1)),
        valid_to=st.none() | st.dates(date(2026, 1, 1), date(2028, 1, 1)),
    ),
    max_size=3,
)


LAWS = st.sampled_from([((2013, 3),), ((2013, 3), (2026, 1)), ((2013, 1), (2026, 2)), ((2026, 5),)])
"""Years from which a term of limitation holds, and the term in years."""


class Account(NamedTuple):
    facts: AccountFacts
    charges: tuple[Charge, ...]
    paid: dict[Line, int]


def printed_of(charges: tuple[Charge, ...], paid: dict[Line, int]) -> tuple[Printed, ...]:
    """What the newest document prints: what is open of each pool, the main one less advances."""
    open_ = {pool: 0 for pool in sorted({MAIN, *[one.pool for one in charges]})}
    for one in charges:
        open_[one.pool] += one.amount - paid.get(one.line, 0)
    period = max(one.period for one in charges)
    return tuple([Printed(period=period, pool=pool, amount=amount) for pool, amount in open_.items()])


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    periods = draw(st.lists(st.sampled_from([202510, 202608, 202609]), max_size=3, unique=True))
    creditors = st.sampled_from(["УО", "ВОДА"])
    charges = []
    for period in (*sorted(periods), NEWEST):
        for recipient, service in draw(st.lists(st.sampled_from(SERVICES), min_size=1, max_size=9, unique=True)):
            amount = draw(st.integers(-50_000, 900_000))
            is_repair = service == "capital_repair"
            one = repair(amount, period) if is_repair else charge(recipient, service, amount, period, creditor=draw(creditors))
            charges.append(one)
    facts = facts_of(
        rule=draw(st.sampled_from(AdvanceRule)),
        state=draw(st.sampled_from(AccountState)),
        aliases=tuple(draw(NAMES)),
        time_zone=draw(st.sampled_from(["Europe/Moscow", "Asia/Kamchatka", "Europe/Kaliningrad"])),
        version=draw(st.integers(0, 3)),
        checked_period=draw(st.sampled_from([0, 202609])),
        opening_until=draw(st.sampled_from([0, 100])),
        limitation=tuple([LimitationTerm(since=date(since, 1, 1), years=years) for since, years in draw(LAWS)]),
    )
    every = numbered(facts, tuple(charges))
    paid: dict[Line, int] = {}
    if facts.version:
        for one in every:
            if sum_ := draw(st.sampled_from([0, 0, 1, max(0, one.amount), max(0, one.amount) + 7])):
                paid[one.line] = sum_
    return Account(msgspec.structs.replace(facts, printed=printed_of(every, paid)), every, paid)


@settings(max_examples=400, deadline=None)
@given(account=accounts(), moment=MOMENTS)
def test_the_short_way_makes_the_same_table(account: Account, moment: datetime) -> None:
    plain = build_plain(account.facts, account.charges, account.paid, moment)
    by_rules = build_table(account.facts, account.charges, account.paid, moment)
    today = moment.astimezone(ZoneInfo(account.facts.time_zone)).date()
    barred = [
        one for one in account.charges if one.period and last_day_of_limitation(one.due_date, account.facts.limitation) < today
    ]
    assert (plain is None) == bool(barred), "documents alone go the short way until a line is time-barred"
    if plain is None:
        return
    assert pack_table(plain.table) == pack_table(by_rules.table)
    assert (plain.valid_until, plain.control) == (by_rules.valid_until, by_rules.control)


MAINTENANCE = charge("УО", "maintenance", 500)


def changed(**changes: Any) -> tuple[Charge, ...]:
    return (msgspec.structs.replace(MAINTENANCE, **changes),)


ROUND: dict[str, tuple[int, tuple[Charge, ...]]] = {
    "nothing charged": (0, ()),
    "another sum printed": (499, (MAINTENANCE,)),
    "an opening balance": (500, changed(opening_paid=1)),
    "its own limitation": (500, changed(limitation_until=date(2027, 1, 1))),
    "time-barred": (500, changed(due_date=date(2022, 11, 15))),
    "two due dates of one tier": (1000, (MAINTENANCE, charge("ВОДА", "sewage", 500, due_date=date(2026, 11, 20)))),
    "a court order": (500, changed(court_order="2-1")),
    "a voluntary line": (500, changed(pool=VOLUNTARY)),
    "a penalty": (500, (MAINTENANCE, *changed(kind=ChargeKind.PENALTY))),
    "costs": (500, (MAINTENANCE, *changed(kind=ChargeKind.COSTS))),
    "no sum of capital repair printed": (500, (MAINTENANCE, repair(100))),
}


@pytest.mark.parametrize("name", ROUND)
def test_whatever_else_goes_by_the_rules(name: str) -> None:
    amount, charges = ROUND[name]
    facts = facts_of(printed=(Printed(period=NEWEST, pool=MAIN, amount=amount),))
    assert build_plain(facts, numbered(facts, charges), {}, NOW) is None
