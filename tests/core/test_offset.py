"""What advances are spent on: whose lines, in which order, to the kopeck (law.md 1.9)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chart import AccountKind, ledger_account, parts_of
from ledger.core.account_facts import AccountFacts, Charge, ChargeKind, Provider, Register
from ledger.core.crediting import build_table
from ledger.core.offset import (
    OFFSET_SPACE,
    AdvanceEntry,
    OffsetTerms,
    Reach,
    held_by,
    offset_entries,
    offset_fault,
    offset_flows,
    overspent_fault,
    plan_offsets,
    sources_of,
)
from ledger.core.split import apply_lines
from schemas.allocation import AccountState, AdvanceRule, PayerKind, Pool
from schemas.ids import AccountId, Book, LedgerAccount, Line, PayeeNumber, Space, Transit
from schemas.ids import Sequence as Place
from schemas.journal import EntryKind, JournalEntry

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = date(2026, 11, 24)
TERMS = OffsetTerms(moment=NOW, seasonal=frozenset({"heating"}))
TRANSIT = Transit(3)
UK, HEAT, WATER, FUND = 1, 2, 3, 4
RECIPIENTS = {UK: "uk", HEAT: "heat", WATER: "water", FUND: "fund"}
ADVANCE, MAINTENANCE, LIFT, HEATING, HOT, COLD, REPAIR = map(PayeeNumber, range(11, 18))
PAYEES = {
    ADVANCE: ("uk", "advance"),
    MAINTENANCE: ("uk", "maintenance"),
    LIFT: ("uk", "lift"),
    HEATING: ("heat", "heating"),
    HOT: ("heat", "hot_water"),
    COLD: ("water", "cold_water"),
    REPAIR: ("fund", "capital_repair"),
}


def facts(rule: AdvanceRule = AdvanceRule.REFUSE) -> AccountFacts:
    """An account of the УО."""
    register = Register(recipients=RECIPIENTS, numbers={code: number for number, code in RECIPIENTS.items()}, payees=PAYEES)
    return AccountFacts(
        account=AccountId(7),
        namespace="uo",
        number="1001",
        state=AccountState.OPEN,
        payer_kind=PayerKind.PERSON,
        provider=Provider(number=UK, advance_rule=rule, advance_payee=ADVANCE),
        time_zone="Europe/Moscow",
        version=0,
        register=register,
        aliases=(),
    )


def charge(line: int, payee: PayeeNumber, amount: int, **more: object) -> Charge:
    """October's principal of the main pool behind the УО unless told otherwise; a payee of the fund is capital repair."""
    repair = payee == REPAIR
    told: dict[str, object] = {
        "line": Line(line),
        "creditor": FUND if repair else UK,
        "period": 202610,
        "payee": payee,
        "kind": ChargeKind.PRINCIPAL,
        "pool": Pool.CAPITAL_REPAIR if repair else Pool.MAIN,
        "amount": amount,
        "due_date": date(2026, 12, 15),
    }
    return Charge(**(told | more))  # type: ignore[arg-type]


def advance(line: int, payee: PayeeNumber, creditor: int = UK) -> Charge:
    """An advance line."""
    return charge(line, payee, 0, kind=ChargeKind.ADVANCE, period=0, creditor=creditor)


def payable(payee: PayeeNumber) -> LedgerAccount:
    return ledger_account(AccountKind.PAYABLE, TRANSIT, payee)


def paid_ahead(sequence: int, *legs: tuple[int, PayeeNumber, int], settled: bool = False, day: date = TODAY) -> AdvanceEntry:
    """A payment that put (line, payee, kopecks) on advance lines; ``settled``: an opening balance."""
    total = sum(amount for _, _, amount in legs)
    kind, transit = (AccountKind.SETTLED, 0) if settled else (AccountKind.PAYABLE, TRANSIT)
    return AdvanceEntry(
        book=Book(1),
        sequence=Place(sequence),
        kind=EntryKind.PAID_ELSEWHERE if settled else EntryKind.PAYMENT,
        space=Space(101),
        external_id=f"p{sequence}",
        transit=TRANSIT,
        value_date=day,
        accounts=(LedgerAccount(1), *[ledger_account(kind, transit, payee) for _, payee, _ in legs]),
        amounts=(total, *[-amount for _, _, amount in legs]),
        lines=(Line(0), *[Line(line) for line, _, _ in legs]),
    )


def journaled(entry: JournalEntry, sequence: int) -> AdvanceEntry:
    """An offset as the journal will show it."""
    names = [name for name in AdvanceEntry.__struct_fields__ if name not in ("book", "sequence")]
    return AdvanceEntry(book=Book(1), sequence=Place(sequence), **{name: getattr(entry, name) for name in names})


