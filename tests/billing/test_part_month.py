"""A month that two providers bill: at equal prices the two parts of every line are the line, to the kopeck and the millionth."""

from collections import defaultdict
from datetime import date

import msgspec
import pytest

from loadtests.billing_town import random_house
from services.billing.core.engine import calculate_house
from services.billing.core.lines import ChargeLine, LineKind
from services.billing.core.meters import EventKind, MeterEvent, MeterLife, MeterReading
from services.billing.core.month import Adjustment, HouseMonth, Individual, VolumeSource
from services.billing.core.part_month import DECIDED, Measured, MonthPart, PartMonth, measured_parts, part_of_month
from services.billing.core.quantities import MICRO, Volume

CHANGED = date(2026, 11, 15)


def parts(house: HouseMonth, days: int, *measured: Measured) -> tuple[tuple[ChargeLine, ...], tuple[ChargeLine, ...]]:
    """What the first and the second provider charge."""
    first, rest = (
        part_of_month(house, MonthPart(days=days, of_days=house.days, is_rest=is_rest, measured=measured))
        for is_rest in (False, True)
    )
    return calculate_house(first), calculate_house(rest)


@pytest.mark.parametrize("place", range(40))
def test_two_parts_are_the_month(place: int) -> None:
    house = random_house(11, place)
    for days in (1, 14, house.days - 1):
        whole, first, rest = map(divided, (calculate_house(house), *parts(house, days)))
        assert [name for name, _, _ in first] == [name for name, _, _ in rest] == [name for name, _, _ in whole]
        for (_, amount, volume), before, after in zip(whole, first, rest, strict=True):
            assert (before[1] + after[1], before[2] + after[2]) == (amount, volume)
            assert 2 * abs(before[1] * house.days - amount * days) <= house.days, "rounded once"


def divided(lines: tuple[ChargeLine, ...]) -> list[tuple[tuple[str, str, str, LineKind], int, int]]:
    """(name, kopecks, volume) of the lines that two providers divide."""
    return [
        ((line.account, line.premises, line.service, line.kind), line.amount_kopecks, line.volume)
        for line in lines
        if line.kind not in DECIDED
    ]


def test_an_ordinary_month_is_left_as_it_is() -> None:
    house = random_house(11, 3)
    assert not isinstance(house, PartMonth)
    assert all("часть месяца" not in line.explanation.note for line in calculate_house(house))


def test_sums_decided_of_earlier_months_are_not_divided() -> None:
    house = random_house(11, 3)
    adjustment = Adjustment(
        service=house.services[0].service, kind=LineKind.CORRECTION, amount_kopecks=-501, cause="акт 1", of_period=202609
    )
    premises = house.premises[0]
    account = msgspec.structs.replace(premises.accounts[0], adjustments=(adjustment,))
    changed = msgspec.structs.replace(premises, accounts=(account, *premises.accounts[1:]))
    first, rest = parts(msgspec.structs.replace(house, premises=(changed, *house.premises[1:])), 14)
    for lines in (first, rest):
        assert -501 in [
            line.amount_kopecks for line in lines if line.account == account.account and line.kind is LineKind.CORRECTION
        ]


def test_a_line_says_of_what_it_is_a_part() -> None:
    house = random_house(11, 3)
    first, rest = parts(house, 14)
    whole = calculate_house(house)[0]
    marks = (("days_before", 14), ("days_month", house.days), ("month_kopecks", whole.amount_kopecks))
    assert first[0].explanation.inputs[-3:] == rest[0].explanation.inputs[-3:] == marks
    assert "по 14 число" in first[0].explanation.note and "с 15 числа" in rest[0].explanation.note


def test_meters_read_at_the_change_divide_their_volume_and_what_follows_it() -> None:
    house, premises, services = next(
        (one, premises.premises, terms)
        for one in (random_house(11, place) for place in range(200))
        for terms in one.services
        if terms.base
        for premises in one.premises
        if not premises.flat and all(_metered(premises.individual, base) for base in terms.base) and premises.accounts
    )
    measured = [(premises, base, MICRO, 4 * MICRO) for base in services.base]
    whole, (first, rest) = calculate_house(house), parts(house, 14, *measured)
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for place, lines in enumerate((whole, first, rest)):
        for line in lines:
            if line.premises == premises and line.kind is LineKind.CHARGE:
                sums[line.service][place] += line.amount_kopecks
    for service in (*services.base, services.service):
        all_, before, after = sums[service]
        assert before + after == all_ and abs(4 * before - all_) <= 8, "a quarter, rounded by lines"


def _metered(individual: tuple[Individual, ...], service: str) -> bool:
    return any(one.service == service and one.source is VolumeSource.METER and one.volume > 0 for one in individual)


def life(*readings: tuple[int, str, int], **more: object) -> MeterLife:
    """A meter with (period, day, dial) of its readings."""
    told = tuple(
        [
            MeterReading(period=period, taken_on=date.fromisoformat(day), values=(Volume(dial * MICRO),))
            for period, day, dial in readings
        ]
    )
    made = MeterLife(
        meter="m", place="p", zones=(0,), digits=5, installed=date(2020, 1, 1), verified_until=date(2030, 1, 1), readings=told
    )
    return msgspec.structs.replace(made, **more)


ORDERLY = ((202610, "2026-10-20", 100), (202611, "2026-11-14", 103), (202611, "2026-11-23", 104))


@pytest.mark.parametrize(
    ("lives", "expected"),
    [
        ([life(*ORDERLY)], (3, 4)),
        ([life(ORDERLY[0], (202611, "2026-11-15", 101), ORDERLY[2])], (1, 4)),
        ([life(*ORDERLY, ratio=1), life(*[(period, day, 5) for period, day, _ in ORDERLY])], (3, 4)),
        ([life(*ORDERLY), life(ORDERLY[0], ORDERLY[2])], None),  # one of two was not read at the change
        ([life(ORDERLY[0], ORDERLY[2])], None),
        ([life(*ORDERLY[1:])], None),  # nothing to count from
        ([life((202609, "2026-09-20", 100), *ORDERLY[1:])], None),  # more than a month is counted
        ([life(*ORDERLY[:2])], None),  # the month's own reading is missing
        ([life(*ORDERLY, ratio=10)], None),  # not what is charged
        ([life(ORDERLY[0], (202611, "2026-11-14", 106), ORDERLY[2])], None),  # more before the change than in the month
        ([life(ORDERLY[0], (202611, "2026-11-14", 99), ORDERLY[2])], None),  # less than nothing before it
        ([life(*ORDERLY, events=(MeterEvent(kind=EventKind.BROKEN, on=date(2026, 11, 20)),))], None),
        ([], None),
    ],
)
def test_what_readings_at_the_change_say(lives: list[MeterLife], expected: tuple[int, int] | None) -> None:
    volume = Individual(service="cold", source=VolumeSource.METER, zones=((0, Volume(4 * MICRO)),))
    house = random_house(11, 3)
    premises = msgspec.structs.replace(house.premises[0], premises="7", flat="", individual=(volume,))
    month = msgspec.structs.replace(house, period=202611, premises=(premises,))
    found = measured_parts(month, {("7", "cold"): lives}, CHANGED)
    assert found == (() if expected is None else (("7", "cold", expected[0] * MICRO, expected[1] * MICRO),))
    by_norm = msgspec.structs.replace(premises, individual=(msgspec.structs.replace(volume, source=VolumeSource.AVERAGE),))
    assert measured_parts(msgspec.structs.replace(month, premises=(by_norm,)), {("7", "cold"): lives}, CHANGED) == ()
