"""The way of one notification through the gateway: accepted or refused at once, answered by its channel's deadline."""

import time
from collections.abc import Callable
from datetime import datetime

import msgspec
import structlog

from gateway import metrics
from gateway.decide import (
    Decided,
    Objection,
    Request,
    decide_objection,
    decide_refusal,
    form_refusal,
    is_far_ahead,
    names_nobody,
    request_of,
)
from gateway.submission import TRY_AGAIN, Submission, SubmissionQueue
from ledger.core.books import book_of
from ledger.core.entry import PaymentFacts, entry_for_cover
from ledger.core.fingerprint import fingerprint_of
from ledger.journal import Append
from schemas.channel import Channel
from schemas.ids import BOOK_WITHOUT_PAYER, Book, ExternalId, Space
from schemas.journal import EntryKind
from schemas.notification import PaymentNotification, StatementLine
from schemas.outcome import PaymentOutcome, Refusal

log = structlog.get_logger("gateway.pipeline")

ANSWER_MARGIN_S = 0.25
"""What is kept of a deadline for encoding and sending the answer."""


class Pipeline:
    """Accepts notifications for the batcher."""

    def __init__(self, queue: SubmissionQueue, books: int, utc_now: Callable[[], datetime]):
        self._queue = queue
        self._books = books
        self._utc_now = utc_now

    @property
    def parts(self) -> tuple[SubmissionQueue, int, Callable[[], datetime]]:
        """What another pipeline into the same queue is made of."""
        return self._queue, self._books, self._utc_now

    async def submit_payment(self, channel: Channel, notification: PaymentNotification) -> PaymentOutcome:
        """Answer one payment; TRY_AGAIN when it cannot be known in time what became of it.

        A repeat of it, in this process or another, is answered by what was stored. Nothing is booked as having happened
        later than our clock says: its value date would lie in the future.
        """
        return await self._submit(channel, *self._asked(channel, notification))

    def payment_submission(
        self, channel: Channel, notification: PaymentNotification, started: float, patience_s: float
    ) -> Submission:
        """Return a payment ready to be queued by somebody who waits as long as he says; times of the monotonic clock."""
        book, request, ready = self._asked(channel, notification)
        return Submission(book=book, request=request, ready=ready, submitted_at=started, deadline=started + patience_s)

    def _asked(self, channel: Channel, notification: PaymentNotification) -> tuple[Book, Request | None, Decided | None]:
        moment = self._utc_now()
        refusal = form_refusal(channel, notification, moment)
        if notification.event_at > moment:
            _note_far_ahead(channel, notification.external_id, notification.event_at, moment)
            notification = msgspec.structs.replace(notification, event_at=moment)
        request = request_of(channel, notification)
        book = book_of(channel.namespace, notification.account_number, self._books)
        if refusal is not Refusal.NONE:
            return book, None, decide_refusal(request, refusal)
        if names_nobody(channel, notification):
            return book, None, decide_objection(request, Objection.UNIDENTIFIED)
        return book, request, None

    async def submit_cover(self, channel: Channel, line: StatementLine, covered: Space) -> PaymentOutcome:
        """Book a believed statement line: transit from the clearing of ``covered``, in the book without a payer."""
        moment = self._utc_now()
        _note_far_ahead(channel, line.external_id, line.event_at, moment)
        facts = PaymentFacts(
            transit=channel.transit,
            channel=channel.number,
            space=channel.space,
            external_id=line.external_id,
            event_at=min(line.event_at, moment),
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

    async def _submit(self, channel: Channel, book: Book, request: Request | None, ready: Decided | None) -> PaymentOutcome:
        started = time.monotonic()
        patience = channel.deadline_ms / 1000 - ANSWER_MARGIN_S
        if self._queue.wait_s(started) > patience:
            return self._overloaded()
        submission = Submission(
            book=book,
            request=request,
            ready=ready,
            submitted_at=started,
            deadline=started + patience,
        )
        if not self._queue.offer(submission):
            return self._overloaded()
        outcome = await submission.future
        metrics.TALLY.took(time.monotonic() - started)
        return outcome

    def _overloaded(self) -> PaymentOutcome:
        metrics.QUEUE.set(len(self._queue))
        return TRY_AGAIN


def _note_far_ahead(channel: Channel, external_id: ExternalId, told: datetime, moment: datetime) -> None:
    """Count and log a told date that the entry will not carry and that no difference of clocks explains."""
    if is_far_ahead(told, moment):
        metrics.EVENTS_AHEAD.labels(channel.name).inc()
        log.warning("notification.event_ahead", channel=channel.name, payment=external_id, told=told.isoformat())
