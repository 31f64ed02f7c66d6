"""What is agreed decides how a cut pays: small sums wait, contracts are required, lists stop, times of cuts are kept."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta

import pytest
from structlog.testing import capture_logs

from services.settlement.composing import DEFERRED, NO_CONTRACT, STOPPED
from services.settlement.pace import keep_settling, settle_now
from services.settlement.registers import RegisterFaulty
from services.settlement.rules.screening import LegalLimit, StopEntry
from services.settlement.terms import (
    CommissionRow,
    ContractRow,
    TermsRefused,
    TransitTerms,
    add_contracts,
    add_legal_limit,
    add_stop_entries,
    read_rows,
    set_service_names,
    set_transit_terms,
)
from tests.conftest import LedgerDatabase
from tests.services.settlement_town import DAY, NOW, SQL, SettlementTown, settlement_town

FIRST = date(2026, 1, 1)
PAYER = ("7728168971", "770801001")
DEADLINE_S = 20


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SettlementTown]:
    async with settlement_town(ledger_database) as founded:
        yield founded


async def next_day(town: SettlementTown, day: date) -> None:
    await town.owner.execute(SQL["roll_day"], town.transit, day)


async def test_small_sums_wait_within_the_limits_of_the_decree(town: SettlementTown) -> None:
    """law.md 1.13: 1 200 + 900 wait, with 3 500 the sum passes 5 000 ₽ and leaves; 600 start anew and leave on the third day.

    The third: 161-ФЗ lets no money stay on the transit account longer, whatever ПП 253 allows.
    """
    row = ContractRow(
        code="v", recipient="VODA", number="В-1", signed_on=FIRST, valid_from=FIRST, defers_small=True, vat_percent=22
    )
    await add_contracts(town.services, [row])
    ordered = []
    for day, amount in ((23, 120_000), (24, 90_000), (25, 350_000), (26, 60_000), (27, 0), (30, 0)):
        await next_day(town, date(2026, 11, day))
        if amount:
            await town.pay(("cold_water", amount))
            await town.cover(amount)
        ordered.append((await town.cut()).ordered)
        await town.assert_sound()
    assert ordered == [0, 0, 560_000, 0, 0, 60_000]
    assert "НДС 22 % – 1009.84" in (await town.orders())[0]["purpose"]


async def test_what_waits_says_why(town: SettlementTown) -> None:
    await set_transit_terms(
        town.services,
        TransitTerms(transit=town.transit, payer_inn=PAYER[0], payer_kpp=PAYER[1], contracts_required=True),
    )
    rows = [
        ContractRow(code="v", recipient="VODA", number="В-1", signed_on=FIRST, valid_from=FIRST, defers_small=True),
        ContractRow(code="u", recipient="UK", number="У-1", signed_on=FIRST, valid_from=FIRST),
        ContractRow(code="f", recipient="FOND", number="Ф-1", signed_on=FIRST, valid_from=FIRST, valid_to=date(2026, 11, 23)),
    ]
    assert await add_contracts(town.services, rows) == 3
    assert await add_contracts(town.services, rows) == 0
    await town.stop("UK", DAY)
    await town.pay(("heating", 1), ("cold_water", 2), ("maintenance", 3), ("capital_repair", 4))
    await town.cover(10)
    assert (await town.cut()).ordered == 0
    assert {service: reason.partition(":")[0] for service, (_, reason) in (await town.carried()).items()} == {
        "heating": NO_CONTRACT,
        "cold_water": DEFERRED.partition(":")[0],
        "maintenance": STOPPED,
        "capital_repair": NO_CONTRACT,
    }
    await town.assert_sound()


async def test_a_name_that_is_alike_and_a_legal_limit_want_two_people(town: SettlementTown) -> None:
    alike = StopEntry(list_code="test", reference="1", name="ООО VODAA", since=FIRST)
    await add_stop_entries(town.services, [alike])
    await add_legal_limit(
        town.services, LegalLimit(since=FIRST, operation="transfer", amount_kopecks=100, inclusive=True, source="test")
    )
    await town.pay(("heating", 100), ("cold_water", 2), ("maintenance", 99))
    await town.cover(201)
    await town.cut()
    assert {order["code"]: order["approvals_needed"] for order in await town.orders()} == {"TEPLO": 2, "VODA": 2, "UK": 0}


async def test_a_register_a_bank_would_refuse_does_not_leave(town: SettlementTown) -> None:
    await set_transit_terms(town.services, TransitTerms(transit=town.transit, payer_inn="1", payer_kpp=""))
    await town.pay(("heating", 1))
    await town.cover(1)
    await town.cut()
    with pytest.raises(RegisterFaulty, match=r"payer\.inn"):
        await town.send()
    assert await town.owner.fetch(SQL["outgoing"]) == []
    assert [order["state"] for order in await town.orders()] == [1]


async def test_settle_now_pays_what_a_debt_kept_back_frees(town: SettlementTown) -> None:
    first = await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    await town.reverse(first)
    row = ContractRow(code="t", recipient="TEPLO", number="Т-1", signed_on=FIRST, valid_from=date(2026, 11, 25), nets_debts=True)
    await add_contracts(town.services, [row])
    await next_day(town, date(2026, 11, 25))
    await town.pay(("cold_water", 300))
    await town.pay(("hot_water", 900), space=1)
    await town.cover(900, space=1)
    await town.fold()
    assert [report.ordered for report in await settle_now(town.services, NOW)] == [200, 300]
    assert len(await town.owner.fetch(SQL["outgoing"])) == 3, "a register a cut; the first had not left yet"
    await town.assert_sound()


async def test_the_settling_task_cuts_at_its_time_and_sends(town: SettlementTown) -> None:
    terms = TransitTerms(transit=town.transit, payer_inn=PAYER[0], payer_kpp=PAYER[1], cut_times=(time(14, 0),))
    await set_transit_terms(town.services, terms)
    await town.pay(("heating", 700))
    await town.cover(700)
    await town.fold()
    stop = asyncio.Event()
    moment = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)
    task = asyncio.create_task(keep_settling(town.database.services_dsn, lambda: moment, stop))
    async with asyncio.timeout(DEADLINE_S):
        while not await town.owner.fetch(SQL["outgoing"]):
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(task, DEADLINE_S)
    assert [order["state"] for order in await town.orders()] == [2]
    await town.assert_sound()


async def settling(town: SettlementTown, until: Callable[[], Awaitable[bool]]) -> None:
    """Let the task cut again and again, whatever the hour, until something is so; it must end in order."""
    stop = asyncio.Event()
    began = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
    ticks = itertools.count()

    def clock() -> datetime:
        return began + timedelta(seconds=next(ticks))

    task = asyncio.create_task(keep_settling(town.database.services_dsn, clock, stop, every_s=1))
    async with asyncio.timeout(DEADLINE_S):
        while not await until():
            assert not task.done(), task
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.wait_for(task, DEADLINE_S)


async def test_a_demo_cuts_every_few_seconds(town: SettlementTown) -> None:
    await town.pay(("heating", 700))
    await town.cover(700)
    await town.fold()

    async def registers(count: int) -> bool:
        return len(await town.owner.fetch(SQL["outgoing"])) == count

    await settling(town, lambda: registers(1))
    await town.pay(("cold_water", 300))
    await town.cover(300)
    await town.fold()
    await settling(town, lambda: registers(2))
    await town.assert_sound()


async def test_numbers_that_have_run_out_stop_the_cut_and_not_the_task(town: SettlementTown) -> None:
    await town.pay(("heating", 700))
    await town.cover(700)
    await town.cut()
    await town.owner.execute(SQL["exhaust_numbers"])
    await town.pay(("cold_water", 300))
    await town.cover(300)
    await town.fold()
    with capture_logs() as logs:

        async def refused() -> bool:
            return any(one["event"] == "not_settled" and "orders of one day" in one["reason"] for one in logs)

        await settling(town, refused)
    assert len(await town.orders()) == 1, "the money waits for the next day"


async def test_a_purpose_names_services_that_have_a_name(town: SettlementTown) -> None:
    await set_service_names(town.services, {"heating": "отопление", "hot_water": "горячая вода"})
    await town.pay(("hot_water", 1), ("heating", 1), ("cold_water", 1))
    await town.cover(3)
    await town.cut()
    purposes = {order["code"]: order["purpose"] for order in await town.orders()}
    assert purposes["TEPLO"].startswith("Перевод платежей населения: отопление, горячая вода, реестр")
    assert purposes["VODA"].startswith("Перевод платежей населения, реестр")


def test_rows_are_read_or_named() -> None:
    line = b'{"code":"t","recipient":"TEPLO","number":"1","signed_on":"2026-01-01","valid_from":"2026-01-01"}'
    assert [row.code for row in read_rows([line, b"\n"], ContractRow)] == ["t"]
    for wrong in (b"{", b'{"code":1}', line[:-1] + b',"x":1}'):
        with pytest.raises(TermsRefused, match="строка 2"):
            read_rows([line, wrong], ContractRow)
    with pytest.raises(TermsRefused):
        read_rows([line], CommissionRow)
