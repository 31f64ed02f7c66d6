"""A month published by a run uses what was paid ahead, and its documents, tables and ledger say one sum."""

from collections.abc import AsyncIterator

import pytest

from ledger.statements import load_statements
from schemas.journal import EntryKind
from schemas.outcome import AppendStatus
from services.billing.runs.documents import published_totals
from tests.billing.run_town import NOVEMBER, OCTOBER, RunTown, run_town
from tests.conftest import LedgerDatabase
from tests.ledger.town import SQL, paid

DOCUMENTS = load_statements("tests/statements/run_town.sql")["documents"]


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[RunTown]:
    async with run_town(ledger_database) as founded:
        yield founded


async def test_a_published_month_uses_what_was_paid_ahead(town: RunTown) -> None:
    await town.published(OCTOBER)
    account = await town.account("1")
    table = (await town.town.rebuilt(account)).table
    owed = sum(sum(tier.weights) - sum(tier.paid) for tier in table.tiers)
    assert (await town.town.pay(account, owed + 3_000)).status is AppendStatus.RECORDED
    run = await town.published(NOVEMBER)
    assert await published_totals(town.town.services, run) == []
    (document,) = [row for row in await town.town.owner.fetch(DOCUMENTS, run) if row["account"] == "1"]
    assert (document["state"], document["charged_main"] - document["main"]) == ("published", 3_000)
    offsets = [row for row in await town.town.owner.fetch(SQL["entries"], account) if row["kind"] == EntryKind.ADVANCE_OFFSET]
    assert [row["amount"] for row in offsets] == [3_000]
    lines = {line: (weight, credited) for line, weight, credited in paid(await town.town.rebuilt(account))}
    assert sum(credited for _, credited in lines.values()) == 3_000
    assert (await town.publish(run)).parked_count == 0
    assert await published_totals(town.town.services, run) == []
