"""The rules of an attempt, without I/O: what to do with a due order, and what an answer makes of it (design W9)."""

from collections.abc import Callable
from enum import Enum
from typing import assert_never

import msgspec
from tenacity import RetryCallState, Retrying, wait_exponential

from schemas.delivery import Accepted, Answer, Closed, Done, NotTaken, OrderState, Refused, Unknown

TEXT_CHARACTERS_MAX = 500
DAY_MS = 24 * 3_600_000

_RETRYING = Retrying()
"""Strategies want to know whose state they are asked about; nothing is retried by it."""

Draw = Callable[[int], int]
"""``draw(n)`` gives a whole number from 0 to n - 1."""


class Action(Enum):
    """What is done with a leased order. PARK: nothing is sent any more until a person says so."""

    SEND = "send"
    ASK = "ask"
    PARK = "park"


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What a counterparty says of itself; see schemas.delivery.Counterparty."""

    deduplicates: bool
    can_be_asked: bool


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how often an order is tried. Milliseconds.

    ``quiet_ms``: a counterparty that does not deduplicate is asked about an unknown outcome not before this time: a request
    that we gave up may still be on its way, and an answer «no such order» given too early would be followed by a second one.
    ``attempts_max`` bounds the attempts on an order that is not accepted, ``asks_max`` the questions about one that is.
    An order older than ``age_ms_max`` is given up after ``attempts_min`` of them. ``delay_ms_max`` bounds what a
    counterparty may ask for (Retry-After).
    """

    backoff_ms_min: int = 500
    backoff_ms_max: int = 300_000
    quiet_ms: int = 10_000
    delay_ms_max: int = DAY_MS
    attempts_max: int = 40
    asks_max: int = 20_000
    attempts_min: int = 5
    age_ms_max: int = 30 * DAY_MS


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """Where a leased order stands: WAITING or ACCEPTED, the number of this attempt, its age in milliseconds.

    ``unknown``: an earlier attempt was begun and its outcome was never learnt. ``reference`` as far as it is known.
    """

    state: OrderState
    unknown: bool
    attempt: int
    age_ms: int
    reference: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an order becomes. ``sending`` says that its outcome is unknown; ``due_ms`` from now, None for never by itself.

    ``result`` is kept when it is not None; ``closes`` closes the counterparty.
    """

    state: OrderState
    sending: bool
    reference: str
    attempts: int
    due_ms: int | None = 0
    reason: str = ""
    result: bytes | None = None
    closes: bool = False


def action_for(stand: Stand, traits: Traits, patience: Patience) -> tuple[Action, str]:
    """Decide what to do with a leased order, and why when it is parked.

    An order of unknown outcome is asked about by its key before anything else; where that cannot be, it may be sent again
    only to a counterparty that deduplicates.
    """
    if stand.state is OrderState.ACCEPTED:
        if traits.can_be_asked:
            return Action.ASK, ""
        return Action.PARK, "accepted by a counterparty that cannot be asked"
    if not stand.unknown:
        return Action.SEND, ""
    if stand.attempt > patience.attempts_max:
        return Action.PARK, f"its outcome is unknown after {stand.attempt - 1} attempts"
    if traits.can_be_asked:
        return Action.ASK, ""
    if traits.deduplicates:
        return Action.SEND, ""
    return Action.PARK, "an attempt was cut off, and the counterparty neither deduplicates nor can be asked"


class Rules:
    """The rules for one counterparty. ``draw`` gives the jitter."""

    def __init__(self, traits: Traits, patience: Patience, draw: Draw) -> None:
        self.traits = traits
        self.patience = patience
        self._draw = draw
        self._wait = wait_exponential(multiplier=patience.backoff_ms_min, max=patience.backoff_ms_max)

    def action(self, stand: Stand) -> tuple[Action, str]:
        """See ``action_for``."""
        return action_for(stand, self.traits, self.patience)

    def backoff_ms(self, attempt: int) -> int:
        """Milliseconds to wait after a failed attempt: between half of an exponential step and the whole of it."""
        return jittered(self._wait, attempt, self._draw)

    def verdict(self, stand: Stand, action: Action, answer: Answer) -> Verdict:
        """Decide what the answer to a SEND or an ASK makes of the order."""
        match answer:
            case Done():
                return self._ended(stand, OrderState.DONE, answer, "")
            case Refused():
                return self._ended(stand, OrderState.REFUSED, answer, f"{answer.code}: {answer.reason}")
            case Accepted():
                return self._accepted(stand, answer)
            case NotTaken():
                return self._not_taken(stand, action, answer)
            case Unknown():
                return self._unknown(stand, action, answer)
            case Closed():
                unknown = stand.unknown and action is Action.ASK
                return msgspec.structs.replace(_same(stand), sending=unknown, reason=clean(answer.reason), closes=True)
            case _:
                assert_never(answer)

    def _ended(self, stand: Stand, state: OrderState, answer: Done | Refused, reason: str) -> Verdict:
        reference = answer.reference if isinstance(answer, Done) else stand.reference
        return Verdict(
            state=state,
            sending=False,
            reference=clean(reference or stand.reference),
            attempts=stand.attempt,
            reason=clean(reason),
            result=answer.content,
        )

    def _accepted(self, stand: Stand, answer: Accepted) -> Verdict:
        if stand.state is OrderState.ACCEPTED and self._is_given_up(stand, self.patience.asks_max):
            return parked(stand, f"accepted and not done after {stand.attempt} questions", unknown=False)
        return Verdict(
            state=OrderState.ACCEPTED,
            sending=False,
            reference=clean(answer.reference or stand.reference),
            # The patience with an accepted order begins anew.
            attempts=stand.attempt if stand.state is OrderState.ACCEPTED else 0,
            due_ms=self._bounded(answer.ask_after_ms) if self.traits.can_be_asked else None,
            result=answer.content or None,
        )

    def _not_taken(self, stand: Stand, action: Action, answer: NotTaken) -> Verdict:
        if action is Action.ASK:
            if stand.state is OrderState.ACCEPTED and not self.traits.deduplicates:
                # It said yes before: whatever it forgot, a second order is a person's decision.
                return parked(stand, f"accepted before, and now unknown there: {answer.reason}", unknown=True)
            return Verdict(
                state=OrderState.WAITING,
                sending=False,
                reference="",
                attempts=0 if stand.state is OrderState.ACCEPTED else stand.attempt,
                due_ms=self._bounded(answer.after_ms),
                reason=clean(answer.reason),
            )
        if self._is_given_up(stand, self.patience.attempts_max):
            return parked(stand, f"not taken after {stand.attempt} attempts: {answer.reason}", unknown=False)
        due_ms = max(self._bounded(answer.after_ms), self.backoff_ms(stand.attempt))
        return msgspec.structs.replace(_same(stand), sending=False, due_ms=due_ms, reason=clean(answer.reason))

    def _unknown(self, stand: Stand, action: Action, answer: Unknown) -> Verdict:
        unknown = stand.unknown or action is Action.SEND
        if action is Action.SEND and not self.traits.deduplicates and not self.traits.can_be_asked:
            return parked(stand, f"its outcome is unknown and cannot be asked: {answer.reason}", unknown=True)
        accepted = stand.state is OrderState.ACCEPTED
        if self._is_given_up(stand, self.patience.asks_max if accepted else self.patience.attempts_max):
            return parked(stand, f"its outcome is unknown after {stand.attempt} attempts: {answer.reason}", unknown=unknown)
        due_ms = self.backoff_ms(stand.attempt)
        if unknown and not self.traits.deduplicates:
            due_ms = max(due_ms, self.patience.quiet_ms)
        return msgspec.structs.replace(_same(stand), sending=unknown, due_ms=due_ms, reason=clean(answer.reason))

    def _bounded(self, wanted_ms: int) -> int:
        return min(max(wanted_ms, 0), self.patience.delay_ms_max)

    def _is_given_up(self, stand: Stand, attempts_max: int) -> bool:
        aged = stand.age_ms > self.patience.age_ms_max and stand.attempt >= self.patience.attempts_min
        return aged or stand.attempt >= attempts_max


def jittered(wait: wait_exponential, attempt: int, draw: Draw) -> int:
    """Between half of the strategy's step for this attempt and the whole of it, in the strategy's own unit."""
    turn = RetryCallState(_RETRYING, None, (), {})
    turn.attempt_number = attempt
    step = int(wait(turn))
    half = step // 2
    return half + draw(step - half + 1)


def parked(stand: Stand, reason: str, *, unknown: bool) -> Verdict:
    """Put an order into the queue of a person."""
    return msgspec.structs.replace(_same(stand), state=OrderState.PARKED, sending=unknown, reason=clean(reason))


def released(stand: Stand) -> Verdict:
    """Give a lease back of which nothing was made: the order stands as it stood before."""
    return msgspec.structs.replace(_same(stand), attempts=stand.attempt - 1)


def clean(text: str) -> str:
    """Return a counterparty's text as PostgreSQL takes it: no NUL, no lone surrogates, at most TEXT_CHARACTERS_MAX characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")[:TEXT_CHARACTERS_MAX]


def _same(stand: Stand) -> Verdict:
    return Verdict(state=stand.state, sending=stand.unknown, reference=stand.reference, attempts=stand.attempt)
