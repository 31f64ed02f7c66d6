"""The table of checks: one case a row, a good house that nobody speaks of, and the explanation of a line."""

from collections.abc import Callable

import msgspec
import pytest

from services.billing.core.checks import (
    CHECKS,
    HouseFigures,
    Limits,
    ServiceTotal,
    Severity,
    check_house,
    check_totals,
    is_jump,
)
from services.billing.core.lines import ChargeLine, Explanation, LineKind
from services.billing.core.month import (
    AccountShare,
    HouseMonth,
    HouseVolume,
    Individual,
    Premises,
    PremisesKind,
    ServiceKind,
    ServiceTerms,
    VolumeSource,
    Zone,
)
from services.billing.core.quantities import MICRO, Area, Price, Ratio, Volume, amount_of
from services.billing.runs.packing import pack_explanation, unpack_explanation
from services.billing.runs.showing import explained, quantity

PRICE = 48_170_000
replace = msgspec.structs.replace


def premises(account: str, source: VolumeSource = VolumeSource.METER) -> Premises:
    return Premises(
        premises=account,
        kind=PremisesKind.FLAT,
        area=Area(50 * MICRO),
        residents=Ratio(MICRO),
        owners=1,
        accounts=(AccountShare(account=account),),
        individual=(Individual(service="cold", source=source, zones=((0, Volume(5 * MICRO)),)),),
    )


def line(account: str, volume: int = 5 * MICRO, **changed: object) -> ChargeLine:
    made = ChargeLine(
        account=account,
        premises=account,
        service="cold",
        kind=LineKind.CHARGE,
        volume=volume,
        price=PRICE,
        amount_kopecks=amount_of(volume, PRICE),
        explanation=Explanation(formula="1", inputs=(("V", volume), ("T", PRICE)), source=VolumeSource.METER),
    )
    return replace(made, **changed)


COLD = ServiceTerms(
    service="cold",
    kind=ServiceKind.COLD_WATER,
    title="Холодная вода",
    unit="м³",
    recipient="water",
    creditor="uk",
    zones=(Zone(zone=0, price=Price(PRICE)),),
)
GOOD = HouseFigures(
    house=HouseMonth(
        house="h",
        period=202611,
        days=30,
        area_all=Area(100 * MICRO),
        area_common=Area(0),
        services=(COLD,),
        premises=(premises("1"), premises("2")),
        house_volumes=(HouseVolume(service="cold", volume=Volume(10 * MICRO)),),
    ),
    lines=(line("1"), line("2")),
    previous={("1", "cold"): 24_085, ("2", "cold"): 24_085},
    limits=Limits(),
)


def house(**changed: object) -> HouseFigures:
    return replace(GOOD, house=replace(GOOD.house, **changed))


def lines(*changed: ChargeLine) -> HouseFigures:
    return replace(GOOD, lines=changed)


