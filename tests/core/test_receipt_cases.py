"""Receipts as a table: channel × creditor × payer × event, against law.md 4 and the tills' published limits."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import NamedTuple

import pytest

from schemas.allocation import PayerKind
from schemas.channel import LegalKind
from schemas.journal import EntryKind
from schemas.receipt import Operation, Receipt
from services.fiscal.core.corrections import Issued
from services.fiscal.core.decision import Decided, Entry, Origin
from services.fiscal.core.drafts import with_client
from tests.core.receipt_town import (
    ADVANCE,
    CHANNEL,
    CODES,
    COSTS,
    PENALTY,
    Line,
    assert_published_limits,
    decide,
    entry_of,
)

BANK, AGENT_OF_BANK, AGENT, ACQUIRER = (LegalKind.BANK, LegalKind.BANK_PAYMENT_AGENT, LegalKind.PAYMENT_AGENT, LegalKind.ACQUIRER)
PERSON, FIRM, BUDGET = PayerKind

HEAT = Line(creditor="uk", recipient="heat", service="heating", amount=169_772)
KEEP = Line(creditor="uk", recipient="uk", service="maintenance", amount=126_988)
WATER = Line(creditor="water", recipient="water", service="cold_water", amount=21_050)
DIRECT_HEAT = Line(creditor="heat", recipient="heat", service="heating", amount=500)
REPAIR = Line(creditor="fund", recipient="fund", service="capital_repair", amount=71_235)
RENT = Line(creditor="rent", recipient="rent", service="rent", amount=4_000)
TSZH = Line(creditor="tszh", recipient="tszh", service="maintenance", amount=300)
ENERGY = Line(creditor="uk", recipient="energo", service="electricity", amount=61_616)
DIRECT_ENERGY = Line(creditor="energo", recipient="energo", service="electricity", amount=700)
GAS = Line(creditor="unset", recipient="unset", service="gas", amount=900)
INTERCOM = Line(creditor="usn", recipient="usn", service="intercom", amount=6_500)
FINE = Line(creditor="uk", recipient="uk", service="penalty", amount=5_200, kind=PENALTY, period=202608)
FINE_OF_HEAT = Line(creditor="heat", recipient="heat", service="heating", amount=3_440, kind=PENALTY, period=202608)
COURT = Line(creditor="uk", recipient="uk", service="court_costs", amount=200_000, kind=COSTS, period=0)
PREPAID = Line(creditor="uk", recipient="uk", service="advance", amount=100_000, kind=ADVANCE, period=0)
PREPAID_USN = Line(creditor="usn", recipient="usn", service="advance", amount=200, kind=ADVANCE, period=0)
PREPAID_HEAT = Line(creditor="heat", recipient="heat", service="heating", amount=45_910, kind=ADVANCE, period=0)
OLD = Line(creditor="uk", recipient="uk", service="maintenance", amount=100, period=202512)
NAMELESS = Line(creditor="uk", recipient="uk", service="unheard_of", amount=100)

ITEM = {
    HEAT: "Отопление за 10.2026|169772|4/4|none",
    KEEP: "Содержание жилья за 10.2026|126988|4/4|vat22",
    WATER: "Холодная вода за 10.2026|21050|4/4|vat22",
    DIRECT_HEAT: "Отопление за 10.2026|500|4/4|vat22",
    REPAIR: "Взнос на капитальный ремонт за 10.2026|71235|4/4|none",
    RENT: "Плата за наём за 10.2026|4000|4/4|none",
    TSZH: "Содержание жилья за 10.2026|300|4/4|none",
    ENERGY: "Электроэнергия за 10.2026|61616|4/4|vat22|another:7700000007",
    DIRECT_ENERGY: "Электроэнергия за 10.2026|700|4/4|vat22|another:7700000007",
    INTERCOM: "Домофон за 10.2026|6500|4/4|vat5",
    FINE: "Пени за 08.2026|5200|4/4|none",
    FINE_OF_HEAT: "Пени: Отопление за 08.2026|3440|4/4|none",
    COURT: "Судебные расходы|200000|4/15|none",
    PREPAID: "Аванс (ЖКУ)|100000|3/10|vat122",
    PREPAID_USN: "Аванс (ЖКУ)|200|3/10|vat105",
    PREPAID_HEAT: "Аванс (Отопление)|45910|3/10|vat122",
    OLD: "Содержание жилья за 12.2025|100|4/4|vat20",
}


class Case(NamedTuple):
    """``receipts``: issuer and its items, by operation when it is no sale; ``none``: issuer:reason:amount."""

    why: str
    channel: LegalKind
    payer: PayerKind
    lines: Sequence[Line]
    receipts: Mapping[str, tuple[Line, ...]] = MappingProxyType({})
    none: tuple[str, ...] = ()
    provider: str = "uk"
    kind: EntryKind = EntryKind.PAYMENT
    suspense: int = 0
    missing: str = ""


CASES = [
    Case("4.1 УО for its own line", BANK, PERSON, [KEEP], {"uk": (KEEP,)}),
    Case("4.1 УО for pass-through too", BANK, PERSON, [HEAT], {"uk": (HEAT,)}),
    Case("4.4 one receipt, an item a line", BANK, PERSON, [KEEP, HEAT], {"uk": (KEEP, HEAT)}),
    Case("4.1 direct creditor for its line", BANK, PERSON, [WATER], {"water": (WATER,)}),
    Case("4.1 each creditor for its own", BANK, PERSON, [KEEP, WATER, HEAT], {"uk": (KEEP, HEAT), "water": (WATER,)}),
    Case("1.3 capital repair is the fund's", BANK, PERSON, [KEEP, REPAIR], {"uk": (KEEP,), "fund": (REPAIR,)}),
    Case("4.1 agency by contract", BANK, PERSON, [DIRECT_ENERGY], {"uk": (DIRECT_ENERGY,)}),
    Case("4.1 agency beside own lines", BANK, PERSON, [KEEP, ENERGY], {"uk": (KEEP, ENERGY)}),
    Case("4.1 card: agency by contract", ACQUIRER, PERSON, [DIRECT_ENERGY], {"uk": (DIRECT_ENERGY,)}),
    Case("4.1 firm, bank: agency none", BANK, FIRM, [DIRECT_ENERGY], none=("uk:organisation:700",)),
    Case("4.1 ТСЖ is exempt for transfers", BANK, PERSON, [TSZH], none=("tszh:association:300",), provider="tszh"),
    Case("2.13 ТСЖ issues for cards", ACQUIRER, PERSON, [TSZH], {"tszh": (TSZH,)}, provider="tszh"),
    Case(
        "4.1 ТСЖ exempt, РСО is not",
        BANK,
        PERSON,
        [TSZH, DIRECT_HEAT],
        {"heat": (DIRECT_HEAT,)},
        ("tszh:association:300",),
        provider="tszh",
    ),
    Case("who uses no till", BANK, PERSON, [RENT], none=("rent:exempt:4000",)),
    Case("who uses no till, card", ACQUIRER, PERSON, [RENT, KEEP], {"uk": (KEEP,)}, ("rent:exempt:4000",)),
    Case("4.1 firm from its account", BANK, FIRM, [KEEP, HEAT], none=("uk:organisation:296760",)),
    Case("4.1 budget from its account", BANK, BUDGET, [KEEP, WATER], none=("uk:organisation:126988", "water:organisation:21050")),
    Case("4.1 firm to ТСЖ", BANK, FIRM, [TSZH], none=("tszh:organisation:300",), provider="tszh"),
    Case("firm by card on a site", ACQUIRER, FIRM, [KEEP], {"uk": (KEEP,)}),
    Case("budget by card on a site", ACQUIRER, BUDGET, [WATER], {"water": (WATER,)}),
    Case("103-ФЗ agent issued", AGENT, PERSON, [KEEP, HEAT], none=("uk:channel_agent:296760",)),
    Case("103-ФЗ agent, direct", AGENT, PERSON, [WATER], none=("water:channel_agent:21050",)),
    Case("103-ФЗ agent, agency", AGENT, PERSON, [DIRECT_ENERGY], none=("uk:channel_agent:700",)),
    Case("103-ФЗ agent, ТСЖ", AGENT, PERSON, [TSZH], none=("tszh:channel_agent:300",), provider="tszh"),
    Case("103-ФЗ agent, firm", AGENT, FIRM, [KEEP], none=("uk:channel_agent:126988",)),
    Case(
        "161-ФЗ bank's agent issued",
        AGENT_OF_BANK,
        PERSON,
        [KEEP, REPAIR],
        none=("uk:channel_agent:126988", "fund:channel_agent:71235"),
    ),
    Case("161-ФЗ bank's agent, budget", AGENT_OF_BANK, BUDGET, [HEAT], none=("uk:channel_agent:169772",)),
    Case("agent: nothing to configure", AGENT, PERSON, [GAS], none=("unset:channel_agent:900",)),
    Case("4.3 card or СБП on a site", ACQUIRER, PERSON, [KEEP, HEAT, WATER], {"uk": (KEEP, HEAT), "water": (WATER,)}),
    Case("4.3 penalty without VAT", BANK, PERSON, [FINE], {"uk": (FINE,)}),
    Case("1.3 penalty is its creditor's", BANK, PERSON, [FINE, FINE_OF_HEAT], {"uk": (FINE,), "heat": (FINE_OF_HEAT,)}),
    Case("awarded costs", BANK, PERSON, [COURT], {"uk": (COURT,)}),
    Case("4.3 advance: 3, 10, calculated rate", BANK, PERSON, [PREPAID], {"uk": (PREPAID,)}),
    Case("4.3 advance of УСН with 5 %", BANK, PERSON, [PREPAID_USN], {"usn": (PREPAID_USN,)}),
    Case("1.9 advance by weights", BANK, PERSON, [PREPAID_HEAT], {"heat": (PREPAID_HEAT,)}),
    Case("4.3 bill and advance at once", BANK, PERSON, [KEEP, PREPAID], {"uk": (KEEP, PREPAID)}),
    Case("advance to the agent", AGENT, PERSON, [PREPAID], none=("uk:channel_agent:100000",)),
    Case("4.3 VAT by period: 20 % in 2025", BANK, PERSON, [OLD, KEEP], {"uk": (OLD, KEEP)}),
    Case("УСН with VAT 5 %", ACQUIRER, PERSON, [INTERCOM], {"usn": (INTERCOM,)}),
    Case("1.12 suspense until identified", BANK, PERSON, [], none=("-:suspense:777",), kind=EntryKind.SUSPENSE, suspense=777),
    Case("1.12 rest in suspense", BANK, PERSON, [KEEP], {"uk": (KEEP,)}, ("-:suspense:50",), suspense=50),
    Case(
        "1.12 released: a receipt now",
        ACQUIRER,
        PERSON,
        [KEEP],
        {"uk": (KEEP,)},
        ("-:suspense:-126988",),
        kind=EntryKind.SUSPENSE_RELEASE,
        suspense=-126_988,
    ),
    Case(
        "paid elsewhere",
        BANK,
        PERSON,
        [KEEP, WATER],
        none=("uk:paid_elsewhere:126988", "water:paid_elsewhere:21050"),
        kind=EntryKind.PAID_ELSEWHERE,
    ),
    Case("not configured: waits", BANK, PERSON, [GAS], {"unset": (GAS,)}, missing="fiscal company unset on 2026-11-24"),
    Case(
        "not configured: only its own",
        BANK,
        PERSON,
        [GAS, KEEP],
        {"unset": (GAS,), "uk": (KEEP,)},
        missing="fiscal company unset",
    ),
    Case("no title: waits", BANK, PERSON, [NAMELESS, KEEP], {"uk": (NAMELESS, KEEP)}, missing="fiscal service unheard_of"),
    Case("another manager's line is direct", BANK, PERSON, [KEEP], {"uk": (KEEP,)}, provider="tszh"),
    Case("offset of an advance: none at once", BANK, PERSON, [KEEP], kind=EntryKind.ADVANCE_OFFSET),
    Case("offset of a firm's: none", BANK, FIRM, [KEEP], none=("uk:organisation:126988",), kind=EntryKind.ADVANCE_OFFSET),
    Case(
        "offset at ТСЖ: none",
        BANK,
        PERSON,
        [TSZH],
        none=("tszh:association:300",),
        kind=EntryKind.ADVANCE_OFFSET,
        provider="tszh",
    ),
]


def shown(receipt: Receipt) -> tuple[str, ...]:
    """Items as the table writes them."""
    return tuple(
        f"{one.name}|{one.sum_kopecks}|{int(one.method)}/{int(one.subject)}|{one.vat.value}"
        + (f"|{one.agent.value}:{one.supplier.inn}" if one.agent and one.supplier else "")
        for one in receipt.items
    )


def omitted(decided: Decided) -> set[str]:
    names = ("-", *CODES)
    return {f"{names[one.issuer]}:{one.reason.value}:{one.amount}" for one in decided.omissions}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_a_payment_gets_the_receipts_of_the_law(case: Case) -> None:
    entry = entry_of(case.lines, case.kind, channel=CHANNEL[case.channel], suspense=case.suspense)
    decided = decide(case.lines, entry, case.payer, provider=case.provider)
    assert omitted(decided) == set(case.none)
    assert {CODES[draft.issuer - 1] for draft in decided.drafts} == set(case.receipts)
    for draft in decided.drafts:
        lines = case.receipts[CODES[draft.issuer - 1]]
        assert sum(draft.amounts) == sum(line.amount for line in lines)
        assert draft.operation is Operation.SELL
        if draft.receipt is None:
            assert draft.missing.startswith(case.missing) and case.missing
            continue
        assert shown(draft.receipt) == tuple(ITEM[line] for line in lines)
        assert draft.receipt.internet == (case.channel is ACQUIRER)
        assert_published_limits(draft.receipt)
    if case.missing:
        assert any(draft.receipt is None for draft in decided.drafts)


@pytest.mark.parametrize(
    ("channel", "settled", "deadline"),
    [
        (BANK, datetime(2026, 11, 24, 9, 30, 1, tzinfo=UTC), datetime(2026, 11, 25, 21, tzinfo=UTC)),
        (ACQUIRER, datetime(2026, 11, 24, 9, 30, tzinfo=UTC), datetime(2026, 11, 24, 9, 30, 1, tzinfo=UTC)),
    ],
)
def test_terms_go_by_the_way_of_paying(channel: LegalKind, settled: datetime, deadline: datetime) -> None:
    (draft,) = decide([KEEP], entry_of([KEEP], channel=CHANNEL[channel])).drafts
    assert (draft.settled_at, draft.deadline) == (settled, deadline)


def test_a_term_ends_on_a_working_day() -> None:
    """Recorded at 23:30 of Wednesday, 30 December, in Moscow: 31 December and the holidays until 11 January do not count."""
    late = datetime(2026, 12, 30, 20, 30, tzinfo=UTC)
    entry = entry_of([KEEP], recorded_at=late, value_date=date(2026, 12, 30))
    (draft,) = decide([KEEP], entry).drafts
    assert draft.deadline == datetime(2027, 1, 11, 21, tzinfo=UTC)


def test_money_released_from_suspense_came_by_its_own_channel() -> None:
    entry = entry_of([KEEP], EntryKind.SUSPENSE_RELEASE, channel=0, suspense=-KEEP.amount)
    (draft,) = decide([KEEP], entry).drafts
    assert draft.receipt is not None and draft.receipt.internet


def test_a_payer_without_contact_gets_it_at_the_company() -> None:
    (draft,) = decide([KEEP], entry_of([KEEP])).drafts
    assert draft.receipt is not None and draft.receipt.client == ""
    assert with_client(draft.receipt, "").client == "uk@example.ru"
    assert with_client(draft.receipt, "+79001112233").client == "+79001112233"


def correcting(lines: Sequence[Line], kind: EntryKind = EntryKind.REVERSAL) -> Entry:
    back = [Line(**{name: getattr(line, name) for name in line.__struct_fields__} | {"amount": -line.amount}) for line in lines]
    return entry_of(back, kind, space=1, external_id="1:4/1")


def origin_of(lines: Sequence[Line], *, registered: bool = True, channel: LegalKind = BANK) -> Origin:
    """What was issued for a payment of the lines."""
    drafts = decide(lines, entry_of(lines, channel=CHANNEL[channel])).drafts
    issued = [
        Issued(
            number=number,
            issuer=draft.issuer,
            operation=draft.operation,
            part=draft.part,
            lines=draft.lines,
            receipt=draft.receipt,
            registered=registered,
        )
        for number, draft in enumerate(drafts, start=10)
    ]
    return Origin(space=101, external_id="txn-1", channel=CHANNEL[channel], nth="1", issued=tuple(issued))


CORRECTIONS = [
    ("mirror", [KEEP, HEAT], {"uk": (KEEP, HEAT)}, BANK, ()),
    ("mirror of each creditor", [KEEP, WATER, REPAIR], {"uk": (KEEP,), "water": (WATER,), "fund": (REPAIR,)}, BANK, ()),
    ("mirror of an advance", [PREPAID], {"uk": (PREPAID,)}, BANK, ()),
    ("mirror of an agent's item", [KEEP, ENERGY], {"uk": (KEEP, ENERGY)}, ACQUIRER, ()),
    ("no refund of what had none", [KEEP], {}, AGENT, ("-:original_without:-126988",)),
]


@pytest.mark.parametrize(
    ("why", "lines", "refunds", "channel", "none"), CORRECTIONS, ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_reversal_mirrors_what_was_issued(
    why: str, lines: list[Line], refunds: dict[str, tuple[Line, ...]], channel: LegalKind, none: tuple[str, ...]
) -> None:
    decided = decide(lines, correcting(lines), origin=origin_of(lines, channel=channel))
    assert omitted(decided) == set(none)
    assert {CODES[draft.issuer - 1] for draft in decided.drafts} == set(refunds)
    for draft in decided.drafts:
        assert draft.receipt is not None and draft.receipt.operation is Operation.SELL_REFUND
        assert shown(draft.receipt) == tuple(ITEM[line] for line in refunds[CODES[draft.issuer - 1]])
        assert (draft.place.external_id, draft.place.correction, draft.stopped) == ("txn-1", "1", False)
        assert_published_limits(draft.receipt)


def test_a_partial_refund_takes_the_lines_and_sums_of_the_entry() -> None:
    lines = [KEEP, HEAT, WATER]
    entry = entry_of(
        [], EntryKind.REFUND, space=1, external_id="1:4/2", lines=[1, 3, 0], amounts=[100, 40, -140], accounts=[1, 2, 3]
    )
    decided = decide(lines, entry, origin=origin_of(lines))
    assert [(CODES[draft.issuer - 1], draft.lines, draft.amounts) for draft in decided.drafts] == [
        ("uk", (1,), (100,)),
        ("water", (3,), (40,)),
    ]
    assert [draft.receipt.total_kopecks for draft in decided.drafts if draft.receipt] == [100, 40]


def test_a_refund_waits_for_what_it_mirrors() -> None:
    (draft,) = decide([KEEP], correcting([KEEP]), origin=origin_of([KEEP], registered=False)).drafts
    assert (draft.after, draft.stopped) == (10, True)


def test_a_refund_of_what_is_not_configured_waits_with_it() -> None:
    (draft,) = decide([GAS], correcting([GAS]), origin=origin_of([GAS], registered=False)).drafts
    assert draft.receipt is None and draft.missing == "receipt 10 is not configured"


def test_a_reassignment_gives_back_and_sells() -> None:
    """One entry against another account: its debits are refunded, its credits sold by the way the payment came."""
    entry = entry_of(
        [],
        EntryKind.REASSIGNMENT,
        channel=0,
        space=1,
        external_id="1:4/1",
        lines=[1, 2, 0],
        amounts=[300, -300, 0],
        accounts=[1, 2, 3],
    )
    decided = decide([KEEP, WATER], entry, origin=origin_of([KEEP]))
    assert [(draft.operation, CODES[draft.issuer - 1], draft.amounts) for draft in decided.drafts] == [
        (Operation.SELL, "water", (300,)),
        (Operation.SELL_REFUND, "uk", (300,)),
    ]
