"""Balances, names, cuts and bank days on a real ledger."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import asyncpg
import pytest

from ledger.balances import (
    Turnover,
    cut_at_entry,
    cut_now,
    find_cut,
    identities_of,
    journal_balances,
    projected_balances,
    read_proof,
)
from ledger.chart import AccountKind, ledger_account
from ledger.feed import Connection, list_account_entries, list_heads
from ledger.names import Names, UnknownName, fetch_names
from schemas.ids import Book, LedgerAccount, Sequence
from services.balances.consumer import BalancesConsumer
from services.days import (
    CONFLICT_OPEN,
    NEXT_NOT_LATER,
    WRONG_DAY,
    CutOff,
    DayNotClosed,
    close_day,
    list_open_days,
    next_open_day,
    roll_days,
)
from services.postings.consumer import PostingsConsumer
from services.postings.statement import list_day_turnovers, read_statement
from services.runner import catch_up
from tests.conftest import LedgerDatabase
from tests.read_town import DAY, SQL, TRANSIT_ACCOUNT, Town, build_town

TUESDAY, WEDNESDAY = DAY, date(2026, 11, 25)


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[Town]:
    """A town with payments, suspense and a cover."""
    built = await build_town(ledger_database.owner_dsn)
    await built.pay_many([(account, 300_000) for account in built.tables])
    await built.suspend(777)
    await built.cover(500_000)
    yield built
    await built.connection.close()


@pytest.fixture
async def services(ledger_database: LedgerDatabase) -> AsyncIterator[Connection]:
    """A connection of the services' role."""
    connection = await asyncpg.connect(ledger_database.services_dsn)
    yield connection
    await connection.close()


@pytest.fixture
def names() -> Names:
    """Registers in which one pair of names is ambiguous."""
    return Names(
        transits={1: TRANSIT_ACCOUNT},
        spaces={101: "bank-feed"},
        channels={7: "feed"},
        recipients={3: "UK"},
        payees={1: "UK:heat", 2: "A:B:c", 3: "A:B:c"},
        pairs={},
    )


@pytest.mark.parametrize(
    ("kind", "transit", "subject", "name"),
    [
        (AccountKind.TRANSIT, 1, 0, f"transit:{TRANSIT_ACCOUNT}"),
        (AccountKind.CLEARING, 1, 101, f"clearing:{TRANSIT_ACCOUNT}:bank-feed"),
        (AccountKind.PAYABLE, 1, 1, f"payable:{TRANSIT_ACCOUNT}:UK:heat"),
        (AccountKind.SUSPENSE, 1, 7, f"suspense:{TRANSIT_ACCOUNT}:feed"),
        (AccountKind.RECEIVABLE, 1, 3, f"receivable:{TRANSIT_ACCOUNT}:UK"),
        (AccountKind.HELD, 2, 0, "held:#2"),
        (AccountKind.OUTSIDE, 0, 3, "outside:UK"),
        (AccountKind.SETTLED, 0, 1, "settled:UK:heat"),
        (AccountKind.PAYABLE, 9, 99, "payable:#9:#99"),
        (AccountKind.IN_TRANSFER, 0, 5, "in_transfer:#5"),
    ],
)
def test_every_account_has_a_name_that_leads_back(names: Names, kind: AccountKind, transit: int, subject: int, name: str) -> None:
    account = ledger_account(kind, transit, subject)
    assert names.name_of(account) == name
    assert names.account_of(name) == account


@pytest.mark.parametrize(
    "name", ["", "wallet:1", "PAYABLE:#1:#1", f"held:{TRANSIT_ACCOUNT}:x", "transit:40911", "payable:#1:A:B:c"]
)
def test_a_name_that_is_none_is_refused(names: Names, name: str) -> None:
    with pytest.raises(UnknownName):
        names.account_of(name)


def test_an_identity_is_of_one_transit_account() -> None:
    totals = [(1, AccountKind.CLEARING, 10), (1, AccountKind.PAYABLE, -9), (2, AccountKind.HELD, 5), (0, AccountKind.OUTSIDE, 4)]
    assert [(one.transit, one.difference) for one in identities_of(totals)] == [(1, 1), (2, 5)]


async def test_balances_prove_themselves(town: Town, services: Connection) -> None:
    assert (await read_proof(services)).identities == ()
    await catch_up(services, BalancesConsumer())
    proof = await read_proof(services)
    assert proof.fault == ""
    assert (proof.trial_difference, proof.outside_difference, proof.open_transfers) == (0, 0, {})
    assert dict(proof.identities[0].balances) == {
        AccountKind.TRANSIT: 500_000,
        AccountKind.CLEARING: 400_777,
        AccountKind.PAYABLE: -900_000,
        AccountKind.SUSPENSE: -777,
    }
    await town.connection.execute(SQL["forge_balance"], town.book, 0)
    assert (await read_proof(services)).fault == "trial balance differs by 1 kopecks"


