"""Identifiers that must not be swapped for one another (style rule 14)."""

from typing import NewType

Book = NewType("Book", int)
"""A chain of sequences. Book 0 holds entries without a payer; payers' books are 1 … N (design W4)."""
Sequence = NewType("Sequence", int)
"""Place of an entry in its book, gapless from 1 (design W3)."""
AccountId = NewType("AccountId", int)
"""Internal id of a personal account (лицевой счёт); never shown to payers."""
TableVersion = NewType("TableVersion", int)
"""Version of a personal account's allocation table: 1 at the first publication, +1 a publication or entry."""
Space = NewType("Space", int)
"""Number of an operation space: the counterparty's, one a contract (design W5)."""
ExternalId = NewType("ExternalId", str)
"""The counterparty's id of an operation, unique in its operation space, at most 128 bytes of UTF-8."""
Transit = NewType("Transit", int)
"""Number of a transit account (40911) in our register."""
ChannelNumber = NewType("ChannelNumber", int)
PayeeNumber = NewType("PayeeNumber", int)
"""Number of a (recipient, service) pair in our register."""
LedgerAccount = NewType("LedgerAccount", int)
"""Packed id of a ledger account, see ledger/chart.py."""
Line = NewType("Line", int)
"""Number of a charge line of one personal account: assigned once, ascending from 1; 0 means no line."""

BOOK_WITHOUT_PAYER = Book(0)
EXTERNAL_ID_BYTES_MAX = 128
ACCOUNT_NUMBER_CHARACTERS_MAX = 200
