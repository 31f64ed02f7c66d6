"""Entries of releases: their form, their keys, and that they sum; pure."""

from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chart import AccountKind, ledger_account
from ledger.core.entry import MOSCOW, PaymentFacts, entry_for_payment, entry_for_suspense
from ledger.core.release import (
    Errand,
    Part,
    comeback_entry,
    departure_entry,
    errand_of,
    in_transfer,
    part_of,
    portion_of,
    portion_on_its_way,
    release_entry,
    release_fault,
    suspended_at,
)
from ledger.core.split import split_amount
from ledger.core.verification import entry_fault, given_fault
from schemas.allocation import AccountState, Advance, AdvanceRule, AllocationTable, Kind, PayerKind, Pool, Tier
from schemas.ids import AccountId, Book, ChannelNumber, ExternalId, Line, PayeeNumber, Sequence, Space, TableVersion, Transit
from schemas.journal import EntryKind, JournalEntry, RecordedEntry
from schemas.notification import NamedDesignation
from schemas.outcome import SuspenseReason
from services.suspense.core.folding import Arrived, Beside, CameBack, Corrected, Given, Opened, changes_of, note_of

PAID_AT = datetime(2026, 11, 10, 21, 30, tzinfo=UTC)
TRANSIT, CHANNEL = Transit(7), ChannelNumber(105)
SUSPENSE = ledger_account(AccountKind.SUSPENSE, TRANSIT, CHANNEL)


def table(*weights: int, zone: str = "Europe/Moscow", rule: AdvanceRule = AdvanceRule.TO_LINE) -> AllocationTable:
    """A table of one tier."""
    payees = tuple(PayeeNumber(place) for place in range(1, len(weights) + 1))
    lines = tuple(Line(place) for place in range(1, len(weights) + 1))
    tier = Tier(
        creditor=1,
        period=202610,
        pool=Pool.MAIN,
        kind=Kind.PRINCIPAL,
        designated_only=False,
        court_order="",
        payees=payees,
        lines=lines,
        weights=weights,
        paid=(0,) * len(weights),
    )
    advance = Advance(rule=rule, payees=(PayeeNumber(99),), lines=(Line(99),)) if rule else Advance(rule=rule)
    return AllocationTable(
        account=AccountId(5),
        version=TableVersion(3),
        personal_account="1001",
        aliases=(),
        state=AccountState.OPEN,
        payer_kind=PayerKind.PERSON,
        time_zone=zone,
        provider=1,
        valid_until=4_000_000_000,
        per_service_payment=False,
        totals=(),
        tiers=(tier,),
        advance=advance,
    )


def recorded(entry: JournalEntry, sequence: int = 12, book: int = 2) -> RecordedEntry:
    return RecordedEntry(
        book=Book(book),
        sequence=Sequence(sequence),
        recorded_at=PAID_AT,
        bank_day=date(2026, 11, 24),
        previous=Sequence(0),
        entry=entry,
    )


def facts(amount: int, designation: str = "") -> PaymentFacts:
    return PaymentFacts(
        transit=TRANSIT,
        channel=CHANNEL,
        space=Space(105),
        external_id=ExternalId("op-1"),
        event_at=PAID_AT,
        amount_kopecks=amount,
        designation=designation,
    )


def lost(amount: int, designation: str = "") -> RecordedEntry:
    return recorded(entry_for_suspense(facts(amount, designation), SuspenseReason.ACCOUNT_UNKNOWN))


PART = Part(book=Book(2), sequence=Sequence(12), number=1)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.integers(1, 10**7))
def test_a_release_is_the_split_of_the_table_out_of_suspense(weights: list[int], amount: int) -> None:
    made = table(*weights)
    split = split_amount(made, amount)
    entry = release_entry(portion_of(lost(amount), PART, amount), made, split, None)
    assert (entry_fault(entry), release_fault(entry), given_fault(entry, made, split)) == ("", "", "")
    assert (entry.accounts[0], entry.amounts[0]) == (SUSPENSE, amount)
    assert part_of(entry) == PART and changes_of(recorded(entry, 13)) == [
        Given(part=PART, sequence=Sequence(13), amount=amount, account=AccountId(5), transfer=None)
    ]


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.sampled_from([None, NamedDesignation(pool="main")]))
def test_a_departure_arrives_or_comes_back_kopeck_by_kopeck(amount: int, number: int, named: NamedDesignation | None) -> None:
    origin = lost(amount)
    errand = Errand(account=AccountId(5), named=named)
    departure = departure_entry(portion_of(origin, PART, amount), number, errand)
    assert (entry_fault(departure), release_fault(departure)) == ("", "")
    left = recorded(departure, 13)
    assert errand_of(left) == errand and departure.personal_account is None
    made = table(500, 300)
    arrival = release_entry(portion_on_its_way(left, PART), made, split_amount(made, amount), named)
    assert (entry_fault(arrival), release_fault(arrival), arrival.external_id) == ("", "", "2:12/1/in")
    assert (arrival.accounts[0], arrival.event_at) == (in_transfer(number), PAID_AT)
    back = comeback_entry(left, PART, "закрыт")
    assert (entry_fault(back), release_fault(back), back.external_id) == ("", "", "2:12/1/back")
    assert back.accounts == departure.accounts[::-1] and back.amounts == departure.amounts
    assert changes_of(left) == [Given(part=PART, sequence=Sequence(13), amount=amount, account=AccountId(5), transfer=number)]
    assert changes_of(recorded(arrival, 4, 3)) == [Arrived(part=PART, arrived_book=Book(3), arrived_sequence=Sequence(4))]
    assert changes_of(recorded(back, 14)) == [CameBack(part=PART, sequence=Sequence(14), why="закрыт")]


