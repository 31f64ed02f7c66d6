"""Whether a statement can be believed: its lines, days, balances and turnovers agree (protocols.md §5, §7a; design §4).

Readers build a BankStatement out of what is written and pass it through ``agreed``; nothing else makes one.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone

import msgspec

from schemas.ids import EXTERNAL_ID_BYTES_MAX, ExternalId
from schemas.money import AMOUNT_KOPECKS_MAX
from schemas.statement import BankStatement, StatementEntry, StatementKind, StatementUnbelieved

FILE_BYTES_MAX = 32_000_000
ENTRIES_MAX = 200_000
DIGEST_CHARACTERS = 32
DAYS_AHEAD_MAX = 1
"""A bank east of Moscow may write tomorrow's date; a line dated later than that is no line."""

_MOSCOW = timezone(timedelta(hours=3))


def moscow_day(moment: datetime) -> date:
    """Return the calendar day in the zone that banks' days are told in."""
    return moment.astimezone(_MOSCOW).date()


def kind_of(until: date, today: date, made_on: date | None = None) -> StatementKind:
    """Tell whether the period is over: a statement made within its own last day closes nothing, whenever it is read."""
    is_over = until < today and (made_on is None or made_on > until)
    return StatementKind.FINAL if is_over else StatementKind.INTRADAY


def identified(account: str, entries: Iterable[StatementEntry]) -> tuple[StatementEntry, ...]:
    """Give every entry an id that is the same in every file: a digest of what identifies it and its place among equal ones.

    A ``bank_id`` that is there already is a reference of the bank's which several lines may share (a payment and its fee, the
    payments of one batch, at some banks all lines): with it the day, direction and sum identify a line, else its whole content.
    Banks number documents anew every day and give several of them one number: equal lines are told apart by their count, so a
    statement must be read whole.
    """
    seen: Counter[str] = Counter()
    found = []
    for entry in entries:
        digest = _digest(account, entry)
        seen[digest] += 1
        found.append(msgspec.structs.replace(entry, bank_id=ExternalId(f"{digest}-{seen[digest]}")))
    return tuple(found)


def agreed(statement: BankStatement, today: date) -> BankStatement:
    """Return the statement when everything in it agrees; raises StatementUnbelieved saying what does not.

    A filtered one is compared only within what the bank told. When its lines make both turnovers to the kopeck nothing was left
    out of it, and it is returned as not filtered.
    """
    _check_entries(statement, today)
    credited = sum(one.amount_kopecks for one in statement.entries if one.is_credit)
    debited = sum(one.amount_kopecks for one in statement.entries if not one.is_credit)
    told = (statement.credited_kopecks, statement.debited_kopecks)
    if statement.filtered and told != (credited, debited):
        credited, debited = (credited if told[0] is None else told[0]), (debited if told[1] is None else told[1])
        if None not in told:
            _check_balances(statement, credited, debited)
        return statement
    _check_turnover("credits (ВсегоПоступило)", statement.credited_kopecks, credited)
    _check_turnover("debits (ВсегоСписано)", statement.debited_kopecks, debited)
    _check_balances(statement, credited, debited)
    return msgspec.structs.replace(statement, filtered=False)


def _digest(account: str, entry: StatementEntry) -> str:
    told = [str(entry.amount_kopecks), f"reference {entry.bank_id}"] if entry.bank_id else _content(entry)
    identity = (account, str(entry.is_credit), entry.day.isoformat(), *told)
    return hashlib.sha256("\n".join(identity).encode()).hexdigest()[:DIGEST_CHARACTERS]


def _content(entry: StatementEntry) -> list[str]:
    return [entry.number, str(entry.amount_kopecks), entry.counterparty.account, entry.purpose]


def _check_entries(statement: BankStatement, today: date) -> None:
    if statement.since > statement.until:
        raise StatementUnbelieved(f"the period begins on {statement.since} and ends on {statement.until}")
    if len(statement.entries) > ENTRIES_MAX:
        raise StatementUnbelieved(f"more than {ENTRIES_MAX} lines")
    seen: set[str] = set()
    for place, entry in enumerate(statement.entries, start=1):
        if entry.bank_id in seen:
            raise StatementUnbelieved(f"line {place}: another line has the same id of the bank")
        seen.add(entry.bank_id)
        _check_entry(statement, entry, place)
        if entry.day > today + timedelta(days=DAYS_AHEAD_MAX):
            raise StatementUnbelieved(f"line {place} is dated {entry.day}, which is to come")


def _check_entry(statement: BankStatement, entry: StatementEntry, place: int) -> None:
    if not 0 < entry.amount_kopecks <= AMOUNT_KOPECKS_MAX:
        raise StatementUnbelieved(f"line {place} has no sum that can be")
    if not entry.bank_id or not entry.bank_id.isprintable() or len(entry.bank_id.encode()) > EXTERNAL_ID_BYTES_MAX:
        raise StatementUnbelieved(f"line {place} has no id that can be kept")
    if not statement.since <= entry.day <= statement.until:
        raise StatementUnbelieved(f"line {place} of {entry.day} is outside of {statement.since} … {statement.until}")


def _check_turnover(name: str, told: int | None, found: int) -> None:
    if told is not None and told != found:
        raise StatementUnbelieved(f"{name} are told as {told} kopecks, the lines make {found}")


def _check_balances(statement: BankStatement, credited: int, debited: int) -> None:
    opening, closing = statement.opening_kopecks, statement.closing_kopecks
    if opening is not None and closing is not None and opening + credited - debited != closing:
        raise StatementUnbelieved(f"balances do not agree: {opening} + {credited} - {debited} is not {closing}")
