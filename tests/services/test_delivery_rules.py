"""The rules of an attempt as tables: what is done with a due order, what an answer makes of it, how long is waited."""

import msgspec
import pytest

from schemas.delivery import Accepted, Answer, Closed, Done, NotTaken, OrderState, Refused, Unknown
from services.delivery.breaker import Breaker, BreakerState
from services.delivery.pace import Pace
from services.delivery.rules import Action, Patience, Rules, Stand, Traits, Verdict, action_for, clean, released

W, A, D, R, P = OrderState.WAITING, OrderState.ACCEPTED, OrderState.DONE, OrderState.REFUSED, OrderState.PARKED
SEND, ASK, PARK = Action.SEND, Action.ASK, Action.PARK
DEDUPLICATES = Traits(deduplicates=True, can_be_asked=False)
ASKABLE = Traits(deduplicates=False, can_be_asked=True)
BOTH = Traits(deduplicates=True, can_be_asked=True)
NEITHER = Traits(deduplicates=False, can_be_asked=False)
PATIENCE = Patience(
    backoff_ms_min=100,
    backoff_ms_max=1_000,
    quiet_ms=5_000,
    delay_ms_max=60_000,
    attempts_max=6,
    asks_max=50,
    attempts_min=3,
    age_ms_max=1_000_000,
)
OLD_MS = 2_000_000


def stand(state: OrderState = W, *, unknown: bool = False, attempt: int = 1, age_ms: int = 0) -> Stand:
    """A leased order that has a reference once it is accepted."""
    return Stand(state=state, unknown=unknown, attempt=attempt, age_ms=age_ms, reference="old" if state is A else "")


ACTIONS = [
    (stand(), NEITHER, SEND),
    (stand(), BOTH, SEND),
    (stand(attempt=99, age_ms=OLD_MS), NEITHER, SEND),
    (stand(unknown=True, attempt=2), ASKABLE, ASK),
    (stand(unknown=True, attempt=2), BOTH, ASK),
    (stand(unknown=True, attempt=2), DEDUPLICATES, SEND),
    (stand(unknown=True, attempt=2), NEITHER, PARK),
    # An order that kills every worker that takes it.
    (stand(unknown=True, attempt=6), ASKABLE, ASK),
    (stand(unknown=True, attempt=7), ASKABLE, PARK),
    (stand(unknown=True, attempt=7), DEDUPLICATES, PARK),
    (stand(A), ASKABLE, ASK),
    (stand(A, attempt=4_000), BOTH, ASK),
    (stand(A), DEDUPLICATES, PARK),
    (stand(A), NEITHER, PARK),
]


@pytest.mark.parametrize(("before", "traits", "action"), ACTIONS)
def test_what_is_done_with_a_due_order(before: Stand, traits: Traits, action: Action) -> None:
    decided, why = action_for(before, traits, PATIENCE)
    assert decided is action
    assert bool(why) == (action is PARK)


