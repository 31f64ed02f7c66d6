"""Deciding that money goes back: refunds, reversals, reassignments, each once, with who decided it (law.md 1.12, design §4).

A decision and its entry are written in one transaction, under the decision's own key. What becomes of the money then, cuts
decide: what was not ordered is simply taken back, what was ordered is owed by its recipients or a guarantor, and an order to the
payer is made only when all of it is covered (claiming.py).
"""

from datetime import datetime
from typing import Any

import msgspec

from ledger.core.refund import deduction_key
from ledger.core.release import suspended_at
from ledger.feed import Connection
from ledger.journal import fetch_entry
from ledger.reassign import Arrived, Reassign, arrive, depart
from ledger.refund import Corrected, Wanted, deduct_refund, read_refundable, refund_wanted, reversal_wanted, take_back
from ledger.statements import load_statements
from schemas.ids import AccountId, Book, Sequence, Space
from schemas.journal import EntryKind, RecordedEntry
from services.settlement.moves import note_text
from services.settlement.planning import list_ranges

_SQL = load_statements("services/settlement/refunds.sql")
_CUT = load_statements("services/settlement/cutting.sql")

REFUND, REVERSAL, REASSIGNMENT = "refund", "reversal", "reassignment"


class RefundRefused(ValueError):
    """Nothing was recorded; the message says why."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A decision about the entry at a place. ``amount_kopecks`` None: all that is left of it.

    ``key`` makes the decision one, however often it is told. ``guarantor`` owes in the place of recipients that were paid (0:
    nobody does); ``approved_by`` is the second person, where the approval limit wants one.
    """

    key: str
    book: Book
    sequence: Sequence
    by: str
    at: datetime
    amount_kopecks: int | None = None
    approved_by: str = ""
    guarantor: int = 0


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """The payer's application for a reassignment: the file's name and SHA-256 of its bytes."""

    file_name: str
    digest: bytes


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision came to: the correction's place and number. ``is_new`` False: it had been decided before."""

    refund: int
    what: str
    book: Book
    sequence: Sequence
    nth: int
    amount_kopecks: int
    is_new: bool


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """Whence an entry's money came: the operation space whose clearing promised it, 0 none; whether it is confirmed."""

    space: int
    covered: bool


async def root_of(connection: Connection, recorded: RecordedEntry) -> Root:
    """Tell of which counterparty an entry's money is and whether the bank has confirmed it, as far as the consumer has read."""
    transit = recorded.entry.transit
    row = await connection.fetchrow(_SQL["find_root"], transit, recorded.book, recorded.sequence)
    if row["space"] is None or row["cut"] is not None:
        return Root(space=row["space"] or 0, covered=row["cut"] is not None)
    ranges, _ = await list_ranges(connection, transit)
    place = (row["space"], row["book"])
    covered = any((one.space, one.book) == place and one.after < row["sequence"] <= one.upto for one in ranges)
    return Root(space=row["space"], covered=covered)


async def decide_refund(connection: Connection, asked: Asked) -> Decided:
    """Take money back after its cover: it is owed to the payer on refund:<transit>:<channel>. Raises RefundRefused.

    Raises what ledger.refund.take_back raises as well; nothing is recorded then.
    """
    recorded = await fetch_entry(connection, asked.book, asked.sequence)
    if not (await root_of(connection, recorded)).covered:
        raise RefundRefused("the bank has not confirmed this money yet: reverse it, the counterparty sends so much less")
    wanted = await refund_wanted(connection, asked.book, asked.sequence, asked.amount_kopecks)
    return await _decide(connection, asked, REFUND, msgspec.structs.replace(wanted, note=note_text(asked.guarantor)))


async def decide_reversal(connection: Connection, asked: Asked) -> Decided:
    """Take money back before its cover: the counterparty sends so much less. Raises RefundRefused and as decide_refund."""
    recorded = await fetch_entry(connection, asked.book, asked.sequence)
    if (await root_of(connection, recorded)).covered:
        raise RefundRefused("the bank has confirmed this money: refund it")
    wanted = await reversal_wanted(connection, asked.book, asked.sequence, asked.amount_kopecks)
    return await _decide(connection, asked, REVERSAL, wanted)


async def _decide(connection: Connection, asked: Asked, what: str, wanted: Wanted) -> Decided:
    async with connection.transaction():
        known = await _known(connection, asked, what)
        if known is not None:
            return known
        await _check(connection, asked)
        corrected = await take_back(connection, wanted, asked.at)
        return await _record(connection, asked, what, corrected)


