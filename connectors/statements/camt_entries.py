"""Ntry of camt.052, .053 and .054 -> lines: the parties, purpose and references of each payment in it (protocols.md §4b, §7a)."""

import re
from datetime import date, datetime

from lxml import etree

from connectors.statements.agreement import moscow_day
from connectors.statements.xml_local import NOT_TOLD, every, first, leaves, text
from schemas.ids import ExternalId
from schemas.money import MoneyError, kopecks_from_roubles
from schemas.statement import StatementEntry, StatementParty, StatementUnbelieved

ROUBLES = frozenset({"RUB", "RUR", "810", "643"})
BOOKED = frozenset({"BOOK"})
NOT_BOOKED = frozenset({"PDNG", "INFO", "FUTR"})
REFERENCES_MAX = 50
PURPOSES_MAX = 10
"""Of a batch that stays one line: enough to recognise it by."""
REFERENCE_CHARACTERS_MIN = 8
"""A shorter AcctSvcrRef is a code and not an id: Alfa-Link writes the five characters of a debtor code there."""
OF_A_BATCH = frozenset({"MsgId", "PmtInfId"})
NAME_CHARACTERS_MAX = 140
"""What a name has above these goes on in CtctDtls/Nm (Alfa-Link)."""

_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)
_OPERATION = re.compile(r"[0-9]{2}", re.ASCII)
_CODE = re.compile(r"(?:[0-9A-Z]{20}|[0-9A-Z]{25})", re.ASCII)
_EXTRA_ZEROS = re.compile(r"(?<=\.[0-9]{2})0+", re.ASCII)


def is_booked(line: etree._Element) -> bool:
    """Whether a line has moved the account; raises StatementUnbelieved for a status that says neither."""
    status = text(line, "Sts/Cd", "Sts")
    if status in BOOKED:
        return True
    if status in NOT_BOOKED:
        return False
    raise StatementUnbelieved("a line has a status that is neither BOOK nor PDNG")


def entries_of(line: etree._Element) -> tuple[StatementEntry, ...]:
    """A booked line's entries: one a payment when they make its sum, else one. ``bank_id`` is the bank's reference or empty."""
    payments = every(line, "NtryDtls/TxDtls")
    amount = _amount(line)
    sums = [_payment_sum(payment, line) for payment in payments]
    if len(payments) > 1 and all(sums) and sum(one or 0 for one in sums) == amount:
        return tuple(_entry(line, [payment], one or 0, is_part=True) for payment, one in zip(payments, sums, strict=True))
    return (_entry(line, payments, amount),)


def kopecks_at(element: etree._Element, path: str) -> int | None:
    """Return the roubles at a path in kopecks, None when there are none."""
    found = first(element, path)
    if found is None:
        return None
    if found.get("Ccy", "RUB") not in ROUBLES:
        raise StatementUnbelieved(f"{path} is not in roubles")
    try:
        return kopecks_from_roubles(_EXTRA_ZEROS.sub("", (found.text or "").strip()))
    except MoneyError as error:
        raise StatementUnbelieved(f"{path}: {error}") from error


def signed_at(element: etree._Element, path: str) -> int:
    """Return a sum in kopecks, negative when CdtDbtInd beside it says debit."""
    amount = kopecks_at(element, path)
    if amount is None:
        raise StatementUnbelieved(f"{path} is missing")
    return amount if _is_credit(element) else -amount


def day_at(element: etree._Element, *paths: str) -> date | None:
    """Return the first day at one of the paths, written as a date or a moment, itself or in Dt or DtTm inside it."""
    written = text(element, *(f"{path}{inside}" for path in paths for inside in ("", "/Dt", "/DtTm")))
    if not written:
        return None
    try:
        if "T" not in written:
            return date.fromisoformat(written[:10])
        moment = datetime.fromisoformat(written)
        return moment.date() if moment.tzinfo is None else moscow_day(moment)
    except (ValueError, OverflowError) as error:
        raise StatementUnbelieved(f"{paths[0]} is not a date") from error


def _is_credit(element: etree._Element) -> bool:
    direction = text(element, "CdtDbtInd")
    if direction not in ("CRDT", "DBIT"):
        raise StatementUnbelieved("CdtDbtInd is neither CRDT nor DBIT")
    return direction == "CRDT"


def _amount(line: etree._Element) -> int:
    return abs(signed_at(line, "Amt"))


def _payment_sum(payment: etree._Element, line: etree._Element) -> int | None:
    """Return a payment's own sum, None when it tells none or goes the other way than its line."""
    if text(payment, "CdtDbtInd") not in ("", text(line, "CdtDbtInd")):
        return None
    for path in ("Amt", "AmtDtls/TxAmt/Amt"):
        if first(payment, path) is not None:
            return kopecks_at(payment, path)
    return None


