"""The table of Приложение 1 к ПП 354 as data: allowed breaks, quality, and what each hour, step or day beyond takes off a charge.

Ratios, temperatures (°C) and pressures (MPa) are millionths. ``since`` is the first period of a row: a change of law is a new row
and an ``until`` in the old one. What is not confirmed by the official text is listed in docs/billing-recalculations.md.
"""

from enum import IntEnum

import msgspec

from services.billing.core.month import ServiceKind
from services.billing.core.quantities import MICRO

COLD = (ServiceKind.COLD_WATER,)
HOT = (ServiceKind.HOT_WATER, ServiceKind.HOT_WATER_TWO_PART, ServiceKind.HOT_WATER_OWN)
HEAT = (ServiceKind.HEATING, ServiceKind.HEATING_OWN)
SEWAGE = (ServiceKind.SEWAGE,)
ELECTRICITY = (ServiceKind.ELECTRICITY,)
GAS = (ServiceKind.GAS,)
WASTE = (ServiceKind.WASTE,)

HOURLY_BREAK = 1_500
"""0.15 % of the month's charge."""
HOURLY_STEP = 1_000
"""0.1 %."""
DAILY_WASTE = 33_000
"""3.3 %."""
QUARTER = MICRO // 4
MAINTENANCE_HOURS = 14 * 24


class Deviation(IntEnum):
    """What an act says of a service."""

    BREAK = 0
    MAIN_ACCIDENT = 1
    """A break by an accident on a dead-end main (тупиковая магистраль)."""
    MAINTENANCE = 2
    """The yearly planned stop of hot water."""
    PRESSURE = 3
    TEMPERATURE = 4
    COMPOSITION = 5
    VOLTAGE = 6
    """Voltage or frequency."""


class Effect(IntEnum):
    """What a row does to the charge."""

    HOURLY = 0
    """``rate`` for every ``per_hours`` hours, times the steps of deviation."""
    DAY_ZERO = 1
    """Nothing is paid for the days touched."""
    COLD_PRICE = 2
    """The hours are charged at the price of cold water."""


class RoomKind(IntEnum):
    """Where the air's temperature was measured."""

    ORDINARY = 0
    CORNER = 1


class Between(msgspec.Struct, frozen=True, kw_only=True):
    """A half-open range: ``above`` < value ≤ ``to`` where ``is_upper``, else ``above`` ≤ value < ``to``; None is no bound."""

    above: int | None = None
    to: int | None = None
    is_upper: bool = False

    def holds(self, value: int) -> bool:
        """Tell whether the value lies in the range."""
        if self.is_upper:
            return (self.above is None or value > self.above) and (self.to is None or value <= self.to)
        return (self.above is None or value >= self.above) and (self.to is None or value < self.to)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Hours of break allowed: together in a month, and at once; None is no such limit."""

    month_hours: int | None = None
    once_hours: int | None = None


class QualityRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row: for which services and deviation, under which conditions, and its effect.

    ``indoor``: temperature in the room; ``outdoor``: mean of the day; ``off``: how far beyond ``normal`` (pressure), a ratio of
    the bound; ``measured``: the value itself. ``norm`` less the tolerance of the hour (0 to 5 o'clock ``night_tolerance``) is
    what must be kept; every full ``step`` below counts. None among conditions: any.
    """

    kinds: tuple[ServiceKind, ...]
    deviation: Deviation
    cause: str
    effect: Effect = Effect.HOURLY
    rate: int = HOURLY_BREAK
    per_hours: int = 1
    limits: Limits = Limits()
    indoor: Between | None = None
    outdoor: Between | None = None
    supplies: int | None = None
    normal: Between | None = None
    off: Between | None = None
    measured: Between | None = None
    norm: int = 0
    tolerance: int = 0
    night_tolerance: int = 0
    step: int = 0
    room: RoomKind | None = None
    is_cold_region: bool | None = None
    since: int = 201209
    until: int = 999912


def _degrees(value: int) -> int:
    return value * MICRO


_BREAK = Deviation.BREAK
_WATER_LIMITS = Limits(month_hours=8, once_hours=4)
_CAUSE = "перерыв сверх допустимого"

