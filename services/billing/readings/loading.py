"""``kopeck readings load --what meters`` and the like: facts of meters from files, whole or not at all.

Rows are only ever added: what a file says otherwise than before becomes a later row of the same key, as in the housing stock.
"""

from pathlib import Path
from typing import Any

from ledger.statements import load_statements
from services.billing.readings.fields import EVENTS, METERS, FactKind, fact_record, fact_shape
from services.reference.faults import Findings
from services.reference.loading import Changes, Connection, ControlTotal, LoadReport, LoadTerms, Progress, load_file, no_progress
from services.reference.rows import Shape

_SQL = load_statements("services/billing/readings/loading.sql")


async def load_facts(
    connection: Connection, path: Path, kind: FactKind, terms: LoadTerms, progress: Progress = no_progress
) -> LoadReport:
    """Load a file of facts whole; see ``load_file`` for what it raises."""
    return await load_file(connection, path, _FactFile(kind), terms, progress)


class _FactFile:
    """One file of one kind while it is loaded."""

    def __init__(self, kind: FactKind) -> None:
        self.name = f"readings_{kind.name}"
        self.staged: dict[str, list[tuple[Any, ...]]] = {"staged_meter_fact": []}
        self._kind = kind

    async def prepare(self, connection: Connection) -> Shape:
        await connection.execute(_SQL["make_staging"])
        houses = {record["code"]: record["house"] for record in await connection.fetch(_SQL["list_houses"])}
        return fact_shape(self._kind, houses)

    def stage(self, line: int, row: list[Any]) -> None:
        self.staged["staged_meter_fact"].append(fact_record(self._kind, line, row))

    async def check(self, connection: Connection, faults: Findings, warnings: Findings) -> None:
        await connection.execute(_SQL["add_found"])
        unknown = await connection.fetch(_SQL["unknown_premises"])
        faults.add_listed(unknown, "premises", "{number} is no premises of the house that is loaded")
        faults.add_listed(await connection.fetch(_SQL["unknown_flats"]), "flat", "{flat} is no communal flat of the house")
        faults.add_listed(await connection.fetch(_SQL["unknown_services"]), "service", "service {service} is not loaded")
        repeats = "repeated_meters" if self._kind is METERS else "repeats"
        faults.add_listed(await connection.fetch(_SQL[repeats]), "line", "repeats line {first_line}")
        if self._kind is EVENTS:
            faults.add_listed(await connection.fetch(_SQL["unknown_meters"]), "meter", "meter {code} is not loaded")
        if self._kind is METERS:
            moved = await connection.fetch(_SQL["moved_meters"])
            message = "{code} has readings: its service, zones, digits and ratio stay; load another meter"
            faults.add_listed(moved, "meter", message)

    async def totals(self, connection: Connection) -> tuple[ControlTotal, ...]:
        return ()

    async def write(self, connection: Connection, terms: LoadTerms, warnings: Findings) -> Changes:
        if self._kind is METERS:
            await connection.execute(_SQL["add_meters"])
        load = await connection.fetchval(_SQL["begin_load"], self.name, terms.loaded_by)
        counts = await connection.fetchrow(_SQL[f"append_{self._kind.name.replace('-', '_')}"], load)
        return Changes(added=counts["added"], changed=counts["changed"])
