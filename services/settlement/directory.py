"""Who is paid how on a day: registers, approved requisites, contracts, terms, stop lists and limits, read for one cut."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from ledger.feed import Connection
from ledger.statements import load_statements
from schemas.ids import Transit
from schemas.transfer import BankParty
from services.settlement.lots import Contract, Directory, Payee, Payer, Recipient, Terms
from services.settlement.rules.bank_text import bank_text
from services.settlement.rules.commission import CommissionTerms, Taking
from services.settlement.rules.screening import LegalLimit, StopEntry, StopLists, Verdict

_SQL = load_statements("services/settlement/cutting.sql")

DEFAULT_COUNTERPARTY = "bank"
"""The connection by which registers leave when a transit account has no terms of its own."""


async def fetch_directory(connection: Connection, transit: Transit, day: date) -> Directory:
    """Read the directory of a transit account on a day; a few hundred rows in a town."""
    contracts = await connection.fetch(_SQL["list_contracts"], day)
    made = tuple([msgspec.convert(dict(row), Contract) for row in contracts])
    return Directory(
        payer=await fetch_payer(connection, transit),
        payees={row["payee"]: Payee(row["recipient"], row["service"]) for row in await connection.fetch(_SQL["list_payees"])},
        recipients={row["number"]: _recipient(row) for row in await connection.fetch(_SQL["list_recipients"], day)},
        service_names={row["service"]: row["name"] for row in await connection.fetch(_SQL["list_service_names"])},
        contracts=made,
        terms={row["creditor"]: _terms(row, made) for row in await connection.fetch(_SQL["list_terms"], day)},
        stop_lists=await fetch_stop_lists(connection),
        legal_limits=[msgspec.convert(dict(row), LegalLimit) for row in await connection.fetch(_SQL["list_legal_limits"])],
        approval_limit=await connection.fetchval(_SQL["find_approval_limit"], day),
    )


async def fetch_payer(connection: Connection, transit: Transit) -> Payer:
    """Read how the transit account pays; an unknown one raises LookupError."""
    row = await connection.fetchrow(_SQL["fetch_payer"], transit)
    if row is None:
        raise LookupError(f"no transit account {transit}")
    return Payer(
        transit=transit,
        party=BankParty(
            name=bank_text(row["payer_name"] or row["title"]),
            inn=row["payer_inn"] or "",
            kpp=row["payer_kpp"] or "",
            account=row["account"],
            bic=row["bic"],
            bank_name=row["payer_bank_name"] or "",
            correspondent=row["payer_correspondent"] or "",
        ),
        counterparty=row["counterparty"] or DEFAULT_COUNTERPARTY,
        contracts_required=row["contracts_required"],
    )


async def fetch_stop_lists(connection: Connection) -> StopLists:
    """Read every entry of the stop lists."""
    return StopLists([_stop_entry(row) for row in await connection.fetch(_SQL["list_stopped"])])


async def list_stopped_recipients(connection: Connection, day: date) -> list[int]:
    """Return the recipients that the stop lists hold on a day: nothing is paid to them."""
    lists = await fetch_stop_lists(connection)
    rows = await connection.fetch(_SQL["list_recipients"], day)
    return [row["number"] for row in rows if lists.screen(bank_text(row["name"]), row["inn"], day).verdict is Verdict.STOP]


def _recipient(row: Mapping[str, Any]) -> Recipient:
    recipient: Recipient = msgspec.convert(dict(row), Recipient)
    return msgspec.structs.replace(recipient, name=bank_text(recipient.name))


def _terms(row: Mapping[str, Any], contracts: tuple[Contract, ...]) -> Terms:
    consented = [one.recipient for one in contracts if one.bears_commission and one.creditor in (row["creditor"], None)]
    return Terms(
        earner=row["earner"],
        commission=CommissionTerms(
            valid_from=row["valid_from"],
            rate=row["rate"],
            principal=row["creditor"],
            minimum_kopecks=row["minimum"],
            maximum_kopecks=row["maximum"],
            principal_weight=row["principal_weight"],
            recipients_weight=row["recipients_weight"],
            consented=frozenset(consented),
            taking=Taking.INVOICED if row["invoiced"] else Taking.NETTED,
        ),
    )


def _stop_entry(row: Mapping[str, Any]) -> StopEntry:
    return StopEntry(**dict(row))
