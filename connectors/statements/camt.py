"""Statements in ISO 20022: camt.053 (final), camt.052 (intraday), camt.054 (notices), any version (protocols.md §4b, §7a)."""

from collections import Counter
from datetime import date, datetime, time, timedelta
from itertools import pairwise

import msgspec
from lxml import etree

from connectors.statements.agreement import FILE_BYTES_MAX, agreed, identified, kind_of, moscow_day
from connectors.statements.camt_entries import day_at, entries_of, is_booked, kopecks_at, signed_at
from connectors.statements.xml_local import every, text, without_namespaces
from connectors.xml_safe import XmlError, read_xml
from schemas.statement import BankStatement, StatementEntry, StatementKind, StatementUnbelieved

MESSAGES = {
    "BkToCstmrStmt": ("camt.053", "Stmt", StatementKind.FINAL),
    "BkToCstmrAcctRpt": ("camt.052", "Rpt", StatementKind.INTRADAY),
    "BkToCstmrDbtCdtNtfctn": ("camt.054", "Ntfctn", StatementKind.NOTICE),
}
_CLOSED_PERIOD = ("CLBD", "ITBD")


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """One Stmt, Rpt or Ntfctn. ``pending_kopecks``: what lines that are not booked would add to credits and to debits."""

    since: date
    until: date
    entries: tuple[StatementEntry, ...]
    pending_kopecks: tuple[int, int] = (0, 0)
    opening_kopecks: int | None = None
    closing_kopecks: int | None = None
    credited_kopecks: int | None = None
    debited_kopecks: int | None = None


def read_camt(body: bytes, account: str, now: datetime) -> BankStatement:
    """Read the booked lines of ``account``; raises StatementUnbelieved.

    A camt.053 is FINAL when its days are over at ``now``, INTRADAY before. Where a bank counts lines that are still pending in
    its sums, those sums say nothing of the booked ones: they are not told on, and the statement is not final.
    """
    try:
        root = without_namespaces(read_xml(body, FILE_BYTES_MAX))
    except XmlError as error:
        line = getattr(error.__cause__, "lineno", None)
        raise StatementUnbelieved(f"the file is no XML that is read here{f', line {line}' if line else ''}") from error
    messages = list(root.iter(*MESSAGES))
    if len(messages) != 1:
        raise StatementUnbelieved(f"the file holds {len(messages)} statements of ISO 20022 (camt.052, .053, .054)")
    message = messages[0]
    source, name, kind = MESSAGES[message.tag]
    _check_whole(message)
    parts = sorted((_part(one) for one in every(message, name) if _account(one) == account), key=_place)
    if not parts:
        raise StatementUnbelieved("the file is not of this account")
    _check_chain(parts)
    statement = _joined(account, parts)
    today = moscow_day(now)
    if kind is StatementKind.FINAL:
        kind = kind_of(statement.until, today)
    if _counts_pending(parts):
        kind = StatementKind.INTRADAY if kind is StatementKind.FINAL else kind
        statement = msgspec.structs.replace(statement, closing_kopecks=None, credited_kopecks=None, debited_kopecks=None)
    return agreed(msgspec.structs.replace(statement, source=source, kind=kind), today)


def _place(part: _Part) -> tuple[date, date]:
    return part.since, part.until


def _account(part: etree._Element) -> str:
    return text(part, "Acct/Id/Othr/Id", "Acct/Id/IBAN")


def _check_whole(message: etree._Element) -> None:
    """A message that goes on in another one, or begins in it, is no statement: its balances are not of its lines."""
    for pages in (*every(message, "GrpHdr/MsgPgntn"), *every(message, "Stmt/StmtPgntn"), *every(message, "Rpt/RptPgntn")):
        if text(pages, "PgNb").lstrip("0") not in ("", "1") or text(pages, "LastPgInd") in ("false", "0"):
            raise StatementUnbelieved("the file is one page of several: the bank must give the statement whole")


def _part(element: etree._Element) -> _Part:
    lines = every(element, "Ntry")
    booked = tuple(entry for line in lines if is_booked(line) for entry in entries_of(line))
    pending = [signed_at(line, "Amt") for line in lines if not is_booked(line)]
    balances = _balances(element)
    since, until = _period(element, booked)
    return _Part(
        since=since,
        until=until,
        entries=booked,
        pending_kopecks=(sum(one for one in pending if one > 0), -sum(one for one in pending if one < 0)),
        opening_kopecks=balances.get("OPBD", balances.get("PRCD")),
        closing_kopecks=balances.get("CLBD", balances.get("ITBD")),
        credited_kopecks=kopecks_at(element, "TxsSummry/TtlCdtNtries/Sum"),
        debited_kopecks=kopecks_at(element, "TxsSummry/TtlDbtNtries/Sum"),
    )


