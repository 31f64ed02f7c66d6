"""What allocation tables are built from, read for a chunk of accounts of one book in one snapshot (design W6)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import asyncpg
import msgspec

from ledger.core.account_facts import (
    LIMITATION_TERMS,
    AccountFacts,
    Charge,
    ChargeKind,
    DatedAlias,
    LimitationTerm,
    Printed,
    Provider,
    Register,
)
from ledger.core.books import book_of
from ledger.statements import load_statements
from schemas.allocation import AccountState, AdvanceRule, Kind, PayerKind, Pool, TableUnreadable, unpack_table
from schemas.ids import AccountId, Book, Line, PayeeNumber

SQL = load_statements("ledger/statements/tables.sql")

ADVANCE_SERVICE = "advance"
"""Service of the payee to whose line a provider takes advances."""


_KINDS = tuple(ChargeKind)
_POOLS = tuple(Pool)
"""Members by number: calling the class costs ten times as much, twice a charge."""


class Registers(msgspec.Struct, frozen=True, kw_only=True):
    """The registers of numbers as they stood when read, and each recipient's contract as a provider."""

    register: Register
    providers: dict[int, Provider]
    limitation: tuple[LimitationTerm, ...] = LIMITATION_TERMS


class AccountReading(msgspec.Struct, frozen=True, kw_only=True):
    """An account as one snapshot shows it. ``digest`` is the head's, empty before the first publication.

    ``paid`` is in kopecks by line; ``due_since`` is when a load marked the account, None when none did.
    """

    facts: AccountFacts
    charges: tuple[Charge, ...]
    paid: dict[Line, int]
    digest: bytes
    due_since: datetime | None


async def fetch_registers(connection: "asyncpg.Connection[Any]") -> Registers:
    """Read the registers; providers that take advances to one line are given that line's payee first."""
    await connection.execute(SQL["add_advance_payees"], ADVANCE_SERVICE)
    recipients = await connection.fetch(SQL["fetch_register"])
    payees = await connection.fetch(SQL["fetch_payees"])
    codes = {row["recipient"]: row["code"] for row in recipients}
    advance = {row["recipient"]: row["payee"] for row in payees if row["service"] == ADVANCE_SERVICE}
    register = Register(
        recipients=codes,
        numbers={code: number for number, code in codes.items()},
        payees={row["payee"]: (codes[row["recipient"]], row["service"]) for row in payees},
    )
    return Registers(
        register=register,
        providers={row["recipient"]: _provider(row, advance) for row in recipients},
        limitation=await fetch_limitation(connection),
    )


async def fetch_limitation(connection: "asyncpg.Connection[Any]") -> tuple[LimitationTerm, ...]:
    """Return the law's terms of limitation, ascending; LIMITATION_TERMS while its table has no row in force."""
    rows = await connection.fetch(SQL["list_limitation"])
    return tuple([LimitationTerm(since=row["valid_from"], years=row["years"]) for row in rows]) or LIMITATION_TERMS


def _provider(row: Mapping[str, Any], advance: Mapping[int, PayeeNumber]) -> Provider:
    return Provider(
        number=row["recipient"],
        advance_rule=AdvanceRule(row["advance_rule"]),
        advance_payee=advance.get(row["recipient"], PayeeNumber(0)),
        per_service_payment=row["per_service_payment"],
        costs_first=row["costs_first"],
    )


async def group_by_book(connection: "asyncpg.Connection[Any]", accounts: Sequence[AccountId]) -> dict[Book, list[AccountId]]:
    """Return the accounts by the book their entries stand in; unknown accounts are left out."""
    grouped: dict[Book, list[AccountId]] = {}
    for row in await connection.fetch(SQL["list_names"], accounts):
        grouped.setdefault(book_of(row["namespace"], row["number"], row["books"]), []).append(row["personal_account"])
    return grouped


