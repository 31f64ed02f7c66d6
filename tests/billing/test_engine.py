"""The plain engine: a house's lines, shared between accounts to the kopeck and ordered; what holds for every house."""

from collections import defaultdict
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from loadtests.billing_town import random_house
from services.billing.core.engine import calculate_house
from services.billing.core.individual import individual_parts
from services.billing.core.lines import ChargeLine, LineKind
from services.billing.core.month import Absence, Adjustment, Break, Individual, Ratio, ServiceKind, Volume, VolumeSource, Zone
from services.billing.core.quantities import MICRO, MICRO_PER_KOPECK, Price, amount_of, times
from services.billing.core.sharing import share_out, shared_lines
from tests.billing.building import flat, house, metered, micro, month_of, norm, own, room, shares, terms

COLD = terms(ServiceKind.COLD_WATER, "48.17", norm=micro("4.33"), coefficient=Ratio(micro("3")))
WASTE = terms(ServiceKind.WASTE, "612.35", norm=micro("2.4"))
MAINTENANCE = terms(ServiceKind.MAINTENANCE, "31.47")
REPAIR = terms(ServiceKind.CAPITAL_REPAIR, "14.90")
INTERCOM = terms(ServiceKind.FIXED, "65")
HEAT = terms(ServiceKind.HEATING, "2486.71", norm=micro("0.0229"))
COMMON = terms(ServiceKind.COMMON_COLD_WATER, "48.17", norm=micro("0.03"), base=("cold_water",))
THIRDS = shares(("a", 1, 3), ("b", 1, 3), ("c", 1, 3))

seeds = st.integers(0, 10**6)


def said(lines: tuple[ChargeLine, ...]) -> list[tuple[str, str, str, int]]:
    """(account, service, kind, kopecks) of lines."""
    return [(line.account, line.service, line.kind.name, line.amount_kopecks) for line in lines]


def test_a_flats_month_in_the_houses_order() -> None:
    services = (MAINTENANCE, COLD, WASTE, HEAT, COMMON, REPAIR, INTERCOM)
    premises = flat("1", "54.3", individual=(norm(COLD, is_raised=True),))
    month = house(services, (premises,), area_common=micro("10"), house_volumes=(metered(COLD, "20"),))
    assert said(calculate_house(month)) == [
        ("a-1", "maintenance", "CHARGE", 170_882),
        ("a-1", "cold_water", "CHARGE", 41_715),
        ("a-1", "cold_water", "RAISED", 83_431),
        ("a-1", "waste", "CHARGE", 24_494),
        ("a-1", "heating", "CHARGE", 309_215),
        ("a-1", "common_cold_water", "COMMON", 1_445),
        ("a-1", "capital_repair", "CHARGE", 80_907),
        ("a-1", "fixed", "CHARGE", 6_500),
    ]


def test_premises_have_only_their_services() -> None:
    premises = flat("1", "54.3", services=("capital_repair",))
    assert said(calculate_house(house((MAINTENANCE, REPAIR), (premises,)))) == [("a-1", "capital_repair", "CHARGE", 80_907)]


def test_absence_is_taken_before_quality() -> None:
    premises = flat(
        "1",
        "54.3",
        individual=(norm(COLD),),
        absences=(Absence(service="cold_water", person_days=31),),
        breaks=(Break(service="cold_water", cause="перерыв", act="17", reduction=Ratio(micro("0.1"))),),
    )
    # 417.15 less half of it (31 of 62 person-days) leaves 208.57, a tenth of which is 20.86.
    assert said(calculate_house(house((COLD,), (premises,)))) == [
        ("a-1", "cold_water", "CHARGE", 41_715),
        ("a-1", "cold_water", "ABSENCE", -20_858),
        ("a-1", "cold_water", "QUALITY", -2_086),
    ]


def adjustment(service: str, kopecks: int, kind: LineKind = LineKind.CORRECTION) -> Adjustment:
    return Adjustment(service=service, kind=int(kind), amount_kopecks=kopecks, cause="показание", of_period=202609)


def test_adjustments_are_the_accounts_own() -> None:
    first, second, _ = THIRDS
    rows = (adjustment("waste", -700), adjustment("waste", -350, LineKind.FINE), adjustment("gone", 11))
    premises = flat("1", "54.3", accounts=(first, replace(second, adjustments=rows)))
    lines = calculate_house(house((WASTE, MAINTENANCE), (premises,)))
    assert said(tuple(line for line in lines if line.account == "b")) == [
        ("b", "waste", "CHARGE", 12_247),
        ("b", "waste", "CORRECTION", -700),
        ("b", "waste", "FINE", -350),
        ("b", "maintenance", "CHARGE", 85_441),
        ("b", "gone", "CORRECTION", 11),
    ]
    corrected = next(line for line in lines if line.kind is LineKind.CORRECTION)
    assert (corrected.of_period, corrected.explanation.note) == (202609, "показание")


