"""Recalculation of a closed month, and the provider's fine (п. 155(1))."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.billing.core.corrections import FineVerdict, Overcharge, fine_verdict, period_corrections, provider_fines
from services.billing.core.lines import ChargeLine, Explanation, LineKind
from services.billing.core.month import Adjustment

CAUSE = "уточнены показания"
HALF = 500_000


def line(account: str, service: str, amount: int, kind: LineKind = LineKind.CHARGE, of_period: int = 0) -> ChargeLine:
    """A line that matters by its sum."""
    return ChargeLine(
        account=account,
        premises="1",
        service=service,
        kind=kind,
        volume=0,
        price=0,
        amount_kopecks=amount,
        explanation=Explanation(formula="1", inputs=()),
        of_period=of_period,
    )


def corrected(service: str, amount: int, kind: LineKind = LineKind.CORRECTION) -> Adjustment:
    """An adjustment of September."""
    cause = CAUSE if kind is LineKind.CORRECTION else "штраф исполнителя за необоснованное начисление (п. 155(1) Правил)"
    return Adjustment(service=service, kind=int(kind), amount_kopecks=amount, cause=cause, of_period=202609)


THEN = (line("a", "cold", 1_000), line("a", "cold", 500, LineKind.RAISED), line("a", "hot", 2_000), line("b", "cold", 700))
CORRECTIONS = [
    ("less", (line("a", "cold", 800), *THEN[2:]), {"a": (corrected("cold", -700),)}),
    ("more", (*THEN, line("b", "cold", 50)), {"b": (corrected("cold", 50),)}),
    ("the kinds of a service together", (line("a", "cold", 1_500), *THEN[2:]), {}),
    ("services in order", (THEN[3],), {"a": (corrected("cold", -1_500), corrected("hot", -2_000))}),
    ("an account that was not there", (*THEN, line("c", "hot", 9)), {"c": (corrected("hot", 9),)}),
    ("a service that is no longer due", THEN[:3], {"b": (corrected("cold", -700),)}),
    ("other periods' corrections do not matter", (*THEN, line("a", "hot", 5, LineKind.CORRECTION, 202608)), {}),
    ("fines do not matter", (*THEN, line("a", "hot", -5, LineKind.FINE)), {}),
]


@pytest.mark.parametrize(("due", "expected"), [case[1:] for case in CORRECTIONS], ids=[case[0] for case in CORRECTIONS])
def test_corrections(due: tuple[ChargeLine, ...], expected: dict[str, tuple[Adjustment, ...]]) -> None:
    assert period_corrections(THEN, due, 202609, CAUSE) == expected


def test_a_correction_made_before_counts_as_charged() -> None:
    due = (line("a", "cold", 800), *THEN[2:])
    before = line("a", "cold", -700, LineKind.CORRECTION, 202609)
    assert period_corrections((*THEN, before), due, 202609, CAUSE) == {}


LINES = st.lists(
    st.builds(
        line, st.sampled_from("abc"), st.sampled_from(("cold", "hot")), st.integers(-(10**6), 10**6), st.sampled_from(LineKind)
    ),
    max_size=20,
)


@given(LINES, st.randoms(use_true_random=False))
def test_unchanged_facts_give_nothing(lines: list[ChargeLine], chance: object) -> None:
    shuffled = list(lines)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert period_corrections(lines, shuffled, 202609, CAUSE) == {}


@given(LINES, LINES)
def test_what_was_corrected_is_what_is_due(then: list[ChargeLine], due: list[ChargeLine]) -> None:
    found = period_corrections(then, due, 202609, CAUSE)
    made = [
        line(account, row.service, row.amount_kopecks, LineKind.CORRECTION, 202609) for account in found for row in found[account]
    ]
    assert period_corrections([*then, *made], due, 202609, CAUSE) == {}


CLAIMED = Overcharge(mended_on=date(2026, 11, 20), claimed_on=date(2026, 11, 10), paid_on=None)
FINES = [
    ("overcharged, claimed, mended after", -1_000, CLAIMED, FineVerdict.FINED),
    ("mended on the day of the claim", -1_000, replace(CLAIMED, mended_on=date(2026, 11, 10)), FineVerdict.FINED),
    ("mended before the claim", -1_000, replace(CLAIMED, mended_on=date(2026, 11, 9)), FineVerdict.MENDED_BEFORE),
    (
        "mended before the claim, but paid already",
        -1_000,
        replace(CLAIMED, mended_on=date(2026, 11, 9), paid_on=date(2026, 11, 5)),
        FineVerdict.FINED,
    ),
    ("never claimed", -1_000, replace(CLAIMED, claimed_on=None), FineVerdict.NOT_CLAIMED),
    ("the payer's own fault", -1_000, replace(CLAIMED, is_payers_fault=True), FineVerdict.PAYERS_FAULT),
    ("undercharged", 1_000, CLAIMED, FineVerdict.NOT_OVERCHARGED),
    ("nothing changed", 0, CLAIMED, FineVerdict.NOT_OVERCHARGED),
]


@pytest.mark.parametrize(("amount", "overcharge", "expected"), [case[1:] for case in FINES], ids=[case[0] for case in FINES])
def test_who_is_fined(amount: int, overcharge: Overcharge, expected: FineVerdict) -> None:
    assert fine_verdict(amount, overcharge) is expected


def test_the_fine_is_half_of_every_overcharge() -> None:
    corrections = {"a": (corrected("cold", -1_001), corrected("hot", 500)), "b": (corrected("cold", -700),)}
    assert provider_fines(corrections, {"a": CLAIMED}, HALF) == {"a": (corrected("cold", -501, LineKind.FINE),)}
