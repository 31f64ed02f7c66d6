"""What orders need beside the synthetic town's tables: charges, creditors that issue receipts, recipients that can be paid."""

from collections.abc import Iterator
from datetime import date
from typing import Any, TypeAlias

import asyncpg

from kopeck.demo.requisites import account_with_key
from ledger.statements import load_statements
from loadtests.town import RECIPIENTS, SERVICES, Town, creditor_of, table_of
from schemas.allocation import Pool

Connection: TypeAlias = "asyncpg.Connection[Any]"

ADVANCE_LINE = 3
"""Kind of a line in reference.charge that takes advances."""
DUE_DATE = date(2026, 10, 15)
VALID_FROM = date(2026, 1, 1)
BIC = "044525225"
TITLES = {"cold_water": "Холодное водоснабжение", "heat": "Отопление", "upkeep": "Содержание жилого помещения"}
_CHARGE = ("personal_account", "line", "creditor", "period", "payee", "kind", "pool", "amount", "due_date")
_COMPANY = ("recipient", "valid_from", "form", "tax_system", "format", "payment_address", "email", "operator")
_REQUISITES = ("recipient", "version", "bank_account", "bic", "valid_from", "loaded_by", "approved_by", "approved_at")

_SQL = load_statements("loadtests/statements/orders.sql")


def operator_of(creditor: int) -> str:
    """Name the connection to a creditor's own group of tills."""
    return f"atol:bench-{creditor}"


async def make_orders_town(connection: Connection, town: Town) -> None:
    """Fill in the rest of a made town (loadtests/fixture.py), as the ledger's owner."""
    approved_at = await connection.fetchval(_SQL["fetch_moment"])
    companies = (
        (number, VALID_FROM, "ordinary", "osn", "1.2", "https://bench.example", "bench@bench.example", operator_of(number))
        for number in range(1, town.creditors + 1)
    )
    requisites = (
        (number, 1, account_with_key(f"407028100{number:011d}", BIC), BIC, VALID_FROM, "bench", "second", approved_at)
        for number in range(1, RECIPIENTS + 1)
    )
    await connection.copy_records_to_table("company", schema_name="fiscal", columns=_COMPANY, records=companies)
    await connection.copy_records_to_table("requisites", schema_name="reference", columns=_REQUISITES, records=requisites)
    await connection.copy_records_to_table("charge", schema_name="reference", columns=_CHARGE, records=_charges(town))
    for service in SERVICES:
        await connection.execute(_SQL["add_service"], service, VALID_FROM, TITLES[service])
    await connection.execute(_SQL["add_vat"])
    await connection.execute(_SQL["add_terms"])
    await connection.execute(_SQL["settle"])
    await connection.execute(_SQL["checkpoint"])


def _charges(town: Town) -> Iterator[tuple[object, ...]]:
    for account in range(1, town.accounts + 1):
        table, creditor = table_of(town, account), creditor_of(town, account)
        for tier in table.tiers:
            for line, payee, weight in zip(tier.lines, tier.payees, tier.weights, strict=True):
                yield account, line, creditor, tier.period, payee, tier.kind.value, tier.pool.value, weight, DUE_DATE
        for line, payee in zip(table.advance.lines, table.advance.payees, strict=True):
            yield account, line, creditor, table.tiers[0].period, payee, ADVANCE_LINE, Pool.MAIN.value, 0, DUE_DATE
