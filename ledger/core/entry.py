"""Station 5: a notification and its split become a balanced entry (design §1, §4)."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from ledger.chart import AccountKind, ledger_account, payable_base
from schemas.allocation import AllocationTable
from schemas.ids import ChannelNumber, ExternalId, LedgerAccount, Line, Space, TableVersion, Transit
from schemas.journal import NO_LINE, EntryKind, JournalEntry
from schemas.outcome import SuspenseReason
from schemas.split import Split

MOSCOW = ZoneInfo("Europe/Moscow")


class PaymentFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an entry takes from its notification and channel; ``designation`` is canonical JSON or empty."""

    transit: Transit
    channel: ChannelNumber
    space: Space
    external_id: ExternalId
    event_at: datetime
    amount_kopecks: int
    designation: str


def value_date_of(event_at: datetime, time_zone: ZoneInfo) -> date:
    """Return the date of the payer's act where the house stands: debts and penalties go by it (design §4)."""
    return event_at.astimezone(time_zone).date()


def entry_for_payment(facts: PaymentFacts, table: AllocationTable, split: Split, time_zone: ZoneInfo) -> JournalEntry:
    """Debit clearing; credit every share, in table order, then the advance, then what nothing takes to suspense.

    The postings' lines are the account's charge lines, so that receipts, billing and verification need only the row.
    """
    credits = credit_postings(table, split, facts.transit)
    if split.unallocated:
        suspense = ledger_account(AccountKind.SUSPENSE, facts.transit, facts.channel)
        credits.append((suspense, -split.unallocated, NO_LINE))
    debit = (ledger_account(AccountKind.CLEARING, facts.transit, facts.space), facts.amount_kopecks, NO_LINE)
    accounts, amounts, lines = zip(debit, *credits, strict=True)
    assert sum(amounts) == 0, "an entry sums to nought"
    return JournalEntry(
        kind=EntryKind.PAYMENT,
        event_at=facts.event_at,
        value_date=value_date_of(facts.event_at, time_zone),
        transit=facts.transit,
        channel=facts.channel,
        space=facts.space,
        external_id=facts.external_id,
        personal_account=table.account,
        table_version=table.version,
        reason=SuspenseReason.ADVANCE_NOT_TAKEN if split.unallocated else SuspenseReason.NONE,
        designation=facts.designation,
        amount_kopecks=facts.amount_kopecks,
        accounts=accounts,
        amounts=amounts,
        lines=lines,
    )


def credit_postings(table: AllocationTable, split: Split, transit: Transit) -> list[tuple[LedgerAccount, int, Line]]:
    """Return the postings that credit payables: every share, in table order, then the advance, but not what is unallocated."""
    payables = payable_base(transit)
    credits = [
        (LedgerAccount(payables + payee), -share, line)
        for tier, shares in zip(table.tiers, split.shares, strict=True)
        if any(shares)
        for payee, line, share in zip(tier.payees, tier.lines, shares, strict=True)
        if share
    ]
    if split.advance:
        advance = table.advance
        credits += [
            (LedgerAccount(payables + payee), -share, line)
            for payee, line, share in zip(advance.payees, advance.lines, split.advance, strict=True)
            if share
        ]
    return credits


def entry_for_suspense(facts: PaymentFacts, reason: SuspenseReason) -> JournalEntry:
    """Debit clearing, credit suspense of the channel: the money has arrived and its owner is not known (law.md 1.12)."""
    return _entry_without_payer(
        facts,
        EntryKind.SUSPENSE,
        reason,
        ledger_account(AccountKind.CLEARING, facts.transit, facts.space),
        ledger_account(AccountKind.SUSPENSE, facts.transit, facts.channel),
    )


def entry_for_cover(facts: PaymentFacts, covered: Space) -> JournalEntry:
    """Debit transit, credit the clearing of ``covered``: a believed statement line covers what was promised there, gross.

    ``facts`` carry the key of the statement line in the bank's own operation space.
    """
    return _entry_without_payer(
        facts,
        EntryKind.STATEMENT_COVER,
        SuspenseReason.NONE,
        ledger_account(AccountKind.TRANSIT, facts.transit),
        ledger_account(AccountKind.CLEARING, facts.transit, covered),
    )


def _entry_without_payer(
    facts: PaymentFacts, kind: EntryKind, reason: SuspenseReason, debit: LedgerAccount, credit: LedgerAccount
) -> JournalEntry:
    return JournalEntry(
        kind=kind,
        event_at=facts.event_at,
        value_date=value_date_of(facts.event_at, MOSCOW),
        transit=facts.transit,
        channel=facts.channel,
        space=facts.space,
        external_id=facts.external_id,
        personal_account=None,
        table_version=TableVersion(0),
        reason=reason,
        designation=facts.designation,
        amount_kopecks=facts.amount_kopecks,
        accounts=(debit, credit),
        amounts=(facts.amount_kopecks, -facts.amount_kopecks),
        lines=(NO_LINE, NO_LINE),
    )


def account_key(namespace: str, number: str) -> str:
    """Return the account as the fingerprint and the books see it: as written, with its namespace."""
    return f"{namespace}/{number}"
