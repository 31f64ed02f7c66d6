"""Closing a bank day: explanations of what does not match, then a protocol signed by two people; nothing changes after that.

The journal to a cut never changes: a day is read and judged first, in short statements. Under a lock that whoever tells of a line
takes as well the bank's side is read once more, and what is still so is signed: every line is in the protocol or late
(0013_reconciliation.sql), and no transaction is as long as the judgement.
"""

from collections import defaultdict
from datetime import date, datetime
from hashlib import sha256
from typing import Any

import asyncpg
import msgspec

from ledger.feed import Connection
from schemas.ids import Transit
from services.reconciliation.core.words import Explanation, Place
from services.reconciliation.reading import SQL as DAYS_SQL
from services.reconciliation.reading import read_journal
from services.reconciliation.report import Found, find, read_bank
from services.reconciliation.signed import DAY, SQL, Protocol, find_closed_until, find_protocol

NAME_CHARACTERS_MAX = 128
TEXT_CHARACTERS_MAX = 1000
ITEMS_TOLD_MAX = 10
ATTEMPTS_MAX = 3
"""Judgements of a day that the bank speaks of at the same moment."""


class NotClosed(ValueError):
    """Nothing was signed or explained; the message says why and what to do, in Russian."""


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """What a signature came to. ``superseded``: somebody had signed another content; it must be signed anew by both."""

    protocol: Protocol
    superseded: bool = False


def person_of(by: str) -> str:
    """Return a person's name as it is compared: trimmed, in small letters; raises NotClosed."""
    name = by.strip().lower()
    if not name or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise NotClosed("имя подписавшего пусто или не читается")
    return name


async def explain(connection: Connection, transit: Transit, day: date, places: tuple[str, ...], told: Explanation) -> None:
    """Explain items of a day that is not closed: all places or none; raises NotClosed, NoSuchDay."""
    if not told.text.strip() or len(told.text) > TEXT_CHARACTERS_MAX:
        raise NotClosed(f"объяснение пусто или длиннее {TEXT_CHARACTERS_MAX} знаков")
    person_of(told.by)
    found = await find(connection, await read_journal(connection, transit, day))
    known = {item.place for item in (*found.report.items, *found.report.carried)}
    unknown = [place for place in places if place not in known]
    if unknown:
        raise NotClosed(f"среди несошедшегося за {day} нет: {', '.join(unknown)}")
    try:
        async with connection.transaction():
            for place in places:
                columns = (place, told.text.strip(), told.by.strip(), told.at)
                await connection.execute(SQL["add_explanation"], transit, day, *columns)
    except asyncpg.CheckViolationError as error:
        if error.constraint_name != "day_is_closed":
            raise
        raise NotClosed(f"день {day} уже закрыт: объяснять нечего") from error


async def set_statement_required(connection: Connection, transit: Transit, required: bool, by: str, at: datetime) -> None:
    """Say whether days of a transit account need the bank's final statement, from now on; raises NotClosed for a bad name."""
    person_of(by)
    await connection.execute(SQL["set_terms"], transit, required, by.strip(), at)


async def sign_day(connection: Connection, transit: Transit, day: date, by: str, now: datetime) -> Signed:
    """Sign a day's protocol; the second of two people closes the day. Raises NotClosed, NoSuchDay.

    When what the first signed is not what stands now, a new protocol begins with this signature.
    """
    person = person_of(by)
    for _ in range(ATTEMPTS_MAX):
        found = await find(connection, await read_journal(connection, transit, day))
        async with connection.transaction():
            await connection.execute(SQL["lock_periods"], transit)
            signed = await _sign_found(connection, found, (person, now))
        if signed is not None:
            return signed
    raise NotClosed("пока день судили, банк сообщал новое: повторите")


