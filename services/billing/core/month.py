"""What one house's charges of one month are calculated from: every dated fact already chosen, nothing looked up any more.

``services/billing/reading.py`` makes a HouseMonth from the database; the plain engine (``engine.py``) and the columnar one
(``columnar/``) turn it into ChargeLines. Quantities are millionths (``quantities.py``); a period is ``yyyymm``.
"""

from enum import IntEnum

import msgspec

from services.billing.core.quantities import MICRO, Area, Price, Ratio, Volume


class ServiceKind(IntEnum):
    """Which family of formulas a service is charged by."""

    COLD_WATER = 1
    HOT_WATER = 2
    HOT_WATER_TWO_PART = 3
    """Two components: cold water for it, and heat by the approved norm a cubic metre."""
    HOT_WATER_OWN = 4
    """Made in the house's own boiler."""
    SEWAGE = 5
    ELECTRICITY = 6
    GAS = 7
    HEATING = 8
    HEATING_OWN = 9
    """Made in the house's own boiler."""
    WASTE = 10
    MAINTENANCE = 11
    CAPITAL_REPAIR = 12
    COMMON_COLD_WATER = 13
    COMMON_HOT_WATER = 14
    COMMON_SEWAGE = 15
    COMMON_ELECTRICITY = 16
    FIXED = 17
    """A price an account or an area: intercom, lift by contract."""


class PremisesKind(IntEnum):
    FLAT = 0
    COMMUNAL_ROOM = 1
    """A room of a communal flat: the flat is charged, and the room takes its part (formulas 7 to 9)."""
    NON_RESIDENTIAL = 2


class VolumeSource(IntEnum):
    """Where an individual volume comes from: the rung of the ladder of п. 42, 59, 60 (``ladder.py``)."""

    METER = 1
    AVERAGE = 2
    NORM = 3
    NORM_RAISED = 4
    """The norm with the increasing coefficient."""


class HeatingWay(IntEnum):
    SEASON = 0
    EVEN = 1
    """Over twelve months."""


class CommonWay(IntEnum):
    """How resources for the common property (КР на СОИ) are charged."""

    NORM = 0
    AVERAGE = 1
    FACT = 2


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """One zone of the day's price and volume; a service without zones has zone 0 alone."""

    zone: int
    price: Price


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """A price from ``above`` on (kWh a month of one flat); zones of a range stand in ``zones``."""

    above: Volume
    zones: tuple[Zone, ...]


class ServiceTerms(msgspec.Struct, frozen=True, kw_only=True):
    """One service of one house in one month: its contract, price and norms as they are in force in that period.

    ``service`` is the payee's service code in the ledger; ``recipient`` is paid, ``creditor`` claims (the исполнитель, or the
    recipient under a direct contract). ``ranges`` is empty for a service without prices by consumption: then ``zones`` hold.
    ``base`` names the service whose volumes this one takes (sewage: cold and hot water; common sewage likewise).
    """

    service: str
    kind: ServiceKind
    title: str
    """Russian, as the payment document prints it."""
    unit: str
    recipient: str
    creditor: str
    zones: tuple[Zone, ...]
    ranges: tuple[Range, ...] = ()
    heat_price: Price = Price(0)
    """Of a Gcal, for two-part hot water."""
    cold_price: Price = Price(0)
    """Of a cubic metre of cold water: for own hot water, and for hot water below 40 °C."""
    norm: Volume = Volume(0)
    """A person a month; waste: a person a year; heating and common property: a square metre a month; waste by area: a year."""
    norm_water_heating: Volume = Volume(0)
    """Gas: a person a month for heating water; ``norm`` is cooking."""
    norm_space_heating: Volume = Volume(0)
    """Gas: a square metre a month for heating rooms."""
    heat_norm: Volume = Volume(0)
    """Gcal to heat a cubic metre (two-part hot water): always the norm."""
    coefficient: Ratio = Ratio(MICRO)
    """The increasing coefficient of the service in the period; MICRO where there is none."""
    heating_way: HeatingWay = HeatingWay.SEASON
    heating_months: int = 0
    """Months of the heating period, incomplete ones included."""
    is_heating_month: bool = True
    is_house_meter_due: bool = False
    """A house meter is obligatory and possible and is not installed (increasing coefficient of heating)."""
    by_area: bool = False
    """Waste by area; a FIXED service a square metre."""
    common_way: CommonWay = CommonWay.NORM
    is_above_norm_shared: bool = False
    """The owners' meeting decided to share what the common property takes above its norm; otherwise it is the provider's cost."""
    base: tuple[str, ...] = ()
    is_payable_by_absent_owners: bool = True
    """Where nobody lives the owners are counted (п. 56(2), п. 148(36))."""


