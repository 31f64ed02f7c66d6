"""One house's draft as rows: pure, so that a worker only reads before it and only writes after it."""

import hashlib
from collections.abc import Mapping

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

    ``lines``: account, nth, service, kind, volume, price, amount, of_period, explanation.
    ``findings``: account or None, service, name, severity, message.
    """

    house: str
    accounts: tuple[AccountId, ...]
    terms: Terms
    lines: tuple[tuple[AccountId, int, str, int, int, int, int, int, bytes], ...]
    findings: tuple[tuple[AccountId | None, str, str, str, str], ...]
    digest: bytes
    amount: int

    def accounts_of(self, run: int) -> list[tuple[int, AccountId, str]]:
        """Rows of ``billing.run_account``."""
        return [(run, account, self.house) for account in self.accounts]


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
    lines = _rows(facts)
    amount = sum(line.amount_kopecks for line in facts.lines)
    assert sum(row[6] for row in lines) == amount, "no kopeck is lost on the way to the rows"
    return Drafted(
        house=facts.house.house,
        accounts=tuple(sorted({facts.numbers[name] for name in asked})),
        terms=facts.terms,
        lines=lines,
        findings=_findings(facts, limits),
        digest=hashlib.sha256(_encoder.encode((facts.house, sorted(facts.only)))).digest(),
        amount=amount,
    )


def pool_of(terms: ServiceTerms) -> Pool:
    """Return the pool of a service's charges: capital repair stands apart (ЖК 171)."""
    return Pool.CAPITAL_REPAIR if terms.kind is ServiceKind.CAPITAL_REPAIR else Pool.MAIN


def _rows(facts: HouseFacts) -> tuple[tuple[AccountId, int, str, int, int, int, int, int, bytes], ...]:
    counts: dict[AccountId, int] = {}
    rows = []
    for line in facts.lines:
        account = facts.numbers[line.account]
        counts[account] = counts.get(account, 0) + 1
        sums = (line.volume, line.price, line.amount_kopecks, line.of_period)
        rows.append((account, counts[account], line.service, int(line.kind), *sums, pack_explanation(line.explanation)))
    return tuple(rows)


def _findings(facts: HouseFacts, limits: Limits) -> tuple[tuple[AccountId | None, str, str, str, str], ...]:
    figures = HouseFigures(house=facts.house, lines=facts.lines, previous=facts.previous, limits=limits, accounts=facts.only)
    return tuple(
        [
            (facts.numbers.get(found.account), found.service, check.name, check.severity.value, found.message)
            for check, found in check_house(figures)
        ]
    )
