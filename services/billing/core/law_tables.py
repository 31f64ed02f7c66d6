"""What law may say: the dated tables, their keys and figures with units and bounds. Migration 0014 holds the same bounds.

A figure is a whole number: a ratio in millionths of one (9.5 % is 95_000), a count of days, periods or kilowatt-hours, a switch.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import msgspec

from services.billing.core.quantities import MICRO


class Unit(Enum):
    """How people write a figure."""

    RATIO = "ratio"
    """``"3.0"`` or ``"9.5%"``."""
    COUNT = "count"
    SWITCH = "switch"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One number of a row, ``lowest`` … ``highest``."""

    name: str
    unit: Unit
    lowest: int
    highest: int


class LawTable(msgspec.Struct, frozen=True, kw_only=True):
    """A dated table. ``keys`` are the subjects that a row may be about, None where everybody may name a new one."""

    name: str
    title: str
    """Russian, for people."""
    keys: tuple[str, ...] | None
    figures: tuple[Figure, ...]


def _ratio(name: str, lowest: int = 0, highest: int = MICRO) -> Figure:
    return Figure(name=name, unit=Unit.RATIO, lowest=lowest, highest=highest)


def _count(name: str, lowest: int, highest: int) -> Figure:
    return Figure(name=name, unit=Unit.COUNT, lowest=lowest, highest=highest)


def _switch(name: str) -> Figure:
    return Figure(name=name, unit=Unit.SWITCH, lowest=0, highest=1)


HOUSING, CAPITAL_REPAIR = "housing", "capital_repair"
"""Keys of penalty_step: ЖК 155 ч. 14 and ч. 14.1."""

LAW_TABLES: Mapping[str, LawTable] = MappingProxyType(
    {
        table.name: table
        for table in (
            LawTable(
                name="coefficient",
                title="Повышающий коэффициент",
                keys=("cold_water", "hot_water", "electricity", "heating"),
                figures=(_ratio("ratio", MICRO, 10 * MICRO),),
            ),
            LawTable(name="key_rate", title="Ключевая ставка", keys=("",), figures=(_ratio("rate"),)),
            LawTable(name="penalty_cap", title="Предел ставки пеней", keys=("",), figures=(_ratio("rate"), _switch("is_fixed"))),
            LawTable(
                name="penalty_step",
                title="Ступени пеней",
                keys=(HOUSING, CAPITAL_REPAIR),
                figures=(
                    _count("first_day", 1, 3650),
                    _count("divisor", 1, 10_000),
                    _count("second_day", 0, 3650),
                    _count("second_divisor", 0, 10_000),
                ),
            ),
            LawTable(
                name="moratorium", title="Мораторий на пени", keys=None, figures=(_switch("is_on"), _switch("is_old_debts_only"))
            ),
            LawTable(
                name="due_day",
                title="Сроки документа и платы",
                keys=("",),
                figures=(_count("issue_day", 1, 28), _count("pay_day", 1, 28)),
            ),
            LawTable(
                name="due_shift",
                title="Перенос срока платы",
                keys=("",),
                figures=(_switch("to_working_day"), _switch("by_late_issue")),
            ),
            LawTable(name="vat", title="НДС", keys=("standard", "simplified_low", "simplified_high"), figures=(_ratio("rate"),)),
            LawTable(name="limitation", title="Исковая давность", keys=("",), figures=(_count("years", 1, 10),)),
            LawTable(
                name="ladder",
                title="Периоды расчёта по среднему",
                keys=("average_residential", "average_non_residential", "house_heat"),
                figures=(_count("periods", 0, 24),),
            ),
            LawTable(
                name="average_base",
                title="База среднего",
                keys=("",),
                figures=(_count("months", 1, 24), _count("months_min", 1, 24)),
            ),
            LawTable(
                name="absence",
                title="Временное отсутствие",
                keys=("utility", "waste"),
                figures=(_count("days_over", 0, 60), _count("apply_within_days", 0, 365), _count("ahead_months", 0, 24)),
            ),
            LawTable(
                name="electricity_range",
                title="Диапазоны потребления",
                keys=("",),
                figures=(_count("first_up_to_kwh", 0, 1_000_000), _count("second_up_to_kwh", 0, 1_000_000)),
            ),
            LawTable(
                name="readings_window",
                title="Приём показаний",
                keys=("",),
                figures=(_count("first_day", 1, 31), _count("last_day", 1, 31)),
            ),
            LawTable(name="provider_fine", title="Штраф исполнителя", keys=("",), figures=(_ratio("ratio"),)),
        )
    }
)
"""Tables by name, in the order in which they are shown."""