DONE = Done(reference="new", content=b"{}")
ACCEPTED = Accepted(reference="new", ask_after_ms=700)
NOT_TAKEN, LATER = NotTaken(reason="busy"), NotTaken(reason="busy", after_ms=9_000)
UNKNOWN = Unknown(reason="timed out")
NO, AGAIN = Refused(code="13", reason="bad"), Refused(code="1", reason="queue", again=True)
CLOSED = Closed(reason="blocked")
# before, traits, action, answer; state, sending, due_ms, attempts after it.
VERDICTS: list[tuple[Stand, Traits, Action, Answer, OrderState, bool, int | None, int]] = [
    (stand(), NEITHER, SEND, DONE, D, False, 0, 1),
    (stand(unknown=True), ASKABLE, ASK, DONE, D, False, 0, 1),
    (stand(A, attempt=9), ASKABLE, ASK, DONE, D, False, 0, 9),
    (stand(), NEITHER, SEND, NO, R, False, 0, 1),
    (stand(A), ASKABLE, ASK, AGAIN, R, False, 0, 1),
    (stand(attempt=4), ASKABLE, SEND, ACCEPTED, A, False, 700, 0),
    (stand(attempt=4), NEITHER, SEND, ACCEPTED, A, False, None, 0),
    (stand(unknown=True, attempt=4), ASKABLE, ASK, ACCEPTED, A, False, 700, 0),
    (stand(A, attempt=4), ASKABLE, ASK, ACCEPTED, A, False, 700, 4),
    (stand(A, attempt=50), ASKABLE, ASK, ACCEPTED, P, False, 0, 50),
    (stand(A, attempt=3, age_ms=OLD_MS), ASKABLE, ASK, ACCEPTED, P, False, 0, 3),
    (stand(attempt=3), ASKABLE, SEND, Accepted(reference="new", ask_after_ms=10**12), A, False, 60_000, 0),
    (stand(attempt=3), ASKABLE, SEND, Accepted(reference="new", ask_after_ms=-1), A, False, 0, 0),
    (stand(), NEITHER, SEND, NOT_TAKEN, W, False, 100, 1),
    (stand(attempt=3), NEITHER, SEND, NOT_TAKEN, W, False, 400, 3),
    (stand(attempt=5), NEITHER, SEND, NOT_TAKEN, W, False, 1_000, 5),
    (stand(attempt=2), NEITHER, SEND, LATER, W, False, 9_000, 2),
    (stand(attempt=2), NEITHER, SEND, NotTaken(reason="busy", after_ms=10**12), W, False, 60_000, 2),
    (stand(attempt=6), NEITHER, SEND, NOT_TAKEN, P, False, 0, 6),
    (stand(attempt=2, age_ms=OLD_MS), NEITHER, SEND, NOT_TAKEN, W, False, 200, 2),
    (stand(attempt=3, age_ms=OLD_MS), NEITHER, SEND, NOT_TAKEN, P, False, 0, 3),
    (stand(unknown=True, attempt=2), DEDUPLICATES, SEND, NOT_TAKEN, W, False, 200, 2),
    (stand(unknown=True, attempt=2), ASKABLE, ASK, NOT_TAKEN, W, False, 0, 2),
    (stand(unknown=True, attempt=9), ASKABLE, ASK, LATER, W, False, 9_000, 9),
    (stand(A, attempt=9), BOTH, ASK, NOT_TAKEN, W, False, 0, 0),
    (stand(A, attempt=9), ASKABLE, ASK, NOT_TAKEN, P, True, 0, 9),
    (stand(), DEDUPLICATES, SEND, UNKNOWN, W, True, 100, 1),
    (stand(), BOTH, SEND, UNKNOWN, W, True, 100, 1),
    (stand(), ASKABLE, SEND, UNKNOWN, W, True, 5_000, 1),
    (stand(), NEITHER, SEND, UNKNOWN, P, True, 0, 1),
    (stand(attempt=6), ASKABLE, SEND, UNKNOWN, P, True, 0, 6),
    (stand(unknown=True, attempt=2), ASKABLE, ASK, UNKNOWN, W, True, 5_000, 2),
    (stand(unknown=True, attempt=6), ASKABLE, ASK, UNKNOWN, P, True, 0, 6),
    (stand(A, attempt=2), ASKABLE, ASK, UNKNOWN, A, False, 200, 2),
    (stand(A, attempt=7), ASKABLE, ASK, UNKNOWN, A, False, 1_000, 7),
    (stand(A, attempt=50), ASKABLE, ASK, UNKNOWN, P, False, 0, 50),
    (stand(), NEITHER, SEND, CLOSED, W, False, 0, 1),
    (stand(unknown=True), DEDUPLICATES, SEND, CLOSED, W, False, 0, 1),
    (stand(unknown=True), ASKABLE, ASK, CLOSED, W, True, 0, 1),
    (stand(A), ASKABLE, ASK, CLOSED, A, False, 0, 1),
]


