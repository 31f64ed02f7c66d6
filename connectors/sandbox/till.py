"""A fake till behind a fake operator: a slow queue, seeded failures, fiscal signs in order, and every receipt it registered."""

import hashlib
import heapq
import uuid
from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

PERMILLE = 1000
FPD_COUNT = 2**32
FN_COUNT = 10**8
_NAMES = uuid.UUID(int=0)

_Permille = Annotated[int, msgspec.Meta(ge=0, le=PERMILLE)]


class TillFull(Exception):
    """The fake remembers no more receipts."""


class TillOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the till behaves.

    A receipt waits ``queue_ms`` and up to ``queue_spread_ms`` more. By seeded chance, in a thousand, its time in the queue
    runs out, or the till's driver fails. ``fn`` has 16 digits, or is made of the till's name; ``zone`` is where the till stands.
    """

    seed: int = 1
    queue_ms: Annotated[int, msgspec.Meta(ge=0)] = 1_500
    queue_spread_ms: Annotated[int, msgspec.Meta(ge=0)] = 1_500
    timeouts_permille: _Permille = 0
    breakages_permille: _Permille = 0
    fn: Annotated[str, msgspec.Meta(pattern="^([0-9]{16})?$")] = ""
    register_number: str = "0000000005035122"
    zone: str = "Europe/Moscow"
    receipts_max: int = 1_000_000


class ReceiptSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt as the operator took it: ``key`` is the client's, ``operation`` the operator's word."""

    key: str
    reference: str
    operation: str
    total_kopecks: int
    accepted_at: datetime


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt with its fiscal sign. ``local`` is the till's own time, without a zone."""

    receipt: ReceiptSeen
    fn: str
    fd: int
    fpd: int
    local: datetime
    registered_at: datetime
    shift: int
    number_in_shift: int


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt that was not registered and never will be; ``timeout``: its time in the queue ran out."""

    receipt: ReceiptSeen
    timeout: bool


class Till:
    """One till. Time comes in with every call and never runs backwards; ``name`` tells it from the others of a sandbox."""

    def __init__(self, options: TillOptions, name: str) -> None:
        self._options = options
        self._name = name
        self._fn = options.fn or f"99990789{self._chance('fn', '', FN_COUNT):08d}"
        self._zone = ZoneInfo(options.zone)
        self._references: dict[str, str] = {}
        self._queue: list[tuple[datetime, int, ReceiptSeen]] = []
        self._states: dict[str, ReceiptSeen | Registered | Failed] = {}
        self._registered: list[Registered] = []
        self._shift_day: datetime | None = None
        self._shift = 0
        self._number_in_shift = 0
        self.repeats = 0
        """How often a key came again."""

    @property
    def registered(self) -> tuple[Registered, ...]:
        """Every registered receipt, in the order of its fiscal document numbers."""
        return tuple(self._registered)

    @property
    def failed(self) -> tuple[Failed, ...]:
        """Every receipt that failed for good."""
        return tuple(state for state in self._states.values() if isinstance(state, Failed))

    def find(self, key: str) -> str | None:
        """Return the reference of a receipt that came under this key, and count the repeat."""
        found = self._references.get(key)
        self.repeats += found is not None
        return found

    def take(self, key: str, operation: str, total_kopecks: int, now: datetime) -> str:
        """Put a receipt of a new key into the queue and return its reference; raises TillFull."""
        if len(self._references) >= self._options.receipts_max:
            raise TillFull
        reference = str(uuid.uuid5(_NAMES, f"{self._options.seed}/{self._name}/{key}"))
        receipt = ReceiptSeen(key=key, reference=reference, operation=operation, total_kopecks=total_kopecks, accepted_at=now)
        spread_ms = self._chance("queue", key, self._options.queue_spread_ms + 1)
        ready_at = now + timedelta(milliseconds=self._options.queue_ms + spread_ms)
        heapq.heappush(self._queue, (ready_at, len(self._references), receipt))
        self._references[key] = reference
        self._states[reference] = receipt
        return reference

    def advance(self, now: datetime) -> None:
        """Register, or fail, what has waited long enough by ``now``."""
        while self._queue and self._queue[0][0] <= now:
            ready_at, _, receipt = heapq.heappop(self._queue)
            drawn = self._chance("outcome", receipt.key, PERMILLE)
            timeouts = self._options.timeouts_permille
            if drawn < timeouts + self._options.breakages_permille:
                self._states[receipt.reference] = Failed(receipt=receipt, timeout=drawn < timeouts)
            else:
                registered = self._register(receipt, ready_at)
                self._states[receipt.reference] = registered
                self._registered.append(registered)

    def state(self, reference: str) -> ReceiptSeen | Registered | Failed | None:
        """Return a receipt as it stands; None when the reference is unknown."""
        return self._states.get(reference)

    def _register(self, receipt: ReceiptSeen, at: datetime) -> Registered:
        local = at.astimezone(self._zone).replace(tzinfo=None, microsecond=0)
        day = local.replace(hour=0, minute=0, second=0)
        if day != self._shift_day:
            self._shift_day, self._shift, self._number_in_shift = day, self._shift + 1, 0
        self._number_in_shift += 1
        fd = len(self._registered) + 1
        return Registered(
            receipt=receipt,
            fn=self._fn,
            fd=fd,
            fpd=self._chance("fpd", f"{self._fn}/{fd}", FPD_COUNT),
            local=local,
            registered_at=at,
            shift=self._shift,
            number_in_shift=self._number_in_shift,
        )

    @property
    def register_number(self) -> str:
        """Registration number of the till (РНМ)."""
        return self._options.register_number

    def _chance(self, what: str, key: str, outcomes: int) -> int:
        """Draw from 0 to outcomes - 1, the same for the same seed, subject and key."""
        digest = hashlib.sha256(f"{self._options.seed}/{self._name}/{what}/{key}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % outcomes


def receipt_link(root: str, registered: Registered, total: str) -> str:
    """Write a link that looks like an operator's of fiscal data: the fields of the receipt's QR code."""
    moment = registered.local.strftime("%Y%m%dT%H%M%S")
    return f"{root}/check?t={moment}&s={total}&fn={registered.fn}&i={registered.fd}&fp={registered.fpd}"
