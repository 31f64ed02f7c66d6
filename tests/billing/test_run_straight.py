"""The straight way of publication: an account whole or not at all, whoever dies or comes between; one process or several."""

import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import asyncpg
import msgspec
import pytest

from kopeck.clock import utc_now
from ledger.journal import create_ledger
from ledger.tables import Registers
from loadtests.months_town import PROVIDER, RECIPIENTS, TownReading, town_lines
from loadtests.months_town import SQL as BENCH_SQL
from services.billing.runs import drafting as drafting_module
from services.billing.runs import straight
from services.billing.runs.documents import published_totals
from services.billing.runs.drafting import Drafting, draft_run
from services.billing.runs.keeping import Person, Scope, begin_run, fetch_run
from services.billing.runs.publishing import publish_run, publisher_of
from services.billing.runs.spreading import Spread
from tests.billing.run_town import NOVEMBER, OCTOBER, SQL, RunTown, run_town
from tests.conftest import LedgerDatabase

DIED = (BaseExceptionGroup, asyncpg.InterfaceError, asyncpg.PostgresConnectionError)
HOUSES, FLATS = 12, 8
ACCOUNTS = HOUSES * FLATS
Step = Callable[..., Awaitable[Any]]


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[RunTown]:
    async with run_town(ledger_database, houses=HOUSES, flats=FLATS, books=3) as made:
        yield made


@contextmanager
def processes(dsn: str) -> Iterator[Spread]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield Spread(executor=executor, dsn=dsn, workers=2)


