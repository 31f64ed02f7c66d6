"""Payments taken back in whole and in part through the ledger's door, under the payer's compare-and-set (design W7)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from ledger.audit import conclude, connect_for_audit, plan_audit, run_job
from ledger.chart import AccountKind, ledger_account
from ledger.core.entry import PaymentFacts, entry_for_suspense
from ledger.core.refund import NothingLeft, NotRefundable
from ledger.core.release import Part
from ledger.core.reversal import NotReversible
from ledger.journal import Append, append, fetch_entry
from ledger.refund import (
    AlreadyCorrected,
    Corrected,
    ReleasedMeanwhile,
    deduct_refund,
    read_refundable,
    refund_wanted,
    reversal_wanted,
    take_back,
)
from ledger.release import Wanted as ReleaseWanted
from ledger.release import release_part
from ledger.reversal import reverse_entry
from schemas.ids import AccountId, Book, ChannelNumber, ExternalId, Sequence, Space, Transit
from schemas.journal import EntryKind
from schemas.outcome import AppendStatus, SuspenseReason
from services.balances.consumer import BalancesConsumer
from services.runner import catch_up
from tests.conftest import LedgerDatabase
from tests.ledger.small_ledger import SQL
from tests.ledger.town import NOW, Town, paid

BOOK = Book(1)
MOMENT = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
CHANNEL = ChannelNumber(101)


@pytest.fixture
async def town(ledger_database: LedgerDatabase) -> AsyncIterator[Town]:
    """A town of one account with two charges and a published table."""
    connections = [await asyncpg.connect(dsn) for dsn in (ledger_database.owner_dsn, ledger_database.services_dsn)]
    made = Town(*connections)
    await made.found()
    (account,) = await made.accounts()
    await made.charge(account, "maintenance", 30_000)
    await made.charge(account, "heating", 10_000)
    await made.publish(account)
    yield made
    for one in connections:
        one.terminate()


async def only_account(town: Town) -> AccountId:
    return AccountId((await town.services.fetchrow(SQL["any_account"]))[0])


async def pay(town: Town, amount: int) -> Sequence:
    answer = await town.pay(await only_account(town), amount)
    assert answer.sequence is not None
    return answer.sequence


async def suspend(town: Town, amount: int) -> Sequence:
    """Money of an unknown owner."""
    facts = PaymentFacts(
        transit=Transit(1),
        channel=CHANNEL,
        space=Space(101),
        external_id=ExternalId(f"s-{amount}"),
        event_at=NOW,
        amount_kopecks=amount,
        designation="",
    )
    offer = Append(entry=entry_for_suspense(facts, SuspenseReason.ACCOUNT_UNKNOWN), fingerprint=b"\x01" * 26)
    (answer,) = await append(town.services, BOOK, [offer])
    assert answer.sequence is not None
    return answer.sequence


async def refund(town: Town, place: Sequence, amount: int | None = None) -> Corrected:
    return await take_back(town.services, await refund_wanted(town.services, BOOK, place, amount), MOMENT)


async def assert_verified(dsn: str) -> None:
    """Everything that ``kopeck verify`` asks of the journal holds."""
    connection = await connect_for_audit(dsn)
    try:
        plan = await plan_audit(connection, 2)
        assert conclude(plan, [await run_job(connection, job, lambda _: None) for job in plan.jobs]) is None
    finally:
        connection.terminate()


async def test_a_partial_refund_undoes_the_end_and_owes_the_payer(town: Town, ledger_database: LedgerDatabase) -> None:
    account = await only_account(town)
    place = await pay(town, 41_000)
    made = await refund(town, place, 5_000)
    entry = (await fetch_entry(town.services, BOOK, made.sequence)).entry
    assert (entry.kind, entry.external_id, entry.personal_account) == (EntryKind.REFUND, f"1:{place}/1", account)
    assert (entry.accounts[0], entry.amounts[0]) == (ledger_account(AccountKind.REFUND, 1, CHANNEL), -5_000)
    assert sorted(entry.amounts[1:]) == [1_000, 1_000, 3_000], "the advance of 1 000, then 3 to 1 of the tier"
    assert sum(sum_ for _, _, sum_ in paid(await town.rebuilt(account))) == 36_000
    assert await town.services.fetchval(SQL["is_due"], account)
    await assert_verified(ledger_database.reader_dsn)


async def test_refunds_in_parts_are_the_mirror(town: Town, ledger_database: LedgerDatabase) -> None:
    account = await only_account(town)
    await pay(town, 777)
    place = await pay(town, 33_333)
    for amount in (1, 10_007, 3, None):
        await refund(town, place, amount)
    assert (await read_refundable(town.services, BOOK, place)).left == 0
    assert sum(sum_ for _, _, sum_ in paid(await town.rebuilt(account))) == 777
    with pytest.raises(NothingLeft):
        await refund(town, place, 1)
    await assert_verified(ledger_database.reader_dsn)


async def test_a_partial_reversal_takes_the_promise_back(town: Town, ledger_database: LedgerDatabase) -> None:
    place = await pay(town, 20_000)
    made = await take_back(town.services, await reversal_wanted(town.services, BOOK, place, 4_000), MOMENT)
    entry = (await fetch_entry(town.services, BOOK, made.sequence)).entry
    assert (entry.kind, entry.accounts[0]) == (EntryKind.REVERSAL, ledger_account(AccountKind.CLEARING, 1, 101))
    assert entry.amounts[0] == -4_000
    rest = await take_back(town.services, await reversal_wanted(town.services, BOOK, place), MOMENT)
    assert (rest.nth, rest.amount_kopecks) == (2, 16_000)
    await assert_verified(ledger_database.reader_dsn)


async def test_a_whole_reversal_and_a_refund_exclude_one_another(town: Town) -> None:
    first, second = await pay(town, 500), await pay(town, 600)
    await reverse_entry(town.services, BOOK, first, MOMENT)
    with pytest.raises(NothingLeft):
        await refund(town, first, 1)
    await refund(town, second, 100)
    assert (await reverse_entry(town.services, BOOK, second, MOMENT)).status is AppendStatus.CONFLICT


async def test_two_at_once_never_take_back_more_than_was_paid(town: Town, ledger_database: LedgerDatabase) -> None:
    place = await pay(town, 1_000)
    others = [await asyncpg.connect(ledger_database.services_dsn) for _ in range(4)]
    try:
        wanted = await refund_wanted(town.services, BOOK, place, 300)
        told = await asyncio.gather(*(take_back(one, wanted, MOMENT) for one in others), return_exceptions=True)
    finally:
        for one in others:
            one.terminate()
    assert sum(isinstance(one, Corrected) for one in told) == 3
    assert sum(isinstance(one, NothingLeft) for one in told) == 1
    assert (await read_refundable(town.services, BOOK, place)).left == 100
    await assert_verified(ledger_database.reader_dsn)


async def test_a_repeat_of_one_number_is_one_correction(town: Town) -> None:
    place = await pay(town, 1_000)
    wanted = await refund_wanted(town.services, BOOK, place, 300)
    numbered = msgspec.structs.replace(wanted, nth=1)
    first = await take_back(town.services, numbered, MOMENT)
    again = await take_back(town.services, numbered, MOMENT + timedelta(days=2))
    assert (first.is_new, again.is_new, again.sequence) == (True, False, first.sequence)
    other = msgspec.structs.replace(numbered, amount_kopecks=301)
    with pytest.raises(AlreadyCorrected):
        await take_back(town.services, other, MOMENT)


async def test_a_refund_stands_on_the_present_table_and_the_split_of_its_own(town: Town, ledger_database: LedgerDatabase) -> None:
    account = await only_account(town)
    place = await pay(town, 4_000)
    await town.charge(account, "maintenance", 99_000, period=202611)
    assert (await town.publish(account)).published == 1
    made = await refund(town, place, 400)
    assert sorted((await fetch_entry(town.services, BOOK, made.sequence)).entry.amounts) == [-400, 100, 300]
    await assert_verified(ledger_database.reader_dsn)


async def test_suspense_is_refunded_once_and_not_after_its_release(town: Town, ledger_database: LedgerDatabase) -> None:
    account = await only_account(town)
    place = await suspend(town, 900)
    async with town.services.transaction():
        part = Part(book=BOOK, sequence=place, number=1)
        released = await release_part(town.services, ReleaseWanted(part=part, account=account, amount_kopecks=500))
    with pytest.raises(ReleasedMeanwhile):
        await refund(town, place)
    with pytest.raises(NotReversible):
        await reverse_entry(town.services, BOOK, place, MOMENT)
    await refund(town, place, 400)
    await refund(town, released.sequence, 200)
    assert sum(sum_ for _, _, sum_ in paid(await town.rebuilt(account))) == 300
    await assert_verified(ledger_database.reader_dsn)


async def test_a_refund_is_deducted_once(town: Town, ledger_database: LedgerDatabase) -> None:
    made = await refund(town, await pay(town, 1_000), 300)
    entry = await fetch_entry(town.services, BOOK, made.sequence)
    first = await deduct_refund(town.services, entry, Space(101), MOMENT)
    again = await deduct_refund(town.services, entry, Space(101), MOMENT + timedelta(hours=1))
    assert (first.is_new, again.is_new, again.sequence) == (True, False, first.sequence)
    with pytest.raises(NotRefundable):
        await deduct_refund(town.services, await fetch_entry(town.services, BOOK, Sequence(1)), Space(101), MOMENT)
    await assert_verified(ledger_database.reader_dsn)


async def test_a_correction_is_not_corrected(town: Town) -> None:
    made = await refund(town, await pay(town, 1_000), 300)
    with pytest.raises(NotRefundable):
        await refund(town, made.sequence)
    with pytest.raises(LookupError):
        await refund(town, Sequence(99))
    await catch_up(town.services, BalancesConsumer())
