"""The columnar engine says what the plain engine says: every field of every line, on random, rare and ordinary houses."""

from random import Random
from typing import Any

import msgspec
import polars as pl
import pytest

from loadtests.bench_billing import disagreements, mixed_house
from loadtests.billing_ordinary import ordinary_house
from loadtests.billing_rarities import rare_house
from loadtests.billing_town import random_house
from services.billing.columnar.engine import LINES, calculate_town
from services.billing.columnar.explaining import explain
from services.billing.columnar.frames import SCHEMAS, TownFrames
from services.billing.columnar.months import frames_of, months_of
from services.billing.columnar.packing import pack_explanations
from services.billing.columnar.plain import LARGE, UNKEPT
from services.billing.core.engine import calculate_house
from services.billing.core.lines import ChargeLine, LineKind
from services.billing.core.month import Break, HouseMonth, HouseVolume, Individual, ServiceKind, VolumeSource, Zone
from services.billing.core.quantities import MICRO, Area, Price, Ratio, Volume
from services.billing.runs.packing import pack_explanation

replace = msgspec.structs.replace


@pytest.mark.parametrize("seed", [21, 22, 23])
def test_the_engines_agree_on_a_town(seed: int) -> None:
    months = [mixed_house(seed, place) for place in range(120)]
    differing, town = disagreements(months)
    assert not differing
    assert not town.plain and not town.failed
    assert {ServiceKind(kind) for month in months for kind in {terms.kind for terms in month.services}} == set(ServiceKind)


def shuffled(frames: TownFrames, seed: int) -> TownFrames:
    """The same frames, rows in another order."""
    return TownFrames(**{name: getattr(frames, name).sample(fraction=1, shuffle=True, seed=seed) for name in SCHEMAS})


def renumbered(frames: TownFrames, by: int) -> TownFrames:
    """The same frames, keys far apart and in the same order."""
    keys = ("house", "term", "base", "premises", "share")

    def changed(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col(key) * by + 1_000_000_007 for key in keys if key in frame.columns)

    return TownFrames(**{name: changed(getattr(frames, name)) for name in SCHEMAS})


def told(frames: TownFrames) -> list[ChargeLine]:
    return [line for _, line in calculate_town(frames).charge_lines()]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_rows_and_the_numbers_of_keys_change_nothing(seed: int) -> None:
    frames = frames_of([rare_house(31, place) for place in range(30)])
    lines = told(frames)
    assert lines and told(shuffled(frames, seed)) == lines
    assert told(renumbered(frames, 977 * seed)) == lines


def test_the_order_of_premises_changes_nothing() -> None:
    months = [rare_house(32, place) for place in range(20)]
    others = [replace(month, premises=tuple(Random(1).sample(month.premises, len(month.premises)))) for month in months]
    assert told(frames_of(others)) == told(frames_of(months))


def test_a_house_alone_is_charged_as_in_its_town() -> None:
    months = [mixed_house(33, place) for place in range(12)]
    assert [line for month in months for line in told(frames_of([month]))] == told(frames_of(months))


def test_months_come_back_from_frames_with_the_same_charges() -> None:
    months = [mixed_house(34, place) for place in range(30)]
    again = list(months_of(frames_of(months)))
    assert [number for number, _ in again] == list(range(30))
    assert [calculate_house(month) for _, month in again] == [calculate_house(month) for month in months]


def test_a_volume_told_twice_is_refused() -> None:
    frames = frames_of([random_house(40, 0)])
    twice = pl.concat([frames.individual, frames.individual.head(1)])
    with pytest.raises(pl.exceptions.ComputeError, match="1:1"):
        calculate_town(replace(frames, individual=twice))


def test_nothing_makes_no_lines() -> None:
    town = calculate_town(frames_of([]))
    assert town.lines.is_empty() and town.lines.schema == pl.Schema(LINES)
    empty = replace(random_house(35, 1), premises=())
    assert calculate_town(frames_of([empty])).lines.is_empty()


