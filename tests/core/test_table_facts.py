"""What stands in an allocation table beside its tiers: validity, names, advances; and opening balances (design §3, §4)."""

import itertools
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from ledger.core.account_facts import (
    BuildError,
    Charge,
    DatedAlias,
    LimitationTerm,
)
from ledger.core.advances import AdvanceLine, missing_advance_lines
from ledger.core.books import book_of
from ledger.core.crediting import build_table
from ledger.core.limitation import last_day_of_limitation
from ledger.core.opening import OpeningTerms, entry_for_opening
from ledger.core.split import apply_lines
from schemas.allocation import AccountState, AdvanceRule
from schemas.ids import TableVersion, Transit
from tests.core.charged_accounts import (
    ADVANCE,
    NOW,
    REGISTER,
    built,
    charge,
    facts_of,
    numbered,
    repair,
    shown,
)

MIDNIGHT_MOSCOW = 21  # hour of UTC
EXPIRY: dict[str, tuple[tuple[Charge, ...], dict[str, Any], datetime]] = {
    "at most 400 days, on the first of a month": (
        (charge("УО", "maintenance", 5),),
        {},
        datetime(2027, 11, 30, MIDNIGHT_MOSCOW, tzinfo=UTC),
    ),
    "the day after limitation in the house's zone": (
        (charge("УО", "maintenance", 5, limitation_until=date(2026, 12, 10)),),
        {},
        datetime(2026, 12, 10, MIDNIGHT_MOSCOW, tzinfo=UTC),
    ),
    "elsewhere the day turns earlier": (
        (charge("УО", "maintenance", 5, limitation_until=date(2026, 12, 10)),),
        {"time_zone": "Asia/Vladivostok"},
        datetime(2026, 12, 10, 14, tzinfo=UTC),
    ),
    "a paid line's limitation changes nothing": (
        (charge("УО", "maintenance", 5, limitation_until=date(2026, 12, 10)),),
        {"paid": {1: 5}},
        datetime(2027, 11, 30, MIDNIGHT_MOSCOW, tzinfo=UTC),
    ),
    "nor that of an order": (
        (charge("УО", "maintenance", 5, limitation_until=date(2026, 12, 10), court_order="A"),),
        {},
        datetime(2027, 11, 30, MIDNIGHT_MOSCOW, tzinfo=UTC),
    ),
    "a name that begins": (
        (),
        {"aliases": (DatedAlias(namespace="els", number="1", valid_from=date(2027, 1, 1)),)},
        datetime(2026, 12, 31, MIDNIGHT_MOSCOW, tzinfo=UTC),
    ),
    "a name that ends": (
        (),
        {"aliases": (DatedAlias(namespace="els", number="1", valid_from=date(2020, 1, 1), valid_to=date(2026, 11, 30)),)},
        datetime(2026, 11, 30, MIDNIGHT_MOSCOW, tzinfo=UTC),
    ),
}


@pytest.mark.parametrize("name", EXPIRY)
def test_a_table_ends_when_a_date_in_it_changes(name: str) -> None:
    charges, facts, expected = EXPIRY[name]
    made = built(*charges, **facts)
    assert made.valid_until == expected
    assert made.table.valid_until == int(expected.timestamp())


def test_a_period_becomes_time_barred_at_the_very_instant_its_table_ends() -> None:
    one = charge("УО", "maintenance", 5, limitation_until=date(2026, 12, 10))
    ends = built(one).valid_until
    assert not built(one, moment=datetime(2026, 12, 10, 20, 59, 59, tzinfo=UTC)).table.tiers[0].designated_only
    assert built(one, moment=ends).table.tiers[0].designated_only


def test_names_valid_today_stand_sorted_and_once() -> None:
    names = (
        ("uo", "1001", 2020, None),
        ("els", "9", 2020, 2025),
        ("els", "8", 2030, None),
        ("els", "7", 2020, 2026),
        ("uo", "1001", 2021, None),
    )
    aliases = tuple(
        DatedAlias(namespace=space, number=number, valid_from=date(since, 1, 1), valid_to=date(until, 11, 24) if until else None)
        for space, number, since, until in names
    )
    assert [tuple(msgspec.to_builtins(alias)) for alias in built(aliases=aliases).table.aliases] == [("els", "7"), ("uo", "1001")]


