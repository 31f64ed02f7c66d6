"""The way of one notification through the gateway: accepted or refused at once, answered by its channel's deadline."""

import asyncio
import time

from gateway import metrics
from gateway.decide import Decided, decide_refusal, form_refusal, request_of
from gateway.submission import TRY_AGAIN, Submission, SubmissionQueue
from ledger.core.books import book_of
from ledger.core.entry import PaymentFacts, entry_for_cover
from ledger.core.fingerprint import fingerprint_of
from ledger.journal import Append
from schemas.channel import Channel
from schemas.ids import BOOK_WITHOUT_PAYER, Book, Space
from schemas.journal import EntryKind
from schemas.notification import PaymentNotification, StatementLine
from schemas.outcome import PaymentOutcome, Refusal

ANSWER_MARGIN_S = 0.25
"""What is kept of a deadline for encoding and sending the answer."""


class Pace:
    """How fast the door has lately answered, to tell whether a payment can still be answered in time."""

    def __init__(self) -> None:
        self._answered = 0
        self._since = time.monotonic()
        self._per_second = 0.0

    def answered(self) -> None:
        """Count one answer; every second the pace is taken anew."""
        self._answered += 1
        elapsed = time.monotonic() - self._since
        if elapsed >= 1.0:
            self._per_second = self._answered / elapsed
            self._answered, self._since = 0, time.monotonic()

    def wait_s(self, waiting: int) -> float:
        """Estimate how long the last of ``waiting`` payments will wait; nothing is known before the first second."""
        return waiting / self._per_second if self._per_second else 0.0


class Pipeline:
    """Accepts notifications for the batcher."""

    def __init__(self, queue: SubmissionQueue, books: int):
        self._queue = queue
        self._books = books
        self._pace = Pace()

    async def submit_payment(self, channel: Channel, notification: PaymentNotification) -> PaymentOutcome:
        """Answer one payment; TRY_AGAIN when it cannot be known in time what became of it.

        A repeat of it, in this process or another, is answered by what was stored.
        """
        request = request_of(channel, notification)
        refusal = form_refusal(channel, notification)
        ready = decide_refusal(request, refusal) if refusal is not Refusal.NONE else None
        book = book_of(channel.namespace, notification.account_number, self._books)
        outcome = await self._submit(channel, book, None if ready else request, ready)
        return outcome

    async def submit_cover(self, channel: Channel, line: StatementLine, covered: Space) -> PaymentOutcome:
        """Book a believed statement line: transit from the clearing of ``covered``, in the book without a payer."""
        facts = PaymentFacts(
            transit=channel.transit,
            channel=channel.number,
            space=channel.space,
            external_id=line.external_id,
            event_at=line.event_at,
            amount_kopecks=line.amount_kopecks,
            designation="",
        )
        fingerprint = fingerprint_of(
            kind=EntryKind.STATEMENT_COVER,
            account=f"{line.transit_account}/{line.space}",
            amount_kopecks=line.amount_kopecks,
            raw_amount="",
            designation="",
        )
        ready = Decided(offer=Append(entry=entry_for_cover(facts, covered), fingerprint=fingerprint))
        return await self._submit(channel, BOOK_WITHOUT_PAYER, None, ready)

    async def _submit(self, channel: Channel, book: Book, request: object, ready: Decided | None) -> PaymentOutcome:
        started = time.monotonic()
        patience = channel.deadline_ms / 1000 - ANSWER_MARGIN_S
        if self._pace.wait_s(len(self._queue)) > patience:
            return TRY_AGAIN
        submission = Submission(
            book=book,
            request=request,  # type: ignore[arg-type]
            ready=ready,
            submitted_at=started,
            deadline=started + patience,
        )
        if not self._queue.offer(submission):
            return TRY_AGAIN
        timer = asyncio.get_running_loop().call_at(asyncio.get_running_loop().time() + patience, submission.answer, TRY_AGAIN)
        try:
            outcome = await asyncio.shield(submission.future)
        finally:
            timer.cancel()
        self._pace.answered()
        metrics.ANSWER_SECONDS.observe(time.monotonic() - started)
        return outcome
