"""Breaks and quality: every row of law.md 2.7, what crosses months and hours, and caps."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.billing.core.lines import LineKind
from services.billing.core.month import Break, Price, Ratio, ServiceKind, ServiceTerms
from services.billing.core.parts import Part
from services.billing.core.quality import Act, UncoveredAct, breaks_of_month, quality_parts
from services.billing.core.quality_rows import QUALITY_ROWS, Deviation, RoomKind
from tests.billing.recalculated_house import charge, charged, flat, house, micro, terms

BREAK, PRESSURE, TEMPERATURE = Deviation.BREAK, Deviation.PRESSURE, Deviation.TEMPERATURE
COLD, HOT, HEAT, GAS = ServiceKind.COLD_WATER, ServiceKind.HOT_WATER, ServiceKind.HEATING, ServiceKind.GAS
POWER, SEWAGE, WASTE = ServiceKind.ELECTRICITY, ServiceKind.SEWAGE, ServiceKind.WASTE
DAY = 32_258
"""A day of October's 31."""


def act(deviation: Deviation, hours: int, start: str = "2026-10-10T08:00", **fields: object) -> Act:
    """An act of some hours; ``measured`` and ``outdoor`` come as decimal text."""
    given = {name: micro(value) if isinstance(value, str) else value for name, value in fields.items() if name != "number"}
    started_at = datetime.fromisoformat(start)
    ended_at = started_at + timedelta(hours=hours)
    number = str(fields.get("number", "1"))
    return Act(number=number, service="s", deviation=deviation, started_at=started_at, ended_at=ended_at, **given)


def off(kind: ServiceKind, *acts: Act, period: int = 202610) -> int:
    """What falls away of the month's charge, millionths."""
    return sum(row.reduction for row in breaks_of_month(acts, {"s": kind}, period))


