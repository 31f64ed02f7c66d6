"""The plain engine on random houses of every kind: what must hold whatever a house is made of."""

from collections import defaultdict
from random import Random

import msgspec
import pytest

from loadtests.billing_town import random_house
from services.billing.core.engine import calculate_house
from services.billing.core.lines import ChargeLine, LineKind
from services.billing.core.month import HouseMonth, Premises, ServiceKind

HOUSES = range(40)


def by_premises(lines: tuple[ChargeLine, ...], *kinds: LineKind) -> dict[tuple[str, str], int]:
    """Sum amounts by (premises, service)."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for line in lines:
        if line.kind in kinds:
            sums[line.premises, line.service] += line.amount_kopecks
    return sums


def shuffled(house: HouseMonth) -> HouseMonth:
    premises = list(house.premises)
    Random(house.house).shuffle(premises)
    return msgspec.structs.replace(house, premises=tuple(premises))


def as_one_account(one: Premises) -> Premises:
    """The same premises with one account that pays for everything."""
    account = msgspec.structs.replace(one.accounts[0], numerator=1, denominator=1, excluded=())
    return msgspec.structs.replace(one, accounts=(account,))


@pytest.mark.parametrize("place", HOUSES)
def test_the_order_of_premises_changes_nothing(place: int) -> None:
    house = random_house(7, place)
    assert calculate_house(shuffled(house)) == calculate_house(house)


@pytest.mark.parametrize("place", HOUSES)
def test_accounts_of_a_premises_share_what_one_account_would_pay(place: int) -> None:
    house = random_house(8, place)
    every = tuple(LineKind)
    shared = by_premises(calculate_house(house), *every)
    whole = by_premises(
        calculate_house(msgspec.structs.replace(house, premises=tuple(map(as_one_account, house.premises)))), *every
    )
    excluded = {(one.premises, name) for one in house.premises for row in one.accounts for name in row.excluded}
    by_account = {terms.service for terms in house.services if terms.kind is ServiceKind.FIXED and not terms.by_area}
    compared = {key: amount for key, amount in whole.items() if key not in excluded and key[1] not in by_account}
    assert compared and {key: shared[key] for key in compared} == compared


@pytest.mark.parametrize("place", HOUSES)
def test_absence_and_quality_take_no_more_than_was_charged(place: int) -> None:
    lines = calculate_house(random_house(9, place))
    charged = by_premises(lines, LineKind.CHARGE, LineKind.RAISED, LineKind.HEAT, LineKind.COMMON)
    taken = by_premises(lines, LineKind.ABSENCE, LineKind.QUALITY)
    assert all(-max(0, charged[key]) <= amount <= 0 for key, amount in taken.items() if charged[key] >= 0)
