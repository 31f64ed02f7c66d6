"""What a run charges of an account's bills, as a table: growth, reductions, floors at what is paid, waivers, exclusions."""

from datetime import date
from typing import Any

import msgspec

from schemas.allocation import Pool
from services.billing.core.penalties import Credit, Debt, penalty_of
from services.billing.core.penalty_changes import (
    BY_COURT,
    CHARGED_ELSEWHERE,
    TIME_BARRED,
    AccountChanges,
    AccountDebts,
    Bill,
    BillKey,
    Group,
    Spared,
    Waiver,
    account_changes,
)
from tests.billing.made_law import SHIPPED

AS_OF = date(2026, 11, 20)
JULY: BillKey = (1, Pool.MAIN, 202607, date(2026, 8, 17))
AUGUST: BillKey = (1, Pool.MAIN, 202608, date(2026, 9, 15))
PLACE = (1, Pool.MAIN)


def bill(key: BillKey = JULY, amount: int = 654_321, *credits: tuple[date, int], **more: Any) -> Bill:
    paid = tuple([Credit(day=day, amount_kopecks=kopecks) for day, kopecks in credits])
    return Bill(key=key, amount_kopecks=amount, credits=paid, **more)


def debts(*bills: Bill, charged: int = 0, paid: int = 0, **more: Any) -> AccountDebts:
    """Debts whose ledger has ``charged`` of penalties, all ours, and ``paid`` of them."""
    group = Group(charged_kopecks=charged, ours_kopecks=more.pop("ours", charged), paid_kopecks=paid)
    return AccountDebts(bills=bills, **{"before": {}, "groups": {PLACE: group}} | more)


def changes(of: AccountDebts, as_of: date = AS_OF) -> AccountChanges:
    return account_changes(of, SHIPPED, as_of)


def changed(of: AccountDebts, as_of: date = AS_OF) -> list[tuple[int, int, int]]:
    """(penalty, before, change) of every bill."""
    return [(one.penalty.amount_kopecks, one.before_kopecks, one.change_kopecks) for one in changes(of, as_of).bills]


WHOLE = penalty_of(Debt(amount_kopecks=654_321, due=JULY[3]), [], SHIPPED, AS_OF).amount_kopecks


def test_the_first_run_charges_the_whole_delay_and_the_next_its_growth() -> None:
    assert WHOLE == 14_823
    assert changed(debts(bill())) == [(14_823, 0, 14_823)]
    later = changed(debts(bill(), before={JULY: 14_823}, charged=14_823), date(2026, 11, 24))
    assert later[0][1:] == (14_823, later[0][0] - 14_823) and later[0][2] > 0
    assert changed(debts(bill(), before={JULY: 14_823}, charged=14_823)) == [(14_823, 14_823, 0)]


def test_a_bill_paid_in_time_or_within_thirty_days_is_left_out() -> None:
    assert changes(debts(bill(JULY, 654_321, (date(2026, 8, 17), 654_321)))).bills == ()
    assert changes(debts(bill(JULY, 654_321, (date(2026, 9, 16), 654_321)))).bills == ()


def test_a_payment_that_became_known_late_lowers_the_charge() -> None:
    paid_early = bill(JULY, 654_321, (date(2026, 9, 1), 654_321))
    assert changed(debts(paid_early, before={JULY: 14_823}, charged=14_823)) == [(0, 14_823, -14_823)]


def test_a_charge_never_falls_below_what_is_paid_of_it() -> None:
    paid_early = bill(JULY, 654_321, (date(2026, 9, 1), 654_321))
    assert changed(debts(paid_early, before={JULY: 14_823}, charged=14_823, paid=10_000)) == [(0, 14_823, -4_823)]
    both = debts(paid_early, bill(AUGUST, 300_000), before={JULY: 14_823}, charged=14_823, paid=14_823)
    july, august = changed(both)
    assert july[2] == -august[2] and august[2] > 0, "growth elsewhere takes the overcharge back"


