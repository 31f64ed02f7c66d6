"""Entries of settlement: money ordered, executed, come back, commission taken, debts arisen (design §4).

They stand in book 0, space «settlement», and have no payer. Every builder takes postings as (ledger account, kopecks), debits
positive; an account that comes twice is summed, one that sums to nought is left out.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from ledger.chart import AccountKind, ledger_account
from ledger.core.entry import MOSCOW, value_date_of
from ledger.core.fingerprint import fingerprint_of
from schemas.ids import ChannelNumber, ExternalId, LedgerAccount, Space, TableVersion, Transit
from schemas.journal import NO_LINE, EntryKind, JournalEntry
from schemas.outcome import SuspenseReason

SETTLEMENT_SPACE = Space(3)
"""The ledger's own operation space of settlement (0002_reference.sql)."""
HOUSE_CHANNEL = ChannelNumber(0)

Posting = tuple[LedgerAccount, int]


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry belongs to: its transit account, its key in the settlement's space, and when it was decided."""

    transit: Transit
    key: str
    event_at: datetime

    def named(self, what: str) -> "Occasion":
        """Return the same occasion with ``what`` at the end of its key."""
        return msgspec.structs.replace(self, key=f"{self.key}/{what}")


def order_created(occasion: Occasion, parts: Iterable[Posting]) -> JournalEntry:
    """Debit what the order pays (``parts``, kopecks above zero), credit outgoing."""
    return settlement_entry(occasion, EntryKind.ORDER_CREATED, _against(AccountKind.OUTGOING, occasion.transit, parts))


def order_executed(occasion: Occasion, amount_kopecks: int) -> JournalEntry:
    """Debit outgoing, credit transit: the bank has paid."""
    outgoing, transit = (ledger_account(kind, occasion.transit) for kind in (AccountKind.OUTGOING, AccountKind.TRANSIT))
    return settlement_entry(occasion, EntryKind.ORDER_EXECUTED, [(outgoing, amount_kopecks), (transit, -amount_kopecks)])


def order_undone(occasion: Occasion, parts: Iterable[Posting]) -> JournalEntry:
    """Debit outgoing, credit what the order came from: the bank refused it, or it was cancelled."""
    postings = _against(AccountKind.OUTGOING, occasion.transit, parts)
    return settlement_entry(occasion, EntryKind.ORDER_REJECTED, [(account, -amount) for account, amount in postings])


def order_returned(occasion: Occasion, parts: Iterable[Posting]) -> JournalEntry:
    """Debit transit, credit what the order came from: the recipient's bank sent an executed transfer back."""
    postings = _against(AccountKind.TRANSIT, occasion.transit, parts)
    return settlement_entry(occasion, EntryKind.ORDER_RETURNED, [(account, -amount) for account, amount in postings])


def commission_taken(occasion: Occasion, fee: LedgerAccount, borne: Iterable[Posting]) -> JournalEntry:
    """Debit the bearer's payables (netted) and receivable (claimed), credit the earner's fee."""
    debits = list(borne)
    return settlement_entry(occasion, EntryKind.COMMISSION, [*debits, (fee, -sum(amount for _, amount in debits))])


def debt_arisen(occasion: Occasion, receivable: LedgerAccount, parts: Iterable[Posting]) -> JournalEntry:
    """Debit receivable, credit payables: money already ordered for a recipient was taken back by a correction."""
    credits = [(account, -amount) for account, amount in parts]
    return settlement_entry(occasion, EntryKind.DEBT_ARISEN, [(receivable, -sum(amount for _, amount in credits)), *credits])


def debt_netted(occasion: Occasion, receivable: LedgerAccount, parts: Iterable[Posting]) -> JournalEntry:
    """Debit payables, credit receivable: what a recipient owed was kept back from what it is owed, with its consent."""
    debits = list(parts)
    return settlement_entry(occasion, EntryKind.DEBT_NETTED, [*debits, (receivable, -sum(amount for _, amount in debits))])


def settlement_entry(occasion: Occasion, kind: EntryKind, postings: Iterable[Posting]) -> JournalEntry:
    """Return a balanced entry without a payer; a kind of the services, postings that sum to nought (AssertionError)."""
    sums: dict[LedgerAccount, int] = {}
    for account, amount in postings:
        sums[account] = sums.get(account, 0) + amount
    kept = [(account, amount) for account, amount in sums.items() if amount]
    assert sum(amount for _, amount in kept) == 0, "an entry sums to nought"
    return JournalEntry(
        kind=kind,
        event_at=occasion.event_at,
        value_date=value_date_of(occasion.event_at, MOSCOW),
        transit=occasion.transit,
        channel=HOUSE_CHANNEL,
        space=SETTLEMENT_SPACE,
        external_id=ExternalId(occasion.key),
        personal_account=None,
        table_version=TableVersion(0),
        reason=SuspenseReason.NONE,
        designation="",
        amount_kopecks=sum(amount for _, amount in kept if amount > 0),
        accounts=tuple(account for account, _ in kept),
        amounts=tuple(amount for _, amount in kept),
        lines=(NO_LINE,) * len(kept),
    )


def settlement_fingerprint(entry: JournalEntry) -> bytes:
    """Return the fingerprint of an entry of settlement: its key stands for the account, its amount and kind for themselves."""
    return fingerprint_of(
        kind=entry.kind, account=entry.external_id, amount_kopecks=entry.amount_kopecks, raw_amount="", designation=""
    )


def _against(kind: AccountKind, transit: Transit, parts: Iterable[Posting]) -> list[Posting]:
    debits = list(parts)
    return [*debits, (ledger_account(kind, transit), -sum(amount for _, amount in debits))]
