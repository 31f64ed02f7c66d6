"""Corrections are new entries that mirror the corrected one (design W7)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from ledger.core.reversal import CORRECTION_SPACE, NotReversible
from ledger.journal import Append, Appended, append, fetch_entry
from ledger.reversal import AccountBusy, TableNotRebuilt, reversal_offer, reverse_entry
from schemas.ids import AccountId, Book, Sequence
from schemas.journal import EntryKind
from schemas.outcome import AppendStatus
from tests.conftest import LedgerDatabase
from tests.ledger.small_ledger import SQL, offer
from tests.ledger.town import SQL as TOWN
from tests.ledger.town import Town, paid

BOOK = Book(1)
MOMENT = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
MOSCOW_DAY = date(2026, 11, 25)


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[Town]:
    """A town of one account with two charges and a published table."""
    owner = await asyncpg.connect(ledger_database.owner_dsn)
    services = await asyncpg.connect(ledger_database.services_dsn)
    made = Town(owner, services)
    await made.found()
    (account,) = await made.accounts()
    await made.charge(account, "maintenance", 30_001)
    await made.charge(account, "heating", 20_000)
    assert (await made.publish(account)).published == 1
    yield made
    owner.terminate()
    services.terminate()


async def only_account(town: Town) -> AccountId:
    """The town's account."""
    return AccountId((await town.services.fetchrow(SQL["any_account"]))[0])


def place(answer: Appended) -> Sequence:
    """Where an answer says the entry stands."""
    assert answer.sequence is not None
    return answer.sequence


async def test_a_reversal_mirrors_the_entry_kopeck_by_kopeck(town: Town) -> None:
    account = await only_account(town)
    before = paid(await town.rebuilt(account))
    payment = await town.pay(account, 33_333)
    await town.pay(account, 100)
    answer = await reverse_entry(town.services, BOOK, place(payment), MOMENT)
    original = await fetch_entry(town.services, BOOK, place(payment))
    mirror = await fetch_entry(town.services, BOOK, place(answer))
    assert answer.status is AppendStatus.RECORDED
    assert mirror.entry.amounts == tuple(-amount for amount in original.entry.amounts)
    assert (mirror.entry.accounts, mirror.entry.lines) == (original.entry.accounts, original.entry.lines)
    assert (mirror.entry.kind, mirror.entry.amount_kopecks) == (EntryKind.REVERSAL, 33_333)
    assert (mirror.entry.space, mirror.entry.external_id) == (CORRECTION_SPACE, f"1:{payment.sequence}/1")
    assert (mirror.entry.value_date, mirror.previous) == (MOSCOW_DAY, 2)
    after = paid(await town.rebuilt(account))
    assert sum(sum_ for _, _, sum_ in after) == sum(sum_ for _, _, sum_ in before) + 100
    assert await town.services.fetchval(SQL["is_due"], account), "a tier dropped as paid must come back"


async def test_a_repeat_is_a_duplicate_whenever_it_comes(town: Town) -> None:
    payment = await town.pay(await only_account(town), 500)
    first = await reverse_entry(town.services, BOOK, place(payment), MOMENT)
    again = await reverse_entry(town.services, BOOK, place(payment), MOMENT + timedelta(days=3))
    assert (again.status, again.sequence, again.recorded_at) == (AppendStatus.DUPLICATE, first.sequence, first.recorded_at)
    assert again.stored_fingerprint is None


async def test_two_concurrent_reversals_cannot_both_pass(town: Town, ledger_database: LedgerDatabase) -> None:
    account = await only_account(town)
    payments = [await town.pay(account, 500) for _ in range(3)]
    others = [await asyncpg.connect(ledger_database.services_dsn) for _ in range(3)]
    try:
        for payment in payments:
            answers = await asyncio.gather(*(reverse_entry(one, BOOK, place(payment), MOMENT) for one in others))
            assert sorted(answer.status for answer in answers) == [0, 2, 2]
            assert len({answer.sequence for answer in answers}) == 1
    finally:
        for one in others:
            one.terminate()
    assert len(await town.owner.fetch(TOWN["entries"], account)) == 6
    assert sum(sum_ for _, _, sum_ in paid(await town.rebuilt(account))) == 0


async def test_reversals_of_different_entries_of_one_account_both_pass(town: Town, ledger_database: LedgerDatabase) -> None:
    account = await only_account(town)
    payments = [await town.pay(account, 500) for _ in range(2)]
    others = [await asyncpg.connect(ledger_database.services_dsn) for _ in payments]
    try:
        pairs = zip(others, payments, strict=True)
        answers = await asyncio.gather(*(reverse_entry(one, BOOK, place(payment), MOMENT) for one, payment in pairs))
    finally:
        for one in others:
            one.terminate()
    assert [answer.status for answer in answers] == [AppendStatus.RECORDED] * 2
    assert sum(sum_ for _, _, sum_ in paid(await town.rebuilt(account))) == 0


async def test_suspense_is_reversed_without_a_table(town: Town) -> None:
    (waiting,) = await append(town.services, BOOK, [offer("s", written="uo/404")])
    answer = await reverse_entry(town.services, BOOK, place(waiting), MOMENT)
    mirror = await fetch_entry(town.services, BOOK, place(answer))
    assert mirror.entry.amounts == (-300, 299, 1)
    assert (mirror.entry.personal_account, mirror.entry.table_version, mirror.previous) == (None, 0, 0)
    assert (await reverse_entry(town.services, BOOK, place(waiting), MOMENT)).status is AppendStatus.DUPLICATE


async def test_a_reversal_is_not_reversed(town: Town) -> None:
    payment = await town.pay(await only_account(town), 500)
    reversal = await reverse_entry(town.services, BOOK, place(payment), MOMENT)
    with pytest.raises(NotReversible):
        await reverse_entry(town.services, BOOK, place(reversal), MOMENT)
    with pytest.raises(LookupError):
        await reverse_entry(town.services, BOOK, Sequence(99), MOMENT)


async def test_after_a_publication_a_reversal_stands_on_the_new_table(town: Town) -> None:
    account = await only_account(town)
    payment = await town.pay(account, 500)
    await town.charge(account, "maintenance", 700, period=202611)
    assert (await town.publish(account)).published == 1
    answer = await reverse_entry(town.services, BOOK, place(payment), MOMENT)
    assert answer.status is AppendStatus.RECORDED
    assert sum(sum_ for _, _, sum_ in paid(await town.rebuilt(account))) == 0


async def test_a_stale_offer_is_refused_by_the_door(town: Town) -> None:
    account = await only_account(town)
    payment = await town.pay(account, 500)
    state = await town.rebuilt(account)
    await town.pay(account, 100)
    offered: Append = reversal_offer(await fetch_entry(town.services, BOOK, place(payment)), state, MOMENT)
    (answer,) = await append(town.services, BOOK, [offered])
    assert answer.status is AppendStatus.STALE


async def test_what_cannot_be_reversed_now_says_so(town: Town) -> None:
    account = await only_account(town)
    payment = await town.pay(account, 500)
    await town.owner.execute(SQL["expire"], account)
    with pytest.raises(AccountBusy):
        await reverse_entry(town.services, BOOK, place(payment), MOMENT)
    await town.owner.execute(SQL["spoil_head"], account)
    with pytest.raises(TableNotRebuilt):
        await reverse_entry(town.services, BOOK, place(payment), MOMENT)
    assert len(await town.owner.fetch(TOWN["entries"], account)) == 1
