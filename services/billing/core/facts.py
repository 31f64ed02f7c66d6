"""What the housing stock says of a house in a period: a HouseMonth without readings, house volumes and the law's coefficients.

``services/billing/stock/facts.py`` reads it; ``reading.py`` adds volumes, makes absences and breaks of applications and acts, and
a HouseMonth of it all. Every dated fact is the one in force on the first day of the period; residents are counted by days.
"""

import msgspec

from services.billing.core.absence import Application
from services.billing.core.month import PremisesKind, ServiceTerms
from services.billing.core.quality import Act
from services.billing.core.quantities import Area, Ratio


class AccountFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A personal account of the premises: ``key`` is its number in the ledger, ``account`` its own name, ``namespace:number``.

    ``excluded`` are services of the house that it is not charged for, whether it excludes them or names only others.
    """

    account: str
    key: int
    numerator: int
    denominator: int
    excluded: tuple[str, ...] = ()


class PremisesFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One premises; fields mean what they mean in ``month.Premises``. ``key`` is its number in the housing stock.

    ``area`` is 0 where none is loaded: ``kopeck housing check`` says so. ``acts`` are those of this premises alone.
    """

    premises: str
    key: int
    kind: PremisesKind
    area: Area
    residents: Ratio
    owners: int
    accounts: tuple[AccountFacts, ...]
    living_area: Area = Area(0)
    flat: str = ""
    is_without_heating: bool = False
    services: tuple[str, ...] | None = None
    applications: tuple[Application, ...] = ()
    acts: tuple[Act, ...] = ()


class HouseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One house; fields mean what they mean in ``month.HouseMonth``. ``key`` is its number in the housing stock.

    ``services`` have prices, norms and terms; ``coefficient`` is left at one, because the law says it. ``acts`` hold for every
    premises. ``heating_days`` of the month; None where nobody told them.
    """

    house: str
    key: int
    period: int
    days: int
    region: str
    time_zone: str
    provider: str
    area_all: Area
    area_common: Area
    services: tuple[ServiceTerms, ...]
    premises: tuple[PremisesFacts, ...]
    acts: tuple[Act, ...] = ()
    heating_days: int | None = None