def offsets(
    charges: Sequence[Charge], entries: Sequence[AdvanceEntry], paid: Mapping[Line, int] | None = None
) -> list[JournalEntry]:
    """Decide, and hold every entry to its form and its table."""
    of = facts()
    table = build_table(of, charges, paid or {}, NOW).table
    lines = frozenset([one.line for one in charges if one.kind is ChargeKind.ADVANCE])
    made = []
    for entry, after in offset_entries(of, charges, table, sources_of(entries, lines), TERMS):
        assert offset_fault(entry) == "" and overspent_fault(entry, table) == ""
        assert after == apply_lines(table, entry.lines, entry.amounts)
        assert entry.table_version == table.version
        table = after
        made.append(entry)
    return made


def credited(entries: Sequence[JournalEntry]) -> dict[int, int]:
    """Kopecks given by line (below nought: taken)."""
    sums: dict[int, int] = {}
    for entry in entries:
        for line, amount in zip(entry.lines, entry.amounts, strict=True):
            sums[line] = sums.get(line, 0) - amount
    return sums


DOCUMENT = (
    charge(1, MAINTENANCE, 400),
    charge(2, LIFT, 100),
    charge(3, HEATING, 300),
    charge(4, COLD, 200),
    charge(5, REPAIR, 900),
)


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (250, {1: 200, 2: 50, 9: -250}),  # other lines of the recipient first, by their charges
        (500, {1: 400, 2: 100, 9: -500}),
        (750, {1: 400, 2: 100, 3: 150, 4: 100, 9: -750}),  # then across recipients behind the creditor, by their charges
        (1000, {1: 400, 2: 100, 3: 300, 4: 200, 9: -1000}),
        (5000, {1: 400, 2: 100, 3: 300, 4: 200, 9: -1000}),  # capital repair is never mixed: the rest stays
    ],
)
def test_a_providers_advance(ahead: int, expected: dict[int, int]) -> None:
    made = offsets([*DOCUMENT, advance(9, ADVANCE)], [paid_ahead(1, (9, ADVANCE, ahead))])
    assert credited(made) == expected
    (entry,) = made
    assert (entry.space, entry.external_id, entry.kind) == (OFFSET_SPACE, "1:1/1", EntryKind.ADVANCE_OFFSET)
    assert {parts_of(account).transit for account in entry.accounts} == {TRANSIT}


def test_own_line_first_then_the_recipients_then_the_creditors() -> None:
    charges = [*DOCUMENT[:4], charge(6, HOT, 50), advance(9, COLD), advance(10, HOT)]
    made = offsets(charges, [paid_ahead(1, (9, COLD, 230), (10, HOT, 80))])
    assert credited(made) == {4: 200, 9: -230, 6: 50, 3: 30 + 11, 1: 15, 2: 4, 10: -80}
    spends = plan_offsets(
        build_table(facts(), charges, {}, NOW).table,
        held_by(
            facts(),
            charges,
            sources_of([paid_ahead(1, (9, COLD, 230), (10, HOT, 80))], frozenset({Line(9), Line(10)})),
            frozenset(),
        ),
        facts(),
    )
    assert [(spend.line, spend.reach, spend.amount) for spend in spends] == [
        (9, Reach.OWN_LINE, 200),
        (10, Reach.OWN_LINE, 50),
        (10, Reach.RECIPIENT, 30),
        (9, Reach.CREDITOR, 30),
    ]


def test_never_between_direct_creditors() -> None:
    charges = [charge(1, HEATING, 300, creditor=HEAT), charge(2, COLD, 200, creditor=WATER), advance(9, COLD, WATER)]
    assert credited(offsets(charges, [paid_ahead(1, (9, COLD, 500))])) == {2: 200, 9: -200}
    behind = [charge(1, HOT, 300, creditor=HEAT), charge(2, COLD, 200), advance(9, HOT)]
    assert credited(offsets(behind, [paid_ahead(1, (9, HOT, 500))])) == {2: 200, 9: -200}, "one recipient, another debt"


def test_a_seasonal_advance_stays_out_of_season() -> None:
    summer = [*DOCUMENT[:2], DOCUMENT[3], advance(9, HEATING)]
    assert offsets(summer, [paid_ahead(1, (9, HEATING, 500))]) == []
    assert credited(offsets([*DOCUMENT[:4], advance(9, HEATING)], [paid_ahead(1, (9, HEATING, 500))]))[3] == 300
    old = [*summer, charge(8, HEATING, 120, period=202604)]
    assert credited(offsets(old, [paid_ahead(1, (9, HEATING, 500))])) == {8: 120, 9: -120}, "its own debt takes it"


