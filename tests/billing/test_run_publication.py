"""Publication of a run on a real ledger: crashes, payments meanwhile, recalculation, and the proof (docs/billing-months.md)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import asyncpg
import pytest

from kopeck.clock import utc_now
from ledger.publication import publish_accounts
from schemas.allocation import Pool
from schemas.outcome import AppendStatus
from services.billing.runs.documents import Printing, open_sum, published_totals
from services.billing.runs.keeping import RunRefused, approve_run, fetch_run
from services.billing.runs.publishing import charge_chunk, publish_run, publisher_of
from services.reference.charge_rows import ChargeRow, begin_staging, stage_rows, write_staged
from services.reference.loading import LOCK_KEY, LoadBusy
from tests.billing.run_town import NOVEMBER, OCTOBER, SQL, RunTown, due_date, run_town
from tests.conftest import LedgerDatabase


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[RunTown]:
    async with run_town(ledger_database) as made:
        yield made


async def table_sums(town: RunTown, name: str) -> tuple[int, int]:
    """Σ(weight - paid) of an account's table at its head, by pool."""
    table = (await town.town.rebuilt(await town.account(name))).table
    return open_sum(table, Pool.MAIN), open_sum(table, Pool.CAPITAL_REPAIR)


async def test_twice_is_once(town: RunTown) -> None:
    run = await town.published(OCTOBER)
    before = await town.read("everything"), await town.read("documents", run)
    again = await town.publish(run)
    assert (again.state, again.published) == ("published", 12)
    assert (await town.read("everything"), await town.read("documents", run)) == before


async def test_only_an_approved_run_is_published(town: RunTown) -> None:
    run = await town.draft(OCTOBER)
    with pytest.raises(RunRefused, match="публикуется утверждённый"):
        await town.publish(run)
    await town.check(run)
    with pytest.raises(RunRefused, match="checked"):
        await town.publish(run)
    assert await town.read("charges", await town.account("1")) == []


async def test_two_processes_do_not_publish_one_run(town: RunTown) -> None:
    run = await town.approved(OCTOBER)
    refused: list[RunRefused] = []

    async def publish() -> None:
        try:
            await town.publish(run)
        except RunRefused as error:
            refused.append(error)

    await asyncio.gather(publish(), publish())
    assert len(refused) <= 1 and all("уже публикуется" in str(error) for error in refused)
    report = await town.publish(run)
    assert (report.state, report.published, report.parked_count) == ("published", 12, 0)
    assert await published_totals(town.town.services, run) == []


@pytest.mark.parametrize("dies_after", [1, 4, 9])
async def test_publication_goes_on_after_its_connections_died(ledger_database: LedgerDatabase, dies_after: int) -> None:
    async with run_town(ledger_database, houses=12, flats=4, books=3) as town:
        run = await town.approved(OCTOBER)
        open_: list[asyncpg.Connection] = []
        told = 0

        async def keep(connection: asyncpg.Connection) -> None:
            open_.append(connection)

        def kill(done: int) -> None:
            nonlocal told
            told += 1
            if told == dies_after:
                for connection in open_:
                    connection.terminate()

        async with town.pool(init=keep) as pool:
            with pytest.raises((BaseExceptionGroup, asyncpg.InterfaceError, asyncpg.PostgresConnectionError)):
                await publish_run(pool, run, town.publishing(kill))
        half = await fetch_run(town.town.services, run)
        assert half.state == "publishing"
        for account in ("1", "2", "3"):
            if await town.town.head(await town.account(account)):
                assert (await town.town.pay(await town.account(account), 1_000)).status is AppendStatus.RECORDED
        report = await town.publish(run)
        assert (report.state, report.published, report.parked_count) == ("published", 48, 0)
        assert await published_totals(town.town.services, run) == []
        versions = await town.read("published_runs", await town.account("40"))
        assert versions == [(1, publisher_of(run))]


async def test_a_document_made_before_the_crash_and_paid_since_is_remade(town: RunTown) -> None:
    await town.published(OCTOBER)
    run = await town.approved(NOVEMBER)
    services = town.town.services
    account = await town.account("1")
    async with town.pool() as pool:
        connection = await pool.acquire()
        await connection.execute(SQL["skip_approval"], run)
        await charge_chunk(connection, Printing(run, NOVEMBER, utc_now().date()), "month", [account])
    assert [row[1:2] for row in await town.read("documents", run)] == [("charged",)]
    await town.town.pay(account, 302_000)
    assert (await town.publish(run)).published == 12
    assert {row[0]: row[5] for row in await town.read("documents", run)}["1"] == 302_000
    assert await table_sums(town, "1") == (302_000, 2 * 50_800)
    assert await published_totals(services, run) == []


