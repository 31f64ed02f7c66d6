"""Charges become tiers in the order of the law: one case a clause (law.md 1.2–1.9), and the worked examples of law.md 1.8."""

import itertools
import json
from datetime import date
from typing import Any

import msgspec
import pytest

from ledger.core.account_facts import (
    BuildError,
    Charge,
    DatedAlias,
    Printed,
)
from ledger.core.split import split_amount
from schemas.allocation import AdvanceRule, pack_table
from schemas.split import Designation
from tests.core.charged_accounts import (
    MAIN,
    RECIPIENTS,
    REGISTER,
    REPAIR,
    VOLUNTARY,
    built,
    charge,
    costs,
    penalty,
    repair,
    shown,
)

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
