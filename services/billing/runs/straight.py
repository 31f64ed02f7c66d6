"""The straight way of publication: charges, printed totals, document and table of an account in one transaction, written once.

It is for a month's accounts that have nothing of it yet, which are nearly all. Whoever has a charge or a document of the period,
a charge of a later one, an opening balance not booked yet, an advance to be offset, or a table that cannot be built, is left to
the way round (``publishing.py``), and so is a chunk that runs into another writer of the same accounts. Nothing of a chunk stands
without all of it, and a document is there once by its key: so any number of processes may do parts of a run, and any may die.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import asyncpg
import msgspec

from ledger.core.account_facts import AccountFacts, BuildError, Charge, ChargeKind, LimitationTerm, Printed
from ledger.core.advances import missing_advance_lines
from ledger.core.crediting import build_table
from ledger.core.limitation import last_day_of_limitation
from ledger.core.opening import pending_openings
from ledger.core.plain_table import build_plain
from ledger.publication import Ready, delete_due, publish_within
from ledger.statements import load_statements
from ledger.tables import SQL as TABLES
from ledger.tables import AccountReading, Registers, fetch_registers, group_by_book, read_accounts_within
from schemas.allocation import Pool, pack_table, unpack_table
from schemas.ids import AccountId, Book, Line, PayeeNumber
from services.billing.runs.documents import Printing, open_sum
from services.billing.runs.sources import Connection
from services.billing.runs.spreading import Progress, commit_lazily
from services.reference.charge_rows import keep_loads_out

SQL = load_statements("services/billing/runs/straight.sql")

CHUNK_ACCOUNTS = 512
"""Two calls of the door a transaction: payments of the book wait for them and for the commit."""
CHARGE_COLUMNS = ("personal_account", "line", "creditor", "period", "payee", "kind", "pool", "amount", "due_date")
PRINTED_COLUMNS = ("personal_account", "period", "pool", "amount")
DOCUMENT_COLUMNS = (
    *("run", "account", "period", "state", "nth", "number", "charged_main", "charged_repair", "main", "capital_repair"),
    *("due_on", "issued_on", "book", "version", "table_main", "table_repair"),
)

Clock = Callable[[], datetime]
Terms = Mapping[str, tuple[PayeeNumber, int, Pool]]
"""By service, in the order of numbering: payee, creditor, pool."""


_PRINCIPAL = ChargeKind.PRINCIPAL


class Straight(msgspec.Struct, frozen=True, kw_only=True):
    """What the accounts of a range are published by; ``terms`` by house grows as houses are met."""

    printing: Printing
    due_on: date
    publisher: str
    registers: Registers
    chunk_accounts: int = CHUNK_ACCOUNTS
    terms: dict[str, Terms] = {}


class _Document(NamedTuple):
    """What a document prints, in kopecks; ``repair`` is None for a pool that was never charged."""

    charged_main: int
    charged_repair: int
    main: int
    repair: int | None


class _Made(NamedTuple):
    """An account ready to be written."""

    reading: AccountReading
    charges: list[Charge]
    document: _Document
    table: Ready
    sums: tuple[int, int]


async def list_ranges(connection: Connection, run: int, accounts: int) -> list[tuple[int, int]]:
    """Return ranges (after, until) of so many accounts that have no document of the run."""
    bounds = [row["account"] for row in await connection.fetch(SQL["list_bounds"], run, accounts)]
    return list(zip([0, *bounds], bounds, strict=False))


async def begin_straight(connection: Connection, printing: Printing, due_on: date, publisher: str) -> Straight:
    """Make the payees that the run charges known, and read the registers."""
    await connection.execute(SQL["add_payees"], printing.run)
    return Straight(printing=printing, due_on=due_on, publisher=publisher, registers=await fetch_registers(connection))


class PublishRange(msgspec.Struct, frozen=True, kw_only=True):
    """The job of publishing a range (after, until) of accounts that go the straight way, a chunk a transaction."""

    straight: Straight
    clock: Clock

    async def __call__(self, connection: Connection, part: tuple[int, int], progress: Progress) -> None:
        """Do it; ``progress`` is told of each chunk."""
        (after, until), straight, is_fresh = part, self.straight, False
        while after < until:
            try:
                async with connection.transaction():
                    after, done = await _publish_chunk(connection, straight, (after, until), self.clock())
            except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
                return  # somebody else writes to the same accounts: they go the way round
            except LookupError:
                # A load between two chunks named a recipient or payee that is younger than the registers.
                if is_fresh:
                    raise
                straight, is_fresh = msgspec.structs.replace(straight, registers=await fetch_registers(connection)), True
                continue
            is_fresh = False
            progress(done)


async def _publish_chunk(
    connection: Connection, straight: Straight, bounds: tuple[int, int], moment: datetime
) -> tuple[int, int]:
    """Do the next chunk in the caller's transaction; up to where it went, and how many it published."""
    await commit_lazily(connection)
    await keep_loads_out(connection)
    await connection.execute(TABLES["prefer_indexes"])
    run, period, _ = straight.printing
    rows = {
        row["account"]: row for row in await connection.fetch(SQL["list_straight"], run, *bounds, period, straight.chunk_accounts)
    }
    if not rows:
        return bounds[1], 0
    await _learn_terms(connection, straight, {row["house"] for row in rows.values()})
    made: dict[Book, list[_Made]] = {}
    for book, accounts in sorted((await group_by_book(connection, list(rows))).items()):
        readings = await read_accounts_within(connection, book, accounts, straight.registers)
        found = [_make(straight, reading, rows[reading.facts.account], moment) for reading in readings]
        made[book] = [one for one in found if one is not None]
    await _write(connection, straight, made)
    until = bounds[1] if len(rows) < straight.chunk_accounts else max(rows)
    return until, sum(map(len, made.values()))