def test_what_is_only_credited_when_named_takes_no_advance() -> None:
    charges = [
        charge(1, MAINTENANCE, 100, period=202009, due_date=date(2020, 10, 10)),
        charge(2, MAINTENANCE, 100, court_order="2-1"),
        charge(3, MAINTENANCE, 100, kind=ChargeKind.PENALTY),
        charge(4, MAINTENANCE, 100, kind=ChargeKind.COSTS),
        charge(5, MAINTENANCE, 100, pool=Pool.VOLUNTARY),
        charge(6, MAINTENANCE, -100),
        advance(9, ADVANCE),
    ]
    assert offsets(charges, [paid_ahead(1, (9, ADVANCE, 500))]) == []


def test_oldest_document_first_and_one_entry_a_source_and_a_document() -> None:
    charges = [
        charge(1, MAINTENANCE, 100, period=202609, due_date=date(2026, 11, 16)),
        charge(2, MAINTENANCE, 300),
        advance(9, ADVANCE),
    ]
    early = paid_ahead(4, (9, ADVANCE, 250), day=date(2026, 11, 3))
    made = offsets(charges, [early, paid_ahead(6, (9, ADVANCE, 90))])
    assert [(one.external_id, one.amount_kopecks, one.value_date) for one in made] == [
        ("1:4/1", 100, date(2026, 11, 16)),
        ("1:4/2", 150, TODAY),
        ("1:6/1", 90, TODAY),
    ]
    late = offsets(charges, [paid_ahead(4, (9, ADVANCE, 100), day=date(2026, 11, 20))])
    assert late[0].value_date == date(2026, 11, 20), "nothing is paid before its payment"


def test_opening_advances_stay_outside_the_ledger() -> None:
    made = offsets([*DOCUMENT, advance(9, ADVANCE)], [paid_ahead(1, (9, ADVANCE, 600), settled=True)])
    assert {(parts_of(account).kind, parts_of(account).transit) for account in made[0].accounts} == {(AccountKind.SETTLED, 0)}
    assert credited(made) == {1: 400, 2: 100, 3: 60, 4: 40, 9: -600}


def test_an_offset_is_made_once_and_its_reversal_gives_back() -> None:
    charges = [*DOCUMENT, advance(9, ADVANCE)]
    source = paid_ahead(1, (9, ADVANCE, 250))
    (entry,) = offsets(charges, [source])
    after = {Line(1): 200, Line(2): 50}
    assert offsets(charges, [source, journaled(entry, 2)], after) == []
    mirror = AdvanceEntry(
        book=Book(1),
        sequence=Place(3),
        kind=EntryKind.REVERSAL,
        space=Space(1),
        external_id="1:2/1",
        transit=TRANSIT,
        value_date=TODAY,
        accounts=entry.accounts,
        amounts=tuple([-amount for amount in entry.amounts]),
        lines=entry.lines,
    )
    (again,) = offsets(charges, [mirror, journaled(entry, 2), source])
    assert (again.external_id, again.amounts) == ("1:1/2", entry.amounts)
    taken_back = AdvanceEntry(
        book=Book(1),
        sequence=Place(5),
        kind=EntryKind.REFUND,
        space=Space(1),
        external_id="1:1/1",
        transit=TRANSIT,
        value_date=TODAY,
        accounts=(LedgerAccount(1), payable(ADVANCE)),
        amounts=(-250, 250),
        lines=(Line(0), Line(9)),
    )
    assert offsets(charges, [source, taken_back]) == []
    assert (
        credited(offsets(charges, [source, journaled(entry, 2), taken_back, paid_ahead(6, (9, ADVANCE, 300))], after))[9] == -50
    )


@pytest.mark.parametrize(
    ("amounts", "lines", "fault"),
    [
        ((5, -3, -2), (9, 1, 2), ""),
        ((5, -3, 2, -4), (9, 1, 8, 2), "each debit"),
        ((-5, 5), (1, 9), "each debit"),
        ((5, -5), (9, 0), "each debit"),
        ((5, -5), (3, 1), "which is no advance"),
        ((500, -500), (9, 1), "more than were unpaid"),
        ((5, -5), (9, 5), "more than were unpaid"),
    ],
)
def test_a_form_that_is_none(amounts: tuple[int, ...], lines: tuple[int, ...], fault: str) -> None:
    (good,) = offsets([*DOCUMENT, advance(9, ADVANCE)], [paid_ahead(1, (9, ADVANCE, 250))])
    changed = {"accounts": (payable(MAINTENANCE),) * len(amounts), "amounts": amounts, "lines": tuple(map(Line, lines))}
    entry = JournalEntry(**{name: changed.get(name, getattr(good, name)) for name in JournalEntry.__struct_fields__})
    table = build_table(facts(), [*DOCUMENT, advance(9, ADVANCE)], {}, NOW).table
    found = offset_fault(entry) or overspent_fault(entry, table)
    assert found == "" if not fault else fault in found


