"""The gateway's side of the ledger's door: one connection, one append in flight, unknown outcomes made known (design W3)."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import asyncpg
import structlog

from gateway import metrics
from ledger.journal import Append, Appended, append
from schemas.ids import Book
from schemas.outcome import AppendStatus

log = structlog.get_logger("gateway.door")

CONNECT_TIMEOUT_S = 5.0
APPEND_TIMEOUT_S = 10.0
"""Beyond the channels' deadlines: nobody waits for the answer any longer, and the same batch is safe to send again."""
RETRY_FIRST_S = 0.02
RETRY_LAST_S = 1.0

BY_ITSELF = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""The whole batch was rolled back through no fault of one entry: once more, then entry by entry."""
AT_FAULT = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, ValueError)
"""The database refused an entry, or it could not even be sent (ValueError): entry by entry, to find which."""
HOPELESS = frozenset({"KP001", "KP006", "42501", "42883"})
"""SQLSTATE of an unknown book, a wrong isolation, a missing privilege, a missing function: the statement was rolled back
for sure, and whoever set the ledger up must mend it first; sending it again would only be a load."""
REST_S = 1.0
"""How long a book that failed so is left alone."""
TROUBLE_S = 5.0
"""How long one failure speaks against the door when nothing has been appended since: a process without payments finds out
only by the next one that all is well again."""
UNKNOWN = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""Anything else: it may have been recorded or not."""


class RefusedByDatabase(Exception):
    """A constraint of the ledger refused a single offer: a bug of ours, never the payer's; nothing was recorded."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class Hopeless(Exception):
    """PostgreSQL refuses to append at all, and will again; nothing of this attempt was recorded."""


class Door:
    """Owns the connection through which this process appends."""

    def __init__(self, dsn: str):
        self._dsn = dsn
        self._connection: asyncpg.Connection[Any] | None = None
        self._rest_until: dict[Book, float] = {}
        self._failed_at: float | None = None

    def is_failing(self, now: float) -> bool:
        """Whether an append failed within TROUBLE_S and none has succeeded since; ``now`` is of the monotonic clock."""
        return self._failed_at is not None and now - self._failed_at < TROUBLE_S

    async def connect(self) -> "asyncpg.Connection[Any]":
        """Return the live connection, making one if there is none."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._dsn, timeout=CONNECT_TIMEOUT_S)
        return self._connection

    async def close(self) -> None:
        """Close the connection; never called while an append is in flight."""
        self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None

    async def offer(self, book: Book, offers: Sequence[Append], give_up_at: float) -> list[Appended | RefusedByDatabase | None]:
        """Offer a batch until its outcome is known; None for offers whose outcome is still unknown at ``give_up_at``.

        None, at once, also while PostgreSQL refuses to append to the book at all (HOPELESS). A Duplicate after an unknown
        outcome means that this very offer was recorded, and is told as Recorded.
        """
        try:
            return list(await self._until_known(book, offers, give_up_at))
        except BY_ITSELF:
            log.warning("append.rolled_back", entries=len(offers))
        except AT_FAULT as error:
            log.error("append.refused_by_database", entries=len(offers), constraint=getattr(error, "constraint_name", None))
        except (TimeoutError, Hopeless):
            return [None] * len(offers)
        return [await self._one(book, offer, give_up_at) for offer in offers]

    async def _one(self, book: Book, offer: Append, give_up_at: float) -> Appended | RefusedByDatabase | None:
        for _ in range(2):
            try:
                return (await self._until_known(book, (offer,), give_up_at))[0]
            except BY_ITSELF:
                continue
            except AT_FAULT as error:
                log.error(
                    "offer.refused_by_database",
                    payment=offer.entry.external_id,
                    constraint=getattr(error, "constraint_name", None),
                    error=type(error).__name__,
                )
                return RefusedByDatabase(str(getattr(error, "constraint_name", None)))
            except (TimeoutError, Hopeless):
                return None
        return None

    async def _until_known(self, book: Book, offers: Sequence[Append], give_up_at: float) -> Sequence[Appended]:
        """Send the same batch again on a new connection until the database answers.

        Raises TimeoutError when time is up, Hopeless when sending again is of no use.
        """
        pause = RETRY_FIRST_S
        unsure = rolled_back = False
        while True:
            if self._rest_until and time.monotonic() < self._rest_until.get(book, 0.0):
                raise Hopeless
            try:
                started = time.perf_counter()
                answers = await self._answered(append(await self.connect(), book, offers))
                metrics.APPEND_SECONDS.observe(time.perf_counter() - started)
                self._failed_at = None
                return [_told(answer) for answer in answers] if unsure else answers
            except BY_ITSELF:
                if rolled_back:
                    raise
                rolled_back = True
                continue
            except AT_FAULT:
                raise
            except UNKNOWN as error:
                self._failed(book, error, len(offers))
            unsure = True
            if time.monotonic() + pause >= give_up_at:
                raise TimeoutError("the outcome of an append is still unknown")
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_LAST_S)

    def _failed(self, book: Book, error: Exception, entries: int) -> None:
        """Count and log a failed attempt and let its connection go: a new session knows what has been mended since."""
        self._failed_at = time.monotonic()
        self._drop()
        sqlstate = getattr(error, "sqlstate", None)
        if sqlstate in HOPELESS:
            self._rest_until[book] = self._failed_at + REST_S
            metrics.APPENDS_REFUSED.labels(sqlstate).inc()
            log.error("append.hopeless", book=book, sqlstate=sqlstate, error=str(error), entries=entries)
            raise Hopeless from error
        metrics.UNKNOWN_OUTCOMES.inc()
        log.warning("append.outcome_unknown", error=type(error).__name__, entries=entries)

    async def _answered(self, appending: Coroutine[Any, Any, tuple[Appended, ...]]) -> tuple[Appended, ...]:
        """Wait for an append without ever cancelling it; one that does not answer loses its connection, its outcome unknown."""
        task = asyncio.ensure_future(appending)
        done, _ = await asyncio.wait({task}, timeout=APPEND_TIMEOUT_S)
        if not done:
            self._drop()
        return await task


def _told(answer: Appended) -> Appended:
    if answer.status is not AppendStatus.DUPLICATE:
        return answer
    return Appended(
        status=AppendStatus.REFUSAL_RECORDED if answer.refusal else AppendStatus.RECORDED,
        book=answer.book,
        sequence=answer.sequence,
        refusal=answer.refusal,
        reason=answer.reason,
        recorded_at=answer.recorded_at,
        stored_fingerprint=None,
    )