NIGHT = "2026-10-10T00:00"
NEXT = "2026-10-20T08:00"
CASES = [
    ("cold: 4 h at once are allowed", COLD, (act(BREAK, 4),), 0),
    ("cold: every hour beyond 4 at once", COLD, (act(BREAK, 6),), 2 * 1_500),
    ("cold: 8 h together are allowed", COLD, (act(BREAK, 4), act(BREAK, 4, NEXT)), 0),
    ("cold: every hour beyond 8 together", COLD, (act(BREAK, 4), act(BREAK, 4, "2026-10-15T08:00"), act(BREAK, 3, NEXT)), 4_500),
    ("cold: the greater of both excesses", COLD, (act(BREAK, 10), act(BREAK, 1, NEXT)), 6 * 1_500),
    ("cold: dead-end main, 24 h", COLD, (act(Deviation.MAIN_ACCIDENT, 24),), 0),
    ("cold: dead-end main, beyond 24 h", COLD, (act(Deviation.MAIN_ACCIDENT, 30),), 6 * 1_500),
    ("cold: a dead-end main does not use up the month's", COLD, (act(Deviation.MAIN_ACCIDENT, 24), act(BREAK, 4, NEXT)), 0),
    ("cold: pressure within bounds", COLD, (act(PRESSURE, 10, measured="0.03"),), 0),
    ("cold: pressure up to 25 % low", COLD, (act(PRESSURE, 10, measured="0.0225"),), 10 * 1_000),
    ("cold: pressure up to 25 % high", COLD, (act(PRESSURE, 10, measured="0.75"),), 10 * 1_000),
    ("cold: pressure beyond 25 % low", COLD, (act(PRESSURE, 10, measured="0.0224"),), DAY),
    ("cold: pressure beyond 25 % high", COLD, (act(PRESSURE, 10, measured="0.751"),), DAY),
    ("cold: composition, the days touched", COLD, (act(Deviation.COMPOSITION, 24),), 2 * DAY),
    ("hot: 4 h at once", HOT, (act(BREAK, 5),), 1_500),
    ("hot: dead-end main", HOT, (act(Deviation.MAIN_ACCIDENT, 25),), 1_500),
    ("hot: the yearly maintenance of 14 days", HOT, (act(Deviation.MAINTENANCE, 336),), 0),
    ("hot: maintenance beyond 14 days", HOT, (act(Deviation.MAINTENANCE, 340),), 4 * 1_500),
    ("hot: 57 °C by day is within tolerance", HOT, (act(TEMPERATURE, 5, measured="57"),), 0),
    ("hot: less than 3 °C below tolerance", HOT, (act(TEMPERATURE, 5, measured="54.1"),), 0),
    ("hot: 3 °C below tolerance by day", HOT, (act(TEMPERATURE, 5, measured="54"),), 5 * 1_000),
    ("hot: 6 °C below tolerance by day", HOT, (act(TEMPERATURE, 5, measured="51"),), 5 * 2_000),
    ("hot: 3 °C below tolerance, but it is night", HOT, (act(TEMPERATURE, 5, NIGHT, measured="54"),), 0),
    ("hot: 3 °C below tolerance at night", HOT, (act(TEMPERATURE, 5, NIGHT, measured="52"),), 5 * 1_000),
    ("hot: night and day of one act", HOT, (act(TEMPERATURE, 8, NIGHT, measured="51"),), (5 * 1 + 3 * 2) * 1_000),
    ("hot: pressure up to 25 %", HOT, (act(PRESSURE, 10, measured="0.5"),), 10 * 1_000),
    ("hot: pressure beyond 25 %", HOT, (act(PRESSURE, 10, measured="0.6"),), DAY),
    ("hot: composition", HOT, (act(Deviation.COMPOSITION, 2),), DAY),
    ("sewage: 4 h at once", SEWAGE, (act(BREAK, 5),), 1_500),
    ("sewage: 8 h together", SEWAGE, (act(BREAK, 4), act(BREAK, 4, NEXT), act(BREAK, 2, "2026-10-22T08:00")), 3_000),
    ("electricity: 24 h of one supply", POWER, (act(BREAK, 24),), 0),
    ("electricity: beyond 24 h of one supply", POWER, (act(BREAK, 26),), 3_000),
    ("electricity: 2 h of two supplies", POWER, (act(BREAK, 2, supplies=2),), 0),
    ("electricity: beyond 2 h of two supplies", POWER, (act(BREAK, 5, supplies=2),), 4_500),
    ("electricity: voltage", POWER, (act(Deviation.VOLTAGE, 4),), 6_000),
    ("gas: 4 h together", GAS, (act(BREAK, 2), act(BREAK, 2, NEXT)), 0),
    ("gas: beyond 4 h together", GAS, (act(BREAK, 3), act(BREAK, 3, NEXT)), 3_000),
    ("gas: pressure up to 25 %", GAS, (act(PRESSURE, 10, measured="0.0009"),), 10_000),
    ("gas: pressure beyond 25 %", GAS, (act(PRESSURE, 10, measured="0.000899"),), DAY),
    ("heating: 16 h at 12 °C", HEAT, (act(BREAK, 17, measured="12"),), 1_500),
    ("heating: 8 h at 10 to 12 °C", HEAT, (act(BREAK, 10, measured="10"),), 3_000),
    ("heating: 4 h at 8 to 10 °C", HEAT, (act(BREAK, 7, measured="9.9"),), 4_500),
    ("heating: 24 h together", HEAT, (act(BREAK, 16, measured="14"), act(BREAK, 10, NEXT, measured="14")), 3_000),
    ("heating: +18 is kept", HEAT, (act(TEMPERATURE, 10, measured="18"),), 0),
    ("heating: each hour and degree by day", HEAT, (act(TEMPERATURE, 10, measured="16"),), 10 * 2 * 1_500),
    ("heating: 3 °C less at night", HEAT, (act(TEMPERATURE, 5, NIGHT, measured="15"),), 0),
    ("heating: beyond 3 °C less at night", HEAT, (act(TEMPERATURE, 5, NIGHT, measured="14"),), 5 * 1_500),
    ("heating: a corner room, +20", HEAT, (act(TEMPERATURE, 10, measured="18", room=RoomKind.CORNER),), 30_000),
    ("heating: a cold region, +20", HEAT, (act(TEMPERATURE, 10, measured="18", is_cold_region=True),), 30_000),
    (
        "heating: a corner of a cold region, +22",
        HEAT,
        (act(TEMPERATURE, 10, measured="18", room=RoomKind.CORNER, is_cold_region=True),),
        60_000,
    ),
    ("own boiler's heating alike", ServiceKind.HEATING_OWN, (act(TEMPERATURE, 10, measured="16"),), 30_000),
    ("waste: 48 h at +5 °C and less", WASTE, (act(BREAK, 48, outdoor="5"),), 0),
    ("waste: full 24 h beyond 48", WASTE, (act(BREAK, 96, outdoor="5"),), 2 * 33_000),
    ("waste: 24 h at more than +5 °C", WASTE, (act(BREAK, 48, outdoor="5.1"),), 33_000),
    ("waste: 72 h together", WASTE, tuple(act(BREAK, 48, f"2026-10-{day}T08:00", outdoor="0") for day in (10, 14, 18)), 99_000),
    ("no more than the charge", HEAT, (act(TEMPERATURE, 300, measured="10"),), 1_000_000),
    ("hours of two acts count once", COLD, (act(BREAK, 6), act(BREAK, 6, "2026-10-10T10:00")), 4 * 1_500),
    ("an act within another", COLD, (act(BREAK, 6), act(BREAK, 2, "2026-10-10T10:00")), 2 * 1_500),
    ("only full hours", COLD, (replace(act(BREAK, 5), ended_at=datetime(2026, 10, 10, 12, 59)),), 0),
]


