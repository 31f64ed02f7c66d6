"""Charges become tiers in the order of the law: one case a clause (law.md 1.2–1.9), and the worked examples of law.md 1.8."""

import itertools
import json
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from ledger.core.account_facts import (
    AccountFacts,
    BuildError,
    BuiltTable,
    Charge,
    ChargeKind,
    DatedAlias,
    Printed,
    Provider,
    Register,
)
from ledger.core.advances import AdvanceLine, missing_advance_lines
from ledger.core.books import book_of
from ledger.core.crediting import build_table
from ledger.core.limitation import LimitationTerm, last_day_of_limitation
from ledger.core.opening import OpeningTerms, entry_for_opening
from ledger.core.split import apply_lines, split_amount
from schemas.allocation import AccountState, AdvanceRule, PayerKind, Pool, Tier, pack_table
from schemas.ids import AccountId, Line, PayeeNumber, TableVersion, Transit
from schemas.split import Designation

RECIPIENTS = {1: "УО", 2: "ТЕПЛО", 3: "ВОДА", 4: "ЭНЕРГО", 5: "РО", 6: "СО", 7: "ФКР", 8: "АЛЬФА"}
SERVICES = (
    (1, "maintenance"),
    (1, "common_cold_water"),
    (1, "common_electricity"),
    (2, "heating"),
    (2, "hot_water"),
    (3, "cold_water"),
    (3, "sewage"),
    (4, "electricity"),
    (5, "waste"),
    (6, "intercom"),
    (7, "capital_repair"),
    (1, "penalty"),
    (2, "penalty"),
    (1, "court_costs"),
    (1, "advance"),
    (8, "insurance"),
    (7, "penalty"),
)
REGISTER = Register(
    recipients=RECIPIENTS,
    numbers={code: number for number, code in RECIPIENTS.items()},
    payees={PayeeNumber(n): (RECIPIENTS[recipient], service) for n, (recipient, service) in enumerate(SERVICES, 1)},
)
PAYEE = {pair: number for number, pair in REGISTER.payees.items()}
ADVANCE = PAYEE["УО", "advance"]
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MAIN, REPAIR, VOLUNTARY = Pool.MAIN, Pool.CAPITAL_REPAIR, Pool.VOLUNTARY


def facts_of(**changes: Any) -> AccountFacts:
    rule = changes.pop("rule", AdvanceRule.TO_LINE)
    provider = Provider(
        number=1,
        advance_rule=rule,
        advance_payee=ADVANCE,
        per_service_payment=changes.pop("per_service_payment", False),
        costs_first=changes.pop("costs_first", False),
    )
    given = {"state": AccountState.OPEN, "time_zone": "Europe/Moscow", "version": 0, "aliases": (), **changes}
    return AccountFacts(
        account=AccountId(77),
        namespace="uo",
        number="1001",
        payer_kind=PayerKind.PERSON,
        provider=provider,
        register=REGISTER,
        **given,
    )


