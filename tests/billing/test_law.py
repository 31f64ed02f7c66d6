"""Law looked up by day: the shipped rows as a table, due days, regions, and what is refused."""

from datetime import date

import pytest

from services.billing.core.law import LawRule, LawSilent, law_of, month_after
from services.billing.core.law_tables import Figure, Unit
from services.billing.core.month import ServiceKind
from services.billing.law.files import figure_for_people, ratio_from_text
from tests.billing.made_law import SHIPPED, law_with, rule

ONE = 1_000_000


@pytest.mark.parametrize(
    ("kind", "day", "ratio"),
    [
        (ServiceKind.COLD_WATER, date(2014, 12, 31), ONE),
        (ServiceKind.COLD_WATER, date(2015, 1, 1), 1_100_000),
        (ServiceKind.COLD_WATER, date(2016, 6, 30), 1_400_000),
        (ServiceKind.COLD_WATER, date(2017, 1, 1), 1_500_000),
        (ServiceKind.COLD_WATER, date(2025, 12, 5), 1_500_000),
        (ServiceKind.COLD_WATER, date(2025, 12, 6), 3_000_000),
        (ServiceKind.HOT_WATER, date(2026, 11, 24), 1_500_000),
        (ServiceKind.HOT_WATER_TWO_PART, date(2026, 11, 24), 1_500_000),
        (ServiceKind.HOT_WATER_OWN, date(2026, 11, 24), 1_500_000),
        (ServiceKind.ELECTRICITY, date(2026, 11, 24), 1_500_000),
        (ServiceKind.HEATING, date(2026, 11, 24), 1_500_000),
        (ServiceKind.SEWAGE, date(2026, 11, 24), ONE),
        (ServiceKind.GAS, date(2026, 11, 24), ONE),
        (ServiceKind.WASTE, date(2026, 11, 24), ONE),
    ],
)
def test_increasing_coefficients(kind: ServiceKind, day: date, ratio: int) -> None:
    assert SHIPPED.coefficient(kind, day) == ratio


@pytest.mark.parametrize(
    ("period", "issued_on", "due"),
    [
        (202601, None, date(2026, 2, 10)),
        (202602, None, date(2026, 3, 16)),  # the 15th is a Sunday; 177-ФЗ
        (202603, None, date(2026, 4, 15)),
        (202607, None, date(2026, 8, 17)),
        (202608, None, date(2026, 9, 15)),
        (202612, None, date(2027, 1, 15)),
        (202404, None, date(2024, 5, 13)),  # the 10th was a day off
        (202608, date(2026, 9, 5), date(2026, 9, 15)),
        (202608, date(2026, 8, 30), date(2026, 9, 15)),
        (202608, date(2026, 9, 7), date(2026, 9, 17)),  # two days late
        (202608, date(2026, 9, 9), date(2026, 9, 21)),  # four days late, the 19th is a Saturday
        (202601, date(2026, 2, 3), date(2026, 2, 12)),  # the document was due on the 1st
    ],
)
def test_due_days(period: int, issued_on: date | None, due: date) -> None:
    assert SHIPPED.due_date(period, issued_on) == due


def test_both_shifts_are_switches() -> None:
    law = law_with(rule("due_shift", date(2005, 3, 1), to_working_day=0, by_late_issue=0))
    assert law.due_date(202607) == date(2026, 8, 15)
    assert law.due_date(202608, date(2026, 9, 30)) == date(2026, 9, 15)


@pytest.mark.parametrize(
    ("table", "key", "day", "figures"),
    [
        ("vat", "standard", date(2025, 12, 31), {"rate": 200_000}),
        ("vat", "standard", date(2026, 1, 1), {"rate": 220_000}),
        ("vat", "simplified_low", date(2025, 1, 1), {"rate": 50_000}),
        ("ladder", "average_residential", date(2026, 1, 1), {"periods": 3}),
        ("ladder", "average_non_residential", date(2026, 1, 1), {"periods": 2}),
        ("ladder", "house_heat", date(2025, 2, 28), {"periods": 3}),
        ("ladder", "house_heat", date(2025, 3, 1), {"periods": 6}),
        ("average_base", "", date(2026, 1, 1), {"months": 6, "months_min": 3}),
        ("absence", "utility", date(2026, 1, 1), {"days_over": 5, "apply_within_days": 30, "ahead_months": 6}),
        ("electricity_range", "", date(2025, 1, 1), {"first_up_to_kwh": 3900, "second_up_to_kwh": 6000}),
        ("readings_window", "", date(2026, 1, 1), {"first_day": 1, "last_day": 25}),
        ("provider_fine", "", date(2026, 1, 1), {"ratio": 500_000}),
        ("key_rate", "", date(2026, 7, 26), {"rate": 142_500}),
        ("key_rate", "", date(2026, 7, 27), {"rate": 140_000}),
    ],
)
def test_shipped_rows(table: str, key: str, day: date, figures: dict[str, int]) -> None:
    assert dict(SHIPPED.fetch(table, key, day).figures) == figures


