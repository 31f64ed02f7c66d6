"""Chart of accounts (design §4): a ledger account's id is packed from its kind, transit account and subject.

kind in the top 7 bits below the sign, then 16 bits of transit account number, then 40 bits of subject number, so that
neither the hot path nor a consumer looks anything up to know where money stands. Liabilities are kept per transit account
because each bank reconciles its own.
"""

from enum import IntEnum

import msgspec

from schemas.ids import LedgerAccount

TRANSIT_BITS = 16
SUBJECT_BITS = 40
_KIND_SHIFT = TRANSIT_BITS + SUBJECT_BITS
_TRANSIT_MAX = (1 << TRANSIT_BITS) - 1
_SUBJECT_MAX = (1 << SUBJECT_BITS) - 1


class AccountKind(IntEnum):
    """Kinds of ledger accounts; the comment names the subject."""

    TRANSIT = 1  # nothing: money on 40911
    CLEARING = 2  # operation space: promised, not yet on a believed statement
    PAYABLE = 3  # payee (recipient, service): owed to a recipient
    SUSPENSE = 4  # channel: owner unknown (невыясненные)
    REFUND = 5  # channel: owed back to a payer
    OUTGOING = 6  # nothing: orders sent, not yet executed
    FEE = 7  # earner: commission
    HELD = 8  # nothing: moved by the bank to its 47416
    RECEIVABLE = 9  # party: owed to us by a recipient, bearer or УО
    OUTSIDE = 10  # holder: where money that never passed through us was paid
    SETTLED = 11  # payee: credited from money that never passed through us
    REASSIGN = 12  # id: between two personal accounts
    IN_TRANSFER = 13  # id: between two books


class AccountParts(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger account taken apart; ``transit`` is 0 where the kind has none (outside, settled, reassign, in_transfer)."""

    kind: AccountKind
    transit: int
    subject: int


def ledger_account(kind: AccountKind, transit: int, subject: int = 0) -> LedgerAccount:
    """Pack an account id; a number out of its range is a programmer's error (AssertionError)."""
    assert 0 <= transit <= _TRANSIT_MAX, transit
    assert 0 <= subject <= _SUBJECT_MAX, subject
    return LedgerAccount((kind << _KIND_SHIFT) | (transit << SUBJECT_BITS) | subject)


def parts_of(account: LedgerAccount) -> AccountParts:
    """Take an account id apart; an id with an unknown kind raises ValueError."""
    return AccountParts(
        kind=AccountKind(account >> _KIND_SHIFT),
        transit=(account >> SUBJECT_BITS) & _TRANSIT_MAX,
        subject=account & _SUBJECT_MAX,
    )


def payable_base(transit: int) -> int:
    """Return the id of the transit account's payables without a payee: add a payee number to get an account (hot path)."""
    return ledger_account(AccountKind.PAYABLE, transit)
