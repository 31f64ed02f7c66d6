"""Classified lines become entries, once: the entry and the line's place in it are written in one transaction (design §4).

A payment is booked by the gateway's stations first, under the bank's id of its line; a crash after that finds it booked
(Duplicate) and goes on with the cover. A cover is matched under a lock of its clearing account, with what is promised then.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import structlog

from ledger.core.bank_entries import (
    BankLine,
    Fee,
    bank_fingerprint,
    covered,
    debt_paid,
    given_back,
    held_by_bank,
    moment_of,
    technical,
)
from ledger.core.entry import MOSCOW
from ledger.feed import Connection
from ledger.journal import BATCH_ENTRIES_MAX, Append, append
from ledger.statements import load_statements
from schemas import ids
from schemas.booking import Booking
from schemas.channel import Channel
from schemas.journal import JournalEntry
from schemas.notification import PaymentNotification
from schemas.outcome import Answer, AppendStatus, PaymentOutcome, Refusal
from services.clearing import metrics
from services.clearing.core.matching import Matched, match_cover
from services.clearing.core.verdict import Decision, Line, LineClass
from services.clearing.guarding import Guard
from services.clearing.promises import fetch_promises

_SQL = load_statements("services/clearing/booking.sql")

C = LineClass
PAYMENTS = (C.PAYMENT, C.UNKNOWN)
ONE_BY_ONE = (C.COVER, C.TO_HOLD, C.FROM_HOLD, C.DEBT, C.TECHNICAL)
LINES_AT_ONCE = min(256, BATCH_ENTRIES_MAX)
ORDER_VALID = timedelta(days=10)
"""A payment order may be presented for so many days (762-П): an older date on it is not the payer's act."""
ALIAS_CHARACTERS_MIN = 12
"""A shorter reference may be a document's number, which repeats; an RRN has 12 characters, ids of СБП and UUID more."""
BOOK = "book"
ONE_SOURCE = "one_source_of_covers"
TWO_SOURCES = "покрытиям этого дня верят по извещениям банка, а не по выписке"

_log = structlog.get_logger("kopeck.clearing")


class ClearingBroken(RuntimeError):
    """The ledger does not take an entry as it must: nothing was written, a person must look (``kopeck verify``)."""


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """A line read for booking."""

    line: Line
    line_class: LineClass
    decision: Decision
    turn: int
    written: str
    """The decision as it stands in the row: whoever decides otherwise meanwhile is heard."""


class BookingDesk(msgspec.Struct, frozen=True, kw_only=True):
    """What booking is done with; ``channels`` by transit account. ``by`` is told of what was matched."""

    booking: Booking
    channels: Mapping[int, Channel]
    by: str = "clearing"


async def book_lines(connection: Connection, desk: BookingDesk, now: datetime, guard: Guard) -> int:
    """Book every classified line that may be; return how many were. Whatever fails is tried again later."""
    return await _book_payments(connection, desk, now, guard) + await _book_others(connection, desk, now, guard)


async def record(connection: Connection, entries: Sequence[JournalEntry]) -> tuple[ids.Sequence, ...]:
    """Append entries of the bank's space to book 0 inside the open transaction; their places. Raises ClearingBroken."""
    offers = [Append(entry=entry, fingerprint=bank_fingerprint(entry)) for entry in entries]
    places: list[ids.Sequence] = []
    for offer, answer in zip(offers, await append(connection, ids.BOOK_WITHOUT_PAYER, offers), strict=True):
        if answer.status not in (AppendStatus.RECORDED, AppendStatus.DUPLICATE) or answer.sequence is None:
            raise ClearingBroken(f"the ledger answers {answer.status.name} to {offer.entry.external_id}")
        places.append(answer.sequence)
    return tuple(places)


async def _book_payments(connection: Connection, desk: BookingDesk, now: datetime, guard: Guard) -> int:
    done, last = 0, 0
    while rows := await connection.fetch(_SQL["list_to_book"], last, LINES_AT_ONCE, [one.value for one in PAYMENTS]):
        last = rows[-1]["line"]
        by_transit: dict[int, list[Mapping[str, Any]]] = {}
        for row in rows:
            by_transit.setdefault(row["transit"], []).append(row)
        for transit, lines in by_transit.items():
            channel = desk.channels.get(transit)
            if channel is None:
                _log.error("statement_without_channel", transit=transit, lines=len(lines))
                continue
            done += await guard.together(BOOK, lines, _Payments(connection, desk, channel, now).book)
    return done


