"""What people decide about suspended money: assign it, return it, note that the bank holds it (law.md §1.12).

Every decision locks the item's row first and the head of its book last. Whoever comes second is told who was first and what that
person did: a decision rests on what was seen, and is refused when that has changed.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from ledger.chart import AccountKind, ledger_account
from ledger.core.designation import designation_from_text
from ledger.core.release import PARTS_MAX, Part
from ledger.feed import Connection
from ledger.release import Released, Wanted, fetch_left, release_part
from ledger.statements import load_statements
from schemas.ids import AccountId, Book, Sequence
from schemas.money import roubles_for_people
from schemas.notification import NamedDesignation
from services.suspense.papers import Papers
from services.suspense.queue import list_decisions

_SQL = load_statements("services/suspense/decisions.sql")

ACCOUNT_DIGITS, BIC_DIGITS, INN_DIGITS = 20, 9, (10, 12)

WORDS = {
    "assign": "assigned",
    "return": "returned to the payer",
    "withdraw": "withdrew the return of",
    "hold": "noted that the bank holds",
    "unhold": "noted that the bank gave back",
}


class NotDecided(ValueError):
    """The decision was refused and nothing was changed; the message says why."""


class DecidedMeanwhile(NotDecided):
    """Somebody else was first; the message says who and what."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The item decided about. ``seen_remains``: the kopecks that remained when the person looked; None: when it is asked."""

    book: Book
    sequence: Sequence
    seen_remains: int | None = None

    def __str__(self) -> str:
        """The place in the journal."""
        return f"{self.book}:{self.sequence}"


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """Give an item, or ``amount_kopecks`` of it, to an account.

    ``named`` as if the payer had named it; None: what he did name when he paid (ГК 319.1 п. 1).
    """

    place: Place
    account: AccountId
    by: str
    amount_kopecks: int | None = None
    named: NamedDesignation | None = None