CASES: tuple[tuple[str, Callable[[], HouseFigures], list[tuple[str, str]]], ...] = (
    ("negative_line", lambda: lines(line("1", -MICRO), line("2")), [("1", "cold")]),
    (
        "negative_line",
        lambda: lines(*GOOD.lines, line("1", 0, kind=LineKind.CORRECTION, amount_kopecks=-100, of_period=202610)),
        [],
    ),
    ("negative_line", lambda: lines(*GOOD.lines, line("1", 0, kind=LineKind.RAISED, amount_kopecks=-100)), [("1", "cold")]),
    ("negative_service", lambda: lines(*GOOD.lines, line("1", 0, kind=LineKind.FINE, amount_kopecks=-30_000)), [("1", "cold")]),
    ("negative_total", lambda: lines(*GOOD.lines, line("1", 0, kind=LineKind.FINE, amount_kopecks=-30_000)), [("1", "")]),
    (
        "negative_total",
        lambda: lines(*GOOD.lines, line("1", 0, service="gas", kind=LineKind.FINE, amount_kopecks=-24_085)),
        [],
    ),
    (
        "premises_without_accounts",
        lambda: house(premises=(*GOOD.house.premises, replace(premises("3"), accounts=()))),
        [("", "")],
    ),
    ("account_without_lines", lambda: lines(line("1")), [("2", "")]),
    ("account_without_lines", lambda: replace(lines(line("1")), accounts=frozenset({"1"})), []),
    ("jump", lambda: lines(line("1", 20 * MICRO), line("2")), [("1", "")]),
    ("jump", lambda: replace(lines(line("1", 20 * MICRO), line("2")), previous={}), []),
    ("jump", lambda: lines(line("1", 10 * MICRO), line("2")), []),
    (
        "house_without_readings",
        lambda: house(premises=(premises("1", VolumeSource.NORM), premises("2", VolumeSource.AVERAGE))),
        [("", "")],
    ),
    ("house_without_readings", lambda: house(premises=(premises("1"), premises("2", VolumeSource.NORM))), []),
    ("house_volume", lambda: lines(line("1", 6 * MICRO), line("2")), [("", "cold")]),
    ("house_volume", lambda: lines(line("1", 5 * MICRO + 2_000), line("2")), []),
    ("house_volume", lambda: lines(*GOOD.lines, line("1", MICRO, kind=LineKind.COMMON)), [("", "cold")]),
    ("house_volume", lambda: lines(*GOOD.lines, line("1", MICRO, of_period=202610)), []),
    ("house_volume", lambda: house(house_volumes=(HouseVolume(service="cold", volume=None),)), []),
    ("line_product", lambda: lines(line("1", amount_kopecks=24_087), line("2")), [("1", "cold")]),
    ("line_product", lambda: lines(line("1", amount_kopecks=24_086), line("2")), []),
)


@pytest.mark.parametrize(("name", "figures", "expected"), CASES)
def test_each_check_speaks_of_its_own_case(
    name: str, figures: Callable[[], HouseFigures], expected: list[tuple[str, str]]
) -> None:
    found = [(one.account, one.service) for check, one in check_house(figures()) if check.name == name]
    assert found == expected


def test_nobody_speaks_of_a_good_house() -> None:
    assert check_house(GOOD) == []
    assert {check.name for check in CHECKS} == {name for name, _, _ in CASES}


@pytest.mark.parametrize(
    ("amount", "before", "expected"),
    [(150_000, 100_000, False), (150_001, 100_000, True), (50_000, 0, False), (50_001, 0, True), (-60_000, 0, True)],
)
def test_a_jump_is_told_above_both_limits(amount: int, before: int, expected: bool) -> None:
    assert is_jump(amount, before, Limits()) is expected


def test_control_totals_are_held_against_last_month() -> None:
    def total(service: str, amount: int, before: int) -> ServiceTotal:
        return ServiceTotal(service=service, recipient="uk", lines=1, accounts=1, amount_kopecks=amount, previous_kopecks=before)

    totals = (total("a", -1, 0), total("b", 900_000, 100_000), total("c", 0, 100_000), total("d", 100_000, 0))
    found = [(name, severity, one.service) for name, severity, one in check_totals(totals, Limits())]
    assert found == [
        ("service_below_zero", Severity.ERROR, "a"),
        ("service_jump", Severity.WARNING, "b"),
        ("service_jump", Severity.WARNING, "c"),
    ]


def test_an_explanation_is_packed_and_told_in_words() -> None:
    explanation = Explanation(
        formula="S × T",
        inputs=(("V", 5_200_000), ("T", 2_486_710_000), ("days", 30), ("P", -125_05)),
        source=VolumeSource.NORM_RAISED,
        note="акт 7",
    )
    assert unpack_explanation(pack_explanation(explanation)) == explanation
    told = explained(explanation).replace("\xa0", " ").replace("−", "-")
    assert told == ("S × T; по нормативу с повышающим коэффициентом; V = 5,2, T = 2486,71, days = 30, P = -125,05; акт 7")
    assert [quantity(value) for value in (0, 1, -1_500_000, 10_000_000)] == ["0", "0,000001", "-1,5", "10"]


def test_packed_is_less_than_half_of_json() -> None:
    explanation = line("1").explanation
    assert len(pack_explanation(explanation)) * 2 < len(msgspec.json.encode(explanation))
