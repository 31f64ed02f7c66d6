"""Taking a payment back in parts: never more than it put there, posting by posting, and in the end its mirror (design §4)."""

from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chart import AccountKind, ledger_account
from ledger.core.entry import MOSCOW, PaymentFacts, entry_for_payment
from ledger.core.refund import Back, NotRefundable, check_refundable, correction_of, left_of, refund_account, taken_back, undo
from ledger.core.reversal import reversal_of
from ledger.core.split import split_amount
from schemas.allocation import AccountState, Advance, AdvanceRule, AllocationTable, Kind, PayerKind, Pool, Tier
from schemas.ids import AccountId, Book, ChannelNumber, ExternalId, Sequence, Space, TableVersion, Transit
from schemas.journal import EntryKind, JournalEntry, RecordedEntry

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = date(2026, 11, 24)


def tier(first_line: int, weights: tuple[int, ...], paid: tuple[int, ...] = (), period: int = 202610) -> Tier:
    """A tier whose payees have the numbers of its lines."""
    lines = tuple(range(first_line, first_line + len(weights)))
    return Tier(
        creditor=1,
        period=period,
        pool=Pool.MAIN,
        kind=Kind.PRINCIPAL,
        designated_only=False,
        court_order="",
        payees=lines,
        lines=lines,
        weights=weights,
        paid=paid or (0,) * len(weights),
    )


def table_of(*tiers: Tier, advance: bool = True) -> AllocationTable:
    """A table of an open account."""
    return AllocationTable(
        account=AccountId(7),
        version=TableVersion(3),
        personal_account="100",
        aliases=(),
        state=AccountState.OPEN,
        payer_kind=PayerKind.PERSON,
        time_zone="Europe/Moscow",
        provider=1,
        valid_until=1 << 40,
        per_service_payment=False,
        totals=(),
        tiers=tiers,
        advance=Advance(rule=AdvanceRule.TO_LINE, payees=(90,), lines=(90,)) if advance else Advance(rule=AdvanceRule.REFUSE),
    )


def paid(table: AllocationTable, amount: int) -> RecordedEntry:
    """A payment split from the table."""
    facts = PaymentFacts(
        transit=Transit(1),
        channel=ChannelNumber(101),
        space=Space(101),
        external_id=ExternalId("op"),
        event_at=NOW,
        amount_kopecks=amount,
        designation="",
    )
    entry = entry_for_payment(facts, table, split_amount(table, amount), MOSCOW)
    return RecordedEntry(book=Book(1), sequence=Sequence(5), recorded_at=NOW, bank_day=DAY, previous=Sequence(0), entry=entry)


def refunded(recorded: RecordedEntry, parts: tuple[int, ...], nth: int) -> JournalEntry:
    """The n-th refund of the parts."""
    against = refund_account(recorded.entry)
    back = Back(kind=EntryKind.REFUND, nth=nth, against=against, event_at=NOW, value_date=DAY, head_version=TableVersion(9))
    return correction_of(recorded, parts, back)


def given_by_line(entry: JournalEntry, parts: tuple[int, ...]) -> dict[int, int]:
    """Kopecks given back by charge line."""
    return {line: part for line, part in zip(entry.lines, parts, strict=True) if part}


def test_the_advance_goes_first_then_tiers_from_the_last() -> None:
    table = table_of(tier(1, (300, 100)), tier(3, (200,)))
    payment = paid(table, 700)
    nothing = (0,) * 5
    assert given_by_line(payment.entry, undo(payment.entry, table, nothing, 60)) == {90: 60}
    assert given_by_line(payment.entry, undo(payment.entry, table, nothing, 150)) == {90: 100, 3: 50}
    assert given_by_line(payment.entry, undo(payment.entry, table, nothing, 400)) == {90: 100, 3: 200, 1: 75, 2: 25}


def test_inside_a_tier_by_what_this_payment_put_there_not_by_the_charges() -> None:
    """Another payer had closed most of line 1: this payment put 50 on it and 100 on line 2."""
    table = table_of(tier(1, (300, 100), (250, 0)), advance=False)
    payment = paid(table, 150)
    assert given_by_line(payment.entry, undo(payment.entry, table, (0, 0, 0), 30)) == {1: 10, 2: 20}


