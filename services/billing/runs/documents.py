"""Documents of a chunk of accounts: what they print, from the register and the journal, and the proof that tables say so."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from ledger.statements import load_statements
from ledger.tables import SQL as TABLES
from ledger.tables import group_by_book
from schemas.allocation import AllocationTable, Kind, Pool, unpack_table
from schemas.ids import AccountId
from services.billing.runs.sources import Connection
from services.billing.runs.spreading import Progress

SQL = load_statements("services/billing/runs/publishing.sql")
PROOF = load_statements("services/billing/runs/proof.sql")


class Printing(NamedTuple):
    """A run, its period, and the day its documents are made."""

    run: int
    period: int
    today: date


class Mismatch(msgspec.Struct, frozen=True, kw_only=True):
    """A document and the table of its account that do not agree, in kopecks; ``printed`` is None for a pool it does not print.

    ``in_table`` is Σ(weight - paid) as decoded from the published table, ``kept`` the same from the register and the journal;
    ``owed`` is what the document should print.
    """

    account: AccountId
    pool: int
    printed: int | None
    in_table: int | None
    kept: int
    owed: int

    def __str__(self) -> str:
        pool = Pool(self.pool).name.lower()
        found = f"в таблице {self.in_table}, по реестру и журналу {self.kept}"
        return f"{pool}: напечатано {self.printed}, к оплате {self.owed}; {found}"


async def make_documents(
    connection: Connection, printing: Printing, accounts: Sequence[AccountId]
) -> list[tuple[AccountId, Pool, int]]:
    """Make or remake the documents of accounts, in the caller's transaction; what they print, by account and pool.

    A payment that comes after the journal was read here makes the publication find another sum: then they are remade.
    """
    await connection.execute(SQL["make_paid"])
    for book, members in (await group_by_book(connection, accounts)).items():
        rows = await connection.fetch(TABLES["list_paid"], book, members)
        await connection.copy_records_to_table("paid_line", records=[tuple(row) for row in rows])
    await connection.execute(SQL["analyze_paid"])
    made = await connection.fetch(SQL["make_documents"], printing.run, list(accounts), printing.today)
    return [
        (row["account"], pool, row[name])
        for row in made
        for pool, name in ((Pool.MAIN, "main"), (Pool.CAPITAL_REPAIR, "capital_repair"))
        if row[name] is not None
    ]


async def note_tables(connection: Connection, run: int, accounts: Sequence[AccountId], publisher: str = "") -> list[AccountId]:
    """Keep what the accounts' published tables come to, by ``publisher`` only where it is named; those that have one."""
    rows = []
    for book, members in (await group_by_book(connection, accounts)).items():
        for account, version, content in await connection.fetch(SQL["list_bases"], book, members, publisher):
            table = unpack_table(content)
            rows.append((account, book, version, open_sum(table, Pool.MAIN), open_sum(table, Pool.CAPITAL_REPAIR)))
    if rows:
        await connection.execute(SQL["note_tables"], run, *map(list, zip(*rows, strict=True)))
    return [row[0] for row in rows]


def open_sum(table: AllocationTable, pool: Pool) -> int:
    """Return Σ(weight - paid) of the pool's principal that is credited without being named, in kopecks."""
    tiers = [tier for tier in table.tiers if tier.pool == pool and tier.kind == Kind.PRINCIPAL and not tier.designated_only]
    return sum([sum(tier.weights) - sum(tier.paid) for tier in tiers])


async def published_totals(connection: Connection, run: int, accounts: Sequence[AccountId] | None = None) -> list[Mismatch]:
    """Return where documents and published tables of a run disagree, by one statement; all accounts by default."""
    async with connection.transaction():
        await connection.execute(PROOF["join_by_hash"])
        rows = await connection.fetch(PROOF["published_totals"], run, None if accounts is None else list(accounts))
    return [msgspec.convert(dict(row), Mismatch) for row in rows]


class ProveRange(msgspec.Struct, frozen=True, kw_only=True):
    """The job of holding the documents of a range (after, until) of a run's accounts to the proof."""

    run: int

    async def __call__(self, connection: Connection, part: tuple[int, int], progress: Progress) -> list[Mismatch]:
        """Do it; where documents and tables disagree."""
        accounts = [row["account"] for row in await connection.fetch(SQL["list_documents"], self.run, *part)]
        found = await published_totals(connection, self.run, accounts)
        progress(len(accounts))
        return found
