"""A small created ledger for the tests of its doors."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import LedgerDatabase
from tests.ledger.small_ledger import SmallLedger, small_ledger


@pytest.fixture
async def ledger(ledger_database: LedgerDatabase) -> AsyncIterator[SmallLedger]:
    """One payers' book, accounts 1, 2 and 3 published."""
    async with small_ledger(ledger_database) as made:
        yield made


@pytest.fixture
async def two_books(ledger_database: LedgerDatabase) -> AsyncIterator[SmallLedger]:
    """Two payers' books, accounts 1, 2 and 3 published in the first."""
    async with small_ledger(ledger_database, books=2) as made:
        yield made