def with_price(month: HouseMonth, price: int) -> HouseMonth:
    """The month, every service of it at one price."""
    priced = tuple([replace(terms, zones=(Zone(zone=0, price=Price(price)),)) for terms in month.services])
    return replace(month, services=priced)


def test_a_house_of_quantities_too_large_for_columns_is_calculated_plainly_among_the_others() -> None:
    months = [random_house(36, place, 8) for place in range(6)]
    months[2] = with_price(months[2], 10**12 + 1)
    differing, town = disagreements(months)
    assert not differing and town.plain == {months[2].house: LARGE} and not town.failed
    assert town.lines.filter(pl.col("house") == 2).select("share", "premises").null_count().row(0) == (0, 0)
    packed = pack_explanations(town.lines, town.shapes)
    assert packed.to_list() == [pack_explanation(one) for one in explain(town.lines, town.shapes)]


def test_a_house_whose_sums_nobody_can_hold_is_told_and_the_others_are_charged() -> None:
    months = [ordinary_house(38, place, flats=3) for place in range(3)]
    flats = tuple([replace(one, area=Area(10**13)) for one in months[1].premises])
    months[1] = with_price(replace(months[1], premises=flats), 10**18)
    assert max(abs(line.amount_kopecks) for line in calculate_house(months[1])) > 2**63
    town = calculate_town(frames_of(months))
    assert town.failed == {months[1].house: UNKEPT}
    assert [line for _, line in town.charge_lines()] == [*calculate_house(months[0]), *calculate_house(months[2])]


def test_a_house_that_nobody_can_calculate_is_told_and_the_others_are_charged() -> None:
    months = [ordinary_house(37, place, flats=3) for place in range(3)]
    zones = (Zone(zone=1, price=Price(MICRO)), Zone(zone=2, price=Price(MICRO)))
    months[1] = replace(months[1], services=tuple([replace(one, zones=zones) for one in months[1].services]))
    town = calculate_town(frames_of(months))
    assert not town.plain and town.failed == {months[1].house: "heat has one price"}
    assert [line for _, line in town.charge_lines()] == [*calculate_house(months[0]), *calculate_house(months[2])]


def test_a_house_whose_share_is_of_nothing_is_told() -> None:
    month = ordinary_house(38, 0, flats=3)
    heat = HouseVolume(service="heating", volume=Volume(MICRO))
    month = replace(month, area_all=Area(0), area_common=Area(0), house_volumes=(heat,))
    with pytest.raises(AssertionError, match="a share of nothing"):
        calculate_house(month)
    town = calculate_town(frames_of([month]))
    assert town.failed == {month.house: "a share of nothing"} and not town.plain and town.lines.is_empty()


@pytest.mark.parametrize("make", [rare_house, ordinary_house])
def test_explanations_are_packed_as_one_by_one(make: Any) -> None:
    town = calculate_town(frames_of([make(39, place) for place in range(15)]))
    packed = pack_explanations(town.lines, town.shapes)
    assert packed.dtype == pl.Binary and len(packed) == town.lines.height
    assert packed.to_list() == [pack_explanation(one) for one in explain(town.lines, town.shapes)]


def test_quality_of_a_charge_of_trillions_is_what_the_plain_engine_says() -> None:
    dear = with_price(ordinary_house(39, 0, flats=2), 10**12)
    hot = next(one.service for one in dear.services if one.kind is ServiceKind.COLD_WATER)
    cause = Break(service=hot, cause="температура", act="7", reduction=Ratio(194_525), at_cold_price=Ratio(500_000))
    measured = Individual(service=hot, source=VolumeSource.METER, zones=((0, Volume(10**13)),))
    flats = tuple([replace(one, individual=(measured,), absences=(), breaks=(cause,)) for one in dear.premises])
    differing, town = disagreements([replace(dear, premises=flats)])
    assert not differing and not town.plain
    reduced = [line for _, line in town.charge_lines() if line.kind is LineKind.QUALITY]
    assert len(reduced) == 2 and all(line.amount_kopecks < -(10**14) for line in reduced)