@pytest.mark.parametrize(("kind", "acts", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_falls_away(kind: ServiceKind, acts: tuple[Act, ...], expected: int) -> None:
    assert abs(off(kind, *acts) - expected) <= 1
    assert off(kind, *acts) == off(kind, *acts[::-1])


def test_every_row_of_the_table_is_met_by_a_case() -> None:
    told = {(kind, one.deviation) for _, kind, acts, _ in CASES for one in acts}
    assert {(row.kinds[0], row.deviation) for row in QUALITY_ROWS} <= told


CROSSING = act(BREAK, 30, "2026-10-31T22:00")


def test_an_act_that_crosses_months_is_cut_and_its_allowance_used_once() -> None:
    # Two hours of October are allowed; of the 28 in November two more are.
    assert (off(COLD, CROSSING), off(COLD, CROSSING, period=202611)) == (0, 26 * 1_500)
    assert off(COLD, CROSSING, period=202612) == 0


def test_day_zero_counts_the_days_of_its_own_month() -> None:
    assert off(COLD, act(Deviation.COMPOSITION, 30, "2026-10-31T22:00")) == DAY


def test_an_act_the_table_does_not_know_is_refused() -> None:
    with pytest.raises(UncoveredAct, match="SEWAGE PRESSURE"):
        off(SEWAGE, act(PRESSURE, 5))


def test_acts_of_other_services_are_left_alone() -> None:
    assert breaks_of_month((act(BREAK, 30),), {"other": COLD}, 202610) == ()


def test_a_break_names_its_acts_and_its_cause() -> None:
    (row,) = breaks_of_month((act(BREAK, 6, number="7"), act(BREAK, 6, NEXT, number="9")), {"s": COLD}, 202610)
    assert (row.act, row.cause) == ("7, 9", "перерыв сверх допустимого")


def test_rows_are_dated() -> None:
    tenfold = tuple(replace(row, rate=row.rate * 10, since=202611) for row in QUALITY_ROWS)
    ended = (*(replace(row, until=202610) for row in QUALITY_ROWS), *tenfold)
    both = [breaks_of_month((act(BREAK, 6, f"2026-{month}-10T08:00"),), {"s": COLD}, 202600 + month, ended) for month in (10, 11)]
    assert [row.reduction for (row,) in both] == [3_000, 30_000]


def test_hot_water_under_40_degrees_makes_hours_at_the_cold_price() -> None:
    (row,) = breaks_of_month((act(TEMPERATURE, 93, measured="39.9"),), {"s": HOT}, 202610)
    assert (row.reduction, row.at_cold_price) == (0, 125_000)


WATER = terms(ServiceKind.COLD_WATER, "50", service="s")
TWO_PART = terms(ServiceKind.HOT_WATER_TWO_PART, "48", service="s", cold_price=Price(micro("50")))


def reduced(service: ServiceTerms, parts: tuple[Part, ...], *breaks: tuple[int, int]) -> list[int]:
    """Kopecks taken off by breaks of (reduction, part of the month at the cold price)."""
    rows = tuple(
        Break(service="s", cause="причина", act="1", reduction=Ratio(off), at_cold_price=Ratio(cold)) for off, cold in breaks
    )
    premises = flat("1", "50", breaks=rows)
    found = quality_parts(house((service,), (premises,)), service, premises, parts)
    assert all(part.kind is LineKind.QUALITY and part.explanation.note == "причина, акт 1" for part in found)
    return [part.amount_kopecks for part in found]


HEATED = (charged("8", "48"), charge(120_000, LineKind.HEAT))
MONEY = [
    ("a ratio of the charge", WATER, (charge(100_000),), ((3_000, 0),), [-300]),
    ("each cause a line", WATER, (charge(100_000),), ((3_000, 0), (10_000, 0)), [-300, -1_000]),
    ("together no more than the charge", WATER, (charge(100_000),), ((900_000, 0), (900_000, 0)), [-90_000, -10_000]),
    ("of what absence left", WATER, (charge(100_000), charge(-50_000, LineKind.ABSENCE)), ((10_000, 0),), [-500]),
    ("the increasing coefficient too", WATER, (charge(100_000), charge(50_000, LineKind.RAISED)), ((10_000, 0),), [-1_500]),
    ("of a negative charge nothing", WATER, (charge(-100_000),), ((10_000, 0),), []),
    ("of no charge nothing", WATER, (), ((10_000, 0),), []),
    # 8 m³ cost 384 + 1200 roubles; an eighth of them, one cubic metre, costs 50 as cold water.
    ("under 40 °C: what hot cost more than cold", TWO_PART, HEATED, ((0, 125_000),), [-(158_400 // 8 - 5_000)]),
    ("under 40 °C: cold water is not cheaper", replace(TWO_PART, cold_price=Price(micro("500"))), HEATED, ((0, 125_000),), []),
]


@pytest.mark.parametrize(
    ("service", "parts", "breaks", "expected"), [case[1:] for case in MONEY], ids=[case[0] for case in MONEY]
)
def test_what_quality_takes_off(
    service: ServiceTerms, parts: tuple[Part, ...], breaks: tuple[tuple[int, int], ...], expected: list[int]
) -> None:
    assert reduced(service, parts, *breaks) == expected


RATIOS = st.lists(st.tuples(st.integers(0, 1_000_000), st.integers(0, 1_000_000)), max_size=6)


@given(st.integers(-(10**6), 10**9), st.integers(0, 10**9), RATIOS)
def test_reductions_never_exceed_the_charge(amount: int, volume: int, breaks: list[tuple[int, int]]) -> None:
    assert 0 <= -sum(reduced(TWO_PART, (charge(amount, volume=volume),), *breaks)) <= max(amount, 0)
