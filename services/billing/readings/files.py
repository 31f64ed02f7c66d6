"""``kopeck readings load FILE``: a file of readings; its form is checked whole, then every reading has its own verdict.

A file that names an unknown meter or is not in the promised form is refused whole. A reading that cannot be true is kept as
parked or refused and told of in a warning with its line; the others count.
"""

from pathlib import Path
from typing import Any

from ledger.statements import load_statements
from services.billing.readings.fields import READINGS
from services.billing.readings.intake import IntakeTerms, NewReading, Source, take_readings
from services.reference.faults import Findings
from services.reference.loading import Changes, Connection, ControlTotal, LoadReport, LoadTerms, Progress, load_file, no_progress
from services.reference.rows import Shape

_SQL = load_statements("services/billing/readings/files.sql")


async def load_readings(
    connection: Connection, path: Path, intake: IntakeTerms, terms: LoadTerms, progress: Progress = no_progress
) -> LoadReport:
    """Load a file of readings; see ``load_file`` for what it raises. ``unchanged`` rows were given before."""
    return await load_file(connection, path, _ReadingFile(intake), terms, progress)


class _ReadingFile:
    name = "readings"

    def __init__(self, intake: IntakeTerms) -> None:
        self.staged: dict[str, list[tuple[Any, ...]]] = {"staged_reading": []}
        self._intake = intake

    async def prepare(self, connection: Connection) -> Shape:
        await connection.execute(_SQL["make_staging"])
        return READINGS

    def stage(self, line: int, row: list[Any]) -> None:
        self.staged["staged_reading"].append((line, *row))

    async def check(self, connection: Connection, faults: Findings, warnings: Findings) -> None:
        unknown = await connection.fetch(_SQL["unknown_meters"])
        faults.add_listed(unknown, "meter", "meter {code} is not loaded")

    async def totals(self, connection: Connection) -> tuple[ControlTotal, ...]:
        return ()

    async def write(self, connection: Connection, terms: LoadTerms, warnings: Findings) -> Changes:
        given = [_reading(row) for row in await connection.fetch(_SQL["list_staged"])]
        outcomes = await take_readings(connection, given, self._intake)
        for outcome in sorted(outcomes, key=lambda outcome: outcome.line):
            if outcome.message:
                warnings.add(outcome.line, outcome.verdict.value, outcome.message)
        return Changes(added=sum(outcome.reading > 0 and not outcome.is_repeat for outcome in outcomes), changed=0)


def _reading(row: Any) -> NewReading:
    return NewReading(
        line=row["line_no"],
        meter=row["meter"],
        zone=row["zone"],
        value=row["value"],
        taken_on=row["taken_on"],
        received_on=row["received_on"] or row["taken_on"],
        source=Source(row["source"]),
        restarts=row["restarts"],
        period=row["period"],
    )
