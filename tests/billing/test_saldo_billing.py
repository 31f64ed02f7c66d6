"""Sheets of months that billing itself calculated: houses, recalculations, documents."""

from collections.abc import AsyncIterator

import pytest

from services.billing.core.lines import LineKind
from services.billing.core.month import Adjustment
from services.billing.runs.keeping import add_adjustments, close_month
from services.billing.saldo.checking import check_saldo
from services.billing.saldo.sheet import Ask, Level, SheetRow, read_sheet
from services.billing.saldo.windows import find_provider
from tests.billing.run_town import NOVEMBER, OCTOBER, RunTown, run_town
from tests.conftest import LedgerDatabase

OF_HOUSE = 714_420
"""Flats of 40 and 41 m² at 30.00 + 45.50 + 12.70 roubles a square metre."""


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[RunTown]:
    """October is published and closed, November is published with a correction of 150.00 less; account 1 has paid 1 000.00."""
    async with run_town(ledger_database, houses=2, flats=2) as made:
        await made.published(OCTOBER)
        await close_month(made.town.services, OCTOBER, made.boris)
        account = await made.account("1")
        decided = Adjustment(
            service="heating", kind=LineKind.CORRECTION, amount_kopecks=-15_000, cause="верные показания", of_period=OCTOBER
        )
        await add_adjustments(made.town.services, ("УО", NOVEMBER), [(account, decided)], made.anna)
        await made.published(NOVEMBER)
        await made.town.pay(account, 100_000)
        yield made


async def sheet(town: RunTown, period: int, level: Level) -> tuple[SheetRow, ...]:
    services = town.town.services
    return await read_sheet(services, Ask(provider=await find_provider(services, "УО"), period=period, level=level))


async def test_houses_and_recalculations(town: RunTown) -> None:
    for is_closed in (False, True):
        if is_closed:
            await close_month(town.town.services, NOVEMBER, town.boris)
        first, second = await sheet(town, NOVEMBER, Level.HOUSE)
        assert (first.house, second.house) == ("h1", "h2")
        assert (first.opening_debt, first.charged, first.recalculated, first.received) == (OF_HOUSE, OF_HOUSE, -15_000, 100_000)
        assert first.closing_debt == 2 * OF_HOUSE - 15_000 - 100_000
        assert (second.opening_debt, second.recalculated, second.closing_debt) == (OF_HOUSE, 0, 2 * OF_HOUSE)
        by_service = {row.service: row.recalculated for row in await sheet(town, NOVEMBER, Level.SERVICE)}
        assert by_service == {"heating": -15_000, "maintenance": 0, "capital_repair": 0}


async def test_documents_are_held_against_balances(town: RunTown) -> None:
    report = await check_saldo(town.town.services, NOVEMBER)
    assert report.disagreements == ()
    # Account 1 has paid since: its document prints what was owed before.
    assert (report.accounts, report.tables, report.documents) == (4, 4, 3)
    assert report.behind == 1
    assert (await check_saldo(town.town.services, OCTOBER)).disagreements == ()