async def test_a_table_published_before_the_crash_keeps_its_document(town: RunTown) -> None:
    run = await town.approved(OCTOBER)
    account = await town.account("1")
    async with town.pool() as pool:
        connection = await pool.acquire()
        await connection.execute(SQL["skip_approval"], run)
        await charge_chunk(connection, Printing(run, OCTOBER, utc_now().date()), "month", [account])
        await publish_accounts(connection, [account], utc_now(), publisher_of(run))
    await town.town.pay(account, 2_000)
    assert (await town.publish(run)).published == 12
    assert {row[0]: row[5] for row in await town.read("documents", run)}["1"] == 302_000
    assert await table_sums(town, "1") == (300_000, 50_800)
    assert await published_totals(town.town.services, run) == []


@pytest.mark.parametrize("books", [1, 3])
async def test_payments_meanwhile_are_not_lost(ledger_database: LedgerDatabase, books: int) -> None:
    async with run_town(ledger_database, houses=10, flats=4, books=books) as town:
        await town.published(OCTOBER)
        run = await town.approved(NOVEMBER)
        accounts = [await town.account(str(number)) for number in range(1, 41)]
        payer = await asyncpg.connect(ledger_database.services_dsn)
        paying = type(town.town)(town.town.owner, payer)
        stop = asyncio.Event()
        booked = dict.fromkeys(accounts, 0)

        async def pay_on() -> None:
            while not stop.is_set():
                for account in accounts:
                    if (await paying.pay(account, 101)).status is AppendStatus.RECORDED:
                        booked[account] += 101

        task = asyncio.create_task(pay_on())
        report = await town.publish(run, chunk=8)
        stop.set()
        await task
        payer.terminate()
        while report.parked_count:
            report = await town.publish(run)
        assert (report.state, report.published) == ("published", 40)
        assert sum(booked.values()) > 0
        assert await published_totals(town.town.services, run) == []
        for number, account in enumerate(accounts):
            area = 40 + number % 4
            main, repair = await table_sums(town, str(number + 1))
            assert main + repair == 2 * area * (75_50 + 12_70) - booked[account]


async def test_one_account_is_recalculated_alone_and_no_other_table_is_touched(town: RunTown) -> None:
    await town.published(OCTOBER)
    await town.town.pay(await town.account("2"), 100_000)
    before = dict([(row[0], row[1:]) for row in await town.read("everything")])
    town.stock.prices["heating", OCTOBER] = 40_000_000
    run = await town.approved(OCTOBER, accounts=("2",))
    known = await fetch_run(town.town.services, run)
    assert (known.kind, known.scope, known.accounts, known.lines) == ("recalculation", "accounts", 1, 3)
    report = await town.publish(run)
    assert (report.published, report.unchanged) == (1, 0)
    after = dict([(row[0], row[1:]) for row in await town.read("everything")])
    assert [name for name in after if after[name] != before[name]] == ["2"]
    (document,) = await town.read("documents", run)
    assert document[3:6] == (f"2-{OCTOBER}/2", 2, 41 * 70_00 - 100_000)
    assert await table_sums(town, "2") == (41 * 70_00 - 100_000, 41 * 12_70)
    assert await published_totals(town.town.services, run) == []


async def test_recalculating_to_the_same_touches_nothing(town: RunTown) -> None:
    await town.published(OCTOBER)
    before = await town.read("everything")
    run = await town.approved(OCTOBER, houses=("h1",))
    report = await town.publish(run)
    assert (report.published, report.unchanged) == (0, 4)
    assert await town.read("everything") == before


async def test_a_month_issued_late_is_due_later_and_a_recalculation_keeps_its_days(town: RunTown) -> None:
    asked: list[tuple[int, date]] = []

    def late(period: int, issued_on: date) -> date:
        asked.append((period, issued_on))
        return date(2026, 11, 15) + (issued_on - date(2026, 11, 5))

    town.due_date, town.clock = late, lambda: datetime(2026, 11, 9, 22, 30, tzinfo=UTC)
    await town.published(OCTOBER)
    assert asked == [(OCTOBER, date(2026, 11, 10))], "the day is Moscow's"
    account = await town.account("2")
    assert await town.read("due_dates", account, OCTOBER) == [(date(2026, 11, 20),)]
    town.clock = lambda: datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    before = await town.read("everything")
    unchanged = await town.publish(await town.approved(OCTOBER, houses=("h2",)))
    assert (unchanged.published, unchanged.unchanged) == (0, 4) and await town.read("everything") == before
    town.stock.prices["heating", OCTOBER] = 40_000_000
    run = await town.published(OCTOBER, houses=("h1",))
    assert await town.read("due_dates", account, OCTOBER) == [(date(2026, 11, 20),)]
    assert {row[8] for row in await town.read("documents", run)} == {date(2026, 11, 20)}


