"""Reads what the penalties of a page of accounts follow from: a few statements for the page, then plain structs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

import msgspec

from ledger.core.books import book_of
from ledger.statements import load_statements
from schemas.allocation import Kind, Pool
from schemas.ids import AccountId
from services.billing.core.law import Law
from services.billing.core.line_credits import LineEntry, credits_by_line
from services.billing.core.penalties import Credit
from services.billing.core.penalty_changes import AccountDebts, Bill, BillKey, Group, GroupKey, Spared, Waiver
from services.billing.runs.sources import Connection

SQL = load_statements("services/billing/penalties/reading.sql")
_HISTORY = load_statements("services/billing/law/history.sql")


class Debtor(msgspec.Struct, frozen=True, kw_only=True):
    """An account with its debts, as one snapshot shows them, and the region whose law it goes by (empty: federal)."""

    account: AccountId
    number: str
    debts: AccountDebts
    region: str


class _Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a page by account."""

    charges: Mapping[int, Sequence[Any]]
    entries: Mapping[int, Sequence[LineEntry]]
    before: Mapping[int, Sequence[Any]]
    waived: Mapping[int, Sequence[Any]]
    waivers: Mapping[int, Sequence[Any]]
    spared: Mapping[int, Sequence[Any]]
    regions: Mapping[int, str]


async def read_page(connection: Connection, run: tuple[int, date], after: int, limit: int) -> list[Debtor]:
    """Read the next accounts of a provider that have bills due before a day: ``run`` is (provider's number, day)."""
    return await _read(connection, await connection.fetch(SQL["list_accounts"], run[0], after, run[1], limit), run[1])


async def read_debtors(connection: Connection, accounts: Sequence[AccountId], as_of: date) -> list[Debtor]:
    """Read accounts by their numbers."""
    return await _read(connection, await connection.fetch(SQL["name_accounts"], list(accounts)), as_of)


async def _read(connection: Connection, accounts: Sequence[Any], as_of: date) -> list[Debtor]:
    numbers = [row["personal_account"] for row in accounts]
    books = [book_of(row["namespace"], row["number"], row["books"]) for row in accounts]
    entries = await connection.fetch(_HISTORY["list_entries"], books, numbers)
    rows = _Rows(
        charges=_by(await connection.fetch(SQL["list_charges"], numbers), "personal_account"),
        entries={key: [_entry(row) for row in group] for key, group in _by(entries, "personal_account").items()},
        before=_by(await connection.fetch(SQL["list_before"], numbers), "account"),
        waived=_by(await connection.fetch(SQL["list_waived"], numbers), "account"),
        waivers=_by(await connection.fetch(SQL["list_waivers"], numbers), "account"),
        spared=_by(await connection.fetch(SQL["list_spared"], numbers), "account"),
        regions=dict(await connection.fetch(SQL["list_regions"], numbers, as_of)),
    )
    return [
        Debtor(
            account=row["personal_account"],
            number=row["number"],
            debts=_debts(row["personal_account"], rows),
            region=rows.regions.get(row["personal_account"], ""),
        )
        for row in accounts
    ]


def _debts(account: int, rows: _Rows) -> AccountDebts:
    charges = rows.charges.get(account, ())
    credits = credits_by_line(rows.entries.get(account, ()), {row["line"]: row["due_date"] for row in charges})
    before: dict[BillKey, int] = {_key_before(row): row["charged"] for row in rows.before.get(account, ())}
    waived = {(row["creditor"], Pool(row["pool"])): row["waived"] for row in rows.waived.get(account, ())}
    return AccountDebts(
        bills=tuple(_bills([row for row in charges if row["kind"] == Kind.PRINCIPAL], credits)),
        before=before,
        groups=_groups([row for row in charges if row["kind"] == Kind.PENALTY], credits, before, waived),
        waivers=tuple(
            [
                Waiver(waiver=row["waiver"], group=(row["creditor"], Pool(row["pool"])), left_kopecks=row["left_kopecks"])
                for row in rows.waivers.get(account, ())
            ]
        ),
        spared=tuple([Spared(creditor=row["creditor"], reason=row["reason"]) for row in rows.spared.get(account, ())]),
    )


def _bills(charges: Iterable[Any], credits: Mapping[int, tuple[Credit, ...]]) -> Iterable[Bill]:
    """Lines of one creditor, pool, period, due day and court order make one bill; a line that lowers it counts."""
    for (creditor, pool, period, due, order), group in groupby(sorted(charges, key=_bill_columns), _bill_columns):
        told = list(group)
        paid = [credit for row in told for credit in credits[row["line"]]]
        limits = [row["limitation_until"] for row in told if row["limitation_until"] is not None]
        yield Bill(
            key=(creditor, Pool(pool), period, due),
            amount_kopecks=sum(row["amount"] for row in told),
            credits=tuple(sorted(paid, key=attrgetter("day"))),
            court_order=order,
            limitation_until=max(limits, default=None),
        )


_bill_columns = itemgetter("creditor", "pool", "period", "due_date", "court_order")


def _groups(
    charges: Iterable[Any],
    credits: Mapping[int, tuple[Credit, ...]],
    before: Mapping[BillKey, int],
    waived: Mapping[GroupKey, int],
) -> dict[GroupKey, Group]:
    charged: defaultdict[GroupKey, int] = defaultdict(int)
    paid: defaultdict[GroupKey, int] = defaultdict(int)
    ours: defaultdict[GroupKey, int] = defaultdict(int)
    for row in charges:
        if row["court_order"]:
            continue
        place = row["creditor"], Pool(row["pool"])
        charged[place] += row["amount"]
        paid[place] += sum(credit.amount_kopecks for credit in credits[row["line"]])
    for key, amount in before.items():
        ours[key[0], key[1]] += amount
    for place, amount in waived.items():
        ours[place] -= amount
    return {
        place: Group(charged_kopecks=charged[place], ours_kopecks=ours[place], paid_kopecks=paid[place])
        for place in charged.keys() | ours.keys()
    }


def _key_before(row: Any) -> BillKey:
    return row["creditor"], Pool(row["pool"]), row["bill_period"], row["due_on"]


def _entry(row: Any) -> LineEntry:
    return LineEntry(
        sequence=row["sequence"],
        kind=row["kind"],
        space=row["space"],
        external_id=row["external_id"],
        value_date=row["value_date"],
        lines=tuple(row["lines"]),
        amounts=tuple(row["amounts"]),
    )


def _by(rows: Iterable[Any], column: str) -> dict[int, list[Any]]:
    return {key: list(group) for key, group in groupby(rows, itemgetter(column))}


def law_of_region(law: Law, region: str, known: dict[str, Law]) -> Law:
    """Return the law as a region sees it, each view made once."""
    if region not in known:
        known[region] = law.in_region(region) if region else law
    return known[region]