def _balances(element: etree._Element) -> dict[str, int]:
    """Return booked balances by code, in kopecks; two of one code that differ tell nothing that could be believed."""
    found: dict[str, int] = {}
    for balance in every(element, "Bal"):
        code = text(balance, "Tp/CdOrPrtry/Cd")
        if found.setdefault(code, signed_at(balance, "Amt")) != signed_at(balance, "Amt") and code in ("OPBD", "CLBD"):
            raise StatementUnbelieved(f"two balances {code} that differ")
    return found


def _period(element: etree._Element, entries: tuple[StatementEntry, ...]) -> tuple[date, date]:
    """Return the days: those of FrToDt, else of the closing balance, else of the lines, else of the making."""
    days = [entry.day for entry in entries]
    closings = [one for one in every(element, "Bal") if text(one, "Tp/CdOrPrtry/Cd") in _CLOSED_PERIOD]
    closing_days = [day for one in closings if (day := day_at(one, "Dt")) is not None]
    since = day_at(element, "FrToDt/FrDtTm", "FrToDt/FrDt")
    until = _last_day(element, days) or max(closing_days, default=None) or max(days, default=None)
    if until is None:
        until = day_at(element, "CreDtTm")
    if until is None:
        raise StatementUnbelieved("the statement says nowhere of which days it is")
    return since or min([*days, until]), until


def _last_day(element: etree._Element, days: list[date]) -> date | None:
    """Return the last day of FrToDt. Midnight after the period's begin is the end of the day before it, if no line says other."""
    written = text(element, "FrToDt/ToDtTm", "FrToDt/ToDt")
    until = day_at(element, "FrToDt/ToDtTm", "FrToDt/ToDt")
    since = day_at(element, "FrToDt/FrDtTm", "FrToDt/FrDt")
    if until is None or since is None or "T" not in written or datetime.fromisoformat(written).time() != time():
        return until
    return until - timedelta(days=1) if until > since and until not in days else until


def _check_chain(parts: list[_Part]) -> None:
    for before, after in pairwise(parts):
        if None not in (before.closing_kopecks, after.opening_kopecks) and before.closing_kopecks != after.opening_kopecks:
            raise StatementUnbelieved(f"the part of {after.since} does not open with what the one before it closed with")


def _joined(account: str, parts: list[_Part]) -> BankStatement:
    credits = [one.credited_kopecks for one in parts]
    debits = [one.debited_kopecks for one in parts]
    return BankStatement(
        account=account,
        source="",
        kind=StatementKind.INTRADAY,
        since=parts[0].since,
        until=max(one.until for one in parts),
        entries=_with_own_references(identified(account, [entry for part in parts for entry in part.entries])),
        opening_kopecks=parts[0].opening_kopecks,
        closing_kopecks=parts[-1].closing_kopecks,
        credited_kopecks=None if None in credits else sum(one or 0 for one in credits),
        debited_kopecks=None if None in debits else sum(one or 0 for one in debits),
    )


def _with_own_references(entries: tuple[StatementEntry, ...]) -> tuple[StatementEntry, ...]:
    """Drop references that several lines of one direction share: they name none of them."""
    shared = Counter((entry.is_credit, one) for entry in entries for one in entry.references)
    return tuple(
        msgspec.structs.replace(entry, references=tuple(one for one in entry.references if shared[entry.is_credit, one] == 1))
        for entry in entries
    )


def _counts_pending(parts: list[_Part]) -> bool:
    """Whether a bank's sums of a part include its pending lines: they agree with them and not without."""
    for part in parts:
        pending_credits, pending_debits = part.pending_kopecks
        credited = sum(one.amount_kopecks for one in part.entries if one.is_credit)
        debited = sum(one.amount_kopecks for one in part.entries if not one.is_credit)
        booked = _agrees(part, credited, debited)
        if not booked and _agrees(part, credited + pending_credits, debited + pending_debits):
            return True
    return False


def _agrees(part: _Part, credited: int, debited: int) -> bool:
    opening, closing = part.opening_kopecks, part.closing_kopecks
    balanced = opening is None or closing is None or opening + credited - debited == closing
    return balanced and part.credited_kopecks in (None, credited) and part.debited_kopecks in (None, debited)
