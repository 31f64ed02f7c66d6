"""Suggestions for an item: gathered by look-ups by key, ranked by a pure rule (core/evidence.py), never applied by themselves."""

from collections.abc import Iterable
from datetime import date

import msgspec

from ledger.core.apportion import caps_of
from ledger.core.split import split_amount
from ledger.feed import Connection
from ledger.rebuild import Rebuilt, State, rebuild_accounts
from ledger.statements import load_statements
from schemas.allocation import AccountState, AllocationTable
from schemas.ids import AccountId
from services.suspense.core import evidence
from services.suspense.core.evidence import Evidence, Suggestion, Suspect, Taking
from services.suspense.core.neighbours import Slip, bare_number, neighbours_of
from services.suspense.core.words import address_key, addresses_in, numbers_in, people_in, same_person
from services.suspense.papers import Papers, find_origin
from services.suspense.queue import Item

_SQL = load_statements("services/suspense/suggestions.sql")

FOUND_MAX = 60
"""Accounts weighed for one item."""
CROWD_MAX = 20
"""A sum, a name or an address that more accounts have than this finds nobody."""
LINES_MAX = 200
PAID_BEFORE_MAX = 3
"""A bank account that paid more personal accounts than this is a bank's own, through which many pay."""
PERIODS_BACK = 2


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the look-ups gave: evidence by account, and what the payer wrote, as masks."""

    evidence: dict[AccountId, list[Evidence]]
    people: tuple[str, ...]
    addresses: tuple[str, ...]

    def add(self, account: AccountId, one: Evidence) -> None:
        """Note what speaks for an account; beyond FOUND_MAX nobody new is taken."""
        if account in self.evidence or len(self.evidence) < FOUND_MAX:
            self.evidence.setdefault(account, []).append(one)


async def suggest(connection: Connection, item: Item, papers: Papers | None = None) -> tuple[Suggestion, ...]:
    """Return accounts that an item's money may belong to, the likeliest first.

    Without ``papers`` nothing that is sealed is read, and neither names nor purposes speak.
    """
    origin = await find_origin(connection, item, papers)
    told = origin.told
    found = Found(evidence={}, people=people_in(f"{told.payer}\n{told.purpose}"), addresses=addresses_in(told.purpose))
    async with connection.transaction():
        await connection.execute(_SQL["prefer_indexes"])
        await _by_number(connection, item, told.purpose, found)
        await _by_payer(connection, item, origin.payer_account, found)
        await _by_address_and_name(connection, found)
        printed = await _by_amount(connection, item, found)
        return await _weighed(connection, item, found, printed)


async def find_accounts(connection: Connection, text: str, day: date) -> tuple[AccountId, ...]:
    """Return the accounts that ``namespace/number``, or a bare number in any namespace, means on a day."""
    namespaces = [row["namespace"] for row in await connection.fetch(_SQL["list_namespaces"])]
    namespace, slash, number = text.partition("/")
    where = ([namespace], number) if slash and namespace in namespaces else (namespaces, text)
    rows = await connection.fetch(_SQL["list_numbered"], where[0], [where[1]], day, FOUND_MAX)
    return tuple(dict.fromkeys(AccountId(row["personal_account"]) for row in rows))


async def _by_number(connection: Connection, item: Item, purpose: str, found: Found) -> None:
    """The payer's own account, the candidates of an ambiguous number, numbers one slip away, numbers in the purpose."""
    if item.personal_account is not None:
        found.add(item.personal_account, evidence.own_account())
    for account in item.candidates:
        found.add(account, evidence.candidate(item.account, len(item.candidates) - 1))
    namespaces = [row["namespace"] for row in await connection.fetch(_SQL["list_namespaces"])]
    told = numbers_in(purpose)
    exact = dict.fromkeys([*told, *map(bare_number, told)])
    for row in await connection.fetch(_SQL["list_numbered"], namespaces, list(exact), item.value_date, FOUND_MAX):
        found.add(row["personal_account"], evidence.written_in_purpose(row["number"]))
    for written in dict.fromkeys([item.account, *told]):
        await _by_slip(connection, (namespaces, item.value_date), written, found)


async def _by_slip(connection: Connection, where: tuple[list[str], date], written: str, found: Found) -> None:
    near = neighbours_of(written)
    if not near:
        return
    rows = await connection.fetch(_SQL["list_numbered"], where[0], list(near), where[1], FOUND_MAX)
    slips: dict[AccountId, tuple[str, Slip]] = {}
    order = list(Slip)
    for row in rows:
        slip = near[row["number"]]
        known = slips.get(row["personal_account"])
        if known is None or order.index(slip) < order.index(known[1]):
            slips[row["personal_account"]] = (row["number"], slip)
    for account, (number, slip) in sorted(slips.items(), key=lambda one: (order.index(one[1][1]), one[1][0])):
        found.add(account, evidence.slipped(written, number, slip, len(slips)))


