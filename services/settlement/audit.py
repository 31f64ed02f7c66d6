"""What settlement must be able to show: nothing ordered that was not confirmed, every kopeck explained, nothing kept too long.

For ``kopeck verify`` and the tests. The rows are read in one snapshot; the journal, which never changes, in short statements
after it, up to the places that the snapshot saw.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from ledger.balances import Cut, projected_balances
from ledger.chart import AccountKind, ledger_account, parts_of
from ledger.feed import Connection, list_cursors, list_heads
from ledger.names import fetch_names
from ledger.statements import load_statements
from schemas.ids import BOOK_WITHOUT_PAYER, Book, LedgerAccount, Transit
from schemas.ids import Sequence as Place
from services.settlement.planning import Range, passages
from services.settlement.rules.deadlines import transit_deadline

_SQL = load_statements("services/settlement/audit.sql")
_LEDGER = load_statements("services/settlement/uncut.sql")

CONSUMER = "settlement"


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Money that waits on a transit account longer than it may (161-ФЗ ст. 5 ч. 5): of which day, how much, why."""

    transit: int
    since: date
    amount: int
    reason: str
    what: str


class SettlementAudit(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: contradictions, none in sound books, and money that waits too long, which is for people to act on."""

    faults: tuple[str, ...]
    overdue: tuple[Waiting, ...]


class _Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    rows: Mapping[str, list[Any]]
    heads: Mapping[Book, Place]
    cursors: Mapping[Book, Place]


async def audit_settlement(connection: Connection, today: date) -> SettlementAudit:
    """Check the books of settlement against themselves and against the journal."""
    snapshot = await _read(connection)
    faults = [*_form_faults(snapshot), *await _balance_faults(connection, snapshot)]
    overdue = []
    for row in snapshot.rows["list_waiting"]:
        deadline = transit_deadline(row["since"])
        if deadline is not None and deadline < today:
            overdue.append(Waiting(**dict(row)))
    return SettlementAudit(faults=tuple(faults), overdue=tuple(overdue))


async def _read(connection: Connection) -> _Snapshot:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = {name: await connection.fetch(statement) for name, statement in _SQL.items()}
        heads = await list_heads(connection)
        cursors = await list_cursors(connection, CONSUMER)
    return _Snapshot(rows=rows, heads=heads, cursors=cursors)


def _form_faults(snapshot: _Snapshot) -> list[str]:
    """Contradictions that the rows show by themselves."""
    rows, faults = snapshot.rows, []
    for row in rows["find_overdrawn"]:
        faults.append(
            f"entry 0:{row['sequence']}: transit account {row['transit']} has {row['ordered']} kopecks ordered, "
            f"{row['confirmed']} confirmed"
        )
    for row in rows["find_misfunded"]:
        faults.append(
            f"clearing account {row['transit']}/{row['space']}: {row['promised']} kopecks of promises are cut, "
            f"its money is {row['money']}"
        )
    for row in rows["find_untiled"]:
        faults.append(
            f"{row['what']} of {row['transit']}/{row['space']}, book {row['book']}, after {row['place']}: gap or overlap"
        )
    for row in rows["find_unequal_order"]:
        faults.append(f"order {row['key']} of {row['amount']} kopecks: its parts and its entry say otherwise")
    for row in rows["find_untold_state"]:
        faults.append(f"order {row['key']} in state {row['state']}: its history or its entry says otherwise")
    for row in rows["find_uncovered_return"]:
        faults.append(f"order {row['key']} gives a payer back what is not covered")
    for row in rows["find_unpaid_claim"]:
        faults.append(f"claim {row['claim']}: its payments are not what it became less by")
    for row in rows["find_overmoved"]:
        faults.append(f"move {row['book']}:{row['sequence']}: cuts have not taken what it moves")
    faults += _claim_faults(rows)
    for row in rows["list_under_way"]:
        if row["ordered"] != row["outstanding"]:
            faults.append(f"transit account {row['transit']}: {row['ordered']} ordered, its orders are {row['outstanding']}")
    return faults


def _claim_faults(rows: Mapping[str, list[Any]]) -> list[str]:
    """Hold what parties owe by claims against their receivables in the books."""
    owed = {(row["transit"], row["recipient"]): row["amount"] for row in rows["list_owed"]}
    return [
        f"receivable of party {row['recipient']} on transit account {row['transit']}: {row['amount']} kopecks, "
        f"{owed.get((row['transit'], row['recipient']), 0)} by claims"
        for row in rows["list_receivables"]
        if row["amount"] != owed.get((row["transit"], row["recipient"]), 0)
    ]


async def _balance_faults(connection: Connection, snapshot: _Snapshot) -> list[str]:
    """Hold every payable account, and outgoing, against what explains it: not cut yet, carried, come back, under way."""
    explained = {row["account"]: row["amount"] for row in snapshot.rows["list_held_back"]}
    for account, amount in (await _uncut(connection, snapshot)).items():
        explained[account] = explained.get(account, 0) + amount
    for row in snapshot.rows["list_taken_ahead"]:
        explained[row["account"]] = explained.get(row["account"], 0) + row["amount"]
    for row in snapshot.rows["list_under_way"]:
        explained[ledger_account(AccountKind.OUTGOING, row["transit"])] = row["under_way"]
    wanted = {row["account"] for row in snapshot.rows["list_payable_accounts"]} | explained.keys()
    accounts = sorted(one for one in wanted if parts_of(one).kind in (AccountKind.PAYABLE, AccountKind.OUTGOING))
    places = {
        book: head if book == BOOK_WITHOUT_PAYER else min(head, snapshot.cursors.get(book, Place(0)))
        for book, head in snapshot.heads.items()
    }
    found = await projected_balances(connection, Cut(places=places), accounts)
    names, faults = await fetch_names(connection), []
    for account in accounts:
        owed = -found[account].balance if account in found else 0
        if owed != explained.get(account, 0):
            faults.append(f"{names.name_of(account)}: {owed} kopecks owed, {explained.get(account, 0)} explained")
    return faults


async def _uncut(connection: Connection, snapshot: _Snapshot) -> dict[LedgerAccount, int]:
    """Add up what the entries after the last cuts owe, funded or not, by payable account."""
    ranges: dict[Transit, list[Range]] = {}
    for row in snapshot.rows["list_uncut"]:
        if row["upto"] > row["after"]:
            one = Range(space=row["space"], book=row["book"], after=row["after"], upto=row["upto"], promised=0)
            ranges.setdefault(row["transit"], []).append(one)
    sums: dict[LedgerAccount, int] = {}
    for transit, own in sorted(ranges.items()):
        for arguments in passages(transit, own):
            for row in await connection.fetch(_LEDGER["sum_uncut"], *arguments):
                sums[row["account"]] = sums.get(row["account"], 0) + row["amount"]
    return sums
