"""``kopeck load recipients``: organisations and the dated versions of their requisites (docs/loading.md).

A version whose bank account, БИК, КБК, ОКТМО or first day differs from the last one loaded becomes a new version that
pays nothing until a second person approves it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.statements import load_statements
from schemas.allocation import AdvanceRule
from services import requisites
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

_SQL = load_statements("services/reference/recipients.sql")

KINDS = ("management", "supplier", "service", "fund", "budget")
ADVANCE_RULES = {"refuse": AdvanceRule.REFUSE, "to_line": AdvanceRule.TO_LINE, "by_weights": AdvanceRule.BY_WEIGHTS}
ROUBLES = "810"
TREASURY_ROUBLES = "643"
"""Currency code inside an account (positions 6–8): of banks, and of treasury accounts 03xxx."""
INN_OF_ORGANISATION = 10


async def load_recipients(connection: Connection, path: Path, terms: LoadTerms, progress: Progress = no_progress) -> LoadReport:
    """Load a file of recipients whole; see ``load_file`` for what it raises."""
    return await load_file(connection, path, _RecipientFile(), terms, progress)


class _RecipientFile:
    name = "recipients"

    def __init__(self) -> None:
        self.staged: dict[str, list[tuple[Any, ...]]] = {"staged_recipient": []}

    async def prepare(self, connection: Connection) -> Shape:
        await connection.execute(_SQL["make_staging"])
        return RECIPIENTS

    def stage(self, line: int, row: list[Any]) -> None:
        self.staged["staged_recipient"].append((line, *row))

    async def check(self, connection: Connection, faults: Findings, warnings: Findings) -> None:
        faults.add_listed(await connection.fetch(_SQL["repeats"]), "code", "repeats line {first_line}")
        changed = await connection.fetch(_SQL["changed_inn"])
        faults.add_listed(changed, "inn", "is {inn} in the register: another ИНН is another recipient")

    async def totals(self, connection: Connection) -> tuple[ControlTotal, ...]:
        return ()

    async def write(self, connection: Connection, terms: LoadTerms, warnings: Findings) -> Changes:
        await connection.execute(_SQL["mark_accounts"])
        counts = await connection.fetchrow(_SQL["count_changes"])
        await connection.execute(_SQL["update_recipients"])
        await connection.execute(_SQL["add_recipients"])
        made = await connection.fetch(_SQL["add_requisites"], terms.loaded_by)
        warnings.add_listed(made, "bank_account", "version {version} of {code} pays nothing until a second person approves it")
        return Changes(added=counts["added"], changed=counts["changed"])


def _check(row: Sequence[Any]) -> tuple[str, str] | None:
    kind, inn, kpp, account, bic, kbk, oktmo = (row[_PLACE[name]] for name in _CHECKED)
    if not requisites.account_key_is_valid(account, bic):
        return "bank_account", f"{rows.quoted(account)} does not fit BIC {bic}: check both (ЦБ РФ № 515)"
    roubles = TREASURY_ROUBLES if account.startswith("03") else ROUBLES
    if account[5:8] != roubles:
        return "bank_account", f"{rows.quoted(account)} is not in roubles (positions 6–8 must be {roubles})"
    if len(inn) == INN_OF_ORGANISATION and not kpp:
        return "kpp", "is required with the ИНН of an organisation"
    if len(inn) != INN_OF_ORGANISATION and kpp:
        return "kpp", "must be empty with the ИНН of a person"
    if kind == "budget" and not kbk:
        return "kbk", "is required for a budget payee"
    if kind == "budget" and not oktmo:
        return "oktmo", "is required for a budget payee"
    return None


def _kpp(text: str) -> str:
    return "" if text == "0" else rows.checked(requisites.kpp_is_valid, "КПП")(text)


RECIPIENTS = Shape(
    name="recipients",
    columns=(
        Column(name="code", decode=rows.code, required=True),
        Column(name="kind", decode=rows.one_of({kind: kind for kind in KINDS}), required=True),
        Column(name="name", decode=rows.free_text, required=True),
        Column(name="inn", decode=rows.checked(requisites.inn_is_valid, "ИНН"), required=True),
        Column(name="kpp", decode=_kpp),
        Column(name="bank_account", decode=rows.text_of(20), required=True),
        Column(name="bic", decode=rows.checked(requisites.bic_is_valid, "БИК"), required=True),
        Column(name="kbk", decode=rows.checked(requisites.kbk_is_valid, "КБК of 20 digits")),
        Column(name="oktmo", decode=rows.checked(requisites.oktmo_is_valid, "ОКТМО of 8 or 11 digits")),
        Column(name="valid_from", decode=rows.day, required=True),
        Column(name="advance_rule", decode=rows.one_of(ADVANCE_RULES), default=None),
        Column(name="per_service_payment", decode=rows.boolean, default=None),
        Column(name="costs_first", decode=rows.boolean, default=None),
    ),
    check=_check,
)
_CHECKED = ("kind", "inn", "kpp", "bank_account", "bic", "kbk", "oktmo")
_PLACE = {name: RECIPIENTS.index(name) for name in _CHECKED}