def before_step(monkeypatch: pytest.MonkeyPatch, name: str, turn: int, act: Step) -> None:
    """Let ``act`` happen before the step of the straight way is called for the ``turn``-th time."""
    step, calls = getattr(straight, name), 0

    async def stepping(connection: Any, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == turn:
            await act(connection)
        return await step(connection, *arguments)

    monkeypatch.setattr(straight, name, stepping)


@pytest.mark.parametrize(
    "step", ["keep_loads_out", "_learn_terms", "read_accounts_within", "_write", "delete_due", "publish_within"]
)
async def test_a_worker_that_dies_leaves_nothing_half_done(town: RunTown, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    run = await town.approved(OCTOBER)

    async def die(connection: Any) -> None:
        connection.terminate()

    with monkeypatch.context() as patch:
        before_step(patch, step, 3, die)
        async with town.pool() as pool:
            with pytest.raises(DIED):
                await publish_run(pool, run, town.publishing())
    await is_whole(town, run)


async def test_a_worker_that_dies_between_the_door_and_the_commit_leaves_nothing(
    town: RunTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await town.approved(OCTOBER)
    door, calls = straight.publish_within, 0

    async def dying(connection: Any, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        # Two workers are in the door at once: the number is this call's, whatever the other has counted meanwhile.
        mine = calls
        held = await door(connection, *arguments)
        if mine == 4:
            connection.terminate()
        return held

    with monkeypatch.context() as patch:
        patch.setattr(straight, "publish_within", dying)
        async with town.pool() as pool:
            with pytest.raises(DIED):
                await publish_run(pool, run, town.publishing())
    await is_whole(town, run)


async def is_whole(town: RunTown, run: int) -> None:
    """Every account has all of the month or nothing; going on makes it all, each table once."""
    assert (await fetch_run(town.town.services, run)).state == "publishing"
    assert await town.read("half_done", run) == []
    report = await town.publish(run)
    assert (report.state, report.published, report.parked_count) == ("published", ACCOUNTS, 0)
    assert await town.read("half_done", run) == [] == await published_totals(town.town.services, run)
    for name in ("1", "17", str(ACCOUNTS)):
        assert await town.read("published_runs", await town.account(name)) == [(1, publisher_of(run))]


async def test_processes_publish_a_run_together(town: RunTown) -> None:
    run = await town.approved(OCTOBER)
    told: list[int] = []
    with processes(town.database.services_dsn) as spread:
        async with town.pool() as pool:
            publishing = msgspec.structs.replace(town.publishing(told.append), spread=spread)
            report = await publish_run(pool, run, publishing)
    assert (report.state, report.published, sum(told)) == ("published", ACCOUNTS, ACCOUNTS)
    assert await town.read("half_done", run) == [] == await published_totals(town.town.services, run)


async def test_a_killed_process_leaves_the_run_to_go_on(town: RunTown) -> None:
    run = await town.approved(OCTOBER)

    def kill(done: int) -> None:
        for process in multiprocessing.active_children():
            if process.pid is not None:
                os.kill(process.pid, signal.SIGKILL)

    with processes(town.database.services_dsn) as spread:
        async with town.pool() as pool:
            publishing = msgspec.structs.replace(town.publishing(kill), spread=spread)
            with pytest.raises(BaseExceptionGroup) as broken:
                await publish_run(pool, run, publishing)
    assert broken.group_contains(BrokenProcessPool)
    await is_whole(town, run)


async def test_a_payment_between_reading_and_the_door_is_in_the_document(town: RunTown, monkeypatch: pytest.MonkeyPatch) -> None:
    await town.published(OCTOBER)
    run = await town.approved(NOVEMBER)
    account = await town.account("1")

    async def pay(connection: Any) -> None:
        assert (await town.town.pay(account, 1_000)).status.name == "RECORDED"

    with monkeypatch.context() as patch:
        before_step(patch, "delete_due", 1, pay)
        report = await town.publish(run)
    assert (report.published, report.parked_count) == (ACCOUNTS, 0)
    documents = {row[0]: row[5] for row in await town.read("documents", run)}
    assert documents["1"] == 2 * 302_000 - 1_000 and documents["9"] == 2 * 302_000
    assert await town.read("half_done", run) == [] == await published_totals(town.town.services, run)


async def test_a_payee_younger_than_the_registers_is_read_again(town: RunTown, monkeypatch: pytest.MonkeyPatch) -> None:
    await town.published(OCTOBER)
    run = await town.approved(NOVEMBER)
    fetch, reads = straight.fetch_registers, 0

    async def older_at_first(connection: Any) -> Registers:
        nonlocal reads
        reads += 1
        known = await fetch(connection)
        nobody = msgspec.structs.replace(known.register, payees={})
        return known if reads > 1 else msgspec.structs.replace(known, register=nobody)

    monkeypatch.setattr(straight, "fetch_registers", older_at_first)
    report = await town.publish(run)
    assert (report.published, report.parked_count) == (ACCOUNTS, 0) and reads > 1
    assert await published_totals(town.town.services, run) == []


async def test_another_writer_of_the_same_lines_sends_a_chunk_the_way_round(
    town: RunTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await town.approved(OCTOBER)
    account = await town.account("1")

    async def write(connection: Any) -> None:
        await town.town.owner.execute(SQL["take_line"], account)

    with monkeypatch.context() as patch:
        before_step(patch, "_write", 1, write)
        report = await town.publish(run)
    assert (report.published, report.parked_count) == (ACCOUNTS, 0)
    assert len(await town.read("charges", account)) == 3
    assert await published_totals(town.town.services, run) == []


async def test_a_file_is_not_loaded_while_a_chunk_is_written(town: RunTown, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.reference.loading import LOCK_KEY

    run = await town.approved(OCTOBER)
    free: list[bool] = []

    async def load(connection: Any) -> None:
        free.append(await town.town.owner.fetchval(SQL["try_load"], LOCK_KEY))

    with monkeypatch.context() as patch:
        before_step(patch, "_write", 1, load)
        await town.publish(run)
    assert free == [False]
    assert await town.town.owner.fetchval(SQL["try_load"], LOCK_KEY)


async def test_processes_draft_a_run_together(ledger_database: LedgerDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting_module, "PART_HOUSES", 1)
    owner = await asyncpg.connect(ledger_database.owner_dsn)
    await create_ledger(owner, 1)
    await owner.execute(BENCH_SQL["recipients"], RECIPIENTS)
    await owner.execute(BENCH_SQL["accounts"], 1, 450)
    reading = TownReading(accounts=450, services=8, seed=1)
    told: list[int] = []
    async with asyncpg.create_pool(ledger_database.services_dsn, min_size=1, max_size=6) as pool:
        async with pool.acquire() as connection:
            scope, person = Scope(provider=PROVIDER, period=OCTOBER), Person(name="anna", at=utc_now())
            run = await begin_run(connection, reading, scope, person)
        with processes(ledger_database.services_dsn) as spread:
            await draft_run(pool, run, Drafting(reading=reading, calculating=town_lines, spread=spread), told.append)
        async with pool.acquire() as connection:
            known = await fetch_run(connection, run)
    await owner.close()
    assert (known.waiting, known.parked, known.accounts, known.lines, sum(told)) == (0, 0, 450, 3_600, 5)
