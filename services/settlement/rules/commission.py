"""Commission of a payment: how much, borne by whom, taken from where (law.md §1.10, design §4).

It is reckoned once a payment on the gross sum without capital repair, rounded half-up, and shared among its bearers so that the
parts sum to it by construction. A part is netted against what the same payment owes the bearer, or claimed by invoice; VAT is not
in the parts, it stands only on the monthly act (act.py).
"""

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum

import msgspec

from ledger.core.apportion import Tie, fill, share
from schemas.ids import PayeeNumber

RATE_WHOLE = 100_000
"""Rates are in thousandths of a percent: 1 000 is one percent."""


class Taking(StrEnum):
    """How the fee is had: NETTED from the bearer's payables of the payment, or INVOICED, a claim on the bearer."""

    NETTED = "netted"
    INVOICED = "invoiced"


class CommissionTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The commission of a contract from ``valid_from`` on; amounts in kopecks, the rate in thousandths of a percent.

    ``principal`` is the recipient that is the contract's party (УО, or a creditor with direct contracts). It and the recipients
    bear the fee as ``principal_weight`` to ``recipients_weight``: 1:0 the УО alone, 0:1 the recipients alone. A recipient bears
    its part, by what it got of the payment, only when it is in ``consented``: its signed consent is held (ПП 253: without it the
    fee may not lessen what is due to a РСО). What a recipient without consent would bear falls to the principal.
    ``minimum_kopecks`` and ``maximum_kopecks`` hold a payment's fee; None is no maximum. Raises ValueError for terms at odds.
    """

    valid_from: date
    rate: int
    principal: int
    minimum_kopecks: int = 0
    maximum_kopecks: int | None = None
    principal_weight: int = 1
    recipients_weight: int = 0
    consented: frozenset[int] = frozenset()
    taking: Taking = Taking.NETTED

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= RATE_WHOLE:
            raise ValueError(f"rate {self.rate}: expected 0 … {RATE_WHOLE} thousandths of a percent")
        if self.minimum_kopecks < 0 or (self.maximum_kopecks is not None and self.maximum_kopecks < self.minimum_kopecks):
            raise ValueError(f"minimum {self.minimum_kopecks}, maximum {self.maximum_kopecks}: expected 0 <= minimum <= maximum")
        if min(self.principal_weight, self.recipients_weight) < 0 or not self.principal_weight + self.recipients_weight:
            raise ValueError(f"bearers {self.principal_weight}:{self.recipients_weight}: expected weights from 0, not both 0")


class CommissionLeg(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment credited to one payee (recipient and service), in kopecks, above zero."""

    payee: PayeeNumber
    recipient: int
    amount_kopecks: int
    capital_repair: bool = False


class CommissionPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a payment's commission: netted from the payable of ``payee``, or without a payee a claim on ``bearer``."""

    bearer: int
    payee: PayeeNumber | None
    amount_kopecks: int


def terms_on(terms: Iterable[CommissionTerms], day: date) -> CommissionTerms | None:
    """Return the terms of one contract that hold on a day: the newest begun, None before the first."""
    begun = [version for version in terms if version.valid_from <= day]
    return max(begun, key=lambda version: version.valid_from, default=None)


def commission_base(legs: Iterable[CommissionLeg]) -> int:
    """Return the gross sum on which the fee is reckoned, in kopecks: everything but capital repair (ЖК ст. 155, design §3)."""
    return sum(leg.amount_kopecks for leg in legs if not leg.capital_repair)


def commission_of(gross_without_capital_repair: int, terms: CommissionTerms) -> int:
    """Return a payment's fee in kopecks: the rate half-up, then minimum and maximum; nothing on nothing.

    Never falls when the sum rises. A minimum may exceed the sum itself: what cannot be netted then is claimed.
    Raises ValueError for a negative sum: a reversal mirrors what was taken and never reckons anew.
    """
    if gross_without_capital_repair < 0:
        raise ValueError(f"commission of {gross_without_capital_repair} kopecks")
    if not gross_without_capital_repair:
        return 0
    fee = max((gross_without_capital_repair * terms.rate * 2 + RATE_WHOLE) // (2 * RATE_WHOLE), terms.minimum_kopecks)
    return fee if terms.maximum_kopecks is None else min(fee, terms.maximum_kopecks)


def commission_parts(legs: Sequence[CommissionLeg], terms: CommissionTerms, tie: Tie) -> tuple[CommissionPart, ...]:
    """Share a payment's fee among its bearers; the parts are above zero and sum to ``commission_of`` its base.

    Netted parts of a leg are never more than the leg, and no capital repair leg has one; what a bearer's legs cannot pay is a
    claim on it. Equal remainders go by ``tie`` (its ``order`` is not used), with the bearers in ascending order.
    """
    plain = sorted((leg for leg in legs if not leg.capital_repair), key=lambda leg: leg.payee)
    fee = commission_of(commission_base(plain), terms)
    if not fee:
        return ()
    weights = _bearer_weights(plain, terms)
    bearers = sorted(weights)
    ring = msgspec.structs.replace(tie, order=())
    parts: list[CommissionPart] = []
    for bearer, amount in zip(bearers, share(fee, [weights[bearer] for bearer in bearers], ring), strict=True):
        own = [leg for leg in plain if leg.recipient == bearer] if terms.taking is Taking.NETTED else []
        parts += _taken_from(bearer, amount, own, ring)
    assert sum(part.amount_kopecks for part in parts) == fee, "the parts of a commission sum to it"
    return tuple(parts)


def _bearer_weights(legs: Sequence[CommissionLeg], terms: CommissionTerms) -> dict[int, int]:
    """Weights that make one rounding do: the proportion of the contract times the recipients' sums."""
    others: dict[int, int] = {}
    for leg in legs:
        if leg.recipient != terms.principal:
            others[leg.recipient] = others.get(leg.recipient, 0) + leg.amount_kopecks
    if not others or not terms.recipients_weight:
        return {terms.principal: 1}
    bearing = {recipient: terms.recipients_weight * sum_ for recipient, sum_ in others.items() if recipient in terms.consented}
    whole = (terms.principal_weight + terms.recipients_weight) * sum(others.values())
    rest = whole - sum(bearing.values())
    return bearing | {terms.principal: rest} if rest else bearing


def _taken_from(bearer: int, amount: int, legs: Sequence[CommissionLeg], tie: Tie) -> Iterable[CommissionPart]:
    """Net a bearer's part from its legs by their sums, never above them, and claim the rest."""
    sums = [leg.amount_kopecks for leg in legs]
    netted = fill(amount, sums, [0] * len(sums), tie) if sums else ()
    for leg, part in zip(legs, netted, strict=True):
        if part:
            yield CommissionPart(bearer=bearer, payee=leg.payee, amount_kopecks=part)
    if amount > sum(netted):
        yield CommissionPart(bearer=bearer, payee=None, amount_kopecks=amount - sum(netted))
