"""Alfa-Link, the bank's host-to-host: pain.001 goes out, pain.002 is asked for by MsgId (protocols.md §4b).

Whether the bank refuses a repeated MsgId, and how soon it shows a message it took, its guide does not say. So nothing is sent
again before it was asked, and «no such message» leaves the outcome unknown unless the connection's table says otherwise.
The signature is a detached CMS over the document, put into SplmtryData/Envlp/SgntrSt. In production the bank takes an XMLDSig
with a qualified key there: its form is agreed with the bank before the first order.
"""

from base64 import b64encode
from urllib.parse import quote

import msgspec

from connectors.http_told import shown
from connectors.transfers.batch import encode_report, is_complete, read_batch, rejected, sent_batch
from connectors.transfers.http_answers import common_answer, failed_read, failed_send
from connectors.transfers.pain001 import message_id, with_signature, write_pain001
from connectors.transfers.pain002 import read_pain002
from connectors.transfers.signing import Sign, SigningFailed
from connectors.xml_safe import XmlError
from schemas.delivery import Accepted, Answer, Closed, Done, NotTaken, Outgoing, Refused, Unknown
from schemas.exchange import Exchange, ExchangeFailed, HttpAnswer, HttpRequest
from schemas.transfer import TransferBatch, TransferReport, TransferResult, TransferState

PAYMENTS_PATH = "/API/v1/ISO20022/Payments"
RIGHTS_OR_SIGNATURE = 406


class AlfaLinkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Table of one connection: address, HTTP Basic, how often to ask, how long to wait.

    ``absence_proves``: the bank has confirmed that a message it does not show was never taken.
    """

    url: str
    user: str
    password: str
    absence_proves: bool = False
    poll_ms: int = 60_000
    timeout_ms: int = 30_000

    def __repr__(self) -> str:
        """Name the address and the user without the password."""
        return f"AlfaLinkSettings({self.url!r}, {self.user!r})"


class AlfaLink:
    """A Counterparty: content is a TransferBatch of one payer, what comes back a TransferReport."""

    def __init__(self, settings: AlfaLinkSettings, exchange: Exchange, sign: Sign) -> None:
        self._settings = settings
        self._exchange = exchange
        self._sign = sign

    @property
    def deduplicates(self) -> bool:
        """Not promised by the bank."""
        return False

    @property
    def can_be_asked(self) -> bool:
        """By MsgId, which is derived from the order's key."""
        return True

    async def send(self, order: Outgoing) -> Answer:
        """Write, sign and hand over one message."""
        batch = read_batch(order.content)
        if not isinstance(batch, TransferBatch):
            return batch
        if len({one.payer for one in batch.transfers}) > 1:
            reason = "one message has one payer"
            return Refused(code="content", reason=reason, content=rejected(batch, reason))
        document = write_pain001(batch, key=order.key, initiator=batch.transfers[0].payer)
        try:
            signed = await self._sign(document)
            body = with_signature(document, b64encode(signed.signature).decode())
            answer = await self._exchange(self._request("POST", PAYMENTS_PATH, body))
        except SigningFailed as error:
            return NotTaken(reason=f"not signed: {error}")
        except ExchangeFailed as error:
            return failed_send(error)
        common = self._common(answer, taken=True)
        if common is not None:
            return common
        if answer.status >= 400:
            reason = f"HTTP {answer.status}: {shown(answer.body)}"
            return Refused(code=str(answer.status), reason=reason, content=rejected(batch, reason))
        report = TransferReport(
            register=batch.register,
            results=tuple(TransferResult(key=one.key, state=TransferState.ACCEPTED) for one in batch.transfers),
            signer=signed.signer,
            signed_at=signed.signed_at,
        )
        return self._accepted(order, msgspec.json.encode(report))

    async def ask(self, order: Outgoing) -> Answer:
        """Read the status report; NotTaken only when absence proves it and the bank never said otherwise."""
        batch = sent_batch(order.content)
        if not isinstance(batch, TransferBatch):
            return batch
        message = message_id(order.key)
        try:
            answer = await self._exchange(self._request("GET", f"{PAYMENTS_PATH}/{quote(message, safe='')}"))
        except ExchangeFailed as error:
            return failed_read(error)
        if answer.status == 404:
            absent = "the bank does not show the message"
            proven = self._settings.absence_proves and not order.reference
            return NotTaken(reason=absent) if proven else Unknown(reason=absent)
        common = self._common(answer, taken=False)
        if common is not None:
            return common
        if answer.status != 200:
            return Unknown(reason=f"HTTP {answer.status}: {shown(answer.body)}")
        try:
            results = read_pain002(answer.body, batch, message=message)
        except XmlError as error:
            return Unknown(reason=f"the status report cannot be believed: {error}")
        content = encode_report(batch, results)
        return Done(reference=message, content=content) if is_complete(results) else self._accepted(order, content)

    def _accepted(self, order: Outgoing, content: bytes) -> Accepted:
        return Accepted(reference=message_id(order.key), ask_after_ms=self._settings.poll_ms, content=content)

    def _common(self, answer: HttpAnswer, *, taken: bool) -> Answer | None:
        if answer.status == RIGHTS_OR_SIGNATURE:
            return Closed(reason=f"HTTP {answer.status} (rights, signature or certificate): {shown(answer.body)}")
        return common_answer(answer, taken=taken)

    def _request(self, method: str, path: str, body: bytes = b"") -> HttpRequest:
        secret = b64encode(f"{self._settings.user}:{self._settings.password}".encode()).decode()
        headers = (("authorization", f"Basic {secret}"), ("content-type", "application/xml; charset=utf-8"))
        url = self._settings.url.rstrip("/") + path
        return HttpRequest(method=method, url=url, headers=headers, body=body, timeout_ms=self._settings.timeout_ms)
