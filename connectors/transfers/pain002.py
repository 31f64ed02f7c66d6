"""Payment status report, ISO 20022 pain.002 of any version, as far as the outcome of our orders needs it (protocols.md §7a)."""

from datetime import date

from lxml import etree

from connectors.transfers.pain001 import identifier
from connectors.xml_safe import XmlError, read_xml, text_at, texts
from schemas.transfer import Transfer, TransferBatch, TransferResult, TransferState

NAMESPACE_PREFIX = "urn:iso:std:iso:20022:tech:xsd:pain.002.001."
REASON_CHARACTERS_MAX = 500
STATES = {
    "ACSC": TransferState.EXECUTED,
    "ACCC": TransferState.EXECUTED,
    "RJCT": TransferState.REJECTED,
    "CANC": TransferState.CANCELLED,
    **dict.fromkeys(("ACCP", "ACTC", "ACSP", "ACWC", "ACWP", "ACFC", "RCVD", "PDNG", "PATC", "PART"), TransferState.ACCEPTED),
}
"""External payment status codes. A code that is not here leaves the order accepted, with the code as its reason."""


def read_pain002(body: bytes, batch: TransferBatch, *, message: str) -> tuple[TransferResult, ...]:
    """Return the state of every order of ``batch``, in its order; ``message`` is the MsgId asked about. Raises XmlError.

    A group that is rejected rejects every order without a status of its own; no other group status decides an order. An order
    that is not named stays accepted. A status of an order not in the batch, or given twice, makes the report unbelievable.
    """
    root = read_xml(body)
    namespace = etree.QName(root).namespace or ""
    if not namespace.startswith(NAMESPACE_PREFIX) or etree.QName(root).localname != "Document":
        raise XmlError("not a pain.002")
    report = "CstmrPmtStsRpt"
    if text_at(root, f"{report}/OrgnlGrpInfAndSts/OrgnlMsgId", namespace) != message:
        raise XmlError("the report is of another message")
    group = text_at(root, f"{report}/OrgnlGrpInfAndSts/GrpSts", namespace)
    reason = _reason(root, f"{report}/OrgnlGrpInfAndSts/StsRsnInf", namespace)
    named = {identifier(one.key): one for one in batch.transfers}
    found: dict[str, TransferResult] = {}
    for element in root.iterfind(f".//{{{namespace}}}TxInfAndSts"):
        ours = text_at(element, "OrgnlInstrId", namespace)
        if ours not in named or ours in found:
            raise XmlError("a status of an order that is not ours, or a second one")
        found[ours] = _result(element, named[ours], namespace)
    return tuple(found.get(ours) or _by_group(one, group, reason) for ours, one in named.items())


def _result(element: etree._Element, transfer: Transfer, namespace: str) -> TransferResult:
    if text_at(element, "OrgnlEndToEndId", namespace) not in ("", transfer.number):
        raise XmlError(f"order {transfer.number} has another number in the report")
    status = text_at(element, "TxSts", namespace)
    state = STATES.get(status, TransferState.ACCEPTED)
    reason = _reason(element, "StsRsnInf", namespace)
    executed = state is TransferState.EXECUTED
    return TransferResult(
        key=transfer.key,
        state=state,
        bank_number=text_at(element, "AcctSvcrRef", namespace) if executed else "",
        bank_day=_day(text_at(element, "AccptncDtTm", namespace)) if executed else None,
        reason=reason if status in STATES else f"{status} {reason}".strip(),
    )


def _by_group(transfer: Transfer, status: str, reason: str) -> TransferResult:
    if STATES.get(status) is TransferState.REJECTED:
        return TransferResult(key=transfer.key, state=TransferState.REJECTED, reason=reason or status)
    return TransferResult(key=transfer.key, state=TransferState.ACCEPTED, reason="" if status in STATES else status)


def _reason(element: etree._Element, path: str, namespace: str) -> str:
    codes = [text for kind in ("Cd", "Prtry") for text in texts(element, f"{path}/Rsn/{kind}", namespace)]
    words = texts(element, f"{path}/AddtlInf", namespace)
    return " ".join(part for part in (*codes, *words) if part)[:REASON_CHARACTERS_MAX]


def _day(moment: str) -> date | None:
    try:
        return date.fromisoformat(moment[:10]) if moment else None
    except ValueError as error:
        raise XmlError("AccptncDtTm is not a moment") from error
