"""``kopeck load charges``: lines of payment documents, opening balances and printed totals (docs/loading.md).

Rows of one account stand together in most files, so a run of rows is staged under one key and the account is found once a
run, by SQL. Charges of a published period never change: corrections are recalculation lines of an open one (design §3).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.statements import load_statements
from schemas.allocation import PERIOD_NONE, Kind, Pool
from schemas.notification import KIND_NAMES, POOL_NAMES
from services.calendar import is_working_day
from services.reference import rows
from services.reference.faults import Findings
from services.reference.loading import (
    Changes,
    Connection,
    ControlTotal,
    LoadReport,
    LoadTerms,
    Progress,
    load_file,
    no_progress,
)
from services.reference.rows import Column, Shape

_SQL = load_statements("services/reference/charges.sql")
_CHECKS = load_statements("services/reference/charge_checks.sql")

FAULTS = (
    ("unknown_accounts", "number", "{name} is no personal account that is loaded"),
    ("ambiguous_accounts", "number", "{name} names {matches} accounts: give the account's own number"),
    ("repeats", "line", "repeats line {first_line}"),
    ("published", "amount_kopecks", "charges of a published period never change; load a recalculation line in an open period"),
    ("late_lines", "period", "charges of a published period never change; load a recalculation line in an open period"),
    ("late_openings", "paid_kopecks", "opening balances of a published account never change; pay or reverse instead"),
    ("uneven_totals", "printed_total_kopecks", "is {amount}, line {first_line} of the same document says {first_amount}"),
    ("published_totals", "printed_total_kopecks", "is {amount}, the published document of the period printed {known}"),
)
"""Statements that list faults, in the order checked: (name, field, message)."""
WRONG_TOTAL = "is {amount} for account {name}, pool {pool}, its charges leave {open} kopecks unpaid"
OVERLAP = "account {name} is charged for {service} by {recipients} recipients in one period"


async def load_charges(connection: Connection, path: Path, terms: LoadTerms, progress: Progress = no_progress) -> LoadReport:
    """Load a file of charges whole; see ``load_file`` for what it raises."""
    return await load_file(connection, path, _ChargeFile(terms), terms, progress)


class _ChargeFile:
    name = "charges"

    def __init__(self, terms: LoadTerms) -> None:
        self._keys: list[tuple[Any, ...]] = []
        self._charges: list[tuple[Any, ...]] = []
        self._payees: dict[tuple[int, str], int] = {}
        self._today = terms.today
        self._run: tuple[str, str, str] | None = None
        self._key = 0
        self.staged = {"staged_key": self._keys, "staged_charge": self._charges}

    async def prepare(self, connection: Connection) -> Shape:
        await connection.execute(_SQL["make_staging"])
        recipients = {record["code"]: record["recipient"] for record in await connection.fetch(_SQL["list_recipients"])}
        self._codes = {number: code for code, number in recipients.items()}
        return charges_shape(recipients)

    def stage(self, line: int, row: list[Any]) -> None:
        namespace, number, els, creditor, period, service, recipient, *facts, holder, printed = row
        run = (namespace, number, els)
        if run != self._run:
            self._run = run
            self._key += 1
            self._keys.append((self._key, line, *run))
        payee = self._payees.setdefault((recipient, service), len(self._payees))
        holder = self._codes[holder or creditor] if facts[6] or facts[7] else ""
        self._charges.append((line, self._key, creditor, period, payee, *facts, holder, printed))

    async def check(self, connection: Connection, faults: Findings, warnings: Findings) -> None:
        payees = [(local, recipient, service) for (recipient, service), local in self._payees.items()]
        await connection.copy_records_to_table("staged_payee", records=payees)
        await connection.execute(_SQL["analyze"])
        await connection.execute(_SQL["resolve_accounts"], self._today)
        for name in ("analyze_resolved", "match", "analyze_matched", "balances"):
            await connection.execute(_SQL[name])
        for name, field, message in FAULTS:
            faults.add_listed(await connection.fetch(_CHECKS[name]), field, message)
        if not faults.count:
            wrong = await connection.fetch(_CHECKS["wrong_totals"], self._today)
            faults.add_listed(wrong, "printed_total_kopecks", WRONG_TOTAL)
        warnings.add_listed(await connection.fetch(_CHECKS["overlaps"]), "service", OVERLAP)
        for record in await connection.fetch(_CHECKS["due_dates"]):
            if not is_working_day(record["due_date"]):
                warnings.add(record["line_no"], "due_date", f"{record['due_date']} is no working day ({record['rows']} rows)")

    async def totals(self, connection: Connection) -> tuple[ControlTotal, ...]:
        pools = {number: name for name, number in POOL_NAMES.items()}
        return tuple(
            [
                ControlTotal(
                    recipient=record["code"],
                    pool=pools[Pool(record["pool"])],
                    rows=record["rows"],
                    amount=int(record["amount"]),
                    paid=int(record["paid"]),
                    advance=int(record["advance"]),
                )
                for record in await connection.fetch(_SQL["control_totals"])
            ]
        )

    async def write(self, connection: Connection, terms: LoadTerms, warnings: Findings) -> Changes:
        for name in ("keep_lines", "add_payees", "add_charges", "change_charges", "mark_touched", "store_printed_totals"):
            await connection.execute(_SQL[name])
        counts = await connection.fetchrow(_SQL["count_changes"])
        return Changes(added=counts["added"], changed=counts["changed"])


def charges_shape(recipients: dict[str, int]) -> Shape:
    """Columns of a file of charges; ``recipients`` are the numbers of the loaded codes."""
    known = rows.known_code(recipients, "recipient")
    return Shape(
        name="charges",
        columns=(
            Column(name="namespace", decode=rows.code),
            Column(name="number", decode=rows.account_number),
            Column(name="els", decode=rows.els),
            Column(name="creditor", decode=known, required=True),
            Column(name="period", decode=rows.period, required=True),
            Column(name="service", decode=rows.code, required=True),
            Column(name="recipient", decode=known, required=True),
            Column(name="kind", decode=rows.one_of(KIND_NAMES), required=True),
            Column(name="pool", decode=rows.one_of(POOL_NAMES), required=True),
            Column(name="amount_kopecks", decode=rows.kopecks, required=True),
            Column(name="due_date", decode=rows.day, required=True),
            Column(name="limitation_until", decode=rows.day, default=None),
            Column(name="court_order", decode=rows.code),
            Column(name="paid_kopecks", decode=rows.kopecks_not_negative, default=0),
            Column(name="advance_kopecks", decode=rows.kopecks_not_negative, default=0),
            Column(name="paid_to", decode=known, default=0),
            Column(name="printed_total_kopecks", decode=rows.kopecks, default=None),
        ),
        check=_check,
    )


def _check(row: Sequence[Any]) -> tuple[str, str] | None:
    namespace, number, els, _, period, _, _, kind = row[:8]
    if bool(number) == bool(els):
        return "number", "or els is required, and not both"
    if number and not namespace:
        return "namespace", "is required with a number"
    if period == PERIOD_NONE and kind != Kind.COSTS:
        return "period", "none is for court costs only"
    return None
