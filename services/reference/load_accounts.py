"""``kopeck load accounts``: personal accounts (лицевые счета), their state, provider and every name they are found by.

Names and addresses are masked before they leave this process; the full text is never stored (152-ФЗ).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.statements import load_statements
from schemas.allocation import AccountState, PayerKind
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
from services.reference.masking import mask_address, mask_name
from services.reference.rows import Column, FieldFault, Shape

_SQL = load_statements("services/reference/accounts.sql")

STATES = {"open": AccountState.OPEN, "debts_only": AccountState.DEBTS_ONLY, "closed": AccountState.CLOSED}
PAYER_KINDS = {"person": PayerKind.PERSON, "organisation": PayerKind.ORGANISATION, "budget": PayerKind.BUDGET}
ELS_NAMESPACE = "els"
IZHKU_NAMESPACE = "izhku"
OWN_COLUMNS = (ELS_NAMESPACE, IZHKU_NAMESPACE)
"""Namespaces of ЕЛС and ИЖКУ: filled from columns of those names only."""
NO_ALIASES = "none"
ALIASES_MAX = 20
ALIASES_CHARACTERS_MAX = 4_000

Alias = tuple[str, str]


async def load_accounts(connection: Connection, path: Path, terms: LoadTerms, progress: Progress = no_progress) -> LoadReport:
    """Load a file of personal accounts whole; see ``load_file`` for what it raises."""
    return await load_file(connection, path, _AccountFile(), terms, progress)


class _AccountFile:
    name = "accounts"

    def __init__(self) -> None:
        self.staged: dict[str, list[tuple[Any, ...]]] = {"staged_account": [], "staged_alias": []}

    async def prepare(self, connection: Connection) -> Shape:
        await connection.execute(_SQL["make_staging"])
        recipients = {record["code"]: record["recipient"] for record in await connection.fetch(_SQL["list_recipients"])}
        return accounts_shape(recipients)

    def stage(self, line: int, row: list[Any]) -> None:
        namespace, number, els, izhku, *facts, aliases = row
        self.staged["staged_account"].append((line, namespace, number, *facts, bool(els), bool(izhku), aliases is not None))
        names = {(namespace, number), *(aliases or ())}
        names |= {(ELS_NAMESPACE, els)} if els else set()
        names |= {(IZHKU_NAMESPACE, izhku)} if izhku else set()
        self.staged["staged_alias"].extend([(line, *name) for name in names])

    async def check(self, connection: Connection, faults: Findings, warnings: Findings) -> None:
        await connection.execute(_SQL["analyze"])
        faults.add_listed(await connection.fetch(_SQL["repeats"]), "number", "repeats line {first_line}")
        foreign = await connection.fetch(_SQL["foreign_izhku"])
        faults.add_listed(foreign, "izhku", "belongs to the personal account {owner} already")
        await connection.execute(_SQL["compare"])

    async def totals(self, connection: Connection) -> tuple[ControlTotal, ...]:
        return ()

    async def write(self, connection: Connection, terms: LoadTerms, warnings: Findings) -> Changes:
        await connection.execute(_SQL["add_accounts"])
        await connection.execute(_SQL["update_accounts"])
        await connection.execute(_SQL["find_accounts"])
        await connection.execute(_SQL["close_aliases"], terms.today)
        await connection.execute(_SQL["add_aliases"], terms.today)
        await connection.execute(_SQL["mark_touched"])
        ambiguous = await connection.fetch(_SQL["ambiguous"], terms.today)
        message = "{namespace}:{number} names {accounts} accounts: two matches are no match"
        warnings.add_listed(ambiguous, "aliases", message)
        counts = await connection.fetchrow(_SQL["count_changes"])
        return Changes(added=counts["added"], changed=counts["changed"])


def accounts_shape(recipients: dict[str, int]) -> Shape:
    """Columns of a file of accounts; ``recipients`` are the numbers of the loaded codes."""
    return Shape(
        name="accounts",
        columns=(
            Column(name="namespace", decode=_own_namespace, required=True),
            Column(name="number", decode=rows.account_number, required=True),
            Column(name="els", decode=rows.els),
            Column(name="izhku", decode=rows.izhku),
            Column(name="state", decode=rows.one_of(STATES), required=True),
            Column(name="payer_kind", decode=rows.one_of(PAYER_KINDS), required=True),
            Column(name="provider", decode=rows.known_code(recipients, "recipient"), required=True),
            Column(name="time_zone", decode=rows.time_zone, default=None),
            Column(name="name", decode=lambda text: mask_name(rows.free_text(text)), default=None),
            Column(name="address", decode=lambda text: mask_address(rows.free_text(text)), default=None),
            Column(name="aliases", decode=_aliases, default=None),
        ),
        check=_check,
    )


def _check(row: Sequence[Any]) -> tuple[str, str] | None:
    els, izhku = row[2], row[3]
    if els and izhku and not izhku.startswith(els):
        return "izhku", f"{rows.quoted(izhku)} does not start with the ЕЛС {els}"
    return None


def _own_namespace(text: str) -> str:
    namespace: str = rows.code(text)
    if namespace in OWN_COLUMNS:
        raise FieldFault(f"{namespace} is the namespace of the column {namespace}")
    if ":" in namespace or "|" in namespace:
        raise FieldFault(f"is {rows.quoted(namespace)}, expected no ':' and no '|'")
    return namespace


def _aliases(text: str) -> tuple[Alias, ...]:
    """``namespace:number|…`` as pairs; ``none`` is none at all."""
    if text == NO_ALIASES:
        return ()
    if len(text) > ALIASES_CHARACTERS_MAX:
        raise FieldFault(f"is {len(text)} characters long, at most {ALIASES_CHARACTERS_MAX} are allowed")
    aliases = []
    for item in text.split("|"):
        namespace, colon, number = item.partition(":")
        if not colon or not namespace or not number:
            raise FieldFault(f"holds {rows.quoted(item)}, expected namespace:number|…")
        aliases.append((_own_namespace(namespace), rows.account_number(number)))
    if len(aliases) > ALIASES_MAX:
        raise FieldFault(f"holds {len(aliases)} names, at most {ALIASES_MAX} are allowed")
    return tuple(aliases)
