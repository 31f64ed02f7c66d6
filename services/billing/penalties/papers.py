"""Documents of penalties (ЖК 155 ч. 14, 14.1) for print: one an account, creditor and pool, with the detail of every day charged.

The detail is of the whole delay; what earlier documents charged of it, and what is written off, is taken off below it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ledger.statements import load_statements
from schemas.allocation import PayerKind, Pool
from schemas.money import roubles_for_people
from schemas.payment_document import PaymentDocument, PenaltyPart, Section
from services.billing.papers.assembling import CATEGORY, PAYER_KINDS, NotPrintable, flat_of, with_bank
from services.billing.papers.companies import read_companies
from services.billing.papers.homes import read_homes
from services.billing.papers.rows import Company, Home, Unprintable, natural
from services.billing.penalties.keeping import fetch_penalties
from services.billing.runs.sources import Connection
from services.sealing import Sealer

SQL = load_statements("services/billing/penalties/papers.sql")

DOCUMENTS_AT_ONCE = 2_000


class PenaltyPaperTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Which documents of a run: of one account (``namespace:number``) or all, with owners' full names or as they are kept."""

    run: int
    account: str = ""
    sealer: Sealer | None = None


class _Sources(msgspec.Struct, frozen=True, kw_only=True):
    parts: Mapping[tuple[int, int, int], tuple[PenaltyPart, ...]]
    homes: Mapping[int, Home]
    companies: Mapping[int, Company]


async def read_penalty_papers(connection: Connection, terms: PenaltyPaperTerms) -> list[PaymentDocument | Unprintable]:
    """Return the run's documents in the order of delivery, or why one cannot be printed; RunRefused for an unknown run."""
    run = await fetch_penalties(connection, terms.run)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await connection.fetch(SQL["documents"], terms.run, terms.account)
        if not rows:
            return []
        parts = await connection.fetch(SQL["parts"], terms.run, sorted({row["account"] for row in rows}))
        houses = sorted({row["house"] for row in rows if row["house"]})
        recipients = {number for row in rows for number in (row["creditor"], row["provider"])}
        sources = _Sources(
            parts=_parts(parts),
            homes=(await read_homes(connection, (run.provider, run.period), houses, terms.sealer)).by_account,
            companies=await read_companies(connection, recipients, max(row["issued_on"] for row in rows)),
        )
    ordered = sorted(rows, key=lambda row: (natural(row["house"]), _place(row, sources)))
    return [_made(row, sources) for row in ordered]


def _place(row: Any, sources: _Sources) -> tuple[Any, ...]:
    home = sources.homes.get(row["account"])
    return natural(home.premises.premises) if home is not None else [], row["name"], row["number"]


def _parts(rows: Iterable[Any]) -> dict[tuple[int, int, int], tuple[PenaltyPart, ...]]:
    found: dict[tuple[int, int, int], list[PenaltyPart]] = {}
    for row in rows:
        part = PenaltyPart(
            of_period=row["bill_period"],
            debt_kopecks=row["debt"],
            since=row["starts_on"],
            until=row["ends_on"],
            days=row["days"],
            rate=row["rate"],
            divisor=row["divisor"],
            amount_kopecks=row["amount"],
        )
        found.setdefault((row["account"], row["creditor"], row["pool"]), []).append(part)
    return {place: tuple(parts) for place, parts in found.items()}


def _made(row: Any, sources: _Sources) -> PaymentDocument | Unprintable:
    try:
        return _document(row, sources)
    except NotPrintable as error:
        return Unprintable(account=f"{row['namespace']}:{row['name']}", reason=str(error))


def _document(row: Any, sources: _Sources) -> PaymentDocument:
    parts = sources.parts.get((row["account"], row["creditor"], row["pool"]), ())
    if not parts:
        raise NotPrintable(f"пени {row['number']}: начислено {row['charged']} коп. без строк расчёта, печатать нечего")
    home, provider = sources.homes.get(row["account"]), sources.companies[row["provider"]]
    waived = row["waived"]
    return PaymentDocument(
        number=row["number"],
        period=row["period"],
        issued_on=row["issued_on"],
        due_on=row["due_on"],
        account=row["name"],
        els="",
        izhku=home.izhku if home is not None else "",
        payer=", ".join(home.owners) if home is not None and home.owners else row["masked_name"],
        payer_kind=PAYER_KINDS[PayerKind(row["payer_kind"])],
        address=home.address if home is not None and home.address else row["masked_address"],
        postcode="",
        flat=flat_of(home),
        area=0,
        living_area=0,
        residents=0,
        registered=0,
        owners=0,
        provider=provider.payee,
        dispatch_phone=provider.dispatch_phone,
        working_hours=provider.working_hours,
        sections=(_section(row, sources.companies[row["creditor"]]),),
        penalties=parts,
        charged_before_kopecks=sum(part.amount_kopecks for part in parts) - row["charged"],
        notices=(f"Из начисленных раньше пеней списано {roubles_for_people(waived)} ₽.",) if waived else (),
    )


def _section(row: Any, company: Company) -> Section:
    title = "Пени: капитальный ремонт" if row["pool"] == Pool.CAPITAL_REPAIR else f"Пени: {company.payee.name}"
    return Section(
        title=title,
        payee=with_bank(company.payee, company.code),
        lines=(),
        charged_kopecks=row["charged"],
        debt_kopecks=max(0, row["owed_before"]),
        advance_kopecks=max(0, -row["owed_before"]),
        paid_kopecks=0,
        paid_on=None,
        debt_on=row["issued_on"],
        due_kopecks=row["owed_before"] + row["charged"],
        purpose=f"Пени за {row['period'] % 100:02d}.{row['period'] // 100}, л/с {row['name']}, документ {row['number']}",
        category=CATEGORY,
    )


def together(documents: Sequence[PaymentDocument]) -> list[Sequence[PaymentDocument]]:
    """Return the documents in parts that one file holds."""
    return [documents[start : start + DOCUMENTS_AT_ONCE] for start in range(0, len(documents), DOCUMENTS_AT_ONCE)]
