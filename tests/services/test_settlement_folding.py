"""How the settlement consumer and clearing read many rows at once: by key, never each against each."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from ledger.statements import load_statements
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import SettlementTown, settlement_town

EXPLAIN = load_statements("tests/statements/fiscal_town.sql")["explain"]
FOLD = load_statements("services/settlement/consumer.sql")["fold_promised"]
ACCOUNTS = load_statements("services/clearing/facts.sql")["list_accounts"]
NAMES = 1_000
JOINED_BY = ("Join Filter", "Hash Cond", "Merge Cond")


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database) as founded:
        yield founded


async def plan_of(town: SettlementTown, statement: str, *arguments: object) -> list[str]:
    """The lines of a statement's plan."""
    rows = await town.services.fetch(f"{EXPLAIN} {statement}", *arguments)
    return [row[0].strip() for row in rows]


async def test_a_passage_is_not_joined_to_itself(town: SettlementTown) -> None:
    plan = await plan_of(town, FOLD, 1, 0, 2_000)
    joins = [line for line in plan if line.startswith(JOINED_BY)]
    assert joins and not [line for line in joins if "sequence" in line], plan


async def test_hundreds_of_names_are_looked_up_by_key(town: SettlementTown) -> None:
    names = [str(number) for number in range(NAMES)]
    plan = await plan_of(town, ACCOUNTS, list(range(NAMES)), ["uo"] * NAMES, names, [date(2026, 12, 1)] * NAMES)
    assert not [line for line in plan if line.startswith(JOINED_BY)], plan
