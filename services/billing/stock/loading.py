"""``kopeck housing load``: files of the housing stock, whole or not at all (docs/billing-housing.md).

Rows are only ever added: what a file says otherwise than before becomes a later row of the same key, so that a closed month's
facts stay and its recalculation sees both.
"""

from pathlib import Path
from typing import Any

import asyncpg

from ledger.statements import load_statements
from services.billing.stock.files import KINDS
from services.billing.stock.kinds import Known, StockKind
from services.billing.stock.persons import seal_name
from services.reference.faults import Findings
from services.reference.loading import Changes, Connection, ControlTotal, LoadReport, LoadTerms, Progress, load_file, no_progress
from services.reference.rows import Shape
from services.sealing import Sealer

_SQL = load_statements("services/billing/stock/loading.sql")

ANALYZED_ROWS_MIN = 1_000
SHARES = {
    "account_shares_at_most_one": ("lines_of_accounts", "the accounts of the premises bear more than the whole on some day"),
    "owner_shares_at_most_one": ("lines_of_owners", "the owners of the premises own more than the whole on some day"),
}
"""What the database refuses of rows that are each in order: the statement that finds their lines, and the fault."""


async def load_stock(
    connection: Connection, path: Path, kind: StockKind, terms: LoadTerms, progress: Progress = no_progress
) -> LoadReport:
    """Load a file of a kind that keeps no personal data; see ``load_file`` for what it raises."""
    return await load_file(connection, path, _StockFile(kind, None, terms), terms, progress)


async def load_owners(connection: Connection, path: Path, sealer: Sealer, terms: LoadTerms, progress: Progress) -> LoadReport:
    """Load owners; their names, where given, are stored sealed. See ``load_file`` for what it raises."""
    return await load_file(connection, path, _StockFile(KINDS["owners"], sealer, terms), terms, progress)


class _StockFile:
    """One file of one kind while it is loaded."""

    def __init__(self, kind: StockKind, sealer: Sealer | None, terms: LoadTerms) -> None:
        self.name = f"housing_{kind.name}"
        self.staged: dict[str, list[tuple[Any, ...]]] = {"staged_housing": []}
        self._rows = self.staged["staged_housing"]
        self._kind, self._sealer, self._terms = kind, sealer, terms
        self._found = [value for _, value in kind.found]

    async def prepare(self, connection: Connection) -> Shape:
        self._known = Known(
            houses={record["code"]: record["house"] for record in await connection.fetch(_SQL["list_houses"])},
            recipients={record["code"]: record["recipient"] for record in await connection.fetch(_SQL["list_recipients"])},
            services={record["service"]: record["service"] for record in await connection.fetch(_SQL["list_services"])},
        )
        await connection.execute(_SQL["drop_staging"])
        filled = self._kind.filled(self._known)
        self._spread = [len(one.into) > 1 for one in filled]
        self._columns = self._kind.columns(self._known)
        self._names = {number: code for code, number in self._known.houses.items()}
        await connection.execute(_SQL["make_staging"], self._kind.table, self._columns)
        # The staging table of an earlier kind had the same name and other columns, which the connection remembers.
        await connection.reload_schema_state()
        return self._kind.shape(self._known)

    def stage(self, line: int, row: list[Any]) -> None:
        record: list[Any] = [line]
        for value, is_spread in zip(row, self._spread, strict=True):
            record += value if is_spread else (value,)
        record += self._found
        if self._kind.table == "owner":
            self._seal(record)
        self._rows.append(tuple(record))

    def _seal(self, record: list[Any]) -> None:
        """Put the sealed name in the place of the name."""
        values = dict(zip(self._columns, record[1:], strict=True))
        name = values["sealed"]
        assert self._sealer is not None, "owners are loaded with load_owners"
        place = (self._names[values["house_of"]], values["premises_number"], values["person"])
        record[1 + self._columns.index("sealed")] = seal_name(self._sealer, place, name) if name else None

    async def check(self, connection: Connection, faults: Findings, warnings: Findings) -> None:
        await connection.execute(_SQL["analyze"])
        columns = {name for name, _ in self._kind.found}
        if self._kind.makes == "houses":
            await connection.execute(_SQL["find_houses"])
            await connection.execute(_SQL["number_new_houses"])
            faults.add_listed(await connection.fetch(_SQL["foreign_fias"]), "fias", "is the house {owner} already")
        if "premises" in columns:
            await connection.execute(_SQL["find_premises"])
        if self._kind.makes == "premises":
            await connection.execute(_SQL["number_new_premises"])
        elif "premises" in columns:
            unknown = await connection.fetch(_SQL["unknown_premises"])
            faults.add_listed(unknown, "premises", "{number} is no premises of the house that is loaded")
        if "personal_account" in columns:
            await connection.execute(_SQL["find_accounts"])
            await connection.execute(_SQL["find_accounts_by_els"], self._terms.today)
            unknown = await connection.fetch(_SQL["unknown_accounts"])
            faults.add_listed(unknown, "number", "{name} is no personal account that is loaded")
        if self._kind.table == "service":
            faults.add_listed(await connection.fetch(_SQL["unknown_bases"]), "base", "{base} is no service")
        if not faults.count:
            faults.add_listed(await connection.fetch(_SQL["repeats"], self._kind.table), "line", "repeats line {first_line}")

    async def totals(self, connection: Connection) -> tuple[ControlTotal, ...]:
        return ()

    async def write(self, connection: Connection, terms: LoadTerms, warnings: Findings) -> Changes:
        if self._kind.makes:
            await connection.execute(_SQL[f"add_{self._kind.makes}"])
            await connection.execute(_SQL[f"find_{self._kind.makes}"])
        load = await connection.fetchval(_SQL["begin_load"], self._kind.name, terms.loaded_by)
        try:
            async with connection.transaction():
                counts = await connection.fetchrow(_SQL["append_rows"], self._kind.table, load)
        except asyncpg.CheckViolationError as error:
            if error.constraint_name not in SHARES:
                raise
            faults = Findings()
            statement, message = SHARES[error.constraint_name]
            faults.add_listed(await connection.fetch(_SQL[statement], error.detail), "share", message)
            faults.raise_if_any()
            raise
        if self._kind.table == "owner":
            await connection.execute(_SQL["store_names"])
        if counts["added"] + counts["changed"] >= ANALYZED_ROWS_MIN:
            await connection.execute(_SQL["analyze_table"], self._kind.table)
        return Changes(added=counts["added"], changed=counts["changed"])
