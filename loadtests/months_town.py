"""A town for the bench of months: houses of a hundred accounts and eight services, and a calculation that costs next to nothing.

What is measured is everything around the calculation: drafting, checks, publication. The real engines have benches of their own.
"""

from collections.abc import Mapping, Sequence
from random import Random

import msgspec

from ledger.statements import load_statements
from schemas.ids import AccountId
from services.billing.core.lines import ChargeLine, Explanation, LineKind
from services.billing.core.month import (
    AccountShare,
    HouseMonth,
    Premises,
    PremisesKind,
    ServiceKind,
    ServiceTerms,
    VolumeSource,
    Zone,
)
from services.billing.core.quantities import MICRO, Area, Price, Ratio, amount_of
from services.billing.runs.sources import Connection, HouseUnreadable

SQL = load_statements("loadtests/statements/bench_months.sql")
PROVIDER = "uo"
HOUSE_ACCOUNTS = 100
DAYS = 30
SERVICES = (
    ("maintenance", ServiceKind.MAINTENANCE, PROVIDER, "м²"),
    ("heating", ServiceKind.HEATING, "heat", "Гкал"),
    ("cold_water", ServiceKind.COLD_WATER, "water", "м³"),
    ("hot_water", ServiceKind.HOT_WATER, "heat", "м³"),
    ("sewage", ServiceKind.SEWAGE, "water", "м³"),
    ("electricity", ServiceKind.ELECTRICITY, "power", "кВт·ч"),
    ("waste", ServiceKind.WASTE, "waste", "м³"),
    ("capital_repair", ServiceKind.CAPITAL_REPAIR, "fund", "м²"),
)
RECIPIENTS = sorted({recipient for _, _, recipient, _ in SERVICES})


class TownReading(msgspec.Struct, frozen=True, kw_only=True):
    """The stock of ``accounts`` accounts, a pure function of ``seed``; house n holds accounts 100n + 1 … 100n + 100."""

    accounts: int
    services: int
    seed: int

    async def list_houses(self, connection: Connection, provider: str, period: int) -> Sequence[str]:
        """Every house."""
        return [f"h{place:06d}" for place in range(-(-self.accounts // HOUSE_ACCOUNTS))]

    async def houses_of(self, connection: Connection, provider: str, period: int, accounts: Sequence[str]) -> Mapping[str, str]:
        """The house of each account."""
        return {name: f"h{(int(name) - 1) // HOUSE_ACCOUNTS:06d}" for name in accounts}

    async def read_houses(
        self, connection: Connection, provider: str, period: int, houses: Sequence[str]
    ) -> Mapping[str, HouseMonth | HouseUnreadable]:
        """Months made up on the spot."""
        return {house: self._month(house, period) for house in houses}

    async def number_accounts(self, connection: Connection, provider: str, accounts: Sequence[str]) -> Mapping[str, AccountId]:
        """The ledger's numbers."""
        return {row["number"]: row["personal_account"] for row in await connection.fetch(SQL["numbers"], list(accounts))}

    def _month(self, house: str, period: int) -> HouseMonth:
        chance = Random(f"{self.seed}/{house}/{period}")
        first = int(house[1:]) * HOUSE_ACCOUNTS + 1
        flats = [_premises(number, chance) for number in range(first, min(first + HOUSE_ACCOUNTS, self.accounts + 1))]
        return HouseMonth(
            house=house,
            period=period,
            days=DAYS,
            area_all=Area(sum([flat.area for flat in flats])),
            area_common=Area(0),
            services=tuple([_terms(*service, chance) for service in SERVICES[-self.services :]]),
            premises=tuple(flats),
        )


def _premises(number: int, chance: Random) -> Premises:
    return Premises(
        premises=str(number),
        kind=PremisesKind.FLAT,
        area=Area(chance.randrange(28_000, 110_000) * (MICRO // 1_000)),
        residents=Ratio(chance.randrange(1, 5) * MICRO),
        owners=1,
        accounts=(AccountShare(account=str(number)),),
    )


def _terms(service: str, kind: ServiceKind, recipient: str, unit: str, chance: Random) -> ServiceTerms:
    return ServiceTerms(
        service=service,
        kind=kind,
        title=service,
        unit=unit,
        recipient=recipient,
        creditor="fund" if kind is ServiceKind.CAPITAL_REPAIR else PROVIDER,
        zones=(Zone(zone=0, price=Price(chance.randrange(500, 6_000) * 10_000)),),
    )


def town_lines(house: HouseMonth) -> tuple[ChargeLine, ...]:
    """Every service by the square metre: one line a service and account."""
    return tuple([_line(flat, flat.accounts[0].account, terms) for flat in house.premises for terms in house.services])


def _line(flat: Premises, account: str, terms: ServiceTerms) -> ChargeLine:
    price = terms.zones[0].price
    explanation = Explanation(formula="2", inputs=(("S", flat.area), ("T", price)), source=VolumeSource.METER)
    return ChargeLine(
        account=account,
        premises=flat.premises,
        service=terms.service,
        kind=LineKind.CHARGE,
        volume=flat.area,
        price=price,
        amount_kopecks=amount_of(flat.area, price),
        explanation=explanation,
    )
