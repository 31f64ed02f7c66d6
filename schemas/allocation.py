"""Allocation table: precomputed weights by which one personal account's payments are split (design §3).

A table is canonical: its packed form (``pack_table``) is hashed into the digest that the ledger compares (design W6),
so everything a decision on the hot path needs stands in it: the account's names, state and time zone included.
"""

import hashlib
from enum import IntEnum
from typing import NewType

import msgspec

from schemas.ids import AccountId, Line, PayeeNumber, TableVersion

Digest = NewType("Digest", bytes)

PERIOD_NONE = 0
"""Period of a line that belongs to no month (court costs of an order without one)."""


class Pool(IntEnum):
    """Lines paid as one sum; pools are never mixed in routing (law.md 1.6)."""

    MAIN = 0
    CAPITAL_REPAIR = 1
    VOLUNTARY = 2


class Kind(IntEnum):
    """What a charge is in law: its order of crediting follows (law.md 1.5)."""

    PRINCIPAL = 0
    PENALTY = 1
    COSTS = 2


class AccountState(IntEnum):
    OPEN = 0
    DEBTS_ONLY = 1
    CLOSED = 2


class PayerKind(IntEnum):
    PERSON = 0
    ORGANISATION = 1
    BUDGET = 2


class AdvanceRule(IntEnum):
    """What becomes of money above every tier (law.md 1.9)."""

    REFUSE = 0
    TO_LINE = 1
    BY_WEIGHTS = 2


class Alias(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A name by which the account is found from outside: (namespace, number as text)."""

    namespace: str
    number: str


class Tier(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Lines credited together; ``payees``, ``lines``, ``weights`` and ``paid`` are parallel.

    ``weights`` are the original charges and ``paid`` what was credited so far, in kopecks; a weight below what was
    paid (a lowered charge) or below zero (a recalculation) has no cap left and takes no part.
    ``tie_order`` lists line indexes sorted by (recipient, service) as UTF-8 bytes; empty when the lines already stand
    so, which the builder guarantees for published tables.
    """

    creditor: int
    period: int
    pool: Pool
    kind: Kind
    designated_only: bool
    court_order: str
    payees: tuple[PayeeNumber, ...]
    lines: tuple[Line, ...]
    weights: tuple[int, ...]
    paid: tuple[int, ...]
    tie_order: tuple[int, ...] = ()


class Total(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A sum printed as «к оплате» and the tiers it covers, by index."""

    amount: int
    tiers: tuple[int, ...]


class Advance(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Where an advance goes: nowhere (REFUSE), to its one line (TO_LINE) or shared by weights (BY_WEIGHTS)."""

    rule: AdvanceRule
    payees: tuple[PayeeNumber, ...] = ()
    lines: tuple[Line, ...] = ()
    weights: tuple[int, ...] = ()
    tie_order: tuple[int, ...] = ()


class AllocationTable(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """The table of one personal account at one version; see the module and design §3.

    ``personal_account`` is the account's principal number: with the version it seeds the tie rule.
    ``valid_until`` is the earliest instant (whole seconds of UTC since 1970) at which a date in the table changes.
    ``provider`` is the recipient number of the исполнитель whose contract admits the channel; 0 when there is none.
    """

    account: AccountId
    version: TableVersion
    personal_account: str
    aliases: tuple[Alias, ...]
    state: AccountState
    payer_kind: PayerKind
    time_zone: str
    provider: int
    valid_until: int
    per_service_payment: bool
    totals: tuple[Total, ...]
    tiers: tuple[Tier, ...]
    advance: Advance


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AllocationTable)


class TableUnreadable(ValueError):
    """The bytes are not a packed allocation table."""


def pack_table(table: AllocationTable) -> bytes:
    """Return the canonical bytes of the table: what is stored, cached and hashed."""
    return _encoder.encode(table)


def unpack_table(packed: bytes) -> AllocationTable:
    """Read canonical bytes back; anything else, a truncated or foreign value included, raises TableUnreadable."""
    try:
        return _decoder.decode(packed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TableUnreadable("not a packed allocation table") from error


def digest_of(packed: bytes) -> Digest:
    """SHA-256 of the canonical bytes: the digest kept in account_head (design W6)."""
    return Digest(hashlib.sha256(packed).digest())