def _entry(line: etree._Element, payments: list[etree._Element], amount: int, *, is_part: bool = False) -> StatementEntry:
    """Make the entry of a line from the payments that it stands for; ``is_part``: of one payment of several."""
    day = day_at(line, "BookgDt", "ValDt")
    if day is None:
        raise StatementUnbelieved("a line has no booking date")
    is_credit = _is_credit(line)
    parties = {_party(one, is_credit=is_credit) for one in payments}
    purposes = dict.fromkeys(filter(None, (_purpose(one) for one in payments)))
    only = payments[0] if len(payments) == 1 else None
    number = "" if only is None else text(only, "Refs/EndToEndId")
    return StatementEntry(
        bank_id=ExternalId(_reference(line, only)),
        day=day,
        is_credit=is_credit,
        amount_kopecks=amount,
        number=number if _NUMBER.fullmatch(number) else "",
        document_day=None if only is None else day_at(only, "RmtInf/Strd/RfrdDocInf/RltdDt"),
        operation=_operation(only, line),
        code="" if only is None else _code(only),
        counterparty=next(iter(parties)) if len(parties) == 1 else StatementParty(),
        purpose="; ".join(list(purposes)[:PURPOSES_MAX]) or text(line, "AddtlNtryInf"),
        references=_references(line, payments, is_part=is_part),
        is_reversal=text(line, "RvslInd") in ("true", "1"),
    )


def _reference(line: etree._Element, payment: etree._Element | None) -> str:
    """Return the bank's reference of a payment, or of its line, as far as it is one."""
    own = "" if payment is None else text(payment, "Refs/AcctSvcrRef")
    reference = own or text(line, "AcctSvcrRef")
    return reference if len(reference) >= REFERENCE_CHARACTERS_MIN and reference.upper() not in NOT_TOLD else ""


def _references(line: etree._Element, payments: list[etree._Element], *, is_part: bool) -> tuple[str, ...]:
    """Return the ids of the operation: what names a whole batch names none of its payments."""
    whole = [text(line, path) for path in ("AcctSvcrRef", "NtryDtls/Btch/MsgId", "NtryDtls/Btch/PmtInfId")]
    told = [] if is_part else whole
    for refs in (one for payment in payments for one in every(payment, "Refs")):
        told += [leaf for ref in refs if not (is_part and ref.tag in OF_A_BATCH) for leaf in leaves(ref)]
    return tuple(dict.fromkeys(one for one in told if one.upper() not in NOT_TOLD))[:REFERENCES_MAX]


def _operation(payment: etree._Element | None, line: etree._Element) -> str:
    """Return the code of field 18 where the bank writes it as its own code of the operation."""
    told = "" if payment is None else text(payment, "BkTxCd/Prtry/Cd")
    told = told or text(line, "BkTxCd/Prtry/Cd")
    return told if _OPERATION.fullmatch(told) else ""


def _code(payment: etree._Element) -> str:
    told = (text(payment, "RmtInf/Strd/CdtrRefInf/Ref"), text(payment, "RmtInf/Strd/RfrdDocInf/Nb"))
    return next((one for one in told if _CODE.fullmatch(one) and one.strip("0")), "")


def _purpose(payment: etree._Element) -> str:
    """Join the purpose: 210 characters come in pieces of 140, cut anywhere."""
    return "".join((one.text or "").strip("\r\n\t") for one in every(payment, "RmtInf/Ustrd")).strip() or text(
        payment, "AddtlTxInf"
    )


def _party(payment: etree._Element, *, is_credit: bool) -> StatementParty:
    """Return the other side; versions from .08 put a party into Pty."""
    side = "Dbtr" if is_credit else "Cdtr"
    parties = first(payment, "RltdPties")
    if parties is None:
        return StatementParty(bic=_bic(payment, side))
    party = first(parties, f"{side}/Pty")
    party = first(parties, side) if party is None else party
    account = text(parties, f"{side}Acct/Id/Othr/Id", f"{side}Acct/Id/IBAN")
    if party is None:
        return StatementParty(account=account, bic=_bic(payment, side))
    name = text(party, "Nm")
    return StatementParty(
        name=name + text(party, "CtctDtls/Nm") if len(name) >= NAME_CHARACTERS_MAX else name,
        inn=_identification(party, "TXID"),
        kpp=_identification(party, "KPP", "КПП"),
        account=account,
        bic=_bic(payment, side),
    )


def _identification(party: etree._Element, *schemes: str) -> str:
    others = (*every(party, "Id/OrgId/Othr"), *every(party, "Id/PrvtId/Othr"))
    return next((text(one, "Id") for one in others if text(one, "SchmeNm/Cd", "SchmeNm/Prtry").upper() in schemes), "")


def _bic(payment: etree._Element, side: str) -> str:
    members = every(payment, f"RltdAgts/{side}Agt/FinInstnId/ClrSysMmbId")
    return next((text(one, "MmbId") for one in members if text(one, "ClrSysId/Cd") == "RUCBC"), "")