def test_what_waits_in_suspense_goes_before_everything() -> None:
    table = table_of(tier(1, (300,)), advance=False)
    payment = paid(table, 500)
    parts = undo(payment.entry, table, (0, 0, 0), 250)
    assert parts == (0, 50, 200)
    suspense = ledger_account(AccountKind.SUSPENSE, 1, 101)
    assert refunded(payment, parts, 1).accounts[1:] == (payment.entry.accounts[1], suspense)


def test_a_part_debits_where_the_money_was_and_credits_the_refund() -> None:
    table = table_of(tier(1, (300, 100)))
    payment = paid(table, 400)
    entry = refunded(payment, undo(payment.entry, table, (0, 0, 0), 40), 2)
    assert (entry.kind, entry.external_id, entry.space) == (EntryKind.REFUND, "1:5/2", 1)
    assert (entry.accounts[0], entry.amounts, entry.lines) == (
        ledger_account(AccountKind.REFUND, 1, 101),
        (-40, 30, 10),
        (0, 1, 2),
    )
    assert (entry.table_version, entry.personal_account, entry.amount_kopecks) == (9, 7, 40)


@pytest.mark.parametrize(
    "kind", [EntryKind.REVERSAL, EntryKind.PAID_ELSEWHERE, EntryKind.STATEMENT_COVER, EntryKind.ORDER_CREATED]
)
def test_what_gave_nobody_a_payers_money_is_not_refunded(kind: EntryKind) -> None:
    payment = paid(table_of(tier(1, (300,))), 300)
    with pytest.raises(NotRefundable):
        check_refundable(msgspec.structs.replace(payment, entry=msgspec.structs.replace(payment.entry, kind=kind)))


WEIGHTS = st.lists(st.integers(1, 10_000), min_size=1, max_size=5)


@st.composite
def payments(draw: st.DrawFn) -> tuple[AllocationTable, RecordedEntry]:
    """A table with some tiers partly paid, and a payment of any sum split from it."""
    tiers, first = [], 1
    for number, weights in enumerate(draw(st.lists(WEIGHTS, min_size=1, max_size=4))):
        before = tuple(draw(st.integers(0, weight)) for weight in weights)
        tiers.append(tier(first, tuple(weights), before, 202601 + number))
        first += len(weights)
    table = table_of(*tiers, advance=draw(st.booleans()))
    return table, paid(table, draw(st.integers(1, 60_000)))


@given(payments(), st.data())
def test_refunds_in_parts_sum_to_the_mirror_and_never_pass_it(
    made: tuple[AllocationTable, RecordedEntry], data: st.DataObject
) -> None:
    table, payment = made
    corrections: list[JournalEntry] = []
    while left := left_of(payment.entry, taken := taken_back(payment.entry, corrections)):
        parts = undo(payment.entry, table, taken, data.draw(st.integers(1, left)))
        corrections.append(refunded(payment, parts, len(corrections) + 1))
        gone = taken_back(payment.entry, corrections)
        assert all(part <= max(-amount, 0) for part, amount in zip(gone, payment.entry.amounts, strict=True))
        assert sum(gone) == sum(entry.amount_kopecks for entry in corrections) <= payment.entry.amount_kopecks
    mirror = reversal_of(payment, head_version=TableVersion(9), event_at=NOW, value_date=DAY)
    sums: dict[tuple[int, int], int] = {}
    for entry in corrections:
        for account, amount, line in zip(entry.accounts[1:], entry.amounts[1:], entry.lines[1:], strict=True):
            sums[account, line] = sums.get((account, line), 0) + amount
    wanted = {
        (a, line): amount for a, amount, line in zip(mirror.accounts, mirror.amounts, mirror.lines, strict=True) if amount > 0
    }
    assert sums == wanted


@given(payments(), st.data())
def test_a_later_group_is_undone_whole_before_an_earlier_one_begins(
    made: tuple[AllocationTable, RecordedEntry], data: st.DataObject
) -> None:
    table, payment = made
    entry = payment.entry
    parts = undo(entry, table, (0,) * len(entry.amounts), data.draw(st.integers(1, entry.amount_kopecks)))
    group_of = {line: index for index, one in enumerate(table.tiers) for line in one.lines}
    groups = [group_of.get(line, len(table.tiers)) for line in entry.lines]
    touched = [group for group, part in zip(groups[1:], parts[1:], strict=True) if part]
    whole = all(
        part == -amount
        for group, part, amount in zip(groups[1:], parts[1:], entry.amounts[1:], strict=True)
        if group > min(touched)
    )
    assert whole
