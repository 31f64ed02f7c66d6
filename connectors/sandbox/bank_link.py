"""The fake bank's host-to-host door: pain.001 in, pain.002 out by MsgId (protocols.md §4b). It deduplicates nothing."""

from base64 import b64decode
from datetime import date, datetime
from urllib.parse import unquote, urlsplit

from cryptography import x509
from lxml import etree

from connectors.sandbox.bank_orders import BankBooks, BankOptions, BankOrder
from connectors.transfers.cms import CmsError, verify_detached
from connectors.transfers.pain001 import NAMESPACE
from connectors.xml_safe import XmlError, read_xml, text_at, texts
from schemas.exchange import HttpAnswer, HttpRequest
from schemas.money import MoneyError, kopecks_from_roubles
from schemas.transfer import BankParty, PurposeClass, Transfer, TransferState

PAYMENTS = "/API/v1/ISO20022/Payments"
STATUS_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.06"
STATUSES = {
    TransferState.ACCEPTED: "ACTC",
    TransferState.HELD: "PDNG",
    TransferState.EXECUTED: "ACSC",
    TransferState.REJECTED: "RJCT",
}


class LinkDoor:
    """Messages by MsgId; a second one of the same id is taken as well, and its orders are paid again."""

    def __init__(self, options: BankOptions, books: BankBooks) -> None:
        self._books = books
        self._trusted = tuple(x509.load_pem_x509_certificate(pem.encode()) for pem in options.certificates)
        self._messages: dict[str, tuple[int, ...]] = {}

    def handle(self, request: HttpRequest, now: datetime) -> HttpAnswer:
        """Take a message or report on one."""
        if request.method == "POST":
            return self._take(request.body, now)
        message = unquote(urlsplit(request.url).path.removeprefix(f"{PAYMENTS}/"))
        places = self._messages.get(message)
        if places is None:
            return HttpAnswer(status=404)
        return HttpAnswer(status=200, body=_report(message, [self._books.order(place) for place in places]))

    def _take(self, body: bytes, now: datetime) -> HttpAnswer:
        try:
            root = read_xml(body)
            signature = b64decode(text_at(root, "CstmrCdtTrfInitn/SplmtryData/Envlp/SgntrSt", NAMESPACE))
            verify_detached(signature, _signed_part(root), self._trusted)
            transfers = _transfers(root)
        except CmsError as error:
            return HttpAnswer(status=406, body=str(error).encode())
        except (XmlError, MoneyError, ValueError) as error:
            return HttpAnswer(status=400, body=str(error).encode())
        if any(one.payer.account not in self._books.balances for one in transfers):
            return HttpAnswer(status=406, body=b"no such account")
        places = tuple(self._books.take(one.key, one, now) for one in transfers)
        self._messages[text_at(root, "CstmrCdtTrfInitn/GrpHdr/MsgId", NAMESPACE)] = places
        return HttpAnswer(status=200)


def _signed_part(root: etree._Element) -> bytes:
    for envelope in root.iterfind(f".//{{{NAMESPACE}}}SplmtryData"):
        envelope.getparent().remove(envelope)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _transfers(root: etree._Element) -> list[Transfer]:
    group = root.find(f".//{{{NAMESPACE}}}PmtInf")
    payer = _party(group, "Dbtr")
    day = date.fromisoformat(text_at(group, "ReqdExctnDt", NAMESPACE))
    found = [_transfer(one, payer, day) for one in group.iterfind(f"{{{NAMESPACE}}}CdtTrfTxInf")]
    total = kopecks_from_roubles(text_at(root, "CstmrCdtTrfInitn/GrpHdr/CtrlSum", NAMESPACE))
    if total != sum(one.amount_kopecks for one in found):
        raise XmlError("CtrlSum is not the sum of the orders")
    return found


def _transfer(element: etree._Element, payer: BankParty, day: date) -> Transfer:
    return Transfer(
        key=text_at(element, "PmtId/InstrId", NAMESPACE),
        number=text_at(element, "PmtId/EndToEndId", NAMESPACE),
        day=day,
        amount_kopecks=kopecks_from_roubles(text_at(element, "Amt/InstdAmt", NAMESPACE)),
        payer=payer,
        payee=_party(element, "Cdtr"),
        purpose="".join(texts(element, "RmtInf/Ustrd", NAMESPACE)),
        purpose_class=PurposeClass.SERVICES,
    )


def _party(element: etree._Element, side: str) -> BankParty:
    return BankParty(
        name=text_at(element, f"{side}/Nm", NAMESPACE) + text_at(element, f"{side}/CtctDtls/Nm", NAMESPACE),
        inn=text_at(element, f"{side}/Id/OrgId/Othr/Id", NAMESPACE),
        kpp="",
        account=text_at(element, f"{side}Acct/Id/Othr/Id", NAMESPACE),
        bic=text_at(element, f"{side}Agt/FinInstnId/ClrSysMmbId/MmbId", NAMESPACE),
    )


def _report(message: str, orders: list[BankOrder]) -> bytes:
    root = etree.Element(f"{{{STATUS_NAMESPACE}}}Document", nsmap={None: STATUS_NAMESPACE})
    report = _in(root, "CstmrPmtStsRpt")
    original = _in(report, "OrgnlGrpInfAndSts")
    _in(original, "OrgnlMsgId").text = message
    group = _in(report, "OrgnlPmtInfAndSts")
    for order in orders:
        status = _in(group, "TxInfAndSts")
        _in(status, "OrgnlInstrId").text = order.key
        _in(status, "OrgnlEndToEndId").text = order.transfer.number
        _in(status, "TxSts").text = STATUSES[order.state]
        if order.reason:
            _in(_in(status, "StsRsnInf"), "AddtlInf").text = order.reason
        if order.bank_day is not None:
            _in(status, "AccptncDtTm").text = f"{order.bank_day.isoformat()}T12:00:00"
            _in(status, "AcctSvcrRef").text = order.bank_number
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _in(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{STATUS_NAMESPACE}}}{name}")