async def read_accounts(
    connection: "asyncpg.Connection[Any]", book: Book, accounts: Sequence[AccountId], registers: Registers
) -> list[AccountReading]:
    """Read the accounts of one book in one snapshot, so that compare-and-set on the version is sound.

    A recipient or payee younger than ``registers`` raises LookupError: read the registers again.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(SQL["prefer_indexes"])
        return await read_accounts_within(connection, book, accounts, registers)


async def read_accounts_within(
    connection: "asyncpg.Connection[Any]", book: Book, accounts: Sequence[AccountId], registers: Registers
) -> list[AccountReading]:
    """Read the accounts in the caller's transaction, which is told to go by keys (``prefer_indexes``).

    Heads are read first: under READ COMMITTED what the journal says after them belongs to a later version, which the door's
    compare-and-set refuses. The caller keeps loads of charges out. LookupError as ``read_accounts``.
    """
    heads = await connection.fetch(SQL["list_accounts"], book, accounts)
    charges = await connection.fetch(SQL["list_charges"], accounts)
    published = [row["personal_account"] for row in heads if row["version"]]
    paid = await connection.fetch(SQL["list_paid"], book, published) if published else []
    charges_of = {account: tuple(map(charge_of, rows)) for account, rows in groupby(charges, itemgetter(0))}
    paid_of: dict[AccountId, dict[Line, int]] = {}
    opening_of: dict[AccountId, int] = {}
    for account, line, amount, opening in paid:
        paid_of.setdefault(account, {})[line] = amount
        opening_of[account] = max(opening, opening_of.get(account, 0))
    return [
        AccountReading(
            facts=_facts(row, registers, opening_of.get(row["personal_account"], 0)),
            charges=_known(charges_of.get(row["personal_account"], ()), registers),
            paid=paid_of.get(row["personal_account"], {}),
            digest=row["digest"] or b"",
            due_since=row["due_since"],
        )
        for row in heads
    ]


def charge_of(row: Sequence[Any]) -> Charge:
    """Turn a row of list_charges into its value."""
    _, line, creditor, period, payee, kind, pool, amount, due, limitation, order, opening_paid, opening_advance, holder = row
    return Charge(
        line=line,
        creditor=creditor,
        period=period,
        payee=payee,
        kind=_KINDS[kind],
        pool=_POOLS[pool],
        amount=amount,
        due_date=due,
        limitation_until=limitation,
        court_order=order,
        opening_paid=opening_paid,
        opening_advance=opening_advance,
        opening_holder=holder,
    )


def _known(charges: tuple[Charge, ...], registers: Registers) -> tuple[Charge, ...]:
    register = registers.register
    for charge in charges:
        if charge.payee not in register.payees or charge.creditor not in register.recipients:
            raise LookupError(f"payee {charge.payee} or creditor {charge.creditor} is younger than the registers read")
    return charges


def _facts(row: Mapping[str, Any], registers: Registers, opening_until: int) -> AccountFacts:
    return AccountFacts(
        account=row["personal_account"],
        namespace=row["namespace"],
        number=row["number"],
        state=AccountState(row["state"]),
        payer_kind=PayerKind(row["payer_kind"]),
        provider=registers.providers[row["provider"]],
        time_zone=row["time_zone"],
        version=row["version"],
        register=registers.register,
        aliases=_aliases(row),
        printed=_printed(row),
        opening_until=opening_until,
        checked_period=_checked_period(row["content"]),
        limitation=registers.limitation,
    )


def _aliases(row: Mapping[str, Any]) -> tuple[DatedAlias, ...]:
    columns = [row[name] or () for name in ("namespaces", "numbers", "valid_from", "valid_to")]
    return tuple(
        [
            DatedAlias(namespace=namespace, number=number, valid_from=valid_from, valid_to=valid_to)
            for namespace, number, valid_from, valid_to in zip(*columns, strict=True)
        ]
    )


def _printed(row: Mapping[str, Any]) -> tuple[Printed, ...]:
    columns = [row[name] or () for name in ("periods", "pools", "amounts")]
    return tuple([Printed(period=period, pool=Pool(pool), amount=amount) for period, pool, amount in zip(*columns, strict=True)])


def _checked_period(content: bytes | None) -> int:
    """Return the newest document that the newest published table covers: a table keeps its newest document's tiers."""
    if content is None:
        return 0
    try:
        tiers = unpack_table(content).tiers
    except TableUnreadable:
        return 0  # the account is parked by its rebuild; what is published now replaces the broken base
    return max((tier.period for tier in tiers if tier.kind == Kind.PRINCIPAL and not tier.designated_only), default=0)
