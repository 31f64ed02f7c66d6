"""Orders through a bank client's file exchange: 1c_to_kl.txt goes into a folder, kl_to_1c.txt says what was paid (§5).

The folder stands behind HTTP: a bank's host-to-host gateway or a WebDAV share. Nobody deduplicates a file that was picked up and
left again, so it is written once, under a name of its register's number and only if there is none (RFC 9110, If-None-Match: *).
What became of it only the statement tells: an order whose file is in neither is a person's to find.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import msgspec

from connectors.http_told import retry_after_ms, shown
from connectors.statements.client_bank_1c import read_1c
from connectors.statements.exchange_1c import Exchange1CError
from connectors.statements.source import StatementUnread
from connectors.transfers.batch import encode_report, is_complete, read_batch, rejected, sent_batch
from connectors.transfers.http_answers import common_answer, failed_read, failed_send
from connectors.transfers.orders_1c import MOSCOW, UnwritableOrder, write_orders
from connectors.transfers.signing import Sign, SigningFailed
from connectors.transfers.statement import Statement, executed_by, orders_view
from schemas.delivery import Accepted, Answer, Closed, Done, NotTaken, Outgoing, Refused, Unknown
from schemas.exchange import Exchange, ExchangeFailed, HttpAnswer, HttpRequest
from schemas.statement import BankStatement, StatementUnbelieved
from schemas.transfer import StatementMovement, Transfer, TransferBatch, TransferReport, TransferResult, TransferState

ORDER_LIFE_DAYS = 10
"""A payment order is presented within ten calendar days (762-П), so no statement after them tells of it."""


class ClientBankSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Table of one bank client. ``folder_url`` takes files; ``statement_url`` gives one, with {account}, {from} and {to} in it.

    ``authorization`` is the whole header of that name. ``signed``: a detached signature is left beside each file, name.p7s.
    """

    folder_url: str
    statement_url: str
    authorization: str = ""
    signed: bool = True
    poll_ms: int = 600_000
    timeout_ms: int = 30_000

    def __repr__(self) -> str:
        """Name the folder without the password."""
        return f"ClientBankSettings({self.folder_url!r})"


