"""The signed distribution register: how the house tells a bank to pay from the bank's own 40911 (protocols.md §4c; design W9).

The bank owns the account, so nobody else can debit it: a register of orders goes out under a contract, and the bank answers by
line. Ours is the format of docs/distribution-register.md. The bank deduplicates by the register's number within the account and
can be asked by it, so an unknown outcome is asked first and never given another number.
"""

from urllib.parse import quote

import msgspec

from connectors.http_told import retry_after_ms, shown
from connectors.transfers.batch import is_complete, read_batch, rejected, sent_batch
from connectors.transfers.http_answers import common_answer, failed_read, failed_send
from connectors.transfers.multipart import write_parts
from connectors.transfers.register_answer import PROBLEM_UNKNOWN_REGISTER, read_answer, read_problem
from connectors.transfers.register_file import CONTENT_TYPE, write_register
from connectors.transfers.signing import Sign, SigningFailed
from schemas.delivery import Accepted, Answer, Closed, Done, NotTaken, Outgoing, Refused, Unknown
from schemas.exchange import Exchange, ExchangeFailed, HttpAnswer, HttpRequest
from schemas.transfer import TransferBatch, TransferReport, TransferState

HELD_POLL_FACTOR = 15
"""A hold under 115-ФЗ lasts days: its register is asked about that much more seldom than one being executed."""


class RegisterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Table of one bank: ``url`` under which ``/registers`` stands, the bearer ``token``, how often to ask, how long to wait."""

    url: str
    token: str = ""
    poll_ms: int = 60_000
    timeout_ms: int = 30_000

    def __repr__(self) -> str:
        """Name the bank without the token."""
        return f"RegisterSettings({self.url!r})"


class DistributionRegister:
    """A Counterparty: content is a TransferBatch, what comes back a TransferReport.

    A register refused as a whole is Refused with a report in which every line is rejected; refused lines of a register that was
    taken are lines of its report, and the order is Done when every line has its end.
    """

    def __init__(self, settings: RegisterSettings, exchange: Exchange, sign: Sign) -> None:
        self._settings = settings
        self._exchange = exchange
        self._sign = sign

    @property
    def deduplicates(self) -> bool:
        """A repeated number is answered by the register that came first."""
        return True

    @property
    def can_be_asked(self) -> bool:
        """By the register's number."""
        return True

    async def send(self, order: Outgoing) -> Answer:
        """Sign the register and hand it over."""
        batch = read_batch(order.content)
        if not isinstance(batch, TransferBatch):
            return batch
        content = write_register(batch)
        try:
            signed = await self._sign(content)
        except SigningFailed as error:
            return NotTaken(reason=f"not signed: {error}")
        content_type, body = write_parts(content, CONTENT_TYPE, signed.signature)
        headers = (("content-type", content_type), ("idempotency-key", register_id(batch)), *self._authorization())
        request = self._request("POST", "/registers", headers=headers, body=body)
        try:
            answer = await self._exchange(request)
        except ExchangeFailed as error:
            return failed_send(error)
        return self._read_sent(answer, batch)

    async def ask(self, order: Outgoing) -> Answer:
        """Ask by the number; NotTaken only when the bank says that it has no such register and never said otherwise."""
        batch = sent_batch(order.content)
        if not isinstance(batch, TransferBatch):
            return batch
        path = f"/registers/{quote(batch.transit_account)}/{quote(batch.register, safe='')}"
        try:
            answer = await self._exchange(self._request("GET", path, headers=self._authorization()))
        except ExchangeFailed as error:
            return failed_read(error)
        if answer.status == 404:
            problem = read_problem(answer.body)
            known = problem is not None and problem.code == PROBLEM_UNKNOWN_REGISTER
            if known and not order.reference:
                return NotTaken(reason="the bank has no such register")
            return Unknown(reason="the bank has lost a register that it accepted" if known else f"HTTP 404: {shown(answer.body)}")
        common = common_answer(answer, taken=False)
        if common is not None:
            return common
        if answer.status != 200:
            return Unknown(reason=f"HTTP {answer.status}: {shown(answer.body)}")
        return self._read_body(answer.body, batch)

    def _read_sent(self, answer: HttpAnswer, batch: TransferBatch) -> Answer:
        # By the contract of this format, unlike elsewhere, a 503 with Retry-After says that nothing was taken.
        if answer.status == 503 and answer.header("retry-after"):
            return NotTaken(reason="HTTP 503", after_ms=retry_after_ms(answer))
        common = common_answer(answer, taken=True)
        if common is not None:
            return common
        if answer.status in (200, 201, 202):
            return self._read_body(answer.body, batch)
        problem = read_problem(answer.body)
        if problem is None:
            return Unknown(reason=f"HTTP {answer.status}: {shown(answer.body)}")
        match answer.status:
            case 409:
                return Unknown(reason=f"the bank has another register under this number: {problem.reason}")
            case 400 | 413 | 422:
                reason = problem.reason or problem.code
                return Refused(code=problem.code, reason=reason, content=rejected(batch, reason))
            case status:
                return Closed(reason=f"HTTP {status} {problem.code}: {problem.reason}")

    def _read_body(self, body: bytes, batch: TransferBatch) -> Answer:
        report = read_answer(body, batch)
        if not isinstance(report, TransferReport):
            return Unknown(reason=report)
        content = msgspec.json.encode(report)
        if is_complete(report.results):
            return Done(reference=register_id(batch), content=content)
        waiting = any(result.state is TransferState.ACCEPTED for result in report.results)
        ask_after_ms = self._settings.poll_ms * (1 if waiting else HELD_POLL_FACTOR)
        return Accepted(reference=register_id(batch), ask_after_ms=ask_after_ms, content=content)

    def _authorization(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._settings.token}"),) if self._settings.token else ()

    def _request(self, method: str, path: str, *, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> HttpRequest:
        url = self._settings.url.rstrip("/") + path
        return HttpRequest(method=method, url=url, headers=headers, body=body, timeout_ms=self._settings.timeout_ms)


def register_id(batch: TransferBatch) -> str:
    """The idempotency key at the bank: registers are numbered within their transit account."""
    return f"{batch.transit_account}/{batch.register}"
