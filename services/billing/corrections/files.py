"""Sums of closed months that persons decide: one as it is given, or a file of them, whole or not at all with faults by line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.statements import load_statements
from schemas.ids import AccountId
from schemas.money import MoneyError, written_roubles
from services.billing.core.lines import LineKind
from services.billing.core.month import Adjustment
from services.billing.corrections.deciding import Basis, Decided, Month, decide
from services.billing.runs.keeping import Person, RunRefused
from services.billing.runs.sources import Connection
from services.billing.stock import fields
from services.reference import rows
from services.reference.faults import Findings
from services.reference.loading import Changes, ControlTotal, LoadReport, LoadTerms, Progress, load_file, no_progress
from services.reference.rows import Column, FieldFault, Shape

SQL = load_statements("services/billing/corrections/files.sql")

KINDS = {"correction": int(LineKind.CORRECTION), "fine": int(LineKind.FINE)}
BASES = {"": Basis.PERSON.value, "counted": Basis.PERSON.value, "apart": Basis.APART.value}
_read_roubles = written_roubles(decimal=".,", thousands="")


def roubles(text: str) -> int:
    """Kopecks of roubles as people write them, below zero too and never zero; raises FieldFault."""
    try:
        amount = _read_roubles(text)
    except MoneyError as error:
        raise FieldFault(f"is {rows.quoted(text)}, {error}") from error
    if not amount:
        raise FieldFault("is nothing")
    return amount


def _account(text: str) -> str:
    if not all(text.partition(":")):
        raise FieldFault(f"is {rows.quoted(text)}, expected NAMESPACE:NUMBER")
    known: str = rows.code(text)
    return known


SHAPE = Shape(
    name="billing adjustments",
    columns=(
        Column(name="account", decode=_account, required=True, is_text=True),
        Column(name="service", decode=rows.code, required=True, is_text=True),
        Column(name="of_period", decode=fields.month, required=True),
        Column(name="amount", decode=roubles, required=True),
        Column(name="kind", decode=rows.one_of(KINDS), default=KINDS["correction"]),
        Column(name="basis", decode=rows.one_of(BASES), default=Basis.PERSON.value),
        Column(name="cause", decode=rows.free_text, required=True),
    ),
    check=lambda row: fault_of(row[2], row[3], row[4]),
    takes_workbooks=True,
)


def fault_of(of_period: int, amount_kopecks: int, kind: int) -> tuple[str, str] | None:
    """Return what is wrong with a sum by itself, as (field, fault)."""
    if kind == LineKind.FINE and amount_kopecks > 0:
        return "amount", "of a fine is below zero: the provider pays it"
    return None


async def adjust(connection: Connection, month: Month, account: str, one: Adjustment, by: tuple[Person, Basis]) -> Decided:
    """Decide one sum for the open month; the same again is refused. Raises RunRefused."""
    person, basis = by
    namespace, _, number = account.partition(":")
    known = await connection.fetchval(SQL["find_account"], namespace, number)
    if known is None:
        raise RunRefused(f"счёта {account} нет в справочнике")
    if not await connection.fetchval(SQL["is_service_known"], one.service):
        raise RunRefused(f"услуги {one.service} нет")
    if fault_of(one.of_period, one.amount_kopecks, one.kind) is not None:
        raise RunRefused("штраф исполнителя меньше нуля: он уменьшает плату")
    if one.of_period >= month.period:
        raise RunRefused("исправляется только месяц раньше того, в котором начисляется")
    async with connection.transaction():
        await connection.execute(LOCK, month.provider, month.period)
        row = (known, one.service, one.kind, one.amount_kopecks, one.cause, one.of_period)
        same = await connection.fetchval(SQL["find_same"], month.provider, month.period, *row)
        if same is not None:
            raise RunRefused(f"такая же сумма уже решена (№ {same})")
        return await decide(connection, month, [(AccountId(known), one)], basis, person)


LOCK = load_statements("services/billing/corrections/deciding.sql")["lock_sums"]


async def load_adjustments(
    connection: Connection, path: Path, to: tuple[Month, Person], terms: LoadTerms, progress: Progress = no_progress
) -> LoadReport:
    """Decide the sums of a file for the open month; see ``load_file`` for what it raises, and RunRefused."""
    return await load_file(connection, path, _AdjustmentFile(*to), terms, progress)


class _AdjustmentFile:
    def __init__(self, month: Month, by: Person) -> None:
        self.name = f"billing adjustments {month.code} {month.period}"
        self.staged: dict[str, list[tuple[Any, ...]]] = {"staged_adjustment": []}
        self._month, self._by = month, by

    async def prepare(self, connection: Connection) -> Shape:
        await connection.execute(SQL["make_staging"])
        return SHAPE

    def stage(self, line: int, row: list[Any]) -> None:
        self.staged["staged_adjustment"].append((line, *row))

    async def check(self, connection: Connection, faults: Findings, warnings: Findings) -> None:
        faults.add_listed(await connection.fetch(SQL["unknown_accounts"]), "account", "account {account} is not loaded")
        faults.add_listed(await connection.fetch(SQL["unknown_services"]), "service", "service {service} is not loaded")
        faults.add_listed(await connection.fetch(SQL["repeats"]), "line", "says the same as line {first_line}")
        before = await connection.fetch(SQL["decided_before"], self._month.provider, self._month.period)
        faults.add_listed(before, "line", "was decided before: sum {adjustment}")
        for row in await connection.fetch(SQL["list_staged"]):
            if row["of_period"] >= self._month.period:
                faults.add(row["line_no"], "of_period", "is not earlier than the month that charges it")

    async def totals(self, connection: Connection) -> tuple[ControlTotal, ...]:
        return ()

    async def write(self, connection: Connection, terms: LoadTerms, warnings: Findings) -> Changes:
        decided = Decided()
        staged = await connection.fetch(SQL["list_staged"])
        for basis in (Basis.PERSON, Basis.APART):
            sums = _sums([row for row in staged if row["basis"] == basis.value])
            decided = decided.plus(await decide(connection, self._month, sums, basis, self._by))
        if decided.waiting:
            warnings.add(0, "amount", f"{decided.waiting} large sums wait for a second person")
        return Changes(added=decided.charged + decided.waiting, changed=0)


def _sums(staged: Sequence[Any]) -> list[tuple[AccountId, Adjustment]]:
    return [
        (
            AccountId(row["account"]),
            Adjustment(
                service=row["service"],
                kind=row["kind"],
                amount_kopecks=row["amount"],
                cause=row["cause"],
                of_period=row["of_period"],
            ),
        )
        for row in staged
    ]