async def test_what_is_charged_no_more_comes_to_nought(town: RunTown) -> None:
    await town.published(OCTOBER)
    town.stock.services = ("maintenance", "capital_repair")
    run = await town.published(OCTOBER, houses=("h1",))
    charges = {service: amount for _, service, _, amount in await town.read("charges", await town.account("1"))}
    assert charges == {"heating": 0, "maintenance": 120_000, "capital_repair": 50_800}
    assert await table_sums(town, "1") == (120_000, 50_800)
    assert await published_totals(town.town.services, run) == []


async def test_a_service_below_zero_takes_nothing_and_the_document_prints_it(town: RunTown) -> None:
    town.stock.prices["maintenance", OCTOBER] = -1_000_000
    run = await town.draft(OCTOBER)
    report = await town.check(run)
    from services.billing.runs.keeping import acknowledge

    for finding in report.findings:
        if finding.severity == "error":
            await acknowledge(town.town.services, run, finding.finding, town.boris, "решение собрания")
    await approve_run(town.town.services, run, town.boris)
    assert (await town.publish(run)).published == 12
    assert await table_sums(town, "1") == (182_000 - 4_000, 50_800)
    assert (await town.town.pay(await town.account("1"), 178_000)).status is AppendStatus.RECORDED
    assert await published_totals(town.town.services, run) == []
    november = await town.published(NOVEMBER)
    documents = {row[0]: row[5] for row in await town.read("documents", november)}
    assert documents["1"] == 302_000
    assert await published_totals(town.town.services, november) == []


async def test_openings_booked_with_the_publication_are_in_the_document(town: RunTown) -> None:
    account = await town.account("1")
    await town.town.charge(account, "maintenance", 50_000, period=202609, opening_paid=20_000, opening_advance=3_000)
    run = await town.published(OCTOBER)
    documents = {row[0]: row[5] for row in await town.read("documents", run)}
    assert documents["1"] == 302_000 + 30_000 - 3_000
    assert await published_totals(town.town.services, run) == []


async def test_the_proof_finds_what_does_not_agree(town: RunTown) -> None:
    run = await town.published(OCTOBER)
    first, second = await town.account("1"), await town.account("2")
    await town.town.owner.execute(SQL["spoil_charge"], first, OCTOBER)
    await town.town.owner.execute(SQL["spoil_table_sum"], run, second)
    found = {(one.account, one.pool): one for one in await published_totals(town.town.services, run)}
    assert set(found) == {(first, 0), (second, 0)}
    assert (found[first, 0].printed, found[first, 0].owed) == (302_000, 302_002)
    assert (found[second, 0].in_table, found[second, 0].kept) == (41 * 75_50 + 1, 41 * 75_50)


async def test_a_document_that_does_not_fit_its_table_is_parked_and_told(town: RunTown) -> None:
    run = await town.approved(OCTOBER)
    account = await town.account("1")
    await town.town.owner.execute(SQL["forget_names"], account)
    report = await town.publish(run)
    assert (report.state, report.published, report.parked_count) == ("published", 11, 1)
    assert report.parked[0].account == "uo:1" and report.parked[0].reason
    await town.town.owner.execute(SQL["know_names"], account)
    assert (await town.publish(run)).published == 12


async def test_a_load_of_a_file_keeps_publication_out(town: RunTown, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await town.approved(OCTOBER)
    monkeypatch.setattr("services.reference.charge_rows.LOAD_WAIT", "50ms")
    await town.town.owner.fetchval(SQL["lock"], LOCK_KEY)
    with pytest.raises(BaseExceptionGroup) as kept_out:
        await town.publish(run)
    assert kept_out.group_contains(LoadBusy)
    await town.town.owner.fetchval(SQL["unlock"], LOCK_KEY)
    assert (await town.publish(run)).published == 12


async def test_charges_are_written_from_memory_by_the_same_rules(town: RunTown) -> None:
    services = town.town.services
    (heat,) = [row[0] for row in await town.read("recipient", "ТЕПЛО")]
    (provider,) = [row[0] for row in await town.read("recipient", "УО")]
    account = await town.account("1")

    def row(period: int, amount: int) -> ChargeRow:
        due = due_date(period)
        return ChargeRow(
            account=account, creditor=provider, period=period, recipient=heat, service="gas", amount_kopecks=amount, due_date=due
        )

    async def write(*rows: ChargeRow) -> tuple[tuple[int, ...], list[int]]:
        async with services.transaction():
            await begin_staging(services)
            await stage_rows(services, rows)
            written = await write_staged(services)
        return written.touched, list(written.refused)

    assert await write(row(OCTOBER, 100), row(NOVEMBER, 0)) == ((account,), [])
    assert await town.read("charges", account) == [(OCTOBER, "gas", 0, 100)]
    assert await write(row(OCTOBER, 100)) == ((), [])
    assert await write(row(OCTOBER, 90), row(NOVEMBER, 5)) == ((account,), [])
    assert await write(row(OCTOBER, 80)) == ((), [account])
    assert await town.read("charges", account) == [(OCTOBER, "gas", 0, 90), (NOVEMBER, "gas", 0, 5)]
