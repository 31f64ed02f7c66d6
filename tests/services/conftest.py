"""Fixtures of the services' tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import LedgerDatabase
from tests.services.desk import Desk


@pytest.fixture
async def desk(ledger_database: LedgerDatabase, tmp_path: Path) -> AsyncIterator[Desk]:
    """A fresh ledger to load files into, with the services' rights."""
    connection = await asyncpg.connect(ledger_database.services_dsn)
    yield Desk(connection=connection, folder=tmp_path)
    await connection.close()