class Payee(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets money back; ``name`` may be a person's and is kept sealed only."""

    name: str
    account: str
    bic: str
    inn: str = ""

    def __repr__(self) -> str:
        """Show no name."""
        return f"Payee({self.account!r})"


class Return(msgspec.Struct, frozen=True, kw_only=True):
    """Send an item, or ``amount_kopecks`` of it, back to its payer; two people decide it.

    ``payee`` None: whence the line of the bank's statement says that the money came.
    """

    place: Place
    by: str
    approved_by: str
    amount_kopecks: int | None = None
    payee: Payee | None = None


async def assign(connection: Connection, wanted: Assignment, now: datetime) -> Released:
    """Release an item to an account; raises NotDecided, and ledger.release.NotReleased when the account does not take it."""
    place = wanted.place
    async with _locked(connection, place) as item:
        amount = _amount(item, wanted.amount_kopecks)
        if item["held"]:
            raise NotDecided(f"{place}: the bank holds the money on 47416; wait until its statement shows it back")
        await _find_line(connection, item)
        part = int(await connection.fetchval(_SQL["fetch_next_part"], place.book, place.sequence))
        if part > PARTS_MAX:
            raise NotDecided(f"{place} was released in {PARTS_MAX} parts already")
        await connection.execute(_SQL["take_released"], place.book, place.sequence, amount)
        named = Part(book=place.book, sequence=place.sequence, number=part)
        designation = wanted.named or designation_from_text(item["named"])
        released = await release_part(
            connection, Wanted(part=named, account=wanted.account, amount_kopecks=amount, named=designation)
        )
        row = (released.sequence, amount, wanted.account, released.transfer)
        await connection.execute(_SQL["add_release"], place.book, place.sequence, part, *row)
        await _note(connection, place, ("assign", amount, wanted.account, wanted.by), now)
    return released


async def return_to_payer(connection: Connection, wanted: Return, papers: Papers, now: datetime) -> int:
    """Ask settlement for an order back to the payer; the request's number. Raises NotDecided."""
    place = wanted.place
    if wanted.by.strip().lower() == wanted.approved_by.strip().lower():
        raise NotDecided("a return is decided by two different people")
    async with _locked(connection, place) as item:
        amount = _amount(item, wanted.amount_kopecks)
        if item["held"]:
            raise NotDecided(f"{place}: the bank holds the money on 47416 and returns it by itself, or gives it back first")
        line = await _find_line(connection, item)
        payee = wanted.payee or _payee_of(line, item, papers)
        await connection.execute(_SQL["take_returned"], place.book, place.sequence, amount)
        suspense = ledger_account(AccountKind.SUSPENSE, item["transit"], item["channel"])
        row = (item["transit"], suspense, place.book, place.sequence, amount, _purpose(line, item), wanted.by, now)
        request = await connection.fetchval(_SQL["add_return"], *row)
        if request is None:
            raise NotDecided(f"{place}: a return of it was asked for before, and there is only one an item")
        sealed = papers.seal_payee(request, payee.name)
        await connection.execute(_SQL["add_payee"], request, sealed, payee.inn, payee.account, payee.bic, wanted.by, now)
        if await fetch_left(connection, place.book, place.sequence) < 0:
            raise NotDecided(f"{place}: a correction took the money back meanwhile")
        await _note(connection, place, ("return", amount, None, wanted.by), now, wanted.approved_by)
    return int(request)


async def note_withdrawn(connection: Connection, requests_max: int = 200) -> int:
    """Let the money of returns that settlement has withdrawn wait again; how many."""
    noted = 0
    for row in await connection.fetch(_SQL["list_withdrawn"], requests_max):
        place = Place(book=row["book"], sequence=row["sequence"])
        async with connection.transaction():
            await connection.fetchrow(_SQL["lock_item"], place.book, place.sequence)
            if not await connection.fetchval(_SQL["is_withdrawal_noted"], place.book, place.sequence):
                await connection.execute(_SQL["take_returned"], place.book, place.sequence, -row["amount"])
                await _note(connection, place, ("withdraw", row["amount"], None, row["withdrawn_by"]), row["withdrawn_at"])
                noted += 1
    return noted


async def hold(connection: Connection, place: Place, by: str, now: datetime, *, back: bool = False) -> None:
    """Note that the bank moved an item's money to 47416, or that it is back; the entries come from the statement."""
    async with _locked(connection, place, spent=back) as item:
        if item["held"] is not back:
            raise NotDecided(f"{place}: the bank {'does not hold' if back else 'holds'} the money already, as was noted")
        held = (None, None) if back else (by, now)
        await connection.execute(_SQL["set_held"], place.book, place.sequence, *held)
        await _note(connection, place, ("unhold" if back else "hold", 0, None, by), now)


@asynccontextmanager
async def _locked(connection: Connection, place: Place, *, spent: bool = False) -> AsyncIterator[Mapping[str, Any]]:
    """A transaction that holds the item's row, of an item that is as it was seen; ``spent``: nothing need be left of it."""
    async with connection.transaction():
        await connection.execute(_SQL["bound_waiting"])
        seen = await connection.fetchrow(_SQL["fetch_remains"], place.book, place.sequence)
        if seen is None:
            raise NotDecided(f"{place} is no item of suspense, or has not been read yet")
        try:
            item = await connection.fetchrow(_SQL["lock_item"], place.book, place.sequence)
        except asyncpg.LockNotAvailableError as error:
            raise NotDecided(f"{place} is being decided by somebody else: look again") from error
        assert item is not None, "items are never deleted"
        wanted = seen["remains"] if place.seen_remains is None else place.seen_remains
        if item["remains"] != wanted or item["held"] is not seen["held"]:
            raise DecidedMeanwhile(await _meanwhile(connection, place, item["remains"]))
        if not item["remains"] and not spent:
            raise DecidedMeanwhile(await _meanwhile(connection, place, 0))
        yield item


async def _meanwhile(connection: Connection, place: Place, remains: int) -> str:
    decisions = await list_decisions(connection, place.book, place.sequence)
    left = f"{roubles_for_people(remains)} ₽ left" if remains else "nothing left"
    if not decisions:
        return f"{place}: {left}, the journal itself took it back"
    last = decisions[-1]
    sum_ = f" {roubles_for_people(last.amount)} ₽" if last.amount else " the money"
    whom = f" to {last.account}" if last.account else ""
    return f"{place}: {last.decided_by} {WORDS[last.what]}{sum_}{whom} at {last.decided_at:%Y-%m-%d %H:%M:%S} UTC; {left}"


def _amount(item: Mapping[str, Any], wanted: int | None) -> int:
    remains = int(item["remains"])
    amount = remains if wanted is None else wanted
    if not 0 < amount <= remains:
        raise NotDecided(f"{item['book']}:{item['sequence']} has {remains} kopecks left, not {amount}")
    return amount


async def _find_line(connection: Connection, item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the line of the bank's statement that brought an item's money, if one did; raises NotDecided when it vanished."""
    place = (item["transit"], item["external_id"], item["space"])
    line: Mapping[str, Any] | None = await connection.fetchrow(_SQL["find_payer_line"], *place)
    if line is not None and line["vanished"]:
        raise NotDecided(f"{item['book']}:{item['sequence']}: the bank's statement no longer shows the money")
    return line


def _payee_of(line: Mapping[str, Any] | None, item: Mapping[str, Any], papers: Papers) -> Payee:
    """Return whence the bank's statement says that the money came."""
    place = f"{item['book']}:{item['sequence']}"
    if line is None:
        raise NotDecided(f"{place}: no line of a statement tells the payer's requisites, so they must be named")
    account, bic = line["counterparty_account"], line["counterparty_bic"]
    if len(account) != ACCOUNT_DIGITS or len(bic) != BIC_DIGITS:
        raise NotDecided(f"{place}: the statement does not tell the payer's account and БИК, so they must be named")
    if line["sealed"] is None:
        raise NotDecided(f"{place}: the payer's name was erased, so the payee must be named")
    told = papers.read_line(item["transit"], item["external_id"], line["sealed"])
    inn = line["counterparty_inn"] if len(line["counterparty_inn"]) in INN_DIGITS else ""
    return Payee(name=told.payer, account=account, bic=bic, inn=inn)


def _purpose(line: Mapping[str, Any] | None, item: Mapping[str, Any]) -> str:
    """Return the text of the order's purpose: what is returned, by the document that brought it; nobody's name."""
    if line is None:
        return (
            f"Возврат невыясненного платежа, операция {item['external_id']} от {item['value_date']:%d.%m.%Y}. НДС не облагается"
        )
    day = line["document_day"] or line["day"]
    number = f" № {line['number']}" if line["number"] else ""
    return f"Возврат невыясненного платежа, поручение{number} от {day:%d.%m.%Y}. НДС не облагается"


async def _note(
    connection: Connection,
    place: Place,
    told: tuple[str, int, AccountId | None, str],
    now: datetime,
    approved_by: str | None = None,
) -> None:
    what, amount, account, by = told
    row = (place.book, place.sequence, what, amount, account, by, now, approved_by)
    await connection.execute(_SQL["add_decision"], *row)