BREAKS = (
    QualityRow(kinds=(*COLD, *HOT, *SEWAGE), deviation=_BREAK, cause=_CAUSE, limits=_WATER_LIMITS),
    QualityRow(kinds=(*COLD, *HOT), deviation=Deviation.MAIN_ACCIDENT, cause=_CAUSE, limits=Limits(once_hours=24)),
    QualityRow(kinds=HOT, deviation=Deviation.MAINTENANCE, cause=_CAUSE, limits=Limits(once_hours=MAINTENANCE_HOURS)),
    QualityRow(kinds=ELECTRICITY, deviation=_BREAK, cause=_CAUSE, supplies=2, limits=Limits(once_hours=2)),
    QualityRow(kinds=ELECTRICITY, deviation=_BREAK, cause=_CAUSE, supplies=1, limits=Limits(once_hours=24)),
    QualityRow(kinds=GAS, deviation=_BREAK, cause=_CAUSE, limits=Limits(month_hours=4)),
    *(
        QualityRow(kinds=HEAT, deviation=_BREAK, cause=_CAUSE, indoor=indoor, limits=Limits(month_hours=24, once_hours=once))
        for indoor, once in (
            (Between(above=_degrees(12)), 16),
            (Between(above=_degrees(10), to=_degrees(12)), 8),
            (Between(to=_degrees(10)), 4),
        )
    ),
    *(
        QualityRow(
            kinds=WASTE,
            deviation=_BREAK,
            cause="нарушение сроков вывоза",
            rate=DAILY_WASTE,
            per_hours=24,
            outdoor=outdoor,
            limits=Limits(month_hours=72, once_hours=once),
        )
        for outdoor, once in (
            (Between(to=_degrees(5), is_upper=True), 48),
            (Between(above=_degrees(5), is_upper=True), 24),
        )
    ),
)

_PRESSURES = (
    (COLD, Between(above=30_000, to=600_000)),
    (HOT, Between(above=30_000, to=450_000)),
    (GAS, Between(above=1_200, to=3_000)),
)
_PRESSURE = "давление"

PRESSURES = tuple(
    row
    for kinds, normal in _PRESSURES
    for row in (
        QualityRow(
            kinds=kinds,
            deviation=Deviation.PRESSURE,
            cause=_PRESSURE,
            rate=HOURLY_STEP,
            normal=normal,
            off=Between(above=0, to=QUARTER, is_upper=True),
        ),
        QualityRow(
            kinds=kinds,
            deviation=Deviation.PRESSURE,
            cause="давление: отклонение более чем на 25 %",
            effect=Effect.DAY_ZERO,
            normal=normal,
            off=Between(above=QUARTER, is_upper=True),
        ),
    )
)

TEMPERATURES = (
    QualityRow(
        kinds=HOT,
        deviation=Deviation.TEMPERATURE,
        cause="температура горячей воды",
        rate=HOURLY_STEP,
        measured=Between(above=_degrees(40)),
        norm=_degrees(60),
        tolerance=_degrees(3),
        night_tolerance=_degrees(5),
        step=_degrees(3),
    ),
    QualityRow(
        kinds=HOT,
        deviation=Deviation.TEMPERATURE,
        cause="горячая вода ниже 40 °C: по тарифу холодной",
        effect=Effect.COLD_PRICE,
        measured=Between(to=_degrees(40)),
    ),
    *(
        QualityRow(
            kinds=HEAT,
            deviation=Deviation.TEMPERATURE,
            cause="температура воздуха в помещении",
            norm=_degrees(18 + (2 if room is RoomKind.CORNER else 0) + (2 if is_cold else 0)),
            night_tolerance=_degrees(3),
            step=_degrees(1),
            room=room,
            is_cold_region=is_cold,
        )
        for room in RoomKind
        for is_cold in (False, True)
    ),
)

OTHERS = (
    QualityRow(kinds=(*COLD, *HOT), deviation=Deviation.COMPOSITION, cause="состав и свойства воды", effect=Effect.DAY_ZERO),
    QualityRow(kinds=ELECTRICITY, deviation=Deviation.VOLTAGE, cause="напряжение или частота"),
)

QUALITY_ROWS = (*BREAKS, *PRESSURES, *TEMPERATURES, *OTHERS)