class HouseVolume(msgspec.Struct, frozen=True, kw_only=True):
    """What the house's common meter (ОДПУ) or the supplier's bill says of a service in the month.

    ``volume``: heating by the even way has the monthly average of the year before. ``fuel``: (volume, price) of each resource
    burnt by the house's own boiler.
    """

    service: str
    volume: Volume | None
    fuel: tuple[tuple[Volume, Price], ...] = ()


class Individual(msgspec.Struct, frozen=True, kw_only=True):
    """One premises' own volume of a service, or none. ``zones`` are (zone, volume); NORM rungs have none.

    ``room_zones``: of a room of a communal flat, what the room's own meter says; ``zones`` are then the flat's.
    """

    service: str
    source: VolumeSource
    zones: tuple[tuple[int, Volume], ...] = ()
    room_zones: tuple[tuple[int, Volume], ...] | None = None

    @property
    def volume(self) -> Volume:
        """All zones together."""
        return Volume(sum(volume for _, volume in self.zones))


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """Person-days of a service for which absent residents are recalculated (разд. VIII), already admissible."""

    service: str
    person_days: int


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """A break or bad quality of a service in the month by an act (разд. IX–X): one row a cause.

    ``reduction`` is the part of the month's charge that falls away, a ratio; the rules that make it stand in ``quality.py``.
    ``at_cold_price`` is the part of the month whose hot water is charged at the price of cold water (under 40 °C).
    """

    service: str
    cause: str
    act: str
    reduction: Ratio
    at_cold_price: Ratio = Ratio(0)


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """A sum decided elsewhere that this month carries: a recalculation of a closed month, a provider's fine (negative)."""

    service: str
    kind: int
    """A LineKind of ``lines.py``."""
    amount_kopecks: int
    cause: str
    of_period: int


class AccountShare(msgspec.Struct, frozen=True, kw_only=True):
    """One personal account of the premises and its part of the premises' charges; parts sum to one.

    ``excluded`` are services that this account is not charged for (another creditor's account of the same premises is).
    """

    account: str
    numerator: int = 1
    denominator: int = 1
    excluded: tuple[str, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()


class Premises(msgspec.Struct, frozen=True, kw_only=True):
    """One flat, room or non-residential premises in the month.

    ``residents``: permanent and temporary, by days of the month, a ratio (2.5 persons are 2_500_000). ``flat`` names the communal
    flat of a room, whose individual volumes stand at every room of it alike; ``living_area`` is a room's share in its flat.
    """

    premises: str
    kind: PremisesKind
    area: Area
    residents: Ratio
    owners: int
    accounts: tuple[AccountShare, ...]
    living_area: Area = Area(0)
    flat: str = ""
    is_without_heating: bool = False
    """No heating devices by design, or lawfully on a heat source of its own."""
    services: tuple[str, ...] | None = None
    """Codes it is served with; None means all of the house."""
    individual: tuple[Individual, ...] = ()
    absences: tuple[Absence, ...] = ()
    breaks: tuple[Break, ...] = ()


class HouseMonth(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one house's charges of one period follow from.

    ``area_all``: all flats and non-residential premises; ``area_common``: rooms of the common property. ``days``: of the month.
    """

    house: str
    period: int
    days: int
    area_all: Area
    area_common: Area
    services: tuple[ServiceTerms, ...]
    premises: tuple[Premises, ...]
    house_volumes: tuple[HouseVolume, ...] = ()
