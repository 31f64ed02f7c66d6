"""Why a payment's kopecks went where they did: everything ``kopeck explain`` tells, gathered from the ledger."""

from collections.abc import Sequence as Many
from datetime import date, datetime

import msgspec

from kopeck.following import Followed, follow_entry
from ledger.balances import cut_at_entry, projected_balances
from ledger.core.designation import designation_from_text, resolve_designation
from ledger.core.entry import MOSCOW
from ledger.core.trace import LineTrace, Step, trace_split
from ledger.feed import Connection
from ledger.history import (
    Parked,
    StoredKey,
    TableHistory,
    fetch_table_history,
    find_account_name,
    list_parked,
    list_reversals,
)
from ledger.journal import fetch_entry
from ledger.names import Names, fetch_names
from ledger.offset import list_offsets_of
from ledger.release import list_releases
from schemas.allocation import PERIOD_NONE
from schemas.ids import Book, LedgerAccount, Sequence
from schemas.journal import EntryKind, RecordedEntry


class Notified(msgspec.Struct, frozen=True, kw_only=True):
    """What the channel told. ``designation`` is JSON: what the payer named, or a suspense's note."""

    channel: str
    space: str
    external_id: str
    amount_kopecks: int
    event_at_moscow: datetime
    designation: msgspec.Raw


class TableTold(msgspec.Struct, frozen=True, kw_only=True):
    """The table the payment was split from: version ``base_version`` as published, moved on by the entries ``since``."""

    personal_account: str
    version: int
    base_version: int
    published_at: datetime
    published_by: str
    since: tuple[str, ...]


