"""Statements taken in: once, whole, with what vanishes and comes back; a known line with another content is a person's case."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from loadtests.cpu import cpu_ms, parent_of
from schemas.statement import StatementKind, StatementUnbelieved
from services.clearing.taking import take_statement
from tests.conftest import LedgerDatabase
from tests.services.clearing_town import DAY, NOW, SEALER, SQL, ClearingTown, clearing_town, cover, line, statement
from tests.services.desk import Desk

FINAL = StatementKind.FINAL
TOMORROW = DAY + timedelta(days=1)


@pytest.fixture
async def town(ledger_database: LedgerDatabase, desk: Desk, redis_url: str) -> AsyncIterator[ClearingTown]:
    async with clearing_town(ledger_database, desk, redis_url) as founded:
        yield founded


async def test_lines_are_stored_once_whatever_statements_they_stand_on(town: ClearingTown) -> None:
    first, second = line("b1", 100, "л/с 0001001"), line("b2", 200, "л/с 0001001")
    one = await town.take(statement(first))
    two = await town.take(statement(first, second, kind=FINAL))
    again = await town.take(statement(first, second, kind=FINAL))
    assert (one.new, two.new, two.known, again.repeated, again.statement) == (1, 1, 1, True, two.statement)
    rows = await town.lines()
    assert [(row["bank_id"], row["first_statement"], row["last_statement"]) for row in rows] == [
        ("b1", one.statement, two.statement),
        ("b2", two.statement, two.statement),
    ]


async def test_two_takers_at_once_store_one(town: ClearingTown) -> None:
    other = await asyncpg.connect(town.database.services_dsn)
    told = statement(*[line(f"b{place}", 100 + place) for place in range(50)])
    try:
        both = await asyncio.gather(town.take(told), take_statement(other, told, SEALER, "other", NOW))
    finally:
        await other.close()
    assert sorted(one.repeated for one in both) == [False, True]
    counts = await town.owner.fetchrow(SQL["counts"])
    assert (counts["statements"], counts["lines"]) == (1, 50)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount_kopecks": 200}, "amount"),
        ({"is_credit": False}, "is_credit"),
        ({"number": "9"}, "number"),
        ({"purpose": "л/с 0001002"}, "purpose"),
    ],
)
async def test_a_known_line_with_another_content_is_parked(town: ClearingTown, change: dict[str, object], field: str) -> None:
    told = line("b1", 100, "л/с 0001001")
    await town.told(told)
    changed = statement(msgspec.structs.replace(told, **change), cover("b2", 500))
    taken = await town.take(changed)
    assert (taken.new, taken.known, taken.conflicts) == (1, 0, 1)
    await town.take(msgspec.structs.replace(changed, kind=FINAL))
    await town.clear()
    parked = await town.owner.fetch(SQL["list_parked"])
    assert [(row["what"], row["external_id"]) for row in parked] == [("conflict", f"{town.transit}:b1")]
    assert f'"field":"{field}"' in parked[0]["content"] and "0001002" not in parked[0]["content"]
    rows = await town.lines()
    assert [(row["bank_id"], row["amount"], row["sequence"] is not None) for row in rows] == [
        ("b1", 100, True),
        ("b2", 500, True),
    ]
    await town.assert_sound()


async def test_before_a_final_statement_a_day_may_change(town: ClearingTown) -> None:
    await town.told(line("b1", 100, "л/с 0001001"))
    moved = line("b1", 100, "л/с 0001001", day=TOMORROW)
    taken = await town.take(statement(moved, kind=FINAL, since=TOMORROW, until=TOMORROW))
    assert taken.conflicts == 0
    assert (await town.lines())[0]["day"] == TOMORROW
    back = await town.take(statement(line("b1", 100, "л/с 0001001"), kind=FINAL))
    assert back.conflicts == 1, "a final statement's word is final"


async def test_a_line_that_vanished_is_reversed_and_booked_anew_when_it_comes_back(town: ClearingTown) -> None:
    told = line("b1", 100, "л/с 0001001")
    await town.told(told, cover("b2", 500))
    gone = await town.take(statement(cover("b2", 500), kind=FINAL))
    assert gone.vanished == 1
    await town.clear()
    row = (await town.lines())[0]
    assert row["vanished_from"] == gone.statement and row["reversed_by"] is not None
    balances = await town.balances()
    assert (balances["transit"], balances["clearing:statement"]) == (500, 100)
    await town.assert_sound()
    assert (await town.clear()).reversed == 0

    early = await town.take(statement(told, cover("b2", 500), since=DAY - timedelta(days=1)))
    assert early.came_back == 0, "what is not final says nothing against a final statement"
    back = await town.take(statement(told, cover("b2", 500), kind=FINAL))
    assert back.came_back == 1
    await town.clear()
    row = (await town.lines())[0]
    assert (row["vanished_from"], row["reversed_by"], row["turn"]) == (None, None, 2)
    keys = [entry["external_id"] for entry in await town.owner.fetch(SQL["list_entries"], 0) if entry["space"] == 6]
    assert keys == [f"{town.transit}:b1", f"{town.transit}:b2", f"{town.transit}/2:b1"]
    assert (await town.balances())["transit"] == 600
    assert len(await town.owner.fetch(SQL["list_entries"], 1)) == 1, "the payment itself was booked once"
    await town.assert_sound()


async def test_every_kind_of_entry_is_reversed_when_its_line_vanishes(town: ClearingTown) -> None:
    held = {"account": "47416810000000000001"}
    await town.register("12", {"o1": 1_000}, fee=10)
    await town.told(
        cover("c", 990, "Реестр № 12"),
        line("hold", 50, is_credit=False, **held),
        line("back", 20, **held),
        line("debt", 70, "погашение долга", account="40702810200000000001"),
        line("wrong", 9, "ошибочно", operation="09"),
    )
    gone = await town.take(statement(kind=FINAL))
    assert gone.vanished == 5
    assert (await town.clear()).reversed == 5
    balances = await town.balances()
    assert balances["clearing:acq"] == 1_000
    assert not {"transit", "held", "receivable:uk"} & set(balances)
    await town.assert_sound()


async def test_a_line_comes_back_on_a_later_day(town: ClearingTown) -> None:
    await town.told(line("b1", 100, "л/с 0001001"))
    await town.take(statement(kind=FINAL))
    await town.clear()
    moved = line("b1", 100, "л/с 0001001", day=TOMORROW)
    taken = await town.take(statement(moved, since=TOMORROW, until=TOMORROW))
    assert (taken.came_back, taken.conflicts) == (1, 0)
    await town.clear()
    (row,) = await town.lines()
    assert (row["day"], row["turn"], row["sequence"] is not None) == (TOMORROW, 2, True)


async def test_a_filtered_statement_and_other_days_prove_no_absence(town: ClearingTown) -> None:
    await town.told(line("b1", 100, "л/с 0001001"))
    filtered = await town.take(statement(kind=FINAL, filtered=True))
    other = await town.take(statement(kind=FINAL, since=TOMORROW, until=TOMORROW))
    intraday = await town.take(statement())
    assert (filtered.vanished, other.vanished, intraday.vanished) == (0, 0, 0)


async def test_a_line_that_vanished_before_it_was_booked_is_not_booked(town: ClearingTown) -> None:
    await town.take(statement(line("b1", 100, "л/с 0001001")))
    await town.take(statement(kind=FINAL))
    done = await town.clear()
    assert (done.classified, done.booked) == (0, 0)
    assert (await town.owner.fetchrow(SQL["counts"]))["payments"] == 0


async def test_two_formats_of_the_same_days_are_not_believed(town: ClearingTown) -> None:
    await town.take(statement(line("b1", 100), source="alfa"))
    with pytest.raises(StatementUnbelieved, match="told of by alfa"):
        await town.take(statement(line("x1", 100), source="1c"))
    taken = await town.take(statement(line("x1", 100, day=TOMORROW), source="1c", since=TOMORROW, until=TOMORROW))
    assert taken.new == 1


async def test_what_cannot_be_taken_leaves_nothing(town: ClearingTown) -> None:
    with pytest.raises(StatementUnbelieved, match="two lines"):
        await town.take(statement(line("b1", 100), line("b1", 100)))
    with pytest.raises(LookupError, match="not in the register"):
        await town.take(msgspec.structs.replace(statement(line("b1", 100)), account="40911810000000000099"))
    counts = await town.owner.fetchrow(SQL["counts"])
    assert (counts["statements"], counts["lines"]) == (0, 0)


async def test_a_large_statement_is_stored_within_a_transactions_time(town: ClearingTown) -> None:
    """Its work is told by the CPU of this process and of PostgreSQL: the clock would tell of whoever else is on the machine."""
    many = statement(*[line(f"b{place}", 100 + place, "Оплата ЖКУ за октябрь, л/с 0001001") for place in range(20_000)])
    workers = (os.getpid(), parent_of(town.owner.get_server_pid()))
    started = cpu_ms(workers)
    await town.take(many)
    stored = cpu_ms(workers) - started
    again = await town.take(msgspec.structs.replace(many, kind=FINAL))
    told_again = cpu_ms(workers) - started - stored
    print(f"20 000 lines stored in {stored} ms of CPU, told again in {told_again} ms")
    assert again.known == 20_000
    assert 0 < max(stored, told_again) < 5_000
