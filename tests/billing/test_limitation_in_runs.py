"""Documents, their proof and what is printed go by the law's term of limitation, as tables do (ГК 196 п. 1)."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from kopeck.clock import utc_now
from ledger.core.entry import MOSCOW
from ledger.statements import load_statements
from schemas.allocation import Kind, Pool
from services.billing.runs.documents import published_totals
from tests.billing.run_town import OCTOBER, RunTown, run_town
from tests.conftest import LedgerDatabase

LAW = load_statements("tests/statements/limitation.sql")
PAPERS = load_statements("services/billing/papers/reading.sql")
OLD_DEBT = 77_700


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[RunTown]:
    """Account 1 owes what was due two years ago; no document leaves it out while the term is three years."""
    async with run_town(ledger_database, houses=1, flats=2) as made:
        account = await made.account("1")
        today = utc_now().astimezone(MOSCOW).date()
        await made.town.charge(
            account, "maintenance", OLD_DEBT, period=today.year * 100 - 200 + 1, due=date(today.year - 2, 2, 10)
        )
        await made.town.publish(account)
        yield made


async def old_debt_printed(town: RunTown) -> int:
    """Publish October, hold it against its proof, and return what account 1's document asks for beyond the month."""
    run = await town.published(OCTOBER)
    assert await published_totals(town.town.services, run) == []
    account, today = await town.account("1"), utc_now().astimezone(MOSCOW).date()
    charges = await town.town.services.fetch(PAPERS["charges"], [account], OCTOBER, [today])
    apart = {row["amount"] for row in charges if row["apart"]}
    (document,) = [row for row in await town.read("documents", run) if row[0] == "1"]
    table = (await town.town.rebuilt(account)).table
    named = {
        sum(tier.weights)
        for tier in table.tiers
        if tier.designated_only and (tier.kind, tier.pool) == (Kind.PRINCIPAL, Pool.MAIN)
    }
    assert apart == named, "what is credited only when named is not printed"
    main, charged_main = document[5], document[7]
    return int(main - charged_main)


async def test_three_years_without_a_row_of_law(town: RunTown) -> None:
    assert await old_debt_printed(town) == OLD_DEBT


async def test_the_term_in_force_is_everybodys(town: RunTown) -> None:
    await town.town.owner.execute(LAW["propose_term"], date(1995, 1, 1), 1)
    await town.town.owner.execute(LAW["approve_terms"])
    assert await old_debt_printed(town) == 0
