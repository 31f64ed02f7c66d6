"""What a run is calculated from and by, as the month's life needs it: two doors that others stand behind."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol, TypeAlias

import asyncpg

from schemas.ids import AccountId
from services.billing.core.lines import ChargeLine
from services.billing.core.month import HouseMonth

Connection: TypeAlias = "asyncpg.Connection[Any]"


class HouseUnreadable(ValueError):
    """A house cannot be read or calculated; the text says why, and the run parks the house with it."""


class Calculating(Protocol):
    """One house's charge lines; ``services/billing/core/engine.py`` is the plain one. Raises HouseUnreadable."""

    def __call__(self, house: HouseMonth, /) -> tuple[ChargeLine, ...]: ...


class Reading(Protocol):
    """Houses of the stock as they are in a period.

    ``provider`` is a recipient's code; names of houses and accounts are the stock's.
    """

    async def list_houses(self, connection: Connection, provider: str, period: int) -> Sequence[str]:
        """Houses that the provider bills in the period, ascending."""
        ...

    async def houses_of(self, connection: Connection, provider: str, period: int, accounts: Sequence[str]) -> Mapping[str, str]:
        """The house of each account; unknown accounts are left out."""
        ...

    async def read_houses(
        self, connection: Connection, provider: str, period: int, houses: Sequence[str]
    ) -> Mapping[str, HouseMonth | HouseUnreadable]:
        """Each house's month, or why it has none."""
        ...

    async def number_accounts(self, connection: Connection, provider: str, accounts: Sequence[str]) -> Mapping[str, AccountId]:
        """The ledger's personal account of each account; unknown ones are left out."""
        ...


class DueDate(Protocol):
    """The last day to pay a period's charges issued on a day (ЖК 155 ч. 1): days of rest and a late issue already shift it."""

    def __call__(self, period: int, issued_on: date, /) -> date: ...
