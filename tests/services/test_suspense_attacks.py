"""Suspended money goes back only to whom the line that brought it names, and only while the bank still shows the line."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.suspense.decisions import Assignment, NotDecided, Payee, Place, Return, assign, return_to_payer
from services.suspense.papers import find_origin
from tests.conftest import LedgerDatabase
from tests.services.suspense_town import NOW, SQL, PlainPapers, SuspenseTown, suspense_town
from tests.services.test_suspense_returns import PAYER, told_by_the_bank

PAPERS = PlainPapers()
NAMED = Payee(name="Иванов Иван", account=PAYER, bic="044525225")


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SuspenseTown]:
    async with suspense_town(ledger_database) as made:
        yield made


def back(place: Place, **more: Any) -> Return:
    return Return(place=place, **{"by": "Иванова", "approved_by": "Петров"} | more)


async def test_money_of_a_vanished_line_goes_nowhere(town: SuspenseTown) -> None:
    account = await town.home(1, ("maintenance", 5_000))
    place = await told_by_the_bank(town)
    await town.owner.execute(SQL["vanish"], "b-1")
    with pytest.raises(NotDecided, match="no longer shows"):
        await return_to_payer(town.services, back(place, payee=NAMED), PAPERS, NOW)
    with pytest.raises(NotDecided, match="no longer shows"):
        await assign(town.services, Assignment(place=place, account=account, by="Петров"), NOW)


async def test_an_operation_with_a_lines_id_is_not_that_lines_money(town: SuspenseTown) -> None:
    """A counterparty chooses the ids of its operations: one may be the bank's id of somebody's line."""
    await town.owner.execute(SQL["add_line"], "b-1", "40817810000000000666", "Чужой Человек|за квартиру".encode(), "unknown")
    space, channel = await town.owner.fetchrow(SQL["add_other_channel"])
    town.space, town.channel = space, channel
    place = await town.suspend(1_000, external_id="b-1")
    with pytest.raises(NotDecided, match="must be named"):
        await return_to_payer(town.services, back(place), PAPERS, NOW)
    origin = await find_origin(town.services, await town.item(place), PAPERS)
    assert (origin.payer_account, origin.told.payer) == ("", "")


async def test_a_second_return_is_refused_for_what_it_is(town: SuspenseTown) -> None:
    place = await told_by_the_bank(town)
    await return_to_payer(town.services, back(place, amount_kopecks=400), PAPERS, NOW)
    with pytest.raises(NotDecided) as refused:
        await return_to_payer(town.services, back(place), PAPERS, NOW)
    assert "withdrawn" not in str(refused.value)