def test_a_bill_whose_day_was_moved_gives_its_charge_back() -> None:
    moved: BillKey = (1, Pool.MAIN, 202607, date(2026, 8, 15))
    found = changed(debts(bill(moved), before={JULY: 14_823}, charged=14_823))
    assert [one[1:] for one in found] == [(0, 15_779), (14_823, -14_823)]


def test_a_waiver_takes_what_is_charged_and_not_paid_and_no_more() -> None:
    waivers = (Waiver(waiver=5, group=PLACE, left_kopecks=20_000), Waiver(waiver=6, group=PLACE, left_kopecks=1))
    whole = changes(debts(bill(), before={JULY: 14_823}, charged=14_823, waivers=waivers))
    assert whole.waived == ((5, 14_823),)
    some = changes(debts(bill(), before={JULY: 14_823}, charged=14_823, paid=14_000, waivers=waivers))
    assert some.waived == ((5, 823),)
    fresh = changes(debts(bill(), waivers=waivers[1:]))
    assert fresh.waived == ((6, 1),) and fresh.bills[0].change_kopecks == 14_823
    assert changes(debts(waivers=waivers)).waived == ()


def test_who_is_spared_keeps_what_was_charged_before() -> None:
    for spared in (Spared(creditor=None, reason="спор"), Spared(creditor=1, reason="спор")):
        (one,) = changes(debts(bill(), before={JULY: 100}, charged=100, spared=(spared,))).bills
        assert (one.excluded, one.before_kopecks, one.change_kopecks, one.penalty.rows) == ("спор", 100, 0, ())
    other = Spared(creditor=2, reason="спор")
    assert changed(debts(bill(), spared=(other,))) == [(14_823, 0, 14_823)]


def test_a_debt_under_a_court_order_or_time_barred_or_charged_elsewhere_is_left_alone_with_the_reason() -> None:
    reasons = [
        (debts(bill(JULY, 654_321, court_order="2-117/2026")), BY_COURT.format(order="2-117/2026")),
        (debts(bill((1, Pool.MAIN, 202001, date(2020, 2, 10)))), TIME_BARRED),
        (debts(bill(JULY, 654_321, limitation_until=date(2026, 11, 19))), TIME_BARRED),
        (debts(bill(), charged=500, ours=0), CHARGED_ELSEWHERE),
    ]
    for of, reason in reasons:
        (one,) = changes(of).bills
        assert (one.excluded, one.change_kopecks) == (reason, 0)
    renewed = bill((1, Pool.MAIN, 202001, date(2020, 2, 10)), 100_000, limitation_until=date(2027, 1, 1))
    assert changed(debts(renewed))[0][2] > 0


def test_what_was_charged_of_a_bill_counts_once_where_a_part_of_it_is_under_a_court_order() -> None:
    part = bill(JULY, 100_000, court_order="2-117/2026")
    found = changes(debts(bill(), part, before={JULY: 14_000}, charged=14_000)).bills
    assert [(one.before_kopecks, one.change_kopecks) for one in found] == [(14_000, 823), (0, 0)]
    assert [bool(one.excluded) for one in found] == [False, True]
    (alone,) = changes(debts(part, before={JULY: 14_000}, charged=14_000)).bills
    assert (alone.before_kopecks, alone.change_kopecks) == (14_000, 0)


def test_creditors_and_pools_are_settled_apart() -> None:
    repair: BillKey = (2, Pool.CAPITAL_REPAIR, 202607, date(2026, 8, 17))
    paid_early = bill(JULY, 654_321, (date(2026, 9, 1), 654_321))
    groups = {PLACE: Group(charged_kopecks=14_823, ours_kopecks=14_823, paid_kopecks=14_823)}
    of = msgspec.structs.replace(debts(paid_early, bill(repair, 71_235)), before={JULY: 14_823}, groups=groups)
    assert changed(of) == [(0, 14_823, 0), (1_466, 0, 1_466)]