async def _by_payer(connection: Connection, item: Item, payer: str, found: Found) -> None:
    if not payer:
        return
    place = (payer, item.transit, item.space, item.external_id)
    rows = await connection.fetch(_SQL["list_paid_before"], *place, LINES_MAX, PAID_BEFORE_MAX + 1)
    if len(rows) <= PAID_BEFORE_MAX:
        for row in rows:
            found.add(row["personal_account"], evidence.paid_before(row["times"], row["last"]))


async def _by_address_and_name(connection: Connection, found: Found) -> None:
    """Accounts that only their address or name speaks for; what of both speaks for the others is weighed later."""
    addressed = await connection.fetch(_SQL["list_addressed"], list(found.addresses), CROWD_MAX + 1)
    if len(addressed) <= CROWD_MAX:
        _suspect(found, [row["personal_account"] for row in addressed])
    by_mask: dict[str, list[AccountId]] = {}
    for row in await connection.fetch(_SQL["list_named"], list(found.people), CROWD_MAX):
        by_mask.setdefault(row["mask"], []).append(row["personal_account"])
    for accounts in by_mask.values():
        if len(accounts) <= CROWD_MAX:
            _suspect(found, accounts)


def _suspect(found: Found, accounts: Iterable[AccountId]) -> None:
    for account in accounts:
        if len(found.evidence) < FOUND_MAX:
            found.evidence.setdefault(account, [])


async def _by_amount(connection: Connection, item: Item, found: Found) -> dict[AccountId, int]:
    """Accounts with just this total on a recent document, and its period; a sum that a crowd was billed finds nobody."""
    day = item.value_date
    months = day.year * 12 + day.month - 1
    since = (months - PERIODS_BACK) // 12 * 100 + (months - PERIODS_BACK) % 12 + 1
    rows = await connection.fetch(_SQL["list_printed"], item.remains, since, day.year * 100 + day.month, CROWD_MAX + 1)
    if len(rows) > CROWD_MAX:
        return {}
    _suspect(found, [row["personal_account"] for row in rows])
    return {row["personal_account"]: row["period"] for row in rows}


async def _weighed(connection: Connection, item: Item, found: Found, printed: dict[AccountId, int]) -> tuple[Suggestion, ...]:
    accounts = list(found.evidence)
    if not accounts:
        return ()
    states = await rebuild_accounts(connection, accounts)
    rows = {row["personal_account"]: row for row in await connection.fetch(_SQL["list_accounts"], accounts)}
    suspects = []
    for account, row in rows.items():
        told = list(found.evidence[account])
        state = states.get(account)
        if isinstance(state, Rebuilt):
            told += amount_evidence(state.table, item.remains, printed.get(account, 0))
        if same_person(row["masked_name"], found.people):
            told.append(evidence.same_person_named(row["masked_name"]))
        if row["masked_address"] and address_key(row["masked_address"]) in found.addresses:
            told.append(evidence.same_address(row["masked_address"]))
        taking = taking_of(state, item.remains)
        suspects.append(Suspect(account=account, name=row["name"], evidence=tuple(told), taking=taking))
    return evidence.rank(suspects)


def amount_evidence(table: AllocationTable, amount: int, period: int) -> list[Evidence]:
    """Tell whether an amount is what a document's printed total, or the whole account, still has open."""
    opens = [sum(caps_of(tier.weights, tier.paid)) for tier in table.tiers]
    for total in table.totals:
        if sum(opens[index] for index in total.tiers) == amount:
            newest = max((table.tiers[index].period for index in total.tiers), default=0)
            return [evidence.equals_document(amount, period or newest)]
    owed = sum(opened for opened, tier in zip(opens, table.tiers, strict=True) if not tier.designated_only)
    return [evidence.equals_debt(amount)] if owed == amount else []


def taking_of(state: State | None, amount: int) -> Taking:
    """Return what an account would do with so many kopecks now."""
    if not isinstance(state, Rebuilt):
        return Taking(kopecks=0, why_not="таблица распределения не готова")
    if state.table.state is AccountState.CLOSED:
        return Taking(kopecks=0, why_not="лицевой счёт закрыт")
    left = split_amount(state.table, amount).unallocated
    return Taking(kopecks=amount - left, why_not="аванс не принимается" if left else "")