SHARED = [
    ("three equal: the first gets the odd kopeck", 100, (1, 1, 1), (34, 33, 33)),
    ("two odd kopecks", 101, (1, 1, 1), (34, 34, 33)),
    ("the largest remainder, not the largest share", 100, (1, 2, 4), (14, 29, 57)),
    ("less than a kopeck each", 2, (1, 1, 1), (1, 1, 0)),
    ("negative is the mirror", -100, (1, 1, 1), (-34, -33, -33)),
    ("nothing", 0, (1, 5), (0, 0)),
    ("one account", 12_345, (7,), (12_345,)),
]


@pytest.mark.parametrize(("quantity", "weights", "expected"), [case[1:] for case in SHARED], ids=[case[0] for case in SHARED])
def test_largest_remainder(quantity: int, weights: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert share_out(quantity, weights) == expected


def test_accounts_share_a_premises() -> None:
    lines = calculate_house(house((MAINTENANCE,), (flat("1", "54.3", accounts=THIRDS[::-1]),)))
    assert said(lines) == [
        (account, "maintenance", "CHARGE", kopecks) for account, kopecks in zip("abc", (56_961, 56_961, 56_960), strict=True)
    ]
    assert [line.explanation.inputs[-2:] for line in lines] == [(("share_part", 1), ("share_whole", 3))] * 3


def test_shares_of_different_denominators() -> None:
    accounts = shares(("a", 1, 2), ("b", 1, 3), ("c", 1, 6))
    lines = calculate_house(house((MAINTENANCE,), (flat("1", "60", accounts=accounts),)))
    assert [line.amount_kopecks for line in lines] == [94_410, 62_940, 31_470]


def test_an_excluded_service_is_the_other_creditors_account() -> None:
    uo, rso = shares(("uo", 1, 1), ("rso", 1, 1))
    accounts = (replace(uo, excluded=("cold_water",)), replace(rso, excluded=("maintenance",)))
    month = house((MAINTENANCE, COLD), (flat("1", "54.3", accounts=accounts, individual=(own(COLD, "5.2"),)),))
    assert said(month_of(month, "uo")) == [("uo", "maintenance", "CHARGE", 170_882)]
    assert said(month_of(month, "rso")) == [("rso", "cold_water", "CHARGE", 25_048)]
    assert month_of(month, "rso")[0].explanation.inputs == (("V", 5_200_000), ("T", 48_170_000))


def test_a_service_that_every_account_excludes_is_charged_to_none() -> None:
    accounts = tuple(replace(row, excluded=("maintenance",)) for row in THIRDS)
    assert calculate_house(house((MAINTENANCE,), (flat("1", "54.3", accounts=accounts),))) == ()


def test_a_price_an_account_is_not_shared_by_shares() -> None:
    accounts = shares(("a", 1, 4), ("b", 3, 4))
    lines = calculate_house(house((INTERCOM,), (flat("1", "54.3", accounts=accounts),)))
    assert [(line.volume, line.amount_kopecks) for line in lines] == [(MICRO, 6_500), (MICRO, 6_500)]


def test_a_house_of_nothing_charges_nothing() -> None:
    assert calculate_house(house((COLD, HEAT, COMMON), ())) == ()


@pytest.mark.parametrize("kind", list(ServiceKind), ids=lambda kind: kind.name)
def test_every_kind_of_service_has_its_formula(kind: ServiceKind) -> None:
    service = terms(kind, "10", norm=micro("0.5"), heating_months=7, cold_price=Price(micro("5")))
    burnt = (
        replace(metered(service, "3"), fuel=((Volume(micro("4")), Price(micro("8"))),)) if kind in _OWN else metered(service, "3")
    )
    lines = calculate_house(house((service,), (flat("1", "50"),), area_common=micro("5"), house_volumes=(burnt,)))
    assert sum(line.amount_kopecks for line in lines) > 0


_OWN = (ServiceKind.HOT_WATER_OWN, ServiceKind.HEATING_OWN)


@given(seeds)
def test_permuting_premises_changes_no_line(seed: int) -> None:
    month = random_house(seed, 0, 6)
    mixed = list(month.premises)
    Random(seed).shuffle(mixed)
    assert calculate_house(replace(month, premises=tuple(mixed))) == calculate_house(month)


@given(seeds)
def test_permuting_accounts_changes_no_line(seed: int) -> None:
    month = random_house(seed, 1, 6)
    mirrored = tuple(replace(one, accounts=one.accounts[::-1]) for one in month.premises)
    assert calculate_house(replace(month, premises=mirrored)) == calculate_house(month)


@given(seeds)
def test_splitting_an_account_loses_and_makes_no_kopeck(seed: int) -> None:
    month = random_house(seed, 2, 6)
    services = tuple(one for one in month.services if one.kind is not ServiceKind.FIXED)
    one = tuple(replace(each, accounts=shares((each.premises, 1, 1))) for each in month.premises)
    several = tuple(replace(each, accounts=shares(("a", 1, 7), ("b", 2, 7), ("c", 4, 7))) for each in month.premises)
    single = replace(month, services=services, premises=one)
    assert _totals(calculate_house(replace(single, premises=several))) == _totals(calculate_house(single))


def _totals(lines: tuple[ChargeLine, ...]) -> dict[tuple[str, str, LineKind, str], tuple[int, int]]:
    found: dict[tuple[str, str, LineKind, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for line in lines:
        key = line.premises, line.service, line.kind, line.explanation.note
        found[key] = found[key][0] + line.amount_kopecks, found[key][1] + line.volume
    return dict(found)


@given(st.integers(0, 10**9), st.integers(0, 10**10))
def test_a_charge_is_volume_times_price_half_up(volume: int, price: int) -> None:
    service = replace(COLD, zones=(Zone(zone=0, price=Price(price)),))
    taken = Individual(service="cold_water", source=VolumeSource.METER, zones=((0, Volume(volume)),))
    premises = flat("1", "50", individual=(taken,))
    (line,) = calculate_house(house((service,), (premises,)))
    unit = MICRO * MICRO_PER_KOPECK
    assert -unit < 2 * (line.amount_kopecks * unit - volume * price) <= unit
    assert line.amount_kopecks == (2 * volume * price + unit) // (2 * unit)
    assert bool(volume) or not line.amount_kopecks


@given(st.integers(0, 12_000_000), st.integers(0, 20_000_000), st.integers(1_000_001, 10_000_000), st.integers(0, 10**9))
def test_charge_and_raised_are_the_formula(residents: int, norm_volume: int, coefficient: int, price: int) -> None:
    service = replace(COLD, norm=Volume(norm_volume), coefficient=Ratio(coefficient), zones=(Zone(zone=0, price=Price(price)),))
    premises = flat("1", "50", residents=Ratio(residents), owners=0, individual=(norm(COLD, is_raised=True),))
    parts = individual_parts(house((service,), (premises,)), service, premises)
    volume = times(residents, norm_volume)
    assert sum(part.amount_kopecks for part in parts) == amount_of(times(volume, coefficient), price)
    assert sum(part.volume for part in parts) == times(volume, coefficient)
    assert [part.kind for part in parts] == ([LineKind.CHARGE, LineKind.RAISED] if volume else [])


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(1, 10**6), min_size=1, max_size=8))
def test_shares_sum_and_are_within_one_of_exact(quantity: int, weights: list[int]) -> None:
    found = share_out(quantity, weights)
    assert sum(found) == quantity
    assert all(abs(mine * sum(weights) - quantity * weight) < sum(weights) for mine, weight in zip(found, weights, strict=True))


@given(seeds)
def test_no_volume_no_money(seed: int) -> None:
    month = random_house(seed, 3, 4)
    charged = [line for line in calculate_house(month) if line.kind in (LineKind.CHARGE, LineKind.RAISED, LineKind.COMMON)]
    # A share of several resources or of very little volume may name none; a single account's charge names what it charges.
    whole = [line for line in charged if line.price and not any(name == "share_part" for name, _ in line.explanation.inputs)]
    assert all(line.volume for line in whole if line.amount_kopecks)


def test_parts_of_no_account_make_no_line() -> None:
    premises = flat("1", "50", accounts=())
    assert shared_lines(COLD, premises, individual_parts(house((COLD,), (premises,)), COLD, premises)) == []


def test_a_room_alone_in_its_flat_is_charged_as_a_flat() -> None:
    volumes = (own(COLD, "5.2"),)
    lonely = calculate_house(house((COLD, MAINTENANCE), (room("1", "k", "54.3", individual=volumes),)))
    plain = calculate_house(house((COLD, MAINTENANCE), (flat("1", "54.3", individual=volumes),)))
    assert said(lonely) == said(plain)
