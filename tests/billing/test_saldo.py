"""Balances and the turnover sheet against figures reckoned by hand, and the check that finds one moved kopeck."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import asyncpg
import pytest

from services.billing.saldo.filling import Only
from services.billing.saldo.sheet import Ask, Level, SheetRow, read_owed, read_sheet
from services.billing.saldo.windows import SaldoRefused, find_provider
from tests.billing.saldo_town import (
    DECEMBER,
    JANUARY,
    NOVEMBER,
    OCTOBER,
    ONE,
    TWO,
    SaldoTown,
    december,
    november,
    saldo_town,
)
from tests.conftest import LedgerDatabase


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[SaldoTown]:
    """November as ``saldo_town.november`` tells it."""
    async with saldo_town(ledger_database) as made:
        await november(made)
        yield made


def balances(row: SheetRow) -> tuple[int, int, int, int]:
    return row.opening_debt, row.opening_advance, row.closing_debt, row.closing_advance


def movement(row: SheetRow) -> int:
    return row.charges + row.paid + row.elsewhere + row.given_back + row.others


async def test_a_month_as_it_is_reckoned_by_hand(town: SaldoTown) -> None:
    (total,) = await town.sheet(NOVEMBER)
    assert balances(total) == (25_000, 0, 35_150, 2_000)
    assert (total.charged, total.recalculated, total.late, total.penalties, total.costs) == (40_000, 0, 0, 150, 0)
    assert (total.received, total.given_back, total.others) == (32_000, 0, 0)
    by_service = {(row.creditor, row.recipient, row.service, row.kind): row for row in await town.sheet(NOVEMBER, Level.SERVICE)}
    assert balances(by_service["УО", "ТЕПЛО", "heating", 0]) == (15_000, 0, 21_000, 0)
    assert balances(by_service["УО", "УО", "maintenance", 0]) == (10_000, 0, 11_000, 0)
    assert balances(by_service["УО", "УО", "maintenance", 1]) == (0, 0, 150, 0)
    assert balances(by_service["ФКР", "ФКР", "capital_repair", 0]) == (0, 0, 3_000, 0)
    (advance,) = [row for row in by_service.values() if row.kind == 3]
    assert balances(advance) == (0, 0, 0, 2_000)
    assert [row.creditor for row in await town.sheet(NOVEMBER, Level.CREDITOR)] == ["УО", "ФКР"]
    assert [balances(row) for row in await town.sheet(NOVEMBER, Level.ACCOUNT)] == [(25_000, 0, 35_150, 0), (0, 0, 0, 2_000)]
    assert [row.account for row in await town.sheet(NOVEMBER, Level.ACCOUNT)] == ["uo:1", "uo:2"]


async def test_a_closed_month_reads_as_it_did_and_the_next_goes_on(town: SaldoTown) -> None:
    before = [await town.sheet(NOVEMBER, level) for level in Level]
    await december(town)
    assert [await town.sheet(NOVEMBER, level) for level in Level] == before
    (total,) = await town.sheet(DECEMBER)
    assert (total.opening_debt, total.opening_advance) == (35_150, 2_000)
    assert (total.charged, total.late, total.received) == (16_000, 700, 13_000)
    assert (total.reversed, total.refunded, total.opened) == (9_000, 1_500, 0)
    assert total.closing_debt - total.closing_advance == 47_350
    # The advance of account 2 was offset against its December.
    offsets = {(row.service, row.kind): row.offsets for row in await town.sheet(DECEMBER, Level.SERVICE) if row.offsets}
    assert offsets == {("maintenance", 0): -2_000, ("advance", 3): 2_000}
    for level in Level:
        rows = await town.sheet(DECEMBER, level)
        assert sum(row.closing_debt - row.closing_advance for row in rows) == 47_350
        assert all(
            row.opening_debt - row.opening_advance + movement(row) == row.closing_debt - row.closing_advance for row in rows
        )


async def test_a_payment_of_a_closed_months_day_is_the_next_months(town: SaldoTown) -> None:
    await town.close(NOVEMBER)
    await town.pay(ONE, 1_000)
    (before,), (after,) = await town.sheet(NOVEMBER), await town.sheet(DECEMBER)
    assert before.received == 32_000
    assert (after.opening_debt, after.received) == (35_150, 1_000)
    report = await town.check(DECEMBER)
    assert report.disagreements == ()
    assert sum(one.amount for one in report.apart if "прошлых месяцев" in one.what) == 1_000
    report = await town.check(NOVEMBER)
    assert report.disagreements == ()
    assert sum(one.amount for one in report.apart if "войдёт в следующий" in one.what) == 1_000


async def test_balances_of_a_day_and_of_one_account(town: SaldoTown) -> None:
    await december(town)
    owed = {(one.service, one.period, one.kind): one.amount for one in await read_owed(town.services, "uo:1", date(2026, 11, 23))}
    assert owed == {("heating", OCTOBER, 0): 15_700, ("maintenance", OCTOBER, 0): 10_000}
    owed = {(one.service, one.period, one.kind): one.amount for one in await read_owed(town.services, "uo:1", date(2026, 11, 30))}
    assert owed == {
        ("heating", OCTOBER, 0): 700,
        ("heating", NOVEMBER, 0): 21_000,
        ("maintenance", NOVEMBER, 0): 11_000,
        ("maintenance", NOVEMBER, 1): 150,
        ("capital_repair", NOVEMBER, 0): 3_000,
    }
    assert sum(one.amount for one in await read_owed(town.services, "uo:1", None)) + 5_000 - 2_000 == 47_350
    with pytest.raises(SaldoRefused, match="uo:9"):
        await read_owed(town.services, "uo:9", None)


async def test_some_accounts_and_value_dates(town: SaldoTown) -> None:
    await december(town)
    provider = await find_provider(town.services, "УО")
    (row,) = await read_sheet(
        town.services, Ask(provider=provider, period=DECEMBER, level=Level.ACCOUNT, only=Only(accounts=(TWO,)))
    )
    assert (row.account, row.opening_advance, row.charged) == ("uo:2", 2_000, 5_000)
    assert await town.sheet(DECEMBER, only=Only(houses=("нет",))) == ()
    today = town.today()
    period = today.year * 100 + today.month
    (by_value,) = await town.sheet(period, by_value=True)
    assert by_value.received - by_value.given_back == 32_000 + 13_000 - 10_500
    with pytest.raises(SaldoRefused, match="нет в справочнике"):
        await find_provider(town.services, "никто")


async def test_an_account_goes_to_another_provider(town: SaldoTown) -> None:
    await town.close(NOVEMBER)
    await town.owner.execute(*town.statement("move_account", TWO, "ТЕПЛО"))
    left = {row.service: row for row in await town.sheet(DECEMBER, Level.SERVICE) if row.kind == 3}
    (advance,) = left.values()
    assert (balances(advance), advance.others) == ((0, 2_000, 0, 0), 2_000)
    heat = await find_provider(town.services, "ТЕПЛО")
    (taken,) = await read_sheet(town.services, Ask(provider=heat, period=DECEMBER))
    assert (taken.closing_debt, taken.closing_advance) == (0, 2_000)
    assert (await town.check(DECEMBER)).disagreements == ()


async def test_the_check_agrees(town: SaldoTown) -> None:
    for period in (OCTOBER, NOVEMBER, DECEMBER):
        assert (await town.check(period)).disagreements == ()
    await december(town)
    for period in (NOVEMBER, DECEMBER):
        report = await town.check(period)
        assert report.disagreements == ()
        assert (report.accounts, report.tables, report.behind) == (2, 2, 0)
    await town.close(DECEMBER)
    await town.next_day(1)
    await town.charge(ONE, JANUARY, {"maintenance": 11_000})
    await town.pay(ONE, 11_000)
    for period in (NOVEMBER, DECEMBER, JANUARY):
        assert (await town.check(period)).disagreements == ()


@pytest.mark.parametrize(
    ("letter", "period", "statement", "arguments"),
    [
        ("a", NOVEMBER, "spoil_snapshot", (NOVEMBER, ONE)),
        ("a", NOVEMBER, "spoil_sheet", (NOVEMBER,)),
        ("a", DECEMBER, "spoil_snapshot", (NOVEMBER, ONE)),
        ("b", NOVEMBER, "spoil_read_model", ()),
        ("b", NOVEMBER, "spoil_payee", ()),
        ("c", DECEMBER, "change", (ONE, "maintenance", DECEMBER, 1)),
        ("d", DECEMBER, "spoil_snapshot", (NOVEMBER, ONE)),
        ("d", DECEMBER, "spoil_closing_sheet", (NOVEMBER,)),
    ],
)
async def test_a_kopeck_moved_by_the_owner_is_found(
    town: SaldoTown, letter: str, period: int, statement: str, arguments: tuple[Any, ...]
) -> None:
    await december(town)
    assert (await town.check(period)).disagreements == ()
    await town.spoil(statement, *arguments)
    assert letter in {one.letter for one in (await town.check(period)).disagreements}


async def test_a_closed_month_never_changes(town: SaldoTown) -> None:
    await town.close(NOVEMBER)
    for statement, arguments in (("spoil_snapshot", (NOVEMBER, ONE)), ("spoil_sheet", (NOVEMBER,))):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="never changes"):
            await town.owner.execute(*town.statement(statement, *arguments))
