"""The house in which scenarios in plain text happen, whole: what comes in, what the bank tells, what people decide."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tests.conftest import LedgerDatabase
from tests.scenarios.plain_decisions import DecisionVerbs


class PlainHouse(DecisionVerbs):
    """Every verb."""


@asynccontextmanager
async def plain_house(database: LedgerDatabase, folder: Path) -> AsyncIterator[PlainHouse]:
    """A founded house on a fresh ledger."""
    services = await asyncpg.connect(database.services_dsn)
    house = PlainHouse(database, folder, services)
    try:
        await house.found()
        yield house
    finally:
        await house.close()
        services.terminate()