class ClientBank:
    """A Counterparty and a source of statements; content is a TransferBatch, what comes back a TransferReport."""

    def __init__(self, settings: ClientBankSettings, exchange: Exchange, sign: Sign | None, now: Callable[[], datetime]) -> None:
        if settings.signed and sign is None:
            raise ValueError("signed files need a signing command")
        self._settings = settings
        self._exchange = exchange
        self._sign = sign if settings.signed else None
        self._now = now

    @property
    def deduplicates(self) -> bool:
        """A file that the bank client has picked up can be left again."""
        return False

    @property
    def can_be_asked(self) -> bool:
        """By the statement, and by the file while it lies in the folder."""
        return True

    async def send(self, order: Outgoing) -> Answer:
        """Leave the file, its signature first: who picks up the file finds both."""
        batch = read_batch(order.content)
        if not isinstance(batch, TransferBatch):
            return batch
        try:
            content = write_orders(batch)
        except (Exchange1CError, UnwritableOrder) as error:
            return Refused(code="content", reason=str(error), content=rejected(batch, str(error)))
        report = TransferReport(register=batch.register, results=_waiting(batch))
        if self._sign is not None:
            try:
                signed = await self._sign(content)
                answer = await self._exchange(self._put(f"{file_name(batch)}.p7s", signed.signature, once=False))
            except SigningFailed as error:
                return NotTaken(reason=f"not signed: {error}")
            except ExchangeFailed as error:
                return NotTaken(reason=f"the signature was not left: {error.reason}")
            if answer.status not in (200, 201, 204):
                common = common_answer(answer, taken=False)
                return common if isinstance(common, Closed) else _refused_folder(answer)
            report = msgspec.structs.replace(report, signer=signed.signer, signed_at=signed.signed_at)
        return await self._leave(batch, content, report)

    async def ask(self, order: Outgoing) -> Answer:
        """Look for the orders on the statement, then for the file in the folder."""
        batch = sent_batch(order.content)
        if not isinstance(batch, TransferBatch):
            return batch
        until = min(self._today(), batch.day + timedelta(days=ORDER_LIFE_DAYS))
        read = await self._read(batch.transit_account, batch.day, until)
        if isinstance(read, StatementUnread):
            return Unknown(reason=read.reason)
        results = _results(batch, orders_view(read))
        content = encode_report(batch, results)
        if is_complete(results):
            return Done(reference=file_name(batch), content=content)
        if self._today() > until:
            return Unknown(reason=f"not on the statement {ORDER_LIFE_DAYS} days after: look in the bank client")
        if order.reference or any(result.state is TransferState.EXECUTED for result in results):
            return Accepted(reference=file_name(batch), ask_after_ms=self._settings.poll_ms, content=content)
        return await self._look(batch, content)

    async def bank_statement(self, account: str, day: date) -> BankStatement | StatementUnread:
        """Read the statement of one day."""
        return await self._read(account, day, day)

    async def statement(self, account: str, day: date) -> Statement | StatementUnread:
        """Read the statement of one day as orders need it."""
        read = await self._read(account, day, day)
        return read if isinstance(read, StatementUnread) else orders_view(read)

    async def _leave(self, batch: TransferBatch, content: bytes, report: TransferReport) -> Answer:
        try:
            answer = await self._exchange(self._put(file_name(batch), content, once=True))
        except ExchangeFailed as error:
            return failed_send(error)
        common = common_answer(answer, taken=True)
        if common is not None:
            return common
        # 412: a file of this register lies there already, left by an attempt whose outcome was lost.
        if answer.status in (200, 201, 204, 412):
            return Accepted(reference=file_name(batch), ask_after_ms=self._settings.poll_ms, content=msgspec.json.encode(report))
        return _refused_folder(answer)

    async def _look(self, batch: TransferBatch, content: bytes) -> Answer:
        url = f"{self._settings.folder_url.rstrip('/')}/{file_name(batch)}"
        try:
            answer = await self._exchange(self._request("HEAD", url))
        except ExchangeFailed as error:
            return failed_read(error)
        common = common_answer(answer, taken=False)
        if common is not None:
            return common
        if answer.status == 200:
            return Accepted(reference=file_name(batch), ask_after_ms=self._settings.poll_ms, content=content)
        return Unknown(reason="the file is not in the folder and its orders are not on the statement: look in the bank client")

    async def _read(self, account: str, start: date, end: date) -> BankStatement | StatementUnread:
        url = self._settings.statement_url
        for name, value in (("account", account), ("from", start.isoformat()), ("to", end.isoformat())):
            url = url.replace(f"{{{name}}}", value)
        try:
            answer = await self._exchange(self._request("GET", url))
        except ExchangeFailed as error:
            return StatementUnread(reason=f"the statement was not got: {error.reason}", again=True)
        if answer.status != 200:
            reason = f"the statement was not got: HTTP {answer.status}"
            return StatementUnread(reason=reason, again=answer.status >= 429, after_ms=retry_after_ms(answer))
        try:
            return read_1c(answer.body, account, self._now())
        except StatementUnbelieved as error:
            return StatementUnread(reason=f"the statement cannot be believed: {error}", again=False)

    def _today(self) -> date:
        return self._now().astimezone(MOSCOW).date()

    def _put(self, name: str, content: bytes, *, once: bool) -> HttpRequest:
        headers = (("content-type", "application/octet-stream"), *((("if-none-match", "*"),) if once else ()))
        return self._request("PUT", f"{self._settings.folder_url.rstrip('/')}/{name}", headers, content)

    def _request(self, method: str, url: str, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> HttpRequest:
        if self._settings.authorization:
            headers = (*headers, ("authorization", self._settings.authorization))
        return HttpRequest(method=method, url=url, headers=headers, body=body, timeout_ms=self._settings.timeout_ms)


def file_name(batch: TransferBatch) -> str:
    """Name of a register's file: its number within its account makes it the only one."""
    return f"1c_to_kl_{batch.transit_account}_{batch.register}.txt"


def _refused_folder(answer: HttpAnswer) -> Answer:
    return NotTaken(reason=f"the folder took nothing: HTTP {answer.status} {shown(answer.body)}")


def _waiting(batch: TransferBatch) -> tuple[TransferResult, ...]:
    return tuple(TransferResult(key=one.key, state=TransferState.ACCEPTED) for one in batch.transfers)


def _results(batch: TransferBatch, statement: Statement) -> tuple[TransferResult, ...]:
    left = list(statement.movements)
    return tuple(_result(one, executed_by(one, left)) for one in batch.transfers)


def _result(transfer: Transfer, movement: StatementMovement | None) -> TransferResult:
    if movement is None:
        return TransferResult(key=transfer.key, state=TransferState.ACCEPTED)
    return TransferResult(key=transfer.key, state=TransferState.EXECUTED, bank_number=movement.number, bank_day=movement.day)
