"""The small housing stock of ``housing_town`` with meters, and a desk that takes their readings."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from ledger.statements import load_statements
from services.billing.core.month import HouseMonth
from services.billing.law.files import shipped_law
from services.billing.reading import Asked, read_months
from services.billing.readings.fields import FACT_KINDS
from services.billing.readings.files import load_readings
from services.billing.readings.intake import IntakeTerms, NewReading, Outcome, Source, take_readings
from services.billing.readings.loading import load_facts
from services.reference.loading import LoadReport
from tests.billing.recalculated_house import micro
from tests.services.desk import TERMS
from tests.services.housing_town import FILES, Stock

SQL = load_statements("tests/statements/readings.sql")
LAW = shipped_law()
INTAKE = IntakeTerms(law=LAW, at=datetime(2026, 11, 24, 12, 0, tzinfo=UTC), by="accountant")

FACTS = {
    "meters": """meter,house,premises,flat,service,place,number,zones,digits,installed,verified_until,ratio,maximum
C1,01,1,,cold,,111,,5,2020-02-01,2030-01-31,,2
C2,01,2,,cold,,222,,5,2020-02-01,2026-07-31,,
L1,01,1,,light,,333,2,6,2020-02-01,2036-01-31,,
F3,01,,3,cold,,444,,5,2020-02-01,2030-01-31,,
H1,01,,,cold,ввод,555,,7,2020-02-01,2030-01-31,10,
""",
    "events": """meter,event,on,verified_until,act
C1,access_refused,2025-02-03,,акт 1
C1,access_given,2025-03-05,,акт 2
""",
    "possibilities": """house,premises,service,valid_from,possibility,act
01,1,hot,2020-01-01,possible,
01,2,hot,2020-01-01,impossible,акт 7 от 01.02.2020
""",
    "house-volumes": """house,service,resource,period,volume,price
01,heating,,2026-11,12.5,
01,hot,газ,2026-11,100,7.1
""",
    "windows": """house,valid_from,first_day,last_day
01,2026-01-01,15,23
""",
}


class Meters(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded stock with meters."""

    stock: Stock

    @property
    def connection(self) -> asyncpg.Connection:
        """With the services' rights."""
        return self.stock.connection

    async def load_facts(self, what: str, content: str = "") -> LoadReport:
        """Load a file of facts; the town's own by default."""
        return await load_facts(self.connection, self._file(what, content or FACTS[what]), FACT_KINDS[what], TERMS)

    async def load_meters(self) -> None:
        """As little of the stock as meters stand in, and every fact of them."""
        for what in ("services", "houses", "premises"):
            await self.stock.load(what, FILES[what])
        for what in FACT_KINDS:
            await self.load_facts(what)

    async def load_all(self) -> None:
        """The whole stock and every fact of its meters."""
        await self.stock.load_all()
        for what in FACT_KINDS:
            await self.load_facts(what)

    async def load_readings(self, content: str, intake: IntakeTerms = INTAKE) -> LoadReport:
        """Load a file of readings."""
        return await load_readings(self.connection, self._file("readings", content), intake, TERMS)

    async def give(self, meter: str, *values: tuple[str, str], zone: int = 0) -> list[Outcome]:
        """Take readings of a meter: (day, value), each given on its day."""
        numbers = {row["code"]: row["meter"] for row in await self.connection.fetch(FIND_METERS, [meter])}
        given = [
            NewReading(
                line=line,
                meter=numbers[meter],
                zone=zone,
                value=micro(value),
                taken_on=date.fromisoformat(day),
                received_on=date.fromisoformat(day),
                source=Source.API,
            )
            for line, (day, value) in enumerate(values, start=1)
        ]
        async with self.connection.transaction():
            return list(await take_readings(self.connection, given, INTAKE))

    async def month(self, period: int, known: int = 0, house: str = "01") -> HouseMonth:
        """The house's month, which must be readable."""
        asked = Asked(period=period, today=date(2026, 11, 24), known=known)
        months = [one async for one in read_months(self.connection, [house], LAW, asked)]
        month = months[0][house]
        assert isinstance(month, HouseMonth), month
        return month

    async def read(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement of tests/statements/readings.sql."""
        return [tuple(row) for row in await self.connection.fetch(SQL[statement], *arguments)]

    def _file(self, what: str, content: str) -> Path:
        path = self.stock.desk.folder / f"{what}.csv"
        path.write_text(content, "utf-8")
        return path


FIND_METERS = load_statements("services/billing/readings/intake.sql")["find_meters"]


def told(outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
    """Verdicts with their faults."""
    return [(outcome.verdict.value, outcome.fault) for outcome in outcomes]