def due_of(period: int) -> date:
    """The 15th of the next month (ЖК 155 ч. 1)."""
    year, month = divmod(period, 100)
    return date(year + month // 12, month % 12 + 1, 15)


def charge(recipient: str, service: str, amount: int, period: int = 202610, **more: Any) -> Charge:
    """A charge of ``recipient``; its creditor is the УО unless said."""
    creditor = more.pop("creditor", "УО")
    given = {"kind": ChargeKind.PRINCIPAL, "pool": MAIN, "due_date": due_of(period), **more}
    payee = PAYEE[recipient, service]
    return Charge(line=Line(0), creditor=REGISTER.numbers[creditor], period=period, payee=payee, amount=amount, **given)


def penalty(recipient: str, amount: int, period: int = 202608, **more: Any) -> Charge:
    return charge(recipient, "penalty", amount, period, kind=ChargeKind.PENALTY, **{"creditor": recipient, **more})


def repair(amount: int, period: int = 202610, **more: Any) -> Charge:
    return charge("ФКР", "capital_repair", amount, period, pool=REPAIR, creditor="ФКР", **more)


def costs(amount: int, period: int = 202608, **more: Any) -> Charge:
    return charge("УО", "court_costs", amount, period, kind=ChargeKind.COSTS, **more)


def numbered(facts: AccountFacts, charges: tuple[Charge, ...]) -> tuple[Charge, ...]:
    """Number the lines from 1 and add the advance lines that the builder asks for, as a publication does."""
    lines = tuple(msgspec.structs.replace(one, line=Line(number)) for number, one in enumerate(charges, 1))
    added = [
        Charge(
            line=Line(number),
            creditor=wanted.creditor,
            period=0,
            payee=wanted.payee,
            kind=ChargeKind.ADVANCE,
            pool=MAIN,
            amount=0,
            due_date=NOW.date(),
        )
        for number, wanted in enumerate(missing_advance_lines(facts, lines), len(lines) + 1)
    ]
    return (*lines, *added)


def built(*charges: Charge, paid: dict[int, int] | None = None, moment: datetime = NOW, **facts: Any) -> BuiltTable:
    known = facts_of(**facts)
    return build_table(known, numbered(known, charges), {Line(line): sum_ for line, sum_ in (paid or {}).items()}, moment)


def shown(tier: Tier) -> str:
    """A tier as one word a fact: ``*`` for designated only, creditor, period, what, then service weight-paid."""
    kinds = {0: "", 1: "penalty ", 2: "costs "}
    pools = {MAIN: "", REPAIR: "repair ", VOLUNTARY: "voluntary "}
    order = f"[{tier.court_order}] " if tier.court_order else ""
    lines = [
        f"{REGISTER.payees[payee][1]} {weight}-{paid}"
        for payee, weight, paid in zip(tier.payees, tier.weights, tier.paid, strict=True)
    ]
    mark = "*" if tier.designated_only else ""
    return f"{mark}{RECIPIENTS[tier.creditor]} {tier.period} {pools[tier.pool]}{kinds[tier.kind]}{order}" + ", ".join(lines)


OLD = 202209  # due 15.10.2022, time-barred since 16.10.2025
Case = tuple[str, tuple[Charge, ...], dict[str, Any], tuple[str, ...]]
CASES: dict[str, Case] = {
    "one document": (
        "law.md 1.6",
        (charge("УО", "maintenance", 500), charge("ВОДА", "sewage", 300)),
        {},
        ("УО 202610 sewage 300-0, maintenance 500-0",),
    ),
    "lines sorted by recipient then service as bytes": (
        "vectors, ties",
        (charge("ТЕПЛО", "hot_water", 1), charge("ТЕПЛО", "heating", 2), charge("ВОДА", "sewage", 3)),
        {},
        ("УО 202610 sewage 3-0, heating 2-0, hot_water 1-0",),
    ),
    "oldest due first": (
        "ГК 319.1 п. 3",
        (charge("УО", "maintenance", 3, 202610), charge("УО", "maintenance", 1, 202608), charge("УО", "maintenance", 2, 202609)),
        {},
        ("УО 202608 maintenance 1-0", "УО 202609 maintenance 2-0", "УО 202610 maintenance 3-0"),
    ),
    "the due date decides, not the period": (
        "ГК 319.1 п. 3",
        (charge("УО", "maintenance", 1, 202609, due_date=date(2026, 12, 15)), charge("УО", "maintenance", 2, 202610)),
        {},
        ("УО 202610 maintenance 2-0", "УО 202609 maintenance 1-0"),
    ),
    "equal due dates: the older period": (
        "ГК 319.1 п. 3",
        (
            charge("УО", "maintenance", 2, 202610, due_date=date(2026, 11, 15)),
            charge("УО", "maintenance", 1, 202609, due_date=date(2026, 11, 15)),
        ),
        {},
        ("УО 202609 maintenance 1-0", "УО 202610 maintenance 2-0"),
    ),
    "equal due dates: documents of creditors apart, by code": (
        "law.md 1.6",
        (charge("ТЕПЛО", "heating", 2, creditor="ТЕПЛО"), charge("РО", "waste", 1, creditor="РО")),
        {},
        ("РО 202610 waste 1-0", "ТЕПЛО 202610 heating 2-0"),
    ),
    "direct contract: the supplier is the creditor": (
        "ЖК 157.2",
        (charge("УО", "maintenance", 5), charge("РО", "waste", 1, creditor="РО")),
        {},
        ("РО 202610 waste 1-0", "УО 202610 maintenance 5-0"),
    ),
    "current document last, though not due": (
        "law.md 1.5 step 5",
        (charge("УО", "maintenance", 3, 202611), charge("УО", "maintenance", 1, 202608)),
        {},
        ("УО 202608 maintenance 1-0", "УО 202611 maintenance 3-0"),
    ),
    "capital repair after all main principal": (
        "law.md 1.6, vectors D",
        (repair(7), charge("УО", "maintenance", 1, 202609), charge("УО", "maintenance", 3)),
        {},
        ("УО 202609 maintenance 1-0", "УО 202610 maintenance 3-0", "ФКР 202610 repair capital_repair 7-0"),
    ),
    "old capital repair after the current main document": (
        "law.md 1.6, vectors D",
        (repair(7, 202608), charge("УО", "maintenance", 3)),
        {},
        ("УО 202610 maintenance 3-0", "ФКР 202608 repair capital_repair 7-0"),
    ),
    "penalties after principal and capital repair": (
        "Пленум 54 п. 36–38",
        (penalty("УО", 5), repair(7), charge("УО", "maintenance", 3)),
        {},
        ("УО 202610 maintenance 3-0", "ФКР 202610 repair capital_repair 7-0", "УО 202608 penalty penalty 5-0"),
    ),
    "penalties by creditor, oldest first": (
        "law.md 1.5 step 7",
        (penalty("УО", 1, 202609), penalty("ТЕПЛО", 2, 202608), penalty("УО", 3, 202608)),
        {},
        ("ТЕПЛО 202608 penalty penalty 2-0", "УО 202608 penalty penalty 3-0", "УО 202609 penalty penalty 1-0"),
    ),
    "capital repair penalty stays in its pool": (
        "ЖК 155 ч. 14.1",
        (penalty("ФКР", 4, pool=REPAIR), penalty("УО", 3, 202609)),
        {},
        ("ФКР 202608 repair penalty penalty 4-0", "УО 202609 penalty penalty 3-0"),
    ),
    "costs after penalties": (
        "law.md 1.5 step 6",
        (costs(9), penalty("УО", 5, 202610), charge("УО", "maintenance", 3)),
        {},
        ("УО 202610 maintenance 3-0", "УО 202610 penalty penalty 5-0", "УО 202608 costs court_costs 9-0"),
    ),
    "costs first by contract": (
        "ГК 319",
        (charge("УО", "maintenance", 3), costs(9)),
        {"costs_first": True},
        ("УО 202608 costs court_costs 9-0", "УО 202610 maintenance 3-0"),
    ),
    "voluntary only when named": (
        "law.md 1.6",
        (charge("АЛЬФА", "insurance", 100, pool=VOLUNTARY, creditor="АЛЬФА"), charge("УО", "maintenance", 3)),
        {},
        ("УО 202610 maintenance 3-0", "*АЛЬФА 202610 voluntary insurance 100-0"),
    ),
    "time-barred only when named": (
        "Пленум 22 п. 32",
        (charge("УО", "maintenance", 1, OLD), charge("УО", "maintenance", 3)),
        {},
        (f"*УО {OLD} maintenance 1-0", "УО 202610 maintenance 3-0"),
    ),
    "the last day of limitation is not time-barred": (
        "ГК 192, 196",
        (charge("УО", "maintenance", 1, 202310, due_date=date(2023, 11, 24)),),
        {},
        ("УО 202310 maintenance 1-0",),
    ),
    "the day after it is": (
        "ГК 192, 196",
        (charge("УО", "maintenance", 1, 202310, due_date=date(2023, 11, 23)),),
        {},
        ("*УО 202310 maintenance 1-0",),
    ),
    "limitation restarted by acknowledgement": (
        "ГК 203, 206",
        (charge("УО", "maintenance", 1, OLD, limitation_until=date(2027, 1, 1)),),
        {},
        (f"УО {OLD} maintenance 1-0",),
    ),
    "limitation named as over": (
        "Пленум 22 п. 32",
        (charge("УО", "maintenance", 1, limitation_until=date(2026, 11, 1)),),
        {},
        ("*УО 202610 maintenance 1-0",),
    ),
    "time-barred lines of a document stand apart": (
        "Пленум 22 п. 32",
        (charge("УО", "maintenance", 1, limitation_until=date(2026, 11, 1)), charge("ВОДА", "sewage", 2)),
        {},
        ("УО 202610 sewage 2-0", "*УО 202610 maintenance 1-0"),
    ),
    "penalty is time-barred with its principal": (
        "ГК 207",
        (charge("УО", "maintenance", 1, OLD), penalty("УО", 5, OLD, due_date=date(2026, 1, 15))),
        {},
        (f"*УО {OLD} maintenance 1-0", f"*УО {OLD} penalty penalty 5-0"),
    ),
    "penalty of a live principal is live": (
        "ГК 207",
        (
            charge("УО", "maintenance", 1, OLD, limitation_until=date(2027, 1, 1)),
            penalty("УО", 5, OLD, due_date=date(2026, 1, 15)),
        ),
        {},
        (f"УО {OLD} maintenance 1-0", f"УО {OLD} penalty penalty 5-0"),
    ),
    "court order: costs, principal by age, penalty; only when named": (
        "law.md 1.5 step 2",
        (
            penalty("УО", 41, OLD, court_order="2-1"),
            charge("УО", "maintenance", 8, 202210, court_order="2-1"),
            charge("УО", "maintenance", 9, OLD, court_order="2-1"),
            costs(20, OLD, court_order="2-1"),
        ),
        {},
        (
            f"*УО {OLD} costs [2-1] court_costs 20-0",
            f"*УО {OLD} [2-1] maintenance 9-0",
            "*УО 202210 [2-1] maintenance 8-0",
            f"*УО {OLD} penalty [2-1] penalty 41-0",
        ),
    ),
    "two court orders do not mix": (
        "law.md 1.5 step 2",
        (costs(2, court_order="B"), charge("УО", "maintenance", 1, court_order="A"), costs(1, court_order="A")),
        {},
        ("*УО 202608 costs [A] court_costs 1-0", "*УО 202610 [A] maintenance 1-0", "*УО 202608 costs [B] court_costs 2-0"),
    ),
    "original charges stay the weights": (
        "ПП 253 п. 5",
        (charge("УО", "maintenance", 500), charge("ВОДА", "sewage", 300)),
        {"paid": {1: 100, 2: 60}},
        ("УО 202610 sewage 300-60, maintenance 500-100",),
    ),
    "a paid old document is dropped": (
        "design §3",
        (charge("УО", "maintenance", 1, 202609), charge("УО", "maintenance", 3)),
        {"paid": {1: 1}},
        ("УО 202610 maintenance 3-0",),
    ),
    "the newest document stays when paid": (
        "law.md 1.9",
        (charge("УО", "maintenance", 3), repair(7)),
        {"paid": {1: 3, 2: 7}},
        ("УО 202610 maintenance 3-3", "ФКР 202610 repair capital_repair 7-7"),
    ),
    "a paid line of an open document stays": (
        "design §3",
        (charge("УО", "maintenance", 1, 202609), charge("ВОДА", "sewage", 2, 202609), charge("УО", "maintenance", 3)),
        {"paid": {1: 1}},
        ("УО 202609 sewage 2-0, maintenance 1-1", "УО 202610 maintenance 3-0"),
    ),
    "a paid penalty is dropped": (
        "design §3",
        (penalty("УО", 5, 202610), charge("УО", "maintenance", 3)),
        {"paid": {1: 5}},
        ("УО 202610 maintenance 3-0",),
    ),
    "a charge lowered below what was paid keeps standing": (
        "vectors H3",
        (charge("ТЕПЛО", "heating", 200), charge("ВОДА", "cold_water", 356)),
        {"paid": {1: 287}},
        ("УО 202610 cold_water 356-0, heating 200-287",),
    ),
    "a negative recalculation keeps standing without a cap": (
        "law.md 1.2 note 1",
        (charge("ТЕПЛО", "heating", -50), charge("ВОДА", "cold_water", 356)),
        {},
        ("УО 202610 cold_water 356-0, heating -50-0",),
    ),
    "a pending opening balance is not yet paid in the table": (
        "design §4",
        (charge("УО", "maintenance", 500, opening_paid=200),),
        {},
        ("УО 202610 maintenance 500-0",),
    ),
    "a document paid by its opening balance is dropped": (
        "design §4",
        (charge("УО", "maintenance", 1, 202609, opening_paid=1), charge("УО", "maintenance", 3)),
        {},
        ("УО 202610 maintenance 3-0",),
    ),
    "no charges": ("vectors C4", (), {}, ()),
}


@pytest.mark.parametrize("name", CASES)
def test_tiers_stand_in_the_order_of_the_law(name: str) -> None:
    clause, charges, facts, expected = CASES[name]
    assert tuple(map(shown, built(*charges, **facts).table.tiers)) == expected, clause


@pytest.mark.parametrize("order", tuple(itertools.permutations(range(4))))
def test_the_order_of_charges_in_the_file_changes_no_tier(order: tuple[int, ...]) -> None:
    charges = (charge("УО", "maintenance", 5), charge("ВОДА", "sewage", 3), repair(7), penalty("УО", 2))
    tiers = built(*[charges[place] for place in order]).table.tiers
    assert tuple(map(shown, tiers)) == tuple(map(shown, built(*charges).table.tiers))


Totals = tuple[tuple[Charge, ...], dict[str, Any], tuple[tuple[int, tuple[int, ...]], ...]]
TOTALS: dict[str, Totals] = {
    "computed, main": ((charge("УО", "maintenance", 5),), {}, ((5, (0,)),)),
    "computed, main and with capital repair (vectors A)": (
        (charge("УО", "maintenance", 5), repair(7)),
        {},
        ((5, (0,)), (12, (0, 1))),
    ),
    "with debt": ((charge("УО", "maintenance", 4, 202609), charge("УО", "maintenance", 5)), {}, ((9, (0, 1)),)),
    "penalties, costs and voluntary lines are not in it": (
        (charge("УО", "maintenance", 5), penalty("УО", 2), costs(1), charge("АЛЬФА", "insurance", 9, pool=VOLUNTARY)),
        {},
        ((5, (0,)),),
    ),
    "nor what is time-barred or under an order": (
        (charge("УО", "maintenance", 5), charge("УО", "maintenance", 4, OLD), charge("УО", "maintenance", 3, court_order="A")),
        {},
        ((5, (2,)),),
    ),
    "printed": (
        (charge("УО", "maintenance", 5), repair(7)),
        {"printed": (Printed(period=202610, pool=MAIN, amount=5), Printed(period=202610, pool=REPAIR, amount=7))},
        ((5, (0,)), (12, (0, 1))),
    ),
    "printed with time-barred debt": (
        (charge("УО", "maintenance", 5), charge("УО", "maintenance", 4, OLD)),
        {"printed": (Printed(period=202610, pool=MAIN, amount=9),)},
        ((9, (1,)),),
    ),
    "printed as one sum for both pools (vectors D)": (
        (charge("УО", "maintenance", 5), repair(7)),
        {"printed": (Printed(period=202610, pool=MAIN, amount=12),)},
        ((12, (0, 1)),),
    ),
    "printed less an advance not yet offset": (
        (charge("УО", "maintenance", 5), charge("УО", "maintenance", 0, 202609)),
        {"paid": {3: 2}, "printed": (Printed(period=202610, pool=MAIN, amount=3),)},
        ((3, (0,)),),
    ),
    "printed less opening balances still to be booked": (
        (charge("УО", "maintenance", 5, opening_paid=1, opening_advance=1),),
        {"printed": (Printed(period=202610, pool=MAIN, amount=3),)},
        ((3, (0,)),),
    ),
    "of an older document": (
        (charge("УО", "maintenance", 5),),
        {"printed": (Printed(period=202609, pool=MAIN, amount=77),)},
        ((5, (0,)),),
    ),
    "checked once: payments since have moved what is open": (
        (charge("УО", "maintenance", 5),),
        {"version": 3, "checked_period": 202610, "paid": {1: 2}, "printed": (Printed(period=202610, pool=MAIN, amount=5),)},
        ((5, (0,)),),
    ),
    "nothing to pay": ((charge("УО", "maintenance", 5),), {"paid": {1: 5}}, ()),
}


@pytest.mark.parametrize("name", TOTALS)
def test_printed_totals(name: str) -> None:
    charges, facts, expected = TOTALS[name]
    assert tuple((total.amount, total.tiers) for total in built(*charges, **facts).table.totals) == expected


def test_another_printed_sum_than_is_open_fails_naming_both() -> None:
    printed = (Printed(period=202610, pool=MAIN, amount=500),)
    with pytest.raises(
        BuildError, match="pool main: the document of 202610 prints 500 kopecks to pay, its charges leave 499"
    ) as caught:
        built(charge("УО", "maintenance", 499), printed=printed)
    assert caught.value.account == 77


def test_control_gives_open_and_printed_sums_by_pool() -> None:
    control = built(charge("УО", "maintenance", 5), repair(7), printed=(Printed(period=202610, pool=MAIN, amount=5),)).control
    assert [(line.pool, line.found, line.printed) for line in control] == [(MAIN, 5, 5), (REPAIR, 7, None)]


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


OCTOBER = (
    ("УО", "maintenance", 215000),
    ("УО", "common_cold_water", 1845),
    ("УО", "common_electricity", 6472),
    ("ТЕПЛО", "heating", 287436),
    ("ТЕПЛО", "hot_water", 101208),
    ("ВОДА", "cold_water", 35640),
    ("ВОДА", "sewage", 49896),
    ("ЭНЕРГО", "electricity", 104320),
    ("РО", "waste", 38217),
    ("СО", "intercom", 6500),
)
OCTOBER_CHARGES = tuple(charge(*line) for line in OCTOBER)
DEBTS = (
    charge("УО", "maintenance", 90000, 202608),
    charge("ТЕПЛО", "heating", 150000, 202608),
    charge("ВОДА", "cold_water", 80000, 202608),
    charge("УО", "maintenance", 100000, 202609),
    charge("ТЕПЛО", "heating", 112500, 202609),
    charge("ВОДА", "cold_water", 62500, 202609),
    penalty("УО", 5200, due_date=date(2026, 9, 14)),
    penalty("ТЕПЛО", 3440),
)
DEBTS_PAID = {4: 60000, 5: 67500, 6: 37500}
Worked = tuple[tuple[Charge, ...], dict[str, Any], int, int | None, dict[str, int]]
WORKED: dict[str, Worked] = {
    "A": (
        (*OCTOBER_CHARGES, repair(71235)),
        {},
        846534,
        None,
        {"УО": 223317, "ТЕПЛО": 388644, "ВОДА": 85536, "ЭНЕРГО": 104320, "РО": 38217, "СО": 6500},
    ),
    "A with capital repair": (
        (*OCTOBER_CHARGES, repair(71235)),
        {},
        917769,
        None,
        {"УО": 223317, "ТЕПЛО": 388644, "ВОДА": 85536, "ЭНЕРГО": 104320, "РО": 38217, "СО": 6500, "ФКР": 71235},
    ),
    "B": (
        OCTOBER_CHARGES,
        {},
        500000,
        None,
        {"УО": 131901, "ТЕПЛО": 229550, "ВОДА": 50521, "ЭНЕРГО": 61616, "РО": 22573, "СО": 3839},
    ),
    "C": (
        OCTOBER_CHARGES,
        {"rule": AdvanceRule.BY_WEIGHTS},
        946534,
        None,
        {
            "УО": 223317 + 26381,
            "ТЕПЛО": 388644 + 45910,
            "ВОДА": 85536 + 10104,
            "ЭНЕРГО": 104320 + 12323,
            "РО": 38217 + 4514,
            "СО": 6500 + 768,
        },
    ),
    "D": (
        (*DEBTS[:3], *OCTOBER_CHARGES),
        {},
        846534,
        202610,
        {"УО": 223317, "ТЕПЛО": 388644, "ВОДА": 85536, "ЭНЕРГО": 104320, "РО": 38217, "СО": 6500},
    ),
    "E": (
        (*DEBTS, *OCTOBER_CHARGES),
        {"paid": DEBTS_PAID},
        550000,
        None,
        {"УО": 161657, "ТЕПЛО": 250092, "ВОДА": 117125, "ЭНЕРГО": 14788, "РО": 5417, "СО": 921},
    ),
}


@pytest.mark.parametrize("name", WORKED)
def test_worked_examples_of_the_law_from_their_charges(name: str) -> None:
    charges, facts, amount, period, expected = WORKED[name]
    table = built(*charges, **facts).table
    split = split_amount(table, amount, Designation(period=period) if period else None)
    sent: dict[str, int] = {}
    tiers = [(tier.payees, shares) for tier, shares in zip(table.tiers, split.shares, strict=True)]
    for payees, shares in [*tiers, (table.advance.payees if split.advance else (), split.advance)]:
        for payee, share in zip(payees, shares, strict=True):
            recipient = REGISTER.payees[payee][0]
            sent[recipient] = sent.get(recipient, 0) + share
    assert {recipient: sum_ for recipient, sum_ in sent.items() if sum_} == expected


def test_the_table_of_the_vectors_example_d_is_built_from_its_charges() -> None:
    printed = (Printed(period=202610, pool=MAIN, amount=1347769),)
    table = built(*DEBTS, *OCTOBER_CHARGES, repair(71235), paid=DEBTS_PAID, printed=printed).table
    assert [
        (RECIPIENTS[tier.creditor], tier.period, tier.pool.name, tier.kind.name, tier.designated_only) for tier in table.tiers
    ] == [
        ("УО", 202608, "MAIN", "PRINCIPAL", False),
        ("УО", 202609, "MAIN", "PRINCIPAL", False),
        ("УО", 202610, "MAIN", "PRINCIPAL", False),
        ("ФКР", 202610, "CAPITAL_REPAIR", "PRINCIPAL", False),
        ("УО", 202608, "MAIN", "PENALTY", False),
        ("ТЕПЛО", 202608, "MAIN", "PENALTY", False),
    ]
    assert json.loads(msgspec.json.encode(table.totals)) == [[1347769, [0, 1, 2, 3]]]


def test_a_table_of_eight_lines_packs_within_its_target() -> None:
    aliases = (
        DatedAlias(namespace="uo-severnaya", number="7700012345", valid_from=date(2020, 1, 1)),
        DatedAlias(namespace="els", number="50АА123456", valid_from=date(2020, 1, 1)),
    )
    assert len(pack_table(built(*OCTOBER_CHARGES[:7], repair(71235), aliases=aliases).table)) <= 400
