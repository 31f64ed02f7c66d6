"""The term of limitation comes from the rows of law in force; without one it is three years (ГК 196 п. 1)."""

from collections.abc import AsyncIterator
from datetime import date, timedelta

import asyncpg
import pytest

from ledger.core.account_facts import LIMITATION_TERMS, LimitationTerm
from ledger.core.limitation import last_day_of_limitation
from ledger.statements import load_statements
from ledger.tables import fetch_limitation, fetch_registers
from tests.conftest import LedgerDatabase
from tests.ledger.town import NOW, Town

SQL = load_statements("tests/statements/limitation.sql")
TWO_YEARS_AGO = NOW.date() - timedelta(days=2 * 366)


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[Town]:
    owner, services = await asyncpg.connect(ledger_database.owner_dsn), await asyncpg.connect(ledger_database.services_dsn)
    made = Town(owner, services)
    await made.found()
    yield made
    await services.close()
    await owner.close()


async def barred(town: Town) -> bool:
    """Whether the charge that was due two years ago is credited only when named."""
    (account,) = await town.accounts(1, 1)
    await town.charge(account, "maintenance", 5_000, period=202411, due=TWO_YEARS_AGO)
    assert (await town.publish(account)).published == 1
    (tier,) = (await town.rebuilt(account)).table.tiers
    return tier.designated_only


async def test_without_a_row_the_term_is_three_years(town: Town) -> None:
    assert await fetch_limitation(town.services) == LIMITATION_TERMS
    assert not await barred(town)


async def test_tables_go_by_the_rows_in_force(town: Town) -> None:
    await town.owner.execute(SQL["propose_term"], date(1995, 1, 1), 3)
    await town.owner.execute(SQL["propose_term"], TWO_YEARS_AGO, 1)
    await town.owner.execute(SQL["approve_terms"])
    assert (await fetch_registers(town.services)).limitation == (
        LimitationTerm(since=date(1995, 1, 1), years=3),
        LimitationTerm(since=TWO_YEARS_AGO, years=1),
    )
    assert await barred(town)


async def test_a_row_that_nobody_approved_holds_nothing(town: Town) -> None:
    await town.owner.execute(SQL["propose_term"], date(1995, 1, 1), 1)
    assert await fetch_limitation(town.services) == LIMITATION_TERMS
    assert not await barred(town)


async def test_statements_go_by_the_same_terms_as_tables(town: Town) -> None:
    days = [date(1990, 3, 1), date(2023, 12, 31), date(2024, 1, 1), date(2024, 2, 29), date(2026, 1, 1)]

    async def told() -> list[date]:
        return [await town.services.fetchval(SQL["last_day"], day) for day in days]

    assert await told() == [last_day_of_limitation(day) for day in days]
    await town.owner.execute(SQL["propose_term"], date(1995, 1, 1), 3)
    await town.owner.execute(SQL["propose_term"], date(2024, 1, 1), 1)
    await town.owner.execute(SQL["propose_term"], date(2025, 1, 1), 10)
    await town.owner.execute(SQL["approve_terms"])
    law = await fetch_limitation(town.services)
    assert await told() == [last_day_of_limitation(day, law) for day in days]
    assert (await told())[2:4] == [date(2025, 1, 1), date(2025, 2, 28)]