async def _learn_terms(connection: Connection, straight: Straight, houses: set[str]) -> None:
    new = sorted(houses - straight.terms.keys())
    if new:
        known: dict[str, dict[str, tuple[PayeeNumber, int, Pool]]] = {house: {} for house in new}
        for row in await connection.fetch(SQL["list_terms"], straight.printing.run, new):
            known[row["house"]][row["service"]] = (row["payee"], row["creditor"], Pool(row["pool"]))
        straight.terms.update(known)


def _make(straight: Straight, reading: AccountReading, row: Mapping[str, Any], moment: datetime) -> _Made | None:
    """Fold an account's lines and build its table; None for one that goes the way round."""
    facts = reading.facts
    held = [charge for charge in reading.charges if charge.kind is ChargeKind.ADVANCE and reading.paid.get(charge.line)]
    if held or pending_openings(facts, reading.charges):
        return None
    charges = _charges(straight, row)
    if not charges:
        return None
    more = charges + _advances(straight, facts, (*reading.charges, *charges), row["last_line"] + len(charges))
    every = (*reading.charges, *more)
    document = document_of(straight.printing, every, reading.paid, facts.limitation)
    period = straight.printing.period
    printed = [Printed(period=period, pool=Pool.MAIN, amount=document.main)]
    if document.repair is not None:
        printed.append(Printed(period=period, pool=Pool.CAPITAL_REPAIR, amount=document.repair))
    try:
        facts = msgspec.structs.replace(facts, printed=(*facts.printed, *printed))
        built = build_plain(facts, every, reading.paid, moment) or build_table(facts, every, reading.paid, moment)
    except BuildError:
        return None  # the way round parks it with the reason
    packed = pack_table(built.table)
    decoded = unpack_table(packed)
    sums = open_sum(decoded, Pool.MAIN), open_sum(decoded, Pool.CAPITAL_REPAIR)
    return _Made(reading, more, document, Ready(facts.account, facts.version, packed, built.valid_until), sums)