AdvanceCase = tuple[tuple[Charge, ...], dict[str, Any], tuple[AdvanceRule, list[tuple[str, int, int | None]]]]
ADVANCES: dict[str, AdvanceCase] = {
    "to one line by default": ((charge("УО", "maintenance", 5),), {}, (AdvanceRule.TO_LINE, [("advance", 2, None)])),
    "to one line before any document (vectors C4)": ((), {}, (AdvanceRule.TO_LINE, [("advance", 1, None)])),
    "by weights of the newest document above zero": (
        (
            charge("УО", "maintenance", 9, 202609),
            charge("ТЕПЛО", "heating", 5),
            charge("ВОДА", "sewage", 3),
            charge("РО", "waste", -1),
        ),
        {"rule": AdvanceRule.BY_WEIGHTS},
        (AdvanceRule.BY_WEIGHTS, [("sewage", 6, 3), ("heating", 5, 5)]),
    ),
    "by weights before any document": ((repair(7),), {"rule": AdvanceRule.BY_WEIGHTS}, (AdvanceRule.REFUSE, [])),
    "closed account": ((charge("УО", "maintenance", 5),), {"state": AccountState.CLOSED}, (AdvanceRule.REFUSE, [])),
    "debts only": (
        (charge("УО", "maintenance", 5),),
        {"state": AccountState.DEBTS_ONLY, "rule": AdvanceRule.BY_WEIGHTS},
        (AdvanceRule.REFUSE, []),
    ),
    "refused by contract": ((charge("УО", "maintenance", 5),), {"rule": AdvanceRule.REFUSE}, (AdvanceRule.REFUSE, [])),
}


@pytest.mark.parametrize("name", ADVANCES)
def test_where_an_advance_goes(name: str) -> None:
    charges, facts, expected = ADVANCES[name]
    advance = built(*charges, **facts).table.advance
    lines = itertools.zip_longest(advance.payees, advance.lines, advance.weights)
    assert (advance.rule, [(REGISTER.payees[payee][1], line, weight) for payee, line, weight in lines]) == expected


def test_a_missing_advance_line_is_asked_for_and_fails_the_build() -> None:
    facts = facts_of()
    assert missing_advance_lines(facts, ()) == (AdvanceLine(payee=ADVANCE, creditor=1),)
    with pytest.raises(BuildError, match="no advance line of payee 15"):
        build_table(facts, (), {}, NOW)


def test_unknown_time_zone_fails_the_build() -> None:
    with pytest.raises(BuildError, match="unknown time zone 'Europe/Nowhere'"):
        built(time_zone="Europe/Nowhere")


@pytest.mark.parametrize(
    ("due", "last"),
    [(date(2023, 11, 15), date(2026, 11, 15)), (date(2024, 2, 29), date(2027, 2, 28)), (date(2040, 1, 31), date(2041, 1, 31))],
)
def test_the_term_of_limitation_is_a_dated_table(due: date, last: date) -> None:
    law = (LimitationTerm(since=date(2000, 1, 1), years=3), LimitationTerm(since=date(2040, 1, 1), years=1))
    assert last_day_of_limitation(due, law) == last


def test_opening_balances_debit_their_holders_and_credit_lines_and_advances() -> None:
    facts = facts_of()
    charges = numbered(
        facts,
        (
            charge("УО", "maintenance", 500, opening_paid=200, opening_advance=30),
            charge("ВОДА", "sewage", 300, opening_paid=100, opening_holder="РО"),
            charge("ТЕПЛО", "heating", 300),
        ),
    )
    table = build_table(facts, charges, {}, NOW).table
    terms = OpeningTerms(transit=Transit(1), moment=NOW, version=table.version)
    entry = entry_for_opening(facts, charges, terms)
    assert entry is not None
    assert (entry.external_id, entry.amount_kopecks, entry.value_date) == ("77/1-2", 330, date(2026, 11, 15))
    assert list(zip(entry.amounts, entry.lines, strict=True)) == [(230, 0), (100, 0), (-200, 1), (-30, 4), (-100, 2)]
    assert [shown(tier) for tier in apply_lines(table, entry.lines, entry.amounts).tiers] == [
        "УО 202610 sewage 300-100, heating 300-0, maintenance 500-200"
    ]
    assert entry_for_opening(msgspec.structs.replace(facts, opening_until=2), charges, terms) is None


def test_unknown_holder_of_an_opening_balance_fails() -> None:
    facts = facts_of()
    charges = numbered(facts, (charge("УО", "maintenance", 5, opening_paid=1, opening_holder="НЕТ"),))
    with pytest.raises(BuildError, match="line 1: unknown holder of the opening balance 'НЕТ'"):
        entry_for_opening(facts, charges, OpeningTerms(transit=Transit(1), moment=NOW, version=TableVersion(1)))


def test_book_of_an_account_follows_its_number() -> None:
    assert {book_of("uo", str(number), 1) for number in range(9)} == {1}
    assert {book_of("uo", str(number), 4) for number in range(99)} == {1, 2, 3, 4}
    assert book_of("uo", "1001", 16) == int.from_bytes(bytes.fromhex("34fabaebb71a851a"), "big") % 16 + 1
