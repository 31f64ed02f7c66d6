"""One house's draft as rows: pure, so that a worker only reads before it and only writes after it."""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from schemas.allocation import Pool
from schemas.ids import AccountId
from services.billing.core.checks import HouseFigures, Limits, check_house
from services.billing.core.lines import ChargeLine
from services.billing.core.month import HouseMonth, ServiceKind, ServiceTerms
from services.billing.runs.packing import pack_explanation
from services.billing.runs.sources import HouseUnreadable

_encoder = msgspec.msgpack.Encoder()

Terms = Mapping[str, tuple[int, int, int, str, str]]
"""By service: recipient, creditor, pool, title, unit."""
AccountLines = tuple[AccountId, list[str], list[int], list[int], list[int], list[int], list[int], list[bytes]]
"""A row of ``billing.run_account`` without run and house; the lists are parallel."""


class HouseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A calculated house and what it is kept and checked with; ``only`` is empty for all accounts."""

    house: HouseMonth
    lines: tuple[ChargeLine, ...]
    numbers: Mapping[str, AccountId]
    only: frozenset[str]
    previous: Mapping[tuple[str, str], int]
    terms: Terms


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one house, without the run's number; ``digest`` is SHA-256 of everything that it was calculated from.

    ``accounts``: account, then services, kinds, volumes, prices, amounts, periods and explanations of its lines; kinds and
    periods are empty where all are 0. ``totals``: lines, accounts and kopecks by service of ``terms``.
    ``findings``: account or None, service, name, severity, message.
    """

    house: str
    accounts: tuple[AccountLines, ...]
    terms: Terms
    totals: Mapping[str, tuple[int, int, int]]
    lines: int
    findings: tuple[tuple[AccountId | None, str, str, str, str], ...]
    digest: bytes
    amount: int


def draft_house(facts: HouseFacts, limits: Limits) -> Drafted:
    """Turn a calculated house into rows; HouseUnreadable for a line of a service whose payee nobody knows."""
    unpaid = sorted({line.service for line in facts.lines} - facts.terms.keys())
    if unpaid:
        raise HouseUnreadable(f"у дома нет договора на услуги: {', '.join(unpaid)}")
    strangers = sorted({line.account for line in facts.lines} - facts.numbers.keys())
    if strangers:
        raise HouseUnreadable(f"начислено лицевым счетам, которых нет в доме: {', '.join(strangers)}")
    names = {share.account for premises in facts.house.premises for share in premises.accounts}
    asked = names & facts.only if facts.only else names
    rows = _rows(facts, sorted({facts.numbers[name] for name in asked}))
    amount = sum([line.amount_kopecks for line in facts.lines])
    totals = _totals(rows)
    assert amount == sum([sum(row[5]) for row in rows]) == sum([total[2] for total in totals.values()]), "no kopeck is lost"
    return Drafted(
        house=facts.house.house,
        accounts=rows,
        terms=facts.terms,
        totals=totals,
        lines=len(facts.lines),
        findings=_findings(facts, limits),
        digest=hashlib.sha256(_encoder.encode((facts.house, sorted(facts.only)))).digest(),
        amount=amount,
    )


def pool_of(terms: ServiceTerms) -> Pool:
    """Return the pool of a service's charges: capital repair stands apart (ЖК 171)."""
    return Pool.CAPITAL_REPAIR if terms.kind is ServiceKind.CAPITAL_REPAIR else Pool.MAIN


def _rows(facts: HouseFacts, asked: Sequence[AccountId]) -> tuple[AccountLines, ...]:
    """Return a row for each account asked for, and for each charged one, ascending; lines stay in their order."""
    lines_of: dict[AccountId, list[ChargeLine]] = {account: [] for account in asked}
    for line in facts.lines:
        lines_of.setdefault(facts.numbers[line.account], []).append(line)
    return tuple([_row(account, lines_of[account]) for account in sorted(lines_of)])


def _row(account: AccountId, lines: Sequence[ChargeLine]) -> AccountLines:
    kinds = [int(line.kind) for line in lines]
    periods = [line.of_period for line in lines]
    return (
        account,
        [line.service for line in lines],
        kinds if any(kinds) else [],
        [line.volume for line in lines],
        [line.price for line in lines],
        [line.amount_kopecks for line in lines],
        periods if any(periods) else [],
        [pack_explanation(line.explanation) for line in lines],
    )


def _totals(rows: Sequence[AccountLines]) -> dict[str, tuple[int, int, int]]:
    """Return lines, accounts and kopecks by service."""
    lines: dict[str, int] = {}
    accounts: dict[str, int] = {}
    amounts: dict[str, int] = {}
    for row in rows:
        for service in set(row[1]):
            accounts[service] = accounts.get(service, 0) + 1
        for service, amount in zip(row[1], row[5], strict=True):
            lines[service] = lines.get(service, 0) + 1
            amounts[service] = amounts.get(service, 0) + amount
    return {service: (count, accounts[service], amounts[service]) for service, count in lines.items()}


def _findings(facts: HouseFacts, limits: Limits) -> tuple[tuple[AccountId | None, str, str, str, str], ...]:
    figures = HouseFigures(house=facts.house, lines=facts.lines, previous=facts.previous, limits=limits, accounts=facts.only)
    return tuple(
        [
            (facts.numbers.get(found.account), found.service, check.name, check.severity.value, found.message)
            for check, found in check_house(figures)
        ]
    )