AMOUNTS = st.integers(0, 5_000)
CREDITORS = st.sampled_from((UK, HEAT, WATER))
SERVICES = st.sampled_from((MAINTENANCE, LIFT, HEATING, HOT, COLD))
PERIODS = st.sampled_from((202608, 202609, 202610))


@st.composite
def towns(draw: st.DrawFn) -> tuple[list[Charge], list[AdvanceEntry], dict[Line, int]]:
    """Charges of several creditors and documents, partly paid, and payments ahead on several advance lines."""
    charges: dict[tuple[int, int, int], Charge] = {}
    for creditor, payee, period, amount in draw(
        st.lists(st.tuples(CREDITORS, SERVICES, PERIODS, st.integers(-300, 5_000)), max_size=9)
    ):
        line = len(charges) + 1
        charges.setdefault((creditor, payee, period), charge(line, payee, amount, creditor=creditor, period=period))
    lines = [
        charge(line, one.payee, one.amount, creditor=one.creditor, period=one.period)
        for line, one in enumerate(charges.values(), 1)
    ]
    paid = {one.line: draw(st.integers(0, max(0, one.amount))) for one in lines}
    ahead = draw(st.lists(st.tuples(SERVICES, CREDITORS), max_size=4, unique=True))
    advances = [advance(100 + place, payee, creditor) for place, (payee, creditor) in enumerate(ahead)]
    payments = draw(st.lists(st.lists(AMOUNTS, min_size=len(ahead), max_size=len(ahead)), max_size=3))
    entries = [
        paid_ahead(place, *[(one.line, one.payee, amount) for one, amount in zip(advances, amounts, strict=True) if amount])
        for place, amounts in enumerate(payments, 1)
        if any(amounts)
    ]
    repair = charge(90, REPAIR, 10_000)
    return [*lines, repair, *advances], entries, paid


@given(towns())
def test_sums_are_kept_and_creditors_never_mixed(town: tuple[list[Charge], list[AdvanceEntry], dict[Line, int]]) -> None:
    charges, entries, paid = town
    made = offsets(charges, entries, paid)
    by_line = {one.line: one for one in charges}
    moved = credited(made)
    assert sum(moved.values()) == 0
    put: dict[int, int] = {}
    for entry in entries:
        for line, amount in zip(entry.lines, entry.amounts, strict=True):
            put[line] = put.get(line, 0) - amount
    for line, amount in moved.items():
        of = by_line[Line(line)]
        if of.kind is ChargeKind.ADVANCE:
            assert 0 <= -amount <= put[line]
        else:
            assert 0 <= amount <= of.amount - paid[of.line] and of.pool is Pool.MAIN
    for entry in made:
        creditors = {by_line[line].creditor for line in entry.lines}
        assert len(creditors) == 1, "an offset has one creditor"
        assert sum(amount for _, _, amount in offset_flows(entry.accounts, entry.amounts)) == entry.amount_kopecks
    assert len({entry.external_id for entry in made}) == len(made)
    _assert_nothing_more(charges, made, put, paid)


def _assert_nothing_more(
    charges: Sequence[Charge], made: Sequence[JournalEntry], put: Mapping[int, int], paid: Mapping[Line, int]
) -> None:
    """Whoever still holds an advance that does not stay has nothing more to spend it on."""
    moved = credited(made)
    newest = max((one.period for one in charges if one.kind is ChargeKind.PRINCIPAL and one.pool is Pool.MAIN), default=0)
    charged = {one.payee for one in charges if one.period == newest and one.amount > 0 and one.pool is Pool.MAIN}
    for one in charges:
        if one.kind is not ChargeKind.ADVANCE or put.get(one.line, 0) + moved.get(one.line, 0) == 0:
            continue
        stays = PAYEES[one.payee][1] == "heating" and one.payee not in charged
        for other in charges:
            takes = other.kind is ChargeKind.PRINCIPAL and other.creditor == one.creditor and other.pool is Pool.MAIN
            if takes and (not stays or other.payee == one.payee):
                assert max(0, other.amount) <= paid.get(other.line, 0) + moved.get(other.line, 0)