class _Payments:
    """Payments that lines of one transit account's statement are."""

    def __init__(self, connection: Connection, desk: BookingDesk, channel: Channel, now: datetime) -> None:
        self._connection = connection
        self._desk = desk
        self._channel = channel
        self._now = now

    async def book(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Book the payments, then their covers."""
        lines = await self._offered([booked_of(row) for row in rows])
        aliases = await self._aliases(lines)
        told = [self._notification(one, aliases[one.line.line]) for one in lines]
        outcomes = await self._desk.booking.book(self._channel, told)
        paid: list[Booked] = []
        for one, outcome in zip(lines, outcomes, strict=True):
            if outcome.answer in (Answer.TRY_AGAIN, Answer.STALE_TIMESTAMP):
                continue
            if why := _not_booked(outcome):
                await hold_back(self._connection, one, why, is_booked=False)
            else:
                paid.append(one)
        if not paid:
            return 0
        try:
            return await self._cover(paid)
        except asyncpg.CheckViolationError as error:
            if error.constraint_name != ONE_SOURCE:
                raise
            for one in paid:
                await hold_back(self._connection, one, TWO_SOURCES)
            return 0

    async def _cover(self, paid: Sequence[Booked]) -> int:
        connection, space = self._connection, self._channel.space
        async with connection.transaction():
            held = await lock_to_book(connection, paid)
            if not held:
                return 0
            entries = [covered(bank_line(one, self._now), space, one.line.amount) for one in held]
            places = await record(connection, entries)
            numbers = [one.line.line for one in held]
            await connection.execute(_SQL["set_sequences"], numbers, list(places))
            days = [_paid_at(one.line, self._now).astimezone(MOSCOW).date() for one in held]
            told = ([one.line.bank_id for one in held], [one.line.amount for one in held], days)
            await connection.execute(
                _SQL["set_payment_covers"], numbers, [space] * len(held), *told, self._desk.by, self._now, self._channel.transit
            )
        for one in held:
            metrics.LINES.labels(one.line_class.value).inc()
        return len(held)

    async def _offered(self, lines: Sequence[Booked]) -> list[Booked]:
        """Say of lines that their payments may be booked from now on, so that nobody takes them for something else."""
        async with self._connection.transaction():
            held = await lock_to_book(self._connection, lines)
            await self._connection.execute(_SQL["set_offered"], [one.line.line for one in held])
        return held

    async def _aliases(self, lines: Sequence[Booked]) -> dict[int, list[str]]:
        """References by which each payment may have been told of before; what two lines have names neither of them."""
        told = {one.line.line: _long_references(one.line) for one in lines}
        shared = Counter(reference for found in told.values() for reference in found)
        asked = [(line, reference) for line, found in told.items() for reference in found if shared[reference] == 1]
        places = ([line for line, _ in asked], [reference for _, reference in asked])
        rows = await self._connection.fetch(_SQL["list_others_references"], *places, self._channel.space, self._channel.transit)
        others = {(row["line"], row["reference"]) for row in rows}
        return {line: [one for one in found if shared[one] == 1 and (line, one) not in others] for line, found in told.items()}

    def _notification(self, one: Booked, aliases: Sequence[str]) -> PaymentNotification:
        line = one.line
        return PaymentNotification(
            external_id=ids.ExternalId(line.bank_id),
            account_number=one.decision.account,
            amount_kopecks=line.amount,
            raw_amount=str(line.amount),
            event_at=_paid_at(line, self._now),
            aliases=tuple([ids.ExternalId(told) for told in aliases]),
            unidentified=one.line_class is C.UNKNOWN,
        )


async def _book_others(connection: Connection, desk: BookingDesk, now: datetime, guard: Guard) -> int:
    done, last = 0, 0
    while rows := await connection.fetch(_SQL["list_to_book"], last, LINES_AT_ONCE, [one.value for one in ONE_BY_ONE]):
        last = rows[-1]["line"]
        for row in rows:
            if not guard.waits(BOOK, row["line"]):
                with guard.alone(BOOK, row["line"]):
                    done += await _book_other(connection, desk, booked_of(row), now)
    return done


async def _book_other(connection: Connection, desk: BookingDesk, one: Booked, now: datetime) -> bool:
    try:
        return await (_book_cover if one.line_class is C.COVER else _book_move)(connection, desk, one, now)
    except asyncpg.CheckViolationError as error:
        if error.constraint_name != ONE_SOURCE:
            raise
        await hold_back(connection, one, TWO_SOURCES)
        return False


async def _book_cover(connection: Connection, desk: BookingDesk, one: Booked, now: datetime) -> bool:
    line, decision = one.line, one.decision
    async with connection.transaction():
        if not await lock_to_book(connection, [one]):
            return False
        await connection.execute(_SQL["lock_space"], line.transit, decision.space)
        promises = await fetch_promises(connection, line.transit, decision.space, decision.hints, line.day)
        matched = match_cover(line, decision, promises)
        fee = Fee(amount_kopecks=matched.fee, bearer=decision.bearer) if matched.fee else None
        entry = covered(bank_line(one, now), ids.Space(decision.space), line.amount, fee)
        places = await record(connection, [entry])
        await connection.execute(_SQL["set_sequences"], [line.line], list(places))
        await set_cover(connection, one, matched, by=desk.by, now=now)
    metrics.LINES.labels(one.line_class.value).inc()
    return True


async def _book_move(connection: Connection, desk: BookingDesk, one: Booked, now: datetime) -> bool:
    async with connection.transaction():
        if not await lock_to_book(connection, [one]):
            return False
        places = await record(connection, [_move_entry(one, now)])
        await connection.execute(_SQL["set_sequences"], [one.line.line], list(places))
    metrics.LINES.labels(one.line_class.value).inc()
    return True


def _move_entry(one: Booked, now: datetime) -> JournalEntry:
    line, place = one.line, bank_line(one, now)
    if one.line_class is C.TO_HOLD:
        return held_by_bank(place, line.amount)
    if one.line_class is C.FROM_HOLD:
        return given_back(place, line.amount)
    if one.line_class is C.DEBT:
        return debt_paid(place, one.decision.party, line.amount)
    assert one.line_class is C.TECHNICAL, one.line_class
    return technical(place, line.amount, is_credit=line.is_credit)


async def set_cover(connection: Connection, one: Booked, matched: Matched, *, by: str, now: datetime) -> None:
    """Write what a cover covers, with its parts, inside the open transaction; an explanation replaces the one before."""
    decision = one.decision
    bearer = decision.bearer if matched.fee else None
    head = (one.line.line, decision.space, matched.by, matched.reference, matched.promised, one.line.amount + matched.fee)
    turn = await connection.fetchval(_SQL["set_cover"], *head, matched.fee, bearer, matched.reason)
    columns = [
        [getattr(part, name) for part in matched.parts]
        for name in ("register", "day", "operation", "promised", "amount", "fee", "reason")
    ]
    await connection.execute(_SQL["add_parts"], one.line.line, turn, by, now, *columns)
    await connection.execute(_SQL["name_days"], one.line.line, turn, 1)
    if turn > 1:
        await connection.execute(_SQL["name_days"], one.line.line, turn - 1, -1)


async def lock_to_book(connection: Connection, lines: Sequence[Booked]) -> list[Booked]:
    """Hold lines for the open transaction; return those that may still be booked as they were read."""
    classes, turns = [one.line_class.value for one in lines], [one.turn for one in lines]
    told = ([one.line.line for one in lines], classes, turns, [one.written for one in lines])
    held = {row["line"] for row in await connection.fetch(_SQL["lock_to_book"], *told)}
    return [one for one in lines if one.line.line in held]


async def hold_back(connection: Connection, one: Booked, why: str, *, is_booked: bool = True) -> None:
    """Keep a line from being booked until a person has looked at it; its payment, if it is one, is booked already or is not."""
    await connection.execute(_SQL["hold_back"], one.line.line, why, is_booked)
    _log.error("statement_line_held_back", line=one.line.line, bank_id=one.line.bank_id, why=why)


def booked_of(row: Mapping[str, Any]) -> Booked:
    """Turn a row of bank.line into what booking needs: nothing of its text."""
    line = Line(
        line=row["line"],
        transit=row["transit"],
        bank_id=row["bank_id"],
        day=row["day"],
        is_credit=row["is_credit"],
        amount=row["amount"],
        number=row["number"],
        document_day=row["document_day"],
        references=tuple(row["references"]),
    )
    decision = msgspec.json.decode(row["decision"], type=Decision)
    line_class = LineClass(row["class"])
    return Booked(line=line, line_class=line_class, decision=decision, turn=row["turn"], written=row["decision"])


def bank_line(one: Booked, now: datetime) -> BankLine:
    """Return which line an entry is of."""
    line = one.line
    return BankLine(transit=ids.Transit(line.transit), bank_id=line.bank_id, event_at=moment_of(line.day, now), turn=one.turn)


def _long_references(line: Line) -> list[str]:
    return [told for told in line.references if len(told) >= ALIAS_CHARACTERS_MIN and told != line.number]


def _paid_at(line: Line, now: datetime) -> datetime:
    """Return when the payer acted: the day of his order while it was valid, else the day on which the money came."""
    given = line.document_day
    day = given if given is not None and line.day - ORDER_VALID <= given <= line.day else line.day
    return moment_of(day, now)


def _not_booked(outcome: PaymentOutcome) -> str:
    """Say why a payment was not booked for good; empty when it was."""
    if outcome.answer is Answer.CONFLICT:
        return f"под этим номером уже учтено другое ({outcome.conflict_field}): решает человек"
    if outcome.answer is Answer.REFUSED or outcome.refusal is not Refusal.NONE or outcome.sequence is None:
        return f"платёж не принят: {outcome.refusal.name.lower()}"
    return ""
