"""Reads what the documents of some houses of a published run say: a few statements for all of them, none an account.

Everything is of the document's own time: credits count as of the table that was published with it, names and addresses as of its
period, requisites as of its day of issue. So a document printed again later says the same.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import msgspec

from ledger.statements import load_statements
from services.billing.core.periods import days_of, month_number, period_of
from services.billing.papers.amounts import Credited, amounts_of
from services.billing.papers.companies import read_companies
from services.billing.papers.homes import Homes, read_homes
from services.billing.papers.lines import Names, NotAsCharged, RunLine, price_lines, principal_of
from services.billing.papers.rows import (
    AccountRows,
    Assembled,
    Company,
    DocumentRow,
    PaperTerms,
    Unprintable,
    delivery_place,
)
from services.billing.runs.keeping import RunRefused
from services.billing.runs.sources import Connection

SQL = load_statements("services/billing/papers/reading.sql")

DOCUMENTS_AT_ONCE = 1_000
"""Houses are read together up to so many documents; one house is never divided."""
HISTORY_MONTHS = 11


class RunHouse(msgspec.Struct, frozen=True, kw_only=True):
    """A house of a run and how many documents it has."""

    house: str
    documents: int


class PaperRun(NamedTuple):
    """The run that made the documents: its provider and period."""

    run: int
    provider: int
    period: int


async def list_paper_houses(connection: Connection, terms: PaperTerms) -> list[RunHouse]:
    """Return the houses of the run that have documents, of those asked for. Raises RunRefused for what is not there."""
    run = await connection.fetchrow(SQL["fetch_run"], terms.run)
    if run is None:
        raise RunRefused(f"расчёта {terms.run} нет")
    if run["state"] not in ("publishing", "published", "closed"):
        raise RunRefused(f"расчёт {terms.run} в состоянии {run['state']}: документы есть у опубликованного")
    if terms.account:
        return [RunHouse(house=(await _find_account(connection, terms))[0], documents=1)]
    houses = [msgspec.convert(dict(row), RunHouse) for row in await connection.fetch(SQL["houses"], terms.run)]
    found = [one for one in houses if terms.house in ("", one.house)]
    if not found:
        raise RunRefused(f"в расчёте {terms.run} нет документов" + (f" дома {terms.house}" if terms.house else ""))
    return found


async def read_papers(connection: Connection, terms: PaperTerms) -> AsyncIterator[Assembled]:
    """Read houses in order, each one's documents in the order of delivery; raises RunRefused like ``list_paper_houses``."""
    houses = await list_paper_houses(connection, terms)
    account = (await _find_account(connection, terms))[1] if terms.account else None
    batch: list[RunHouse] = []
    for place, house in enumerate(houses, start=1):
        batch.append(house)
        if place == len(houses) or sum(one.documents for one in batch) + houses[place].documents > DOCUMENTS_AT_ONCE:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                assembled = await _assemble(connection, terms, [one.house for one in batch], account)
            for one in assembled:
                yield one
            batch = []


async def _find_account(connection: Connection, terms: PaperTerms) -> tuple[str, int]:
    namespace, _, number = terms.account.partition(":")
    row = await connection.fetchrow(SQL["house_of_account"], terms.run, namespace, number)
    if row is None:
        raise RunRefused(f"в расчёте {terms.run} нет счёта {terms.account}")
    return row["house"], row["account"]


class _Money(msgspec.Struct, frozen=True, kw_only=True):
    """By account: charges and what was credited to them, lines of the run, sums charged in the months before."""

    charges: Mapping[int, list[Any]]
    credited: Mapping[int, Mapping[int, Credited]]
    lines: Mapping[int, list[RunLine]]
    history: Mapping[int, list[tuple[int, int]]]


class _Sources(NamedTuple):
    run: PaperRun
    money: _Money
    homes: Homes
    companies: Mapping[int, Company]
    names: Names


