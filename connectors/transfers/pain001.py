"""Credit transfer initiation, ISO 20022 pain.001.001.06 as Alfa-Link reads it (protocols.md §4b, §7a; its user guide).

One payment group a message. Amounts are roubles; RUCBC names a БИК, TXID an ИНН. Identifiers are derived from our keys, so every
attempt writes the same bytes.
"""

import hashlib
import re
from datetime import datetime, time

from lxml import etree

from schemas.money import roubles_from_kopecks
from schemas.transfer import BankParty, BudgetFields, Transfer, TransferBatch

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.06"
TEXT_CHARACTERS_MAX = 140
IDENTIFIER_CHARACTERS_MAX = 35

_IDENTIFIER = re.compile(r"[0-9A-Za-z][0-9A-Za-z/?:().,'+-]{0,34}", re.ASCII)


def identifier(key: str) -> str:
    """Return a key as an ISO 20022 identifier: itself when it is one, else 32 hexadecimal digits of its SHA-256."""
    return key if _IDENTIFIER.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()[:32]


def message_id(key: str) -> str:
    """MsgId of the message that carries the order with this key."""
    return identifier(key)


def write_pain001(batch: TransferBatch, *, key: str, initiator: BankParty) -> bytes:
    """Write a message of ``batch``, unsigned; ``key`` is the order's, ``initiator`` the account's holder. XML in UTF-8."""
    root = etree.Element(f"{{{NAMESPACE}}}Document", nsmap={None: NAMESPACE})
    initiation = _in(root, "CstmrCdtTrfInitn")
    header = _in(initiation, "GrpHdr")
    _text(header, "MsgId", message_id(key))
    _text(header, "CreDtTm", datetime.combine(batch.day, time()).isoformat())
    _text(header, "NbOfTxs", str(batch.count))
    _text(header, "CtrlSum", roubles_from_kopecks(batch.total_kopecks))
    _party(_in(header, "InitgPty"), initiator)
    group = _in(initiation, "PmtInf")
    # The group's id must differ from the message's and from every payment's.
    _text(group, "PmtInfId", hashlib.sha256(f"group {key}".encode()).hexdigest()[:32])
    _text(group, "PmtMtd", "TRF")
    _text(group, "NbOfTxs", str(batch.count))
    _text(group, "CtrlSum", roubles_from_kopecks(batch.total_kopecks))
    _text(group, "ReqdExctnDt", batch.day.isoformat())
    payer = batch.transfers[0].payer
    _party(_in(group, "Dbtr"), payer)
    _account(_in(group, "DbtrAcct"), payer.account)
    _agent(group, "DbtrAgt", payer)
    for transfer in batch.transfers:
        _transfer(_in(group, "CdtTrfTxInf"), transfer)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def with_signature(document: bytes, signature: str) -> bytes:
    """Return the document with a signature (base64) in SplmtryData/Envlp/SgntrSt; what was signed is the document without it."""
    root = etree.fromstring(document)
    envelope = _in(_in(root[0], "SplmtryData"), "Envlp")
    _text(envelope, "SgntrSt", signature)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _transfer(element: etree._Element, transfer: Transfer) -> None:
    ids = _in(element, "PmtId")
    _text(ids, "InstrId", identifier(transfer.key))
    _text(ids, "EndToEndId", transfer.number)
    kind = _in(element, "PmtTpInf")
    _text(kind, "InstrPrty", "NORM")
    # Очередность (21) has no element of its own in the standard.
    _text(_in(kind, "CtgyPurp"), "Prtry", str(transfer.priority))
    amount = _text(_in(element, "Amt"), "InstdAmt", roubles_from_kopecks(transfer.amount_kopecks))
    amount.set("Ccy", "RUB")
    _agent(element, "CdtrAgt", transfer.payee)
    _party(_in(element, "Cdtr"), transfer.payee)
    _account(_in(element, "CdtrAcct"), transfer.payee.account)
    if transfer.budget is not None:
        _tax(_in(element, "Tax"), transfer, transfer.budget)
    remittance = _in(element, "RmtInf")
    for part in _parts(transfer.purpose):
        _text(remittance, "Ustrd", part)
    document = _in(_in(remittance, "Strd"), "RfrdDocInf")
    if transfer.code != "0":
        _text(document, "Nb", transfer.code)
    _text(document, "RltdDt", transfer.day.isoformat())


def _parts(purpose: str) -> tuple[str, ...]:
    """Cut field 24 for Ustrd, which is joined without a space: never beside one, since readers take spaces off the ends."""
    if len(purpose) <= TEXT_CHARACTERS_MAX:
        return (purpose,)
    least = len(purpose) - TEXT_CHARACTERS_MAX
    cuts = (cut for cut in range(TEXT_CHARACTERS_MAX, least - 1, -1) if " " not in purpose[cut - 1 : cut + 1])
    cut = next(cuts, TEXT_CHARACTERS_MAX)
    return purpose[:cut], purpose[cut:]


def _party(element: etree._Element, party: BankParty) -> None:
    """Write Nm and ИНН; what a name has above 140 characters goes on in CtctDtls/Nm."""
    _text(element, "Nm", party.name[:TEXT_CHARACTERS_MAX])
    if party.inn.strip("0"):
        other = _in(_in(_in(element, "Id"), "OrgId"), "Othr")
        _text(other, "Id", party.inn)
        _text(_in(other, "SchmeNm"), "Cd", "TXID")
    if len(party.name) > TEXT_CHARACTERS_MAX:
        _text(_in(element, "CtctDtls"), "Nm", party.name[TEXT_CHARACTERS_MAX:])


def _agent(element: etree._Element, name: str, party: BankParty) -> None:
    institution = _in(_in(element, name), "FinInstnId")
    member = _in(institution, "ClrSysMmbId")
    _text(_in(member, "ClrSysId"), "Cd", "RUCBC")
    _text(member, "MmbId", party.bic)
    if party.bank_name:
        _text(institution, "Nm", party.bank_name[:TEXT_CHARACTERS_MAX])
    if party.correspondent:
        _account(_in(element, f"{name}Acct"), party.correspondent)


def _account(element: etree._Element, account: str) -> None:
    _text(_in(_in(element, "Id"), "Othr"), "Id", account)


def _tax(element: etree._Element, transfer: Transfer, fields: BudgetFields) -> None:
    """Fields 101–110 and both КПП; which element holds which field is the bank's flavour, checked with the bank before use."""
    _text(_in(element, "Cdtr"), "TaxTp", transfer.payee.kpp or "0")
    _text(_in(element, "Dbtr"), "TaxTp", transfer.payer.kpp or "0")
    _text(element, "AdmstnZn", fields.oktmo)
    _text(element, "RefNb", fields.document_number)
    _text(element, "Mtd", fields.reason)
    record = _in(element, "Rcrd")
    _text(record, "Tp", fields.kind)
    _text(record, "Ctgy", fields.kbk)
    _text(record, "DbtrSts", fields.drawer_status)
    _text(record, "CertId", fields.document_date)
    _text(record, "AddtlInf", fields.period)


def _in(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")


def _text(parent: etree._Element, name: str, text: str) -> etree._Element:
    element = _in(parent, name)
    element.text = text
    return element