def test_the_value_date_is_that_of_the_act_where_the_house_stands() -> None:
    portion = portion_of(lost(100), PART, 100)
    dates = {
        zone: release_entry(portion, table(500, zone=zone), split_amount(table(500), 100), None).value_date
        for zone in ("Europe/Moscow", "America/New_York", "Asia/Vladivostok")
    }
    assert dates == {
        "Europe/Moscow": date(2026, 11, 11),
        "America/New_York": date(2026, 11, 10),
        "Asia/Vladivostok": date(2026, 11, 11),
    }


def test_what_nothing_takes_is_never_made_an_entry() -> None:
    made = table(500, rule=AdvanceRule.REFUSE)
    with pytest.raises(AssertionError, match="what nothing takes"):
        release_entry(portion_of(lost(700), PART, 700), made, split_amount(made, 700), None)
    with pytest.raises(ValueError, match="left nothing in suspense"):
        portion_of(recorded(entry_for_payment(facts(100), made, split_amount(made, 100), MOSCOW)), PART, 100)


GOOD = release_entry(portion_of(lost(700), PART, 700), table(500), split_amount(table(500), 700), None)
DEPARTED = departure_entry(portion_of(lost(700), PART, 700), 3, Errand(account=AccountId(5)))


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (msgspec.structs.replace(GOOD, external_id=ExternalId("2:12")), "without the key"),
        (msgspec.structs.replace(GOOD, space=Space(3)), "without the key"),
        (msgspec.structs.replace(GOOD, accounts=(GOOD.accounts[1], *GOOD.accounts[1:])), "one suspense account"),
        (msgspec.structs.replace(GOOD, accounts=(*GOOD.accounts[:2], SUSPENSE)), "payables only"),
        (msgspec.structs.replace(GOOD, personal_account=None), "without a personal account"),
        (msgspec.structs.replace(DEPARTED, accounts=(SUSPENSE, SUSPENSE)), "without a personal account"),
        (msgspec.structs.replace(DEPARTED, amounts=(-700, 700)), "one suspense account"),
    ],
)
def test_another_form_is_a_fault(entry: JournalEntry, what: str) -> None:
    assert what in release_fault(entry)


def test_a_release_that_was_split_otherwise_is_a_fault() -> None:
    made = table(500)
    moved = msgspec.structs.replace(GOOD, amounts=(700, -499, -201))
    assert "posting 1 is" in given_fault(moved, made, split_amount(made, 700))
    later = msgspec.structs.replace(GOOD, value_date=date(2026, 11, 12))
    assert "value date" in given_fault(later, made, split_amount(made, 700))
    strict = table(500, rule=AdvanceRule.REFUSE)
    assert "200 kopecks were released" in given_fault(GOOD, strict, split_amount(strict, 700))


def test_what_an_entry_changes() -> None:
    origin = lost(700, '{"account":"12","candidates":[1,2],"named":{"pool":"main"}}')
    (opened,) = changes_of(origin)
    assert isinstance(opened, Opened) and opened.amount == 700
    assert (opened.note.account, opened.note.candidates, opened.note.named) == ("12", (1, 2), '{"pool":"main"}')
    made = table(500, rule=AdvanceRule.REFUSE)
    rest = recorded(entry_for_payment(facts(700), made, split_amount(made, 700), MOSCOW))
    assert [(one.amount, one.note.named) for one in changes_of(rest) if isinstance(one, Opened)] == [(200, "")]
    mirror = msgspec.structs.replace(
        origin.entry,
        kind=EntryKind.REVERSAL,
        space=Space(1),
        external_id=ExternalId("2:12/1"),
        amounts=tuple(-amount for amount in origin.entry.amounts),
    )
    beside = Beside(transit=TRANSIT, channel=CHANNEL, kind=EntryKind.REVERSAL, amount=-700)
    expected = Corrected(book=Book(2), sequence=Sequence(12), amount=700, otherwise=(beside,))
    assert changes_of(recorded(mirror, 13)) == [expected]
    technical = msgspec.structs.replace(origin.entry, kind=EntryKind.TECHNICAL)
    assert changes_of(recorded(technical)) == [msgspec.structs.replace(beside, kind=EntryKind.TECHNICAL, amount=700)]
    paid = recorded(entry_for_payment(facts(100), made, split_amount(made, 100), MOSCOW))
    assert changes_of(paid) == [] and suspended_at(paid.entry) is None


@given(st.text(max_size=80))
def test_any_designation_is_read_as_a_note(text: str) -> None:
    assert note_of(lost(1, text).entry).account is not None