async def test_a_balance_in_words(town: Town, services: Connection) -> None:
    balances = await journal_balances(services, await cut_now(services))
    names = await fetch_names(services)
    clearing = balances[names.account_of(f"clearing:{TRANSIT_ACCOUNT}:bank-feed")]
    assert clearing == Turnover(debit=900_777, credit=500_000)
    assert balances[names.account_of(f"suspense:{TRANSIT_ACCOUNT}:bank-feed")].balance == -777
    assert sum(turnover.balance for turnover in balances.values()) == 0


async def test_the_cut_of_an_entry_takes_what_was_recorded_before_it(town: Town, services: Connection) -> None:
    await town.suspend(5)
    await town.cover(6)
    assert (await cut_at_entry(services, town.book, Sequence(4))).places == {0: 0, 1: 4}
    assert (await cut_at_entry(services, town.book, Sequence(5))).places == {0: 1, 1: 5}
    assert (await cut_at_entry(services, Book(0), Sequence(2))).places == {0: 2, 1: 5}
    with pytest.raises(LookupError):
        await cut_at_entry(services, town.book, Sequence(6))


async def test_an_accounts_entries_newest_first(town: Town, services: Connection) -> None:
    first = next(iter(town.tables))
    last = await town.pay(first, 5)
    number = f"{999 + first}"
    entries = await list_account_entries(services, "town", number, 10)
    assert entries is not None
    assert [one.sequence for one in entries] == [last, 1]
    assert len(await list_account_entries(services, "town", number, 1) or ()) == 1
    assert await list_account_entries(services, "town", "0", 10) is None


async def test_a_closed_day_has_its_cut_and_its_balances(town: Town, services: Connection) -> None:
    await catch_up(services, BalancesConsumer())
    stored = await close_day(services, town.transit, TUESDAY, WEDNESDAY)
    assert stored == await find_cut(services, stored.number)
    assert stored.cut.places == await list_heads(services)
    before = await journal_balances(services, stored.cut)
    await town.suspend(100)
    await catch_up(services, PostingsConsumer())
    accounts: list[LedgerAccount] = list(before)
    assert await projected_balances(services, stored.cut, accounts) == before
    suspense = (await fetch_names(services)).account_of(f"suspense:{TRANSIT_ACCOUNT}:bank-feed")
    days = await list_day_turnovers(services, suspense, TUESDAY, WEDNESDAY)
    assert [(one.bank_day, one.credit) for one in days] == [(TUESDAY, 777), (WEDNESDAY, 100)]
    statement = await read_statement(services, suspense, WEDNESDAY, WEDNESDAY)
    assert (statement.opening, statement.closing) == (-777, -877)
    assert (await list_open_days(services))[0].open_day == WEDNESDAY


async def test_a_day_that_may_not_be_closed_stays_open(town: Town, services: Connection) -> None:
    for day, following, code in ((WEDNESDAY, date(2026, 11, 26), WRONG_DAY), (TUESDAY, TUESDAY, NEXT_NOT_LATER)):
        with pytest.raises(DayNotClosed) as refused:
            await close_day(services, town.transit, day, following)
        assert refused.value.code == code
    await town.connection.execute(SQL["park_conflict"], town.transit, town.channel, town.space)
    with pytest.raises(DayNotClosed) as refused:
        await close_day(services, town.transit, TUESDAY, WEDNESDAY)
    assert refused.value.code == CONFLICT_OPEN
    assert await roll_days(services, datetime(2026, 11, 25, 9, tzinfo=UTC), CutOff()) == ()
    assert (await list_open_days(services))[0].open_day == TUESDAY


async def test_a_difference_keeps_the_day_open(town: Town, services: Connection) -> None:
    await catch_up(services, BalancesConsumer())
    await town.connection.execute(SQL["forge_balance"], town.book, 0)
    with pytest.raises(DayNotClosed, match="trial balance differs"):
        await close_day(services, town.transit, TUESDAY, WEDNESDAY)


async def test_days_roll_at_the_cut_off(town: Town, services: Connection) -> None:
    assert await roll_days(services, datetime(2026, 11, 24, 17, 59, tzinfo=UTC), CutOff()) == ()
    closed = await roll_days(services, datetime(2026, 11, 24, 18, 0, tzinfo=UTC), CutOff())
    assert [one.day for one in closed] == [TUESDAY]
    assert (await list_open_days(services))[0].open_day == WEDNESDAY


@pytest.mark.parametrize(
    ("open_day", "now", "following"),
    [
        (TUESDAY, datetime(2026, 11, 24, 17, 59, tzinfo=UTC), None),
        (TUESDAY, datetime(2026, 11, 24, 18, 0, tzinfo=UTC), WEDNESDAY),
        (date(2026, 11, 27), datetime(2026, 11, 27, 18, 0, tzinfo=UTC), date(2026, 11, 30)),
        (date(2026, 11, 30), datetime(2026, 11, 28, 12, 0, tzinfo=UTC), None),
        (TUESDAY, datetime(2026, 12, 2, 9, 0, tzinfo=UTC), date(2026, 12, 2)),
        (date(2026, 12, 30), datetime(2026, 12, 30, 20, 0, tzinfo=UTC), date(2027, 1, 11)),
    ],
)
def test_the_next_open_day(open_day: date, now: datetime, following: date | None) -> None:
    assert next_open_day(open_day, now, CutOff()) == following