async def _assemble(connection: Connection, terms: PaperTerms, houses: list[str], account: int | None) -> list[Assembled]:
    """Read some houses whole, within the caller's snapshot."""
    row = await connection.fetchrow(SQL["fetch_run"], terms.run)
    run = PaperRun(row["run"], row["provider"], row["period"])
    rows = await connection.fetch(SQL["documents"], terms.run, houses, account)
    documents = [msgspec.convert(dict(one), DocumentRow) for one in rows]
    printable = [one for one in documents if not _obstacle(one)]
    money = await _read_money(connection, run, printable)
    companies = await _read_companies(connection, run, money, printable)
    sources = _Sources(
        run=run,
        money=money,
        homes=await read_homes(connection, (run.provider, run.period), houses, terms.sealer),
        companies=companies,
        names=Names(
            payees={number: company.payee.name for number, company in companies.items()},
            titles=await _read_titles(connection, run, money),
        ),
    )
    found: dict[str, tuple[list[AccountRows], list[Unprintable]]] = {house: ([], []) for house in houses}
    for one in documents:
        made = _account_rows(one, sources)
        if isinstance(made, AccountRows):
            found[one.house][0].append(made)
        else:
            found[one.house][1].append(made)
    return [
        Assembled(house=house, rows=sorted(rows_of, key=delivery_place), unprintable=faults)
        for house, (rows_of, faults) in found.items()
    ]


def _obstacle(document: DocumentRow) -> str:
    """Why the document is not printed at all; empty for one that is."""
    if document.state != "published":
        return f"документ не опубликован: {document.reason or document.state}"
    return f"заменён документом {document.replaced_by}" if document.replaced_by else ""


def _account_rows(document: DocumentRow, sources: _Sources) -> AccountRows | Unprintable:
    account, money = document.account, sources.money
    obstacle = _obstacle(document)
    charges = money.charges.get(account, [])
    try:
        if obstacle:
            raise NotAsCharged(obstacle)
        principal = principal_of(charges, document.period)
        priced = price_lines(money.lines.get(account, ()), principal, sources.names)
    except NotAsCharged as error:
        return Unprintable(account=document.account_name, reason=str(error))
    return AccountRows(
        document=document,
        amounts=amounts_of(charges, money.credited.get(account, {}), document.period),
        priced=priced,
        home=sources.homes.by_account.get(account),
        house=sources.homes.lines.get(document.house, ()),
        history=tuple(money.history.get(account, ())),
        companies=sources.companies,
        provider=sources.run.provider,
    )


async def _read_money(connection: Connection, run: PaperRun, documents: Sequence[DocumentRow]) -> _Money:
    accounts = [one.account for one in documents]
    issued = [one.issued_on for one in documents]
    versions = [(one.book, one.account, one.version, one.version_before or 0) for one in documents]
    columns = [list(column) for column in zip(*versions, strict=True)] or [[], [], [], []]
    first = period_of(month_number(run.period) - HISTORY_MONTHS)
    goes_on = {one.account for one in documents if one.version_before}
    history = await connection.fetch(SQL["history"], accounts, first, run.period)
    lines = [msgspec.convert(dict(row), RunLine) for row in await connection.fetch(SQL["lines"], run.run, accounts)]
    credited: dict[int, dict[int, Credited]] = defaultdict(dict)
    for row in await connection.fetch(SQL["paid"], *columns):
        before = row["paid_before"] if row["account"] in goes_on else row["paid"]
        credited[row["account"]][row["line"]] = Credited(now=row["paid"], before=before)
    return _Money(
        charges=_by(await connection.fetch(SQL["charges"], accounts, run.period, issued), "account"),
        credited=credited,
        lines={account: list(group) for account, group in groupby(lines, attrgetter("account"))},
        history={account: [(row["period"], row["charged"]) for row in rows] for account, rows in _by(history, "account").items()},
    )


async def _read_companies(
    connection: Connection, run: PaperRun, money: _Money, documents: Sequence[DocumentRow]
) -> Mapping[int, Company]:
    wanted = {run.provider} | {row[who] for rows in money.charges.values() for row in rows for who in ("creditor", "recipient")}
    wanted |= {line.recipient for lines in money.lines.values() for line in lines}
    days = [one.issued_on for one in documents]
    return await read_companies(connection, wanted, max(days)) if days else {}


async def _read_titles(connection: Connection, run: PaperRun, money: _Money) -> Mapping[str, str]:
    """Titles of services by the stock, for charges that the run knows nothing of."""
    services = {row["service"] for rows in money.charges.values() for row in rows}
    rows = await connection.fetch(SQL["titles"], sorted(services), days_of(month_number(run.period))[0])
    return {row["service"]: row["title"] for row in rows}


def _by(rows: Iterable[Any], column: str) -> dict[int, list[Any]]:
    return {key: list(group) for key, group in groupby(rows, itemgetter(column))}
