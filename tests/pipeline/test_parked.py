"""Cases that wait for a person: listed, resolved once, and in the way of a day's closing until then."""

from datetime import date

import asyncpg
import pytest

from services.days import DayNotClosed, close_day
from services.parked import NotParked, list_parked, resolve_parked
from tests.pipeline.conftest import Gateway, Town


async def test_a_conflict_blocks_the_day_until_a_person_resolves_it(gateway: Gateway, town: Town) -> None:
    await gateway.pay("1", "1001", "10.00")
    await gateway.pay("1", "1001", "11.00")
    services = await asyncpg.connect(town.database.services_dsn)
    try:
        (case,) = await list_parked(services, resolved_too=False)
        assert (case.what, case.space, case.external_id) == ("conflict", "terminals", "1")
        assert b'"field":"amount"' in bytes(case.content)
        with pytest.raises(DayNotClosed):
            await close_day(services, town.transit, date(2026, 11, 1), date(2026, 11, 2))
        await resolve_parked(services, case.number, "Иванова")
        assert await list_parked(services, resolved_too=False) == ()
        with pytest.raises(NotParked):
            await resolve_parked(services, case.number, "Петрова")
        assert (await list_parked(services, resolved_too=True))[0].resolved_by == "Иванова"
        await close_day(services, town.transit, date(2026, 11, 1), date(2026, 11, 2))
    finally:
        await services.close()
