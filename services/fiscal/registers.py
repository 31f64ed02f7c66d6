"""Reading the dated tables of receipts, and remembering what follows from them until they change."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.receipt import AgentKind, FiscalFormat, MeansOfPayment, PaymentMethod, PaymentObject, TaxSystem, Vat
from services.fiscal.core.reference import (
    AgencyRow,
    CompanyRow,
    Deadline,
    DecisionRow,
    Form,
    Issues,
    ItemRow,
    NoReceipt,
    Recipient,
    Reference,
    Relation,
    ServiceRow,
)
from services.fiscal.core.templates import Templates

_SQL = load_statements("services/fiscal/registers.sql")

Row = Mapping[str, Any]
K = TypeVar("K")
V = TypeVar("V")


class Registers:
    """The tables as they are, read again when a load or a new number has changed them."""

    def __init__(self) -> None:
        self._mark: str | None = None
        self._templates: Templates | None = None

    async def templates(self, connection: Connection) -> Templates:
        """Return the templates of the tables' present state."""
        mark = await fetch_mark(connection)
        if self._templates is None or mark != self._mark:
            self._templates, self._mark = Templates(await fetch_reference(connection)), mark
        return self._templates


async def fetch_mark(connection: Connection) -> str:
    """Return what changes whenever a table does."""
    return str(await connection.fetchval(_SQL["fetch_mark"]))


async def fetch_reference(connection: Connection) -> Reference:
    """Read all tables; a few thousand rows in a town."""

    async def rows(name: str) -> list[Row]:
        return list(await connection.fetch(_SQL[name]))

    return Reference(
        recipients={
            row["recipient"]: Recipient(code=row["code"], name=row["name"], inn=row["inn"])
            for row in await rows("list_recipients")
        },
        payees={row["payee"]: (row["recipient"], row["service"]) for row in await rows("list_payees")},
        channels={row["channel"]: row["legal_kind"] for row in await rows("list_channels")},
        companies=_grouped(await rows("list_companies"), lambda row: row["recipient"], _company),
        services=_grouped(await rows("list_services"), lambda row: row["service"], _service),
        vats=_grouped(await rows("list_vats"), lambda row: (row["recipient"], row["service"], row["kind"]), _vat),
        agencies=_grouped(await rows("list_agencies"), lambda row: (row["agent"], row["principal"]), _agency),
        decisions=_grouped(await rows("list_decisions"), _decision_key, _decision),
        items=_grouped(await rows("list_item_rules"), lambda row: row["kind"], _item),
    )


def _grouped(rows: Iterable[Row], key: Callable[[Row], K], value: Callable[[Row], V]) -> dict[K, list[V]]:
    """Rows by key, in the order given."""
    grouped: dict[K, list[V]] = {}
    for row in rows:
        grouped.setdefault(key(row), []).append(value(row))
    return grouped


def _company(row: Row) -> CompanyRow:
    return CompanyRow(
        valid_from=row["valid_from"],
        form=Form(row["form"]),
        tax_system=TaxSystem(row["tax_system"]),
        format=FiscalFormat(row["format"]),
        payment_address=row["payment_address"],
        email=row["email"],
        operator=row["operator"],
    )


def _service(row: Row) -> ServiceRow:
    return ServiceRow(valid_from=row["valid_from"], title=row["title"], measure=row["measure"])


def _vat(row: Row) -> tuple[int, Vat]:
    return row["period_from"], Vat(row["rate"])


def _agency(row: Row) -> AgencyRow:
    return AgencyRow(
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        mark=AgentKind(row["mark"]),
        principal_phone=row["principal_phone"],
    )


def _decision_key(row: Row) -> tuple[str, Relation, int, Form]:
    return row["legal_kind"], Relation(row["relation"]), row["payer_kind"], Form(row["form"])


def _decision(row: Row) -> DecisionRow:
    return DecisionRow(
        valid_from=row["valid_from"],
        issues=Issues(row["issues"]),
        reason=NoReceipt(row["reason"]) if row["reason"] else None,
        means=MeansOfPayment(row["means"]),
        deadline=Deadline(row["deadline"]),
        internet=row["internet"],
    )


def _item(row: Row) -> ItemRow:
    return ItemRow(valid_from=row["valid_from"], method=PaymentMethod(row["method"]), subject=PaymentObject(row["subject"]))
