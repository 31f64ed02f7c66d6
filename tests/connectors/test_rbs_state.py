"""Where a payment stands, from its events in any order and with repeats."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.acquiring.payment_state import AcquirerState, StateFault, standing_of
from connectors.acquiring.rbs_words import event_key
from schemas.acquiring import AcquirerAct, AcquirerEvent
from schemas.ids import ExternalId


def told(act: AcquirerAct, amount_kopecks: int, reference: str = "", payment: str = "md-1") -> AcquirerEvent:
    key = event_key(payment, act.value, reference, amount_kopecks)
    return AcquirerEvent(act=act, payment=ExternalId(payment), key=key, amount_kopecks=amount_kopecks, event_at=None)


A, P, V, R, D, X = (AcquirerAct(word) for word in ("approved", "paid", "reversed", "refunded", "declined", "other"))
S = AcquirerState

LEGAL = [
    ((), S.NEW, (0, 0, 0)),
    (((X, 5, ""),), S.NEW, (0, 0, 0)),
    (((D, 100, ""),), S.DECLINED, (0, 0, 0)),
    (((A, 100, ""),), S.APPROVED, (100, 0, 0)),
    (((A, 0, ""),), S.APPROVED, (0, 0, 0)),
    (((D, 100, ""), (A, 100, "")), S.APPROVED, (100, 0, 0)),
    (((P, 100, ""),), S.DEPOSITED, (0, 100, 0)),
    (((D, 100, ""), (P, 100, "")), S.DEPOSITED, (0, 100, 0)),
    (((A, 100, ""), (P, 80, "")), S.DEPOSITED, (100, 80, 0)),
    (((A, 0, ""), (P, 100, "")), S.DEPOSITED, (0, 100, 0)),
    (((A, 100, ""), (V, 100, "")), S.REVERSED, (100, 0, 0)),
    (((P, 100, ""), (V, 100, "")), S.REVERSED, (0, 100, 0)),
    (((P, 100, ""), (R, 30, "a")), S.PARTLY_REFUNDED, (0, 100, 30)),
    (((P, 100, ""), (R, 30, "a"), (R, 30, "b")), S.PARTLY_REFUNDED, (0, 100, 60)),
    (((P, 100, ""), (R, 30, "a"), (R, 70, "b")), S.REFUNDED, (0, 100, 100)),
]


@pytest.mark.parametrize(("history", "state", "sums"), LEGAL)
def test_legal_histories(history: tuple[tuple[AcquirerAct, int, str], ...], state: S, sums: tuple[int, int, int]) -> None:
    standing = standing_of([told(*one) for one in history])
    assert (standing.held_kopecks, standing.deposited_kopecks, standing.refunded_kopecks) == sums
    assert (standing.state, standing.fault, standing.is_whole) == (state, None, True)


@pytest.mark.parametrize(
    ("history", "state"), [(((R, 30, "a"),), S.PARTLY_REFUNDED), (((P, 100, ""), (R, 0, "")), S.PARTLY_REFUNDED)]
)
def test_what_is_missing_is_said(history: tuple[tuple[AcquirerAct, int, str], ...], state: S) -> None:
    standing = standing_of([told(*one) for one in history])
    assert (standing.state, standing.is_whole, standing.fault) == (state, False, None)


FAULTS = [
    ([told(P, 100), told(R, 101, "a")], StateFault.REFUND_ABOVE_DEPOSIT),
    ([told(P, 100), told(R, 60, "a"), told(R, 60, "b")], StateFault.REFUND_ABOVE_DEPOSIT),
    ([told(P, 100), told(V, 100), told(R, 10, "a")], StateFault.REVERSED_AND_REFUNDED),
    ([told(A, 100), told(P, 101)], StateFault.DEPOSIT_ABOVE_HOLD),
    ([told(P, 100), told(P, 90)], StateFault.DEPOSITED_TWICE),
    ([told(P, 100), told(P, 100, payment="md-2")], StateFault.OTHER_PAYMENT),
]


@pytest.mark.parametrize(("events", "fault"), FAULTS)
def test_what_cannot_be_is_a_fault(events: list[AcquirerEvent], fault: StateFault) -> None:
    assert standing_of(events).fault is standing_of(reversed(events)).fault is fault


def test_one_key_with_two_contents_is_a_fault_and_one_of_them_counts_whatever_came_first() -> None:
    first = told(P, 100)
    second = AcquirerEvent(act=P, payment=first.payment, key=first.key, amount_kopecks=90, event_at=None)
    assert standing_of([first, second]) == standing_of([second, first])
    assert standing_of([first, second]).fault is StateFault.KEY_REUSED


@st.composite
def legal_histories(draw: st.DrawFn) -> list[AcquirerEvent]:
    """What an acquirer may really have done to one order."""
    amount = draw(st.integers(1, 10**9))
    events = [told(D, amount, str(n)) for n in range(draw(st.integers(0, 2)))]
    if draw(st.booleans()):
        events.append(told(A, amount))
    end = draw(st.sampled_from(["held", "reversed", "deposited", "refunded"]))
    if end == "reversed":
        events.append(told(V, amount))
    if end in ("deposited", "refunded"):
        deposited = draw(st.integers(1, amount))
        events.append(told(P, deposited))
        left = deposited if end == "refunded" else 0
        for number in range(4):
            if left:
                part = draw(st.integers(1, left))
                events.append(told(R, part, f"r{number}"))
                left -= part
    return events


@given(legal_histories(), st.data())
def test_any_order_with_repeats_gives_the_same(history: list[AcquirerEvent], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(history), max_size=6)) if history else []
    shuffled = data.draw(st.permutations(history + repeats))
    standing = standing_of(shuffled)
    assert standing == standing_of(history)
    assert standing.fault is None and standing.is_whole
    assert standing.refunded_kopecks == sum(event.amount_kopecks for event in history if event.act is R)


@given(
    st.lists(
        st.builds(
            told, st.sampled_from(AcquirerAct), st.integers(0, 3), st.sampled_from(["", "a"]), st.sampled_from(["md-1", "md-2"])
        ),
        max_size=8,
    ),
    st.randoms(),
)
def test_no_history_raises_and_none_depends_on_its_order(history: list[AcquirerEvent], random: Random) -> None:
    shuffled = list(history)
    random.shuffle(shuffled)
    assert standing_of(shuffled) == standing_of(history)