class LineTold(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a step: who got what, and the reason of each kopeck."""

    recipient: str
    service: str
    line: int
    charge_kopecks: int
    paid_before_kopecks: int
    share_kopecks: int
    why: str


class StepTold(msgspec.Struct, frozen=True, kw_only=True):
    """One visit to a tier, the advance or the rest."""

    reason: str
    tier: int | None
    period: str
    pool: str
    kind: str
    offered_kopecks: int
    credited_kopecks: int
    lines: tuple[LineTold, ...]


class PostingTold(msgspec.Struct, frozen=True, kw_only=True):
    """One posting, debit positive, and the ledger account's balance (debit - credit) right after the entry."""

    account: str
    amount_kopecks: int
    line: int
    balance_after_kopecks: int


class EntryTold(msgspec.Struct, frozen=True, kw_only=True):
    """The journal entry."""

    place: str
    kind: str
    reason: str
    recorded_at: datetime
    bank_day: date
    value_date: date
    postings: tuple[PostingTold, ...]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer for the operation ``key``. Without an entry the key stores a ``refusal``; without a table the entry
    has no personal account."""

    key: str
    notification: Notified | None
    refusal: str
    table: TableTold | None
    steps: tuple[StepTold, ...]
    entry: EntryTold | None
    reversed_by: tuple[str, ...]
    released_by: tuple[str, ...]
    offset_by: tuple[str, ...]
    parked: tuple[Parked, ...]
    followed: Followed | None


async def explain_refusal(connection: Connection, key: StoredKey) -> Explanation:
    """Explain a key that was refused: nothing was booked, and the refusal is what every repeat is answered."""
    parked = await list_parked(connection, key.space, key.external_id)
    return Explanation(
        key=f"{key.space_name}/{key.external_id}",
        notification=None,
        refusal=key.refusal.name.lower().replace("_", " "),
        table=None,
        steps=(),
        entry=None,
        reversed_by=(),
        released_by=(),
        offset_by=(),
        parked=parked,
        followed=None,
    )


async def explain_entry(connection: Connection, book: Book, sequence: Sequence) -> Explanation:
    """Explain an entry of the journal. Raises LookupError for no entry, HistoryBroken for a chain that leads nowhere."""
    names = await fetch_names(connection)
    recorded = await fetch_entry(connection, book, sequence)
    entry = recorded.entry
    history = await fetch_table_history(connection, recorded) if entry.personal_account is not None else None
    payer = await find_account_name(connection, entry.personal_account) if entry.personal_account is not None else ""
    notified = _notified(recorded, names)
    return Explanation(
        key=f"{notified.space}/{notified.external_id}",
        notification=notified,
        refusal="",
        table=_table_told(history, payer) if history is not None else None,
        steps=_steps(recorded, history, names) if history is not None else (),
        entry=await _entry_told(connection, recorded, names),
        reversed_by=tuple([f"{at}:{place}" for at, place in await list_reversals(connection, recorded)]),
        released_by=tuple([f"{at}:{place}" for _, at, place in await list_releases(connection, book, sequence)]),
        offset_by=tuple([f"{at}:{place}" for at, place in reversed(await list_offsets_of(connection, book, sequence))]),
        parked=await list_parked(connection, entry.space, entry.external_id),
        followed=await follow_entry(connection, recorded, names),
    )


def why(line: LineTrace) -> str:
    """Say in words how a line's kopecks came about."""
    portion = line.portion
    words = ["closed: all that was unpaid"] if portion.at_cap else []
    if not portion.at_cap and portion.exact != str(portion.kopecks):
        words.append(f"exactly {portion.exact} kopecks, rounded down to {portion.floor}")
    if portion.kopeck:
        words.append("one more for a large remainder")
    if portion.tie_position is not None:
        words.append(f"equal remainders: place {portion.tie_position + 1} in the tie ring")
    return ", ".join(words) or ("exact" if portion.kopecks else "nothing unpaid")


def _notified(recorded: RecordedEntry, names: Names) -> Notified:
    entry = recorded.entry
    return Notified(
        channel=names.channels.get(entry.channel, f"#{entry.channel}") if entry.channel else "the house itself",
        space=names.spaces.get(entry.space, f"#{entry.space}"),
        external_id=entry.external_id,
        amount_kopecks=entry.amount_kopecks,
        event_at_moscow=entry.event_at.astimezone(MOSCOW),
        designation=msgspec.Raw(entry.designation.encode() or b"null"),
    )


def _table_told(history: TableHistory, payer: str) -> TableTold:
    publication = history.publication
    return TableTold(
        personal_account=payer,
        version=history.table.version,
        base_version=publication.version,
        published_at=publication.published_at,
        published_by=publication.published_by,
        since=tuple([f"{one.book}:{one.sequence}" for one in history.since]),
    )


def _steps(recorded: RecordedEntry, history: TableHistory, names: Names) -> tuple[StepTold, ...]:
    """Trace a payment's split, or that of money released from suspense; entries of other kinds were not split."""
    entry = recorded.entry
    if entry.kind not in (EntryKind.PAYMENT, EntryKind.SUSPENSE_RELEASE):
        return ()
    designation = resolve_designation(designation_from_text(entry.designation), names.pairs)
    steps = trace_split(history.table, entry.amount_kopecks, designation)
    return tuple([_step_told(step, history, names) for step in steps])


def _step_told(step: Step, history: TableHistory, names: Names) -> StepTold:
    tier = history.table.tiers[step.tier] if step.tier is not None else None
    year, month = divmod(tier.period if tier is not None else PERIOD_NONE, 100)
    return StepTold(
        reason=step.reason.value,
        tier=step.tier,
        period=f"{year:04d}-{month:02d}" if year else "",
        pool=tier.pool.name.lower() if tier is not None else "",
        kind=tier.kind.name.lower() if tier is not None else "",
        offered_kopecks=step.offered,
        credited_kopecks=step.credited,
        lines=tuple([_line_told(line, names) for line in step.lines]),
    )


def _line_told(line: LineTrace, names: Names) -> LineTold:
    recipient, _, service = names.payees.get(line.payee, f"#{line.payee}:").rpartition(":")
    return LineTold(
        recipient=recipient,
        service=service,
        line=line.line,
        charge_kopecks=line.weight,
        paid_before_kopecks=line.paid,
        share_kopecks=line.portion.kopecks,
        why=why(line),
    )


async def _entry_told(connection: Connection, recorded: RecordedEntry, names: Names) -> EntryTold:
    entry = recorded.entry
    accounts: Many[LedgerAccount] = sorted(set(entry.accounts))
    cut = await cut_at_entry(connection, recorded.book, recorded.sequence)
    balances = await projected_balances(connection, cut, accounts)
    return EntryTold(
        place=f"{recorded.book}:{recorded.sequence}",
        kind=entry.kind.name.lower(),
        reason=entry.reason.name.lower().replace("_", " ") if entry.reason else "",
        recorded_at=recorded.recorded_at,
        bank_day=recorded.bank_day,
        value_date=entry.value_date,
        postings=tuple(
            [
                PostingTold(
                    account=names.name_of(account),
                    amount_kopecks=amount,
                    line=line,
                    balance_after_kopecks=balances[account].balance,
                )
                for account, amount, line in zip(entry.accounts, entry.amounts, entry.lines, strict=True)
            ]
        ),
    )
