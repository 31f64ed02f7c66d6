"""What waits between the channels and the batcher: bounded by number and by each channel's deadline (style rule 15)."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable

from gateway.decide import Decided, Request
from schemas.ids import Book, ExternalId, Space
from schemas.outcome import Answer, PaymentOutcome

TRY_AGAIN = PaymentOutcome(answer=Answer.TRY_AGAIN)
OVERDUE_POLL_S = 0.05


class Submission:
    """One notification on its way to the door.

    Exactly one of ``request`` (its account must be looked up) and ``ready`` (nothing to look up: a refusal of form, a
    statement line) is set. ``deadline`` is an instant of the event loop's clock. ``authoritative`` makes the next look-up
    go to PostgreSQL: after a stale answer, and before any refusal or suspense.
    """

    __slots__ = (
        "attempts",
        "authoritative",
        "book",
        "deadline",
        "external_id",
        "future",
        "ready",
        "request",
        "space",
        "submitted_at",
        "table",
    )

    def __init__(self, *, book: Book, request: Request | None, ready: Decided | None, submitted_at: float, deadline: float):
        offered = ready.offer.entry if ready is not None else None
        self.request = request
        self.ready = ready
        self.book = book
        self.space: Space = offered.space if offered is not None else request.channel.space  # type: ignore[union-attr]
        self.external_id: ExternalId = (
            offered.external_id if offered is not None else request.notification.external_id  # type: ignore[union-attr]
        )
        self.submitted_at = submitted_at
        self.deadline = deadline
        self.attempts = 0
        self.authoritative = False
        self.future: asyncio.Future[PaymentOutcome] = asyncio.get_running_loop().create_future()

    def answer(self, outcome: PaymentOutcome) -> None:
        """Give the outcome to whoever still waits for it."""
        if not self.future.done():
            self.future.set_result(outcome)


class SubmissionQueue:
    """First in, first out inside a book; the book that has waited longest is served first (design W4)."""

    def __init__(self, entries_max: int, batch_entries_max: int):
        self._entries_max = entries_max
        self._batch_entries_max = batch_entries_max
        self._batch_began: float | None = None
        self._batch_s = 0.0
        self._books: dict[Book, deque[Submission]] = {}
        self._length = 0
        self._open: list[Submission] = []
        self._filled = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return self._length

    def offer(self, submission: Submission) -> bool:
        """Take a submission in, or return False: full, or closed because the process stops."""
        if self._closed or self._length >= self._entries_max:
            return False
        self._books.setdefault(submission.book, deque()).append(submission)
        self._open.append(submission)
        self._length += 1
        self._filled.set()
        return True

    def batch_began(self, now: float) -> None:
        """Note that a batch is being served."""
        self._batch_began = now

    def batch_ended(self, now: float) -> None:
        """Note how long the batch took."""
        if self._batch_began is not None:
            self._batch_s = now - self._batch_began
        self._batch_began = None

    def wait_s(self, now: float) -> float:
        """Estimate how long one more submission would wait: the batches ahead of it, each as long as the last or the present.

        With nothing ahead it waits for nobody, however long the last batch took: somebody must find out that all is well.
        """
        if self._batch_began is None and not self._length:
            return 0.0
        present_s = now - self._batch_began if self._batch_began is not None else 0.0
        return max(self._batch_s, present_s) * (1 + self._length // self._batch_entries_max)

    async def answer_overdue(self) -> None:
        """Tell whoever has waited until its deadline to try again, queued or at the door, until the queue is dropped.

        One look at all that is open every OVERDUE_POLL_S costs less than a timer a payment.
        """
        while True:
            await asyncio.sleep(OVERDUE_POLL_S)
            now = time.monotonic()
            self._open = [one for one in self._open if not one.future.done()]
            for submission in self._open:
                if submission.deadline <= now:
                    submission.answer(TRY_AGAIN)

    def put_back(self, submissions: Iterable[Submission]) -> None:
        """Return submissions that must be decided again, ahead of the others; these are accepted already, never refused."""
        for submission in reversed(tuple(submissions)):
            self._books.setdefault(submission.book, deque()).appendleft(submission)
            self._length += 1
            self._filled.set()

    def close(self) -> None:
        """Take in nothing more; ``take`` still gives what is left and then None."""
        self._closed = True
        self._filled.set()

    async def take(self, entries_max: int, now: float) -> list[Submission] | None:
        """Wait for work and return up to ``entries_max`` submissions of one book, one a key; None when closed and empty.

        A submission whose deadline has passed was answered already and is dropped undecided: its counterparty will ask
        again. A second one with a key already taken stays for the next batch.
        """
        while True:
            if self._length:
                return self._longest_waiting(entries_max, now)
            if self._closed:
                return None
            self._filled.clear()
            await self._filled.wait()

    def _longest_waiting(self, entries_max: int, now: float) -> list[Submission]:
        book = min((book for book, line in self._books.items() if line), key=lambda one: self._books[one][0].submitted_at)
        line = self._books[book]
        taken: list[Submission] = []
        kept: list[Submission] = []
        keys: set[tuple[Space, ExternalId]] = set()
        while line and len(taken) < entries_max:
            submission = line.popleft()
            key = (submission.space, submission.external_id)
            if submission.future.done() or submission.deadline <= now:
                submission.answer(TRY_AGAIN)
                self._length -= 1
            elif key in keys:
                kept.append(submission)
            else:
                keys.add(key)
                taken.append(submission)
                self._length -= 1
        line.extendleft(reversed(kept))
        return taken