def _charges(straight: Straight, row: Mapping[str, Any]) -> list[Charge]:
    """Fold the account's lines by payee; a sum of nought makes no charge."""
    sums: dict[str, int] = {}
    for service, amount in zip(row["services"], row["amounts"], strict=True):
        sums[service] = sums.get(service, 0) + amount
    terms = straight.terms[row["house"]]
    period, due, line = straight.printing.period, straight.due_on, row["last_line"]
    charges = []
    for service, (payee, creditor, pool) in terms.items():
        if amount := sums.pop(service, 0):
            line += 1
            charges.append(
                Charge(
                    line=line,
                    creditor=creditor,
                    period=period,
                    payee=payee,
                    kind=_PRINCIPAL,
                    pool=pool,
                    amount=amount,
                    due_date=due,
                )
            )
    assert not any(sums.values()), f"account {row['account']}: services without terms were charged: {sums}"
    return charges


def _advances(straight: Straight, facts: AccountFacts, charges: Sequence[Charge], last: int) -> list[Charge]:
    """Return the advance lines that the account misses, numbered after ``last``."""
    return [
        Charge(
            line=Line(last + place),
            creditor=missing.creditor,
            period=0,
            payee=missing.payee,
            kind=ChargeKind.ADVANCE,
            pool=Pool.MAIN,
            amount=0,
            due_date=straight.printing.today,
        )
        for place, missing in enumerate(missing_advance_lines(facts, charges), start=1)
    ]


def document_of(
    printing: Printing, charges: Sequence[Charge], paid: Mapping[Line, int], law: tuple[LimitationTerm, ...]
) -> _Document:
    """Return what a document prints of charges without pending opening balances: ``make_documents`` of publishing.sql, here.

    ``law`` are the terms of limitation.
    """
    sums, charged, has_repair = [0, 0], [0, 0], False
    for charge in charges:
        if charge.kind is ChargeKind.ADVANCE:
            sums[0] -= paid.get(charge.line, 0)
        elif charge.kind is _PRINCIPAL and charge.pool < Pool.VOLUNTARY:
            has_repair = has_repair or charge.pool == Pool.CAPITAL_REPAIR
            if charge.period == printing.period:
                charged[charge.pool] += charge.amount
            limit = charge.limitation_until or last_day_of_limitation(charge.due_date, law)
            if not charge.court_order and limit >= printing.today:
                sums[charge.pool] += charge.amount - paid.get(charge.line, 0)
    return _Document(charged[0], charged[1], sums[0], sums[1] if has_repair else None)


async def _write(connection: Connection, straight: Straight, made: Mapping[Book, Sequence[_Made]]) -> None:
    """Write the chunk, a table at a time, and publish last: payments wait for nothing but that."""
    every = [one for of_book in made.values() for one in of_book]
    run, period, today = straight.printing
    charges = [
        (one.table.account, new.line, new.creditor, new.period, new.payee, new.kind, new.pool, new.amount, new.due_date)
        for one in every
        for new in one.charges
    ]
    printed = [(one.table.account, period, 0, one.document.main) for one in every]
    printed += [(one.table.account, period, 1, one.document.repair) for one in every if one.document.repair is not None]
    documents = [
        (
            *(run, one.table.account, period, "published", 1, f"{one.reading.facts.number}-{period}", *one.document),
            *(straight.due_on, today, book, one.table.expected + 1, *one.sums),
        )
        for book, of_book in made.items()
        for one in of_book
    ]
    copy = connection.copy_records_to_table
    await copy("charge", schema_name="reference", columns=CHARGE_COLUMNS, records=charges)
    await copy("printed_total", schema_name="reference", columns=PRINTED_COLUMNS, records=printed)
    await copy("document", schema_name="billing", columns=DOCUMENT_COLUMNS, records=documents)
    held: set[AccountId] = set()
    await delete_due(connection, [one.reading for one in every])
    for book, of_book in made.items():
        held |= await publish_within(connection, book, [one.table for one in of_book], straight.publisher)
    moved = [one.table.account for one in every if one.table.account not in held]
    if moved:
        await connection.execute(SQL["wait_for_tables"], run, moved)
        await connection.execute(SQL["mark_due"], moved)
