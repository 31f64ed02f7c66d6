"""Callbacks of a fake acquirer on their way to the merchant: when each is due, repeats, and what goes wrong, by seeded chance."""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Generic, TypeVar

import msgspec

from connectors.sandbox.faults import PERMILLE
from schemas.exchange import HttpRequest

Permille = Annotated[int, msgspec.Meta(ge=0, le=PERMILLE)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=2_592_000)]

Told = TypeVar("Told")


class CallbackFaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Chances in a thousand for each callback, and how bad it gets.

    ``lost``: never sent, so that only asking finds it. ``duplicated``: sent twice. ``reordered``: sent up to ``reorder_s`` later,
    after what came after it. ``slow``: sent ``slow_s`` later. ``old_key``: signed by the key before the present one.
    ``wrong_encoding``: its texts in windows-1251. ``skew_s``: how far the bank's clock is ahead of ours, behind if negative.
    """

    lost: Permille = 0
    duplicated: Permille = 0
    reordered: Permille = 0
    reorder_s: Seconds = 60
    slow: Permille = 0
    slow_s: Seconds = 600
    old_key: Permille = 0
    wrong_encoding: Permille = 0
    skew_s: Annotated[int, msgspec.Meta(ge=-86_400, le=86_400)] = 0


class DueCallback(msgspec.Struct, frozen=True, kw_only=True):
    """A request to the merchant's address. ``number`` is what ``answered`` is told by."""

    number: int
    request: HttpRequest


class Planned(msgspec.Struct, Generic[Told], frozen=True, kw_only=True):
    """One callback, the same at each of its attempts: what it tells, when it was made, what is wrong with it."""

    number: int
    told: Told
    made_at: datetime
    is_old_key: bool
    is_wrong_encoding: bool


class CallbackQueue(Generic[Told]):
    """What is to be sent. ``repeats``: seconds after each failed attempt until the next; none is left when they end."""

    def __init__(self, faults: CallbackFaults, *, repeats: tuple[int, ...], seed: str) -> None:
        self._faults = faults
        self._repeats = repeats
        self._seed = seed
        self._numbered = 0
        self._waiting: dict[int, tuple[datetime, int, Planned[Told]]] = {}
        self._sent: dict[int, tuple[int, Planned[Told]]] = {}

    @property
    def waiting(self) -> int:
        """How many callbacks are still to be sent or were sent without a word of what became of them."""
        return len(self._waiting) + len(self._sent)

    def plan(self, told: Told, now: datetime) -> None:
        """Have something told to the merchant as the faults will have it."""
        copies = 2 if self._happens("duplicated", self._faults.duplicated) else 1
        lost = self._happens("lost", self._faults.lost)
        for _ in range(copies):
            self._numbered += 1
            planned = Planned(
                number=self._numbered,
                told=told,
                made_at=now + timedelta(seconds=self._faults.skew_s),
                is_old_key=self._happens("old_key", self._faults.old_key),
                is_wrong_encoding=self._happens("wrong_encoding", self._faults.wrong_encoding),
            )
            if not lost:
                self._waiting[planned.number] = (now + timedelta(seconds=self._delay_s()), 0, planned)

    def due(self, now: datetime, write: Callable[[Planned[Told]], HttpRequest]) -> tuple[DueCallback, ...]:
        """Take what is due, the longest due first. Nothing of it is due again before ``answered`` is told of it."""
        ready = sorted((at, number) for number, (at, _, _) in self._waiting.items() if at <= now)
        found = []
        for _, number in ready:
            _, attempt, planned = self._waiting.pop(number)
            self._sent[number] = (attempt, planned)
            found.append(DueCallback(number=number, request=write(planned)))
        return tuple(found)

    def answered(self, number: int, now: datetime, *, is_taken: bool) -> None:
        """Learn what the merchant answered, nothing being a failure too; a failed one is repeated while repeats are left."""
        attempt, planned = self._sent.pop(number)
        if not is_taken and attempt < len(self._repeats):
            self._waiting[number] = (now + timedelta(seconds=self._repeats[attempt]), attempt + 1, planned)

    def _delay_s(self) -> int:
        delay_s = self._faults.slow_s if self._happens("slow", self._faults.slow) else 0
        if self._happens("reordered", self._faults.reordered) and self._faults.reorder_s:
            delay_s += 1 + self._draw("reorder_s") % self._faults.reorder_s
        return delay_s

    def _happens(self, what: str, chance: int) -> bool:
        return self._draw(what) % PERMILLE < chance

    def _draw(self, what: str) -> int:
        digest = hashlib.sha256(f"{self._seed}/{what}/{self._numbered}".encode()).digest()
        return int.from_bytes(digest[:8])
