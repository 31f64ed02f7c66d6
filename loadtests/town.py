"""A synthetic town for load: every personal account's table is a pure function of the seed and the account's place.

Nothing is stored to know what an account owes: the generator computes the same sums the tables were made with.
Recipients follow Zipf's law, as in life: one management company and one heat supplier serve most of a town.
"""

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate

import msgspec

from schemas.allocation import AccountState, Advance, AdvanceRule, Alias, AllocationTable, Kind, PayerKind, Pool, Tier, Total
from schemas.ids import AccountId, Line, PayeeNumber, TableVersion

NAMESPACE = "bench"
RECIPIENTS = 200
SERVICES = ("cold_water", "heat", "upkeep")
PAYEES = RECIPIENTS * len(SERVICES)
PERIOD = 202609
VALID_UNTIL = 4_070_908_800
"""2099-01-01T00:00Z: nothing in these tables changes with a date."""

FIRST_NUMBER = 4_000_000_000
UNKNOWN_NUMBER = 9_900_000_000
_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


class Town(msgspec.Struct, frozen=True, kw_only=True):
    """``accounts`` personal accounts with internal ids 1 … accounts and ``lines`` charge lines each, at least 3.

    Accounts have the first ``creditors`` recipients as their providers and creditors in turn.
    """

    seed: int
    accounts: int
    lines: int
    creditors: int = 1


def mixed(value: int) -> int:
    """Spread 64 bits of input over 64 bits of output (the finaliser of the SplitMix64 generator)."""
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def number_of(account: int) -> str:
    """The number by which payers know the account with this internal id."""
    return str(FIRST_NUMBER + account)


def creditor_of(town: Town, account: int) -> int:
    """The recipient to whom everything on the account is owed, its provider."""
    return 1 + account % town.creditors


def weights_of(town: Town, account: int) -> tuple[int, ...]:
    """Charges of the account's lines in kopecks, 50.00 … 2 050.00 roubles each."""
    base = mixed(town.seed * 1_000_003 + account)
    words = [mixed(base + turn) for turn in range(-(-town.lines // 3))]
    return tuple(5_000 + (words[line // 3] >> line % 3 * 20 & 0xFFFFF) % 200_000 for line in range(town.lines))


def payees_of(town: Town, account: int) -> tuple[int, ...]:
    """Distinct payees of the account's lines, drawn by Zipf's law over recipients; unordered."""
    base = mixed(town.seed * 1_000_033 + account)
    drawn: dict[int, None] = {}
    turn = 0
    while len(drawn) < town.lines:
        value = mixed(base + turn)
        recipient = bisect(_RANKS, (value >> 8) % _RANKS[-1])
        drawn[recipient * len(SERVICES) + value % len(SERVICES) + 1] = None
        turn += 1
    return tuple(drawn)


def table_of(town: Town, account: int) -> AllocationTable:
    """The account's table at version 1: main principal, capital repair, a penalty; advances go by weights to own lines."""
    weights = weights_of(town, account)
    payees = payees_of(town, account)
    principal, creditor = town.lines - 2, creditor_of(town, account)
    main = tuple(sorted(payees[:principal]))
    lines = tuple(range(1, town.lines + 1))
    tiers = (
        _tier((creditor, Pool.MAIN, Kind.PRINCIPAL), main, lines[:principal], weights[:principal]),
        _tier(
            (creditor, Pool.CAPITAL_REPAIR, Kind.PRINCIPAL),
            payees[principal : principal + 1],
            lines[principal:-1],
            weights[principal:-1],
        ),
        _tier((creditor, Pool.MAIN, Kind.PENALTY), payees[-1:], lines[-1:], weights[-1:]),
    )
    return AllocationTable(
        account=AccountId(account),
        version=TableVersion(1),
        personal_account=number_of(account),
        aliases=(Alias(NAMESPACE, number_of(account)),),
        state=AccountState.OPEN,
        payer_kind=PayerKind.PERSON,
        time_zone="Europe/Moscow",
        provider=creditor,
        valid_until=VALID_UNTIL,
        per_service_payment=False,
        totals=(Total(sum(weights), (0, 1, 2)), Total(sum(weights[:principal]), (0,))),
        tiers=tiers,
        advance=Advance(
            rule=AdvanceRule.BY_WEIGHTS,
            payees=tiers[0].payees,
            lines=tuple(Line(town.lines + place) for place in lines[:principal]),
            weights=tiers[0].weights,
        ),
    )


def _tier(what: tuple[int, Pool, Kind], payees: Sequence[int], lines: Sequence[int], weights: Sequence[int]) -> Tier:
    creditor, pool, kind = what
    return Tier(
        creditor=creditor,
        period=PERIOD,
        pool=pool,
        kind=kind,
        designated_only=False,
        court_order="",
        payees=tuple(PayeeNumber(payee) for payee in payees),
        lines=tuple(Line(line) for line in lines),
        weights=tuple(weights),
        paid=(0,) * len(weights),
    )


_RANKS = tuple(accumulate(1_000_000 // rank for rank in range(1, RECIPIENTS + 1)))
"""Cumulative weights of recipients, the n-th being n times rarer than the first."""
