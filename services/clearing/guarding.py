"""One line or statement that fails stops no other: it is logged, counted, and left alone for a growing time."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog

from ledger.feed import Connection
from services.clearing import metrics

AGAIN_FIRST = timedelta(seconds=5)
AGAIN_LAST = timedelta(hours=1)
FAILURES_MAX = 100
"""When so many fail in one pass it is not they that are at fault: the pass ends, and is made again whole."""

_log = structlog.get_logger("kopeck.clearing")


class ClearingStuck(RuntimeError):
    """Too much failed in one pass; the cause is the last failure."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """How often something failed in a row, and when it is tried again."""

    times: int
    again_at: datetime


class Guard:
    """The failures of one connection's pass at ``now``; ``known`` are those of the passes before, by step and what failed.

    An error of a connection that is closed is nobody's own: it is raised, as is ClearingStuck.
    """

    def __init__(self, connection: Connection, now: datetime, known: dict[tuple[str, object], Failure]) -> None:
        self._connection = connection
        self._now = now
        self._known = known
        self.failed = 0

    def waits(self, step: str, what: object) -> bool:
        """Whether it failed, and its time has not come yet."""
        failure = self._known.get((step, what))
        return failure is not None and self._now < failure.again_at

    @contextmanager
    def alone(self, step: str, what: object) -> Iterator[None]:
        """Do a step with one thing; its failure ends here, logged and counted."""
        try:
            yield
        # Whatever a line holds, the lines after it are other people's money.
        except Exception as error:
            if self._connection.is_closed():
                raise
            self._note(step, what, error)
        else:
            self._known.pop((step, what), None)

    async def together(
        self, step: str, rows: Sequence[Mapping[str, Any]], do: Callable[[Sequence[Mapping[str, Any]]], Awaitable[int]]
    ) -> int:
        """Do a step with all lines that do not wait at once and, where that fails, with each alone; return how many were done.

        ``do`` must be safe to repeat: what it had done before it failed is done already.
        """
        due = [row for row in rows if not self.waits(step, row["line"])]
        if len(due) > 1:
            try:
                return await do(due)
            # Which of them fails is found one by one, and noted then.
            except Exception as error:
                if self._connection.is_closed():
                    raise
                _log.warning("lines_fail_together", step=step, lines=len(due), error=repr(error))
        done = 0
        for row in due:
            with self.alone(step, row["line"]):
                done += await do([row])
        return done

    def _note(self, step: str, what: object, error: Exception) -> None:
        before = self._known.get((step, what))
        times = 1 if before is None else before.times + 1
        again_in = min(AGAIN_LAST, AGAIN_FIRST * 2 ** min(times - 1, 16))
        self._known[step, what] = Failure(times=times, again_at=self._now + again_in)
        self.failed += 1
        metrics.FAILED.labels(step).inc()
        _log.error(
            "clearing_step_failed",
            step=step,
            what=str(what),
            times=times,
            again_in_s=int(again_in.total_seconds()),
            exc_info=error,
        )
        if self.failed >= FAILURES_MAX:
            raise ClearingStuck(f"{self.failed} failures in one pass, the last in {step}") from error
