"""The stock of the bench of reading: houses of a hundred premises, four metered services, months of readings."""

from collections.abc import Iterator

import asyncpg

from kopeck.billing_shown import progress_bar
from ledger.statements import load_statements

SQL = load_statements("loadtests/statements/bench_reading.sql")
PERIOD = 202611
HOUSE_PREMISES = 100
CHUNK_HOUSES = 1_000
RECIPIENTS = ["uo", "water", "heat", "power", "waste", "fund"]
OF_TOWN = ("load", "services", "tariffs", "norms", "heating", "heating_days")
OF_HOUSES = ("houses", "house_terms", "house_areas", "contracts", "acts", "house_meters", "premises")
WITH_PREMISES = ("house_areas", "premises")
OF_PREMISES = (
    *("premises_terms", "premises_areas", "premises_services", "people", "owners", "absences", "personal_accounts", "accounts"),
    *("meters", "meter_terms", "possibilities"),
)


async def build_town(owner: "asyncpg.Connection", premises: int, months: int) -> None:
    """Fill an empty ledger with the stock of so many premises (whole houses) and readings of the last ``months``."""
    await owner.execute(SQL["helpers"])
    await owner.execute(SQL["recipients"], RECIPIENTS)
    for name in OF_TOWN:
        await owner.execute(SQL[name])
    houses = -(-premises // HOUSE_PREMISES)
    with progress_bar("premises", houses * HOUSE_PREMISES) as advance:
        for first, last in _spans(houses, CHUNK_HOUSES):
            for name in OF_HOUSES:
                more = (HOUSE_PREMISES,) if name in WITH_PREMISES else ()
                await owner.execute(SQL[name], first, last, *more, timeout=600)
            span = (first - 1) * HOUSE_PREMISES + 1, last * HOUSE_PREMISES
            for name in OF_PREMISES:
                await owner.execute(SQL[name], *span, timeout=600)
            advance((last - first + 1) * HOUSE_PREMISES)
    await owner.execute(SQL["meter_events"], timeout=600)
    with progress_bar("months of readings", months) as advance:
        for back in reversed(range(months)):
            await owner.execute(SQL["readings"], back, timeout=3_600)
            advance(1)
    await owner.execute(SQL["finish"], timeout=3_600)


def house_codes(premises: int) -> list[str]:
    """Codes of the town's houses, ascending."""
    return [f"h{house:06d}" for house in range(1, -(-premises // HOUSE_PREMISES) + 1)]


def _spans(whole: int, step: int) -> Iterator[tuple[int, int]]:
    for first in range(1, whole + 1, step):
        yield first, min(first + step - 1, whole)
