"""Editing the housing stock and meters: dated rows, by the same rules as their files (docs/billing-housing.md).

Rows are only added: what is said otherwise than before becomes a later row of the same key. The rows of a request are taken
whole or not at all. The operator edits everything; a provider (исполнитель) the rows of its own houses.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from ledger.statements import load_statements
from portal.api.decoding import escaped
from portal.api.operations import Call, Example, Operation, Scope
from portal.api.problems import FieldFault, Problem, ProblemType, Told, not_found
from services.billing.readings.fields import FACT_KINDS
from services.billing.readings.loading import load_facts
from services.billing.stock.files import KINDS
from services.billing.stock.loading import load_stock
from services.reference.faults import FaultyFile, RowFault
from services.reference.loading import LoadBusy, LoadReport, LoadTerms

SQL = load_statements("portal/api/v1/stock_rows.sql")

TAG = "Housing stock"
ROWS_MAX = 5_000
Cell = str | int | bool | None


class StockRows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows by the columns of the kind's file; quantities are decimal strings, as in the file."""

    rows: Annotated[tuple[Mapping[str, Cell], ...], msgspec.Meta(min_length=1, max_length=ROWS_MAX)]


class RowWarning(msgspec.Struct, frozen=True, kw_only=True):
    """Something odd about a row that was taken; ``row`` counts from 0."""

    row: int
    field: str
    message: str


class RowsTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows; ``unchanged`` ones said what was known."""

    rows: int
    added: int
    changed: int
    unchanged: int
    warnings: tuple[RowWarning, ...]


async def add_rows(call: Call) -> RowsTaken:
    """Take rows of one kind; faults point at their row and field."""
    kind, rows = call.path["kind"], call.body.rows
    if kind not in KINDS and kind not in FACT_KINDS:
        raise not_found(Told(f"Вида строк {kind} нет", f"There is no kind {kind}"))
    if call.caller.kind != "operator":
        await _check_own_houses(call, rows)
    if kind == "owners" and any(row.get("name") for row in rows):
        raise _faulty([_Fault(_named(rows, "name"), "name", _NO_NAMES)])
    terms = LoadTerms(loaded_by=f"api:{call.caller.credential}", today=call.now.date())
    try:
        return _taken(await _load(call, kind, rows, terms))
    except FaultyFile as error:
        raise _faulty(
            [_Fault(max(0, one.line - 1), one.field, Told(_russian(one), one.message)) for one in error.faults]
        ) from error
    except LoadBusy as error:
        raise Problem(ProblemType.IN_PROGRESS, headers={"Retry-After": "5"}) from error


async def _load(call: Call, kind: str, rows: tuple[Mapping[str, Cell], ...], terms: LoadTerms) -> LoadReport:
    """Load the rows as the file that they could have come in: one way in, one set of rules."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{kind}.jsonl"
        file.write_bytes(b"\n".join([msgspec.json.encode(row) for row in rows]) + b"\n")
        connection: Any = call.connection
        if kind in KINDS:
            return await load_stock(connection, file, KINDS[kind], terms)
        return await load_facts(connection, file, FACT_KINDS[kind], terms)


class _Fault(NamedTuple):
    row: int
    field: str
    detail: Told


_NO_NAMES = Told("Имена собственников принимаются только файлом", "Owners' names are taken from files alone")
_NOT_OWN = Told("Это не дом вашей организации", "This is no house of the organisation")


async def _check_own_houses(call: Call, rows: tuple[Mapping[str, Cell], ...]) -> None:
    """Refuse rows of houses that the caller does not provide for, and rows that are of no house: those are the operator's."""
    own = {record["code"] for record in await call.connection.fetch(SQL["own_houses"])}
    foreign = [place for place, row in enumerate(rows) if str(row.get("house") or "") not in own]
    if foreign:
        raise _faulty([_Fault(place, "house", _NOT_OWN) for place in foreign[:100]])


def _named(rows: tuple[Mapping[str, Cell], ...], field: str) -> int:
    return next(place for place, row in enumerate(rows) if row.get(field))


def _faulty(faults: list[_Fault]) -> Problem:
    return Problem(
        ProblemType.INVALID,
        None,
        tuple([FieldFault(place="body", pointer=f"/rows/{one.row}/{escaped(one.field)}", detail=one.detail) for one in faults]),
    )


def _russian(fault: RowFault) -> str:
    return f"Поле {fault.field}: {fault.message}"


def _taken(report: LoadReport) -> RowsTaken:
    warnings = [RowWarning(row=max(0, one.line - 1), field=one.field, message=one.message) for one in report.warnings]
    return RowsTaken(
        rows=report.rows,
        added=report.added,
        changed=report.changed,
        unchanged=report.unchanged,
        warnings=tuple(warnings),
    )


OPERATIONS = (
    Operation(
        name="addStockRows",
        method="POST",
        path="/v1/housing/{kind}",
        scope=Scope.CHARGES_WRITE,
        tag=TAG,
        summary="Add dated rows of the housing stock or of meters, whole or not at all.",
        description=f"Kinds: {', '.join((*KINDS, *FACT_KINDS))}. A provider gives rows of its own houses.",
        handler=add_rows,
        answer=RowsTaken,
        body=StockRows,
        part_notes={"kind": "The kind of rows, as its file is named."},
        examples=(
            Example(
                path="/v1/housing/services",
                body={
                    "rows": [
                        {
                            "service": "intercom",
                            "valid_from": "2026-01-01",
                            "kind": "fixed",
                            "title": "Домофон",
                            "unit": "помещение",
                        }
                    ]
                },
                note="A service that is charged one price an account.",
            ),
        ),
    ),
)