async def decide_reassignment(
    connection: Connection, asked: Asked, account: AccountId, application: Application
) -> tuple[Decided, Arrived]:
    """Give all that is left of a payment to another personal account; both halves, the second once whatever happens between.

    Raises RefundRefused, ledger.reassign.NotReassigned and what ledger.refund.take_back raises; nothing is recorded then. When
    the second half fails, with ledger.reversal.AccountBusy or TableNotRebuilt, the consumer makes it later.
    """
    assert asked.amount_kopecks is None, "a payment is reassigned whole"
    async with connection.transaction():
        decided = await _known(connection, asked, REASSIGNMENT)
        if decided is None:
            await _check(connection, asked)
            wanted = Reassign(book=asked.book, sequence=asked.sequence, account=account)
            decided = await _record(connection, asked, REASSIGNMENT, await depart(connection, wanted, asked.at))
            row = (decided.refund, account, application.file_name, application.digest)
            await connection.execute(_SQL["add_application"], *row)
    departure = await fetch_entry(connection, decided.book, decided.sequence)
    return decided, await arrive(connection, departure)


async def decide_deduction(connection: Connection, book: Book, sequence: Sequence, at: datetime) -> Corrected:
    """Book that the counterparty keeps the refund at a place from its next cover, once. Raises RefundRefused."""
    refund = await fetch_entry(connection, book, sequence)
    if refund.entry.kind is not EntryKind.REFUND:
        raise RefundRefused(f"entry {book}:{sequence} is no refund")
    if await connection.fetchrow(_SQL["find_return"], book, sequence) is not None:
        raise RefundRefused("an order gives this refund back, or is asked for: the counterparty cannot keep it as well")
    space = (await root_of(connection, refund)).space
    if not space:
        raise RefundRefused(f"entry {book}:{sequence} came from no counterparty")
    return await deduct_refund(connection, refund, Space(space), at)


async def is_deducted(connection: Connection, refund: RecordedEntry) -> bool:
    """Whether the counterparty keeps a refund already."""
    return bool(await connection.fetchval(_SQL["is_deducted"], deduction_key(refund)))


async def guarantor_of(connection: Connection, recorded: RecordedEntry) -> int:
    """Return who owes for a chargeback by default: the provider (УО) of the personal account, 0 where there is none."""
    account = recorded.entry.personal_account
    return int(await connection.fetchval(_SQL["find_provider"], account) or 0) if account is not None else 0


async def find_recipient(connection: Connection, code: str) -> int:
    """Return the number of a recipient; raises RefundRefused."""
    number = await connection.fetchval(_SQL["find_recipient"], code)
    if number is None:
        raise RefundRefused(f"no recipient has the code {code!r}")
    return int(number)


async def find_account(connection: Connection, namespace: str, number: str) -> int:
    """Return a personal account by its own name; raises RefundRefused."""
    account = await connection.fetchval(_SQL["find_account"], namespace, number)
    if account is None:
        raise RefundRefused(f"there is no personal account {namespace}/{number}")
    return int(account)


async def _known(connection: Connection, asked: Asked, what: str) -> Decided | None:
    await connection.execute(_SQL["lock_decision"], asked.key)
    row = await connection.fetchrow(_SQL["find_decision"], asked.key)
    if row is None:
        return None
    wanted = (what, asked.book, asked.sequence, asked.guarantor)
    same = (row["what"], row["book"], row["sequence"], row["guarantor"]) == wanted
    if not same or asked.amount_kopecks not in (None, row["amount"]):
        raise RefundRefused(f"under the key {asked.key} another {row['what']} was decided, of {row['amount']} kopecks")
    return _decided(row, is_new=False)


async def _check(connection: Connection, asked: Asked) -> None:
    """Refuse what a second person has not approved, and money that a return to its payer waits for."""
    found = await read_refundable(connection, asked.book, asked.sequence)
    amount = found.left if asked.amount_kopecks is None else asked.amount_kopecks
    transit = found.recorded.entry.transit
    day = await connection.fetchval(_CUT["fetch_open_day"], transit)
    limit = await connection.fetchval(_CUT["find_approval_limit"], day)
    if limit is not None and amount >= limit and not asked.approved_by.strip():
        raise RefundRefused(f"{amount} kopecks reach the approval limit of {limit}: two people decide")
    if asked.approved_by.strip().lower() == asked.by.strip().lower():
        raise RefundRefused("the second person is another one")
    waits = suspended_at(found.recorded.entry) is not None
    if waits and await connection.fetchrow(_SQL["find_return"], asked.book, asked.sequence) is not None:
        raise RefundRefused("an order gives this money back to its payer, or is asked for: withdraw that first")


async def _record(connection: Connection, asked: Asked, what: str, corrected: Corrected) -> Decided:
    place = (asked.book, asked.sequence, corrected.nth, corrected.sequence, corrected.amount_kopecks, asked.guarantor)
    people = (asked.by.strip(), asked.approved_by.strip(), asked.at)
    number = await connection.fetchval(_SQL["add_decision"], asked.key, what, *place, *people)
    return Decided(
        refund=number,
        what=what,
        book=corrected.book,
        sequence=corrected.sequence,
        nth=corrected.nth,
        amount_kopecks=corrected.amount_kopecks,
        is_new=True,
    )


def _decided(row: Any, *, is_new: bool) -> Decided:
    return Decided(
        refund=row["refund"],
        what=row["what"],
        book=row["book"],
        sequence=row["correction"],
        nth=row["nth"],
        amount_kopecks=row["amount"],
        is_new=is_new,
    )
