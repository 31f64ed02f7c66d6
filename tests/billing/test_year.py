"""A year put together of its months: spans of price, volumes by fact, what was charged; shared to accounts."""

import msgspec
import pytest

from services.billing.core.month import AccountShare, CommonWay, HouseMonth, HouseVolume, ServiceKind, Volume
from services.billing.core.quantities import MICRO
from services.billing.core.year import HeatYear, YearIncomplete, common_corrections, heating_corrections
from tests.billing.recalculated_house import flat, house, metered, micro, terms

PREMISES = (
    flat("1", "60"),
    flat(
        "2",
        "40",
        accounts=(
            AccountShare(account="a", numerator=1, denominator=4),
            AccountShare(account="b", numerator=3, denominator=4),
        ),
    ),
)


def year(service: str, kind: ServiceKind, prices: list[str], volume: str | None, **fields: object) -> list[HouseMonth]:
    """Twelve months of a house of 100 m² at these prices, the house's volume each month alike."""
    months = []
    for number in range(12):
        one = terms(kind, prices[number * len(prices) // 12], service=service, norm=micro("0.5"), **fields)
        volumes = () if volume is None else (metered(one, volume),)
        months.append(house((one,), PREMISES, period=202601 + number, area_common=micro("10"), house_volumes=volumes))
    return months


def sums(lines: object) -> dict[str, int]:
    return {line.account: line.amount_kopecks for line in lines}  # type: ignore[attr-defined]


def test_a_year_of_heat_at_two_prices_less_what_was_charged() -> None:
    months = year("heat", ServiceKind.HEATING, ["100", "200"], None)
    volumes = HeatYear(house=(10 * MICRO,) * 6 + (5 * MICRO,) * 6, premises={})
    # No meters of flats: all of it goes by area in the end. 60 Gcal at 100 and 30 at 200 are 12 000 roubles.
    lines = heating_corrections(months, "heat", volumes, {"1": 700_000, "2": 480_000})
    assert sums(lines) == {"a-1": 20_000}
    lines = heating_corrections(months, "heat", volumes, {"1": 720_000, "2": 400_000})
    assert sums(lines) == {"a": 20_000, "b": 60_000}
    assert {line.of_period for line in lines} == {202612}


def test_a_flat_with_meters_pays_what_they_say_and_its_part_of_the_rest() -> None:
    months = year("heat", ServiceKind.HEATING, ["100"], None)
    volumes = HeatYear(house=(10 * MICRO,) * 12, premises={"1": (1 * MICRO,) * 12, "2": (9 * MICRO,) * 12})
    lines = heating_corrections(months, "heat", volumes, {})
    assert sums(lines) == {"a-1": 120_000, "a": 270_000, "b": 810_000}


def test_a_year_of_the_common_property_within_its_norm() -> None:
    # The norm: 0,5 × 10 m² = 5 a month, 60 a year.
    months = year("common", ServiceKind.COMMON_ELECTRICITY, ["10", "20"], "4")
    assert sums(common_corrections(months, "common", {})) == {"a-1": 43_200, "a": 7_200, "b": 21_600}
    months = year("common", ServiceKind.COMMON_ELECTRICITY, ["10"], "6")
    assert sums(common_corrections(months, "common", {"1": 36_000, "2": 24_000})) == {}
    shared = year("common", ServiceKind.COMMON_ELECTRICITY, ["10"], "6", is_above_norm_shared=True)
    assert sums(common_corrections(shared, "common", {"1": 36_000, "2": 24_000})) == {"a-1": 7_200, "a": 1_200, "b": 3_600}


def test_an_average_is_no_fact_of_the_year() -> None:
    months = year("common", ServiceKind.COMMON_ELECTRICITY, ["10"], "4", common_way=CommonWay.AVERAGE)
    with pytest.raises(YearIncomplete, match=r"01\.2026"):
        common_corrections(months, "common", {})


def test_a_month_without_volume_or_service_leaves_the_year_incomplete() -> None:
    months = year("common", ServiceKind.COMMON_ELECTRICITY, ["10"], "4")
    broken = [
        *months[:4],
        msgspec.structs.replace(months[4], house_volumes=(HouseVolume(service="x", volume=Volume(1)),)),
        *months[5:],
    ]
    with pytest.raises(YearIncomplete, match=r"05\.2026"):
        common_corrections(broken, "common", {})
    with pytest.raises(YearIncomplete, match="нет услуги"):
        common_corrections([msgspec.structs.replace(months[0], services=()), *months[1:]], "common", {})
