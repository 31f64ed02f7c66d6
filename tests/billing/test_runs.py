"""A month's life on a real ledger: draft, checks, two people, dropping, closing (docs/billing-months.md)."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import asyncpg
import pytest

from kopeck.clock import utc_now
from schemas.allocation import Pool
from services.billing.core.lines import LineKind
from services.billing.core.month import Adjustment
from services.billing.runs.checking import fetch_checks
from services.billing.runs.documents import published_totals
from services.billing.runs.drafting import draft_chunk, draft_run
from services.billing.runs.keeping import (
    Person,
    RunRefused,
    Scope,
    acknowledge,
    add_adjustments,
    approve_run,
    begin_run,
    close_month,
    drop_run,
    fetch_run,
    list_runs,
)
from tests.billing.run_town import DECEMBER, NOVEMBER, OCTOBER, SQL, RunTown, run_town
from tests.conftest import LedgerDatabase


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[RunTown]:
    async with run_town(ledger_database) as made:
        yield made


async def test_a_month_lives_from_draft_to_closing(town: RunTown) -> None:
    services = town.town.services
    run = await town.draft(OCTOBER)
    drafted = await fetch_run(services, run)
    assert (drafted.state, drafted.kind, drafted.houses, drafted.accounts, drafted.lines) == ("draft", "month", 3, 12, 36)
    report = await town.check(run)
    assert report.state == "checked" and sum(total.amount_kopecks for total in report.totals) == drafted.amount
    assert await approve_run(services, run, town.boris)
    published = await town.publish(run)
    assert (published.state, published.published, published.parked_count) == ("published", 12, 0)
    account = await town.account("1")
    assert await town.read("charges", account) == [
        (OCTOBER, "heating", Pool.MAIN, 182_000),
        (OCTOBER, "maintenance", Pool.MAIN, 120_000),
        (OCTOBER, "capital_repair", Pool.CAPITAL_REPAIR, 50_800),
    ]
    assert await town.read("printed", account) == [(OCTOBER, 0, 302_000), (OCTOBER, 1, 50_800)]
    assert await published_totals(services, run) == []
    assert await town.read("due") == []
    assert await close_month(services, OCTOBER, town.boris) == ("УО",)
    assert (await fetch_run(services, run)).state == "closed"


async def test_debt_payments_and_advances_stand_in_the_next_document(town: RunTown) -> None:
    await town.published(OCTOBER)
    first, second = await town.account("1"), await town.account("2")
    await town.town.pay(first, 100_000)
    await town.town.pay(second, 1_000_000)
    run = await town.published(NOVEMBER)
    documents = {row[0]: row for row in await town.read("documents", run)}
    assert documents["1"][5:7] == (2 * 302_000 - 100_000, 2 * 50_800)
    over = 1_000_000 - 41 * 75_50 - 41 * 12_70
    assert documents["2"][5:7] == (41 * 75_50 - over, 41 * 12_70)
    assert documents["1"][3] == f"1-{NOVEMBER}"
    assert await published_totals(town.town.services, run) == []


async def test_the_maker_does_not_approve_in_whatever_case(town: RunTown) -> None:
    run = await town.draft(OCTOBER)
    await town.check(run)
    services = town.town.services
    with pytest.raises(RunRefused, match="второе лицо"):
        await approve_run(services, run, Person(name=" аННА ", at=utc_now()))
    with pytest.raises(asyncpg.CheckViolationError, match="run_second_person"):
        await services.execute(SQL["approve_oneself"], run)
    with pytest.raises(asyncpg.CheckViolationError):
        await services.execute(SQL["skip_approval"], run)
    assert await approve_run(services, run, town.boris)
    assert not await approve_run(services, run, town.boris)
    with pytest.raises(RunRefused, match="approved"):
        await approve_run(services, run, Person(name="Вера", at=utc_now()))


async def test_lines_never_change_once_checked(town: RunTown) -> None:
    run = await town.published(OCTOBER)
    owner = town.town.owner
    for crime in ("change_line", "add_line", "delete_line", "delete_terms", "reprint"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await owner.execute(SQL[crime], run)
    with pytest.raises(RunRefused, match="не отменяются"):
        await drop_run(town.town.services, run, town.anna)


async def test_an_unpublished_run_is_dropped_and_calculated_again(town: RunTown) -> None:
    run = await town.approved(OCTOBER)
    with pytest.raises(RunRefused, match="уже считается"):
        await town.begin(OCTOBER)
    with pytest.raises(RunRefused, match="незавершённый"):
        await close_month(town.town.services, OCTOBER, town.boris)
    assert await drop_run(town.town.services, run, town.boris)
    assert not await drop_run(town.town.services, run, town.boris)
    assert await town.read("count_lines", run) == [(0,)]
    town.stock.prices["heating", OCTOBER] = 50_000_000
    again = await town.published(OCTOBER)
    assert (await town.read("charges", await town.account("1")))[0] == (OCTOBER, "heating", 0, 200_000)
    assert await list_runs(town.town.services, OCTOBER, "УО") == (run, again)
    with pytest.raises(RunRefused, match="уже рассчитан"):
        await town.begin(OCTOBER)


async def test_a_house_that_cannot_be_read_is_parked_and_tried_again(town: RunTown) -> None:
    town.stock.unreadable.add("h2")
    run = await town.draft(OCTOBER)
    assert await town.read("houses", run) == [("h1", "done", ""), ("h2", "parked", "нет площади"), ("h3", "done", "")]
    with pytest.raises(RunRefused, match="h2: нет площади"):
        await town.check(run)
    town.stock.unreadable.clear()
    async with town.pool() as pool:
        await draft_run(pool, run, town.drafting)
    assert (await town.check(run)).state == "checked"
    with pytest.raises(RunRefused, match="не черновик"):
        await draft_chunk(town.town.services, town.town.owner, run, town.drafting)


async def test_an_account_the_ledger_does_not_know_parks_its_house(town: RunTown) -> None:
    town.stock.houses["h1"].append(("999", 40))
    town.stock.houses["h3"].append(("4", 40))
    run = await town.draft(OCTOBER)
    reasons = {house: reason for house, _, reason in await town.read("houses", run)}
    assert "нет в справочнике: 999" in reasons["h1"]
    assert not reasons["h3"]
    town.stock.houses["h1"].pop()
    async with town.pool() as pool:
        await draft_run(pool, run, town.drafting)
    reasons = {house: reason for house, _, reason in await town.read("houses", run)}
    assert "и в другом доме: 1" in reasons["h1"]


async def test_drafting_goes_on_after_its_connection_died(ledger_database: LedgerDatabase) -> None:
    async with run_town(ledger_database, houses=40, flats=2) as town:
        run = await town.begin(OCTOBER)
        open_: list[asyncpg.Connection] = []

        async def keep(connection: asyncpg.Connection) -> None:
            open_.append(connection)

        def kill(reading: int) -> None:
            if reading == 3:
                for connection in open_:
                    connection.terminate()

        town.stock.on_reading = kill
        async with town.pool(init=keep) as pool:
            with pytest.raises(BaseExceptionGroup) as died:
                await draft_run(pool, run, town.drafting)
        assert died.group_contains((asyncpg.InterfaceError, asyncpg.PostgresConnectionError))
        half = await fetch_run(town.town.services, run)
        assert 0 < half.waiting < half.houses == 40
        done = count()
        async with town.pool() as pool:
            await draft_run(pool, run, town.drafting, lambda houses: [next(done) for _ in range(houses)] and None)
        assert next(done) == half.waiting
        whole = await fetch_run(town.town.services, run)
        assert (whole.waiting, whole.accounts, whole.lines) == (0, 80, 240)
        assert (await town.check(run)).state == "checked"


async def test_several_processes_draft_one_run_and_no_house_twice(ledger_database: LedgerDatabase) -> None:
    async with run_town(ledger_database, houses=40, flats=2) as town:
        run = await town.begin(OCTOBER)
        async with town.pool() as first, town.pool() as second:
            await asyncio.gather(draft_run(first, run, town.drafting), draft_run(second, run, town.drafting))
        assert (await fetch_run(town.town.services, run)).lines == 240
        assert await town.read("count_lines", run) == [(240,)]


async def test_of_two_drafts_begun_at_once_one_is_refused(town: RunTown) -> None:
    async def begin(connection: asyncpg.Connection) -> int | RunRefused:
        try:
            return await begin_run(connection, town.stock, Scope(provider="УО", period=OCTOBER), town.anna)
        except RunRefused as refused:
            return refused

    async with town.pool() as pool, pool.acquire() as first, pool.acquire() as second:
        answers = await asyncio.gather(begin(first), begin(second))
    assert sorted(type(answer) is int for answer in answers) == [False, True]
    assert len(await list_runs(town.town.services, OCTOBER)) == 1


async def test_errors_stop_approval_until_somebody_answers_for_them(town: RunTown) -> None:
    town.stock.prices["maintenance", OCTOBER] = -1_000_000
    run = await town.draft(OCTOBER)
    report = await town.check(run)
    kinds = {kind.name: (kind.severity, kind.found) for kind in report.kinds}
    assert kinds["negative_line"] == ("error", 12) and kinds["service_below_zero"] == ("error", 1)
    services = town.town.services
    with pytest.raises(RunRefused, match="ошибок без ответа: 13"):
        await approve_run(services, run, town.boris)
    for finding in report.findings:
        if finding.severity == "error":
            await acknowledge(services, run, finding.finding, town.boris, "возврат по решению собрания")
    with pytest.raises(RunRefused, match="без ответа"):
        await acknowledge(services, run, report.findings[0].finding, town.boris, "ещё раз")
    assert await approve_run(services, run, town.boris)
    assert all(one.why for one in (await fetch_checks(services, run)).findings if one.severity == "error")


async def test_a_jump_against_last_month_is_told(town: RunTown) -> None:
    await town.published(OCTOBER)
    town.stock.prices["heating", NOVEMBER] = 145_500_000
    report = await town.check(await town.draft(NOVEMBER))
    kinds = {kind.name: kind.found for kind in report.kinds}
    assert kinds["jump"] == 12 and kinds["service_jump"] == 1
    (heating,) = [total for total in report.totals if total.service == "heating"]
    assert (heating.previous_kopecks * 145_5 // 455, heating.recipient) == (heating.amount_kopecks, "ТЕПЛО")


async def test_charges_from_elsewhere_are_not_replaced_unasked(town: RunTown) -> None:
    account = await town.account("1")
    await town.town.charge(account, "heating", 500, period=OCTOBER)
    report = await town.check(await town.draft(OCTOBER))
    assert [(one.name, one.account) for one in report.findings] == [("foreign_charges", "uo:1")]


async def test_a_closed_month_is_corrected_in_the_open_one(town: RunTown) -> None:
    await town.published(OCTOBER)
    services = town.town.services
    await close_month(services, OCTOBER, town.boris)
    for scope in ({}, {"houses": ("h1",)}, {"accounts": ("1",)}):
        with pytest.raises(RunRefused, match="месяц закрыт"):
            await town.begin(OCTOBER, **scope)
    with pytest.raises(asyncpg.CheckViolationError, match="closed for good"):
        await town.town.owner.execute(SQL["reopen"], OCTOBER)
    account = await town.account("1")
    decided = Adjustment(
        service="heating", kind=LineKind.CORRECTION, amount_kopecks=-5_000, cause="верные показания", of_period=OCTOBER
    )
    with pytest.raises(RunRefused, match="месяц закрыт"):
        await add_adjustments(services, ("УО", OCTOBER), [(account, decided)], town.anna)
    await add_adjustments(services, ("УО", NOVEMBER), [(account, decided)], town.anna)
    run = await town.published(NOVEMBER)
    lines = [line for line in await town.read("lines", run) if line[2] == LineKind.CORRECTION]
    assert lines == [("1", "heating", LineKind.CORRECTION, -5_000, OCTOBER)]
    charges = {(period, service): amount for period, service, _, amount in await town.read("charges", account)}
    assert charges[OCTOBER, "heating"] == 182_000 and charges[NOVEMBER, "heating"] == 177_000
    assert await published_totals(services, run) == []


async def test_a_correction_of_a_service_no_longer_supplied_finds_its_payee(town: RunTown) -> None:
    await town.published(OCTOBER)
    services = town.town.services
    decided = Adjustment(service="heating", kind=LineKind.FINE, amount_kopecks=-7_000, cause="штраф", of_period=OCTOBER)
    await add_adjustments(services, ("УО", NOVEMBER), [(await town.account("1"), decided)], town.anna)
    town.stock.services = ("maintenance", "capital_repair")
    run = await town.draft(NOVEMBER)
    (error,) = [one for one in (await town.check(run)).findings if one.severity == "error"]
    assert (error.name, error.service) == ("service_below_zero", "heating")
    await acknowledge(services, run, error.finding, town.boris, "отопления больше нет, штраф за октябрь")
    await approve_run(services, run, town.boris)
    assert (await town.publish(run)).published == 12
    charges = await town.read("charges", await town.account("1"))
    assert (NOVEMBER, "heating", 0, -7_000) in charges
    documents = {row[0]: row[5] for row in await town.read("documents", run)}
    assert documents["1"] == 302_000 + 120_000 - 7_000
    assert await published_totals(services, run) == []


async def test_closing_waits_for_parked_accounts(town: RunTown) -> None:
    run = await town.approved(NOVEMBER, houses=("h1",))
    account = await town.account("1")
    await town.town.charge(account, "heating", 500, period=NOVEMBER)
    await town.town.publish(account)
    await town.town.owner.execute(SQL["load_charge"], account, DECEMBER)
    report = await town.publish(run)
    assert report.parked_count == 1 and report.parked[0].account == "uo:1"
    assert "published period never change" in report.parked[0].reason
    with pytest.raises(RunRefused, match="неопубликованные"):
        await close_month(town.town.services, NOVEMBER, town.boris)


async def test_a_sum_decided_after_the_draft_keeps_the_month_open_until_it_is_charged(town: RunTown) -> None:
    await town.published(OCTOBER)
    await town.published(NOVEMBER)
    services, account = town.town.services, await town.account("3")
    decided = Adjustment(service="heating", kind=LineKind.CORRECTION, amount_kopecks=700, cause="площадь", of_period=OCTOBER)
    await add_adjustments(services, ("УО", NOVEMBER), [(account, decided), (account, decided)], town.anna)
    with pytest.raises(RunRefused, match="решённые после"):
        await close_month(services, NOVEMBER, town.boris)
    run = await town.published(NOVEMBER, accounts=("3",))
    charges = {(period, service): amount for period, service, _, amount in await town.read("charges", account)}
    assert charges[NOVEMBER, "heating"] == charges[OCTOBER, "heating"] + 1_400
    assert await published_totals(services, run) == []
    assert await close_month(services, NOVEMBER, town.boris) == ("УО",)