async def _sign_found(connection: Connection, found: Found, signature: tuple[str, datetime]) -> Signed | None:
    """Sign what was judged before the lock was taken; None when something of it is not so any more."""
    journal = found.journal
    closed_until = await find_closed_until(connection, journal.transit)
    if closed_until is not None and closed_until >= journal.day:
        raise NotClosed(f"день {journal.day} уже закрыт")
    if closed_until != (journal.closed.day if journal.closed is not None else None):
        return None
    if await read_bank(connection, journal) != found.bank:
        return None
    _refuse_unclean(found)
    content = protocol_content(found)
    begun = await find_protocol(connection, journal.transit, DAY, journal.day)
    if begun is None or begun.content != content:
        return await _begin(connection, found, content, signature, superseded=begun is not None)
    return await add_second(connection, begun, *signature)


async def add_second(connection: Connection, begun: Protocol, person: str, now: datetime) -> Signed:
    """Add the second signature, in the caller's transaction; raises NotClosed for the person who gave the first."""
    if person in [one.person for one in begun.signatures]:
        raise NotClosed(f"{person} уже подписал этот протокол: нужно второе лицо")
    await connection.execute(SQL["add_signature"], begun.protocol, 2, person, now)
    signed = await find_protocol(connection, begun.transit, begun.what, begun.period)
    assert signed is not None and signed.is_closed, "the second signature closes"
    return Signed(protocol=signed)


def _refuse_unclean(found: Found) -> None:
    reasons = list(found.report.obstacles)
    unexplained = found.report.unexplained
    if unexplained:
        places = ", ".join(item.place for item in unexplained[:ITEMS_TOLD_MAX])
        rest = " …" if len(unexplained) > ITEMS_TOLD_MAX else ""
        reasons.append(f"не сошлось и не объяснено: {len(unexplained)} ({places}{rest})")
    if reasons:
        raise NotClosed("; ".join(reasons))


def protocol_content(found: Found) -> str:
    """Return the canonical JSON of a day: keys sorted, no spaces, kopecks. It says nothing of who looks at it, or when.

    ``carried_sha256`` is over what the next day starts from: balances and open postings at the cut, lines on one side only.
    """
    report: dict[str, Any] = msgspec.to_builtins(found.report)
    for name in ("state", "obstacles", "transit"):
        del report[name]
    # The same balance told again is the same day.
    del report["totals"]["statement"]
    carried = {
        "balances": list(found.journal.balances.items()),
        "open": [(one.account, *one.place, one.amount) for one in found.judged.open_postings],
        "open_lines": found.judged.open_lines,
    }
    report["carried_sha256"] = sha256(msgspec.json.encode(carried, order="sorted")).hexdigest()
    report["document"] = "протокол сверки операционного дня"
    return msgspec.json.encode(report, order="sorted").decode()


async def _begin(
    connection: Connection, found: Found, content: str, signature: tuple[str, datetime], *, superseded: bool
) -> Signed:
    journal, judged, totals = found.journal, found.judged, found.report.totals
    person, now = signature
    number = await connection.fetchval(
        SQL["add_protocol"],
        journal.transit,
        DAY,
        journal.day,
        journal.number,
        journal.closed.protocol if journal.closed is not None else None,
        content,
        sha256(content.encode()).digest(),
        list(journal.balances),
        list(journal.balances.values()),
        list(judged.open_lines),
        totals.closing,
        totals.difference,
        now,
    )
    by_account: dict[int, list[tuple[Place, int]]] = defaultdict(list)
    for one in judged.open_postings:
        by_account[one.account].append((one.place, one.amount))
    for account, rows in by_account.items():
        books, sequences = [place[0] for place, _ in rows], [place[1] for place, _ in rows]
        await connection.execute(SQL["add_open_item"], number, account, books, sequences, [amount for _, amount in rows])
    await connection.execute(SQL["add_signature"], number, 1, person, now)
    begun = await find_protocol(connection, journal.transit, DAY, journal.day)
    assert begun is not None and begun.protocol == number, "the newest protocol of an open day is found"
    return Signed(protocol=begun, superseded=superseded)


async def list_transit_accounts(connection: Connection) -> dict[str, Transit]:
    """Return the transit accounts: 20 digits -> number."""
    return {row["account"]: Transit(row["transit"]) for row in await connection.fetch(DAYS_SQL["list_transits"])}
