"""Publishing allocation tables through the builders' door, with opening balances and offsets of advances in the same transaction
(design W6).

A chunk of at most READ_ACCOUNTS_MAX accounts of one book is read in one snapshot, built, and published in transactions of at
most PUBLISH_ACCOUNTS_MAX: payments of the same book wait for one of them. Accounts that moved meanwhile are built again.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import asyncpg
import msgspec

from ledger.core.account_facts import AccountFacts, BuildError, BuiltTable, Charge
from ledger.core.advances import missing_advance_lines
from ledger.core.crediting import build_table
from ledger.core.offset import AdvanceEntry, OffsetTerms
from ledger.core.opening import OpeningTerms, entry_for_opening, opening_fingerprint
from ledger.core.split import apply_lines
from ledger.journal import Append, append
from ledger.offset import Holder, append_offsets, fetch_advance_entries, fetch_seasonal, offset_offers, recorded_advance
from ledger.tables import SQL, AccountReading, Registers, charge_of, fetch_registers, group_by_book, read_accounts
from schemas.allocation import digest_of, pack_table
from schemas.ids import AccountId, Book, TableVersion, Transit
from schemas.outcome import AppendStatus

READ_ACCOUNTS_MAX = 256
PUBLISH_ACCOUNTS_MAX = 64
"""The door takes 256; a quarter of it holds the book's head lock a quarter as long, for a few commits more."""
DOOR_ACCOUNTS_MAX = 256
STALE_ROUNDS_MAX = 5
EXPIRES_WITHIN = timedelta(days=1)
LISTED_ACCOUNTS_MAX = 4096

_PUBLISHED = 0


class PublicationReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the accounts asked for; ``unchanged`` ones have at their head what would be published.

    ``stale_rebuilt`` counts builds that were thrown away because the account moved; it is no part of the sum.
    """

    published: int = 0
    unchanged: int = 0
    stale_rebuilt: int = 0
    failed: tuple[BuildError, ...] = ()

    def __add__(self, other: "PublicationReport") -> "PublicationReport":
        return PublicationReport(
            published=self.published + other.published,
            unchanged=self.unchanged + other.unchanged,
            stale_rebuilt=self.stale_rebuilt + other.stale_rebuilt,
            failed=self.failed + other.failed,
        )


class Ready(NamedTuple):
    """A table to be published: its account, the version it follows, its bytes and until when it holds."""

    account: AccountId
    expected: int
    packed: bytes
    valid_until: datetime


class _Terms(NamedTuple):
    moment: datetime
    publisher: str
    transit: Transit
    registers: Registers
    offsets: OffsetTerms


class _Built(NamedTuple):
    reading: AccountReading
    built: BuiltTable
    packed: bytes
    entries: tuple[AdvanceEntry, ...] = ()


class _EntryRefused(Exception):
    """An opening entry or an offset was not recorded, so nothing of the transaction may stand; ``errors`` carry why."""

    def __init__(self, errors: tuple[BuildError, ...]) -> None:
        super().__init__(str(errors))
        self.errors = errors


async def publish_accounts(
    connection: "asyncpg.Connection[Any]",
    account_ids: Sequence[AccountId],
    moment: datetime,
    publisher: str,
    transit: Transit | None = None,
) -> PublicationReport:
    """Build and publish the tables of these accounts; the connection needs the services' rights and no open transaction.

    ``publisher`` is kept with every table. Opening entries are rows of ``transit``, the lowest one by default; a ledger
    without a transit account raises LookupError. An account that cannot be built is reported and stays due.
    """
    offsets = OffsetTerms(moment=moment, seasonal=await fetch_seasonal(connection))
    terms = _Terms(moment, publisher, await _transit(connection, transit), await fetch_registers(connection), offsets)
    report = PublicationReport()
    for book, accounts in (await group_by_book(connection, account_ids)).items():
        for start in range(0, len(accounts), READ_ACCOUNTS_MAX):
            report += await _publish_chunk(connection, book, accounts[start : start + READ_ACCOUNTS_MAX], terms)
    return report


async def publish_due(
    connection: "asyncpg.Connection[Any]", moment: datetime, publisher: str, transit: Transit | None = None
) -> PublicationReport:
    """Publish every account that a load has changed or whose table ends within EXPIRES_WITHIN."""
    report = PublicationReport()
    async for accounts in list_accounts(connection, moment, all_accounts=False):
        report += await publish_accounts(connection, accounts, moment, publisher, transit)
    return report


async def list_accounts(
    connection: "asyncpg.Connection[Any]", moment: datetime, *, all_accounts: bool
) -> AsyncIterator[list[AccountId]]:
    """Yield the accounts to be published, ascending, LISTED_ACCOUNTS_MAX at a time: the due ones, or all there are."""
    statement = SQL["list_all" if all_accounts else "list_due"]
    after = AccountId(0)
    while rows := await connection.fetch(statement, after, moment + EXPIRES_WITHIN, LISTED_ACCOUNTS_MAX):
        accounts = [row["personal_account"] for row in rows]
        after = accounts[-1]
        yield accounts


async def count_accounts(connection: "asyncpg.Connection[Any]", moment: datetime, *, all_accounts: bool) -> int:
    """Return how many accounts ``list_accounts`` gives."""
    return int(await connection.fetchval(SQL["count_all" if all_accounts else "count_due"], moment + EXPIRES_WITHIN))


async def _transit(connection: "asyncpg.Connection[Any]", transit: Transit | None) -> Transit:
    found = transit if transit is not None else await connection.fetchval(SQL["fetch_first_transit"])
    if found is None:
        raise LookupError("the ledger has no transit account with an open day: opening entries need one")
    return Transit(found)


async def _publish_chunk(
    connection: "asyncpg.Connection[Any]", book: Book, accounts: Sequence[AccountId], terms: _Terms
) -> PublicationReport:
    """Build and publish until nothing is stale, at most STALE_ROUNDS_MAX times; what is still moving then has failed."""
    report = PublicationReport()
    for _ in range(STALE_ROUNDS_MAX):
        moved, one_round = await _publish_once(connection, book, accounts, terms)
        report += one_round
        if not moved:
            return report
        accounts = moved
    reason = f"moved during each of {STALE_ROUNDS_MAX} builds"
    return report + PublicationReport(failed=tuple([BuildError(account, reason) for account in accounts]))


async def _publish_once(
    connection: "asyncpg.Connection[Any]", book: Book, accounts: Sequence[AccountId], terms: _Terms
) -> tuple[list[AccountId], PublicationReport]:
    """One round: read, decide, write. Return the accounts that moved and what became of the others."""
    readings = await _read(connection, book, accounts, terms)
    failed: list[BuildError] = []
    entries = await fetch_advance_entries(connection, book, readings)
    built = [
        one._replace(entries=entries.get(one.reading.facts.account, ())) for one in _build_each(readings, terms.moment, failed)
    ]
    fresh = [one for one in built if digest_of(_at_head(one)) != one.reading.digest or offset_offers(_holder(one), terms.offsets)]
    moved: set[AccountId] = set()
    for start in range(0, len(fresh), PUBLISH_ACCOUNTS_MAX):
        part = fresh[start : start + PUBLISH_ACCOUNTS_MAX]
        try:
            moved |= await _write(connection, book, part, terms)
        except _EntryRefused as refused:
            failed += refused.errors
            moved |= await _write(connection, book, _without(part, failed), terms)
    stands = _without(built, failed)
    await delete_due(connection, [one.reading for one in stands if one.reading.facts.account not in moved])
    return sorted(moved), PublicationReport(
        published=len(_without(fresh, failed)) - len(moved),
        unchanged=len(built) - len(fresh),
        stale_rebuilt=len(moved),
        failed=tuple(failed),
    )


def _without(tables: Sequence[_Built], failed: Sequence[BuildError]) -> list[_Built]:
    out = {error.account for error in failed}
    return [one for one in tables if one.reading.facts.account not in out]


async def _read(
    connection: "asyncpg.Connection[Any]", book: Book, accounts: Sequence[AccountId], terms: _Terms
) -> list[AccountReading]:
    """Read the accounts and add the advance lines they miss."""
    try:
        readings = await read_accounts(connection, book, accounts, terms.registers)
    except LookupError:
        readings = await read_accounts(connection, book, accounts, await fetch_registers(connection))
    wanted = [
        (reading.facts.account, line.creditor, line.payee)
        for reading in readings
        for line in missing_advance_lines(reading.facts, reading.charges)
    ]
    if not wanted:
        return readings
    columns = [list(column) for column in zip(*wanted, strict=True)]
    rows = await connection.fetch(SQL["add_advance_lines"], *columns, [terms.moment.date()] * len(wanted))
    added: dict[AccountId, list[Charge]] = {}
    for row in rows:
        added.setdefault(row["personal_account"], []).append(charge_of(row))
    return [
        msgspec.structs.replace(reading, charges=(*reading.charges, *added.get(reading.facts.account, ())))
        for reading in readings
    ]


def _build_each(readings: Sequence[AccountReading], moment: datetime, failed: list[BuildError]) -> Iterator[_Built]:
    for reading in readings:
        try:
            built = build_table(reading.facts, reading.charges, reading.paid, moment)
        except BuildError as error:
            failed.append(error)
            continue
        yield _Built(reading, built, pack_table(built.table))


def _at_head(one: _Built) -> bytes:
    """Return the built table as it would stand at the present head; equal to it when nothing is to be published."""
    version = TableVersion(one.reading.facts.version)
    return pack_table(msgspec.structs.replace(one.built.table, version=version)) if version else b""


async def publish_within(
    connection: "asyncpg.Connection[Any]", book: Book, tables: Sequence[Ready], publisher: str
) -> set[AccountId]:
    """Publish tables in the caller's transaction; those accounts that had not moved.

    From here to the transaction's end payments of the book wait, so this is to be its last step.
    """
    held: set[AccountId] = set()
    for start in range(0, len(tables), DOOR_ACCOUNTS_MAX):
        part = tables[start : start + DOOR_ACCOUNTS_MAX]
        columns = [list(column) for column in zip(*part, strict=True)]
        rows = await connection.fetch(SQL["publish"], book, *columns, publisher)
        held |= {part[row["ord"] - 1].account for row in rows if row["status"] == _PUBLISHED}
    return held


def _ready(one: _Built) -> Ready:
    facts = one.reading.facts
    return Ready(facts.account, facts.version, one.packed, one.built.valid_until)


async def _write(connection: "asyncpg.Connection[Any]", book: Book, tables: Sequence[_Built], terms: _Terms) -> set[AccountId]:
    """Publish and append in one transaction; return the accounts that moved since they were read."""
    if not tables:
        return set()
    async with connection.transaction():
        ready = [_ready(one) for one in tables]
        held = await publish_within(connection, book, ready, terms.publisher)
        published = [one for one in tables if one.reading.facts.account in held]
        opened = await _append_openings(connection, book, published, terms)
        holders = [_holder(one, opened.get(one.reading.facts.account)) for one in published]
        if refused := await append_offsets(connection, book, holders, terms.offsets):
            raise _EntryRefused(refused)
    return {one.account for one in ready} - held


def _holder(one: _Built, opening: AdvanceEntry | None = None) -> Holder:
    """Return the account as it stands after its publication and, where there is one, the opening entry booked with it."""
    if opening is None:
        return Holder(one.reading, one.built.table, one.entries)
    return Holder(one.reading, apply_lines(one.built.table, opening.lines, opening.amounts), (*one.entries, opening))


async def _append_openings(
    connection: "asyncpg.Connection[Any]", book: Book, published: Sequence[_Built], terms: _Terms
) -> dict[AccountId, AdvanceEntry]:
    """Book pending opening balances right after the publication that first knows them, under the same lock; what was booked."""
    offers = [offer for one in published if (offer := _opening_offer(one, terms)) is not None]
    if not offers:
        return {}
    answers = await append(connection, book, offers)
    refused = tuple(
        BuildError(offer.entry.personal_account, f"opening entry {offer.entry.external_id}: {answer.status.name.lower()}")
        for offer, answer in zip(offers, answers, strict=True)
        if answer.status is not AppendStatus.RECORDED and offer.entry.personal_account is not None
    )
    if refused:
        raise _EntryRefused(refused)
    return {
        offer.entry.personal_account: recorded_advance(offer.entry, book, answer.sequence)
        for offer, answer in zip(offers, answers, strict=True)
        if offer.entry.personal_account is not None and answer.sequence is not None
    }


def _opening_offer(one: _Built, terms: _Terms) -> Append | None:
    facts: AccountFacts = one.reading.facts
    table = one.built.table
    entry = entry_for_opening(
        facts, one.reading.charges, OpeningTerms(transit=terms.transit, moment=terms.moment, version=table.version)
    )
    if entry is None:
        return None
    after = digest_of(pack_table(apply_lines(table, entry.lines, entry.amounts)))
    return Append(entry=entry, fingerprint=opening_fingerprint(facts, entry), before=digest_of(one.packed), after=after)


async def delete_due(connection: "asyncpg.Connection[Any]", readings: Sequence[AccountReading]) -> None:
    """Forget that these accounts are due, unless they were marked again since they were read."""
    due = [(reading.facts.account, reading.due_since) for reading in readings if reading.due_since is not None]
    if due:
        accounts, since = zip(*due, strict=True)
        await connection.execute(SQL["delete_due"], list(accounts), list(since))