def test_the_ladder_and_vat_have_words_of_their_own() -> None:
    assert SHIPPED.ladder_periods("house_heat", date(2026, 1, 1)) == 6
    assert SHIPPED.vat("standard", date(2026, 1, 1)) == 220_000


@pytest.mark.parametrize(
    ("due", "last"),
    [(date(2023, 11, 10), date(2026, 11, 10)), (date(2024, 2, 29), date(2027, 2, 28))],
)
def test_limitation(due: date, last: date) -> None:
    assert SHIPPED.limitation_until(due) == last


def test_every_shipped_row_has_its_source_and_says_how_sure_it_is() -> None:
    for one in SHIPPED.rules():
        assert one.source.strip() and one.certainty in ("H", "M", "L"), one


def test_a_day_without_law_is_said() -> None:
    with pytest.raises(LawSilent, match="no key_rate — on 2010-01-01"):
        SHIPPED.key_rate(date(2010, 1, 1))
    with pytest.raises(LawSilent, match="due_day"):
        SHIPPED.due_date(200412)


def test_a_region_sees_its_own_rows_and_federal_ones_where_it_has_none() -> None:
    law = law_with(
        rule("electricity_range", date(2025, 7, 1), region="38", first_up_to_kwh=6000, second_up_to_kwh=7000),
        rule("electricity_range", date(2026, 7, 1), region="38"),
    )
    own = law.in_region("38")
    found = [own.fetch("electricity_range", "", day).figure("first_up_to_kwh") for day in (date(2025, 6, 30), date(2025, 7, 1))]
    assert found == [3900, 6000]
    assert own.fetch("electricity_range", "", date(2026, 7, 1)).figure("first_up_to_kwh") == 3900
    assert law.fetch("electricity_range", "", date(2025, 7, 1)).figure("first_up_to_kwh") == 3900


def test_a_region_may_switch_a_moratorium_off_and_on() -> None:
    law = law_with(
        rule("moratorium", date(2020, 5, 1), "pp424", region="77", is_on=0, is_old_debts_only=0),
        rule("moratorium", date(2020, 6, 1), "pp424", region="77"),
    )
    days = (date(2020, 3, 1), date(2020, 4, 1), date(2020, 7, 1))
    assert law.suspended_days(*days) == ((date(2020, 4, 6), date(2020, 7, 1)),)
    off = ((date(2020, 4, 6), date(2020, 4, 30)), (date(2020, 6, 1), date(2020, 7, 1)))
    assert law.in_region("77").suspended_days(*days) == off


def test_two_rows_of_one_day_are_refused() -> None:
    with pytest.raises(ValueError, match="begin on one day"):
        law_of([rule("key_rate", date(2026, 1, 1), rate=1), rule("key_rate", date(2026, 1, 1), rate=2)])


@pytest.mark.parametrize(
    ("period", "first"), [(202601, date(2026, 2, 1)), (202612, date(2027, 1, 1)), (202611, date(2026, 12, 1))]
)
def test_the_month_after_a_period(period: int, first: date) -> None:
    assert month_after(period) == first


def test_an_unknown_figure_is_a_programmers_error() -> None:
    one: LawRule = SHIPPED.fetch("key_rate", "", date(2026, 1, 1))
    with pytest.raises(KeyError):
        one.figure("ratio")


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("3.0", 3_000_000),
        ("1", ONE),
        ("9.5%", 95_000),
        ("14.25%", 142_500),
        ("100%", ONE),
        ("0.0001%", 1),
        ("0.00001%", None),
        ("1.1234567", None),
        ("1,5", None),
        ("-1", None),
        (" 1", None),
        ("1e3", None),
        ("", None),
        ("%", None),
    ],
)
def test_ratios_are_read_exactly(text: str, ratio: int | None) -> None:
    assert ratio_from_text(text) == ratio


@pytest.mark.parametrize(
    ("unit", "value", "per_cent", "text"),
    [
        (Unit.RATIO, 95_000, True, "9.5%"),
        (Unit.RATIO, 1_500_000, False, "1.5"),
        (Unit.RATIO, 3_000_000, False, "3"),
        (Unit.RATIO, 0, True, "0%"),
        (Unit.COUNT, 31, True, "31"),
        (Unit.SWITCH, 1, True, "yes"),
        (Unit.SWITCH, 0, True, "no"),
    ],
)
def test_figures_are_written_as_files_write_them(unit: Unit, value: int, per_cent: bool, text: str) -> None:
    figure = Figure(name="any", unit=unit, lowest=0, highest=10_000_000)
    assert figure_for_people(figure, value, per_cent=per_cent) == text
