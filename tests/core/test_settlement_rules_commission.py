"""Commission as a table and as properties: the sum, its bearers, where it is taken from, and the monthly act (law.md §1.10)."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.core.apportion import Tie
from schemas.ids import PayeeNumber
from services.settlement.rules.act import ActParty, ActTerms, general_percent_on, monthly_act, vat_inside
from services.settlement.rules.commission import (
    RATE_WHOLE,
    CommissionLeg,
    CommissionPart,
    CommissionTerms,
    Taking,
    commission_base,
    commission_of,
    commission_parts,
    terms_on,
)

UO, WATER, HEAT, FUND = 1, 2, 3, 4
SINCE = date(2026, 1, 1)
TIE = Tie(personal_account="1001", version=7)


def terms(rate: int = 1_000, **changes: object) -> CommissionTerms:
    """One percent, the УО alone, netted, unless told otherwise."""
    return CommissionTerms(**({"valid_from": SINCE, "rate": rate, "principal": UO} | changes))  # type: ignore[arg-type]


def leg(recipient: int, amount_kopecks: int, payee: int = 0, capital_repair: bool = False) -> CommissionLeg:
    return CommissionLeg(
        payee=PayeeNumber(payee or recipient * 10),
        recipient=recipient,
        amount_kopecks=amount_kopecks,
        capital_repair=capital_repair,
    )


def parts_of(legs: list[CommissionLeg], chosen: CommissionTerms) -> list[tuple[int, int | None, int]]:
    return [(part.bearer, part.payee, part.amount_kopecks) for part in commission_parts(legs, chosen, TIE)]


@pytest.mark.parametrize(
    ("gross", "chosen", "fee", "clause"),
    [
        (0, terms(minimum_kopecks=500), 0, "nothing on nothing, not even the minimum"),
        (100_000, terms(1_000), 1_000, "one percent"),
        (100_000, terms(1), 1, "a thousandth of a percent"),
        (49, terms(1_000), 0, "0.49 of a kopeck goes down"),
        (50, terms(1_000), 1, "half a kopeck goes up"),
        (51, terms(1_000), 1, "above a half goes up"),
        (149, terms(1_000), 1, "1.49 goes down"),
        (150, terms(1_000), 2, "1.5 goes up, not to even"),
        (250, terms(1_000), 3, "2.5 goes up, not to even"),
        (49_999, terms(1), 0, "just below half a kopeck"),
        (50_000, terms(1), 1, "half a kopeck at the finest rate"),
        (432_100, terms(850), 3_673, "0.85 % of 4 321.00 is 36.7285"),
        (1_000, terms(1_000, minimum_kopecks=300), 300, "the minimum"),
        (30_000, terms(1_000, minimum_kopecks=300), 300, "the rate meets the minimum"),
        (30_100, terms(1_000, minimum_kopecks=300), 301, "the rate above the minimum"),
        (100, terms(1_000, minimum_kopecks=300), 300, "a minimum above the payment itself"),
        (10_000_000, terms(1_000, maximum_kopecks=50_000), 50_000, "the maximum"),
        (5_000_000, terms(1_000, maximum_kopecks=50_000), 50_000, "the rate meets the maximum"),
        (4_999_900, terms(1_000, maximum_kopecks=50_000), 49_999, "the rate below the maximum"),
        (777, terms(0, minimum_kopecks=250, maximum_kopecks=250), 250, "a fixed fee"),
        (777, terms(0), 0, "no fee"),
        (777, terms(RATE_WHOLE), 777, "all of it"),
        (10**15, terms(1_000), 10**13, "no limit of machine words"),
    ],
)
def test_the_fee(gross: int, chosen: CommissionTerms, fee: int, clause: str) -> None:
    assert commission_of(gross, chosen) == fee, clause


@pytest.mark.parametrize(
    ("legs", "chosen", "parts", "clause"),
    [
        ([], terms(), [], "nothing paid"),
        ([leg(FUND, 500_000, capital_repair=True)], terms(minimum_kopecks=100), [], "capital repair bears no fee"),
        (
            [leg(UO, 60_000), leg(FUND, 500_000, capital_repair=True)],
            terms(),
            [(UO, 10, 600)],
            "capital repair is not in the base either",
        ),
        ([leg(UO, 60_000), leg(WATER, 40_000)], terms(), [(UO, 10, 1_000)], "the УО alone, of the whole sum"),
        ([leg(WATER, 40_000)], terms(), [(UO, None, 400)], "the УО got nothing of this payment: a claim"),
        ([leg(UO, 300), leg(WATER, 99_700)], terms(), [(UO, 10, 300), (UO, None, 700)], "never more than the bearer got"),
        (
            [leg(UO, 60_000), leg(WATER, 40_000)],
            terms(taking=Taking.INVOICED),
            [(UO, None, 1_000)],
            "invoiced: payables are not touched",
        ),
        (
            [leg(UO, 50_000), leg(WATER, 30_000), leg(HEAT, 20_000)],
            terms(principal_weight=0, recipients_weight=1, consented=frozenset({WATER, HEAT})),
            [(WATER, 20, 600), (HEAT, 30, 400)],
            "the recipients alone, by what they got",
        ),
        (
            [leg(UO, 50_000), leg(WATER, 30_000), leg(HEAT, 20_000)],
            terms(principal_weight=0, recipients_weight=1, consented=frozenset({WATER})),
            [(UO, 10, 400), (WATER, 20, 600)],
            "ПП 253: without its consent a РСО bears nothing",
        ),
        (
            [leg(UO, 50_000), leg(WATER, 30_000), leg(HEAT, 20_000)],
            terms(principal_weight=3, recipients_weight=2, consented=frozenset({WATER, HEAT})),
            [(UO, 10, 600), (WATER, 20, 240), (HEAT, 30, 160)],
            "shared three to two",
        ),
        (
            [leg(UO, 50_000)],
            terms(principal_weight=0, recipients_weight=1, consented=frozenset({WATER})),
            [(UO, 10, 500)],
            "no recipient in the payment: the principal",
        ),
        (
            [leg(UO, 20_000, payee=12), leg(UO, 60_000, payee=11), leg(WATER, 20_000)],
            terms(),
            [(UO, 11, 750), (UO, 12, 250)],
            "taken from a bearer's services by their sums",
        ),
        (
            [leg(WATER, 100), leg(UO, 100)],
            terms(minimum_kopecks=500, principal_weight=1, recipients_weight=1, consented=frozenset({WATER})),
            [(UO, 10, 100), (UO, None, 150), (WATER, 20, 100), (WATER, None, 150)],
            "a minimum above the sums: each bearer owes the rest of its half",
        ),
    ],
)
def test_the_bearers(
    legs: list[CommissionLeg], chosen: CommissionTerms, parts: list[tuple[int, int | None, int]], clause: str
) -> None:
    assert parts_of(legs, chosen) == parts, clause


def test_an_odd_kopeck_goes_by_the_tie_and_always_the_same() -> None:
    halves = terms(RATE_WHOLE, principal_weight=1, recipients_weight=1, consented=frozenset({WATER}), taking=Taking.INVOICED)
    legs = [leg(UO, 1), leg(WATER, 100)]
    by_version = {
        version: tuple(part.amount_kopecks for part in commission_parts(legs, halves, Tie(personal_account="1", version=version)))
        for version in range(40)
    }
    assert set(by_version.values()) == {(51, 50), (50, 51)}
    assert [parts_of(legs, halves)] * 3 == [parts_of(list(reversed(legs)), halves) for _ in range(3)]


LEGS = st.lists(
    st.builds(
        leg,
        recipient=st.integers(1, 5),
        amount_kopecks=st.one_of(st.integers(1, 50), st.integers(1, 2_000_000), st.integers(1, 10**15)),
        payee=st.integers(1, 60),
        capital_repair=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda one: one.payee,
)
TERMS = st.builds(
    lambda rate, least, more, weights, consented, taking: terms(
        rate,
        minimum_kopecks=least,
        maximum_kopecks=None if more is None else least + more,
        principal_weight=weights[0],
        recipients_weight=weights[1],
        consented=frozenset(consented),
        taking=taking,
    ),
    st.integers(0, RATE_WHOLE),
    st.integers(0, 5_000),
    st.none() | st.integers(0, 100_000),
    st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(any),
    st.sets(st.integers(1, 5)),
    st.sampled_from(Taking),
)


@given(LEGS, TERMS, st.integers(1, 1000))
@example([leg(UO, 1), leg(WATER, 1), leg(HEAT, 1)], terms(RATE_WHOLE, recipients_weight=1, consented=frozenset({2, 3})), 1)
def test_parts_sum_exactly_and_take_only_what_they_may(legs: list[CommissionLeg], chosen: CommissionTerms, version: int) -> None:
    parts = commission_parts(legs, chosen, Tie(personal_account="5", version=version))
    assert sum(part.amount_kopecks for part in parts) == commission_of(commission_base(legs), chosen)
    assert all(part.amount_kopecks > 0 for part in parts)
    by_payee = {one.payee: one for one in legs}
    netted = [part for part in parts if part.payee is not None]
    assert len({part.payee for part in netted}) == len(netted)
    for part in netted:
        one = by_payee[part.payee]
        assert not one.capital_repair and one.recipient == part.bearer and part.amount_kopecks <= one.amount_kopecks
    assert {part.bearer for part in parts} <= chosen.consented | {chosen.principal}
    if chosen.taking is Taking.INVOICED:
        assert not netted


@given(LEGS, TERMS)
def test_a_bearer_bears_its_share_within_a_kopeck(legs: list[CommissionLeg], chosen: CommissionTerms) -> None:
    others = [one for one in legs if not one.capital_repair and one.recipient != UO]
    total = sum(one.amount_kopecks for one in others)
    fee = commission_of(commission_base(legs), chosen)
    borne: dict[int, int] = {}
    for part in commission_parts(legs, chosen, TIE):
        borne[part.bearer] = borne.get(part.bearer, 0) + part.amount_kopecks
    whole = (chosen.principal_weight + chosen.recipients_weight) * total
    for recipient in {one.recipient for one in others} & chosen.consented:
        weight = chosen.recipients_weight * sum(one.amount_kopecks for one in others if one.recipient == recipient)
        assert abs(borne.get(recipient, 0) * whole - fee * weight) < whole


@given(st.integers(0, 10**15), st.integers(0, 10**6), TERMS)
def test_the_fee_never_falls_when_the_sum_rises(gross: int, more: int, chosen: CommissionTerms) -> None:
    assert commission_of(gross, chosen) <= commission_of(gross + more, chosen)


@given(st.integers(1, 10**15), st.integers(0, RATE_WHOLE))
def test_the_fee_is_the_nearest_kopeck(gross: int, rate: int) -> None:
    twice_off = 2 * (commission_of(gross, terms(rate)) * RATE_WHOLE - gross * rate)
    assert -RATE_WHOLE < twice_off <= RATE_WHOLE


def test_a_reversal_never_reckons_anew() -> None:
    with pytest.raises(ValueError, match="-1"):
        commission_of(-1, terms())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"rate": -1}, "rate"),
        ({"rate": RATE_WHOLE + 1}, "rate"),
        ({"minimum_kopecks": -1}, "minimum"),
        ({"minimum_kopecks": 10, "maximum_kopecks": 9}, "maximum"),
        ({"principal_weight": 0}, "bearers"),
        ({"recipients_weight": -1}, "bearers"),
    ],
)
def test_terms_at_odds_are_refused(changes: dict[str, int], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        terms(**changes)


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        (date(2025, 12, 31), None),
        (date(2026, 1, 1), 1_000),
        (date(2026, 6, 30), 1_000),
        (date(2026, 7, 1), 900),
        (date(2028, 2, 29), 900),
    ],
)
def test_terms_are_dated(day: date, rate: int | None) -> None:
    found = terms_on([terms(900, valid_from=date(2026, 7, 1)), terms()], day)
    assert (found and found.rate) == rate


@pytest.mark.parametrize(
    ("total", "percent", "vat", "clause"),
    [
        (122, 22, 22, "22/122"),
        (12_200, 22, 2_200, "22/122"),
        (100_000, 22, 18_033, "18 032.79 goes up"),
        (3, 20, 1, "half a kopeck goes up (3 · 20/120 = 0.5)"),
        (2, 20, 0, "0.33 goes down"),
        (105, 5, 5, "УСН 5 %"),
        (107, 7, 7, "УСН 7 %"),
        (100_000, None, 0, "a bank's service bears no VAT"),
        (100_000, 0, 0, "nought percent"),
        (0, 22, 0, "a month without a fee"),
    ],
)
def test_vat_inside_a_sum(total: int, percent: int | None, vat: int, clause: str) -> None:
    assert vat_inside(total, percent) == vat, clause


@pytest.mark.parametrize(
    ("day", "percent"),
    [
        (date(2018, 12, 31), 18),
        (date(2019, 1, 1), 20),
        (date(2025, 12, 31), 20),
        (date(2026, 1, 1), 22),
        (date(2026, 11, 24), 22),
    ],
)
def test_the_general_rate_is_dated(day: date, percent: int) -> None:
    assert general_percent_on(day) == percent


def test_no_rate_is_made_up() -> None:
    with pytest.raises(ValueError, match="2003-12-31"):
        general_percent_on(date(2003, 12, 31))


ACT = ActTerms(
    seller=ActParty(name="ООО «Копек»", inn="7707083893", kpp="770801001"),
    buyer=ActParty(name="ООО «Тестовая УК»", inn="500100732259", kpp=""),
    contract_number="15/К",
    contract_date=date(2025, 2, 1),
    vat_percent=22,
)


def test_the_act_of_a_month() -> None:
    act = monthly_act(100_000, ACT, 202610, "31")
    assert (act.status, act.number, act.day) == (1, "31", date(2026, 10, 31))
    assert (act.net_kopecks, act.vat_rate, act.vat_kopecks, act.total_kopecks) == (81_967, "22%", 18_033, 100_000)
    assert (act.quantity, act.price_kopecks, act.unit_code, act.unit_name) == (1, 81_967, "642", "ед")
    assert act.service == ("Услуги по приёму, распределению и переводу платежей за октябрь 2026 г., договор № 15/К от 01.02.2025")
    assert act.basis == "договор № 15/К от 01.02.2025"
    assert (act.seller, act.buyer) == (ACT.seller, ACT.buyer)


def test_an_act_without_vat_is_no_invoice() -> None:
    act = monthly_act(100_000, replace(ACT, vat_percent=None), 202402, "1")
    assert (act.status, act.vat_rate, act.vat_kopecks, act.net_kopecks) == (2, "без НДС", 0, 100_000)
    assert act.day == date(2024, 2, 29)


def test_an_act_is_never_negative() -> None:
    with pytest.raises(ValueError, match="-1"):
        monthly_act(-1, ACT, 202610, "1")


@given(st.integers(0, 10**15), st.sampled_from([0, 5, 7, 10, 20, 22]))
def test_an_act_sums(total: int, percent: int) -> None:
    act = monthly_act(total, replace(ACT, vat_percent=percent), 202612, "9")
    assert act.net_kopecks + act.vat_kopecks == act.total_kopecks == total
    twice_off = 2 * (act.vat_kopecks * (100 + percent) - total * percent)
    assert -(100 + percent) < twice_off <= 100 + percent, "the nearest kopeck, a half up"


def test_parts_are_values() -> None:
    (part,) = commission_parts([leg(UO, 60_000)], terms(), TIE)
    assert part == CommissionPart(bearer=UO, payee=PayeeNumber(10), amount_kopecks=600)
