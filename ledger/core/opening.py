"""Opening balances: what was paid before the ledger began becomes one entry an account (design §4, «paid elsewhere»)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from ledger.chart import AccountKind, ledger_account
from ledger.core.account_facts import AccountFacts, BuildError, Charge
from ledger.core.advances import lines_of_advances, opening_advance_payee
from ledger.core.entry import account_key
from ledger.core.fingerprint import fingerprint_of
from ledger.core.validity import zone_of
from schemas.ids import ChannelNumber, ExternalId, LedgerAccount, Line, PayeeNumber, Space, TableVersion, Transit
from schemas.journal import NO_LINE, EntryKind, JournalEntry
from schemas.outcome import SuspenseReason

OPENING_SPACE = Space(2)
HOUSE_CHANNEL = ChannelNumber(0)
_NO_TRANSIT = 0


class OpeningTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What an opening entry is made under: the transit account of its row, the moment, and the version it is split from."""

    transit: Transit
    moment: datetime
    version: TableVersion


def pending_openings(facts: AccountFacts, charges: Sequence[Charge]) -> list[Charge]:
    """Return the charges whose opening amounts are not in the journal yet, by line."""
    pending = [charge for charge in charges if charge.line > facts.opening_until]
    return sorted((charge for charge in pending if charge.opening_paid or charge.opening_advance), key=lambda charge: charge.line)


def settled_by_line(facts: AccountFacts, charges: Sequence[Charge], paid: Mapping[Line, int]) -> dict[Line, int]:
    """Return what each line was paid once the pending opening amounts are booked, in kopecks."""
    opening_until = facts.opening_until
    return {
        charge.line: paid.get(charge.line, 0) + (charge.opening_paid if charge.line > opening_until else 0) for charge in charges
    }


def opening_external_id(facts: AccountFacts, pending: Sequence[Charge]) -> ExternalId:
    """Return the key of the entry that books ``pending``: the account and the range of lines, so a repeat is a Duplicate."""
    return ExternalId(f"{facts.account}/{pending[0].line}-{pending[-1].line}")


def entry_for_opening(facts: AccountFacts, charges: Sequence[Charge], terms: OpeningTerms) -> JournalEntry | None:
    """Debit who holds the money, credit what it settled, line by line; None when nothing is pending.

    An advance is credited to its advance line. The value date is the last due date, or today when that is still to come.
    """
    pending = pending_openings(facts, charges)
    if not pending:
        return None
    postings = _postings(facts, pending, lines_of_advances(charges))
    accounts, amounts, lines = zip(*postings, strict=True)
    assert sum(amounts) == 0, "an entry sums to nought"
    today = terms.moment.astimezone(zone_of(facts)).date()
    return JournalEntry(
        kind=EntryKind.PAID_ELSEWHERE,
        event_at=terms.moment,
        value_date=min(today, max(charge.due_date for charge in pending)),
        transit=terms.transit,
        channel=HOUSE_CHANNEL,
        space=OPENING_SPACE,
        external_id=opening_external_id(facts, pending),
        personal_account=facts.account,
        table_version=terms.version,
        reason=SuspenseReason.NONE,
        designation="",
        amount_kopecks=sum(amount for amount in amounts if amount > 0),
        accounts=accounts,
        amounts=amounts,
        lines=lines,
    )


def opening_fingerprint(facts: AccountFacts, entry: JournalEntry) -> bytes:
    """Return the fingerprint of an opening entry (design W5)."""
    return fingerprint_of(
        kind=entry.kind,
        account=account_key(facts.namespace, facts.number),
        amount_kopecks=entry.amount_kopecks,
        raw_amount="",
        designation="",
    )


def _postings(
    facts: AccountFacts, pending: Sequence[Charge], advances: Mapping[PayeeNumber, Line]
) -> list[tuple[LedgerAccount, int, Line]]:
    debits: dict[int, int] = {}
    credits: dict[tuple[PayeeNumber, Line], int] = {}
    for charge in pending:
        holder = _holder(facts, charge)
        debits[holder] = debits.get(holder, 0) + charge.opening_paid + charge.opening_advance
        if charge.opening_paid:
            credits[charge.payee, charge.line] = charge.opening_paid
        if charge.opening_advance:
            payee = opening_advance_payee(facts, charge)
            key = (payee, advances[payee])
            credits[key] = credits.get(key, 0) + charge.opening_advance
    outside = [(ledger_account(AccountKind.OUTSIDE, _NO_TRANSIT, holder), sum_, NO_LINE) for holder, sum_ in debits.items()]
    settled = [
        (ledger_account(AccountKind.SETTLED, _NO_TRANSIT, payee), -amount, line) for (payee, line), amount in credits.items()
    ]
    return [*outside, *settled]


def _holder(facts: AccountFacts, charge: Charge) -> int:
    if not charge.opening_holder:
        return charge.creditor
    number = facts.register.numbers.get(charge.opening_holder)
    if number is None:
        raise BuildError(facts.account, f"line {charge.line}: unknown holder of the opening balance {charge.opening_holder!r}")
    return number
