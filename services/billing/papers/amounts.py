"""Debts, advances and payments of an account's document by creditor and pool, from charges and the journal. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from schemas.allocation import Kind, Pool

Place = tuple[int, Pool]
"""Creditor's number and pool: what one section of a document asks for."""


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """Of one creditor and pool, in kopecks: ``before`` was owed at the document before, negative: an advance."""

    charged: int
    before: int
    paid: int

    @property
    def due(self) -> int:
        """What is to be paid; negative: overpaid."""
        return self.before + self.charged - self.paid


class Credited(msgspec.Struct, frozen=True, kw_only=True):
    """What was credited to a line when the document was published, and when the one before it was."""

    now: int
    before: int


NOTHING = Credited(now=0, before=0)


def amounts_of(charges: Iterable[Mapping[str, Any]], credited: Mapping[int, Credited], period: int) -> dict[Place, Amounts]:
    """Return the amounts of a document of ``period`` by creditor and pool; lines credited only when named are left out.

    ``charges`` are rows of ``charges`` (papers/reading.sql). An advance is its creditor's and lessens the main pool alone.
    """
    sums: dict[Place, list[int]] = {}
    for row in charges:
        if row["apart"] and row["kind"] == Kind.PRINCIPAL:
            continue
        money = credited.get(row["line"], NOTHING)
        one = sums.setdefault((row["creditor"], Pool(row["pool"])), [0, 0, 0])
        one[0 if row["period"] == period and row["kind"] == Kind.PRINCIPAL else 1] += row["amount"]
        one[1] -= money.before
        one[2] += money.now - money.before
    return {place: Amounts(charged=charged, before=before, paid=paid) for place, (charged, before, paid) in sums.items()}


def due_of_pool(amounts: Mapping[Place, Amounts], pool: Pool) -> int:
    """Return what all creditors of a pool ask for together."""
    return sum(one.due for (_, of_pool), one in amounts.items() if of_pool is pool)
