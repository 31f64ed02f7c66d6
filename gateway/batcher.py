"""Stations 3 to 6 for many payments at once: group commit. While one append is in flight the next batch grows (design §6)."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog

from gateway import metrics
from gateway.cache import Name, WriteBehind
from gateway.decide import Decided, Objection, Request, account_objection, decide_booking, decide_objection
from gateway.door import Door, RefusedByDatabase
from gateway.parking import Parking
from gateway.reader import POSTGRESQL_ERRORS
from gateway.registers import PayeeRegister
from gateway.settings import GatewaySettings
from gateway.submission import TRY_AGAIN, Submission, SubmissionQueue
from gateway.tables import Absent, LookUp, TableSource, Unusable
from ledger.core.designation import Payees
from ledger.core.fingerprint import differing_field
from ledger.journal import Appended
from schemas.allocation import AllocationTable, Digest
from schemas.outcome import Answer, AppendStatus, PaymentOutcome, Refusal

log = structlog.get_logger("gateway.batcher")

NO_PAYEES: Payees = {}
ONE_SOURCE_OF_COVERS = "one_source_of_covers"
"""The database's rule that a transit account's covers are told by its statement or by the feed, not by both (0009_bank.sql)."""

Heads = dict[int, tuple[AllocationTable, Digest]]
"""Account -> its table and digest as the last offer leaves them."""


class AskPostgresql(Exception):
    """What the cache says would refuse or suspend: PostgreSQL must say so too (design W6)."""


class Batcher:
    """Takes submissions, one append in flight, and answers each of them."""

    def __init__(
        self,
        settings: GatewaySettings,
        queue: SubmissionQueue,
        door: Door,
        tables: TableSource,
        beside: "Beside",
    ):
        self.settings = settings
        self.queue = queue
        self._door = door
        self._tables = tables
        self.beside = beside

    async def run(self) -> None:
        """Serve the queue until it is closed and empty."""
        while True:
            taken = await self.queue.take(self.settings.batch_entries_max, time.monotonic())
            if taken is None:
                break
            if taken:
                metrics.QUEUE.set(len(self.queue))
                self.queue.batch_began(time.monotonic())
                await self._serve(taken)
                self.queue.batch_ended(time.monotonic())
        await self.beside.behind.flush()

    async def _serve(self, taken: list[Submission]) -> None:
        """Answer or put back every submission taken."""
        with self.answering(taken):
            decided = await self.decide_all(taken, {})
            if decided:
                await self.offer(decided)

    @contextmanager
    def answering(self, taken: Sequence[Submission]) -> Iterator[None]:
        """Answer these whatever happens on the way: what could not be served is asked again."""
        try:
            yield
        except POSTGRESQL_ERRORS as error:
            self.beside.unavailable("batch.unavailable", error)
            for submission in taken:
                submission.answer(TRY_AGAIN)
        # The one task every payment depends on must outlive any error; what it cannot answer is asked again.
        except Exception:
            metrics.FAULTS.inc()
            log.exception("batch.failed", entries=len(taken))
            for submission in taken:
                submission.answer(TRY_AGAIN)

    async def decide_all(self, taken: list[Submission], heads: Heads) -> list[tuple[Submission, Decided]]:
        """Decide what was taken; ``heads`` are tables as offers before these leave them, and in the end these too."""
        found = await self._look_up(taken)
        decided: list[tuple[Submission, Decided]] = []
        again: list[Submission] = []
        for submission in taken:
            try:
                made = submission.ready or await self._decide(submission, found, heads)
            except AskPostgresql:
                again.append(submission)
                continue
            except POSTGRESQL_ERRORS as error:
                self.beside.unavailable("payment.unavailable", error)
                submission.answer(TRY_AGAIN)
                continue
            # One payment that trips a bug of ours must not take the others with it.
            except Exception:
                if not self._blame_cache(submission, again):
                    submission.answer(TRY_AGAIN)
                continue
            if made is not None:
                decided.append((submission, made))
        self._again(again)
        return decided

    def _blame_cache(self, submission: Submission, again: list[Submission]) -> bool:
        """Ask PostgreSQL when a table of the cache's could not be worked with; with PostgreSQL's own it is a bug of ours."""
        if submission.request is None or submission.authoritative:
            metrics.FAULTS.inc()
            log.exception("payment.failed", payment=submission.external_id)
            return False
        log.warning("payment.table_unfit", payment=submission.external_id, exc_info=True)
        again.append(submission)
        return True

    async def _look_up(self, taken: Sequence[Submission]) -> Mapping[Name, LookUp]:
        names = [name_of(submission.request) for submission in taken if submission.request is not None]
        asked = frozenset(
            name_of(submission.request) for submission in taken if submission.request is not None and submission.authoritative
        )
        return await self._tables.look_up(names, asked, time.monotonic()) if names else {}

    async def _decide(self, submission: Submission, found: Mapping[Name, LookUp], heads: Heads) -> Decided | None:
        request = submission.request
        assert request is not None
        known = found[name_of(request)]
        if isinstance(known, Unusable):
            await self.beside.parking.park_table(request, known.why)
            submission.answer(TRY_AGAIN)
            return None
        if isinstance(known, Absent):
            return decide_objection(request, known.objection, known.candidates)
        table, digest = heads.get(known.table.account, (known.table, known.digest))
        objection = account_objection(request.channel, request.notification, table)
        booked: Decided | Objection
        if objection is None:
            payees = await self.beside.payees.for_designation(request.notification) if request.designation else NO_PAYEES
            booked = decide_booking(request, table, digest, payees)
        else:
            booked = objection
        if isinstance(booked, Objection):
            if not known.authoritative:
                raise AskPostgresql
            return decide_objection(request, booked)
        assert booked.table is not None
        heads[known.table.account] = (booked.table, Digest(booked.offer.after))
        return booked

    async def offer(self, decided: list[tuple[Submission, Decided]]) -> None:
        """Offer the decided to the door in one append, and answer each or put it back."""
        book = decided[0][0].book
        metrics.BATCH_ENTRIES.observe(len(decided))
        give_up_at = time.monotonic() + self.settings.drain_s
        answers = await self._door.offer(book, [made.offer for _, made in decided], give_up_at)
        again: list[Submission] = []
        newest: dict[Name, Decided] = {}
        for (submission, made), answer in zip(decided, answers, strict=True):
            if isinstance(answer, Appended) and answer.status is AppendStatus.RECORDED:
                outcome: PaymentOutcome | None = _booked(Answer.RECORDED, answer)
            else:
                outcome = await self._outcome(submission, made, answer)
            if outcome is None:
                again.append(submission)
                continue
            submission.answer(outcome)
            if outcome.answer is Answer.RECORDED:
                self.beside.recorded()
                if made.table is not None and submission.request is not None:
                    newest[name_of(submission.request)] = made
        self._again(again)
        self.beside.behind.put(self._tables.remember(newest, time.monotonic()))

    async def _outcome(
        self, submission: Submission, made: Decided, answer: Appended | RefusedByDatabase | None
    ) -> PaymentOutcome | None:
        """Put the door's answer into ours; None when the payment must be split again."""
        if answer is None:
            return TRY_AGAIN
        if isinstance(answer, RefusedByDatabase):
            if answer.constraint == ONE_SOURCE_OF_COVERS:
                return PaymentOutcome(answer=Answer.COVERED_ELSEWHERE)
            metrics.FAULTS.inc()
            return TRY_AGAIN
        match answer.status:
            case AppendStatus.RECORDED:
                return _booked(Answer.RECORDED, answer)
            case AppendStatus.REFUSAL_RECORDED:
                return PaymentOutcome(answer=Answer.REFUSED, refusal=answer.refusal)
            case AppendStatus.DUPLICATE:
                if answer.refusal is not Refusal.NONE:
                    return PaymentOutcome(answer=Answer.DUPLICATE, refusal=answer.refusal)
                return _booked(Answer.DUPLICATE, answer)
            case AppendStatus.CONFLICT:
                assert answer.stored_fingerprint is not None
                field = differing_field(made.offer.fingerprint, answer.stored_fingerprint)
                try:
                    await self.beside.parking.park_conflict(made.offer.entry, submission.request, field)
                except POSTGRESQL_ERRORS as error:
                    self.beside.unavailable("conflict.not_parked", error)
                    return TRY_AGAIN
                return PaymentOutcome(answer=Answer.CONFLICT, conflict_field=field)
            case AppendStatus.STALE:
                metrics.STALE.inc()
                return None

    def _again(self, submissions: list[Submission]) -> None:
        """Decide these again from PostgreSQL's word; one that never settles is asked again by its counterparty."""
        kept: list[Submission] = []
        for submission in submissions:
            submission.attempts += 1
            submission.authoritative = True
            if submission.request is not None:
                self._tables.forget_recent(name_of(submission.request))
            if submission.attempts < self.settings.attempts_max:
                kept.append(submission)
            else:
                log.warning("payment.never_settled", payment=submission.external_id, attempts=submission.attempts)
                submission.answer(TRY_AGAIN)
        self.queue.put_back(kept)


class Beside:
    """What the batcher touches beside the hot path: the register of payees, parking, the cache, the wake-up of consumers."""

    def __init__(self, payees: PayeeRegister, parking: Parking, behind: WriteBehind):
        self.payees = payees
        self.parking = parking
        self.behind = behind
        self.entries_recorded = 0

    def recorded(self) -> None:
        """Count an entry; the notifier wakes consumers when the count has moved."""
        self.entries_recorded += 1

    def unavailable(self, event: str, error: Exception) -> None:
        """Count and log what PostgreSQL did not answer in time or at all; only a retryable answer may follow."""
        metrics.READ_ERRORS.inc()
        log.warning(event, error=type(error).__name__)


def name_of(request: Request) -> Name:
    """Return the (namespace, number) by which a request names its account."""
    return (request.channel.namespace, request.notification.account_number)


def _booked(answer: Answer, appended: Appended) -> PaymentOutcome:
    return PaymentOutcome(
        answer=answer,
        book=appended.book,
        sequence=appended.sequence,
        suspense=appended.reason,
        recorded_at=appended.recorded_at,
    )