@pytest.mark.parametrize(("before", "traits", "action", "answer", "state", "sending", "due_ms", "attempts"), VERDICTS)
def test_what_an_answer_makes_of_an_order(
    before: Stand,
    traits: Traits,
    action: Action,
    answer: Answer,
    state: OrderState,
    sending: bool,
    due_ms: int | None,
    attempts: int,
) -> None:
    verdict = Rules(traits, PATIENCE, draw=lambda n: n - 1).verdict(before, action, answer)
    assert (verdict.state, verdict.sending, verdict.due_ms, verdict.attempts) == (state, sending, due_ms, attempts)
    assert verdict.closes == isinstance(answer, Closed)
    assert bool(verdict.reason) == (state not in (D, A) or isinstance(answer, Closed | Unknown))
    assert (verdict.result is not None) == isinstance(answer, Done | Refused)
    if isinstance(answer, Done | Accepted) and state is not P:
        assert verdict.reference == "new"


def test_no_verdict_lets_an_unknown_outcome_be_sent_again_unasked() -> None:
    for before, traits, action, answer, *_ in VERDICTS:
        verdict = Rules(traits, PATIENCE, draw=lambda _: 0).verdict(before, action, answer)
        may_be_there = isinstance(answer, Unknown) and (action is SEND or before.unknown)
        if verdict.state is W and may_be_there:
            after = Stand(state=W, unknown=verdict.sending, attempt=verdict.attempts + 1, age_ms=0)
            assert action_for(after, traits, PATIENCE)[0] is not SEND or traits.deduplicates


def test_a_released_order_stands_as_before() -> None:
    for before in (stand(unknown=True, attempt=4), stand(attempt=1), stand(A, attempt=2)):
        expected = Verdict(
            state=before.state, sending=before.unknown, reference=before.reference, attempts=before.attempt - 1, due_ms=0
        )
        assert released(before) == expected


def test_backoff_grows_to_its_bound_and_is_spread() -> None:
    least, most = Rules(BOTH, PATIENCE, draw=lambda _: 0), Rules(BOTH, PATIENCE, draw=lambda n: n - 1)
    assert [most.backoff_ms(attempt) for attempt in (1, 2, 3, 4, 5, 1_000_000)] == [100, 200, 400, 800, 1_000, 1_000]
    assert [least.backoff_ms(attempt) for attempt in (1, 2, 3, 4, 5)] == [50, 100, 200, 400, 500]


@pytest.mark.parametrize(("text", "kept"), [("a\0b", "ab"), ("a\ud800", "a?"), ("я" * 900, "я" * 500), ("", "")])
def test_texts_of_counterparties_fit_the_register(text: str, kept: str) -> None:
    assert clean(text) == kept


@pytest.mark.parametrize(
    "spoilt",
    [
        {"concurrency": 0},
        {"open_ms": 100_000},
        {"lease_ms": 20_000},
        {"patience": Patience(backoff_ms_min=10, backoff_ms_max=5)},
    ],
)
def test_limits_that_do_not_fit_one_another_are_refused(spoilt: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"delivery|least|times"):
        msgspec.structs.replace(Pace(), **spoilt)


def test_the_breaker_opens_probes_and_closes() -> None:
    breaker = Breaker(Pace(failures_max=3, open_ms=1_000, open_ms_max=3_000), draw=lambda n: n - 1)
    for _ in range(2):
        breaker.failed(0)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(0)
    assert breaker.state is BreakerState.CLOSED and breaker.allowance(0, 5, 7) == 7
    breaker.failed(0)
    assert breaker.state is BreakerState.OPEN and breaker.allowance(999, 0, 7) == 0
    breaker.failed(500)  # one that was under way does not put the probe off
    assert breaker.allowance(1_000, 1, 7) == 0
    assert breaker.allowance(1_000, 0, 7) == 1
    assert breaker.state is BreakerState.HALF_OPEN
    breaker.failed(1_000)
    assert [breaker.allowance(moment, 0, 7) for moment in (2_999, 3_000)] == [0, 1]
    breaker.failed(3_000)
    assert [breaker.allowance(moment, 0, 7) for moment in (5_999, 6_000)] == [0, 1]
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED and breaker.allowance(6_000, 3, 7) == 7
